//! The gates of the hour: a campaign's windows in the week, and whether the store is open.
//!
//! Laws: fail closed: a store of which no hours are known is not open. Every refusal says when that changes, if it does
//! within eight days; it is looked for once for each store, and not for who only asks whether there is a refusal.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use super::civil;
use crate::domain::{
    decision::Reason,
    name::StoreName,
    opening::Site,
    place::Store,
    schedule::{self, Clock, MAX_LAST_CALL, Schedule, Spans, Weekdays, WhileOpen},
    time::{TimeOfDay, TimeZone, Timestamp},
};

/// How far it is looked ahead: a window of the week comes within seven days, whatever clocks do.
const LOOKED_AHEAD: Duration = Duration::from_secs(8 * 86_400);

/// Whether the store is open at an instant; not, if its hours are not known.
pub fn is_open(store: &Store, at: Timestamp) -> bool {
    civil::is_within(&store.time_zone, at, opening(store))
}

/// The stores that one decision asks about, at its moment.
pub struct Doors {
    now: Timestamp,
    known: RefCell<BTreeMap<StoreName, Door>>,
}

/// What the hours of one store say.
struct Door {
    is_open: bool,
    /// Of one that is closed; none if that is too far ahead.
    opens_at: OnceCell<Option<Timestamp>>,
    /// Of one that is open; none if that is later than any last call.
    closes_at: OnceCell<Option<Timestamp>>,
}

impl Doors {
    pub fn at(now: Timestamp) -> Self {
        Self { now, known: RefCell::default() }
    }

    /// Whether the store is open; not, if its hours are not known.
    pub fn is_open(&self, store: &Store) -> bool {
        self.of(store, |door| door.is_open)
    }

    /// Why the store is not open enough for the campaign; none if it does not ask.
    pub fn closed(&self, schedule: &Schedule, store: Option<&Store>) -> Option<Reason> {
        let while_open = schedule.only_while_open?;
        let Some(store) = store.filter(|store| store.opening_hours.is_known()) else {
            return Some(Reason::NoOpeningHours);
        };
        if !self.is_open(store) {
            let opens_at = self
                .of(store, |door| *door.opens_at.get_or_init(|| opens_at(store, (self.now, self.now + LOOKED_AHEAD))));
            return Some(Reason::StoreClosed { opens_at });
        }
        self.last_call(while_open, store)
    }

    /// Whether [`Self::closed`] has a reason.
    pub fn are_closed(&self, schedule: &Schedule, store: Option<&Store>) -> bool {
        let Some(while_open) = schedule.only_while_open else { return false };
        let store = store.filter(|store| store.opening_hours.is_known());
        store.is_none_or(|store| !self.is_open(store) || self.last_call(while_open, store).is_some())
    }

    fn last_call(&self, while_open: WhileOpen, store: &Store) -> Option<Reason> {
        let (last_call, now) = (while_open.last_call, self.now);
        if last_call.is_zero() {
            return None;
        }
        let first = || civil::first(&store.time_zone, (now, now + MAX_LAST_CALL), false, opening(store));
        let closes_at = self.of(store, |door| *door.closes_at.get_or_init(first))?;
        (closes_at <= now + last_call).then_some(Reason::LastCall { closes_at, last_call })
    }

    fn of<T>(&self, store: &Store, something: impl FnOnce(&Door) -> T) -> T {
        let mut known = self.known.borrow_mut();
        let look = || Door { is_open: is_open(store, self.now), opens_at: OnceCell::new(), closes_at: OnceCell::new() };
        something(known.entry(store.name.clone()).or_insert_with(look))
    }
}

/// Why the campaign's own hours have no offers now, for a person of that zone at a place of that store.
pub fn outside_windows(
    schedule: &Schedule,
    store: Option<&Store>,
    person: &TimeZone,
    now: Timestamp,
) -> Option<Reason> {
    if !is_outside_windows(schedule, store, person, now) {
        return None;
    }
    let ((clock, zone), on) = (clock_of(schedule, store, person), |date| schedule::spans(&schedule.windows, date));
    let next_at = civil::first(zone, (now, now + LOOKED_AHEAD), true, on);
    let local = zone.local(now);
    let (day, local) = (Weekdays::only(local.weekday()), TimeOfDay::of(local));
    Some(Reason::OutsideWindows { day, local, clock: Some(clock), next_at })
}

/// Whether [`outside_windows`] has a reason.
pub fn is_outside_windows(schedule: &Schedule, store: Option<&Store>, person: &TimeZone, now: Timestamp) -> bool {
    let (_, zone) = clock_of(schedule, store, person);
    let on = |date| schedule::spans(&schedule.windows, date);
    !schedule.windows.is_empty() && !civil::is_within(zone, now, on)
}

/// Whose clock the campaign's hours are read from, and its zone.
fn clock_of<'a>(schedule: &Schedule, store: Option<&'a Store>, person: &'a TimeZone) -> (Clock, &'a TimeZone) {
    match (schedule.clock, store) {
        (Clock::Store, Some(store)) => (Clock::Store, &store.time_zone),
        (Clock::Store, None) | (Clock::Person, _) => (Clock::Person, person),
    }
}

/// When the store is open first, from a time on and not after another.
pub fn opens_at(store: &Store, span: (Timestamp, Timestamp)) -> Option<Timestamp> {
    civil::first(&store.time_zone, span, true, opening(store))
}

fn opening(store: &Store) -> impl Fn(jiff::civil::Date) -> Spans {
    let site = Site { position: store.position, time_zone: &store.time_zone, country: store.country };
    move |date| store.opening_hours.on(date, &site)
}
