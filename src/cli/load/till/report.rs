//! What a load of tills found, for people and for machines.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{drive::Log, meters::Commits, verify::Proof};
use crate::cli::{
    load::report::{QUANTILES, millis},
    output::table,
};

/// The whole result.
pub struct Report {
    pub tills: usize,
    /// Redemptions a second that were wanted; none: as many as can be.
    pub rate: Option<f64>,
    pub took: Duration,
    pub log: Log,
    /// What the server's process used meanwhile, if it is known.
    pub server: Option<Duration>,
    pub commits: Option<Commits>,
    pub proof: Proof,
}

impl Report {
    fn achieved(&self) -> f64 {
        self.log.redeemed.len() as f64 / self.took.as_secs_f64()
    }

    /// Seconds of the server's processors for 1,000 redemptions.
    fn server_seconds(&self) -> Option<f64> {
        let redeemed = self.log.redeemed.len().max(1) as f64;
        Some(self.server?.as_secs_f64() * 1_000.0 / redeemed)
    }

    /// One object; `null` is what is not known.
    pub fn as_json(&self) -> anyhow::Result<String> {
        let Self { log, proof, .. } = self;
        let latency = QUANTILES.map(|(name, share)| (name.to_owned(), log.latency.value_at_quantile(share)));
        Ok(serde_json::to_string_pretty(&json!({
            "tills": self.tills,
            "seconds": self.took.as_secs_f64(),
            "redeemed": log.redeemed.len(),
            "rate_wanted": self.rate,
            "rate_achieved": self.achieved(),
            "latency_us": BTreeMap::from(latency),
            "repeated": log.repeated,
            "unanswered": log.unanswered,
            "refusals": log.refusals,
            "server_cpu_s_per_1000": self.server_seconds(),
            "transactions": self.commits.map(|commits| commits.transactions),
            "changes": self.commits.map(|commits| commits.changes),
            "listed": proof.listed,
            "ledger_faults": proof.ledger.fault_count,
            "faults": proof.faults,
        }))?)
    }

    /// A table.
    pub fn as_table(&self) -> String {
        let Self { log, proof, .. } = self;
        let wanted = self.rate.map_or_else(|| "as fast as answers came".to_owned(), |rate| format!("{rate:.0} wanted"));
        let (redeemed, seconds) = (log.redeemed.len(), self.took.as_secs_f64());
        let mut rows = vec![
            ("tills", self.tills.to_string()),
            ("redeemed", format!("{redeemed} in {seconds:.1} s: {:.0} a second ({wanted})", self.achieved())),
        ];
        rows.extend(QUANTILES.map(|(name, share)| (name, millis(log.latency.value_at_quantile(share)))));
        rows.push(("repeated", format!("{}, of which {} were answered otherwise", log.repeated, log.differing)));
        rows.extend(log.refusals.iter().map(|(reason, count)| ("refused", format!("{reason} {count}"))));
        if log.unanswered > 0 {
            rows.push(("unanswered", format!("{} tries, which were made again", log.unanswered)));
        }
        let unknown = || "unknown: the server is on another machine, or another user's; see --server-pid".to_owned();
        let cpu = |seconds| format!("{seconds:.3} s of CPU for 1,000 redemptions");
        rows.push(("server", self.server_seconds().map_or_else(unknown, cpu)));
        if let Some(Commits { transactions, changes }) = self.commits {
            let each = changes as f64 / transactions.max(1) as f64;
            rows.push(("commits", format!("{transactions} with {changes} changes, {each:.1} in each")));
        }
        let ledger = &proof.ledger;
        rows.push(("record", format!("{} redemptions listed", proof.listed)));
        let looked = format!("{} accounts, {} holds, {} offers", ledger.accounts, ledger.holds, ledger.offers);
        rows.push(("ledger", format!("{} faults in {looked}", ledger.fault_count)));
        let verdict = match proof.faults.len() {
            0 => "every coupon was redeemed exactly once, and all agree".to_owned(),
            _ => "FAILED: see below".to_owned(),
        };
        rows.push(("proof", verdict));
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        table(&rows)
    }
}
