//! The bytes of an answer, as its caller takes them.
//!
//! Law: long answers that nobody takes are bounded for the whole process, but for the pieces that HTTP/2 holds. It is given
//! one piece after the other as the caller's window allows; what is behind them waits in a [`Room`], and if too much does,
//! the oldest answer ends.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::Frame;
use tonic::{
    Status,
    body::Body,
    codegen::{Bytes, http::HeaderMap},
};

use crate::grpc::{
    room::{Guest, Room, Seat},
    status::Problem,
};

/// Handed over at once: what fits into a frame of HTTP/2, and all of most answers.
const PIECE_BYTES: usize = 16 * 1024;

/// What is left of a message, and the answer it belongs to, whose buffer holds all of it until the next message is made.
pub(super) struct Rest {
    left: Bytes,
    /// Of the whole message.
    bytes: usize,
    body: Body,
}

impl Guest for Rest {
    fn sent_away(self) {}
}

/// The body of an answer.
pub(super) struct Leaving {
    state: State,
    room: Room<Rest>,
}

enum State {
    /// Between two messages.
    Open(Body),
    /// Within a long one.
    Within(Seat<Rest>),
    Ended,
}

impl Leaving {
    pub fn new(body: Body, room: Room<Rest>) -> Self {
        Self { state: State::Open(body), room }
    }

    /// Hands the beginning of a message over, and keeps the rest.
    fn begin(&mut self, mut message: Bytes, body: Body) -> Bytes {
        if message.len() <= PIECE_BYTES {
            self.state = State::Open(body);
            return message;
        }
        let (bytes, piece) = (message.len(), piece(&mut message));
        self.state = State::Within(self.room.enter(bytes, Rest { left: message, bytes, body }));
        piece
    }

    /// Hands over more of the message; what ends the answer if the rest is gone.
    fn go_on(&mut self, seat: Seat<Rest>) -> Result<Frame<Bytes>, Status> {
        let Some(mut rest) = seat.leave() else { return crowded() };
        let piece = piece(&mut rest.left);
        self.state = match rest.left.is_empty() {
            true => State::Open(rest.body),
            // Behind the others again: whoever takes a piece is not waiting for the longest.
            false => State::Within(self.room.enter(rest.bytes, rest)),
        };
        Ok(Frame::data(piece))
    }
}

/// A copy: a view would keep all of the message for as long as it waits to be sent.
fn piece(message: &mut Bytes) -> Bytes {
    Bytes::copy_from_slice(&message.split_to(message.len().min(PIECE_BYTES)))
}

/// Not that nothing happened: the call was done.
fn crowded() -> Result<Frame<Bytes>, Status> {
    let crowded = Problem::Busy.says("too many answers are not taken, and this one for the longest");
    let mut trailers = HeaderMap::new();
    crowded.add_header(&mut trailers).map(|()| Frame::trailers(trailers))
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut body = match std::mem::replace(&mut self.state, State::Ended) {
            State::Open(body) => body,
            State::Within(seat) => return Poll::Ready(Some(self.go_on(seat))),
            State::Ended => return Poll::Ready(None),
        };
        let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(context)? else {
            self.state = State::Open(body);
            return Poll::Pending;
        };
        Poll::Ready(frame.map(|frame| match frame.into_data() {
            Ok(message) => Ok(Frame::data(self.begin(message, body))),
            Err(trailers) => Ok(trailers),
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Open(body) => body.is_end_stream(),
            State::Within(_) => false,
            State::Ended => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::SeqCst},
        },
    };

    use http_body::Body as _;
    use tonic::Code;

    use super::*;

    /// These frames, the last one first.
    struct Frames(Vec<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = Status;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop().map(Ok))
        }
    }

    /// Bytes that are all different from those beside them.
    fn message(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at % 251) as u8).collect()
    }

    fn leaving(bytes: usize, room: &Room<Rest>) -> Leaving {
        let body = String::from_utf8(message(bytes).iter().map(|byte| byte & 0x7f).collect()).expect("text");
        Leaving::new(Body::new(body), room.clone())
    }

    async fn next(leaving: &mut Leaving) -> Option<Frame<Bytes>> {
        let frame = poll_fn(|context| Pin::new(&mut *leaving).poll_frame(context)).await;
        frame.transpose().expect("no fault")
    }

    #[tokio::test]
    async fn a_message_leaves_whole_and_in_pieces() {
        let room = Room::of(1 << 20);
        for bytes in [1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES] {
            let (mut leaving, mut taken) = (leaving(bytes, &room), Vec::new());
            while let Some(piece) = next(&mut leaving).await {
                let piece = piece.into_data().expect("data");
                assert!((1..=PIECE_BYTES).contains(&piece.len()));
                taken.extend_from_slice(&piece);
            }
            assert_eq!(taken, message(bytes).iter().map(|byte| byte & 0x7f).collect::<Vec<_>>());
            assert!(leaving.is_end_stream());
        }
    }

    #[tokio::test]
    async fn what_is_sent_away_keeps_nothing_in_memory() {
        struct Told(Vec<u8>, Arc<AtomicBool>);
        impl AsRef<[u8]> for Told {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        impl Drop for Told {
            fn drop(&mut self) {
                self.1.store(true, SeqCst);
            }
        }
        let (room, gone) = (Room::of(100_000), Arc::new(AtomicBool::new(false)));
        let long = Bytes::from_owner(Told(message(60_000), gone.clone()));
        let mut first = Leaving::new(Body::new(Frames(vec![Frame::data(long)])), room.clone());
        let _kept = next(&mut first).await.expect("a piece");
        let mut second = leaving(60_000, &room);
        assert!(!gone.load(SeqCst));
        next(&mut second).await.expect("a piece");
        assert!(gone.load(SeqCst), "though the first piece is not sent, nor the answer dropped");
    }

    #[tokio::test]
    async fn the_oldest_answer_that_nobody_takes_ends() {
        let room = Room::of(100_000);
        let (mut first, mut second) = (leaving(60_000, &room), leaving(60_000, &room));
        assert!(next(&mut first).await.is_some_and(|piece| piece.is_data()));
        assert!(next(&mut second).await.is_some_and(|piece| piece.is_data()));
        let trailers = next(&mut first).await.and_then(|end| end.into_trailers().ok()).expect("an end");
        assert_eq!(Status::from_header_map(&trailers).map(|status| status.code()), Some(Code::Unavailable));
        assert!(next(&mut first).await.is_none() && first.is_end_stream());
        assert!(next(&mut second).await.is_some_and(|piece| piece.is_data()));
    }

    #[tokio::test]
    async fn whoever_goes_on_taking_is_not_the_one_who_goes() {
        let room = Room::of(130_000);
        let (mut slow, mut still) = (leaving(60_000, &room), leaving(60_000, &room));
        next(&mut slow).await.expect("a piece");
        next(&mut still).await.expect("a piece");
        next(&mut slow).await.expect("a piece");
        next(&mut leaving(60_000, &room)).await.expect("a piece");
        assert!(next(&mut slow).await.is_some_and(|piece| piece.is_data()));
        assert!(next(&mut still).await.is_some_and(|end| end.is_trailers()));
    }
}
