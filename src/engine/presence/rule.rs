//! When a fix enters an area, and when it leaves one.
//!
//! The rule (DESIGN section 6): a fix is a Gaussian of σ = max(accuracy, 5 m) / 1.51; s is the signed distance of the
//! reported point to the shape. Enter: s ≤ 0 and (P ≥ 0.9 once, or P ≥ 0.6 twice, 20 s apart). Leave: s ≥ m twice, 60 s
//! apart, or s ≥ 3 m once, with m = clamp(2 × accuracy, 25 m, 200 m). The numbers are those of the place's [`Detection`].

use std::time::Duration;

use super::{SILENCE, Step};
use crate::{
    domain::{
        detection::Detection,
        geo::Position,
        ping::{Accuracy, Fix, STALE_AFTER},
        presence::{Area, Arrival, Belief, LastSeen, Transition, TransitionKind, Visit},
        time::Timestamp,
    },
    engine::{areas::AreaEntry, probability, shape::Outline},
};

/// A first likely fix is forgotten when the second is later than due by this: two chance fixes hours apart are no entry.
const ENTERING_KEPT: Duration = Duration::from_secs(5 * 60);
/// A fix that arrives late makes a visit begin earlier by at most this.
const WIDENED_BY: Duration = Duration::from_secs(5 * 60);
/// An exit that is learnt this much after the last fix inside is history: nobody knows when it was.
const EXIT_FRESH: Duration = Duration::from_secs(10 * 60);
/// So many margins outside are an exit at once: no error of a phone is that large.
pub const AT_ONCE: f64 = 3.0;

/// What a fix says about one area.
pub struct Seen<'a> {
    fix: &'a Fix,
    outline: Outline<'a>,
    detection: Detection,
    /// Metres from the edge to the fix; 0 inside.
    outside_m: f64,
    pub at: Timestamp,
    stale: bool,
}

impl<'a> Seen<'a> {
    /// Of an area that holds the fix.
    pub fn inside(fix: &'a Fix, outline: Outline<'a>, detection: Detection, received_at: Timestamp) -> Self {
        let stale = received_at.since(fix.read.event) > STALE_AFTER;
        Self { fix, outline, detection, outside_m: 0.0, at: fix.read.event, stale }
    }

    /// Of an area that does not.
    pub fn outside(fix: &'a Fix, outline: Outline<'a>, detection: Detection, received_at: Timestamp) -> Self {
        let outside_m = outline.signed_distance(fix.position, f64::INFINITY).max(0.0);
        Self { outside_m, ..Self::inside(fix, outline, detection, received_at) }
    }

    /// Probability of being inside, for a reported point inside.
    fn probability(&self) -> f64 {
        probability::inside(self.outline, self.fix.position, probability::sigma(self.fix.accuracy.metres()))
    }

    pub fn transition(&self, area: &Area, kind: TransitionKind, at: Timestamp) -> Transition {
        let distance_m = Some(self.outside_m);
        Transition { area: area.clone(), kind, at, stale: self.stale, initial: false, distance_m }
    }
}

/// Whether a fix there would be an entry at once.
pub fn is_surely_inside(entry: &AreaEntry, position: Position, accuracy: Accuracy) -> bool {
    let Some(outline) = entry.outline() else { return false };
    outline.holds(position)
        && probability::inside(outline, position, probability::sigma(accuracy.metres()))
            >= entry.detection().enter_probability()
}

/// Whether a fix now confirms the first one; none confirms itself, even where no time need pass.
fn is_confirmed(arrival: &Arrival, now: Timestamp, rule: &Detection) -> bool {
    now > arrival.since && now.since(arrival.since) >= rule.confirm_after()
}

impl Step {
    /// The visit that a fix inside begins, if it is sure enough; else the arrival may wait for another one.
    pub(super) fn arrive(&mut self, entry: &AreaEntry, seen: &Seen<'_>, arrival: Option<Arrival>) -> Option<Visit> {
        let rule = &seen.detection;
        let is_new = arrival.is_none() && self.was_inside(entry, seen.at);
        let kept = rule.confirm_after() + ENTERING_KEPT;
        let pending = arrival.filter(|arrival| seen.at.since(arrival.since) <= kept);
        let probability = seen.probability();
        let sure = probability >= rule.enter_probability();
        let likely = probability >= rule.confirm_probability();
        let confirmed = likely && pending.is_some_and(|pending| is_confirmed(&pending, seen.at, rule));
        let arrival = pending.unwrap_or_else(|| self.arrival(seen.at));
        if !(sure || confirmed) || self.may_be_driving(rule, seen.at) {
            match pending.is_some() || likely {
                true => self.presence.areas.insert(entry.area(), Belief::Entering(arrival)),
                false => self.presence.areas.remove(&entry.area()),
            };
            return None;
        }
        let entered_at = match (rule.stopped_for(), sure) {
            (Some(_), _) => arrival.since.max(self.presence.slow_since.unwrap_or(seen.at)),
            (None, true) => seen.at,
            (None, false) => arrival.since,
        };
        self.began_visits = true;
        // A place that opens around somebody is not entered.
        if !is_new {
            let entered = seen.transition(&entry.area(), TransitionKind::Entered, entered_at);
            self.transitions.push(Transition { initial: arrival.initial, ..entered });
        }
        let not_before = arrival.not_before;
        Some(Visit { not_before, entered_at, last_inside: seen.at, leaving_since: None, dwelt: Duration::ZERO })
    }

    fn arrival(&self, since: Timestamp) -> Arrival {
        let before = self.presence.last_seen.filter(|_| !self.initial).map(|last| last.read.event);
        let not_before = before.map_or(since, |before| before.min(since).max(since - WIDENED_BY));
        Arrival { since, not_before, initial: self.initial }
    }

    /// Whether the fix before was as surely inside. If nothing is believed then, the place is newer than that fix.
    fn was_inside(&self, entry: &AreaEntry, now: Timestamp) -> bool {
        self.presence.last_seen.is_some_and(|LastSeen { read, position, accuracy }| {
            now.since(read.event) <= SILENCE && is_surely_inside(entry, position, accuracy)
        })
    }

    pub(super) fn seen_outside(&mut self, area: &Area, seen: &Seen<'_>) {
        let Some(Belief::Inside(visit)) = self.presence.areas.get(area).copied() else {
            self.presence.areas.remove(area);
            return;
        };
        let margin_m = seen.detection.margin_m(seen.fix.accuracy.metres());
        let leave_after = seen.detection.leave_after();
        let confirmed = visit.leaving_since.is_some_and(|since| seen.at.since(since) >= leave_after);
        if seen.outside_m >= AT_ONCE * margin_m || (seen.outside_m >= margin_m && confirmed) {
            self.presence.areas.remove(area);
            let lasted = visit.last_inside.since(visit.entered_at);
            let mut exit = seen.transition(area, TransitionKind::Exited(lasted), visit.last_inside);
            exit.stale |= self.anew || seen.at.since(visit.last_inside) > EXIT_FRESH;
            self.transitions.push(exit);
        } else if seen.outside_m >= margin_m && visit.leaving_since.is_none() {
            let visit = Visit { leaving_since: Some(seen.at), ..visit };
            self.presence.areas.insert(area.clone(), Belief::Inside(visit));
        }
    }
}
