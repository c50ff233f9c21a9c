//! Where hours are kept: which holidays there are, and when the sun rises and sets.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use opening_hours::{
    ContextHolidays,
    localization::{Coordinates, Localize},
};
use opening_hours_syntax::rules::time::TimeEvent;

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
    pub(super) fn holidays(&self) -> ContextHolidays {
        self.country.map(Country::holidays).unwrap_or_default()
    }

    pub(super) fn sun(&self) -> Sun {
        let place = Coordinates::new(self.position.latitude(), self.position.longitude());
        Sun { place, time_zone: self.time_zone.clone() }
    }
}

/// The sun over a place, by its clock.
#[derive(Clone)]
pub(super) struct Sun {
    place: Option<Coordinates>,
    time_zone: TimeZone,
}

impl Localize for Sun {
    type DateTime = NaiveDateTime;

    fn naive(&self, local: NaiveDateTime) -> NaiveDateTime {
        local
    }

    fn datetime(&self, local: NaiveDateTime) -> NaiveDateTime {
        local
    }

    /// None on days on which it does not happen.
    fn event_time(&self, date: NaiveDate, event: TimeEvent) -> Option<NaiveTime> {
        let at = self.place?.event_time(date, event)?;
        let local = self.time_zone.local(Timestamp::from_micros(at.timestamp_micros()));
        NaiveTime::from_hms_opt(local.hour() as u32, local.minute() as u32, 0)
    }
}
