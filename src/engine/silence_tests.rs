//! The promise of the safe radius, with everything that can change presence: settings of places, jumps, speeds, backlogs.
//!
//! Law (DESIGN section 6): no later fix within the radius, of whatever accuracy, changes presence before `next.at`.

use std::{collections::BTreeSet, time::Duration};

use proptest::{option::of, prelude::*};

use super::{
    catalog::Catalog,
    decide::{Outcome, Question, decide},
    fixture::{acme, app, app_name, at, campaign, catalog, device_name, geofence, metres, person, ping},
};
use crate::domain::{
    audience::samples,
    campaign::{Campaign, On},
    detection::{Detection, Settings},
    organization::{Grant, Permission},
    ping::Ping,
    place::Geofence,
    presence::TransitionKind,
    profile::Profile,
};

fn settings() -> impl Strategy<Value = Settings> {
    let spans = (of(0..=600_u64), of(0..=1_800_u64), of(1..=1_800_u64), of(30..=3_600_u64));
    (of(0.1..0.99f64), of(10.0..300.0f64), spans).prop_map(|(probability, leave_margin_m, spans)| Settings {
        enter_probability: probability,
        confirm_probability: None,
        confirm_after: spans.0.map(Duration::from_secs),
        leave_margin_m,
        leave_after: spans.1.map(Duration::from_secs),
        stopped_for: spans.2.map(Duration::from_secs),
        dwell_after: spans.3.map(Duration::from_secs),
    })
}

fn world() -> impl Strategy<Value = Catalog> {
    let place = (-2_000.0..2_000.0f64, 5.0..500.0f64, settings());
    prop::collection::vec(place, 1..10).prop_map(|places| {
        let fence = |(i, (east, radius, settings)): (usize, (f64, f64, Settings))| {
            let detection = Detection::new(settings).expect("within bounds");
            Geofence { detection, ..geofence(&format!("f{i}"), east, radius) }.into()
        };
        catalog(places.into_iter().enumerate().map(fence).collect())
    })
}

/// One fix of a walk: how long after the ping before, how far east, how accurate, how fast, how old when it is sent.
type Move = (i64, f64, f64, Option<f64>, i64);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let east = prop_oneof![9 => -2_000.0..2_000.0f64, 1 => Just(80_000.0)];
    let accuracy = prop_oneof![9 => 3.0..300.0f64, 1 => Just(1_500.0)];
    let pause = prop_oneof![9 => 1..90_i64, 1 => 1_000..8_000_i64];
    let age = prop_oneof![9 => Just(0), 1 => 0..20_000_i64];
    prop::collection::vec((pause, east, accuracy, of(0.0..20.0f64), age), 1..20)
}

fn ask(world: &Catalog, profile: &Profile, ping: &Ping) -> Outcome {
    let (app, device, exhausted) = (app(), device_name(), BTreeSet::new());
    decide(&Question { catalog: world, app: &app, profile, device: &device, ping, seed: 7, exhausted: &exhausted })
}

fn fix((now, age): (i64, i64), north: f64, east: f64, accuracy: f64, speed: Option<f64>) -> Ping {
    let mut ping = ping(now, &[(now - age, metres(north, east), accuracy)]);
    ping.fixes[0].speed_mps = speed;
    ping
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn nothing_changes_within_the_radius_whatever_is_set(
        world in world(), moves in moves(), later in (0.0..1.0f64, 0.0..1.0f64, 0.0..std::f64::consts::TAU),
        accuracy in 1.0..2_000.0f64, speed in of(0.0..20.0f64),
    ) {
        let (mut profile, mut now, mut east) = (person(), 0, 0.0);
        let mut next = None;
        for (pause, to, accuracy, speed, age) in moves {
            (now, east) = (now + pause + age, to);
            let outcome = ask(&world, &profile, &fix((now, age), 0.0, east, accuracy, speed));
            (profile, next) = (outcome.profile, Some(outcome.decision.next));
        }
        let next = next.expect("at least one move");
        let (wait, share, turn) = later;
        let later = now + (next.at.since(at(now)).as_secs() as f64 * wait) as i64;
        // A radius of 0 promises nothing: the phone is inside a place that it has not entered yet.
        prop_assume!(next.safe_radius_m > 0.0 && later > now && at(later) < next.at);
        let reach = next.safe_radius_m * share;
        let there = fix((later, 0), reach * turn.sin(), east + reach * turn.cos(), accuracy, speed);
        let outcome = ask(&world, &profile, &there);
        let told = &outcome.decision.transitions;
        prop_assert!(told.is_empty(), "{told:?} after {} s within {reach} m", later - now);
    }
}

