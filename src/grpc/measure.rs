//! How long calls take and how they end, told to whoever watches.
//!
//! Law 4: what is told names no person, no campaign and no place.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;
use tonic::{Code, Status, body::Body, codegen::http};
use tower::{Layer, Service};

/// Told of every call.
pub trait Observer: Send + Sync + 'static {
    /// A call of `rpc` (`dintorni.v1.ProximityService/Ping`, or `unknown`) was answered.
    fn called(&self, rpc: &str, code: Code, took: Duration);

    /// A ping's answer refused a campaign, by the code of the reason.
    fn refused(&self, reason: &'static str);
}

/// Measures the service behind it.
#[derive(Clone)]
pub struct Measure(pub Arc<dyn Observer>);

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;
    fn layer(&self, inner: S) -> Measured<S> {
        Measured { observer: self.0.clone(), inner }
    }
}

/// A service behind [`Measure`].
#[derive(Clone)]
pub struct Measured<S> {
    observer: Arc<dyn Observer>,
    inner: S,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S, B> Service<http::Request<B>> for Measured<S>
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
        let rpc = request.uri().path().trim_start_matches('/').to_owned();
        let (observer, begun) = (self.observer.clone(), Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let (code, took) = (answer.as_ref().map_or(Code::Internal, code), begun.elapsed());
            tracing::debug!(rpc, ?code, micros = took.as_micros(), "called");
            // Anybody can make up paths, and each would be a series of its own.
            observer.called(if code == Code::Unimplemented { "unknown" } else { &rpc }, code, took);
            answer
        })
    }
}

/// A refusal stands in the headers; without one there the answer has begun well.
fn code(answer: &http::Response<Body>) -> Code {
    Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
}
