//! Which numbers of the parts become metrics, and what they are called.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::services::Services;
use crate::{
    app::{
        ingest::{Ingest, IngestCounters},
        profile_store::{ProfileStore, ProfileStoreCounters},
        stages::{ENDS_US, Stage},
    },
    storage::{
        CacheCounts,
        sql::{Sql, SqlCounts},
    },
    telemetry::{Meter, Timing, Timings},
};

/// What the use cases count.
pub(super) fn of_services(services: &Services) -> Vec<Meter> {
    let ingest = |name, help, pick: fn(&IngestCounters) -> &AtomicU64| {
        let ingest: Arc<Ingest> = services.ingest.clone();
        Meter::counter(name, help, move || pick(&ingest.counters).load(Relaxed))
    };
    let profiles = |name, help, pick: fn(&ProfileStoreCounters) -> &AtomicU64| {
        let profiles: Arc<ProfileStore> = services.profiles.clone();
        Meter::counter(name, help, move || pick(&profiles.counters).load(Relaxed))
    };
    let opened = services.profiles.clone();
    let (live, problems) = (services.live.clone(), services.live.clone());
    vec![
        ingest("pings", "Pings taken in", |c| &c.pings),
        ingest("pings_repeated", "Pings answered as before, since their id was known", |c| &c.repeated),
        ingest("pings_committed", "Pings that changed something, durably", |c| &c.committed),
        ingest("pings_stale", "Decisions made anew because the profile had changed", |c| &c.stale),
        ingest("pings_exhausted", "Decisions made anew because a budget was used up", |c| &c.exhausted),
        ingest("offers", "Offers made", |c| &c.offers),
        profiles("profile_held", "Profiles of open streams found in this node's memory", |c| &c.held),
        profiles("profile_hits", "Profiles found in the cache", |c| &c.hits),
        profiles("profile_misses", "Profiles not found in the cache", |c| &c.misses),
        profiles("profile_confirmations", "Cached profiles whose version was confirmed", |c| &c.confirmations),
        profiles("profile_cache_failures", "Calls of the cache that failed", |c| &c.cache_failures),
        profiles("profile_fallbacks_refused", "Readers refused while the cache failed", |c| &c.refused_fallbacks),
        Meter::gauge("ping_streams_open", "Streams of pings that are open", move || opened.open.streams()),
        Meter::gauge("catalog_version", "The catalog in force on this node", move || live.snapshot().version),
        Meter::gauge("catalog_problems", "Targets at which active campaigns cannot fire", move || {
            problems.snapshot().areas.problems().count() as u64
        }),
    ]
}

/// How long the stages of pings take.
pub(super) fn of_stages(services: &Services) -> Timings {
    let ingest = services.ingest.clone();
    let spread = move |stage: Stage| {
        let spread = ingest.stages.of(stage);
        let ends = ENDS_US.iter().map(|&micros| micros as f64 / 1e6).chain([f64::INFINITY]);
        Timing { label: stage.as_str(), sum: spread.sum().as_secs_f64(), counts: ends.zip(spread.counts()).collect() }
    };
    Timings {
        name: "ping_stage_seconds",
        help: "Pings by stage: how long it took to read the profile, to decide, to make the change durable",
        label: "stage",
        read: Arc::new(move || Stage::ALL.map(&spread).to_vec()),
    }
}

/// What the record counts.
pub(super) fn of_sql(sql: &Arc<Sql>) -> Vec<Meter> {
    let meter = |name, help, pick: fn(&SqlCounts) -> u64| {
        let sql = sql.clone();
        Meter::counter(name, help, move || pick(&sql.counts()))
    };
    vec![
        meter("record_transactions", "Transactions that a disk confirmed", |c| c.transactions),
        meter("record_transactions_failed", "Transactions that failed, or did not begin", |c| c.failed),
        meter("record_commits_done", "Changes made", |c| c.done),
        meter("record_commits_repeated", "Changes that had been made before", |c| c.repeated),
        meter("record_commits_stale", "Changes refused because a profile had changed", |c| c.stale),
        meter("record_commits_exhausted", "Changes refused because a budget was used up", |c| c.exhausted),
        meter("record_commits_failed", "Changes that failed", |c| c.errors),
        meter("catalog_changes_unreadable", "Changes of the catalog that could not be read", |c| c.unreadable_changes),
    ]
}

/// What the profile cache counts.
pub(super) fn of_cache(counts: impl Fn() -> CacheCounts + Clone + Send + Sync + 'static) -> Vec<Meter> {
    let meter = |name, help, pick: fn(&CacheCounts) -> u64| {
        let counts = counts.clone();
        Meter::counter(name, help, move || pick(&counts()))
    };
    vec![
        meter("cache_hits", "Gets that found a copy", |c| c.hits),
        meter("cache_misses", "Gets that found none", |c| c.misses),
        meter("cache_kept", "Puts that were kept", |c| c.kept),
        meter("cache_outdated", "Puts refused because a newer copy was held", |c| c.outdated),
        meter("cache_undecodable", "Copies that could not be read", |c| c.undecodable),
        meter("cache_failures", "Calls that failed or took too long", |c| c.failures),
    ]
}
