//! Civil dates: birthdays, and days that something began or ends.
//!
//! Law: a date is a day of the calendar and no point in time; which day it is now is the person's zone's to say.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{text::quoted, violation::Invalid};

const DAY_SECONDS: i64 = 86_400;

/// A day of the Gregorian calendar, from 0001-01-01 to 9999-12-31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(jiff::civil::Date);

impl Date {
    /// Reads `2026-11-22`, and nothing else of what ISO 8601 allows.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::new(format!("must be a date as 2026-11-22, was {}", quoted(text)));
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return Err(refuse()) };
        let number = |digits: &[&u8]| {
            digits.iter().try_fold(0_i16, |number, digit| {
                let digit = char::from(**digit).to_digit(10)?;
                Some(number * 10 + digit as i16)
            })
        };
        let year = number(&[y1, y2, y3, y4]).filter(|&year| year > 0);
        let (month, day) = (number(&[m1, m2]), number(&[d1, d2]));
        let date = year.zip(month).zip(day).map(|((year, month), day)| (year, month as i8, day as i8));
        date.and_then(|(year, month, day)| jiff::civil::Date::new(year, month, day).ok()).map(Self).ok_or_else(refuse)
    }

    /// The day of a civil time.
    pub fn of(local: jiff::civil::DateTime) -> Self {
        Self(local.date())
    }

    /// How many days this is after `other`; negative if it is before.
    pub fn days_after(self, other: Date) -> i64 {
        other.0.duration_until(self.0).as_secs() / DAY_SECONDS
    }

    /// How many days after `today` its month and day come next: 0 if they are today's. In years without a 29 February
    /// that is the 28th, so that it stays in its month. None past the year 9999.
    pub fn days_to_anniversary(self, today: Date) -> Option<i64> {
        let year = today.0.year();
        let upcoming = [year, year + 1].into_iter().filter_map(|year| self.in_year(year));
        upcoming.map(|day| day.days_after(today)).find(|&days| days >= 0)
    }

    fn in_year(self, year: i16) -> Option<Self> {
        let (month, day) = (self.0.month(), self.0.day());
        let date = jiff::civil::Date::new(year, month, day).or_else(|_| jiff::civil::Date::new(year, month, day - 1));
        date.ok().map(Self)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Date {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Date> for String {
    fn from(date: Date) -> String {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).expect("sound")
    }

    #[test]
    fn dates_read_what_they_write_and_nothing_else() {
        for text in ["0001-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(date(text).to_string(), text);
        }
        for bad in ["", "2026-2-3", "2026-02-29", "2026-13-01", "0000-01-01", "20261122", "2026-11-22T00", "+026-01-01"]
        {
            assert!(Date::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn anniversaries_come_every_year() {
        let days = |born: &str, today: &str| date(born).days_to_anniversary(date(today));
        assert_eq!((days("1990-11-22", "2026-11-22"), days("1990-11-21", "2026-11-22")), (Some(0), Some(364)));
        assert_eq!((days("2000-02-29", "2027-02-28"), days("2000-02-29", "2028-02-28")), (Some(0), Some(1)));
        assert_eq!((days("2000-02-29", "2027-03-01"), days("2000-02-29", "2024-03-01")), (Some(365), Some(364)));
        assert_eq!((days("2000-01-01", "9999-12-31"), days("2000-12-31", "9999-12-31")), (None, Some(0)));
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(date("2024-03-01").days_after(date("2024-02-28")), 2);
        assert_eq!(date("2023-12-31").days_after(date("2024-12-31")), -366);
    }
}
