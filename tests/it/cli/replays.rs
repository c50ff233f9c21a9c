//! `dintorni replay`: the same, something else, and what cannot be told.

use serde_json::Value;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{call, is_plain};
use crate::support::harness::{TestServer, bearing};
use dintorni::grpc::pb::{self, key::Scope};

/// Makes the receipts say that something else was offered.
async fn tamper(server: &TestServer) {
    let file = SqliteConnectOptions::new().filename(server.data.path().join("dintorni.db"));
    let mut conn = file.connect().await.expect("opens");
    let sql = "UPDATE decision SET receipt = replace(receipt, 'An espresso on us', 'A tea on us')";
    assert_eq!(sqlx::query(sql).execute(&mut conn).await.expect("written").rows_affected(), 2);
    conn.close().await.expect("closed");
}

#[tokio::test]
async fn decisions_are_replayed_and_what_differs_is_told() {
    let server = TestServer::start_with(&[("storage.replay_days", "7")]).await;
    let acme = server.publisher("acme").await;
    let campaign = acme.cafe().await;
    let replay = async |key: &str, arguments: &[&str]| {
        let ran = call(server.address, key, &[&["replay"], arguments].concat()).await;
        assert!(is_plain(&ran));
        ran
    };
    // The server's clock is not this machine's.
    let since = ["--since", "2026-06-15T00:00:00Z"];
    let none = replay(&server.operator, &since).await;
    assert!(none.code == Some(1) && none.err.contains("--since"), "{none:?}");

    let first = acme.phone(1).await.ping("arrive-1").await.expect("answered").decision;
    let second = acme.phone(2).await.ping("arrive-2").await.expect("answered").decision;
    let pause = pb::PauseCampaignRequest { name: campaign.clone(), ..Default::default() };
    server.campaigns().pause_campaign(bearing(&server.operator, pause)).await.expect("paused");

    let same = replay(&server.operator, &[&since, ["--campaign", &*campaign].as_slice()].concat()).await;
    assert_eq!((same.code, &*same.out), (Some(0), "2 decisions replayed, 0 differ, 0 without inputs\n"), "{same:?}");
    let until = replay(&server.operator, &[&since[..], &["--until", "2026-06-15T01:00:00Z"]].concat()).await;
    assert_eq!(until.code, Some(1), "nobody came so early: {until:?}");

    tamper(&server).await;
    let differs = replay(&server.operator, &[&first]).await;
    assert_eq!(differs.code, Some(3), "{differs:?}");
    for part in [&*first, "offers[0].content.title", "\"A tea on us\"", "\"An espresso on us\"", "1 differs"] {
        assert!(differs.out.contains(part), "{part} is not in:\n{}", differs.out);
    }
    assert!(!differs.out.contains(&second));
    let json = replay(&server.operator, &[&since[..], &["--json"]].concat()).await;
    let told: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, &told["replayed"], &told["differ"]), (Some(3), &2.into(), &2.into()), "{told}");
    assert_eq!(told["differing"][0]["differences"][0]["path"], "offers[0].content.title", "{told}");

    let denied = replay(&acme.key_of(Scope::Owner).await, &[&first]).await;
    assert!(denied.code == Some(1) && denied.err.contains("PermissionDenied"), "{denied:?}");
    let unknown = replay(&server.operator, &["019283a0-0000-7000-8000-000000000000"]).await;
    assert!(unknown.code == Some(1) && unknown.err.contains("NotFound"), "{unknown:?}");
    for wrong in [vec!["7"], vec!["--since", "soon"], vec![&*first, "--until", "1h"], vec!["--campaign", "espresso"]] {
        let ran = replay(&server.operator, &wrong).await;
        assert!(matches!(ran.code, Some(64)), "{wrong:?}: {ran:?}");
    }
}

#[tokio::test]
async fn a_server_that_keeps_nothing_proves_nothing() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    acme.phone(1).await.ping("arrive-1").await.expect("answered");
    let ran = call(server.address, &server.operator, &["replay", "--since", "2026-06-15T00:00:00Z"]).await;
    assert_eq!((ran.code, &*ran.out), (Some(1), "0 decisions replayed, 0 differ, 1 without inputs\n"));
    assert!(ran.err.contains("storage.replay_days"), "{ran:?}");
}
