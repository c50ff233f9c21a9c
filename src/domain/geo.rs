//! Positions on the earth and great-circle distances between them.
//!
//! Law 7: the whole globe. Latitude is within ±90, longitude normalised to [-180, 180).

use serde::{Deserialize, Serialize};

use super::violation::Invalid;

/// Mean radius of the earth in metres (IUGG R1). Great circles on it are within 0.6 % of the WGS84 ellipsoid.
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Metres in one degree of latitude on that sphere.
pub const METRES_PER_DEGREE: f64 = EARTH_RADIUS_M * std::f64::consts::PI / 180.0;

/// A WGS84 position in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 2]", into = "[f64; 2]")]
pub struct Position {
    latitude: f64,
    longitude: f64,
}

impl Position {
    /// Refused are NaN, latitudes past ±90 and longitudes past ±180; 180 becomes -180.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, Invalid> {
        check_latitude(latitude)?;
        Ok(Self { latitude, longitude: normalised_longitude(longitude)? })
    }

    pub fn latitude(self) -> f64 {
        self.latitude
    }

    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// The point on the unit sphere.
    pub fn unit_vector(self) -> [f64; 3] {
        let (sin_lat, cos_lat) = self.latitude.to_radians().sin_cos();
        let (sin_lng, cos_lng) = self.longitude.to_radians().sin_cos();
        [cos_lat * cos_lng, cos_lat * sin_lng, sin_lat]
    }

    /// So many metres away along the great circle that sets out in a heading, in degrees clockwise from north. At a
    /// pole, headings are those of somebody beside it on the position's own meridian.
    pub fn destination(self, heading: f64, metres: f64) -> Self {
        let ((sin_lat, cos_lat), (sin_lng, cos_lng)) =
            (self.latitude.to_radians().sin_cos(), self.longitude.to_radians().sin_cos());
        let (east, north) = heading.to_radians().sin_cos();
        let (away, along) = (metres / EARTH_RADIUS_M).sin_cos();
        // On the unit sphere: the position, and what lies a right angle away to the north and to the east of it.
        let [x, y, z] = [
            along * cos_lat * cos_lng - away * (north * sin_lat * cos_lng + east * sin_lng),
            along * cos_lat * sin_lng - away * (north * sin_lat * sin_lng - east * cos_lng),
            along * sin_lat + away * north * cos_lat,
        ];
        let longitude = y.atan2(x).to_degrees();
        let longitude = if longitude >= 180.0 { -180.0 } else { longitude };
        Self { latitude: z.atan2(x.hypot(y)).to_degrees(), longitude }
    }

    /// Great-circle distance in metres (haversine; well-conditioned at all distances up to near antipodes).
    pub fn distance_to(self, other: Position) -> f64 {
        let half_lat = (other.latitude - self.latitude).to_radians() / 2.0;
        let half_lng = (other.longitude - self.longitude).to_radians() / 2.0;
        let cosines = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        let h = half_lat.sin().powi(2) + cosines * half_lng.sin().powi(2);
        2.0 * EARTH_RADIUS_M * h.clamp(0.0, 1.0).sqrt().asin()
    }
}

/// Refuses what is not a latitude.
pub fn check_latitude(latitude: f64) -> Result<(), Invalid> {
    if (-90.0..=90.0).contains(&latitude) {
        return Ok(());
    }
    Err(Invalid::new(format!("latitude must be between -90 and 90 degrees, was {latitude}")))
}

/// The longitude in [-180, 180), where 180 is -180; refused outside ±180.
pub fn normalised_longitude(longitude: f64) -> Result<f64, Invalid> {
    if !(-180.0..=180.0).contains(&longitude) {
        return Err(Invalid::new(format!("longitude must be between -180 and 180 degrees, was {longitude}")));
    }
    Ok(if longitude == 180.0 { -180.0 } else { longitude })
}

impl TryFrom<[f64; 2]> for Position {
    type Error = Invalid;
    fn try_from([latitude, longitude]: [f64; 2]) -> Result<Self, Invalid> {
        Self::new(latitude, longitude)
    }
}

impl From<Position> for [f64; 2] {
    fn from(position: Position) -> [f64; 2] {
        [position.latitude, position.longitude]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_normalised_or_refused() {
        assert_eq!(Position::new(1.0, 180.0).expect("sound").longitude(), -180.0);
        assert_eq!(Position::new(1.0, -180.0).expect("sound").longitude(), -180.0);
        for (lat, lng) in [(90.1, 0.0), (f64::NAN, 0.0), (0.0, f64::INFINITY), (0.0, 180.1), (0.0, -180.00000000000003)]
        {
            assert!(Position::new(lat, lng).is_err(), "{lat} {lng}");
        }
    }

    #[test]
    fn distances_cross_the_antimeridian() {
        let a = Position::new(0.0, 179.999).expect("sound");
        let b = Position::new(0.0, -179.999).expect("sound");
        assert!((a.distance_to(b) - 0.002 * METRES_PER_DEGREE).abs() < 0.01);
    }

    #[test]
    fn whoever_sets_out_arrives_as_far_away_as_said() {
        for from in [(0.0, 179.999), (-60.0, 25.0), (89.999, -120.0), (90.0, 40.0), (-90.0, -180.0)] {
            let from = Position::new(from.0, from.1).expect("sound");
            for (heading, metres) in [(0.0, 300.0), (90.0, 5_000.0), (200.0, 8e6), (355.0, 19e6)] {
                let there = from.destination(heading, metres);
                assert!((from.distance_to(there) - metres).abs() < 1e-6 * metres, "{from:?} {heading} {there:?}");
                assert_eq!(Position::new(there.latitude(), there.longitude()), Ok(there));
            }
        }
        let east = Position::new(0.0, 179.5).expect("sound").destination(90.0, METRES_PER_DEGREE);
        assert!((east.longitude() + 179.5).abs() < 1e-9 && east.latitude().abs() < 1e-9, "{east:?}");
    }
}
