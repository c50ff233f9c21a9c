//! Deleting a source: whoever mistyped its name, or has no such file any more, is rid of it.
//!
//! Law: no place goes with it. Those that are still the source's keep it, unless they are let go by force.

use std::sync::Arc;

use super::{Imports, parts, rows::corners};
use crate::{
    app::resources::{EditError, Obstacle},
    domain::{
        name::SourceName,
        place::{Geofence, PlaceName, Store},
        source::Source,
    },
    engine::catalog::Catalog,
    ports::{Edit, Expected, StoreError},
};

/// Most places named of a source that is not deleted.
const NAMED: usize = 3;

/// A place, and how many corners it has.
type Weighed = (PlaceName, usize);

impl Imports {
    /// Deletes the source, and returns how many places were let go. Places that are still its own are told, unless `force`:
    /// then they belong to no source from then on, and a sync of any file adopts those that it names. With an etag only if
    /// it is still that of it. A sync of it on this node is waited for; one on another node ends with the source changed,
    /// whichever of the two came first, and what it left without a source is looked for again.
    pub async fn delete_source(
        &self,
        name: &SourceName,
        etag: Option<u64>,
        force: bool,
        author: &str,
    ) -> Result<u64, EditError> {
        let _alone = self.turn(name).await;
        let mut let_go = 0;
        for again in [false, true, true, true] {
            let catalog = self.resources.newest().await?;
            let (head, places) = (head(name, &catalog), of_source(name, &catalog).await?);
            match (again, head) {
                (false, None) if places.is_empty() => return Err(EditError::NotFound(name.clone().into())),
                (false, head) if etag.is_some() && etag != head => return Err(EditError::Changed(name.clone().into())),
                // Whoever begins it anew meanwhile may keep it.
                (true, Some(_)) => return Ok(let_go),
                (true, None) if places.is_empty() => return Ok(let_go),
                (_, _) => {}
            }
            if !force && !places.is_empty() {
                return Err(EditError::Refused(vec![has_places(name, &places)]));
            }
            let_go += self.let_go(name, &places, head, author).await?;
            if head.is_some() {
                self.resources.delete(name, head, author, |_: &Source, _| Ok(Vec::new())).await?;
            }
        }
        Err(EditError::Changed(name.clone().into()))
    }

    /// Makes them places of no source, while the source is what it was, and returns how many.
    async fn let_go(
        &self,
        name: &SourceName,
        places: &[Weighed],
        was: Option<u64>,
        author: &str,
    ) -> Result<u64, EditError> {
        let mut count = 0;
        for part in parts(places, |(_, corners)| *corners) {
            let edited = self.append(author, |catalog| {
                if head(name, catalog) != was {
                    return Err(EditError::Changed(name.clone().into()));
                }
                let edits: Vec<Edit> =
                    part.iter().filter_map(|(place, _)| standing_alone(place, name, catalog)).collect();
                let count = edits.len() as u64;
                Ok((edits, count))
            });
            count += edited.await?.0;
        }
        Ok(count)
    }
}

/// The source's etag, if it is there.
fn head(name: &SourceName, catalog: &Catalog) -> Option<u64> {
    catalog.sources.get(name).map(|entry| entry.etag)
}

/// The places of a source. All of a catalog's are looked at, and pings do not wait for it.
async fn of_source(name: &SourceName, catalog: &Arc<Catalog>) -> Result<Vec<Weighed>, EditError> {
    let (name, catalog) = (name.clone(), catalog.clone());
    let all = tokio::task::spawn_blocking(move || {
        let stores = catalog.stores.values().map(|entry| &entry.value);
        let stores = stores.filter(|store| store.source.as_ref() == Some(&name));
        let fences = catalog.geofences.values().map(|entry| &entry.value);
        let fences = fences.filter(|fence| fence.source.as_ref() == Some(&name));
        let fences = fences.map(|fence| (PlaceName::Geofence(fence.name.clone()), corners(&fence.shape)));
        stores.map(|store| (PlaceName::Store(store.name.clone()), 0)).chain(fences).collect()
    });
    all.await.map_err(|gone| StoreError::Unavailable(gone.to_string()).into())
}

fn has_places(name: &SourceName, places: &[Weighed]) -> Obstacle {
    let named: Vec<String> = places.iter().take(NAMED).map(|(place, _)| place.to_string()).collect();
    let (count, dots) = (places.len(), if places.len() > NAMED { ", …" } else { "" });
    let said =
        format!("{count} places are still of {name} ({}{dots}); force lets them go, and they stay", named.join(", "));
    Obstacle::new("HAS_PLACES", name, said)
}

