//! Half a year of a network's daily files, good and bad, beside a model that knows nothing of syncs.
//!
//! The files have the form, and the faults, of the Italian fuel stations'; what they say is made from seeds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    app::{
        fakes::{AUTHOR, at, node, owner, store},
        place_files::{self, Field, File, Format, Reading, time_of},
    },
    domain::{time::TimeZone, time::Timestamp},
};

const DAYS: usize = 160;
const STATIONS: u64 = 120;
/// 2026-01-01, the first day.
const FIRST_DAY: i64 = 20_454;
const DAY_S: i64 = 86_400;

/// What a file may be like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Day {
    Good,
    /// The header alone.
    Empty,
    /// Breaks off within a line.
    Cut,
    /// Whole lines of its end are missing, more than may go.
    Half,
    /// A file of four days before.
    Stale,
    /// Every station has another id.
    Renumbered,
    /// Latitude and longitude stand in each other's columns.
    Swapped,
    /// Every tenth row has no coordinates.
    Unplaced,
    /// The name of every tenth station has the separator in it.
    Divided,
    /// One line has no id.
    Nameless,
}

/// A station, as its owner knows it.
#[derive(Debug, Clone, PartialEq)]
struct Station {
    name: String,
    latitude: f64,
}

type Stations = BTreeMap<u64, Station>;

/// Draws numbers, the same of the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// A day passes: some stations open, some close, some are renamed.
fn pass(stations: &mut Stations, dice: &mut Dice, next: &mut u64) {
    for _ in 0..dice.below(3) {
        stations.insert(*next, Station { name: format!("Station {next}"), latitude: dice.below(80) as f64 });
        *next += 1;
    }
    let any = |stations: &Stations, dice: &mut Dice| {
        let ids: Vec<u64> = stations.keys().copied().collect();
        ids[dice.below(ids.len() as u64) as usize]
    };
    for _ in 0..dice.below(3) {
        stations.remove(&any(stations, dice));
    }
    for _ in 0..dice.below(4) {
        let id = any(stations, dice);
        let name = format!("Renamed {}", dice.below(1_000));
        stations.entry(id).and_modify(|station| station.name = name);
    }
}

fn is_tenth(id: u64) -> bool {
    id.is_multiple_of(10)
}

/// The file of this day.
fn written(stations: &Stations, day: Day, today: i64, dice: &mut Dice) -> String {
    let date = Timestamp::from_micros(today * DAY_S * 1_000_000).to_string();
    let mut file = format!("Estrazione del {}\nidImpianto|Nome Impianto|Latitudine|Longitudine\n", &date[..10]);
    if day == Day::Empty {
        return file;
    }
    let kept = if day == Day::Half { stations.len() / 2 } else { stations.len() };
    for (id, Station { name, latitude }) in stations.iter().take(kept) {
        let line = match day {
            Day::Renumbered => format!("{}|{name}|{latitude}|9.5\n", id + 1_000_000),
            Day::Swapped => format!("{id}|{name}|9.5|{latitude}\n"),
            Day::Unplaced if is_tenth(*id) => format!("{id}|{name}|NULL|NULL\n"),
            Day::Divided if is_tenth(*id) => format!("{id}|{name}|Nord|{latitude}|9.5\n"),
            _ => format!("{id}|{name}|{latitude}|9.5\n"),
        };
        file.push_str(&line);
    }
    match day {
        Day::Cut => {
            let bars: Vec<usize> = file.match_indices('|').map(|(at, _)| at).collect();
            // Of each three separators of a line the first two have too few values before them.
            let station = 1 + dice.below(stations.len() as u64) as usize;
            file.truncate(bars[3 * station + dice.below(2) as usize] + 1);
        }
        Day::Nameless => file.push_str("|Nobody's|45|9.5\n"),
        _ => {}
    }
    file
}

/// What the network must be after this file, if it was what the file's author meant.
fn expected(network: &mut Stations, said: &Stations, day: Day) {
    let is_read = |id: &u64| !(is_tenth(*id) && matches!(day, Day::Unplaced | Day::Divided));
    match day {
        Day::Empty | Day::Cut | Day::Half | Day::Stale | Day::Renumbered | Day::Swapped => return,
        Day::Nameless => {}
        Day::Good | Day::Unplaced | Day::Divided => network.retain(|id, _| said.contains_key(id)),
    }
    let read = said.iter().filter(|(id, _)| is_read(id));
    network.extend(read.map(|(id, station)| (*id, station.clone())));
}

