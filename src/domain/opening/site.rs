//! Where hours are kept: which holidays there are, and when the sun rises and sets.

use chrono::NaiveDate;
use jiff::civil::Date;
use opening_hours::localization::Coordinates;
use opening_hours_syntax::rules::{day::HolidayKind, time::TimeEvent};

use super::Country;
use crate::domain::{
    geo::Position,
    schedule::DAY_MINUTES,
    time::{TimeZone, Timestamp},
};

/// A sunrise by the clock after this was before midnight: no zone is so far from its sun.
const LATEST_MORNING: u16 = 18 * 60;
/// A sunset by the clock before this was after midnight.
const EARLIEST_EVENING: u16 = 6 * 60;

/// What hours depend on beside their words.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    pub position: Position,
    pub time_zone: &'a TimeZone,
    /// None: no day is a holiday.
    pub country: Option<Country>,
}

impl Site<'_> {
    /// Whether the country has a holiday of that kind on the date.
    pub(super) fn is_holiday(&self, kind: HolidayKind, date: Date) -> bool {
        self.country.is_some_and(|country| country.celebrates(kind, date))
    }

    /// The minute after the date's midnight at which the sun does that, by the clock of the place; none if it does not
    /// that day. In a northern summer an evening may end after the next midnight: then that is more than 24 hours.
    pub(super) fn sun_minute(&self, date: Date, event: TimeEvent) -> Option<u16> {
        let place = Coordinates::new(self.position.latitude(), self.position.longitude())?;
        let at = place.event_time(naive(date)?, event)?;
        let local = self.time_zone.local(Timestamp::from_micros(at.timestamp_micros()));
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        Some(match event {
            TimeEvent::Dawn | TimeEvent::Sunrise if minute >= LATEST_MORNING => 0,
            TimeEvent::Sunset | TimeEvent::Dusk if minute < EARLIEST_EVENING => minute + DAY_MINUTES,
            TimeEvent::Dawn | TimeEvent::Sunrise | TimeEvent::Sunset | TimeEvent::Dusk => minute,
        })
    }

    /// Whether days are longer than nights.
    pub(super) fn is_summer(&self, date: Date) -> bool {
        let between_equinoxes = ((3, 20)..(9, 22)).contains(&(date.month(), date.day()));
        between_equinoxes == (self.position.latitude() > 0.0)
    }
}

pub(super) fn naive(date: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(date.year().into(), date.month() as u32, date.day() as u32)
}
