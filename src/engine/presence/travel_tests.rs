//! Jumps that nobody can make, places that are passed, and stops.

use std::time::Duration;

use super::{step, tests::Walk};
use crate::{
    domain::{
        detection::{Detection, Settings},
        ping::Ping,
        place::Geofence,
        presence::{
            Transition,
            TransitionKind::{Crossed, Dwelt, Entered, Exited},
        },
    },
    engine::{
        fixture::{at, catalog, geofence, metres, ping},
        known::Known,
        silence,
    },
};

const FAR_M: f64 = 200_000.0;

fn fix(seconds: i64, east: f64) -> Ping {
    ping(seconds, &[(seconds, metres(0.0, east), 5.0)])
}

#[test]
fn a_jump_that_nobody_can_make_moves_nobody_once() {
    let mut walk = Walk::around(100.0);
    assert_eq!(walk.ping(&fix(0, 0.0)), [(Entered, at(0), false)]);
    let jump = step(&Known::of(&walk.catalog.areas), &walk.presence, &fix(60, FAR_M));
    assert!(jump.suspect && jump.implausible == 1 && jump.transitions.is_empty());
    walk.presence = jump.presence;
    let again = step(&Known::of(&walk.catalog.areas), &walk.presence, &fix(60, FAR_M));
    assert_eq!((again.implausible, again.suspect), (1, true), "a retry is told the same");
    let back = step(&Known::of(&walk.catalog.areas), &walk.presence, &fix(90, 0.0));
    assert!(!back.suspect && back.transitions.is_empty() && back.presence.doubted.is_none());
    walk.presence = back.presence;
    assert_eq!(walk.ping(&fix(100, FAR_M)), [], "an earlier jump confirms nothing");
}

#[test]
fn who_really_is_there_is_believed_the_second_time() {
    let mut walk = Walk::around(100.0);
    walk.ping(&fix(0, FAR_M));
    assert_eq!(walk.ping(&fix(30, 0.0)), []);
    assert_eq!(walk.ping(&fix(45, 5.0)), [], "errors of one moment are correlated");
    let entered = step(&Known::of(&walk.catalog.areas), &walk.presence, &fix(50, 5.0));
    assert!(!entered.suspect && entered.transitions[0].initial, "{:?}", entered.transitions);
    walk.presence = entered.presence;

    walk.ping(&fix(60, FAR_M));
    assert_eq!(
        walk.ping(&fix(90, FAR_M)),
        [(Exited(Duration::ZERO), at(50), true)],
        "what such a jump ends is history"
    );
}

#[test]
fn flights_and_bad_fixes_are_no_jumps() {
    let mut walk = Walk::around(100.0);
    walk.ping(&fix(0, FAR_M));
    assert_eq!(walk.ping(&fix(900, 0.0)).len(), 1, "200 km in a quarter of an hour, by airliner");
    let rough = ping(930, &[(930, metres(0.0, 6_000.0), 1_000.0)]);
    let step = step(&Known::of(&walk.catalog.areas), &walk.presence, &rough);
    assert!(!step.suspect, "cells are off by kilometres");
}

#[test]
fn one_wrong_fix_spoils_no_backlog() {
    let mut walk = Walk::around(100.0);
    let fixes = [(0, 0.0), (30, FAR_M), (60, 0.0)].map(|(at, east)| (at, metres(0.0, east), 5.0));
    let step = step(&Known::of(&walk.catalog.areas), &walk.presence, &ping(61, &fixes));
    assert!(step.implausible == 1 && !step.suspect && step.transitions.len() == 1);
    walk.presence = step.presence;
}

#[test]
fn who_drives_through_between_two_fixes_has_crossed() {
    let mut walk = Walk::around(100.0);
    walk.ping(&fix(0, -600.0));
    assert_eq!(walk.ping(&fix(60, 600.0)), [(Crossed, at(30), false)]);
    walk.ping(&fix(120, -600.0));
    assert_eq!(walk.presence.areas.len(), 0);

    let through = |seconds, accuracy, north| {
        let mut walk = Walk::around(100.0);
        walk.ping(&ping(0, &[(0, metres(north, -600.0), accuracy)]));
        walk.ping(&ping(seconds, &[(seconds, metres(north, 600.0), accuracy)])).len()
    };
    assert_eq!(through(120, 20.0, 0.0), 1);
    assert_eq!(through(121, 20.0, 0.0), 0, "too long ago to know the way");
    assert_eq!(through(19, 5.0, 0.0), 0, "too fast for any road");
    assert_eq!(through(60, 5.0, 97.0), 0, "too near the edge to be sure");
    assert_eq!(through(60, 150.0, 0.0), 0, "too inaccurate to be sure");
}

