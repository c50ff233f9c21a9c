//! A campaign on trial: who gets it, and that nothing of it is left.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    catalog::Catalog,
    decide::{Outcome, Question, decide},
    fixture::{acme, app, app_name, campaign, catalog, device_name, geofence, here, metres, person, ping, store},
    trial::Tried,
};
use crate::domain::{
    audience::{Audience, Rule},
    budget::{Budget, Period, Unit},
    campaign::{Campaign, CampaignState, On, Target},
    catalog::{CatalogChange, Resource},
    decision::Verdict,
    experiment::Experiment,
    name::DeviceName,
    organization::App,
    ping::Ping,
    place::{Geofence, PlaceName, Store},
    presence::Area,
    profile::{Device, Profile},
    text::{ExperimentId, Tag, Topic},
};

/// A draft that fires near the store, to be tried on the person's phone, with all that could keep it from being offered.
fn draft() -> Campaign {
    let mut draft = campaign("new", On::Near { radius_m: 60 }, "stores/cafe");
    let only = Budget { unit: Unit::Offers, limit: 1, period: Period::Whole, per_store: false, time_zone: None };
    draft.limits.budgets = vec![only];
    (draft.state, draft.testers) = (CampaignState::Draft, BTreeSet::from([device_name()]));
    draft
}

fn world(campaigns: &[Campaign]) -> Vec<Resource> {
    let places: [Resource; 2] = [store("cafe", 0.0).into(), geofence("quay", 0.0, 100.0).into()];
    let old = campaign("old", On::Entered, "geofences/quay");
    places.into_iter().chain([old.into()]).chain(campaigns.iter().cloned().map(Resource::from)).collect()
}

fn tester() -> Profile {
    let mut person = person();
    person.devices.get_mut(&device_name()).expect("the phone").test = true;
    person
}

fn ask(catalog: &Catalog, profile: &Profile, device: &DeviceName, ping: &Ping) -> Outcome {
    let (app, exhausted) = (app(), BTreeSet::new());
    decide(&Question { catalog, app: &app, profile, device, ping, seed: 7, exhausted: &exhausted })
}

/// The campaigns that were offered, and whether as a trial.
fn offered(outcome: &Outcome) -> Vec<(&str, bool)> {
    outcome.decision.offers.iter().map(|offer| (offer.campaign.id(), offer.trial)).collect()
}

#[test]
fn the_tester_gets_a_draft_through_the_same_gates_and_nobody_else_does() {
    let (with, without) = (catalog(world(&[draft()])), catalog(world(&[])));
    let come = here(0, metres(0.0, 0.0));
    let outcome = ask(&with, &tester(), &device_name(), &come);
    assert_eq!(offered(&outcome), [("new", true), ("old", true)], "whatever a test device gets is worth nothing");
    assert!(outcome.takes.is_empty(), "and takes no budget");
    let trials: Vec<_> = outcome.decision.considered.iter().map(|one| (one.campaign.id(), one.trial)).collect();
    assert_eq!(trials, [("new", true), ("old", false)]);

    // The phone is named, but is no test device: it is as if there were no draft.
    let ordinary = ask(&with, &person(), &device_name(), &come);
    assert_eq!(ordinary.decision, ask(&without, &person(), &device_name(), &come).decision);
    // Another test device, which is not named.
    let (other, mut profile) = (app_name().device("other").expect("sound"), tester());
    let device = profile.devices.get(&device_name()).expect("the phone").clone();
    profile.devices.insert(other.clone(), device);
    assert_eq!(
        ask(&with, &profile, &other, &come).decision,
        ask(&without, &profile, &other, &come).decision,
        "only whom the campaign names"
    );

    let tea = Rule::Interest { topic: Topic::new("tea").expect("sound"), at_least: 0.5 };
    let picky = Campaign { audience: Audience::new(tea).expect("sound"), ..draft() };
    let refused = ask(&catalog(world(&[picky])), &tester(), &device_name(), &come).decision.considered;
    let code = |one: &crate::domain::decision::Considered| (one.trial, one.verdict.code());
    assert_eq!(refused.iter().map(code).collect::<Vec<_>>(), [(false, Verdict::CHOSEN), (true, "AUDIENCE")]);
}

