//! Where an explanation supposes the trigger to happen, beside decisions about pings and events that say the same place.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    decide::{Question, decide},
    eligibility::Standing,
    explain::{Case, Explanation, explain},
    fixture::{acme, app, at, beacon, campaign, catalog, consents, device_name, geofence, here, metres, person, store},
    foremost::LeftOut,
};
use crate::domain::{
    audience::{
        Audience, Rule,
        condition::{Count, PlaceTest, Visited},
    },
    campaign::{Campaign, Limits, On, Target},
    catalog::Resource,
    consent::Purpose,
    decision::Verdict,
    opening::OpeningHours,
    ping::{AppEvent, Ping, Sighting},
    place::{Geofence, PlaceName, Store},
    presence::Area,
    profile::Profile,
    schedule::{Schedule, Weekdays, WhileOpen, Window},
    text::{EventKey, Tag},
    time::{TimeOfDay, TimeZone},
};

const CAFE: &str = "organizations/acme/stores/cafe";
const LONE: &str = "organizations/acme/beacons/lone";

fn place(name: &str) -> PlaceName {
    PlaceName::parse(name).expect("sound")
}

/// Of Tokyo, where it is 21:00, and always open.
fn cafe() -> Store {
    Store {
        time_zone: TimeZone::new("Asia/Tokyo").expect("known"),
        opening_hours: OpeningHours::new("24/7").expect("sound"),
        tags: BTreeSet::from([Tag::new("coffee").expect("sound")]),
        ..store("cafe", 0.0)
    }
}

fn world(campaign: &Campaign) -> Vec<Resource> {
    vec![cafe().into(), beacon("lone").into(), campaign.clone().into()]
}

fn explained(campaign: &Campaign, profile: &Profile, place: &PlaceName) -> Explanation {
    explained_in(world(campaign), campaign, profile, place)
}

fn explained_in(world: Vec<Resource>, campaign: &Campaign, profile: &Profile, place: &PlaceName) -> Explanation {
    let (app, catalog, nothing) = (app(), catalog(world), BTreeSet::new());
    let device = profile.devices.get(&device_name()).expect("there");
    let (now, exhausted) = (at(0), &nothing);
    let standing = Standing { catalog: &catalog, app: &app, profile, device, now, is_suspect: false, exhausted };
    let (campaign, state) = (&Arc::new(campaign.clone()), campaign.state);
    explain(&Case { standing, campaign, state, place, distance_m: 0.0 })
}

/// The code of the first refusal.
fn told(explanation: &Explanation) -> &'static str {
    let first = explanation.answers.iter().find_map(|answer| answer.refusal.as_ref());
    first.map_or("CHOSEN", |(code, _)| code)
}

/// The code of the verdict about a ping; none if the campaign was not considered.
fn decided(campaign: &Campaign, profile: &Profile, ping: &Ping) -> Option<&'static str> {
    let (app, catalog, nothing) = (app(), catalog(world(campaign)), BTreeSet::new());
    let (device, exhausted) = (device_name(), &nothing);
    let decision =
        decide(&Question { catalog: &catalog, app: &app, profile, device: &device, ping, seed: 7, exhausted });
    decision.decision.considered.first().map(|considered| match &considered.verdict {
        Verdict::Chosen(_) => "CHOSEN",
        Verdict::Refused(reason) => reason.code(),
    })
}

fn scan() -> EventKey {
    EventKey::new("scan").expect("sound")
}

/// A fix at the café, and an event at the place.
fn scanned(place: &PlaceName) -> Ping {
    let fix = here(0, metres(0.0, 0.0));
    let event = AppEvent { key: scan(), place: Some(place.clone()), read: fix.clock.reading(at(0)) };
    Ping { event: Some(event), ..fix }
}

fn anywhere() -> Campaign {
    let mut campaign = campaign("hello", On::AppEvent { key: scan() }, "stores/cafe");
    campaign.trigger.at = Target::Anywhere;
    campaign
}

fn with_rule(campaign: Campaign, rule: Rule) -> Campaign {
    Campaign { audience: Audience::new(rule).expect("small"), ..campaign }
}

fn scheduled(schedule: Schedule) -> Campaign {
    let mut campaign = anywhere();
    campaign.limits.schedule = schedule;
    campaign
}

