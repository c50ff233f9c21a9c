//! The tills of a load: each takes the next coupon, redeems it, and logs what it was answered.
//!
//! Laws 1 and 2: a redemption keeps its request id until it is answered; some are asked for once more, and another answer
//! than the first is a fault.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::{task::JoinSet, time::Instant};
use tonic::{Code, Response, Status, transport::Channel};

use super::{holders::Coupon, hopeless, reason, scene::TillKey};
use crate::{
    cli::{connection::bearing, import::progress::Progress, load::pace::Pace},
    grpc::pb::{self, redemption_service_client::RedemptionServiceClient},
};

/// Longest latency told apart, in microseconds: a minute. Longer ones count as that.
const LONGEST: u64 = 60_000_000;
const DIGITS: u8 = 3;
/// How often a redemption is asked for that has no answer, and how long between.
const TRIES: u32 = 100;
const REST: Duration = Duration::from_millis(100);
/// How often the progress is looked at.
const GLANCE: Duration = Duration::from_millis(500);
const TILL_LIMITS: &str = "more --tills (each has a key of its own), or a server started with a larger \
    tills.calls_per_second and tills.burst";

/// What the tills share.
pub struct Work {
    pub run: String,
    pub coupons: Vec<Coupon>,
    repeat: f64,
    next: AtomicUsize,
}

/// What the tills were answered.
pub struct Log {
    /// From when a redemption was due to its answer, in microseconds.
    pub latency: Histogram<u64>,
    /// The coupon's number, and the redemption's id.
    pub redeemed: Vec<(usize, String)>,
    pub repeated: u64,
    /// Repeated, and answered something else.
    pub differing: u64,
    /// Tries without an answer, which were made again.
    pub unanswered: u64,
    pub refusals: BTreeMap<String, u64>,
}

impl Log {
    pub fn new() -> anyhow::Result<Self> {
        let latency = Histogram::new_with_bounds(1, LONGEST, DIGITS)?;
        let refusals = BTreeMap::new();
        Ok(Self { latency, redeemed: Vec::new(), repeated: 0, differing: 0, unanswered: 0, refusals })
    }

    fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latency.add(&other.latency)?;
        self.redeemed.extend(other.redeemed);
        self.repeated += other.repeated;
        self.differing += other.differing;
        self.unanswered += other.unanswered;
        other.refusals.into_iter().for_each(|(reason, count)| *self.refusals.entry(reason).or_default() += count);
        Ok(())
    }
}

impl Work {
    pub fn new(run: String, coupons: Vec<Coupon>, repeat: f64) -> Self {
        Self { run, coupons, repeat, next: AtomicUsize::new(0) }
    }

    /// Whether this one is asked for twice: evenly spread, and exactly the share of all.
    fn is_repeated(&self, number: usize) -> bool {
        let before = |count: usize| (count as f64 * self.repeat) as u64;
        before(number + 1) > before(number)
    }
}

/// Redeems everything.
pub async fn all(work: &Arc<Work>, pace: &Arc<Pace>, channels: &[Channel], tills: &[TillKey]) -> anyhow::Result<Log> {
    let mut under_way = JoinSet::new();
    for (number, till) in tills.iter().enumerate() {
        let client = RedemptionServiceClient::new(channels[number % channels.len()].clone());
        let (id, store, key) = (till.id.clone(), till.store.clone(), till.key.clone());
        let till = Till { id, store, key, client, log: Log::new()? };
        under_way.spawn(till.run(work.clone(), pace.clone()));
    }
    let (mut log, mut told) = (Log::new()?, 0);
    let mut progress = Progress::new(work.coupons.len() as u64, "redeemed");
    loop {
        tokio::select! {
            ended = under_way.join_next() => match ended {
                Some(ended) => log.add(ended??)?,
                None => return Ok(log),
            },
            () = tokio::time::sleep(GLANCE) => {}
        }
        let taken = work.next.load(Relaxed).min(work.coupons.len());
        progress.add((taken - told) as u64);
        told = taken;
    }
}

struct Till {
    id: String,
    store: String,
    key: String,
    client: RedemptionServiceClient<Channel>,
    log: Log,
}

impl Till {
    async fn run(mut self, work: Arc<Work>, pace: Arc<Pace>) -> anyhow::Result<Log> {
        while let Some(due) = pace.turn().await {
            let number = work.next.fetch_add(1, Relaxed);
            let Some(coupon) = work.coupons.get(number) else { break };
            let request = self.request(&work.run, number, coupon);
            let first = self.redeem(&request).await?;
            self.note(due, number, &first);
            if work.is_repeated(number) {
                let again = self.redeem(&request).await?;
                self.log.repeated += 1;
                self.log.differing += u64::from(again != first);
            }
        }
        Ok(self.log)
    }

    fn request(&self, run: &str, number: usize, coupon: &Coupon) -> pb::RedeemOfferRequest {
        let by = Some(pb::presented::By::Code(coupon.code.clone()));
        pb::RedeemOfferRequest {
            request_id: format!("{run}-{number}"),
            store: self.store.clone(),
            till: self.id.clone(),
            presented: Some(pb::Presented { by, customer: String::new() }),
            amount: None,
            till_reference: String::new(),
        }
    }

    fn note(&mut self, due: Instant, number: usize, answer: &Result<pb::Redemption, String>) {
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(LONGEST);
        self.log.latency.saturating_record(micros.max(1));
        match answer {
            Ok(redemption) => self.log.redeemed.push((number, redemption.id.clone())),
            Err(reason) => *self.log.refusals.entry(reason.clone()).or_default() += 1,
        }
    }

    /// The redemption, or the reason of its refusal; asked for until there is one of them.
    async fn redeem(&mut self, request: &pb::RedeemOfferRequest) -> anyhow::Result<Result<pb::Redemption, String>> {
        for _ in 0..TRIES {
            let status = match self.client.redeem_offer(bearing(&self.key, request.clone())?).await {
                Ok(redeemed) => return Ok(Ok(Response::into_inner(redeemed))),
                Err(status) => status,
            };
            match status.code() {
                Code::FailedPrecondition | Code::NotFound => return Ok(Err(reason(&status))),
                code if is_lost(code, &status) => self.log.unanswered += 1,
                _ => return Err(hopeless(&status, TILL_LIMITS)),
            }
            tokio::time::sleep(REST).await;
        }
        anyhow::bail!("a redemption was not answered in {TRIES} tries")
    }
}

fn is_lost(code: Code, status: &Status) -> bool {
    use std::error::Error;
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled) || status.source().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_repeated_is_exact_and_spread() {
        let repeated = |share, count: usize| {
            let work = Work::new(String::new(), Vec::new(), share);
            (0..count).filter(|number| work.is_repeated(*number)).collect::<Vec<_>>()
        };
        assert_eq!(repeated(0.25, 9), [3, 7]);
        assert_eq!(repeated(1.0, 3), [0, 1, 2]);
        assert_eq!((repeated(0.0, 100).len(), repeated(0.05, 1_000).len()), (0, 50));
    }
}
