//! Explanations beside pings: what is said to pass passes, whatever fires it, and whoever is inside already; and the moment
//! that is promised is the first.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    decide::{Question, decide},
    explain_tests::{asked, given, hello, world},
    fixture::{app, at, beacon, campaign, catalog, device_name, here, metres, person, ping},
};
use crate::domain::{
    audience::{
        Audience, Rule,
        condition::{Ago, Count, Visited},
    },
    campaign::{Campaign, NthVisit, On},
    cap::{Cap, CivilPeriod, Within},
    consent::Purpose,
    decision::{Decision, Verdict},
    offer::GivenOffer,
    organization::App,
    ping::{Ping, Sighting},
    place::PlaceName,
    profile::Profile,
    schedule::{Schedule, Weekdays, Window},
    time::{QuietHours, TimeOfDay, TimeZone},
};

const HOUR: i64 = 3_600;

/// A campaign, and what leads to its trigger at noon: pings before anybody asks, and those that are yet to come.
type Story = (Campaign, Vec<Ping>, Vec<Ping>);

fn inside(second: i64) -> Ping {
    here(second, metres(0.0, 0.0))
}

fn outside(second: i64) -> Ping {
    here(second, metres(0.0, 300.0))
}

fn heard(second: i64) -> Ping {
    let silent = ping(second, &[]);
    let sighting = Sighting { beacon: beacon("till").identity, rssi_dbm: None, read: silent.clock.reading(at(second)) };
    Ping { sightings: vec![sighting], ..silent }
}

/// What is known of somebody before.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    /// They are there, or were lately.
    There,
    /// They were there, and their phone has been silent since.
    Silent,
}

fn story(number: usize, before: Before) -> Story {
    let dwelt = On::Dwelt { after: Duration::from_secs(600) };
    let (on, place, known, to_come) = match number {
        0 => (On::Entered, "geofences/quay", vec![inside(-2 * HOUR)], vec![outside(-HOUR), inside(0)]),
        1 => (On::Exited, "geofences/quay", vec![inside(-1_200)], vec![inside(-60), outside(0)]),
        2 => (dwelt, "geofences/quay", vec![inside(-600)], vec![inside(0)]),
        _ => (On::Heard, "beacons/till", vec![heard(-HOUR), heard(2 - HOUR)], vec![heard(-2), heard(0)]),
    };
    let campaign = campaign("hello", on, place);
    let days_ago = -50 * HOUR;
    let silent = if number == 3 { vec![heard(days_ago), heard(days_ago + 2)] } else { vec![inside(days_ago)] };
    let from_there = match number {
        0 => vec![inside(0)],
        2 => [known.as_slice(), &to_come].concat(),
        _ => to_come.clone(),
    };
    match before {
        Before::Nothing => (campaign, Vec::new(), from_there),
        Before::There => (campaign, known, to_come),
        Before::Silent => (campaign, silent, from_there),
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let visits = |count, within_days| Rule::Visits { at: Visited::Here, within_days, count };
    let last = |ago| Rule::LastVisit { at: Visited::Here, ago };
    prop_oneof![
        Just(Rule::All(Vec::new())),
        (0..4_u32, 1..90_u32).prop_map(move |(most, days)| visits(Count::AtMost(most), days)),
        (1..4_u32, 1..90_u32).prop_map(move |(least, days)| visits(Count::AtLeast(least), days)),
        (1..80_u32).prop_map(move |days| last(Ago::AtLeast { days })),
        (1..80_u32).prop_map(move |days| last(Ago::AtMost { days })),
    ]
}

/// Somebody of whom visits are remembered, before pings lead to the trigger of a campaign that may ask for them. No visit is
/// near the time of the pings, or a whole number of days ago.
fn visitor() -> impl Strategy<Value = (Story, App, Profile)> {
    let visits = prop::collection::vec(4..2_000_i64, 0..5);
    let nth = (0..4_u32, 0..4_u32).prop_map(|(at_least, every)| NthVisit { at_least, every });
    let before = prop_oneof![Just(Before::Nothing), Just(Before::There), Just(Before::Silent)];
    (troubled(), 0..4_usize, before, rule(), nth, visits, any::<bool>()).prop_map(
        |((limited, app, mut profile), number, before, rule, visit, visits, is_free)| {
            let (mut campaign, known, to_come) = story(number, before);
            let app = if is_free { super::fixture::app() } else { app };
            if is_free {
                profile.consents = person().consents;
            } else {
                campaign.limits = limited.limits;
            }
            campaign.audience = Audience::new(rule).expect("small");
            campaign.trigger.visit = visit;
            let place = if number == 3 { "beacons/till" } else { "geofences/quay" };
            let place = PlaceName::parse(&format!("organizations/acme/{place}")).expect("sound");
            let begun = visits.into_iter().map(|hours| at(-hours * HOUR - HOUR / 2));
            begun.for_each(|begun| profile.visits_of_record_mut().note(&place, begun, at(0)));
            ((campaign, known, to_come), app, profile)
        },
    )
}

/// What the person is after the pings, and what was decided last.
fn after(campaign: &Campaign, app: &App, profile: &Profile, pings: &[Ping]) -> (Profile, Option<Decision>) {
    let (catalog, device, exhausted) = (catalog(world(campaign)), device_name(), BTreeSet::new());
    pings.iter().fold((profile.clone(), None), |(profile, _), ping| {
        let (catalog, profile, device, exhausted) = (&catalog, &profile, &device, &exhausted);
        let outcome = decide(&Question { catalog, app, profile, device, ping, seed: 7, exhausted });
        (outcome.profile, Some(outcome.decision))
    })
}

/// The code of the first refusal of a real ping, the last of these.
fn verdict(campaign: &Campaign, app: &App, profile: &Profile, pings: &[Ping]) -> &'static str {
    let decision = after(campaign, app, profile, pings).1.expect("a ping");
    match decision.considered.first().map(|considered| &considered.verdict) {
        Some(Verdict::Chosen(_)) => "CHOSEN",
        Some(Verdict::Refused(reason)) => reason.code(),
        None => "NOT_CONSIDERED",
    }
}