#[test]
fn nothing_is_promised_of_a_visit_that_silence_has_ended() {
    let world = catalog(vec![geofence("quay", 0.0, 100.0).into()]);
    let inside = ask(&world, &person(), &fix((20_000, 18_000), 0.0, 0.0, 5.0, None));
    assert_eq!(inside.decision.next.safe_radius_m, 0.0, "the next fix ends it, wherever it is");
    let soon = ask(&world, &person(), &fix((20_000, 9_000), 0.0, 0.0, 5.0, None));
    assert!(soon.decision.next.safe_radius_m > 0.0 && soon.decision.next.at < at(20_000 + 3_600 + 1));
}

/// Pings when `next` wants one, standing so far east from a time on, and in the middle until then; the decisions.
fn obey(world: &Catalog, (leaves_at, leaves_to): (i64, f64), until: i64) -> Vec<(i64, Outcome)> {
    let (mut profile, mut now, mut told) = (person(), 0, Vec::new());
    while now < until {
        let east = if now < leaves_at { 0.0 } else { leaves_to };
        let outcome = ask(world, &profile, &fix((now, 0), 0.0, east, 5.0, None));
        let next = outcome.decision.next;
        profile = outcome.profile.clone();
        told.push((now, outcome));
        let asked = now + next.at.since(at(now)).as_secs() as i64;
        // It also tells when it is farther away than nothing was promised for.
        now = if now < leaves_at && leaves_at < asked && next.safe_radius_m < leaves_to { leaves_at } else { asked };
    }
    told
}

/// The quay with that time to leave, and a campaign for those who do.
fn farewell(leave_after: u64) -> Catalog {
    let leave = Settings { leave_after: Some(Duration::from_secs(leave_after)), ..Settings::default() };
    let quay = Geofence { detection: Detection::new(leave).expect("sound"), ..geofence("quay", 0.0, 150.0) };
    catalog(vec![quay.into(), campaign("bye", On::Exited, "geofences/quay").into()])
}

#[test]
fn who_asks_when_told_to_is_offered_what_there_is_for_those_who_leave() {
    for (leave_after, leaves_at) in [(60, 2_430), (60, 2_879), (60, 100), (1_800, 2_430), (0, 2_430)] {
        let told = obey(&farewell(leave_after), (leaves_at, 190.0), leaves_at + 2_400);
        let exits = told.iter().flat_map(|(_, told)| &told.decision.transitions);
        let exits: Vec<_> = exits.filter(|told| matches!(told.kind, TransitionKind::Exited(_))).collect();
        let [exit] = exits[..] else { panic!("{exits:?}") };
        assert!(!exit.stale && at(leaves_at).since(exit.at) <= Duration::from_secs(480), "{leave_after}: {exit:?}");
        let offers: usize = told.iter().map(|(_, told)| told.decision.offers.len()).sum();
        assert_eq!(offers, 1);
        assert!(told.len() as i64 <= leaves_at / 480 + 3, "every eight minutes, then for the exit: {}", told.len());
    }
}

#[test]
fn who_stays_beside_what_it_was_in_is_asked_a_few_times_only() {
    const HOURS: i64 = 3;
    for leave_after in [0, 60, 600, 1_800] {
        // Beside it; and so far away that leaving begins, and back.
        for (leaves_to, stays_at) in [(160.0, 160.0), (172.0, 172.0), (190.0, 160.0)] {
            let (world, leaves_at) = (farewell(leave_after), 100);
            let mut profile = ask(&world, &person(), &fix((0, 0), 0.0, 0.0, 5.0, None)).profile;
            let (mut now, mut east, mut asked) = (leaves_at, leaves_to, 0);
            while now < HOURS * 3_600 {
                let outcome = ask(&world, &profile, &fix((now, 0), 0.0, east, 5.0, None));
                assert!(outcome.decision.transitions.is_empty(), "it is not left");
                now += outcome.decision.next.at.since(at(now)).as_secs() as i64;
                (profile, east, asked) = (outcome.profile, stays_at, asked + 1);
            }
            let began = if leaves_to > 175.0 { 6 } else { 2 };
            assert!(asked <= HOURS + 1 + began, "{asked} times within {HOURS} h: {leave_after} s, {leaves_to} m");
        }
    }
}

