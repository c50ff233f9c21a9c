//! Which days a rule is for: years, dates, weeks, and days of the week or holidays, all of which must hold.
//!
//! Law: what a rule does not say it does not ask.

use std::ops::RangeInclusive;

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use opening_hours_syntax::rules::day::HolidayKind;

use super::{dates::Dates, site::Site};

#[derive(Debug, Default)]
pub(super) struct Days {
    pub(super) years: Vec<Every>,
    pub(super) dates: Vec<Dates>,
    /// Of the year, by ISO 8601.
    pub(super) weeks: Vec<Every>,
    pub(super) weekdays: Option<Weekdays>,
}

/// Numbers of a range, each or every so many from the first on.
#[derive(Debug)]
pub(super) struct Every {
    pub(super) range: RangeInclusive<i16>,
    pub(super) step: i16,
}

/// Days of the week and holidays.
#[derive(Debug, Default)]
pub(super) struct Weekdays {
    /// Any of them.
    pub(super) days: Vec<DayOfWeek>,
    pub(super) holidays: Vec<Holiday>,
    /// Only days that are both, as in `PH Mo-Fr`; else either.
    pub(super) must_be_both: bool,
}

#[derive(Debug)]
pub(super) enum DayOfWeek {
    /// From one to another, over the end of the week if that is earlier.
    Range(Weekday, Weekday),
    /// So many days after the first, second … (negative: from the last on) of its month.
    Nth { day: Weekday, nths: Vec<i8>, days_after: i16 },
}

/// So many days after such a holiday.
#[derive(Debug)]
pub(super) struct Holiday {
    pub(super) kind: HolidayKind,
    pub(super) days_after: i16,
}

impl Days {
    /// Whether nothing is said of them.
    pub(super) fn are_all(&self) -> bool {
        self.years.is_empty() && self.dates.is_empty() && self.weeks.is_empty() && self.weekdays.is_none()
    }

    pub(super) fn contain(&self, date: Date, site: &Site<'_>) -> bool {
        let week = || i16::from(date.iso_week_date().week());
        (self.years.is_empty() || self.years.iter().any(|years| years.contains(date.year())))
            && (self.dates.is_empty() || self.dates.iter().any(|dates| dates.contain(date)))
            && (self.weeks.is_empty() || self.weeks.iter().any(|weeks| weeks.contains(week())))
            && self.weekdays.as_ref().is_none_or(|weekdays| weekdays.contain(date, site))
    }
}

impl Every {
    fn contains(&self, number: i16) -> bool {
        self.range.contains(&number) && (number - self.range.start()) % self.step == 0
    }
}

impl Weekdays {
    fn contain(&self, date: Date, site: &Site<'_>) -> bool {
        let is_day = || self.days.iter().any(|day| day.is(date));
        let is_holiday = || self.holidays.iter().any(|holiday| holiday.is(date, site));
        if self.must_be_both { is_day() && is_holiday() } else { is_day() || is_holiday() }
    }
}

impl DayOfWeek {
    fn is(&self, date: Date) -> bool {
        match self {
            DayOfWeek::Range(from, to) => {
                let (day, from) = (date.weekday(), from.to_monday_zero_offset());
                let after = |day: Weekday| (day.to_monday_zero_offset() - from).rem_euclid(7);
                after(day) <= after(*to)
            }
            DayOfWeek::Nth { day, nths, days_after } => {
                before(date, *days_after).is_some_and(|date| date.weekday() == *day && has_nth(date, nths))
            }
        }
    }
}

/// Whether the date is one of these of its weekday in its month.
fn has_nth(date: Date, nths: &[i8]) -> bool {
    let from_start = (date.day() - 1) / 7 + 1;
    let from_end = (date.days_in_month() - date.day()) / 7 + 1;
    nths.iter().any(|nth| *nth == from_start || *nth == -from_end)
}

impl Holiday {
    fn is(&self, date: Date, site: &Site<'_>) -> bool {
        before(date, self.days_after).is_some_and(|date| site.is_holiday(self.kind, date))
    }
}

fn before(date: Date, days: i16) -> Option<Date> {
    date.checked_sub(i64::from(days).days()).ok()
}
