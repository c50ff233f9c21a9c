//! The presence step: what a ping's fixes change about where we believe a device to be.
//!
//! Law 3: events are true. Event time orders; an out-of-order fix changes nothing; a stale one makes transitions but
//! fires nothing, unless the newest fix of its backlog is fresh and still inside. A fix of 5 km accuracy moves nobody.
//!
//! The rule (DESIGN section 6): a fix is a Gaussian of σ = max(accuracy, 5 m) / 1.51; s is the signed distance of the
//! reported point to the shape. Enter: s ≤ 0 and (P ≥ 0.9 once, or P ≥ 0.6 twice, 20 s apart). Leave: s ≥ m twice, 60 s
//! apart, or s ≥ 3 m once, with m = clamp(2 × accuracy, 25 m, 100 m).

use std::time::Duration;

use super::{
    areas::{AreaEntry, Areas},
    probability,
    shape::Outline,
};
use crate::domain::{
    ping::{Fix, Ping, STALE_AFTER},
    presence::{Area, Belief, DevicePresence, LastSeen, Transition, TransitionKind, Visit},
    time::Timestamp,
};

/// A fix of a worse accuracy moves nobody, in metres.
pub const WORST_ACCURACY_M: f64 = 1_000.0;
/// Probability of being inside that is enough at once.
const SURE: f64 = 0.9;
/// Probability that is enough when a second fix confirms it.
const LIKELY: f64 = 0.6;
/// Two likely fixes this far apart are an entry: errors of one moment are correlated.
const ENTER_CONFIRMATION: Duration = Duration::from_secs(20);
/// A first likely fix is forgotten after this: two chance fixes hours apart are no entry.
const ENTERING_KEPT: Duration = Duration::from_secs(5 * 60);
/// An exit that is learnt this much after the last fix inside is history: nobody knows when it was.
const EXIT_FRESH: Duration = Duration::from_secs(10 * 60);
/// Two fixes outside this far apart are an exit.
const LEAVE_CONFIRMATION: Duration = Duration::from_secs(60);
/// A visit of which nothing is heard for so long is over.
const SILENCE: Duration = Duration::from_secs(4 * 3_600);
/// A device clock that moved against ours by more than this starts a new order of readings.
const CLOCK_JUMP: Duration = Duration::from_secs(300);

/// What a step did.
#[derive(Debug, Default)]
pub struct Step {
    pub presence: DevicePresence,
    /// In the order of event time.
    pub transitions: Vec<Transition>,
    /// Fixes that were older than, or the same as, what was known.
    pub out_of_order: u32,
    /// The newest fix was too inaccurate to move anybody.
    pub inaccurate: bool,
    /// Visits began, with or without a transition: a place that opens around somebody is not entered.
    pub began_visits: bool,
}

/// Takes the fixes of a ping into account, in the order of the device's clock.
pub fn step(areas: &Areas, before: &DevicePresence, ping: &Ping) -> Step {
    let inaccurate = ping.newest_fix().is_some_and(|fix| fix.accuracy.metres() > WORST_ACCURACY_M);
    let mut step = Step { presence: before.clone(), inaccurate, ..Step::default() };
    step.close_deleted(areas);
    let known = before.newest_fix.filter(|_| !clock_was_set(before, ping));
    let mut newest = known;
    for fix in &ping.fixes {
        if newest.is_some_and(|newest| fix.read.device <= newest) {
            step.out_of_order += 1;
            continue;
        }
        newest = Some(fix.read.device);
        if fix.accuracy.metres() <= WORST_ACCURACY_M && !ping.is_suspect() {
            step.take(areas, fix, ping.clock.received_at);
        }
    }
    step.presence.newest_fix = newest;
    step.presence.clock_offset = ping.clock.offset();
    step.refresh_backlog(ping);
    step.transitions.sort_by_key(|transition| transition.at);
    step
}

/// Whether the device's clock was set since its newest ping: then its readings begin a new order.
pub fn clock_was_set(before: &DevicePresence, ping: &Ping) -> bool {
    let jump = Duration::from_micros(ping.clock.offset().abs_diff(before.clock_offset));
    jump > CLOCK_JUMP
}

/// What a fix says about one area.
struct Seen<'a> {
    fix: &'a Fix,
    outline: Outline<'a>,
    /// Signed distance in metres.
    s: f64,
    margin_m: f64,
    at: Timestamp,
    stale: bool,
}

