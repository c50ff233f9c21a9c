//! Explanations: what is said to change does change it, and a moment that is promised is the first. Beside pings they are in
//! `explain_ping_tests`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    eligibility::Standing,
    explain::{Case, Explanation, accounts, explain},
    fixture::{app, at, beacon, campaign, catalog, declaring, device_name, geofence, person},
};
use crate::domain::{
    audience::{Audience, Comparison, Rule, TraitValue},
    budget::{AccountId, Budget, Period, Spot, Unit},
    campaign::{Campaign, CampaignState, NthVisit, On},
    cap::{Cap, CivilPeriod, Within},
    catalog::Resource,
    consent::Purpose,
    name::CampaignName,
    offer::{GivenOffer, OfferId},
    organization::App,
    place::PlaceName,
    profile::Profile,
    text::TraitKey,
    time::{QuietHours, TimeOfDay, TimeZone, Timestamp},
};

fn time(text: &str) -> TimeOfDay {
    TimeOfDay::parse(text).expect("sound")
}

pub(super) fn asked(campaign: &Campaign, app: &App, profile: &Profile, now: Timestamp) -> Explanation {
    explained(campaign, app, profile, now, &BTreeSet::new())
}

fn explained(
    campaign: &Campaign,
    app: &App,
    profile: &Profile,
    now: Timestamp,
    exhausted: &BTreeSet<AccountId>,
) -> Explanation {
    with_case(campaign, app, profile, (now, exhausted), explain)
}

