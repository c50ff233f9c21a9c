//! Whether a geofence is large enough for phones, which know their place to 20 to 50 m in streets.
//!
//! Law: it warns and refuses nothing; a small geofence may serve phones under open sky, or beacons beside it.

use crate::{
    domain::{detection::Detection, shape::Shape},
    engine::effective,
};

/// What phones know their place to in streets, in metres.
const STREET_ACCURACY_M: f64 = 20.0;
/// Circles below this are entered late.
const COMFORTABLE_M: f64 = 50.0;

/// Why phones will miss it; none if it is large enough.
pub fn warning(shape: &Shape, detection: &Detection) -> Option<&'static str> {
    match shape {
        _ if effective::is_too_small(shape, detection, STREET_ACCURACY_M) => Some(
            "a phone that knows its place to 20 m, as usual in streets, is not sure enough to be inside even in its deepest point",
        ),
        Shape::Circle(circle) if circle.radius_m() < COMFORTABLE_M => {
            Some("phones know their place to 20 to 50 m in streets, and enter a circle of less than 50 m late or never")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        detection::Settings,
        geo::{METRES_PER_DEGREE, Position},
        shape::{Circle, Polygons},
    };

    fn polygon(ring: &[[f64; 2]]) -> Shape {
        let ring = ring.iter().chain(ring.first()).copied().collect();
        Shape::Polygons(Polygons::new(&vec![vec![ring]]).expect("sound"))
    }

    fn rectangle(across_m: f64, up_m: f64) -> Shape {
        // At 60 degrees north a degree of longitude is half as long.
        let [east, north] = [2.0 * across_m, up_m].map(|m| m / METRES_PER_DEGREE);
        polygon(&[[10.0, 60.0], [10.0 + east, 60.0], [10.0 + east, 60.0 + north], [10.0, 60.0 + north]])
    }

    fn warned(shape: &Shape) -> bool {
        warning(shape, &Detection::USUAL).is_some()
    }

    #[test]
    fn what_phones_miss_is_told() {
        let circle = |m| Shape::Circle(Circle::new(Position::new(60.0, 10.0).expect("sound"), m).expect("sound"));
        let told = |m| warning(&circle(m), &Detection::USUAL);
        assert!(told(17.8).expect("told").contains("not sure enough") && told(18.0).expect("told").contains("late"));
        assert!(told(49.0).is_some() && told(50.0).is_none());
        // P = erf(a / σ√2) for each pair of sides 2a apart, σ = 13.2 m; 0.6 is needed.
        assert!(warned(&rectangle(31.0, 31.0)) && !warned(&rectangle(33.0, 33.0)));
        assert!(warned(&rectangle(500.0, 22.0)) && !warned(&rectangle(500.0, 23.0)), "a corridor");
        let eager = Detection::new(Settings { confirm_probability: Some(0.3), ..Settings::default() }).expect("sound");
        assert_eq!(warning(&rectangle(31.0, 31.0), &eager), None, "its owner asks for less");
    }

    #[test]
    fn long_outlines_and_poles_make_nothing_small() {
        let ragged = (0..400).map(|i| {
            let (angle, far) = (f64::from(i) / 400.0 * std::f64::consts::TAU, if i % 2 == 0 { 0.01 } else { 0.001 });
            [far * angle.cos(), far * angle.sin()]
        });
        assert!(!warned(&polygon(&ragged.collect::<Vec<_>>())), "110 m in every direction");
        let cap = [[-180.0, 90.0], [-180.0, 89.0], [-60.0, 89.0], [60.0, 89.0], [180.0, 89.0], [180.0, 90.0]];
        assert!(!warned(&polygon(&cap)), "111 km in every direction");
    }
}
