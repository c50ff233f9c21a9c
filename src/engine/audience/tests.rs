//! Rules and people against an evaluator of another shape, and what has to be so in words.

use std::{cell::RefCell, sync::Arc};

use jiff::civil::Weekday;
use proptest::{option::of, prelude::*};

use super::{
    oracle::{self, Facts},
    *,
};
use crate::{
    domain::{
        audience::{
            Comparison::{AtLeast, GreaterThan, NotEquals},
            condition::{Ago, Clock, Count, Hours, MomentTest, OfferEvent, OffersOf, Visited, Weekdays},
            samples,
        },
        catalog::Resource,
        consent::Purpose,
        name::OrganizationName,
        offer::OfferId,
        opening::OpeningHours,
        organization::{Grant, Organization, Permission},
        place::{Geofence, Store},
        profile::Personal,
        segment::Segment,
        text::Tag,
        time::TimeOfDay,
        visits::VisitedPlace,
    },
    engine::fixture::{at, catalog, consents, device_name, geofence, person, store},
};

const HOUR: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR;

/// Moments around which clocks and calendars do strange things, in seconds.
const MOMENTS: [&str; 10] = [
    "2026-03-29T00:59:59Z", // Rome and Helsinki skip an hour,
    "2026-03-29T01:00:00Z",
    "2026-10-25T00:30:00Z", // and repeat one.
    "2026-10-25T01:30:00Z",
    "2024-02-28T23:30:00Z", // Before, in and after a 29 February, and where there is none.
    "2024-02-29T12:00:00Z",
    "2027-02-28T10:30:00Z",
    "2027-03-01T00:00:00Z",
    "2011-12-30T09:59:59Z", // Apia skips a whole day.
    "2026-01-01T04:59:59Z", // A minute to midnight in New York.
];

fn moment() -> impl Strategy<Value = Timestamp> {
    let known = prop::sample::select(MOMENTS.to_vec());
    let seconds = known.prop_map(|text| text.parse::<jiff::Timestamp>().expect("sound").as_second());
    let any = jiff::Timestamp::from_second(1_780_315_200).expect("sound").as_second();
    let base = prop_oneof![3 => seconds, 1 => Just(any)];
    (base, prop_oneof![Just(0_i64), (-96..96_i64).prop_map(|half| half * HOUR / 2), -2 * DAY..2 * DAY])
        .prop_map(|(at, by)| Timestamp::from_micros((at + by) * 1_000_000))
}

fn zone() -> impl Strategy<Value = TimeZone> {
    let zones = vec!["Europe/Rome", "America/New_York", "Pacific/Apia", "Asia/Kathmandu", "UTC"];
    prop::sample::select(zones).prop_map(|zone| TimeZone::new(zone).expect("known"))
}

pub fn network(id: &str) -> OrganizationName {
    OrganizationName::parse(&format!("organizations/{id}")).expect("sound")
}

/// Stores 0 to 3 of three networks, of which `acme` lets the brand in; two segments, of which the second is broken, and one
/// of somebody else.
pub fn world(rule: Rule, broken: Rule) -> Catalog {
    let tags = |i: usize| ["cafe", "quay", "new"].iter().take(i).map(|tag| Tag::new(tag).expect("sound")).collect();
    let mut resources: Vec<Resource> = Vec::new();
    for id in ["brand", "acme", "rival"] {
        resources
            .push(Organization { name: network(id), display_name: id.into(), brand_limits: Default::default() }.into());
        for i in 0..4 {
            let name = network(id).store(&i.to_string()).expect("sound");
            let hours = if i == 0 { "" } else { "Mo-Fr 09:00-18:00" };
            let opening_hours = OpeningHours::new(hours).expect("readable");
            resources.push(Store { name, tags: tags(i), opening_hours, ..store("x", 0.0) }.into());
        }
        let name = network(id).geofence("square").expect("sound");
        resources.push(Geofence { name, tags: tags(2), ..geofence("x", 0.0, 50.0) }.into());
    }
    let name = network("acme").grant("g").expect("sound");
    resources.push(Grant { name, grantee: samples::brand(), permission: Permission::TargetPlaces }.into());
    for (owner, id, rule) in [("rival", "0", rule.clone()), ("brand", "0", rule), ("brand", "1", broken)] {
        let name = network(owner).segment(id).expect("sound");
        let audience = Audience::new(rule).expect("small");
        resources.push(Segment { name, display_name: id.into(), audience }.into());
    }
    catalog(resources)
}

