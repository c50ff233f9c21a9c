//! What a file moves so far that few were moved so: two columns were swapped, decimals were rounded, marks were lost.
//!
//! Law: only places that are in the catalog move; what moves far is counted, whether or not it holds the file back. To
//! where it was with latitude and longitude exchanged no place moves, however few there are.

use geo::{BoundingRect, MapCoords};

use super::Row;
use crate::{
    domain::{
        geo::Position,
        place::PlaceName,
        shape::{Polygons, Shape},
    },
    engine::catalog::Catalog,
};

/// From how many metres a move is far. A pin that is set right stays in its street, and few shops move: of Italy's 23,600
/// fuel stations one changed its position at all from 12 to 13 March 2026. Rounded to one decimal nearly all of them would
/// move so far, and to two decimals a fifth.
pub const FAR_M: f64 = 500.0;

/// A place that a row moves far.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    pub place: PlaceName,
    pub from: Position,
    pub to: Position,
}

impl Move {
    /// Whether it comes to about where it was with latitude and longitude exchanged.
    pub fn is_exchanged(&self) -> bool {
        let there = Position::new(self.from.longitude(), self.from.latitude());
        there.is_ok_and(|there| there.distance_to(self.to) <= FAR_M)
    }
}

/// The places that these rows move far, in the order of the rows.
pub fn far_moves<'a>(rows: &'a [Row], catalog: &'a Catalog) -> impl Iterator<Item = Move> + 'a {
    rows.iter().filter_map(|row| far_move(row, catalog))
}

fn far_move(row: &Row, catalog: &Catalog) -> Option<Move> {
    let (from, to) = match row {
        Row::Store(store) => {
            let had = catalog.stores.get(&store.name)?.value.position;
            (Some((had, 0.0)), Some((store.position, 0.0)))
        }
        Row::Geofence(geofence) => {
            let had = &catalog.geofences.get(&geofence.name)?.value.shape;
            if *had == geofence.shape {
                return None;
            }
            (middle(had), middle(&geofence.shape))
        }
    };
    let ((from, reach), (to, other)) = from.zip(to)?;
    // An area that is drawn anew lies about where it was.
    let is_far = from.distance_to(to) > FAR_M.max(reach).max(other);
    is_far.then(|| Move { place: row.place(), from, to })
}

/// Where a shape is, and how far it reaches from there.
fn middle(shape: &Shape) -> Option<(Position, f64)> {
    match shape {
        Shape::Circle(circle) => Some((circle.center(), circle.radius_m())),
        Shape::Polygons(polygons) => middle_of(polygons),
    }
}