#[test]
fn nobody_is_asked_for_exits_while_no_campaign_for_them_runs() {
    let world = |runs: &[(i64, i64)]| {
        let bye = |(i, (starts, ends)): (usize, &(i64, i64))| {
            let mut bye = campaign(&format!("bye-{i}"), On::Exited, "geofences/quay");
            (bye.limits.starts_at, bye.limits.ends_at) = (Some(at(*starts)), Some(at(*ends)));
            bye.into()
        };
        catalog(runs.iter().enumerate().map(bye).chain([geofence("quay", 0.0, 150.0).into()]).collect())
    };
    let asked = |runs: &[(i64, i64)], leaves| {
        let told = obey(&world(runs), leaves, 9_000);
        let offers: usize = told.iter().map(|(_, told)| told.decision.offers.len()).sum();
        (told.into_iter().map(|(now, _)| now).collect::<Vec<_>>(), offers)
    };
    let stays = (99_999, 190.0);
    assert_eq!(asked(&[(30 * 86_400, 60 * 86_400)], stays), (vec![0, 3_600, 7_200], 0), "in a month");
    assert_eq!(asked(&[(-900, 400)], stays), (vec![0, 3_600, 7_200], 0), "over before an ask could find one");
    let (starts, later) = (2_400, (6_000, 6_200));
    assert_eq!(
        asked(&[(-900, 600), (starts, 3_300), later], stays),
        (vec![0, 480, 2_280, 2_760, 3_240, 5_880], 0),
        "shortly before each starts, and while it runs"
    );
    assert_eq!(asked(&[(starts, 3_300)], (starts + 10, 190.0)).1, 1, "who leaves as soon as it starts gets it");
}

#[test]
fn phones_are_not_asked_more_often_for_campaigns_that_do_not_wait_for_exits() {
    let quay = || geofence("quay", 0.0, 150.0).into();
    let next = |world: Vec<_>| {
        let first = ask(&catalog(world), &person(), &fix((0, 0), 0.0, 0.0, 5.0, None));
        first.decision.next.at
    };
    assert_eq!(next(vec![quay(), campaign("hello", On::Entered, "geofences/quay").into()]), at(3_600));
    assert_eq!(next(vec![quay(), campaign("bye", On::Exited, "geofences/quay").into()]), at(480));
    let theirs = Campaign {
        name: samples::brand().campaign("bye").expect("sound"),
        ..campaign("bye", On::Exited, "geofences/quay")
    };
    let grant = |id: &str, permission| {
        let name = acme().grant(id).expect("sound");
        Grant { name, grantee: samples::brand(), permission }.into()
    };
    let placed = || vec![quay(), theirs.clone().into(), grant("places", Permission::TargetPlaces)];
    assert_eq!(next(placed()), at(3_600), "of a brand that may not reach them");
    assert_eq!(next([placed(), vec![grant("app", Permission::ReachApp(app_name()))]].concat()), at(480));
    let world = catalog(vec![quay(), campaign("bye", On::Exited, "geofences/quay").into()]);
    let at_the_door = |now| fix((now, 0), 0.0, 160.0, 5.0, None);
    let mut profile = ask(&world, &person(), &fix((0, 0), 0.0, 0.0, 5.0, None)).profile;
    let mut asked = Vec::new();
    for now in [480, 540] {
        let outcome = ask(&world, &profile, &at_the_door(now));
        (profile, asked) = (outcome.profile, [asked, vec![outcome.decision.next.at]].concat());
    }
    assert_eq!(asked, [at(540), at(4_140)], "what would be history is waited for no more");
}
