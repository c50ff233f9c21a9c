//! The boxes of sixty-four things in eight bytes each, for nodes that are asked on the way to others.
//!
//! Law 7: it may over-select, never under-select. Boxes and what they are asked with are rounded by the same function,
//! which never falls as degrees rise: sides that met before it still do.

use wide::i16x8;

use super::{boxes::DegreeBox, forest::Bounds};

/// Boxes of a node.
pub const CHILDREN: usize = 64;
/// Of those, that one instruction asks at once on any processor.
const LANES: usize = 8;

/// Steps from the middle to either border. Empty slots lie one beyond.
const FARTHEST: i16 = i16::MAX - 1;

/// A side of each box of a node, in steps.
type Sides = [i16x8; CHILDREN / LANES];

/// Boxes, side by side, in steps of 65,532nds of what surrounds them all.
#[derive(Debug, Clone)]
pub struct Coarse {
    middle: [f32; 2],
    /// Steps of a degree.
    per_degree: [f32; 2],
    west: Sides,
    south: Sides,
    east: Sides,
    north: Sides,
}

impl Coarse {
    /// Of at most [`CHILDREN`].
    pub fn of(boxes: &[DegreeBox]) -> Self {
        let all = boxes.iter().fold(DegreeBox::NOWHERE, |all, bounds| all.around(bounds));
        let middle = [0, 1].map(|axis| f32::midpoint(all.south_west[axis], all.north_east[axis]));
        let per_degree = [0, 1].map(|axis| f32::from(FARTHEST) / (all.north_east[axis] - middle[axis]));
        let beyond = FARTHEST + 1;
        let [high, low] = [beyond, -beyond].map(|step| [i16x8::splat(step); CHILDREN / LANES]);
        let mut coarse = Self { middle, per_degree, west: high, south: high, east: low, north: low };
        for (slot, bounds) in boxes.iter().take(CHILDREN).enumerate() {
            let [[w, s], [e, n]] = coarse.steps(bounds);
            let Self { west, south, east, north, .. } = &mut coarse;
            for (sides, side) in [(west, w), (south, s), (east, e), (north, n)] {
                sides[slot / LANES].as_mut_array()[slot % LANES] = side;
            }
        }
        coarse
    }

    /// A bit for each box that meets this one, and perhaps for some within a step of it.
    #[inline]
    pub fn meeting(&self, bounds: &DegreeBox) -> u64 {
        let [[west, south], [east, north]] = self.steps(bounds).map(|corner| corner.map(i16x8::splat));
        let mut bits = 0;
        for part in 0..CHILDREN / LANES {
            let misses = self.west[part].simd_gt(east)
                | self.east[part].simd_lt(west)
                | self.south[part].simd_gt(north)
                | self.north[part].simd_lt(south);
            bits |= u64::from(misses.to_bitmask()) << (part * LANES);
        }
        !bits
    }

    /// The corners of a box in steps; what lies outside is at the border.
    #[inline]
    fn steps(&self, bounds: &DegreeBox) -> [[i16; 2]; 2] {
        // Conversions saturate. Where all is at one degree, everything is at step 0 or at a border.
        let step = |axis: usize, degrees: f32| ((degrees - self.middle[axis]) * self.per_degree[axis]) as i16;
        let within = |axis: usize, degrees: f32| step(axis, degrees).clamp(-FARTHEST, FARTHEST);
        [bounds.south_west, bounds.north_east].map(|[x, y]| [within(0, x), within(1, y)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds() -> impl Strategy<Value = DegreeBox> {
        let corner =
            (prop_oneof![9.0..9.2f64, -180.0..180.0f64, Just(180.0)], prop_oneof![45.0..45.1f64, -90.0..90.0f64]);
        let size = prop_oneof![Just(0.0), 0.0..0.01f64, 0.0..40.0f64];
        (corner, size.clone(), size)
            .prop_map(|((west, south), wide, high)| DegreeBox::new([west, south], [west + wide, south + high]))
    }

    proptest! {
        #[test]
        fn none_that_meets_is_missed_and_empty_slots_never_meet(
            boxes in prop::collection::vec(bounds(), 1..=CHILDREN), asked in bounds(),
        ) {
            let coarse = Coarse::of(&boxes);
            let everywhere = DegreeBox::new([-400.0, -400.0], [400.0, 400.0]);
            prop_assert_eq!(coarse.meeting(&everywhere).count_ones() as usize, boxes.len());
            for asked in boxes.iter().chain([&asked]) {
                let meeting = coarse.meeting(asked);
                for (slot, bounds) in boxes.iter().enumerate() {
                    prop_assert!(!bounds.meets(asked) || meeting >> slot & 1 == 1, "{bounds:?} and {asked:?}");
                }
            }
        }

        #[test]
        fn what_is_two_steps_away_is_not_met(at in 0.0..50.0f64) {
            let dot = |degrees: f64| DegreeBox::new([degrees, 0.0], [degrees, 1.0]);
            let coarse = Coarse::of(&[dot(0.0), dot(at), dot(100.0)]);
            prop_assert_eq!(coarse.meeting(&dot(at + 100.0 / f64::from(FARTHEST))) & 0b010, 0);
        }
    }
}
