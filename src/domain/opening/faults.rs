//! Reads hours strictly: what the crate takes in silence although no calendar has it is refused here.
//!
//! Law 8: every refusal says what is wrong, and where if the crate knows.

use opening_hours::OpeningHours as Rules;
use opening_hours_syntax::{
    Error, ExtendedTime,
    rules::{
        OpeningHoursExpression, RuleSequence,
        day::{Date, MonthdayRange, WeekDayRange, Year},
        time::{Time, TimeSpan},
    },
};
use pest::error::LineColLocation;

use crate::domain::{text::quoted, violation::Invalid};

/// Farthest from the sun's hour, in minutes: farther, spans could run past the next day, which nobody can say.
const MAX_SUN_OFFSET: u16 = 4 * 60;
/// Farthest from a feast or a weekday of the month, in days.
const MAX_DAY_OFFSET: u16 = 366;
/// Most rules: nobody has more, and each is asked of each day.
const MAX_RULES: usize = 64;

/// The rules that the text says.
pub(super) fn read(text: &str) -> Result<Rules, Invalid> {
    check_words(text)?;
    let rules = spaced(text).parse::<Rules>().map_err(|error| refused(text, &error))?;
    check(&rules.get_expression())?;
    Ok(rules)
}

/// A year written together with its month; the crate would read the first day of the month only.
fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 8);
    let (mut digits, mut quoted) = (0, false);
    for c in text.chars() {
        if digits == 4 && c.is_ascii_alphabetic() && !quoted {
            spaced.push(' ');
        }
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        quoted ^= c == '"';
        spaced.push(c);
    }
    spaced
}

/// What must be looked for in the text, because the crate forgets it.
fn check_words(text: &str) -> Result<(), Invalid> {
    if !text.matches('"').count().is_multiple_of(2) {
        return Err(Invalid::new("has a comment without its closing quote"));
    }
    let said = || text.split('"').step_by(2);
    // Before they are read: reading so many takes long.
    check_count(1 + said().map(|part| part.matches(';').count()).sum::<usize>())?;
    for part in said().flat_map(|part| part.split('[').skip(1)).filter_map(|part| part.split(']').next()) {
        let is_backward = |range: &str| range.split_once('-').is_some_and(|(from, to)| !from.is_empty() && from > to);
        if part.split(',').any(|range| is_backward(range.trim())) {
            return Err(Invalid::new(format!("must count weekdays of a month upwards, was [{part}]")));
        }
    }
    Ok(())
}

fn refused(text: &str, error: &Error) -> Invalid {
    let why = match error {
        Error::Syntax(fault) => {
            let (LineColLocation::Pos((_, column)) | LineColLocation::Span((_, column), _)) = fault.line_col;
            let rest: String = text.chars().skip(column.saturating_sub(1)).collect();
            let here = if rest.is_empty() { "its end".to_owned() } else { quoted(&rest) };
            format!("cannot be read from character {column} on, at {here}")
        }
        Error::InvertedYearRange { start, end, .. } => format!("has years that run backward: {}-{}", start.0, end.0),
        Error::InvertedWeekRange { start, end, .. } => format!("has weeks that run backward: {}-{}", start.0, end.0),
        Error::InvalidExtendedTime { hour, minutes } => {
            format!("has the time {hour:02}:{minutes:02}, and the latest is 48:00, the end of the next day")
        }
        Error::Overflow { value, expected_bounds } => {
            format!("has the number {value}, and the largest there is {}", expected_bounds.end())
        }
        Error::Unsupported(what) => format!("has what cannot be said of opening hours: {what}"),
        Error::GrammarUnexpectedToken { .. } | Error::GrammarLogic { .. } => "cannot be read".to_owned(),
    };
    Invalid::new(format!("must be OpenStreetMap opening_hours such as \"Mo-Fr 08:00-20:00; PH off\": {why}"))
}

fn check(expression: &OpeningHoursExpression) -> Result<(), Invalid> {
    check_count(expression.rules.len())?;
    expression.rules.iter().try_for_each(check_rule)
}

fn check_count(rules: usize) -> Result<(), Invalid> {
    if rules <= MAX_RULES {
        return Ok(());
    }
    Err(Invalid::new(format!("must be at most {MAX_RULES} rules, were {rules}")))
}

fn check_rule(rule: &RuleSequence) -> Result<(), Invalid> {
    let days = &rule.day_selector;
    for range in &days.monthday {
        check_dates(range, !days.year.is_empty())?;
    }
    for range in &days.weekday {
        let (WeekDayRange::Fixed { offset, .. } | WeekDayRange::Holiday { offset, .. }) = range;
        check_days(*offset)?;
    }
    rule.time_selector.spans.iter().try_for_each(check_span)
}

fn check_dates(range: &MonthdayRange, beside_year: bool) -> Result<(), Invalid> {
    match range {
        MonthdayRange::Month { range, year } => {
            if range.start() > range.end() && (beside_year || year.is_some()) {
                let said = "must say the year of each date where months run over the end of a year";
                return Err(Invalid::new(format!("{said}, was {}-{} of one year", range.start(), range.end())));
            }
            Ok(())
        }
        MonthdayRange::Date { start, end } => {
            for (date, offset) in [start, end] {
                check_days(offset.day_offset)?;
                check_date(*date)?;
            }
            match (start.0.year(), end.0.year()) {
                (Some(from), Some(to)) if from > to => {
                    Err(Invalid::new(format!("has dates that run backward: {} to {}", from.0, to.0)))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Refuses days that no such month has.
fn check_date(date: Date) -> Result<(), Invalid> {
    let Date::Fixed { year, month, day } = date else { return Ok(()) };
    // Without a year the 29th of February is every fourth year's.
    let Year(of) = year.unwrap_or(Year(2_000));
    if chrono::NaiveDate::from_ymd_opt(of, month as u32, day.into()).is_some() {
        return Ok(());
    }
    let year = year.map(|year| format!(" {}", year.0)).unwrap_or_default();
    Err(Invalid::new(format!("has the date {month} {day}{year}, which there is not")))
}

fn check_days(offset: i16) -> Result<(), Invalid> {
    if offset.unsigned_abs() <= MAX_DAY_OFFSET {
        return Ok(());
    }
    Err(Invalid::new(format!("must be at most {MAX_DAY_OFFSET} days from the day meant, was {offset:+} days")))
}

fn check_span(span: &TimeSpan) -> Result<(), Invalid> {
    let (start, end) = (span.range.start, span.range.end);
    for time in [start, end] {
        if let Time::Variable(sun) = time
            && sun.offset.unsigned_abs() > MAX_SUN_OFFSET
        {
            let most = MAX_SUN_OFFSET / 60;
            return Err(Invalid::new(format!("must be at most {most} hours from the sun's hour, was {sun}")));
        }
    }
    match (start, end) {
        (Time::Variable(_), Time::Fixed(end)) if end > ExtendedTime::MIDNIGHT_24 => Err(Invalid::new(format!(
            "must end by 24:00, or at a time of the next day, where it begins with the sun, was {end}"
        ))),
        _ => Ok(()),
    }
}
