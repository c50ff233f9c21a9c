//! Budgets of every unit, store and period, and what comes back of them.

use std::time::Duration;

use dintorni::{
    domain::name::CampaignName,
    grpc::pb::{
        self,
        budget::{Period, Unit},
        engagement_event::Kind,
    },
    ports::AccountUse,
};

use super::{DAY, Shops, budget, by_code, by_offer, claim, euros, generated, store_key};
use crate::support::harness::{HERE, TestServer, bearing, ping, refusal};

#[tokio::test]
async fn money_is_counted_as_it_is_spent_and_comes_back_as_it_is_taken_back() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Money, 1_000)]).await;
    let (third, offer) = shops.visitor(3).await;
    let (_, first) = shops.holder(1).await;
    let (_, second) = shops.holder(2).await;
    assert_eq!(refusal(&claim(&third, &offer.id).await.expect_err("two hold all of it")).1, "BUDGET_EXHAUSTED");
    let cheap = pb::RedeemOfferRequest { amount: Some(euros(100)), ..shops.sale("a", by_code(&first)) };
    let redeemed = shops.redeem(cheap).await.expect("redeemed");
    assert_eq!(refusal(&claim(&third, &offer.id).await.expect_err("400 is not enough")).1, "BUDGET_EXHAUSTED");
    shops.reverse("b", &redeemed.id, None).await.expect("taken back");
    claim(&third, &offer.id).await.expect("500 are free");
    shops.redeem_code("c", &second).await.expect("it holds its own");
    assert_eq!(refusal(&shops.redeem_code("d", &first).await.expect_err("nothing is left")).1, "BUDGET_EXHAUSTED");
    shops.proven().await;
}

#[tokio::test]
async fn a_store_has_so_many_a_day_and_the_next_day_as_many_again() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let daily = pb::Budget { per_store: true, period: Period::Day.into(), ..budget(Unit::Redemptions, 1) };
    let coupon = generated();
    let campaign = shops.campaign("umbrella", coupon, vec![daily]).await;
    let both = store_key(&server, &shops.acme, &shops.stores).await;
    let redeem = async |id: &str, store: usize, code: &str| {
        let request = pb::RedeemOfferRequest { store: shops.stores[store].clone(), ..shops.sale(id, by_code(code)) };
        shops.tills().redeem_offer(bearing(&both, request)).await.map(drop).map_err(|status| refusal(&status).1)
    };
    let codes = [shops.holder(1).await.1, shops.holder(2).await.1, shops.holder(3).await.1];
    redeem("a", 0, &codes[0]).await.expect("the first of the day");
    assert_eq!(redeem("b", 0, &codes[1]).await, Err("BUDGET_EXHAUSTED".into()));
    redeem("c", 1, &codes[1]).await.expect("the other store has its own");
    // Noon in UTC is 14:00 in Rome: eleven hours later the shop's day is another one.
    server.clock.advance(Duration::from_secs(11 * 3_600));
    redeem("d", 0, &codes[2]).await.expect("the next day");
    let proof = shops.proven().await;
    assert_eq!(proof.accounts, 3);
    let brand = shops.acme.key_of(pb::key::Scope::Brand).await;
    let request = pb::GetCampaignUseRequest { name: campaign.clone(), ..Default::default() };
    let told = server.campaigns().get_campaign_use(bearing(&brand, request)).await.expect("told").into_inner();
    let told: Vec<_> = told.accounts.iter().map(|one| (one.place.as_str(), one.period.as_str(), one.taken)).collect();
    let [one, two] = shops.stores.each_ref().map(String::as_str);
    assert_eq!(told, [(two, "2026-06-15", 1), (one, "2026-06-16", 1), (one, "2026-06-15", 1)]);

    let (name, ledger) = (CampaignName::parse(&campaign).expect("sound"), &server.ports.ledger);
    let all = ledger.accounts(&name, None, 10).await.expect("read");
    let mut paged: Vec<AccountUse> = Vec::new();
    for _ in 0..=all.len() {
        let last = paged.last().map(|one| one.account.id.clone());
        paged.extend(ledger.accounts(&name, last.as_ref(), 1).await.expect("read"));
    }
    assert_eq!(paged, all, "account by account");
}

