//! The outlines of geofences: circles, and polygons that wind around their centre.
//!
//! Law: every outline is sound, and has the area of a circle of its size, so that a world of polygons is as dense as a
//! world of circles.

use std::f64::consts::{PI, TAU};

use super::{offset, random::Random};
use crate::domain::{
    geo::Position,
    shape::{Circle, Polygons, Shape},
    violation::Invalid,
};

/// Radius of circles, and of the circles that drawn polygons have the area of, in metres: a shop and its pavement, a
/// quarter.
const SIZE_M: (f64, f64) = (50.0, 500.0);
/// The same of polygons from maps: who traces thousands of corners traces a borough or a town.
const MAPPED_SIZE_M: (f64, f64) = (500.0, 5_000.0);
/// The share of those.
const MAPPED: f64 = 1.0 / TURN as f64;

/// Mean area of outlines in square metres.
pub const fn mean_area_m2(circles_only: bool) -> f64 {
    let mapped = if circles_only { 0.0 } else { MAPPED };
    (1.0 - mapped) * mean_area_of(SIZE_M) + mapped * mean_area_of(MAPPED_SIZE_M)
}

/// Pi times the mean square of the sizes.
const fn mean_area_of((least, most): (f64, f64)) -> f64 {
    PI * (least * least + least * most + most * most) / 3.0
}

/// So many geofences one after the other have exactly the mix.
pub const TURN: u64 = 20;
/// How far a corner may stray from its even place, as a share of the angle between two: less than 1 keeps the order.
const STRAY: f64 = 0.6;
/// How deep bays and capes are, as a share of the size; they come on top of each other, four times at most.
const BAY: f64 = 0.2;

/// What an outline is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Circle,
    /// 8 to 64 corners: drawn by hand.
    Drawn,
    /// 500 to 5,000 corners: taken from a map.
    Mapped,
}

impl Kind {
    /// 16 of 20 are circles, 3 drawn, 1 mapped.
    pub fn of(number: u64) -> Self {
        match number % TURN {
            0..16 => Self::Circle,
            16..19 => Self::Drawn,
            _ => Self::Mapped,
        }
    }
}

/// An outline around `centre`.
pub fn shape(kind: Kind, centre: Position, random: &mut Random) -> Result<Shape, Invalid> {
    let (least, most) = if kind == Kind::Mapped { MAPPED_SIZE_M } else { SIZE_M };
    let size_m = random.between(least, most).round();
    let corners = match kind {
        Kind::Circle => return Ok(Shape::Circle(Circle::new(centre, size_m)?)),
        Kind::Drawn => random.whole(8, 64),
        Kind::Mapped => random.whole(500, 5_000),
    };
    let ring = ring(corners, random);
    let scale = size_m * (PI / area(&ring)).sqrt();
    let corner = |&(east, north): &(f64, f64)| {
        let position = offset(centre, east * scale, north * scale)?;
        Ok([position.longitude(), position.latitude()])
    };
    let mut ring = ring.iter().map(corner).collect::<Result<Vec<_>, Invalid>>()?;
    ring.extend(ring.first().copied());
    Ok(Shape::Polygons(Polygons::new(&vec![vec![ring]])?))
}

/// Corners around the origin by rising angle, so that no two edges can cross.
fn ring(corners: u64, random: &mut Random) -> Vec<(f64, f64)> {
    let waves: Vec<(f64, f64, f64)> =
        (2..=5).map(|turns| (f64::from(turns), random.between(0.0, BAY), random.between(0.0, TAU))).collect();
    let mut corner = |number: u64| {
        let angle = TAU * (number as f64 + STRAY * random.unit()) / corners as f64;
        let length = 1.0 + waves.iter().map(|(turns, depth, phase)| depth * (turns * angle + phase).cos()).sum::<f64>();
        (length * angle.cos(), length * angle.sin())
    };
    (0..corners).map(&mut corner).collect()
}

/// Of a ring that winds to the left.
fn area(ring: &[(f64, f64)]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>() / 2.0
}
