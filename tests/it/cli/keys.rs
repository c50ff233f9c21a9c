//! `dintorni key`.

use std::process::Stdio;

use dintorni::grpc::pb;
use tonic::Code;

use super::{Ran, call, dintorni, is_plain, run};
use crate::support::harness::{TestServer, bearing, refusal};

/// Whether a secret opens what a network key opens.
async fn opens(server: &TestServer, secret: &str) -> Result<(), Code> {
    let request = pb::ListStoresRequest { parent: "organizations/acme".into(), ..Default::default() };
    server.places().list_stores(bearing(secret, request)).await.map(|_| ()).map_err(|status| refusal(&status).0)
}

fn secret(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("dk_") && ran.out.lines().count() == 1 && is_plain(ran), "{ran:?}");
    assert!(!ran.err.contains("dk_"), "{ran:?}");
    ran.out.trim().to_owned()
}

#[tokio::test]
async fn a_key_lives_from_its_making_to_its_revocation() {
    let server = TestServer::start().await;
    server.publisher("acme").await;
    let key = async |arguments: &[&str]| call(server.address, &server.operator, arguments).await;

    let made = key(&["key", "create", "stores", "--organization", "acme", "--scope", "network"]).await;
    let first = secret(&made);
    assert_eq!(opens(&server, &first).await, Ok(()));

    let rotated = key(&["key", "rotate", "stores", "--organization", "acme", "--overlap", "1h"]).await;
    let second = secret(&rotated);
    assert_eq!((opens(&server, &first).await, opens(&server, &second).await), (Ok(()), Ok(())));

    let listed = key(&["key", "list", "--organization", "organizations/acme"]).await;
    let line = listed.out.lines().find(|line| line.contains("/keys/stores ")).expect("listed");
    assert!(line.contains("network") && line.contains("older secret until 2026-06-15T13:00:00Z"), "{line}");
    assert!(!listed.out.contains("dk_"), "{listed:?}");

    let revoked = key(&["key", "revoke", "organizations/acme/keys/stores"]).await;
    assert_eq!((revoked.code, revoked.out.as_str()), (Some(0), ""), "{revoked:?}");
    assert_eq!(opens(&server, &second).await, Err(Code::Unauthenticated));
}

#[tokio::test]
async fn a_refusal_names_what_was_wrong_and_prints_no_result() {
    let server = TestServer::start().await;
    server.publisher("acme").await;
    let wrong = ["key", "create", "not an id", "--organization", "acme", "--scope", "owner"];
    let ran = call(server.address, &server.operator, &wrong).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains(": key_id: ") && ran.err.lines().count() == 1, "{ran:?}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_panic() {
    let server = TestServer::start().await;
    server.publisher("acme").await;
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    let ran = async |arguments: &[&str]| {
        let mut command = dintorni(arguments);
        command.env("DINTORNI_SERVER", format!("http://{}", server.address)).env("DINTORNI_KEY", &server.operator);
        command.stdout(closed()).stderr(Stdio::piped());
        tokio::task::spawn_blocking(move || Ran::from(command.spawn().expect("runs").wait_with_output().expect("ends")))
            .await
            .expect("it ends")
    };
    let listed = ran(&["key", "list", "--organization", "acme"]).await;
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""));
    // What failed has failed, whoever reads.
    let file = server.data.path().join("a.csv");
    std::fs::write(&file, "id,name,lat,lon\n1,Brera,no,9\n").expect("written");
    let imported = ran(&["import", file.to_str().expect("text"), "--network", "acme"]).await;
    assert!(imported.code == Some(1) && imported.err.contains("line 2: "), "{imported:?}");
    // A secret that nobody saw is not a success.
    let made = ran(&["key", "create", "lost", "--organization", "acme", "--scope", "owner"]).await;
    assert_eq!(made.code, Some(1), "{made:?}");
    assert!(made.err.contains("key rotate organizations/acme/keys/lost"), "{made:?}");
    assert_eq!(run(dintorni(&["--help"])).await.code, Some(0));
}
