//! Every reason against a coupon, as the till is told it.

use dintorni::grpc::pb::{self, coupon_refusal::Reason};
use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;

use super::{Shops, by_code, by_offer, claim, euros, generated, seconds, store_key};
use crate::support::harness::{TestServer, bearing, refusal};

/// A check at a till of a store, with a key that opens both.
async fn check(shops: &Shops<'_>, (key, store, till): (&str, &str, &str), presented: pb::Presented) -> Option<Reason> {
    let (store, till) = (store.into(), till.into());
    let request = pb::CheckOfferRequest { store, till, presented: Some(presented), lock: None };
    let answer = shops.tills().check_offer(bearing(key, request)).await.expect("checked").into_inner();
    answer.refusal.map(|refusal| {
        assert!(!refusal.message.is_empty());
        refusal.reason()
    })
}

#[tokio::test]
async fn a_till_is_told_why_not() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let only_one = pb::coupon::At::Stores(pb::Stores { stores: vec![shops.stores[0].clone()] });
    let coupon =
        pb::Coupon { at: Some(only_one), holder_only: true, redeem_after: seconds(super::DAY / 24), ..generated() };
    shops.campaign("umbrella", coupon, vec![]).await;
    let key = store_key(&server, &shops.acme, &shops.stores).await;
    let [one, two] = shops.stores.each_ref().map(String::as_str);
    let (phone, offer) = shops.visitor(1).await;
    let customer = phone.profile.rsplit('/').next().expect("an id").to_owned();
    let with = |presented: pb::Presented, customer: &str| pb::Presented { customer: customer.into(), ..presented };
    let at = |store| (key.as_str(), store, "till-1");

    assert_eq!(check(&shops, at(one), by_code("0000-0000-0000")).await, Some(Reason::UnknownCode));
    assert_eq!(check(&shops, at(two), by_offer(&offer.id)).await, Some(Reason::WrongStore));
    assert_eq!(check(&shops, at(one), by_offer(&offer.id)).await, Some(Reason::CustomerRequired));
    assert_eq!(check(&shops, at(one), with(by_offer(&offer.id), "somebody")).await, Some(Reason::WrongCustomer));
    let own = with(by_offer(&offer.id), &customer);
    assert_eq!(check(&shops, at(one), own.clone()).await, Some(Reason::NotYet));
    server.clock.advance(super::DAY / 24);
    assert_eq!(check(&shops, at(one), own.clone()).await, Some(Reason::NotClaimed));
    let code = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
    let own = with(by_code(&code), &customer);
    assert_eq!(check(&shops, at(one), own.clone()).await, None);

    let sale = |id: &str, amount| pb::RedeemOfferRequest { amount, ..shops.sale(id, own.clone()) };
    let status = shops.redeem(sale("a", Some(euros(501)))).await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::FailedPrecondition, "AMOUNT_TOO_HIGH".into()));
    let all = tonic_types::Status::decode(status.details()).expect("details").details;
    let own_detail = all.iter().find(|any| any.type_url.ends_with("dintorni.v1.CouponRefusal")).expect("ours as well");
    let told = pb::CouponRefusal::decode(own_detail.value.as_slice()).expect("a refusal");
    assert_eq!((told.reason(), told.message.as_str()), (Reason::AmountTooHigh, "At most 5.00 EUR can be redeemed."));
    let dollars = Some(pb::Money { currency: "USD".into(), minor_units: 1 });
    let status = shops.redeem(sale("a", dollars)).await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::FailedPrecondition, "WRONG_CURRENCY".into()));
    shops.redeem(sale("a", Some(euros(250)))).await.expect("what was refused did not happen, and its id is free");
    assert_eq!(check(&shops, at(one), own.clone()).await, Some(Reason::AlreadyRedeemed));
    server.clock.advance(super::DAY);
    let other = shops.holder(2).await;
    server.clock.advance(super::DAY);
    let id = other.0.profile.rsplit('/').next().expect("an id");
    assert_eq!(check(&shops, at(one), with(by_code(&other.1), id)).await, Some(Reason::Ended));
    shops.proven().await;
}

