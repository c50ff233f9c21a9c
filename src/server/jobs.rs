//! What runs beside the calls: taking over catalog changes of other nodes, asking about spent budgets, sweeping, and
//! saying how the server is.
//!
//! Law: health tells the truth. `""` is SERVING while the process answers; each `dintorni.v1.…Service` is SERVING while
//! the record can be reached as well: the first is for restarting a process, the second for sending it calls.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic_health::{ServingStatus, server::HealthReporter};

use super::Ports;
use crate::{
    app::{ingest::Ingest, live_catalog::LiveCatalog, replays::Replays, settling::Settling},
    config::Config,
    grpc::limits::{Limits, PeopleLimits},
    ports::{Past, StoreError},
};

/// Polls that must fail one after the other before the record counts as away.
const FAILURES: u32 = 3;
/// How often the ledger is asked about budgets that are spent: more often than its word is believed for.
const ASK_OF_SPENT: Duration = Duration::from_secs(1);
/// How many of these questions later it is asked of which coupons none can be claimed, if that may have changed.
const LOOK_FOR_SPENT: u32 = 5;
/// How often the cache is given what it should have had: until then other servers believe what it has.
const SETTLE_DOUBTS: Duration = Duration::from_millis(200);
/// Between two batches of a sweep.
const REST: Duration = Duration::from_millis(20);
/// How often the counts of registrations, looks around and events forget who has been quiet, and what replays used goes.
const PRUNE: Duration = Duration::from_secs(60);

/// The jobs and what they need.
#[derive(Clone)]
pub(super) struct Jobs {
    pub ports: Ports,
    pub live: Arc<LiveCatalog>,
    pub ingest: Arc<Ingest>,
    pub settling: Arc<Settling>,
    pub replays: Arc<Replays>,
    pub limits: Arc<Limits>,
    pub people_limits: Arc<PeopleLimits>,
    pub health: HealthReporter,
    /// The services whose health depends on the record.
    pub names: Vec<&'static str>,
    /// Whether new calls should come here no more. Held while the services' health is told.
    pub stopped: Arc<Mutex<bool>>,
}

impl Jobs {
    /// Starts all jobs; they end when `ended` is cancelled.
    pub fn start(&self, config: &Config, tracker: &TaskTracker, ended: &CancellationToken) {
        let (poll, sweep, most) = (config.catalog.poll(), config.sweep.every(), config.sweep.most_rows.get());
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move { jobs.follow_catalog(poll).await }));
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move { jobs.sweep(sweep, most).await }));
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move { jobs.ask_of_spent().await }));
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move { jobs.settle_doubts().await }));
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(PRUNE).await;
                jobs.limits.prune();
                jobs.people_limits.prune();
                jobs.replays.prune();
            }
        }));
    }

    /// Says whether the record can be reached; when stopping, that it is nobody's any more.
    pub async fn announce(&self, reachable: bool) {
        let stopped = self.stopped.lock().await;
        self.tell(reachable && !*stopped).await;
    }

    async fn tell(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in &self.names {
            self.health.set_service_status(*name, status).await;
        }
    }

    /// Says that no new calls should come here.
    pub async fn stopping(&self) {
        *self.stopped.lock().await = true;
        self.tell(false).await;
        self.health.set_service_status("", ServingStatus::NotServing).await;
    }

    async fn follow_catalog(&self, every: Duration) {
        let mut failures = 0;
        loop {
            tokio::time::sleep(every).await;
            match self.live.refresh().await {
                Ok(_) if failures >= FAILURES => {
                    tracing::info!("the record can be reached again");
                    failures = 0;
                    self.announce(true).await;
                }
                Ok(_) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == FAILURES {
                        tracing::error!(%error, "the record cannot be reached");
                        self.announce(false).await;
                    }
                }
            }
        }
    }

    /// A record that is away is told of by the catalog's polls, and a cache by itself.
    async fn settle_doubts(&self) {
        loop {
            tokio::time::sleep(SETTLE_DOUBTS).await;
            self.settling.settle(self.ports.clock.now()).await;
        }
    }

    /// A ledger that is away is told of by the catalog's polls; the hints end by themselves.
    async fn ask_of_spent(&self) {
        for turn in (0..LOOK_FOR_SPENT).cycle() {
            tokio::time::sleep(ASK_OF_SPENT).await;
            let (now, ledger) = (self.ports.clock.now(), &*self.ports.ledger);
            // First: its hints end if nobody asks.
            let asked = self.ingest.ask_of_spent(ledger, now).await;
            let looked = match turn + 1 == LOOK_FOR_SPENT {
                true => self.ingest.look_for_spent(ledger, now).await,
                false => Ok(()),
            };
            if let Err(error) = asked.and(looked) {
                tracing::debug!(%error, "nobody knows whether spent budgets still are");
            }
        }
    }

    async fn sweep(&self, every: Duration, most: u32) {
        loop {
            tokio::time::sleep(every).await;
            let now = self.ports.clock.now();
            turn(most, |past| self.ports.records.sweep(past, now, most)).await;
        }
    }
}

/// Sweeps everything; what fails stops nothing else.
async fn turn<F>(most: u32, mut sweep: impl FnMut(Past) -> F)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    for past in Past::ALL {
        match until_short(most, || sweep(past)).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(?past, rows, "swept what is past its time"),
            Err(error) => tracing::warn!(?past, %error, "the sweep failed; it will be tried again"),
        }
    }
}

/// Sweeps batch by batch until one is not full: however much is past its time goes in one turn, and pings come in
/// between. Returns how many rows went.
async fn until_short<F>(most: u32, mut sweep: impl FnMut() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut gone = 0;
    loop {
        let rows = sweep().await?;
        gone += rows;
        if rows < u64::from(most) {
            return Ok(gone);
        }
        tokio::time::sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_of_the_sweep_leaves_nothing_that_a_full_batch_left() {
        let mut batches = [10_u64, 13, 9, 5].into_iter();
        let gone = until_short(10, || std::future::ready(Ok(batches.next().unwrap_or(0)))).await;
        assert_eq!((gone.ok(), batches.next()), (Some(32), Some(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_swept_stops_nothing_else() {
        let mut swept = Vec::new();
        turn(10, |past| {
            swept.push(past);
            std::future::ready(Err(StoreError::Unavailable("it took too long".to_owned())))
        })
        .await;
        assert_eq!(swept, Past::ALL);
    }
}
