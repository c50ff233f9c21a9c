//! The presence step: what a ping's fixes change about where we believe a device to be.
//!
//! Law 3: events are true. Fixes are taken in their order; an out-of-order one may widen the open visit (`order`); one
//! that nobody can have travelled to moves nobody (`travel`); a stale one makes transitions but fires nothing, unless
//! the newest fix of its backlog is fresh and still inside. A fix of 5 km accuracy moves nobody.
//!
//! When a fix enters and leaves is said in `rule`, what is crossed between two in `passing`, and when the next fix is
//! wanted in `wanted`.

#[cfg(test)]
mod flapping;
mod order;
#[cfg(test)]
mod order_tests;
mod passing;
mod rule;
#[cfg(test)]
pub(in crate::engine) mod tests;
mod travel;
#[cfg(test)]
mod travel_tests;
mod wanted;

use std::time::Duration;

pub use order::clock_was_set;
pub use rule::AT_ONCE;
use rule::Seen;
pub use wanted::{is_dwell_overdue, may_promise, wanted_at};

use super::{areas::AreaEntry, known::Known};
use crate::domain::{
    ping::{Fix, Ping, STALE_AFTER},
    presence::{Area, Belief, DevicePresence, LastSeen, Transition, TransitionKind, Visit},
    time::Timestamp,
};

/// A fix of a worse accuracy moves nobody, in metres.
pub const WORST_ACCURACY_M: f64 = 1_000.0;
/// A visit of which nothing is heard for so long is over, and what is heard then is as good as the first ever.
const SILENCE: Duration = Duration::from_secs(4 * 3_600);

/// What a step did.
#[derive(Debug, Default)]
pub struct Step {
    pub presence: DevicePresence,
    /// In the order of event time.
    pub transitions: Vec<Transition>,
    /// Fixes that were older than, or the same as, what was known.
    pub out_of_order: u32,
    /// Fixes that nobody can have travelled to from the one before.
    pub implausible: u32,
    /// The newest fix was too inaccurate to move anybody.
    pub inaccurate: bool,
    /// Where the device says to be now is not to be believed.
    pub suspect: bool,
    /// Visits began, with or without a transition: a place that opens around somebody is not entered.
    pub began_visits: bool,
    /// Nothing was known of the device before the fix that is being taken.
    initial: bool,
    /// That fix follows from nothing that is known: what it ends is history.
    anew: bool,
}

/// Takes the fixes of a ping into account, in their order.
pub fn step(areas: &Known<'_>, before: &DevicePresence, ping: &Ping) -> Step {
    let inaccurate = ping.newest_fix().is_some_and(|fix| fix.accuracy.metres() > WORST_ACCURACY_M);
    let suspect = ping.is_suspect();
    let mut step = Step { presence: before.clone(), inaccurate, suspect, ..Step::default() };
    // What the device is known at is mostly what holds its newest fix.
    if let Some(newest) = ping.newest_fix() {
        areas.remember(newest.position);
    }
    step.close_deleted(areas);
    if clock_was_set(before, ping) {
        step.begin_new_order();
    }
    for fix in &ping.fixes {
        let usable = fix.accuracy.metres() <= WORST_ACCURACY_M && !suspect;
        if step.is_next(fix) {
            if usable {
                step.consider(areas, fix, ping.clock.received_at);
            }
            step.presence.newest_fix = Some(fix.read);
        } else {
            step.out_of_order += 1;
            if usable {
                step.doubt_again(fix);
                step.widen(areas, fix);
            }
        }
    }
    step.presence.clock_offset = ping.clock.offset();
    step.refresh_backlog(ping);
    step.transitions.sort_by_key(|transition| transition.at);
    step
}

impl Step {
    /// Takes a fix that can be believed.
    fn consider(&mut self, areas: &Known<'_>, fix: &Fix, received_at: Timestamp) {
        let before = self.presence.last_seen.map(|last| last.read).or(self.presence.newest_fix);
        self.initial = before.is_none_or(|before| fix.read.event.since(before.event) > SILENCE);
        self.anew = false;
        self.suspect = !self.believes(fix);
        if self.suspect {
            self.implausible += 1;
            return;
        }
        self.close_silent(fix.read.event);
        self.keep_pace(fix);
        self.pass_through(areas, fix, received_at);
        self.take(areas, fix, received_at);
        self.presence.last_seen = Some(LastSeen::from(fix));
    }

