//! A campaign on trial: who gets it, and that nothing of it is left.

use std::collections::BTreeSet;

use super::{
    catalog::Catalog,
    decide::{Outcome, Question, decide},
    fixture::{acme, app, app_name, campaign, catalog, device_name, geofence, here, metres, person, store},
};
use crate::domain::{
    audience::{Audience, Rule},
    budget::{Budget, Period, Unit},
    campaign::{Campaign, CampaignState, On},
    catalog::{CatalogChange, Resource},
    decision::Verdict,
    experiment::Experiment,
    name::DeviceName,
    organization::App,
    ping::Ping,
    profile::{Device, Profile},
    text::{ExperimentId, Topic},
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
    assert!(archived.areas_tried_by(&device_name()).is_none());
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
