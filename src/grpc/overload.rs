//! How much is done at once, and for how long: what is over the bound is refused at the door, with RetryInfo. A call that
//! answers with a stream has its place until the stream begins; then each ping of the stream takes one ([`Guard::run`]).
//!
//! Law: an overloaded server answers at once and says so; it queues nothing and never refuses a health check.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body, codegen::http};
use tower::{Layer, Service};

use crate::grpc::status::Problem;

/// Settings of [`Guard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardConfig {
    /// Calls in progress, over all connections.
    pub max_in_flight: usize,
    /// Until a call has an answer.
    pub timeout: Duration,
    /// The same for calls that send a long stream, or read the whole record.
    pub stream_timeout: Duration,
}

/// The bound over all calls of this process.
#[derive(Clone)]
pub struct Guard {
    places: Arc<Semaphore>,
    config: GuardConfig,
}

/// Calls that take as long as the caller's file, or as the record, is long.
const LONG: [&str; 2] = ["/dintorni.v1.PlaceService/ImportPlaces", "/dintorni.v1.LedgerService/CheckLedger"];

impl Guard {
    pub fn new(config: GuardConfig) -> Self {
        Self { places: Arc::new(Semaphore::new(config.max_in_flight)), config }
    }

    /// Does a part of a stream under the bound and the timeout of a call.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let _place = self.places.try_acquire().map_err(|_| full())?;
        tokio::time::timeout(self.config.timeout, work).await.unwrap_or_else(|_| Err(too_slow()))
    }

    fn enter(&self) -> Result<OwnedSemaphorePermit, Status> {
        let place = self.places.clone().try_acquire_owned();
        place.map_err(|_| full())
    }

    fn timeout(&self, path: &str) -> Duration {
        if LONG.contains(&path) { self.config.stream_timeout } else { self.config.timeout }
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

impl<S, B> Service<http::Request<B>> for Guarded<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Answer<S::Error> {
        if request.uri().path().starts_with("/grpc.health.") {
            return Box::pin(self.inner.call(request));
        }
        let place = match self.guard.enter() {
            Ok(place) => place,
            Err(refusal) => return Box::pin(async move { Ok(refusal.into_http()) }),
        };
        let timeout = self.guard.timeout(request.uri().path());
        let answer = tokio::time::timeout(timeout, self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await;
            drop(place);
            answer.unwrap_or_else(|_| Ok(too_slow().into_http()))
        })
    }
}

fn full() -> Status {
    Problem::Overloaded.says("the server is at its limit of calls in progress")
}

fn too_slow() -> Status {
    Problem::TooSlow.says("the call took too long; send it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use tokio::sync::Notify;
    use tonic::Code;
    use tower::ServiceExt;

    fn config() -> GuardConfig {
        let timeout = Duration::from_secs(5);
        GuardConfig { max_in_flight: 1, timeout, stream_timeout: timeout }
    }

    fn request(path: &str) -> http::Request<()> {
        http::Request::builder().uri(path).body(()).expect("sound")
    }

    fn code(response: &http::Response<Body>) -> Code {
        Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
    }

    #[tokio::test]
    async fn what_is_over_the_bound_is_refused_but_health_is_not() {
        let guard = Guard::new(config());
        let opened = Arc::new(Notify::new());
        let open = opened.clone();
        let slow = guard.layer(tower::service_fn(move |_| {
            let opened = opened.clone();
            async move {
                opened.notified().await;
                Ok::<_, Infallible>(http::Response::new(Body::default()))
            }
        }));
        let quick = guard.layer(tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, Infallible>(http::Response::new(Body::default()))
        }));
        let first = slow.oneshot(request("/dintorni.v1.ProximityService/Ping"));
        let first = tokio::spawn(first);
        while guard.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let over = quick.clone().oneshot(request("/dintorni.v1.ProximityService/Ping")).await.expect("answered");
        assert_eq!(code(&over), Code::ResourceExhausted);
        let health = quick.clone().oneshot(request("/grpc.health.v1.Health/Check")).await.expect("answered");
        assert_eq!(code(&health), Code::Ok);

        open.notify_one();
        first.await.expect("no panic").expect("answered");
        let free = quick.oneshot(request("/dintorni.v1.ProximityService/Ping")).await.expect("answered");
        assert_eq!(code(&free), Code::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_call_is_ended() {
        let guard = Guard::new(config());
        let never = guard.layer(tower::service_fn(|_: http::Request<()>| {
            std::future::pending::<Result<http::Response<Body>, Infallible>>()
        }));
        let ended = never.oneshot(request("/dintorni.v1.ProximityService/Ping")).await.expect("answered");
        assert_eq!(code(&ended), Code::DeadlineExceeded);
    }
}
