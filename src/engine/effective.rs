//! What the presence rule means on the ground: how deep inside, and how far outside, fixes of usual accuracies must be.
//!
//! Law: these are the engine's own numbers, asked of the engine's own probability; nothing is promised here that a ping
//! would not find.

use super::{deepest::deepest, edges::Edges, presence::AT_ONCE, probability, shape::Outline};
use crate::domain::{detection::Detection, geo::Position, shape::Shape};

/// Accuracies in metres that phones have under open sky, in streets, among towers, and indoors.
pub const USUAL_ACCURACIES_M: [f64; 4] = [5.0, 20.0, 50.0, 100.0];
/// Whoever is so deep inside is inside by any usual fix, whatever is set, in metres: three σ of the worst of them.
const DEEP_M: f64 = 300.0;
/// Headings in which the nearest edge is looked for.
const HEADINGS: u32 = 72;
/// A way is short enough if it is longer than [`DEEP_M`] by no more than this: the best of the headings ends 0.3 m from
/// the edge, if that.
const SHORT: f64 = 1.1;
/// From half round the earth fewer are needed.
const MOST_STEPS: usize = 16;
/// Halvings of a way: 300 m to less than a millimetre.
const HALVINGS: u32 = 20;

/// Metres from the edge for fixes of one accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distances {
    pub accuracy_m: f64,
    /// Inside: one fix so deep enters; none if no fix at the deepest point is sure enough.
    pub enter_m: Option<f64>,
    /// Inside: two fixes so deep enter; none if no fix at the deepest point is likely enough.
    pub confirmed_enter_m: Option<f64>,
    /// Outside: one fix so far away leaves.
    pub leave_m: f64,
    /// Outside: two fixes so far away leave.
    pub confirmed_leave_m: f64,
}

/// For each of [`USUAL_ACCURACIES_M`].
pub fn distances(shape: &Shape, detection: &Detection) -> Vec<Distances> {
    let edges;
    let outline = match shape {
        Shape::Circle(circle) => Outline::Circle(*circle),
        Shape::Polygons(polygons) => {
            edges = Edges::of(polygons);
            Outline::Polygons(polygons, &edges)
        }
    };
    let way = Way::out_of(outline);
    let depth = |accuracy_m, probability| way.as_ref()?.depth(outline, accuracy_m, probability);
    let of = |accuracy_m: f64| {
        let margin_m = detection.margin_m(accuracy_m);
        Distances {
            accuracy_m,
            enter_m: depth(accuracy_m, detection.enter_probability()),
            confirmed_enter_m: depth(accuracy_m, detection.confirm_probability()),
            leave_m: AT_ONCE * margin_m,
            confirmed_leave_m: margin_m,
        }
    };
    USUAL_ACCURACIES_M.map(of).to_vec()
}

/// Whether a fix of that accuracy at the deepest point is not likely enough to be inside, even with a second one to confirm
/// it.
pub fn is_too_small(shape: &Shape, detection: &Detection, accuracy_m: f64) -> bool {
    let (sigma, needed) = (probability::sigma(accuracy_m), detection.confirm_probability());
    // A fix in the centre of a circle is inside it with P = 1 - exp(-R² / 2σ²).
    let enough_m = sigma * (-2.0 * (1.0 - needed).ln()).sqrt();
    let polygons = match shape {
        Shape::Circle(circle) => return circle.radius_m() < enough_m,
        Shape::Polygons(polygons) => polygons,
    };
    let edges = Edges::of(polygons);
    let outline = Outline::Polygons(polygons, &edges);
    let is_likely = |(deepest, depth_m)| depth_m >= enough_m || probability::inside(outline, deepest, sigma) >= needed;
    !deepest(outline, polygons, enough_m).is_some_and(is_likely)
}

