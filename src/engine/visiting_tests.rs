//! Visits as people would count them, and campaigns that ask for them.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    decide::{Question, decide},
    eligibility::Standing,
    explain::{Case, explain},
    fixture::{
        acme, app, at, beacon, campaign, catalog, consents, device_name, geofence, here, metres, person, ping, store,
    },
};
use crate::domain::{
    audience::{
        Audience, Rule,
        condition::{Ago, Count, OfferEvent, OffersOf, Visited},
    },
    campaign::{Campaign, On},
    cap::Cap,
    catalog::Resource,
    consent::Purpose,
    geo::Position,
    offer::{GivenOffer, OfferId},
    ping::{ClockReading, Ping, Sighting},
    place::{Beacon, Geofence, PlaceName},
    profile::Profile,
};

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn after(world: &[Resource], profile: &Profile, ping: &Ping) -> (Profile, Vec<String>) {
    let catalog = catalog(world.to_vec());
    let (app, device, exhausted) = (app(), device_name(), BTreeSet::new());
    let question =
        Question { catalog: &catalog, app: &app, profile, device: &device, ping, seed: 7, exhausted: &exhausted };
    let outcome = decide(&question);
    (outcome.profile, outcome.decision.offers.into_iter().map(|offer| offer.content.title).collect())
}

/// Where the person was, at the end of a walk: how many visits to the place are remembered.
fn walk(world: &[Resource], place: &str, steps: &[(i64, Position)]) -> usize {
    let step =
        |profile: Profile, &(second, position): &(i64, Position)| after(world, &profile, &here(second, position)).0;
    count(&steps.iter().fold(person(), step), place)
}

fn count(profile: &Profile, place: &str) -> usize {
    let place = PlaceName::parse(&format!("organizations/acme/{place}")).expect("sound");
    profile.visits_of_record().at(&place).len()
}

fn inside() -> Position {
    metres(0.0, 0.0)
}

fn far() -> Position {
    metres(5_000.0, 0.0)
}

fn of_cafe(fence: Geofence) -> Resource {
    Geofence { store: Some(acme().store("cafe").expect("sound")), ..fence }.into()
}

#[test]
fn a_visit_counts_from_its_entry_and_coming_back_soon_is_none() {
    let world = [store("cafe", 0.0).into(), of_cafe(geofence("hall", 0.0, 80.0)), geofence("quay", 0.0, 300.0).into()];
    assert_eq!(walk(&world, "stores/cafe", &[(0, inside())]), 1);
    assert_eq!(walk(&world, "geofences/hall", &[(0, inside())]), 0, "what belongs to a store is the store");
    assert_eq!(walk(&world, "geofences/quay", &[(0, inside())]), 1);
    let back = |at: i64| walk(&world, "stores/cafe", &[(0, inside()), (10 * MINUTE, far()), (at, inside())]);
    assert_eq!((back(30 * MINUTE), back(31 * MINUTE)), (1, 2));
}

fn heard(second: i64, place: Position) -> Ping {
    let clock = ClockReading { sent_at: at(second), received_at: at(second) };
    let sighting = Sighting { beacon: beacon("till").identity, rssi_dbm: None, read: clock.reading(at(second)) };
    Ping { sightings: vec![sighting], ..ping(second, &[(second, place, 5.0)]) }
}

#[test]
fn a_beacon_that_is_heard_is_visited() {
    let world = [beacon("till").into()];
    let twice = [0, 30].iter().fold(person(), |profile, &second| after(&world, &profile, &heard(second, inside())).0);
    assert_eq!(count(&twice, "beacons/till"), 1);
}

