//! A person who is answered by one node and then by another.

use std::time::Duration;

use super::square;
use crate::support::harness::{TestServer, bearing, ping};

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
