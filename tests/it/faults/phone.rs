//! A phone that pings until it is answered, and keeps a log of what it was told.

use std::sync::Arc;

use dintorni::{
    clock::SystemClock,
    grpc::{
        pb::{
            self, decision_service_client::DecisionServiceClient, proximity_service_client::ProximityServiceClient,
            wallet_service_client::WalletServiceClient,
        },
        wire::timestamp_to_wire,
    },
    ports::Clock,
};
use tonic::{Code, Status, transport::Channel};

use super::{
    caller::Caller,
    node::Door,
    world::{Registered, Spot},
};
use crate::support::harness::{bearing, refusal};

/// A ping that was answered.
pub struct Told {
    pub spot: Spot,
    pub request: pb::PingRequest,
    pub answer: pb::PingResponse,
}

pub struct Phone {
    pub registered: Registered,
    pub caller: Caller,
    pub log: Vec<Told>,
    number: usize,
}

impl Phone {
    pub fn new(number: usize, registered: Registered, doors: Arc<[Door]>, seed: u64) -> Self {
        Self { registered, caller: Caller::new(number, doors, seed), log: Vec::new(), number }
    }

    /// A new ping from there.
    pub fn request(&mut self, spot: Spot) -> pb::PingRequest {
        let now = Some(timestamp_to_wire(SystemClock.now()));
        let position = Some(spot.position());
        let fix = pb::Fix { position, accuracy_m: 5.0, fix_at: now, speed_mps: None, mocked: false };
        let ping_id = format!("phone-{}-{}", self.number, self.log.len());
        pb::PingRequest { ping_id, sent_at: now, fixes: vec![fix], ..Default::default() }
    }

    /// Pings from there, until it is answered.
    pub async fn visit(&mut self, spot: Spot) {
        let request = self.request(spot);
        let answer = self.until_answered(&request).await;
        self.log.push(Told { spot, request, answer });
    }

    /// Sends the same ping again and again, to whichever node, until one answers it.
    pub async fn until_answered(&mut self, request: &pb::PingRequest) -> pb::PingResponse {
        let (token, request) = (self.registered.token.clone(), request.clone());
        let attempt = move |channel| {
            let (token, request) = (token.clone(), request.clone());
            async move { ping(channel, &token, &request).await }
        };
        self.caller.insist(attempt).await
    }

    /// The receipt of a decision of its own.
    pub async fn receipt(&mut self, decision: &str) -> pb::Decision {
        let (token, decision) = (self.registered.token.clone(), decision.to_owned());
        let attempt = move |channel| {
            let request = bearing(&token, pb::GetDecisionRequest { decision: decision.clone() });
            async move { Ok(DecisionServiceClient::new(channel).get_decision(request).await?.into_inner()) }
        };
        self.caller.insist(attempt).await
    }
}

/// Asks for the code of an offer, until it is given or refused for good: then the reason.
pub async fn claim(caller: &mut Caller, token: &str, offer: &str) -> Result<pb::WalletOffer, String> {
    let attempt = |channel| {
        let request = bearing(token, pb::ClaimOfferRequest { offer: offer.to_owned() });
        async move {
            match WalletServiceClient::new(channel).claim_offer(request).await {
                Ok(answer) => Ok(Ok(answer.into_inner().offer.expect("given"))),
                Err(status) if status.code() == Code::FailedPrecondition => Ok(Err(refusal(&status).1)),
                Err(status) => Err(status),
            }
        }
    };
    caller.insist(attempt).await
}

/// One try, sent now.
pub async fn ping(channel: Channel, token: &str, request: &pb::PingRequest) -> Result<pb::PingResponse, Status> {
    let sent_at = Some(timestamp_to_wire(SystemClock.now()));
    let request = pb::PingRequest { sent_at, ..request.clone() };
    Ok(ProximityServiceClient::new(channel).ping(bearing(token, request)).await?.into_inner())
}
