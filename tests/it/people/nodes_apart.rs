//! A device that pings one server and then another, whatever became of their cache.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use dintorni::{
    app::sharing::Sharing,
    domain::name::ProfileName,
    grpc::pb::{self, transition::Kind},
    ports::{CachedProfile, ProfileCache, StoreError},
};
use tokio::{sync::watch, time::timeout};

use super::{MINUTE, square};
use crate::support::{
    caches,
    harness::{Phone, PingStream, TestServer, bearing, ping},
};

/// Where the square is, or far away.
#[derive(Clone, Copy)]
enum Spot {
    In,
    Out,
}
use Spot::{In, Out};

/// One after the other, a minute apart.
struct Walk<'a> {
    server: &'a TestServer,
    phone: Phone<'a>,
    pings: u32,
}

impl Walk<'_> {
    fn next(&mut self, spot: Spot) -> pb::PingRequest {
        self.server.clock.advance(MINUTE);
        self.pings += 1;
        let mut ping = ping(&format!("on-the-way-{}", self.pings), self.server.now());
        if matches!(spot, Out) {
            ping.fixes[0].position = Some(pb::LatLng { latitude: 45.6, longitude: 9.3 });
        }
        ping
    }

    /// What a call to the server answers.
    async fn call(&mut self, node: &TestServer, spot: Spot) -> Vec<Kind> {
        let ping = self.next(spot);
        let answer = node.proximity().ping(bearing(&self.phone.token, ping)).await.expect("answered");
        kinds(&answer.into_inner())
    }
}

fn kinds(answer: &pb::PingResponse) -> Vec<Kind> {
    answer.transitions.iter().map(pb::Transition::kind).collect()
}

#[tokio::test]
async fn servers_without_a_common_cache_miss_nobody() {
    let first = TestServer::start().await;
    let apart = |ports: &mut dintorni::server::Ports| {
        ports.cache = caches::memory();
        ports.sharing = Sharing::Unseen;
    };
    let acme = first.publisher("acme").await;
    square(&first, &acme).await;
    let (a, b) = (first.beside_with(&[], apart).await, first.beside_with(&[], apart).await);
    let mut walk = Walk { server: &first, phone: acme.phone(1).await, pings: 0 };
    assert_eq!(walk.call(&a, Out).await, []);
    for _ in 0..2 {
        assert_eq!(walk.call(&b, In).await, [Kind::Entered]);
        assert_eq!(walk.call(&a, Out).await, [Kind::Exited]);
        assert_eq!(walk.call(&b, Out).await, []);
        assert_eq!(walk.call(&a, In).await, [Kind::Entered]);
        assert_eq!(walk.call(&b, In).await, []);
        assert_eq!(walk.call(&a, Out).await, [Kind::Exited]);
    }
}

#[tokio::test]
async fn a_stream_that_hangs_hides_nothing_that_came_by_another_way() {
    let first = TestServer::start().await;
    let shared = |ports: &mut dintorni::server::Ports| ports.sharing = Sharing::ByCache;
    let acme = first.publisher("acme").await;
    square(&first, &acme).await;
    // So long that no copy is asked about for its age.
    let trusted = [("profiles.shared_trusted_seconds", "600")];
    let (a, b) = (first.beside_with(&trusted, shared).await, first.beside_with(&trusted, shared).await);
    let mut walk = Walk { server: &first, phone: acme.phone(1).await, pings: 0 };
    let mut hanging = PingStream::open(a.proximity(), &walk.phone.token).await.expect("opened");
    let streamed = walk.next(Out);
    hanging.ping(streamed).await.expect("open").expect("answered");
    assert_eq!(walk.call(&b, In).await, [Kind::Entered]);
    assert_eq!(walk.call(&a, Out).await, [Kind::Exited]);
    assert_eq!(walk.call(&b, In).await, [Kind::Entered]);
    let mut anew = PingStream::open(a.proximity(), &walk.phone.token).await.expect("opened");
    let streamed = walk.next(Out);
    assert_eq!(kinds(&anew.ping(streamed).await.expect("open").expect("answered")), [Kind::Exited]);
    let streamed = walk.next(In);
    assert_eq!(kinds(&anew.ping(streamed).await.expect("open").expect("answered")), [Kind::Entered]);
}

/// A cache that others share, to which this server's way may be cut.
struct Cut {
    cache: Arc<dyn ProfileCache>,
    is_cut: AtomicBool,
    /// Told of each copy that comes through.
    put: watch::Sender<Option<CachedProfile>>,
}

impl Cut {
    fn through(&self) -> Result<&dyn ProfileCache, StoreError> {
        let away = || StoreError::Unavailable("cut".into());
        (!self.is_cut.load(Relaxed)).then_some(&*self.cache).ok_or_else(away)
    }
}

#[tonic::async_trait]
impl ProfileCache for Cut {
    async fn get(&self, name: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        self.through()?.get(name).await
    }
    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError> {
        self.through()?.put(copy.clone()).await?;
        self.put.send_replace(Some(copy));
        Ok(())
    }
    async fn forget(&self, name: &ProfileName, version: u64) -> Result<(), StoreError> {
        self.through()?.forget(name, version).await
    }
}

#[tokio::test]
async fn what_could_not_be_put_is_put_as_soon_as_the_cache_is_back() {
    let first = TestServer::start().await;
    let cut = Arc::new(Cut {
        cache: first.ports.cache.clone(),
        is_cut: AtomicBool::new(false),
        put: watch::Sender::new(None),
    });
    let acme = first.publisher("acme").await;
    square(&first, &acme).await;
    // So long that only the cache can tell.
    let trusted = [("profiles.shared_trusted_seconds", "600")];
    let a = first.beside_with(&trusted, |ports| ports.sharing = Sharing::ByCache).await;
    let b = first
        .beside_with(&trusted, |ports| {
            ports.sharing = Sharing::ByCache;
            ports.cache = cut.clone();
        })
        .await;
    let mut walk = Walk { server: &first, phone: acme.phone(1).await, pings: 0 };
    assert_eq!(walk.call(&a, In).await, [Kind::Entered]);
    cut.is_cut.store(true, Relaxed);
    assert_eq!(walk.call(&b, Out).await, [Kind::Exited]);
    let mut put = cut.put.subscribe();
    put.borrow_and_update();
    cut.is_cut.store(false, Relaxed);
    timeout(Duration::from_secs(20), put.changed()).await.expect("soon").expect("open");
    assert_eq!(walk.call(&a, In).await, [Kind::Entered], "she had left");
}