/// Campaigns of which each asks something about the place.
fn asking() -> Vec<Campaign> {
    let time = |text| TimeOfDay::parse(text).expect("sound");
    let (nine, ten) = (time("21:00"), time("22:00"));
    let evening = Window { days: Weekdays::ALL, from: nine, to: ten };
    let always_open = WhileOpen { last_call: Default::default() };
    let tests = [
        PlaceTest::Network(acme()),
        PlaceTest::AnyTag(cafe().tags),
        PlaceTest::OpenNow,
        PlaceTest::Within { metres: 5_000 },
    ];
    let visits = Rule::Visits { at: Visited::Here, within_days: 30, count: Count::AtLeast(1) };
    let rules = tests.into_iter().map(Rule::Place).chain([visits]);
    let schedules = [
        Schedule { only_while_open: Some(always_open), ..Schedule::default() },
        Schedule { windows: vec![evening], ..Schedule::default() },
    ];
    rules.map(|rule| with_rule(anywhere(), rule)).chain(schedules.into_iter().map(scheduled)).collect()
}

fn regular() -> Profile {
    let mut ann = person();
    ann.visits_of_record_mut().note(&place(CAFE), at(-86_400), at(-86_400));
    ann
}

#[test]
fn what_fires_anywhere_is_asked_about_the_place_where_it_happens() {
    for (i, campaign) in asking().iter().enumerate() {
        for name in [CAFE, LONE] {
            let (ann, place) = (regular(), place(name));
            let real = decided(campaign, &ann, &scanned(&place)).expect("considered");
            assert_eq!(told(&explained(campaign, &ann, &place)), real, "{i} at {name}");
            assert!(name == LONE || real == "CHOSEN", "{i}: {real}");
        }
    }
}

#[test]
fn nobody_is_at_a_distance_from_a_beacon_without_a_store() {
    let near =
        with_rule(campaign("hello", On::Heard, "beacons/lone"), Rule::Place(PlaceTest::Within { metres: 5_000 }));
    let fix = here(0, metres(0.0, 0.0));
    let heard =
        |seconds| Sighting { beacon: beacon("lone").identity, rssi_dbm: None, read: fix.clock.reading(at(seconds)) };
    let ping = Ping { sightings: vec![heard(-2), heard(0)], ..fix.clone() };
    let real = decided(&near, &person(), &ping).expect("considered");
    assert_eq!((told(&explained(&near, &person(), &place(LONE))), real), ("AUDIENCE", "AUDIENCE"));
}

#[test]
fn without_consent_to_location_no_place_is_known() {
    let mut shy = regular();
    shy.consents = consents(&[Purpose::Marketing, Purpose::Profiling]);
    let cafe = place(CAFE);
    for (i, campaign) in asking().iter().enumerate() {
        let real = decided(campaign, &shy, &scanned(&cafe)).expect("considered anywhere");
        assert_eq!(told(&explained(campaign, &shy, &cafe)), real, "{i}");
    }
    let near = campaign("hello", On::Near { radius_m: 300 }, "stores/cafe");
    let at_cafe = campaign("hello", On::AppEvent { key: scan() }, "stores/cafe");
    for campaign in [near, at_cafe] {
        assert_eq!(decided(&campaign, &regular(), &scanned(&cafe)), Some("CHOSEN"));
        assert_eq!(decided(&campaign, &shy, &scanned(&cafe)), None);
        let explained = explained(&campaign, &shy, &cafe);
        assert_eq!((told(&explained), explained.would_offer, explained.at), ("NO_LOCATION_CONSENT", false, None));
        let changes: Vec<&str> = explained.flips.iter().map(|flip| flip.words.as_str()).collect();
        assert_eq!(changes, ["the person must agree to location"]);
    }
}

#[test]
fn a_season_is_waited_for_up_to_a_year() {
    let always_open = WhileOpen { last_call: Default::default() };
    let mut campaign = campaign("hello", On::Near { radius_m: 300 }, "stores/cafe");
    campaign.limits.schedule = Schedule { only_while_open: Some(always_open), ..Schedule::default() };
    let next = |hours: &str| {
        let store = Store { opening_hours: OpeningHours::new(hours).expect("sound"), ..cafe() };
        let told = explained_in(vec![store.into(), campaign.clone().into()], &campaign, &person(), &place(CAFE));
        assert_eq!(told.flips.iter().map(|flip| flip.at).collect::<Vec<_>>(), [told.at], "{hours}");
        told.at
    };
    const DAY: i64 = 86_400;
    // It is 21:00 of the first of June there.
    let at_ten = |days| Some(at(days * DAY - 11 * 3_600));
    assert_eq!(next("Jun 09 10:00-12:00"), at_ten(8));
    assert_eq!(next("Jun 10 10:00-12:00"), at_ten(9));
    assert_eq!(next("Dec 24 10:00-12:00"), at_ten(206));
    assert_eq!(next("Jun 01 10:00-12:00"), at_ten(365));
    assert_eq!(next("2026 Jun 01 10:00-12:00"), None);
    assert_eq!(next("off"), None);
}

