//! Reads years and dates: `2026-2028`, `2026 Dec 20-2027 Jan 5`, `Apr-Sep`, `Mar Su[-1]-Oct Su[-1]`, `easter -2 days`.

use jiff::civil::Date;

use super::{
    cursor::{Cursor, Fault},
    dates::{Dates, Named, Point},
    days::Every,
    read_days::{self, WEEKDAYS, days_after},
};

const MONTHS: [(&str, i8); 12] = [
    ("Jan", 1),
    ("Feb", 2),
    ("Mar", 3),
    ("Apr", 4),
    ("May", 5),
    ("Jun", 6),
    ("Jul", 7),
    ("Aug", 8),
    ("Sep", 9),
    ("Oct", 10),
    ("Nov", 11),
    ("Dec", 12),
];
const YEARS: std::ops::RangeInclusive<u16> = 1_900..=9_998;
const A_DATE: &str = "a date such as Dec 24, a month such as Dec, Mar Su[-1], or easter";
const MIXED_YEARS: &str = "has a date with a year beside one without,";
const BACKWARD: &str = "has dates that run backward (over the end of a year each date needs its year, or none),";
/// A leap year, with Easter in the middle of April.
const SOME_YEAR: i16 = 2_028;

/// Whether a year or a date begins here.
pub(super) fn is_at_calendar(c: &Cursor<'_>) -> bool {
    is_at_year(c) || is_at_date(c)
}

fn is_at_year(c: &Cursor<'_>) -> bool {
    c.digits() == 4 && !is_time(&c.rest()[4..])
}

fn is_at_date(c: &Cursor<'_>) -> bool {
    c.is_at("easter") || MONTHS.iter().any(|(word, _)| c.is_at(word))
}

/// Years, dates, or both. A year alone before a date is the date's.
pub(super) fn calendar(c: &mut Cursor<'_>) -> Result<(Vec<Every>, Vec<Dates>), Fault> {
    let start = *c;
    let mut years = Vec::new();
    if is_at_year(c) {
        years.push(year_range(c)?);
        while c.eat_comma(is_at_year) {
            years.push(year_range(c)?);
        }
        // Only a year alone is written together with its month.
        let is_alone = years.len() == 1 && c.at == start.at + 4;
        let mut next = *c;
        if !(next.eat(" ") || is_alone) || !is_at_date(&next) {
            return Ok((years, Vec::new()));
        }
        *c = if is_alone { start } else { next };
        years.truncate(if is_alone { 0 } else { years.len() });
    }
    Ok((years, dates(c)?))
}

fn year_range(c: &mut Cursor<'_>) -> Result<Every, Fault> {
    let start = c.at;
    let from = year(c)?;
    if c.eat("+") {
        return Ok(Every { range: from..=*YEARS.end() as i16, step: 1 });
    }
    let (mut to, mut step) = (from, 1);
    if c.eat("-") {
        to = year(c)?;
        step = read_days::every(c, to.saturating_sub(from).max(0) as u16)?;
    }
    if from > to {
        return c.wrong(start, format!("has years that run backward: {from}-{to},"));
    }
    Ok(Every { range: from..=to, step })
}

fn year(c: &mut Cursor<'_>) -> Result<i16, Fault> {
    let found = c.attempt(|c| c.number(4..=4, *YEARS.end()).filter(|year| YEARS.contains(year)));
    found.map_or_else(|| c.cannot("a year, 1900 to 9998"), |year| Ok(year as i16))
}

fn dates(c: &mut Cursor<'_>) -> Result<Vec<Dates>, Fault> {
    let has_year = is_at_year(c);
    let mut dates = vec![date_range(c)?];
    while c.eat_comma(is_at_calendar) {
        if is_at_year(c) != has_year {
            return c.wrong(c.at, MIXED_YEARS);
        }
        dates.push(date_range(c)?);
    }
    Ok(dates)
}

fn date_range(c: &mut Cursor<'_>) -> Result<Dates, Fault> {
    let start = c.at;
    let year = if is_at_year(c) { Some(year(c)?) } else { None };
    let is_apart = c.eat(" ") || year.is_none();
    let before = *c;
    if c.is_at("easter") && !is_apart {
        return c.cannot("a blank before it");
    }
    let month = c.eat_one(&MONTHS);
    let Some(named) = named(c, year, month)? else {
        return match month {
            Some(from) => months(c, start, year, from),
            None => before.cannot(A_DATE),
        };
    };
    let from = Point { year, named, days_after: days_after(c)? };
    if c.eat("+") {
        return Ok(Dates::From(from));
    }
    let goes_on = c.attempt(|c| (c.eat(" - ") || c.eat("- ") || c.eat(" -") || c.eat("-")).then_some(())).is_some();
    let to = if goes_on { last(c, from)? } else { from };
    match runs_backward(from, to) {
        true => c.wrong(start, BACKWARD),
        false => Ok(Dates::Days { from, to }),
    }
}

