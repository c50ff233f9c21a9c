//! Points in time, spans and civil hours.
//!
//! Law 9: time comes from outside; nothing in this crate below the shell can ask what time it is.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{text::quoted, violation::Invalid};

/// An hour of UTC begins with each of these since 1970.
pub const HOUR: Duration = Duration::from_secs(3_600);

/// A point in time: microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the earliest time protobuf can say.
    pub const MIN: Timestamp = Timestamp(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z, the latest time protobuf can say.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);

    /// Times outside [`Self::MIN`]..=[`Self::MAX`] become the nearer end.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    pub fn micros(self) -> i64 {
        self.0
    }

    /// The beginning of the one of those spans, one after the other since 1970, that this is in.
    pub fn begun(self, span: Duration) -> Timestamp {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX).max(1);
        Self::from_micros(self.0.div_euclid(span) * span)
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The time between the two, whichever is first.
    pub fn apart(self, other: Timestamp) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Self::from_micros(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Self::from_micros(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// A span as people say it: in days, hours or minutes where it is several whole ones, else in seconds.
pub fn spoken(span: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let seconds = span.as_secs();
    let whole = UNITS.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit) && seconds > *unit);
    match whole.filter(|_| span.subsec_nanos() == 0) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{} s", span.as_secs_f64()),
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// An IANA time zone (`Europe/Rome`), resolved when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone(jiff::tz::TimeZone);

impl TimeZone {
    pub fn new(name: &str) -> Result<Self, Invalid> {
        let zone = jiff::tz::TimeZone::get(name).map_err(|_| {
            Invalid::new(format!("must be an IANA time zone such as \"Europe/Rome\", was {}", quoted(name)))
        })?;
        Ok(Self(zone))
    }

    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The civil date and time there.
    pub fn local(&self, at: Timestamp) -> jiff::civil::DateTime {
        let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.0.to_datetime(at)
    }

    /// The time of day there, and which time that is: `13:05:10 EET`.
    pub fn clock(&self, at: Timestamp) -> String {
        let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.to_zoned(self.0.clone()).strftime("%H:%M:%S %Z").to_string()
    }

    /// The minute there, and which time that is: `2026-11-22 13:05 EET`.
    pub fn minute(&self, at: Timestamp) -> String {
        let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.to_zoned(self.0.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// When the civil day there began that `at` is in (the first instant, where midnight is skipped).
    pub fn day_start(&self, at: Timestamp) -> Timestamp {
        self.start_of(self.local(at).date(), at)
    }

    /// When the civil week there began that `at` is in: its Monday.
    pub fn week_start(&self, at: Timestamp) -> Timestamp {
        let date = self.local(at).date();
        let days = i64::from(date.weekday().to_monday_zero_offset());
        self.start_of(date.checked_sub(jiff::Span::new().days(days)).unwrap_or(date), at)
    }

    /// When the civil month there began that `at` is in.
    pub fn month_start(&self, at: Timestamp) -> Timestamp {
        self.start_of(self.local(at).date().first_of_month(), at)
    }

    /// When the clock there is next put forward or back, after `at`; none if it never is.
    pub fn next_transition(&self, at: Timestamp) -> Option<Timestamp> {
        let at = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
        let next = self.0.following(at).next()?;
        Some(Timestamp::from_micros(next.timestamp().as_microsecond()))
    }

    /// The first instant of a date there; `otherwise` if time does not reach so far.
    fn start_of(&self, date: jiff::civil::Date, otherwise: Timestamp) -> Timestamp {
        let midnight = date.to_datetime(jiff::civil::Time::midnight());
        let start = self.0.to_ambiguous_zoned(midnight).compatible();
        start.map_or(otherwise, |zoned| Timestamp::from_micros(zoned.timestamp().as_microsecond()))
    }
}

impl TryFrom<String> for TimeZone {
    type Error = Invalid;
    fn try_from(name: String) -> Result<Self, Invalid> {
        Self::new(&name)
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> String {
        zone.name().to_owned()
    }
}

/// A civil time of day, in minutes after midnight (0 to 1439).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    pub fn new(hour: u32, minute: u32) -> Result<Self, Invalid> {
        if hour > 23 || minute > 59 {
            return Err(Invalid::new(format!("must be a time of day from 00:00 to 23:59, was {hour:02}:{minute:02}")));
        }
        Ok(Self((hour * 60 + minute) as u16))
    }

    /// Reads `HH:MM`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::new(format!("must be a time of day as HH:MM, was {}", quoted(text)));
        let (hour, minute) = text.split_once(':').ok_or_else(refuse)?;
        let number = |part: &str| match *part.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(u32::from(tens - b'0') * 10 + u32::from(ones - b'0')),
            _ => Err(refuse()),
        };
        Self::new(number(hour)?, number(minute)?)
    }

    pub fn of(local: jiff::civil::DateTime) -> Self {
        Self(local.hour() as u16 * 60 + local.minute() as u16)
    }

    /// After midnight: 0 to 1439.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        time.to_string()
    }
}

/// Civil hours in which nobody is disturbed; `from` is in, `to` is out, and the span may cross midnight.
/// Equal ends mean the whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    pub from: TimeOfDay,
    pub to: TimeOfDay,
}

impl QuietHours {
    pub fn contain(self, time: TimeOfDay) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_people_say_them() {
        let told = [0, 45, 60, 90, 5_400, 7_200, 86_400, 604_800].map(|seconds| spoken(Duration::from_secs(seconds)));
        assert_eq!(told, ["0 s", "45 s", "60 s", "90 s", "90 minutes", "2 hours", "24 hours", "7 days"]);
        assert_eq!(spoken(Duration::from_millis(120_500)), "120.5 s");
    }

    #[test]
    fn a_time_of_day_is_two_digits_and_two_digits() {
        let minutes = |text: &str| TimeOfDay::parse(text).map(TimeOfDay::minutes).ok();
        assert_eq!(["09:05", "23:59", "00:00"].map(minutes), [Some(545), Some(1_439), Some(0)]);
        let wrong = ["+9:+5", "09:+5", "9:05", "24:00", "09:60", "09:05:00", "-1:00", " 9:00", "0\u{661}:00", "09", ""];
        assert_eq!(wrong.map(minutes), [None; 11]);
    }

    fn quiet(from: &str, to: &str, at: &str) -> bool {
        let time = |t| TimeOfDay::parse(t).expect("sound");
        QuietHours { from: time(from), to: time(to) }.contain(time(at))
    }

    #[test]
    fn quiet_hours_cross_midnight() {
        assert!(quiet("21:00", "09:00", "21:00") && quiet("21:00", "09:00", "03:00"));
        assert!(!quiet("21:00", "09:00", "09:00") && !quiet("21:00", "09:00", "20:59"));
        assert!(quiet("13:00", "15:00", "14:59") && !quiet("13:00", "15:00", "15:00"));
        assert!(quiet("00:00", "00:00", "12:00"));
    }

    #[test]
    fn the_day_begins_where_the_clock_skips_midnight() {
        // Cairo went from 23:59:59 to 01:00 on 2024-04-26.
        let zone = TimeZone::new("Africa/Cairo").expect("known");
        let noon = Timestamp::from_micros(1_714_122_000_000_000);
        assert_eq!(zone.day_start(noon).to_string(), "2024-04-25T22:00:00Z");
    }
}
