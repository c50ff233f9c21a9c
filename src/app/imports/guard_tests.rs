//! What holds a bad file back, and what does not.

use super::{
    sync_tests::{Network, freely, options, rows, source, stores, unread},
    *,
};
use crate::{
    app::{
        campaigns::{
            Campaigns,
            tests::{campaign, granted},
        },
        fakes::{AUTHOR, at, store, store_name},
    },
    domain::{campaign::On, geo::Position},
};

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
        (of(600), [stores(&ids[4..]), vec![unread(99, &[])]].concat(), too_many, 0),
    ] {
        let report = network.sync(sync, file).await;
        assert_eq!((report.applied, report.held, report.removed), (false, vec![held], removed));
    }
    assert_eq!(network.resources.snapshot().version, version);

    let report = network.sync(of(500), stores(&ids[2..])).await;
    assert_eq!((report.held, report.removed), (vec![], 2), "ten percent may go, and the same time is no older one");
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
    let held = Held::TooManyMoves { moved: 20, exchanged: 20, places: 20, percent: 10 };
    assert_eq!((swapped.held, swapped.moved, network.resources.snapshot().version), (vec![held], 20, version));
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
    let report = network.sync(usual(), file(20, at(9.2, 45.5))).await;
    let held = Held::TooManyMoves { moved: 20, exchanged: 0, places: 20, percent: 10 };
    assert_eq!(report.held, [held], "what was rounded to one decimal is in its town, and in no street of it");
    let report = network.sync(usual(), file(20, at(9.19, 45.464))).await;
    assert_eq!((report.held, report.changed, report.moved), (vec![], 20, 0), "along the street is an ordinary edit");
}

#[tokio::test]
async fn a_file_of_exchanged_latitudes_and_longitudes_is_held_however_few_they_are() {
    let right = |id: &str| Store { position: Position::new(45.46, 9.19).expect("sound"), ..store(id, "Cafe") };
    let swapped = |id: &str| Store { position: Position::new(9.19, 45.46).expect("sound"), ..store(id, "Cafe") };
    let usual = || Sync::of(source("erp"));
    let all = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    let file = |stores: Vec<Store>| rows(stores.into_iter().map(Row::Store));
    let of = |there: usize, store: &dyn Fn(&str) -> Store| file(all[..there].iter().map(|id| store(id)).collect());
    let one_of =
        |there: usize| file(all[..there].iter().map(|id| if *id == "1" { right(id) } else { swapped(id) }).collect());
    let before = |there: usize| of(there, &swapped);
    for (why, first, second, exchanged) in [
        ("the only shop", of(1, &right), of(1, &swapped), Some((1, 1))),
        ("a small network that grows", of(1, &right), of(10, &swapped), Some((1, 1))),
        ("all set right, and a new one", before(9), of(10, &right), Some((9, 9))),
        ("the half of them", before(2), one_of(2), Some((1, 2))),
        ("one set right among many", before(10), one_of(10), None),
    ] {
        let network = Network::new().await;
        assert!(network.sync(usual(), first).await.applied, "{why}");
        let report = network.sync(usual(), second.clone()).await;
        let held = exchanged.map(|(exchanged, places)| Held::TooManyMoves {
            moved: exchanged,
            exchanged,
            places,
            percent: 10,
        });
        assert_eq!(
            (report.applied, &report.held, report.refused),
            (held.is_none(), &held.into_iter().collect(), 0),
            "{why}"
        );
        assert!(report.held.iter().all(|held| held.to_string().contains("longitude exchanged")), "{why}: {report:?}");
        let allowed = network.sync(Sync { allow_moves: true, ..usual() }, second).await;
        assert_eq!((allowed.applied, allowed.refused), (true, 0), "{why}");
    }
}