fn reading() -> Reading {
    let map = vec![(Field::Name, "Nome Impianto".to_owned())];
    let (skip_lines, id_from, time_zone) = (1, "idImpianto".to_owned(), Some(TimeZone::utc()));
    let format = Format::Csv { delimiter: b'|', quotes: false };
    Reading { skip_lines, id_from, time_zone, map, ..Reading::new(owner("acme"), format) }
}

/// Reads and syncs one file, as `dintorni import --sync` does.
async fn sync(imports: &Imports, file: &str) -> Option<Report> {
    let File { rows, as_of, cut_in, .. } = place_files::read(file.as_bytes(), &reading()).expect("it has a header");
    if cut_in.is_some() {
        return None;
    }
    let sync = Sync { as_of, ..Sync::of(owner("acme").source("stations").expect("sound")) };
    let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: Some(sync) };
    Some(imports.run(&options, rows, AUTHOR).await.expect("looked at"))
}

/// The stations in the catalog, less the one made by hand.
fn stations(resources: &Resources) -> Stations {
    let catalog = resources.snapshot();
    let synced = catalog.stores.values().map(|entry| &entry.value).filter(|store| store.source.is_some());
    let station = |store: &Store| Station { name: store.display_name.clone(), latitude: store.position.latitude() };
    synced.map(|store| (store.name.id().parse().expect("a number"), station(store))).collect()
}

async fn half_a_year(seed: u64, days: &[Day]) {
    let resources = node(&Arc::default(), (FIRST_DAY + DAYS as i64) * DAY_S).await;
    let acme = Organization { name: owner("acme"), display_name: "Acme".into(), brand_limits: Default::default() };
    resources.create(acme, AUTHOR, |_| Ok(())).await.expect("made");
    resources.create(store("by-hand", "Stays"), AUTHOR, |_| Ok(())).await.expect("made");
    let imports = Imports::new(resources.clone());
    let (mut dice, mut next, mut network, mut truth) = (Dice(seed), STATIONS, Stations::new(), Stations::new());
    for id in 0..STATIONS {
        truth.insert(id, Station { name: format!("Station {id}"), latitude: dice.below(80) as f64 });
    }
    for (today, day) in (FIRST_DAY..).zip([Day::Good].iter().chain(days).chain(&[Day::Good])) {
        let speaks_of = if *day == Day::Stale { today - 4 } else { today };
        let file = written(&truth, *day, speaks_of, &mut dice);
        let report = sync(&imports, &file).await;
        expected(&mut network, &truth, *day);
        assert_eq!(stations(&resources), network, "after {day:?} of day {}: {report:?}", today - FIRST_DAY);
        let again = sync(&imports, &file).await;
        let news = again.map_or(0, |report| report.created + report.changed + report.removed);
        assert!(news == 0 || matches!(day, Day::Half | Day::Renumbered | Day::Swapped), "{day:?} again: {news}");
        pass(&mut truth, &mut dice, &mut next);
    }
    assert!(resources.get::<Store>(&crate::app::fakes::store_name("by-hand")).await.is_ok());
    let last = resources.get::<Source>(&owner("acme").source("stations").expect("sound")).await.expect("made").value;
    assert_eq!(last.as_of, Some(at((FIRST_DAY + days.len() as i64 + 1) * DAY_S)));
    assert!(time_of("2026-01-01").expect("a day") == at(FIRST_DAY * DAY_S));
}

/// Bad days come alone: who is away for weeks lacks more than may go unasked.
fn days() -> impl Strategy<Value = Vec<Day>> {
    let bad = [
        Day::Empty,
        Day::Cut,
        Day::Half,
        Day::Stale,
        Day::Renumbered,
        Day::Swapped,
        Day::Unplaced,
        Day::Divided,
        Day::Nameless,
    ];
    let day = prop_oneof![3 => Just(Day::Good), 2 => prop::sample::select(bad.to_vec())];
    // The stale file must be older than the last one that was applied.
    prop::collection::vec(day, DAYS - 2).prop_map(|mut days| {
        for i in 1..days.len() {
            if matches!(days[i - 1], Day::Empty | Day::Cut | Day::Half | Day::Stale | Day::Renumbered | Day::Swapped) {
                days[i] = Day::Good;
            }
        }
        days
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, ..ProptestConfig::default() })]
    #[test]
    fn no_day_loses_a_station_and_the_last_good_one_stands(seed: u64, days in days()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(half_a_year(seed, &days));
    }
}
