//! Stores that a file names no more under their id, while one of the same name comes at the same spot under another.
//!
//! Law: only the network knows what became of an id, so nothing is carried over: it is told, and many are held back.

use std::collections::HashMap;

use super::Row;
use crate::{
    domain::{
        name::StoreName,
        place::{PlaceName, Store},
    },
    engine::catalog::Catalog,
};

/// Degrees of latitude, and of longitude, between two spots that are taken for one: some 200 m, a geocoder's whim.
const NEAR: f64 = 0.002;

/// A store that seems to have a new id.
#[derive(Debug, Clone, PartialEq)]
pub struct Renumbered {
    pub was: StoreName,
    pub is: StoreName,
}

/// A name, however it is written, and a square of the size [`NEAR`].
type Cell = (String, i64, i64);

fn cell(store: &Store) -> Cell {
    let [row, column] = [store.position.latitude(), store.position.longitude()].map(|at| (at / NEAR).floor() as i64);
    (store.display_name.to_lowercase(), row, column)
}

/// The pairs of a missing store and a new one; each store is in one.
pub fn renumbered<'a>(
    missing: impl Iterator<Item = &'a PlaceName>,
    rows: &[Row],
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
    let stores = rows.iter().filter_map(|row| match row {
        Row::Store(store) => Some(store),
        Row::Geofence(_) => None,
    });
    let new = stores.filter(|store| !catalog.stores.contains_key(&store.name));
    new.filter_map(|store| Some(Renumbered { was: take(&mut lost, store)?, is: store.name.clone() })).collect()
}

/// The lost store that this one seems to be.
fn take(lost: &mut HashMap<Cell, Vec<&Store>>, store: &Store) -> Option<StoreName> {
    let (name, row, column) = cell(store);
    let is_near = |other: &Store| {
        let (here, there) = (store.position, other.position);
        (here.latitude() - there.latitude()).abs() <= NEAR && (here.longitude() - there.longitude()).abs() <= NEAR
    };
    // A spot on the edge of its square is as near to the next one; that of its own is the likeliest.
    const NEXT: [i64; 3] = [0, -1, 1];
    NEXT.iter().flat_map(|up| NEXT.map(|right| (*up, right))).find_map(|(up, right)| {
        let there = lost.get_mut(&(name.clone(), row + up, column + right))?;
        let found = there.iter().position(|other| is_near(other))?;
        Some(there.swap_remove(found).name.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            fakes::{AUTHOR, owner, resources, store, store_name},
            imports::{Held, Imports, Numbered, Options, Report, Sync},
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

    async fn sync(imports: &Imports, rows: Vec<Numbered>, allow_removals: bool) -> Report {
        let sync = Sync { allow_removals, ..Sync::of(owner("acme").source("erp").expect("sound")) };
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: Some(sync) };
        imports.run(&options, rows, AUTHOR).await.expect("looked at")
    }

    #[tokio::test]
    async fn stores_that_seem_to_have_a_new_id_are_told_and_many_hold_the_file_back() {
        let imports = Imports::new(resources().await);
        sync(&imports, file(100, 0), false).await;
        let many = sync(&imports, file(100, 3), false).await;
        let held = Held::TooManyRenumbered { renumbered: 3, places: 100, percent: 10 };
        assert_eq!((many.held, many.applied, many.renumbered), (Some(held), false, 3), "far fewer than may go");
        let first = Renumbered { was: store_name("0"), is: store_name("1000") };
        assert_eq!(many.renumberings[0], first);
        let few = sync(&imports, file(100, 2), false).await;
        assert_eq!((few.held, few.created, few.removed, few.renumbered), (None, 2, 2, 2), "a shop or two are ordinary");
        assert!(sync(&imports, file(100, 40), true).await.applied, "and whoever looked at it may");
    }

    #[tokio::test]
    async fn another_name_or_another_street_is_another_store() {
        let resources = resources().await;
        for (id, latitude) in [(1, 45.0), (2, 45.0019), (3, 45.0)] {
            let Row::Store(store) = shop(id, "Cafe", latitude) else { continue };
            resources.create(store, AUTHOR, |_| Ok(())).await.expect("made");
        }
        let catalog = resources.snapshot();
        let missing: Vec<PlaceName> = ["1", "2", "3"].map(|id| PlaceName::Store(store_name(id))).to_vec();
        let pairs = |rows: &[Row]| renumbered(missing.iter(), rows, &catalog).len();
        assert_eq!(pairs(&[shop(7, "Bar", 45.0), shop(8, "Cafe", 45.01), shop(1, "Cafe", 45.0)]), 0);
        let same: Vec<Row> = (10..20).map(|id| shop(id, "Cafe", 45.0001)).collect();
        assert_eq!(pairs(&same), 3, "each in one pair alone");
        assert_eq!(pairs(&[shop(7, "Cafe", 45.0035)]), 1, "near over the edge of a square as well");
    }
}
