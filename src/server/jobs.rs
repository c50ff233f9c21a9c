//! What runs beside the calls: taking over catalog changes of other nodes, sweeping, and saying how the server is.
//!
//! Law: health tells the truth. `""` is SERVING while the process answers; each `dintorni.v1.…Service` is SERVING while
//! the record can be reached as well: the first is for restarting a process, the second for sending it calls.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic_health::{ServingStatus, server::HealthReporter};

use super::Ports;
use crate::{app::live_catalog::LiveCatalog, config::Config, grpc::limits::Limits};

/// Polls that must fail one after the other before the record counts as away.
const FAILURES: u32 = 3;
/// How often the counts of registrations forget who has been quiet.
const PRUNE: Duration = Duration::from_secs(60);
/// Between two batches of a sweep, so that the pings that wait meanwhile get their turn.
const BREATH: Duration = Duration::from_millis(20);

/// The jobs and what they need.
#[derive(Clone)]
pub(super) struct Jobs {
    pub ports: Ports,
    pub live: Arc<LiveCatalog>,
    pub limits: Arc<Limits>,
    pub health: HealthReporter,
    /// The services whose health depends on the record.
    pub names: Vec<&'static str>,
}

impl Jobs {
    /// Starts all jobs; they end when `ended` is cancelled.
    pub fn start(&self, config: &Config, tracker: &TaskTracker, ended: &CancellationToken) {
        let (poll, sweep, most) = (config.catalog.poll(), config.sweep.every(), config.sweep.most_rows.get());
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move { jobs.follow_catalog(poll).await }));
        let jobs = self.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move { jobs.sweep(sweep, most).await }));
        let limits = self.limits.clone();
        tracker.spawn(ended.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(PRUNE).await;
                limits.prune();
            }
        }));
    }

    /// Says whether the record can be reached.
    pub async fn announce(&self, reachable: bool) {
        let status = if reachable { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in &self.names {
            self.health.set_service_status(*name, status).await;
        }
    }

    /// Says that no new calls should come here.
    pub async fn stopping(&self) {
        self.announce(false).await;
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

    async fn sweep(&self, every: Duration, most: u32) {
        loop {
            tokio::time::sleep(every).await;
            let Ports { records, clock, .. } = &self.ports;
            match in_batches(most, || records.sweep(clock.now(), most)).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "swept what is past its time"),
                Err(error) => tracing::warn!(%error, "the sweep failed; it will be tried again"),
            }
        }
    }
}

/// Repeats a batch until one takes less than `most` rows, so that what piles up between two sweeps is gone after one;
/// returns how many rows went in all.
async fn in_batches<E, Batch>(most: u32, mut batch: impl FnMut() -> Batch) -> Result<u64, E>
where
    Batch: Future<Output = Result<u64, E>>,
{
    let mut gone = 0;
    loop {
        let rows = batch().await?;
        gone += rows;
        // Of several kinds together: when none of them filled its batch, at worst one more batch finds nothing.
        if rows < u64::from(most) {
            return Ok(gone);
        }
        tokio::time::sleep(BREATH).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sweep_ends_when_a_batch_is_not_full() {
        let mut piles = [1_000, 2_500, 3].into_iter();
        let gone = in_batches(1_000, || std::future::ready(piles.next().ok_or("swept once more than needed"))).await;
        assert_eq!(gone, Ok(3_503));
        assert_eq!(in_batches(1_000, || std::future::ready(Err::<u64, _>("away"))).await, Err("away"));
    }
}
