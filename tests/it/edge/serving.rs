//! Starting, saying how it is, and stopping.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use dintorni::{
    clock::SystemClock,
    domain::{catalog::CatalogChange, time::Timestamp},
    grpc::pb,
    ports::{Appended, CatalogStore, Edit, StoreError},
    server,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code,
    transport::{Certificate, Channel, ClientTlsConfig},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::harness::{TestServer, bearing, config, ping, refusal};

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.into() };
    let answer = HealthClient::new(channel.clone()).check(request).await.map_err(|status| status.code())?;
    Ok(answer.into_inner().status())
}

/// What reflection answers.
async fn reflected(server: &TestServer, asked: MessageRequest) -> Option<MessageResponse> {
    let asked = ServerReflectionRequest { message_request: Some(asked), ..Default::default() };
    let mut client = ServerReflectionClient::new(server.channel.clone());
    let answers = client.server_reflection_info(tokio_stream::once(asked)).await.expect("reflection");
    answers.into_inner().message().await.expect("answered").expect("one").message_response
}

#[tokio::test]
async fn reflection_knows_what_refusals_carry() {
    let server = TestServer::start().await;
    for name in ["BadRequest", "ErrorInfo", "PreconditionFailure", "RetryInfo", "Status"] {
        let asked = MessageRequest::FileContainingSymbol(format!("google.rpc.{name}"));
        let answer = reflected(&server, asked).await;
        assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn every_service_of_the_api_says_that_it_serves() {
    let server = TestServer::start().await;
    let answer = reflected(&server, MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("a list") };
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
async fn who_watches_or_asks_on_does_not_hold_up_a_stop() {
    let server = TestServer::start_with(&[("server.stop_grace_ms", "3600000")]).await;
    let asking = tokio_stream::pending::<ServerReflectionRequest>();
    let mut reflection = ServerReflectionClient::new(server.channel.clone());
    let _answers = reflection.server_reflection_info(asking).await.expect("answered").into_inner();
    let request = HealthCheckRequest::default();
    let mut watching = HealthClient::new(server.channel.clone()).watch(request).await.expect("watched").into_inner();
    watching.message().await.expect("told").expect("a status");
    let mut places = server.places();
    let import = bearing(&server.operator, tokio_stream::pending::<pb::ImportPlacesRequest>());
    let import = tokio::spawn(async move { places.import_places(import).await });
    // Its answer is on the same connection, behind the import.
    health(&server.channel, "").await.expect("answered");
    server.stop.cancel();
    assert_eq!(import.await.expect("no panic").expect_err("not now").code(), Code::Unavailable);
    tokio::time::timeout(Duration::from_secs(30), server.running.stopped()).await.expect("in time").expect("an end");
}

#[tokio::test]
async fn whoever_asks_for_metrics_by_halves_does_not_hold_up_a_stop() {
    let server = TestServer::start_with(&[("telemetry.metrics_listen", "127.0.0.1:0")]).await;
    let address = server.running.metrics_address.expect("served");
    let mut half = TcpStream::connect(address).await.expect("connected");
    half.write_all(b"GET /metrics HTTP/1.1\r\n").await.expect("sent");
    // Accepted behind the first one.
    get(address, "/metrics").await;
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), server.running.stopped()).await.expect("in time").expect("an end");
}

#[tokio::test]
async fn while_the_record_is_away_the_services_say_so_and_the_process_does_not() {
    let data = tempfile::tempdir().expect("a directory");
    let config = config(&data, &[("catalog.poll_ms", "1")]);
    let mut ports = server::open_stores(&config, Arc::new(SystemClock)).await.expect("the stores open");
    let away = Arc::new(AtomicBool::new(false));
    ports.catalog = Arc::new(Breakable { inner: ports.catalog, away: away.clone() });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let running =
        server::start(&config, ports, listener, CancellationToken::new(), |_| Ok(())).await.expect("it starts");
    let channel = Channel::from_shared(format!("http://{}", running.address)).expect("sound").connect_lazy();

    let service = "dintorni.v1.ProximityService";
    for (gone, status) in [(true, ServingStatus::NotServing), (false, ServingStatus::Serving)] {
        away.store(gone, SeqCst);
        while health(&channel, service).await != Ok(status) {
            tokio::task::yield_now().await;
        }
        assert_eq!(health(&channel, "").await, Ok(ServingStatus::Serving));
    }
}

/// A catalog store that can be taken away.
struct Breakable {
    inner: Arc<dyn CatalogStore>,
    away: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl CatalogStore for Breakable {
    async fn head(&self) -> Result<u64, StoreError> {
        if self.away.load(SeqCst) { Err(StoreError::Unavailable("taken away".into())) } else { self.inner.head().await }
    }

    async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError> {
        self.inner.changes_between(after, until).await
    }

    async fn append(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
        self.inner.append(edits, author, at).await
    }
}

#[tokio::test]
async fn with_a_certificate_calls_are_encrypted_and_plain_ones_refused() {
    let files = tempfile::tempdir().expect("a directory");
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).expect("written");
    std::fs::write(&key, signing_key.serialize_pem()).expect("written");
    let settings = [
        ("server.tls_certificate", certificate.to_str().expect("text")),
        ("server.tls_key", key.to_str().expect("text")),
    ];
    let server = TestServer::start_with(&settings).await;

    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(cert.pem())).domain_name("localhost");
    let address = format!("https://{}", server.address);
    let secure = Channel::from_shared(address).expect("sound").tls_config(trusting).expect("sound").connect_lazy();
    assert_eq!(health(&secure, "").await, Ok(ServingStatus::Serving));
    assert!(health(&server.channel, "").await.is_err(), "plain text");
}

