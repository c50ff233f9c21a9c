//! What one sync does to the places of its source, and to nobody else's.

use std::sync::Mutex as Locked;

use async_trait::async_trait;
use futures_util::FutureExt;

use super::*;
use crate::{
    app::{
        campaigns::{
            Campaigns,
            tests::{campaign, granted},
        },
        fakes::{AUTHOR, FakeCatalog, Standing, at, geofence, geofence_name, owner, resources, store, store_name},
        live_catalog::LiveCatalog,
        places::Places,
        resources::Kind,
    },
    domain::{
        campaign::On,
        catalog::CatalogChange,
        name::SourceName,
        place::{Beacon, BeaconIdentity},
        source::{Kept, KeptWhy},
        time::Timestamp,
    },
    ports::CatalogStore,
};

pub(super) fn source(id: &str) -> SourceName {
    owner("acme").source(id).expect("sound")
}

pub(super) fn rows(rows: impl IntoIterator<Item = Row>) -> Vec<Numbered> {
    (1..).zip(rows).map(|(number, row)| Numbered::sound(number, row)).collect()
}

pub(super) fn stores(ids: &[&str]) -> Vec<Numbered> {
    rows(ids.iter().map(|id| Row::Store(store(id, "Cafe"))))
}

pub(super) fn unread(number: u64, ids: &[&str]) -> Numbered {
    let may_be = ids.iter().map(|id| PlaceName::Store(store_name(id))).collect();
    Numbered::read(number, Err(Violations::one("lat", "is missing")), may_be)
}

pub(super) fn options(sync: Sync) -> Options {
    Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: Some(sync) }
}

/// A file of any length, and with any faults, may take the place of the last one.
pub(super) fn freely() -> Sync {
    Sync { allow_removals: true, max_refused_percent: 100, ..Sync::of(source("erp")) }
}

pub(super) struct Network {
    pub imports: Imports,
    pub resources: Arc<Resources>,
}

impl Network {
    pub async fn new() -> Self {
        let resources = resources().await;
        Self { imports: Imports::new(resources.clone()), resources }
    }

    pub async fn sync(&self, sync: Sync, rows: Vec<Numbered>) -> Report {
        self.imports.run(&options(sync), rows, AUTHOR).await.expect("looked at")
    }

    async fn make<K: Kind>(&self, resource: K) {
        self.resources.create(resource, AUTHOR, |_| Ok(())).await.expect("made");
    }

    fn stores(&self) -> Vec<String> {
        self.resources.snapshot().stores.keys().map(|name| name.id().to_owned()).collect()
    }
}

/// Created, changed, unchanged, refused, removed, kept.
fn counts(report: &Report) -> [u64; 6] {
    [report.created, report.changed, report.unchanged, report.refused, report.removed, report.kept]
}

#[tokio::test]
async fn a_sync_removes_what_its_own_file_no_longer_names() {
    let network = Network::new().await;
    network.make(store("hand", "Made by hand")).await;
    network.make(store("1", "Cafe")).await;
    let first = network.sync(freely(), stores(&["1", "2", "3"])).await;
    assert_eq!(counts(&first), [2, 1, 0, 0, 0, 0], "the first becomes the source's");
    let other = Sync { source: source("other"), ..freely() };
    network.sync(other.clone(), stores(&["x"])).await;

    let second = network.sync(freely(), stores(&["2", "3", "4"])).await;
    assert_eq!(counts(&second), [1, 0, 2, 0, 1, 0]);
    assert_eq!(second.removals, [PlaceName::Store(store_name("1"))]);
    assert_eq!(network.stores(), ["2", "3", "4", "hand", "x"]);
    let again = network.sync(freely(), stores(&["2", "3", "4"])).await;
    assert_eq!(counts(&again), [0, 0, 3, 0, 0, 0]);
    assert_eq!(network.resources.get::<Source>(&source("erp")).await.expect("made").value.rows, 3);

    let theirs = network.sync(other, stores(&["2", "x"])).await;
    assert_eq!(counts(&theirs), [0, 0, 1, 1, 0, 0]);
    let said = &theirs.problems[0].violation;
    assert_eq!(said.field, "store.name");
    assert!(said.description.contains("is a place of organizations/acme/sources/erp"), "{said:?}");
    let plain = Options { sync: None, ..options(freely()) };
    let renamed = rows([Row::Store(store("2", "Bar"))]);
    network.imports.run(&plain, renamed, AUTHOR).await.expect("applied");
    let kept = network.resources.get::<Store>(&store_name("2")).await.expect("there").value;
    assert_eq!((kept.display_name.as_str(), &kept.source), ("Bar", &Some(source("erp"))), "it stays the source's");
}

