//! What a source says of the places that stayed, as it is now and not as its last sync left it.
//!
//! Law: what is gone since, or is not the source's any more, is none of its absentees.

use std::sync::Arc;

use super::removal::etag_of;
use crate::{
    domain::source::{Kept, Source},
    engine::catalog::{Catalog, Entry},
};

/// The source less the absentees that are none any more. Of those that it does not remember by name all count.
pub fn as_of_now(entry: &Entry<Source>, catalog: &Catalog) -> Entry<Source> {
    let source = &entry.value;
    let stays = |kept: &&Kept| etag_of(&kept.place, &source.name, catalog).is_some();
    let absentees: Vec<Kept> = source.absentees.iter().filter(stays).cloned().collect();
    let gone = source.absentees.len() - absentees.len();
    let absent = source.absent.saturating_sub(gone as u64);
    Entry { etag: entry.etag, value: Arc::new(Source { absent, absentees, ..Source::clone(source) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fakes::{AUTHOR, geofence, owner, resources, store},
        domain::{
            place::{Geofence, PlaceName, Store},
            source::KeptWhy,
        },
    };

    #[tokio::test]
    async fn what_is_gone_or_let_go_since_is_told_no_more() {
        let (resources, erp) = (resources().await, owner("acme").source("erp").expect("sound"));
        let of = |source: Option<_>, id| Store { source, ..store(id, "Cafe") };
        for store in [of(Some(erp.clone()), "stays"), of(None, "let-go")] {
            resources.create(store, AUTHOR, |_| Ok(())).await.expect("made");
        }
        let yard = Geofence { source: Some(erp.clone()), ..geofence("yard", None, 80.0) };
        resources.create(yard.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        let stores = ["stays", "let-go", "gone"].map(|id| PlaceName::Store(store(id, "Cafe").name));
        let places = stores.into_iter().chain([PlaceName::Geofence(yard.name)]);
        let absentees: Vec<Kept> = places.map(|place| Kept::new(place, KeptWhy::HasDependents)).collect();
        let source = Source { absent: 1_004, absentees: absentees.clone(), ..Source::new(erp, None) };
        let entry = Entry { etag: 7, value: Arc::new(source) };
        let now = as_of_now(&entry, &resources.snapshot());
        assert_eq!((now.etag, now.value.absent), (7, 1_002));
        assert_eq!(now.value.absentees, [absentees[0].clone(), absentees[3].clone()]);
    }
}
