//! The bytes of a request as they arrive, before they are decoded.
//!
//! Law: a call takes its place among those in progress when its message is there, all of it, and before anybody decodes
//! it. What has not arrived costs a caller nothing, so it must not hold what others wait for.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker, ready},
};

use http_body::{Body as _, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body, codegen::Bytes};

use crate::grpc::{
    frames::{Frames, refusal},
    room::{Guest, Room, Seat},
    status::Problem,
};

/// What a call whose message is on its way costs beside its bytes: a task, a stream of HTTP/2 and its headers.
const BESIDE_BYTES: usize = 8 * 1024;

/// Messages above this are large: more than a full ping has, about what a geofence of 1,500 corners has.
const LARGE_BYTES: usize = 32 * 1024;
/// Calls in progress with large messages: decoded, a message becomes up to sixty times as large.
const LARGE: usize = 32;

/// How many calls there may be.
pub struct Bounds {
    in_progress: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// Of messages on their way.
    waiting: Room<Waker>,
}

impl Bounds {
    /// So many calls in progress, and room for so many bytes of messages that are on their way.
    pub fn new(in_progress: usize, waiting_bytes: usize) -> Self {
        let bound = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        let (large, waiting) = (bound(in_progress.min(LARGE)), Room::of(waiting_bytes));
        Self { in_progress: bound(in_progress), large, waiting }
    }

    /// A place among the calls in progress.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if there is none left, as of the other.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Status> {
        taken(&self.in_progress, "calls in progress")
    }

    /// A place among the calls in progress whose message is large.
    pub(super) fn enter_large(&self) -> Result<OwnedSemaphorePermit, Status> {
        taken(&self.large, "calls in progress with large messages")
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
    way: Way,
}

/// What is done with what arrives.
enum Way {
    /// The call begins when all is there.
    Door(Door),
    /// It has begun; a message that is not all there waits in the room.
    Stream(Arc<Bounds>, Option<Seat<Waker>>),
}

/// Where the place of a call is kept until it is answered: with a large message it is two, and some need none.
#[derive(Clone, Default)]
pub struct Place(Arc<OnceLock<[Option<OwnedSemaphorePermit>; 2]>>);

impl Place {
    /// One that was taken, or that is not needed.
    pub fn taken(place: Option<OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(OnceLock::from([place, None])))
    }

    /// Whether the call has its place.
    pub fn is_taken(&self) -> bool {
        self.0.get().is_some()
    }
}

/// Where a call with one message waits until all of it is there.
struct Door {
    bounds: Arc<Bounds>,
    place: Place,
    seat: Option<Seat<Waker>>,
    /// What has arrived, if it came in one piece.
    piece: Bytes,
    /// Otherwise all of it. A piece may be a single byte, and would keep alive what it was read into.
    pieces: Vec<u8>,
}

impl Arriving {
    /// A stream of messages of at most so many bytes each.
    pub fn stream(body: Body, most_bytes: usize, bounds: Arc<Bounds>) -> Self {
        Self { body, frames: Frames::of(most_bytes), way: Way::Stream(bounds, None) }
    }

    /// One message of at most so many bytes, and where the call's place will be once it is there.
    pub fn message(body: Body, most_bytes: usize, bounds: Arc<Bounds>) -> (Self, Place) {
        let (place, frames) = (Place::default(), Frames::of(most_bytes));
        let door = Door { bounds, place: place.clone(), seat: None, piece: Bytes::new(), pieces: Vec::new() };
        (Self { body, frames, way: Way::Door(door) }, place)
    }
}

/// The next frame of a stream.
fn pass(
    body: &mut Body,
    frames: &mut Frames,
    (room, seat): (&Room<Waker>, &mut Option<Seat<Waker>>),
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
    let Poll::Ready(frame) = Pin::new(body).poll_frame(context)? else {
        if let Some(announced) = frames.announced() {
            wait(room, seat, announced, context.waker())?;
        }
        return Poll::Pending;
    };
    let Some(frame) = frame else { return Poll::Ready(frames.end().err().map(Err)) };
    // What is no data is the end.
    let checked = match frame.data_ref() {
        Some(bytes) => frames.take(bytes),
        None => frames.end(),
    };
    if frames.announced().is_none() {
        *seat = None;
    }
    Poll::Ready(Some(checked.map(|()| frame)))
}

/// Waits in the room for as long as there is some.
fn wait(room: &Room<Waker>, seat: &mut Option<Seat<Waker>>, bytes: usize, waker: &Waker) -> Result<(), Status> {
    let seat = seat.get_or_insert_with(|| room.enter(0, waker.clone()));
    let stays = seat.with(|kept| kept.clone_from(waker));
    seat.resize(BESIDE_BYTES + bytes);
    let crowded = || Problem::Overloaded.says("too many messages are on their way, and this one for the longest");
    stays.ok_or_else(crowded)
}

impl Door {
    /// Takes all that arrives of the message, until it ends and the call enters.
    fn receive(&mut self, body: &mut Body, frames: &mut Frames, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        while !self.place.is_taken() {
            let frame = match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(frame) => frame.transpose().map_err(|_| Status::cancelled("the request was broken off"))?,
                Poll::Pending => {
                    self.wait(context.waker())?;
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
            self.hold(bytes);
        }
        Poll::Ready(Ok(()))
    }

    fn hold(&mut self, bytes: Bytes) {
        if self.piece.is_empty() && self.pieces.is_empty() {
            self.piece = bytes;
            return;
        }
        let first = std::mem::take(&mut self.piece);
        self.pieces.extend_from_slice(&first);
        self.pieces.extend_from_slice(&bytes);
    }

    fn held(&mut self) -> Option<Bytes> {
        let pieces = std::mem::take(&mut self.pieces);
        let held = if pieces.is_empty() { std::mem::take(&mut self.piece) } else { pieces.into() };
        (!held.is_empty()).then_some(held)
    }

    fn wait(&mut self, waker: &Waker) -> Result<(), Status> {
        // A view keeps alive all that it was read with.
        let first = std::mem::take(&mut self.piece);
        self.pieces.extend_from_slice(&first);
        wait(&self.bounds.waiting, &mut self.seat, self.pieces.capacity(), waker)
    }

    fn enter(&mut self, frames: &Frames) -> Result<(), Status> {
        frames.end()?;
        if frames.begun == 0 {
            return Err(refusal("the request has no message"));
        }
        let large = (frames.received > LARGE_BYTES).then(|| self.bounds.enter_large()).transpose()?;
        self.place.0.set([Some(self.bounds.enter()?), large]).ok();
        self.seat = None;
        Ok(())
    }
}

/// A message whose room was needed: its call is woken, to be told.
impl Guest for Waker {
    fn sent_away(self) {
        self.wake();
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { body, frames, way } = &mut *self;
        match way {
            Way::Stream(bounds, seat) => pass(body, frames, (&bounds.waiting, seat), context),
            Way::Door(door) => {
                ready!(door.receive(body, frames, context))?;
                Poll::Ready(door.held().map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }
}
