//! The door from outside: who is refused, who waits, and what ends.

use std::convert::Infallible;

use http_body::{Body as _, Frame};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::sync::Notify;
use tonic::{
    Code,
    codec::{Codec, Streaming},
    codegen::Bytes,
};
use tower::ServiceExt;

use super::*;
use crate::grpc::{codec::Protobuf, pb};

/// Bytes of a message.
const MOST: usize = 1 << 20;
const PING: &str = "/dintorni.v1.ProximityService/Ping";

/// One call in progress.
fn guard() -> Guard {
    let timeout = Duration::from_secs(5);
    guarded(GuardConfig { max_in_flight: 1, max_message_bytes: MOST, timeout, stream_timeout: timeout })
}

fn guarded(config: GuardConfig) -> Guard {
    Guard::new(config, CancellationToken::new())
}

fn request(path: &str, body: Body) -> http::Request<Body> {
    http::Request::builder().uri(path).body(body).expect("sound")
}

/// The frame of a message without fields.
fn message() -> Body {
    Body::new(String::from("\0\0\0\0\0"))
}

/// A message of which nothing comes.
fn nothing_yet() -> Body {
    struct Never;
    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }
    Body::new(Never)
}

/// Reads the message of a call as tonic does, then works on it.
async fn answer(request: http::Request<Body>, work: impl Future<Output = ()>) -> http::Response<Body> {
    let reader = Protobuf::<(), pb::PingRequest>::default().decoder();
    let mut messages = Streaming::new_request(reader, request.into_body(), None, None);
    let read = async { messages.message().await.and(messages.trailers().await.map(|_| ())) };
    match read.await {
        Ok(()) => work.await,
        Err(refusal) => return refusal.into_http(),
    }
    http::Response::new(Body::default())
}

fn code(response: &http::Response<Body>) -> Code {
    Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
}

/// What a service behind the guard answers that has nothing to do.
async fn ask(guard: &Guard, path: &str, body: Body) -> Code {
    let service = tower::service_fn(|request| async { Ok::<_, Infallible>(answer(request, async {}).await) });
    code(&guard.layer(service).oneshot(request(path, body)).await.expect("answered"))
}

