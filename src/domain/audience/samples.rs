//! Any rule at all, for the tests of the floors above: of few words, so that rules and people meet.

use std::collections::BTreeSet;

use proptest::{collection::btree_set, prelude::*};

use super::{
    Comparison, Rule, TraitValue,
    condition::{
        Ago, Clock, Count, DateTest, DeviceTest, Hours, MomentTest, OfferEvent, OffersOf, PlaceTest, VersionTest,
        Visited, Weekdays,
    },
};
use crate::domain::{
    app_version::AppVersion,
    consent::Purpose,
    name::{OrganizationName, SegmentName},
    profile::Platform,
    text::{Tag, Topic, TraitKey},
    time::TimeOfDay,
};

/// Whose rules they are.
pub fn brand() -> OrganizationName {
    OrganizationName::parse("organizations/brand").expect("sound")
}

pub fn organization() -> impl Strategy<Value = OrganizationName> {
    prop_oneof![Just("brand"), Just("acme"), Just("rival")]
        .prop_map(|id| OrganizationName::parse(&format!("organizations/{id}")).expect("sound"))
}

pub fn key() -> impl Strategy<Value = TraitKey> {
    prop_oneof![Just("tier"), Just("points"), Just("born"), Just("member")]
        .prop_map(|key| TraitKey::new(key).expect("sound"))
}

pub fn topic() -> impl Strategy<Value = Topic> {
    prop_oneof![Just("coffee"), Just("running")].prop_map(|topic| Topic::new(topic).expect("sound"))
}

pub fn tags() -> impl Strategy<Value = BTreeSet<Tag>> {
    let tag = prop_oneof![Just("cafe"), Just("quay"), Just("new")].prop_map(|tag| Tag::new(tag).expect("sound"));
    btree_set(tag, 1..3)
}

pub fn version() -> impl Strategy<Value = AppVersion> {
    prop_oneof![Just("1"), Just("1.9"), Just("1.10"), Just("2.0.1"), Just("10")]
        .prop_map(|text| AppVersion::parse(text).expect("sound"))
}

pub fn platform() -> impl Strategy<Value = Platform> {
    prop_oneof![Just(Platform::Ios), Just(Platform::Android), Just(Platform::Other)]
}

pub fn language() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("pt"),
        Just("pt-BR"),
        Just("PT-br"),
        Just("por"),
        Just("en"),
        Just("eng"),
        Just("zh-Hant-TW"),
        Just("zh-hant")
    ]
    .prop_map(str::to_owned)
}

/// Often a 28 or 29 February, or a day near one that tests are at.
pub fn date() -> impl Strategy<Value = TraitValue> {
    let day = prop_oneof![
        Just("2000-02-29"),
        Just("1999-02-28"),
        Just("2024-02-29"),
        Just("2026-03-29"),
        Just("2026-10-24"),
        Just("2026-10-26"),
        Just("1990-01-01"),
        Just("2031-12-31")
    ];
    let any = (1990..2036, 1..13, 1..29).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"));
    prop_oneof![day.prop_map(str::to_owned), any].prop_map(|text| TraitValue::date(&text).expect("sound"))
}

pub fn value() -> impl Strategy<Value = TraitValue> {
    prop_oneof![
        prop_oneof![Just("gold"), Just("silver")].prop_map(|text| TraitValue::Text(text.to_owned())),
        (-2..3).prop_map(|number| TraitValue::Number(f64::from(number))),
        any::<bool>().prop_map(TraitValue::Flag),
        date(),
    ]
}

fn compared() -> impl Strategy<Value = Rule> {
    use Comparison::{AtLeast, AtMost, Equals, GreaterThan, LessThan, NotEquals};
    let comparison = prop::sample::select(vec![Equals, NotEquals, LessThan, AtMost, GreaterThan, AtLeast]);
    (key(), comparison, value()).prop_map(|(key, comparison, value)| {
        let fits = super::check_comparison(comparison, &value).is_ok();
        Rule::Trait { key, comparison: if fits { comparison } else { NotEquals }, value }
    })
}

fn days() -> impl Strategy<Value = u32> {
    prop_oneof![0..4_u32, 0..366_u32, Just(365)]
}

fn dated() -> impl Strategy<Value = Rule> {
    let test = (0..5, days()).prop_map(|(kind, days)| match kind {
        0 => DateTest::WithinLast { days },
        1 => DateTest::WithinNext { days },
        2 => DateTest::AtLeastAgo { days },
        3 => DateTest::AtLeastAhead { days },
        _ => DateTest::Anniversary { within_days: days },
    });
    (Just("born"), test).prop_map(|(key, test)| Rule::TraitDate { key: TraitKey::new(key).expect("sound"), test })
}