impl<'a> Seen<'a> {
    fn new(fix: &'a Fix, outline: Outline<'a>, received_at: Timestamp) -> Self {
        Self {
            fix,
            outline,
            s: outline.signed_distance(fix.position, f64::INFINITY),
            margin_m: (2.0 * fix.accuracy.metres()).clamp(25.0, 100.0),
            at: fix.read.event,
            stale: received_at.since(fix.read.event) > STALE_AFTER,
        }
    }

    /// Probability of being inside, for a reported point inside.
    fn probability(&self) -> f64 {
        probability::inside(self.outline, self.fix.position, probability::sigma(self.fix.accuracy.metres()))
    }

    /// Whether the fix before was as surely inside. If nothing is believed then, the place is newer than that fix.
    fn was_inside(&self, before: Option<LastSeen>) -> bool {
        before.is_some_and(|LastSeen { at, position, accuracy }| {
            self.at.since(at) <= SILENCE
                && self.outline.holds(position)
                && probability::inside(self.outline, position, probability::sigma(accuracy.metres())) >= SURE
        })
    }

    fn transition(&self, area: &Area, kind: TransitionKind, at: Timestamp) -> Transition {
        Transition { area: area.clone(), kind, at, stale: self.stale, distance_m: Some(self.s.max(0.0)) }
    }
}

impl Step {
    fn take(&mut self, areas: &Areas, fix: &Fix, received_at: Timestamp) {
        self.close_silent(fix.read.event);
        // Twice, if two polygons of it have boxes that hold the fix: the second time changes nothing.
        areas.holding(fix.position, |entry| {
            if let Some(outline) = entry.outline() {
                self.seen_inside(areas, entry, &Seen::new(fix, outline, received_at));
            }
        });
        let known: Vec<Area> = self.presence.areas.keys().cloned().collect();
        for area in known {
            if let Some(entry) = areas.get(&area)
                && let Some(outline) = entry.outline()
            {
                let seen = Seen::new(fix, outline, received_at);
                if seen.s > 0.0 {
                    self.seen_outside(&area, &seen);
                }
            }
        }
        self.presence.last_seen = Some(LastSeen { at: fix.read.event, position: fix.position, accuracy: fix.accuracy });
    }

    fn seen_inside(&mut self, areas: &Areas, entry: &AreaEntry, seen: &Seen<'_>) {
        let area = entry.area();
        let belief = self.presence.areas.get(&area).copied();
        if let Some(Belief::Inside(visit)) = belief {
            let visit = Visit { last_inside: visit.last_inside.max(seen.at), leaving_since: None, ..visit };
            self.presence.areas.insert(area.clone(), Belief::Inside(visit));
            return self.dwell(areas, &area, visit, seen);
        }
        let pending = match belief {
            Some(Belief::Entering { since }) if seen.at.since(since) <= ENTERING_KEPT => Some(since),
            _ => None,
        };
        let entered_at = match (pending, seen.probability()) {
            (_, sure) if sure >= SURE => Some(seen.at),
            (Some(since), likely) if likely >= LIKELY => (seen.at.since(since) >= ENTER_CONFIRMATION).then_some(since),
            (None, likely) if likely >= LIKELY => {
                self.presence.areas.insert(area.clone(), Belief::Entering { since: seen.at });
                None
            }
            _ => None,
        };
        if let Some(entered_at) = entered_at {
            let visit = Visit { entered_at, last_inside: seen.at, leaving_since: None, dwelt: Duration::ZERO };
            self.presence.areas.insert(area.clone(), Belief::Inside(visit));
            self.began_visits = true;
            if belief.is_some() || !seen.was_inside(self.presence.last_seen) {
                self.transitions.push(seen.transition(&area, TransitionKind::Entered, entered_at));
            }
            self.dwell(areas, &area, visit, seen);
        }
    }

    /// Reports the thresholds reached since the last fix inside.
    fn dwell(&mut self, areas: &Areas, area: &Area, visit: Visit, seen: &Seen<'_>) {
        let inside_for = visit.last_inside.since(visit.entered_at);
        for &threshold in areas.dwells(area) {
            if threshold > visit.dwelt && threshold <= inside_for {
                let visit = Visit { dwelt: threshold, ..visit };
                self.presence.areas.insert(area.clone(), Belief::Inside(visit));
                let at = visit.entered_at + threshold;
                self.transitions.push(seen.transition(area, TransitionKind::Dwelt(threshold), at));
            }
        }
    }