#[tokio::test]
async fn a_refused_row_keeps_its_place_and_one_of_no_place_keeps_all() {
    let network = Network::new().await;
    network.sync(freely(), stores(&["1", "2", "3"])).await;
    let file = [stores(&["1"]), vec![unread(2, &["2"])]].concat();
    let report = network.sync(freely(), file).await;
    assert_eq!((counts(&report), network.stores()), ([0, 0, 1, 1, 1, 1], vec!["1".into(), "2".into()]));
    assert_eq!(report.keeps, [Kept { place: PlaceName::Store(store_name("2")), why: KeptWhy::RowRefused }]);

    let file = [stores(&["4"]), vec![unread(2, &[])]].concat();
    let report = network.sync(freely(), file).await;
    assert_eq!(counts(&report), [1, 0, 0, 1, 0, 2], "what is new comes, and nothing goes");
    assert_eq!(report.keeps[0].why, KeptWhy::RowUntold);
    assert_eq!(network.stores(), ["1", "2", "4"]);
}

#[tokio::test]
async fn what_a_live_campaign_targets_goes_by_force_only() {
    let network = Network::new().await;
    network.sync(freely(), stores(&["1", "2"])).await;
    let campaigns = Campaigns::new(network.resources.clone());
    let coffee = campaign(On::Entered, &["stores/1"]);
    campaigns.create(coffee.clone(), AUTHOR).await.expect("made");
    granted(&network.resources).await;

    let dry = Options { dry_run: true, ..options(freely()) };
    let report = network.imports.run(&dry, stores(&["2"]), AUTHOR).await.expect("looked at");
    assert_eq!((counts(&report), report.applied), ([0, 0, 1, 0, 0, 1], false));
    let report = network.sync(freely(), stores(&["2"])).await;
    assert_eq!(report.keeps[0].why, KeptWhy::Targeted(vec![coffee.name]));
    let known: Arc<Source> = network.resources.get(&source("erp")).await.expect("made").value;
    assert_eq!((known.absent, &known.absentees), (1, &report.keeps), "who was not there tonight can read it");
    assert_eq!(network.stores(), ["1", "2"]);
    let forced = network.sync(Sync { force: true, ..freely() }, stores(&["2"])).await;
    assert_eq!((counts(&forced), network.stores()), ([0, 0, 1, 0, 1, 0], vec!["2".into()]));
}

#[tokio::test]
async fn a_store_to_which_something_belongs_that_stays_goes_by_force_only() {
    let network = Network::new().await;
    let file = |ids: &[&str], fences: &[(&str, &str)]| {
        let fences = fences.iter().map(|(id, store)| Row::Geofence(geofence(id, Some(store), 80.0)));
        rows(ids.iter().map(|id| Row::Store(store(id, "Cafe"))).chain(fences))
    };
    network.sync(freely(), file(&["1", "2", "3"], &[("a", "1"), ("b", "2")])).await;
    network.make(geofence("hand", Some("1"), 80.0)).await;
    let identity = BeaconIdentity::IBeacon { uuid: [7; 16], major: 1, minor: 1 };
    let (name, store) = (owner("acme").beacon("door").expect("sound"), Some(store_name("1")));
    network.make(Beacon { name, display_name: "Door".into(), identity, store, tags: Default::default() }).await;

    let report = network.sync(freely(), file(&["3"], &[("b", "2")])).await;
    assert_eq!(counts(&report), [0, 0, 2, 0, 1, 2], "{report:?}");
    let kept = |id| Kept { place: PlaceName::Store(store_name(id)), why: KeptWhy::HasDependents };
    assert_eq!((network.stores().len(), report.keeps), (3, vec![kept("1"), kept("2")]));
    let stays = network.resources.snapshot();
    assert_eq!(stays.geofences.get(&geofence_name("hand")).expect("stays").value.store, Some(store_name("1")));
    let report = network.sync(Sync { force: true, ..freely() }, file(&["3"], &[("b", "2")])).await;
    assert_eq!(counts(&report), [0, 0, 2, 0, 1, 1], "{report:?}");
    assert_eq!((network.stores(), report.keeps), (vec!["2".into(), "3".into()], vec![kept("2")]));
    let left = network.resources.snapshot();
    assert_eq!(left.geofences.keys().map(|name| name.id()).collect::<Vec<_>>(), ["b", "hand"]);
    assert_eq!(left.geofences.get(&geofence_name("hand")).expect("stays").value.store, None);
    assert!(left.beacons.values().all(|beacon| beacon.value.store.is_none()));
}

