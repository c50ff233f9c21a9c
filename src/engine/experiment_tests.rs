//! Experiments: arms have their shares, people stay where they are, and who is held out is held out whatever the caps.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    decide::{Outcome, Question, decide},
    experiment::Drawn,
    fixture::{DAY, app, app_name, at, campaign, catalog, device_name, geofence, here, metres, person},
};
use crate::domain::{
    audience::{
        Audience, Rule,
        condition::{Count, OfferEvent, OffersOf},
    },
    campaign::{Campaign, Limits, On},
    cap::Cap,
    content::Content,
    decision::{Reason, Verdict},
    experiment::{Experiment, Variant},
    name::ProfileName,
    organization::App,
    profile::Profile,
    text::{ExperimentId, VariantId},
    time::Timestamp,
};

/// People of the statistical tests; of so many, shares are within a hundredth but for one run in billions.
const PEOPLE: u32 = 100_000;
/// More than six standard deviations of a share of [`PEOPLE`], the widest of which is 0.0016.
const BOUND: f64 = 0.01;

fn testing(id: &str, weights: &[(&str, u32)], holdout_percent: u32) -> Campaign {
    let content = |id: &str| Some(Content::new(id, "", "", "", None).expect("sound"));
    let variant =
        |&(id, weight): &(&str, u32)| Variant { id: VariantId::new(id).expect("sound"), weight, content: content(id) };
    let variants = weights.iter().map(variant).collect();
    let experiment = Experiment { id: ExperimentId::new(id).expect("sound"), variants, holdout_percent };
    Campaign { experiment: Some(experiment), ..campaign("hello", On::Entered, "geofences/quay") }
}

fn name(number: u32) -> ProfileName {
    app_name().profile(&format!("p{number}")).expect("sound")
}

/// The variant, and whether the person is held out.
fn drawn(campaign: &Campaign, person: &ProfileName) -> (String, bool) {
    let drawn = Drawn::of(campaign, person).expect("an experiment");
    (drawn.variant.map(|variant| variant.id.to_string()).unwrap_or_default(), drawn.is_held_out)
}

fn share(draws: &[(String, bool)], is_meant: impl Fn(&(String, bool)) -> bool) -> f64 {
    draws.iter().filter(|draw| is_meant(draw)).count() as f64 / draws.len() as f64
}

