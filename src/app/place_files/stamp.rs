//! The time of which a file speaks, out of what people and programs write.
//!
//! Law: what could be understood in two ways is not understood; a day is its first moment, UTC.

use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};

use crate::domain::{text::quoted, time::Timestamp, violation::Invalid};

/// Reads `2026-03-12`, `12/03/2026` (day, month, year), `2026-03-12T06:30:00Z`, the same with another offset, or without
/// one, which is UTC.
pub fn time(text: &str) -> Result<Timestamp, Invalid> {
    let refuse = || {
        let said = "must be a day such as 2026-03-12 or 12/03/2026, or a time such as 2026-03-12T06:30:00Z, was";
        Invalid::new(format!("{said} {}", quoted(text)))
    };
    understood(text.trim()).ok_or_else(refuse)
}

/// The first time that some lines of text say. A clock's time may stand after the day as a word of its own; a number
/// without `:` counts something else.
pub fn find(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_whitespace().map(bare).collect();
    let found = words.iter().enumerate().filter_map(|(i, word)| {
        let clock = words.get(i + 1).filter(|next| next.contains(':'));
        let with_clock = clock.and_then(|clock| understood(&format!("{}T{clock}", iso(word)?)));
        with_clock.or_else(|| understood(word))
    });
    found.into_iter().next()
}

/// Without what surrounds a word in a sentence.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn understood(text: &str) -> Option<Timestamp> {
    let iso = iso(text)?;
    let micros = |at: jiff::Timestamp| Timestamp::from_micros(at.as_microsecond());
    let absolute = iso.parse::<jiff::Timestamp>().map(micros);
    let civil = || iso.parse::<DateTime>().or_else(|_| iso.parse::<Date>().map(Into::into)).ok();
    let utc = || civil()?.to_zoned(TimeZone::UTC).ok().map(|at| micros(at.timestamp()));
    absolute.ok().or_else(utc)
}

/// The text, if it begins with a day in either form; the day as `2026-03-12`.
fn iso(text: &str) -> Option<String> {
    let (day, rest) = text.split_at_checked(10)?;
    let goes_on = rest.chars().next().is_some_and(|c| c.is_ascii_digit());
    let digits = |at: std::ops::Range<usize>| day.get(at).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let day = match (day.as_bytes().get(2)?, day.as_bytes().get(4)?) {
        (b'/', _) if day.as_bytes().get(5) == Some(&b'/') => {
            format!("{}-{}-{}", digits(6..10)?, digits(3..5)?, digits(0..2)?)
        }
        (_, b'-') if day.as_bytes().get(7) == Some(&b'-') => {
            format!("{}-{}-{}", digits(0..4)?, digits(5..7)?, digits(8..10)?)
        }
        _ => return None,
    };
    (!goes_on).then(|| day + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        time(text).expect("understood").to_string()
    }

    #[test]
    fn days_and_times_are_read_or_refused() {
        assert_eq!(at("2026-03-12"), "2026-03-12T00:00:00Z");
        assert_eq!(at(" 12/03/2026 "), "2026-03-12T00:00:00Z");
        assert_eq!(at("2026-03-12T06:30:00+01:00"), "2026-03-12T05:30:00Z");
        assert_eq!(at("2026-03-12T06:30"), "2026-03-12T06:30:00Z");
        assert_eq!(at("2026-03-12 06:30:00Z"), "2026-03-12T06:30:00Z");
        for wrong in ["", "today", "20260312", "2026-3-12", "2026-02-30", "30/02/2026", "3/12/2026", "2026-03-123", "é"]
        {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_found_in_a_sentence() {
        let found = |text: &str| find(text).map(|at| at.to_string());
        assert_eq!(found("Estrazione del 2026-03-12\n").as_deref(), Some("2026-03-12T00:00:00Z"));
        assert_eq!(found("Export (12/03/2026), 23605 rows").as_deref(), Some("2026-03-12T00:00:00Z"));
        assert_eq!(found("# made 2026-03-12 06:30:00.").as_deref(), Some("2026-03-12T06:30:00Z"));
        for counted in ["2026-03-12, 1200 righe", "2026-03-12 23 stores", "12/03/2026 0630"] {
            assert_eq!(found(counted).as_deref(), Some("2026-03-12T00:00:00Z"), "{counted}");
        }
        assert_eq!(found("23611022 rows of release 1.2.3; id|name"), None);
    }
}