/// Whole months.
fn months(c: &mut Cursor<'_>, start: usize, year: Option<i16>, from: i8) -> Result<Dates, Fault> {
    let to = if c.eat("-") { c.eat_one(&MONTHS) } else { Some(from) };
    let Some(to) = to else { return c.cannot("the last month of the range, such as Sep") };
    if to < from && year.is_some() {
        return c.wrong(start, BACKWARD);
    }
    Ok(Dates::Months { year, from, to })
}

/// The day of the month, if one follows, or Easter; none if a whole month is meant.
fn named(c: &mut Cursor<'_>, year: Option<i16>, month: Option<i8>) -> Result<Option<Named>, Fault> {
    let Some(month) = month else { return Ok(c.eat("easter").then_some(Named::Easter)) };
    let start = *c;
    c.eat(" ");
    if is_at_day(c) {
        return day(c, year, month).map(Some);
    }
    let nth = c.attempt(|c| nth_weekday(c, month));
    *c = if nth.is_some() { *c } else { start };
    Ok(nth)
}

/// A number that is no time.
fn is_at_day(c: &Cursor<'_>) -> bool {
    (1..=2).contains(&c.digits()) && !is_time(&c.rest()[c.digits()..])
}

/// Whether digits before this are the hour of a time.
fn is_time(after: &str) -> bool {
    after.strip_prefix(':').is_some_and(|minutes| minutes.starts_with(|c: char| c.is_ascii_digit()))
}

fn day(c: &mut Cursor<'_>, year: Option<i16>, month: i8) -> Result<Named, Fault> {
    let start = c.at;
    let day = c.number(1..=2, 31).unwrap_or_default() as i8;
    match Date::new(year.unwrap_or(SOME_YEAR), month, day) {
        Ok(_) => Ok(Named::Day { month, day }),
        Err(_) => c.wrong(start, "has a day that its month has not,"),
    }
}

/// `Su[-1]`, if a range or days after it follow: else it is a weekday like others, in a month.
fn nth_weekday(c: &mut Cursor<'_>, month: i8) -> Option<Named> {
    let day = c.eat_one(&WEEKDAYS)?;
    let nths = if c.is_at("[") { read_days::nths(c).ok()? } else { return None };
    let [nth] = nths[..] else { return None };
    let is_date = [" +", " -", "-", "+"].iter().any(|next| c.is_at(next));
    is_date.then_some(Named::Weekday { month, day, nth })
}

/// The end of a range, which may be a day of the same month.
fn last(c: &mut Cursor<'_>, from: Point) -> Result<Point, Fault> {
    let year = if is_at_year(c) { Some(year(c)?) } else { from.year };
    c.eat(" ");
    if year.is_some() != from.year.is_some() {
        return c.wrong(c.at, MIXED_YEARS);
    }
    let month = c.eat_one(&MONTHS);
    let named = match (month, from.named) {
        (None, Named::Day { month, .. } | Named::Weekday { month, .. }) if is_at_day(c) => Some(day(c, year, month)?),
        (Some(month), _) => last_named(c, year, month)?,
        (None, _) => named(c, year, None)?,
    };
    let Some(named) = named else { return c.cannot("the last day of the range, such as Sep 30") };
    Ok(Point { year, named, days_after: days_after(c)? })
}

/// As [`named`], but `Oct Su[-1]` is a date whatever follows.
fn last_named(c: &mut Cursor<'_>, year: Option<i16>, month: i8) -> Result<Option<Named>, Fault> {
    let weekday = c.attempt(|c| {
        c.eat(" ");
        let day = c.eat_one(&WEEKDAYS)?;
        let nths = if c.is_at("[") { read_days::nths(c).ok()? } else { return None };
        let [nth] = nths[..] else { return None };
        Some(Named::Weekday { month, day, nth })
    });
    if weekday.is_some() { Ok(weekday) } else { named(c, year, Some(month)) }
}

/// Whether the end is before the start, and not because the range goes on into the next year.
fn runs_backward(from: Point, to: Point) -> bool {
    let goes_on = to.month() < from.month() && from.year.is_none();
    let (start, end) = (from.on_or_after(SOME_YEAR), to.on_or_before(SOME_YEAR));
    from != to && !goes_on && start.zip(end).is_some_and(|(start, end)| end < start)
}
