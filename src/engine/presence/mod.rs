//! The presence step: what a ping's fixes change about where we believe a device to be.
//!
//! Law 3: events are true. Fixes are taken in their order; an out-of-order one may widen the open visit (`order`); one
//! that nobody can have travelled to moves nobody (`travel`); a stale one makes transitions but fires nothing, unless
//! the newest fix of its backlog is fresh and still inside. A fix of 5 km accuracy moves nobody.
//!
//! When a fix enters and leaves is said in `rule`, who may be driving in `pace`, what is crossed between two fixes in
//! `passing`, and when the next one is wanted in `wanted`.

#[cfg(test)]
mod flapping;
mod order;
#[cfg(test)]
mod order_tests;
mod pace;
#[cfg(test)]
mod pace_tests;
mod passing;
mod rule;
#[cfg(test)]
pub(in crate::engine) mod tests;
mod travel;
#[cfg(test)]
mod travel_tests;
mod wanted;

use std::{collections::HashMap, mem, time::Duration};

pub use order::clock_was_set;
pub use passing::is_way_known;
pub use rule::AT_ONCE;
use rule::Seen;
pub use wanted::{is_dwell_overdue, is_silence_overdue, wanted_at};

use super::{entry::AreaView, known::Known, ranging};
use crate::domain::{
    beliefs::Beliefs,
    dwelt::Dwelt,
    ping::{Fix, Ping, Reading, STALE_AFTER},
    presence::{Area, Belief, DevicePresence, Hearing, LastSeen, Transition, TransitionKind, Visit},
    time::Timestamp,
};

/// A fix of a worse accuracy moves nobody, in metres.
pub const WORST_ACCURACY_M: f64 = 1_000.0;
/// A visit of which nothing is heard for so long is over, and what is heard then is as good as the first ever.
const SILENCE: Duration = Duration::from_secs(4 * 3_600);

/// The last instant at which the visit is known to go on: after it, silence has ended it, whatever is heard next.
pub fn known_until(visit: &Visit) -> Timestamp {
    visit.last_inside + SILENCE
}

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
    /// The exits among the transitions that are history for nothing but the age of the fix that told of them.
    told_late: Vec<usize>,
    /// When something was last known in an order of readings that is over.
    known_before: Option<Timestamp>,
    /// Metres to that fix from where the device was last seen.
    way_m: f64,
    /// As far as that way tells; it may be an error.
    looks_driven: bool,
    /// What is believed at each area that has a number in [`Known`]; `presence.areas` is told at the end.
    beliefs: Vec<Option<Belief>>,
}

impl Step {
    /// As if nothing had happened to a device of which that is believed.
    pub fn standing(presence: &DevicePresence) -> Self {
        Self { presence: presence.clone(), ..Self::default() }
    }

    /// As if this transition had just happened to a device of which that is believed: who came in is inside. A visit that
    /// goes on then, and that silence has not ended, is the one that is dwelt in, left and heard, since it began.
    pub fn supposed(before: &DevicePresence, transition: Transition) -> Self {
        let (mut presence, at) = (before.clone(), transition.at);
        let going_on = before.areas.iter().find_map(|(area, belief)| match belief {
            Belief::Inside(visit) if *area == transition.area && at <= known_until(visit) => Some(visit.entered_at),
            Belief::Inside(_) | Belief::Entering(_) => None,
        });
        let (entered_at, kind) = match transition.kind {
            TransitionKind::Entered => (Some(at), transition.kind),
            TransitionKind::Dwelt(after) => {
                (Some(going_on.map_or(at - after, |begun| begun.min(at - after))), transition.kind)
            }
            TransitionKind::Exited(lasted) => {
                (None, TransitionKind::Exited(going_on.map_or(lasted, |begun| at.since(begun))))
            }
            TransitionKind::Crossed | TransitionKind::Heard => (None, transition.kind),
        };
        let visit = |entered_at| {
            let (last_inside, leaving_since, dwelt) = (at, None, Dwelt::default());
            Belief::Inside(Visit { not_before: entered_at, entered_at, last_inside, leaving_since, dwelt })
        };
        let others = presence.areas.iter().filter(|(area, _)| **area != transition.area);
        let others: Vec<(Area, Belief)> = others.map(|(area, belief)| (area.clone(), *belief)).collect();
        let entered = entered_at.map(|entered_at| (transition.area.clone(), visit(entered_at)));
        presence.areas = others.into_iter().chain(entered).collect();
        if let (TransitionKind::Heard, Area::Beacon(name)) = (kind, &transition.area) {
            let known = presence.heard.get(name).filter(|known| ranging::goes_on(known, at));
            let first = known.map_or(at, |known| known.first);
            presence.heard.insert(name.clone(), Hearing { first, last: at, confirmed: true });
        }
        Self { presence, transitions: vec![Transition { kind, ..transition }], ..Self::default() }
    }
}

