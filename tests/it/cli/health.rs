//! `dintorni health`.

use dintorni::grpc::pb::SERVICES;
use tokio_stream::StreamExt;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{call, dintorni, is_plain, run};
use crate::support::{harness::TestServer, servers::free_port};

#[tokio::test]
async fn a_serving_server_is_well_and_each_service_has_its_line() {
    let server = TestServer::start().await;
    let ran = call(server.address, "", &["health"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1 + SERVICES.len(), "{ran:?}");
    assert!(ran.out.lines().all(|line| line.starts_with("SERVING ")), "{ran:?}");
    assert!(is_plain(&ran));
    assert_eq!(call(server.address, "", &["health", "--alive"]).await.out.lines().count(), 1);
}

#[tokio::test]
async fn a_stopping_server_is_not_well() {
    let server = TestServer::start_with(&[("server.stop_notice_ms", "60000")]).await;
    let mut client = HealthClient::new(server.channel.clone());
    let mut told = client.watch(HealthCheckRequest::default()).await.expect("watched").into_inner();
    server.stop.cancel();
    while told.next().await.expect("told").expect("a status").status().as_str_name() != "NOT_SERVING" {}
    let ran = call(server.address, "", &["health"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("NOT_SERVING      the process"), "{ran:?}");
}

#[tokio::test]
async fn another_kind_of_server_is_told_as_such() {
    let server = TestServer::start_with(&[("telemetry.metrics_listen", "127.0.0.1:0")]).await;
    let ran = call(server.running.metrics_address.expect("served"), "", &["health"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("http://127.0.0.1:") && ran.err.contains("no gRPC server answered there"), "{ran:?}");
}

#[tokio::test]
async fn no_server_is_a_failure_that_names_it() {
    let address = format!("http://127.0.0.1:{}", free_port());
    let ran = run(dintorni(&["health", "--server", &address])).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.is_empty() && ran.err.contains(&address), "{ran:?}");
    assert_eq!(ran.err.matches("tcp connect error").count(), 1, "each cause once: {ran:?}");
    let ran = run(dintorni(&["health", "--wait", "300", "--server", "127.0.0.1:7447"])).await;
    assert!(ran.code == Some(64) && ran.err.contains("is http://127.0.0.1:7447 meant?"), "{ran:?}");
}
