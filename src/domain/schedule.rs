//! When in the week a campaign makes offers: windows on a civil clock, and only while a store is open.
//!
//! Law 7: everything is said in civil time and asked at instants: an instant is within if the clock shows a time that
//! is. What the clock skips never comes; what it shows twice counts twice.

use std::{fmt, ops::Range, time::Duration};

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::{
    time::TimeOfDay,
    violation::{Invalid, Violations, at_most},
};

/// Most windows of one campaign: four for each day of the week, and some.
pub const MAX_WINDOWS: usize = 32;
/// Longest time before closing in which no offers are made.
pub const MAX_LAST_CALL: Duration = Duration::from_secs(12 * 3_600);
/// Minutes of a civil day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// Minutes of one civil day, after midnight (0 to [`DAY_MINUTES`]): in order, and none meets the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<Range<u16>>);

impl Spans {
    /// All minutes that any of the ranges has.
    pub fn new(mut ranges: Vec<Range<u16>>) -> Self {
        ranges.retain(|range| range.start < range.end);
        ranges.sort_by_key(|range| range.start);
        let mut spans: Vec<Range<u16>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match spans.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => spans.push(range),
            }
        }
        Self(spans)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Range<u16>> {
        self.0.iter()
    }
}

/// Days of the week, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Weekdays(u8);

impl Weekdays {
    pub const ALL: Weekdays = Weekdays(0b111_1111);

    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Result<Self, Invalid> {
        let bits = days.into_iter().fold(0, |bits, day| bits | bit(day));
        Self::try_from(bits)
    }

    pub fn contain(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    /// That day alone.
    pub fn only(day: Weekday) -> Self {
        Self(bit(day))
    }

    /// From Monday.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        Weekday::Monday.cycle_forward().take(7).filter(move |day| self.contain(*day))
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, day) in self.iter().enumerate() {
            write!(f, "{}{day:?}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl TryFrom<u8> for Weekdays {
    type Error = Invalid;
    fn try_from(bits: u8) -> Result<Self, Invalid> {
        if (1..=Self::ALL.0).contains(&bits) {
            return Ok(Self(bits));
        }
        Err(Invalid::new("must be at least one day of the week"))
    }
}

impl From<Weekdays> for u8 {
    fn from(days: Weekdays) -> u8 {
        days.0
    }
}

/// On these days from one time, which is in, until another, which is out: of the next day if it is not later. So equal
/// times are 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub days: Weekdays,
    pub from: TimeOfDay,
    pub to: TimeOfDay,
}

impl Window {
    /// Its parts on a date: of that day, and of the night before.
    fn on(self, date: Date) -> impl Iterator<Item = Range<u16>> {
        let (from, to) = (self.from.minutes(), self.to.minutes());
        let (today, yesterday) = (date.weekday(), date.weekday().previous());
        let end = if from < to { to } else { DAY_MINUTES };
        let own = self.days.contain(today).then_some(from..end);
        let night = (from >= to && self.days.contain(yesterday)).then_some(0..to);
        own.into_iter().chain(night)
    }
}

/// What any of the windows has of a date.
pub fn spans(windows: &[Window], date: Date) -> Spans {
    Spans::new(windows.iter().flat_map(|window| window.on(date)).collect())
}

/// When in the week offers are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// In any of them; at any time if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    #[serde(default)]
    pub clock: Clock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_while_open: Option<WhileOpen>,
}

/// Whose clock windows are on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The store's; the person's at a place without a store.
    #[default]
    Store,
    Person,
}

/// Only while the store is open, and will be for a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhileOpen {
    /// So long before it closes there are no more offers.
    pub last_call: Duration,
}

impl Schedule {
    /// Refuses what no schedule can be; the fields are the schedule's.
    pub fn check(&self) -> Result<(), Violations> {
        let mut wrong = Violations::default();
        wrong.take("windows", at_most(MAX_WINDOWS, self.windows.len()));
        if let Some(WhileOpen { last_call }) = self.only_while_open
            && last_call > MAX_LAST_CALL
        {
            let (most, was) = (MAX_LAST_CALL.as_secs(), last_call.as_secs_f64());
            wrong.add("only_while_open.last_call", format!("must be 0 to {most} seconds, was {was}"));
        }
        wrong.finish(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spans: &Spans) -> Vec<(u16, u16)> {
        spans.iter().map(|span| (span.start, span.end)).collect()
    }

    #[test]
    fn a_night_belongs_to_the_day_it_began_on() {
        let time = |text| TimeOfDay::parse(text).expect("sound");
        let friday = Weekdays::new([Weekday::Friday]).expect("a day");
        let night = [Window { days: friday, from: time("22:00"), to: time("02:00") }];
        let minutes = |date: &str| said(&spans(&night, date.parse().expect("a date")));
        assert_eq!(minutes("2026-06-05"), [(1_320, 1_440)]);
        assert_eq!(minutes("2026-06-06"), [(0, 120)]);
        assert_eq!(minutes("2026-06-07"), []);
        let whole = [Window { days: friday, from: time("06:00"), to: time("06:00") }];
        assert_eq!(said(&spans(&whole, "2026-06-06".parse().expect("a date"))), [(0, 360)]);
    }

    #[test]
    fn spans_are_apart_and_in_order() {
        assert_eq!(Spans::new(vec![600..700, 0..60, 650..660, 60..90, 9..9]).0, [0..90, 600..700]);
        let days = Weekdays::new([Weekday::Sunday, Weekday::Monday]).expect("days");
        assert_eq!(days.iter().collect::<Vec<_>>(), [Weekday::Monday, Weekday::Sunday]);
        assert!(Weekdays::new([]).is_err() && Weekdays::try_from(128).is_err());
    }
}
