//! Areas that a campaign targets: which places lie inside.
//!
//! Law 7: a circle reaches over the antimeridian and the poles; polygons are straight in longitude and latitude.

use geo::{BoundingRect, Contains};

use super::catalog::Catalog;
use crate::domain::{geo::Position, place::PlaceName, shape::Shape};

/// Whether the shape holds the position.
pub fn holds(shape: &Shape, position: Position) -> bool {
    match shape {
        Shape::Circle(circle) => circle.center().distance_to(position) <= circle.radius_m(),
        Shape::Polygons(polygons) => {
            polygons.geometry().contains(&geo::Point::new(position.longitude(), position.latitude()))
        }
    }
}

/// Where a shape is said to be: the centre of a circle, the middle of the box around the first polygon.
pub fn middle(shape: &Shape) -> Option<Position> {
    let of_box = |shape: &geo::Polygon| {
        let middle = shape.bounding_rect()?.center();
        Position::new(middle.y, middle.x).ok()
    };
    match shape {
        Shape::Circle(circle) => Some(circle.center()),
        Shape::Polygons(polygons) => polygons.geometry().iter().find_map(of_box),
    }
}

/// All stores, and all geofences without a store, that the shape may hold; never fewer.
pub fn around<'a>(catalog: &'a Catalog, shape: &'a Shape) -> impl Iterator<Item = PlaceName> + 'a {
    let stores = catalog.stores.values().filter(|store| holds(shape, store.value.position));
    let stores = stores.map(|store| PlaceName::Store(store.value.name.clone()));
    let alone = catalog.geofences.values().filter(|fence| fence.value.store.is_none());
    let fences = alone.filter(|fence| middle(&fence.value.shape).is_some_and(|middle| holds(shape, middle)));
    stores.chain(fences.map(|fence| PlaceName::Geofence(fence.value.name.clone())))
}
