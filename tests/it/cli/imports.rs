//! `dintorni import --sync`: good days, bad days, and the two real days of a network.

use std::{io::Read, path::Path};

use dintorni::grpc::pb::{self, key::Scope};

use super::{Ran, call};
use crate::support::harness::{TestServer, bearing, fields};

const HEADER: &str = "idImpianto|Nome Impianto|Latitudine|Longitudine\n";

/// A file of this day and these lines.
fn written(day: &str, lines: impl IntoIterator<Item = String>) -> String {
    format!("Estrazione del {day}\n{HEADER}{}", lines.into_iter().collect::<String>())
}

fn line(id: u32) -> String {
    format!("{id}|Station {id}|45.{id}|9.1\n")
}

/// Syncs the file from where it is, with these flags beside those its form needs.
async fn sync(server: &TestServer, key: &str, file: &Path, flags: &[&str]) -> Ran {
    let form = ["--delimiter", "|", "--no-quotes", "--skip-lines", "1", "--time-zone", "Europe/Rome"];
    let columns = ["--id-from", "idImpianto", "--map", "name=Nome Impianto", "--network", "acme", "--sync", "stations"];
    let file = file.to_str().expect("text");
    call(server.address, key, &[&["import", file], &form[..], &columns, flags].concat()).await
}

#[tokio::test]
async fn a_sync_follows_the_file_and_a_bad_one_changes_nothing() {
    let server = TestServer::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stations.csv");
    let run = async |file: String, flags: &[&str]| {
        std::fs::write(&path, file).expect("written");
        sync(&server, &key, &path, flags).await
    };
    let first = run(written("2026-03-12", (1..=20).map(line)), &[]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.err.contains("no column for address, brand, opening_hours, country, tags, time_zone: "), "{first:?}");
    assert!(first.err.contains("as of 2026-03-12T00:00:00Z (the file says so)"), "{first:?}");
    assert!(first.out.starts_with("20 created, 0 changed, 0 unchanged, 0 removed, 0 kept, 0 refused"), "{first:?}");

    // Station 1 is gone, 2 has no position, 3 the separator in its name.
    let odd = ["2|Two|NULL|NULL\n".to_owned(), "3|Three|Nord|45.3|9.1\n".to_owned()];
    let second = || written("2026-03-13", odd.iter().cloned().chain((4..=20).map(line)));
    let dry = run(second(), &["--dry-run"]).await;
    assert_eq!(dry.code, Some(2), "{dry:?}");
    assert!(dry.out.starts_with("would be removed: organizations/acme/stores/1\ndry run"), "{dry:?}");
    let second = run(second(), &[]).await;
    assert_eq!(second.code, Some(2), "{second:?}");
    let counted = "0 created, 0 changed, 17 unchanged, 1 removed, 2 kept, 2 refused (catalog";
    assert!(
        second.out.starts_with("removed: organizations/acme/stores/1\n") && second.out.contains(counted),
        "{second:?}"
    );
    assert!(second.err.contains("latitudine: is missing") && second.err.contains("has 5 values"), "{second:?}");
    assert!(
        second.err.contains("kept: 2 places (") && second.err.contains("of the same store under a new id, was refused"),
        "{second:?}"
    );

    let cut = written("2026-03-14", (2..=20).map(line));
    for (file, said) in [
        (cut[..cut.len() - 9].to_owned(), "the file breaks off in line 21"),
        (written("2026-03-14", []), "the file has no row"),
        (written("2026-03-12", (1..=20).map(line)), "the source has had one of 2026-03-13T00:00:00Z"),
        (written("2026-03-14", (102..=120).map(line)), "lacks 19 of the source's 19 places"),
    ] {
        let ran = run(file, &[]).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains("nothing was changed: ") && ran.out.contains(said), "{ran:?}");
    }
    let ran = run(cut[..cut.len() - 9].to_owned(), &[]).await;
    assert!(ran.err.contains("line 21: has 3 values, and the header 4 columns"), "why it breaks off there: {ran:?}");
    let known = pb::ListSourcesRequest { parent: "organizations/acme".into(), ..Default::default() };
    let known = server.places().list_sources(bearing(&key, known)).await.expect("listed").into_inner().sources;
    assert_eq!(
        known.iter().map(|source| (source.name.as_str(), source.rows)).collect::<Vec<_>>(),
        [("organizations/acme/sources/stations", 19)]
    );
    assert_eq!(known[0].as_of.map(|at| at.seconds), Some(1_773_360_000));

    let third = run(written("14/03/2026", (11..=20).map(line)), &["--allow-removals"]).await;
    assert_eq!(third.code, Some(0), "{third:?}");
    assert!(third.out.contains("0 created, 0 changed, 10 unchanged, 9 removed, 0 kept, 0 refused"), "{third:?}");
    for wrong in [["x.csv", "--force"], ["x.dat", "--dry-run"]] {
        let ran = call(server.address, &key, &[&["import", "--network", "acme"], &wrong[..]].concat()).await;
        assert_eq!(ran.code, Some(64), "{ran:?}");
    }
}

