//! The bytes of a request as they arrive, before they are decoded.
//!
//! Law 8: bytes that are no frames of gRPC, or end in the midst of one, are the caller's fault and refused as such; tonic
//! calls them INTERNAL, which means a fault of the server. And a call takes its place among those in progress when its
//! message is there: headers cost a caller nothing, so they must not hold what others wait for.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body, codegen::Bytes};

use crate::{
    domain::violation::Violations,
    grpc::status::{Problem, invalid},
};

/// Bytes before each message: whether it is compressed, and how long it is.
const HEAD_BYTES: usize = 5;
/// What arrives of a message without a place: more than a ping with its beacons has, and too little to fill the memory by.
const FREE_BYTES: usize = 16 * 1024;

/// Messages on their way for each call in progress: a message takes a phone's round trip to arrive, a call a millisecond.
/// With what each may send meanwhile, those of the default bound have 256 MiB.
pub(super) const WAITING: usize = 16;

/// Messages above this are large: a geofence of 3,000 corners, or a lot that is none. Before anybody asks who sent it, a
/// message becomes up to sixty times as large in memory.
const LARGE_BYTES: usize = 64 * 1024;
/// Calls in progress with large messages.
const LARGE: usize = 32;

/// How many calls there may be.
#[derive(Debug, Clone)]
pub struct Bounds {
    in_progress: Arc<Semaphore>,
    /// Of calls whose message is on its way.
    waiting: Arc<Semaphore>,
    /// Of calls in progress whose message is large.
    large: Arc<Semaphore>,
}

impl Bounds {
    pub fn new(in_progress: usize) -> Self {
        let bound = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        let waiting = bound(in_progress.saturating_mul(WAITING));
        Self { in_progress: bound(in_progress), waiting, large: bound(in_progress.min(LARGE)) }
    }

    /// A place among the calls in progress.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if there is none left.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Status> {
        let place = self.in_progress.clone().try_acquire_owned();
        place.map_err(|_| Problem::Overloaded.says("the server is at its limit of calls in progress"))
    }

    fn wait(&self) -> Result<OwnedSemaphorePermit, Status> {
        let place = self.waiting.clone().try_acquire_owned();
        place.map_err(|_| Problem::Overloaded.says("the server is at its limit of calls whose message has not arrived"))
    }

    /// A place among the calls in progress whose message is large.
    pub(super) fn enter_large(&self) -> Result<OwnedSemaphorePermit, Status> {
        let place = self.large.clone().try_acquire_owned();
        place.map_err(|_| Problem::Overloaded.says("the server is at its limit of large messages"))
    }
}

/// The body of a request.
pub struct Arriving {
    body: Body,
    frames: Frames,
    /// None for a call with a stream of messages: it has its place already.
    door: Option<Door>,
}

/// Where the place of a call is kept until it is answered.
#[derive(Clone, Default)]
pub struct Place(Arc<Held>);

#[derive(Default)]
struct Held {
    place: OnceLock<OwnedSemaphorePermit>,
    large: OnceLock<OwnedSemaphorePermit>,
}

impl Place {
    /// One that was taken.
    pub fn taken(place: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Held { place: place.into(), large: OnceLock::new() }))
    }

    /// Whether the call has its place.
    pub fn is_taken(&self) -> bool {
        self.0.place.get().is_some()
    }
}

/// Where a call with one message waits for it.
struct Door {
    bounds: Bounds,
    place: Place,
    waiting: Option<OwnedSemaphorePermit>,
}

impl Arriving {
    /// The messages of a stream.
    pub fn stream(body: Body) -> Self {
        Self { body, frames: Frames::default(), door: None }
    }

    /// One message, and where the call's place will be once it is there.
    pub fn message(body: Body, bounds: Bounds) -> (Self, Place) {
        let place = Place::default();
        let door = Door { bounds, place: place.clone(), waiting: None };
        (Self { body, frames: Frames::default(), door: Some(door) }, place)
    }

