//! What a load found, for people and for machines.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::tally::Tally;
use crate::cli::output::table;

/// What is told of latencies, and at which share of the good answers.
pub const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The whole result.
pub struct Report {
    /// "calls" or "streams".
    pub door: &'static str,
    /// Pings a second that were wanted; none: as many as can be.
    pub rate: Option<f64>,
    pub devices: usize,
    pub connections: usize,
    /// How long was measured.
    pub measured: Duration,
    pub tally: Tally,
    pub unsent: u64,
    /// Had no answer long after the end.
    pub unanswered: u64,
    /// What the server's process used meanwhile, if it is known.
    pub server: Option<Duration>,
}

impl Report {
    fn achieved(&self) -> f64 {
        self.tally.answers() as f64 / self.measured.as_secs_f64()
    }

    /// Milliseconds of the server's processors for 1,000 pings.
    fn server_ms(&self) -> Option<f64> {
        let answers = self.tally.answers().max(1) as f64;
        Some(self.server?.as_secs_f64() * 1_000.0 * 1_000.0 / answers)
    }

    /// One object, in SI units; `null` is what is not known.
    pub fn as_json(&self) -> anyhow::Result<String> {
        let latency = QUANTILES.map(|(name, share)| (name.to_owned(), self.tally.latency.value_at_quantile(share)));
        let Tally { offers, transitions, changed, .. } = self.tally;
        Ok(serde_json::to_string_pretty(&json!({
            "door": self.door,
            "devices": self.devices,
            "connections": self.connections,
            "seconds": self.measured.as_secs_f64(),
            "rate_wanted": self.rate,
            "rate_achieved": self.achieved(),
            "answers": self.tally.answers(),
            "unsent": self.unsent,
            "unanswered": self.unanswered,
            "codes": self.tally.codes().collect::<BTreeMap<_, _>>(),
            "latency_us": BTreeMap::from(latency),
            "changed": changed,
            "transitions": transitions,
            "offers": offers,
            "server_cpu_ms_per_1000": self.server_ms(),
        }))?)
    }

    /// A table.
    pub fn as_table(&self) -> String {
        let Tally { latency, offers, transitions, changed, .. } = &self.tally;
        let answers = self.tally.answers();
        let wanted = self.rate.map_or_else(|| "as fast as answers came".to_owned(), |rate| format!("{rate:.0} wanted"));
        let of = |count: u64| format!("{count} ({:.2} %)", 100.0 * count as f64 / answers.max(1) as f64);
        let mut rows = vec![
            ("door", format!("{}, {} devices, {} connections", self.door, self.devices, self.connections)),
            (
                "rate",
                format!("{:.0} pings a second over {:.1} s ({wanted})", self.achieved(), self.measured.as_secs_f64()),
            ),
        ];
        rows.extend(QUANTILES.map(|(name, share)| (name, millis(latency.value_at_quantile(share)))));
        rows.extend(self.tally.codes().map(|(code, count)| ("answers", format!("{code} {}", of(count)))));
        rows.push(("changed", of(*changed)));
        rows.push(("transitions", transitions.to_string()));
        rows.push(("offers", offers.to_string()));
        if self.unsent > 0 {
            rows.push((
                "unsent",
                format!("{}: due, but all callers still waited; the latencies do not know them", self.unsent),
            ));
        }
        if self.unanswered > 0 {
            rows.push(("unanswered", format!("{}: still waited for; the latencies do not know them", self.unanswered)));
        }
        let unknown = || "unknown: the server is on another machine, or another user's; see --server-pid".to_owned();
        rows.push(("server", self.server_ms().map_or_else(unknown, |ms| format!("{ms:.1} ms of CPU for 1,000 pings"))));
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        table(&rows)
    }
}

/// The progress of one second.
pub fn line(second: u64, tally: &Tally) -> String {
    let (answers, bad) = (tally.answers(), tally.answers() - tally.good());
    let [half, most] = [0.5, 0.99].map(|share| millis(tally.latency.value_at_quantile(share)));
    format!("{second:>5} s  {answers:>8} answers  p50 {half:>11}  p99 {most:>11}  {bad} errors")
}

pub fn millis(micros: u64) -> String {
    format!("{:.3} ms", micros as f64 / 1_000.0)
}
