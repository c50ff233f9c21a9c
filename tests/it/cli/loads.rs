//! `dintorni load`.

use serde_json::Value;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{call, dintorni, is_plain, run};
use crate::support::harness::{HERE, TestServer};

/// A short load with these flags more; what it found.
async fn load(server: &TestServer, key: &str, more: &[&str]) -> Value {
    let few = ["load", "--devices", "8", "--warm-up", "0s", "--duration", "1s", "--json"];
    let ran = call(server.address, key, &[&few[..], more].concat()).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(is_plain(&ran), "{ran:?}");
    serde_json::from_str(&ran.out).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_answer_each_ping_that_is_due() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let around = format!("{},{}", HERE.latitude, HERE.longitude);
    for door in [&["--streams"][..], &[]] {
        let flags = [&["--rate", "200", "--around", &around, "--step", "60s"], door].concat();
        let found = load(&server, &acme.key, &flags).await;
        let count = |field: &str| found[field].as_u64().expect("a number");
        assert!((195..=201).contains(&(count("answers") + count("unsent"))), "{found}");
        assert!(count("answers") > 0 && found["codes"]["Ok"].as_u64() == Some(count("answers")), "{found}");
        assert_eq!(found["unanswered"], 0, "{found}");
        assert!(found["latency_us"]["p99"].as_u64() <= found["latency_us"]["max"].as_u64(), "{found}");
        assert!(found["server_cpu_ms_per_1000"].is_f64(), "the server is in this process: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_rate_it_pings_as_fast_as_it_is_answered() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let found = load(&server, &acme.key, &["--streams", "--in-flight", "64"]).await;
    assert!(found["answers"].as_u64() > Some(100), "{found}");
    assert_eq!((&found["rate_wanted"], &found["unsent"]), (&Value::Null, &Value::from(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_world_is_filled_once() {
    let server = TestServer::start().await;
    let fill = ["load", "world", "--stores", "30", "--geofences", "60", "--campaigns", "3", "--seed", "9"];
    let first = call(server.address, &server.operator, &fill).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.err.contains("90 places created, 0 changed, 0 unchanged\n"), "{first:?}");
    assert!(first.err.contains("3 campaigns created, 0 unchanged\n"), "{first:?}");
    assert!(first.out.starts_with("dk_") && first.out.lines().count() == 1, "the key and nothing else: {first:?}");
    let again = call(server.address, &server.operator, &fill).await;
    assert!(again.err.contains("0 places created, 0 changed, 90 unchanged\n"), "{again:?}");
    assert!(again.err.contains("0 campaigns created, 3 unchanged\n"), "{again:?}");
    // Its people walk among its geofences.
    let found =
        load(&server, first.out.trim(), &["--seed", "9", "--geofences", "60", "--rate", "300", "--step", "60s"]).await;
    assert!(found["transitions"].as_u64() > Some(0) && found["changed"].as_u64() > Some(0), "{found}");
}

/// Room for the phones of a load from one address.
const NO_LIMITS: [(&str, &str); 2] = [("devices.address_burst", "10000"), ("devices.key_burst", "10000")];
const TILLS: [&str; 9] = ["load", "till", "--coupons", "65", "--tills", "4", "--stores", "2", "--json"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tills_redeem_every_coupon_once_and_prove_it() {
    let server = TestServer::start_with(&NO_LIMITS).await;
    let ran = call(server.address, &server.operator, &[&TILLS[..], &["--repeat", "0.2"]].concat()).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(is_plain(&ran) && ran.err.contains("7 phones claimed 65 codes in "), "{ran:?}");
    let found: Value = serde_json::from_str(&ran.out).expect("JSON");
    let count = |field: &str| found[field].as_u64().expect("a number");
    assert_eq!([count("redeemed"), count("listed"), count("repeated"), count("ledger_faults")], [65, 65, 13, 0]);
    assert_eq!((&found["faults"], &found["refusals"]), (&serde_json::json!([]), &serde_json::json!({})), "{found}");
    assert!(count("redeemed") > 0 && found["latency_us"]["p50"].as_u64() > Some(0), "{found}");
    // At a rate it lasts as long as that takes.
    let paced = call(server.address, &server.operator, &[&TILLS[..], &["--rate", "100"]].concat()).await;
    let found: Value = serde_json::from_str(&paced.out).expect("JSON");
    assert!(found["seconds"].as_f64() >= Some(0.6) && found["redeemed"] == 65, "{found}");

    // A record that disagrees fails it.
    let file = SqliteConnectOptions::new().filename(server.data.path().join("dintorni.db"));
    let mut conn = SqliteConnection::connect_with(&file).await.expect("opened");
    let wrong = "UPDATE account SET taken = taken + 1 WHERE id = (SELECT MIN(id) FROM account)";
    assert_eq!(sqlx::query(wrong).execute(&mut conn).await.expect("changed").rows_affected(), 1);
    let failed = call(server.address, &server.operator, &TILLS).await;
    assert!(failed.code == Some(1) && failed.err.contains("the ledger has 1 faults"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_stops_a_load_of_tills_is_named() {
    let server = TestServer::start_with(&[("devices.address_burst", "1")]).await;
    let phones = call(server.address, &server.operator, &TILLS).await;
    assert!(phones.code == Some(1) && phones.out.is_empty(), "{phones:?}");
    assert!(phones.err.contains("--set devices.address_burst="), "{phones:?}");
    let server = TestServer::start_with(&[&NO_LIMITS[..], &[("tills.burst", "2")]].concat()).await;
    let tills = call(server.address, &server.operator, &TILLS).await;
    assert!(tills.code == Some(1) && tills.err.contains("tills.calls_per_second"), "{tills:?}");
}

#[tokio::test]
async fn wrong_flags_are_told_before_anything_is_begun() {
    for wrong in [
        &["load", "--key", "dk_x", "--rate", "-1"][..],
        &["load", "--key", "dk_x", "--duration", "5"],
        &["load", "--key", "dk_x", "--streams", "--devices", "600", "--connections", "2"],
        &["load"],
        &["load", "world", "--key", "dk_x", "--stores", "x"],
        &["load", "--rate", "5", "world", "--key", "dk_x"],
        &["load", "till", "--key", "dk_x", "--repeat", "2"],
        &["load", "till"],
    ] {
        let ran = run(dintorni(wrong)).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{wrong:?} {ran:?}");
    }
}
