//! What a row changes of the place that is there.
//!
//! Law 8: places are taken apart field by field, so that a new field must be decided upon.

use super::Row;
use crate::{
    domain::place::{Geofence, PlaceName, Store},
    engine::catalog::Catalog,
};

/// A place that is changed, and which of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub place: PlaceName,
    /// As the API names them.
    pub fields: Vec<&'static str>,
}

impl Changed {
    /// What a row that is to be stored changes of the place; all that differs.
    pub(super) fn by(row: &Row, catalog: &Catalog) -> Option<Self> {
        let fields = match row {
            Row::Store(store) => of_store(&catalog.stores.get(&store.name)?.value, store),
            Row::Geofence(fence) => of_geofence(&catalog.geofences.get(&fence.name)?.value, fence),
        };
        Some(Self { place: row.place(), fields })
    }
}

fn of_store(had: &Store, wanted: &Store) -> Vec<&'static str> {
    let Store { name: _, display_name, position, time_zone, address, brand, opening_hours, country, tags, source } =
        had;
    let fields = [
        ("display_name", *display_name != wanted.display_name),
        ("position", *position != wanted.position),
        ("time_zone", *time_zone != wanted.time_zone),
        ("address", *address != wanted.address),
        ("brand", *brand != wanted.brand),
        ("opening_hours", *opening_hours != wanted.opening_hours),
        ("country", *country != wanted.country),
        ("tags", *tags != wanted.tags),
        ("source", *source != wanted.source),
    ];
    differing(&fields)
}

fn of_geofence(had: &Geofence, wanted: &Geofence) -> Vec<&'static str> {
    let Geofence { name: _, display_name, shape, store, tags, detection, source } = had;
    let fields = [
        ("display_name", *display_name != wanted.display_name),
        ("shape", *shape != wanted.shape),
        ("store", *store != wanted.store),
        ("tags", *tags != wanted.tags),
        ("detection", *detection != wanted.detection),
        ("source", *source != wanted.source),
    ];
    differing(&fields)
}

fn differing(fields: &[(&'static str, bool)]) -> Vec<&'static str> {
    fields.iter().filter(|(_, differs)| *differs).map(|(field, _)| *field).collect()
}
