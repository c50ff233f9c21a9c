//! `ProximityService`: pings, and looking around.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    app::{
        ingest::{Answered, Ingest},
        nearby::Nearby,
        people::People,
        tokens::{Tokens, Verified},
    },
    domain::{decision::Verdict, organization::Scope, time::Timestamp},
    grpc::{
        auth::{Auth, Principal, denied},
        device_service::token_to_wire,
        measure::Observer,
        nearby::{around, stores_to_wire},
        offers::{next_to_wire, notes_to_wire, offer_to_wire, transition_to_wire},
        pb::{self, proximity_service_server::ProximityService},
        ping::{fingerprint, ping},
    },
    ports::Clock,
};

/// Answers [`ProximityService`].
pub struct ProximityGrpc {
    pub auth: Auth,
    pub tokens: Arc<Tokens>,
    pub ingest: Arc<Ingest>,
    pub people: Arc<People>,
    pub nearby: Nearby,
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
}

#[tonic::async_trait]
impl ProximityService for ProximityGrpc {
    async fn ping(&self, request: Request<pb::PingRequest>) -> Result<Response<pb::PingResponse>, Status> {
        let now = self.clock.now();
        let verified = self.auth.device(request.metadata())?;
        let mut request = request.into_inner();
        let fingerprint = fingerprint(&mut request);
        let ping = ping(request, now)?;
        let answered = self.ingest.ping(&verified.caller, &ping, fingerprint).await?;
        for considered in &answered.decision.considered {
            if let Verdict::Refused(reason) = &considered.verdict {
                self.observer.refused(reason.code());
            }
        }
        Ok(Response::new(self.response(&answered, &verified, now)))
    }

    async fn list_nearby_stores(
        &self,
        request: Request<pb::ListNearbyStoresRequest>,
    ) -> Result<Response<pb::ListNearbyStoresResponse>, Status> {
        match self.auth.principal(request.metadata())? {
            Principal::Device(verified) => drop(self.people.own(&verified.caller).await?),
            Principal::Key { scope: Scope::Server(_), .. } => {}
            Principal::Key { scope, .. } => {
                return Err(denied(&scope, "this call takes a device token or a server key"));
            }
        }
        let around = around(request.into_inner())?;
        Ok(Response::new(stores_to_wire(self.nearby.stores(&around))))
    }
}

impl ProximityGrpc {
    fn response(&self, answered: &Answered, verified: &Verified, now: Timestamp) -> pb::PingResponse {
        let Answered { decision, recorded, degraded, profile, token_epoch } = answered;
        let renewed = self.tokens.renewal(verified, profile, *token_epoch, now);
        pb::PingResponse {
            offers: decision.offers.iter().map(offer_to_wire).collect(),
            transitions: decision.transitions.iter().map(transition_to_wire).collect(),
            next: Some(next_to_wire(&decision.next)),
            decision: if *recorded { decision.id.to_string() } else { String::new() },
            notes: notes_to_wire(&decision.notes),
            degraded: *degraded,
            renewed_token: renewed.map(token_to_wire),
        }
    }
}