#[test]
fn a_draft_is_explained_as_if_it_were_active() {
    let near = campaign("hello", On::Near { radius_m: 300 }, "stores/cafe");
    let tagged = Rule::Place(PlaceTest::AllTags(BTreeSet::from([Tag::new("coffee").expect("sound")])));
    for draft in [near.clone(), with_rule(near, tagged)] {
        let place = place(CAFE);
        let without = explained_in(vec![cafe().into()], &draft, &person(), &place);
        assert_eq!(without, explained(&draft, &person(), &place));
        assert_eq!(told(&without), "CHOSEN");
    }
}

#[test]
fn a_store_is_asked_for_by_all_its_doors() {
    let tag = |word: &str| BTreeSet::from([Tag::new(word).expect("sound")]);
    let door = |id: &str, tags| Geofence { store: Some(cafe().name), tags, ..geofence(id, 0.0, 80.0) };
    let world = |campaign: &Campaign| -> Vec<Resource> {
        vec![
            cafe().into(),
            door("back-door", BTreeSet::new()).into(),
            door("entrance", tag("entrance")).into(),
            campaign.clone().into(),
        ]
    };
    let at = |campaign: &Campaign, name: &str| explained_in(world(campaign), campaign, &person(), &place(name));
    let tagged = |words: &[&str]| {
        let tests = words.iter().map(|word| Rule::Place(PlaceTest::AllTags(tag(word))));
        with_rule(campaign("hello", On::Entered, "stores/cafe"), Rule::All(tests.collect()))
    };
    let [back, front] = ["back-door", "entrance"].map(|id| format!("organizations/acme/geofences/{id}"));
    let entrance = tagged(&["entrance"]);
    assert_eq!((told(&at(&entrance, &back)), told(&at(&entrance, &front))), ("AUDIENCE", "CHOSEN"));
    let of_store = |campaign: &Campaign| {
        let explained = at(campaign, CAFE);
        (told(&explained), explained.flips.len(), explained.place)
    };
    assert_eq!(of_store(&entrance), ("CHOSEN", 0, Some(place(&front))));
    assert_eq!(of_store(&tagged(&["entrance", "vip"])), ("AUDIENCE", 1, Some(place(&front))), "less must change");
    assert_eq!(of_store(&tagged(&["coffee"])), ("CHOSEN", 0, Some(place(&back))), "by name");
}

#[test]
fn a_campaign_that_too_many_come_before_is_explained_so() {
    let entered = |i: usize| campaign(&format!("c{i:03}"), On::Entered, "geofences/quay");
    let quay = place("organizations/acme/geofences/quay");
    let explained = |one: usize, count: usize| {
        let mut world: Vec<Resource> = (0..count).map(|i| entered(i).into()).collect();
        world.push(geofence("quay", 0.0, 80.0).into());
        let explanation = explained_in(world, &entered(one), &person(), &quay);
        let crowd = explanation.answers.iter().find(|answer| answer.gate == "CROWD");
        let flips: Vec<&str> = explanation.flips.iter().map(|flip| flip.gate).collect();
        (crowd.map(|answer| answer.refusal.is_some()), explanation.would_offer, flips.concat())
    };
    assert_eq!(explained(500, 500), (Some(true), false, "CROWD".to_owned()), "as if it were active");
    assert_eq!(explained(499, 501), (Some(false), true, String::new()));
    assert_eq!(explained(499, 500), (None, true, String::new()), "there is room for all");
}

