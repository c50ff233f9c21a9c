//! Which of very many areas hold a position: packed trees of boxes in degrees, and the exact test.
//!
//! Law 7: the index may over-select, never under-select; the exact test decides.

use std::cell::Cell;

use super::{
    boxes::DegreeBox,
    edges::{gap, metres_per_degree},
    entry::AreaEntry,
    forest::{Forest, Tree},
    packed::{Boxed, Met, Packed, Thing},
    shape::{FLAT, FLAT_ERROR, Outline, wrapped},
};
use crate::domain::geo::Position;

impl Thing for AreaEntry {
    fn is_circle(&self) -> bool {
        matches!(self, Self::Circle(..) | Self::Around(..))
    }
}

/// The number of a tree.
impl Thing for usize {}

/// A box of an area.
pub type BoxLeaf = Boxed<AreaEntry>;

/// The boxes of an area: none if it has no outline.
pub fn boxes_of(entry: &AreaEntry) -> impl Iterator<Item = BoxLeaf> + use<> {
    let entry = entry.clone();
    entry.boxes().into_iter().map(move |bounds| Boxed(bounds, entry.clone()))
}

/// Boxes of areas.
#[derive(Debug, Clone, Default)]
pub struct BoxIndex {
    forest: Forest<Packed<AreaEntry>>,
    /// The numbers of the trees of the forest.
    top: Option<Packed<usize>>,
}

impl BoxIndex {
    pub fn new(leaves: Vec<BoxLeaf>) -> Self {
        let mut index = Self { forest: Forest::new(leaves), top: None };
        index.number();
        index
    }

    /// Takes boxes out that are there, and puts others in.
    pub fn edit(&mut self, removed: &[BoxLeaf], added: Vec<BoxLeaf>) {
        self.forest.edit(removed, added);
        self.number();
    }

    fn number(&mut self) {
        let trees = self.forest.trees().iter().enumerate();
        self.top = Some(Packed::new(trees.map(|(number, (bounds, _))| Boxed(*bounds, number)).collect()));
    }

    /// Visits each box that meets this one, in no order.
    pub fn meeting<'a>(&'a self, bounds: &DegreeBox, mut visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        self.met(bounds, &mut |met| visit(met.bounds, met.thing));
    }

    fn met<'a>(&'a self, bounds: &DegreeBox, visit: &mut impl FnMut(Met<'a, AreaEntry>)) {
        let Some(top) = &self.top else { return };
        top.meeting(bounds, &mut |number| {
            if let Some((_, tree)) = self.forest.trees().get(*number.thing) {
                tree.meeting(bounds, visit);
            }
        });
    }

    /// As [`Packed::narrowing`].
    pub fn narrowing<'a>(&'a self, bounds: &Cell<DegreeBox>, mut visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        let Some(top) = &self.top else { return };
        top.narrowing(bounds, &mut |number| {
            if let Some((_, tree)) = self.forest.trees().get(*number.thing) {
                tree.narrowing(bounds, &mut |met| visit(met.bounds, met.thing));
            }
        });
    }

    /// Visits each area that holds the position, once for each box of it that does.
    pub fn holding<'a>(&'a self, position: Position, mut visit: impl FnMut(&'a AreaEntry)) {
        let place = Place::new(position);
        self.met(&DegreeBox::at(position), &mut |met| {
            if place.is_in_met(&met) {
                visit(met.thing);
            }
        });
    }
}

/// A position that is looked for, and the lengths of degrees around it.
pub(super) struct Place {
    position: Position,
    scale: [f64; 2],
}

