//! The server's own counters, as its metrics tell them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::Context;

/// Longest wait for the metrics.
const WAIT: Duration = Duration::from_secs(5);

/// What was made durable since the server began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commits {
    /// Commits that a disk confirmed.
    pub transactions: u64,
    /// Changes that were made in them.
    pub changes: u64,
}

impl Commits {
    /// Asks at HOST:PORT.
    pub fn read(address: &str) -> anyhow::Result<Self> {
        let asked = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(WAIT))?;
            stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: metrics\r\nConnection: close\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        };
        let text = asked().with_context(|| format!("--metrics {address} cannot be read"))?;
        Self::of(&text).with_context(|| format!("--metrics {address} are not those of Dintorni"))
    }

    fn of(text: &str) -> Option<Self> {
        let counter = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            line.trim().parse().ok()
        };
        let transactions = counter("dintorni_record_transactions_total")?;
        Some(Self { transactions, changes: counter("dintorni_record_commits_done_total")? })
    }

    pub fn since(self, before: &Self) -> Self {
        let transactions = self.transactions.saturating_sub(before.transactions);
        Self { transactions, changes: self.changes.saturating_sub(before.changes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_found_by_their_whole_names() {
        let text = "HTTP/1.0 200 OK\r\n\r\n# HELP dintorni_record_transactions x\n\
            dintorni_record_transactions_failed_total 9\ndintorni_record_transactions_total 4\n\
            dintorni_record_commits_done_total 31\n";
        let commits = Commits::of(text).expect("both are there");
        assert_eq!(commits, Commits { transactions: 4, changes: 31 });
        assert_eq!(commits.since(&Commits { transactions: 1, changes: 1 }).changes, 30);
        assert_eq!(Commits::of("HTTP/1.0 404 Not Found\r\n\r\n"), None);
    }
}
