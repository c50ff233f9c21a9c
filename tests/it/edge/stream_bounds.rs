//! What streams of pings may use: places among the calls in progress, the windows of HTTP/2, and no cache.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use dintorni::{
    domain::name::ProfileName,
    grpc::pb::{self, proximity_service_client::ProximityServiceClient},
    ports::{CachedProfile, ProfileCache, StoreError},
};
use tokio_stream::Stream;
use tonic::{Code, Status, transport::Channel};
use tonic_types::RpcStatusExt;

use super::streams::north;
use crate::support::harness::{Phone, PingStream, TestServer, bearing, ping};

#[tokio::test]
async fn streamed_pings_count_against_the_bound_and_open_streams_do_not() {
    let server = TestServer::start_with(&[("server.max_in_flight", "1")]).await;
    let acme = server.publisher("acme").await;
    let (phone, other) = (acme.phone(1).await, acme.phone(2).await);
    let mut stream = phone.stream().await.expect("opened");
    let _idle = other.stream().await.expect("opened beside it");
    stream.ping(ping("alone-01", server.now())).await.expect("open").expect("answered");

    // Somebody has the only place again and again, for as long as a commit takes.
    let (mut organizations, operator) = (server.organizations(), server.operator.clone());
    let others = tokio::spawn(async move {
        for number in 0.. {
            let organization = Some(pb::Organization { display_name: "One more".into(), ..Default::default() });
            let request = pb::CreateOrganizationRequest { organization_id: format!("org-{number}"), organization };
            // A ping had the place just then, or not.
            drop(organizations.create_organization(bearing(&operator, request)).await);
        }
    });
    let error = loop {
        if let Err(error) = stream.ping(ping("crowded1", server.now())).await.expect("open") {
            break error;
        }
    };
    assert_eq!(error.code, Code::ResourceExhausted as i32);
    assert!(error.get_error_details().retry_info().is_some());
    others.abort();
    while stream.ping(ping("alone-02", server.now())).await.expect("open").is_err() {}
}

/// The same ping for ever, and how often it was taken.
struct Endless {
    ping: pb::PingRequest,
    taken: Arc<AtomicU64>,
}

impl Stream for Endless {
    type Item = pb::PingRequest;
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<pb::PingRequest>> {
        self.taken.fetch_add(1, SeqCst);
        Poll::Ready(Some(self.ping.clone()))
    }
}

#[tokio::test]
async fn whoever_reads_no_answers_is_not_read_from() {
    /// More than fit into the windows of HTTP/2, which hold a megabyte: a ping has 60 bytes.
    const MOST: u64 = 40_000;
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (phone, other) = (acme.phone(1).await, acme.phone(2).await);
    let taken = Arc::new(AtomicU64::new(0));
    let pings = Endless { ping: ping("endless1", server.now()), taken: taken.clone() };
    let endpoint = Channel::from_shared(format!("http://{}", server.address)).expect("sound");
    let channel = endpoint.initial_stream_window_size(65_535).connect_lazy();
    let answers = ProximityServiceClient::new(channel).stream_pings(bearing(&phone.token, pings)).await;
    // Meanwhile the server has the time for much more.
    for number in 0..300 {
        other.ping(&format!("other-{number:04}")).await.expect("answered");
        assert!(taken.load(SeqCst) < MOST);
    }
    let mut answers = answers.expect("opened").into_inner();
    for _ in 0..taken.load(SeqCst).min(MOST) {
        answers.message().await.expect("open").expect("an answer");
    }
}

/// Counts what is asked of a cache.
struct Counted {
    inner: Arc<dyn ProfileCache>,
    calls: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl ProfileCache for Counted {
    async fn get(&self, name: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.inner.get(name).await
    }
    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.inner.put(copy).await
    }
    async fn forget(&self, name: &ProfileName, version: u64) -> Result<(), StoreError> {
        self.inner.forget(name, version).await
    }
}

/// Goes about far from any place; returns when each ping was answered.
async fn stroll(server: &TestServer, phone: &Phone<'_>, stream: &mut PingStream, id: &str) {
    for number in 0..20 {
        server.clock.advance(Duration::from_secs(5));
        let ping = north(server, &format!("{id}-{number:04}"), 1_000.0 + f64::from(number));
        let answer: Result<_, Status> = stream.ping(ping).await;
        assert!(answer.expect("open").expect("answered").decision.is_empty(), "{}", phone.device);
    }
}

#[tokio::test]
async fn while_a_stream_is_open_the_cache_is_left_alone_and_at_its_end_it_knows_all() {
    let calls = Arc::new(AtomicU64::new(0));
    let server = TestServer::start_over(|ports| {
        ports.cache = Arc::new(Counted { inner: ports.cache.clone(), calls: calls.clone() });
    })
    .await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    let mut stream = phone.stream().await.expect("opened");
    stroll(&server, &phone, &mut stream, "first").await;
    let after_first = calls.load(SeqCst);
    stroll(&server, &phone, &mut stream, "second").await;
    assert_eq!(calls.load(SeqCst), after_first);

    let name = ProfileName::parse(&phone.profile).expect("sound");
    let soft = async || server.ports.cache.get(&name).await.expect("read").expect("there").profile.revision.soft;
    let before = soft().await;
    drop(stream.sender);
    assert!(stream.answers.message().await.expect("a good end").is_none());
    while soft().await < before + 40 {
        tokio::task::yield_now().await;
    }
}