#[tokio::test]
async fn a_message_over_the_bound_is_refused() {
    let server = TestServer::start_with(&[("server.max_message_bytes", "1000")]).await;
    let acme = server.publisher("acme").await;
    let request = pb::RegisterDeviceRequest { attestation: vec![0; 2_000], ..Default::default() };
    let status = server.devices().register_device(bearing(&acme.key, request)).await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::OutOfRange, "TOO_LARGE".into()));
    assert!(status.message().contains("at most 1000 are taken"), "{status}");
}

#[tokio::test]
async fn prometheus_reads_what_happened() {
    let server = TestServer::start_with(&[("telemetry.metrics_listen", "127.0.0.1:0")]).await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    phone.ping("arrive-1").await.expect("answered");
    phone.ping("x").await.expect_err("refused");
    let mut stream = phone.stream().await.expect("opened");
    stream.ping(ping("streamed", server.now())).await.expect("open").expect("answered");

    let text = get(server.running.metrics_address.expect("served"), "/metrics").await;
    for line in [
        "dintorni_call_seconds_count{rpc=\"dintorni.v1.ProximityService/Ping\",code=\"Ok\"} 1",
        "dintorni_call_seconds_count{rpc=\"dintorni.v1.ProximityService/Ping\",code=\"InvalidArgument\"} 1",
        "dintorni_ping_streams_open 1",
        "dintorni_streamed_pings_total{code=\"Ok\"} 1",
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

#[tokio::test]
async fn a_ping_with_limited_offers_is_one_commit() {
    let server = TestServer::start_with(&[("telemetry.metrics_listen", "127.0.0.1:0")]).await;
    let acme = server.publisher("acme").await;
    let name = acme.cafe().await;
    let limits = pb::Limits {
        budgets: vec![
            pb::Budget { unit: pb::budget::Unit::Offers.into(), limit: 100, ..Default::default() },
            pb::Budget { unit: pb::budget::Unit::Offers.into(), limit: 100, per_store: true, ..Default::default() },
        ],
        ..Default::default()
    };
    let campaign = pb::Campaign { name: name.clone(), limits: Some(limits), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["limits.budgets".into()] });
    let request = pb::UpdateCampaignRequest { campaign: Some(campaign), update_mask };
    server.campaigns().update_campaign(bearing(&server.operator, request)).await.expect("edited");
    let phone = acme.phone(1).await;
    let address = server.running.metrics_address.expect("served");
    let before = (counted(address, "commits_done_total").await, counted(address, "transactions_total").await);
    let answer = phone.ping("arrive-1").await.expect("answered");
    assert_eq!(answer.offers.len(), 1);
    assert_eq!(counted(address, "commits_done_total").await - before.0, 1);
    assert_eq!(counted(address, "transactions_total").await - before.1, 1);
    let request = pb::GetCampaignUseRequest { name, ..Default::default() };
    let told =
        server.campaigns().get_campaign_use(bearing(&server.operator, request)).await.expect("told").into_inner();
    assert_eq!(told.accounts.iter().map(|account| account.taken).collect::<Vec<_>>(), [1, 1]);
}

/// A count of what the record did.
async fn counted(address: SocketAddr, what: &str) -> u64 {
    let (text, name) = (get(address, "/metrics").await, format!("dintorni_record_{what} "));
    let line = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("{name} in\n{text}"));
    line.parse().expect("a number")
}

/// One HTTP/1.0 request, and the whole answer.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}
