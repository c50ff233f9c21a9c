//! Calls that anybody may make, without a credential: health and reflection.
//!
//! Laws: however they are made they cost little and are not refused for what others do; what cannot be read is the caller's
//! fault here as well (law 8); and none of them holds up a stop.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::Frame;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{Bytes, http},
};

use crate::grpc::{
    arriving::{Arriving, Bounds, Place},
    status::Problem,
};

/// Of a message: it names a service, a file or a symbol.
const MOST_BYTES: usize = 4 * 1024;
/// Of messages that are on their way.
const WAITING_BYTES: usize = 8 << 20;

/// The bounds of such calls.
#[derive(Clone)]
pub(super) struct Public {
    bounds: Bounds,
    closing: CancellationToken,
}

impl Public {
    /// They end when `closing` is cancelled.
    pub fn new(closing: CancellationToken) -> Self {
        Self { bounds: Bounds::new(usize::MAX, MOST_BYTES, WAITING_BYTES), closing }
    }

    /// A call with one message.
    pub fn message(&self, body: Body) -> (Arriving, Place) {
        Arriving::message(body, self.bounds.clone())
    }

    /// A call with a stream of messages.
    pub fn stream(body: Body) -> Arriving {
        Arriving::stream(body, MOST_BYTES)
    }

    /// The answer as it is sent.
    pub fn answer(&self, mut answer: http::Response<Body>) -> http::Response<Body> {
        // The libraries call it INTERNAL if they cannot read a message, and have no other reason to.
        if Status::from_header_map(answer.headers()).is_some_and(|status| status.code() == Code::Internal) {
            answer = Status::invalid_argument("the message cannot be read").into_http();
        }
        let closed = Box::pin(self.closing.clone().cancelled_owned());
        answer.map(|body| Body::new(Closing { body, closed, has_ended: false }))
    }
}

/// An answer that ends when the server stops.
struct Closing {
    body: Body,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    has_ended: bool,
}

impl http_body::Body for Closing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.closed.as_mut().poll(context));
        self.has_ended = true;
        let stopping = Problem::Stopping.says("the server is stopping; ask again");
        let mut trailers = http::HeaderMap::new();
        Poll::Ready(Some(stopping.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }
}
