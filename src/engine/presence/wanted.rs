//! When a device should be heard again.
//!
//! Law (DESIGN section 6): no timers: a confirmation or a dwell happens with the first ping after it is due, and
//! `next.at` asks for that ping. What is asked for in vain is asked for later and later, or no more.

use std::{ops::Range, time::Duration};

use super::{known_until, pace, rule::EXIT_FRESH, travel};
use crate::{
    domain::{
        detection::Detection,
        presence::{Area, Arrival, Belief, DevicePresence, Visit},
        time::Timestamp,
    },
    engine::{entry::AreaView, known::Known},
};

/// What is overdue is asked for again after this at the earliest, and after as long as it is overdue.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Where a stop is wanted of a device that may be driving, the next fix is wanted after this, or the stop if that is less:
/// soon enough to tell by the way between the two.
const PACE_ASKED: Duration = Duration::from_secs(60);

/// Where a campaign waits for the exit, the next fix is wanted so long before a leaving would begin too late to be confirmed
/// in time: time for a second try, and for what pings are late.
const EXIT_ASKED_BEFORE: Duration = Duration::from_secs(120);

/// When a pending confirmation, stop, dwell or silence wants the next fix, at the latest `horizon`.
pub fn wanted_at(areas: &Known<'_>, presence: &DevicePresence, now: Timestamp, horizon: Timestamp) -> Timestamp {
    let due = |(at, again): (Timestamp, Duration)| if at > now { at } else { now + again };
    let doubted = presence.doubted.iter().map(travel::wanted_after_doubt).map(due);
    let of_belief = |(area, belief): (&Area, &Belief)| {
        let number = areas.number(area);
        match belief {
            Belief::Entering(arrival) => due(of_arrival(areas, number, arrival, presence)),
            Belief::Inside(visit) => {
                let wanted = of_visit(areas, number, visit).chain(exit_wanted(areas, number, visit, now));
                wanted.map(|at| due((at, ASK_AGAIN.max(now.since(at))))).fold(horizon, Timestamp::min)
            }
        }
    };
    doubted.chain(presence.areas.iter().map(of_belief)).fold(horizon, Timestamp::min)
}

/// Whether the next fix ends the visit by silence, wherever it is.
pub fn is_silence_overdue(visit: &Visit, now: Timestamp) -> bool {
    known_until(visit) <= now
}

/// Whether a dwell is reached that was not reported yet, for want of a fix inside: the next one reports it.
pub fn is_dwell_overdue(areas: &Known<'_>, number: usize, visit: &Visit, now: Timestamp) -> bool {
    dwell(areas, number, visit).is_some_and(|at| at <= now)
}

fn of_arrival(areas: &Known<'_>, number: usize, arrival: &Arrival, presence: &DevicePresence) -> (Timestamp, Duration) {
    let rule = rule(areas, number);
    let confirmed = arrival.since + rule.confirm_after();
    match (rule.stopped_for(), presence.slow_since) {
        (None, _) => (confirmed, rule.confirm_after().max(Duration::from_secs(1))),
        (Some(stop), Some(since)) => (confirmed.max(since + stop), rule.confirm_after().max(ASK_AGAIN)),
        (Some(stop), None) => {
            let soon = stop.clamp(pace::SPEED_OVER, PACE_ASKED);
            let (shown, after) = pace::wanted_after_anchor(presence).unwrap_or((arrival.since, soon));
            (shown.max(arrival.since + soon), after.max(soon))
        }
    }
}

/// When the visit's exit is confirmed, its next dwell is reached, and it ends by silence.
fn of_visit(areas: &Known<'_>, number: usize, visit: &Visit) -> impl Iterator<Item = Timestamp> {
    let leaving = visit.leaving_since.map(|since| since + rule(areas, number).leave_after());
    [leaving, dwell(areas, number, visit), Some(known_until(visit))].into_iter().flatten()
}

/// When a fix inside keeps an exit after it from being history, or one outside begins a leaving; a leaving that has begun
/// is asked for anyhow. Later than it could be confirmed in time nobody is asked: who goes far away is heard of. Nor is
/// anybody asked for exits before a campaign that wants them starts, but shortly before, or after it has ended.
fn exit_wanted(areas: &Known<'_>, number: usize, visit: &Visit, now: Timestamp) -> Option<Timestamp> {
    let asked = |runs: &Range<Timestamp>| {
        let wanted = (visit.last_inside + EXIT_FRESH).max(runs.start) - EXIT_ASKED_BEFORE;
        let asked = if wanted > now { wanted } else { now + ASK_AGAIN };
        (asked < runs.end.min(wanted + EXIT_ASKED_BEFORE)).then_some(asked)
    };
    let is_leaving = visit.leaving_since.is_some();
    if is_leaving { None } else { areas.exits(number).filter_map(asked).min() }
}

fn rule<'a>(areas: &Known<'a>, number: usize) -> &'a Detection {
    areas.view(number).map_or(const { &Detection::USUAL }, AreaView::detection)
}

fn dwell(areas: &Known<'_>, number: usize, visit: &Visit) -> Option<Timestamp> {
    areas.next_dwell(number, &visit.dwelt).map(|threshold| visit.entered_at + threshold)
}
