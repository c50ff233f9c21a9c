//! Reads years and dates: `2026-2028`, `2026 Dec 20-2027 Jan 5`, `Apr-Sep`, `Mar Su[-1]-Oct Su[-1]`, `easter -2 days`.

use jiff::civil::Date;

use super::{
    cursor::{Cursor, Fault},
    dates::{Dates, Named, Point},
    days::Every,
    read_days::{self, WEEKDAYS, days_after},
    read_times::is_at_hour,
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
const YEARS: std::ops::RangeInclusive<u16> = 1_900..=9_999;
const A_DATE: &str = "a date such as Dec 24, a month such as Dec, Mar Su[-1], or easter";
const A_BLANK: &str = "a blank before it";
const MIXED_YEARS: &str = "has a date with a year beside one without,";
const BACKWARD: &str =
    "has dates that run backward (over the end of a year each date needs its month, and its year or none),";
const LEAP_YEAR: i16 = 2_028;
/// From an early Easter to a late one, and every weekday on every date.
const MANY_YEARS: std::ops::RangeInclusive<i16> = 2_008..=2_038;

/// Whether a year or a date begins here.
pub(super) fn is_at_calendar(c: &Cursor<'_>) -> bool {
    is_at_year(c) || is_at_date(c)
}

fn is_at_year(c: &Cursor<'_>) -> bool {
    c.digits() == 4 && !is_at_hour(c)
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
    if c.eat_dash() {
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
    found.map_or_else(|| c.cannot("a year, 1900 to 9999"), |year| Ok(year as i16))
}

fn dates(c: &mut Cursor<'_>) -> Result<Vec<Dates>, Fault> {
    let has_year = is_at_year(c);
    let mut dates = vec![date_range(c)?];
    loop {
        if let Some(month) = dates.last().and_then(month_of_day)
            && c.eat_comma(is_at_day)
        {
            dates.push(day_range(c, month)?);
            continue;
        }
        if !c.eat_comma(is_at_calendar) {
            return Ok(dates);
        }
        if is_at_year(c) != has_year {
            return c.wrong(c.at, MIXED_YEARS);
        }
        dates.push(date_range(c)?);
    }
}

/// The year and month in which the dates end, if that is a day of them: another day of that month may follow.
fn month_of_day(dates: &Dates) -> Option<(Option<i16>, i8)> {
    match *dates {
        Dates::Days { to: Point { year, named: Named::Day { month, .. }, .. }, .. } => Some((year, month)),
        Dates::Days { .. } | Dates::Months { .. } | Dates::From(_) => None,
    }
}

/// `25` or `26-28` after `Dec 24,`.
fn day_range(c: &mut Cursor<'_>, (year, month): (Option<i16>, i8)) -> Result<Dates, Fault> {
    let start = c.at;
    let named = day(c, year, month)?;
    match range_from(c, start, year, named)? {
        Dates::From(_) => c.wrong(start, "has a \"+\" after a day without its month,"),
        range => Ok(range),
    }
}

fn date_range(c: &mut Cursor<'_>) -> Result<Dates, Fault> {
    let start = c.at;
    let year = if is_at_year(c) { Some(year(c)?) } else { None };
    let is_apart = c.eat(" ") || year.is_none();
    let before = *c;
    if c.is_at("easter") && !is_apart {
        return c.cannot(A_BLANK);
    }
    let month = c.eat_one(&MONTHS);
    let Some(named) = named(c, year, month)? else {
        return match month {
            Some(from) => months(c, start, year, from),
            None => before.cannot(A_DATE),
        };
    };
    range_from(c, start, year, named)
}

fn range_from(c: &mut Cursor<'_>, start: usize, year: Option<i16>, named: Named) -> Result<Dates, Fault> {
    let from = point(c, year, named)?;
    if c.eat("+") {
        return Ok(Dates::From(from));
    }
    let goes_on = c.eat_dash();
    // `Jan 10-5` is no range of a month; `Jan 10-Jan 5` goes on into the next year.
    let is_of_month = goes_on && is_at_day(c);
    let to = if goes_on { last(c, from)? } else { from };
    match runs_backward(from, to, is_of_month) {
        true => c.wrong(start, BACKWARD),
        false => Ok(Dates::Days { from, to }),
    }
}

/// What may stand after a named day.
fn point(c: &mut Cursor<'_>, year: Option<i16>, named: Named) -> Result<Point, Fault> {
    Ok(Point { year, named, weekdays_after: read_days::weekdays_after(c), days_after: days_after(c)? })
}

/// Whole months.
fn months(c: &mut Cursor<'_>, start: usize, year: Option<i16>, from: i8) -> Result<Dates, Fault> {
    let to = if c.eat_dash() { c.eat_one(&MONTHS) } else { Some(from) };
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
    let is_apart = c.eat(" ");
    if is_at_day(c) {
        return day(c, year, month).map(Some);
    }
    let nth = if is_apart { c.attempt(|c| nth_weekday(c, month)) } else { None };
    *c = if nth.is_some() { *c } else { start };
    Ok(nth)
}

/// A number that is no time.
fn is_at_day(c: &Cursor<'_>) -> bool {
    (1..=2).contains(&c.digits()) && !is_at_hour(c)
}

fn day(c: &mut Cursor<'_>, year: Option<i16>, month: i8) -> Result<Named, Fault> {
    let start = c.at;
    let day = c.number(1..=2, 31).unwrap_or_default() as i8;
    match Date::new(year.unwrap_or(LEAP_YEAR), month, day) {
        Ok(_) => Ok(Named::Day { month, day }),
        Err(_) => c.wrong(start, "has a day that its month has not,"),
    }
}

/// `Su[-1]`, if a range or days after it follow: else it is a weekday like others, in a month.
fn nth_weekday(c: &mut Cursor<'_>, month: i8) -> Option<Named> {
    let named = weekday_of_month(c, month);
    let is_date = [" +", " -", "-", "+"].iter().any(|next| c.is_at(next));
    named.filter(|_| is_date)
}

fn weekday_of_month(c: &mut Cursor<'_>, month: i8) -> Option<Named> {
    let day = c.eat_one(&WEEKDAYS)?;
    let nths = if c.is_at("[") { read_days::nths(c).ok()? } else { return None };
    let [nth] = nths[..] else { return None };
    Some(Named::Weekday { month, day, nth })
}

/// The end of a range, which may be a day of the same month.
fn last(c: &mut Cursor<'_>, from: Point) -> Result<Point, Fault> {
    let has_year = is_at_year(c);
    let year = if has_year { Some(year(c)?) } else { from.year };
    let is_apart = !has_year || c.eat(" ");
    if year.is_some() != from.year.is_some() {
        return c.wrong(c.at, MIXED_YEARS);
    }
    if c.is_at("easter") && !is_apart {
        return c.cannot(A_BLANK);
    }
    let month = c.eat_one(&MONTHS);
    let named = match (month, from.named) {
        (None, Named::Day { month, .. } | Named::Weekday { month, .. }) if is_at_day(c) => Some(day(c, year, month)?),
        (Some(month), _) => last_named(c, year, month)?,
        (None, _) => named(c, year, None)?,
    };
    let Some(named) = named else { return c.cannot("the last day of the range, such as Sep 30") };
    point(c, year, named)
}

/// As [`named`], but `Oct Su[-1]` is a date whatever follows.
fn last_named(c: &mut Cursor<'_>, year: Option<i16>, month: i8) -> Result<Option<Named>, Fault> {
    let weekday = c.attempt(|c| if c.eat(" ") { weekday_of_month(c, month) } else { None });
    if weekday.is_some() { Ok(weekday) } else { named(c, year, Some(month)) }
}

/// Whether the end is before the start in every year, and not because the range goes on into the next one, which it cannot
/// if both are said to be of one month.
fn runs_backward(from: Point, to: Point, is_of_month: bool) -> bool {
    let may_go_on = from.year.is_none() && !is_of_month;
    let is_range = |year| from.on_or_after(year).zip(to.on_or_before(year)).is_some_and(|(start, end)| start <= end);
    from != to && !(may_go_on && from.goes_on_to(to)) && !MANY_YEARS.into_iter().any(is_range)
}