/// Metres: of a circle its radius, of polygons that of the largest circle that fits into them.
pub fn radius_m(shape: &Shape) -> f64 {
    match shape {
        Shape::Circle(circle) => circle.radius_m(),
        Shape::Polygons(polygons) => {
            let edges = Edges::of(polygons);
            let deepest = deepest(Outline::Polygons(polygons, &edges), polygons, f64::INFINITY);
            deepest.map_or(0.0, |(_, depth_m)| depth_m)
        }
    }
}

/// The straight way from the deepest point of a shape, or one that is deep enough for any fix, to the edge next to it.
struct Way {
    from: Position,
    depth_m: f64,
    /// Degrees clockwise from north.
    heading: f64,
}

impl Way {
    fn out_of(outline: Outline<'_>) -> Option<Self> {
        match outline {
            Outline::Circle(circle) => Some(Self { from: circle.center(), depth_m: circle.radius_m(), heading: 0.0 }),
            Outline::Polygons(polygons, _) => {
                let (from, depth_m) = deepest(outline, polygons, DEEP_M)?;
                Some(Self::nearest(outline, from, depth_m).shortened(outline))
            }
        }
    }

    /// The way to the nearest edge, which is so far away.
    fn nearest(outline: Outline<'_>, from: Position, depth_m: f64) -> Self {
        let headings = (0..HEADINGS).map(|i| 360.0 * f64::from(i) / f64::from(HEADINGS));
        let edge_m = |heading: &f64| outline.edge_distance(from.destination(*heading, depth_m), f64::INFINITY);
        let heading = headings.min_by(|a, b| edge_m(a).total_cmp(&edge_m(b))).unwrap_or_default();
        Self { from, depth_m, heading }
    }

    /// Walks out until the edge is so near that a heading of many meets it. Nobody comes nearer to it than [`DEEP_M`], for
    /// no step is longer than the rest of the way; and each step but the last leaves a twentieth of it, if that.
    fn shortened(mut self, outline: Outline<'_>) -> Self {
        for _ in 0..MOST_STEPS {
            if self.depth_m <= SHORT * DEEP_M {
                break;
            }
            let from = self.from.destination(self.heading, self.depth_m - DEEP_M);
            self = Self::nearest(outline, from, outline.edge_distance(from, f64::INFINITY));
        }
        self
    }

