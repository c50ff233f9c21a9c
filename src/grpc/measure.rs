//! How long calls take and how they end, told to whoever watches.
//!
//! Law 4: what is told names no person, no campaign and no place.

#![expect(clippy::disallowed_methods, reason = "durations are measured here for metrics; nothing is decided by them")]

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use prost::Message;
use prost_types::{FileDescriptorSet, ServiceDescriptorProto};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body, codegen::http};
use tower::{Layer, Service};

use crate::grpc::pb;

/// Told of every call.
pub trait Observer: Send + Sync + 'static {
    /// A call of `rpc` (`dintorni.v1.ProximityService/Ping`, or `unknown`) was answered, with a code such as `NotFound`;
    /// `Cancelled` if it had no answer when its caller, or the time the caller gave it, was gone.
    fn called(&self, rpc: &Arc<str>, code: &'static str, took: Duration);

    /// A ping of a stream was answered, with a code such as `NotFound`.
    fn streamed(&self, code: &'static str);

    /// A ping's answer refused a campaign, by the code of the reason.
    fn refused(&self, reason: &'static str);

    /// A ping's answer said this of the ping as a whole, by the code of the note.
    fn noted(&self, note: &'static str);
}

/// Measures the service behind it.
#[derive(Clone)]
pub struct Measure {
    observer: Arc<dyn Observer>,
    known: Arc<Known>,
}

/// The names of calls.
struct Known {
    /// By their paths.
    calls: HashMap<String, Arc<str>>,
    /// Anybody can make up paths, and each would be a series of its own.
    unknown: Arc<str>,
}

impl Measure {
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer, known: Arc::new(Known { calls: known_calls(), unknown: "unknown".into() }) }
    }
}

impl Known {
    fn name(&self, path: &str) -> &Arc<str> {
        self.calls.get(path).unwrap_or(&self.unknown)
    }
}

/// Every call that a server may answer, such as `dintorni.v1.ProximityService/Ping`, by its path.
fn known_calls() -> HashMap<String, Arc<str>> {
    let protos = [
        pb::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let files = protos.into_iter().flat_map(|proto| FileDescriptorSet::decode(proto).unwrap_or_default().file);
    let calls = files
        .flat_map(|file| file.service.iter().flat_map(|service| calls(file.package(), service)).collect::<Vec<_>>());
    calls.map(|call| (format!("/{call}"), call.into())).collect()
}

fn calls(package: &str, service: &ServiceDescriptorProto) -> Vec<String> {
    service.method.iter().map(|method| format!("{package}.{}/{}", service.name(), method.name())).collect()
}

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;
    fn layer(&self, inner: S) -> Measured<S> {
        Measured { measure: self.clone(), inner }
    }
}

/// A service behind [`Measure`].
#[derive(Clone)]
pub struct Measured<S> {
    measure: Measure,
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
        let rpc = self.measure.known.name(request.uri().path()).clone();
        // Only whoever reads the log wants the paths that are made up.
        let path =
            tracing::enabled!(tracing::Level::DEBUG).then(|| request.uri().path().trim_start_matches('/').to_owned());
        let observer = self.measure.observer.clone();
        let call = Call { observer, rpc, path, code: Code::Cancelled, begun: Instant::now() };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            call.answered(answer.as_ref().map_or(Code::Internal, code));
            answer
        })
    }
}

/// A call in progress, which is told of when it is over: also when nobody waits for its answer any more, since the caller
/// gave it up or the time is over that it had. Then its code is the one it begins with.
struct Call {
    observer: Arc<dyn Observer>,
    rpc: Arc<str>,
    path: Option<String>,
    code: Code,
    begun: Instant,
}

impl Call {
    fn answered(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let (code, took) = (code_name(self.code), self.begun.elapsed());
        tracing::debug!(rpc = self.path, code, micros = took.as_micros(), "called");
        self.observer.called(&self.rpc, code, took);
    }
}

/// The code as metrics say it, such as `NotFound`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "Ok",
        Code::Cancelled => "Cancelled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

/// A refusal stands in the headers; without one there the answer has begun well.
fn code(answer: &http::Response<Body>) -> Code {
    Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Mutex};

    use tower::ServiceExt;

    use super::*;
    use crate::grpc::status::Problem;

    #[derive(Default)]
    struct Calls(Mutex<Vec<(String, &'static str)>>);

    impl Observer for Calls {
        fn called(&self, rpc: &Arc<str>, code: &'static str, _: Duration) {
            self.0.lock().expect("sound").push((rpc.to_string(), code));
        }
        fn streamed(&self, _: &'static str) {}
        fn refused(&self, _: &'static str) {}
        fn noted(&self, _: &'static str) {}
    }

    #[test]
    fn every_code_has_its_own_name() {
        for number in 0..=16 {
            let code = Code::from(number);
            assert_eq!(code_name(code), format!("{code:?}"));
        }
    }

    #[tokio::test]
    async fn made_up_calls_have_one_name_however_they_end() {
        let calls = Arc::new(Calls::default());
        let overloaded = Measure::new(calls.clone()).layer(tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, Infallible>(Problem::Overloaded.says("full").into_http())
        }));
        for path in ["/dintorni.v1.ProximityService/Ping", "/grpc.health.v1.Health/Check", "/a/b", "/"] {
            let request = http::Request::builder().uri(path).body(()).expect("sound");
            overloaded.clone().oneshot(request).await.expect("answered");
        }
        let names: Vec<_> = calls.0.lock().expect("sound").iter().map(|(rpc, _)| rpc.clone()).collect();
        assert_eq!(names, ["dintorni.v1.ProximityService/Ping", "grpc.health.v1.Health/Check", "unknown", "unknown"]);
    }

    #[tokio::test]
    async fn a_call_whose_answer_nobody_waits_for_is_told_as_well() {
        let calls = Arc::new(Calls::default());
        let never = Measure::new(calls.clone()).layer(tower::service_fn(|_: http::Request<()>| {
            std::future::pending::<Result<http::Response<Body>, Infallible>>()
        }));
        let mut call = Box::pin(never.oneshot(http::Request::new(())));
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
        assert_eq!(*calls.0.lock().expect("sound"), [("unknown".to_owned(), "Cancelled")]);
    }
}