    fn seen_outside(&mut self, area: &Area, seen: &Seen<'_>) {
        let Some(Belief::Inside(visit)) = self.presence.areas.get(area).copied() else {
            self.presence.areas.remove(area);
            return;
        };
        let confirmed = visit.leaving_since.is_some_and(|since| seen.at.since(since) >= LEAVE_CONFIRMATION);
        if seen.s >= 3.0 * seen.margin_m || (seen.s >= seen.margin_m && confirmed) {
            self.presence.areas.remove(area);
            let lasted = visit.last_inside.since(visit.entered_at);
            let mut exit = seen.transition(area, TransitionKind::Exited(lasted), visit.last_inside);
            exit.stale |= seen.at.since(visit.last_inside) > EXIT_FRESH;
            self.transitions.push(exit);
        } else if seen.s >= seen.margin_m && visit.leaving_since.is_none() {
            let visit = Visit { leaving_since: Some(seen.at), ..visit };
            self.presence.areas.insert(area.clone(), Belief::Inside(visit));
        }
    }

    /// Ends visits at places that are gone, when they were last seen. Nobody has left a store because the campaign that
    /// drew a circle around it was paused: such a visit ends without a word.
    fn close_deleted(&mut self, areas: &Areas) {
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

/// When a pending confirmation or dwell wants the next fix, at the latest `horizon`. What is overdue asks again after
/// the time a confirmation takes, not at once and for ever.
pub fn wanted_at(areas: &Areas, presence: &DevicePresence, now: Timestamp, horizon: Timestamp) -> Timestamp {
    let wanted = presence.areas.iter().filter_map(|(area, belief)| match belief {
        Belief::Entering { since } => Some((*since + ENTER_CONFIRMATION, ENTER_CONFIRMATION)),
        Belief::Inside(Visit { leaving_since: Some(since), .. }) => {
            Some((*since + LEAVE_CONFIRMATION, LEAVE_CONFIRMATION))
        }
        Belief::Inside(visit) => {
            let dwells = areas.dwells(area);
            let next = dwells.iter().find(|&&threshold| threshold > visit.dwelt);
            next.map(|&threshold| (visit.entered_at + threshold, LEAVE_CONFIRMATION))
        }
    });
    wanted.map(|(at, again)| if at > now { at } else { now + again }).fold(horizon, Timestamp::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            campaign::{Campaign, CampaignState, On},
            catalog::{CatalogChange, ResourceName},
            geo::Position,
            ping::Sighting,
        },
        engine::fixture::{at, campaign, catalog, geofence, here, metres, ping, store},
    };

    /// A device walking through one world.
    struct Walk {
        catalog: crate::engine::catalog::Catalog,
        presence: DevicePresence,
    }

    impl Walk {
        fn around(radius_m: f64) -> Self {
            Self { catalog: catalog(vec![geofence("quay", 0.0, radius_m).into()]), presence: DevicePresence::default() }
        }

        fn ping(&mut self, ping: &Ping) -> Vec<(TransitionKind, Timestamp, bool)> {
            let step = step(&self.catalog.areas, &self.presence, ping);
            self.presence = step.presence;
            step.transitions.into_iter().map(|t| (t.kind, t.at, t.stale)).collect()
        }

        fn fix(&mut self, seconds: i64, position: Position, accuracy: f64) -> Vec<(TransitionKind, Timestamp, bool)> {
            self.ping(&ping(seconds, &[(seconds, position, accuracy)]))
        }
    }

    #[test]
    fn a_sure_fix_enters_at_once_and_only_once() {
        let mut walk = Walk::around(100.0);
        assert_eq!(walk.fix(0, metres(0.0, 0.0), 5.0), [(TransitionKind::Entered, at(0), false)]);
        assert_eq!(walk.fix(30, metres(0.0, 10.0), 5.0), []);
    }

    #[test]
    fn a_likely_fix_needs_a_second_one_twenty_seconds_later() {
        let mut walk = Walk::around(100.0);
        let edge = metres(0.0, 70.0);
        assert_eq!(walk.fix(0, edge, 60.0), []);
        assert_eq!(walk.fix(19, edge, 60.0), []);
        assert_eq!(walk.fix(20, edge, 60.0), [(TransitionKind::Entered, at(0), false)]);
    }

    #[test]
    fn a_repeated_fix_cannot_confirm_itself() {
        let mut walk = Walk::around(100.0);
        let retried = |received| {
            let mut ping = ping(0, &[(0, metres(0.0, 70.0), 60.0)]);
            ping.clock.received_at = at(received);
            ping.fixes[0].read.event = at(received);
            ping
        };
        assert_eq!(walk.ping(&retried(0)), []);
        assert_eq!(walk.ping(&retried(25)), []);
    }

    #[test]
    fn a_fix_of_a_whole_city_moves_nobody() {
        let mut walk = Walk::around(400.0);
        assert_eq!(walk.fix(0, metres(0.0, 0.0), 5_000.0), []);
        walk.fix(10, metres(0.0, 0.0), 5.0);
        assert_eq!(walk.fix(20, metres(0.0, 9_000.0), 17_000.0), [], "tracker users get false exits from such fixes");
    }

    #[test]
    fn leaving_needs_margin_and_time() {
        let mut walk = Walk::around(100.0);
        walk.fix(0, metres(0.0, 0.0), 5.0);
        walk.fix(50, metres(0.0, 90.0), 5.0);
        assert_eq!(walk.fix(60, metres(0.0, 110.0), 5.0), [], "within the margin of 25 m");
        assert_eq!(walk.fix(70, metres(0.0, 130.0), 5.0), []);
        assert_eq!(walk.fix(129, metres(0.0, 130.0), 5.0), []);
        let exit = (TransitionKind::Exited(Duration::from_secs(50)), at(50), false);
        assert_eq!(walk.fix(130, metres(0.0, 130.0), 5.0), [exit]);
    }

    #[test]
    fn three_margins_away_is_left_at_once() {
        let mut walk = Walk::around(100.0);
        walk.fix(0, metres(0.0, 0.0), 5.0);
        assert_eq!(walk.fix(40, metres(0.0, 180.0), 5.0).len(), 1);
        assert_eq!(walk.fix(50, metres(0.0, 180.0), 5.0), [], "what was left cannot be left again");
    }

    #[test]
    fn an_old_backlog_is_history_unless_it_ends_fresh_and_inside() {
        let centre = metres(0.0, 0.0);
        let mut walk = Walk::around(100.0);
        let old = walk.ping(&ping(3_600, &[(0, centre, 5.0), (60, metres(0.0, 900.0), 5.0)]));
        assert!(old.len() == 2 && old.iter().all(|(_, _, stale)| *stale));
        let mut walk = Walk::around(100.0);
        let fresh = walk.ping(&ping(3_600, &[(0, centre, 5.0), (3_590, centre, 5.0)]));
        assert_eq!(fresh, [(TransitionKind::Entered, at(0), false)]);
    }

    #[test]
    fn out_of_order_fixes_change_nothing_but_a_set_clock_starts_anew() {
        let mut walk = Walk::around(100.0);
        walk.fix(100, metres(0.0, 900.0), 5.0);
        assert_eq!(walk.fix(50, metres(0.0, 0.0), 5.0), []);
        let mut set_back = here(200, metres(0.0, 0.0));
        set_back.clock.sent_at = at(-3_600);
        set_back.fixes[0].read = set_back.clock.reading(at(-3_600));
        assert_eq!(walk.ping(&set_back), [(TransitionKind::Entered, at(200), false)]);
    }

    #[test]
    fn silence_and_deletion_close_a_visit_when_it_was_last_seen() {
        let mut walk = Walk::around(100.0);
        walk.fix(0, metres(0.0, 0.0), 5.0);
        walk.fix(600, metres(0.0, 0.0), 5.0);
        let later = 600 + 4 * 3_600 + 1;
        let exit = (TransitionKind::Exited(Duration::from_secs(600)), at(600), true);
        assert_eq!(walk.fix(later, metres(0.0, 0.0), 5.0), [exit, (TransitionKind::Entered, at(later), false)]);

        let gone = geofence("quay", 0.0, 100.0).name;
        walk.catalog = walk.catalog.after(&[CatalogChange { version: 2, name: gone.into(), resource: None }]);
        let exit = (TransitionKind::Exited(Duration::ZERO), at(later), true);
        assert_eq!(walk.fix(later + 9, metres(0.0, 0.0), 5.0), [exit]);
    }

    #[test]
    fn nobody_leaves_a_store_because_its_campaign_was_paused() {
        let near = campaign("near", On::Near { radius_m: 100 }, "stores/1");
        let mut walk = Walk::around(100.0);
        walk.catalog = catalog(vec![store("1", 0.0).into(), near.clone().into()]);
        assert_eq!(walk.fix(0, metres(0.0, 0.0), 5.0).len(), 1);
        let paused = Campaign { state: CampaignState::Paused, ..near.clone() };
        let say = |version, name: ResourceName, resource| CatalogChange { version, name, resource };
        walk.catalog = walk.catalog.after(&[say(2, near.name.clone().into(), Some(paused.into()))]);
        assert_eq!(walk.fix(60, metres(0.0, 0.0), 5.0), []);
        assert!(walk.presence.areas.is_empty());

        walk.catalog = walk.catalog.after(&[say(3, near.name.clone().into(), Some(near.into()))]);
        assert_eq!(walk.fix(120, metres(0.0, 0.0), 5.0), [], "nor enters it because the campaign goes on");
        walk.catalog = walk.catalog.after(&[say(4, store("1", 0.0).name.into(), None)]);
        let kinds: Vec<_> = walk.fix(180, metres(0.0, 0.0), 5.0).iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [TransitionKind::Exited(Duration::ZERO)], "but the store may go");
    }

