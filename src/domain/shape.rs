//! The outline of a geofence: a circle, or polygons with holes.
//!
//! Law 8: an invalid shape is refused with place, ring and corner named. Polygon edges are straight in longitude and
//! latitude (RFC 7946); rings may be wound either way.

use serde::{Deserialize, Serialize};

use super::{
    geo::{Position, check_latitude},
    rings::{self, MAX_RINGS},
    violation::Invalid,
};

/// Smallest and largest circle, in metres: a kiosk, a metropolitan area.
pub const RADIUS_M: std::ops::RangeInclusive<f64> = 5.0..=500_000.0;
/// Most corners of one shape, all rings together.
pub const MAX_CORNERS: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    Circle(Circle),
    Polygons(Polygons),
}

/// All points within a great-circle distance of the centre.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredCircle", into = "StoredCircle")]
pub struct Circle {
    center: Position,
    radius_m: f64,
}

impl Circle {
    pub fn new(center: Position, radius_m: f64) -> Result<Self, Invalid> {
        Self::check_radius(radius_m)?;
        Ok(Self { center, radius_m })
    }

    /// A radius is right or wrong around any point.
    pub fn check_radius(radius_m: f64) -> Result<(), Invalid> {
        if RADIUS_M.contains(&radius_m) {
            return Ok(());
        }
        Err(Invalid::new(format!("radius must be {} to {} metres, was {radius_m}", RADIUS_M.start(), RADIUS_M.end())))
    }

    pub fn center(self) -> Position {
        self.center
    }

    pub fn radius_m(self) -> f64 {
        self.radius_m
    }
}

#[derive(Serialize, Deserialize)]
struct StoredCircle {
    center: Position,
    radius_m: f64,
}

impl TryFrom<StoredCircle> for Circle {
    type Error = Invalid;
    fn try_from(stored: StoredCircle) -> Result<Self, Invalid> {
        Self::new(stored.center, stored.radius_m)
    }
}

impl From<Circle> for StoredCircle {
    fn from(circle: Circle) -> Self {
        Self { center: circle.center, radius_m: circle.radius_m }
    }
}

/// Coordinates as GeoJSON writes a MultiPolygon: polygons of rings of `[longitude, latitude]`.
pub type Coordinates = Vec<Vec<Vec<[f64; 2]>>>;

/// One or more polygons whose rings are closed, simple and do not cross each other. What is read back from the record is
/// believed to be so: it was when it was written, and to look again would make every start wait for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Coordinates", into = "Coordinates")]
pub struct Polygons(geo::MultiPolygon);

impl Polygons {
    /// Takes rings as GeoJSON writes them; the first ring of each polygon is its shell, the others are holes. Of the largest
    /// shapes it takes up to seconds.
    pub fn new(coordinates: &Coordinates) -> Result<Self, Invalid> {
        let polygons = Self::well_formed(coordinates)?;
        rings::check(&polygons.0)?;
        Ok(polygons)
    }

    /// Whatever its rings enclose, and however they lie to each other.
    fn well_formed(coordinates: &Coordinates) -> Result<Self, Invalid> {
        let corners: usize = coordinates.iter().flatten().map(Vec::len).sum();
        if coordinates.is_empty() || corners > MAX_CORNERS {
            return Err(Invalid::new(format!("must have 1 to {MAX_CORNERS} corners, had {corners}")));
        }
        let rings: usize = coordinates.iter().map(Vec::len).sum();
        if rings > MAX_RINGS {
            return Err(Invalid::new(format!("must have at most {MAX_RINGS} rings, had {rings}")));
        }
        for (p, polygon) in coordinates.iter().enumerate() {
            if polygon.is_empty() {
                return Err(Invalid::new(format!("polygon {p} has no ring")));
            }
            for (r, ring) in polygon.iter().enumerate() {
                check_ring(ring).map_err(|invalid| Invalid::new(format!("polygon {p}, ring {r}: {invalid}")))?;
            }
        }
        Ok(Self(geo::MultiPolygon(coordinates.iter().map(|rings| polygon(rings)).collect())))
    }

    pub fn geometry(&self) -> &geo::MultiPolygon {
        &self.0
    }
}

