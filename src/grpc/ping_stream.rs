//! `StreamPings`: the pings of one device, answered one after the other on one call.
//!
//! Laws: one answer for each ping, in their order; what is wrong with one ping ends nothing but that ping. A ping is read
//! when the answers before it are on their way, so that what waits is bounded by the windows of HTTP/2.

use std::sync::Arc;

use prost::Message;
use tonic::{Code, Status, Streaming};

use crate::{
    app::{opened::Opened, tokens::Verified},
    grpc::{
        measure::code_name,
        open_streams::{Heard, Messages, OpenStreams},
        overload::Guard,
        pb::{self, ping_stream_response::Result as Outcome},
        pings::Pings,
    },
};

/// One open stream.
pub struct PingStream {
    pings: Arc<Pings>,
    requests: Messages<pb::PingRequest>,
    verified: Verified,
    opened: Opened,
    guard: Guard,
}

impl PingStream {
    /// The stream of whoever `verified` is.
    pub fn open(
        streams: &OpenStreams,
        pings: Arc<Pings>,
        verified: Verified,
        requests: Streaming<pb::PingRequest>,
    ) -> Self {
        let opened = pings.ingest.open(&verified.caller.profile);
        Self { pings, requests: streams.messages(requests), verified, opened, guard: streams.guard.clone() }
    }

    /// The next answer; none if all pings are answered and no more will come, or none has come for too long. An error ends
    /// the stream.
    pub async fn next(&mut self) -> Result<Option<pb::PingStreamResponse>, Status> {
        let Heard::Message(request) = self.requests.next().await? else { return Ok(None) };
        let answer = self.guard.run(self.pings.answer(&self.verified, &request, Some(&self.opened))).await;
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

/// The same code, message and details as a call would have failed with.
fn error_to_wire(status: &Status) -> tonic_types::Status {
    let plain =
        || tonic_types::Status { code: status.code().into(), message: status.message().to_owned(), details: vec![] };
    match status.details() {
        [] => plain(),
        details => tonic_types::Status::decode(details).unwrap_or_else(|_| plain()),
    }
}
