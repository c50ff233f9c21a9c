//! Reports of what became of offers: twice, in any order, late, and of offers that nobody knows.

use std::time::Duration;

use dintorni::{
    domain::{name::ProfileName, offer::GivenOffer},
    grpc::{
        pb::{self, engagement_event::Kind},
        wire::timestamp_to_wire,
    },
    ports::Clock,
};
use tonic::Code;

use super::{coffee, offered, server_key, visit};
use crate::support::harness::{Phone, TestServer, bearing, fields, offers};

/// So many seconds before now, by a phone's right clock.
fn ago(server: &TestServer, seconds: u64) -> Option<prost_types::Timestamp> {
    Some(timestamp_to_wire(server.clock.now() - Duration::from_secs(seconds)))
}

/// Reports events that happened so many seconds ago; returns the unknown offers.
async fn report(
    server: &TestServer,
    phone: &Phone<'_>,
    events: &[(&str, Kind, u64)],
    through: Option<prost_types::Timestamp>,
) -> Vec<String> {
    let event = |(offer, kind, seconds): &(&str, Kind, u64)| pb::EngagementEvent {
        offer: (*offer).to_owned(),
        kind: (*kind).into(),
        at: ago(server, *seconds),
    };
    let events = events.iter().map(event).collect();
    let request = pb::ReportEngagementRequest { sent_at: server.now(), events, reported_through: through };
    let answer = server.engagement().report_engagement(bearing(&phone.token, request)).await;
    answer.expect("recorded").into_inner().unknown_offers
}

/// The only offer in the phone's profile, and the profile's version.
async fn record(server: &TestServer, phone: &Phone<'_>) -> (GivenOffer, u64) {
    let name = ProfileName::parse(&phone.profile).expect("sound");
    let profile = server.ports.records.profile(&name).await.expect("read").expect("there");
    (profile.offers[0].clone(), profile.revision.version)
}

#[tokio::test]
async fn the_earliest_report_counts_and_repeating_writes_nothing() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    let offer = offered(&server, &phone, "first").await.id;
    server.clock.advance(super::MINUTE);
    let now = server.clock.now();
    let seconds = |seconds| Some(now - Duration::from_secs(seconds));
    report(&server, &phone, &[(&offer, Kind::Opened, 10)], None).await;
    assert_eq!(record(&server, &phone).await.0.shown_at, seconds(10), "opened is shown");
    report(&server, &phone, &[(&offer, Kind::Shown, 5), (&offer, Kind::Shown, 30)], None).await;
    let (given, version) = record(&server, &phone).await;
    assert_eq!((given.shown_at, given.opened_at, given.dismissed_at), (seconds(30), seconds(10), None));
    report(&server, &phone, &[(&offer, Kind::Opened, 10), (&offer, Kind::Shown, 30)], None).await;
    assert_eq!(record(&server, &phone).await.1, version, "nothing new, nothing written");
}

#[tokio::test]
async fn what_was_not_shown_goes_back_and_stays_so() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, Some(pb::Limits { budgets: vec![offers(1)], ..Default::default() })).await;
    let (phone, tablet) = (acme.phone(1).await, acme.phone(2).await);
    let offer = offered(&server, &phone, "first").await.id;
    assert_eq!(visit(&server, &tablet, "empty").await.offers, []);
    report(&server, &tablet, &[], server.now()).await;
    assert_eq!(visit(&server, &tablet, "empty2").await.offers, [], "another's offers are not its to return");
    report(&server, &phone, &[], ago(&server, 1)).await;
    offered(&server, &tablet, "free").await;

    report(&server, &phone, &[(&offer, Kind::Shown, 30)], server.now()).await;
    let (given, _) = record(&server, &phone).await;
    assert!(given.shown_at.is_some() && given.returned_at.is_some(), "a late report");
    let third = acme.phone(3).await;
    assert_eq!(visit(&server, &third, "late").await.offers, [], "the unit was given once, to the other");
}

#[tokio::test]
async fn what_is_shown_in_the_same_report_does_not_go_back() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    let offer = offered(&server, &phone, "first").await.id;
    server.clock.advance(super::MINUTE);
    report(&server, &phone, &[(&offer, Kind::Dismissed, 5)], server.now()).await;
    assert_eq!(record(&server, &phone).await.0.returned_at, None);
}

#[tokio::test]
async fn unknown_offers_are_named_and_the_others_recorded() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let (phone, stranger) = (acme.phone(1).await, acme.phone(2).await);
    let mine = offered(&server, &phone, "first").await.id;
    let theirs = offered(&server, &stranger, "first").await.id;
    let events = [(&*theirs, Kind::Shown, 0), (&*mine, Kind::Shown, 0), (&*theirs, Kind::Opened, 0)];
    assert_eq!(report(&server, &phone, &events, None).await, [theirs]);
    assert!(record(&server, &phone).await.0.shown_at.is_some());
    assert_eq!(record(&server, &stranger).await.0.shown_at, None);
}

#[tokio::test]
async fn reports_are_for_devices_and_their_faults_are_named() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let event = pb::EngagementEvent { offer: "first".into(), kind: 0, at: None };
    let request = pb::ReportEngagementRequest { sent_at: None, events: vec![event], reported_through: None };
    let status = server.engagement().report_engagement(bearing(&phone.token, request.clone())).await.expect_err("bad");
    assert_eq!(fields(&status), ["sent_at", "events[0].offer", "events[0].kind", "events[0].at"]);
    for key in [&acme.key, &server_key(&acme).await, &server.operator] {
        let status = server.engagement().report_engagement(bearing(key, request.clone())).await.expect_err("refused");
        assert_eq!(status.code(), Code::PermissionDenied);
    }
}
