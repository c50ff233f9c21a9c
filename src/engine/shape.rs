//! Exact geometry: on which side of an outline a position is, and how far from its edge.
//!
//! Law 7: right on the whole globe: across the antimeridian, at the poles, and from the other side of the earth.

use super::{
    edges::{Edges, metres_per_degree},
    sphere,
};
use crate::domain::{
    geo::Position,
    shape::{Circle, Polygons},
};

/// Up to this latitude, in degrees, and this distance, in metres, the plane around a position is true to 0.25 %: the
/// length of a degree of longitude changes by tan φ · Δφ, and half of that is the mean error along a line.
pub(super) const FLAT: (f64, f64) = (80.0, 5_000.0);
/// More than the error of the plane within [`FLAT`], as a share.
pub(super) const FLAT_ERROR: f64 = 0.005;
/// What an area looks like.
#[derive(Debug, Clone, Copy)]
pub enum Outline<'a> {
    Circle(Circle),
    Polygons(&'a Polygons, &'a Edges),
}

impl Outline<'_> {
    /// Whether the position is inside or, for circles, on the edge.
    pub fn holds(&self, position: Position) -> bool {
        match self {
            Self::Circle(circle) => circle_holds(circle, position),
            Self::Polygons(polygons, edges) => edges.hold(polygons, position),
        }
    }

    /// Metres from the position to the edge: negative inside, positive outside; infinite beyond `limit` metres. Circles
    /// by great circle; polygons within 0.25 % of that.
    pub fn signed_distance(&self, position: Position, limit: f64) -> f64 {
        match self {
            Self::Circle(circle) => circle.center().distance_to(position) - circle.radius_m(),
            Self::Polygons(..) => {
                let distance = self.edge_distance(position, limit);
                if self.holds(position) { -distance } else { distance }
            }
        }
    }

    /// The same on either side of the edge, never negative: for who knows which side it is.
    pub fn edge_distance(&self, position: Position, limit: f64) -> f64 {
        match self {
            Self::Circle(circle) => (circle.center().distance_to(position) - circle.radius_m()).abs(),
            Self::Polygons(polygons, edges) => edge_distance(polygons, edges, position, limit),
        }
    }
}

/// In the plane around the position where that is sure, by great circle near the edge and far away.
fn circle_holds(circle: &Circle, position: Position) -> bool {
    let (center, radius_m) = (circle.center(), circle.radius_m());
    if position.latitude().abs() <= FLAT.0 && radius_m <= FLAT.1 {
        let [x, y] = metres_per_degree(position.latitude());
        let east = wrapped(center.longitude() - position.longitude()) * x;
        let north = (center.latitude() - position.latitude()) * y;
        let ratio_2 = (east * east + north * north) / (radius_m * radius_m);
        if ratio_2 < (1.0 - FLAT_ERROR) * (1.0 - FLAT_ERROR) {
            return true;
        }
        // Farther off the plane may be as false as it likes, but not by half.
        if ratio_2 > (1.0 + FLAT_ERROR) * (1.0 + FLAT_ERROR) && ratio_2 < 2.0 {
            return false;
        }
    }
    center.distance_to(position) <= radius_m
}

fn edge_distance(polygons: &Polygons, edges: &Edges, position: Position, limit: f64) -> f64 {
    if position.latitude().abs() <= FLAT.0 {
        let near = distance_in_plane(polygons, edges, position, limit.min(FLAT.1));
        if near.is_finite() || limit <= FLAT.1 {
            return near;
        }
    }
    sphere::distance_to_edges(polygons, edges, position, limit)
}

/// In the equirectangular plane around the position; infinite beyond `limit`.
fn distance_in_plane(polygons: &Polygons, edges: &Edges, position: Position, limit: f64) -> f64 {
    let [x, y] = metres_per_degree(position.latitude());
    let mut nearest_2 = limit * limit;
    let mut found = false;
    edges.near(position, [limit / x, limit / y], |[east, north], piece| {
        if (east * x).powi(2) + (north * y).powi(2) <= nearest_2 {
            for edge in piece.corners(polygons).windows(2) {
                let [west, east] = eastward(edge[0].x, edge[1].x, position);
                let from = [west * x, (edge[0].y - position.latitude()) * y];
                let to = [east * x, (edge[1].y - position.latitude()) * y];
                let distance_2 = squared_distance_to_origin(from, to);
                if distance_2 <= nearest_2 {
                    (nearest_2, found) = (distance_2, true);
                }
            }
        }
        nearest_2.sqrt() / limit
    });
    if found { nearest_2.sqrt() } else { f64::INFINITY }
}

/// The difference of two longitudes as the shorter way round, in degrees.
pub(super) fn wrapped(degrees: f64) -> f64 {
    if degrees > 180.0 {
        degrees - 360.0
    } else if degrees < -180.0 {
        degrees + 360.0
    } else {
        degrees
    }
}

/// How far to the east of the position both ends of an edge are, in degrees. The shorter way round to its middle tells: an
/// end of an edge half round the earth may lie either way.
pub(super) fn eastward(from: f64, to: f64, position: Position) -> [f64; 2] {
    let (middle, half) = (wrapped(f64::midpoint(from, to) - position.longitude()), (to - from) / 2.0);
    [middle - half, middle + half]
}

