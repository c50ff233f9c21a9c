//! What a call says before its message: its method, its content type, how it is compressed; and whether there is such a
//! call at all.
//!
//! Laws: what is no call of gRPC is never done, and its sender is told in words that any client of HTTP shows. Nothing is
//! taken compressed: a message is bounded by its bytes on the wire, and a kilobyte can unfold to a megabyte.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::Body as _;
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{
        self, HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{ALLOW, CONTENT_TYPE},
    },
};
use tower::{Layer, Service};

use crate::grpc::status::{Problem, cut};

/// Content types of messages as [`super::codec`] reads them.
const TAKEN: [&str; 2] = ["application/grpc", "application/grpc+proto"];
/// How messages of a call are compressed, and how they may be.
const ENCODING: &str = "grpc-encoding";
const ACCEPTED: &str = "grpc-accept-encoding";
/// Not at all.
const PLAIN: &str = "identity";
/// Most bytes of what a caller said, in what is answered.
const MOST_SAID: usize = 200;
/// How much is read of what is no call before it is answered, and for how long: some clients of HTTP lose an answer that comes
/// before they have said all.
const HEARD_OUT: (usize, Duration) = (64 << 10, Duration::from_secs(1));

/// Looks at the envelope of each call.
#[derive(Clone)]
pub struct Envelope;

impl<S> Layer<S> for Envelope {
    type Service = Enveloped<S>;
    fn layer(&self, inner: S) -> Enveloped<S> {
        Enveloped { inner }
    }
}

/// A service that only calls of gRPC reach.
#[derive(Clone)]
pub struct Enveloped<S> {
    inner: S,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for Enveloped<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if let Err(refusal) = look(request.method(), request.headers()) {
            return Box::pin(async move {
                hear_out(request.into_body()).await;
                Ok(*refusal)
            });
        }
        let (asked, answer) = (request.uri().clone(), self.inner.call(request));
        Box::pin(async move { answer.await.map(|answer| with_a_reason(answer, &asked)) })
    }
}

async fn hear_out(mut body: Body) {
    let (mut left, patience) = HEARD_OUT;
    let hearing = async {
        while left > 0
            && let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
        }
    };
    tokio::time::timeout(patience, hearing).await.ok();
}

/// The answer to what is no call of gRPC, or to one that is compressed.
fn look(method: &Method, headers: &HeaderMap) -> Result<(), Box<http::Response<Body>>> {
    if method != Method::POST {
        let mut refusal = no_call(StatusCode::METHOD_NOT_ALLOWED, &format!("calls are POST, and this is {method}"));
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(refusal);
    }
    let said = said(headers, CONTENT_TYPE.as_str());
    // What is behind a `;` is a parameter, and there are none.
    let kind = said.split(';').next().unwrap_or_default().trim_end();
    if !TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(kind)) {
        let why = format!("the content-type must be {}, was \"{}\"", TAKEN.join(" or "), cut(said, MOST_SAID));
        return Err(no_call(StatusCode::UNSUPPORTED_MEDIA_TYPE, &why));
    }
    uncompressed(headers)
}

fn uncompressed(headers: &HeaderMap) -> Result<(), Box<http::Response<Body>>> {
    if !headers.contains_key(ENCODING) || headers[ENCODING] == PLAIN {
        return Ok(());
    }
    let said = cut(said(headers, ENCODING), MOST_SAID);
    let mut refusal = Problem::Compressed
        .says(format!("messages are not taken compressed ({ENCODING} must be {PLAIN}, was \"{said}\")"))
        .into_http();
    refusal.headers_mut().insert(ACCEPTED, HeaderValue::from_static(PLAIN));
    Err(Box::new(refusal))
}

/// What the header says; nothing if it is not there, or is no text.
fn said<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The answer to a client that does not speak gRPC, as text; gRPC's own words stand beside it in the headers.
fn no_call(code: StatusCode, why: &str) -> Box<http::Response<Body>> {
    let said = format!("this is a gRPC server: {why}");
    let mut answer = Problem::NoCall.says(said.as_str()).into_http::<Body>().map(|_| Body::new(said + "\n"));
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Box::new(answer)
}

