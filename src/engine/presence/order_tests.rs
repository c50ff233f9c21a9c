//! Law 3 as properties: however a walk arrives, its transitions are legal, and what comes late makes none.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{prelude::*, sample::Index};

use super::{Step, step, tests::Walk};
use crate::{
    domain::{
        geo::Position,
        ping::{ClockReading, Ping, Reading, STALE_AFTER},
        presence::{Area, Belief, DevicePresence, Transition, TransitionKind, Visit},
        time::Timestamp,
    },
    engine::{
        catalog::Catalog,
        fixture::{at, catalog, geofence, metres, ping},
        known::Known,
    },
};

/// An exit that is told of later is history: ten minutes, and the one that leaving takes.
const LATEST_EXIT: Duration = Duration::from_secs(660);

type Fixes = Vec<(i64, Position, f64)>;

/// Circles in a row, some within others.
fn world() -> Catalog {
    let circles = [("wide", 0.0, 400.0), ("inner", 50.0, 60.0), ("next", 450.0, 120.0), ("small", -300.0, 25.0)];
    catalog(circles.map(|(id, east, radius)| geofence(id, east, radius).into()).to_vec())
}

/// Up to 120 fixes of somebody who hurries to and fro; a few of the ways are longer than anybody can go.
fn walk() -> impl Strategy<Value = Fixes> {
    let fix = (5..200_i64, prop_oneof![9 => -700.0..700.0f64, 1 => Just(90_000.0)], 3.0..90.0f64);
    prop::collection::vec(fix, 1..120).prop_map(|fixes| {
        let mut now = 0;
        let place = |(pause, east, accuracy)| {
            now += pause;
            (now, metres(0.0, east), accuracy)
        };
        fixes.into_iter().map(place).collect()
    })
}

fn run(world: &Catalog, pings: &[Ping]) -> (DevicePresence, Vec<Step>) {
    let mut presence = DevicePresence::default();
    let mut steps = Vec::new();
    for ping in pings {
        let step = step(&Known::of(&world.areas), &presence, ping);
        presence = step.presence.clone();
        steps.push(step);
    }
    (presence, steps)
}

/// What happened, whenever it was learnt.
fn events(steps: &[Step]) -> Vec<(Timestamp, String, String, bool)> {
    let all = steps.iter().flat_map(|step| &step.transitions);
    let mut events: Vec<_> = all.map(|t| (t.at, t.area.to_string(), format!("{:?}", t.kind), t.initial)).collect();
    events.sort();
    events
}

/// Only what is entered is left, and only what is not inside is entered.
fn check_legal(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut inside: BTreeSet<&Area> = BTreeSet::new();
    for transition in steps.iter().flat_map(|step| &step.transitions) {
        let legal = match transition.kind {
            TransitionKind::Entered => inside.insert(&transition.area),
            TransitionKind::Exited(_) => inside.remove(&transition.area),
            TransitionKind::Crossed => !inside.contains(&transition.area),
            TransitionKind::Dwelt(_) | TransitionKind::Heard => true,
        };
        prop_assert!(legal, "{transition:?}");
    }
    Ok(())
}

fn visits(presence: &DevicePresence) -> BTreeMap<&Area, Visit> {
    let visits = presence.areas.iter().filter_map(|(area, belief)| match belief {
        Belief::Inside(visit) => Some((area, *visit)),
        Belief::Entering(_) => None,
    });
    visits.collect()
}

