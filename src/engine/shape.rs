//! Exact geometry: how far a position is from an outline, and the boxes that surely hold it.
//!
//! Law 7: boxes may over-select, never under-select. Everything is right across the antimeridian; near the poles boxes
//! widen to the whole circle of longitudes.

use crate::domain::{
    geo::{METRES_PER_DEGREE, Position},
    shape::{Circle, Polygons, Shape},
};

/// Widening of every box, in degrees (about 1 cm), against rounding.
const SLACK_DEGREES: f64 = 1e-7;

/// A box in degrees that does not cross the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DegreeBox {
    pub south_west: [f64; 2],
    pub north_east: [f64; 2],
}

/// Metres from the position to the shape's edge: negative inside, positive outside.
///
/// For circles by great circle. For polygons in the equirectangular plane around the position, which for distances up
/// to 5 km and latitudes up to 80 degrees is within 0.5 %.
pub fn signed_distance(shape: &Shape, position: Position) -> f64 {
    match shape {
        Shape::Circle(circle) => circle.center().distance_to(position) - circle.radius_m(),
        Shape::Polygons(polygons) => polygon_distance(polygons, position),
    }
}

/// One walk over all edges: even-odd crossings tell the side (for any winding, holes included), the nearest edge tells
/// the distance.
fn polygon_distance(polygons: &Polygons, position: Position) -> f64 {
    let (x0, y0) = (position.longitude(), position.latitude());
    let shrink = y0.to_radians().cos().max(1e-9);
    let mut inside = false;
    let mut nearest = f64::INFINITY;
    for polygon in polygons.geometry() {
        for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
            for edge in ring.0.windows(2) {
                let (a, b) = (edge[0], edge[1]);
                if (a.y > y0) != (b.y > y0) && x0 < a.x + (y0 - a.y) / (b.y - a.y) * (b.x - a.x) {
                    inside = !inside;
                }
                let ax = wrapped(a.x - x0) * shrink;
                let from = [ax, a.y - y0];
                let to = [ax + (b.x - a.x) * shrink, b.y - y0];
                nearest = nearest.min(squared_distance_to_origin(from, to));
            }
        }
    }
    let metres = nearest.sqrt() * METRES_PER_DEGREE;
    if inside { -metres } else { metres }
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

