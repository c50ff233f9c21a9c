//! Reads days of the week, holidays and weeks: `Mo-Fr,Su[1,-1]`, `PH -1 day`, `SH Mo-Fr`, `week 1-53/2`.

use jiff::civil::Weekday;
use opening_hours_syntax::rules::day::HolidayKind;

use super::{
    cursor::{Cursor, Fault},
    days::{DayOfWeek, Every, Holiday, Weekdays},
    read_times,
};

/// Farthest from a feast or a weekday of the month, in days.
const MAX_DAYS_AFTER: u16 = 366;
const MAX_WEEK: u16 = 53;

pub(super) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("Mo", Weekday::Monday),
    ("Tu", Weekday::Tuesday),
    ("We", Weekday::Wednesday),
    ("Th", Weekday::Thursday),
    ("Fr", Weekday::Friday),
    ("Sa", Weekday::Saturday),
    ("Su", Weekday::Sunday),
];
const HOLIDAYS: [(&str, HolidayKind); 2] = [("PH", HolidayKind::Public), ("SH", HolidayKind::School)];

/// Whether a weekday or a holiday begins here.
pub(super) fn is_at_day(c: &Cursor<'_>) -> bool {
    is_at_weekday(c) || HOLIDAYS.iter().any(|(word, _)| c.is_at(word))
}

/// `Su` is one, and `sunrise` is none; nor is `week`.
pub(super) fn is_at_weekday(c: &Cursor<'_>) -> bool {
    !read_times::is_at_event(c) && !c.is_at("week") && WEEKDAYS.iter().any(|(word, _)| c.is_at(word))
}

pub(super) fn weekdays(c: &mut Cursor<'_>) -> Result<Weekdays, Fault> {
    let mut read = Weekdays::default();
    item(c, &mut read)?;
    while c.eat_comma(is_at_day) {
        item(c, &mut read)?;
    }
    let both = c.attempt(|c| (read.days.is_empty() && c.eat(" ") && is_at_weekday(c)).then_some(()));
    if both.is_some() {
        read.must_be_both = true;
        read.days.push(day(c)?);
        while c.eat_comma(is_at_weekday) {
            read.days.push(day(c)?);
        }
    }
    Ok(read)
}

fn item(c: &mut Cursor<'_>, read: &mut Weekdays) -> Result<(), Fault> {
    match c.eat_one(&HOLIDAYS) {
        Some(kind) => read.holidays.push(Holiday { kind, days_after: days_after(c)? }),
        None => read.days.push(day(c)?),
    }
    Ok(())
}

fn day(c: &mut Cursor<'_>) -> Result<DayOfWeek, Fault> {
    let Some(day) = c.eat_one(&WEEKDAYS) else { return c.cannot("a weekday: Mo, Tu, We, Th, Fr, Sa or Su") };
    if c.is_at("[") {
        let nths = nths(c)?;
        return Ok(DayOfWeek::Nth { day, nths, days_after: days_after(c)? });
    }
    if !c.eat_dash() {
        return Ok(DayOfWeek::Range(day, day));
    }
    match c.eat_one(&WEEKDAYS).filter(|_| !c.is_at("[")) {
        Some(to) => Ok(DayOfWeek::Range(day, to)),
        None => c.cannot("the last weekday of the range: Mo, Tu, We, Th, Fr, Sa or Su"),
    }
}

/// `[1]`, `[-1]`, `[1-2,4]`: which ones of a month.
pub(super) fn nths(c: &mut Cursor<'_>) -> Result<Vec<i8>, Fault> {
    let (start, mut nths) = (c.at, Vec::new());
    c.eat("[");
    while nths.is_empty() || !c.eat("]") {
        let is_next = nths.is_empty() || c.eat(",");
        let is_from_end = c.eat("-");
        let (from, at) = (c.number(1..=1, 5).filter(|from| is_next && *from > 0), c.at);
        let to = if !is_from_end && c.eat("-") { c.number(1..=1, 5) } else { from };
        let Some((from, to)) = from.zip(to) else {
            return c.cannot("numbers 1 to 5, or -1 to -5, such as [1] or [1-2,-1]");
        };
        if from > to {
            return c.wrong(at.min(start), format!("counts weekdays of a month downwards: {from}-{to},"));
        }
        nths.extend((from as i8..=to as i8).map(|nth| if is_from_end { -nth } else { nth }));
    }
    Ok(nths)
}

/// ` +Su`, `-Su`: how many of which weekday after a day.
pub(super) fn weekdays_after(c: &mut Cursor<'_>) -> Option<(Weekday, i32)> {
    c.attempt(|c| {
        c.eat(" ");
        let count = c.eat_one(&[("+", 1), ("-", -1)])?;
        let day = c.eat_one(&WEEKDAYS)?;
        (!c.is_at("[")).then_some((day, count))
    })
}

/// ` +1 day`, ` -2 days`; 0 if there is none.
pub(super) fn days_after(c: &mut Cursor<'_>) -> Result<i16, Fault> {
    let signs = [(" +", 1), (" -", -1)];
    let Some(sign) = c.attempt(|c| c.eat_one(&signs).filter(|_| c.digits() > 0)) else { return Ok(0) };
    let Some(days) = c.number(1..=4, MAX_DAYS_AFTER).filter(|days| *days > 0) else {
        return c.cannot("a number of days, at most 366");
    };
    if !(c.eat(" days") || c.eat(" day")) {
        return c.cannot("\" days\"");
    }
    Ok(sign * days as i16)
}

/// `week 1`, `week 1-53/2,10`.
pub(super) fn weeks(c: &mut Cursor<'_>) -> Result<Vec<Every>, Fault> {
    c.eat("week");
    c.eat(" ");
    let mut weeks = vec![week(c)?];
    while c.eat_comma(|c| c.digits() > 0 && !read_times::is_at_hour(c)) {
        weeks.push(week(c)?);
    }
    Ok(weeks)
}

fn week(c: &mut Cursor<'_>) -> Result<Every, Fault> {
    const ALLOWED: &str = "the number of a week, 1 to 53";
    let start = c.at;
    let number = |c: &mut Cursor<'_>| c.number(1..=2, MAX_WEEK).filter(|week| *week > 0);
    let Some(from) = number(c) else { return c.cannot(ALLOWED) };
    let (mut to, mut step) = (from, 1);
    if c.eat_dash() {
        let Some(last) = number(c) else { return c.cannot(ALLOWED) };
        to = last;
        step = every(c, to.saturating_sub(from))?;
    }
    if from > to {
        return c.wrong(start, format!("has weeks that run backward: {from}-{to},"));
    }
    Ok(Every { range: from as i16..=to as i16, step })
}

/// `/2`; 1 if there is none.
pub(super) fn every(c: &mut Cursor<'_>, most: u16) -> Result<i16, Fault> {
    if !c.eat("/") {
        return Ok(1);
    }
    let step = c.number(1..=4, most).filter(|step| *step > 0);
    step.map_or_else(
        || c.cannot("every how many of them: a number from 1 on, no larger than the range"),
        |step| Ok(step as i16),
    )
}
