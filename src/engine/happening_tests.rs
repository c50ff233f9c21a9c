//! Events of the app, crossings, areas and counted visits, as a brand would tell them.

use std::{collections::BTreeSet, time::Duration};

use super::{
    decide::{Effect, Outcome, Question, decide},
    fixture::{
        acme, app, at, beacon, campaign, catalog, consents, device_name, geofence, here, metres, person, ping, store,
    },
};
use crate::domain::{
    campaign::{Campaign, Limits, NthVisit, On, Target, Trigger},
    cap::Cap,
    catalog::Resource,
    consent::Purpose,
    decision::{Reason, Verdict},
    name::OrganizationName,
    organization::{Grant, Permission},
    ping::{AppEvent, Ping},
    place::{Beacon, Geofence, PlaceName, Store},
    profile::Profile,
    text::EventKey,
};

const HOUR: i64 = 3_600;

fn ask(world: &[Resource], profile: &Profile, ping: &Ping) -> Outcome {
    let (app, catalog) = (app(), catalog(world.to_vec()));
    let (device, exhausted) = (device_name(), BTreeSet::new());
    decide(&Question { catalog: &catalog, app: &app, profile, device: &device, ping, seed: 7, exhausted: &exhausted })
}

fn titles(outcome: &Outcome) -> Vec<&str> {
    outcome.decision.offers.iter().map(|offer| offer.content.title.as_str()).collect()
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.decision.considered.iter().map(|considered| considered.verdict.code()).collect()
}

fn notes(outcome: &Outcome) -> Vec<&str> {
    outcome.decision.notes.iter().map(|note| note.code()).collect()
}

fn scan() -> On {
    On::AppEvent { key: EventKey::new("scan").expect("sound") }
}

/// The app says at `seconds` that a totem was scanned then.
fn scanned(seconds: i64, place: Option<&str>) -> Ping {
    let place = place.map(|place| PlaceName::parse(&format!("organizations/acme/{place}")).expect("sound"));
    let blank = ping(seconds, &[]);
    let event = AppEvent { key: EventKey::new("scan").expect("sound"), place, read: blank.clock.reading(at(seconds)) };
    Ping { event: Some(event), ..blank }
}

fn anywhere(id: &str) -> Campaign {
    let trigger = Trigger { on: scan(), at: Target::Anywhere, visit: NthVisit::default() };
    Campaign { trigger, ..campaign(id, scan(), "stores/cafe") }
}

fn mall() -> Vec<Resource> {
    let cafe = acme().store("cafe").expect("sound");
    vec![
        store("cafe", 0.0).into(),
        store("bar", 50.0).into(),
        Beacon { store: Some(cafe.clone()), ..beacon("totem") }.into(),
        Geofence { store: Some(cafe), ..geofence("terrace", 0.0, 80.0) }.into(),
        campaign("cafe", scan(), "stores/cafe").into(),
        campaign("terrace", scan(), "geofences/terrace").into(),
        anywhere("anywhere").into(),
        campaign("enter", On::Entered, "geofences/terrace").into(),
    ]
}

#[test]
fn what_happened_before_a_log_out_fires_for_nobody_else() {
    let mut next = person();
    let device = next.devices.get_mut(&device_name()).expect("one");
    device.presence = device.presence.without_places(at(60));
    for is_located in [true, false] {
        if !is_located {
            next.consents = consents(&[Purpose::Marketing, Purpose::Profiling]);
        }
        let (kept, own) = (ask(&mall(), &next, &scanned(59, None)), ask(&mall(), &next, &scanned(61, None)));
        assert!(titles(&kept).is_empty() && kept.decision.event.is_none(), "{is_located}");
        assert!(notes(&kept).contains(&"OUT_OF_ORDER"));
        assert_eq!(titles(&own), ["anywhere"], "{is_located}");
    }
}

