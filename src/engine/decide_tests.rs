//! The decision as people would tell it: who gets what, and why the others do not.

use std::{collections::BTreeSet, time::Duration};

use super::{
    decide::{Effect, Outcome, Question, decide},
    fixture::{
        acme, app, at, beacon, campaign, catalog, consents, declaring, device_name, geofence, here, metres, person,
        store,
    },
};
use crate::domain::{
    audience::{Audience, Rule, TraitValue},
    campaign::{Campaign, On, Priority, Target, Weight},
    cap::{Cap, Within},
    catalog::Resource,
    consent::Purpose,
    decision::{Reason, Verdict},
    offer::Surface,
    opening::OpeningHours,
    organization::{App, BrandLimits, Organization},
    ping::{AppEvent, Ping},
    place::Store,
    profile::Profile,
    schedule::WhileOpen,
    text::{EventKey, Topic, TraitKey},
    time::{QuietHours, TimeOfDay},
};

/// What a ping comes to in a world.
fn ask(world: &[Resource], app: &App, profile: &Profile, ping: &Ping) -> Outcome {
    let catalog = catalog(world.to_vec());
    let (device, exhausted) = (device_name(), BTreeSet::new());
    decide(&Question { catalog: &catalog, app, profile, device: &device, ping, seed: 7, exhausted: &exhausted })
}

fn refusals(outcome: &Outcome) -> Vec<Reason> {
    let refused = |verdict: &Verdict| match verdict {
        Verdict::Refused(reason) => Some(reason.clone()),
        Verdict::Chosen(_) => None,
    };
    outcome.decision.considered.iter().filter_map(|c| refused(&c.verdict)).collect()
}

fn titles(outcome: &Outcome) -> Vec<&str> {
    outcome.decision.offers.iter().map(|offer| offer.content.title.as_str()).collect()
}

fn quay() -> Vec<Resource> {
    vec![geofence("quay", 0.0, 100.0).into(), campaign("hello", On::Entered, "geofences/quay").into()]
}

