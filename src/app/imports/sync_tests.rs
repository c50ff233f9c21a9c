//! What one sync does to the places of its source, and to nobody else's.

use futures_util::FutureExt;

use super::*;
use crate::{
    app::{
        campaigns::{
            Campaigns,
            tests::{campaign, granted},
        },
        fakes::{AUTHOR, at, geofence, geofence_name, owner, resources, store, store_name},
        places::Places,
        resources::Kind,
    },
    domain::{
        campaign::On,
        geo::Position,
        name::SourceName,
        place::{Beacon, BeaconIdentity},
        source::{Kept, KeptWhy},
    },
};

fn source(id: &str) -> SourceName {
    owner("acme").source(id).expect("sound")
}

fn rows(rows: impl IntoIterator<Item = Row>) -> Vec<Numbered> {
    (1..).zip(rows).map(|(number, row)| Numbered::sound(number, row)).collect()
}

fn stores(ids: &[&str]) -> Vec<Numbered> {
    rows(ids.iter().map(|id| Row::Store(store(id, "Cafe"))))
}

fn unread(number: u64, ids: &[&str]) -> Numbered {
    let may_be = ids.iter().map(|id| PlaceName::Store(store_name(id))).collect();
    Numbered::read(number, Err(Violations::one("lat", "is missing")), may_be)
}

fn options(sync: Sync) -> Options {
    Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: Some(sync) }
}

/// A file of any length, and with any faults, may take the place of the last one.
fn freely() -> Sync {
    Sync { allow_removals: true, max_refused_percent: 100, ..Sync::of(source("erp")) }
}

struct Network {
    imports: Imports,
    resources: Arc<Resources>,
}

impl Network {
    async fn new() -> Self {
        let resources = resources().await;
        Self { imports: Imports::new(resources.clone()), resources }
    }

