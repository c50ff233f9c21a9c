//! Distances on the sphere: from a position to edges that are straight in degrees, however long and far away.
//!
//! Law 7: right at the poles and from the other side of the earth, where no plane is.

use super::edges::Edges;
use crate::domain::{
    geo::{EARTH_RADIUS_M, METRES_PER_DEGREE, Position},
    shape::Polygons,
};

/// How exact they are, as a share and in metres.
const SPHERE_ERROR: (f64, f64) = (1e-4, 0.1);
/// Edges of at most so many metres may be arcs of great circles: their ends are far from opposite each other.
const LONGEST_ARC_M: f64 = 1_000_000.0;

/// Metres to the nearest of the edges, which are curves there; infinite beyond `limit`.
pub fn distance_to_edges(polygons: &Polygons, edges: &Edges, position: Position, limit: f64) -> f64 {
    let mut nearest = limit;
    let pieces = edges.bounding(position).map(|(gap, piece)| (least_distance(position, gap), piece));
    let mut pieces: Vec<_> = pieces.filter(|(least, _)| *least <= limit).collect();
    pieces.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    for (least, piece) in pieces {
        if least >= nearest {
            break;
        }
        for edge in piece.corners(polygons).windows(2) {
            narrow(position, edge[0], edge[1], &mut nearest);
        }
    }
    if nearest < limit { nearest } else { f64::INFINITY }
}

/// The least a point can be away that differs by so many degrees: it is as far as its parallel, and as its meridian,
/// whose nearest point beyond a right angle is the pole.
pub fn least_distance(position: Position, [east, north]: [f64; 2]) -> f64 {
    let latitude = position.latitude().to_radians();
    let to_meridian = if east < 90.0 {
        (latitude.cos() * east.to_radians().sin()).asin().to_degrees()
    } else {
        90.0 - position.latitude().abs()
    };
    to_meridian.max(north) * METRES_PER_DEGREE
}

/// Halves the edge wherever its nearer half could still come nearer than `nearest`, until it is as good as a point or as
/// an arc of a great circle.
fn narrow(position: Position, a: geo::Coord, b: geo::Coord, nearest: &mut f64) {
    let middle = geo::coord! { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0 };
    let (distance, half) = (distance_to(position, middle), half_length(a, b));
    if distance - half >= *nearest {
        return;
    }
    let error = SPHERE_ERROR.1 + SPHERE_ERROR.0 * distance;
    if half <= error {
        *nearest = nearest.min(distance);
        return;
    }
    if half <= LONGEST_ARC_M / 2.0 && bend(a, b, half) <= error {
        *nearest = nearest.min(distance_to_arc(position, a, b));
        return;
    }
    narrow(position, a, middle, nearest);
    narrow(position, middle, b, nearest);
}

/// Half of an edge in metres, at most: it is no longer than along the parallel of its end nearer to the equator.
pub fn half_length(a: geo::Coord, b: geo::Coord) -> f64 {
    let widest = if a.y * b.y < 0.0 { 0.0 } else { a.y.abs().min(b.y.abs()) };
    (((b.x - a.x) * widest.to_radians().cos()).hypot(b.y - a.y) / 2.0) * METRES_PER_DEGREE
}

/// Metres between an edge and the arc of a great circle with the same ends, at most, if half of it is so long. What is
/// straight in degrees bends from the great circle by tan φ · sin α · (1 + cos² α) over the radius of the earth, in a
/// heading of α: at most by 1.09 tan φ.
pub fn bend(a: geo::Coord, b: geo::Coord, half: f64) -> f64 {
    const MOST: f64 = 1.09;
    let steepest = a.y.abs().max(b.y.abs()).to_radians().tan();
    half * half / 2.0 * MOST * steepest / EARTH_RADIUS_M
}

/// Metres to the shorter arc between two corners, which are not the same and not opposite each other.
fn distance_to_arc(position: Position, a: geo::Coord, b: geo::Coord) -> f64 {
    let vector = |corner: geo::Coord| Position::new(corner.y, corner.x).map(Position::unit_vector);
    let (here, Ok(from), Ok(to)) = (position.unit_vector(), vector(a), vector(b)) else { return f64::INFINITY };
    let normal = cross(from, to);
    if dot(cross(normal, from), here) > 0.0 && dot(cross(to, normal), here) > 0.0 {
        let length = dot(normal, normal).sqrt();
        return (dot(normal, here) / length).clamp(-1.0, 1.0).asin().abs() * EARTH_RADIUS_M;
    }
    distance_to(position, a).min(distance_to(position, b))
}

/// At a right angle to both.
pub fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn distance_to(position: Position, corner: geo::Coord) -> f64 {
    Position::new(corner.y, corner.x).map_or(f64::INFINITY, |corner| corner.distance_to(position))
}
