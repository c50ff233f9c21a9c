//! What people find when they look around.

use std::collections::BTreeSet;

use super::{
    browsing::{Look, browse},
    decide::{Question, decide},
    experiment::Drawn,
    fixture::{app, at, beacon, campaign, catalog, consents, device_name, geofence, here, metres, person, store},
    foremost::MOST_CONSIDERED,
};
use crate::domain::{
    audience::{
        Audience, Rule,
        condition::{Ago, Count, Visited},
    },
    campaign::{Campaign, NthVisit, On, Priority, Target, Trigger},
    catalog::Resource,
    consent::Purpose,
    content::Content,
    experiment::{Experiment, Variant},
    organization::App,
    place::{Beacon, Geofence, PlaceName},
    profile::Profile,
    segment::Segment,
    text::{EventKey, ExperimentId, VariantId},
    time::{QuietHours, TimeOfDay},
};

fn street() -> Vec<Resource> {
    let cafe = store("cafe", 100.0);
    let of_cafe = Some(cafe.name.clone());
    vec![
        Beacon { store: of_cafe.clone(), ..beacon("door") }.into(),
        Geofence { store: of_cafe, ..geofence("terrace", 100.0, 60.0) }.into(),
        cafe.into(),
        geofence("square", -700.0, 200.0).into(),
        geofence("far", 1_300.0, 100.0).into(),
        campaign("near", On::Near { radius_m: 50 }, "stores/cafe").into(),
        campaign("heard", On::Heard, "beacons/door").into(),
        campaign("left", On::Exited, "geofences/terrace").into(),
        Campaign { priority: Priority::High, ..campaign("square", On::Entered, "geofences/square") }.into(),
        campaign("far", On::Entered, "geofences/far").into(),
    ]
}

fn found(world: &[Resource], app: &App, profile: &Profile, radius_m: f64) -> (Vec<(String, f64)>, Vec<&'static str>) {
    let (catalog, exhausted) = (catalog(world.to_vec()), BTreeSet::new());
    let device = profile.devices.get(&device_name()).expect("there");
    let (position, now) = (metres(0.0, 0.0), at(0));
    let look =
        Look { catalog: &catalog, app, profile, device, now, position, radius_m, limit: 20, exhausted: &exhausted };
    let (previews, notes) = browse(&look);
    let told = previews.into_iter().map(|preview| (preview.message.title, preview.distance_m.round())).collect();
    (told, notes.into_iter().map(|note| note.code()).collect())
}