fn squared_distance_to_origin(a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(a[0] * dx + a[1] * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (a[0] + along * dx, a[1] + along * dy);
    x * x + y * y
}

/// Boxes that hold every point of the shape.
pub fn boxes(shape: &Shape) -> Vec<DegreeBox> {
    match shape {
        Shape::Circle(circle) => circle_boxes(circle),
        Shape::Polygons(polygons) => polygons.geometry().iter().map(polygon_box).collect(),
    }
}

/// Boxes that hold every point within the radius of the centre.
pub fn boxes_around(center: Position, radius_m: f64) -> Vec<DegreeBox> {
    let reach = radius_m / METRES_PER_DEGREE + SLACK_DEGREES;
    let (south, north) = (center.latitude() - reach, center.latitude() + reach);
    // The widest longitude a cap reaches is asin(sin r / cos φ); a cap that holds a pole reaches all of them.
    let ratio = reach.to_radians().sin() / center.latitude().to_radians().cos().max(1e-12);
    if south <= -90.0 || north >= 90.0 || reach >= 90.0 || ratio >= 1.0 {
        return vec![DegreeBox { south_west: [-180.0, south.max(-90.0)], north_east: [180.0, north.min(90.0)] }];
    }
    let width = ratio.asin().to_degrees() + SLACK_DEGREES;
    split(center.longitude() - width, center.longitude() + width, south, north)
}

fn circle_boxes(circle: &Circle) -> Vec<DegreeBox> {
    boxes_around(circle.center(), circle.radius_m())
}

fn polygon_box(polygon: &geo::Polygon) -> DegreeBox {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for corner in polygon.exterior().coords() {
        low = [low[0].min(corner.x), low[1].min(corner.y)];
        high = [high[0].max(corner.x), high[1].max(corner.y)];
    }
    DegreeBox {
        south_west: low.map(|degrees| degrees - SLACK_DEGREES),
        north_east: high.map(|degrees| degrees + SLACK_DEGREES),
    }
}

/// One box, or two where the antimeridian lies between west and east.
fn split(west: f64, east: f64, south: f64, north: f64) -> Vec<DegreeBox> {
    let part = |west, east| DegreeBox { south_west: [west, south], north_east: [east, north] };
    if west < -180.0 {
        vec![part(west + 360.0, 180.0), part(-180.0, east)]
    } else if east > 180.0 {
        vec![part(west, 180.0), part(-180.0, east - 360.0)]
    } else {
        vec![part(west, east)]
    }
}

#[cfg(test)]
mod tests {
    use geo::{Contains, Distance, Geodesic, Haversine, HaversineClosestPoint};
    use proptest::prelude::*;

    use super::*;

    fn position(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, longitude).expect("sound")
    }

    fn square(lat: f64, lng: f64, half: f64) -> Shape {
        let (w, e, s, n) = (lng - half, lng + half, lat - half, lat + half);
        let ring = vec![[w, s], [e, s], [e, n], [w, n], [w, s]];
        let hole = ring.iter().map(|[x, y]| [lng + (x - lng) / 2.0, lat + (y - lat) / 2.0]).collect();
        Shape::Polygons(Polygons::new(&vec![vec![ring, hole]]).expect("sound"))
    }

    fn holds(boxes: &[DegreeBox], p: Position) -> bool {
        boxes.iter().any(|b| {
            (b.south_west[0]..=b.north_east[0]).contains(&p.longitude())
                && (b.south_west[1]..=b.north_east[1]).contains(&p.latitude())
        })
    }

    proptest! {
        #[test]
        fn boxes_never_miss(lat in -90.0..90.0f64, lng in -180.0..180.0f64, radius in 5.0..500_000.0f64, dlat in -6.0..6.0f64, dlng in -180.0..180.0f64) {
            let circle = Circle::new(position(lat, lng), radius).expect("sound");
            let p = position((lat + dlat).clamp(-90.0, 90.0), lng + dlng);
            if signed_distance(&Shape::Circle(circle), p) <= 0.0 {
                prop_assert!(holds(&boxes(&Shape::Circle(circle)), p));
            }
        }

        #[test]
        fn great_circles_are_near_the_ellipsoid(lat in -89.0..89.0f64, lng in -180.0..180.0f64, dlat in -0.5..0.5f64, dlng in -0.5..0.5f64) {
            let (a, b) = (position(lat, lng), position(lat + dlat, lng + dlng));
            let oracle = Geodesic.distance(geo::point!(x: a.longitude(), y: a.latitude()), geo::point!(x: b.longitude(), y: b.latitude()));
            prop_assert!((a.distance_to(b) - oracle).abs() <= 0.006 * oracle + 0.01);
        }

        #[test]
        fn polygons_agree_with_plain_geometry(lat in -75.0..75.0f64, lng in -179.0..179.0f64, dx in -0.02..0.02f64, dy in -0.02..0.02f64) {
            let shape = square(lat, lng, 0.008);
            let p = position(lat + dy, lng + dx);
            let Shape::Polygons(polygons) = &shape else { unreachable!("a square") };
            let point = geo::point!(x: p.longitude(), y: p.latitude());
            let ours = signed_distance(&shape, p);
            if ours.abs() > 0.01 {
                prop_assert_eq!(ours < 0.0, polygons.geometry().contains(&point));
            }
            let boundary = polygons.geometry().0[0].clone();
            let lines = std::iter::once(boundary.exterior().clone()).chain(boundary.interiors().to_vec());
            let oracle = lines.filter_map(|line| match line.haversine_closest_point(&point) {
                geo::Closest::SinglePoint(c) | geo::Closest::Intersection(c) => Some(Haversine.distance(point, c)),
                geo::Closest::Indeterminate => None,
            }).fold(f64::INFINITY, f64::min);
            prop_assert!((ours.abs() - oracle).abs() <= 0.01 * oracle + 0.5, "{} {}", ours, oracle);
        }
    }

    #[test]
    fn shapes_reach_over_the_antimeridian() {
        let circle = Circle::new(position(-17.0, 179.9995), 200.0).expect("sound");
        let p = position(-17.0, -179.9995);
        assert!(signed_distance(&Shape::Circle(circle), p) < 0.0 && holds(&boxes(&Shape::Circle(circle)), p));
        let west = vec![[179.0, 0.0], [180.0, 0.0], [180.0, 1.0], [179.0, 1.0], [179.0, 0.0]];
        let shape = Shape::Polygons(Polygons::new(&vec![vec![west]]).expect("sound"));
        let outside = signed_distance(&shape, position(0.5, -179.999));
        assert!((outside - 0.001 * METRES_PER_DEGREE).abs() < 0.1, "{outside}");
    }
}