/// The edit that lets the place go its own way, if it is still the source's.
fn standing_alone(place: &PlaceName, name: &SourceName, catalog: &Catalog) -> Option<Edit> {
    match place {
        PlaceName::Store(store) => {
            let had = catalog.stores.get(store).filter(|had| had.value.source.as_ref() == Some(name))?;
            let free = Store { source: None, ..had.value.as_ref().clone() };
            Some(Edit::put(free, Expected::Version(had.etag)))
        }
        PlaceName::Geofence(fence) => {
            let had = catalog.geofences.get(fence).filter(|had| had.value.source.as_ref() == Some(name))?;
            let free = Geofence { source: None, ..had.value.as_ref().clone() };
            Some(Edit::put(free, Expected::Version(had.etag)))
        }
        PlaceName::Beacon(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{
        fakes::{AUTHOR, geofence, owner, resources, store},
        imports::{Numbered, Options, Report, Row, Sync, Unsaid},
    };

    async fn sync(imports: &Imports, source: &SourceName, rows: Vec<Row>) -> Report {
        let rows = (1..).zip(rows).map(|(number, row)| Numbered::sound(number, row)).collect();
        let sync = Some(Sync { allow_removals: true, ..Sync::of(source.clone()) });
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync };
        imports.run(&options, rows, AUTHOR).await.expect("looked at")
    }

    #[tokio::test]
    async fn a_mistyped_source_lets_its_places_go_by_force_only() {
        let imports = Imports::new(resources().await);
        let [typo, right] = ["stations", "station"].map(|id| owner("acme").source(id).expect("sound"));
        let file = || vec![Row::Store(store("1", "Cafe")), Row::Geofence(geofence("g", Some("1"), 80.0))];
        sync(&imports, &typo, file()).await;
        assert_eq!(sync(&imports, &right, file()).await.refused, 2, "they are another source's");
        let delete = async |etag, force| imports.delete_source(&typo, etag, force, AUTHOR).await;
        let Err(EditError::Refused(found)) = delete(None, false).await else { panic!("it has places") };
        assert!(
            found[0].code == "HAS_PLACES" && found[0].description.starts_with("2 places are still of"),
            "{found:?}"
        );
        assert!(matches!(delete(Some(1), true).await, Err(EditError::Changed(_))));
        assert_eq!(delete(None, true).await.expect("deleted"), 2);
        let left = imports.resources.snapshot();
        let strays = of_source(&typo, &left).await.expect("looked at");
        assert!(strays.is_empty() && left.stores.len() + left.geofences.len() == 2, "no place goes");
        assert!(matches!(delete(None, true).await, Err(EditError::NotFound(_))));
        assert_eq!(sync(&imports, &right, file()).await.adopted, 2);

        sync(&imports, &right, vec![Row::Store(store("1", "Cafe"))]).await;
        let network = imports.resources.get::<Store>(&crate::app::fakes::store_name("1")).await.expect("there");
        assert_eq!(network.value.source, Some(right));
    }

    #[tokio::test]
    async fn a_first_sync_that_broke_off_leaves_a_source_that_can_be_deleted() {
        let imports = Imports::new(resources().await);
        let typo = owner("acme").source("stations").expect("sound");
        let sync = Sync::of(typo.clone());
        let options =
            Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: Some(sync.clone()) };
        let rows = [Row::Store(store("1", "Cafe"))];
        let head = imports.begin(&sync, AUTHOR, 0).await.expect("begun");
        imports.apply(&options, (&rows, &[Unsaid::default(); 1]), AUTHOR, Some(head)).await.expect("applied");
        let begun = imports.resources.get::<Source>(&typo).await.expect("there").value;
        assert_eq!((begun.rows, begun.synced_at), (0, None));
        let twin = imports.begin(&sync, AUTHOR, 0).await;
        assert!(matches!(twin, Err(EditError::Changed(_))), "two first ones do not mingle: {twin:?}");
        let delete = async |force| imports.delete_source(&typo, None, force, AUTHOR).await;
        assert_eq!(delete(true).await.expect("deleted"), 1);

        // What a sync leaves that did not know yet that its source was deleted elsewhere.
        let stray = Store { source: Some(typo.clone()), ..store("2", "Bar") };
        imports.resources.create(stray, AUTHOR, |_| Ok(())).await.expect("made");
        assert!(matches!(delete(false).await, Err(EditError::Refused(_))));
        assert_eq!(delete(true).await.expect("let go"), 1);
        assert!(matches!(delete(true).await, Err(EditError::NotFound(_))));
    }
}