#[test]
fn another_door_while_inside_is_the_same_visit() {
    let world = [
        store("cafe", 0.0).into(),
        of_cafe(geofence("hall", 0.0, 200.0)),
        of_cafe(geofence("bar", 150.0, 30.0)),
        Beacon { store: Some(acme().store("cafe").expect("sound")), ..beacon("till") }.into(),
    ];
    let to_the_bar = [(0, inside()), (HOUR, inside()), (2 * HOUR, metres(0.0, 150.0))];
    assert_eq!(walk(&world, "stores/cafe", &to_the_bar), 1);
    let mut profile = after(&world, &person(), &here(0, inside())).0;
    for second in [HOUR, HOUR + 30] {
        profile = after(&world, &profile, &heard(second, inside())).0;
    }
    assert_eq!((count(&profile, "stores/cafe"), profile.visits_of_record().iter().count()), (1, 1));
}

#[test]
fn coming_near_a_store_is_a_visit_only_where_nothing_else_can_be() {
    let at_cafe = |radius_m| campaign("near", On::Near { radius_m }, "stores/cafe").into();
    let bare = |radius_m| walk(&[store("cafe", 0.0).into(), at_cafe(radius_m)], "stores/cafe", &[(0, inside())]);
    assert_eq!((bare(100), bare(101)), (1, 0));
    let drawn = [store("cafe", 0.0).into(), at_cafe(100), of_cafe(geofence("hall", 900.0, 50.0))];
    assert_eq!(walk(&drawn, "stores/cafe", &[(0, inside())]), 0);
}

#[test]
fn without_consent_to_profiling_nothing_is_remembered() {
    let mut shy = person();
    shy.consents = consents(&[Purpose::Location, Purpose::Marketing]);
    let (shy, _) = after(&[geofence("quay", 0.0, 80.0).into()], &shy, &here(0, inside()));
    assert!(shy.visits_of_record().is_empty());
    let (seen, _) = after(&[geofence("quay", 0.0, 80.0).into()], &person(), &here(0, inside()));
    for left in [[Purpose::Location, Purpose::Marketing], [Purpose::Profiling, Purpose::Marketing]] {
        let mut shy = seen.clone();
        shy.agree(shy.consents.clone(), at(1));
        assert_eq!(shy.visits_of_record().iter().count(), 1);
        shy.agree(consents(&left), at(1));
        let believed =
            shy.devices.values().any(|device| !device.presence.areas.is_empty() || device.presence.last_seen.is_some());
        assert_eq!(believed, left.contains(&Purpose::Location), "where the device is");
        shy.agree(consents(&Purpose::ALL), at(2));
        assert!(shy.visits_of_record().is_empty(), "withdrawn, they are forgotten for good");
    }
}

#[test]
fn a_consent_tells_nothing_of_what_was_read_before_it() {
    let world = [geofence("quay", 0.0, 80.0).into()];
    let backlog = |clock_s: i64| {
        let path = [(2_000, inside(), 5.0), (2_200, inside(), 5.0), (2_900, far(), 5.0), (8_100, inside(), 5.0)];
        let mut ping = ping(8_100, &path);
        ping.clock.sent_at = at(8_100 + clock_s);
        for (fix, (second, ..)) in ping.fixes.iter_mut().zip(path) {
            fix.read = ping.clock.reading(at(second + clock_s));
        }
        ping
    };
    let without = consents(&[Purpose::Marketing, Purpose::Profiling]);
    let granted = |profile: &mut Profile| profile.agree(consents(&Purpose::ALL), at(8_000));
    for (seen, clock_s) in [(true, 0), (true, 600), (true, -600), (false, 0)] {
        let mut person = if seen { after(&world, &person(), &here(0, far())).0 } else { person() };
        let mut told = person.clone();
        granted(&mut told);
        assert_eq!(count(&after(&world, &told, &backlog(clock_s)).0, "geofences/quay"), 2, "they always agreed");
        person.agree(without.clone(), at(1_000));
        granted(&mut person);
        assert_eq!(count(&after(&world, &person, &backlog(clock_s)).0, "geofences/quay"), 1, "{seen} {clock_s}");
    }
}

