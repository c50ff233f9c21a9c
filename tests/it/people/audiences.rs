//! Audiences over the wire: segments that campaigns share, who sees why somebody is not in one, and visits that stay.

use dintorni::{
    domain::name::ProfileName,
    grpc::pb::{self, key::Scope, rule::Rule as Kind},
};
use prost_types::FieldMask;
use tonic::Code;
use tonic_types::StatusExt;

use super::{coffee, link, refusals, server_key, visit};
use crate::support::harness::{TestServer, bearing, fields, refusal};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

fn rule(kind: Kind) -> Option<pb::Rule> {
    Some(pb::Rule { rule: Some(kind) })
}

fn segment(kind: Kind) -> pb::Segment {
    pb::Segment { display_name: "Members".into(), rule: rule(kind), ..Default::default() }
}

/// So many visits at least to where the campaign fires, within a week.
fn visits(least: u32) -> Kind {
    let count = Some(pb::visits_condition::Count::AtLeast(least));
    Kind::Visits(pb::VisitsCondition { at: None, within_days: 7, count })
}

/// Lets the coffee be for those of whom the rule holds.
async fn coffee_for(server: &TestServer, credential: &str, brand: &str, audience: Kind) -> Result<(), tonic::Status> {
    let name = format!("{brand}/campaigns/coffee");
    let minute = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let often = vec![pb::Cap { offers: 9, within: minute.map(pb::cap::Within::Window) }];
    let limits = Some(pb::Limits { per_profile: often, ..Default::default() });
    let campaign = pb::Campaign { name, audience: rule(audience), limits, ..Default::default() };
    let paths = vec!["audience".into(), "limits.per_profile".into()];
    let request = pb::UpdateCampaignRequest { campaign: Some(campaign), update_mask: Some(FieldMask { paths }) };
    server.campaigns().update_campaign(bearing(credential, request)).await.map(drop)
}

