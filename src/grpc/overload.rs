//! How much is done at once, and for how long: what is over the bound is refused at the door, with RetryInfo. A call has its
//! place from when its message is there ([`Arriving`]), one with a stream of messages from the beginning. A call that
//! answers with a stream has it until the stream begins; then each ping of the stream takes one ([`Guard::run`]). An import
//! takes as long as its caller sends, so it has none, but a bound of its own ([`super::importing`]).
//!
//! Law: an overloaded server answers at once and says so; it queues nothing and never refuses a health check.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body, codegen::http};
use tower::{Layer, Service};

use crate::grpc::{
    arriving::{Arriving, Bounds, Place},
    leaving::{Leaving, Rest},
    public::Public,
    room::Room,
    status::Problem,
};

/// Of messages on their way, for the whole process: some ten thousand pings, or forty of the largest messages.
const WAITING_BYTES: usize = 128 << 20;
/// Of answers that their callers do not take, behind the first piece of each.
const UNSENT_BYTES: usize = 128 << 20;

/// Settings of [`Guard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardConfig {
    /// Calls in progress, over all connections.
    pub max_in_flight: usize,
    /// Of the largest message that any call takes.
    pub max_message_bytes: usize,
    /// Until a call has an answer.
    pub timeout: Duration,
    /// The same for calls that send a long stream, or read the whole record.
    pub stream_timeout: Duration,
}

/// The bound over all calls of this process.
#[derive(Clone)]
pub struct Guard {
    bounds: Bounds,
    public: Public,
    /// Of answers that are not taken.
    unsent: Room<Rest>,
    config: GuardConfig,
}

/// What a call sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    /// Messages, answered by a stream: it begins before the first one is there.
    Stream,
    /// As many messages as the caller's file is long.
    Import,
    /// One message, from anybody.
    Health,
    /// Messages, from anybody.
    Reflection,
}

/// The calls of the API with a stream of messages.
const STREAMS: [(&str, Kind); 3] = [
    ("/dintorni.v1.ProximityService/StreamPings", Kind::Stream),
    ("/dintorni.v1.CampaignService/UploadCodes", Kind::Stream),
    ("/dintorni.v1.PlaceService/ImportPlaces", Kind::Import),
];

/// A call that takes as long as the record is long.
const PROOF: &str = "/dintorni.v1.LedgerService/CheckLedger";

impl Kind {
    fn of(path: &str) -> Self {
        if path.starts_with("/grpc.health.") {
            return Self::Health;
        }
        if path.starts_with("/grpc.") {
            return Self::Reflection;
        }
        STREAMS.iter().find(|(stream, _)| *stream == path).map_or(Self::Message, |(_, kind)| *kind)
    }

    fn is_public(self) -> bool {
        matches!(self, Self::Health | Self::Reflection)
    }
}

impl Guard {
    /// A bound that is told by `closing` that the server stops.
    pub fn new(config: GuardConfig, closing: CancellationToken) -> Self {
        let bounds = Bounds::new(config.max_in_flight, config.max_message_bytes, WAITING_BYTES);
        Self { bounds, public: Public::new(closing), unsent: Room::of(UNSENT_BYTES), config }
    }

    /// Does a part of a stream under the bound and the timeout of a call.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let _place = self.bounds.enter()?;
        tokio::time::timeout(self.config.timeout, work).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// The body of a request as it arrives, and the place that the call has or will have.
    fn admit(&self, kind: Kind, body: Body) -> Result<(Arriving, Place), Status> {
        let place = || self.bounds.enter().map(|place| Place::taken(Some(place)));
        Ok(match kind {
            Kind::Message => Arriving::message(body, self.bounds.clone()),
            Kind::Stream => (Arriving::stream(body, &self.bounds), place()?),
            Kind::Import => (Arriving::stream(body, &self.bounds), Place::taken(None)),
            Kind::Health => self.public.message(body),
            Kind::Reflection => (self.public.stream(body)?, place()?),
        })
    }

