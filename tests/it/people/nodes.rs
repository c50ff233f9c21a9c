//! A person who is answered by one node and then by another.

use std::{sync::Arc, time::Duration};

use dintorni::{
    domain::{catalog::CatalogChange, name::ProfileName, time::Timestamp},
    grpc::pb::{self, transition::Kind},
    ports::{Appended, CachedProfile, CatalogStore, Edit, ProfileCache, StoreError},
};
use tokio::sync::watch;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{MINUTE, coffee, link, server_key, square, unlink, update};
use crate::support::harness::{Phone, PingStream, Publisher, TestServer, bearing, ping, refusal};

#[tokio::test]
async fn a_node_that_lags_ends_no_visit_at_a_place_it_does_not_know_yet() {
    let here = TestServer::start().await;
    let acme = here.publisher("acme").await;
    let phone = acme.phone(1).await;
    let there = here.beside().await;
    square(&here, &acme).await;
    phone.ping("arriving").await.expect("answered");
    here.clock.advance(Duration::from_secs(60));
    let later = there.proximity().ping(bearing(&phone.token, ping("a-minute-later", here.now()))).await;
    let later = later.expect("answered").into_inner();
    assert_eq!(later.transitions, [], "nobody left");
    here.clock.advance(Duration::from_secs(60));
    let still = phone.ping("two-minutes-later").await.expect("answered");
    assert_eq!(still.transitions, [], "nor came again");
}

/// A catalog whose newest version is told to nobody while it is shut.
struct Shut {
    inner: Arc<dyn CatalogStore>,
    shut: watch::Sender<bool>,
    /// How many asked for it.
    asked: watch::Sender<u64>,
}

#[tonic::async_trait]
impl CatalogStore for Shut {
    async fn head(&self) -> Result<u64, StoreError> {
        self.asked.send_modify(|asked| *asked += 1);
        self.shut.subscribe().wait_for(|shut| !shut).await.expect("open");
        self.inner.head().await
    }
    async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError> {
        self.inner.changes_between(after, until).await
    }
    async fn append(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
        self.inner.append(edits, author, at).await
    }
}

#[tokio::test]
async fn while_a_newer_catalog_is_looked_for_nobody_else_waits() {
    let here = TestServer::start().await;
    let acme = here.publisher("acme").await;
    let (phone, tablet, key) = (acme.phone(1).await, acme.phone(2).await, server_key(&acme).await);
    for device in [&phone.device, &tablet.device] {
        link(&here, &key, device, "ada").await.expect("linked");
    }
    let (inner, shut, asked) = (here.ports.catalog.clone(), watch::Sender::new(false), watch::Sender::new(0));
    let catalog = Arc::new(Shut { inner, shut, asked });
    let there = here.beside_over(|ports| ports.catalog = catalog.clone()).await;
    square(&here, &acme).await;
    phone.ping("arriving").await.expect("answered");
    here.clock.advance(MINUTE);
    catalog.shut.send_replace(true);
    let before = *catalog.asked.borrow();
    let at_the_square = ping("a-minute-later", here.now());
    let elsewhere = async {
        catalog.asked.subscribe().wait_for(|asked| *asked > before).await.expect("open");
        let answer = far(&there, &tablet, "somewhere-else").await;
        catalog.shut.send_replace(false);
        answer
    };
    let (at_the_square, elsewhere) = tokio::join!(send(&there, &phone, &at_the_square), elsewhere);
    assert_eq!(at_the_square.expect("its turn was nobody's but its own").transitions, []);
    assert_eq!(elsewhere.transitions, []);
}

/// Two nodes that share the database alone. At the square coffee is offered.
async fn apart(here: &TestServer) -> (Publisher<'_>, TestServer) {
    let acme = here.publisher("acme").await;
    coffee(here, &acme, None).await;
    let there = here.apart().await;
    (acme, there)
}

/// Pings at that node as from far away.
async fn far(node: &TestServer, phone: &Phone<'_>, id: &str) -> pb::PingResponse {
    let mut far = ping(id, node.now());
    far.fixes[0].position = Some(pb::LatLng { latitude: 45.6, longitude: 9.3 });
    let answer = send(node, phone, &far).await.expect("answered");
    node.clock.advance(MINUTE);
    answer
}

async fn send(node: &TestServer, phone: &Phone<'_>, ping: &pb::PingRequest) -> Result<pb::PingResponse, Status> {
    Ok(node.proximity().ping(bearing(&phone.token, ping.clone())).await?.into_inner())
}

#[tokio::test]
async fn a_retry_after_a_log_in_is_answered_the_same_by_a_node_that_missed_it() {
    for retried_before in [false, true] {
        let here = TestServer::start().await;
        let (acme, there) = apart(&here).await;
        let phone = acme.phone(1).await;
        far(&there, &phone, "far-away-first").await;
        let arriving = ping("arriving", here.now());
        let first = send(&here, &phone, &arriving).await.expect("answered");
        assert_eq!(first.offers.len(), 1);
        if retried_before {
            send(&there, &phone, &arriving).await.expect("answered");
        }
        let ada = link(&here, &server_key(&acme).await, &phone.device, "ada").await.expect("linked");
        let again = send(&there, &phone, &arriving).await.expect("answered");
        assert_eq!((again.decision, again.offers), (first.decision, first.offers));
        assert!(again.renewed_token.is_some(), "one that names {}", ada.name);
    }
}