fn polygon(rings: &[Vec<[f64; 2]>]) -> geo::Polygon {
    let mut lines =
        rings.iter().map(|ring| geo::LineString(ring.iter().map(|&[x, y]| geo::coord! { x: x, y: y }).collect()));
    let shell = lines.next().unwrap_or(geo::LineString(Vec::new()));
    geo::Polygon::new(shell, lines.collect())
}

fn check_ring(ring: &[[f64; 2]]) -> Result<(), Invalid> {
    for (c, corner) in ring.iter().enumerate() {
        check_corner(*corner).map_err(|invalid| Invalid::new(format!("corner {c}: {invalid}")))?;
    }
    let [first, .., last] = ring else {
        return Err(Invalid::new("must have at least three corners and end where it began"));
    };
    if first != last {
        return Err(Invalid::new(format!("is not closed: corner {} must repeat corner 0", ring.len() - 1)));
    }
    if ring.len() < 4 {
        return Err(Invalid::new(format!("must have at least three corners, had {}", ring.len() - 1)));
    }
    for (c, edge) in ring.windows(2).enumerate() {
        let along_pole = edge[0][1].abs() == 90.0 && edge[0][1] == edge[1][1];
        if (edge[0][0] - edge[1][0]).abs() > 180.0 && !along_pole {
            return Err(Invalid::new(format!(
                "corner {c}: the edge to the next corner spans more than 180 degrees; cut the shape at the antimeridian (RFC 7946, 3.1.9)"
            )));
        }
    }
    Ok(())
}

fn check_corner([longitude, latitude]: [f64; 2]) -> Result<(), Invalid> {
    check_latitude(latitude)?;
    if (-180.0..=180.0).contains(&longitude) {
        return Ok(());
    }
    Err(Invalid::new(format!("longitude must be between -180 and 180 degrees, was {longitude}")))
}

impl TryFrom<Coordinates> for Polygons {
    type Error = Invalid;
    fn try_from(coordinates: Coordinates) -> Result<Self, Invalid> {
        Self::well_formed(&coordinates)
    }
}

impl From<Polygons> for Coordinates {
    fn from(polygons: Polygons) -> Coordinates {
        let ring = |line: &geo::LineString| line.coords().map(|c| [c.x, c.y]).collect();
        let rings = |p: &geo::Polygon| std::iter::once(p.exterior()).chain(p.interiors()).map(ring).collect();
        polygons.0.iter().map(rings).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [[f64; 2]; 5] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]];

    fn refusal(rings: Vec<Vec<[f64; 2]>>) -> String {
        Polygons::new(&vec![rings]).expect_err("unsound").to_string()
    }

    #[test]
    fn faults_name_ring_and_corner() {
        assert!(refusal(vec![SQUARE[..4].to_vec()]).contains("ring 0: is not closed"));
        assert!(
            refusal(vec![vec![[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]]).contains("ring 0: crosses")
        );
        assert!(
            refusal(vec![vec![[0.0, 0.0], [1.0, 91.0], [1.0, 1.0], [0.0, 0.0]]]).contains("ring 0: corner 1: latitude")
        );
        assert!(refusal(vec![vec![[-179.0, 0.0], [179.0, 0.0], [179.0, 1.0], [-179.0, 0.0]]]).contains("antimeridian"));
        let hole = SQUARE.map(|[x, y]| [x + 3.0, y]).to_vec();
        assert!(refusal(vec![SQUARE.to_vec(), hole]).contains("ring 1: is a hole outside"));
    }

    #[test]
    fn the_record_is_not_asked_again_how_rings_lie() {
        let read = |ring: &str| serde_json::from_str::<Polygons>(&format!("[[{ring}]]"));
        let bow = "[[0.0,0.0],[2.0,2.0],[2.0,0.0],[0.0,2.0],[0.0,0.0]]";
        assert!(read(bow).is_ok_and(|bow| Polygons::new(&bow.into()).is_err()));
        let fault = read("[[0.0,0.0],[2.0,2.0],[2.0,0.0],[0.0,2.0]]").expect_err("what a ring is").to_string();
        assert!(fault.contains("is not closed"), "{fault}");
    }

    #[test]
    fn either_winding_is_sound() {
        let mut turned = SQUARE.to_vec();
        turned.reverse();
        assert!(Polygons::new(&vec![vec![SQUARE.to_vec()]]).is_ok() && Polygons::new(&vec![vec![turned]]).is_ok());
    }
}
