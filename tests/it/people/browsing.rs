//! Looking around for offers: whose, how often, and nothing kept of it.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Status};

use super::{coffee, get, server_key};
use crate::support::harness::{TestServer, bearing, fields, ping, refusal};

/// What is found where phones ping from.
async fn look(server: &TestServer, credential: &str, profile: &str) -> Result<pb::ListNearbyOffersResponse, Status> {
    let position = ping("anything", None).fixes[0].position;
    let request = pb::ListNearbyOffersRequest { position, profile: profile.into(), ..Default::default() };
    Ok(server.proximity().list_nearby_offers(bearing(credential, request)).await?.into_inner())
}

#[tokio::test]
async fn previews_are_seen_by_their_person_and_the_publishers_server_and_take_nothing() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    let before = get(&server, &phone.token, "").await.expect("its own");
    let own = look(&server, &phone.token, "").await.expect("found");
    let [preview] = own.offers.as_slice() else { panic!("{own:?}") };
    assert_eq!((preview.title.as_str(), preview.distance_m), ("Coffee", 0.0));
    assert!(preview.place.ends_with("/geofences/square"), "{preview:?}");
    let (until, now) = (preview.valid_until.expect("given"), server.now().expect("told"));
    assert_eq!(until.seconds - now.seconds, 24 * 3_600);
    assert_eq!(look(&server, &server_key(&acme).await, &before.name).await.expect("found"), own);
    assert_eq!(get(&server, &phone.token, "").await.expect("its own"), before, "nothing is kept");
    assert_eq!(phone.ping("ping-0001").await.expect("answered").offers.len(), 1, "and the offer is there still");
    assert_eq!(look(&server, &phone.token, "").await.expect("found").offers, [], "but not twice a day");
}

#[tokio::test]
async fn who_may_not_look_is_told_so() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (phone, other) = (acme.phone(1).await, server.publisher("other").await);
    let name = get(&server, &phone.token, "").await.expect("its own").name;
    for key in [acme.key_of(Scope::Brand).await, server_key(&other).await] {
        let status = look(&server, &key, &name).await.expect_err("refused");
        assert_eq!(status.code(), Code::PermissionDenied);
    }
    assert_eq!(fields(&look(&server, &phone.token, &name).await.expect_err("refused")), ["profile"]);
    assert_eq!(fields(&look(&server, &server_key(&acme).await, "ann").await.expect_err("refused")), ["profile"]);
    let request = pb::ListNearbyOffersRequest { radius_m: 5_001.0, limit: 101, ..Default::default() };
    let status = server.proximity().list_nearby_offers(bearing(&phone.token, request)).await.expect_err("refused");
    assert_eq!(fields(&status), ["position", "radius_m", "limit"]);
}

#[tokio::test]
async fn whoever_looks_all_the_time_is_told_when_to_look_again() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (phone, other) = (acme.phone(1).await, acme.phone(2).await);
    for _ in 0..10 {
        look(&server, &phone.token, "").await.expect("found");
    }
    let status = look(&server, &phone.token, "").await.expect_err("too often");
    assert_eq!(refusal(&status).0, Code::ResourceExhausted);
    look(&server, &other.token, "").await.expect("somebody else");
    server.clock.advance(std::time::Duration::from_secs(2));
    look(&server, &phone.token, "").await.expect("it has been long enough");
}
