//! When a fix enters an area, and when it leaves one.
//!
//! The rule (DESIGN section 6): a fix is a Gaussian of σ = max(accuracy, 5 m) / 1.51; s is the signed distance of the
//! reported point to the shape. Enter: s ≤ 0 and (P ≥ 0.9 once, or P ≥ 0.6 twice, 20 s apart). Leave: s ≥ m twice, 60 s
//! apart, or s ≥ 3 m once, with m = clamp(2 × accuracy, 25 m, 200 m). The numbers are those of the place's [`Detection`].
//! Who was likely inside before there was a place, and is inside when there is, visits it without having entered.

use std::time::Duration;

use super::{SILENCE, Step};
use crate::{
    domain::{
        detection::Detection,
        dwelt::Dwelt,
        geo::Position,
        ping::{Accuracy, Fix, STALE_AFTER},
        presence::{Arrival, Belief, LastSeen, Transition, TransitionKind, Visit},
        time::Timestamp,
    },
    engine::{entry::AreaView, known::Known, probability, shape::Outline},
};

/// A first likely fix is forgotten when the second is later than due by this: two chance fixes hours apart are no entry.
const ENTERING_KEPT: Duration = Duration::from_secs(5 * 60);
/// A fix that arrives late makes a visit begin earlier by at most this.
const WIDENED_BY: Duration = Duration::from_secs(5 * 60);
/// An exit that is learnt this much after the last fix inside, and what it takes to confirm one, is history: nobody knows
/// when it was.
pub(super) const EXIT_FRESH: Duration = Duration::from_secs(10 * 60);
/// So many margins outside are an exit at once: no error of a phone is that large.
pub const AT_ONCE: f64 = 3.0;

/// What a fix says about one area.
pub struct Seen<'a> {
    fix: &'a Fix,
    /// Of the area, in [`Known`].
    pub number: usize,
    view: AreaView<'a>,
    outline: Outline<'a>,
    /// Metres from the edge to the fix; 0 inside.
    outside_m: f64,
    pub at: Timestamp,
    stale: bool,
}

impl<'a> Seen<'a> {
    /// Of an area that holds the fix.
    pub fn inside(
        fix: &'a Fix,
        (number, view): (usize, AreaView<'a>),
        outline: Outline<'a>,
        received_at: Timestamp,
    ) -> Self {
        let stale = received_at.since(fix.read.event) > STALE_AFTER;
        Self { fix, number, view, outline, outside_m: 0.0, at: fix.read.event, stale }
    }

    /// Of an area that does not.
    pub fn outside(fix: &'a Fix, area: (usize, AreaView<'a>), outline: Outline<'a>, received_at: Timestamp) -> Self {
        let outside_m = outline.edge_distance(fix.position, f64::INFINITY);
        Self { outside_m, ..Self::inside(fix, area, outline, received_at) }
    }

    /// Probability of being inside, for a reported point inside.
    fn probability(&self) -> f64 {
        probability::inside(self.outline, self.fix.position, probability::sigma(self.fix.accuracy.metres()))
    }

    pub fn transition(&self, areas: &Known<'_>, kind: TransitionKind, at: Timestamp) -> Option<Transition> {
        let distance_m = Some(self.outside_m);
        Some(Transition { area: areas.area(self.number)?, kind, at, stale: self.stale, initial: false, distance_m })
    }
}

/// Whether a fix there would be an entry at once.
pub fn is_surely_inside(view: AreaView<'_>, position: Position, accuracy: Accuracy) -> bool {
    is_inside(view, position, accuracy, view.detection().enter_probability())
}

/// Whether a fix there is inside with that probability.
fn is_inside(view: AreaView<'_>, position: Position, accuracy: Accuracy, wanted: f64) -> bool {
    let Some(outline) = view.outline() else { return false };
    outline.holds(position) && probability::inside(outline, position, probability::sigma(accuracy.metres())) >= wanted
}

/// Whether a fix is too late to tell of an exit that it is news.
pub(super) fn is_late_exit(rule: &Detection, last_inside: Timestamp, fix: Timestamp) -> bool {
    fix.since(last_inside) > EXIT_FRESH + rule.leave_after()
}

/// Whether a fix now confirms the first one; none confirms itself, even where no time need pass.
fn is_confirmed(arrival: &Arrival, now: Timestamp, rule: &Detection) -> bool {
    now > arrival.since && now.since(arrival.since) >= rule.confirm_after()
}