#[test]
fn entering_gives_the_offer_once_and_a_receipt_for_it() {
    let outcome = ask(&quay(), &app(), &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(titles(&outcome), ["hello"]);
    assert_eq!(outcome.effect, Effect::Durable);
    assert_eq!(outcome.profile.offers.len(), 1);
    let again = ask(&quay(), &app(), &outcome.profile, &here(30, metres(0.0, 0.0)));
    assert!(again.decision.considered.is_empty(), "standing inside fires nothing");
    assert_eq!(again.effect, Effect::Soft);
}

#[test]
fn a_second_entry_meets_the_cap_and_later_the_cool_down() {
    let first = ask(&quay(), &app(), &person(), &here(0, metres(0.0, 0.0)));
    let away = ask(&quay(), &app(), &first.profile, &here(60, metres(0.0, 900.0)));
    let back = ask(&quay(), &app(), &away.profile, &here(120, metres(0.0, 0.0)));
    assert_eq!(
        refusals(&back),
        [Reason::CampaignCap { given: 1, most: 1, within: Within::Window(super::fixture::DAY) }]
    );

    let mut rests = campaign("hello", On::Entered, "geofences/quay");
    rests.limits.per_profile = vec![Cap::rolling(9, super::fixture::DAY)];
    rests.limits.cool_down = Duration::from_secs(3_600);
    let world = [geofence("quay", 0.0, 100.0).into(), rests.into()];
    let back = ask(&world, &app(), &away.profile, &here(120, metres(0.0, 0.0)));
    assert_eq!(refusals(&back), [Reason::CoolDown { until: at(3_600) }]);
}

#[test]
fn nobody_is_disturbed_in_quiet_hours_or_past_the_daily_allowance() {
    let time = |text| TimeOfDay::parse(text).expect("sound");
    let quiet = App { quiet_hours: Some(QuietHours { from: time("11:00"), to: time("13:00") }), ..app() };
    let outcome = ask(&quay(), &quiet, &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(refusals(&outcome)[0].code(), "QUIET_HOURS");
    let none = App { daily_offers: 0, ..app() };
    let outcome = ask(&quay(), &none, &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(refusals(&outcome), [Reason::DailyOffers { given: 0, most: 0 }]);
}

#[test]
fn the_day_allowance_is_spent_by_rank_over_all_campaigns() {
    let mut world = vec![Resource::from(geofence("quay", 0.0, 100.0))];
    for (id, weight) in [("b", 1.0), ("a", 1.0), ("heavy", 5.0), ("light", 0.1)] {
        let mut campaign = campaign(id, On::Entered, "geofences/quay");
        campaign.weight = Weight::new(weight).expect("sound");
        world.push(campaign.into());
    }
    let app = App { daily_offers: 3, ..app() };
    let mut ping = here(0, metres(0.0, 0.0));
    ping.max_offers = 10;
    let outcome = ask(&world, &app, &person(), &ping);
    assert_eq!(titles(&outcome), ["heavy", "a", "b"], "equal scores go by name");
    assert_eq!(refusals(&outcome), [Reason::DailyOffers { given: 3, most: 3 }]);
    ping.max_offers = 1;
    let outcome = ask(&world, &app, &person(), &ping);
    assert_eq!(refusals(&outcome)[0], Reason::Outranked { rank: 2, most: 1 });
}

#[test]
fn higher_classes_are_chosen_first_and_the_best_alone_is_for_the_lock_screen() {
    let mut world = vec![Resource::from(geofence("quay", 0.0, 100.0))];
    for (id, weight, priority) in
        [("low", 9.0, Priority::Low), ("dull", 1.0, Priority::Normal), ("urgent", 0.1, Priority::High)]
    {
        let mut campaign = campaign(id, On::Entered, "geofences/quay");
        (campaign.weight, campaign.priority) = (Weight::new(weight).expect("sound"), priority);
        world.push(campaign.into());
    }
    let outcome = ask(&world, &app(), &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(titles(&outcome), ["urgent", "dull", "low"]);
    let surfaces: Vec<Surface> = outcome.decision.offers.iter().map(|offer| offer.surface).collect();
    assert_eq!(surfaces, [Surface::LockScreen, Surface::List, Surface::List]);
    let kept: Vec<Priority> = outcome.profile.offers.iter().map(|offer| offer.priority).collect();
    assert_eq!(kept, [Priority::High, Priority::Normal, Priority::Low]);
}

#[test]
fn of_two_campaigns_the_better_gets_what_the_brand_has_left() {
    let per_profile = vec![Cap::rolling(1, super::fixture::DAY)];
    let brand = |brand_limits| Organization { name: acme(), display_name: "Acme".into(), brand_limits };
    let mut better = campaign("z-better", On::Entered, "geofences/quay");
    better.weight = Weight::new(2.0).expect("sound");
    let world = |limits| [quay(), vec![brand(limits).into(), better.clone().into()]].concat();
    let capped = BrandLimits { per_profile, ..BrandLimits::default() };
    let outcome = ask(&world(capped), &app(), &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(titles(&outcome), ["z-better"]);
    let within = Within::Window(super::fixture::DAY);
    assert_eq!(refusals(&outcome), [Reason::BrandCap { given: 1, most: 1, within }]);

    let rests = BrandLimits { cool_down: Duration::from_secs(60), ..BrandLimits::default() };
    let outcome = ask(&world(rests), &app(), &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(refusals(&outcome), [Reason::BrandCoolDown { until: at(60) }]);
}

#[test]
fn quiet_hours_are_broken_by_those_who_say_so_and_may() {
    let time = |text| TimeOfDay::parse(text).expect("sound");
    let quiet = App { quiet_hours: Some(QuietHours { from: time("11:00"), to: time("13:00") }), ..app() };
    let lets = App { quiet_exempt: [acme()].into(), ..quiet.clone() };
    let mut loud = campaign("loud", On::Entered, "geofences/quay");
    loud.limits.in_quiet_hours = true;
    let world = [quay(), vec![loud.into()]].concat();
    let ping = here(0, metres(0.0, 0.0));
    assert_eq!(titles(&ask(&world, &quiet, &person(), &ping)), [""; 0], "nobody let it");
    assert_eq!(titles(&ask(&world, &lets, &person(), &ping)), ["loud"]);
}

#[test]
fn the_store_has_to_be_open_where_a_campaign_says_so() {
    let mut while_open = campaign("open", On::Near { radius_m: 60 }, "stores/cafe");
    let last_call = Duration::from_secs(1_800);
    while_open.limits.schedule.only_while_open = Some(WhileOpen { last_call });
    let ask_at = |hours: &str| {
        let opening_hours = OpeningHours::new(hours).expect("sound");
        let cafe = Store { opening_hours, ..store("cafe", 0.0) };
        let world = [cafe.into(), while_open.clone().into()];
        ask(&world, &app(), &person(), &here(0, metres(0.0, 30.0)))
    };
    assert_eq!(titles(&ask_at("Mo 08:00-18:00")), ["open"]);
    assert_eq!(refusals(&ask_at("")), [Reason::NoOpeningHours]);
    assert_eq!(refusals(&ask_at("Mo 14:00-18:00")), [Reason::StoreClosed { opens_at: Some(at(7_200)) }]);
    assert_eq!(refusals(&ask_at("Mo 08:00-12:30")), [Reason::LastCall { closes_at: at(1_800), last_call }]);
    assert_eq!(titles(&ask_at("Mo 08:00-12:31")), ["open"]);
}

#[test]
fn offers_that_were_never_shown_use_up_no_cap() {
    let first = ask(&quay(), &app(), &person(), &here(0, metres(0.0, 0.0)));
    let away = Ping { reported_through: Some(at(50)), ..here(60, metres(0.0, 900.0)) };
    let away = ask(&quay(), &app(), &first.profile, &away);
    assert_eq!(away.returned.len(), 1);
    let back = ask(&quay(), &app(), &away.profile, &here(120, metres(0.0, 0.0)));
    assert_eq!(titles(&back), ["hello"]);
}

#[test]
fn what_a_ping_gives_back_does_not_count_in_it() {
    let once = vec![Cap::rolling(1, super::fixture::DAY)];
    let brand_limits = BrandLimits { per_profile: once, cool_down: Duration::from_secs(86_400) };
    let acme = Organization { name: acme(), display_name: "Acme".into(), brand_limits };
    let called = EventKey::new("called").expect("sound");
    let mut anywhere = campaign("anywhere", On::AppEvent { key: called.clone() }, "geofences/quay");
    anywhere.trigger.at = Target::Anywhere;
    let world = [quay(), vec![acme.into(), anywhere.into()]].concat();
    let app = App { daily_offers: 1, cool_down: Duration::from_secs(86_400), ..app() };
    let first = ask(&world, &app, &person(), &here(0, metres(0.0, 0.0)));
    let away = ask(&world, &app, &first.profile, &here(600, metres(0.0, 900.0))).profile;
    let back = here(1_200, metres(0.0, 0.0));
    assert_eq!(refusals(&ask(&world, &app, &away, &back))[0].code(), "DAILY_OFFERS");
    let told = Ping { reported_through: Some(at(1_190)), ..back };
    let outcome = ask(&world, &app, &away, &told);
    assert_eq!((titles(&outcome), outcome.returned.len()), (vec!["hello"], 1));
    let again = ask(&world, &app, &outcome.profile, &Ping { reported_through: Some(at(1_195)), ..told.clone() });
    assert_eq!(again.returned, [], "what the ping itself gave is not given back by it");

    let event = Some(AppEvent { key: called, place: None, read: told.clock.reading(at(1_200)) });
    let event = Ping { fixes: Vec::new(), event, ..told };
    let mut nowhere = away.clone();
    nowhere.consents = consents(&[Purpose::Marketing]);
    for person in [away, nowhere] {
        assert_eq!(titles(&ask(&world, &app, &person, &event)), ["anywhere"]);
    }
}

#[test]
fn visits_are_not_counted_from_an_offer_that_the_ping_gives_back() {
    let mut second = campaign("hello", On::Entered, "geofences/quay");
    (second.trigger.visit.every, second.limits) = (2, Default::default());
    let world = [geofence("quay", 0.0, 100.0).into(), second.into()];
    let mut person = person();
    let mut visit = |hour: i64, reported_through| {
        let came = Ping { reported_through, ..here(hour * 3_600, metres(0.0, 0.0)) };
        let outcome = ask(&world, &app(), &person, &came);
        let left = ask(&world, &app(), &outcome.profile, &here(hour * 3_600 + 600, metres(0.0, 900.0)));
        person = left.profile;
        outcome.decision.offers.len()
    };
    assert_eq!([visit(0, None), visit(30, None), visit(60, Some(at(59 * 3_600)))], [0, 1, 1]);
}

#[test]
fn interests_decide_who_gets_what() {
    let coffee = Topic::new("coffee").expect("sound");
    let mut liked = campaign("z-coffee", On::Entered, "geofences/quay");
    liked.topics.insert(coffee.clone());
    liked.audience = Audience::new(Rule::Interest { topic: coffee, at_least: 0.5 }).expect("sound");
    let world = [quay(), vec![liked.into()]].concat();
    let outcome = ask(&world, &app(), &person(), &here(0, metres(0.0, 0.0)));
    assert_eq!(titles(&outcome), ["z-coffee", "hello"]);
    assert_eq!(outcome.decision.offers[0].reason, "entered quay; interested in coffee");

    let mut shy = person();
    shy.consents = consents(&[Purpose::Location, Purpose::Marketing]);
    let outcome = ask(&world, &app(), &shy, &here(0, metres(0.0, 0.0)));
    assert_eq!(titles(&outcome), ["hello"]);
    assert_eq!(refusals(&outcome)[0].code(), "AUDIENCE");
    assert_eq!(outcome.decision.notes[0].code(), "CONTEXT_ONLY");
}

#[test]
fn without_consent_there_is_no_offer_and_without_location_nothing_at_all() {
    let mut person = person();
    person.consents = consents(&[Purpose::Location]);
    let outcome = ask(&quay(), &app(), &person, &here(0, metres(0.0, 0.0)));
    assert_eq!(refusals(&outcome), [Reason::NoMarketingConsent]);
    person.consents = consents(&[Purpose::Marketing]);
    let outcome = ask(&quay(), &app(), &person, &here(0, metres(0.0, 0.0)));
    assert_eq!((outcome.effect, outcome.decision.transitions.len()), (Effect::Nothing, 0));
    assert_eq!(outcome.profile, person);
}

#[test]
fn near_a_store_is_a_circle_around_it_and_a_dwell_waits() {
    let world = [
        store("cafe", 0.0).into(),
        geofence("quay", 0.0, 100.0).into(),
        campaign("near", On::Near { radius_m: 60 }, "stores/cafe").into(),
        campaign("stay", On::Dwelt { after: Duration::from_secs(120) }, "geofences/quay").into(),
    ];
    let outcome = ask(&world, &app(), &person(), &here(0, metres(0.0, 30.0)));
    assert_eq!(titles(&outcome), ["near"]);
    assert!((outcome.decision.offers[0].distance_m.expect("known") - 30.0).abs() < 0.2);
    assert_eq!(outcome.decision.next.at, at(120), "the dwell asks for a ping");
    let stayed = ask(&world, &app(), &outcome.profile, &here(121, metres(0.0, 30.0)));
    assert_eq!(titles(&stayed), ["stay"]);
}

#[test]
fn a_mocked_position_fires_nothing() {
    let mut ping = super::fixture::ping(9, &[(0, metres(0.0, 0.0), 5.0), (9, metres(0.0, 0.0), 5.0)]);
    ping.fixes[0].mocked = true;
    let outcome = ask(&quay(), &app(), &person(), &ping);
    assert!(outcome.decision.transitions.is_empty() && outcome.decision.offers.is_empty());
    assert_eq!(outcome.decision.notes[0].code(), "MOCKED");
}

#[test]
fn offers_that_were_never_shown_go_back_on_the_devices_word() {
    let first = ask(&quay(), &app(), &person(), &here(0, metres(0.0, 0.0)));
    let mut later = here(600, metres(0.0, 0.0));
    later.reported_through = Some(at(500));
    let outcome = ask(&quay(), &app(), &first.profile, &later);
    assert_eq!((outcome.effect, outcome.returned.len()), (Effect::Durable, 1));
    let again = ask(
        &quay(),
        &app(),
        &outcome.profile,
        &Ping { reported_through: Some(at(700)), ..here(700, metres(0.0, 0.0)) },
    );
    assert!(again.returned.is_empty(), "only once");
}

#[test]
fn a_campaign_of_another_brand_needs_the_publishers_grant() {
    let mut foreign = campaign("x", On::Heard, "beacons/door");
    let brand = crate::domain::name::OrganizationName::parse("organizations/brand").expect("sound");
    foreign.name = brand.campaign("x").expect("sound");
    let world = catalog(vec![beacon("door").into(), foreign.into()]);
    let app = app();
    let reach = world.areas.grants().reach(&app.name);
    assert!(!reach.has(brand.as_str()) && reach.has(acme().as_str()));
    let problems: Vec<_> = world.areas.problems().collect();
    assert!(problems[0].what.contains("has not granted its places"), "{problems:?}");
}

#[test]
fn a_trait_that_is_declared_no_more_or_as_another_kind_is_missing() {
    let (mut ann, points) = (person(), TraitKey::new("points").expect("sound"));
    ann.personal_of_record_mut().traits.insert(points.clone(), TraitValue::Number(7.0));
    let known = Rule::TraitKnown(points.clone());
    let members =
        Campaign { audience: Audience::new(known).expect("sound"), ..campaign("a", On::Entered, "geofences/quay") };
    let world = [geofence("quay", 0.0, 100.0).into(), members.into()];
    let offers = |app: &App| ask(&world, app, &ann, &here(0, metres(0.0, 0.0))).decision.offers.len();
    let declared = declaring(&app(), &ann);
    let mut renamed = ann.clone();
    renamed.personal_of_record_mut().traits.insert(points, TraitValue::Flag(true));
    assert_eq!([&declared, &app(), &declaring(&app(), &renamed)].map(offers), [1, 0, 0]);
    ann.keep_declared(&declared);
    assert_eq!(ann.personal_of_record().traits.len(), 1);
    ann.keep_declared(&app());
    assert!(ann.personal_of_record().traits.is_empty(), "and so it is forgotten");
}

#[test]
fn the_safe_radius_is_around_the_newest_fix_whichever_ping_is_answered() {
    let next = |profile: &Profile, ping: &Ping| ask(&quay(), &app(), profile, ping).decision.next;
    let newer = here(100, metres(0.0, 300.0));
    let first = ask(&quay(), &app(), &person(), &newer);
    assert!((first.decision.next.safe_radius_m - 197.0).abs() < 0.2, "{:?}", first.decision.next);
    assert_eq!(next(&first.profile, &newer), first.decision.next, "a repetition");
    let late = super::fixture::ping(100, &[(40, metres(0.0, 900.0), 5.0)]);
    assert_eq!(next(&first.profile, &late), first.decision.next, "an older one that comes late");
    let twice = [(100, metres(0.0, 300.0), 5.0), (100, metres(0.0, 900.0), 5.0)];
    assert_eq!(next(&person(), &super::fixture::ping(100, &twice)), first.decision.next, "two fixes of one time");
    let rough = super::fixture::ping(400, &[(400, metres(0.0, 900.0), 5_000.0)]);
    let roughly = ask(&quay(), &app(), &first.profile, &rough);
    assert!((roughly.decision.next.safe_radius_m - 791.0).abs() < 0.3, "of whatever accuracy");
    assert_eq!(next(&roughly.profile, &rough), roughly.decision.next);
    assert_eq!(next(&roughly.profile, &late).safe_radius_m, 0.0, "nobody knows where that was");
}

#[test]
fn what_was_never_shown_goes_back_without_consent_to_location_as_well() {
    let mut person = ask(&quay(), &app(), &person(), &here(0, metres(0.0, 0.0))).profile;
    person.consents = consents(&[Purpose::Marketing]);
    let told = Ping { reported_through: Some(at(50)), ..here(60, metres(0.0, 0.0)) };
    let outcome = ask(&quay(), &app(), &person, &told);
    assert_eq!((outcome.effect, outcome.returned.len()), (Effect::Durable, 1));
    let again = ask(&quay(), &app(), &outcome.profile, &Ping { reported_through: Some(at(65)), ..told });
    assert_eq!((again.effect, again.returned.len()), (Effect::Nothing, 0));
    assert_eq!(again.profile, outcome.profile);
}