fn titles<'a>(found: &'a (Vec<(String, f64)>, Vec<&'static str>)) -> Vec<&'a str> {
    found.0.iter().map(|(title, _)| title.as_str()).collect()
}

#[test]
fn whoever_looks_around_sees_what_the_gates_let_them() {
    let all = found(&street(), &app(), &person(), 1_000.0);
    assert_eq!(titles(&all), ["square", "heard", "left", "near"], "whatever fires them");
    assert_eq!(all.0.iter().map(|(_, metres)| *metres).collect::<Vec<_>>(), [500.0, 100.0, 100.0, 100.0]);
    assert_eq!(titles(&found(&street(), &app(), &person(), 300.0)), ["heard", "left", "near"]);
    let quiet = QuietHours { from: TimeOfDay::new(11, 0).expect("sound"), to: TimeOfDay::new(13, 0).expect("sound") };
    let asleep = App { quiet_hours: Some(quiet), ..app() };
    assert!(titles(&found(&street(), &asleep, &person(), 1_000.0)).is_empty(), "at noon");
}

#[test]
fn shops_without_campaigns_hide_none_behind_them() {
    let mut world = street();
    let scan = On::AppEvent { key: EventKey::new("scan").expect("sound") };
    world.push(campaign("scanned", scan, "stores/cafe").into());
    world.extend((0..2_500).map(|i| store(&format!("idle{i}"), 50.0).into()));
    assert_eq!(titles(&found(&world, &app(), &person(), 300.0)), ["heard", "left", "near", "scanned"]);
}

#[test]
fn what_was_had_is_not_seen_and_seeing_takes_nothing() {
    let (app, catalog, exhausted) = (app(), catalog(street()), BTreeSet::new());
    let (ping, device, profile) = (here(0, metres(0.0, -700.0)), device_name(), &person());
    let question = Question {
        catalog: &catalog,
        app: &app,
        profile,
        device: &device,
        ping: &ping,
        seed: 7,
        exhausted: &exhausted,
    };
    let met = decide(&question).profile;
    assert_eq!(met.offers.len(), 1, "of the square");
    assert_eq!(titles(&found(&street(), &app, &met, 1_000.0)), ["heard", "left", "near"]);
}

#[test]
fn without_consent_there_is_nothing_to_see() {
    let mut shy = person();
    shy.consents = consents(&[Purpose::Location, Purpose::Profiling]);
    assert_eq!(found(&street(), &app(), &shy, 1_000.0), (vec![], vec!["NO_MARKETING_CONSENT"]));
    shy.consents = consents(&[Purpose::Marketing]);
    let (told, notes) = found(&street(), &app(), &shy, 1_000.0);
    assert_eq!(
        (told.len(), notes),
        (4, vec!["NO_LOCATION_CONSENT", "CONTEXT_ONLY"]),
        "nothing is kept, so they are told"
    );
}

#[test]
fn who_is_held_out_sees_nothing_of_the_campaign_and_others_their_variant() {
    let variant = |id: &str, content| Variant { id: VariantId::new(id).expect("sound"), weight: 1, content };
    let tea = Content::new("tea", "", "", "", None).expect("sound");
    let id = ExperimentId::new("spring").expect("sound");
    let variants = vec![variant("own", None), variant("tea", Some(tea))];
    let experiment = Some(Experiment { id, variants, holdout_percent: 50 });
    let square = Campaign { experiment, ..campaign("square", On::Entered, "geofences/square") };
    let world = [geofence("square", 0.0, 100.0).into(), square.clone().into()];
    let mut told = BTreeSet::new();
    for number in 0..40 {
        let mut person = person();
        person.name = app().name.profile(&number.to_string()).expect("sound");
        let found = found(&world, &app(), &person, 1_000.0);
        let drawn = Drawn::of(&square, &person.name).expect("an experiment");
        let content = drawn.content().unwrap_or(&square.content).words.title.source().to_owned();
        let expected = if drawn.is_held_out { vec![] } else { vec![content.as_str()] };
        assert_eq!(titles(&found), expected, "{number}");
        told.extend(titles(&found).iter().map(ToString::to_string));
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["square", "tea"]);
}

#[test]
fn what_a_ping_would_leave_out_is_not_seen() {
    let nobody = || Audience::new(Rule::Any(Vec::new())).expect("small");
    let others = (0..MOST_CONSIDERED).map(|i| campaign(&format!("c{i:03}"), On::Entered, "geofences/square"));
    let mut world: Vec<Resource> = others.map(|other| Campaign { audience: nobody(), ..other }.into()).collect();
    world.push(geofence("square", 0.0, 100.0).into());
    let last = |priority| Campaign { priority, ..campaign("last", On::Entered, "geofences/square") };
    let seen = |one: Campaign| {
        let world: Vec<Resource> = world.iter().cloned().chain([one.into()]).collect();
        found(&world, &app(), &person(), 1_000.0).0.len()
    };
    assert_eq!((seen(last(Priority::Normal)), seen(last(Priority::High))), (0, 1));
    let leaving = campaign("last", On::Exited, "geofences/square");
    assert_eq!(seen(leaving), 1, "who leaves fires none of the others");
}

#[test]
fn what_is_meant_for_anywhere_is_counted_with_an_event_at_a_place() {
    let on = |key: &str| On::AppEvent { key: EventKey::new(key).expect("sound") };
    let trigger = Trigger { on: on("scanned"), at: Target::Anywhere, visit: Default::default() };
    let others = (0..MOST_CONSIDERED).map(|i| campaign(&format!("c{i:03}"), on("scanned"), "geofences/quay"));
    let others = others.map(|other| Campaign { trigger: trigger.clone(), ..other });
    let mut world: Vec<Resource> = others.map(Resource::from).collect();
    world.push(geofence("quay", 0.0, 80.0).into());
    let seen = |key, priority| {
        let last = Campaign { priority, ..campaign("last", on(key), "geofences/quay") };
        let world: Vec<Resource> = world.iter().cloned().chain([last.into()]).collect();
        titles(&found(&world, &app(), &person(), 500.0)).len()
    };
    assert_eq!([seen("scanned", Priority::Normal), seen("scanned", Priority::High)], [0, 1]);
    assert_eq!(seen("touched", Priority::Normal), 1, "another event fires none of the others");
}

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

fn for_whom(id: &str, on: On, rule: Rule) -> Resource {
    let audience = Audience::new(rule).expect("sound");
    Campaign { audience, ..campaign(id, on, "geofences/quay") }.into()
}

/// Somebody who has been at the quay so many days ago, each time.
fn who_was_there(days: &[i64]) -> Profile {
    let (mut ann, quay) = (person(), PlaceName::parse("organizations/acme/geofences/quay").expect("sound"));
    days.iter().for_each(|day| ann.visits_of_record_mut().note(&quay, at(-day * DAY), at(0)));
    ann
}

#[test]
fn whoever_looks_around_is_asked_as_on_the_visit_that_would_fire_it() {
    let visits = |count| Rule::Visits { at: Visited::Here, within_days: 90, count };
    let dwelt = || On::Dwelt { after: std::time::Duration::from_secs(600) };
    let regulars = Segment {
        name: crate::engine::fixture::acme().segment("regulars").expect("sound"),
        display_name: "Regulars".into(),
        audience: Audience::new(visits(Count::AtLeast(5))).expect("sound"),
    };
    let world = [
        geofence("quay", 0.0, 80.0).into(),
        for_whom("fifth", On::Entered, Rule::Segment(regulars.name.clone())),
        for_whom("first", On::Entered, visits(Count::AtMost(1))),
        for_whom("first-dwell", dwelt(), visits(Count::AtMost(1))),
        regulars.into(),
    ];
    let seen = |days: &[i64]| found(&world, &app(), &who_was_there(days), 500.0).0.into_iter().map(|(title, _)| title);
    assert_eq!(seen(&[]).collect::<Vec<_>>(), ["first", "first-dwell"]);
    assert!(seen(&[3]).next().is_none(), "it would be the second visit");
    assert_eq!(seen(&[3, 4, 5, 6]).collect::<Vec<_>>(), ["fifth"], "it would be the fifth");
    assert!(seen(&[3, 4, 5]).next().is_none());
}

#[test]
fn a_preview_waits_for_the_visit_that_its_campaign_waits_for() {
    let on_visit = |id, on, visit| {
        let campaign = campaign(id, on, "geofences/quay");
        Campaign { trigger: Trigger { visit, ..campaign.trigger.clone() }, ..campaign }.into()
    };
    let (third, every_other) = (NthVisit { at_least: 3, every: 0 }, NthVisit { at_least: 0, every: 2 });
    let scanned = On::AppEvent { key: EventKey::new("scanned").expect("sound") };
    let world = [
        geofence("quay", 0.0, 80.0).into(),
        on_visit("third", On::Entered, third),
        on_visit("third-exit", On::Exited, third),
        on_visit("third-scan", scanned, third),
        on_visit("second", On::Entered, every_other),
    ];
    let seen = |person: &Profile| {
        let mut seen: Vec<String> =
            found(&world, &app(), person, 500.0).0.into_iter().map(|(title, _)| title).collect();
        seen.sort();
        seen
    };
    assert_eq!([seen(&who_was_there(&[])), seen(&who_was_there(&[3]))], [vec![], vec!["second".to_owned()]]);
    assert_eq!(seen(&who_was_there(&[3, 5])), ["second", "third", "third-exit", "third-scan"]);
    let mut unknown = who_was_there(&[3, 5]);
    unknown.consents = consents(&[Purpose::Marketing]);
    assert!(seen(&unknown).is_empty(), "nothing is known of visits");
}

#[test]
fn the_visit_that_goes_on_is_not_the_last_one() {
    let long_ago = Rule::LastVisit { at: Visited::Here, ago: Ago::AtLeast { days: 30 } };
    let dwelt = On::Dwelt { after: std::time::Duration::from_secs(600) };
    let world = vec![geofence("quay", 0.0, 80.0).into(), for_whom("back", dwelt, long_ago)];
    let entered = |days: &[i64]| {
        let (app, catalog, exhausted) = (app(), catalog(world.clone()), BTreeSet::new());
        let (ping, device, profile) = (here(-5 * MINUTE, metres(0.0, 0.0)), device_name(), &who_was_there(days));
        let (app, exhausted, device, ping) = (&app, &exhausted, &device, &ping);
        decide(&Question { catalog: &catalog, app, profile, device, ping, seed: 7, exhausted }).profile
    };
    let seen = |days: &[i64]| titles(&found(&world, &app(), &entered(days), 500.0)).len();
    assert_eq!([seen(&[40]), seen(&[20]), seen(&[])], [1, 0, 0]);
}