/// Takes the fixes of a ping into account, in their order.
pub fn step(areas: &Known<'_>, before: &DevicePresence, ping: &Ping) -> Step {
    let inaccurate = ping.newest_fix().is_some_and(|fix| fix.accuracy.metres() > WORST_ACCURACY_M);
    let suspect = ping.is_suspect();
    let beliefs = before.areas.values().copied().map(Some).collect();
    let presence = DevicePresence { areas: Beliefs::default(), heard: before.heard.clone(), ..*before };
    let mut step = Step { presence, inaccurate, suspect, beliefs, ..Step::default() };
    // What the device is known at is mostly what holds its newest fix.
    areas.attend(before.areas.areas(), ping.newest_fix().map(|fix| fix.position));
    step.beliefs.resize(areas.count(), None);
    step.close_deleted(areas);
    if clock_was_set(before, ping) {
        step.begin_new_order();
    }
    let sent_before = ping.known_fixes([step.presence.newest_fix, before.ahead]);
    for (number, fix) in ping.fixes.iter().enumerate() {
        let usable = fix.accuracy.metres() <= WORST_ACCURACY_M && !suspect;
        if !before.may_locate(fix.read) {
            step.out_of_order += 1;
        } else if number >= sent_before && step.is_next(fix) {
            let fix = Fix { read: fix.read.next_after(step.presence.newest_fix), ..*fix };
            if usable {
                step.consider(areas, &fix, ping.clock.received_at);
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
    step.presence.note_ahead(ping);
    step.presence.clock_offset = ping.clock.offset();
    step.refresh_backlog(areas, ping);
    step.transitions.sort_by_key(|transition| transition.at);
    step.presence.areas = step.believed(areas, &before.areas);
    step
}

impl Step {
    /// Takes a fix that can be believed.
    fn consider(&mut self, areas: &Known<'_>, fix: &Fix, received_at: Timestamp) {
        let before = self.known().map(|read| read.event).or(self.known_before);
        self.initial = before.is_none_or(|before| fix.read.event.since(before) > SILENCE);
        self.anew = false;
        self.way_m = self.presence.last_seen.map_or(0.0, |last| last.position.distance_to(fix.position));
        self.suspect = !self.believes(fix);
        if self.suspect {
            self.implausible += 1;
            return;
        }
        self.close_silent(areas, fix.read.event);
        self.keep_pace(fix);
        self.pass_through(areas, fix, received_at);
        self.take(areas, fix, received_at);
        self.presence.last_seen = Some(LastSeen::from(fix));
    }

    /// The last reading that tells something of the device.
    fn known(&self) -> Option<Reading> {
        // The newest fix may have told nothing: it speaks for one that a lost cache forgot, if anything was ever saved.
        let saved = self.presence.newest_fix.filter(|_| self.presence.saved_at.is_some());
        self.presence.last_seen.map(|last| last.read).or(saved)
    }

    fn take(&mut self, areas: &Known<'_>, fix: &Fix, received_at: Timestamp) {
        let here = areas.holding(fix.position);
        self.transitions.reserve(here.iter().filter(|&&number| self.belief(number).is_none()).count());
        for &number in here.iter() {
            if let Some(view) = areas.view(number)
                && let Some(outline) = view.outline()
            {
                let seen = Seen::inside(fix, (number, view), outline, received_at);
                self.seen_inside(areas, &seen);
            }
        }
        for number in self.numbers(areas, |number, _| here.binary_search(&number).is_err()) {
            if let Some(view) = areas.view(number)
                && let Some(outline) = view.outline()
            {
                self.seen_outside(areas, &Seen::outside(fix, (number, view), outline, received_at));
            }
        }
    }

    fn seen_inside(&mut self, areas: &Known<'_>, seen: &Seen<'_>) {
        let visit = match self.belief(seen.number) {
            Some(Belief::Inside(visit)) => {
                Some(Visit { last_inside: visit.last_inside.max(seen.at), leaving_since: None, ..visit })
            }
            Some(Belief::Entering(arrival)) => self.arrive(areas, seen, Some(arrival)),
            None => self.arrive(areas, seen, None),
        };
        let Some(visit) = visit else { return };
        self.dwell(areas, visit, seen);
    }

    /// Keeps the visit, and reports the thresholds it reached since the last fix inside, or before anybody waited for them.
    fn dwell(&mut self, areas: &Known<'_>, mut visit: Visit, seen: &Seen<'_>) {
        let inside_for = visit.last_inside.since(visit.entered_at);
        let reached = |threshold: &Duration| *threshold <= inside_for;
        while let Some(threshold) = areas.next_dwell(seen.number, &visit.dwelt).filter(reached) {
            visit.dwelt.note(threshold);
            let at = visit.entered_at + threshold;
            self.transitions.extend(seen.transition(areas, TransitionKind::Dwelt(threshold), at));
        }
        self.believe(seen.number, Some(Belief::Inside(visit)));
    }

    /// What is believed at the area of that number.
    fn belief(&self, number: usize) -> Option<Belief> {
        self.beliefs.get(number).copied().flatten()
    }

    fn believe(&mut self, number: usize, belief: Option<Belief>) {
        if number >= self.beliefs.len() {
            self.beliefs.resize(number + 1, None);
        }
        self.beliefs[number] = belief;
    }

    /// The numbers of the areas where something of that kind is believed, in the order of the areas.
    fn numbers(&self, areas: &Known<'_>, is_meant: impl Fn(usize, &Belief) -> bool) -> Vec<usize> {
        let believed = self.beliefs.iter().enumerate().filter_map(|(number, belief)| Some((number, belief.as_ref()?)));
        let meant = believed.filter(|(number, belief)| is_meant(*number, belief));
        let mut numbers: Vec<usize> = meant.map(|(number, _)| number).collect();
        if numbers.len() > 1 {
            numbers.sort_by_cached_key(|&number| areas.area(number));
        }
        numbers
    }

    /// All that is believed now, at the areas from before if they are still the same.
    fn believed(&self, areas: &Known<'_>, before: &Beliefs) -> Beliefs {
        let (known, new) = self.beliefs.split_at(before.len());
        let is_new = new.iter().any(Option::is_some);
        let renewed = if is_new { None } else { before.renewed(known.iter().copied().flatten().collect()) };
        let named = |(number, belief): (usize, &Option<Belief>)| areas.area(number).zip(*belief);
        renewed.unwrap_or_else(|| self.beliefs.iter().enumerate().filter_map(named).collect())
    }

    /// Ends visits at places that are gone, when they were last seen. Nobody has left a store because the campaign that
    /// drew a circle around it was paused: such a visit ends without a word.
    fn close_deleted(&mut self, areas: &Known<'_>) {
        for number in self.numbers(areas, |number, _| areas.view(number).is_none()) {
            match areas.area(number).is_some_and(|area| areas.has_lapsed(&area)) {
                true => self.believe(number, None),
                false => self.close(areas, number),
            }
        }
    }

    /// Ends visits of which nothing was heard for [`SILENCE`].
    fn close_silent(&mut self, areas: &Known<'_>, now: Timestamp) {
        let is_over = |belief: &Belief| matches!(belief, Belief::Inside(visit) if known_until(visit) < now);
        for number in self.numbers(areas, |_, belief| is_over(belief)) {
            self.close(areas, number);
        }
    }

    fn close(&mut self, areas: &Known<'_>, number: usize) {
        if let Some(Belief::Inside(visit)) = self.belief(number) {
            let kind = TransitionKind::Exited(visit.last_inside.since(visit.entered_at));
            let (at, stale, initial) = (visit.last_inside, true, false);
            let exit = |area| Transition { area, kind, at, stale, initial, distance_m: None };
            self.transitions.extend(areas.area(number).map(exit));
        }
        self.believe(number, None);
    }

    /// What a backlog tells of places where its newest fix is fresh and still inside, or still outside of what was left, may
    /// fire after all.
    fn refresh_backlog(&mut self, areas: &Known<'_>, ping: &Ping) {
        let Some(newest) = ping.newest_fix() else { return };
        if ping.clock.received_at.since(newest.read.event) > STALE_AFTER {
            return;
        }
        for transition in &mut self.transitions {
            let lasting = matches!(transition.kind, TransitionKind::Entered | TransitionKind::Dwelt(_));
            let belief = self.beliefs.get(areas.number(&transition.area)).copied().flatten();
            if let Some(Belief::Inside(visit)) = belief
                && lasting
                && visit.last_inside == newest.read.event
                && transition.at >= visit.entered_at
            {
                transition.stale = false;
            }
        }
        let told_late = mem::take(&mut self.told_late);
        let mut last = HashMap::new();
        if !told_late.is_empty() {
            let numbers = self.transitions.iter().map(|transition| areas.number(&transition.area));
            last.extend(numbers.zip(0..));
        }
        for index in told_late {
            let Some(exit) = self.transitions.get_mut(index) else { continue };
            let number = areas.number(&exit.area);
            if last.get(&number) != Some(&index) {
                continue;
            }
            let outline = areas.view(number).and_then(AreaView::outline);
            let is_outside = self.presence.last_seen.is_some_and(|last| {
                last.read.is_same(newest.read) && outline.is_some_and(|outline| !outline.holds(last.position))
            });
            let is_left = self.beliefs.get(number).copied().flatten().is_none() && is_outside;
            let rule = areas.view(number).map(AreaView::detection);
            let is_late = rule.is_none_or(|rule| rule::is_late_exit(rule, exit.at, newest.read.event));
            exit.stale = !is_left || is_late;
        }
    }
}
