//! What asking an audience costs beside one evaluation of the same rule by the `cel` crate, whose context is ready.
//!
//! Run with `cargo bench --bench audience`. Both ask the same person the same five conditions, all of which hold, so that
//! none is spared; the person's facts are laid out for both before (ours once a ping, in `Person::new`). Then the costlier
//! conditions, each by itself, and how often any of it allocates.

#[path = "support/counting.rs"]
mod counting;
mod support;

use std::{cell::RefCell, collections::BTreeSet, hint::black_box, sync::Arc, time::Duration};

use cel::{Context, Env, Value};
use counting::allocations;
use dintorni::{
    domain::{
        audience::{
            Audience, Comparison, Rule, TraitValue,
            condition::{
                Ago, Clock, Count, DateTest, DeviceTest, Hours, MomentTest, OfferEvent, OffersOf, PlaceTest, Visited,
                Weekdays,
            },
        },
        consent::{Consent, Consents, Purpose},
        name::{AppName, CampaignName, OrganizationName},
        offer::{GivenOffer, OfferId},
        place::PlaceName,
        profile::{Device, Personal, Platform, Profile},
        text::{Tag, Topic, TraitKey},
        time::{TimeOfDay, TimeZone, Timestamp},
        visits::{VisitedPlace, Visits},
    },
    engine::{
        audience::{Around, Person, Site},
        catalog::Catalog,
    },
};
use support::{compare, measure};

/// How often a rule is asked in one turn.
const ROUNDS: usize = 20_000;
const DAY: Duration = Duration::from_secs(86_400);

/// The five conditions as CEL has them.
const CEL: &str =
    r#"profiling && points >= 10.0 && tier in ["silver", "gold"] && coffee >= 0.5 && platform == "android""#;

fn main() {
    let (profile, catalog, zone) = (profile(), Catalog::default(), TimeZone::new("Europe/Rome").expect("known"));
    let device = profile.devices.values().next().expect("one");
    let profiling = profile.consents.permit();
    let visits = profiling.map(|permit| profile.visits(permit).clone());
    let stays = |_: &PlaceName, at: Timestamp| Some(at);
    let around =
        Around { now: now(), zone: &zone, device, catalog: &catalog, visits: visits.as_deref(), stays: &stays };
    let person = Person::new(&profile, profiling, around);
    let (campaign, tags) = (campaign("c0"), BTreeSet::from([Tag::new("cafe").expect("sound")]));
    let site = Site {
        campaign: &campaign,
        place: Some(place(0)),
        tags: &tags,
        store: None,
        distance_m: Some(12.0),
        at: now(),
        in_segment: false,
        segments: RefCell::default(),
    };
    let holds = |audience: &Audience| u64::from(person.missing_from(black_box(audience), &site).is_none());
    let repeat = |audience: &Audience| (0..ROUNDS).map(|_| holds(audience)).sum::<u64>();

    let five = Audience::new(Rule::All(five())).expect("sound");
    let env = Arc::new(Env::stdlib());
    let (program, context) = (env.compile(CEL).expect("it is CEL"), context(&env));
    let by_cel = || u64::from(program.execute(black_box(&context)).is_ok_and(|value| value == Value::Bool(true)));
    assert_eq!((holds(&five), by_cel()), (1, 1), "both let the person in");
    let (us, them) = (&mut || repeat(&five), &mut || (0..ROUNDS).map(|_| by_cel()).sum());
    compare("five conditions, all of which hold", ROUNDS, ("ours", us), ("cel, with a ready context", them));

    for rule in costlier() {
        let words = rule.to_string();
        let audience = Audience::new(rule).expect("sound");
        assert_eq!(holds(&audience), 1, "{words}");
        measure(&words, ROUNDS, &mut || repeat(&audience));
    }
    let all = costlier().into_iter().chain([Rule::All(self::five())]);
    let make = || -> Vec<Audience> { all.map(|rule| Audience::new(rule).expect("sound")).collect() };
    let (audiences, to_make) = allocations(make);
    let (held, to_ask) = allocations(|| audiences.iter().map(holds).sum::<u64>());
    assert_eq!(held, audiences.len() as u64);
    println!("{to_ask} allocations to ask all of them, {to_make} to make them");
}

fn context(env: &Arc<Env>) -> Context<'static, 'static> {
    let mut context = Context::with_env(env.clone());
    context.add_variable_from_value("profiling", true);
    context.add_variable_from_value("points", 120.0);
    context.add_variable_from_value("tier", "gold");
    context.add_variable_from_value("coffee", 0.8);
    context.add_variable_from_value("platform", "android");
    context
}