    fn take(&mut self, areas: &Known<'_>, fix: &Fix, received_at: Timestamp) {
        areas.holding(fix.position, |entry| {
            if let Some(outline) = entry.outline() {
                self.seen_inside(areas, entry, &Seen::inside(fix, outline, entry.detection(), received_at));
            }
        });
        let known = self.presence.areas.keys();
        let outside: Vec<Area> = known.filter(|area| !areas.is_holding(area, fix.position)).cloned().collect();
        for area in outside {
            if let Some(entry) = areas.get(&area)
                && let Some(outline) = entry.outline()
            {
                self.seen_outside(&area, &Seen::outside(fix, outline, entry.detection(), received_at));
            }
        }
    }

    fn seen_inside(&mut self, areas: &Known<'_>, entry: &AreaEntry, seen: &Seen<'_>) {
        let area = entry.area();
        let visit = match self.presence.areas.get(&area).copied() {
            Some(Belief::Inside(visit)) => {
                Some(Visit { last_inside: visit.last_inside.max(seen.at), leaving_since: None, ..visit })
            }
            Some(Belief::Entering(arrival)) => self.arrive(entry, seen, Some(arrival)),
            None => self.arrive(entry, seen, None),
        };
        let Some(visit) = visit else { return };
        self.dwell(areas, &area, visit, seen);
    }

    /// Keeps the visit, and reports the thresholds it reached since the last fix inside.
    fn dwell(&mut self, areas: &Known<'_>, area: &Area, mut visit: Visit, seen: &Seen<'_>) {
        let inside_for = visit.last_inside.since(visit.entered_at);
        while let Some(threshold) = areas.dwell_after(area, visit.dwelt).filter(|&threshold| threshold <= inside_for) {
            visit.dwelt = threshold;
            let at = visit.entered_at + threshold;
            self.transitions.push(seen.transition(area, TransitionKind::Dwelt(threshold), at));
        }
        self.presence.areas.insert(area.clone(), Belief::Inside(visit));
    }

    /// Ends visits at places that are gone, when they were last seen. Nobody has left a store because the campaign that
    /// drew a circle around it was paused: such a visit ends without a word.
    fn close_deleted(&mut self, areas: &Known<'_>) {
        self.presence.areas.retain(|area, belief| {
            areas.get(area).is_some() || (matches!(belief, Belief::Inside(_)) && !areas.has_lapsed(area))
        });
        self.close(|area, _| areas.get(area).is_none());
    }

    /// Ends visits of which nothing was heard for [`SILENCE`].
    fn close_silent(&mut self, now: Timestamp) {
        self.close(|_, visit| now.since(visit.last_inside) > SILENCE);
    }

    fn close(&mut self, over: impl Fn(&Area, &Visit) -> bool) {
        let transitions = &mut self.transitions;
        self.presence.areas.retain(|area, belief| {
            let Belief::Inside(visit) = belief else { return true };
            if !over(area, visit) {
                return true;
            }
            let kind = TransitionKind::Exited(visit.last_inside.since(visit.entered_at));
            transitions.push(Transition {
                area: area.clone(),
                kind,
                at: visit.last_inside,
                stale: true,
                initial: false,
                distance_m: None,
            });
            false
        });
    }

    /// What a backlog tells of places where its newest fix is fresh and still inside may fire after all.
    fn refresh_backlog(&mut self, ping: &Ping) {
        let Some(newest) = ping.newest_fix() else { return };
        if ping.clock.received_at.since(newest.read.event) > STALE_AFTER {
            return;
        }
        for transition in &mut self.transitions {
            let lasting = matches!(transition.kind, TransitionKind::Entered | TransitionKind::Dwelt(_));
            if let Some(Belief::Inside(visit)) = self.presence.areas.get(&transition.area)
                && lasting
                && visit.last_inside == newest.read.event
                && transition.at >= visit.entered_at
            {
                transition.stale = false;
            }
        }
    }
}
