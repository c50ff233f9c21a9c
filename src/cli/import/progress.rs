//! How far an import is: a bar.
//!
//! Law: it is for people, so it is only for a terminal; on standard error, at most a hundred times.

use std::io::{IsTerminal, Write};

const WIDTH: u64 = 40;

/// Counts rows on their way.
#[derive(Clone)]
pub struct Progress {
    total: u64,
    done: u64,
    told: u64,
    terminal: bool,
}

impl Progress {
    pub fn new(total: u64) -> Self {
        Self { total, done: 0, told: 0, terminal: std::io::stderr().is_terminal() }
    }

    /// `rows` more were handed over.
    pub fn add(&mut self, rows: u64) {
        self.done += rows;
        let percent = self.done * 100 / self.total.max(1);
        if self.terminal && (percent > self.told || self.done == self.total) {
            self.told = percent;
            // A closed standard error is no reason to stop an import.
            std::io::stderr().write_all(self.line(percent).as_bytes()).ok();
        }
    }

    fn line(&self, percent: u64) -> String {
        let Self { total, done, .. } = self;
        let full = (percent * WIDTH / 100) as usize;
        let end = if done == total { "\n" } else { "" };
        format!("\r[{:<width$}] {percent:>3} %  {done} of {total} rows{end}", "#".repeat(full), width = WIDTH as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_way_the_bar_is_half_full() {
        let progress = Progress { total: 200, done: 100, told: 0, terminal: true };
        let bar = progress.line(50);
        assert!(bar.starts_with("\r[####################   ") && bar.ends_with("100 of 200 rows"), "{bar:?}");
    }
}