    fn timeout(&self, kind: Kind, path: &str) -> Duration {
        if kind == Kind::Import || path == PROOF { self.config.stream_timeout } else { self.config.timeout }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;
    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind a [`Guard`].
#[derive(Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer<S::Error> {
        let kind = Kind::of(request.uri().path());
        let timeout = self.guard.timeout(kind, request.uri().path());
        let (head, body) = request.into_parts();
        let (body, place) = match self.guard.admit(kind, body) {
            Ok(admitted) => admitted,
            Err(refusal) => return Box::pin(async move { Ok(refusal.into_http()) }),
        };
        let arrives = self.guard.config.timeout;
        let answer = self.inner.call(http::Request::from_parts(head, Body::new(body)));
        let public = kind.is_public().then(|| self.guard.public.clone());
        let unsent = self.guard.unsent.clone();
        Box::pin(async move {
            let answered = in_time(answer, &place, arrives, timeout).await?;
            Ok(match public {
                Some(public) => public.answer(answered),
                None => answered.map(|body| Body::new(Leaving::new(body, unsent))),
            })
        })
    }
}

/// The answer of a call that may take until `timeout`. Who may take long may take it for the work, not to send a message.
async fn in_time<E>(
    answer: impl Future<Output = Result<http::Response<Body>, E>>,
    place: &Place,
    arrives: Duration,
    timeout: Duration,
) -> Result<http::Response<Body>, E> {
    let mut answer = std::pin::pin!(answer);
    let rest = match tokio::time::timeout(arrives.min(timeout), &mut answer).await {
        Ok(answered) => return answered,
        Err(_) if place.is_taken() => timeout.saturating_sub(arrives),
        Err(_) => Duration::ZERO,
    };
    let answered = tokio::time::timeout(rest, answer).await;
    answered.unwrap_or_else(|_| Ok(too_slow().into_http()))
}

fn too_slow() -> Status {
    Problem::TooSlow.says("the call took too long; send it again")
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc};

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
        let guard = Guard { bounds: Bounds::new(1, MOST, 20_000), ..guard() };
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
        let _held = guard.bounds.enter().expect("free");
        let [health, reflection] = ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/Info"];
        assert_eq!(ask(&guard, health, nothing_yet()).await, Code::DeadlineExceeded);
        assert_eq!(ask(&guard, health, Body::new(String::from("\0\0\0\u{20}\0"))).await, Code::OutOfRange);
        assert_eq!(ask(&guard, health, Body::new(String::from("\0\0\0\0\u{1}\u{1}"))).await, Code::InvalidArgument);
        assert_eq!(ask(&guard, reflection, message()).await, Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn answers_to_anybody_hold_up_no_stop() {
        let closing = CancellationToken::new();
        let guard = Guard::new(guard().config, closing.clone());
        let watched =
            guard.layer(tower::service_fn(|_| async { Ok::<_, Infallible>(http::Response::new(nothing_yet())) }));
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
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                self.0.pop().map_or(Poll::Pending, |frame| Poll::Ready(Some(Ok(frame))))
            }
        }
        Body::new(Then(end.into_iter().chain([Frame::data(Bytes::from_static(&[0; 5]))]).collect()))
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_before_the_call_has_its_place_however_it_ends() {
        let guard = guard();
        let held = guard.bounds.enter().expect("free");
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

    #[tokio::test(start_paused = true)]
    async fn what_may_take_long_may_not_take_long_to_arrive() {
        let timeout = Duration::from_secs(5);
        let guard = guarded(GuardConfig { stream_timeout: timeout * 60, ..guard().config });
        let soon = tokio::time::timeout(timeout * 2, ask(&guard, PROOF, nothing_yet()));
        assert_eq!(soon.await, Ok(Code::DeadlineExceeded));
        let long = guard.layer(tower::service_fn(|request| async {
            Ok::<_, Infallible>(answer(request, tokio::time::sleep(Duration::from_secs(200))).await)
        }));
        let answered = long.oneshot(request(PROOF, message())).await.expect("answered");
        assert_eq!(code(&answered), Code::Ok);
    }

    #[tokio::test]
    async fn large_messages_are_few_at_once() {
        let guard = guarded(GuardConfig { max_in_flight: 64, ..guard().config });
        let large = || Body::new(format!("\0\0\u{1}\0\0{}", "\u{7f}".repeat(1 << 16)));
        let held: Vec<_> = (0..32).map(|_| guard.bounds.enter_large()).collect();
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
}
