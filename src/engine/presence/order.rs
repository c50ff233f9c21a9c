//! What orders fixes, and what one that comes too late may still tell.
//!
//! Law 3: a fix older than the device's last is out of order; it may widen the open visit, nothing else. No transition is
//! made or unmade by it.

use std::time::Duration;

use super::{Step, rule};
use crate::{
    domain::{
        ping::{Fix, Ping},
        presence::{Belief, DevicePresence, Visit},
        time::Timestamp,
    },
    engine::known::Known,
};

/// A device clock that moved against ours by more than this starts a new order of readings.
const CLOCK_JUMP: Duration = Duration::from_secs(300);

/// Whether the device's clock was set since its newest ping: then its readings begin a new order.
pub fn clock_was_set(before: &DevicePresence, ping: &Ping) -> bool {
    let jump = Duration::from_micros(ping.clock.offset().abs_diff(before.clock_offset));
    jump > CLOCK_JUMP
}

impl Step {
    /// Forgets what only compares within one order of readings; visits go on, and the times of events stay what they were.
    pub(super) fn begin_new_order(&mut self) {
        self.known_before = self.known().map(|read| read.event);
        self.presence.newest_fix = None;
        self.presence.last_seen = None;
        self.presence.anchor = None;
        self.presence.doubted = None;
    }

    /// Whether this fix comes after all that are known.
    pub(super) fn is_next(&self, fix: &Fix) -> bool {
        self.presence.newest_fix.is_none_or(|newest| fix.read.is_after(newest))
    }

    /// Widens the open visits that a late fix surely belongs to.
    pub(super) fn widen(&mut self, areas: &Known<'_>, fix: &Fix) {
        let Some(newest) = self.presence.newest_fix.filter(|newest| !newest.is_same(fix.read)) else { return };
        for (number, belief) in self.beliefs.iter_mut().enumerate() {
            let Some(Belief::Inside(visit)) = belief else { continue };
            let Some(view) = areas.view(number) else { continue };
            let is_news = !(visit.entered_at..=visit.last_inside).contains(&fix.read.event);
            let is_of_visit = (visit.not_before..=newest.event).contains(&fix.read.event);
            if is_news && is_of_visit && rule::is_surely_inside(view, fix.position, fix.accuracy) {
                *visit = widened(*visit, fix.read.event);
            }
        }
    }
}

/// The visit with a moment inside more. A leaving that was thought to have begun before it has not.
fn widened(visit: Visit, inside: Timestamp) -> Visit {
    let last_inside = visit.last_inside.max(inside);
    Visit {
        entered_at: visit.entered_at.min(inside),
        last_inside,
        leaving_since: visit.leaving_since.filter(|since| *since > last_inside),
        ..visit
    }
}
