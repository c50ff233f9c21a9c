//! Streams of pings: the same answers as by the other door, one for each ping, in order.

use std::time::Duration;

use dintorni::grpc::pb::{self, key::Scope, ping_stream_response::Result as Outcome};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_types::RpcStatusExt;

use crate::support::harness::{HERE, TestServer, bearing, ping};

const MINUTE: Duration = Duration::from_secs(60);

/// A fix so many metres north of where the café is.
pub fn north(server: &TestServer, id: &str, metres: f64) -> pb::PingRequest {
    let mut ping = ping(id, server.now());
    ping.fixes[0].position = Some(pb::LatLng { latitude: HERE.latitude + metres / 111_195.0, ..HERE });
    ping
}

/// The answer without what is drawn anew for each decision.
fn gist(mut answer: pb::PingResponse) -> pb::PingResponse {
    answer.decision = if answer.decision.is_empty() { String::new() } else { "recorded".into() };
    answer.offers.iter_mut().for_each(|offer| offer.id.clear());
    answer
}

/// A walk into the café and out of it, with all that can be wrong on the way.
fn walk(server: &TestServer, step: usize) -> pb::PingRequest {
    let metres = [400.0, 90.0, 0.0, 3.0, 0.0, 40.0, 0.0, 500.0, 500.0, 0.0];
    let mut ping = north(server, &format!("step-{step:04}"), metres[step]);
    match step {
        3 => ping.fixes[0].mocked = true,
        4 => (ping.fixes[0].accuracy_m, ping.max_offers) = (-1.0, 11),
        5 => ping.fixes[0].accuracy_m = 5_000.0,
        6 => ping.ping_id = "step-0002".into(),
        _ => {}
    }
    ping
}

#[tokio::test]
async fn both_doors_answer_alike() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let (caller, streamer) = (acme.phone(1).await, acme.phone(2).await);
    let mut stream = streamer.stream().await.expect("opened");
    let (mut offers, mut refused) = (0, 0);
    for step in 0..10 {
        server.clock.advance(MINUTE);
        let ping = walk(&server, step);
        let by_call = server.proximity().ping(bearing(&caller.token, ping.clone())).await;
        let by_stream = stream.ping(ping).await.expect("open");
        match (by_call, by_stream) {
            (Ok(call), Ok(stream)) => {
                offers += call.get_ref().offers.len();
                assert_eq!(gist(call.into_inner()), gist(stream), "step {step}");
            }
            (Err(call), Err(stream)) => {
                refused += 1;
                assert_eq!(call.details(), stream.encode_to_vec(), "step {step}");
            }
            (call, stream) => panic!("step {step}: {call:?} by a call, {stream:?} by a stream"),
        }
    }
    assert!(offers >= 1 && refused >= 1, "the walk meets both: {offers} {refused}");
}

#[tokio::test]
async fn each_ping_is_answered_once_in_its_turn_and_a_bad_one_ends_nothing() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let id = |number: usize| if number == 25 { "bad".to_owned() } else { format!("ping-{number:04}") };
    let pings: Vec<_> = (0..50).map(|number| ping(&id(number), server.now())).collect();
    let answers = server.proximity().stream_pings(bearing(&phone.token, tokio_stream::iter(pings))).await;
    let answers: Vec<_> = answers.expect("opened").into_inner().collect::<Result<_, _>>().await.expect("a good end");
    assert_eq!(
        answers.iter().map(|answer| answer.ping_id.clone()).collect::<Vec<_>>(),
        (0..50).map(id).collect::<Vec<_>>()
    );
    for answer in answers {
        match answer.result.expect("one or the other") {
            Outcome::Answer(_) => assert_ne!(answer.ping_id, "bad"),
            Outcome::Error(error) => {
                assert_eq!((answer.ping_id.as_str(), error.code), ("bad", Code::InvalidArgument as i32));
                let details = error.get_error_details();
                assert_eq!(details.bad_request().expect("given").field_violations[0].field, "ping_id");
            }
        }
    }
}

#[tokio::test]
async fn a_retry_by_the_other_door_gets_the_same_answer() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    for (installation, stream_first) in [(1, true), (2, false)] {
        let phone = acme.phone(installation).await;
        let mut stream = phone.stream().await.expect("opened");
        let arrival = ping("arrive-1", server.now());
        let call =
            async |ping| server.proximity().ping(bearing(&phone.token, ping)).await.expect("answered").into_inner();
        let (by_stream, by_call) = if stream_first {
            (stream.ping(arrival.clone()).await, call(arrival.clone()).await)
        } else {
            let by_call = call(arrival.clone()).await;
            (stream.ping(arrival.clone()).await, by_call)
        };
        assert_eq!(by_stream.expect("open").expect("answered"), by_call);
        assert_eq!(by_call.offers.len(), 1);
        let other = pb::PingRequest { max_offers: 1, ..arrival };
        let error = stream.ping(other).await.expect("open").expect_err("refused");
        assert_eq!(error.code, Code::AlreadyExists as i32);
    }
}

#[tokio::test]
async fn a_stream_goes_on_under_the_token_it_gave() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let mut stream = phone.stream().await.expect("opened");
    let mut renewals = 0;
    for day in 0..50 {
        server.clock.advance(24 * 60 * MINUTE);
        let answer = stream.ping(ping(&format!("day-{day:04}"), server.now())).await.expect("open").expect("answered");
        renewals += usize::from(answer.renewed_token.is_some());
    }
    assert_eq!(renewals, 2, "once in each last third, not with each ping");
}

#[tokio::test]
async fn a_linked_device_stays_in_its_stream_as_the_person_it_belongs_to() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    let mut stream = phone.stream().await.expect("opened");
    stream.ping(north(&server, "before-1", 500.0)).await.expect("open").expect("answered");
    let request = pb::LinkProfileRequest { device: phone.device.clone(), profile_id: "ada".into() };
    let key = acme.key_of(Scope::Server).await;
    let ada = server.profiles().link_profile(bearing(&key, request)).await.expect("linked").into_inner();

    server.clock.advance(MINUTE);
    let arrived = stream.ping(ping("arrives1", server.now())).await.expect("open").expect("answered");
    let receipt = server.decision(&server.operator, &arrived.decision).await.expect("there");
    assert_eq!((receipt.profile, arrived.offers.len()), (ada.name, 1));
    assert!(arrived.renewed_token.is_some());
    server.clock.advance(MINUTE);
    let still = stream.ping(ping("still-01", server.now())).await.expect("open").expect("answered");
    assert_eq!((still.renewed_token, still.offers.len()), (None, 0));
}