#[test]
fn nobody_crosses_what_they_are_in() {
    let mut walk = Walk::around(100.0);
    walk.ping(&fix(0, 0.0));
    walk.ping(&fix(60, 120.0));
    let kinds: Vec<_> = walk.ping(&fix(120, -120.0)).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [], "within the margin on either side");
}

fn of(settings: Settings) -> Walk {
    let detection = Detection::new(settings).expect("sound");
    let catalog = catalog(vec![Geofence { detection, ..geofence("quay", 0.0, 100.0) }.into()]);
    Walk { catalog, presence: Default::default() }
}

fn stop(seconds: u64) -> Walk {
    of(Settings { stopped_for: Some(Duration::from_secs(seconds)), ..Settings::default() })
}

#[test]
fn who_drives_past_does_not_enter_where_a_stop_is_wanted() {
    let mut walk = stop(30);
    let told: usize = (0..20).map(|i| walk.ping(&fix(10 * i, -900.0 + 90.0 * i as f64)).len()).sum();
    assert_eq!((told, walk.presence.areas.len()), (0, 0));

    let mut walk = stop(30);
    for i in 0..=10 {
        walk.ping(&fix(10 * i, -900.0 + 90.0 * i as f64));
    }
    assert_eq!(walk.ping(&fix(110, 0.0)), [], "parked");
    assert_eq!(walk.ping(&fix(129, 1.0)), []);
    assert_eq!(walk.ping(&fix(131, 1.0)), [(Entered, at(100), false)], "inside and parked since then");
}

#[test]
fn who_walks_in_enters_at_once() {
    let mut walk = stop(60);
    let mut told = (0..200).flat_map(|i| walk.ping(&fix(10 * i, -500.0 + 14.0 * i as f64)));
    assert!(told.next().is_some_and(|(kind, at_, _)| kind == Entered && at_ < at(310)), "500 m at 1.4 m/s");

    let mut walk = stop(60);
    let speedy = |seconds, speed| {
        let mut ping = fix(seconds, 0.0);
        ping.fixes[0].speed_mps = Some(speed);
        ping
    };
    assert_eq!(walk.ping(&speedy(0, 12.0)), []);
    assert_eq!(walk.ping(&speedy(3, 0.0)), [], "what the phone reports counts");
    assert_eq!(walk.ping(&speedy(66, 0.0)).len(), 1);
}

#[test]
fn margins_and_times_of_a_place_are_its_own() {
    let settings = Settings {
        leave_margin_m: Some(60.0),
        leave_after: Some(Duration::ZERO),
        dwell_after: Some(Duration::from_secs(60)),
        ..Settings::default()
    };
    let mut walk = of(settings);
    assert_eq!(walk.ping(&fix(0, 0.0)).len(), 1);
    assert_eq!(walk.ping(&fix(70, 159.0)), [], "nor a dwell by a fix outside");
    assert_eq!(walk.ping(&fix(80, 0.0)), [(Dwelt(Duration::from_secs(60)), at(60), false)]);
    assert_eq!(walk.ping(&fix(90, 0.0)), [], "once a visit");
    assert_eq!(walk.ping(&fix(100, 165.0)), []);
    let exit = (Exited(Duration::from_secs(90)), at(90), false);
    assert_eq!(walk.ping(&fix(101, 165.0)), [exit], "with the next fix");

    let lax = Settings { enter_probability: Some(0.1), ..Settings::default() };
    let mut walk = of(lax);
    assert_eq!(walk.ping(&ping(0, &[(0, metres(0.0, 95.0), 100.0)])).len(), 1, "any point inside");
}

