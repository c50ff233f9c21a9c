//! The plane that touches the earth at a position: metres to the east and to the north of it.
//!
//! Law 7: near the poles, where degrees of longitude shrink within an edge, points lie by their bearing and distance
//! (the azimuthal equidistant projection), and edges, which are curves there, are bent.

use super::{
    edges::metres_per_degree,
    probability::{Inner, beyond_edge},
    shape::{FLAT, eastward},
    sphere::{bend, distance_to, half_length, least_distance},
};
use crate::domain::geo::{EARTH_RADIUS_M, METRES_PER_DEGREE, Position};

/// A piece of an edge near the poles is straight if its middle is no farther from the curve, in metres: a twentieth of the
/// least accuracy.
const STRAIGHT_M: f64 = 0.25;

/// More than what rounding adds to a distance, as a share.
const ROUNDING: f64 = 1e-9;

/// A plane around a position.
pub struct Plane {
    origin: Position,
    scale: [f64; 2],
    polar: bool,
}

impl Plane {
    pub fn around(origin: Position) -> Self {
        let latitude = origin.latitude();
        Self { origin, scale: metres_per_degree(latitude), polar: latitude.abs() > FLAT.0 }
    }

    /// The least distance in metres of what differs by so many degrees of longitude and latitude.
    pub fn least_distance(&self, gap: [f64; 2]) -> f64 {
        match self.polar {
            true => least_distance(self.origin, gap),
            false => (gap[0] * self.scale[0]).hypot(gap[1] * self.scale[1]),
        }
    }

    /// Degrees of longitude and latitude that what is so near differs by, at most.
    pub fn reach(&self, metres: f64) -> [f64; 2] {
        match self.polar {
            true => [180.0, metres / METRES_PER_DEGREE * (1.0 + ROUNDING)],
            false => self.scale.map(|scale| metres / scale),
        }
    }

    /// Metres that what stands for an edge here may be beside it.
    pub fn straight_m(&self) -> f64 {
        if self.polar { STRAIGHT_M } else { 0.0 }
    }

    /// As the integral of [`super::probability`] over an edge, for one in degrees; what is farther away than `limit` metres
    /// adds nothing.
    pub(super) fn beyond_edge(&self, a: geo::Coord, b: geo::Coord, fix: (f64, Inner), limit: f64) -> f64 {
        if !self.polar {
            let [east_a, east_b] = eastward(a.x, b.x, self.origin);
            let from = [east_a * self.scale[0], (a.y - self.origin.latitude()) * self.scale[1]];
            let to = [east_b * self.scale[0], (b.y - self.origin.latitude()) * self.scale[1]];
            return beyond_edge(from, to, fix);
        }
        let (middle, half) = (a + (b - a) * 0.5, half_length(a, b));
        if distance_to(self.origin, middle) - half >= limit {
            return 0.0;
        }
        if half <= STRAIGHT_M || bend(a, b, half) <= STRAIGHT_M {
            return beyond_edge(self.azimuthal(a), self.azimuthal(b), fix);
        }
        self.beyond_edge(a, middle, fix, limit) + self.beyond_edge(middle, b, fix, limit)
    }

    fn azimuthal(&self, corner: geo::Coord) -> [f64; 2] {
        let (sin, cos) = self.origin.latitude().to_radians().sin_cos();
        let (sin_corner, cos_corner) = corner.y.to_radians().sin_cos();
        let (sin_east, cos_east) = (corner.x - self.origin.longitude()).to_radians().sin_cos();
        let east = cos_corner * sin_east;
        let north = cos * sin_corner - sin * cos_corner * cos_east;
        let up = sin * sin_corner + cos * cos_corner * cos_east;
        let flat = east.hypot(north);
        let scale = if flat > 0.0 { EARTH_RADIUS_M * flat.atan2(up) / flat } else { EARTH_RADIUS_M };
        [east * scale, north * scale]
    }
}