fn key(key: &str) -> TraitKey {
    TraitKey::new(key).expect("sound")
}

fn text(text: &str) -> TraitValue {
    TraitValue::text(text).expect("sound")
}

fn five() -> Vec<Rule> {
    vec![
        Rule::Consent(Purpose::Profiling),
        Rule::Trait { key: key("points"), comparison: Comparison::AtLeast, value: TraitValue::Number(10.0) },
        Rule::TraitIn { key: key("tier"), values: vec![text("silver"), text("gold")] },
        Rule::Interest { topic: Topic::new("coffee").expect("sound"), at_least: 0.5 },
        Rule::Device(DeviceTest::Platform(BTreeSet::from([Platform::Android]))),
    ]
}

fn costlier() -> Vec<Rule> {
    let network = || OrganizationName::parse("organizations/brand").expect("sound");
    let time = |text| TimeOfDay::parse(text).expect("sound");
    let hours = Some(Hours { from: time("08:00"), to: time("20:00") });
    let last = |at| Rule::LastVisit { at, ago: Ago::AtMost { days: 30 } };
    let visits = |at| Rule::Visits { at, within_days: 90, count: Count::AtLeast(2) };
    let offers = |of| Rule::Offers { of, event: OfferEvent::Shown, within_days: 30, count: Count::AtLeast(1) };
    vec![
        Rule::TraitDate { key: key("born"), test: DateTest::Anniversary { within_days: 365 } },
        visits(Visited::Here),
        visits(Visited::Network(network())),
        last(Visited::Network(network())),
        offers(OffersOf::ThisCampaign),
        offers(OffersOf::Brand),
        Rule::Place(PlaceTest::AllTags(BTreeSet::from([Tag::new("cafe").expect("sound")]))),
        Rule::Moment(MomentTest { weekdays: Weekdays::try_from(0b1_1111).ok(), hours, clock: Clock::Person }),
        Rule::Device(DeviceTest::Language(vec!["it".into(), "pt".into()])),
    ]
}

/// Noon UTC of 2026-06-01, a Monday.
fn now() -> Timestamp {
    Timestamp::from_micros(1_780_315_200_000_000)
}

fn campaign(id: &str) -> CampaignName {
    OrganizationName::parse("organizations/brand").expect("sound").campaign(id).expect("sound")
}

fn place(number: u32) -> PlaceName {
    PlaceName::parse(&format!("organizations/brand/stores/s{number}")).expect("sound")
}

/// Ten traits and interests, twenty offers, and sixty visits to ten stores.
fn profile() -> Profile {
    let app = AppName::parse("organizations/pub/apps/shopper").expect("sound");
    let mut consents = Consents::default();
    for purpose in Purpose::ALL {
        consents.set(purpose, Consent { granted: true, text_version: "1".into(), given_at: now() });
    }
    let mut personal = Personal::default();
    for number in 0..7 {
        personal.traits.insert(key(&format!("trait_{number}")), TraitValue::Number(f64::from(number)));
        personal.interests.insert(Topic::new(&format!("topic-{number}")).expect("sound"), 0.5);
    }
    personal.traits.insert(key("points"), TraitValue::Number(120.0));
    personal.traits.insert(key("tier"), text("gold"));
    personal.traits.insert(key("born"), TraitValue::date("1990-02-03").expect("sound"));
    personal.interests.insert(Topic::new("coffee").expect("sound"), 0.8);
    let mut profile = Profile::new(app.profile("ann").expect("sound"), now(), consents, personal);
    let phone = app.device("phone").expect("sound");
    let device = Device {
        language: "pt-BR".into(),
        platform: Platform::Android,
        time_zone: None,
        app_version: None,
        test: false,
        token_epoch: 0,
        registered_at: now(),
        presence: Default::default(),
    };
    profile.devices.insert(phone.clone(), device);
    let given = |number: u32| {
        let at = now() - DAY * number;
        let id = OfferId::new(at, u128::from(number));
        let name = campaign(&format!("c{}", number % 5));
        GivenOffer { shown_at: Some(at), ..GivenOffer::new(id, name, phone.clone(), at) }
    };
    profile.offers = Arc::new((1..21).rev().map(given).collect());
    let begun = |number: u32| (1..7).map(|visit| now() - DAY * (10 * visit + number)).collect();
    let visited = (0..10).map(|number| VisitedPlace { place: place(number), begun: begun(number) });
    *profile.visits_of_record_mut() = Visits::new(visited.collect());
    profile
}
