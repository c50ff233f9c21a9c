//! What was offered stays good for what it was offered for, whatever becomes of its campaign.

use std::time::Duration;

use dintorni::{
    grpc::{
        pb::{self, budget::Unit},
        wire::timestamp_to_wire,
    },
    ports::Clock,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{DAY, Shops, budget, by_code, by_offer, claim, euros, generated, held, seconds};
use crate::support::harness::{TestServer, bearing, fields, refusal};

/// Edits the campaign's coupon.
async fn edit(shops: &Shops<'_>, campaign: &str, coupon: pb::Coupon) {
    let campaign = pb::Campaign { name: campaign.into(), coupon: Some(coupon), ..Default::default() };
    update(shops, campaign, &["coupon"]).await.expect("edited");
}

async fn update(shops: &Shops<'_>, campaign: pb::Campaign, paths: &[&str]) -> Result<pb::Campaign, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = pb::UpdateCampaignRequest { campaign: Some(campaign), update_mask };
    let mut campaigns = shops.server.campaigns();
    Ok(campaigns.update_campaign(bearing(&shops.server.operator, request)).await?.into_inner())
}

async fn archive(shops: &Shops<'_>, campaign: &str) {
    let request = pb::ArchiveCampaignRequest { name: campaign.into(), ..Default::default() };
    let mut campaigns = shops.server.campaigns();
    campaigns.archive_campaign(bearing(&shops.server.operator, request)).await.expect("archived");
}

#[tokio::test]
async fn an_edit_changes_no_offer_that_was_made() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let campaign = shops.campaign("umbrella", generated(), vec![budget(Unit::Money, 1_000)]).await;
    let (first, code) = shops.holder(1).await;
    let (second, later) = shops.visitor(2).await;
    let dearer = pb::Coupon { instruction: "6 EUR off".into(), value: Some(euros(600)), ..generated() };
    edit(&shops, &campaign, dearer).await;

    let check = pb::CheckOfferRequest {
        store: shops.stores[0].clone(),
        till: "till-1".into(),
        presented: Some(by_code(&code)),
        lock: None,
    };
    let terms = shops.check(check).await.terms.expect("given");
    assert_eq!((terms.value, terms.instruction.as_str()), (Some(euros(500)), "5 EUR off"));
    let instruction = |offer: &pb::WalletOffer| offer.coupon.clone().expect("a coupon").instruction;
    assert_eq!(instruction(&held(&first).await[0]), "5 EUR off");
    assert_eq!(instruction(&claim(&second, &later.id).await.expect("what was held for nobody")), "5 EUR off");
    let redeemed = shops.redeem_code("a", &code).await.expect("what it held is enough");
    assert_eq!((redeemed.amount, redeemed.instruction.as_str()), (Some(euros(500)), "5 EUR off"));
    shops.proven().await;
}

#[tokio::test]
async fn an_offer_without_a_coupon_gets_none_later() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let campaign = shops.plain_campaign("umbrella", None, vec![]).await;
    let (phone, offer) = shops.visitor(1).await;
    edit(&shops, &campaign, generated()).await;
    let refused = claim(&phone, &offer.id).await.expect_err("refused");
    assert_eq!(refusal(&refused), (Code::FailedPrecondition, "NO_COUPON".into()));
    assert_eq!(held(&phone).await[0].coupon, None);
    let refused = shops.redeem(shops.sale("a", by_offer(&offer.id))).await.expect_err("refused");
    assert_eq!(refusal(&refused), (Code::NotFound, "UNKNOWN_CODE".into()));
    let (_, code) = shops.holder(2).await;
    shops.redeem_code("b", &code).await.expect("offered after the edit");
}

#[tokio::test]
async fn a_code_that_everyone_has_outlives_its_campaign_as_long_as_offers_do() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let everyones = pb::Coupon { codes: Some(pb::coupon::Codes::Fixed("SUMMER20".into())), ..generated() };
    let campaign = shops.campaign("summer", everyones, vec![]).await;
    shops.visitor(1).await;
    archive(&shops, &campaign).await;
    server.clock.advance(DAY - Duration::from_secs(60));
    shops.redeem_code("a", "SUMMER20").await.expect("the phone shows it");
    server.clock.advance(Duration::from_secs(60));
    let ended = shops.redeem_code("b", "SUMMER20").await.expect_err("refused");
    assert_eq!(refusal(&ended), (Code::FailedPrecondition, "ENDED".into()));
}

#[tokio::test]
async fn no_coupon_is_offered_that_the_end_would_overtake() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let name = shops.campaign("umbrella", generated(), vec![]).await;
    let now = server.clock.now();
    let lasting = |starts, ends| pb::Campaign {
        name: name.clone(),
        coupon: Some(pb::Coupon { redeem_after: seconds(2 * HOUR), ..generated() }),
        limits: Some(pb::Limits {
            start_time: Some(timestamp_to_wire(starts)),
            end_time: Some(timestamp_to_wire(ends)),
            ..Default::default()
        }),
        ..Default::default()
    };
    let paths = ["coupon", "limits"];
    let wrong = update(&shops, lasting(now, now + 2 * HOUR), &paths).await.expect_err("refused");
    assert_eq!(fields(&wrong), ["campaign.coupon.redeem_after"]);
    let late = update(&shops, lasting(now - 2 * HOUR, now + HOUR), &paths).await.expect_err("refused");
    let told = late.get_details_precondition_failure().expect("told").violations;
    assert_eq!(told.iter().map(|violation| violation.r#type.as_str()).collect::<Vec<_>>(), ["ENDED"]);
    update(&shops, lasting(now - HOUR, now + 3 * HOUR), &paths).await.expect("edited");
    shops.visitor(1).await;
    server.clock.advance(HOUR);
    assert!(shops.visit(&shops.phone(2).await, 2).await.offers.is_empty(), "it would be good when all is over");
}