#[tokio::test]
async fn what_is_over_the_bound_is_refused_but_health_is_not() {
    let guard = guard();
    let (begun, opened) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, open) = (begun.clone(), opened.clone());
    let slow = guard.layer(tower::service_fn(move |request| {
        let (begun, opened) = (begun.clone(), opened.clone());
        let work = async move {
            begun.notify_one();
            opened.notified().await;
        };
        async { Ok::<_, Infallible>(answer(request, work).await) }
    }));
    let first = tokio::spawn(slow.oneshot(request(PING, message())));
    begins.notified().await;
    assert_eq!(ask(&guard, PING, message()).await, Code::ResourceExhausted);
    assert_eq!(ask(&guard, STREAMS[0].0, message()).await, Code::ResourceExhausted);
    assert_eq!(ask(&guard, "/grpc.health.v1.Health/Check", message()).await, Code::Ok);

    open.notify_one();
    first.await.expect("no panic").expect("answered");
    assert_eq!(ask(&guard, PING, message()).await, Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn calls_whose_message_does_not_come_hold_nobody_up() {
    let guard = guard();
    let mut waiting = Box::pin(ask(&guard, PING, nothing_yet()));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert_eq!(ask(&guard, PING, message()).await, Code::Ok);
    assert_eq!(waiting.await, Code::DeadlineExceeded);
    assert_eq!(ask(&guard, PING, Body::default()).await, Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn where_too_many_messages_are_on_their_way_the_oldest_goes() {
    let guard = Guard::with(Bounds::new(1, 20_000), guard().0.config, CancellationToken::new());
    let [mut first, mut second, mut third] = [(); 3].map(|()| Box::pin(ask(&guard, PING, nothing_yet())));
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    assert!(futures_util::poll!(&mut third).is_pending());
    assert_eq!(first.await, Code::ResourceExhausted);
    assert_eq!((second.await, third.await), (Code::DeadlineExceeded, Code::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn calls_of_anybody_are_bounded_as_well() {
    let guard = guard();
    let _held = guard.0.bounds.enter().expect("free");
    let [health, reflection] = ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/Info"];
    assert_eq!(ask(&guard, health, nothing_yet()).await, Code::DeadlineExceeded);
    assert_eq!(ask(&guard, health, Body::new(String::from("\0\0\0\u{20}\0"))).await, Code::OutOfRange);
    assert_eq!(ask(&guard, health, Body::new(String::from("\0\0\0\0\u{1}\u{1}"))).await, Code::InvalidArgument);
    assert_eq!(ask(&guard, reflection, message()).await, Code::ResourceExhausted);
}

#[tokio::test]
async fn answers_to_anybody_hold_up_no_stop() {
    let closing = CancellationToken::new();
    let guard = Guard::new(guard().0.config, closing.clone());
    let watched = guard.layer(tower::service_fn(|_| async { Ok::<_, Infallible>(http::Response::new(nothing_yet())) }));
    let answer = watched.oneshot(request("/grpc.health.v1.Health/Watch", message())).await.expect("answered");
    let mut body = answer.into_body();
    let mut end = Box::pin(std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)));
    assert!(futures_util::poll!(&mut end).is_pending());
    closing.cancel();
    let trailers = end.await.expect("an end").expect("sound").into_trailers().expect("trailers");
    assert_eq!(Status::from_header_map(&trailers).map(|status| status.code()), Some(Code::Unavailable));
}

/// A message that is all there, and then this, or nothing more.
fn then(end: Option<Frame<Bytes>>) -> Body {
    struct Then(Vec<Frame<Bytes>>);
    impl http_body::Body for Then {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.pop().map_or(Poll::Pending, |frame| Poll::Ready(Some(Ok(frame))))
        }
    }
    Body::new(Then(end.into_iter().chain([Frame::data(Bytes::from_static(&[0; 5]))]).collect()))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_before_the_call_has_its_place_however_it_ends() {
    let guard = guard();
    let held = guard.0.bounds.enter().expect("free");
    let trailers = || then(Some(Frame::trailers(http::HeaderMap::new())));
    assert_eq!(ask(&guard, PING, trailers()).await, Code::ResourceExhausted);
    drop(held);
    assert_eq!(ask(&guard, PING, trailers()).await, Code::Ok);
    let mut unended = Box::pin(ask(&guard, PING, then(None)));
    assert!(futures_util::poll!(&mut unended).is_pending());
    assert_eq!(ask(&guard, PING, message()).await, Code::Ok, "it holds no place");
    assert_eq!(unended.await, Code::DeadlineExceeded);
    let second = then(Some(Frame::data(Bytes::from_static(&[0; 5]))));
    assert_eq!(ask(&guard, PING, second).await, Code::InvalidArgument);
    let endless = Body::new(String::from("\0\u{7f}\0\0\0"));
    assert_eq!(ask(&guard, PING, endless).await, Code::OutOfRange);
}

#[tokio::test]
async fn each_call_has_one_bound_of_its_message() {
    let (guard, shapes) = (guard(), "/dintorni.v1.PlaceService/CreateGeofence");
    let of = |bytes: usize| {
        let head = [&[0][..], &(bytes as u32).to_be_bytes()].concat();
        Body::new(String::from_utf8(head).expect("text"))
    };
    for (path, most) in [(PING, MOST), (STREAMS[0].0, MOST), (shapes, 2 * MOST)] {
        assert_eq!(ask(&guard, path, of(most)).await, Code::InvalidArgument, "{path}: it ends too early");
        assert_eq!(ask(&guard, path, of(most + 1)).await, Code::OutOfRange, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_take_long_may_not_take_long_to_arrive() {
    let timeout = Duration::from_secs(5);
    let guard = guarded(GuardConfig { stream_timeout: timeout * 60, ..guard().0.config });
    for path in [PROOF, REPLAY] {
        let soon = tokio::time::timeout(timeout * 2, ask(&guard, path, nothing_yet()));
        assert_eq!(soon.await, Ok(Code::DeadlineExceeded));
    }
    let long = guard.layer(tower::service_fn(|request| async {
        Ok::<_, Infallible>(answer(request, tokio::time::sleep(Duration::from_secs(200))).await)
    }));
    for path in [PROOF, REPLAY] {
        let answered = long.clone().oneshot(request(path, message())).await.expect("answered");
        assert_eq!(code(&answered), Code::Ok);
    }
}

#[tokio::test]
async fn large_messages_are_few_at_once() {
    let guard = guarded(GuardConfig { max_in_flight: 64, ..guard().0.config });
    let large = || Body::new(format!("\0\0\u{1}\0\0{}", "\u{7f}".repeat(1 << 16)));
    let held: Vec<_> = (0..32).map(|_| guard.0.bounds.enter_large()).collect();
    assert_eq!(ask(&guard, PING, large()).await, Code::ResourceExhausted);
    assert_eq!(ask(&guard, PING, message()).await, Code::Ok);
    drop(held);
    assert_eq!(ask(&guard, PING, large()).await, Code::InvalidArgument, "no ping, but looked at");
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_ended() {
    let never = guard().layer(tower::service_fn(|_: http::Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, Infallible>>()
    }));
    let ended = never.oneshot(request(PING, message())).await.expect("answered");
    assert_eq!(code(&ended), Code::DeadlineExceeded);
}

#[test]
fn calls_with_a_stream_of_messages_are_known() {
    let files = FileDescriptorSet::decode(pb::DESCRIPTORS).expect("sound").file;
    let mut streams: Vec<String> = Vec::new();
    for file in &files {
        for service in &file.service {
            let methods = service.method.iter().filter(|method| method.client_streaming());
            let path = |name: &str| format!("/{}.{}/{name}", file.package(), service.name());
            streams.extend(methods.map(|method| path(method.name())));
        }
    }
    streams.sort();
    let mut known = STREAMS.map(|(path, _)| path.to_owned());
    known.sort();
    assert_eq!(streams, known);
}