impl Step {
    /// The visit that a fix inside begins, if it is sure enough; else the arrival may wait for another one.
    pub(super) fn arrive(&mut self, areas: &Known<'_>, seen: &Seen<'_>, arrival: Option<Arrival>) -> Option<Visit> {
        let rule = seen.view.detection();
        let is_newer = arrival.is_none() && self.was_inside(seen.view, seen.at);
        let pending = arrival.filter(|arrival| self.is_kept(arrival, seen.at, rule));
        let probability = seen.probability();
        let sure = probability >= rule.enter_probability();
        let likely = probability >= rule.confirm_probability();
        let confirmed = likely && pending.is_some_and(|pending| is_confirmed(&pending, seen.at, rule));
        let arrival = pending.unwrap_or_else(|| self.arrival(seen.at));
        if !(sure || confirmed || is_newer) || self.may_be_driving(rule, seen.at) {
            let waits = pending.is_some() || likely;
            self.believe(seen.number, waits.then_some(Belief::Entering(arrival)));
            return None;
        }
        let entered_at = match (rule.stopped_for(), sure) {
            (Some(_), _) => arrival.since.max(self.presence.slow_since.unwrap_or(seen.at)),
            (None, true) => seen.at,
            (None, false) => arrival.since,
        };
        self.began_visits = true;
        // A place that opens around somebody is not entered: not now, nor when a later fix is surer of it.
        if !is_newer {
            let entered = seen.transition(areas, TransitionKind::Entered, entered_at);
            self.transitions.extend(entered.map(|entered| Transition { initial: arrival.initial, ..entered }));
        }
        let not_before = arrival.not_before;
        Some(Visit { not_before, entered_at, last_inside: seen.at, leaving_since: None, dwelt: Dwelt::default() })
    }

    /// Whether a first fix is not forgotten yet. Where a stop is wanted, a stop that was seen to go on keeps it.
    fn is_kept(&self, arrival: &Arrival, now: Timestamp, rule: &Detection) -> bool {
        let stop = rule.stopped_for();
        let slow_since = self.presence.slow_since.filter(|since| stop.is_some() && *since < now);
        let since = slow_since.map_or(arrival.since, |slow_since| slow_since.max(arrival.since));
        now.since(since) <= rule.confirm_after().max(stop.unwrap_or_default()) + ENTERING_KEPT
    }

    fn arrival(&self, since: Timestamp) -> Arrival {
        let before = self.presence.last_seen.filter(|_| !self.initial).map(|last| last.read.event);
        let not_before = before.map_or(since, |before| before.min(since).max(since - WIDENED_BY));
        Arrival { since, not_before, initial: self.initial }
    }

    /// Whether the fix before was likely inside. It would have left a belief: if there is none, the place is newer than it.
    fn was_inside(&self, view: AreaView<'_>, now: Timestamp) -> bool {
        let likely = view.detection().confirm_probability();
        self.presence.last_seen.is_some_and(|LastSeen { read, position, accuracy }| {
            now.since(read.event) <= SILENCE && is_inside(view, position, accuracy, likely)
        })
    }

    pub(super) fn seen_outside(&mut self, areas: &Known<'_>, seen: &Seen<'_>) {
        let Some(Belief::Inside(visit)) = self.belief(seen.number) else {
            return self.believe(seen.number, None);
        };
        let rule = seen.view.detection();
        let margin_m = rule.margin_m(seen.fix.accuracy.metres());
        let confirmed = visit.leaving_since.is_some_and(|since| seen.at.since(since) >= rule.leave_after());
        if seen.outside_m >= AT_ONCE * margin_m || (seen.outside_m >= margin_m && confirmed) {
            self.believe(seen.number, None);
            let lasted = visit.last_inside.since(visit.entered_at);
            let exit = seen.transition(areas, TransitionKind::Exited(lasted), visit.last_inside);
            let late = self.anew || is_late_exit(rule, visit.last_inside, seen.at);
            if seen.stale && !late {
                self.told_late.push(self.transitions.len());
            }
            self.transitions.extend(exit.map(|exit| Transition { stale: exit.stale || late, ..exit }));
        } else if seen.outside_m >= margin_m && visit.leaving_since.is_none() {
            let visit = Visit { leaving_since: Some(seen.at), ..visit };
            self.believe(seen.number, Some(Belief::Inside(visit)));
        }
    }
}