#[test]
fn what_happened_before_a_consent_to_location_happened_nowhere() {
    let mut shy = person();
    shy.agree(consents(&[Purpose::Marketing, Purpose::Profiling]), at(50));
    shy.agree(consents(&Purpose::ALL), at(60));
    let told = |seconds| ask(&mall(), &shy, &scanned(seconds, Some("stores/cafe")));
    assert_eq!((titles(&told(59)), titles(&told(61))), (vec!["anywhere"], vec!["anywhere", "cafe"]));
    let (before, event) = (told(59), |outcome: &Outcome| outcome.decision.event.clone().expect("it happened"));
    assert_eq!((event(&before).place, notes(&before)), (None, vec![]), "and nobody is told where");
}

#[test]
fn an_event_fires_at_its_place_and_anywhere() {
    let told = |place| ask(&mall(), &person(), &scanned(0, place));
    assert_eq!(titles(&told(Some("stores/cafe"))), ["anywhere", "cafe"]);
    assert_eq!(titles(&told(Some("beacons/totem"))), ["anywhere", "cafe"], "a store stands for what belongs to it");
    assert_eq!(titles(&told(Some("geofences/terrace"))), ["anywhere", "cafe", "terrace"]);
    assert_eq!(titles(&told(Some("stores/bar"))), ["anywhere"]);
    let nowhere = told(None);
    assert_eq!((titles(&nowhere), nowhere.effect), (vec!["anywhere"], Effect::Durable));
    assert_eq!((nowhere.decision.offers[0].reason.as_str(), notes(&nowhere)), ("scan", vec![]));
    let unknown = told(Some("stores/gone"));
    assert_eq!((titles(&unknown), notes(&unknown)), (vec!["anywhere"], vec!["UNKNOWN_PLACE"]));
    let offer = &told(Some("stores/cafe")).decision.offers[0];
    assert_eq!((offer.reason.as_str(), offer.distance_m), ("scan at cafe", None));
    assert!(offer.store.as_ref().is_some_and(|store| store.name.as_str().ends_with("/cafe")));
}

#[test]
fn an_event_meets_the_gates_and_leaves_no_visit() {
    let first = ask(&mall(), &person(), &scanned(0, Some("stores/bar")));
    assert!(first.profile.visits_of_record().is_empty() && first.decision.transitions.is_empty());
    let again = ask(&mall(), &first.profile, &scanned(60, Some("stores/bar")));
    assert_eq!(codes(&again), ["CAMPAIGN_CAP"]);
    let late = Ping { clock: ping(300, &[]).clock, ..scanned(0, None) };
    assert_eq!(codes(&ask(&mall(), &person(), &late)), ["STALE"]);
    let other = ask(&mall()[..6], &person(), &scanned(0, Some("stores/bar")));
    assert_eq!((other.effect, other.decision.considered.len()), (Effect::Nothing, 0), "nobody waits for it");
}

#[test]
fn an_event_with_a_fix_is_a_ping_as_well() {
    let with_fix = Ping { event: scanned(0, Some("stores/cafe")).event, ..here(0, metres(0.0, 0.0)) };
    let outcome = ask(&mall(), &person(), &with_fix);
    assert_eq!((titles(&outcome), outcome.decision.transitions.len()), (vec!["anywhere", "cafe", "enter"], 1));
    assert_eq!(outcome.decision.offers[1].distance_m, Some(0.0));
}

#[test]
fn without_consent_to_location_nothing_is_known_of_the_place() {
    let mut shy = person();
    shy.consents = consents(&[Purpose::Marketing, Purpose::Profiling]);
    let with_fix = Ping { event: scanned(0, Some("stores/cafe")).event, ..here(0, metres(0.0, 0.0)) };
    let outcome = ask(&mall(), &shy, &with_fix);
    assert_eq!((titles(&outcome), notes(&outcome)), (vec!["anywhere"], vec!["NO_LOCATION_CONSENT"]));
    assert!(outcome.decision.event.as_ref().is_some_and(|event| event.place.is_none()));
    assert!(!format!("{:?}", outcome.decision).contains("cafe"));
    assert_eq!(outcome.profile.devices, shy.devices, "nor is the fix kept");
    shy.consents = consents(&[Purpose::Location]);
    assert_eq!(codes(&ask(&mall(), &shy, &scanned(0, None))), ["NO_MARKETING_CONSENT"]);
}

