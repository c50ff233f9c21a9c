//! Times as people type them: a moment, or how long ago.
//!
//! Law 9: what is said as "so long before" is counted from a moment that is passed in.

use super::names;
use crate::domain::{text::quoted, time::Timestamp};

/// `2026-11-22T18:30:00Z`, with `Z` or another offset.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || "must be a time such as 2026-11-22T18:30:00Z or 2026-11-22T19:30:00+01:00".to_owned();
    let read: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    Ok(Timestamp::from_micros(read.as_microsecond()))
}

/// A moment, or how long before `then`.
pub fn before(text: &str, then: Timestamp) -> Result<Timestamp, String> {
    let wrong = || {
        format!("must be a time such as 2026-11-22T18:30:00Z, or how long before: 30m, 24h, 7d; was {}", quoted(text))
    };
    moment(text).or_else(|_| names::span(text).map(|span| then - span)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_has_a_zone() {
        assert_eq!(moment("2026-11-22T19:30:00+01:00"), moment("2026-11-22T18:30:00Z"));
        for wrong in ["", "tomorrow", "2026-11-22", "2026-11-22T18:30:00"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_counted_from_then() {
        let then = moment("2026-11-22T18:30:00Z").expect("sound");
        assert_eq!(before("2h", then), Ok(then - Duration::from_secs(7_200)));
        assert_eq!(before("2026-11-22T19:30:00+01:00", then), Ok(then));
        assert!(before("yesterday", then).is_err_and(|why| why.contains("24h") && why.contains("yesterday")));
    }
}