fn place() -> impl Strategy<Value = PlaceName> {
    (samples::organization(), 0..5).prop_map(|(network, i)| match i {
        4 => PlaceName::Geofence(network.geofence("square").expect("sound")),
        i => PlaceName::Store(network.store(&i.to_string()).expect("sound")),
    })
}

/// How long ago, in seconds: to the second at whole days, and between them.
fn ago() -> impl Strategy<Value = i64> {
    prop_oneof![
        (prop_oneof![Just(1), Just(7), Just(30), Just(90), 0..92_i64], -1..2_i64)
            .prop_map(|(days, off)| days * DAY + off),
        0..5 * DAY
    ]
}

#[derive(Debug, Clone)]
struct Someone {
    profile: Profile,
    zone: TimeZone,
    now: Timestamp,
    /// The place that fired, its own zone, how far it is, and since when the person is there.
    here: (PlaceName, TimeZone, Option<f64>, Option<Timestamp>),
}

fn someone() -> impl Strategy<Value = Someone> {
    let personal = (
        prop::collection::btree_map(samples::key(), samples::value(), 0..4),
        of(samples::date()),
        prop::collection::btree_map(samples::topic(), (0..5_u8).prop_map(|quarters| f64::from(quarters) / 4.0), 0..3),
        prop::sample::subsequence(Purpose::ALL.to_vec(), 0..=3),
    );
    let device = (samples::language(), samples::platform(), of(samples::version()));
    let past = (
        prop::collection::vec((place(), ago()), 0..12),
        prop::collection::vec((0..4_usize, ago(), [of(ago()), of(ago()), of(ago())], any::<bool>()), 0..6),
    );
    let here = (place(), zone(), of(0.0..100.0), of((any::<bool>(), 0..3 * DAY, HOUR / 2 - 1..HOUR / 2 + 2)));
    (personal, device, past, (moment(), zone(), here)).prop_map(|(personal, device, past, (now, zone, here))| {
        let seconds_ago = |seconds: i64| Timestamp::from_micros(now.micros() - seconds * 1_000_000);
        let (mut traits, born, interests, purposes) = personal;
        traits.extend(born.map(|date| (TraitKey::new("born").expect("sound"), date)));
        let name = person().name;
        let mut profile = Profile::new(name, now, consents(&purposes), Personal { traits, interests });
        let (phone, mut known) = person().devices.iter().next().map(|(n, d)| (n.clone(), d.clone())).expect("one");
        (known.language, known.platform, known.app_version) = device;
        profile.devices.insert(phone.clone(), known);
        // Often half an hour after a visit that is remembered.
        let near = past.0.first().map(|(_, ago)| *ago);
        let since = here.3.map(|(follows, ago, after)| near.filter(|_| follows).map_or(ago, |begun| begun - after));
        let visited = |(place, ago)| VisitedPlace { place, begun: vec![seconds_ago(ago)] };
        *profile.visits_of_record_mut() = Visits::new(past.0.into_iter().map(visited).collect());
        profile.offers = Arc::new(
            past.1
                .into_iter()
                .map(|(campaign, ago, times, is_anothers)| {
                    let owner = if campaign == 3 { network("rival") } else { samples::brand() };
                    let name = owner.campaign(&campaign.to_string()).expect("sound");
                    let [shown_at, opened_at, redeemed_at] = times.map(|time| time.map(seconds_ago));
                    let given = GivenOffer::new(OfferId::new(now, 1), name, phone.clone(), seconds_ago(ago));
                    let given = GivenOffer { shown_at, opened_at, redeemed_at, ..given };
                    if is_anothers { given.for_caps(OfferId::new(now, 2)) } else { given }
                })
                .collect(),
        );
        let here = (here.0, here.1, here.2, since.map(seconds_ago));
        Someone { profile, zone, now, here }
    })
}