#[test]
fn anywhere_reaches_only_the_apps_that_let_the_brand() {
    let brand = OrganizationName::parse("organizations/brand").expect("sound");
    let foreign: Resource = Campaign { name: brand.campaign("x").expect("sound"), ..anywhere("x") }.into();
    let asked = |world: &[Resource]| ask(world, &person(), &scanned(0, None));
    assert_eq!(codes(&asked(std::slice::from_ref(&foreign))), ["NOT_GRANTED"]);
    let permission = Permission::ReachApp(app().name);
    let grant = Grant { name: acme().grant("g").expect("sound"), grantee: brand, permission };
    assert_eq!(titles(&asked(&[foreign, grant.into()])), ["x"]);
}

#[test]
fn anywhere_is_told_of_no_place_that_is_not_granted() {
    let brand = OrganizationName::parse("organizations/brand").expect("sound");
    let foreign: Resource = Campaign { name: brand.campaign("x").expect("sound"), ..anywhere("x") }.into();
    let permits = [Permission::ReachApp(app().name), Permission::TargetPlaces];
    let [reach, target] = ["reach", "target"].map(|id| acme().grant(id).expect("sound"));
    let [reach, target] = [reach, target]
        .into_iter()
        .zip(permits)
        .map(|(name, permission)| -> Resource { Grant { name, grantee: brand.clone(), permission }.into() })
        .collect::<Vec<_>>()
        .try_into()
        .expect("two");
    let told = |more: &[Resource]| {
        let world = [mall(), vec![foreign.clone(), reach.clone()], more.to_vec()].concat();
        let outcome = ask(&world, &person(), &scanned(0, Some("stores/cafe")));
        let of_brand = outcome.decision.considered.iter().find(|one| one.campaign.organization() == brand);
        let considered = of_brand.expect("it is considered").clone();
        let offer = outcome.decision.offers.iter().find(|offer| offer.campaign.organization() == brand).cloned();
        (considered.area.to_string(), considered.store.is_some(), offer.expect("it is made").store.is_some())
    };
    assert_eq!(told(&[]), ("anywhere".to_owned(), false, false));
    let cafe = "organizations/acme/stores/cafe".to_owned();
    assert_eq!(told(&[target]), (cafe, true, true));
}

#[test]
fn passing_through_fires_what_waits_for_it() {
    let world = [geofence("gate", 0.0, 60.0).into(), campaign("crossed", On::Crossed, "geofences/gate").into()];
    let before = ask(&world, &person(), &here(0, metres(0.0, -400.0)));
    let outcome = ask(&world, &before.profile, &here(40, metres(0.0, 400.0)));
    assert_eq!(titles(&outcome), ["crossed"]);
    assert_eq!(outcome.decision.offers[0].reason, "passed through gate");
    let entered = ask(&world, &person(), &here(0, metres(0.0, 0.0)));
    assert!(entered.decision.considered.is_empty(), "who enters has not passed");
}

#[test]
fn an_area_means_all_that_is_inside() {
    let within = |shape| Target::Within(shape);
    let trigger = |shape| Trigger { on: On::Entered, at: within(shape), visit: NthVisit::default() };
    let area = |east, radius| Campaign {
        trigger: trigger(geofence("0", east, radius).shape),
        ..campaign("area", On::Entered, "stores/cafe")
    };
    let bar = acme().store("bar").expect("sound");
    // Its middle is outside of the area, but its store is inside.
    let garden = Geofence { store: Some(bar), ..geofence("garden", 700.0, 80.0) };
    let world = |area: Campaign| -> Vec<Resource> {
        let bar: Store = store("bar", 50.0);
        vec![bar.into(), garden.clone().into(), geofence("square", 300.0, 80.0).into(), area.into()]
    };
    let entered = |area, east| titles(&ask(&world(area), &person(), &here(0, metres(0.0, east)))).len();
    assert_eq!([300.0, 700.0].map(|east| entered(area(0.0, 310.0), east)), [1, 1]);
    assert_eq!([300.0, 700.0].map(|east| entered(area(0.0, 290.0), east)), [0, 1]);
    let problems = |area| catalog(world(area)).areas.problems().map(|problem| problem.what).collect::<Vec<_>>();
    assert!(problems(area(0.0, 100.0)).is_empty());
    assert!(problems(area(5_000.0, 100.0))[0].contains("has no geofence within its area"));
}

