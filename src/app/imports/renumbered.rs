//! Stores that a file names no more under their id, while one of the same name comes at the same spot under another.
//!
//! Law: only the network knows what became of an id, so nothing is carried over: it is told, and many are held back. Where
//! the new row is refused the old store stays, so that is told and holds nothing back.

use std::collections::HashMap;

use super::Row;
use crate::{
    domain::{
        geo::EARTH_RADIUS_M,
        name::{SourceName, StoreName},
        place::{PlaceName, Store},
    },
    engine::catalog::{Catalog, Entry},
};

/// Metres between two spots that are taken for one: a geocoder's whim.
const NEAR_M: f64 = 200.0;
/// Most stores of one name that are tried in one place: where a geocoder puts what it does not find there are thousands.
const TRIED: usize = 64;

/// A store that seems to have a new id.
#[derive(Debug, Clone, PartialEq)]
pub struct Renumbered {
    pub was: StoreName,
    pub is: StoreName,
}

/// A name, however it is written, and a cube of the size [`NEAR_M`]: in space there is no antimeridian and no pole.
type Cell = (String, [i64; 3]);

fn cell(store: &Store) -> Cell {
    let cube = store.position.unit_vector().map(|at| (at * EARTH_RADIUS_M / NEAR_M).floor() as i64);
    (store.display_name.to_lowercase(), cube)
}

/// The pairs of a missing store and one that is new to the source, be it that an import without a sync made it before; each
/// store is in one.
pub fn renumbered<'a>(
    source: &SourceName,
    missing: impl Iterator<Item = &'a PlaceName>,
    rows: impl Iterator<Item = &'a Row>,
    catalog: &'a Catalog,
) -> Vec<Renumbered> {
    let mut lost: HashMap<Cell, Vec<&Store>> = HashMap::new();
    for place in missing {
        if let PlaceName::Store(name) = place
            && let Some(entry) = catalog.stores.get(name)
        {
            lost.entry(cell(&entry.value)).or_default().push(&entry.value);
        }
    }
    if lost.is_empty() {
        return Vec::new();
    }
    let stores = rows.filter_map(|row| match row {
        Row::Store(store) => Some(store),
        Row::Geofence(_) => None,
    });
    let is_of_source = |had: &Entry<Store>| had.value.source.as_ref() == Some(source);
    let new = stores.filter(|store| !catalog.stores.get(&store.name).is_some_and(is_of_source));
    new.filter_map(|store| Some(Renumbered { was: take(&mut lost, store)?, is: store.name.clone() })).collect()
}

