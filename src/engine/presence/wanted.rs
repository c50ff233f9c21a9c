//! When a device should be heard again.
//!
//! Law (DESIGN section 6): no timers: a confirmation or a dwell happens with the first ping after it is due, and
//! `next.at` asks for that ping.

use std::time::Duration;

use super::travel;
use crate::{
    domain::{
        presence::{Area, Arrival, Belief, DevicePresence, Visit},
        time::Timestamp,
    },
    engine::areas::Areas,
};

/// What is overdue is asked for again after this, not at once and for ever.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// When a pending confirmation, stop or dwell wants the next fix, at the latest `horizon`.
pub fn wanted_at(areas: &Areas, presence: &DevicePresence, now: Timestamp, horizon: Timestamp) -> Timestamp {
    let wanted = presence.areas.iter().filter_map(|(area, belief)| match belief {
        Belief::Entering(arrival) => Some(of_arrival(areas, area, arrival, presence.slow_since)),
        Belief::Inside(visit) => of_visit(areas, area, visit),
    });
    let doubt = presence.doubted.iter().map(travel::wanted_after_doubt);
    wanted.chain(doubt).map(|(at, again)| if at > now { at } else { now + again }).fold(horizon, Timestamp::min)
}

fn of_arrival(areas: &Areas, area: &Area, arrival: &Arrival, slow_since: Option<Timestamp>) -> (Timestamp, Duration) {
    let rule = areas.get(area).map(|entry| entry.detection).unwrap_or_default();
    let confirmed = arrival.since + rule.confirm_after();
    match rule.stopped_for() {
        None => (confirmed, rule.confirm_after().max(Duration::from_secs(1))),
        Some(stop) => (slow_since.unwrap_or(arrival.since) + stop, stop),
    }
}

fn of_visit(areas: &Areas, area: &Area, visit: &Visit) -> Option<(Timestamp, Duration)> {
    let entry = areas.get(area)?;
    if let Some(since) = visit.leaving_since {
        return Some((since + entry.detection.leave_after(), ASK_AGAIN));
    }
    let next = entry.dwells.iter().find(|&&threshold| threshold > visit.dwelt)?;
    Some((visit.entered_at + *next, ASK_AGAIN))
}
