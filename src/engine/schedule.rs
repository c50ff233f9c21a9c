//! The gates of the hour: a campaign's windows in the week, and whether the store is open.
//!
//! Laws: fail closed: a store of which no hours are known is not open. Every refusal says when that changes, if it does
//! within eight days.

use std::time::Duration;

use super::civil;
use crate::domain::{
    decision::Reason,
    opening::Site,
    place::Store,
    schedule::{self, Clock, Schedule, Spans, Weekdays, WhileOpen},
    time::{TimeOfDay, TimeZone, Timestamp},
};

/// How far it is looked ahead: a window of the week comes within seven days, whatever clocks do.
const LOOKED_AHEAD: Duration = Duration::from_secs(8 * 86_400);

/// Whether the store is open at an instant; not, if its hours are not known.
pub fn is_open(store: &Store, at: Timestamp) -> bool {
    civil::is_within(&store.time_zone, at, opening(store))
}

/// Why the store is not open enough for the campaign; none if it does not ask.
pub fn closed(schedule: &Schedule, store: Option<&Store>, now: Timestamp) -> Option<Reason> {
    schedule.only_while_open.and_then(|while_open| not_open(while_open, store, now))
}

/// Why the campaign's own hours have no offers now, for a person of that zone at a place of that store.
pub fn outside_windows(
    schedule: &Schedule,
    store: Option<&Store>,
    person: &TimeZone,
    now: Timestamp,
) -> Option<Reason> {
    let (clock, zone) = match (schedule.clock, store) {
        (Clock::Store, Some(store)) => (Clock::Store, &store.time_zone),
        (Clock::Store, None) | (Clock::Person, _) => (Clock::Person, person),
    };
    let on = |date| schedule::spans(&schedule.windows, date);
    if schedule.windows.is_empty() || civil::is_within(zone, now, on) {
        return None;
    }
    let next_at = civil::first(zone, (now, now + LOOKED_AHEAD), true, on);
    let local = zone.local(now);
    let (day, local) = (Weekdays::only(local.weekday()), TimeOfDay::of(local));
    Some(Reason::OutsideWindows { day, local, clock: Some(clock), next_at })
}

fn not_open(while_open: WhileOpen, store: Option<&Store>, now: Timestamp) -> Option<Reason> {
    let Some(store) = store.filter(|store| store.opening_hours.is_known()) else {
        return Some(Reason::NoOpeningHours);
    };
    let (zone, on) = (&store.time_zone, opening(store));
    if !civil::is_within(zone, now, &on) {
        let opens_at = civil::first(zone, (now, now + LOOKED_AHEAD), true, &on);
        return Some(Reason::StoreClosed { opens_at });
    }
    let last_call = while_open.last_call;
    let closes_at = civil::first(zone, (now, now + last_call), false, &on)?;
    Some(Reason::LastCall { closes_at, last_call })
}

fn opening(store: &Store) -> impl Fn(jiff::civil::Date) -> Spans {
    let site = Site { position: store.position, time_zone: &store.time_zone, country: store.country };
    move |date| store.opening_hours.on(date, &site)
}