fn everybody(campaign: &Campaign) -> Vec<(String, bool)> {
    (0..PEOPLE).map(|number| drawn(campaign, &name(number))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn arms_have_their_shares_inside_and_outside_of_the_holdout(
        weights in prop::collection::vec(1_u32..=100, 2..=8), holdout in 0_u32..=50, id in "[a-z]{1,8}",
    ) {
        let names: Vec<String> = (0..weights.len()).map(|i| format!("v{i}")).collect();
        let weighted: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        let draws = everybody(&testing(&id, &weighted, holdout));
        let (held, sum) = (f64::from(holdout) / 100.0, f64::from(weights.iter().sum::<u32>()));
        prop_assert!((share(&draws, |draw| draw.1) - held).abs() < BOUND);
        for (variant, weight) in weighted {
            let wanted = f64::from(weight) / sum;
            prop_assert!((share(&draws, |draw| draw.0 == variant) - wanted).abs() < BOUND, "{}", variant);
            let both = share(&draws, |draw| draw.0 == variant && draw.1);
            prop_assert!((both - wanted * held).abs() < BOUND, "the two draws depend on each other");
        }
    }

    #[test]
    fn a_changed_weight_moves_no_more_people_than_the_shares_differ_by(
        before in prop::collection::vec(1_u32..=100, 2..=8), after in 1_u32..=100, id in "[a-z]{1,8}",
    ) {
        let names: Vec<String> = (0..before.len()).map(|i| format!("v{i}")).collect();
        let weighted = |weights: &[u32]| {
            let pairs: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
            everybody(&testing(&id, &pairs, 10))
        };
        let mut changed = before.clone();
        changed[0] = after;
        let share_of_first = |weights: &[u32]| f64::from(weights[0]) / f64::from(weights.iter().sum::<u32>());
        let (old, new) = (weighted(&before), weighted(&changed));
        let moved: Vec<_> = old.iter().zip(&new).filter(|(a, b)| a != b).collect();
        let least = (share_of_first(&changed) - share_of_first(&before)).abs();
        prop_assert!(moved.len() as f64 / f64::from(PEOPLE) < least + BOUND);
        let is_about_first = |(a, b): (&(String, bool), &(String, bool))| a.1 == b.1 && (a.0 == "v0") != (b.0 == "v0");
        prop_assert!(moved.into_iter().all(is_about_first), "somebody moved between variants that did not change");
    }
}

#[test]
fn a_larger_holdout_keeps_whom_it_had_and_another_id_draws_anew() {
    let arms = |id: &str, holdout| everybody(&testing(id, &[("a", 1), ("b", 1)], holdout));
    let (ten, thirty) = (arms("spring", 10), arms("spring", 30));
    assert!(ten.iter().zip(&thirty).all(|(small, large)| small.0 == large.0 && small.1 <= large.1));
    let anew = arms("summer", 10);
    let both: Vec<(String, bool)> =
        ten.iter().zip(&anew).map(|(one, other)| (String::new(), one.1 && other.1)).collect();
    assert!((share(&both, |draw| draw.1) - 0.01).abs() < BOUND / 2.0, "two experiments hold out the same people");
}

fn ask(campaigns: &[Campaign], app: &App, profile: &Profile, seconds: i64, max_offers: u32) -> Outcome {
    let mut world = vec![geofence("quay", 0.0, 100.0).into()];
    world.extend(campaigns.iter().cloned().map(Into::into));
    let (catalog, device, exhausted) = (catalog(world), device_name(), BTreeSet::new());
    let mut ping = here(seconds, metres(0.0, 0.0));
    ping.max_offers = max_offers;
    decide(&Question { catalog: &catalog, app, profile, device: &device, ping: &ping, seed: 7, exhausted: &exhausted })
}

/// The same person under another name, so that the draw is what is wanted.
fn someone(campaign: &Campaign, held_out: bool) -> Profile {
    let number = (0..1_000).find(|&number| drawn(campaign, &name(number)).1 == held_out).expect("one of a thousand");
    let mut profile = person();
    profile.name = name(number);
    profile
}

/// The person where nobody ever saw them: what they were given stays, where they are does not.
fn away(outcome: Outcome) -> Profile {
    let mut profile = outcome.profile;
    profile.devices.get_mut(&device_name()).expect("there").presence = Default::default();
    profile
}

fn verdicts(outcome: &Outcome) -> Vec<Reason> {
    let refused = |verdict: &Verdict| match verdict {
        Verdict::Refused(reason) => Some(reason.clone()),
        Verdict::Chosen(_) => None,
    };
    outcome.decision.considered.iter().filter_map(|one| refused(&one.verdict)).collect()
}

#[test]
fn the_variant_is_what_is_offered() {
    let test = testing("spring", &[("a", 1), ("b", 1)], 0);
    let person = someone(&test, false);
    let offer = ask(std::slice::from_ref(&test), &app(), &person, 0, 3).decision.offers.remove(0);
    let variant = drawn(&test, &person.name).0;
    assert_eq!(
        (offer.content.title.as_str(), offer.arm.expect("an arm").variant),
        (variant.as_str(), VariantId::new(&variant).ok())
    );
}

#[test]
fn who_is_held_out_gets_nothing_and_the_next_best_takes_the_place() {
    let mut test = testing("spring", &[], 50);
    test.limits.budgets = vec![crate::domain::budget::Budget {
        unit: crate::domain::budget::Unit::Offers,
        limit: 1,
        period: crate::domain::budget::Period::Whole,
        per_store: false,
        time_zone: None,
    }];
    let second = campaign("next", On::Entered, "geofences/quay");
    let out = ask(&[test.clone(), second.clone()], &app(), &someone(&test, true), 0, 1);
    let titles =
        |outcome: &Outcome| outcome.decision.offers.iter().map(|o| o.content.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&out), ["next"], "it does not take the only place");
    let ghost = &out.decision.ghosts[0];
    assert_eq!(verdicts(&out), [Reason::Holdout { ghost: Some(ghost.id), otherwise: None }]);
    assert!(out.takes.is_empty(), "a ghost takes no unit");
    assert_eq!(out.wanted.len(), 1, "but one must be left");
    let kept: Vec<bool> = out.profile.offers.iter().map(|given| given.ghost).collect();
    assert_eq!(kept, [false, true]);
    assert_ne!(ghost.id, out.decision.offers[0].id);
    let treated = ask(&[test.clone(), second], &app(), &someone(&test, false), 0, 1);
    assert_eq!((titles(&treated), treated.decision.ghosts.len()), (vec!["hello".to_owned()], 0));
}

