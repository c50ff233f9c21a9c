//! The bytes of a request as they arrive, before they are decoded.
//!
//! Law 8: bytes that are no frames of gRPC, or end in the midst of one, are the caller's fault and refused as such; tonic
//! calls them INTERNAL, which means a fault of the server. And a call takes its place among those in progress when its
//! message is there, all of it, and before anybody decodes it: what has not arrived costs a caller nothing, so it must not
//! hold what others wait for.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use http_body::{Body as _, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body, codegen::Bytes};

use crate::{
    domain::violation::Violations,
    grpc::status::{Problem, invalid},
};

/// Bytes before each message: whether it is compressed, and how long it is.
const HEAD_BYTES: usize = 5;
/// Messages on their way for each call in progress: a message takes a phone's round trip to arrive, a call a millisecond.
/// With what each may send meanwhile, those of the default bound have 512 MiB.
pub(super) const WAITING: usize = 16;

/// Messages above this are large: more than a full ping has, about what a geofence of 1,500 corners has.
const LARGE_BYTES: usize = 32 * 1024;
/// Large messages on their way.
const LARGE_WAITING: usize = 256;
/// Calls in progress with large messages. Before anybody asks who sent it, a message becomes up to sixty times as large in
/// memory.
const LARGE: usize = 32;

/// How many calls there may be.
#[derive(Debug, Clone)]
pub struct Bounds {
    in_progress: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// Of calls whose message is on its way.
    waiting: Arc<Semaphore>,
    large_waiting: Arc<Semaphore>,
    /// Of a message.
    most_bytes: usize,
}

impl Bounds {
    /// So many calls in progress, with messages of at most so many bytes.
    pub fn new(in_progress: usize, most_bytes: usize) -> Self {
        let bound = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            in_progress: bound(in_progress),
            large: bound(in_progress.min(LARGE)),
            waiting: bound(in_progress.saturating_mul(WAITING)),
            large_waiting: bound(LARGE_WAITING),
            most_bytes,
        }
    }

    /// A place among the calls in progress.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if there is none left, as of the others.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Status> {
        taken(&self.in_progress, "calls in progress")
    }

    /// A place among the calls in progress whose message is large.
    pub(super) fn enter_large(&self) -> Result<OwnedSemaphorePermit, Status> {
        taken(&self.large, "calls in progress with large messages")
    }

    fn wait(&self) -> Result<OwnedSemaphorePermit, Status> {
        taken(&self.waiting, "calls whose message has not arrived")
    }

    fn wait_large(&self) -> Result<OwnedSemaphorePermit, Status> {
        taken(&self.large_waiting, "calls whose large message has not arrived")
    }
}

fn taken(places: &Arc<Semaphore>, of: &str) -> Result<OwnedSemaphorePermit, Status> {
    let place = places.clone().try_acquire_owned();
    place.map_err(|_| Problem::Overloaded.says(format!("the server is at its limit of {of}")))
}

/// The body of a request.
pub struct Arriving {
    body: Body,
    frames: Frames,
    /// None for a call with a stream of messages: it has its place already.
    door: Option<Door>,
}

/// Where the place of a call is kept until it is answered: with a large message it is two.
#[derive(Clone, Default)]
pub struct Place(Arc<OnceLock<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>>);

impl Place {
    /// One that was taken.
    pub fn taken(place: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(OnceLock::from((place, None))))
    }

    /// Whether the call has its place.
    pub fn is_taken(&self) -> bool {
        self.0.get().is_some()
    }
}

/// Where a call with one message waits until all of it is there.
struct Door {
    bounds: Bounds,
    place: Place,
    waiting: [Option<OwnedSemaphorePermit>; 2],
    /// What has arrived.
    held: VecDeque<Bytes>,
}

impl Arriving {
    /// The messages of a stream.
    pub fn stream(body: Body) -> Self {
        Self { body, frames: Frames::of(usize::MAX), door: None }
    }

    /// One message, and where the call's place will be once it is there.
    pub fn message(body: Body, bounds: Bounds) -> (Self, Place) {
        let (place, frames) = (Place::default(), Frames::of(bounds.most_bytes));
        let door = Door { bounds, place: place.clone(), waiting: [None, None], held: VecDeque::new() };
        (Self { body, frames, door: Some(door) }, place)
    }

