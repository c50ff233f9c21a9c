//! One coupon from the phone to the till and back.

use std::time::Duration;

use dintorni::grpc::pb::{self, budget::Unit, wallet_offer::State};
use tonic::Code;

use super::{DAY, Shops, budget, by_code, by_offer, claim, euros, generated, held, store_key};
use crate::support::harness::{TestServer, bearing, refusal};

#[tokio::test]
async fn a_coupon_is_claimed_redeemed_once_and_taken_back() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 9), budget(Unit::Money, 9_000)]).await;
    let (phone, offer) = shops.visitor(1).await;
    let coupon = offer.coupon.expect("a coupon");
    assert_eq!((coupon.code.as_str(), coupon.instruction.as_str()), ("", "5 EUR off"), "it must be claimed");
    assert_eq!(held(&phone).await[0].state(), State::Open);

    let claimed = claim(&phone, &offer.id).await.expect("claimed");
    let code = claimed.coupon.clone().expect("a coupon").code;
    assert!(claimed.claim_time.is_some() && claimed.show_time.is_some(), "what is claimed was seen");
    assert_eq!(claim(&phone, &offer.id).await.expect("claimed"), claimed, "the same code again");

    let sloppy = code.to_lowercase().replace('-', " ");
    let check = pb::CheckOfferRequest {
        store: shops.stores[0].clone(),
        till: "till-1".into(),
        presented: Some(by_code(&sloppy)),
        lock: None,
    };
    let checked = shops.check(check).await;
    assert_eq!(checked.refusal, None);
    assert_eq!(checked.terms.expect("given").value, Some(euros(500)));

    let sale = pb::RedeemOfferRequest { till_reference: "r-77".into(), ..shops.sale("a", by_code(&code)) };
    let redeemed = shops.redeem(sale.clone()).await.expect("redeemed");
    assert_eq!((redeemed.offer.as_str(), &redeemed.amount), (offer.id.as_str(), &Some(euros(500))));
    assert_eq!(shops.redeem(sale.clone()).await.expect("the same"), redeemed);
    let other = pb::RedeemOfferRequest { amount: Some(euros(100)), ..sale.clone() };
    assert_eq!(
        refusal(&shops.redeem(other).await.expect_err("refused")),
        (Code::AlreadyExists, "REQUEST_ID_REUSED".into())
    );
    let again = shops.redeem_code("b", &code).await.expect_err("refused");
    assert_eq!(refusal(&again), (Code::FailedPrecondition, "ALREADY_REDEEMED".into()));
    assert_eq!(held(&phone).await[0].state(), State::Redeemed);

    let part = shops.reverse("c", &redeemed.id, Some(200)).await.expect("taken back");
    assert_eq!((part.reversed_amount.clone(), part.reverse_time), (Some(euros(200)), None));
    assert_eq!(shops.reverse("c", &redeemed.id, Some(200)).await.expect("the same"), part);
    assert!(shops.reverse("d", &redeemed.id, Some(301)).await.is_err(), "more than is left");
    assert_eq!(held(&phone).await[0].state(), State::Redeemed, "a part of it is still used");
    let all = shops.reverse("e", &redeemed.id, None).await.expect("taken back");
    assert_eq!(all.reversed_amount, Some(euros(500)));
    assert_eq!(shops.redeem(sale).await.expect("the same"), redeemed, "a retry is told what happened first");
    let gone = shops.reverse("f", &redeemed.id, None).await.expect_err("refused");
    assert_eq!(refusal(&gone), (Code::FailedPrecondition, "PRECONDITION".into()));

    let back = held(&phone).await.remove(0);
    assert_eq!(back.state(), State::Open);
    assert!(back.redeem_time.is_none() && back.reverse_time.is_some());
    shops.redeem(shops.sale("g", by_offer(&offer.id))).await.expect("good again");
    let proof = shops.proven().await;
    assert_eq!((proof.offers, proof.redemptions), (1, 2));
}

#[tokio::test]
async fn redemptions_are_listed_for_the_store_and_for_the_brand() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let campaign = shops.campaign("umbrella", generated(), vec![]).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let (_, code) = shops.holder(number).await;
        ids.push(shops.redeem_code(&format!("r{number}"), &code).await.expect("redeemed").id);
        server.clock.advance(super::DAY / 24);
    }
    ids.reverse();
    let brand = shops.acme.key_of(pb::key::Scope::Brand).await;
    for (key, parent) in [(&shops.key, &shops.stores[0]), (&brand, &campaign)] {
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request =
                pb::ListRedemptionsRequest { parent: parent.clone(), page_size: 2, page_token, ..Default::default() };
            let page = shops.tills().list_redemptions(bearing(key, request)).await.expect("listed").into_inner();
            let shows_offers = page.redemptions.iter().all(|redemption| !redemption.offer.is_empty());
            assert_eq!(shows_offers, *parent != campaign, "a brand is not told whose offer it was");
            listed.extend(page.redemptions.into_iter().map(|redemption| redemption.id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, ids, "newest first");
    }
    let request = pb::ListRedemptionsRequest { parent: shops.stores[1].clone(), ..Default::default() };
    let foreign = shops.tills().list_redemptions(bearing(&shops.key, request)).await.expect_err("refused");
    assert_eq!(refusal(&foreign), (Code::PermissionDenied, "SCOPE_TOO_NARROW".into()));
}