    #[test]
    fn two_chance_fixes_hours_apart_are_no_entry() {
        let mut walk = Walk::around(100.0);
        let edge = metres(0.0, 70.0);
        assert_eq!(walk.fix(0, edge, 60.0), []);
        assert_eq!(walk.fix(16 * 3_600, edge, 60.0), [], "the first is forgotten");
        assert_eq!(walk.fix(16 * 3_600 + 20, edge, 60.0).len(), 1, "this one begins anew");
    }

    #[test]
    fn a_backlog_revives_nothing_of_an_earlier_visit() {
        let (centre, away) = (metres(0.0, 0.0), metres(0.0, 900.0));
        let mut walk = Walk::around(100.0);
        let day = walk.ping(&ping(21_600, &[(0, centre, 5.0), (3_600, away, 5.0), (21_590, centre, 5.0)]));
        let stale: Vec<bool> = day.iter().map(|(_, _, stale)| *stale).collect();
        assert_eq!(stale, [true, true, false], "entered and left in the morning, entered now");
    }

    #[test]
    fn one_reading_from_the_future_silences_nobody() {
        let mut walk = Walk::around(100.0);
        let far = 20 * 365 * 86_400;
        walk.fix(0, metres(0.0, 900.0), 5.0);
        walk.ping(&ping(10, &[(far, metres(0.0, 900.0), 5.0)]));
        assert_eq!(walk.fix(20, metres(0.0, 0.0), 5.0).len(), 1);
    }