#[test]
fn it_can_be_tried_again_and_again_and_nothing_of_it_counts() {
    let with = catalog(world(&[draft()]));
    let mut profile = tester();
    for visit in 0..5 {
        profile = ask(&with, &profile, &device_name(), &here(visit * 600 + 300, metres(0.0, 900.0))).profile;
        let outcome = ask(&with, &profile, &device_name(), &here(visit * 600 + 600, metres(0.0, 0.0)));
        let all = [("new", true), ("old", true)];
        assert_eq!(offered(&outcome), all, "visit {visit}: its own cap of one a day and the app's three do not count");
        profile = outcome.profile;
    }
    // It becomes active, and the phone one like others: five trials have used up neither its cap nor the day.
    profile.devices.get_mut(&device_name()).expect("the phone").test = false;
    let active = catalog(world(&[Campaign { state: CampaignState::Active, ..draft() }]));
    let away = ask(&active, &profile, &device_name(), &here(5_000, metres(0.0, 900.0)));
    let first = ask(&active, &away.profile, &device_name(), &here(5_600, metres(0.0, 0.0)));
    assert_eq!(offered(&first), [("new", false), ("old", false)]);
    let away = ask(&active, &first.profile, &device_name(), &here(6_000, metres(0.0, 900.0)));
    let again = ask(&active, &away.profile, &device_name(), &here(6_600, metres(0.0, 0.0)));
    assert_eq!(offered(&again), [], "now caps count");
}

#[test]
fn what_a_test_device_gets_counts_for_nothing_within_one_ping_as_well() {
    let active = Campaign { state: CampaignState::Active, ..draft() };
    let (with, exhausted) = (catalog(world(&[active])), BTreeSet::new());
    let app = App { daily_offers: 1, ..app() };
    let (profile, device, ping) = (tester(), device_name(), here(0, metres(0.0, 0.0)));
    let question = Question {
        catalog: &with,
        app: &app,
        profile: &profile,
        device: &device,
        ping: &ping,
        seed: 7,
        exhausted: &exhausted,
    };
    assert_eq!(offered(&decide(&question)), [("new", true), ("old", true)]);
    let ordinary = person();
    assert_eq!(offered(&decide(&Question { profile: &ordinary, ..question })).len(), 1);
}

#[test]
fn a_tester_is_not_held_out() {
    let everyone = |id: &str| {
        let id = ExperimentId::new(id).expect("sound");
        let experiment = Experiment { id, variants: Vec::new(), holdout_percent: 50 };
        Campaign { experiment: Some(experiment), ..draft() }
    };
    for id in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let outcome = ask(&catalog(world(&[everyone(id)])), &tester(), &device_name(), &here(0, metres(0.0, 0.0)));
        assert_eq!(offered(&outcome)[0], ("new", true), "{id}");
        assert!(outcome.decision.ghosts.is_empty());
    }
}

#[test]
fn edits_say_who_tries_what() {
    let other = app_name().device("other").expect("sound");
    let tries = |catalog: &Catalog, device: &DeviceName| catalog.tried_by(device).count();
    let edit = |catalog: &Catalog, campaign: Option<Campaign>| {
        let version = catalog.version + 1;
        let name = crate::domain::catalog::ResourceName::Campaign(acme().campaign("new").expect("sound"));
        catalog.after(&[CatalogChange { version, name, resource: campaign.map(Resource::from) }])
    };
    let first = catalog(world(&[draft()]));
    assert_eq!((tries(&first, &device_name()), tries(&first, &other)), (1, 0));
    let both = Campaign { testers: BTreeSet::from([device_name(), other.clone()]), ..draft() };
    let second = edit(&first, Some(both.clone()));
    assert_eq!((tries(&second, &device_name()), tries(&second, &other)), (1, 1));
    let active = edit(&second, Some(Campaign { state: CampaignState::Active, ..both.clone() }));
    assert_eq!((tries(&active, &device_name()), tries(&active, &other)), (0, 0));
    let paused = edit(&active, Some(Campaign { state: CampaignState::Paused, ..both.clone() }));
    assert_eq!((tries(&paused, &device_name()), tries(&paused, &other)), (1, 1));
    let gone = edit(&paused, None);
    assert_eq!((tries(&gone, &device_name()), tries(&gone, &other)), (0, 0));
    let archived = edit(&paused, Some(Campaign { state: CampaignState::Archived, ..both }));
    assert_eq!(tries(&archived, &device_name()), 0);
}

/// Stores, some with a geofence, and fences without one, a few hundred metres apart.
fn street() -> Vec<Resource> {
    let mut street = Vec::new();
    for i in 0..8 {
        let east = f64::from(i) * 350.0;
        let store = Store { tags: tags(i % 2 == 0), ..store(&i.to_string(), east) };
        let fence = geofence(&format!("of{i}"), east + 20.0, 60.0);
        let square = Geofence { tags: tags(i % 3 == 0), ..geofence(&format!("alone{i}"), east + 180.0, 50.0) };
        if i % 4 == 0 {
            street.push(Geofence { store: Some(store.name.clone()), ..fence }.into());
        }
        street.extend([Resource::from(store), square.into()]);
    }
    street
}

fn tags(has: bool) -> BTreeSet<Tag> {
    has.then(|| Tag::new("food").expect("sound")).into_iter().collect()
}