/// Somebody whom much keeps from the offer, and a campaign that asks much.
fn troubled() -> impl Strategy<Value = (Campaign, App, Profile)> {
    let windows = prop::collection::vec((0..1_440_u32, 0..1_440_u32, 1..128_u8), 0..3);
    let cap = (
        1..3_u32,
        prop_oneof![
            (60..400_000_u64).prop_map(|seconds| Within::Window(Duration::from_secs(seconds))),
            Just(Within::Period(CivilPeriod::Day)),
            Just(Within::Period(CivilPeriod::Week)),
            Just(Within::Period(CivilPeriod::Month)),
        ],
    );
    let offers = prop::collection::vec(-300_000..0_i64, 0..6);
    let quiet = prop::option::of((0..1_440_u32, 0..1_440_u32));
    let zone = prop_oneof![Just("UTC"), Just("Europe/Rome"), Just("Asia/Kolkata")];
    let spans = (windows, cap, offers, quiet, zone);
    (spans, 0..40_000_u64, 0..3_u32, prop::option::of(0..200_000_i64), any::<bool>()).prop_map(
        |((windows, (offers, within), past, quiet, zone), rests, daily, starts, refuses)| {
            let of_minute = |minute: u32| TimeOfDay::new(minute / 60, minute % 60).expect("sound");
            let mut campaign = hello();
            let window = |(from, to, days): (u32, u32, u8)| Window {
                days: Weekdays::try_from(days).expect("days"),
                from: of_minute(from),
                to: of_minute(to),
            };
            campaign.limits.schedule =
                Schedule { windows: windows.into_iter().map(window).collect(), ..Schedule::default() };
            campaign.limits.per_profile = vec![Cap { offers, within }];
            campaign.limits.cool_down = Duration::from_secs(rests);
            campaign.limits.starts_at = starts.map(at);
            let quiet_hours = quiet.map(|(from, to)| QuietHours { from: of_minute(from), to: of_minute(to) });
            let zone = TimeZone::new(zone).expect("known");
            let app = App { quiet_hours, daily_offers: daily, time_zone: zone, ..app() };
            let mut profile = person();
            let mut past: Vec<GivenOffer> = past.iter().map(|&seconds| given(&campaign.name, seconds)).collect();
            past.sort_by_key(|offer| offer.offered_at);
            profile.offers = past.into();
            if refuses {
                profile.consents = super::fixture::consents(&[Purpose::Location]);
            }
            (campaign, app, profile)
        },
    )
}

proptest! {
    #[test]
    fn the_first_refusal_is_the_verdict_of_a_ping(((campaign, known, to_come), app, profile) in visitor()) {
        let (profile, _) = after(&campaign, &app, &profile, &known);
        let told = asked(&campaign, &app, &profile, at(0));
        let first = told.answers.iter().find_map(|answer| answer.refusal.as_ref());
        prop_assert_eq!(first.map_or("CHOSEN", |(code, _)| code), verdict(&campaign, &app, &profile, &to_come));
        prop_assert_eq!(told.would_offer, first.is_none());
        let refusing: Vec<&str> =
            told.answers.iter().filter(|answer| answer.refusal.is_some()).map(|answer| answer.gate).collect();
        let mut flipped: Vec<&str> = told.flips.iter().map(|flip| flip.gate).collect();
        flipped.dedup();
        prop_assert_eq!(refusing, flipped);
    }

    #[test]
    fn the_promised_moment_is_the_first((story, app, profile) in visitor(), checks in prop::collection::vec(0.0..1.0, 9)) {
        let (mut campaign, known, _) = story;
        // To conditions, and to visits that are yet to end, nobody looks ahead.
        (campaign.audience, campaign.trigger.visit) = (Audience::everyone(), NthVisit::default());
        let (profile, _) = after(&campaign, &app, &profile, &known);
        let told = asked(&campaign, &app, &profile, at(0));
        let Some(promised) = told.at else {
            // Within the week that is looked ahead there is none: hours may never meet.
            for moment in checks.iter().map(|share| at(0) + (Duration::from_secs(7 * 86_400)).mul_f64(*share)) {
                let passes = asked(&campaign, &app, &profile, moment).would_offer;
                prop_assert!(told.would_offer || !passes, "{} of {:?}", moment, told);
            }
            return Ok(());
        };
        prop_assert!(asked(&campaign, &app, &profile, promised).would_offer, "{}", promised);
        let span = promised.since(at(0));
        let before = checks.iter().map(|share| at(0) + span.mul_f64(*share)).chain([promised - Duration::from_micros(1)]);
        for moment in before.filter(|&moment| moment < promised) {
            prop_assert!(!asked(&campaign, &app, &profile, moment).would_offer, "{} before {}", moment, promised);
        }
    }
}
