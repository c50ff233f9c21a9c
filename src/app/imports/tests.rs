//! Imports of rows that are not the whole of a source.

use super::*;
use crate::{
    app::fakes::{AUTHOR, geofence, owner, resources, store, store_name},
    domain::{
        detection::{Detection, Settings},
        geo::Position,
        shape::{Polygons, Shape},
    },
};

fn rows(rows: Vec<Row>) -> Vec<Numbered> {
    (1..).zip(rows).map(|(number, row)| Numbered::sound(number, row)).collect()
}

fn options(dry_run: bool, allow_partial: bool) -> Options {
    Options { network: owner("acme"), dry_run, allow_partial, sync: None }
}

fn counts(report: &Report) -> [u64; 4] {
    [report.created, report.changed, report.unchanged, report.refused]
}

#[tokio::test]
async fn the_same_rows_again_change_nothing() {
    let imports = Imports::new(resources().await);
    let file = || rows(vec![Row::Geofence(geofence("g", Some("1"), 80.0)), Row::Store(store("1", "Cafe"))]);
    let dry = imports.run(&options(true, false), file(), AUTHOR).await.expect("looked at");
    assert_eq!((counts(&dry), dry.applied, dry.catalog_version), ([2, 0, 0, 0], false, 2));
    let first = imports.run(&options(false, false), file(), AUTHOR).await.expect("applied");
    assert_eq!((counts(&first), first.applied, first.catalog_version), ([2, 0, 0, 0], true, 3));
    let (cafe, fence) = (PlaceName::Store(store_name("1")), PlaceName::Geofence(geofence("g", None, 80.0).name));
    assert_eq!(first.creations, [cafe.clone(), fence.clone()], "stores first");
    let second = imports.run(&options(false, false), file(), AUTHOR).await.expect("applied");
    assert_eq!((counts(&second), second.catalog_version), ([0, 0, 2, 0], 3));
    assert_eq!((second.creations, second.changes), (Vec::new(), Vec::new()));
    let moved = Store { position: Position::new(45.0, 9.0).expect("sound"), ..store("1", "Bar") };
    let other = rows(vec![Row::Store(moved), Row::Geofence(geofence("g", Some("1"), 90.0))]);
    let third = imports.run(&options(false, false), other, AUTHOR).await.expect("applied");
    assert_eq!((counts(&third), third.catalog_version), ([0, 2, 0, 0], 4));
    let changed = |place, fields: &[&'static str]| Changed { place, fields: fields.to_vec() };
    assert_eq!(third.changes, [changed(cafe, &["display_name", "position"]), changed(fence, &["shape"])]);
}

#[tokio::test]
async fn a_file_that_says_nothing_of_detection_changes_nothing_of_it() {
    let imports = Imports::new(resources().await);
    let detection = |leave_margin_m| {
        Detection::new(Settings { leave_margin_m: Some(leave_margin_m), ..Settings::default() }).expect("sound")
    };
    let of = |detection, radius_m| rows(vec![Row::Geofence(Geofence { detection, ..geofence("g", None, radius_m) })]);
    let run = async |rows| counts(&imports.run(&options(false, false), rows, AUTHOR).await.expect("applied"));
    assert_eq!(run(of(detection(40.0), 80.0)).await, [1, 0, 0, 0]);
    assert_eq!(run(of(Detection::default(), 80.0)).await, [0, 0, 1, 0]);
    assert_eq!(run(of(Detection::default(), 90.0)).await, [0, 1, 0, 0]);
    let name = geofence("g", None, 80.0).name;
    assert_eq!(imports.resources.get::<Geofence>(&name).await.expect("there").value.detection, detection(40.0));
    assert_eq!(run(of(detection(50.0), 90.0)).await, [0, 1, 0, 0], "but it may say");
}

#[tokio::test]
async fn refused_rows_hold_everything_back_unless_parts_are_allowed() {
    let imports = Imports::new(resources().await);
    let file = || {
        let other = Store { name: owner("brand").store("1").expect("sound"), ..store("1", "Not ours") };
        let sound = [Row::Store(store("1", "Cafe")), Row::Geofence(geofence("small", None, 30.0))];
        let hanging = Row::Geofence(geofence("g", Some("nowhere"), 80.0));
        let mut file =
            rows([sound.to_vec(), vec![hanging, Row::Store(store("1", "Twice")), Row::Store(other)]].concat());
        let row = Violations::one("store.position", "is required");
        file.push(Numbered::read(6, Err(row), Vec::new()));
        file
    };
    let held = imports.run(&options(false, false), file(), AUTHOR).await.expect("looked at");
    assert_eq!((counts(&held), held.applied), ([2, 0, 0, 4], false));
    let told: Vec<(u64, &str)> = held.problems.iter().map(|p| (p.number, p.violation.field.as_str())).collect();
    assert_eq!(told, [(3, "geofence.store"), (4, "store.name"), (5, "store.name"), (6, "store.position")]);
    assert_eq!(held.small.iter().map(|small| small.number).collect::<Vec<_>>(), [2]);
    assert!(imports.resources.get::<Store>(&store_name("1")).await.is_err());

    let partly = imports.run(&options(false, true), file(), AUTHOR).await.expect("applied");
    assert_eq!((counts(&partly), partly.applied), ([2, 0, 0, 4], true));
    assert_eq!(imports.resources.get::<Store>(&store_name("1")).await.expect("made").value.display_name, "Cafe");
}

#[tokio::test]
async fn more_rows_than_a_part_come_in_several_versions() {
    let imports = Imports::new(resources().await);
    let many = (0..PART + 1).map(|i| Row::Store(store(&i.to_string(), "Cafe"))).collect();
    let report = imports.run(&options(false, false), rows(many), AUTHOR).await.expect("applied");
    assert_eq!((report.created, report.catalog_version), (PART as u64 + 1, 4));
}

#[tokio::test]
async fn a_sync_adopts_what_an_import_without_one_made() {
    let imports = Imports::new(resources().await);
    let erp = owner("acme").source("erp").expect("sound");
    let file = |ids: &[&str]| rows(ids.iter().map(|id| Row::Store(store(id, "Cafe"))).collect());
    let sync = Sync { allow_removals: true, ..Sync::of(erp.clone()) };
    let sync = Options { sync: Some(sync), ..options(false, false) };
    let run = async |options: &Options, ids: &[&str]| imports.run(options, file(ids), AUTHOR).await.expect("applied");
    assert!(run(&options(false, false), &["1"]).await.sources.is_empty(), "there is no source yet");
    let first = run(&sync, &["1", "2"]).await;
    assert_eq!((counts(&first), first.adopted, first.first_sync), ([1, 1, 0, 0], 1, true));
    assert_eq!(first.adoptions, [PlaceName::Store(store_name("1"))]);
    let plain = run(&options(false, false), &["1", "2", "3", "4"]).await;
    assert_eq!((counts(&plain), plain.adopted, plain.sources), ([2, 0, 2, 0], 0, [erp].into()), "whose the others are");
    let second = run(&sync, &["1", "2", "3"]).await;
    assert_eq!((counts(&second), second.adopted, second.removed, second.first_sync), ([0, 1, 2, 0], 1, 0, false));
    let third = run(&sync, &["1"]).await;
    assert_eq!((third.adopted, third.removed), (0, 2), "what it adopted goes as what it made");
    assert!(imports.resources.get::<Store>(&store_name("4")).await.is_ok(), "what no file of it ever named stays");
}

#[test]
fn a_part_is_bounded_by_corners_beside_rows() {
    let many = |corners: usize| {
        let around = |i: usize| (i as f64 / corners as f64 * std::f64::consts::TAU).sin_cos();
        let ring = (0..corners - 1).chain([0]).map(|i| [around(i).0, around(i).1]).collect();
        let shape = Shape::Polygons(Polygons::new(&vec![vec![ring]]).expect("sound"));
        Row::Geofence(Geofence { shape, ..geofence("g", None, 80.0) })
    };
    let (small, large) = (Row::Store(store("1", "Cafe")), many(40_000));
    let rows = [vec![large.clone(); 3], vec![small.clone(), many(MAX_CORNERS), large], vec![small; PART + 1]].concat();
    let sizes: Vec<usize> = parts(&rows, Row::corners).map(<[Row]>::len).collect();
    assert_eq!(sizes, [2, 2, 1, PART, 2], "the largest goes alone");
    assert_eq!(parts(&[], Row::corners).count(), 0);
}

#[tokio::test]
async fn a_store_that_goes_while_its_geofences_come_was_changed_meanwhile() {
    let catalog = resources().await.snapshot();
    let (cafe, yard) = (Row::Store(store("1", "Cafe")), Row::Geofence(geofence("g", Some("1"), 80.0)));
    check_stores(&[cafe, yard.clone()], &catalog).expect("both come");
    let gone = check_stores(&[yard], &catalog);
    assert!(matches!(gone, Err(EditError::Changed(ref name)) if *name == store_name("1").into()), "{gone:?}");
}

#[tokio::test]
async fn no_more_geofences_are_taken_at_a_spot_than_count_there() {
    let imports = Imports::new(resources().await);
    let heap = |ids: std::ops::Range<usize>, radius_m| {
        rows(ids.map(|i| Row::Geofence(geofence(&format!("g{i}"), None, radius_m))).collect())
    };
    let run =
        async |file, allow_partial| imports.run(&options(false, allow_partial), file, AUTHOR).await.expect("looked at");
    let partly = run(heap(0..1_001, 80.0), true).await;
    assert_eq!((counts(&partly), partly.problems[0].number), ([1_000, 0, 0, 1], 1_001));
    assert!(partly.problems[0].violation.description.contains("1000 other geofences"), "{:?}", partly.problems[0]);
    assert_eq!(counts(&run(heap(0..1_000, 80.0), false).await), [0, 0, 1_000, 0], "the same again");
    assert_eq!(
        counts(&run(heap(1_000..1_001, 80.0), false).await),
        [0, 0, 0, 1],
        "beside those that are not in the file"
    );
    let before = [heap(1_001..1_002, 80.0), heap(0..1_000, 80.0)].concat();
    assert_eq!(counts(&run(before, false).await), [0, 0, 1_000, 1], "nor before them");
    assert_eq!(counts(&run(heap(5..6, 80.5), false).await), [0, 1, 0, 0], "those that are there may change");
    assert_eq!(counts(&run(heap(999..1_001, 800.0), false).await), [1, 1, 0, 0], "of another size there is room");
    assert_eq!(counts(&run(heap(1_001..1_002, 80.0), false).await), [1, 0, 0, 0], "and where one went");
}

#[tokio::test]
async fn what_an_import_without_a_sync_moves_is_told_and_holds_nothing_back() {
    let imports = Imports::new(resources().await);
    let here = store("1", "Cafe").position;
    let there = Position::new(here.longitude(), here.latitude()).expect("sound");
    for (position, moved) in [(here, 0), (there, 1), (here, 1)] {
        let file = rows(vec![Row::Store(Store { position, ..store("1", "Cafe") })]);
        let report = imports.run(&options(false, false), file, AUTHOR).await.expect("applied");
        assert_eq!((report.applied, report.refused, report.moved), (true, 0, moved));
    }
}