fn a_trial() -> impl Strategy<Value = (On, Target)> {
    let on = prop_oneof![
        Just(On::Entered),
        Just(On::Exited),
        Just(On::Crossed),
        (1..4u64).prop_map(|minutes| On::Dwelt { after: Duration::from_secs(minutes * 60) }),
        (1..8u32).prop_map(|size| On::Near { radius_m: size * size * 20 }),
    ];
    let places = (0..8u8).prop_map(|i| PlaceName::Store(acme().store(&i.to_string()).expect("sound")));
    let at = prop_oneof![
        places.prop_map(|place| Target::Places(BTreeSet::from([place]))),
        Just(Target::Tagged { network: acme(), tags: tags(true) }),
        (0.0..3_000.0f64, 50.0..3_000.0f64)
            .prop_map(|(east, radius_m)| Target::Within(geofence("area", east, radius_m).shape)),
    ];
    (on, at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// But for what is offered at last, of which trials are beside everything else.
    #[test]
    fn a_tester_is_at_what_everybody_will_be_at(
        trials in prop::collection::vec(a_trial(), 1..5),
        walk in prop::collection::vec((20..150i64, prop_oneof![0.0..3_000.0f64, Just(700.0), Just(40_000.0)], 3.0..60.0f64), 1..20),
    ) {
        let with = |state: CampaignState| {
            let one = |(i, (on, target)): (usize, &(On, Target))| {
                let mut one = Campaign { state, ..draft() };
                one.name = acme().campaign(&format!("new{i}")).expect("sound");
                (one.trigger.on, one.trigger.at) = (on.clone(), target.clone());
                Resource::from(one)
            };
            let old = campaign("old", On::Near { radius_m: 80 }, "stores/2");
            catalog(street().into_iter().chain([old.into()]).chain(trials.iter().enumerate().map(one)).collect())
        };
        let (trying, active) = (with(CampaignState::Draft), with(CampaignState::Active));
        let (mut tester, mut person, mut now, mut last) = (tester(), tester(), 0, 0.0);
        for (pause, east, accuracy) in walk {
            now += pause;
            let between = (now - pause / 2, metres(5.0, f64::midpoint(last, east)), accuracy);
            let ping = ping(now, &[between, (now, metres(5.0, east), accuracy)]);
            last = east;
            let tried = ask(&trying, &tester, &device_name(), &ping);
            let meant = ask(&active, &person, &device_name(), &ping);
            prop_assert_eq!(&tried.decision.transitions, &meant.decision.transitions);
            prop_assert_eq!(&tried.decision.next, &meant.decision.next);
            let considered = |outcome: &Outcome| -> BTreeSet<(String, Area)> {
                outcome.decision.considered.iter().map(|one| (one.campaign.to_string(), one.area.clone())).collect()
            };
            prop_assert_eq!(considered(&tried), considered(&meant));
            (tester, person) = (tried.profile, meant.profile);
        }
    }
}

#[test]
fn a_draft_for_stores_all_over_is_asked_about_those_around() {
    let stores = (0..40).map(|i| Store { tags: tags(true), ..store(&i.to_string(), f64::from(i) * 1_000.0) }.into());
    let mut wide = Campaign { trigger: campaign("new", On::Near { radius_m: 60 }, "stores/0").trigger, ..draft() };
    wide.trigger.at = Target::Tagged { network: acme(), tags: tags(true) };
    let catalog = catalog(stores.chain([wide.into()]).collect());
    let profile = ask(&catalog, &tester(), &device_name(), &here(0, metres(0.0, 0.0))).profile;
    let presence = &profile.devices[&device_name()].presence;
    let tried = Tried::by(&catalog, &device_name(), presence, &here(3_600, metres(0.0, 30_000.0))).expect("a trial");
    let drawn = |id: &str| tried.circle(&Area::Around(acme().store(id).expect("sound"), 60)).is_some();
    assert!(drawn("0") && drawn("5") && drawn("25") && drawn("30") && drawn("35"));
    assert!(!drawn("10") && !drawn("20") && !drawn("39"));
}

#[test]
fn what_a_held_out_test_device_would_have_got_counts_no_more_than_what_it_gets() {
    let id = ExperimentId::new("all").expect("sound");
    let held_out = Experiment { id, variants: Vec::new(), holdout_percent: 100 };
    let welcome = Campaign { experiment: Some(held_out), ..campaign("welcome", On::Entered, "geofences/quay") };
    let with = catalog(vec![geofence("quay", 0.0, 100.0).into(), welcome.into()]);
    let mut profile = tester();
    let phone = Device { test: false, ..profile.devices[&device_name()].clone() };
    let other = app_name().device("other").expect("sound");
    profile.devices.insert(other.clone(), phone);
    let tried = ask(&with, &profile, &device_name(), &here(0, metres(0.0, 0.0)));
    assert_eq!(tried.decision.ghosts.len(), 1);
    let real = ask(&with, &tried.profile, &other, &here(60, metres(0.0, 0.0)));
    assert_eq!(real.decision.ghosts.len(), 1, "once a day, and this is the first that counts");
}