/// The lost store that this one seems to be: the nearest.
fn take(lost: &mut HashMap<Cell, Vec<&Store>>, store: &Store) -> Option<StoreName> {
    let (name, [x, y, z]) = cell(store);
    // A spot on the edge of its cube is as near to the next one.
    const NEXT: [i64; 3] = [-1, 0, 1];
    let around = NEXT.iter().flat_map(|dx| NEXT.iter().flat_map(move |dy| NEXT.map(|dz| [x + dx, y + dy, z + dz])));
    let mut nearest: Option<(f64, Cell, usize)> = None;
    for cube in around {
        let cell = (name.clone(), cube);
        for (i, other) in lost.get(&cell).into_iter().flatten().enumerate().take(TRIED) {
            let metres = store.position.distance_to(other.position);
            if metres <= NEAR_M && nearest.as_ref().is_none_or(|(least, ..)| metres < *least) {
                nearest = Some((metres, cell.clone(), i));
            }
        }
    }
    let (_, cell, i) = nearest?;
    Some(lost.get_mut(&cell)?.swap_remove(i).name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            fakes::{AUTHOR, geofence, owner, resources, store, store_name},
            imports::{Held, Imports, Numbered, Optional, Options, Report, Sync, Unsaid},
        },
        domain::geo::Position,
    };

    fn shop(id: usize, name: &str, latitude: f64) -> Row {
        let position = Position::new(latitude, 9.19).expect("sound");
        Row::Store(Store { position, ..store(&id.to_string(), name) })
    }

    /// As many shops, of which the first have another id, and lie a few metres away.
    fn file(shops: usize, renumbered: usize) -> Vec<Numbered> {
        let there = |i: usize| 40.0 + i as f64 * 0.01;
        let row = |i: usize| match i < renumbered {
            true => shop(1_000 + i, &format!("CAFE {i}"), there(i) + 0.0001),
            false => shop(i, &format!("Cafe {i}"), there(i)),
        };
        (1..).zip((0..shops).map(row)).map(|(number, row)| Numbered::sound(number, row)).collect()
    }

    fn erp() -> SourceName {
        owner("acme").source("erp").expect("sound")
    }

    async fn import(imports: &Imports, rows: Vec<Numbered>, sync: Option<Sync>) -> Report {
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync };
        imports.run(&options, rows, AUTHOR).await.expect("looked at")
    }

    async fn sync(imports: &Imports, rows: Vec<Numbered>, allow_removals: bool) -> Report {
        import(imports, rows, Some(Sync { allow_removals, ..Sync::of(erp()) })).await
    }

    #[tokio::test]
    async fn stores_that_seem_to_have_a_new_id_are_told_and_many_hold_the_file_back() {
        let imports = Imports::new(resources().await);
        sync(&imports, file(100, 0), false).await;
        let many = sync(&imports, file(100, 3), false).await;
        let held = Held::TooManyRenumbered { renumbered: 3, places: 100, percent: 10 };
        assert_eq!((many.held, many.applied, many.renumbered), (vec![held], false, 3), "far fewer than may go");
        let first = Renumbered { was: store_name("0"), is: store_name("1000") };
        assert_eq!(many.renumberings[0], first);
        let few = sync(&imports, file(100, 2), false).await;
        assert_eq!(
            (few.held, few.created, few.removed, few.renumbered),
            (vec![], 2, 2, 2),
            "a shop or two are ordinary"
        );
        assert!(sync(&imports, file(100, 40), true).await.applied, "and whoever looked at it may");
    }

    #[tokio::test]
    async fn stores_refused_under_a_new_id_are_told_and_the_old_ones_stay_however_many_and_long() {
        let zoneless = |mut rows: Vec<Numbered>| {
            rows.iter_mut().for_each(|row| row.unsaid = Unsaid::default().with(Optional::TimeZone).zoneless());
            rows
        };
        for (shops, given) in [(1_000, 50), (20, 2)] {
            let resources = resources().await;
            let imports = Imports::new(resources.clone());
            let yard = Row::Geofence(geofence("yard", Some("0"), 80.0));
            let with_yard = [file(shops, 0), vec![Numbered::sound(9_999, yard)]].concat();
            sync(&imports, with_yard, false).await;
            for day in 0..2 {
                let many = sync(&imports, zoneless(file(shops, given)), false).await;
                let counts = (many.renumbered, many.refused, many.removed, many.kept);
                assert_eq!(
                    counts,
                    (given as u64, given as u64, 0, given as u64 + 1),
                    "its geofence stays with the store"
                );
                assert_eq!((many.applied, many.created, many.held), (true, 0, vec![]), "{shops} on day {day}");
            }
            let kept = resources.snapshot();
            assert_eq!((kept.stores.len(), kept.geofences.len()), (shops, 1), "none went, for none came");
            let told = sync(&imports, file(shops, given), true).await;
            assert_eq!((told.created, told.removed), (given as u64, given as u64 + 1), "with zones they come and go");
        }
    }

    #[tokio::test]
    async fn who_tried_the_file_without_a_sync_first_is_told_all_the_same() {
        let imports = Imports::new(resources().await);
        sync(&imports, file(100, 0), false).await;
        assert_eq!(import(&imports, file(100, 3), None).await.created, 3);
        let many = sync(&imports, file(100, 3), false).await;
        assert_eq!((many.applied, many.renumbered, many.adopted), (false, 3, 3));
        import(&imports, file(100, 40), None).await;
        assert_eq!(sync(&imports, file(100, 40), false).await.renumbered, 40);
    }

    #[tokio::test]
    async fn another_name_or_another_street_is_another_store() {
        let resources = resources().await;
        for (id, latitude) in [(1, 45.0), (2, 45.0017), (3, 45.0)] {
            let Row::Store(store) = shop(id, "Cafe", latitude) else { continue };
            let store = Store { source: Some(erp()), ..store };
            resources.create(store, AUTHOR, |_| Ok(())).await.expect("made");
        }
        let catalog = resources.snapshot();
        let missing: Vec<PlaceName> = ["1", "2", "3"].map(|id| PlaceName::Store(store_name(id))).to_vec();
        let pairs = |rows: &[Row]| renumbered(&erp(), missing.iter(), rows.iter(), &catalog).len();
        assert_eq!(pairs(&[shop(7, "Bar", 45.0), shop(8, "Cafe", 45.01), shop(1, "Cafe", 45.0)]), 0);
        let same: Vec<Row> = (10..20).map(|id| shop(id, "Cafe", 45.0001)).collect();
        assert_eq!(pairs(&same), 3, "each in one pair alone");
        assert_eq!(pairs(&[shop(7, "Cafe", 45.0034)]), 1, "near over the edge of a cube as well");
        assert_eq!(pairs(&[shop(7, "Cafe", 45.0036)]), 0, "some 211 m away");
    }

    #[tokio::test]
    async fn metres_are_metres_in_the_north_and_over_the_antimeridian() {
        let resources = resources().await;
        let there = |latitude, longitude| Position::new(latitude, longitude).expect("sound");
        let (fiji, north) = (there(-16.8, 179.9995), there(70.0, 25.0));
        for (id, position) in [("fiji", fiji), ("north", north)] {
            let store = Store { position, ..store(id, "Cafe") };
            resources.create(store, AUTHOR, |_| Ok(())).await.expect("made");
        }
        let catalog = resources.snapshot();
        let missing: Vec<PlaceName> = ["fiji", "north"].map(|id| PlaceName::Store(store_name(id))).to_vec();
        for (position, pairs) in [
            (there(-16.8, -179.9995), 1),
            (there(-16.8, -179.998), 0),
            (there(70.0, 25.005), 1),
            (there(70.0, 25.006), 0),
        ] {
            let row = Row::Store(Store { position, ..store("new", "Cafe") });
            assert_eq!(renumbered(&erp(), missing.iter(), [row].iter(), &catalog).len(), pairs, "{position:?}");
        }
    }
}