impl Place {
    pub(super) fn new(position: Position) -> Self {
        Self { position, scale: metres_per_degree(position.latitude()) }
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Metres from the position to what has this box, at least.
    pub(super) fn outside_at_least(&self, bounds: &DegreeBox) -> f64 {
        if self.position.latitude().abs() > FLAT.0 {
            return 0.0;
        }
        let [across, up] = gap(bounds, self.position);
        let distance_m = length([across * self.scale[0], up * self.scale[1]]);
        // What is that far away is farther than anybody asks.
        distance_m.min(FLAT.1) * (1.0 - FLAT_ERROR)
    }

    /// Metres from the edge of a circle to the position, at most; negative inside. Of polygons nothing is said.
    pub(super) fn outside_at_most(&self, outline: Outline<'_>) -> f64 {
        let Outline::Circle(circle) = outline else { return f64::INFINITY };
        let across = wrapped(circle.center().longitude() - self.position.longitude()) * self.scale[0];
        let up = (circle.center().latitude() - self.position.latitude()) * self.scale[1];
        let distance_m = length([across, up]);
        if self.position.latitude().abs() > FLAT.0 || distance_m > FLAT.1 {
            return f64::INFINITY;
        }
        distance_m * (1.0 + FLAT_ERROR) - circle.radius_m()
    }

    /// Whether the area of this box holds the position. The box of a circle tells the circle but for a few metres, so most
    /// circles are decided upon where they are found, and not looked up in the memory.
    pub(super) fn is_in(&self, bounds: &DegreeBox, entry: &AreaEntry) -> bool {
        self.is_in_met(&Met { bounds: *bounds, is_circle: entry.is_circle(), thing: entry })
    }

    fn is_in_met(&self, met: &Met<'_, AreaEntry>) -> bool {
        let told = if met.is_circle { self.is_in_circle_of(&met.bounds) } else { met.thing.tells(self.position) };
        told.unwrap_or_else(|| met.thing.view().outline().is_some_and(|outline| outline.holds(self.position)))
    }

    /// Whether the circle that has this box holds the position; none where that is not sure.
    fn is_in_circle_of(&self, bounds: &DegreeBox) -> Option<bool> {
        /// Of a side, as a share of its degrees.
        const ROUNDING: f64 = f32::EPSILON as f64;
        /// Boxes are a little wider than their circles.
        const SLACK_M: f64 = 0.1;
        let ([west, south], [east, north]) = (bounds.south_west.map(f64::from), bounds.north_east.map(f64::from));
        let radius_m = (north - south) / 2.0 * self.scale[1];
        // Boxes at the antimeridian are cut, and near the poles wider than their circles.
        if self.position.latitude().abs() > FLAT.0 || radius_m > FLAT.1 || west <= -180.0 || east >= 180.0 {
            return None;
        }
        let across = (f64::midpoint(west, east) - self.position.longitude()) * self.scale[0];
        let up = (f64::midpoint(south, north) - self.position.latitude()) * self.scale[1];
        // Sides are rounded outwards to single precision; and the plane is the less bent the smaller the circle is.
        let [step_x, step_y] = [west.abs().max(east.abs()), south.abs().max(north.abs())].map(|most| most * ROUNDING);
        // So a middle is wrong by half a step, and half a height by one.
        let rounded_m = 0.5 * step_x * self.scale[0] + 1.5 * step_y * self.scale[1] + SLACK_M;
        let doubt_m = rounded_m + FLAT_ERROR * radius_m * (radius_m / FLAT.1);
        let (squared, [inner, outer]) = (across * across + up * up, [radius_m - doubt_m, radius_m + doubt_m]);
        match squared < inner.max(0.0) * inner {
            true => Some(true),
            false => (squared > outer * outer).then_some(false),
        }
    }
}

/// As the standard library's `hypot`, which takes care of lengths that no metres have.
fn length([east, north]: [f64; 2]) -> f64 {
    (east * east + north * north).sqrt()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{
            place::Geofence,
            shape::{Circle, Shape},
        },
        engine::{
            boxes,
            fixture::{anywhere, geofence},
        },
    };

    proptest! {
        #[test]
        fn boxes_tell_their_circles_up_to_a_few_metres_from_the_edge(
            lat in -79.9..79.9f64, lng in -179.0..179.0f64, radius in 5.0..5_000.0f64, turn in 0.0..360.0f64,
            beside in prop_oneof![-3.0..3.0f64, -30.0..30.0f64],
        ) {
            let center = Position::new(lat, lng).expect("sound");
            let at = center.destination(turn, (radius + beside).max(0.0));
            let bounds = boxes::around(center, radius).next().expect("one");
            let told = Place::new(at).is_in_circle_of(&bounds);
            prop_assert!(told.is_none_or(|told| told == (center.distance_to(at) <= radius)), "{told:?} at {beside} m");
            let doubted_m = 5.5 + radius * FLAT_ERROR;
            prop_assert!(told.is_some() || beside.abs() <= doubted_m || at.latitude().abs() > 80.0, "{beside} m");
        }

        #[test]
        fn the_index_finds_what_brute_force_finds(
            circles in prop::collection::vec((anywhere(), 5.0..500_000.0f64), 1..60),
            at in anywhere(),
        ) {
            let fence = |(i, &(center, radius)): (usize, &(Position, f64))| {
                let shape = Shape::Circle(Circle::new(center, radius).expect("sound"));
                AreaEntry::of_geofence(&Arc::new(Geofence { shape, ..geofence(&i.to_string(), 0.0, 9.0) }))
            };
            let entries: Vec<AreaEntry> = circles.iter().enumerate().map(fence).collect();
            let index = BoxIndex::new(entries.iter().flat_map(boxes_of).collect());
            let exact = |entry: &&AreaEntry| entry.view().outline().is_some_and(|outline| outline.holds(at));
            let mut found = Vec::new();
            index.holding(at, |entry| found.push(entry));
            let mut found: Vec<_> = found.iter().map(|entry| entry.view().area()).collect();
            let mut brute: Vec<_> = entries.iter().filter(exact).map(|entry| entry.view().area()).collect();
            found.sort();
            found.dedup();
            brute.sort();
            prop_assert_eq!(found, brute);
        }
    }
}
