//! Where the straight way between two positions runs through a shape.
//!
//! Law 7: right across the antimeridian. The way is a great circle against circles, and a straight line in longitude and
//! latitude against polygons, as their own edges are: over the 7 km of two minutes on the fastest train the two are less
//! than 6 m apart up to 80 degrees of latitude.

use super::{
    boxes::DegreeBox,
    edges::{Edges, metres_per_degree},
    shape::{FLAT, Outline, wrapped},
    sphere::{cross, dot},
};
use crate::domain::{
    geo::{EARTH_RADIUS_M, Position},
    shape::{Circle, Polygons},
};

/// What a way meets more often than that has no part that anybody would call through: a comb, or a way along its edge.
const MOST_CUTS: usize = 256;

/// The part of a way that lies within a shape, as shares of the way: 0 at its beginning, 1 at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chord {
    pub from: f64,
    pub to: f64,
}

impl Chord {
    pub fn middle(self) -> f64 {
        f64::midpoint(self.from, self.to)
    }
}

/// What lies along a way: whoever crosses a town is not asked for all of its places.
pub struct Corridor {
    start: [f64; 2],
    way: [f64; 2],
    /// Degrees beside the line.
    beside: [f64; 2],
}

impl Corridor {
    /// So many metres wide to either side of the line straight in degrees; none where longitudes are no measure.
    pub fn new(from: Position, to: Position, beside_m: f64) -> Option<Self> {
        let steepest = from.latitude().abs().max(to.latitude().abs());
        let start = [from.longitude(), from.latitude()];
        let way = [wrapped(to.longitude() - start[0]), to.latitude() - start[1]];
        let beside = metres_per_degree(steepest).map(|metres| beside_m / metres);
        (steepest <= FLAT.0).then_some(Self { start, way, beside })
    }

    /// Whether it meets the box; it may say so of one that is a little farther away.
    pub fn meets(&self, bounds: &DegreeBox) -> bool {
        // A way over the antimeridian goes on at the other side.
        [0.0, 360.0, -360.0].iter().any(|turn| self.clipped(bounds, *turn))
    }

    fn clipped(&self, bounds: &DegreeBox, turn: f64) -> bool {
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        for (axis, turn) in [(0, turn), (1, 0.0)] {
            let begins = self.start[axis] + turn;
            let low = f64::from(bounds.south_west[axis]) - self.beside[axis] - begins;
            let high = f64::from(bounds.north_east[axis]) + self.beside[axis] - begins;
            let ends = self.way[axis];
            if low > ends.max(0.0) || high < ends.min(0.0) {
                return false;
            }
            if ends != 0.0 {
                let (enters, leaves) = if ends > 0.0 { (low, high) } else { (high, low) };
                (first, last) = (first.max(enters / ends), last.min(leaves / ends));
            }
        }
        first <= last
    }
}

/// The longest part of the way within the shape, if the way begins and ends outside and runs through it.
pub fn chord(outline: Outline<'_>, from: Position, to: Position) -> Option<Chord> {
    if outline.holds(from) || outline.holds(to) {
        return None;
    }
    match outline {
        Outline::Circle(circle) => chord_of_circle(&circle, from, to),
        Outline::Polygons(polygons, edges) => chord_of_polygons((polygons, edges), from, to),
    }
}

/// The position after this share of the way, for ways of less than half the globe.
pub fn along(from: Position, to: Position, share: f64) -> Position {
    let (a, b) = (from.unit_vector(), to.unit_vector());
    let [x, y, z] = [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share);
    let (latitude, longitude) = (z.atan2(x.hypot(y)).to_degrees(), y.atan2(x).to_degrees());
    Position::new(latitude, longitude).unwrap_or(from)
}

