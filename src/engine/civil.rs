//! From minutes of civil dates to instants: is it within them now, and when does that change?
//!
//! Law 7: between two transitions of a zone its clock runs as time does, so there minutes are counted forward; at a
//! transition the clock is read anew. So a skipped time never comes, and a repeated one comes twice.

use std::time::Duration;

use jiff::civil::Date;

use crate::domain::{
    schedule::Spans,
    time::{TimeZone, Timestamp},
};

const MINUTE_MICROS: i64 = 60_000_000;
const DAY_MICROS: i64 = 24 * 60 * MINUTE_MICROS;
/// Steps of a search for each day of it: to the day's end, and to a transition before that.
const STEPS_A_DAY: u64 = 2;

/// Whether the clock of the zone shows a minute of the spans that its date has.
pub fn is_within(zone: &TimeZone, at: Timestamp, on: impl FnOnce(Date) -> Spans) -> bool {
    let (date, micros) = reading(zone, at);
    on(date).iter().any(|span| (micros_of(span.start)..micros_of(span.end)).contains(&micros))
}

/// The first instant, not before `from` and not after `until`, at which the clock shows a minute of the spans
/// (`within`), or one that is none of theirs; none if there is no such instant.
pub fn first(
    zone: &TimeZone,
    (from, until): (Timestamp, Timestamp),
    within: bool,
    on: impl Fn(Date) -> Spans,
) -> Option<Timestamp> {
    let (mut at, days) = (from, until.since(from).as_secs() / (DAY_MICROS / 1_000_000).unsigned_abs() + 2);
    for _ in 0..days * STEPS_A_DAY {
        let (date, micros) = reading(zone, at);
        let found = first_of_day(&on(date), micros, within);
        let ahead = found.unwrap_or(DAY_MICROS) - micros;
        let then = at + Duration::from_micros(ahead.unsigned_abs());
        match zone.next_transition(at).filter(|&transition| transition <= then && ahead > 0) {
            Some(transition) => at = transition,
            None if found.is_some() => return (then <= until).then_some(then),
            None => at = then,
        }
        if at > until {
            return None;
        }
    }
    None
}

/// The first microsecond of the day, from this one on, that is within the spans, or outside of them.
fn first_of_day(spans: &Spans, micros: i64, within: bool) -> Option<i64> {
    let ahead = spans.iter().map(|span| (micros_of(span.start), micros_of(span.end))).find(|(_, end)| micros < *end);
    match (ahead, within) {
        (Some((start, _)), true) => Some(micros.max(start)),
        (None, true) => None,
        (Some((start, end)), false) => Some(if micros < start { micros } else { end }).filter(|&end| end < DAY_MICROS),
        (None, false) => Some(micros),
    }
}

/// The date that the clock shows, and the microseconds after its midnight.
fn reading(zone: &TimeZone, at: Timestamp) -> (Date, i64) {
    let local = zone.local(at);
    let seconds = i64::from(local.hour()) * 3_600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    (local.date(), seconds * 1_000_000 + i64::from(local.subsec_nanosecond()) / 1_000)
}

fn micros_of(minute: u16) -> i64 {
    i64::from(minute) * MINUTE_MICROS
}
