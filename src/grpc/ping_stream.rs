//! `StreamPings`: the pings of one device, answered one after the other on one call.
//!
//! Laws: one answer for each ping, in their order; what is wrong with one ping ends nothing but that ping. A ping is read
//! when the answers before it are on their way, so that what waits is bounded by the windows of HTTP/2.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use prost::Message;
use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, Streaming};

use crate::{
    app::{profile_store::Opened, tokens::Verified},
    grpc::{
        measure::code_name,
        overload::Guard,
        pb::{self, ping_stream_response::Result as Outcome},
        pings::Pings,
        status::Problem,
    },
};

/// What all streams have in common.
#[derive(Clone)]
pub struct PingStreams {
    pub guard: Guard,
    /// Without a ping for so long a stream ends.
    pub idle: Duration,
    /// Cancelled when the server stops; streams end then.
    pub closing: CancellationToken,
}

/// One open stream.
pub struct PingStream {
    pings: Arc<Pings>,
    requests: Streaming<pb::PingRequest>,
    verified: Verified,
    opened: Opened,
    guard: Guard,
    silence: Silence,
    closing: CancellationToken,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Tells when no ping has come for too long. One timer serves all pings of a stream: it is set anew when it fires, not
/// for each of them.
struct Silence {
    most: Duration,
    timer: Pin<Box<Sleep>>,
}

impl PingStreams {
    /// The stream of whoever `verified` is.
    pub fn open(&self, pings: Arc<Pings>, verified: Verified, requests: Streaming<pb::PingRequest>) -> PingStream {
        let opened = pings.ingest.open(&verified.caller.profile);
        // A token of its own, which no other stream locks.
        let closing = self.closing.child_token();
        let closed = Box::pin(closing.clone().cancelled_owned());
        let silence = Silence { most: self.idle, timer: Box::pin(tokio::time::sleep(self.idle)) };
        PingStream { pings, requests, verified, opened, guard: self.guard.clone(), silence, closing, closed }
    }
}

impl PingStream {
    /// The next answer; none if all pings are answered and no more will come. An error ends the stream.
    pub async fn next(&mut self) -> Result<Option<pb::PingStreamResponse>, Status> {
        let Some(request) = self.request().await? else { return Ok(None) };
        let answer = self.guard.run(self.pings.answer(&self.verified, &request)).await;
        let code = answer.as_ref().err().map_or(Code::Ok, Status::code);
        self.pings.observer.streamed(code_name(code));
        let result = match answer {
            Ok(answer) => {
                self.renew(&answer);
                Outcome::Answer(answer)
            }
            Err(status) if code == Code::Unauthenticated => return Err(status),
            Err(status) => Outcome::Error(error_to_wire(&status)),
        };
        Ok(Some(pb::PingStreamResponse { ping_id: request.ping_id, result: Some(result) }))
    }

    /// The next ping; none if no more will come, or none has come for too long.
    #[expect(clippy::disallowed_methods, reason = "how long a stream is silent is measured; nothing is decided by it")]
    async fn request(&mut self) -> Result<Option<pb::PingRequest>, Status> {
        let stopping = || Problem::Stopping.says("the server is stopping; open another stream");
        if self.closing.is_cancelled() {
            return Err(stopping());
        }
        let Self { requests, silence, closed, .. } = self;
        let mut since = None;
        poll_fn(|context| {
            if let Poll::Ready(request) = Pin::new(&mut *requests).poll_next(context) {
                return Poll::Ready(request.transpose());
            }
            if closed.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(stopping()));
            }
            silence.poll(*since.get_or_insert_with(Instant::now), context).map(|()| Ok(None))
        })
        .await
    }

    /// Goes on under the token that the answer gave: it outlives the old one, and names whom the device belongs to now.
    fn renew(&mut self, answer: &pb::PingResponse) {
        let Some(token) = &answer.renewed_token else { return };
        let Ok(verified) = self.pings.tokens.verify(&token.value, self.pings.clock.now()) else { return };
        if verified.caller.profile != self.verified.caller.profile {
            self.opened = self.pings.ingest.open(&verified.caller.profile);
        }
        self.verified = verified;
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

/// The same code, message and details as a call would have failed with.
fn error_to_wire(status: &Status) -> tonic_types::Status {
    let plain =
        || tonic_types::Status { code: status.code().into(), message: status.message().to_owned(), details: vec![] };
    match status.details() {
        [] => plain(),
        details => tonic_types::Status::decode(details).unwrap_or_else(|_| plain()),
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