#[tokio::test]
async fn a_retry_after_a_log_out_is_answered_to_nobody_by_a_node_that_missed_it() {
    let here = TestServer::start().await;
    let (acme, there) = apart(&here).await;
    let (mut phone, key) = (acme.phone(1).await, server_key(&acme).await);
    link(&here, &key, &phone.device, "ada").await.expect("linked");
    phone.token = far(&there, &phone, "far-away-first").await.renewed_token.expect("one that names Ada").value;
    let arriving = ping("arriving", here.now());
    assert_eq!(send(&there, &phone, &arriving).await.expect("answered").offers.len(), 1);
    unlink(&here, &key, &phone.device).await.expect("unlinked");
    let again = send(&there, &phone, &arriving).await.expect_err("it was answered to Ada");
    assert_eq!(refusal(&again), (Code::AlreadyExists, "PING_ID_REUSED".to_owned()));
}

#[tokio::test]
async fn what_another_node_writes_costs_a_stream_nothing_of_where_its_device_is() {
    // How often the device says the same before it moves: after ten minutes the copy in memory is no longer trusted.
    for waits in [0, 7] {
        let here = TestServer::start().await;
        let (acme, there) = apart(&here).await;
        let (phone, key) = (acme.phone(1).await, server_key(&acme).await);
        let mut stream = phone.stream().await.expect("opened");
        let mut strength = 0.0;
        let mut written = async || {
            strength += 0.1;
            let likes = [("tea".to_owned(), strength)].into();
            let likes = pb::Profile { name: phone.profile.clone(), interests: likes, ..Default::default() };
            update(&there, &key, likes, &[]).await.expect("written");
        };
        let mut pinged = 0;
        let mut at = async |north: f64, accuracy_m| {
            here.clock.advance(Duration::from_secs(100));
            pinged += 1;
            let mut ping = ping(&format!("on-the-way-{pinged}"), here.now());
            ping.fixes[0].position.as_mut().expect("given").latitude += north;
            ping.fixes[0].accuracy_m = accuracy_m;
            let answer = stream.ping(ping).await.expect("it goes on").expect("answered");
            answer.transitions.iter().map(pb::Transition::kind).collect::<Vec<_>>()
        };
        // 500 m south of the square's middle, and north of it.
        assert_eq!(at(-0.0045, 8.0).await, []);
        written().await;
        for _ in 0..waits {
            assert_eq!(at(-0.0045, 8.0).await, []);
        }
        assert_eq!(at(0.0045, 8.0).await, [Kind::Crossed], "{waits}");
        assert_eq!(at(0.0, 150.0).await, [], "one such fix is no entry");
        written().await;
        assert_eq!(at(0.0, 150.0).await, [Kind::Entered], "and two are: {waits}");
    }
}

/// A cache that nobody reaches.
struct Away;

#[tonic::async_trait]
impl ProfileCache for Away {
    async fn get(&self, _: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        Err(StoreError::Unavailable("away".into()))
    }
    async fn put(&self, _: CachedProfile) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("away".into()))
    }
    async fn forget(&self, _: &ProfileName, _: u64) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("away".into()))
    }
}

fn comes_again(status: &Status) {
    let (refusal, waits) = (refusal(status), status.get_error_details().retry_info().is_some());
    assert_eq!((refusal, waits), ((Code::Unavailable, "STORE_UNAVAILABLE".into()), true));
}

#[tokio::test]
async fn nothing_is_lost_of_what_a_node_has_no_room_to_read_for() {
    let here = TestServer::start().await;
    let acme = here.publisher("acme").await;
    coffee(&here, &acme, None).await;
    let phone = acme.phone(1).await;
    let crowded = [("profiles.fallback_reads", "0")];
    let there = here.beside_with(&crowded, |ports| ports.cache = Arc::new(Away)).await;

    let arriving = ping("arriving", here.now());
    comes_again(&send(&there, &phone, &arriving).await.expect_err("not read"));
    let mut stream = PingStream::open(there.proximity(), &phone.token).await.expect("opened");
    for id in ["streamed", "streamed-too"] {
        let error = stream.ping(ping(id, here.now())).await.expect("it goes on").expect_err("not read");
        assert_eq!(error.code, i32::from(Code::Unavailable));
    }
    let (event_id, key, sent_at) = ("event-0001".into(), "totem_scanned".into(), here.now());
    let event = pb::ReportAppEventRequest { event_id, key, sent_at, ..Default::default() };
    let told = async |node: &TestServer| {
        node.proximity().report_app_event(bearing(&phone.token, event.clone())).await.map(drop)
    };
    comes_again(&told(&there).await.expect_err("not read"));

    let first = send(&here, &phone, &arriving).await.expect("answered");
    assert_eq!(first.offers.len(), 1);
    told(&here).await.expect("answered");
    comes_again(&send(&there, &phone, &arriving).await.expect_err("not told that there was nothing"));
    assert_eq!(send(&here, &phone, &arriving).await.expect("answered"), first);
}
