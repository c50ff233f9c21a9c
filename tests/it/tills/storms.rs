//! Many tills at once: single use and limits hold, and every answer is true.

use std::collections::BTreeSet;

use dintorni::grpc::pb::{self, budget::Unit};
use tokio::task::JoinSet;

use super::{Shops, budget, by_code, claim, generated};
use crate::support::harness::{TestServer, bearing, refusal};

/// Redeems at once, each under its own request id and at its own till; returns what each was told.
async fn at_once(shops: &Shops<'_>, round: u8, codes: &[String]) -> Vec<Result<pb::Redemption, String>> {
    let mut tills = JoinSet::new();
    for (number, code) in codes.iter().enumerate() {
        let till = format!("till-{number}");
        let request = pb::RedeemOfferRequest { till, ..shops.sale(&format!("r{round}-{number}"), by_code(code)) };
        let (mut client, request) = (shops.tills(), bearing(&shops.key, request));
        tills.spawn(async move {
            client.redeem_offer(request).await.map(tonic::Response::into_inner).map_err(|status| refusal(&status).1)
        });
    }
    tills.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_tills_with_one_code_one_redeems_it() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 100)]).await;
    for installation in 1..=4 {
        let (_, code) = shops.holder(installation).await;
        let told = at_once(&shops, installation, &vec![code; 32]).await;
        let done = told.iter().filter(|told| told.is_ok()).count();
        let used = told.iter().filter(|told| told.as_ref().err().is_some_and(|why| why == "ALREADY_REDEEMED")).count();
        assert_eq!((done, used), (1, 31), "{told:?}");
    }
    assert_eq!(shops.proven().await.redemptions, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_different_codes_stops_at_the_limit() {
    const LIMIT: usize = 7;
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    // Counted at the till only: a claim does not know the store.
    let limit = pb::Budget { per_store: true, ..budget(Unit::Redemptions, LIMIT as u64) };
    shops.campaign("umbrella", generated(), vec![limit]).await;
    let mut codes = Vec::new();
    for installation in 1..=20 {
        codes.push(shops.holder(installation).await.1);
    }
    let told = at_once(&shops, 0, &codes).await;
    let done: BTreeSet<_> = told.iter().flatten().map(|redemption| redemption.offer.clone()).collect();
    assert_eq!(done.len(), LIMIT, "{told:?}");
    assert!(told.iter().filter_map(|told| told.as_ref().err()).all(|why| why == "BUDGET_EXHAUSTED"), "{told:?}");
    assert_eq!(shops.proven().await.redemptions, LIMIT as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_at_once_are_one_redemption_with_one_answer() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Money, 500)]).await;
    let (_, code) = shops.holder(1).await;
    let mut tries = JoinSet::new();
    for _ in 0..24 {
        let (mut client, request) = (shops.tills(), bearing(&shops.key, shops.sale("one", by_code(&code))));
        tries.spawn(async move { client.redeem_offer(request).await.expect("redeemed").into_inner() });
    }
    let told = tries.join_all().await;
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    assert_eq!(shops.proven().await.redemptions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_at_once_get_one_code_and_take_one_unit() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1)]).await;
    let (phone, offer) = shops.visitor(1).await;
    let claims = futures_util::future::join_all((0..16).map(|_| claim(&phone, &offer.id))).await;
    let codes: BTreeSet<String> =
        claims.into_iter().map(|claimed| claimed.expect("claimed").coupon.expect("a coupon").code).collect();
    assert_eq!(codes.len(), 1);
    shops.proven().await;
}
