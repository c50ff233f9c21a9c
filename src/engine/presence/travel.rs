//! Whether somebody can have come from the last fix to this one.
//!
//! Law: a fix that nobody can have travelled to moves nobody, as a mocked one; but of two consistent ones the newer is
//! believed, so that nobody is stuck at a first wrong fix for ever.

use std::time::Duration;

use super::Step;
use crate::domain::{ping::Fix, presence::LastSeen, time::Timestamp};

/// Metres a second over ground that nobody exceeds: an airliner's 260 with the strongest jet stream, 100, behind it.
const FASTEST_MPS: f64 = 360.0;
/// A true position is hardly ever further away than so many accuracies: of a Gaussian, once in 30,000 fixes.
const WORST_ERROR_IN_ACCURACIES: f64 = 3.0;
/// Fix times may be cut to whole seconds.
const TIME_STEP: Duration = Duration::from_secs(1);
/// Two fixes at a new place at least so far apart are believed: errors of one moment are correlated.
const NEW_BEGINNING: Duration = Duration::from_secs(20);

/// Whether somebody can have gone from one to the other, the error of both considered.
fn is_possible(from: &LastSeen, to: &LastSeen, way_m: f64) -> bool {
    let errors = WORST_ERROR_IN_ACCURACIES * (from.accuracy.metres() + to.accuracy.metres());
    let elapsed = to.read.elapsed_since(from.read) + TIME_STEP;
    way_m - errors <= FASTEST_MPS * elapsed.as_secs_f64()
}

impl Step {
    /// Whether the fix follows from what is known, or makes a new beginning.
    pub(super) fn believes(&mut self, fix: &Fix) -> bool {
        let here = LastSeen::from(fix);
        if self.presence.last_seen.is_none_or(|last| is_possible(&last, &here, self.way_m)) {
            self.presence.doubted = None;
            return true;
        }
        let doubted = self.presence.doubted.filter(|doubted| {
            let way_m = doubted.position.distance_to(here.position);
            is_possible(doubted, &here, way_m)
        });
        if doubted.is_some_and(|doubted| here.read.elapsed_since(doubted.read) >= NEW_BEGINNING) {
            self.begin_anew();
            return true;
        }
        self.presence.doubted = doubted.or(Some(here));
        false
    }

    /// A repetition of the newest fix is as doubtful as it was the first time.
    pub(super) fn doubt_again(&mut self, fix: &Fix) {
        let is_newest = self.presence.newest_fix.is_some_and(|newest| newest.is_same(fix.read));
        if is_newest && self.presence.doubted.is_some() {
            self.implausible += 1;
            self.suspect = true;
        }
    }

    /// One of two places was wrong: nothing is concluded from the way between them.
    fn begin_anew(&mut self) {
        self.presence.doubted = None;
        self.presence.last_seen = None;
        self.presence.anchor = None;
        self.presence.slow_since = None;
        (self.initial, self.anew) = (true, true);
    }
}

/// When a fix that is not believed yet wants another one.
pub(super) fn wanted_after_doubt(doubted: &LastSeen) -> (Timestamp, Duration) {
    (doubted.read.event + NEW_BEGINNING, NEW_BEGINNING)
}