#[tokio::test]
async fn a_place_or_two_that_go_or_move_hold_no_small_network_back() {
    let network = Network::new().await;
    let far = Position::new(9.19, 45.46).expect("sound");
    let usual = || Sync::of(source("erp"));
    let file = |ids: &[&str], moved: usize| {
        let there = |i| if i < moved { far } else { store("1", "Cafe").position };
        let row = |(i, id): (usize, &&str)| Row::Store(Store { position: there(i), ..store(id, "Cafe") });
        rows(ids.iter().enumerate().map(row))
    };
    let all = ["a", "b", "c", "d", "e", "f"];
    network.sync(usual(), file(&all, 0)).await;
    let none_may_go = Sync { max_removed_percent: 0, ..usual() };
    let none_may_move = Sync { max_moved_percent: 0, ..usual() };
    for (sync, ids, moved, applied) in [
        (usual(), &all[3..], 0, false),
        (none_may_go, &all[1..], 0, false),
        (none_may_move, &all[..], 1, false),
        (usual(), &all[..], 3, false),
        (usual(), &all[..], 2, true),
        (usual(), &all[2..], 0, true),
    ] {
        let report = network.sync(sync, file(ids, moved)).await;
        assert_eq!(report.applied, applied, "{ids:?}, {moved}: {report:?}");
    }
}

#[tokio::test]
async fn all_that_stands_against_a_file_is_told_at_once() {
    let network = Network::new().await;
    let ids: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    network.sync(freely(), stores(&all)).await;
    let far = Position::new(9.19, 45.46).expect("sound");
    let moved = rows(all[10..].iter().map(|id| Row::Store(Store { position: far, ..store(id, "Cafe") })));
    let unread = (100..105).map(|number| unread(number, &[all[number as usize - 100]])).collect();
    let report = network.sync(Sync::of(source("erp")), [moved, unread].concat()).await;
    let all = [
        Held::TooManyRefused { refused: 5, rows: 15, percent: 20 },
        Held::TooManyRemovals { missing: 5, places: 20, percent: 10 },
        Held::TooManyMoves { moved: 10, exchanged: 0, places: 10, percent: 10 },
    ];
    assert_eq!((report.held.as_slice(), report.applied), (&all[..], false));
}

#[tokio::test]
async fn what_rows_without_an_id_may_mean_is_missed_with_the_next_file_only() {
    let network = Network::new().await;
    let ids: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let usual = || Sync::of(source("erp"));
    network.sync(usual(), stores(&all)).await;
    for _ in 0..2 {
        let nameless = (100..104).map(|number| unread(number, &[])).collect();
        let report = network.sync(usual(), [stores(&all[4..]), nameless].concat()).await;
        assert_eq!((report.held, report.removed, report.kept), (vec![], 0, 4), "each may be one of them");
    }
    let source: Arc<Source> = network.resources.get(&source("erp")).await.expect("made").value;
    assert_eq!((source.untold, source.absent), (4, 4));
    let dropped = network.sync(usual(), stores(&all[4..])).await;
    assert_eq!(dropped.held, [Held::TooManyRemovals { missing: 4, places: 20, percent: 10 }]);
    let named = network.sync(usual(), stores(&all[2..])).await;
    assert_eq!((named.held, named.removed), (vec![], 2));
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
    for (missing, free, removed, kept) in
        [(2, true, 0, 2), (3, true, 0, 3), (5, true, 2, 3), (5, true, 0, 3), (8, false, 3, 3)]
    {
        let report = network.sync(usual(), stores(&all[missing..])).await;
        assert_eq!(
            (report.held.is_empty(), report.removed, report.kept),
            (free, removed, kept),
            "{missing}: {report:?}"
        );
    }
    let source: Arc<Source> = network.resources.get(&source("erp")).await.expect("made").value;
    assert_eq!((source.rows, source.absent), (15, 3));
    let others = network.sync(usual(), stores(&[&all[..3], &all[8..]].concat())).await;
    assert_eq!((others.held.is_empty(), others.removed), (false, 3), "those that are back make no room for others");

    campaigns.delete(&coffee.name, None, AUTHOR).await.expect("over");
    let report = network.sync(usual(), stores(&all[8..])).await;
    assert_eq!((report.held.is_empty(), report.removed), (false, 6), "three of them were not missed before");
    let report = network.sync(usual(), stores(&all[5..])).await;
    assert_eq!((report.held, report.removed), (vec![], 3), "what nothing keeps any more goes, however much it is");
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
    assert_eq!((report.applied, report.held), (false, vec![held]));
    for (sync, count) in [(most(20), 4), (most(25), 5)] {
        assert!(network.sync(sync, refusing(count)).await.applied);
        let source: Arc<Source> = network.resources.get(&source("erp")).await.expect("made").value;
        assert_eq!((source.refused, source.absent), (count as u64, 0));
    }
}
