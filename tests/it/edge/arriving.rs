//! Requests that arrive slowly, in pieces or never: over a real connection, as a client of its own kind may send them.

use futures_util::FutureExt as _;
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tonic::{
    Code, Status,
    body::Body,
    client::Grpc,
    codegen::{Service as _, http},
};
use tonic_prost::ProstCodec;

use crate::support::harness::{Phone, TestServer, bearing, refusal};
use dintorni::grpc::pb;

const PING: &str = "/dintorni.v1.ProximityService/Ping";

/// What is answered to bytes that nobody checked.
async fn send(phone: &Phone<'_>, path: &str, bytes: Vec<u8>) -> Status {
    let body = Body::new(String::from_utf8(bytes).expect("a ping without positions is text"));
    let request = http::Request::post(path).header("authorization", format!("Bearer {}", phone.token));
    refused(phone.server, request.header("content-type", "application/grpc").body(body).expect("sound")).await.1
}

/// What is answered to a request of HTTP/2 that is refused.
async fn refused(server: &TestServer, request: http::Request<Body>) -> (u16, Status) {
    let mut channel = server.channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context)).await.expect("connected");
    let answer = channel.call(request).await.expect("answered");
    (answer.status().as_u16(), Status::from_header_map(answer.headers()).expect("refused"))
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_the_callers_fault() {
    let server = TestServer::start().await;
    let phone = server.publisher("acme").await.phone(1).await;
    let message = pb::PingRequest { ping_id: "a-ping-01".into(), ..Default::default() }.encode_to_vec();
    let whole = [&[0, 0, 0, 0, message.len() as u8], message.as_slice()].concat();
    let cut = whole[..whole.len() - 1].to_vec();
    let compressed = [&[1], &whole[1..]].concat();
    for (what, bytes, said) in [
        ("nothing", Vec::new(), "no message"),
        ("half a head", whole[..3].to_vec(), "before its message begins"),
        ("no end", cut, "ends 1 bytes before"),
        ("compressed", compressed, "compressed"),
        ("no ping", whole.clone(), "sent_at"),
    ] {
        let refused = send(&phone, PING, bytes).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}: {refused}");
        assert!(refused.message().contains(said), "{what}: {refused}");
    }
}

#[tokio::test]
async fn what_is_no_call_of_this_server_is_said_so() {
    let server = TestServer::start().await;
    let phone = server.publisher("acme").await.phone(1).await;
    for (path, credential, expected) in [
        ("/dintorni.v1.ProximityService/Later", phone.token.as_str(), (Code::Unimplemented, "NO_SUCH_CALL")),
        ("/dintorni.v1.ProximityService/Later", "nobody", (Code::Unauthenticated, "CREDENTIAL_UNKNOWN")),
        ("/dintorni.v9.LaterService/Ping", phone.token.as_str(), (Code::Unimplemented, "NO_SUCH_CALL")),
        ("/another.v1.Service/Ping", "nobody", (Code::Unimplemented, "NO_SUCH_CALL")),
    ] {
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let request = request.header("authorization", format!("Bearer {credential}")).body(Body::default());
        let (_, status) = refused(&server, request.expect("sound")).await;
        assert_eq!(refusal(&status), (expected.0, expected.1.into()), "{path}: {status}");
        assert_eq!(status.message().contains(path), expected.0 == Code::Unimplemented, "{status}");
    }
    let web = http::Request::post(PING).header("content-type", "application/grpc-web+proto").body(Body::default());
    assert_eq!(refused(&server, web.expect("sound")).await.0, 415);
}

#[tokio::test]
async fn whoever_is_not_known_is_not_listened_to() {
    let server = TestServer::start().await;
    let mut client = Grpc::new(server.channel.clone());
    client.ready().await.expect("connected");
    let nothing = bearing("dt_guess", tokio_stream::pending::<pb::PingRequest>());
    let codec = ProstCodec::<pb::PingRequest, pb::PingResponse>::default();
    let refused = client.client_streaming(nothing, PING.parse().expect("sound"), codec).await;
    assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated, "without a message");
}

#[tokio::test]
async fn calls_whose_message_does_not_come_hold_nobody_up() {
    let server = TestServer::start_with(&[("server.max_in_flight", "1")]).await;
    let phone = server.publisher("acme").await.phone(1).await;
    let mut begun = Vec::new();
    for _ in 0..8 {
        let mut client = Grpc::new(phone.server.channel.clone());
        client.ready().await.expect("connected");
        let nothing = bearing(&phone.token, tokio_stream::pending::<pb::PingRequest>());
        let codec = ProstCodec::<pb::PingRequest, pb::PingResponse>::default();
        let call = async move { client.client_streaming(nothing, PING.parse().expect("sound"), codec).await };
        begun.push(tokio::spawn(call));
    }
    // What is sent later on the same connection is looked at later.
    for number in 0..8 {
        phone.ping(&format!("ping-{number:04}")).await.expect("answered");
    }
    for call in begun {
        assert!(call.now_or_never().is_none(), "refused");
    }
}

#[tokio::test]
async fn an_import_whose_rows_do_not_come_holds_nobody_up() {
    let server = TestServer::start_with(&[("server.max_in_flight", "1")]).await;
    let acme = server.publisher("acme").await;
    let (phone, network) = (acme.phone(1).await, acme.key_of(pb::key::Scope::Network).await);
    let begin = || {
        let options = pb::ImportOptions { parent: "organizations/acme".into(), ..Default::default() };
        let first = pb::ImportPlacesRequest { part: Some(pb::import_places_request::Part::Options(options)) };
        let unended = tokio_stream::iter([first]).chain(tokio_stream::pending());
        let (mut places, request) = (server.places(), bearing(&network, unended));
        tokio::spawn(async move { places.import_places(request).await })
    };
    let begun = [begin(), begin(), begin()];
    let (refused, _, rest) = futures_util::future::select_all(begun).await;
    assert_eq!(refused.expect("no panic").expect_err("a third").code(), Code::ResourceExhausted);
    phone.ping("ping-0001").await.expect("answered");
    for call in rest {
        assert!(call.now_or_never().is_none(), "refused");
    }
}
