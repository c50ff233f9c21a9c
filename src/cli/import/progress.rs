//! How far something long is: a bar on a terminal, lines elsewhere.
//!
//! Law: on standard error alone; the bar at most a hundred times, and behind it what is waited for; a line every few
//! seconds, none for what is done sooner. Nothing else is printed behind a bar.

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
    /// None while nobody knows.
    total: Option<u64>,
    /// What is counted: "rows".
    what: &'static str,
    done: u64,
    told: u64,
    told_at: Instant,
    terminal: bool,
    /// Whether the line on the terminal has yet to be ended.
    is_open: bool,
}

impl Progress {
    pub fn new(total: u64, what: &'static str) -> Self {
        Self { total: Some(total), ..Self::counting(what) }
    }

    /// Of what nobody knows how much there is.
    pub fn counting(what: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { total: None, what, done: 0, told: 0, told_at: Instant::now(), terminal, is_open: false }
    }

    /// So many more were handed over.
    pub fn add(&mut self, more: u64) {
        self.done += more;
        if self.terminal {
            if let Some(line) = self.line() {
                show(&line);
            }
        } else if self.told_at.elapsed() >= PAUSE {
            self.told_at = Instant::now();
            note(self.count());
        }
    }

    /// Before anything else is printed.
    pub fn end_line(&mut self) {
        if std::mem::take(&mut self.is_open) {
            show("\n");
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
        (self.terminal && !self.is_under_way()).then_some("sent; waiting for the server")
    }

    fn is_under_way(&self) -> bool {
        self.total.is_none_or(|total| self.done < total)
    }

    /// What a terminal shows in place of the line before, if it is anything else.
    fn line(&mut self) -> Option<String> {
        let percent = self.total.map(|total| self.done * 100 / total.max(1));
        if percent.is_some_and(|percent| percent <= self.told) && self.is_under_way() {
            return None;
        }
        self.is_open = self.is_under_way();
        let Some(percent) = percent else { return Some(format!("\r{}", self.count())) };
        self.told = percent;
        let full = (percent * WIDTH / 100) as usize;
        let end = if self.is_open { "" } else { "\n" };
        Some(format!("\r[{:<width$}] {percent:>3} %  {}{end}", "#".repeat(full), self.count(), width = WIDTH as usize))
    }

    fn count(&self) -> String {
        match self.total {
            Some(total) => format!("{} of {total} {}", self.done, self.what),
            None => format!("{} {}", self.done, self.what),
        }
    }
}

/// A closed standard error is no reason to stop.
fn show(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).ok();
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
        let mut progress = Progress { done: 100, ..Progress::new(200, "rows") };
        let bar = progress.line().expect("something new");
        assert!(bar.starts_with("\r[####################   ") && bar.ends_with("100 of 200 rows"), "{bar:?}");
        progress.done = 101;
        assert_eq!(progress.line(), None, "less than a hundredth more");
    }

    #[test]
    fn a_line_is_open_until_all_is_done_or_something_else_is_printed() {
        let mut progress = Progress { done: 10, ..Progress::new(200, "rows") };
        progress.line();
        assert!(progress.is_open);
        progress.end_line();
        progress.done = 11;
        assert!(progress.line().is_none() && !progress.is_open, "nothing new is shown yet");
        progress.done = 200;
        assert!(progress.line().is_some_and(|bar| bar.ends_with("200 of 200 rows\n")) && !progress.is_open);
        let mut counting = Progress { done: 1_000, ..Progress::counting("decisions listed") };
        assert_eq!(counting.line().as_deref(), Some("\r1000 decisions listed"));
        assert!(counting.is_open && counting.waiting().is_none());
    }
}
