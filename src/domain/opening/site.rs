//! Where hours are kept: which holidays there are, and when the sun rises and sets.

use chrono::NaiveDate;
use jiff::civil::Date;
use opening_hours::localization::Coordinates;
use opening_hours_syntax::rules::{day::HolidayKind, time::TimeEvent};

use super::Country;
use crate::domain::{
    geo::Position,
    time::{TimeZone, Timestamp},
};

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
        let holidays = self.country.map(Country::holidays);
        let is_one = |holidays: &opening_hours::ContextHolidays, date| holidays.get_for_kind(kind).contains(date);
        holidays.zip(naive(date)).is_some_and(|(holidays, date)| is_one(&holidays, date))
    }

    /// The minute after midnight at which the sun does that, by the clock of the place; none if it does not that day.
    pub(super) fn sun_minute(&self, date: Date, event: TimeEvent) -> Option<u16> {
        let place = Coordinates::new(self.position.latitude(), self.position.longitude())?;
        let at = place.event_time(naive(date)?, event)?;
        let local = self.time_zone.local(Timestamp::from_micros(at.timestamp_micros()));
        Some(local.hour() as u16 * 60 + local.minute() as u16)
    }

    /// Whether days are longer than nights.
    pub(super) fn is_summer(&self, date: Date) -> bool {
        let between_equinoxes = ((3, 20)..(9, 22)).contains(&(date.month(), date.day()));
        between_equinoxes == (self.position.latitude() > 0.0)
    }
}

fn naive(date: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(date.year().into(), date.month() as u32, date.day() as u32)
}
