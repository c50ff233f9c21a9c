//! Settings of a geofence over the wire: patched one by one, kept by the record, and what they mean on the ground.

use std::time::Duration;

use dintorni::grpc::pb::{self, key::Scope, transition::Kind};
use prost_types::FieldMask;

use crate::support::harness::{HERE, Phone, TestServer, bearing, fields, ping};

const NAME: &str = "organizations/acme/geofences/yard";

fn yard(radius_m: f64, detection: Option<pb::Detection>) -> pb::Geofence {
    let circle = pb::Circle { center: Some(HERE), radius_m };
    let shape = Some(pb::Shape { outline: Some(pb::shape::Outline::Circle(circle)) });
    pb::Geofence { name: NAME.into(), display_name: "Yard".into(), shape, detection, ..Default::default() }
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn create(geofence: pb::Geofence) -> pb::CreateGeofenceRequest {
    let (parent, geofence_id) = ("organizations/acme".into(), "yard".into());
    pb::CreateGeofenceRequest { parent, geofence_id, geofence: Some(geofence) }
}

#[tokio::test]
async fn a_geofence_says_how_sure_it_is_of_its_visitors() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let key = acme.key_of(Scope::Network).await;
    let wide = pb::Detection { leave_margin_m: Some(80.0), leave_after: seconds(300), ..Default::default() };
    let made = server.places().create_geofence(bearing(&key, create(yard(60.0, Some(wide))))).await;
    assert_eq!(made.expect("made").into_inner().detection, Some(wide));

    let patch = pb::Detection { stopped_for: seconds(30), ..Default::default() };
    let update = |detection, paths: &[&str]| {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let geofence = Some(pb::Geofence { name: NAME.into(), detection, ..Default::default() });
        bearing(&key, pb::UpdateGeofenceRequest { geofence, update_mask: Some(FieldMask { paths }) })
    };
    let paths = ["detection.stopped_for", "detection.leave_after"];
    server.places().update_geofence(update(Some(patch), &paths)).await.expect("changed");
    let wrong = pb::Detection { enter_probability: Some(1.0), ..Default::default() };
    let refused = server.places().update_geofence(update(Some(wrong), &[])).await.expect_err("never sure");
    assert_eq!(fields(&refused), ["geofence.detection.enter_probability"]);

    let get = || bearing(&key, pb::GetGeofenceRequest { name: NAME.into() });
    let read = server.places().get_geofence(get()).await.expect("there").into_inner();
    let now = pb::Detection { leave_margin_m: Some(80.0), stopped_for: seconds(30), ..Default::default() };
    assert_eq!(read.detection, Some(now));
    let said: Vec<(f64, bool, f64)> =
        read.effective_distances.iter().map(|d| (d.accuracy_m, d.enter_m.is_some(), d.confirmed_leave_m)).collect();
    assert_eq!(said, [(5.0, true, 80.0), (20.0, true, 80.0), (50.0, false, 100.0), (100.0, false, 200.0)]);

    server.places().update_geofence(update(None, &["detection"])).await.expect("cleared");
    assert_eq!(server.places().get_geofence(get()).await.expect("there").into_inner().detection, None);
}

/// What a fix so many degrees east of here is answered.
async fn report(server: &TestServer, phone: &Phone<'_>, id: &str, east: f64) -> pb::PingResponse {
    let mut request = ping(id, server.now());
    for fix in &mut request.fixes {
        fix.position = Some(pb::LatLng { longitude: HERE.longitude + east, ..HERE });
    }
    server.proximity().ping(bearing(&phone.token, request)).await.expect("answered").into_inner()
}

#[tokio::test]
async fn what_happens_between_two_pings_is_told_and_what_cannot_is_not_believed() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let key = acme.key_of(Scope::Network).await;
    server.places().create_geofence(bearing(&key, create(yard(100.0, None)))).await.expect("made");
    let phone = acme.phone(1).await;

    assert!(report(&server, &phone, "west-001", -0.005).await.transitions.is_empty());
    server.clock.advance(Duration::from_secs(60));
    let crossed = report(&server, &phone, "east-001", 0.005).await;
    assert_eq!(crossed.transitions.iter().map(|t| t.kind()).collect::<Vec<_>>(), [Kind::Crossed]);
    assert!(!crossed.decision.is_empty(), "there is a receipt of it");

    server.clock.advance(Duration::from_secs(60));
    let jump = report(&server, &phone, "far-0001", 9.0).await;
    assert_eq!(jump.notes, ["IMPLAUSIBLE"]);
    server.clock.advance(Duration::from_secs(60));
    let entered = report(&server, &phone, "here-001", 0.0).await;
    assert_eq!(entered.transitions.iter().map(|t| (t.kind(), t.initial)).collect::<Vec<_>>(), [(Kind::Entered, false)]);
}