#[tokio::test]
async fn a_place_may_be_let_go_over_the_wire() {
    let server = TestServer::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stations.csv");
    std::fs::write(&path, written("2026-03-12", (1..=2).map(line))).expect("written");
    assert_eq!(sync(&server, &key, &path, &[]).await.code, Some(0));
    let update = async |source: &str| {
        let name = "organizations/acme/stores/1".into();
        let store = Some(pb::Store { name, source: source.into(), ..Default::default() });
        let update_mask = Some(prost_types::FieldMask { paths: vec!["source".into()] });
        server.places().update_store(bearing(&key, pb::UpdateStoreRequest { store, update_mask })).await
    };
    let refused = update("organizations/acme/sources/other").await.expect_err("refused");
    assert_eq!(fields(&refused), ["store.source"]);
    assert_eq!(update("").await.expect("let go").into_inner().source, "");
}

#[tokio::test]
async fn what_the_file_has_no_column_for_stays_as_it_was_set_by_hand() {
    let server = TestServer::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stations.csv");
    let name = || "organizations/acme/stores/1".to_owned();
    let run = async |file: String| {
        std::fs::write(&path, file).expect("written");
        assert_eq!(sync(&server, &key, &path, &[]).await.code, Some(0));
        let store = server.places().get_store(bearing(&key, pb::GetStoreRequest { name: name() })).await;
        store.expect("there").into_inner()
    };
    run(written("2026-03-12", [line(1)])).await;
    let (address, tags) = ("Via Po 7".to_owned(), vec!["motorway".to_owned()]);
    let store = Some(pb::Store {
        name: name(),
        address: address.clone(),
        tags: tags.clone(),
        time_zone: "Asia/Tokyo".into(),
        ..Default::default()
    });
    let update = pb::UpdateStoreRequest { store, update_mask: None };
    server.places().update_store(bearing(&key, update)).await.expect("set by hand");
    let kept = run(written("2026-03-13", [line(1).replace("Station", "Stazione")])).await;
    assert_eq!((kept.display_name.as_str(), kept.address, kept.tags), ("Stazione 1", address, tags.clone()));
    assert_eq!(kept.time_zone, "Asia/Tokyo", "the flag is for stores that are new");
    let file =
        "Estrazione del 2026-03-14\nidImpianto|Nome Impianto|Latitudine|Longitudine|Indirizzo\n1|Uno|45.1|9.1|\n";
    let emptied = run(file.to_owned()).await;
    assert_eq!((emptied.address.as_str(), emptied.tags), ("", tags), "a column that is empty empties");
}