    #[test]
    fn sightings_do_not_outdate_fixes() {
        let mut walk = Walk::around(100.0);
        let mut heard = ping(10, &[]);
        let beacon = crate::engine::fixture::beacon("door").identity;
        heard.sightings = vec![Sighting { beacon, rssi_dbm: None, read: heard.clock.reading(at(10)) }];
        walk.ping(&heard);
        assert_eq!(walk.ping(&ping(11, &[(8, metres(0.0, 0.0), 5.0)])).len(), 1, "read before, sent after");
    }

    #[test]
    fn a_place_that_opens_around_somebody_is_not_entered() {
        let mut walk = Walk::around(100.0);
        let centre = metres(0.0, 0.0);
        let quay = geofence("quay", 0.0, 100.0);
        let change = |version, resource| CatalogChange { version, name: quay.name.clone().into(), resource };
        walk.catalog = walk.catalog.after(&[change(2, None)]);
        walk.fix(0, centre, 5.0);
        walk.catalog = walk.catalog.after(&[change(3, Some(quay.clone().into()))]);
        assert_eq!(walk.fix(60, centre, 5.0), []);
        assert_eq!(walk.fix(120, metres(0.0, 900.0), 5.0).len(), 1, "but it is left");
        assert_eq!(walk.fix(180, centre, 5.0).len(), 1, "and entered then");
    }

    #[test]
    fn an_exit_that_is_learnt_late_is_history() {
        let mut walk = Walk::around(100.0);
        walk.fix(0, metres(0.0, 0.0), 5.0);
        assert_eq!(
            walk.fix(3 * 3_600, metres(0.0, 9_000.0), 5.0),
            [(TransitionKind::Exited(Duration::ZERO), at(0), true)]
        );
    }
}
