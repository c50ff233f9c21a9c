//! Fields that rows empty in places that have something there: a column lost its values, and its header stayed.
//!
//! Law: a place loses a field only by a row that says it is empty; each is counted, whether or not it holds the file back.

use std::collections::BTreeMap;

use super::{
    Held, Optional, Row, Sync,
    rows::Sifted,
    sync::FEW,
    unsaid::{geofence_has, store_has},
};
use crate::engine::catalog::Catalog;

/// Percent of the places that have a field which may lose it unasked.
const EMPTIED_PERCENT: u32 = 10;

/// A field that places lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emptied {
    pub field: Optional,
    /// How many places.
    pub emptied: u64,
    /// Of so many that rows name and that have something there.
    pub places: u64,
}

/// What the sound rows empty, most first.
pub fn emptied(sifted: &Sifted, catalog: &Catalog) -> Vec<Emptied> {
    let (mut filled, mut lost) = (BTreeMap::<Optional, u64>::new(), BTreeMap::<Optional, u64>::new());
    for (row, unsaid) in sifted.sound.iter().zip(&sifted.unsaid) {
        for field in Optional::of(row) {
            let Some((had, has)) = had_and_has(row, *field, catalog) else { break };
            if had {
                *filled.entry(*field).or_default() += 1;
                *lost.entry(*field).or_default() += u64::from(!has && !unsaid.contains(*field));
            }
        }
    }
    lost.retain(|_, emptied| *emptied > 0);
    let places = |field| filled.get(&field).copied().unwrap_or_default();
    let of = |(field, emptied)| Emptied { field, emptied, places: places(field) };
    let mut all: Vec<Emptied> = lost.into_iter().map(of).collect();
    all.sort_by_key(|lost| std::cmp::Reverse(lost.emptied));
    all
}

/// Whether the place of a row has something in a field, and whether the row says something; none if it is a new one.
fn had_and_has(row: &Row, field: Optional, catalog: &Catalog) -> Option<(bool, bool)> {
    Some(match row {
        Row::Store(store) => (store_has(&catalog.stores.get(&store.name)?.value, field), store_has(store, field)),
        Row::Geofence(fence) => {
            (geofence_has(&catalog.geofences.get(&fence.name)?.value, field), geofence_has(fence, field))
        }
    })
}

/// What holds a file back that empties too much.
pub fn too_many(sync: &Sync, all: &[Emptied]) -> impl Iterator<Item = Held> {
    let percent = EMPTIED_PERCENT;
    let is_many = move |lost: &&Emptied| {
        lost.emptied > FEW && lost.emptied * 100 > u64::from(percent) * lost.places && !sync.allow_emptied
    };
    let held = move |&Emptied { field, emptied, places }| Held::TooManyEmptied { field, emptied, places, percent };
    all.iter().filter(is_many).map(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            fakes::{AUTHOR, geofence, owner, resources, store},
            imports::{Imports, Numbered, Options, Report, Unsaid},
        },
        domain::{opening::OpeningHours, place::Store},
    };

    fn cafe(id: u32, hours: &str) -> Row {
        let opening_hours = OpeningHours::new(hours).expect("sound");
        Row::Store(Store { opening_hours, ..store(&id.to_string(), "Cafe") })
    }

    /// Thirty cafes, the first of them without hours.
    fn file(emptied: u32) -> Vec<Row> {
        (0..30).map(|id| cafe(id, if id < emptied { "" } else { "Mo-Fr 08:00-20:00" })).collect()
    }

    async fn sync(imports: &Imports, rows: Vec<Row>, unsaid: Unsaid, allow_emptied: bool) -> Report {
        let sync = Sync { allow_emptied, ..Sync::of(owner("acme").source("erp").expect("sound")) };
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: Some(sync) };
        let numbered = |(number, row)| Numbered { unsaid, ..Numbered::sound(number, row) };
        imports.run(&options, (1..).zip(rows).map(numbered).collect(), AUTHOR).await.expect("looked at")
    }

    #[tokio::test]
    async fn a_column_that_lost_its_values_holds_the_file_back() {
        let imports = Imports::new(resources().await);
        let said = Unsaid::default();
        assert!(sync(&imports, file(0), said, false).await.emptied.is_empty(), "a new place loses nothing");
        let field = Optional::OpeningHours;
        let lost_of = |emptied, places| vec![Emptied { field, emptied, places }];
        let lost = |emptied| lost_of(emptied, 30);
        let four = sync(&imports, file(4), said, false).await;
        let held = Held::TooManyEmptied { field, emptied: 4, places: 30, percent: 10 };
        assert_eq!((four.held, four.applied, four.emptied), (vec![held], false, lost(4)));
        let hours_unsaid = said.with(field);
        assert_eq!(sync(&imports, file(30), hours_unsaid, false).await.emptied, [], "what is not said empties nothing");
        let three = sync(&imports, file(3), said, false).await;
        assert_eq!((three.held, three.changed, three.emptied), (Vec::new(), 3, lost(3)), "a tenth may");
        let all = sync(&imports, file(30), said, true).await;
        assert_eq!(
            (all.held, all.changed, all.emptied),
            (Vec::new(), 27, lost_of(27, 27)),
            "and whoever looked at it may"
        );
        assert_eq!(sync(&imports, file(30), said, false).await.emptied, [], "they have nothing to lose");

        let imports = Imports::new(resources().await);
        sync(&imports, file(27), said, false).await;
        let three = sync(&imports, file(30), said, false).await;
        assert_eq!((three.applied, three.emptied), (false, lost_of(3, 3)), "all of the few that had any");
    }

    #[tokio::test]
    async fn few_geofences_that_lose_their_store_count_among_geofences() {
        let imports = Imports::new(resources().await);
        let fences =
            |store: Option<&str>| (0..3).map(|i| Row::Geofence(geofence(&i.to_string(), store, 80.0))).collect();
        let both = |fences: Vec<Row>| [file(0), fences].concat();
        sync(&imports, both(fences(Some("1"))), Unsaid::default(), false).await;
        let report = sync(&imports, both(fences(None)), Unsaid::default(), false).await;
        assert_eq!(report.held, [Held::TooManyEmptied { field: Optional::Store, emptied: 3, places: 3, percent: 10 }]);
    }
}