#[tokio::test]
async fn a_campaign_keeps_a_store_with_what_makes_it_happen_there() {
    let network = Network::new().await;
    let file = |ids: &[&str], fences: &[(&str, &str)]| {
        let fences = fences.iter().map(|(id, store)| Row::Geofence(geofence(id, Some(store), 80.0)));
        rows(ids.iter().map(|id| Row::Store(store(id, "Cafe"))).chain(fences))
    };
    network.sync(freely(), file(&["1", "2", "3"], &[("a", "1"), ("b", "2")])).await;
    granted(&network.resources).await;
    let campaigns = Campaigns::new(network.resources.clone());
    campaigns.create(campaign(On::Entered, &["stores/1", "geofences/b"]), AUTHOR).await.expect("made");
    let report = network.sync(freely(), file(&["3"], &[])).await;
    assert_eq!((report.removed, report.kept), (0, 4), "{:?}", report.keeps);
    let report = network.sync(freely(), file(&["1", "3"], &[])).await;
    assert_eq!((report.removed, report.kept), (1, 2), "a geofence goes if the file has its store without it");

    let zones = || Sync { source: source("zones"), ..freely() };
    for zone in ["z9", "z10"] {
        let report = network.sync(zones(), file(&[], &[(zone, "1")])).await;
        assert_eq!(report.kept, 0, "a file that never says stores keeps none");
    }
}

#[tokio::test]
async fn a_place_may_be_let_go_and_none_is_given_a_source_by_hand() {
    let network = Network::new().await;
    network.sync(freely(), stores(&["1", "2"])).await;
    let places = Places::new(network.resources.clone());
    let owned = |source: Option<SourceName>| move |store: &Store| Ok(Store { source: source.clone(), ..store.clone() });
    let by_hand = places.update(&store_name("1"), None, AUTHOR, owned(Some(source("other")))).await;
    assert!(by_hand.expect_err("refused").to_string().contains("only a sync gives a place a source"));
    let made = places.create(Store { source: Some(source("erp")), ..store("3", "Cafe") }, AUTHOR).await;
    assert!(matches!(made, Err(EditError::Invalid(_))));
    places.update(&store_name("1"), None, AUTHOR, owned(None)).await.expect("let go");
    let report = network.sync(freely(), stores(&["2"])).await;
    assert_eq!((report.removed, network.stores()), (0, vec!["1".into(), "2".into()]));
}