/// What the evaluator says, and what the oracle does.
fn both(someone: &Someone, catalog: &Catalog, audience: &Audience) -> (bool, bool) {
    let Someone { profile, zone, now, here: (place, store_zone, distance_m, since) } = someone;
    let campaign = samples::brand().campaign("0").expect("sound");
    let of_store = |name| {
        catalog.stores.get(name).map(|entry| Store { time_zone: store_zone.clone(), ..Store::clone(&entry.value) })
    };
    let none = Default::default();
    let (store, tags) = match place {
        PlaceName::Store(name) => (of_store(name), &none),
        PlaceName::Geofence(name) => (None, &catalog.geofences.get(name).expect("there").value.tags),
        PlaceName::Beacon(_) => (None, &none),
    };
    let device = profile.devices.values().next().expect("one");
    let profiling = profile.consents.permit();
    let visits = profiling.map(|permit| profile.visits(permit).clone());
    let stays = |at: &PlaceName, _: Timestamp| since.filter(|_| at == place);
    let around = Around { now: *now, zone, device, catalog, visits: visits.as_deref(), stays: &stays };
    let site = Site {
        campaign: &campaign,
        place: Some(place.clone()),
        tags,
        store: store.as_ref(),
        distance_m: *distance_m,
        at: *now,
        in_segment: false,
        segments: RefCell::default(),
    };
    let ours = Person::new(profile, profiling, around).missing_from(audience, &site).is_none();
    let facts = Facts { profile, zone, now: *now, device, catalog, site: &site, since: *since };
    (ours, oracle::holds(&facts, audience.rule(), true))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn rules_hold_where_the_oracle_says_so(
        someone in someone(),
        rule in samples::rule(true),
        (segment, broken) in (samples::rule(false), samples::rule(true)),
    ) {
        let catalog = world(segment, broken);
        let (ours, theirs) = both(&someone, &catalog, &Audience::new(rule).expect("small"));
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn single_conditions_hold_where_the_oracle_says_so(someone in someone(), rule in samples::condition()) {
        let (catalog, audience) = (world(Rule::All(vec![]), Rule::All(vec![])), Audience::new(rule).expect("small"));
        let (ours, theirs) = both(&someone, &catalog, &audience);
        prop_assert_eq!(ours, theirs);
        let mut forgetful = someone.clone();
        forgetful.profile.forget_old_offers(someone.now);
        prop_assert_eq!(both(&forgetful, &catalog, &audience).0, ours, "it depends on what was forgotten");
    }
}

/// The term that fails, and what there is of it.
fn refusal(profile: &Profile, rule: Rule) -> Option<(String, String)> {
    let (catalog, app) = (Catalog::default(), crate::engine::fixture::app());
    let campaign = samples::brand().campaign("0").expect("sound");
    let (device, profiling) = (profile.devices.values().next().expect("one"), profile.consents.permit());
    let visits = profiling.map(|permit| profile.visits(permit).clone());
    let now = at(0);
    let stays = |_: &PlaceName, at: Timestamp| Some(at);
    let around =
        Around { now, zone: &app.time_zone, device, catalog: &catalog, visits: visits.as_deref(), stays: &stays };
    let cafe = store("cafe", 0.0);
    let site = Site {
        campaign: &campaign,
        place: Some(PlaceName::Store(cafe.name.clone())),
        tags: &cafe.tags,
        store: Some(&cafe),
        distance_m: None,
        at: now,
        in_segment: false,
        segments: RefCell::default(),
    };
    let (person, audience) = (Person::new(profile, profiling, around), Audience::new(rule).expect("sound"));
    let term = person.missing_from(&audience, &site)?;
    Some((term.words.to_string(), person.found(&term.rule, &site)))
}

pub fn with_points(purposes: &[Purpose]) -> Profile {
    let mut ann = person();
    ann.consents = consents(purposes);
    ann.personal_of_record_mut().traits.insert(TraitKey::new("points").expect("sound"), TraitValue::Number(10.0));
    ann
}

fn points(comparison: Comparison, value: f64) -> Rule {
    Rule::Trait { key: TraitKey::new("points").expect("sound"), comparison, value: TraitValue::Number(value) }
}

#[test]
fn the_failing_term_is_named_with_what_there_is_of_it() {
    let refused = |ann: &Profile, rule| refusal(ann, rule).map(|(term, found)| format!("{term}; {found}"));
    let ann = with_points(&Purpose::ALL);
    let coffee = Rule::Interest { topic: Topic::new("coffee").expect("sound"), at_least: 0.5 };
    let rule = Rule::All(vec![coffee, points(GreaterThan, 10.0)]);
    assert_eq!(refused(&ann, rule).as_deref(), Some("points > 10; it is 10"));
    assert_eq!(refused(&ann, points(AtLeast, 10.0)), None);
    let tier = || Rule::TraitKnown(TraitKey::new("tier").expect("sound"));
    let either = refused(&ann, Rule::Any(vec![tier(), points(AtLeast, 50.0)]));
    assert_eq!(either.as_deref(), Some("(tier is known or points ≥ 50); it is not known, it is 10"));
    let other = refused(&ann, Rule::Not(Box::new(points(AtLeast, 5.0))));
    assert_eq!(other.as_deref(), Some("not points ≥ 5; it is 10"));
    let often = Rule::Visits { at: Visited::Here, within_days: 30, count: Count::AtLeast(3) };
    assert_eq!(refused(&ann, often).as_deref(), Some("at least 3 visits at this place in 30 days; it is 0"));
    let once = Rule::Visits { at: Visited::Here, within_days: 1, count: Count::AtLeast(1) };
    assert_eq!(refused(&ann, once).as_deref(), Some("at least 1 visit at this place in 1 day; it is 0"));
}

#[test]
fn what_is_not_known_is_false_and_not_of_it_is_true() {
    let (ann, shy) = (with_points(&Purpose::ALL), with_points(&[Purpose::Marketing, Purpose::Location]));
    assert!(refusal(&shy, points(AtLeast, 10.0)).is_some(), "without consent traits are missing data");
    let tier = || TraitKey::new("tier").expect("sound");
    let unlike = |key| Rule::Trait { key, comparison: NotEquals, value: TraitValue::Text("gold".into()) };
    assert!(refusal(&ann, unlike(tier())).is_some(), "an absent trait fails every comparison");
    let never = || Rule::Visits { at: Visited::Here, within_days: 30, count: Count::AtMost(0) };
    assert!(
        refusal(&ann, never()).is_none() && refusal(&shy, never()).is_some(),
        "nor is it known who was never there"
    );
    let not = |rule| Rule::Not(Box::new(rule));
    assert!(refusal(&shy, not(never())).is_none() && refusal(&ann, not(Rule::TraitKnown(tier()))).is_none());
    let known = Rule::All(vec![Rule::TraitKnown(tier()), not(unlike(tier()))]);
    assert!(refusal(&ann, known).is_some(), "who asks for both does not reach those of whom it is not known");
}

#[test]
fn what_became_of_an_offer_is_remembered_for_as_long_as_it_is_asked_for() {
    let redeemed = |count| {
        let (of, event) = (OffersOf::ThisCampaign, OfferEvent::Redeemed);
        Rule::Offers { of, event, within_days: 30, count }
    };
    let (mut ann, campaign) = (person(), samples::brand().campaign("0").expect("sound"));
    let (offered_at, redeemed_at) = (at(-91 * DAY), Some(at(-3 * DAY)));
    let given = GivenOffer::new(OfferId::new(offered_at, 1), campaign, device_name(), offered_at);
    ann.offers = Arc::new(vec![GivenOffer { redeemed_at, ..given }]);
    for forgets_at in [at(0), at(87 * DAY)] {
        ann.forget_old_offers(forgets_at);
        assert_eq!(refusal(&ann, redeemed(Count::AtLeast(1))), None);
        assert!(refusal(&ann, redeemed(Count::AtMost(0))).is_some());
    }
    ann.forget_old_offers(at(87 * DAY + 1));
    assert!(ann.offers.is_empty(), "nothing of it can be asked for any more");
}

#[test]
fn hours_and_windows_end_where_they_say() {
    let time = |text| TimeOfDay::parse(text).expect("sound");
    let hours_of = |weekdays: &[Weekday], from, to| {
        let hours = Some(Hours { from: time(from), to: time(to) });
        Rule::Moment(MomentTest { weekdays: Weekdays::new(weekdays.iter().copied()).ok(), hours, clock: Clock::Store })
    };
    let hours = |from, to| hours_of(&[Weekday::Monday], from, to);
    let (ann, holds) = (person(), |profile: &Profile, rule| refusal(profile, rule).is_none());
    assert!(holds(&ann, hours("12:00", "11:00")) && holds(&ann, hours("11:59", "12:01")), "it is Monday, 12:00");
    assert!(!holds(&ann, hours_of(&[], "22:00", "12:00")) && holds(&ann, hours_of(&[], "22:00", "12:01")));
    assert!(
        !holds(&ann, hours("22:00", "12:01")) && holds(&ann, hours_of(&[Weekday::Sunday], "22:00", "12:01")),
        "it began on Sunday"
    );
    let visited = |ago: i64| {
        let mut ann = person();
        let place = PlaceName::Store(store("cafe", 0.0).name);
        *ann.visits_of_record_mut() = Visits::new(vec![VisitedPlace { place, begun: vec![at(-ago)] }]);
        ann
    };
    let last = |ago| Rule::LastVisit { at: Visited::Here, ago };
    let (recent, old) = (|| last(Ago::AtMost { days: 1 }), || last(Ago::AtLeast { days: 89 }));
    assert!(!holds(&visited(HOUR / 2), recent()) && holds(&visited(HOUR / 2 + 1), recent()), "it is still that visit");
    assert!(holds(&visited(DAY), recent()) && !holds(&visited(DAY + 1), recent()));
    assert!(
        holds(&visited(90 * DAY - 1), old()) && !holds(&visited(90 * DAY), old()),
        "what is 90 days old is forgotten"
    );
}