    fn took(&mut self, bytes: &[u8]) -> Result<(), Status> {
        self.frames.take(bytes)?;
        let Some(door) = &mut self.door else { return Ok(()) };
        if self.frames.received > FREE_BYTES {
            door.enter()?;
        }
        if self.frames.received > LARGE_BYTES && self.frames.end().is_ok() {
            door.enter_large()?;
        }
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Status> {
        self.frames.end()?;
        let Some(door) = &mut self.door else { return Ok(()) };
        if self.frames.received == 0 {
            return Err(refusal("the request has no message"));
        }
        door.enter()
    }
}

impl Door {
    /// Waits outside, unless too many do.
    fn wait(&mut self) -> Result<(), Status> {
        if self.waiting.is_none() && !self.place.is_taken() {
            self.waiting = Some(self.bounds.wait()?);
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Status> {
        if !self.place.is_taken() {
            self.place.0.place.set(self.bounds.enter()?).ok();
        }
        self.waiting = None;
        Ok(())
    }

    /// Before the message is decoded.
    fn enter_large(&mut self) -> Result<(), Status> {
        if self.place.0.large.get().is_none() {
            self.place.0.large.set(self.bounds.enter_large()?).ok();
        }
        Ok(())
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if polled.is_pending()
            && let Some(door) = &mut this.door
            && let Err(refusal) = door.wait()
        {
            return Poll::Ready(Some(Err(refusal)));
        }
        let checked = match ready!(polled) {
            Some(Ok(frame)) => {
                let checked = frame.data_ref().map_or(Ok(()), |bytes| this.took(bytes));
                Some(checked.map(|()| frame))
            }
            Some(Err(error)) => Some(Err(error)),
            None => this.ended().err().map(Err),
        };
        Poll::Ready(checked)
    }
}

/// Where one message ends and the next begins.
#[derive(Default)]
struct Frames {
    received: usize,
    head: [u8; HEAD_BYTES],
    /// Bytes of the head that are there.
    headed: usize,
    /// Bytes of the message that are not.
    missing: usize,
}

impl Frames {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        self.received = self.received.saturating_add(bytes.len());
        while !bytes.is_empty() {
            let skipped = bytes.len().min(self.missing);
            self.missing -= skipped;
            bytes = &bytes[skipped..];
            let Some((&byte, rest)) = bytes.split_first() else { break };
            (self.head[self.headed], bytes) = (byte, rest);
            self.headed += 1;
            if self.headed == HEAD_BYTES {
                let [flag, length @ ..] = self.head;
                if flag != 0 {
                    return Err(refusal("the message says it is compressed, and the request not how"));
                }
                (self.headed, self.missing) = (0, u32::from_be_bytes(length) as usize);
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Status> {
        match (self.headed, self.missing) {
            (0, 0) => Ok(()),
            (0, missing) => Err(refusal(&format!("the request ends {missing} bytes before its message does"))),
            _ => Err(refusal("the request ends before its message begins")),
        }
    }
}

fn refusal(why: &str) -> Status {
    invalid(&Violations::one("", why))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
    }

    proptest! {
        #[test]
        fn only_what_ends_between_two_messages_is_whole(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
            piece in 1..50usize, cut in 0..250usize,
        ) {
            let (mut bytes, mut ends) = (Vec::new(), vec![0]);
            for message in &messages {
                bytes.extend(frame(message));
                ends.push(bytes.len());
            }
            bytes.truncate(cut);
            let mut frames = Frames::default();
            for piece in bytes.chunks(piece) {
                frames.take(piece).expect("no flags");
            }
            prop_assert_eq!(frames.end().is_ok(), ends.contains(&bytes.len()));
        }
    }

    #[test]
    fn flags_that_say_what_the_headers_do_not_are_refused() {
        for flag in [1, 2, 255] {
            let refused = Frames::default().take(&[flag, 0, 0, 0, 0]).expect_err("refused");
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        }
    }
}