/// The law itself, of a ping that brought nothing in order: visits are as wide or wider, and nothing else changed.
fn check_only_widened(before: &DevicePresence, step: &Step) -> Result<(), TestCaseError> {
    let mut narrowed = step.presence.clone();
    narrowed.clock_offset = before.clock_offset;
    for (area, known) in visits(before) {
        let Some(Belief::Inside(visit)) = narrowed.areas.get_mut(area) else {
            return Err(TestCaseError::fail(format!("{area} was left")));
        };
        prop_assert!(visit.entered_at <= known.entered_at && visit.last_inside >= known.last_inside);
        prop_assert!(visit.not_before <= visit.entered_at, "{visit:?}");
        *visit = known;
    }
    prop_assert_eq!(&narrowed, before);
    prop_assert!(step.transitions.is_empty(), "{:?}", step.transitions);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_backlog_tells_what_pings_one_by_one_would_have_told(fixes in walk(), late in 0..400_i64) {
        let world = world();
        let singles: Vec<Ping> = fixes.iter().map(|fix| ping(fix.0, std::slice::from_ref(fix))).collect();
        let received = fixes.last().expect("one").0 + late;
        let (mut one_by_one, told) = run(&world, &singles);
        let (backlog, at_once) = run(&world, &[ping(received, &fixes)]);
        prop_assert_eq!(events(&told), events(&at_once));
        one_by_one.clock_offset = backlog.clock_offset;
        prop_assert_eq!(&one_by_one, &backlog);
        check_legal(&told)?;
        let fresh = at(received) - STALE_AFTER;
        let newest = backlog.newest_fix.expect("one").event;
        let inside = visits(&backlog);
        for (step, _) in told.iter().zip(&fixes).filter(|(_, fix)| at(fix.0) < fresh) {
            for learnt in &step.transitions {
                let is_it = |t: &&Transition| (&t.area, t.kind, t.at) == (&learnt.area, learnt.kind, learnt.at);
                let transition = at_once[0].transitions.iter().find(is_it).expect("the same events");
                let still = match transition.kind {
                    TransitionKind::Exited(_) => {
                        !inside.contains_key(&transition.area) && newest.since(transition.at) <= LATEST_EXIT
                    }
                    _ => inside.get(&transition.area).is_some_and(|visit| visit.last_inside == newest),
                };
                prop_assert!(transition.stale || (still && newest >= fresh), "history fires nothing: {transition:?}");
            }
        }
    }

    #[test]
    fn pings_out_of_order_widen_visits_and_do_nothing_else(
        fixes in walk(), parts in 1..12usize, order in prop::collection::vec(any::<Index>(), 12),
    ) {
        let world = world();
        let end = fixes.last().expect("one").0;
        let mut waiting: Vec<&[_]> = fixes.chunks(fixes.len().div_ceil(parts)).collect();
        let (mut presence, mut steps) = (DevicePresence::default(), Vec::new());
        for (sent, index) in (end..).zip(order) {
            if waiting.is_empty() {
                break;
            }
            let ping = ping(sent, waiting.remove(index.index(waiting.len())));
            let step = step(&Known::of(&world.areas), &presence, &ping);
            if step.out_of_order as usize == ping.fixes.len() {
                check_only_widened(&presence, &step)?;
            }
            presence = step.presence.clone();
            steps.push(step);
        }
        check_legal(&steps)?;
        let seen: BTreeSet<Timestamp> = fixes.iter().map(|fix| at(fix.0)).collect();
        for (_, visit) in visits(&presence) {
            prop_assert!(seen.contains(&visit.entered_at) && seen.contains(&visit.last_inside), "{visit:?}");
        }
    }
}

#[test]
fn a_late_fix_widens_the_visit_it_belongs_to() {
    let mut walk = Walk::around(100.0);
    let visit = |walk: &Walk| *visits(&walk.presence).values().next().expect("inside");
    walk.fix(0, metres(0.0, 300.0), 5.0);
    walk.fix(100, metres(0.0, 0.0), 5.0);
    walk.fix(150, metres(0.0, 130.0), 5.0);
    let late = |walk: &mut Walk, seconds, east, accuracy| {
        let ping = ping(200 + seconds, &[(seconds, metres(0.0, east), accuracy)]);
        assert_eq!(walk.ping(&ping), []);
        visit(walk)
    };
    assert_eq!(late(&mut walk, 120, 99.0, 50.0).last_inside, at(100), "not sure enough");
    assert_eq!(late(&mut walk, 130, 0.0, 5.0).last_inside, at(130));
    assert_eq!(visit(&walk).leaving_since, Some(at(150)), "which was before the leaving");
    assert_eq!(late(&mut walk, 60, 0.0, 5.0).entered_at, at(60));
    assert_eq!(late(&mut walk, -20, 0.0, 5.0).entered_at, at(60), "then the device was known elsewhere");
    let exit = TransitionKind::Exited(std::time::Duration::from_secs(70));
    assert_eq!(walk.fix(210, metres(0.0, 130.0), 5.0), [(exit, at(130), false)]);
}