#[tokio::test]
async fn offers_are_counted_per_store_and_day_before_they_are_made() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let daily = pb::Budget { per_store: true, period: Period::Day.into(), ..budget(Unit::Offers, 1) };
    let campaign = shops.campaign("umbrella", generated(), vec![daily, budget(Unit::Offers, 2)]).await;
    let refuses = async || {
        let anybody = pb::Persona { app: shops.acme.app.clone(), ..Default::default() };
        let whom = Some(pb::explain_campaign_request::Whom::Persona(Box::new(anybody)));
        let (campaign, place) = (campaign.clone(), shops.stores[0].clone());
        let request = pb::ExplainCampaignRequest { campaign, whom, place, ..Default::default() };
        let told = server.decisions().explain_campaign(bearing(&server.operator, request)).await.expect("told");
        told.into_inner().changes.into_iter().map(|change| (change.gate, change.time.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(refuses().await, []);
    shops.visitor(1).await;
    assert_eq!(shops.visit(&shops.phone(2).await, 2).await.offers, []);
    assert_eq!(refuses().await, [("BUDGET".to_owned(), true)], "until tomorrow");
    server.clock.advance(DAY);
    assert_eq!(refuses().await, []);
    shops.visitor(3).await;
    server.clock.advance(DAY);
    assert_eq!(shops.visit(&shops.phone(4).await, 4).await.offers, [], "two were all there are");
    assert_eq!(refuses().await, [("BUDGET".to_owned(), false)]);
    shops.proven().await;
}

#[tokio::test]
async fn what_nobody_saw_goes_back_after_the_grace_and_a_late_report_is_counted() {
    let server = TestServer::start_with(&[("storage.return_unshown_hours", "2")]).await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Offers, 1)]).await;
    let (phone, offer) = shops.visitor(1).await;
    server.clock.advance(Duration::from_secs(2 * 3_600));
    shops.sweep().await;
    assert_eq!(shops.visit(&shops.phone(2).await, 2).await.offers, [], "not yet");
    server.clock.advance(Duration::from_secs(1));
    shops.sweep().await;
    server.clock.advance(Duration::from_secs(3));
    let (_, second) = shops.visitor(3).await;
    assert_ne!(second.id, offer.id);

    let event = pb::EngagementEvent { offer: offer.id.clone(), kind: Kind::Shown.into(), at: server.now() };
    let request = pb::ReportEngagementRequest { sent_at: server.now(), events: vec![event], reported_through: None };
    server.engagement().report_engagement(bearing(&phone.token, request)).await.expect("recorded");
    assert_eq!(shops.proven().await.late_overrun, 1);
    claim(&phone, &offer.id).await.expect("its units went back, and it stays good");
    assert_eq!(shops.proven().await.late_overrun, 1, "counted once");
}

#[tokio::test]
async fn who_gives_a_unit_back_may_have_it_again_at_once() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Offers, 1)]).await;
    let (first, offer) = shops.visitor(1).await;
    let send = async |ping: pb::PingRequest| {
        server.proximity().ping(bearing(&first.token, ping)).await.expect("answered").into_inner()
    };
    server.clock.advance(Duration::from_secs(60));
    let elsewhere = Some(pb::LatLng { latitude: HERE.latitude + 0.1, ..HERE });
    let mut leaves = ping("ping-away", server.now());
    leaves.fixes[0].position = elsewhere;
    send(leaves).await;
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(shops.visit(&shops.phone(2).await, 2).await.offers, [], "this node knows by now that nothing is left");
    let returns = pb::PingRequest { reported_through: server.now(), ..ping("ping-back", server.now()) };
    let given = send(returns.clone()).await.offers;
    assert!(given.len() == 1 && given[0].id != offer.id, "{given:?}");
    assert_eq!(send(returns).await.offers, given, "a retry is answered the same");
    shops.proven().await;
}

#[tokio::test]
async fn claiming_what_was_redeemed_gives_nothing_back() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let coupon = pb::Coupon { codes: Some(pb::coupon::Codes::Fixed("SUMMER20".into())), ..generated() };
    shops.campaign("summer", coupon, vec![budget(Unit::Redemptions, 1)]).await;
    let (phone, offer) = shops.visitor(1).await;
    assert_eq!(offer.coupon.expect("a coupon").code, "", "what is limited must be claimed");
    shops.redeem(shops.sale("a", by_offer(&offer.id))).await.expect("redeemed");
    claim(&phone, &offer.id).await.expect("it is what it is");
    server.clock.advance(DAY + Duration::from_secs(3_600));
    shops.sweep().await;
    shops.latecomer(2).await;
    shops.proven().await;
}

#[tokio::test]
async fn what_an_erased_person_could_have_used_is_free_again() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1)]).await;
    let (phone, _) = shops.holder(1).await;
    let request = pb::DeleteProfileRequest { name: phone.profile.clone() };
    server.profiles().delete_profile(bearing(&server.operator, request)).await.expect("erased");
    shops.proven().await;
    let (_, code) = shops.holder(2).await;
    shops.redeem_code("a", &code).await.expect("redeemed");
    shops.proven().await;
}

#[tokio::test]
async fn codes_that_people_have_stay_what_they_are() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let name = shops.campaign("umbrella", generated(), vec![]).await;
    let become_ = async |coupon: Option<pb::Coupon>| {
        let campaign = Some(pb::Campaign { name: name.clone(), coupon, ..Default::default() });
        let update_mask = Some(prost_types::FieldMask { paths: vec!["coupon".into()] });
        let request = pb::UpdateCampaignRequest { campaign, update_mask };
        server.campaigns().update_campaign(bearing(&server.operator, request)).await.map(drop)
    };
    let pool = pb::Coupon { codes: Some(pb::coupon::Codes::Pool(pb::PooledCodes {})), ..generated() };
    let dollars = pb::Coupon { value: Some(pb::Money { currency: "USD".into(), minor_units: 1 }), ..generated() };
    for coupon in [Some(pool), Some(dollars), None] {
        let status = become_(coupon).await.expect_err("refused");
        assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status}");
    }
    become_(Some(pb::Coupon { value: Some(euros(300)), ..generated() })).await.expect("what it is worth may change");
}
