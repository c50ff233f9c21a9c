//! Whether a geofence is large enough for phones, which know their place to 20 to 50 m in streets.
//!
//! Law: it warns and refuses nothing; a small geofence may serve phones under open sky, or beacons beside it.

use crate::domain::{geo::METRES_PER_DEGREE, shape::Shape};

/// Circles below this are entered late.
const COMFORTABLE_M: f64 = 50.0;
/// A fix of 20 m accuracy (σ = 20 / 1.51) in the very centre of a circle is inside it with P = 1 − exp(−R² / 2σ²).
/// Below this radius that is less than the 0.6 which even two fixes need, so such phones never enter.
const HOPELESS_M: f64 = 17.9;

/// Why phones will miss it; none if it is large enough.
pub fn warning(shape: &Shape) -> Option<&'static str> {
    let radius = effective_radius_m(shape);
    match shape {
        _ if radius < HOPELESS_M => {
            Some("a phone that knows its place to 20 m, as usual in streets, is never sure enough to be inside")
        }
        Shape::Circle(_) if radius < COMFORTABLE_M => {
            Some("phones know their place to 20 to 50 m in streets, and enter a circle of less than 50 m late or never")
        }
        _ => None,
    }
}

/// Metres: of a circle its radius, of polygons twice the area over the outline's length, for the largest of them.
pub fn effective_radius_m(shape: &Shape) -> f64 {
    match shape {
        Shape::Circle(circle) => circle.radius_m(),
        Shape::Polygons(polygons) => polygons.geometry().iter().map(of_polygon).fold(0.0, f64::max),
    }
}

/// On the plane that touches at the shell's first corner: good to a few per cent where it matters, below a kilometre.
fn of_polygon(polygon: &geo::Polygon) -> f64 {
    let rings = || std::iter::once(polygon.exterior()).chain(polygon.interiors());
    let Some(origin) = polygon.exterior().coords().next() else { return 0.0 };
    let across = METRES_PER_DEGREE * origin.y.to_radians().cos();
    let flat = |c: &geo::Coord| ((c.x - origin.x) * across, (c.y - origin.y) * METRES_PER_DEGREE);
    let (mut area, mut length) = (0.0, 0.0);
    for (i, ring) in rings().enumerate() {
        let corners: Vec<(f64, f64)> = ring.coords().map(flat).collect();
        let edges = corners.windows(2).map(|edge| (edge[0], edge[1]));
        let doubled: f64 = edges.clone().map(|((ax, ay), (bx, by))| ax * by - bx * ay).sum();
        area += if i == 0 { doubled.abs() } else { -doubled.abs() } / 2.0;
        length += edges.map(|((ax, ay), (bx, by))| (bx - ax).hypot(by - ay)).sum::<f64>();
    }
    if length > 0.0 { 2.0 * area / length } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        geo::Position,
        shape::{Circle, Polygons},
    };

    fn square(side_m: f64) -> Shape {
        let d = side_m / METRES_PER_DEGREE;
        let ring =
            vec![[10.0, 60.0], [10.0 + 2.0 * d, 60.0], [10.0 + 2.0 * d, 60.0 + d], [10.0, 60.0 + d], [10.0, 60.0]];
        Shape::Polygons(Polygons::new(&vec![vec![ring]]).expect("sound"))
    }

    #[test]
    fn a_square_counts_half_its_side() {
        // At 60 degrees north a degree of longitude is half as long.
        assert!((effective_radius_m(&square(100.0)) - 50.0).abs() < 0.5);
    }

    #[test]
    fn what_phones_miss_is_told() {
        let circle = |m| Shape::Circle(Circle::new(Position::new(60.0, 10.0).expect("sound"), m).expect("sound"));
        assert!(warning(&circle(15.0)).expect("told").contains("never sure"));
        assert!(warning(&circle(49.0)).expect("told").contains("late"));
        assert_eq!(warning(&circle(50.0)), None);
        assert!(warning(&square(30.0)).is_some() && warning(&square(40.0)).is_none());
    }
}