#[test]
fn of_a_store_the_door_is_told_where_few_enough_come_before() {
    let door = |id: &str| Geofence { store: Some(cafe().name), ..geofence(id, 0.0, 80.0) };
    let others = (0..500).map(|i| campaign(&format!("c{i:03}"), On::Entered, "geofences/a-door").into());
    let last = campaign("last", On::Entered, "stores/cafe");
    let mut world: Vec<Resource> = others.collect();
    world.extend([cafe().into(), door("a-door").into(), door("b-door").into(), last.clone().into()]);
    let at = |name: &str| explained_in(world.clone(), &last, &person(), &place(name));
    assert_eq!(told(&at("organizations/acme/geofences/a-door")), "TOO_MANY_CAMPAIGNS");
    let of_store = at(CAFE);
    assert_eq!(told(&of_store), "CHOSEN");
    assert_eq!(of_store.place, Some(place("organizations/acme/geofences/b-door")));
}

/// Of the last of 501 at the quay, whose limits are these; so are those of one that comes before it.
fn explained_last(limits: Limits, (other, its): (usize, Limits)) -> Explanation {
    let entered = |i: usize| campaign(&format!("c{i:03}"), On::Entered, "geofences/quay");
    let last = Campaign { limits, ..entered(500) };
    let others = (0..500).map(entered).enumerate();
    let others = others.map(|(i, one)| if i == other { Campaign { limits: its.clone(), ..one } } else { one });
    let mut world: Vec<Resource> = others.map(Resource::from).collect();
    world.extend([last.clone().into(), geofence("quay", 0.0, 80.0).into()]);
    explained_in(world, &last, &person(), &place("organizations/acme/geofences/quay"))
}

#[test]
fn a_campaign_that_has_not_started_is_asked_who_comes_before_it_then() {
    let starts = || Limits { starts_at: Some(at(60)), ..Limits::default() };
    let ends = |seconds| (0, Limits { ends_at: Some(at(seconds)), ..Limits::default() });
    let explained = |other| {
        let explanation = explained_last(starts(), other);
        (told(&explanation), explanation.at)
    };
    assert_eq!(explained(ends(30)), ("NOT_STARTED", Some(at(60))));
    assert_eq!(explained(ends(90)), ("TOO_MANY_CAMPAIGNS", None));
}

#[test]
fn no_moment_is_promised_at_which_too_many_come_before() {
    let time = |text| TimeOfDay::parse(text).expect("sound");
    let evening = Window { days: Weekdays::ALL, from: time("21:00"), to: time("22:00") };
    let schedule = Schedule { windows: vec![evening], ..Schedule::default() };
    let in_the_evening = Limits { schedule, ..Limits::default() };
    const HOUR: i64 = 3_600;
    for (starts, promised) in [(10, Some(at(9 * HOUR))), (9, None)] {
        let other = Limits { starts_at: Some(at(starts * HOUR)), ..Limits::default() };
        let explanation = explained_last(in_the_evening.clone(), (499, other));
        let flips: Vec<_> = explanation.flips.iter().map(|flip| (flip.gate, flip.at)).collect();
        assert_eq!((flips, explanation.at), (vec![("SCHEDULE", Some(at(9 * HOUR)))], promised), "{starts}");
    }
}

#[test]
fn an_event_at_a_place_counts_what_is_meant_for_it_and_for_anywhere_together() {
    let here = |i: usize| campaign(&format!("c{i:03}"), On::AppEvent { key: scan() }, "stores/cafe");
    let others = (0..500).map(|i| if i < 250 { here(i) } else { Campaign { name: here(i).name, ..anywhere() } });
    let others: Vec<Resource> = others.map(Resource::from).chain([cafe().into(), beacon("lone").into()]).collect();
    for last in [anywhere(), Campaign { name: anywhere().name, ..here(0) }] {
        let world: Vec<Resource> = others.iter().cloned().chain([last.clone().into()]).collect();
        let areas = catalog(world.clone()).areas;
        let left_out = LeftOut::of(&areas, acme().as_str(), at(0));
        let cafe = Area::Store(cafe().name);
        assert_eq!(left_out.at(&last.name), Some((&cafe, 500)));
        assert_eq!(told(&explained_in(world.clone(), &last, &person(), &place(CAFE))), "TOO_MANY_CAMPAIGNS");
        let is_anywhere = last.trigger.at == Target::Anywhere;
        let alone = if is_anywhere { "CHOSEN" } else { "NOT_TARGETED" };
        assert_eq!(told(&explained_in(world, &last, &person(), &place(LONE))), alone);
    }
}
