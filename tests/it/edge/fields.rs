//! Wrong fields come back together, by their paths, over the wire. Each field's own bounds are tested beside its reader.

use dintorni::grpc::pb;
use prost_types::FieldMask;
use tonic::{Code, codegen::http::uri::PathAndQuery};

use crate::support::harness::{TestServer, bearing, fields, ping, registration};

#[tokio::test]
async fn a_ping_is_told_everything_that_is_wrong_with_it() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let mut wrong = ping("x", None);
    wrong.fixes[0].position = Some(pb::LatLng { latitude: 91.0, longitude: f64::NAN });
    wrong.fixes.push(pb::Fix { speed_mps: Some(-1.0), ..wrong.fixes[0] });
    wrong.beacon_sightings.push(pb::BeaconSighting { beacon: "?".into(), heard_at: None, rssi_dbm: Some(99) });
    wrong.max_offers = 11;
    let status = server.proximity().ping(bearing(&phone.token, wrong)).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let expected = [
        "ping_id",
        "sent_at",
        "fixes[0].position.latitude",
        "fixes[0].position.longitude",
        "fixes[0].fix_at",
        "fixes[1].position.latitude",
        "fixes[1].position.longitude",
        "fixes[1].fix_at",
        "fixes[1].speed_mps",
        "beacon_sightings[0].beacon",
        "beacon_sightings[0].heard_at",
        "beacon_sightings[0].rssi_dbm",
        "max_offers",
    ];
    assert_eq!(fields(&status), expected);
}

#[tokio::test]
async fn a_registration_is_told_everything_that_is_wrong_with_it() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let mut wrong = registration(1);
    wrong.installation_secret.truncate(3);
    wrong.consents[1].purpose = 1;
    wrong.consents[2].text_version.clear();
    wrong.language = "Italian, please".into();
    wrong.platform = 7;
    wrong.time_zone = "Mars/Olympus".into();
    let status = server.devices().register_device(bearing(&acme.key, wrong)).await.expect_err("refused");
    let expected =
        ["installation_secret", "consents[1].purpose", "consents[2].text_version", "language", "platform", "time_zone"];
    assert_eq!(fields(&status), expected);
}

#[tokio::test]
async fn an_owner_is_told_everything_that_is_wrong_with_a_resource() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let owner = acme.key_of(pb::key::Scope::Owner).await;
    let mut places = server.places();
    let store = pb::Store { name: "stores/1".into(), tags: vec!["?".into()], etag: "x".into(), ..Default::default() };

    let create = pb::CreateStoreRequest { parent: "acme".into(), store_id: "/".into(), store: Some(store.clone()) };
    let status = places.create_store(bearing(&owner, create)).await.expect_err("refused");
    let read = ["store.display_name", "store.position", "store.time_zone", "store.tags[0]"];
    assert_eq!(fields(&status), [&["parent", "store_id"], read.as_slice()].concat());

    let update_mask = Some(FieldMask { paths: vec!["tags".into(), "colour".into()] });
    let update = pb::UpdateStoreRequest { store: Some(store), update_mask };
    let status = places.update_store(bearing(&owner, update)).await.expect_err("refused");
    assert_eq!(
        fields(&status),
        ["store.name", "store.etag", "update_mask", "store.tags[0]"],
        "no field but the mask's"
    );

    let list =
        pb::ListBeaconsRequest { parent: "acme".into(), page_size: -1, page_token: "x".into(), store: "1".into() };
    let status = places.list_beacons(bearing(&owner, list)).await.expect_err("refused");
    assert_eq!(fields(&status), ["store", "parent", "page_size", "page_token"]);

    let delete = pb::DeleteGeofenceRequest { name: "1".into(), etag: "x".into(), force: true };
    let status = places.delete_geofence(bearing(&owner, delete)).await.expect_err("refused");
    assert_eq!(fields(&status), ["name", "etag"]);
}

#[tokio::test]
async fn a_publisher_is_told_everything_that_is_wrong_with_a_request_about_people() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let owner = acme.key_of(pb::key::Scope::Owner).await;
    let mut profiles = server.profiles();
    let link = pb::LinkProfileRequest { device: "phone".into(), profile_id: "anon-1".into() };
    let status = profiles.link_profile(bearing(&owner, link)).await.expect_err("refused");
    assert_eq!(fields(&status), ["device", "profile_id"]);
    let mute = pb::MuteBrandRequest { name: "ann".into(), brand: "acme".into() };
    let status = profiles.mute_brand(bearing(&owner, mute)).await.expect_err("refused");
    assert_eq!(fields(&status), ["brand", "name"]);
    let rotate = pb::RotateKeyRequest {
        name: "key".into(),
        overlap: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
        ..Default::default()
    };
    let status = server.organizations().rotate_key(bearing(&owner, rotate)).await.expect_err("refused");
    assert_eq!(fields(&status), ["name", "overlap"]);
}

#[tokio::test]
async fn a_decision_id_that_is_none_and_a_ping_without_end_are_refused() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let request = pb::GetDecisionRequest { decision: "17".into() };
    let status = server.decisions().get_decision(bearing(&phone.token, request)).await.expect_err("refused");
    assert_eq!(fields(&status), ["decision"]);

    // The worst that fits: the answer must still reach the phone.
    let mut worst = ping("worst-001", server.now());
    let bad = pb::Fix { accuracy_m: -1.0, fix_at: None, position: None, ..worst.fixes[0] };
    worst.fixes = vec![bad; 5_000];
    let status = server.proximity().ping(bearing(&phone.token, worst)).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(fields(&status)[0], "fixes");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let server = TestServer::start().await;
    let phone = server.publisher("acme").await.phone(1).await;
    let mut client = tonic::client::Grpc::new(server.channel.clone());
    client.ready().await.expect("connected");
    let path = PathAndQuery::from_static("/dintorni.v1.ProximityService/Ping");
    // As a message of one field of bytes, where a ping has one of text: not UTF-8.
    let codec = tonic_prost::ProstCodec::<Vec<u8>, pb::PingResponse>::default();
    let status = client.unary(bearing(&phone.token, vec![0xff, 0xfe]), path, codec).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}