    /// The next frame of a stream.
    fn pass(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)?) else {
            return Poll::Ready(self.frames.end().err().map(Err));
        };
        // What is no data is the end.
        let checked = match frame.data_ref() {
            Some(bytes) => self.frames.take(bytes),
            None => self.frames.end(),
        };
        Poll::Ready(Some(checked.map(|()| frame)))
    }
}

impl Door {
    /// Takes all that arrives of the message, until it ends and the call enters.
    fn receive(&mut self, body: &mut Body, frames: &mut Frames, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        while !self.place.is_taken() {
            let frame = match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(frame) => frame.transpose().map_err(|_| Status::cancelled("the request was broken off"))?,
                Poll::Pending => {
                    self.wait(frames)?;
                    return Poll::Pending;
                }
            };
            // Trailers end it as well.
            let Some(Ok(bytes)) = frame.map(Frame::into_data) else {
                self.enter(frames)?;
                break;
            };
            frames.take(&bytes)?;
            if frames.begun > 1 {
                return Poll::Ready(Err(refusal("the request has more than one message")));
            }
            self.held.push_back(bytes);
            if frames.received > LARGE_BYTES {
                self.wait(frames)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits outside, unless too many do.
    fn wait(&mut self, frames: &Frames) -> Result<(), Status> {
        let [waiting, large] = &mut self.waiting;
        if waiting.is_none() {
            *waiting = Some(self.bounds.wait()?);
        }
        if large.is_none() && frames.received > LARGE_BYTES {
            *large = Some(self.bounds.wait_large()?);
        }
        Ok(())
    }

    fn enter(&mut self, frames: &Frames) -> Result<(), Status> {
        frames.end()?;
        if frames.begun == 0 {
            return Err(refusal("the request has no message"));
        }
        let large = (frames.received > LARGE_BYTES).then(|| self.bounds.enter_large()).transpose()?;
        self.place.0.set((self.bounds.enter()?, large)).ok();
        self.waiting = [None, None];
        Ok(())
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { body, frames, door } = &mut *self;
        let Some(door) = door else { return self.pass(context) };
        ready!(door.receive(body, frames, context))?;
        Poll::Ready(door.held.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Where one message ends and the next begins.
struct Frames {
    /// Bytes of a message.
    most: usize,
    received: usize,
    /// How many messages there are, with the last one if it is not all there.
    begun: usize,
    head: [u8; HEAD_BYTES],
    /// Bytes of the head that are there.
    headed: usize,
    /// Bytes of the message that are not.
    missing: usize,
}

impl Frames {
    /// Of messages of at most so many bytes.
    fn of(most: usize) -> Self {
        Self { most, received: 0, begun: 0, head: [0; HEAD_BYTES], headed: 0, missing: 0 }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        self.received = self.received.saturating_add(bytes.len());
        while !bytes.is_empty() {
            let skipped = bytes.len().min(self.missing);
            self.missing -= skipped;
            bytes = &bytes[skipped..];
            let Some((&byte, rest)) = bytes.split_first() else { break };
            (self.head[self.headed], bytes) = (byte, rest);
            self.begun += usize::from(self.headed == 0);
            self.headed += 1;
            if self.headed == HEAD_BYTES {
                let [flag, length @ ..] = self.head;
                match flag {
                    0 => {}
                    1 => return Err(refusal("the message says it is compressed, and the request not how")),
                    _ => return Err(refusal(&format!("a message begins with {flag}, where 0 is due"))),
                }
                (self.headed, self.missing) = (0, u32::from_be_bytes(length) as usize);
                if self.missing > self.most {
                    let (length, most) = (self.missing, self.most);
                    return Err(Status::out_of_range(format!(
                        "the message has {length} bytes; at most {most} are taken"
                    )));
                }
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
            let mut frames = Frames::of(usize::MAX);
            for piece in bytes.chunks(piece) {
                frames.take(piece).expect("no flags");
            }
            prop_assert_eq!(frames.end().is_ok(), ends.contains(&bytes.len()));
        }
    }

    #[test]
    fn flags_that_say_what_the_headers_do_not_are_refused() {
        for flag in [1, 2, 255] {
            let refused = Frames::of(usize::MAX).take(&[flag, 0, 0, 0, 0]).expect_err("refused");
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        }
    }
}