#[tokio::test]
async fn a_zone_is_asked_for_of_new_stores_alone() {
    let server = TestServer::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shops.csv");
    let file = path.to_str().expect("text");
    let run = async |shops: &str, flags: &[&str]| {
        std::fs::write(&path, format!("id,name,lat,lon\n{shops}")).expect("written");
        call(server.address, &key, &[&["import", file, "--network", "acme"], flags].concat()).await
    };
    let refused = run("1,Bar,45.1,9.1\n", &[]).await;
    let said = ["line 2: store.time_zone: must be given: the store is new", "--time-zone gives one to new stores"];
    assert!(refused.code == Some(1) && said.iter().all(|said| refused.err.contains(said)), "{refused:?}");
    let made = run("1,Bar,45.1,9.1\n", &["--time-zone", "Asia/Tokyo"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let renamed = run("1,Bar Centrale,45.1,9.1\n", &[]).await;
    assert!(renamed.code == Some(0) && renamed.out.contains("0 created, 1 changed"), "{renamed:?}");
    let name = "organizations/acme/stores/1".to_owned();
    let kept = server.places().get_store(bearing(&key, pb::GetStoreRequest { name })).await.expect("there");
    assert_eq!(kept.into_inner().time_zone, "Asia/Tokyo");
}

#[tokio::test]
async fn a_source_is_listed_shown_and_deleted() {
    let server = TestServer::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stations.csv");
    let far: Vec<String> =
        (1..=3).map(|id| line(id).replace(&format!("45.{id}|9.1"), &format!("9.1|45.{id}"))).collect();
    let swapped = "3 of 3 places would move to where they were with latitude and longitude exchanged";
    for (lines, said) in [((1..=3).map(line).collect(), "3 created"), (far, swapped)] {
        std::fs::write(&path, written("2026-03-12", lines)).expect("written");
        let ran = sync(&server, &key, &path, &[]).await;
        assert!(ran.out.contains(said), "{ran:?}");
    }
    let of = |action: &'static str| ["source", action, "stations", "--network", "acme"];
    let run = async |arguments: &[&str]| call(server.address, &key, arguments).await;
    let name = "organizations/acme/sources/stations";
    for told in [run(&["source", "list", "--network", "acme"]).await, run(&of("show")).await] {
        let line = told.out.lines().nth(1).unwrap_or_default();
        assert!(line.starts_with(name) && line.contains("2026-03-12T00:00:00Z") && line.ends_with("0"), "{told:?}");
    }
    let refused = run(&of("delete")).await;
    assert!(refused.code == Some(1) && refused.err.contains("3 places are still of"), "{refused:?}");
    let deleted = run(&[&of("delete")[..], &["--force"]].concat()).await;
    assert_eq!((deleted.code, deleted.out.as_str()), (Some(0), ""), "{deleted:?}");
    assert!(deleted.err.contains("deleted; 3 places were of it, and stay"), "{deleted:?}");
    assert_eq!(run(&of("show")).await.code, Some(1));
    let stores = pb::ListStoresRequest { parent: "organizations/acme".into(), ..Default::default() };
    let stores = server.places().list_stores(bearing(&key, stores)).await.expect("listed").into_inner().stores;
    assert!(stores.len() == 3 && stores.iter().all(|store| store.source.is_empty()), "{stores:?}");
}

/// The day's file as it was published, unpacked.
fn unpacked(path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file with so few decimals in its last two columns.
fn rounded(file: &[u8], decimals: usize) -> String {
    let line = |line: &str| {
        let mut columns = line.rsplitn(3, '|');
        let mut number = || columns.next().and_then(|value| value.parse::<f64>().ok());
        let (longitude, latitude) = (number(), number());
        match (latitude.zip(longitude), columns.next()) {
            (Some((latitude, longitude)), Some(rest)) => {
                format!("{rest}|{latitude:.decimals$}|{longitude:.decimals$}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    String::from_utf8_lossy(file).lines().map(line).collect()
}

#[tokio::test]
async fn two_real_days_of_fuel_stations() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/it-fuel-stations/raw_first");
    let day = |day: u32| unpacked(&format!("{folder}/2026-03-{day}_anagrafica.csv.gz"));
    let (Ok(first), Ok(second)) = (day(12), day(13)) else {
        eprintln!("not tried: there is no {folder}");
        return;
    };
    let server = TestServer::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let space = tempfile::tempdir().expect("a folder");
    let path = space.path().join("stations.csv");
    let run = async |file: &[u8]| {
        std::fs::write(&path, file).expect("written");
        sync(&server, &key, &path, &["--map", "brand=Bandiera"]).await
    };
    // As counted apart from this program. What is refused has no name, or no coordinates: 15 stations and 16.
    let told = [
        (&first, "23596 created, 0 changed, 0 unchanged, 0 removed, 0 kept, 15 refused"),
        (&second, "6 created, 2 changed, 23582 unchanged, 12 removed, 0 kept, 16 refused"),
        (&second, "0 created, 0 changed, 23590 unchanged, 0 removed, 0 kept, 16 refused"),
    ];
    for (file, counted) in told {
        let ran = run(file).await;
        assert!(ran.code == Some(2) && ran.out.contains(counted), "{counted}: {ran:?}");
    }
    let swapped = ["--map", "brand=Bandiera", "--map", "latitude=Longitudine", "--map", "longitude=Latitudine"];
    let swapped = sync(&server, &key, &path, &swapped).await;
    let said = "nothing was changed: 23590 of 23590 places would move to where they were with latitude and longitude";
    assert!(swapped.code == Some(1) && swapped.out.contains(said), "{swapped:?}");
    for decimals in [1, 2] {
        let coarse = run(rounded(&second, decimals).as_bytes()).await;
        let said = " of 23590 places would move by more than 500 m";
        assert!(coarse.code == Some(1) && coarse.out.contains(said), "{decimals}: {coarse:?}");
    }
    let stale = run(&first).await;
    assert!(stale.code == Some(1) && stale.out.contains("of 2026-03-12T00:00:00Z"), "{stale:?}");
}
