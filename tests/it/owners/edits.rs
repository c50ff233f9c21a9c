//! Creating, changing, listing and deleting over the wire: names, etags, masks, pages and what stands in the way.

use dintorni::grpc::pb::{self, key::Scope};
use prost_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::harness::{HERE, Publisher, TestServer, bearing, fields, refusal};

fn store(display_name: &str) -> pb::Store {
    let (display_name, time_zone) = (display_name.into(), "Europe/Rome".into());
    pb::Store { display_name, position: Some(HERE), time_zone, ..Default::default() }
}

/// Somebody at work with one key.
struct Desk<'a> {
    server: &'a TestServer,
    key: String,
    parent: String,
}

impl<'a> Desk<'a> {
    async fn of(server: &'a TestServer, publisher: &Publisher<'_>, scope: Scope) -> Self {
        Self { server, key: publisher.key_of(scope).await, parent: publisher.organization.clone() }
    }

    async fn create(&self, id: &str, store: pb::Store) -> Result<pb::Store, Status> {
        let request = pb::CreateStoreRequest { parent: self.parent.clone(), store_id: id.into(), store: Some(store) };
        Ok(self.server.places().create_store(bearing(&self.key, request)).await?.into_inner())
    }

    async fn update(&self, store: pb::Store, paths: &[&str]) -> Result<pb::Store, Status> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let request = pb::UpdateStoreRequest { store: Some(store), update_mask: Some(FieldMask { paths }) };
        Ok(self.server.places().update_store(bearing(&self.key, request)).await?.into_inner())
    }

    async fn page(&self, page_size: i32, page_token: &str) -> Result<pb::ListStoresResponse, Status> {
        let request = pb::ListStoresRequest { parent: self.parent.clone(), page_size, page_token: page_token.into() };
        Ok(self.server.places().list_stores(bearing(&self.key, request)).await?.into_inner())
    }
}

#[tokio::test]
async fn a_store_is_made_once_and_edited_by_its_etag() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let desk = Desk::of(&server, &acme, Scope::Network).await;
    let made = desk.create("7", store("Brera")).await.expect("made");
    assert_eq!(made.name, "organizations/acme/stores/7");
    assert_eq!(desk.create("7", store("Brera")).await.expect("harmless"), made);
    assert_eq!(refusal(&desk.create("7", store("Duomo")).await.expect_err("other")).0, Code::AlreadyExists);

    let patch = pb::Store { brand: "Illy".into(), tags: vec!["cafe".into()], ..made.clone() };
    let edited = desk.update(patch.clone(), &["brand"]).await.expect("edited");
    assert_eq!((edited.brand.as_str(), edited.tags.len()), ("Illy", 0), "only the field in the mask");
    let stale = desk.update(patch, &["tags"]).await.expect_err("an old etag");
    assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".into()));
    let cleared = desk.update(pb::Store { etag: String::new(), ..made }, &["*"]).await.expect("edited");
    assert_eq!(cleared.brand, "");

    let wrong = pb::Store { time_zone: "Mars".into(), ..cleared };
    assert_eq!(fields(&desk.update(wrong, &["time_zone"]).await.expect_err("refused")), ["store.time_zone"]);
    let unknown = desk.update(pb::Store { etag: String::new(), ..edited }, &["colour"]).await.expect_err("refused");
    assert_eq!(fields(&unknown), ["update_mask"]);
}

#[tokio::test]
async fn everything_wrong_with_a_new_store_is_told_at_once() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let desk = Desk::of(&server, &acme, Scope::Network).await;
    let wrong = desk.create("a/b", pb::Store::default()).await.expect_err("refused");
    assert_eq!(fields(&wrong), ["store_id", "store.display_name", "store.position", "store.time_zone"]);
}

#[tokio::test]
async fn pages_give_each_store_once() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let desk = Desk::of(&server, &acme, Scope::Network).await;
    for id in ["a", "b", "c", "d", "e"] {
        desk.create(id, store("Brera")).await.expect("made");
    }
    let first = desk.page(2, "").await.expect("a page");
    desk.create("aa", store("Between")).await.expect("made");
    let second = desk.page(2, &first.next_page_token).await.expect("a page");
    let last = desk.page(2, &second.next_page_token).await.expect("a page");
    let all = [&first, &second, &last].into_iter().flat_map(|page| &page.stores);
    let ids: Vec<&str> = all.map(|store| store.name.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
    assert_eq!(last.next_page_token, "");
    assert_eq!(fields(&desk.page(-1, "x").await.expect_err("refused")), ["page_size", "page_token"]);
    let operator = Desk { key: server.operator.clone(), parent: "organizations/nobody".into(), ..desk };
    assert_eq!(refusal(&operator.page(0, "").await.expect_err("nobody's stores")).0, Code::NotFound);
}

