//! Dates of the year: months, days, the nth weekday of a month, Easter, and ranges of them.
//!
//! Laws: a range without years comes every year, and over the end of the year if its end is in an earlier month, or an
//! earlier day of the same; a year in which its end moves before its start has none of it. The 29th of February alone comes in leap years only.

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

#[derive(Debug)]
pub(super) enum Dates {
    /// Whole months, of one year or of each.
    Months { year: Option<i16>, from: i8, to: i8 },
    /// From one day to another, or one alone. Both have a year, or neither.
    Days { from: Point, to: Point },
    /// From a day on, to the end of its year; of all years, if it says one.
    From(Point),
}

/// A day of a year, so many days after a named one, or after the weekday next to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) year: Option<i16>,
    pub(super) named: Named,
    /// How many such weekdays later, without the day itself; negative for earlier. `+Su` is 1, `-Su` is -1.
    pub(super) weekdays_after: Option<(Weekday, i32)>,
    pub(super) days_after: i16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Day {
        month: i8,
        day: i8,
    },
    /// The nth of its month, negative from the last on.
    Weekday {
        month: i8,
        day: Weekday,
        nth: i8,
    },
    Easter,
}

impl Dates {
    pub(super) fn contain(&self, date: Date) -> bool {
        match *self {
            Dates::Months { year, from, to } => {
                let month = date.month();
                let is_in = if from <= to { from <= month && month <= to } else { from <= month || month <= to };
                is_in && year.is_none_or(|year| year == date.year())
            }
            Dates::Days { from, to } => from.years(date).any(|year| range(from, to, year).contains(date)),
            Dates::From(from) => from.on_or_after(date.year()).is_some_and(|from| from <= date),
        }
    }
}

/// Both ends are in.
struct Range(Option<(Date, Date)>);

impl Range {
    fn contains(&self, date: Date) -> bool {
        self.0.is_some_and(|(from, to)| from <= date && date <= to)
    }
}

fn range(from: Point, to: Point, year: i16) -> Range {
    let Some(start) = from.on_or_after(year) else { return Range(None) };
    let end = to.on_or_before(year);
    let goes_on = from.goes_on_to(to) && end.is_some_and(|end| end < start);
    let end = if goes_on { to.on_or_before(year + 1) } else { end };
    Range(end.map(|end| (start, end)))
}

impl Point {
    /// The years in which a range that begins here may have the date.
    fn years(self, date: Date) -> impl Iterator<Item = i16> {
        let around = self.year.is_none().then_some(date.year() - 2..=date.year() + 2);
        self.year.into_iter().chain(around.into_iter().flatten())
    }

    /// In its own year, or this one; where that year has no such day the next.
    pub(super) fn on_or_after(self, year: i16) -> Option<Date> {
        self.on(year, |year, month, day| Date::new(year, month, day).or_else(|_| Date::new(year, month + 1, 1)).ok())
    }

    /// Likewise; where the year has no such day the one before.
    pub(super) fn on_or_before(self, year: i16) -> Option<Date> {
        self.on(year, |year, month, day| Date::new(year, month, day).or_else(|_| Date::new(year, month, day - 1)).ok())
    }

    fn on(self, year: i16, day_of: impl FnOnce(i16, i8, i8) -> Option<Date>) -> Option<Date> {
        let year = self.year.unwrap_or(year);
        let named = match self.named {
            Named::Day { month, day } => day_of(year, month, day),
            Named::Weekday { month, day, nth } => Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, day).ok(),
            Named::Easter => easter(year),
        };
        let day = match self.weekdays_after {
            Some((weekday, count)) => named?.nth_weekday(count, weekday).ok()?,
            None => named?,
        };
        day.checked_add(i64::from(self.days_after).days()).ok()
    }

    /// Whether a range from here to there goes on into the next year.
    pub(super) fn goes_on_to(self, to: Point) -> bool {
        let is_earlier_day = match (self.named, to.named) {
            (Named::Day { month, day }, Named::Day { month: same, day: end }) => month == same && end < day,
            _ => false,
        };
        to.year.is_none() && (is_earlier_day || to.month() < self.month())
    }

    /// The month that it is said to be in; Easter is in March or April.
    fn month(self) -> i8 {
        match self.named {
            Named::Day { month, .. } | Named::Weekday { month, .. } => month,
            Named::Easter => 4,
        }
    }
}

/// Easter Sunday of the Gregorian calendar: the Sunday after the full moon of the church on or after the 21st of March.
fn easter(year: i16) -> Option<Date> {
    let (year, century) = (i32::from(year), i32::from(year) / 100);
    // The moon's place in its cycle of 19 years; days from the 21st of March to its full moon, at most 28 for the last.
    let golden = year % 19;
    let skipped_leaps = century - century / 4;
    let moon_drift = (8 * century + 13) / 25;
    let epact = (19 * golden + skipped_leaps - moon_drift + 15) % 30;
    let late = i32::from(epact == 29 || (epact == 28 && golden > 10));
    let full_moon = Date::new(year as i16, 3, 21).ok()?.checked_add((epact - late).days()).ok()?;
    let to_sunday = 7 - i32::from(full_moon.weekday().to_sunday_zero_offset());
    full_moon.checked_add(to_sunday.days()).ok()
}
