//! Streams that a client keeps open, and how the next message of one is waited for.
//!
//! Law: an open stream ends when the server stops, and when no message has come for too long.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, Streaming};

use crate::grpc::{overload::Guard, status::Problem};

/// What all open streams have in common.
#[derive(Clone)]
pub struct OpenStreams {
    pub guard: Guard,
    /// Without a message for so long a stream ends.
    pub idle: Duration,
    /// Cancelled when the server stops; streams end then.
    pub closing: CancellationToken,
}

/// The messages of one open stream.
pub struct Messages<M> {
    requests: Streaming<M>,
    silence: Silence,
    closing: CancellationToken,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What comes next on a stream.
pub enum Heard<M> {
    Message(M),
    /// No more will come.
    End,
    /// None has come for too long.
    Silence,
}

/// Tells when no message has come for too long. One timer serves all messages of a stream: it is set anew when it fires, not
/// for each of them.
struct Silence {
    most: Duration,
    timer: Pin<Box<Sleep>>,
}

impl OpenStreams {
    /// The messages of a stream that was opened now.
    pub fn messages<M>(&self, requests: Streaming<M>) -> Messages<M> {
        // A token of its own, which no other stream locks.
        let closing = self.closing.child_token();
        let closed = Box::pin(closing.clone().cancelled_owned());
        let silence = Silence { most: self.idle, timer: Box::pin(tokio::time::sleep(self.idle)) };
        Messages { requests, silence, closing, closed }
    }
}

impl<M> Messages<M> {
    /// What comes next.
    ///
    /// # Errors
    /// What is wrong with the message, or UNAVAILABLE because the server stops. Nothing may be asked for behind it.
    #[expect(clippy::disallowed_methods, reason = "how long a stream is silent is measured; nothing is decided by it")]
    pub async fn next(&mut self) -> Result<Heard<M>, Status> {
        let stopping = || Problem::Stopping.says("the server is stopping; open another stream");
        if self.closing.is_cancelled() {
            return Err(stopping());
        }
        let Self { requests, silence, closed, .. } = self;
        let mut since = None;
        poll_fn(|context| {
            if let Poll::Ready(request) = Pin::new(&mut *requests).poll_next(context) {
                return Poll::Ready(request.map_or(Ok(Heard::End), |request| request.map(Heard::Message)));
            }
            if closed.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(stopping()));
            }
            silence.poll(*since.get_or_insert_with(Instant::now), context).map(|()| Ok(Heard::Silence))
        })
        .await
    }
}

impl Silence {
    /// Ready when it has lasted too long `since` then.
    fn poll(&mut self, since: Instant, context: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let end = since + self.most;
            if self.timer.deadline() >= end {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits from `begun` on, and returns how long it took until the silence was too long.
    async fn lasted(silence: &mut Silence, begun: Instant) -> Duration {
        poll_fn(|context| silence.poll(begun, context)).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "time stands still here, but for what the test waits")]
    async fn silence_is_told_from_the_last_ping_on() {
        let most = Duration::from_secs(300);
        let mut silence = Silence { most, timer: Box::pin(tokio::time::sleep(most)) };
        for pinged_after in [0, 299, 17] {
            let wait = poll_fn(|context| silence.poll(Instant::now(), context));
            let pinged = tokio::time::timeout(Duration::from_secs(pinged_after), wait).await;
            assert!(pinged.is_err(), "a ping came");
        }
        assert_eq!(lasted(&mut silence, Instant::now()).await, most);
    }
}
