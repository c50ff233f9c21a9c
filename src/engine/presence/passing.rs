//! Places that were passed through between two fixes.
//!
//! Law 3: only what is not inside can be crossed, and a crossing is as sure as an entry: a fix in the middle of the way
//! through, as inaccurate as the worse of the two, would have entered at once.

use std::time::Duration;

use super::{Step, rule};
use crate::{
    domain::{
        geo::Position,
        ping::{Fix, Reading, STALE_AFTER},
        presence::{LastSeen, Transition, TransitionKind},
        time::Timestamp,
    },
    engine::{
        boxes::{self, DegreeBox},
        crossing::{self, Chord, Corridor},
        crowd,
        entry::AreaView,
        known::Known,
    },
};

/// Between fixes further apart in time nobody knows the way.
pub(super) const LONGEST: Duration = Duration::from_secs(120);
/// Faster than this, in metres a second, nobody goes on roads or rails through places (216 km/h).
const FASTEST_MPS: f64 = 60.0;
/// Added to the search around the way, as a share and in metres: lines straight in degrees leave the great circle by less.
const SLACK: (f64, f64) = (0.01, 1.0);

/// Whether the way to that fix, or to one that is read after it, may be known.
pub fn is_way_known(from: Reading, to: Reading) -> bool {
    // Either time may tell that a fix is later, and the longer span counts: see `Reading::elapsed_since`.
    to.device.since(from.device).min(to.event.since(from.event)) <= LONGEST
}

/// The way between two fixes, short enough to be known.
struct Way {
    from: LastSeen,
    to: LastSeen,
    length_m: f64,
    elapsed: Duration,
}

impl Way {
    fn between(from: LastSeen, to: LastSeen, length_m: f64) -> Option<Self> {
        let elapsed = to.read.elapsed_since(from.read);
        let is_known = elapsed <= LONGEST && length_m <= FASTEST_MPS * elapsed.as_secs_f64();
        (is_known && length_m > 0.0).then_some(Self { from, to, length_m, elapsed })
    }

    /// Metres from its middle that hold all of it.
    fn reach_m(&self) -> f64 {
        self.length_m / 2.0 + self.slack_m()
    }

    fn slack_m(&self) -> f64 {
        self.length_m * SLACK.0 + SLACK.1
    }

    fn corridor(&self) -> Option<Corridor> {
        Corridor::new(self.from.position, self.to.position, self.slack_m())
    }

    fn at(&self, share: f64) -> Position {
        crossing::along(self.from.position, self.to.position, share)
    }

    /// When the device was there; never after the fix that ends the way.
    fn when(&self, share: f64) -> Timestamp {
        self.to.read.event - self.elapsed.mul_f64((1.0 - share).clamp(0.0, 1.0))
    }

    fn surely_through(&self, view: AreaView<'_>) -> Option<Chord> {
        let chord = crossing::chord(view.outline()?, self.from.position, self.to.position)?;
        let [from, to] = [self.from.accuracy, self.to.accuracy];
        let worse = if from > to { from } else { to };
        rule::is_surely_inside(view, self.at(chord.middle()), worse).then_some(chord)
    }
}

impl Step {
    /// Reports the areas between the last fix and this one that the device passed through without being seen inside.
    pub(super) fn pass_through(&mut self, areas: &Known<'_>, fix: &Fix, received_at: Timestamp) {
        let Some(last) = self.presence.last_seen else { return };
        let Some(way) = Way::between(last, LastSeen::from(fix), self.way_m) else { return };
        let crossed = |area, chord: Chord| {
            let (stale, at) = (received_at.since(fix.read.event) > STALE_AFTER, way.when(chord.middle()));
            Transition { area, kind: TransitionKind::Crossed, at, stale, initial: false, distance_m: None }
        };
        let is_believed = |view| areas.known(view).is_some_and(|number| self.belief(number).is_some());
        let corridor = way.corridor();
        let is_along = |bounds: &DegreeBox| corridor.as_ref().is_none_or(|corridor| corridor.meets(bounds));
        let mut beside: Vec<AreaView<'_>> = Vec::new();
        for bounds in boxes::around(way.at(0.5), way.reach_m()) {
            areas.meeting(&bounds, |bounds, entry| {
                if is_along(&bounds) {
                    beside.extend(Some(entry.view()).filter(|view| !is_believed(*view)));
                }
            });
        }
        // Areas of several boxes were met as often.
        beside.sort_unstable_by_key(|view| view.address());
        beside.dedup();
        let counted = crowd::smallest(beside).0.into_iter();
        let passed = counted.filter_map(|view| Some(crossed(view.area(), way.surely_through(view)?)));
        let mut passed: Vec<Transition> = passed.collect();
        passed.sort_by(|a, b| a.area.cmp(&b.area));
        self.transitions.append(&mut passed);
    }
}