    /// Metres inside the edge at which a fix still has the probability; none if the deepest point has less.
    fn depth(&self, outline: Outline<'_>, accuracy_m: f64, probability: f64) -> Option<f64> {
        let sigma = probability::sigma(accuracy_m);
        let at = |metres: f64| self.from.destination(self.heading, metres);
        let is_enough = |metres: f64| probability::inside(outline, at(metres), sigma) >= probability;
        if !is_enough(0.0) {
            return None;
        }
        let (mut enough, mut too_far) = (0.0, self.depth_m);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(enough, too_far);
            *(if is_enough(middle) { &mut enough } else { &mut too_far }) = middle;
        }
        Some((-outline.signed_distance(at(enough), f64::INFINITY)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::shape::{Circle, Polygons},
        engine::{fixture::metres, presence::tests::entries_at},
    };

    fn square(side_m: f64) -> Polygons {
        let corners = [[0.0, 0.0], [0.0, side_m], [side_m, side_m], [side_m, 0.0], [0.0, 0.0]];
        let ring = corners.map(|[north, east]| metres(north, east)).map(|p| [p.longitude(), p.latitude()]);
        Polygons::new(&vec![vec![ring.to_vec()]]).expect("sound")
    }

    fn way_out_of(polygons: &Polygons) -> Way {
        Way::out_of(Outline::Polygons(polygons, &Edges::of(polygons))).expect("it has corners")
    }

    /// What is published is what pings find, a metre on either side.
    #[test]
    fn circles_are_entered_where_it_is_said() {
        let mut never = 0;
        for radius_m in [15.0, 25.0, 60.0, 200.0] {
            let circle = Shape::Circle(Circle::new(metres(0.0, 0.0), radius_m).expect("sound"));
            for said in distances(&circle, &Detection::default()) {
                let enters = |depth: f64| entries_at(radius_m, radius_m - depth, said.accuracy_m, 1) == 1;
                match said.enter_m {
                    Some(depth) => assert!(enters(depth + 0.5) && !enters(depth - 0.5), "{radius_m} {said:?}"),
                    None => assert!(!enters(radius_m), "{radius_m} {said:?}"),
                }
                let enters = |depth: f64| entries_at(radius_m, radius_m - depth, said.accuracy_m, 2) == 1;
                match said.confirmed_enter_m {
                    Some(depth) => assert!(enters(depth + 0.5) && !enters(depth - 0.5), "{radius_m} {said:?}"),
                    None => assert!(!enters(radius_m), "{radius_m} {said:?}"),
                }
                never += u32::from(said.confirmed_enter_m.is_none());
            }
        }
        assert!(never > 0, "the smallest are too small for the worst");
    }

    /// Of a corridor as long as a motorway not every metre is looked at, and its depth is found all the same.
    #[test]
    fn the_deepest_point_of_long_thin_shapes_is_found_in_time() {
        let corridor = [[10.0, 45.0], [14.0, 47.0], [14.0, 47.000_25], [10.0, 45.000_25], [10.0, 45.0]];
        let polygons = Polygons::new(&vec![vec![corridor.to_vec()]]).expect("sound");
        // 27.8 m high, and crossed at a slant: 4 degrees of longitude are 2.8 of latitude there.
        let depth_m = way_out_of(&polygons).depth_m;
        assert!((10.0..11.6).contains(&depth_m), "{depth_m}");
    }

    #[test]
    fn the_deepest_point_of_polygons_is_found() {
        let way = way_out_of(&square(80.0));
        assert!((way.depth_m - 40.0).abs() < 1.0, "{}", way.depth_m);
        let said = distances(&Shape::Polygons(square(80.0)), &Detection::default());
        // Seen from 20 m (σ 13 m) the square's other sides are far: P = 0.9 is 1.28 σ from one edge.
        assert!((said[1].enter_m.expect("wide enough") - 1.28 * 20.0 / 1.51).abs() < 1.5, "{said:?}");
        assert_eq!((said[3].enter_m, said[3].leave_m, said[3].confirmed_leave_m), (None, 600.0, 200.0));
    }

    /// The way out of a large shape is as short and as straight as that out of a small one.
    #[test]
    fn shapes_of_any_size_are_entered_as_deep_inside_a_straight_edge() {
        let ring = |w: f64, s: f64, e: f64, n: f64| vec![[w, s], [e, s], [e, n], [w, n], [w, s]];
        let square = |lat: f64, side: f64| ring(10.0, lat, 10.0 + side, lat + side);
        let sides = [0.05, 1.0, 5.0, 20.0];
        let squares = [-85.0, -40.0, 0.0, 50.0, 65.0].into_iter().flat_map(|lat| sides.map(|side| square(lat, side)));
        let south = [-180.0, -60.0, 60.0, 180.0].map(|lng| [lng, -60.0]);
        let cap = [&south[..], &[[180.0, -90.0], [-180.0, -90.0], [-180.0, -60.0]]].concat();
        for ring in squares.chain([cap]) {
            let shape = Shape::Polygons(Polygons::new(&vec![vec![ring.clone()]]).expect("sound"));
            let said = distances(&shape, &Detection::default());
            // P(z < 1.28) = 0.9 and P(z < 0.253) = 0.6, in σ = accuracy / 1.51.
            for Distances { accuracy_m, enter_m, confirmed_enter_m, .. } in said {
                let sigma = accuracy_m / 1.51;
                let is_near = |m: Option<f64>, z: f64| (m.expect("wide enough") - z * sigma).abs() < 0.03 * sigma + 0.1;
                assert!(
                    is_near(enter_m, 1.2816) && is_near(confirmed_enter_m, 0.2533),
                    "{accuracy_m} {enter_m:?} {confirmed_enter_m:?} {ring:?}"
                );
            }
        }
    }
}