#[test]
fn the_first_sign_of_a_device_inside_is_initial() {
    let initial = |pings: &[Ping]| {
        let mut walk = Walk::around(100.0);
        let mut told = Vec::new();
        for ping in pings {
            let step = step(&Known::of(&walk.catalog.areas), &walk.presence, ping);
            told.extend(step.transitions.iter().filter(|t| t.kind == Entered).map(|t| t.initial));
            walk.presence = step.presence;
        }
        told
    };
    let likely = |seconds| ping(seconds, &[(seconds, metres(0.0, 70.0), 60.0)]);
    assert_eq!(initial(&[fix(0, 0.0)]), [true]);
    assert_eq!(initial(&[likely(0), likely(30)]), [true], "of two, the first is the first sign");
    assert_eq!(initial(&[fix(0, 900.0), fix(60, 0.0)]), [false]);
    assert_eq!(initial(&[fix(0, 0.0), fix(5 * 3_600, 0.0)]), [true, true], "after silence");
    let city = ping(0, &[(0, metres(0.0, 900.0), 5_000.0)]);
    assert_eq!(initial(&[city, fix(60, 0.0)]), [true], "a whole city tells nothing");
}

/// The first transition that a phone sees which stands still and sends a ping when `next.at` wants one, and how many it
/// sent until then.
fn obeying(walk: &mut Walk, from: i64, (east, accuracy): (f64, f64)) -> (Transition, usize) {
    let areas = &Known::of(&walk.catalog.areas);
    let mut now = from;
    for pings in 1..20 {
        let came = step(areas, &walk.presence, &ping(now, &[(now, metres(0.0, east), accuracy)]));
        walk.presence = came.presence;
        if let Some(first) = came.transitions.into_iter().next() {
            return (first, pings);
        }
        now += silence::next(areas, &walk.presence, None, at(now)).at.since(at(now)).as_secs() as i64;
    }
    panic!("never entered: {:?}", walk.presence.areas);
}

#[test]
fn who_asks_when_told_to_enters_where_a_stop_is_wanted() {
    for stood in [(0.0, 5.0), (70.0, 60.0)] {
        for wanted in [5, 30, 600, 1_800] {
            let (entered, pings) = obeying(&mut stop(wanted), 0, stood);
            assert_eq!((entered.kind, entered.at, entered.initial), (Entered, at(0), true), "{wanted} s at {stood:?}");
            assert!(pings <= 4, "{pings} for {wanted} s at {stood:?}");
        }
        let mut walk = stop(600);
        for i in 0..=10 {
            walk.ping(&fix(10 * i, -900.0 + 90.0 * i as f64));
        }
        let (entered, pings) = obeying(&mut walk, 120, stood);
        assert!((at(100)..=at(120)).contains(&entered.at) && !entered.initial && pings <= 4, "{entered:?}, {pings}");
    }
}

#[test]
fn a_long_way_in_a_long_time_is_no_walk() {
    let mut walk = stop(60);
    walk.ping(&fix(0, -5_000.0));
    walk.ping(&fix(60, -5_000.0));
    assert_eq!(walk.ping(&fix(3_660, 0.0)), [], "5 km in an hour, by car as likely as not");
    assert_eq!(walk.ping(&fix(3_690, 0.0)), []);
    assert_eq!(walk.ping(&fix(3_720, 0.0)), [(Entered, at(3_660), false)]);
}

#[test]
fn who_was_driving_is_slow_from_where_it_is_known() {
    let driving = |seconds, east| {
        let mut ping = fix(seconds, east);
        ping.fixes[0].speed_mps = Some(12.0);
        ping
    };
    let slow_since = |gap: i64| {
        let mut walk = stop(60);
        walk.ping(&driving(0, -60.0));
        assert_eq!(walk.ping(&fix(gap, 0.0)), []);
        walk.presence.slow_since
    };
    assert_eq!((slow_since(60), slow_since(600)), (Some(at(60)), Some(at(600))));
    let mut walk = stop(60);
    let parked = |seconds| {
        let mut ping = driving(seconds, 0.0);
        ping.fixes[0].speed_mps = Some(0.0);
        ping
    };
    assert_eq!(walk.ping(&driving(0, 0.0)), []);
    assert_eq!((walk.ping(&parked(60)), walk.presence.slow_since), (vec![], Some(at(60))));

    let mut walk = stop(60);
    walk.ping(&fix(0, -60.0));
    walk.presence.slow_since = Some(at(0));
    (walk.presence.last_seen, walk.presence.anchor) = (None, None);
    assert_eq!(walk.ping(&fix(5_000, 0.0)), [], "nobody knows what was between");
}