#[tokio::test]
async fn a_lock_keeps_other_tills_away_for_a_while() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![]).await;
    let (_, code) = shops.holder(1).await;
    let at = |till: &str, lock: Option<u64>| pb::CheckOfferRequest {
        store: shops.stores[0].clone(),
        till: till.into(),
        presented: Some(by_code(&code)),
        lock: lock.and_then(|lock| seconds(std::time::Duration::from_secs(lock))),
    };
    assert!(shops.check(at("till-1", Some(120))).await.locked_until.is_some());
    let other = shops.check(at("till-2", Some(120))).await;
    assert_eq!(other.refusal.expect("refused").reason(), Reason::Locked);
    let sale = |till: &str| pb::RedeemOfferRequest { till: till.into(), ..shops.sale(till, by_code(&code)) };
    assert_eq!(refusal(&shops.redeem(sale("till-2")).await.expect_err("refused")).1, "LOCKED");
    assert_eq!(shops.check(at("till-1", Some(0))).await.locked_until, None, "given up");
    assert_eq!(shops.check(at("till-2", Some(60))).await.refusal, None);
    server.clock.advance(std::time::Duration::from_secs(60));
    shops.redeem(sale("till-1")).await.expect("the lock is over");
}

#[tokio::test]
async fn whoever_tries_codes_is_shut_out() {
    let server = TestServer::start_with(&[("tills.wrong_codes", "3")]).await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![]).await;
    let (_, code) = shops.holder(1).await;
    for number in 0..3 {
        let wrong = shops.redeem_code("a", &format!("GUESS{number}")).await.expect_err("refused");
        assert_eq!(refusal(&wrong), (Code::NotFound, "UNKNOWN_CODE".into()));
    }
    let shut = shops.redeem_code("a", &code).await.expect_err("even with a good code");
    assert_eq!(refusal(&shut), (Code::ResourceExhausted, "LOCKED_OUT".into()));
    assert!(shut.get_error_details().retry_info().is_some());
    let beside = pb::RedeemOfferRequest { till: "till-2".into(), ..shops.sale("a", by_code(&code)) };
    shops.redeem(beside).await.expect("another till goes on");
}

#[tokio::test]
async fn a_code_for_everyone_is_used_by_everyone_once_where_the_customer_is_known() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let coupon = pb::Coupon { codes: Some(pb::coupon::Codes::Fixed("SUMMER-20".into())), ..generated() };
    shops.campaign("summer", coupon, vec![]).await;
    let (phone, offer) = shops.visitor(1).await;
    assert_eq!(offer.coupon.expect("a coupon").code, "SUMMER20", "it is no secret");
    for id in ["a", "b"] {
        let redeemed = shops.redeem_code(id, "summer 20").await.expect("redeemed");
        assert_eq!(redeemed.offer, "");
    }
    let customer: String = phone.profile.rsplit('/').next().expect("an id").into();
    let known = |id| shops.sale(id, pb::Presented { customer: customer.clone(), ..by_code("SUMMER20") });
    assert_eq!(shops.redeem(known("c")).await.expect("redeemed").offer, offer.id);
    assert_eq!(refusal(&shops.redeem(known("d")).await.expect_err("refused")).1, "ALREADY_REDEEMED");
    shops.proven().await;
}

#[tokio::test]
async fn that_an_id_was_used_is_told_before_what_is_wrong_with_the_new_body() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let everyones = pb::Coupon { codes: Some(pb::coupon::Codes::Fixed("JINGLE26".into())), ..generated() };
    shops.campaign("jingle", everyones, vec![]).await;
    let key = store_key(&server, &shops.acme, &shops.stores).await;
    let redeem = async |sale| Ok(shops.tills().redeem_offer(bearing(&key, sale)).await?.into_inner());
    let store = shops.stores[1].clone();
    let sale = pb::RedeemOfferRequest { store: store.clone(), ..shops.sale("a", by_code("jingle26")) };
    let redeemed: Result<_, tonic::Status> = redeem(sale.clone()).await;
    let dear = pb::RedeemOfferRequest { amount: Some(euros(501)), ..sale.clone() };
    let status = redeem(dear).await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));

    let request = pb::DeleteStoreRequest { name: store, ..Default::default() };
    server.places().delete_store(bearing(&server.operator, request)).await.expect("gone");
    let again = redeem(sale.clone()).await.expect("a retry");
    assert_eq!(again, redeemed.expect("redeemed"), "the shop is gone, what it did is not");
    let anew = pb::RedeemOfferRequest { request_id: "b".into(), ..sale };
    assert_eq!(redeem(anew).await.expect_err("refused").code(), Code::NotFound);
}
