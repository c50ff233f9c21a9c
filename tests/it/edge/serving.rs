//! Starting, saying how it is, and stopping.

use std::{net::SocketAddr, time::Duration};

use dintorni::grpc::pb;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::harness::{TestServer, bearing};

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.into() };
    let answer = HealthClient::new(channel.clone()).check(request).await.map_err(|status| status.code())?;
    Ok(answer.into_inner().status())
}

#[tokio::test]
async fn every_service_of_the_api_says_that_it_serves() {
    let server = TestServer::start().await;
    let asked = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut client = ServerReflectionClient::new(server.channel.clone());
    let answers = client.server_reflection_info(tokio_stream::once(asked)).await.expect("reflection");
    let answer = answers.into_inner().message().await.expect("answered").expect("one");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else { panic!("a list") };
    let ours: Vec<String> =
        list.service.into_iter().map(|service| service.name).filter(|name| name.starts_with("dintorni.")).collect();
    assert!(ours.len() >= 3, "{ours:?}");
    for service in ours.iter().map(String::as_str).chain([""]) {
        assert_eq!(health(&server.channel, service).await, Ok(ServingStatus::Serving), "{service}");
    }
    assert_eq!(health(&server.channel, "dintorni.v1.NoSuchService").await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_stop_is_announced_and_then_the_port_is_free() {
    let server = TestServer::start_with(&[("server.stop_notice_ms", "60000")]).await;
    assert_eq!(health(&server.channel, "").await, Ok(ServingStatus::Serving));
    server.stop.cancel();
    while health(&server.channel, "").await != Ok(ServingStatus::NotServing) {
        tokio::task::yield_now().await;
    }
    assert_eq!(health(&server.channel, "dintorni.v1.ProximityService").await, Ok(ServingStatus::NotServing));
    // Whoever calls in the notice is still answered.
    let request = pb::ListOrganizationsRequest::default();
    server.organizations().list_organizations(bearing(&server.operator, request)).await.expect("answered");
}

#[tokio::test]
async fn a_stopped_server_has_let_go_of_everything() {
    let server = TestServer::start().await;
    health(&server.channel, "").await.expect("answered");
    server.stop.cancel();
    server.running.stopped().await.expect("a clean end");
    assert!(std::net::TcpListener::bind(server.address).is_ok(), "the port is free again");
}

#[tokio::test]
async fn a_watcher_does_not_hold_up_a_stop() {
    let server = TestServer::start_with(&[("server.stop_grace_ms", "10")]).await;
    let request = HealthCheckRequest::default();
    let mut watching = HealthClient::new(server.channel.clone()).watch(request).await.expect("watched").into_inner();
    watching.message().await.expect("told").expect("a status");
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), server.running.stopped()).await.expect("in time").expect("an end");
}

#[tokio::test]
async fn a_message_over_the_bound_is_refused() {
    let server = TestServer::start_with(&[("server.max_message_bytes", "1000")]).await;
    let acme = server.publisher("acme").await;
    let request = pb::RegisterDeviceRequest { attestation: vec![0; 2_000], ..Default::default() };
    let status = server.devices().register_device(bearing(&acme.key, request)).await.expect_err("refused");
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

#[tokio::test]
async fn prometheus_reads_what_happened() {
    let server = TestServer::start_with(&[("telemetry.metrics_listen", "127.0.0.1:0")]).await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    phone.ping("arrive-1").await.expect("answered");
    phone.ping("x").await.expect_err("refused");

    let text = get(server.running.metrics_address.expect("served"), "/metrics").await;
    for line in [
        "dintorni_call_seconds_count{rpc=\"dintorni.v1.ProximityService/Ping\",code=\"Ok\"} 1",
        "dintorni_call_seconds_count{rpc=\"dintorni.v1.ProximityService/Ping\",code=\"InvalidArgument\"} 1",
        "dintorni_pings_committed_total 1",
        "dintorni_offers_total 1",
        "dintorni_record_commits_done_total 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    for secret in [&phone.profile, &phone.token, &acme.key] {
        assert!(!text.contains(secret.as_str()));
    }
}

/// One HTTP/1.0 request, and the whole answer.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}
