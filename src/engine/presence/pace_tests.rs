//! Who stops enters where a stop is wanted, however often fixes come and however wrong they are; who drives past does not.

use std::time::Duration;

use super::{
    flapping::{Phone, TAUS_S},
    tests::Walk,
};
use crate::{
    domain::{
        detection::{Detection, Settings},
        ping::Ping,
        place::Geofence,
        presence::TransitionKind::Entered,
    },
    engine::fixture::{catalog, geofence, metres, ping},
};

const RADIUS_M: f64 = 150.0;
/// Metres from the centre where drivers come from and go to.
const FAR_M: f64 = 2_000.0;
/// How phones come by their fixes: seconds between two, and their accuracy in metres.
const PHONES: [(i64, f64); 12] = [
    (1, 5.0),
    (1, 20.0),
    (1, 50.0),
    (3, 35.0),
    (5, 10.0),
    (5, 35.0),
    (5, 50.0),
    (10, 35.0),
    (10, 50.0),
    (20, 50.0),
    (30, 35.0),
    (60, 50.0),
];
const STOPS_S: [u64; 3] = [30, 60, 300];

fn stop(seconds: u64) -> Walk {
    stop_within(RADIUS_M, seconds)
}

fn stop_within(radius_m: f64, seconds: u64) -> Walk {
    let stopped_for = Some(Duration::from_secs(seconds));
    let detection = Detection::new(Settings { stopped_for, ..Settings::default() }).expect("sound");
    let quay = Geofence { detection, ..geofence("quay", 0.0, radius_m) };
    Walk { catalog: catalog(vec![quay.into()]), presence: Default::default() }
}

/// A fix of a phone that says it stands.
fn said_to_stand(seconds: i64, north: f64, east: f64, accuracy_m: f64) -> Ping {
    let mut ping = ping(seconds, &[(seconds, metres(north, east), accuracy_m)]);
    ping.fixes[0].speed_mps = Some(0.0);
    ping
}

/// Whether a phone that is so far east, if it is somewhere, enters before `until`.
fn enters(walk: &mut Walk, phone: &mut Phone, (every, until): (i64, i64), east: impl Fn(i64) -> f64) -> bool {
    let mut entered = false;
    while phone.now < until {
        let [north, off] = phone.drift(every);
        let told = walk.fix(phone.now, metres(north, east(phone.now) + off), phone.accuracy_m);
        entered |= told.iter().any(|(kind, ..)| *kind == Entered);
    }
    entered
}

#[test]
fn who_was_parked_and_drives_past_does_not_enter_however_often_it_is_seen() {
    for every in [1, 2, 4] {
        let mut walk = stop(60);
        walk.fix(0, metres(0.0, -700.0), 5.0);
        walk.fix(60, metres(0.0, -700.0), 5.0);
        for seconds in (60..140).step_by(every).skip(1) {
            let east = -700.0 + 20.0 * (seconds - 60) as f64;
            assert_eq!(walk.fix(seconds, metres(0.0, east), 5.0), [], "{every} s");
        }
    }
}

#[test]
fn who_was_parked_and_is_seen_again_far_away_does_not_enter_whatever_the_errors() {
    for (gap_s, way_m) in [(250, 590.0), (200, 450.0)] {
        let mut walk = stop_within(800.0, 60);
        for seconds in (0..600).step_by(60) {
            walk.fix(seconds, metres(0.0, -500.0 - way_m), 200.0);
        }
        assert_eq!(walk.fix(540 + gap_s, metres(0.0, -500.0), 200.0), [], "{gap_s} s");
    }
}

#[test]
fn who_stands_enters_however_often_it_is_seen() {
    for every in [1, 2, 4] {
        let mut walk = stop(60);
        let told = (0..100).step_by(every).find_map(|at| walk.fix(at, metres(0.0, 0.0), 5.0).pop().map(|_| at));
        assert!(told.is_some_and(|at| (60..=64).contains(&at)), "{told:?} of every {every} s");
    }
}

#[test]
fn who_starts_at_a_light_before_the_edge_does_not_enter() {
    for green in 70..75 {
        for every in [1, 2] {
            let mut walk = stop(60);
            for seconds in (0..green + 15).step_by(every) {
                let east = -215.0 + 20.0 * (seconds - green).max(0) as f64;
                assert_eq!(walk.fix(seconds, metres(0.0, east), 5.0), [], "{green} s, every {every} s");
            }
        }
    }
}

#[test]
fn a_phone_that_says_it_stands_is_seen_to_drive() {
    for stopped_s in STOPS_S {
        let mut walk = stop_within(400.0, stopped_s);
        for seconds in (0..460).step_by(5) {
            let east = -450.0 + 15.0 * (seconds - 400).max(0) as f64;
            assert_eq!(walk.ping(&said_to_stand(seconds, 0.0, east, 200.0)), [], "{seconds} s, {stopped_s} s wanted");
        }
    }
}