#[tokio::test]
async fn a_store_key_opens_its_stores_until_it_is_revoked() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![]).await;
    let (_, code) = shops.holder(1).await;
    let elsewhere = pb::RedeemOfferRequest { store: shops.stores[1].clone(), ..shops.sale("a", by_code(&code)) };
    let foreign = shops.redeem(elsewhere.clone()).await.expect_err("refused");
    assert_eq!(refusal(&foreign), (Code::PermissionDenied, "SCOPE_TOO_NARROW".into()));
    let both = store_key(&server, &shops.acme, &shops.stores).await;
    shops.tills().redeem_offer(bearing(&both, elsewhere)).await.expect("redeemed");

    let name = format!("{}/keys/tills-1", shops.acme.organization);
    server.organizations().revoke_key(bearing(&server.operator, pb::RevokeKeyRequest { name })).await.expect("done");
    let gone = shops.redeem_code("b", &code).await.expect_err("refused");
    assert_eq!(refusal(&gone), (Code::Unauthenticated, "CREDENTIAL_UNKNOWN".into()));
}

#[tokio::test]
async fn what_an_erased_person_used_stays_counted_and_nobody_is_named() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1)]).await;
    let (phone, code) = shops.holder(1).await;
    let redeemed = shops.redeem_code("a", &code).await.expect("redeemed");
    let request = pb::DeleteProfileRequest { name: phone.profile.clone() };
    server.profiles().delete_profile(bearing(&server.operator, request)).await.expect("erased");

    let refused = shops.redeem_code("b", &code).await.expect_err("refused");
    assert_eq!(refusal(&refused), (Code::NotFound, "UNKNOWN_CODE".into()));
    let request = pb::ListRedemptionsRequest { parent: shops.stores[0].clone(), ..Default::default() };
    let listed = shops.tills().list_redemptions(bearing(&shops.key, request)).await.expect("listed").into_inner();
    assert_eq!((listed.redemptions[0].id.as_str(), listed.redemptions[0].offer.as_str()), (redeemed.id.as_str(), ""));
    let (_, second) = shops.visitor(2).await;
    assert_eq!(second.coupon.expect("a coupon").code, "");
    let proof = shops.proven().await;
    assert_eq!((proof.offers, proof.redemptions), (1, 1));
}

#[tokio::test]
async fn an_offer_that_ended_cannot_be_used_and_its_wallet_says_so() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1)]).await;
    let (late, offer) = shops.visitor(2).await;
    let (phone, code) = shops.holder(1).await;
    let none_left = claim(&late, &offer.id).await.expect_err("the first claim holds the only one");
    assert_eq!(refusal(&none_left), (Code::FailedPrecondition, "BUDGET_EXHAUSTED".into()));
    server.clock.advance(DAY);
    assert_eq!(held(&phone).await[0].state(), State::Ended);
    let ended = shops.redeem_code("a", &code).await.expect_err("refused");
    assert_eq!(refusal(&ended), (Code::FailedPrecondition, "ENDED".into()));
    shops.sweep().await;
    let still = claim(&late, &offer.id).await.expect_err("its own offer has ended as well");
    assert_eq!(refusal(&still).1, "OFFER_ENDED");
    server.clock.advance(Duration::from_secs(5 * 60));
    shops.sweep().await;
    shops.proven().await;
    let (_, code) = shops.holder(3).await;
    shops.redeem_code("b", &code).await.expect("what was not used is free again");
    shops.proven().await;
}

#[tokio::test]
async fn who_redeemed_two_has_redeemed_one_when_the_other_is_taken_back_however_late() {
    let server = TestServer::start_with(&[("tills.reversible_days", "200")]).await;
    let shops = Shops::open(&server).await;
    let name = shops.campaign("umbrella", generated(), vec![]).await;
    let limits = pb::Limits { never_after_redeemed: true, ..Default::default() };
    let campaign = Some(pb::Campaign { name, limits: Some(limits), ..Default::default() });
    let update_mask = Some(prost_types::FieldMask { paths: vec!["limits.never_after_redeemed".into()] });
    let request = pb::UpdateCampaignRequest { campaign, update_mask };
    server.campaigns().update_campaign(bearing(&server.operator, request)).await.expect("changed");

    let (phone, first) = shops.visitor(1).await;
    server.clock.advance(Duration::from_secs(5 * 3_600));
    let second = shops.visit(&phone, 2).await.offers.pop().expect("another one");
    let mut redeemed = Vec::new();
    for offer in [first, second] {
        let code = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
        redeemed.push(shops.redeem_code(&offer.id, &code).await.expect("redeemed"));
        server.clock.advance(Duration::from_secs(60));
    }
    let [first, second] = redeemed.as_slice() else { panic!("two were redeemed") };
    let mut visits = 2;
    let mut come_again = async |days: u32| {
        server.clock.advance(DAY * days);
        visits += 1;
        shops.visit(&shops.phone(1).await, visits).await.offers.len()
    };
    assert_eq!(come_again(92).await, 0, "by now its profile has forgotten both offers");
    shops.reverse("c", &second.id, None).await.expect("taken back");
    assert_eq!(come_again(1).await, 0, "the first still stands");
    shops.reverse("d", &first.id, None).await.expect("taken back");
    assert_eq!(come_again(1).await, 1);
}
