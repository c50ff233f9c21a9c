//! The bytes of an answer, as its caller takes them.
//!
//! Law: answers that nobody takes are bounded for the whole process. HTTP/2 is given a piece when there is room for it in
//! the caller's window; what is behind it waits in a [`Room`], and if too much does, the oldest answer ends.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
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

/// What is left of a message.
pub(super) struct Rest(Bytes);

impl Guest for Rest {
    fn sent_away(self) {}
}

/// The body of an answer.
pub(super) struct Leaving {
    body: Body,
    room: Room<Rest>,
    /// Where the rest of a long message is.
    rest: Option<Seat<Rest>>,
    has_failed: bool,
}

impl Leaving {
    pub fn new(body: Body, room: Room<Rest>) -> Self {
        Self { body, room, rest: None, has_failed: false }
    }

    /// Hands the beginning of a message over, and keeps the rest.
    fn begin(&mut self, mut message: Bytes) -> Bytes {
        if message.len() <= PIECE_BYTES {
            return message;
        }
        // All of it stays in memory for as long as a part of it does.
        let bytes = message.len();
        let piece = message.split_to(PIECE_BYTES);
        self.rest = Some(self.room.enter(bytes, Rest(message)));
        piece
    }

    /// Hands over more of the message; none if the rest is gone.
    fn go_on(rest: &Seat<Rest>) -> Option<Bytes> {
        rest.with(|Rest(left)| left.split_to(left.len().min(PIECE_BYTES)))
    }

    fn fail(&mut self) -> Result<Frame<Bytes>, Status> {
        self.has_failed = true;
        // Not that nothing happened: the call was done.
        let crowded = Problem::Busy.says("too many answers are not taken, and this one for the longest");
        let mut trailers = HeaderMap::new();
        crowded.add_header(&mut trailers).map(|()| Frame::trailers(trailers))
    }
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_failed {
            return Poll::Ready(None);
        }
        if let Some(rest) = self.rest.take() {
            match Self::go_on(&rest) {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => {
                    self.rest = Some(rest);
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                None => return Poll::Ready(Some(self.fail())),
            }
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context)?);
        Poll::Ready(frame.map(|frame| match frame.into_data() {
            Ok(message) => Ok(Frame::data(self.begin(message))),
            Err(trailers) => Ok(trailers),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.has_failed || (self.rest.is_none() && self.body.is_end_stream())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body::Body as _;
    use tonic::Code;

    use super::*;

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
}