fn middle_of(polygons: &Polygons) -> Option<(Position, f64)> {
    let bounds = polygons.geometry().bounding_rect()?;
    // Parts on both sides of the antimeridian are neighbours.
    let bounds = match bounds.width() > 180.0 {
        true => polygons
            .geometry()
            .map_coords(|at| if at.x < 0.0 { (at.x + 360.0, at.y).into() } else { at })
            .bounding_rect()?,
        false => bounds,
    };
    let at = |x: f64, y: f64| Position::new(y, if x > 180.0 { x - 360.0 } else { x }).ok();
    let middle = at(bounds.center().x, bounds.center().y)?;
    let (low, high) = (bounds.min(), bounds.max());
    let corners = [(low.x, low.y), (low.x, high.y), (high.x, low.y), (high.x, high.y)];
    let reaches = corners.into_iter().filter_map(|(x, y)| Some(middle.distance_to(at(x, y)?)));
    Some((middle, reaches.fold(0.0, f64::max)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fakes::{AUTHOR, geofence, resources, store},
        domain::{
            place::{Geofence, Store},
            shape::Circle,
        },
    };

    fn at(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, longitude).expect("sound")
    }

    fn square(west: f64, side: f64) -> Shape {
        let (east, north) = (west + side, 60.0 + side);
        let ring = vec![[west, 60.0], [east, 60.0], [east, north], [west, north], [west, 60.0]];
        Shape::Polygons(Polygons::new(&vec![vec![ring]]).expect("sound"))
    }

    fn circle(center: Position, radius_m: f64) -> Shape {
        Shape::Circle(Circle::new(center, radius_m).expect("sound"))
    }

    #[tokio::test]
    async fn what_moves_within_its_street_moves_not_far() {
        let resources = resources().await;
        let shop = |position| Store { position, ..store("1", "Cafe") };
        let yard = |shape| Geofence { shape, ..geofence("g", None, 80.0) };
        resources.create(shop(at(45.46, 9.19)), AUTHOR, |_| Ok(())).await.expect("made");
        resources.create(yard(square(24.0, 1.0)), AUTHOR, |_| Ok(())).await.expect("made");
        let catalog = resources.snapshot();
        let count = |row| far_moves(&[row], &catalog).count();
        for (position, far) in [(at(45.46, 9.196), 0), (at(45.46, 9.24), 1), (at(9.19, 45.46), 1)] {
            assert_eq!(count(Row::Store(shop(position))), far, "{position:?}");
        }
        assert_eq!(count(Row::Store(Store { position: at(0.0, 0.0), ..store("2", "New") })), 0);
        for (shape, far) in [
            (square(24.5, 1.0), 0),
            (square(24.0, 0.5), 0),
            (square(27.0, 1.0), 1),
            (circle(at(60.5, 24.9), 80.0), 0),
            (circle(at(24.5, 60.5), 80.0), 1),
        ] {
            assert_eq!(count(Row::Geofence(yard(shape.clone()))), far, "{shape:?}");
        }
    }

    #[tokio::test]
    async fn what_was_exchanged_is_known_of_one_row() {
        let resources = resources().await;
        let shop = |position| Row::Store(Store { position, ..store("1", "Cafe") });
        let yard = |shape| Row::Geofence(Geofence { shape, ..geofence("g", None, 80.0) });
        for row in [shop(at(45.46, 9.19)), yard(square(24.0, 1.0))] {
            match row {
                Row::Store(store) => drop(resources.create(store, AUTHOR, |_| Ok(())).await.expect("made")),
                Row::Geofence(fence) => drop(resources.create(fence, AUTHOR, |_| Ok(())).await.expect("made")),
            }
        }
        let catalog = resources.snapshot();
        for (row, expected) in [
            (shop(at(9.19, 45.46)), true),
            (shop(at(9.192, 45.461)), true),
            (shop(at(9.2, 45.5)), false),
            (shop(at(45.46, 9.19)), false),
            (yard(circle(at(24.5, 60.5), 80.0)), true),
            (yard(square(27.0, 1.0)), false),
        ] {
            let is_exchanged = far_move(&row, &catalog).is_some_and(|far| far.is_exchanged());
            assert_eq!(is_exchanged, expected, "{row:?}");
        }
    }

    #[test]
    fn an_area_cut_at_the_antimeridian_is_where_its_parts_meet() {
        let part = |west: f64, east: f64| {
            vec![vec![[west, -17.0], [east, -17.0], [east, -16.0], [west, -16.0], [west, -17.0]]]
        };
        let fiji = Polygons::new(&vec![part(179.0, 180.0), part(-180.0, -179.5)]).expect("sound");
        let (middle, reach) = middle_of(&fiji).expect("it has corners");
        assert!(middle.distance_to(at(-16.5, 179.75)) < 1.0, "{middle:?}");
        assert!((90_000.0..110_000.0).contains(&reach), "{reach}");
        let south = Polygons::new(&vec![vec![vec![[0.0, -60.0], [40.0, -60.0], [40.0, -50.0], [0.0, -60.0]]]]);
        let (middle, reach) = middle_of(&south.expect("sound")).expect("it has corners");
        assert!(reach >= middle.distance_to(at(-50.0, 40.0)), "the corners towards the equator are the farther ones");
    }
}
