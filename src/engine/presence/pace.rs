//! Since when a device has not been driving: by its way, and by the speed that it tells. Phones that know none may say 0.
//!
//! Law: errors are no speed. The way is measured from an anchor, an earlier fix, which stays until the way from it has told
//! something: that the device drives, once that way is beyond the errors of both; or that it does not, once driving would
//! have shown. What looks like driving and may be an error changes nothing, but nobody enters by it; only of a gap in which
//! the device was not seen, where more than a walk lies between, it counts as driving: nobody knows that it is an error.

use std::time::Duration;

use super::{Step, passing::LONGEST};
use crate::domain::{
    detection::Detection,
    ping::Fix,
    presence::{DevicePresence, LastSeen},
    time::Timestamp,
};

/// Faster than people walk, in metres a second (9 km/h); slower is a car only when it stops.
const DRIVING_MPS: f64 = 2.5;
/// The way between fixes closer in time than this tells nothing, unless nobody walks it in this.
pub(super) const SPEED_OVER: Duration = Duration::from_secs(5);
/// So many times better than the anchor, a fix is the better anchor: driving shows sooner from there.
const BETTER: f64 = 2.0;

/// What the way from an earlier fix looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Slow,
    Fast,
}

/// What there is between the anchor and a fix.
struct Pace {
    from: LastSeen,
    elapsed: Duration,
    /// How long the device was not seen before the fix.
    unseen: Duration,
    way_m: f64,
    errors_m: f64,
}

impl Pace {
    fn between(from: LastSeen, to: &LastSeen, (way_m, unseen): (f64, Duration)) -> Self {
        let errors_m = from.accuracy.metres() + to.accuracy.metres();
        Self { from, elapsed: to.read.elapsed_since(from.read), unseen, way_m, errors_m }
    }

    /// Whether the device was not seen for so long that nobody knows how much of it was driven.
    fn has_gap(&self) -> bool {
        self.unseen > LONGEST
    }

    /// Metres that a walker makes at most. Of a long time nobody knows how much of it was driven: the way may be that of its
    /// last minutes, or, where there is no gap, of as many as errors hide.
    fn walked_m(&self) -> f64 {
        let longest = if self.has_gap() { LONGEST } else { self.longest() };
        walked_in(self.elapsed.clamp(SPEED_OVER, longest))
    }

    /// After this driving has shown, however large the errors: hardly ever is one larger than this way.
    fn longest(&self) -> Duration {
        shows_after(self.errors_m).mul_f64(1.5).max(LONGEST)
    }

    /// Errors as large as either make a bus in slow traffic walk, hardly ever as large as both.
    fn is_surely_walked(&self) -> bool {
        self.way_m + self.errors_m / 2.0 <= self.walked_m()
    }

    /// If the fixes are far enough apart to see a speed.
    fn looks(&self) -> Option<Looks> {
        let looks = if self.way_m > self.walked_m() { Looks::Fast } else { Looks::Slow };
        (looks == Looks::Fast || self.elapsed >= SPEED_OVER).then_some(looks)
    }

    /// The same if that is no error.
    fn tells(&self) -> Option<Looks> {
        let is_sure = |looks: &Looks| match looks {
            _ if self.has_gap() => true,
            Looks::Fast => self.way_m > self.errors_m,
            Looks::Slow if self.elapsed > self.longest() => true,
            Looks::Slow => self.elapsed >= shows_after(self.errors_m) && self.is_surely_walked(),
        };
        self.looks().filter(is_sure)
    }

    /// Whether the device was where it is at the anchor already: then it has not been driving since, whatever it did until
    /// then. Of a gap in which it was not seen nobody knows.
    fn stood_still(&self) -> bool {
        !self.has_gap() && self.way_m <= self.errors_m && self.is_surely_walked()
    }
}

impl Step {
    /// Keeps since when the device has not been driving. What was known before a gap in which it was not seen at all is
    /// known no more.
    pub(super) fn keep_pace(&mut self, fix: &Fix) {
        let (here, at) = (LastSeen::from(fix), fix.read.event);
        let unseen = self.presence.last_seen.map_or(Duration::MAX, |last| fix.read.elapsed_since(last.read));
        let pace = self.presence.anchor.map(|from| Pace::between(from, &here, (self.way_from(from, fix), unseen)));
        let tells = pace.as_ref().and_then(Pace::tells);
        let drives = fix.speed_mps.map(|speed| speed > DRIVING_MPS);
        let known = self.presence.slow_since.filter(|_| pace.is_some());
        let rested = pace.as_ref().filter(|pace| pace.stood_still()).map(|pace| pace.from.read.event.min(at));
        self.presence.slow_since = match (drives, tells) {
            (Some(true), _) | (None, Some(Looks::Fast)) => None,
            (Some(false), Some(Looks::Fast)) => Some(at),
            // A phone that tells its speed told it of the fix before: if nothing is known since then, it was driving.
            (Some(false), _) => known.or(Some(at)),
            (None, Some(Looks::Slow)) => known.or(rested).or(Some(at)),
            (None, None) => known,
        };
        self.looks_driven = pace.as_ref().and_then(Pace::looks) == Some(Looks::Fast);
        let has_told = drives == Some(true) || tells.is_some();
        let is_better =
            |from: LastSeen| BETTER * here.accuracy.metres() <= from.accuracy.metres() && !self.looks_driven;
        if has_told || self.presence.anchor.is_none_or(is_better) {
            self.presence.anchor = Some(here);
        }
    }

    /// Metres to the fix; mostly the anchor is the last one, and the way from there is known.
    fn way_from(&self, from: LastSeen, fix: &Fix) -> f64 {
        let is_last = self.presence.last_seen.is_some_and(|last| last.position == from.position);
        if is_last { self.way_m } else { from.position.distance_to(fix.position) }
    }

    /// Whether the place waits for a stop that has not lasted long enough.
    pub(super) fn may_be_driving(&self, rule: &Detection, now: Timestamp) -> bool {
        let is_short = |stop: Duration| self.presence.slow_since.is_none_or(|since| now.since(since) < stop);
        rule.stopped_for().is_some_and(|stop| self.looks_driven || is_short(stop))
    }
}

/// Metres that a walker makes at most in this time.
fn walked_in(time: Duration) -> f64 {
    DRIVING_MPS * time.as_secs_f64()
}

/// How long it takes to drive further than these errors.
fn shows_after(errors_m: f64) -> Duration {
    Duration::from_secs_f64(errors_m / DRIVING_MPS).max(SPEED_OVER)
}

/// When a fix as accurate as the anchor tells whether the device drives, and how long that takes.
pub(super) fn wanted_after_anchor(presence: &DevicePresence) -> Option<(Timestamp, Duration)> {
    let anchor = presence.anchor?;
    let shown = shows_after(2.0 * anchor.accuracy.metres());
    Some((anchor.read.event + shown, shown))
}