#[tokio::test]
async fn a_segment_is_shared_edited_live_and_kept_while_it_is_named() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let (brand, phone) = (acme.key_of(Scope::Brand).await, acme.phone(1).await);
    let (parent, segment_id) = (acme.organization.clone(), "members".to_owned());
    let name = format!("{parent}/segments/members");
    let missing = coffee_for(&server, &brand, &parent, Kind::Segment(name.clone())).await.expect_err("not there");
    assert_eq!(missing.get_details_precondition_failure().expect("told").violations[0].r#type, "SEGMENT_MISSING");
    let foreign = coffee_for(&server, &brand, &parent, Kind::Segment("organizations/x/segments/s".into())).await;
    assert_eq!(fields(&foreign.expect_err("not its own")), ["campaign.audience.segment"]);

    let gold = Kind::TraitKnown("tier".into());
    let request = pb::CreateSegmentRequest { parent: parent.clone(), segment_id, segment: Some(segment(gold)) };
    let made = server.segments().create_segment(bearing(&brand, request.clone())).await.expect("made").into_inner();
    let again = server.segments().create_segment(bearing(&brand, request)).await.expect("harmless").into_inner();
    assert_eq!((&made.name, &again), (&name, &made));
    coffee_for(&server, &brand, &parent, Kind::Segment(name.clone())).await.expect("it is there");

    let away = visit(&server, &phone, "nobody").await;
    assert_eq!(refusals(&server, &away).await, ["AUDIENCE"]);
    let patch = pb::Segment { name: name.clone(), etag: made.etag.clone(), ..segment(visits(2)) };
    let mask = |paths: &[&str]| Some(FieldMask { paths: paths.iter().map(|&path| path.into()).collect() });
    let edit = pb::UpdateSegmentRequest { segment: Some(patch.clone()), update_mask: mask(&["rule"]) };
    server.segments().update_segment(bearing(&brand, edit.clone())).await.expect("edited");
    let stale = server.segments().update_segment(bearing(&brand, edit)).await.expect_err("an old etag");
    assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".into()));
    let nested = pb::Segment { etag: String::new(), rule: rule(Kind::Segment(name.clone())), ..patch };
    let nested = pb::UpdateSegmentRequest { segment: Some(nested), update_mask: None };
    let nested = server.segments().update_segment(bearing(&brand, nested)).await.expect_err("refused");
    assert_eq!(fields(&nested), ["segment.rule.segment"]);
    server.clock.advance(HOUR);
    assert_eq!(visit(&server, &phone, "second").await.offers.len(), 1, "the second visit, by the rule as it is now");

    let delete = || {
        let request = pb::DeleteSegmentRequest { name: name.clone(), etag: String::new() };
        let request = bearing(&brand, request);
        async { server.segments().delete_segment(request).await }
    };
    let named = delete().await.expect_err("in use");
    let told = &named.get_details_precondition_failure().expect("told").violations[0];
    assert_eq!(
        (told.r#type.as_str(), told.subject.as_str()),
        ("NAMED_BY_CAMPAIGN", &*format!("{parent}/campaigns/coffee"))
    );
    coffee_for(&server, &brand, &parent, visits(1)).await.expect("it can do without");
    delete().await.expect("nobody names it");
    let request = pb::ListSegmentsRequest { parent, ..Default::default() };
    let left = server.segments().list_segments(bearing(&brand, request)).await.expect("listed").into_inner();
    assert_eq!(left, pb::ListSegmentsResponse::default());
}

#[tokio::test]
async fn a_brand_is_not_told_which_condition_somebody_fails() {
    let server = TestServer::start().await;
    let (acme, other) = (server.publisher("acme").await, server.publisher("brand").await);
    coffee(&server, &acme, None).await;
    coffee_for(&server, &server.operator, &acme.organization, Kind::TraitKnown("tier".into())).await.expect("edited");
    let phone = acme.phone(1).await;
    let answer = visit(&server, &phone, "nobody").await;
    let told = |decision: pb::Decision| match decision.considered.into_iter().find_map(|one| one.verdict) {
        Some(pb::considered_campaign::Verdict::Refused(refusal)) => (refusal.code, refusal.description),
        other => panic!("not refused: {other:?}"),
    };
    let reads = async |key: &str| told(server.decision(key, &answer.decision).await.expect("a receipt"));
    let brand = acme.key_of(Scope::Brand).await;
    assert_eq!(reads(&brand).await, ("AUDIENCE".into(), "the person is not in the audience".into()));
    let whole = ("AUDIENCE".to_owned(), "the person is not in the audience: tier is known; it is not known".to_owned());
    for key in [server_key(&acme).await, acme.key_of(Scope::Owner).await, server.operator.clone()] {
        assert_eq!(reads(&key).await, whole);
    }
    let stranger = server.decision(&other.key_of(Scope::Owner).await, &answer.decision).await;
    assert_eq!(stranger.expect_err("none of its business").code(), Code::NotFound);
}

#[tokio::test]
async fn visits_are_the_persons_on_whatever_device() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    coffee_for(&server, &server.operator, &acme.organization, visits(3)).await.expect("edited");
    let (phone, tablet, key) = (acme.phone(1).await, acme.phone(2).await, server_key(&acme).await);
    assert_eq!(refusals(&server, &visit(&server, &phone, "phone-1").await).await, ["AUDIENCE"]);
    server.clock.advance(HOUR);
    assert_eq!(refusals(&server, &visit(&server, &tablet, "tablet-1").await).await, ["AUDIENCE"]);
    link(&server, &key, &phone.device, "ada").await.expect("linked");
    link(&server, &key, &tablet.device, "ada").await.expect("linked");
    server.clock.advance(HOUR);
    assert_eq!(visit(&server, &phone, "ada-3").await.offers.len(), 1, "the third visit of the person");
    let ada = ProfileName::parse(&format!("{}/profiles/ada", acme.app)).expect("sound");
    let kept = server.ports.records.profile(&ada).await.expect("read").expect("there");
    assert_eq!(
        kept.visits_of_record().iter().map(|known| known.begun.len()).sum::<usize>(),
        3,
        "in the record as well"
    );
}