fn with_case<T>(
    campaign: &Campaign,
    app: &App,
    profile: &Profile,
    (now, exhausted): (Timestamp, &BTreeSet<AccountId>),
    ask: impl FnOnce(&Case<'_>) -> T,
) -> T {
    let active = Campaign { state: CampaignState::Active, ..campaign.clone() };
    let app = &declaring(app, profile);
    let catalog = catalog(world(&active));
    let active = Arc::new(active);
    let place = match active.trigger.on {
        On::Heard => "organizations/acme/beacons/till",
        _ => "organizations/acme/geofences/quay",
    };
    let place = PlaceName::parse(place).expect("sound");
    let device = profile.devices.get(&device_name()).expect("there");
    let standing = Standing { catalog: &catalog, app, profile, device, now, is_suspect: false, exhausted };
    ask(&Case { standing, campaign: &active, state: campaign.state, place: &place, distance_m: 0.0 })
}

pub(super) fn world(campaign: &Campaign) -> Vec<Resource> {
    vec![geofence("quay", 0.0, 100.0).into(), beacon("till").into(), campaign.clone().into()]
}

pub(super) fn hello() -> Campaign {
    campaign("hello", On::Entered, "geofences/quay")
}

pub(super) fn given(campaign: &CampaignName, seconds: i64) -> GivenOffer {
    GivenOffer::new(OfferId::new(at(seconds), 7), campaign.clone(), device_name(), at(seconds))
}

/// A tree whose leaves are flags, a to z; of some trees each has its own.
fn tree() -> impl Strategy<Value = Rule> {
    let leaf = Just(Rule::All(Vec::new()));
    let inner = |rule: BoxedStrategy<Rule>| {
        prop_oneof![
            prop::collection::vec(rule.clone(), 1..4).prop_map(Rule::All),
            prop::collection::vec(rule.clone(), 1..4).prop_map(Rule::Any),
            rule.prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    };
    let rules = leaf.prop_recursive(3, 10, 3, move |rule| inner(rule.boxed()));
    (rules, prop_oneof![2..5_u8, 2..27_u8]).prop_map(|(mut rule, flags)| {
        let mut next = 0;
        name_leaves(&mut rule, (&mut next, flags));
        rule
    })
}

fn name_leaves(rule: &mut Rule, (next, flags): (&mut u8, u8)) {
    match rule {
        Rule::All(rules) if rules.is_empty() => {
            let key = TraitKey::new(&char::from(b'a' + *next % flags).to_string()).expect("sound");
            *rule = Rule::Trait { key, comparison: Comparison::Equals, value: TraitValue::Flag(true) };
            *next += 1;
        }
        Rule::All(rules) | Rule::Any(rules) => rules.iter_mut().for_each(|rule| name_leaves(rule, (next, flags))),
        Rule::Not(rule) => name_leaves(rule, (next, flags)),
        _ => {}
    }
}

/// By truth tables, without what evaluates rules.
fn naive(rule: &Rule, flags: u32) -> bool {
    match rule {
        Rule::All(rules) => rules.iter().all(|rule| naive(rule, flags)),
        Rule::Any(rules) => rules.iter().any(|rule| naive(rule, flags)),
        Rule::Not(rule) => !naive(rule, flags),
        Rule::Trait { key, .. } => flags & (1 << (key.as_str().as_bytes()[0] - b'a')) != 0,
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_fewer_conditions_than_told_would_do_and_those_told_do(rule in tree(), flags in any::<u32>()) {
        let found: Vec<&Rule> = rule.nodes().filter(|rule| matches!(rule, Rule::Trait { .. })).collect();
        let leaves = found.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len();
        prop_assume!(leaves <= 12);
        let flags = flags & ((1 << leaves) - 1);
        let mut profile = person();
        for leaf in 0..leaves {
            let key = TraitKey::new(&char::from(b'a' + leaf as u8).to_string()).expect("sound");
            profile.personal_of_record_mut().traits.insert(key, TraitValue::Flag(flags & (1 << leaf) != 0));
        }
        let audience = Audience::new(rule.clone()).expect("small");
        let told = asked(&Campaign { audience, ..hello() }, &app(), &profile, at(0));
        let least = (0..1_u32 << leaves).filter(|other| naive(&rule, *other)).map(|other| (other ^ flags).count_ones()).min();
        let Some(least) = least else {
            let words: Vec<&str> = told.flips.iter().map(|flip| flip.words.as_str()).collect();
            prop_assert_eq!(words, ["the rule must be another: no change of its conditions was found that would do"]);
            return Ok(());
        };
        prop_assert_eq!(told.flips.len() as u32, least);
        let mut changed = flags;
        for flip in &told.flips {
            // As in "a = true" must be so.
            let leaf = flip.words.as_bytes()[1] - b'a';
            let must_hold = flip.words.contains("must be so");
            changed = if must_hold { changed | 1 << leaf } else { changed & !(1 << leaf) };
        }
        prop_assert!(naive(&rule, changed), "{:?}", told.flips);
    }
}

#[test]
fn a_draft_is_asked_as_if_it_were_active_and_a_wrong_place_is_told() {
    let draft = Campaign { state: CampaignState::Draft, ..hello() };
    let told = asked(&draft, &app(), &person(), at(0));
    assert_eq!(told.flips.iter().map(|flip| flip.gate).collect::<Vec<_>>(), ["STATE"]);
    assert!(!told.would_offer && told.at.is_none());
    let elsewhere = campaign("hello", On::Entered, "geofences/market");
    let told = asked(&elsewhere, &app(), &person(), at(0));
    assert_eq!(told.answers.last().expect("asked").refusal.as_ref().expect("refused").0, "NOT_TARGETED");
}

#[test]
fn the_person_is_told_of_with_what_they_have() {
    let key = TraitKey::new("points").expect("sound");
    let rule = Rule::Trait { key: key.clone(), comparison: Comparison::AtLeast, value: TraitValue::Number(10.0) };
    let members = Campaign { audience: Audience::new(rule).expect("sound"), ..hello() };
    let mut ann = person();
    ann.personal_of_record_mut().traits.insert(key, TraitValue::Number(7.0));
    let words = |profile: &Profile| asked(&members, &app(), profile, at(0)).flips.remove(0).words;
    assert_eq!(words(&ann), "\"points ≥ 10\" must be so, and it is 7");
    ann.consents = super::fixture::consents(&[Purpose::Location, Purpose::Marketing]);
    assert_eq!(words(&ann), "\"points ≥ 10\" must be so, and it is not to be known without consent to profiling");
}

#[test]
fn everything_that_a_gate_refuses_for_is_to_change() {
    const DAY: i64 = 86_400;
    let told = |campaign: &Campaign, app: &App, profile: &Profile| {
        let told = asked(campaign, app, profile, at(0));
        (told.flips.into_iter().map(|flip| (flip.words, flip.at)).collect::<Vec<_>>(), told.at)
    };
    let words =
        |flips: &[(String, Option<Timestamp>)]| flips.iter().map(|(words, _)| words.clone()).collect::<Vec<_>>();
    let mut limited = hello();
    limited.limits.never_after_redeemed = true;
    limited.limits.per_profile = vec![Cap { offers: 1, within: Within::Period(CivilPeriod::Month) }];
    let mut ann = person();
    let used = GivenOffer { redeemed_at: Some(at(-60)), ..given(&limited.name, -7_200) };
    ann.offers = vec![used].into();
    let calm = App { daily_offers: 9, ..app() };
    let (flips, next) = told(&limited, &calm, &ann);
    let once =
        ["the person must not have redeemed one of it", "the person must have got no offer of the campaign this month"];
    assert_eq!((words(&flips), next), (once.map(str::to_owned).to_vec(), None));
    assert_eq!((flips[0].1, flips[1].1), (None, Some(at(30 * DAY - DAY / 2))), "it is June the first");

    let rests = Duration::from_secs(10 * 86_400);
    let strict = App { daily_offers: 1, cool_down: rests, ..app() };
    let mut bob = person();
    bob.offers = vec![given(&acme_other(), -60)].into();
    let (flips, next) = told(&hello(), &strict, &bob);
    let times: Vec<Option<Timestamp>> = flips.iter().map(|(_, at)| *at).collect();
    let both = ["the person must have got no offer that day", "the last offer must be longer ago"];
    assert_eq!(words(&flips), both, "a share that is the whole day is no second thing to change");
    assert_eq!(times, [Some(at(DAY / 2)), Some(at(10 * DAY - 60))]);
    assert_eq!(next, Some(at(10 * DAY - 60)), "when all of it is so");

    let mut rare = hello();
    rare.trigger.visit = NthVisit { at_least: 5, every: 3 };
    let (flips, next) = told(&rare, &calm, &ann);
    let fifth_and_third = [
        "it must be visit 5 of the person to the place, or a later one",
        "it must be visit 3 of the person to the place since the last offer of it, or a later one",
    ];
    assert_eq!((&words(&flips)[..2], next), (&fifth_and_third.map(str::to_owned)[..], None));
}

fn acme_other() -> CampaignName {
    CampaignName::parse("organizations/other/campaigns/x").expect("sound")
}

#[test]
fn quiet_hours_end_when_they_do_where_the_person_is() {
    let quiet = App { quiet_hours: Some(QuietHours { from: time("11:00"), to: time("13:00") }), ..app() };
    assert_eq!(asked(&hello(), &quiet, &person(), at(0)).at, Some(at(3_600)));
    let always = App { quiet_hours: Some(QuietHours { from: time("11:00"), to: time("11:00") }), ..app() };
    assert_eq!(asked(&hello(), &always, &person(), at(0)).at, None);
}

#[test]
fn a_budget_of_a_day_is_there_again_the_next_day() {
    let budget = |period| Budget { unit: Unit::Offers, limit: 9, period, per_store: false, time_zone: None };
    let of_rome = Budget { time_zone: Some(TimeZone::new("Europe/Rome").expect("known")), ..budget(Period::Day) };
    let next = |budgets: &[Budget], used_up: &[Budget]| {
        let mut limited = hello();
        limited.limits.budgets = budgets.to_vec();
        let spot = Spot { place: "organizations/acme/geofences/quay", time_zone: None, at: at(0) };
        let used_up = used_up.iter().map(|budget| budget.account(&limited.name, spot).id).collect();
        let told = explained(&limited, &app(), &person(), at(0), &used_up);
        assert_eq!((told.flips.len(), told.flips[0].gate), (1, "BUDGET"));
        assert_eq!(told.flips[0].at, told.at);
        let refused =
            told.answers.iter().find(|answer| answer.gate == "BUDGET").and_then(|answer| answer.refusal.clone());
        (told.at, refused.expect("used up").1)
    };
    let spent = |used_up: &str| format!("all 9 offers of the campaign's budget{used_up} are taken");
    let (whole, day, month) = (budget(Period::Whole), budget(Period::Day), budget(Period::Month));
    const HOUR: i64 = 3_600;
    let both = [whole.clone(), day.clone()];
    let one = std::slice::from_ref;
    assert_eq!(next(&both, one(&day)), (Some(at(12 * HOUR)), spent(" for 2026-06-01")), "noon is now");
    assert_eq!(next(&both, &[whole]), (None, spent("")));
    assert_eq!(next(&both, &both).0, None);
    assert_eq!(next(one(&of_rome), one(&of_rome)).0, Some(at(10 * HOUR)));
    let week = budget(Period::Week);
    assert_eq!(next(one(&week), one(&week)).0, Some(at((7 * 24 - 12) * HOUR)), "it is Monday");
    let both = [day, month];
    assert_eq!(next(&both, &both).0, Some(at((30 * 24 - 12) * HOUR)), "it is June the first");
    let nothing = [Budget { limit: 0, ..budget(Period::Day) }];
    assert_eq!(next(&nothing, &nothing), (None, "the campaign's budget is used up".to_owned()));
}

#[test]
fn the_accounts_of_the_place_are_asked_about_from_the_moment_until_now() {
    let mut limited = hello();
    let budget = |period, per_store| Budget { unit: Unit::Offers, limit: 9, period, per_store, time_zone: None };
    limited.limits.budgets = vec![budget(Period::Whole, false), budget(Period::Day, true)];
    limited.limits.budgets.push(Budget { unit: Unit::Redemptions, ..budget(Period::Day, false) });
    let named = |now| {
        let nothing = BTreeSet::new();
        let named = with_case(&limited, &app(), &person(), (at(0), &nothing), |case| accounts(case, now));
        named.iter().map(|id| id.as_str().rsplit('/').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named(at(0)), ["offers", "2026-06-01"]);
    assert_eq!(named(at(12 * 3_600)), ["offers", "2026-06-01", "2026-06-02"], "somebody may have taken of it");
    assert_eq!(named(at(-86_400)), ["offers", "2026-06-01"], "the moment is ahead");
}