/// The answer as it was, but for the one of a server that has no such call: the generated services say nothing then.
fn with_a_reason(answer: http::Response<Body>, asked: &Uri) -> http::Response<Body> {
    let status = Status::from_header_map(answer.headers());
    if status.is_none_or(|status| status.code() != Code::Unimplemented || !status.details().is_empty()) {
        return answer;
    }
    let path = cut(asked.path(), MOST_SAID);
    Problem::NoSuchCall.says(format!("this server has no call {path}; a newer one may")).into_http()
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    };

    use http_body::Frame;
    use tonic::codegen::Bytes;
    use tonic_types::StatusExt;
    use tower::ServiceExt;

    use super::*;

    /// What is answered by a server that has one call, and the reason.
    async fn ask(request: http::request::Builder) -> (u16, Code, String) {
        let served = tower::service_fn(|request: http::Request<Body>| async move {
            let is_there = request.uri().path() == "/a.B/Known";
            let answer = if is_there { Status::ok("") } else { Status::unimplemented("") };
            Ok::<_, Infallible>(answer.into_http::<Body>())
        });
        let asked = request.body(Body::default()).expect("sound");
        let answer = Envelope.layer(served).oneshot(asked).await.expect("answered");
        let status = Status::from_header_map(answer.headers()).expect("a status");
        let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
        (answer.status().as_u16(), status.code(), reason.unwrap_or_default())
    }

    fn call(path: &str, content_type: &str) -> http::request::Builder {
        http::Request::post(path).header(CONTENT_TYPE, content_type)
    }

    #[tokio::test]
    async fn only_calls_of_grpc_are_done() {
        for taken in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=utf-8"] {
            assert_eq!(ask(call("/a.B/Known", taken)).await, (200, Code::Ok, String::new()), "{taken}");
        }
        let others =
            ["application/json", "application/grpc-web+proto", "application/grpc+json", "application/grpcx", ""];
        for other in others {
            let refused = (415, Code::InvalidArgument, "NO_GRPC_CALL".to_owned());
            assert_eq!(ask(call("/a.B/Known", other)).await, refused, "{other}");
        }
        let get = http::Request::get("/a.B/Known").header(CONTENT_TYPE, TAKEN[0]);
        assert_eq!(ask(get).await, (405, Code::InvalidArgument, "NO_GRPC_CALL".to_owned()));
        assert_eq!(ask(http::Request::post("/a.B/Known")).await.0, 415, "no content type");
    }

    /// So many pieces are left.
    struct Pieces(Arc<AtomicUsize>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Status;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
            Poll::Ready(left.ok().map(|_| Ok(Frame::data(Bytes::from_static(&[0; 1_024])))))
        }
    }

    #[tokio::test]
    async fn whoever_speaks_of_something_else_is_heard_out_but_not_for_ever() {
        for (pieces, left) in [(3, 0), (1_000, 1_000 - HEARD_OUT.0 / 1_024)] {
            let pieces = Arc::new(AtomicUsize::new(pieces));
            let asked = call("/a.B/Known", "application/json").body(Body::new(Pieces(pieces.clone()))).expect("sound");
            let served = tower::service_fn(|_| async { Ok::<_, Infallible>(Status::ok("").into_http::<Body>()) });
            assert_eq!(Envelope.layer(served).oneshot(asked).await.expect("answered").status(), 415);
            assert_eq!(pieces.load(Relaxed), left);
        }
    }

    #[tokio::test]
    async fn what_the_server_cannot_do_has_its_reason() {
        let known = || call("/a.B/Known", TAKEN[0]);
        assert_eq!(ask(known().header(ENCODING, PLAIN)).await.1, Code::Ok);
        let gzip = ask(known().header(ENCODING, "gzip")).await;
        assert_eq!(gzip, (200, Code::Unimplemented, "COMPRESSED".to_owned()));
        let unknown = ask(call(&format!("/a.B/{}", "x".repeat(9_000)), TAKEN[0])).await;
        assert_eq!(unknown, (200, Code::Unimplemented, "NO_SUCH_CALL".to_owned()));
    }
}
