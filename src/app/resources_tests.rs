//! Resources created, edited and listed over a catalog in memory.

use std::sync::Arc;

use super::{
    fakes::{AUTHOR, node, owner, resources, store, store_name},
    resources::{EditError, Page, Resources},
};
use crate::{
    domain::{organization::Organization, place::Store},
    engine::catalog::{Catalog, Entry},
};

async fn put(resources: &Resources, wanted: Store) -> Result<Entry<Store>, EditError> {
    resources.create(wanted, AUTHOR, |_| Ok(())).await
}

#[tokio::test]
async fn creating_again_is_harmless_and_other_content_is_refused() {
    let resources = resources().await;
    let first = put(&resources, store("1", "Cafe")).await.expect("made");
    let again = put(&resources, store("1", "Cafe")).await.expect("found");
    assert_eq!((first.etag, resources.snapshot().version), (again.etag, again.etag));
    assert!(matches!(put(&resources, store("1", "Bar")).await, Err(EditError::AlreadyExists(_))));
}

#[tokio::test]
async fn an_old_etag_edits_nothing() {
    let resources = resources().await;
    let name = store_name("1");
    let old = put(&resources, store("1", "Cafe")).await.expect("made").etag;
    let bar = |_: &Store, _: &Catalog| Ok(store("1", "Bar"));
    let new = resources.update(&name, Some(old), AUTHOR, bar).await.expect("edited").etag;
    assert!(new > old);
    assert!(matches!(resources.update(&name, Some(old), AUTHOR, bar).await, Err(EditError::Changed(_))));
    let keep = |_: &Store, _: &Catalog| Ok(Vec::new());
    assert!(matches!(resources.delete(&name, Some(old), AUTHOR, keep).await, Err(EditError::Changed(_))));
    assert_eq!(resources.update(&name, Some(new), AUTHOR, bar).await.expect("the same").etag, new);
    resources.delete(&name, Some(new), AUTHOR, keep).await.expect("deleted");
    assert!(matches!(resources.get::<Store>(&name).await, Err(EditError::NotFound(_))));
}

#[tokio::test]
async fn what_another_node_did_is_found_by_its_name_and_edited_from_its_etag() {
    let shared = Arc::default();
    let (here, there) = (node(&shared, 0).await, node(&shared, 0).await);
    let made = put(&here, store("1", "Cafe")).await.expect("made");
    assert_eq!(there.snapshot().version, 0, "nobody told the other node");
    assert_eq!(there.get::<Store>(&store_name("1")).await.expect("found").etag, made.etag);
    let bar = |_: &Store, _: &Catalog| Ok(store("1", "Bar"));
    let edited = here.update(&store_name("1"), Some(made.etag), AUTHOR, bar).await.expect("edited");
    let pub_ = |_: &Store, _: &Catalog| Ok(store("1", "Pub"));
    let again = there.update(&store_name("1"), Some(edited.etag), AUTHOR, pub_).await.expect("edited");
    let keep = |_: &Store, _: &Catalog| Ok(Vec::new());
    here.delete(&store_name("1"), Some(again.etag), AUTHOR, keep).await.expect("deleted");
    assert!(matches!(there.get::<Store>(&store_name("2")).await, Err(EditError::NotFound(_))));
    assert_eq!(there.snapshot().version, here.snapshot().version, "what was missed was looked for");
}

#[tokio::test]
async fn what_seems_done_by_an_old_catalog_is_done_all_the_same() {
    let shared = Arc::default();
    let (here, there) = (node(&shared, 0).await, node(&shared, 0).await);
    put(&here, store("1", "Cafe")).await.expect("made");
    there.get::<Store>(&store_name("1")).await.expect("known there");
    let named = |name: &'static str| move |_: &Store, _: &Catalog| Ok(store("1", name));
    here.update(&store_name("1"), None, AUTHOR, named("Bar")).await.expect("edited");
    let back = there.update(&store_name("1"), None, AUTHOR, named("Cafe")).await.expect("edited back");
    assert_eq!((back.value.display_name.as_str(), back.etag), ("Cafe", 3), "it was not Cafe any more");
}

#[tokio::test]
async fn an_edit_of_another_node_is_not_overwritten() {
    let shared = Arc::default();
    let (here, there) = (node(&shared, 0).await, node(&shared, 0).await);
    put(&here, store("1", "Cafe")).await.expect("made");
    there.append(&there.begin().await, Vec::new(), AUTHOR).await.expect("nothing");
    assert!(matches!(put(&there, store("1", "Bar")).await, Err(EditError::AlreadyExists(_))));

    let renamed = |store: &Store, _: &Catalog| Ok(Store { display_name: "New".into(), ..store.clone() });
    here.update(&store_name("1"), None, AUTHOR, renamed).await.expect("edited");
    let moved = |store: &Store, _: &Catalog| Ok(Store { address: "Street 1".into(), ..store.clone() });
    let both = there.update(&store_name("1"), None, AUTHOR, moved).await.expect("edited").value;
    assert_eq!((both.display_name.as_str(), both.address.as_str()), ("New", "Street 1"));
}

#[tokio::test]
async fn pages_stay_within_their_parent() {
    let resources = resources().await;
    for id in ["0", "A", "a", "b", "z"] {
        put(&resources, store(id, "Cafe")).await.expect("made");
    }
    let other = Store { name: owner("acme-2").store("1").expect("sound"), ..store("1", "Other") };
    put(&resources, other).await.expect("made");
    let ids = |page: &Page<Store>| page.entries.iter().map(|e| e.value.name.id().to_owned()).collect::<Vec<_>>();
    let acme = owner("acme");
    let first = resources.list::<Store>(Some(&acme), None, 3, |_| true);
    assert_eq!((ids(&first), first.more), (vec!["0".into(), "A".into(), "a".into()], true));
    let rest = resources.list::<Store>(Some(&acme), Some(&store_name("a")), 3, |_| true);
    assert_eq!((ids(&rest), rest.more), (vec!["b".into(), "z".into()], false));
    let kept = resources.list::<Store>(Some(&acme), None, 3, |store| store.name.id() > "a");
    assert_eq!((ids(&kept), kept.more), (vec!["b".into(), "z".into()], false));
    let all = resources.list::<Organization>(None, None, 9, |_| true);
    assert_eq!(all.entries.len(), 2);
}
