//! Times of a day: from one to another, by the clock or by the sun.
//!
//! Law: where the sun does not rise or set, it is day or night from midnight to midnight.

use jiff::civil::Date;
use opening_hours_syntax::rules::time::TimeEvent;

use super::site::Site;
use crate::domain::schedule::DAY_MINUTES;

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
    /// Of the next day if it is not later.
    pub(super) to: Time,
}

impl Span {
    pub(super) const ALL_DAY: Span = Span { from: Time::Clock(0), to: Time::Clock(DAY_MINUTES) };

    /// Its minutes on a day that has it, which may go on over midnight, to at most 48 hours; none if the sun forbids it.
    pub(super) fn on(&self, date: Date, site: &Site<'_>) -> Option<(u16, u16)> {
        let ((from, is_from_known), (to, _)) = (self.from.on(date, site), self.to.on(date, site));
        if from < to {
            return Some((from, to));
        }
        let morning = self.is_over_midnight().then(|| date.tomorrow().ok()).flatten()?;
        let (to, is_to_known) = self.to.on(morning, site);
        (is_from_known && is_to_known).then_some((from, (to + DAY_MINUTES).min(2 * DAY_MINUTES)))
    }

    /// Whether it ends on the next day, and is not just kept from coming by the sun: `sunset-02:00` ends there, and
    /// `sunrise-08:00` does not, even where the sun rises at nine.
    fn is_over_midnight(&self) -> bool {
        self.from.usual() > self.to.usual() || self.from == self.to
    }
}

impl Time {
    /// Its minute, and whether it comes on that day.
    fn on(self, date: Date, site: &Site<'_>) -> (u16, bool) {
        let Time::Sun { event, offset } = self else {
            let Time::Clock(minute) = self else { return (0, true) };
            return (minute, true);
        };
        match site.sun_minute(date, event) {
            Some(minute) => (minute.saturating_add_signed(offset).min(2 * DAY_MINUTES), true),
            None => {
                let is_morning = matches!(event, TimeEvent::Dawn | TimeEvent::Sunrise);
                (if is_morning == site.is_summer(date) { 0 } else { DAY_MINUTES }, false)
            }
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