#[test]
fn what_is_known_of_where_somebody_was_who_did_not_agree_ends_when_they_agree() {
    let world = [geofence("quay", 0.0, 80.0).into()];
    let (mut shy, _) = after(&world, &person(), &here(0, inside()));
    // As records are from when withdrawing forgot nothing.
    shy.consents = consents(&[Purpose::Marketing]);
    shy.agree(consents(&Purpose::ALL), at(HOUR));
    assert!(shy.devices.values().all(|device| device.presence.areas.is_empty()));
}

#[test]
fn a_ping_that_changes_nothing_copies_no_visits() {
    let world = [geofence("quay", 0.0, 80.0).into()];
    let (entered, _) = after(&world, &person(), &here(0, inside()));
    let (still, _) = after(&world, &entered, &here(MINUTE, inside()));
    assert!(Arc::ptr_eq(entered.visits_of_record(), still.visits_of_record()));
    let (left, _) = after(&world, &entered, &here(MINUTE, far()));
    assert!(Arc::ptr_eq(entered.visits_of_record(), left.visits_of_record()));
}

/// A campaign at the quay for whom the rule holds, however often.
fn for_whom(id: &str, rule: Rule) -> Resource {
    let mut wanted = campaign(id, On::Entered, "geofences/quay");
    wanted.limits.per_profile = vec![Cap::rolling(99, super::fixture::DAY)];
    Campaign { audience: Audience::new(rule).expect("sound"), ..wanted }.into()
}

#[test]
fn campaigns_know_the_visit_that_begins_and_the_last_one_before_it() {
    let visits = |count| Rule::Visits { at: Visited::Here, within_days: 30, count };
    let last = |days| Rule::LastVisit { at: Visited::Here, ago: Ago::AtLeast { days } };
    let given = Rule::Offers {
        of: OffersOf::Campaign(acme().campaign("first").expect("sound")),
        event: OfferEvent::Offered,
        within_days: 7,
        count: Count::AtLeast(1),
    };
    let world = [
        geofence("quay", 0.0, 80.0).into(),
        for_whom("first", visits(Count::AtMost(1))),
        for_whom("third", visits(Count::AtLeast(3))),
        for_whom("welcome-back", last(5)),
        for_whom("again", given),
    ];
    let mut profile = person();
    let mut come = |second: i64| {
        let (away, _) = after(&world, &profile, &here(second - HOUR, far()));
        let (next, offers) = after(&world, &away, &here(second, inside()));
        profile = next;
        offers.into_iter().collect::<BTreeSet<_>>()
    };
    let named = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(come(2 * HOUR), named(&["first"]), "the visit that begins is the first, and none was before it");
    assert_eq!(come(DAY), named(&["again"]));
    assert_eq!(come(6 * DAY), named(&["again", "third", "welcome-back"]));
    assert_eq!(come(35 * DAY), named(&["welcome-back"]), "two visits within 30 days, and no offer within seven");
}

#[test]
fn an_offer_that_was_shown_after_all_is_the_last_one() {
    let mut third = campaign("third", On::Entered, "geofences/quay");
    third.trigger.visit.every = 3;
    let world = [geofence("quay", 0.0, 80.0).into(), third.clone().into()];
    let mut regular = person();
    for visit in 0..3 {
        regular = after(&world, &regular, &here(visit * DAY, inside())).0;
        regular = after(&world, &regular, &here(visit * DAY + HOUR, far())).0;
    }
    let come = |offer: GivenOffer| {
        let mut regular = regular.clone();
        regular.offers = Arc::new(vec![offer]);
        after(&world, &regular, &here(3 * DAY, inside())).1.len()
    };
    let offer = GivenOffer::new(OfferId::new(at(2 * DAY), 7), third.name, device_name(), at(2 * DAY));
    let returned = GivenOffer { returned_at: Some(at(2 * DAY + HOUR)), ..offer.clone() };
    let shown = GivenOffer { shown_at: Some(at(2 * DAY + MINUTE)), ..returned.clone() };
    assert_eq!([offer, returned, shown].map(come), [0, 1, 0]);
}