fn visited() -> impl Strategy<Value = Visited> {
    let store = (organization(), 0..4_u8).prop_map(|(network, id)| network.store(&id.to_string()).expect("sound"));
    prop_oneof![
        Just(Visited::Here),
        store.prop_map(Visited::Store),
        (organization(), tags()).prop_map(|(network, tags)| Visited::Tagged { network, tags }),
        organization().prop_map(Visited::Network),
    ]
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![(1..4_u32).prop_map(Count::AtLeast), (0..4_u32).prop_map(Count::AtMost)]
}

fn window() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), Just(7), Just(30), Just(90), 1..91_u32]
}

fn past() -> impl Strategy<Value = Rule> {
    let ago =
        (any::<bool>(), prop_oneof![Just(1), Just(7), Just(30), 1..90_u32]).prop_map(|(least, days)| match least {
            true => Ago::AtLeast { days },
            false => Ago::AtMost { days },
        });
    let of = prop_oneof![
        Just(OffersOf::ThisCampaign),
        Just(OffersOf::Brand),
        (0..3_u8).prop_map(|id| OffersOf::Campaign(brand().campaign(&id.to_string()).expect("sound"))),
    ];
    let event =
        prop::sample::select(vec![OfferEvent::Offered, OfferEvent::Shown, OfferEvent::Opened, OfferEvent::Redeemed]);
    prop_oneof![
        (visited(), window(), count()).prop_map(|(at, within_days, count)| Rule::Visits { at, within_days, count }),
        (visited(), ago).prop_map(|(at, ago)| Rule::LastVisit { at, ago }),
        (of, event, window(), count()).prop_map(|(of, event, within_days, count)| Rule::Offers {
            of,
            event,
            within_days,
            count
        }),
    ]
}

fn context() -> impl Strategy<Value = Rule> {
    let place = prop_oneof![
        tags().prop_map(PlaceTest::AllTags),
        tags().prop_map(PlaceTest::AnyTag),
        organization().prop_map(PlaceTest::Network),
        (1..100_u32).prop_map(|metres| PlaceTest::Within { metres }),
        Just(PlaceTest::OpenNow),
    ];
    let time = || {
        (0..24_u32, prop_oneof![Just(0), Just(30), 0..60_u32])
            .prop_map(|(hour, minute)| TimeOfDay::new(hour, minute).expect("sound"))
    };
    let hours = (time(), time()).prop_filter("they differ", |(from, to)| from != to);
    let clock = prop_oneof![Just(Clock::Store), Just(Clock::Person)];
    let weekdays = prop::option::of((1..128_u8).prop_map(|days| Weekdays::try_from(days).expect("some")));
    let moment = (weekdays, prop::option::of(hours), clock);
    let moment = moment.prop_filter("one at least", |(weekdays, hours, _)| weekdays.is_some() || hours.is_some());
    let device = prop_oneof![
        btree_set(platform(), 1..3).prop_map(DeviceTest::Platform),
        prop::collection::vec(language(), 1..3).prop_map(DeviceTest::Language),
        version().prop_map(|version| DeviceTest::AppVersion(VersionTest::AtLeast(version))),
        version().prop_map(|version| DeviceTest::AppVersion(VersionTest::Below(version))),
    ];
    prop_oneof![
        place.prop_map(Rule::Place),
        moment.prop_map(|(weekdays, hours, clock)| {
            let hours = hours.map(|(from, to)| Hours { from, to });
            Rule::Moment(MomentTest { weekdays, hours, clock })
        }),
        device.prop_map(Rule::Device),
    ]
}

/// Any condition but one on a segment.
pub fn condition() -> impl Strategy<Value = Rule> {
    let among = (key(), prop::collection::vec(value(), 1..4)).prop_map(|(key, values)| Rule::TraitIn { key, values });
    let purpose = prop::sample::select(Purpose::ALL.to_vec());
    prop_oneof![
        2 => compared(),
        1 => among,
        1 => key().prop_map(Rule::TraitKnown),
        2 => dated(),
        1 => (topic(), 0..5_u8).prop_map(|(topic, quarters)| Rule::Interest { topic, at_least: f64::from(quarters) / 4.0 }),
        1 => purpose.prop_map(Rule::Consent),
        4 => past(),
        4 => context(),
    ]
}

/// Any rule, with segments 0 to 2 of `organizations/brand` and 0 of `organizations/rival` in it if they are wanted.
pub fn rule(with_segments: bool) -> impl Strategy<Value = Rule> {
    let names = ["brand/segments/0", "brand/segments/1", "brand/segments/2", "rival/segments/0"];
    let segment = prop::sample::select(names.to_vec())
        .prop_map(|name| Rule::Segment(SegmentName::parse(&format!("organizations/{name}")).expect("sound")));
    let leaf = prop_oneof![9 => condition(), u32::from(with_segments) => segment];
    leaf.prop_recursive(4, 20, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Rule::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Rule::Any),
            inner.prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    })
}
