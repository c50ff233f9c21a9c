//! A phone that pings until it is answered, and keeps a log of what it was told.

use std::{sync::Arc, time::Duration};

use dintorni::{
    clock::SystemClock,
    grpc::{
        pb::{self, decision_service_client::DecisionServiceClient, proximity_service_client::ProximityServiceClient},
        wire::timestamp_to_wire,
    },
    ports::Clock,
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use super::{
    node::Door,
    process::LONGEST,
    world::{Registered, Spot},
};
use crate::support::harness::bearing;

/// How long a phone waits before it tries again. Real ones obey RetryInfo, which would make these tests long.
const PAUSE: Duration = Duration::from_millis(20);

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// A ping that was answered.
pub struct Told {
    pub spot: Spot,
    pub request: pb::PingRequest,
    pub answer: pb::PingResponse,
}

pub struct Phone {
    pub registered: Registered,
    pub doors: Arc<[Door]>,
    pub random: Random,
    pub log: Vec<Told>,
    /// Tries that were not answered, of any kind.
    pub failures: u32,
    /// Answers that said they are degraded.
    pub degraded: u32,
    number: usize,
}

impl Phone {
    pub fn new(number: usize, registered: Registered, doors: Arc<[Door]>, seed: u64) -> Self {
        let random = Random(seed ^ (number as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd));
        Self { registered, doors, random, log: Vec::new(), failures: 0, degraded: 0, number }
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

    /// Sends the same ping again and again, to whichever node, until one answers it for good.
    pub async fn until_answered(&mut self, request: &pb::PingRequest) -> pb::PingResponse {
        let (token, request) = (self.registered.token.clone(), request.clone());
        self.insist(move |channel| {
            let (token, request) = (token.clone(), request.clone());
            async move {
                let answer = ping(channel, &token, &request).await?;
                assert!(!answer.degraded || answer.offers.is_empty() && answer.decision.is_empty(), "{answer:?}");
                Ok((!answer.degraded).then_some(answer))
            }
        })
        .await
    }

    /// The receipt of a decision of its own.
    pub async fn receipt(&mut self, decision: &str) -> pb::Decision {
        let (token, decision) = (self.registered.token.clone(), decision.to_owned());
        self.insist(move |channel| {
            let request = bearing(&token, pb::GetDecisionRequest { decision: decision.clone() });
            async move { Ok(Some(DecisionServiceClient::new(channel).get_decision(request).await?.into_inner())) }
        })
        .await
    }

    /// Tries on whichever node until there is an answer, and not a degraded one (none).
    async fn insist<T, F>(&mut self, attempt: impl Fn(Channel) -> F) -> T
    where
        F: Future<Output = Result<Option<T>, Status>>,
    {
        let answered = async {
            loop {
                let mut door = self.doors[self.random.below(self.doors.len())].clone();
                let channel = door.borrow_and_update().clone();
                // One try in four is given up while the server works on it, as phones do in tunnels.
                let patience = match self.random.below(4) {
                    0 => Duration::from_micros(self.random.below(8_000) as u64),
                    _ => LONGEST,
                };
                if let Some(channel) = channel {
                    match tokio::time::timeout(patience, attempt(channel)).await {
                        Ok(Ok(Some(answer))) => return answer,
                        Ok(Ok(None)) => self.degraded += 1,
                        Ok(Err(status)) => must_be_honest(&status),
                        Err(_) => {}
                    }
                    self.failures += 1;
                }
                // Until the node is another one, or a moment has passed.
                tokio::time::timeout(PAUSE, door.changed()).await.ok();
            }
        };
        tokio::time::timeout(LONGEST, answered).await.expect("answered in the end")
    }
}

/// One try, sent now.
pub async fn ping(channel: Channel, token: &str, request: &pb::PingRequest) -> Result<pb::PingResponse, Status> {
    let sent_at = Some(timestamp_to_wire(SystemClock.now()));
    let request = pb::PingRequest { sent_at, ..request.clone() };
    Ok(ProximityServiceClient::new(channel).ping(bearing(token, request)).await?.into_inner())
}

/// A server under faults may only say that the same should be sent again, and must say when. What the client's own
/// side says of a broken connection has a source, and is not the server's word.
pub fn must_be_honest(status: &Status) {
    if std::error::Error::source(status).is_some() {
        return;
    }
    let waits = status.get_error_details().retry_info().is_some();
    let passing = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded);
    assert!(passing && waits, "the server says {status:?}");
}