/// What the visit gate says of a campaign for the second visit, if its trigger happened then.
fn supposed(on: On, world: &[Resource], profile: &Profile, second: i64) -> Option<String> {
    let place = if on == On::Heard { "beacons/till" } else { "geofences/quay" };
    let mut second_time = campaign("second", on, place);
    second_time.trigger.visit.at_least = 2;
    told(("VISIT", place), second_time, world, profile, second)
}

/// What a gate says of the campaign, if its trigger happened at the place then.
fn told(
    (gate, place): (&str, &str),
    campaign: Campaign,
    world: &[Resource],
    profile: &Profile,
    second: i64,
) -> Option<String> {
    let campaign = Arc::new(campaign);
    let catalog = catalog([world, &[Campaign::clone(&campaign).into()]].concat());
    let (app, exhausted) = (app(), BTreeSet::new());
    let device = profile.devices.get(&device_name()).expect("there");
    let (now, exhausted) = (at(second), &exhausted);
    let standing = Standing { catalog: &catalog, app: &app, profile, device, now, is_suspect: false, exhausted };
    let place = PlaceName::parse(&format!("organizations/acme/{place}")).expect("sound");
    let state = campaign.state;
    let told = explain(&Case { standing, campaign: &campaign, state, place: &place, distance_m: 0.0 });
    told.answers.into_iter().find(|answer| answer.gate == gate)?.refusal.map(|(code, _)| code.to_owned())
}

#[test]
fn the_visit_that_goes_on_is_not_counted_twice() {
    let world: [Resource; 2] = [geofence("quay", 0.0, 80.0).into(), beacon("till").into()];
    let mut ann = [0, 3].iter().fold(person(), |profile, &second| after(&world, &profile, &heard(second, inside())).0);
    for turn in 1..=5 {
        ann = after(&world, &ann, &heard(turn * 9 * MINUTE, inside())).0;
    }
    let dwelt = On::Dwelt { after: std::time::Duration::from_secs(300) };
    for on in [On::Exited, On::Heard, dwelt] {
        let told = supposed(on.clone(), &world, &ann, 46 * MINUTE);
        assert_eq!(told.as_deref(), Some("VISIT_NUMBER"), "{on:?}: it is the first");
    }
    assert_eq!(supposed(On::Heard, &world, &ann, 2 * HOUR), None, "after silence it is the second");
}

#[test]
fn silence_ends_a_visit_for_beacons_too() {
    let of_the_till = |id, on: On, rule| {
        let mut wanted = campaign(id, on, "beacons/till");
        wanted.trigger.visit.at_least = 2;
        Resource::from(Campaign { audience: Audience::new(rule).expect("sound"), ..wanted })
    };
    let cafe = acme().store("cafe").expect("sound");
    let world = [
        store("cafe", 0.0).into(),
        of_cafe(geofence("hall", 0.0, 80.0)),
        Beacon { store: Some(cafe), ..beacon("till") }.into(),
        of_the_till("again", On::Heard, Rule::LastVisit { at: Visited::Here, ago: Ago::AtLeast { days: 2 } }),
    ];
    let (monday, _) = after(&world, &person(), &here(0, inside()));
    let hear = |second: i64| {
        let without_fix = |at_second| Ping { fixes: Vec::new(), ..heard(at_second, inside()) };
        let (first, _) = after(&world, &monday, &without_fix(second));
        let (next, offers) = after(&world, &first, &without_fix(second + 2));
        (count(&next, "stores/cafe"), offers.len())
    };
    assert_eq!(hear(4 * HOUR - 2), (1, 0), "the visit goes on");
    assert_eq!(hear(4 * HOUR), (2, 0), "it is another, and the last was today");
    assert_eq!(hear(3 * DAY), (2, 1));
}

