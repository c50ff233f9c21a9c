//! Reads times: `08:00-12:00,14:00-26:00`, `sunrise-(sunset+01:00)`, `18:00+`.

use opening_hours_syntax::rules::time::TimeEvent;

use super::{
    cursor::{Cursor, Fault},
    times::{Span, Time},
};
use crate::domain::schedule::DAY_MINUTES;

/// Farthest from the sun's hour, in minutes: farther, spans could run past the next day, which nobody can say.
const MAX_SUN_OFFSET: u16 = 4 * 60;

const EVENTS: [(&str, TimeEvent); 4] = [
    ("dawn", TimeEvent::Dawn),
    ("sunrise", TimeEvent::Sunrise),
    ("sunset", TimeEvent::Sunset),
    ("dusk", TimeEvent::Dusk),
];
const A_TIME: &str = "a time 00:00 to 23:59, dawn, sunrise, sunset, dusk, or such as (sunset-00:30)";
const AN_END: &str =
    "a time up to 48:00, the end of the next day, dawn, sunrise, sunset, dusk, or such as (sunset-00:30)";

/// Whether a time begins here, sound or not.
pub(super) fn is_at_time(c: &Cursor<'_>) -> bool {
    let after_digits = c.rest().get(c.digits()..).unwrap_or_default();
    (c.digits() > 0 && after_digits.starts_with(':')) || c.is_at("(") || is_at_event(c)
}

/// Whether the digits here are the hour of a time, and no day, week or year before a colon: `10:00` and not `10: 00:00`,
/// nor `10:00:00`.
pub(super) fn is_at_hour(c: &Cursor<'_>) -> bool {
    let minutes = c.rest()[c.digits()..].strip_prefix(':').map(Cursor::new);
    minutes.is_some_and(|minutes| minutes.digits() > 0 && !minutes.rest()[minutes.digits()..].starts_with(':'))
}

/// Whether a word of the sun is next: `sunrise` and not `Su`.
pub(super) fn is_at_event(c: &Cursor<'_>) -> bool {
    EVENTS.iter().any(|(word, _)| c.is_at(word))
}

pub(super) fn spans(c: &mut Cursor<'_>) -> Result<Vec<Span>, Fault> {
    let mut spans = vec![span(c)?];
    while c.eat_comma(is_at_time) {
        spans.push(span(c)?);
    }
    Ok(spans)
}

fn span(c: &mut Cursor<'_>) -> Result<Span, Fault> {
    let Some(from) = time(c, DAY_MINUTES - 1)? else { return c.cannot(A_TIME) };
    if c.eat("+") {
        return Ok(Span { from, to: None });
    }
    if !c.eat_dash() {
        return c.cannot("\"-\" and the time of closing, or \"+\"");
    }
    let Some(to) = time(c, 2 * DAY_MINUTES)? else { return c.cannot(AN_END) };
    // Open until then; what comes after is not known.
    c.eat("+");
    if c.is_at("/") {
        return c.wrong(c.at, "has points in time, which no store is open at,");
    }
    Ok(Span { from, to: Some(to) })
}

/// None if there is none, or one that is too late.
fn time(c: &mut Cursor<'_>, latest: u16) -> Result<Option<Time>, Fault> {
    if let Some(event) = c.eat_one(&EVENTS) {
        return Ok(Some(Time::Sun { event, offset: 0 }));
    }
    if c.is_at("(") {
        return beside_the_sun(c).map(Some);
    }
    Ok(c.attempt(|c| clock(c).filter(|minute| *minute <= latest)).map(Time::Clock))
}

/// Minutes after midnight.
fn clock(c: &mut Cursor<'_>) -> Option<u16> {
    let hour = c.number(1..=2, 48)?;
    let minute = c.eat(":").then(|| c.number(2..=2, 59))??;
    Some(hour * 60 + minute)
}

fn beside_the_sun(c: &mut Cursor<'_>) -> Result<Time, Fault> {
    const ALLOWED: &str = "such as (sunset-00:30)";
    let start = c.at;
    let found = c.attempt(|c| {
        c.eat("(");
        let event = c.eat_one(&EVENTS)?;
        let sign = c.eat_one(&[("+", 1), ("-", -1)])?;
        let minutes = clock(c)?;
        c.eat(")").then_some((event, sign, minutes))
    });
    let Some((event, sign, minutes)) = found else { return c.cannot(ALLOWED) };
    if minutes > MAX_SUN_OFFSET {
        let most = MAX_SUN_OFFSET / 60;
        return c.wrong(start, format!("has a time more than {most} hours from the sun's"));
    }
    Ok(Time::Sun { event, offset: sign * minutes as i16 })
}