/// On the unit sphere: the circle's centre lies at the angle `off` from the way's great circle, and its foot on it at
/// the angle `foot` from the beginning; a right spherical triangle gives half the chord, cos h = cos R / cos off.
fn chord_of_circle(circle: &Circle, from: Position, to: Position) -> Option<Chord> {
    let length = from.distance_to(to) / EARTH_RADIUS_M;
    let (a, b, c) = (from.unit_vector(), to.unit_vector(), circle.center().unit_vector());
    let normal = cross(a, b);
    let size = dot(normal, normal).sqrt();
    if size <= 0.0 {
        return None;
    }
    let normal = normal.map(|part| part / size);
    let off = dot(c, normal).clamp(-1.0, 1.0).asin();
    let radius = circle.radius_m() / EARTH_RADIUS_M;
    if off.abs() >= radius {
        return None;
    }
    let half = (radius.cos() / off.cos()).clamp(-1.0, 1.0).acos();
    let foot = dot(c, cross(normal, a)).atan2(dot(c, a));
    let chord = Chord { from: (foot - half) / length, to: (foot + half) / length };
    (chord.from > 0.0 && chord.to < 1.0).then_some(chord)
}

fn chord_of_polygons(shape: (&Polygons, &Edges), from: Position, to: Position) -> Option<Chord> {
    let mut cuts = Vec::new();
    let start = [from.longitude(), from.latitude()];
    let way = [wrapped(to.longitude() - from.longitude()), to.latitude() - from.latitude()];
    let near: Vec<&[geo::Coord]> = near_edges(shape, from, way).collect();
    cut(&near, start, way, &mut cuts);
    // A way over the antimeridian lies as well where its other end has its longitude.
    if (start[0] + way[0]).abs() >= 180.0 {
        cut(&near, [start[0] - 360.0 * way[0].signum(), start[1]], way, &mut cuts);
    }
    if cuts.len() > MOST_CUTS {
        return None;
    }
    cuts.sort_unstable_by(f64::total_cmp);
    let chords = cuts.windows(2).map(|pair| Chord { from: pair[0], to: pair[1] });
    let mut inside: Vec<Chord> = Vec::new();
    for chord in chords.filter(|chord| shape.1.hold(shape.0, along(from, to, chord.middle()))) {
        match inside.last_mut() {
            // Where a shape is cut at the antimeridian it goes on.
            Some(last) if last.to >= chord.from => last.to = chord.to,
            _ => inside.push(chord),
        }
    }
    inside.into_iter().max_by(|a, b| (a.to - a.from).total_cmp(&(b.to - b.from)))
}

/// The edges that come as near to the beginning of the way as its end.
fn near_edges<'a>(
    (polygons, edges): (&'a Polygons, &'a Edges),
    from: Position,
    way: [f64; 2],
) -> impl Iterator<Item = &'a [geo::Coord]> {
    let is_near = move |[east, north]: [f64; 2]| east <= way[0].abs() && north <= way[1].abs();
    edges.bounding(from).filter(move |(gap, _)| is_near(*gap)).map(|(_, piece)| piece.corners(polygons))
}

/// The shares of the way at which it meets an edge.
fn cut(runs: &[&[geo::Coord]], start: [f64; 2], way: [f64; 2], cuts: &mut Vec<f64>) {
    let reach = [0, 1].map(|i| (start[i].min(start[i] + way[i]), start[i].max(start[i] + way[i])));
    for edge in runs.iter().flat_map(|corners| corners.windows(2)) {
        let (a, b) = ([edge[0].x, edge[0].y], [edge[1].x, edge[1].y]);
        let is_near = |i: usize| a[i].min(b[i]) <= reach[i].1 && a[i].max(b[i]) >= reach[i].0;
        if is_near(0) && is_near(1) {
            cuts.extend(meeting(start, way, a, b));
        }
    }
}