#[test]
fn ghosts_count_for_their_own_campaign_and_for_no_other() {
    let mut test = testing("spring", &[], 50);
    test.limits = Limits { per_profile: vec![Cap::rolling(9, DAY)], ..Limits::default() };
    let rests = App { cool_down: Duration::from_secs(3_600), ..app() };
    let first = away(ask(std::slice::from_ref(&test), &rests, &someone(&test, true), 0, 1));
    let other = campaign("other", On::Entered, "geofences/quay");
    let soon = ask(&[test, other], &rests, &first, 60, 1);
    let otherwise = Some(Box::new(Reason::AppCoolDown { until: at(3_600) }));
    assert_eq!(verdicts(&soon), [Reason::Holdout { ghost: None, otherwise }]);
    assert_eq!(soon.decision.offers.len(), 1, "nothing was given, so nothing makes the other campaign wait");
}

proptest! {
    /// However often somebody comes and whatever the caps are: held out means no offer, ever, and as many ghosts as
    /// somebody else got offers who differs by the draw alone.
    #[test]
    fn ghosts_are_the_offers_of_the_same_person_outside_of_the_holdout(
        visits in prop::collection::vec(1_i64..40_000, 1..12),
        cap in 1_u32..4, window in 60_u64..90_000, rests in 0_u64..20_000, daily in 0_u32..4,
        asked in prop::option::of((any::<bool>(), 1_u32..3, 0_u32..3)),
    ) {
        let mut test = testing("spring", &[], 50);
        test.limits.per_profile = vec![Cap::rolling(cap, Duration::from_secs(window))];
        test.limits.cool_down = Duration::from_secs(rests);
        if let Some((is_shown, within_days, most)) = asked {
            let event = if is_shown { OfferEvent::Shown } else { OfferEvent::Offered };
            let rule = Rule::Offers { of: OffersOf::ThisCampaign, event, within_days, count: Count::AtMost(most) };
            test.audience = Audience::new(rule).expect("sound");
        }
        let app = App { daily_offers: daily, ..app() };
        let history = |held_out: bool| -> (Vec<Timestamp>, Vec<&'static str>) {
            let (mut profile, mut now) = (someone(&test, held_out), 0);
            let (mut made, mut verdicts_seen) = (Vec::new(), Vec::new());
            for visit in &visits {
                now += visit;
                let outcome = ask(std::slice::from_ref(&test), &app, &profile, now, 3);
                let (offers, ghosts) = (&outcome.decision.offers, &outcome.decision.ghosts);
                assert!(!held_out || offers.is_empty());
                made.extend((offers.len() + ghosts.len() > 0).then_some(at(now)));
                verdicts_seen.extend(outcome.decision.considered.iter().map(|one| one.verdict.code()));
                profile = away(outcome);
                let given = Arc::<Vec<_>>::make_mut(&mut profile.offers).iter_mut();
                given.filter(|given| !given.ghost).for_each(|given| given.shown_at = Some(given.offered_at));
            }
            let kept = profile.offers.iter().filter(|given| given.ghost).count();
            let most = cap.max(daily).max(asked.map_or(0, |(_, _, most)| most + 1));
            assert!(kept <= most as usize, "{kept} ghosts are kept where nothing counts to more than {most}");
            (made, verdicts_seen)
        };
        let ((offers, _), (ghosts, told)) = (history(false), history(true));
        prop_assert_eq!(offers, ghosts);
        let is_of_both = |code: &&str| ["HOLDOUT", "AUDIENCE"].contains(code);
        prop_assert!(told.iter().all(is_of_both), "{:?}", told);
    }
}
