//! Deleting a source: whoever mistyped its name, or has no such file any more, is rid of it.
//!
//! Law: no place goes with it. Those that are still the source's keep it, unless they are let go by force.

use super::{Imports, Row, parts};
use crate::{
    app::resources::{EditError, Obstacle, find},
    domain::{
        name::SourceName,
        place::{Geofence, PlaceName, Store},
        source::Source,
    },
    engine::catalog::Catalog,
    ports::{Edit, Expected},
};

/// Most places named of a source that is not deleted.
const NAMED: usize = 3;

impl Imports {
    /// Deletes the source. Places that are still its own are told, unless `force`: then they belong to no source from then
    /// on, and a sync of any file adopts those that it names. With an etag only if it is still that of it. A sync of it on
    /// this node is waited for, and one on another node ends with the source changed, whichever of the two came first.
    pub async fn delete_source(
        &self,
        name: &SourceName,
        etag: Option<u64>,
        force: bool,
        author: &str,
    ) -> Result<(), EditError> {
        let _alone = self.turn(name).await;
        let catalog = self.resources.newest().await?;
        let head = find::<Source>(&catalog, name)?.etag;
        if etag.is_some_and(|etag| etag != head) {
            return Err(EditError::Changed(name.clone().into()));
        }
        let rows = of_source(name, &catalog);
        if !force && !rows.is_empty() {
            return Err(EditError::Refused(vec![has_places(name, &rows)]));
        }
        for part in parts(&rows) {
            self.append(author, |catalog| {
                let is_same = catalog.sources.get(name).is_some_and(|entry| entry.etag == head);
                let edits = || part.iter().filter_map(|row| let_go(row, name, catalog)).collect();
                is_same.then(edits).ok_or_else(|| EditError::Changed(name.clone().into()))
            })
            .await?;
        }
        self.resources.delete(name, Some(head), author, |_: &Source, _| Ok(Vec::new())).await
    }
}

/// The places of a source.
fn of_source(name: &SourceName, catalog: &Catalog) -> Vec<Row> {
    let stores = catalog.stores.values().map(|entry| entry.value.as_ref());
    let stores = stores.filter(|store| store.source.as_ref() == Some(name)).cloned().map(Row::Store);
    let geofences = catalog.geofences.values().map(|entry| entry.value.as_ref());
    let geofences = geofences.filter(|fence| fence.source.as_ref() == Some(name)).cloned().map(Row::Geofence);
    stores.chain(geofences).collect()
}

fn has_places(name: &SourceName, rows: &[Row]) -> Obstacle {
    let named: Vec<String> = rows.iter().take(NAMED).map(|row| row.place().to_string()).collect();
    let dots = if rows.len() > NAMED { ", …" } else { "" };
    let said = format!("{} places are still of {name} ({}{dots})", rows.len(), named.join(", "));
    Obstacle::new("HAS_PLACES", name, said)
}

/// The edit that lets the place go its own way, if it is still the source's.
fn let_go(row: &Row, name: &SourceName, catalog: &Catalog) -> Option<Edit> {
    match row.place() {
        PlaceName::Store(store) => {
            let had = catalog.stores.get(&store).filter(|had| had.value.source.as_ref() == Some(name))?;
            let free = Store { source: None, ..had.value.as_ref().clone() };
            Some(Edit::put(free, Expected::Version(had.etag)))
        }
        PlaceName::Geofence(fence) => {
            let had = catalog.geofences.get(&fence).filter(|had| had.value.source.as_ref() == Some(name))?;
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
        imports::{Numbered, Options, Report, Sync},
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
        delete(None, true).await.expect("deleted");
        let left = imports.resources.snapshot();
        assert!(of_source(&typo, &left).is_empty() && left.stores.len() + left.geofences.len() == 2, "no place goes");
        assert!(matches!(delete(None, true).await, Err(EditError::NotFound(_))));
        assert_eq!(sync(&imports, &right, file()).await.adopted, 2);

        sync(&imports, &right, vec![Row::Store(store("1", "Cafe"))]).await;
        let network = imports.resources.get::<Store>(&crate::app::fakes::store_name("1")).await.expect("there");
        assert_eq!(network.value.source, Some(right));
    }
}