/// The share of the way at which it meets the edge from a to b. Parallel lines do not meet: their neighbours do.
fn meeting(start: [f64; 2], way: [f64; 2], a: [f64; 2], b: [f64; 2]) -> Option<f64> {
    let edge = [b[0] - a[0], b[1] - a[1]];
    let apart = [a[0] - start[0], a[1] - start[1]];
    let area = way[0] * edge[1] - way[1] * edge[0];
    let of_way = (apart[0] * edge[1] - apart[1] * edge[0]) / area;
    let of_edge = (apart[0] * way[1] - apart[1] * way[0]) / area;
    ((0.0..=1.0).contains(&of_way) && (0.0..=1.0).contains(&of_edge)).then_some(of_way)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::{boxes, edges::Edges};

    /// Steps of the brute force along a way.
    const STEPS: u32 = 2_000;

    fn position(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, wrapped(longitude)).expect("sound")
    }

    /// How far a straight line in longitude and latitude and the great circle are apart at most, at the same share, in
    /// metres: to second order each is off the chord by length² × tan(latitude) / 8 R, aside and along.
    fn apart_m(from: Position, to: Position) -> f64 {
        let steepest = from.latitude().abs().max(to.latitude().abs()).to_radians().tan();
        from.distance_to(to).powi(2) * steepest / (4.0 * EARTH_RADIUS_M)
    }

    /// By the angles from both ends, which owes nothing to chords.
    fn on_great_circle(from: Position, to: Position, share: f64) -> Position {
        let angle = from.distance_to(to) / EARTH_RADIUS_M;
        let parts = [(from, 1.0 - share), (to, share)].map(|(end, part)| {
            let weight = (angle * part).sin() / angle.sin();
            end.unit_vector().map(|along| along * weight)
        });
        let [x, y, z] = [0, 1, 2].map(|i| parts[0][i] + parts[1][i]);
        position(z.atan2(x.hypot(y)).to_degrees(), y.atan2(x).to_degrees())
    }

    /// A diamond with a hole in it, cut in two where it crosses the antimeridian.
    fn diamond(lat: f64, lng: f64, half: f64) -> Polygons {
        let ring = |half: f64| {
            vec![[lng, lat - half], [lng + half, lat], [lng, lat + half], [lng - half, lat], [lng, lat - half]]
        };
        if lng.abs() < 180.0 - half {
            return Polygons::new(&vec![vec![ring(half), ring(half / 3.0)]]).expect("sound");
        }
        let east = vec![[180.0, lat - half], [180.0, lat + half], [180.0 - half, lat], [180.0, lat - half]];
        let west = vec![[-180.0, lat - half], [-180.0 + half, lat], [-180.0, lat + half], [-180.0, lat - half]];
        Polygons::new(&vec![vec![east], vec![west]]).expect("sound")
    }

    proptest! {
        /// Beside the poles, too, where a way straight in degrees is another one: of long ways metres away.
        #[test]
        fn the_way_through_a_circle_is_a_great_circle(
            lat in prop_oneof![-89.99..-85.5, -85.5..-80.0, 80.0..85.5], lng in 179.9..180.1f64, radius_m in 20.0..500.0f64,
            aside in -1.1..1.1f64, heading in 0.0..360.0f64, before_m in 20.0..3_500.0f64, behind_m in 20.0..3_500.0f64,
        ) {
            let centre = position(lat, lng);
            let nearest = centre.destination(heading + 90.0, aside * radius_m);
            let (from, to) = (nearest.destination(heading + 180.0, before_m), nearest.destination(heading, behind_m));
            let circle = Circle::new(centre, radius_m).expect("sound");
            let depth = |share: f64| centre.distance_to(on_great_circle(from, to, share)) - radius_m;
            let deepest = (0..=STEPS).map(|i| depth(f64::from(i) / f64::from(STEPS))).fold(f64::INFINITY, f64::min);
            let outside = depth(0.0).min(depth(1.0));
            match chord(Outline::Circle(circle), from, to) {
                Some(chord) => {
                    prop_assert!(outside > -0.01 && depth(chord.middle()) < 0.01, "{chord:?}");
                    let ends = [chord.from, chord.to].map(|share| depth(share).abs());
                    prop_assert!(ends.iter().all(|m| *m < 0.1), "{chord:?} ends {ends:?} m from the edge");
                }
                None => prop_assert!(outside < 0.01 || deepest > -0.1, "{deepest} m deep"),
            }
        }

        /// What is found lies inside, and what a walk in small steps sees inside is found.
        #[test]
        fn corridors_meet_what_a_walk_along_them_meets(
            lat in -79.0..79.0f64, lng in prop_oneof![Just(180.0), -179.0..179.0f64], ends in prop::array::uniform4(-0.03..0.03f64),
            [x, y] in prop::array::uniform2(-0.04..0.04f64), [wide, high] in prop::array::uniform2(0.0..0.01f64),
            beside_m in 0.0..100.0f64,
        ) {
            let (from, to) = (position(lat + ends[0], lng + ends[1]), position(lat + ends[2], lng + ends[3]));
            let bounds = DegreeBox::new([lng + x, lat + y], [lng + x + wide, lat + y + high]);
            let corridor = Corridor::new(from, to, beside_m).expect("far from the poles");
            // In units of what counts as beside, along each axis.
            let away = |share: f64| {
                let at = [lng + ends[1] + (ends[3] - ends[1]) * share, lat + ends[0] + (ends[2] - ends[0]) * share];
                let along = |i: usize| {
                    let (low, high) = (f64::from(bounds.south_west[i]), f64::from(bounds.north_east[i]));
                    (low - at[i]).max(at[i] - high).max(0.0) / corridor.beside[i].max(1e-9)
                };
                along(0).max(along(1))
            };
            let nearest = (0..=STEPS).map(|i| away(f64::from(i) / f64::from(STEPS))).fold(f64::INFINITY, f64::min);
            prop_assert!(corridor.meets(&bounds) || nearest > 1.0 - 1e-6, "under-selected: {nearest}");
            // Between two steps of the walk it comes nearer by one of them at most.
            let step = (0..2).map(|i| (ends[1 - i] - ends[3 - i]).abs() / f64::from(STEPS) / corridor.beside[i].max(1e-9));
            let step = step.fold(0.0, f64::max);
            prop_assert!(!corridor.meets(&bounds) || nearest <= 1.0 + step + 1e-6, "over-selected: {nearest}, {step}");
        }

        #[test]
        fn chords_agree_with_a_walk(
            lat in -75.0..75.0f64, lng in prop_oneof![Just(180.0), -179.0..179.0f64], round: bool, size in 0.001..0.02f64,
            ends in prop::array::uniform4(-0.03..0.03f64),
        ) {
            let polygons = diamond(lat, lng, size);
            let edges = Edges::of(&polygons);
            let shape = match round {
                true => Outline::Circle(Circle::new(position(lat, lng), size * 100_000.0).expect("sound")),
                false => Outline::Polygons(&polygons, &edges),
            };
            let (from, to) = (position(lat + ends[0], lng + ends[1]), position(lat + ends[2], lng + ends[3]));
            let boxes = match shape {
                Outline::Circle(circle) => boxes::around(circle.center(), circle.radius_m()).collect(),
                Outline::Polygons(polygons, _) => boxes::of_polygons(polygons),
            };
            let corridor = Corridor::new(from, to, apart_m(from, to) + 0.01).expect("far from the poles");
            let is_along = boxes.iter().any(|bounds| corridor.meets(bounds));
            let depth = |share: f64| shape.signed_distance(along(from, to, share), f64::INFINITY);
            let slack = 0.5 + if round { 0.0 } else { apart_m(from, to) };
            let outside = depth(0.0) > 0.0 && depth(1.0) > 0.0;
            let deepest = (0..=STEPS).map(|i| depth(f64::from(i) / f64::from(STEPS))).fold(f64::INFINITY, f64::min);
            match chord(shape, from, to) {
                Some(chord) => {
                    prop_assert!(is_along, "{chord:?}");
                    prop_assert!(outside && depth(chord.middle()) <= 0.5, "{chord:?}");
                    let ends = [chord.from, chord.to].map(|share| depth(share).abs());
                    prop_assert!(ends.iter().all(|m| *m < slack), "{chord:?} ends {ends:?} m from the edge, not {slack}");
                }
                None => prop_assert!(!outside || deepest > -slack, "{deepest} m deep"),
            }
        }
    }
}