/// One visit of an hour a day: what each of so many days was offered.
fn daily(days: i64, visit: NthVisit) -> (Vec<bool>, Vec<Verdict>) {
    let (mut profile, mut offered, mut verdicts) = (person(), Vec::new(), Vec::new());
    let welcome = campaign("welcome", On::Entered, "geofences/quay");
    let limits = Limits { per_profile: vec![Cap::rolling(100, super::fixture::DAY)], ..Limits::default() };
    let welcome = Campaign { trigger: Trigger { visit, ..welcome.trigger.clone() }, limits, ..welcome };
    let world = [geofence("quay", 0.0, 100.0).into(), welcome.into()];
    for day in 0..days {
        let outcome = ask(&world, &profile, &here(day * 24 * HOUR, metres(0.0, 0.0)));
        offered.push(!outcome.decision.offers.is_empty());
        verdicts.extend(outcome.decision.considered.iter().map(|considered| considered.verdict.clone()));
        profile = ask(&world, &outcome.profile, &here(day * 24 * HOUR + HOUR, metres(0.0, 5_000.0))).profile;
    }
    (offered, verdicts)
}

#[test]
fn a_campaign_may_wait_for_the_nth_visit() {
    let (offered, verdicts) = daily(4, NthVisit { at_least: 3, every: 0 });
    assert_eq!(offered, [false, false, true, true]);
    let second = Reason::Visit { visit: Some(2), wanted: 3, since_offer: false };
    assert_eq!(verdicts[1], Verdict::Refused(second));
    assert_eq!(daily(7, NthVisit { at_least: 0, every: 3 }).0, [false, false, true, false, false, true, false]);
    // Of 90 days as many are remembered, and each third of them has its offer still.
    let (offered, _) = daily(120, NthVisit { at_least: 0, every: 3 });
    assert!(offered.iter().enumerate().all(|(day, offered)| *offered == (day % 3 == 2)), "{offered:?}");
}

#[test]
fn a_visit_that_begins_soon_after_the_offer_of_the_last_one_is_another() {
    let stayed = campaign("stayed", On::Dwelt { after: Duration::from_secs(45 * 60) }, "geofences/quay");
    let visit = NthVisit { at_least: 0, every: 2 };
    let limits = Limits { per_profile: vec![Cap::rolling(100, super::fixture::DAY)], ..Limits::default() };
    let stayed = Campaign { trigger: Trigger { visit, ..stayed.trigger.clone() }, limits, ..stayed };
    let world = [geofence("quay", 0.0, 100.0).into(), stayed.into()];
    let (mut profile, mut offered) = (person(), Vec::new());
    for minute in (0..6 * 65).step_by(5) {
        let east = if minute % 65 < 50 { 0.0 } else { 2_000.0 };
        let outcome = ask(&world, &profile, &here(minute * 60, metres(0.0, east)));
        offered.extend((!outcome.decision.offers.is_empty()).then_some(minute));
        profile = outcome.profile;
    }
    assert_eq!(offered, [65 + 45, 3 * 65 + 45, 5 * 65 + 45]);
}

#[test]
fn nobody_counts_the_visits_of_who_is_not_to_be_known() {
    let mut shy = person();
    shy.consents = consents(&[Purpose::Location, Purpose::Marketing]);
    let welcome = campaign("welcome", On::Entered, "geofences/quay");
    let visit = NthVisit { at_least: 2, every: 0 };
    let welcome = Campaign { trigger: Trigger { visit, ..welcome.trigger.clone() }, ..welcome };
    let world = [geofence("quay", 0.0, 100.0).into(), welcome.into()];
    assert_eq!(codes(&ask(&world, &shy, &here(0, metres(0.0, 0.0)))), ["VISIT_NUMBER"]);
}