#[test]
fn phones_that_say_they_stand_enter() {
    for (every, accuracy_m) in PHONES {
        let entered = (0..40).filter(|run| {
            let (mut walk, mut phone) = (stop(60), Phone::new(30_000 + *run, accuracy_m, 120.0));
            let mut told = std::iter::from_fn(|| {
                let [north, east] = phone.drift(every);
                (phone.now < 300).then(|| walk.ping(&said_to_stand(phone.now, north, east, accuracy_m)))
            });
            told.any(|told| !told.is_empty())
        });
        let entered = entered.count();
        assert!(entered >= 38, "{entered} of 40 within five minutes: {accuracy_m} m every {every} s");
    }
}

#[test]
fn a_bad_fix_does_not_hide_who_drives() {
    let mut walk = stop(60);
    for seconds in [0, 60, 120] {
        walk.fix(seconds, metres(0.0, -400.0), 300.0);
    }
    for seconds in 121..160 {
        let east = -400.0 + 12.0 * (seconds - 120) as f64;
        assert_eq!(walk.fix(seconds, metres(0.0, east), 5.0), [], "{seconds}");
    }
}

#[test]
fn standing_phones_enter() {
    for (every, accuracy_m) in PHONES {
        for stopped_s in STOPS_S {
            let stays = 40;
            let entered = (0..stays).filter(|run| {
                let mut phone = Phone::new(*run, accuracy_m, 120.0);
                enters(&mut stop(stopped_s), &mut phone, (every, 900), |_| 0.0)
            });
            let entered = entered.count() as u64;
            let said = format!("{entered} of {stays}: {accuracy_m} m every {every} s, {stopped_s} s wanted");
            println!("{said}");
            assert!(100 * entered >= 95 * stays, "{said}");
        }
    }
}

#[test]
fn standing_phones_that_know_only_about_where_they_are_enter_soon_and_drivers_do_not() {
    for accuracy_m in [150.0, 200.0, 300.0] {
        let of = |run: u64| Phone::new(run, accuracy_m, TAUS_S[run as usize % TAUS_S.len()]);
        let stands = |run: &u64| enters(&mut stop_within(1_500.0, 300), &mut of(*run), (60, 600), |_| 0.0);
        let standing = (0..60).filter(stands).count();
        assert!(standing >= 54, "{standing} of 60 within ten minutes: {accuracy_m} m, 300 s wanted");
        // Parked for a quarter of an hour, then through the middle.
        let east = |now: i64| 5.0 * (now - 900).max(0) as f64 - FAR_M;
        let drives = |run: &u64| enters(&mut stop_within(800.0, 60), &mut of(10_000 + run), (60, 1_700), east);
        let driving = (0..60).filter(drives).count();
        assert_eq!(driving, 0, "{accuracy_m} m, 60 s wanted");
    }
}

#[test]
fn drivers_do_not_enter() {
    for (every, accuracy_m) in PHONES {
        for stopped_s in STOPS_S {
            for mps in [5.0, 8.0, 12.0, 20.0, 30.0] {
                // Parked for ten minutes, then through the middle.
                let east = |now: i64| (mps * (now - 600).max(0) as f64 - FAR_M).min(FAR_M);
                let until = 600 + (1.5 * FAR_M / mps) as i64;
                let entered = (0..20).filter(|run| {
                    let mut phone = Phone::new(10_000 + *run, accuracy_m, 120.0);
                    enters(&mut stop(stopped_s), &mut phone, (every, until), east)
                });
                let entered = entered.count();
                assert_eq!(entered, 0, "{accuracy_m} m every {every} s at {mps} m/s, {stopped_s} s wanted");
            }
        }
    }
}

/// Six metres a second for 30 s, then 20 s at a stop or a light.
fn bus(seconds: i64) -> f64 {
    let moving = 30 * (seconds / 50) + (seconds % 50).min(30);
    6.0 * moving as f64 - FAR_M
}

#[test]
fn a_bus_in_slow_traffic_does_not_enter() {
    for (every, accuracy_m) in PHONES {
        for stopped_s in [60, 300] {
            let entered = (0..20).filter(|run| {
                let mut phone = Phone::new(20_000 + *run, accuracy_m, 120.0);
                enters(&mut stop(stopped_s), &mut phone, (every, 1_100), bus)
            });
            let entered = entered.count();
            println!("{entered} {accuracy_m} m every {every} s, {stopped_s} s wanted");
            assert_eq!(entered, 0, "{accuracy_m} m every {every} s, {stopped_s} s wanted");
        }
    }
}
