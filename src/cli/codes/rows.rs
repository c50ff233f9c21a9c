//! Rows of a file of codes, in parts that a server takes at once.
//!
//! Law: every row keeps the number of its line, from 1, whatever stands between; memory is bounded by a part.

use std::io::{self, BufRead, Read};

/// Codes of one message: fewer than a server takes, so that one far from its database answers in time.
const MOST_CODES: usize = 1_000;

/// Bytes of codes in one part: with what protobuf adds it is well below what a server takes (server.max_message_bytes).
const MAX_BYTES: usize = 500_000;
/// More of a line is not looked at. No code is so long, so that what is left is none either.
const MAX_LINE: u64 = 1_000;
/// What some programs put before a text.
const BOM: &str = "\u{feff}";

/// Codes to send at once.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    pub codes: Vec<String>,
    /// The line of each.
    pub lines: Vec<u64>,
    /// How much of the file this was.
    pub bytes: u64,
}

/// Reads all parts, and gives each away until nobody takes more. There is one at least, so that the campaign is asked for
/// even if the file is empty.
pub fn batches(mut reader: impl BufRead, mut give: impl FnMut(Batch) -> bool) -> io::Result<()> {
    let (mut batch, mut size, mut given) = (Batch::default(), 0, 0);
    for number in 1.. {
        let Some((line, bytes)) = line(&mut reader)? else { break };
        batch.bytes += bytes;
        let row = if number == 1 { line.trim_start_matches(BOM).trim() } else { line.trim() };
        if row.is_empty() {
            continue;
        }
        size += row.len();
        batch.codes.push(row.to_owned());
        batch.lines.push(number);
        if batch.codes.len() == MOST_CODES || size >= MAX_BYTES {
            if !give(std::mem::take(&mut batch)) {
                return Ok(());
            }
            (size, given) = (0, given + 1);
        }
    }
    if !batch.codes.is_empty() || given == 0 {
        give(batch);
    }
    Ok(())
}

/// The beginning of the next line, and how long all of it is; none at the end. What is not UTF-8 is no code.
fn line(reader: &mut impl BufRead) -> io::Result<Option<(String, u64)>> {
    let mut line = Vec::new();
    let mut bytes = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
    if bytes == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        bytes += reader.skip_until(b'\n')? as u64;
    }
    Ok(Some((String::from_utf8_lossy(&line).into_owned(), bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Batch> {
        let mut all = Vec::new();
        batches(text, |batch| {
            all.push(batch);
            true
        })
        .expect("read");
        all
    }

    #[test]
    fn rows_keep_their_lines_whatever_stands_between() {
        let text = "\u{feff}AAAA\r\n\r\n  BBBB  \n\n\nCC-CC".as_bytes();
        let batches = read(text);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].codes, ["AAAA", "BBBB", "CC-CC"]);
        assert_eq!((batches[0].lines.as_slice(), batches[0].bytes), ([1, 3, 6].as_slice(), text.len() as u64));
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_the_next_is_whole() {
        let text = ["x".repeat(5_000).as_bytes(), b"\n\xff\xfe\nAAAA\n"].concat();
        let batches = read(&text);
        assert_eq!(batches[0].codes[0].len(), MAX_LINE as usize);
        assert_eq!((batches[0].codes[2].as_str(), &batches[0].lines), ("AAAA", &vec![1, 2, 3]));
        assert_eq!(batches[0].bytes, text.len() as u64);
    }

    #[test]
    fn parts_are_as_large_as_a_server_takes() {
        let sizes = |text: String| read(text.as_bytes()).iter().map(|batch| batch.codes.len()).collect::<Vec<_>>();
        assert_eq!(sizes("AAAA\n".repeat(MOST_CODES + 1)), [MOST_CODES, 1]);
        assert_eq!(sizes("AAAA\n".repeat(MOST_CODES)), [MOST_CODES]);
        let long = format!("{}\n", "x".repeat(999));
        assert!(sizes(long.repeat(1_200)).iter().all(|codes| codes * 999 <= MAX_BYTES + 999));
        assert_eq!(sizes(String::new()), [0], "the campaign is asked for");
    }

    #[test]
    fn who_takes_no_more_is_given_no_more() {
        let (text, mut given) = ("AAAA\n".repeat(3 * MOST_CODES), 0);
        let once = |_| {
            given += 1;
            false
        };
        batches(text.as_bytes(), once).expect("read");
        assert_eq!(given, 1);
    }
}
