//! `dintorni load`.

use serde_json::Value;

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

#[tokio::test]
async fn wrong_flags_are_told_before_anything_is_begun() {
    for wrong in [
        &["load", "--key", "dk_x", "--rate", "-1"][..],
        &["load", "--key", "dk_x", "--duration", "5"],
        &["load", "--key", "dk_x", "--streams", "--devices", "600", "--connections", "2"],
        &["load"],
        &["load", "world", "--key", "dk_x", "--stores", "x"],
        &["load", "--rate", "5", "world", "--key", "dk_x"],
    ] {
        let ran = run(dintorni(wrong)).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{wrong:?} {ran:?}");
    }
}