/// A ping of one fix by a device whose clock is off by so many seconds.
fn by_clock(now: i64, off: i64, east: f64) -> Ping {
    let mut ping = ping(now, &[(now, metres(0.0, east), 5.0)]);
    ping.clock = ClockReading { sent_at: at(now + off), received_at: at(now) };
    ping.fixes[0].read = Reading::new(at(now + off), at(now));
    ping
}

#[test]
fn a_clock_set_back_by_minutes_silences_nobody_for_minutes() {
    for back in [30, 100, 299] {
        let mut walk = Walk::around(100.0);
        walk.ping(&by_clock(0, 0, 900.0));
        let mut told = (1..).map(|i| (10 * i, walk.ping(&by_clock(10 * i, -back, 0.0))));
        let (entered, _) = told.find(|(_, told)| !told.is_empty()).expect("in the end");
        assert!(entered <= 70, "{entered} s after it was set back by {back} s");
    }
}

#[test]
fn a_ping_that_was_slow_on_its_way_does_not_silence_the_next() {
    let mut walk = Walk::around(100.0);
    let mut slow = by_clock(0, 0, 900.0);
    slow.clock.received_at = at(50);
    slow.fixes[0].read.event = at(50);
    walk.ping(&slow);
    assert_eq!(walk.fix(10, metres(0.0, 0.0), 5.0).len(), 1);
}

/// A ping by the clock that is off by so many seconds, which is on its way for `way` seconds, of fixes read at true times.
fn kept(sent: i64, off: i64, way: i64, fixes: &[(i64, f64)]) -> Ping {
    let places: Vec<_> = fixes.iter().map(|(read, east)| (*read, metres(0.0, *east), 5.0)).collect();
    let mut ping = ping(sent, &places);
    ping.clock = ClockReading { sent_at: at(sent + off), received_at: at(sent + way) };
    for (fix, (read, _)) in ping.fixes.iter_mut().zip(fixes) {
        fix.read = ping.clock.reading(at(read + off));
    }
    ping
}

#[test]
fn what_was_read_before_a_log_out_tells_nothing_whatever_the_clock_does() {
    // When the one before pinged last, how long that took, by how much the clock was off then, and is now.
    let cases = [
        (None, 0, 600),
        (None, 0, -600),
        (None, 0, 60),
        (Some((0, 0)), 0, 600),
        (Some((0, 0)), 0, -600),
        (Some((40, 0)), 0, 0),
        (Some((0, 3)), 86_400, 86_400),
    ];
    for (pinged, before, now) in cases {
        let mut walk = Walk::around(100.0);
        if let Some((way, east)) = pinged {
            walk.ping(&kept(800, before, way, &[(800, f64::from(east))]));
        }
        walk.presence = walk.presence.without_places(at(1_000));
        let told = walk.ping(&kept(1_100, now, 0, &[(970, 0.0), (990, 0.0), (1_095, 900.0)]));
        assert_eq!(told, [], "they were not there: {pinged:?} {before} {now}");
        let told = walk.ping(&kept(1_190, now, 0, &[(995, 900.0), (1_190, 0.0)]));
        assert_eq!(told, [(TransitionKind::Entered, at(1_190), false)], "they come: {pinged:?} {before} {now}");
        let told = walk.ping(&kept(1_210, now, 0, &[(999, 0.0), (1_210, 900.0)]));
        let stayed = TransitionKind::Exited(std::time::Duration::ZERO);
        assert_eq!(told, [(stayed, at(1_190), false)], "and leave: {pinged:?} {before} {now}");
    }
}
