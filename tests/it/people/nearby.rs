//! Looking around: nearest first, filtered, and nothing kept of it.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Status};

use super::{get, server_key};
use crate::support::harness::{TestServer, bearing};

/// Metres of one degree of latitude.
const DEGREE_M: f64 = 111_195.0;

async fn open_store(server: &TestServer, parent: &str, id: &str, north_m: f64, tags: &[&str]) {
    let store = pb::Store {
        display_name: id.into(),
        position: Some(pb::LatLng { latitude: 60.0 + north_m / DEGREE_M, longitude: 25.0 }),
        time_zone: "Europe/Helsinki".into(),
        tags: tags.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let request = pb::CreateStoreRequest { parent: parent.into(), store_id: id.into(), store: Some(store) };
    server.places().create_store(bearing(&server.operator, request)).await.expect("made");
}

/// The ids of what is found around latitude 60.
async fn found(
    server: &TestServer,
    credential: &str,
    request: pb::ListNearbyStoresRequest,
) -> Result<Vec<String>, Status> {
    let position = Some(pb::LatLng { latitude: 60.0, longitude: 25.0 });
    let request = pb::ListNearbyStoresRequest { position, ..request };
    let answer = server.proximity().list_nearby_stores(bearing(credential, request)).await?.into_inner();
    assert!(answer.stores.is_sorted_by(|a, b| a.distance_m <= b.distance_m));
    Ok(answer.stores.into_iter().map(|near| near.store.expect("given").display_name).collect())
}

#[tokio::test]
async fn stores_are_found_nearest_first_within_the_radius() {
    let server = TestServer::start().await;
    let (acme, other) = (server.publisher("acme").await, server.publisher("other").await);
    let stores = [("far", 6_000.0, &["cafe"][..]), ("near", 50.0, &["cafe", "open"]), ("mid", -900.0, &[])];
    for (id, north_m, tags) in stores {
        open_store(&server, &acme.organization, id, north_m, tags).await;
    }
    open_store(&server, &other.organization, "theirs", 400.0, &["cafe"]).await;
    let phone = acme.phone(1).await;
    let before = get(&server, &phone.token, "").await.expect("its own");
    let ask = async |request| found(&server, &phone.token, request).await.expect("found");
    let usual = pb::ListNearbyStoresRequest::default;
    assert_eq!(ask(usual()).await, ["near", "theirs", "mid"]);
    assert_eq!(ask(pb::ListNearbyStoresRequest { radius_m: 10_000.0, limit: 4, ..usual() }).await.len(), 4);
    assert_eq!(ask(pb::ListNearbyStoresRequest { limit: 1, ..usual() }).await, ["near"]);
    assert_eq!(ask(pb::ListNearbyStoresRequest { tags: vec!["cafe".into()], ..usual() }).await, ["near", "theirs"]);
    let both = vec!["open".into(), "cafe".into()];
    assert_eq!(ask(pb::ListNearbyStoresRequest { tags: both, ..usual() }).await, ["near"]);
    assert_eq!(ask(pb::ListNearbyStoresRequest { network: other.organization.clone(), ..usual() }).await, ["theirs"]);
    assert_eq!(get(&server, &phone.token, "").await.expect("its own"), before, "nothing is kept");
}

#[tokio::test]
async fn devices_and_their_publishers_server_may_look_around() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let usual = pb::ListNearbyStoresRequest::default;
    let key = server_key(&acme).await;
    assert!(found(&server, &key, usual()).await.expect("open").is_empty());
    for scope in [Scope::Owner, Scope::Network, Scope::Brand] {
        let status = found(&server, &acme.key_of(scope).await, usual()).await.expect_err("refused");
        assert_eq!(status.code(), Code::PermissionDenied, "{scope:?}");
    }
    let status = found(&server, &acme.key, usual()).await.expect_err("refused");
    assert_eq!(status.code(), Code::PermissionDenied);
    let phone = acme.phone(1).await;
    for _ in 0..20 {
        found(&server, &phone.token, usual()).await.expect("at once");
    }
    let status = found(&server, &phone.token, usual()).await.expect_err("too often");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(found(&server, &key, usual()).await.is_ok(), "a server asks for many people");
    super::erase(&server, &phone.token, "").await.expect("erased");
    server.clock.advance(std::time::Duration::from_secs(60));
    let status = found(&server, &phone.token, usual()).await.expect_err("revoked");
    assert_eq!(status.code(), Code::Unauthenticated);
}
