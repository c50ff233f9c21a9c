//! What `next` saves a phone, on traces of real phones that state their accuracy.
//!
//! The traces are not part of the project: the test reads them where they are, in `../shared/data`, and says so where
//! they are not.

use std::{collections::BTreeSet, fs, path::PathBuf};

use dintorni::{
    domain::{
        catalog::{CatalogChange, Resource},
        geo::{METRES_PER_DEGREE, Position},
        name::OrganizationName,
        ping::{Accuracy, ClockReading, Fix, Ping, PingId},
        place::Geofence,
        presence::{DevicePresence, Transition, TransitionKind},
        shape::{Circle, Shape},
        time::Timestamp,
    },
    engine::{catalog::Catalog, known::Known, presence, silence},
};

/// Files, and where their columns are: time, latitude, longitude, accuracy.
const TRACES: [(&str, [usize; 4]); 3] = [
    ("google_trajectory.csv", [1, 2, 3, 5]),
    ("posmo_trajectory.csv", [4, 2, 1, 3]),
    ("gpsies_trajectory.csv", [1, 2, 3, 5]),
];
/// A network as dense as a country's fuel stations, whose next one is at a median of 500 m.
const LATTICE_M: f64 = 500.0;
const RADIUS_M: f64 = 100.0;

#[derive(Clone, Copy)]
struct Point {
    at: Timestamp,
    position: Position,
    accuracy: Accuracy,
}

/// Rows that say no accuracy say 0: they are left out.
fn trace(text: &str, columns: [usize; 4]) -> Vec<Point> {
    let point = |line: &str| {
        let cells: Vec<&str> = line.split(';').collect();
        let [time, latitude, longitude, accuracy] = columns.map(|i| cells.get(i).copied().unwrap_or_default());
        let time: jiff::civil::DateTime = time.trim_end_matches('Z').parse().ok()?;
        let at = Timestamp::from_micros(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond());
        let position = Position::new(latitude.parse().ok()?, longitude.parse().ok()?).ok()?;
        Some(Point { at, position, accuracy: Accuracy::new(accuracy.parse().ok()?).ok()? })
    };
    let mut points: Vec<Point> = text.lines().skip(1).filter_map(point).collect();
    points.sort_by_key(|point| point.at);
    points
}

/// A circle on every knot of a lattice that is next to some point.
fn world(points: &[Point]) -> Catalog {
    let step = LATTICE_M / METRES_PER_DEGREE;
    let knots: BTreeSet<(i64, i64)> = points
        .iter()
        .flat_map(|point| {
            let (row, column) = (point.position.latitude() / step, point.position.longitude() / step);
            (-4..=4).flat_map(move |i| (-4..=4).map(move |j| (row.round() as i64 + i, column.round() as i64 + j)))
        })
        .collect();
    let owner = OrganizationName::parse("organizations/acme").expect("sound");
    let circle = |(row, column): (i64, i64)| {
        let center = Position::new(row as f64 * step, column as f64 * step).expect("in Europe");
        let fence = Geofence {
            name: owner.geofence(&format!("{row}.{column}")).expect("sound"),
            display_name: "Station".into(),
            shape: Shape::Circle(Circle::new(center, RADIUS_M).expect("sound")),
            store: None,
            tags: BTreeSet::new(),
            detection: Default::default(),
            source: None,
        };
        CatalogChange { version: 1, name: fence.name.clone().into(), resource: Some(Resource::from(fence)) }
    };
    Catalog::default().after(&knots.into_iter().map(circle).collect::<Vec<_>>())
}

fn ping(point: &Point) -> Ping {
    let clock = ClockReading { sent_at: point.at, received_at: point.at };
    let Point { position, accuracy, at } = *point;
    let fix = Fix { position, accuracy, speed_mps: None, mocked: false, read: clock.reading(at) };
    let id = PingId::new("ping-0001").expect("sound");
    Ping { id, clock, fixes: vec![fix], sightings: Vec::new(), event: None, max_offers: 1, reported_through: None }
}

/// What came of a trace.
#[derive(Default)]
struct Followed {
    pings: usize,
    /// Places, as they were entered.
    entered: Vec<String>,
    /// Fixes that nobody can have travelled to.
    implausible: u32,
}

/// A thrifty phone is silent as `next` allows.
fn follow(world: &Catalog, points: &[Point], thrifty: bool) -> Followed {
    let (mut device, mut followed) = (DevicePresence::default(), Followed::default());
    let mut quiet: Option<(Position, dintorni::domain::decision::Next)> = None;
    for point in points {
        let is_quiet = quiet
            .as_ref()
            .is_some_and(|(from, next)| point.at < next.at && from.distance_to(point.position) <= next.safe_radius_m);
        if thrifty && is_quiet {
            continue;
        }
        followed.pings += 1;
        let ping = ping(point);
        let step = presence::step(&Known::of(&world.areas), &device, &ping);
        let is_entry = |transition: &&Transition| transition.kind == TransitionKind::Entered;
        followed.entered.extend(step.transitions.iter().filter(is_entry).map(|entry| entry.area.to_string()));
        followed.implausible += step.implausible;
        device = step.presence;
        quiet = Some((point.position, silence::next(&Known::of(&world.areas), &device, ping.newest_fix(), point.at)));
    }
    followed
}

#[test]
fn a_silent_phone_saves_pings_and_misses_no_entry() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/gps-trackintel-samples");
    if !folder.is_dir() {
        println!("not run: there are no traces in {}", folder.display());
        return;
    }
    for (file, columns) in TRACES {
        let text = fs::read_to_string(folder.join(file)).expect("a trace");
        let points = trace(&text, columns);
        let world = world(&points);
        let [eager, thrifty] = [false, true].map(|thrifty| follow(&world, &points, thrifty));
        let saved = 100.0 * (eager.pings - thrifty.pings) as f64 / eager.pings as f64;
        let (entries, as_well) = (eager.entered.len(), thrifty.entered.len());
        println!(
            "{file}: {} fixes, {} pings needed, {saved:.0} % saved; {entries} and {as_well} entries, {} and {} jumps",
            eager.pings, thrifty.pings, eager.implausible, thrifty.implausible
        );
        // A thrifty phone may enter more: a wrong fix that it did not send casts no doubt on those after it.
        let mut rest = thrifty.entered.iter();
        assert!(eager.entered.iter().all(|place| rest.any(|entered| entered == place)), "{file}");
    }
}