#[tokio::test]
async fn what_keeps_a_place_is_asked_again_when_it_goes() {
    let network = Network::new().await;
    let fences = [("a", "1"), ("b", "2"), ("c", "3")];
    let fences = fences.map(|(id, store)| Row::Geofence(geofence(id, Some(store), 80.0)));
    let file = ["1", "2", "3", "4"].map(|id| Row::Store(store(id, "Cafe"))).into_iter().chain(fences);
    network.sync(freely(), rows(file)).await;
    let said = Arc::new([PlaceName::Store(store_name("4"))].into());
    let planned: Vec<PlaceName> = ["a", "b", "c"].map(|id| PlaceName::Geofence(geofence_name(id))).into();
    let planned = [planned, ["1", "2", "3"].map(|id| PlaceName::Store(store_name(id))).into()].concat();
    // After they were looked at, a campaign names one, something comes to another, and a geofence is let go.
    granted(&network.resources).await;
    let coffee = campaign(On::Entered, &["stores/1"]);
    Campaigns::new(network.resources.clone()).create(coffee.clone(), AUTHOR).await.expect("made");
    network.make(geofence("hand", Some("2"), 80.0)).await;
    let free = |fence: &Geofence| Ok(Geofence { source: None, ..fence.clone() });
    Places::new(network.resources.clone()).update(&geofence_name("c"), None, AUTHOR, free).await.expect("let go");

    let head = freely().head(&network.resources.snapshot());
    let fates = network.imports.remove(&freely(), &said, &planned, AUTHOR, head).await.expect("removed");
    assert_eq!(fates.removed, [PlaceName::Geofence(geofence_name("b"))]);
    let kept: Vec<&KeptWhy> = fates.kept.iter().map(|kept| &kept.why).collect();
    let targeted = KeptWhy::Targeted(vec![coffee.name]);
    assert_eq!(kept, [&targeted, &targeted, &KeptWhy::HasDependents, &KeptWhy::HasDependents]);
    assert_eq!(network.stores(), ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_sync_that_was_cut_short_is_finished_by_the_same_one() {
    let network = Network::new().await;
    network.sync(freely(), stores(&["1", "2", "3"])).await;
    // What a crash leaves: the rows are applied and one of two removals, and the source is as it was.
    let half = Sync { as_of: Some(at(900)), ..freely() };
    let head = half.head(&network.resources.snapshot());
    let sound: Vec<Row> = stores(&["3", "4"]).into_iter().filter_map(|row| row.row.ok()).collect();
    let all = [Unsaid::default(); 2];
    network.imports.apply(&options(half.clone()), (&sound, &all), AUTHOR, Some(head)).await.expect("applied");
    let gone = [PlaceName::Store(store_name("1"))];
    network.imports.remove(&half, &Arc::default(), &gone, AUTHOR, head).await.expect("removed");

    let report = network.sync(half, stores(&["3", "4"])).await;
    assert_eq!((counts(&report), network.stores()), ([0, 0, 2, 0, 1, 0], vec!["3".into(), "4".into()]));
    assert_eq!(network.resources.get::<Source>(&source("erp")).await.expect("made").value.as_of, Some(at(900)));
    let late = network.imports.remove(&freely(), &Arc::default(), &gone, AUTHOR, head).await;
    assert!(matches!(late, Err(EditError::Changed(_))), "another sync came first: {late:?}");
}

#[tokio::test]
async fn a_sync_waits_for_those_of_its_own_source_only() {
    let network = Network::new().await;
    let running = network.imports.turn(&source("erp")).await;
    let other = Sync { source: source("other"), ..freely() };
    assert!(network.sync(other, stores(&["x"])).await.applied);
    assert!(network.imports.turn(&source("erp")).now_or_never().is_none(), "one after the other");
    drop(running);
    assert!(network.sync(freely(), stores(&["1"])).await.applied);
    let left = network.imports.turn(&source("erp")).await;
    assert_eq!(network.imports.syncing.lock().expect("sound").len(), 1, "no source is remembered");
    drop(left);
}

#[tokio::test]
async fn an_older_file_is_stale_once_a_newer_one_was_begun() {
    let network = Network::new().await;
    let of = |seconds| Sync { as_of: Some(at(seconds)), ..freely() };
    network.sync(of(500), stores(&["1"])).await;
    let known = async || network.resources.get::<Source>(&source("erp")).await.expect("made").value;
    let (first, head) = (known().await, of(0).head(&network.resources.snapshot()));
    // What a crash leaves: nothing but that it was begun.
    let begun = network.imports.begin(&of(600), AUTHOR, head).await.expect("begun");
    assert_eq!(begun, of(0).head(&network.resources.snapshot()));
    assert_eq!(*known().await, Source { as_of: Some(at(600)), ..Source::clone(&first) }, "in step as of before");
    let older = network.sync(of(599), stores(&["2"])).await;
    assert_eq!(older.held, [Held::Stale { as_of: at(599), last: at(600) }]);
    assert!(network.sync(of(600), stores(&["3"])).await.applied);
    assert_eq!((network.stores(), known().await.as_of), (vec!["3".into()], Some(at(600))));

    let late = network.imports.begin(&of(700), AUTHOR, head).await;
    assert!(matches!(late, Err(EditError::Changed(_))), "another sync came first: {late:?}");
    let (version, unknown) = (network.resources.snapshot().version, Sync { as_of: None, ..freely() });
    let head = unknown.head(&network.resources.snapshot());
    for nothing_newer in [unknown, of(600)] {
        assert_eq!(network.imports.begin(&nothing_newer, AUTHOR, head).await.expect("begun"), head);
    }
    assert_eq!(network.resources.snapshot().version, version);
}

/// Another node is quick: right after the next edit it makes one of its own.
struct Overtaken(Arc<FakeCatalog>, Locked<Option<Edit>>);

#[async_trait]
impl CatalogStore for Overtaken {
    async fn head(&self) -> Result<u64, StoreError> {
        self.0.head().await
    }

    async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError> {
        self.0.changes_between(after, until).await
    }

    async fn append(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
        let appended = self.0.append(edits, author, at).await;
        let theirs = self.1.lock().expect("sound").take();
        self.0.append(theirs.into_iter().collect(), author, at).await?;
        appended
    }
}

#[tokio::test]
async fn a_sync_that_another_node_overtakes_does_not_go_on_as_that_one() {
    let made = Arc::<FakeCatalog>::default();
    let organization =
        Organization { name: owner("acme"), display_name: "Acme".into(), brand_limits: Default::default() };
    made.append(vec![Edit::put(organization, Expected::Absent)], AUTHOR, at(0)).await.expect("made");
    let theirs = Source::new(source("erp"), Some(at(900)));
    let theirs = Locked::new(Some(Edit::put(theirs, Expected::Anything)));
    let live = LiveCatalog::load(Arc::new(Overtaken(made, theirs))).await.expect("read");
    let imports = Imports::new(Arc::new(Resources::new(Arc::new(live), Arc::new(Standing(1_000)))));
    let ours = Sync { as_of: Some(at(800)), ..freely() };
    let late = imports.run(&options(ours), stores(&["1"]), AUTHOR).await;
    assert!(matches!(late, Err(EditError::Changed(_))), "{late:?}");
}