fn squared_distance_to_origin(a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(a[0] * dx + a[1] * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (a[0] + along * dx, a[1] + along * dy);
    x * x + y * y
}

#[cfg(test)]
mod tests {
    use geo::{Contains, Distance, Geodesic, Haversine, HaversineClosestPoint};
    use proptest::prelude::*;

    use super::*;
    use crate::{domain::geo::METRES_PER_DEGREE, engine::probability};

    fn position(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, (longitude + 180.0).rem_euclid(360.0) - 180.0).expect("sound")
    }

    /// Polygons, ready to be asked.
    struct Drawing(Polygons, Edges);

    impl Drawing {
        fn new(rings: Vec<Vec<[f64; 2]>>) -> Self {
            Self::of(vec![rings])
        }

        fn of(polygons: Vec<Vec<Vec<[f64; 2]>>>) -> Self {
            let polygons = Polygons::new(&polygons).expect("sound");
            let edges = Edges::of(&polygons);
            Self(polygons, edges)
        }

        fn outline(&self) -> Outline<'_> {
            Outline::Polygons(&self.0, &self.1)
        }

        fn distance(&self, position: Position) -> f64 {
            self.outline().signed_distance(position, f64::INFINITY)
        }
    }

    fn ring(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
        vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
    }

    /// A star with so many corners, which winds its way round.
    fn star(lat: f64, lng: f64, corners: usize, size: f64) -> Vec<[f64; 2]> {
        let corner = |i: usize| {
            let (turn, far) = (i as f64 / corners as f64 * std::f64::consts::TAU, 0.6 + 0.4 * (i as f64 * 2.4).sin());
            [lng + size * far * turn.cos(), lat + size * far * turn.sin()]
        };
        (0..corners).chain([0]).map(corner).collect()
    }

    proptest! {
        #[test]
        fn great_circles_are_near_the_ellipsoid(lat in -89.0..89.0f64, lng in -180.0..180.0f64, dlat in -0.5..0.5f64, dlng in -0.5..0.5f64) {
            let (a, b) = (position(lat, lng), position(lat + dlat, lng + dlng));
            let oracle = Geodesic.distance(geo::point!(x: a.longitude(), y: a.latitude()), geo::point!(x: b.longitude(), y: b.latitude()));
            prop_assert!((a.distance_to(b) - oracle).abs() <= 0.006 * oracle + 0.01);
        }

        #[test]
        fn circles_hold_by_great_circle(lat in -90.0..90.0f64, lng in -180.0..180.0f64, radius in 5.0..100_000.0f64, share in 0.0..3.0f64, turn in 0.0..std::f64::consts::TAU) {
            let circle = Circle::new(position(lat, lng), radius).expect("sound");
            let reach = radius * share / METRES_PER_DEGREE;
            let p = position((lat + reach * turn.sin()).clamp(-90.0, 90.0), lng + reach * turn.cos() / lat.to_radians().cos().max(1e-3));
            let exact = circle.center().distance_to(p) <= radius;
            prop_assert_eq!(Outline::Circle(circle).holds(p), exact);
        }

        #[test]
        fn polygons_agree_with_plain_geometry(
            lat in -79.0..79.0f64, lng in -179.0..179.0f64, corners in 3..600usize, dx in -1.3..1.3f64, dy in -1.3..1.3f64,
        ) {
            let size = 0.01;
            let hole = star(lat, lng, corners, size / 4.0);
            let shape = Drawing::new(vec![star(lat, lng, corners, size), hole.into_iter().rev().collect()]);
            let p = position(lat + dy * size, lng + dx * size);
            let point = geo::point!(x: p.longitude(), y: p.latitude());
            let ours = shape.distance(p);
            if ours.abs() > 0.01 {
                prop_assert_eq!(ours < 0.0, shape.0.geometry().contains(&point));
            }
            let polygon = shape.0.geometry().0[0].clone();
            let lines = std::iter::once(polygon.exterior().clone()).chain(polygon.interiors().to_vec());
            let oracle = lines.filter_map(|line| match line.haversine_closest_point(&point) {
                geo::Closest::SinglePoint(c) | geo::Closest::Intersection(c) => Some(Haversine.distance(point, c)),
                geo::Closest::Indeterminate => None,
            }).fold(f64::INFINITY, f64::min);
            prop_assert!((ours.abs() - oracle).abs() <= 0.01 * oracle + 0.5, "{} {}", ours, oracle);
            let sphere = sphere::distance_to_edges(&shape.0, &shape.1, p, f64::INFINITY);
            prop_assert!((ours.abs() - sphere).abs() <= 0.003 * sphere + 0.2, "{} {}", ours, sphere);
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Points along the edges, so close that the nearest of them is near the nearest point.
        #[test]
        fn distances_are_right_at_poles_and_from_afar(
            from in -180.0..180.0f64, width in 0.01..175.0f64, south in -89.0..89.9f64, height in 0.001..1.0f64,
            lat in -90.0..90.0f64, lng in -180.0..180.0f64, near: bool,
        ) {
            let (east, north) = ((from + width).min(180.0), (south + height).min(90.0));
            prop_assume!(east - from > 0.005);
            let corners = ring(from, south, east, north);
            let shape = Drawing::new(vec![corners.clone()]);
            let p = if near { position((north + 0.01).min(90.0), from - 0.01) } else { position(lat, lng) };
            const STEPS: u32 = 5_000;
            let along = |edge: &[[f64; 2]]| {
                let ([ax, ay], [bx, by]) = (edge[0], edge[1]);
                (0..=STEPS).map(|i| f64::from(i) / f64::from(STEPS)).map(|t| position(ay + (by - ay) * t, ax + (bx - ax) * t).distance_to(p)).fold(f64::INFINITY, f64::min)
            };
            let brute = corners.windows(2).map(along).fold(f64::INFINITY, f64::min);
            let step = 175.0 / f64::from(STEPS) * METRES_PER_DEGREE / 2.0;
            let ours = shape.distance(p).abs();
            prop_assert!((ours - brute).abs() <= 0.003 * brute + step + 1.0, "{} {}", ours, brute);
        }
    }

    #[test]
    fn a_cut_at_the_antimeridian_is_no_edge() {
        let fiji = Drawing::of(vec![vec![ring(179.0, -18.0, 180.0, -17.0)], vec![ring(-180.0, -18.0, -179.0, -16.0)]]);
        let inside = fiji.distance(position(-17.5, 179.999));
        assert!((inside + 0.5 * METRES_PER_DEGREE).abs() < 300.0, "to the south or north edge: {inside}");
        let along = fiji.distance(position(-16.5, 179.999));
        assert!(
            (along - 0.001 * METRES_PER_DEGREE * 16.5f64.to_radians().cos()).abs() < 1.0,
            "the cut bounds here: {along}"
        );
        assert!(fiji.outline().holds(position(-17.5, -180.0)) && !fiji.outline().holds(position(-16.5, 179.9)));
    }

    #[test]
    fn a_pole_is_inside_what_surrounds_it() {
        let antarctica = Drawing::new(vec![vec![
            [-180.0, -90.0],
            [180.0, -90.0],
            [180.0, -80.0],
            [90.0, -75.0],
            [0.0, -70.0],
            [-90.0, -75.0],
            [-180.0, -80.0],
            [-180.0, -90.0],
        ]]);
        for lng in [-180.0, -90.0, 0.0, 179.9] {
            let s = antarctica.distance(position(-89.999, lng));
            assert!((s / METRES_PER_DEGREE + 10.0).abs() < 0.1, "ten degrees to the nearest coast: {s}");
        }
        assert!(antarctica.distance(position(-60.0, 0.0)) > 9.9 * METRES_PER_DEGREE);
    }

    #[test]
    fn both_poles_are_inside_what_surrounds_them() {
        let belt = |from: f64, to: f64| {
            let there = [-180.0, -60.0, 60.0, 180.0].map(|lng| [lng, from]);
            let back = [180.0, 60.0, -60.0, -180.0].map(|lng| [lng, to]);
            there.into_iter().chain(back).chain([there[0]]).collect::<Vec<_>>()
        };
        for side in [1.0, -1.0] {
            let (cap, below) = (Drawing::new(vec![belt(66.0 * side, 90.0 * side)]), belt(60.0 * side, 66.0 * side));
            let below = Drawing::new(vec![below]);
            for lng in [-180.0, -90.0, 0.0, 60.0, 179.9] {
                let pole = position(90.0 * side, lng);
                assert!(cap.outline().holds(pole) && !below.outline().holds(pole), "{side} {lng}");
                let s = cap.distance(pole);
                assert!((s / METRES_PER_DEGREE + 24.0).abs() < 0.1, "24 degrees to the circle: {s}");
                assert_eq!(probability::inside(cap.outline(), pole, 20.0), 1.0);
            }
        }
        let arctic = [[-180.0, 66.0], [-60.0, 66.0], [60.0, 66.0], [180.0, 66.0], [180.0, 90.0], [-180.0, 90.0]];
        let arctic = arctic.iter().chain(arctic.first()).copied().collect();
        let holed = Drawing::new(vec![arctic, ring(10.0, 80.0, 50.0, 89.0)]);
        assert!(holed.outline().holds(position(90.0, 20.0)) && !holed.outline().holds(position(85.0, 20.0)));
    }

    #[test]
    fn limits_bound_what_is_looked_for() {
        let square = Drawing::new(vec![ring(24.0, 60.0, 24.1, 60.1)]);
        let near = position(60.05, 24.11);
        assert!(square.outline().signed_distance(near, 600.0) < 600.0);
        assert_eq!(square.outline().signed_distance(near, 500.0), f64::INFINITY);
        assert_eq!(square.outline().signed_distance(position(10.0, 24.0), 1e6), f64::INFINITY);
        assert_eq!(square.outline().signed_distance(position(60.05, 24.05), 500.0), f64::NEG_INFINITY, "far inside");
    }
}
