//! Events of the app through the public API: offered, repeated, refused, and told by the receipt.

use dintorni::grpc::pb;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{MINUTE, campaign, entering};
use crate::support::harness::{Phone, Publisher, TestServer, bearing, fields, refusal};

fn scanned(id: &str, place: &str, now: Option<prost_types::Timestamp>) -> pb::ReportAppEventRequest {
    pb::ReportAppEventRequest {
        event_id: id.into(),
        sent_at: now,
        key: "totem_scanned".into(),
        place: place.into(),
        ..Default::default()
    }
}

async fn report(
    server: &TestServer,
    phone: &Phone<'_>,
    event: pb::ReportAppEventRequest,
) -> Result<pb::PingResponse, Status> {
    Ok(server.proximity().report_app_event(bearing(&phone.token, event)).await?.into_inner())
}

/// A campaign in two languages for whoever scans a totem anywhere, by name.
async fn welcome(server: &TestServer, acme: &Publisher<'_>) {
    let event = pb::AppEvent { key: "totem_scanned".into() };
    let trigger = pb::Trigger { on: Some(pb::trigger::On::AppEvent(event)), ..Default::default() };
    let italian = pb::Translation {
        language: "it".into(),
        title: "Benvenuto, {{trait.first_name|amico}}".into(),
        ..Default::default()
    };
    let content = pb::Content {
        title: "Welcome, {{trait.first_name|friend}}".into(),
        language: "en".into(),
        translations: vec![italian],
        custom_json: r#"{"screen":"welcome"}"#.into(),
        ..Default::default()
    };
    let welcome = pb::Campaign { trigger: Some(trigger), content: Some(content), ..entering("") };
    campaign(server, acme, "welcome", welcome).await;
}

#[tokio::test]
async fn an_event_happens_once_and_is_answered_the_same() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    welcome(&server, &acme).await;
    let phone = acme.phone(1).await;
    let first = report(&server, &phone, scanned("event-01", "", server.now())).await.expect("answered");
    let [offer] = first.offers.as_slice() else { panic!("{first:?}") };
    assert_eq!((offer.place.as_str(), offer.reason.as_str()), ("", "totem_scanned"));
    assert_eq!((offer.language.as_str(), offer.title.as_str()), ("it", "Benvenuto, amico"));
    assert_eq!(offer.custom_json, r#"{"screen":"welcome"}"#);
    let told = phone.decision(&first.decision).await.expect("a receipt");
    assert_eq!(told.app_event.map(|event| event.key).as_deref(), Some("totem_scanned"));
    server.clock.advance(MINUTE);
    let again = report(&server, &phone, scanned("event-01", "", server.now())).await.expect("answered");
    assert_eq!((&again.offers, &again.decision), (&first.offers, &first.decision));
    let next = report(&server, &phone, scanned("event-02", "", server.now())).await.expect("answered");
    assert_eq!(next.offers, [], "one a day");
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_said() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    welcome(&server, &acme).await;
    let phone = acme.phone(1).await;
    report(&server, &phone, scanned("event-01", "", server.now())).await.expect("answered");
    let other = pb::ReportAppEventRequest { max_offers: 1, ..scanned("event-01", "", server.now()) };
    let status = report(&server, &phone, other).await.expect_err("another body");
    assert_eq!(refusal(&status), (Code::AlreadyExists, "PING_ID_REUSED".into()));
    let wrong = pb::ReportAppEventRequest { key: String::new(), ..scanned("x", "somewhere", None) };
    let status = report(&server, &phone, wrong).await.expect_err("four faults");
    assert_eq!(fields(&status), ["event_id", "sent_at", "key", "place"]);
    let unknown = scanned("event-02", "organizations/acme/stores/gone", server.now());
    assert_eq!(report(&server, &phone, unknown).await.expect("answered").notes, ["UNKNOWN_PLACE"]);
    let key = server.proximity().report_app_event(bearing(&acme.key, scanned("event-03", "", server.now()))).await;
    assert!([Code::PermissionDenied, Code::Unauthenticated].contains(&key.expect_err("no device").code()));
}

#[tokio::test]
async fn events_that_come_too_fast_leave_nothing_and_a_retry_is_not_one_of_them() {
    let server = TestServer::start_with(&[("devices.events_per_minute", "2"), ("devices.events_burst", "2")]).await;
    let acme = server.publisher("acme").await;
    welcome(&server, &acme).await;
    let phone = acme.phone(1).await;
    let send =
        async |number: u32| report(&server, &phone, scanned(&format!("event-{number:02}"), "", server.now())).await;
    let first = send(1).await.expect("answered");
    send(2).await.expect("answered");
    for number in 3..9 {
        let status = send(number).await.expect_err("too fast");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_some());
    }
    let again = send(1).await.expect("it was answered");
    assert_eq!((&again.offers, &again.decision), (&first.offers, &first.decision));
    let request = pb::ListDecisionsRequest::default();
    let listed = server.decisions().list_decisions(bearing(&phone.token, request)).await.expect("listed");
    assert_eq!(listed.into_inner().decisions.len(), 2, "what was refused left no receipt");
    server.clock.advance(MINUTE);
    send(3).await.expect("a minute has passed");
}
