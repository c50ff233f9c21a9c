//! ImportPlaces over the wire: a file's rows become places, once.

use dintorni::{
    app::{
        imports::Numbered,
        place_files::{Format, Reading, parse},
    },
    domain::name::OrganizationName,
    grpc::{
        pb::{self, import_places_request::Part, key::Scope},
        place_import::messages,
    },
};
use tonic::{Code, Status};

use crate::support::harness::{TestServer, bearing, fields};

fn demo(network: &str) -> Vec<Numbered> {
    let file = include_bytes!("../../../deploy/demo/helsinki.geojson");
    let network = OrganizationName::parse(network).expect("sound");
    parse(file, &Reading::new(network, Format::GeoJson)).expect("readable")
}

async fn import(
    server: &TestServer,
    key: &str,
    parts: impl IntoIterator<Item = pb::ImportPlacesRequest, IntoIter: Send + 'static>,
) -> Result<pb::ImportPlacesResponse, Status> {
    let stream = tokio_stream::iter(parts);
    Ok(server.places().import_places(bearing(key, stream)).await?.into_inner())
}

#[tokio::test]
async fn the_demo_is_imported_once() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let key = acme.key_of(Scope::Network).await;
    let options = || pb::ImportOptions { parent: acme.organization.clone(), ..Default::default() };
    let rows = || demo(&acme.organization);

    let dry = pb::ImportOptions { dry_run: true, ..options() };
    let dry = import(&server, &key, messages(dry, rows(), |_| ())).await.expect("looked at");
    assert_eq!((dry.applied, dry.created), (false, 591));
    let first = import(&server, &key, messages(options(), rows(), |_| ())).await.expect("applied");
    assert_eq!((first.applied, first.created, first.refused), (true, 591, 0));
    assert!(!first.small_geofences.is_empty(), "one of the malls is a kiosk");
    let second = import(&server, &key, messages(options(), rows(), |_| ())).await.expect("applied");
    assert_eq!((second.unchanged, second.catalog_version), (591, first.catalog_version));
}

#[tokio::test]
async fn a_wrong_row_is_told_and_holds_the_others_back() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let key = acme.key_of(Scope::Network).await;
    let options = pb::ImportOptions { parent: acme.organization.clone(), ..Default::default() };
    let mut parts: Vec<_> = messages(options, demo(&acme.organization), |_| ()).collect();
    let opening_hours = "Mo-Fr 8-20".to_owned();
    let wrong = pb::Store { name: "organizations/rival/stores/1".into(), opening_hours, ..Default::default() };
    let unsaid_fields = vec!["tags".to_owned(), "store".to_owned()];
    let row = pb::ImportRow { row: 0, unsaid_fields, place: Some(pb::import_row::Place::Store(wrong)) };
    parts.pop();
    for part in [Part::Rows(pb::ImportRows { rows: vec![row] }), Part::End(pb::ImportEnd { rows: 592 })] {
        parts.push(pb::ImportPlacesRequest { part: Some(part) });
    }
    let report = import(&server, &key, parts).await.expect("looked at");
    assert_eq!((report.applied, report.created, report.refused), (false, 591, 1));
    let told: Vec<(u64, &str)> = report.problems.iter().map(|p| (p.row, p.field.as_str())).collect();
    let faults = ["store.display_name", "store.position", "store.time_zone", "store.opening_hours", "unsaid_fields[1]"];
    assert_eq!(told, faults.map(|field| (592, field)));
    let request = pb::ListStoresRequest { parent: acme.organization.clone(), ..Default::default() };
    let left = server.places().list_stores(bearing(&key, request)).await.expect("listed").into_inner();
    assert!(left.stores.is_empty());
}

#[tokio::test]
async fn a_stream_out_of_order_is_refused() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let key = acme.key_of(Scope::Network).await;
    let options = || pb::ImportOptions { parent: acme.organization.clone(), ..Default::default() };
    let part = |part| pb::ImportPlacesRequest { part };
    let rows = |count| Some(Part::Rows(pb::ImportRows { rows: vec![pb::ImportRow::default(); count] }));
    let end = |rows| part(Some(Part::End(pb::ImportEnd { rows })));
    let first = part(Some(Part::Options(options())));
    for (parts, field) in [
        (vec![], "options"),
        (vec![part(rows(1))], "options"),
        (vec![first.clone(), first.clone()], "options"),
        (vec![first.clone(), part(None)], "rows"),
        (vec![first.clone(), part(rows(1))], "end"),
        (vec![first.clone(), part(rows(1)), end(2)], "end.rows"),
        (vec![first.clone(), end(0), end(0)], "end"),
        (vec![first.clone(), part(rows(0))], "rows.rows"),
        (vec![first.clone(), part(rows(1_001))], "rows.rows"),
    ] {
        let status = import(&server, &key, parts).await.expect_err("refused");
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec![field.to_owned()]));
    }
}
