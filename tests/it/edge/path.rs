//! The path from a ping to its receipt, through the whole server.

use std::time::Duration;

use dintorni::grpc::pb::{self, considered_campaign::Verdict, key::Scope};
use tonic::Code;

use crate::support::harness::{TestServer, bearing, ping, refusal};

#[tokio::test]
async fn coming_near_is_offered_once_and_explained() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let campaign = acme.cafe().await;
    let phone = acme.phone(1).await;

    let answer = phone.ping("arrive-1").await.expect("answered");
    let titles: Vec<&str> = answer.offers.iter().map(|offer| offer.title.as_str()).collect();
    assert_eq!(titles, ["An espresso on us"]);
    assert_eq!(answer.transitions.len(), 1);

    let receipt = phone.decision(&answer.decision).await.expect("its own");
    assert_eq!((receipt.profile.as_str(), receipt.ping_id.as_str()), (phone.profile.as_str(), "arrive-1"));
    assert_eq!(receipt.offers, answer.offers);
    assert_eq!(receipt.considered[0].campaign, campaign);
    assert_eq!(receipt.considered[0].verdict, Some(Verdict::Chosen(answer.offers[0].id.clone())));

    server.clock.advance(Duration::from_secs(30));
    let still = phone.ping("still-01").await.expect("answered");
    assert_eq!((still.offers.len(), still.transitions.len()), (0, 0), "being there is no arrival");
}

#[tokio::test]
async fn a_retry_gets_the_same_answer_and_another_body_is_refused() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    let sent = server.now();
    let first = server.proximity().ping(bearing(&phone.token, ping("same-001", sent))).await.expect("answered");

    server.clock.advance(Duration::from_secs(40));
    let retry = pb::PingRequest { sent_at: server.now(), ..ping("same-001", sent) };
    let second = server.proximity().ping(bearing(&phone.token, retry.clone())).await.expect("answered");
    assert_eq!(second.into_inner(), first.into_inner());

    let other = pb::PingRequest { max_offers: 1, ..retry };
    let status = server.proximity().ping(bearing(&phone.token, other)).await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::AlreadyExists, "PING_ID_REUSED".into()));
}

#[tokio::test]
async fn a_retry_gets_the_same_answer_where_positions_are_stamped_by_a_clock_ahead() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    let ahead = server.now().map(|now| prost_types::Timestamp { seconds: now.seconds + 180, ..now });
    let send = async || {
        let request = pb::PingRequest { sent_at: server.now(), ..ping("ahead-01", ahead) };
        server.proximity().ping(bearing(&phone.token, request)).await.expect("answered").into_inner()
    };
    let first = send().await;
    assert_eq!((first.offers.len(), first.transitions.len()), (1, 1));
    for _ in 0..4 {
        server.clock.advance(Duration::from_secs(45));
        assert_eq!(send().await, first);
    }
}

#[tokio::test]
async fn a_receipt_is_seen_by_whom_it_concerns_as_far_as_it_does() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    acme.cafe().await;
    let (phone, neighbour) = (acme.phone(1).await, acme.phone(2).await);
    let id = phone.ping("arrive-1").await.expect("answered").decision;

    for whole in [&server.operator, &acme.key_of(Scope::Owner).await, &acme.key_of(Scope::Server).await] {
        assert_eq!(server.decision(whole, &id).await.expect("seen").profile, phone.profile);
    }
    let brand = server.decision(&acme.key_of(Scope::Brand).await, &id).await.expect("its campaign is in it");
    assert_eq!(brand.considered.len(), 1);
    assert_eq!((brand.profile.as_str(), brand.device.as_str(), brand.ping_id.as_str()), ("", "", ""));
    assert!(brand.transitions.is_empty() && brand.next.is_none() && brand.offers.is_empty());

    let strangers = [&neighbour.token, &rival.key_of(Scope::Owner).await, &rival.key_of(Scope::Server).await];
    for stranger in strangers {
        assert_eq!(server.decision(stranger, &id).await.expect_err("not theirs").code(), Code::NotFound);
    }
}