#[tokio::test]
async fn what_a_campaign_needs_is_not_deleted_unasked() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let campaign = acme.cafe().await;
    let desk = Desk::of(&server, &acme, Scope::Network).await;
    let name = format!("{}/stores/brera", acme.organization);
    let delete = |force| {
        let request = pb::DeleteStoreRequest { name: name.clone(), force, ..Default::default() };
        let request = bearing(&desk.key, request);
        async { server.places().delete_store(request).await }
    };
    let status = delete(false).await.expect_err("in use");
    let details = status.get_error_details();
    let told = details.precondition_failure().expect("listed").violations.first().expect("one").clone();
    assert_eq!((status.code(), told.subject.as_str()), (Code::FailedPrecondition, campaign.as_str()));
    delete(true).await.expect("deleted");
    assert_eq!(delete(true).await.expect_err("gone").code(), Code::NotFound);
}

#[tokio::test]
async fn a_rotated_key_opens_with_both_secrets_for_a_while() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (owner, old) = (acme.key_of(Scope::Owner).await, acme.key_of(Scope::Network).await);
    let listed = pb::ListKeysRequest { parent: acme.organization.clone(), ..Default::default() };
    let keys = server.organizations().list_keys(bearing(&owner, listed)).await.expect("listed").into_inner().keys;
    let pb::Key { name, etag, .. } = keys.into_iter().find(|key| key.scope() == Scope::Network).expect("there");
    let overlap = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let request = pb::RotateKeyRequest { name: name.clone(), overlap, etag };
    let rotate = || async { server.organizations().rotate_key(bearing(&owner, request.clone())).await };
    let new = rotate().await.expect("rotated").into_inner().secret;
    let again = rotate().await.expect_err("it was rotated, which who repeats it does not know");
    assert_eq!(refusal(&again), (Code::Aborted, "ETAG_MISMATCH".into()));

    let opens = async |secret: &str| {
        let request = pb::ListStoresRequest { parent: acme.organization.clone(), ..Default::default() };
        server.places().list_stores(bearing(secret, request)).await.is_ok()
    };
    assert!(opens(&old).await && opens(&new).await);
    server.clock.advance(std::time::Duration::from_secs(60));
    assert!(!opens(&old).await && opens(&new).await);
    server.organizations().revoke_key(bearing(&owner, pb::RevokeKeyRequest { name })).await.expect("revoked");
    assert!(!opens(&new).await);
}

#[tokio::test]
async fn a_large_geofence_is_edited_as_any_other() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (key, parent) = (acme.key_of(Scope::Network).await, acme.organization.clone());
    // Far more bytes than are read at once; `tip` is where a corner in the south is.
    let shape = |tip: f64| {
        let west_to_east = (0..2_000).map(|i| 9.0 + f64::from(i) / 2e5);
        let mut ring: Vec<f64> = west_to_east.flat_map(|x| [x, 45.0]).collect();
        ring.extend([9.005, tip, 9.0, 45.0]);
        let polygons = vec![pb::Polygon { rings: vec![pb::Ring { coordinates: ring }] }];
        Some(pb::Shape { outline: Some(pb::shape::Outline::Polygons(pb::Polygons { polygons })) })
    };
    let yard = pb::Geofence { display_name: "Yard".into(), shape: shape(44.9), ..Default::default() };
    let create = pb::CreateGeofenceRequest { parent, geofence_id: "yard".into(), geofence: Some(yard) };
    let made = server.places().create_geofence(bearing(&key, create)).await.expect("made").into_inner();
    let update = async |geofence: pb::Geofence, path: &str| {
        let update_mask = Some(FieldMask { paths: vec![path.into()] });
        let request = pb::UpdateGeofenceRequest { geofence: Some(geofence), update_mask };
        server.places().update_geofence(bearing(&key, request)).await.map(|done| done.into_inner())
    };
    let any = pb::Geofence { etag: String::new(), ..made.clone() };
    let (named, tagged) = tokio::join!(
        update(pb::Geofence { display_name: "Garden".into(), ..any.clone() }, "display_name"),
        update(pb::Geofence { tags: vec!["green".into()], ..any.clone() }, "tags"),
    );
    assert!(named.is_ok() && tagged.is_ok(), "one is applied to what the other made of it");
    let get = pb::GetGeofenceRequest { name: made.name.clone() };
    let both = server.places().get_geofence(bearing(&key, get)).await.expect("there").into_inner();
    assert_eq!((both.display_name.as_str(), both.tags.len()), ("Garden", 1));
    let stale = update(made, "tags").await.expect_err("an old etag");
    assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".into()));
    let flat = update(pb::Geofence { shape: shape(45.0), ..any }, "shape").await.expect_err("it encloses nothing");
    assert_eq!(fields(&flat), ["geofence.shape.polygons"]);
}
