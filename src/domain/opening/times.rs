//! Times of a day: from one to another, by the clock or by the sun.
//!
//! Laws: where the sun does not rise or set, it is day or night from midnight to midnight. Whether a span ends on the next
//! day is said by its words alone, the same all year: between the sun and the clock it does from 09:00 or later to dawn or
//! sunrise, from sunset or dusk to noon or earlier, and from dawn or sunrise to 03:00 or earlier; a time after 24:00 is always
//! of the next. A span that would end before it begins does not come.

use jiff::civil::Date;
use opening_hours_syntax::rules::time::TimeEvent;

use super::site::Site;
use crate::domain::schedule::DAY_MINUTES;

/// Who opens at sunrise and closes by then has been open for a day, and not for an hour of summer.
const LAST_OF_NIGHT: u16 = 3 * 60;
/// Who opens then or later and closes at sunrise does so on the next day: hardly anywhere does the sun rise after it.
const LATEST_SUNRISE: u16 = 9 * 60;
const NOON: u16 = 12 * 60;

/// A moment of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// Minutes after midnight: 0 to 48 hours.
    Clock(u16),
    /// Minutes after (or before) the sun's.
    Sun { event: TimeEvent, offset: i16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Time,
    /// Of the next day if it is not later. None: nobody knows; that day it is open to its end, or until it opens again.
    pub(super) to: Option<Time>,
}

impl Span {
    pub(super) const ALL_DAY: Span = Span { from: Time::Clock(0), to: Some(Time::Clock(DAY_MINUTES)) };

    /// Its minutes on a day that has it, which may go on over midnight, to at most 48 hours; none if the sun forbids it.
    pub(super) fn on(&self, date: Date, site: &Site<'_>) -> Option<(u16, u16)> {
        let (from, is_from_known) = self.from.on(date, site);
        if !is_from_known && from == DAY_MINUTES {
            return None;
        }
        let to = match self.to {
            None => DAY_MINUTES,
            Some(to) if self.is_over_midnight(to) => {
                (to.on(date.tomorrow().ok()?, site).0 + DAY_MINUTES).min(2 * DAY_MINUTES)
            }
            Some(to) => to.on(date, site).0,
        };
        (from < to).then_some((from, to))
    }

    fn is_over_midnight(&self, to: Time) -> bool {
        match (self.from, to) {
            (Time::Clock(from), Time::Sun { event, .. }) => is_morning(event) && from >= LATEST_SUNRISE,
            (Time::Sun { event, .. }, Time::Clock(to)) => to <= if is_morning(event) { LAST_OF_NIGHT } else { NOON },
            (from, to) => from == to || from.usual() > to.usual(),
        }
    }
}

impl Time {
    /// Its minute, and whether it comes on that day: if not, the midnight from which on, or up to which, it is day or night.
    fn on(self, date: Date, site: &Site<'_>) -> (u16, bool) {
        let Time::Sun { event, offset } = self else {
            let Time::Clock(minute) = self else { return (0, true) };
            return (minute, true);
        };
        match site.sun_minute(date, event) {
            Some(minute) => (minute.saturating_add_signed(offset).min(2 * DAY_MINUTES), true),
            None => (if is_morning(event) == site.is_summer(date) { 0 } else { DAY_MINUTES }, false),
        }
    }

    /// The minute, with the sun of an equinox.
    fn usual(self) -> i16 {
        match self {
            Time::Clock(minute) => minute as i16,
            Time::Sun { event, offset } => {
                offset
                    + match event {
                        TimeEvent::Dawn => 5 * 60 + 30,
                        TimeEvent::Sunrise => 6 * 60,
                        TimeEvent::Sunset => 18 * 60,
                        TimeEvent::Dusk => 18 * 60 + 30,
                    }
            }
        }
    }
}

fn is_morning(event: TimeEvent) -> bool {
    matches!(event, TimeEvent::Dawn | TimeEvent::Sunrise)
}
