//! What became of the rows of an upload.
//!
//! Law 4: rows are told by their lines, never by their codes.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Context;

use crate::{
    cli::{import::progress::Progress, output::table},
    grpc::pb::{self, refused_code::Reason},
};

/// Malformed rows that are told one by one.
const TOLD: usize = 20;

/// Counts of an upload.
pub struct Tally {
    pub added: u64,
    pub duplicates: u64,
    pub malformed: u64,
    /// The lines of the first of those.
    first: Vec<u64>,
    pool_size: u64,
    report: Option<BufWriter<File>>,
    /// What went wrong with the report; it does not stop the upload.
    fault: Option<std::io::Error>,
    progress: Option<Progress>,
}

impl Tally {
    /// Makes the report's file at once: who cannot write it had better know before the upload.
    pub fn new(report: Option<&Path>, progress: Option<Progress>) -> anyhow::Result<Self> {
        let unwritable = |path: &Path| format!("{} cannot be written", path.display());
        let make = |path: &Path| File::create(path).map(BufWriter::new).with_context(|| unwritable(path));
        let report = report.map(make).transpose()?;
        let mut tally = Self {
            added: 0,
            duplicates: 0,
            malformed: 0,
            first: Vec::new(),
            pool_size: 0,
            report,
            fault: None,
            progress,
        };
        tally.write("line,reason");
        Ok(tally)
    }

    /// Whether there was no row at all.
    pub fn is_empty(&self) -> bool {
        self.added + self.duplicates + self.malformed == 0
    }

    /// The answer to a part, whose rows stood in these lines.
    pub fn add(&mut self, answer: &pb::UploadCodesResponse, lines: &[u64], bytes: u64) {
        self.added += u64::from(answer.added);
        self.pool_size = answer.pool_size;
        for refused in &answer.refused {
            let line = lines.get(refused.row as usize).copied().unwrap_or(0);
            let reason = refused.reason();
            self.write(&format!("{line},{}", reason.as_str_name()));
            if reason == Reason::Duplicate {
                self.duplicates += 1;
                continue;
            }
            self.malformed += 1;
            if self.first.len() < TOLD {
                self.first.push(line);
            }
        }
        if let Some(progress) = &mut self.progress {
            progress.add(bytes);
        }
    }

    fn write(&mut self, line: &str) {
        let Some(report) = &mut self.report else { return };
        if let Err(fault) = writeln!(report, "{line}") {
            self.fault.get_or_insert(fault);
        }
    }

    /// The report is whole, or that is said.
    pub fn close(&mut self) -> anyhow::Result<()> {
        let flushed = self.report.as_mut().map_or(Ok(()), Write::flush);
        self.fault.take().map_or(flushed, Err).context("the report cannot be written")
    }

    /// The result as people read it.
    pub fn tell(&self) -> String {
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let lines: Vec<String> = self.first.iter().map(u64::to_string).collect();
        let malformed = match (self.malformed, self.malformed - self.first.len() as u64) {
            (0, _) => "0".to_owned(),
            (all, 0) => format!("{all}, in lines {}", lines.join(", ")),
            (all, more) => format!("{all}, in lines {} and {more} more", lines.join(", ")),
        };
        table(&[
            row("added", self.added.to_string()),
            row("duplicates", self.duplicates.to_string()),
            row("malformed", malformed),
            row("pool", format!("{} codes", self.pool_size)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(row: u32, reason: Reason) -> pb::RefusedCode {
        pb::RefusedCode { row, reason: reason.into() }
    }

    #[test]
    fn rows_are_told_by_their_lines_in_the_file() {
        let mut tally = Tally::new(None, None).expect("no file");
        let refused = vec![refused(0, Reason::Malformed), refused(2, Reason::Duplicate)];
        let answer = pb::UploadCodesResponse { added: 1, refused, pool_size: 1 };
        tally.add(&answer, &[3, 4, 9], 0);
        tally.add(&answer, &[12, 13, 14], 0);
        let told = "added       2\nduplicates  2\nmalformed   2, in lines 3, 12\npool        1 codes";
        assert_eq!(tally.tell(), told);
    }

    #[test]
    fn the_first_twenty_are_told_and_the_rest_counted() {
        let mut tally = Tally::new(None, None).expect("no file");
        let refused = (0..30).map(|row| refused(row, Reason::Malformed)).collect();
        let lines: Vec<u64> = (1..=30).collect();
        tally.add(&pb::UploadCodesResponse { refused, ..Default::default() }, &lines, 0);
        assert!(tally.tell().contains("malformed   30, in lines 1, 2, ") && tally.tell().contains("20 and 10 more\n"));
    }
}
