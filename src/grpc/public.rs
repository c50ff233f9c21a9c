//! Calls that anybody may make, without a credential: health and reflection.
//!
//! Laws: however they are made they cost little, and nobody else's call suffers; health is not refused for what others do,
//! and what it cannot read is the caller's fault (law 8); none of them holds up a stop.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{Bytes, http},
};

use crate::grpc::{
    arriving::{Arriving, Bounds, Place},
    frames::refusal,
    leaving::{Leaving, Rest},
    room::Room,
    status::Problem,
};

/// Of a message: it names a service, a file or a symbol.
const MOST_BYTES: usize = 4 * 1024;
/// Of messages that are on their way: some 8,000.
const WAITING_BYTES: usize = 64 << 20;
/// Streams of questions that are open at once: whoever develops has one.
const ASKING: usize = 64;
/// Of answers that are not taken: those of reflection have some 30 KB.
const UNSENT_BYTES: usize = 8 << 20;

/// The bounds of such calls.
#[derive(Clone)]
pub(super) struct Public {
    bounds: Arc<Bounds>,
    unsent: Room<Rest>,
    asking: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Public {
    /// They end when `closing` is cancelled.
    pub fn new(closing: CancellationToken) -> Self {
        let bounds = Arc::new(Bounds::new(usize::MAX, WAITING_BYTES));
        Self { bounds, unsent: Room::of(UNSENT_BYTES), asking: Arc::new(Semaphore::new(ASKING)), closing }
    }

    /// A call with one message.
    pub fn message(&self, body: Body) -> (Arriving, Place) {
        Arriving::message(body, MOST_BYTES, self.bounds.clone())
    }

    /// A call with a stream of messages: no more of them come when the server stops.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if there are too many.
    pub fn stream(&self, body: Body) -> Result<Arriving, Status> {
        let too_many = |_| Problem::Overloaded.says("too many ask by reflection");
        let place = Some(self.asking.clone().try_acquire_owned().map_err(too_many)?);
        let closed = Box::pin(self.closing.clone().cancelled_owned());
        let body = Body::new(Closing { body, closed, end: || None, has_ended: false, _place: place });
        Ok(Arriving::stream(body, MOST_BYTES, self.bounds.clone()))
    }

    /// The answer as it is sent.
    pub fn answer(&self, mut answer: http::Response<Body>) -> http::Response<Body> {
        // The libraries call it INTERNAL if they cannot read a message, and have no other reason to.
        if Status::from_header_map(answer.headers()).is_some_and(|status| status.code() == Code::Internal) {
            answer = refusal("the message cannot be read").into_http();
        }
        let closed = Box::pin(self.closing.clone().cancelled_owned());
        let unsent = self.unsent.clone();
        answer.map(|body| {
            let body = Body::new(Leaving::new(body, unsent));
            Body::new(Closing { body, closed, end: || Some(stopping()), has_ended: false, _place: None })
        })
    }
}

fn stopping() -> Result<Frame<Bytes>, Status> {
    let mut trailers = http::HeaderMap::new();
    Problem::Stopping
        .says("the server is stopping; ask again")
        .add_header(&mut trailers)
        .map(|()| Frame::trailers(trailers))
}

/// What ends when the server stops.
struct Closing {
    body: Body,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// What is said then.
    end: fn() -> Option<Result<Frame<Bytes>, Status>>,
    has_ended: bool,
    /// For as long as it is open.
    _place: Option<OwnedSemaphorePermit>,
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
        Poll::Ready((self.end)())
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }
}
