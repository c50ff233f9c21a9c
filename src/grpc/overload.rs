//! How much is done at once, and for how long: what is over the bound is refused at the door, with RetryInfo. A call has its
//! place from when its message is there ([`Arriving`]), one with a stream of messages from the beginning. A call that
//! answers with a stream has it until the stream begins; then each ping of the stream takes one ([`Guard::run`]). An import
//! takes as long as its caller sends, so it has none, but a bound of its own ([`super::importing`]).
//!
//! Law: an overloaded server answers at once and says so; it queues nothing and never refuses a health check.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
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
    /// Of a message; one with a shape may have 2 MiB all the same.
    pub max_message_bytes: usize,
    /// Until a call has an answer.
    pub timeout: Duration,
    /// The same for calls that send a long stream, or read the whole record.
    pub stream_timeout: Duration,
}

/// The bound over all calls of this process. One count: the whole stack of layers is cloned for each call.
#[derive(Clone)]
pub struct Guard(Arc<Parts>);

struct Parts {
    bounds: Arc<Bounds>,
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

/// What the calls begin with whose messages hold shapes.
const PLACES: &str = "/dintorni.v1.PlaceService/";
/// Bytes that such a message may have whatever is set: a geofence of 100,000 corners has 1.6 MB.
const PLACE_BYTES: usize = 2 << 20;
/// A call that takes as long as the record is long.
const PROOF: &str = "/dintorni.v1.LedgerService/CheckLedger";
/// A call that takes as long as the catalog is large.
const REPLAY: &str = "/dintorni.v1.DecisionService/ReplayDecision";

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
        let bounds = Bounds::new(config.max_in_flight, WAITING_BYTES);
        Self::with(bounds, config, closing)
    }

    fn with(bounds: Bounds, config: GuardConfig, closing: CancellationToken) -> Self {
        let (bounds, public) = (Arc::new(bounds), Public::new(closing));
        Self(Arc::new(Parts { bounds, public, unsent: Room::of(UNSENT_BYTES), config }))
    }

    /// Does a part of a stream under the bound and the timeout of a call.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let _place = self.0.bounds.enter()?;
        tokio::time::timeout(self.0.config.timeout, work).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// The body of a request as it arrives, and the place that the call has or will have.
    fn admit(&self, kind: Kind, path: &str, body: Body) -> Result<(Arriving, Place), Status> {
        let (Parts { bounds, public, .. }, most) = (&*self.0, self.most_bytes(path));
        let place = || bounds.enter().map(|place| Place::taken(Some(place)));
        Ok(match kind {
            Kind::Message => Arriving::message(body, most, bounds.clone()),
            Kind::Stream => (Arriving::stream(body, most, bounds.clone()), place()?),
            Kind::Import => (Arriving::stream(body, most, bounds.clone()), Place::taken(None)),
            Kind::Health => public.message(body),
            Kind::Reflection => (public.stream(body)?, place()?),
        })
    }

    /// Of a message of the call.
    fn most_bytes(&self, path: &str) -> usize {
        let most = self.0.config.max_message_bytes;
        if path.starts_with(PLACES) { most.max(PLACE_BYTES) } else { most }
    }

    fn timeout(&self, kind: Kind, path: &str) -> Duration {
        if kind == Kind::Import || [PROOF, REPLAY].contains(&path) {
            self.0.config.stream_timeout
        } else {
            self.0.config.timeout
        }
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
        let (body, place) = match self.guard.admit(kind, head.uri.path(), body) {
            Ok(admitted) => admitted,
            Err(refusal) => return Box::pin(async move { Ok(refusal.into_http()) }),
        };
        let arrives = self.guard.0.config.timeout;
        let answer = self.inner.call(http::Request::from_parts(head, Body::new(body)));
        let public = kind.is_public().then(|| self.guard.0.public.clone());
        let unsent = self.guard.0.unsent.clone();
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
#[path = "overload_tests.rs"]
mod tests;
