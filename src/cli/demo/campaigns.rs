//! What the demo's brands want: six campaigns with different audiences, triggers and limits.

use std::collections::HashMap;

use prost_types::Duration;

use crate::grpc::pb::{
    Budget, Campaign, Cap, Content, Dwelt, Entered, Heard, InterestCondition, Limits, Money, Near, Places, Rule,
    TaggedPlaces, TraitCondition, TraitValue, Trigger, VisitsCondition, budget, cap, rule, trait_condition::Comparison,
    trait_value, trigger, visits_condition,
};

/// The organization whose places the campaigns are at.
pub const NETWORK: &str = "organizations/helsinki-centre";
/// Kauppakeskus Kluuvi and Citycenter in the demo's data: shopping centres, as polygons.
const KLUUVI: &str = "w22273017";
const CITYCENTER: &str = "r9630";
/// The store in which the demo hangs up a beacon, and the beacon.
pub const BEACON_STORE: &str = "n3164756204";
pub const BEACON_ID: &str = "prints-wall";
pub const BEACON: &str = "ibeacon:7e0f9a52-1c0e-4d5e-9b0d-0d1a7a10a001:1:7";

/// A campaign and the brand it belongs to.
pub struct Wish {
    pub brand: &'static str,
    pub id: &'static str,
    pub campaign: Campaign,
}

/// Brands by id, with the names over their doors.
pub fn brands() -> HashMap<&'static str, &'static str> {
    HashMap::from([("paahto", "Paahto Coffee"), ("askel", "Askel Sports"), ("keskus", "Keskus Malls")])
}

/// All campaigns of the demo.
pub fn wishes() -> Vec<Wish> {
    vec![
        Wish {
            brand: "paahto",
            id: "flat-white",
            campaign: Campaign {
                audience: likes("coffee", 0.5),
                topics: vec!["coffee".into()],
                limits: cap(1, 2 * HOUR),
                ..campaign(
                    "Flat white, one street long",
                    "Any size, at any of our counters.",
                    Some(290),
                    near(40, "cafe"),
                )
            },
        },
        Wish {
            brand: "askel",
            id: "try-the-trainers",
            campaign: Campaign {
                audience: likes("running", 0.3),
                topics: vec!["running".into()],
                ..campaign("Run a lap in the new trainers", "Try them in the shop.", Some(8_900), near(50, "sports"))
            },
        },
        Wish {
            brand: "keskus",
            id: "welcome-to-kluuvi",
            campaign: Campaign {
                audience: first_visit(),
                ..campaign("Welcome to Kluuvi", "Lunch is on the lower floor.", None, (entered(), fence(KLUUVI)))
            },
        },
        Wish {
            brand: "keskus",
            id: "members-lounge",
            campaign: Campaign {
                audience: is("tier", "gold"),
                weight: Some(2.0),
                ..campaign("Rest in the members' lounge", "Coffee and papers.", Some(0), (dwelt(45), fence(KLUUVI)))
            },
        },
        Wish {
            brand: "keskus",
            id: "first-umbrella",
            campaign: Campaign {
                limits: Some(Limits { budgets: vec![offers(1)], ..Limits::default() }),
                ..campaign("An umbrella for the first", "There is only one.", Some(0), (entered(), fence(CITYCENTER)))
            },
        },
        Wish {
            brand: "keskus",
            id: "wall-of-prints",
            campaign: campaign("Touch the new prints", "The wall behind you.", None, (heard(), prints())),
        },
    ]
}

const HOUR: i64 = 3_600;

/// So many offers to all people together.
fn offers(limit: u64) -> Budget {
    Budget { unit: budget::Unit::Offers.into(), limit, ..Budget::default() }
}

fn campaign(title: &str, body: &str, cents: Option<i64>, (on, at): (trigger::On, trigger::At)) -> Campaign {
    let price = cents.map(|minor_units| Money { currency: "EUR".into(), minor_units });
    Campaign {
        display_name: title.into(),
        content: Some(Content { title: title.into(), body: body.into(), price, ..Content::default() }),
        trigger: Some(Trigger { on: Some(on), at: Some(at), ..Trigger::default() }),
        ..Campaign::default()
    }
}

fn near(radius_m: u32, tag: &str) -> (trigger::On, trigger::At) {
    let at = trigger::At::Tagged(TaggedPlaces { network: NETWORK.into(), tags: vec![tag.into()] });
    (trigger::On::Near(Near { radius_m }), at)
}

fn entered() -> trigger::On {
    trigger::On::Entered(Entered {})
}

fn dwelt(seconds: i64) -> trigger::On {
    trigger::On::Dwelt(Dwelt { after: Some(Duration { seconds, nanos: 0 }) })
}

fn heard() -> trigger::On {
    trigger::On::Heard(Heard {})
}

fn fence(id: &str) -> trigger::At {
    trigger::At::Places(Places { places: vec![format!("{NETWORK}/geofences/{id}")] })
}

fn prints() -> trigger::At {
    trigger::At::Places(Places { places: vec![format!("{NETWORK}/beacons/{BEACON_ID}")] })
}

fn likes(topic: &str, at_least: f64) -> Option<Rule> {
    let condition = InterestCondition { topic: topic.into(), at_least };
    Some(Rule { rule: Some(rule::Rule::Interest(condition)) })
}

/// Who was not here before in the last 90 days; the visit that begins is the one.
fn first_visit() -> Option<Rule> {
    let count = Some(visits_condition::Count::AtMost(1));
    Some(Rule { rule: Some(rule::Rule::Visits(VisitsCondition { at: None, within_days: 90, count })) })
}

fn is(key: &str, text: &str) -> Option<Rule> {
    let value = Some(TraitValue { value: Some(trait_value::Value::Text(text.into())) });
    let condition = TraitCondition { key: key.into(), comparison: Comparison::Equals.into(), value };
    Some(Rule { rule: Some(rule::Rule::Trait(condition)) })
}

fn cap(offers: u32, seconds: i64) -> Option<Limits> {
    let within = Some(cap::Within::Window(Duration { seconds, nanos: 0 }));
    Some(Limits { per_profile: vec![Cap { offers, within }], ..Limits::default() })
}
