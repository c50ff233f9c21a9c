//! One ping, or event of the app, from its message to its answer, by whichever door it came.
//!
//! Law 2: both doors answer alike, so that a retry may come by the other one.

use std::sync::Arc;

use tonic::Status;

use crate::{
    app::{
        ingest::{Answered, DeviceCaller, Fingerprint, Ingest, PingError},
        opened::Opened,
        tokens::{TokenError, Tokens, Verified},
    },
    domain::{decision::Verdict, ping::Ping, time::Timestamp},
    grpc::{
        app_event::{self, app_event},
        device_service::token_to_wire,
        limits::PeopleLimits,
        measure::Observer,
        offers::{next_to_wire, notes_to_wire, offer_to_wire, transition_to_wire},
        pb,
        ping::{fingerprint, ping},
        wire::timestamp_to_wire,
    },
    ports::Clock,
};

/// Answers pings.
pub struct Pings {
    pub ingest: Arc<Ingest>,
    pub tokens: Arc<Tokens>,
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
    pub limits: Arc<PeopleLimits>,
}

impl Pings {
    /// The answer to whoever `verified` is, or why there is none; UNAUTHENTICATED if the token is over by now.
    /// `stream` is what was opened for the stream that it came on.
    pub async fn answer(
        &self,
        verified: &Verified,
        request: &pb::PingRequest,
        stream: Option<&Opened>,
    ) -> Result<pb::PingResponse, Status> {
        let now = self.clock.now();
        // A stream may outlive the token it was opened with.
        if now >= verified.expires_at {
            return Err(TokenError::Expired.into());
        }
        self.answer_to(verified, (&ping(request, now)?, now, stream), &|| fingerprint(request)).await
    }

    /// The same to an event of the app. One that was answered is answered again, however fast they come.
    pub async fn answer_event(
        &self,
        verified: &Verified,
        request: &pb::ReportAppEventRequest,
    ) -> Result<pb::PingResponse, Status> {
        let now = self.clock.now();
        let event = app_event(request, now)?;
        let DeviceCaller { device, .. } = &verified.caller;
        if let Err(too_fast) = self.limits.events.check(device)
            && !self.ingest.is_answered(device, &event.id).await.map_err(PingError::from)?
        {
            return Err(too_fast);
        }
        self.answer_to(verified, (&event, now, None), &|| app_event::fingerprint(request)).await
    }

    async fn answer_to(
        &self,
        verified: &Verified,
        (ping, now, stream): (&Ping, Timestamp, Option<&Opened>),
        fingerprint: &Fingerprint<'_>,
    ) -> Result<pb::PingResponse, Status> {
        let answered = self.ingest.ping(&verified.caller, (ping, stream), fingerprint).await?;
        for considered in &answered.decision.considered {
            if let Verdict::Refused(reason) = &considered.verdict {
                self.observer.refused(reason.code());
            }
        }
        for note in &answered.decision.notes {
            self.observer.noted(note.code());
        }
        Ok(self.response(&answered, verified, now))
    }

    fn response(&self, answered: &Answered, verified: &Verified, now: Timestamp) -> pb::PingResponse {
        let Answered { decision, recorded, profile, token_epoch } = answered;
        let renewed = self.tokens.renewal(verified, profile, *token_epoch, now);
        pb::PingResponse {
            offers: decision.offers.iter().map(offer_to_wire).collect(),
            transitions: decision.transitions.iter().map(transition_to_wire).collect(),
            next: Some(next_to_wire(&decision.next)),
            decision: if *recorded { decision.id.to_string() } else { String::new() },
            notes: notes_to_wire(&decision.notes),
            renewed_token: renewed.map(token_to_wire),
            server_time: Some(timestamp_to_wire(decision.at)),
        }
    }
}
