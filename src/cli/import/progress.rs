//! How far something long is: a bar on a terminal, lines elsewhere.
//!
//! Law: on standard error alone; the bar at most a hundred times, and behind it what is waited for; a line every few
//! seconds, none for what is done sooner.

#![expect(clippy::disallowed_methods, reason = "shown to the reader, and nothing is decided by it")]

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::cli::output::note;

const WIDTH: u64 = 40;
/// Between two lines.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts what is on its way.
#[derive(Clone)]
pub struct Progress {
    total: u64,
    /// What is counted: "rows".
    what: &'static str,
    done: u64,
    told: u64,
    told_at: Instant,
    terminal: bool,
}

impl Progress {
    pub fn new(total: u64, what: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { total, what, done: 0, told: 0, told_at: Instant::now(), terminal }
    }

    /// So many more were handed over.
    pub fn add(&mut self, more: u64) {
        self.done += more;
        let percent = self.done * 100 / self.total.max(1);
        if self.terminal && (percent > self.told || self.done == self.total) {
            self.told = percent;
            // A closed standard error is no reason to stop an import.
            std::io::stderr().write_all(self.bar(percent).as_bytes()).ok();
        }
        if !self.terminal && self.told_at.elapsed() >= PAUSE {
            self.told_at = Instant::now();
            note(format!("{} of {} {}", self.done, self.total, self.what));
        }
    }

    /// All was handed over, and the server has yet to answer, which may take minutes.
    pub fn wait(&self) {
        if let Some(said) = self.waiting() {
            note(said);
        }
    }

    /// A pipe has the lines of its counts, and nothing extra.
    fn waiting(&self) -> Option<&'static str> {
        (self.terminal && self.done >= self.total).then_some("sent; waiting for the server")
    }

    fn bar(&self, percent: u64) -> String {
        let Self { total, done, what, .. } = self;
        let full = (percent * WIDTH / 100) as usize;
        let end = if done == total { "\n" } else { "" };
        format!(
            "\r[{:<width$}] {percent:>3} %  {done} of {total} {what}{end}",
            "#".repeat(full),
            width = WIDTH as usize
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_full_bar_a_terminal_is_told_what_is_waited_for() {
        let progress = |done, terminal| Progress { done, terminal, ..Progress::new(200, "rows") };
        assert_eq!(progress(200, true).waiting(), Some("sent; waiting for the server"));
        assert!(progress(199, true).waiting().is_none() && progress(200, false).waiting().is_none());
    }

    #[test]
    fn half_way_the_bar_is_half_full() {
        let bar = Progress { done: 100, ..Progress::new(200, "rows") }.bar(50);
        assert!(bar.starts_with("\r[####################   ") && bar.ends_with("100 of 200 rows"), "{bar:?}");
    }
}