#[test]
fn who_is_inside_now_is_not_taken_to_be_inside_still_after_silence() {
    let world: [Resource; 1] = [geofence("quay", 0.0, 80.0).into()];
    let (ann, _) = after(&world, &person(), &here(0, inside()));
    let dwelt = On::Dwelt { after: std::time::Duration::from_secs(300) };
    for on in [On::Exited, dwelt] {
        let told = |second| supposed(on.clone(), &world, &ann, second);
        assert_eq!(told(4 * HOUR).as_deref(), Some("VISIT_NUMBER"), "{on:?}: it is the first");
        assert_eq!(told(2 * DAY), None, "{on:?}: that one is over");
    }
}

/// A campaign for who was at the place once at most, of whom an explanation about then is asked.
fn told_once(on: On, place: &str, world: &[Resource], profile: &Profile, second: i64) -> Option<String> {
    let once = Rule::Visits { at: Visited::Here, within_days: 90, count: Count::AtMost(1) };
    let audience = Audience::new(once).expect("sound");
    told(("AUDIENCE", place), Campaign { audience, ..campaign("once", on, place) }, world, profile, second)
}

#[test]
fn the_visit_that_would_be_dwelt_in_or_left_is_counted() {
    let world: [Resource; 1] = [geofence("quay", 0.0, 80.0).into()];
    let at_quay = |on, profile: &Profile, second| told_once(on, "geofences/quay", &world, profile, second);
    let dwelt = || On::Dwelt { after: std::time::Duration::from_secs(600) };
    let (inside_once, _) = after(&world, &person(), &here(0, inside()));
    let (back, _) = after(&world, &inside_once, &here(HOUR, far()));
    for on in [On::Entered, On::Exited, dwelt()] {
        assert_eq!(at_quay(on.clone(), &person(), 0), None, "{on:?}: it is the first");
        assert_eq!(at_quay(on.clone(), &back, 3 * DAY).as_deref(), Some("AUDIENCE"), "{on:?}: it is the second");
    }
    for on in [On::Exited, dwelt()] {
        assert_eq!(at_quay(on.clone(), &inside_once, 5 * MINUTE), None, "{on:?}: it is the one that goes on");
    }
}

#[test]
fn the_visit_to_the_store_goes_on_by_whichever_door() {
    let world =
        [store("cafe", 0.0).into(), of_cafe(geofence("hall", 0.0, 80.0)), of_cafe(geofence("terrace", 150.0, 100.0))];
    let way = [(0, inside()), (40 * MINUTE, metres(0.0, 60.0)), (50 * MINUTE, metres(0.0, 200.0))];
    let ann = way.iter().fold(person(), |profile, &(second, to)| after(&world, &profile, &here(second, to)).0);
    assert_eq!(count(&ann, "stores/cafe"), 1);
    for on in [On::Exited, On::Dwelt { after: std::time::Duration::from_secs(30 * 60) }] {
        assert_eq!(told_once(on.clone(), "geofences/terrace", &world, &ann, 75 * MINUTE), None, "{on:?}");
    }
}

#[test]
fn every_second_visit_is_that_also_when_the_way_in_is_long() {
    let mut second = campaign("second", On::Near { radius_m: 3_000 }, "stores/cafe");
    second.trigger.visit.every = 2;
    let world = [store("cafe", 0.0).into(), of_cafe(geofence("hall", 0.0, 80.0)), second.into()];
    let mut ann = person();
    let mut come = |second: i64, to| {
        let (next, offers) = after(&world, &ann, &here(second, to));
        ann = next;
        offers.len()
    };
    let mut day = |day: i64| {
        let near = come(day * DAY, metres(2_900.0, 0.0));
        let later = [(40 * MINUTE, inside()), (2 * HOUR, far())].map(|(after, to)| come(day * DAY + after, to));
        assert_eq!(later, [0, 0]);
        near
    };
    assert_eq!([0, 1, 2, 3, 4, 5].map(&mut day), [0, 1, 0, 1, 0, 1]);
}
