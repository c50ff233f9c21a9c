//! What came of the pings: how long each took, and what it was answered.
//!
//! Law: every answer is counted once; those to pings that were due in the warm-up are not. A refusal is quick, so it has no
//! part in the latencies.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use hdrhistogram::Histogram;
use tokio::time::Instant;
use tonic::Code;

use super::pace::Pace;
use crate::grpc::pb::PingResponse;

/// Longest latency told apart, in microseconds: a minute. Longer ones count as that.
const LONGEST: u64 = 60_000_000;
/// Latencies are kept to three digits.
const DIGITS: u8 = 3;
/// Callers share so many tallies, so that they rarely wait for each other.
const SHARDS: usize = 16;
/// gRPC has so many codes, from OK to UNAUTHENTICATED.
const CODES: usize = 17;

/// Counts of one stretch of time.
#[derive(Clone)]
pub struct Tally {
    /// From when a ping was due to its answer, in microseconds, of those that were answered well.
    pub latency: Histogram<u64>,
    codes: [u64; CODES],
    pub offers: u64,
    pub transitions: u64,
    /// Pings that changed something durable.
    pub changed: u64,
}

impl Tally {
    pub fn new() -> anyhow::Result<Self> {
        let latency = Histogram::new_with_bounds(1, LONGEST, DIGITS)?;
        Ok(Self { latency, codes: [0; CODES], offers: 0, transitions: 0, changed: 0 })
    }

    /// How often each code was answered, of those that were.
    pub fn codes(&self) -> impl Iterator<Item = (String, u64)> {
        let named = |(code, &count): (usize, &u64)| (format!("{:?}", Code::from(code as i32)), count);
        self.codes.iter().enumerate().filter(|(_, count)| **count > 0).map(named)
    }

    pub fn answers(&self) -> u64 {
        self.codes.iter().sum()
    }

    pub fn good(&self) -> u64 {
        self.codes[Code::Ok as usize]
    }

    fn record(&mut self, micros: u64, answer: Result<&PingResponse, Code>) {
        match answer {
            Ok(answer) => {
                self.latency.saturating_record(micros.max(1));
                self.codes[Code::Ok as usize] += 1;
                self.offers += answer.offers.len() as u64;
                self.transitions += answer.transitions.len() as u64;
                self.changed += u64::from(!answer.decision.is_empty());
            }
            Err(code) => self.codes[code as usize] += 1,
        }
    }

    /// Takes over what `other` counted.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latency.add(&other.latency)?;
        self.codes.iter_mut().zip(other.codes).for_each(|(mine, more)| *mine += more);
        self.offers += other.offers;
        self.transitions += other.transitions;
        self.changed += other.changed;
        Ok(())
    }

    fn reset(&mut self) {
        self.latency.reset();
        (self.codes, self.offers, self.transitions, self.changed) = ([0; CODES], 0, 0, 0);
    }
}

/// Where all callers record.
pub struct Tallies {
    shards: Vec<Mutex<Tally>>,
    begun: AtomicU64,
    pace: Arc<Pace>,
}

impl Tallies {
    pub fn new(pace: Arc<Pace>) -> anyhow::Result<Self> {
        let shards = (0..SHARDS).map(|_| Tally::new().map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(Self { shards, begun: AtomicU64::new(0), pace })
    }

    /// A ping that is due now, and will be recorded when it is answered.
    pub fn begin(&self, due: Instant) {
        self.begun.fetch_add(u64::from(self.pace.is_measured(due)), Relaxed);
    }

    /// How many have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// An answer, now, to a ping that was due then.
    pub fn record(&self, caller: usize, due: Instant, answer: Result<&PingResponse, Code>) {
        if self.pace.is_measured(due) {
            let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(LONGEST);
            lock(&self.shards[caller % SHARDS]).record(micros, answer);
        }
    }

    /// What was counted since this was asked last.
    pub fn drain(&self) -> anyhow::Result<Tally> {
        let mut all = Tally::new()?;
        for shard in &self.shards {
            let mut shard = lock(shard);
            all.add(&shard)?;
            shard.reset();
        }
        Ok(all)
    }
}

fn lock(shard: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
