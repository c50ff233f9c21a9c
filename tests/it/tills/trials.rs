//! A brand tries a campaign on a test device before anybody else sees it.

use std::time::Duration;

use dintorni::grpc::pb::{self, considered_campaign::Verdict, coupon_refusal::Reason};
use tonic::Code;

use super::{Shops, by_code, by_offer, claim, generated, held};
use crate::support::harness::{Phone, TestServer, bearing, fields, refusal, registration};

/// A phone whose app says that it is for tests.
async fn test_phone<'a>(shops: &Shops<'a>, installation: u8) -> Phone<'a> {
    let request = pb::RegisterDeviceRequest { test: true, ..registration(installation) };
    let registered =
        shops.server.devices().register_device(bearing(&shops.acme.key, request)).await.expect("registered");
    let pb::RegisterDeviceResponse { device, profile, token } = registered.into_inner();
    Phone { server: shops.server, device, profile, token: token.expect("given").value }
}

/// A draft for whoever comes near the first shop, as a campaign of [`Shops`] but for its state.
fn draft(shops: &Shops<'_>, testers: Vec<String>) -> pb::Campaign {
    let trigger = pb::Trigger {
        on: Some(pb::trigger::On::Near(pb::Near { radius_m: 60 })),
        at: Some(pb::trigger::At::Places(pb::Places { places: vec![shops.stores[0].clone()] })),
        ..Default::default()
    };
    pb::Campaign {
        display_name: "Umbrella".into(),
        content: Some(pb::Content { title: "Umbrella".into(), ..Default::default() }),
        trigger: Some(trigger),
        coupon: Some(pb::Coupon { codes: Some(pb::coupon::Codes::Fixed("RAIN-2026".into())), ..generated() }),
        testers,
        ..Default::default()
    }
}

async fn create(shops: &Shops<'_>, campaign: pb::Campaign) -> Result<pb::Campaign, tonic::Status> {
    let parent = shops.acme.organization.clone();
    let request = pb::CreateCampaignRequest { parent, campaign_id: "umbrella".into(), campaign: Some(campaign) };
    Ok(shops.server.campaigns().create_campaign(bearing(&shops.server.operator, request)).await?.into_inner())
}

#[tokio::test]
async fn a_draft_is_tried_on_one_phone_and_is_worth_nothing_until_it_is_active() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let (tester, untried, person) = (test_phone(&shops, 1).await, test_phone(&shops, 2).await, shops.phone(3).await);
    let testers = vec![tester.device.clone(), person.device.clone()];
    let made = create(&shops, draft(&shops, testers)).await.expect("made");

    let answer = shops.visit(&tester, 1).await;
    let offer = answer.offers.first().expect("an offer").clone();
    assert_eq!((offer.title.as_str(), offer.trial), ("Umbrella", true));
    assert_eq!(offer.coupon.as_ref().expect("a coupon").code, "", "everyone's code is not for whoever tries");
    for (phone, number, who) in [(&untried, 2, "whom the brand did not name"), (&person, 3, "who is no tester")] {
        assert_eq!(shops.visit(phone, number).await.offers, [], "{who}");
    }
    let receipt = tester.decision(&answer.decision).await.expect("a receipt");
    let told = &receipt.considered[0];
    assert_eq!((told.trial, &told.verdict), (true, &Some(Verdict::Chosen(offer.id.clone()))));

    // It is shown and kept as any other, and has no worth.
    let refused = claim(&tester, &offer.id).await.expect_err("no code");
    assert_eq!(refusal(&refused), (Code::FailedPrecondition, "TRIAL".into()));
    assert_eq!(held(&tester).await.iter().map(|held| held.trial).collect::<Vec<_>>(), [true]);
    let checked = |presented| async {
        let (store, till) = (shops.stores[0].clone(), "till-1".into());
        let request = pb::CheckOfferRequest { store, till, presented: Some(presented), lock: None };
        shops.check(request).await.refusal.map(|refusal| refusal.reason())
    };
    assert_eq!(checked(by_offer(&offer.id)).await, Some(Reason::Trial));
    assert_eq!(checked(by_code("RAIN-2026")).await, Some(Reason::UnknownCode), "nobody has it yet");
    let refused = shops.redeem(shops.sale("a", by_offer(&offer.id))).await.expect_err("a trial");
    assert_eq!(refusal(&refused), (Code::FailedPrecondition, "TRIAL".into()));

    server.clock.advance(Duration::from_secs(5 * 3_600));
    assert_eq!(shops.visit(&tester, 9).await.offers.len(), 1, "again and again, which no cap forbids");
    shops.proven().await;

    let request = pb::ActivateCampaignRequest { name: made.name.clone(), ..Default::default() };
    server.campaigns().activate_campaign(bearing(&server.operator, request)).await.expect("active");
    assert_eq!(checked(by_offer(&offer.id)).await, Some(Reason::Trial), "what was a trial stays one");
    let (_, real) = shops.visitor(4).await;
    assert_eq!((real.trial, real.coupon.expect("a coupon").code), (false, "RAIN2026".into()));
    assert_eq!(checked(by_offer(&real.id)).await, None);
    shops.proven().await;
}

#[tokio::test]
async fn testers_are_named_soundly() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let faulty = draft(&shops, vec!["organizations/acme/apps/a/devices/d".into(), "my phone".into()]);
    assert_eq!(fields(&create(&shops, faulty).await.expect_err("faulty")), ["campaign.testers[1]"]);
    let many = (0..21).map(|number| format!("organizations/acme/apps/a/devices/d{number}")).collect();
    assert_eq!(fields(&create(&shops, draft(&shops, many)).await.expect_err("too many")), ["campaign.testers"]);
}