    async fn sync(&self, sync: Sync, rows: Vec<Numbered>) -> Report {
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
async fn a_bad_file_changes_nothing_and_says_why() {
    let network = Network::new().await;
    let of = |seconds| Sync { as_of: Some(at(seconds)), ..Sync::of(source("erp")) };
    let ids: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    network.sync(of(500), stores(&ids)).await;
    let version = network.resources.snapshot().version;

    let stale = Held::Stale { as_of: at(499), last: at(500) };
    let too_many = Held::TooManyRemovals { missing: 3, places: 20, percent: 10 };
    for (sync, file, held, removed) in [
        (of(600), Vec::new(), Held::Empty, 0),
        (of(600), vec![unread(1, &["3"]), unread(2, &[])], Held::Unreadable { rows: 2 }, 0),
        (of(499), stores(&ids), stale, 0),
        (of(600), stores(&ids[3..]), too_many, 3),
        (of(600), [stores(&ids[3..]), vec![unread(99, &[])]].concat(), too_many, 0),
    ] {
        let report = network.sync(sync, file).await;
        assert_eq!((report.applied, report.held, report.removed), (false, Some(held), removed));
    }
    assert_eq!(network.resources.snapshot().version, version);

    let report = network.sync(of(500), stores(&ids[2..])).await;
    assert_eq!((report.held, report.removed), (None, 2), "ten percent may go, and the same time is no older one");
    let unknown = network.sync(Sync::of(source("erp")), stores(&ids[2..])).await;
    assert!(unknown.applied);
    assert_eq!(network.resources.get::<Source>(&source("erp")).await.expect("made").value.as_of, Some(at(500)));
    let far = Sync { as_of: Some(at(1_000 + 3 * 24 * 3_600)), ..freely() };
    let refused = network.imports.run(&options(far), stores(&ids), AUTHOR).await;
    assert!(matches!(refused, Err(EditError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_moves_too_much_too_far_changes_nothing() {
    let network = Network::new().await;
    let ids: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
    let at = |latitude, longitude| Position::new(latitude, longitude).expect("sound");
    let file = |moved: usize, position: Position| {
        let there = |i| if i < moved { position } else { at(45.46, 9.19) };
        let store = |(i, id): (usize, &String)| Row::Store(Store { position: there(i), ..store(id, "Cafe") });
        rows(ids.iter().enumerate().map(store))
    };
    let usual = || Sync::of(source("erp"));
    network.sync(usual(), file(0, at(0.0, 0.0))).await;
    let version = network.resources.snapshot().version;
    let swapped = network.sync(usual(), file(20, at(9.19, 45.46))).await;
    let held = Held::TooManyMoves { moved: 20, places: 20, percent: 10 };
    assert_eq!((swapped.held, swapped.moved, network.resources.snapshot().version), (Some(held), 20, version));
    let first = Move { place: PlaceName::Store(store_name("00")), from: at(45.46, 9.19), to: at(9.19, 45.46) };
    assert_eq!(swapped.moves[0], first);
    for (sync, moved, applied) in [
        (usual(), 3, false),
        (Sync { max_moved_percent: 15, ..usual() }, 3, true),
        (usual(), 5, true),
        (Sync { allow_moves: true, ..usual() }, 20, true),
    ] {
        let report = network.sync(sync, file(moved, at(9.19, 45.46))).await;
        assert_eq!(report.applied, applied, "{moved}: {report:?}");
    }
    let report = network.sync(usual(), file(20, at(9.19, 45.54))).await;
    assert_eq!((report.held, report.changed, report.moved), (None, 20, 0), "another street is an ordinary edit");
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
async fn what_stayed_though_it_was_missing_is_not_missed_again() {
    let network = Network::new().await;
    let ids: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let usual = || Sync::of(source("erp"));
    network.sync(usual(), stores(&all)).await;
    granted(&network.resources).await;
    let campaigns = Campaigns::new(network.resources.clone());
    let coffee = campaign(On::Entered, &["stores/00", "stores/01", "stores/02"]);
    campaigns.create(coffee.clone(), AUTHOR).await.expect("made");
    for (missing, held, removed, kept) in
        [(2, false, 0, 2), (3, false, 0, 3), (5, false, 2, 3), (5, false, 0, 3), (8, true, 3, 3)]
    {
        let report = network.sync(usual(), stores(&all[missing..])).await;
        assert_eq!(
            (report.held.is_some(), report.removed, report.kept),
            (held, removed, kept),
            "{missing}: {report:?}"
        );
    }
    let source: Arc<Source> = network.resources.get(&source("erp")).await.expect("made").value;
    assert_eq!((source.rows, source.absent), (15, 3));
    let others = network.sync(usual(), stores(&[&all[..3], &all[8..]].concat())).await;
    assert_eq!((others.held.is_some(), others.removed), (true, 3), "those that are back make no room for others");

    campaigns.delete(&coffee.name, None, AUTHOR).await.expect("over");
    let report = network.sync(usual(), stores(&all[8..])).await;
    assert_eq!((report.held.is_some(), report.removed), (true, 6), "three of them were not missed before");
    let report = network.sync(usual(), stores(&all[5..])).await;
    assert_eq!((report.held, report.removed), (None, 3), "what nothing keeps any more goes, however much it is");
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
async fn a_file_of_which_much_is_refused_changes_nothing() {
    let network = Network::new().await;
    let ids: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    network.sync(freely(), stores(&all)).await;
    let refusing = |count: usize| {
        let refused = all[..count].iter().zip(100..).map(|(id, number)| unread(number, &[id]));
        [stores(&all[count..]), refused.collect()].concat()
    };
    let most = |max_refused_percent| Sync { max_refused_percent, ..freely() };
    let report = network.sync(most(20), refusing(5)).await;
    let held = Held::TooManyRefused { refused: 5, rows: 20, percent: 20 };
    assert_eq!((report.applied, report.held), (false, Some(held)));
    for (sync, count) in [(most(20), 4), (most(25), 5)] {
        assert!(network.sync(sync, refusing(count)).await.applied);
        let source: Arc<Source> = network.resources.get(&source("erp")).await.expect("made").value;
        assert_eq!((source.refused, source.absent), (count as u64, 0));
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
    network.imports.remove(&half, &gone, AUTHOR, head).await.expect("removed");

    let report = network.sync(half, stores(&["3", "4"])).await;
    assert_eq!((counts(&report), network.stores()), ([0, 0, 2, 0, 1, 0], vec!["3".into(), "4".into()]));
    assert_eq!(network.resources.get::<Source>(&source("erp")).await.expect("made").value.as_of, Some(at(900)));
    let late = network.imports.remove(&freely(), &gone, AUTHOR, head).await;
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
    assert_eq!(older.held, Some(Held::Stale { as_of: at(599), last: at(600) }));
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
