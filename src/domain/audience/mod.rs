//! WHO: a typed rule tree over what is known of a person, of the place and of the moment.
//!
//! Laws: a rule that exists is small enough to be evaluated per ping; missing data makes a condition false, never an
//! error. A new condition is one more variant here (its bounds in [`condition`], its words in `words`), one arm in
//! `engine::audience` and one field in the proto.

pub mod condition;
#[cfg(test)]
pub mod samples;
mod value;
mod words;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use condition::{
    Ago, Count, DISTANCE_M, DateTest, DeviceTest, LAST_VISIT_DAYS, MomentTest, OfferEvent, OffersOf, PlaceTest,
    Visited, WINDOW_DAYS, check_choices, within,
};
pub use value::{Comparison, MAX_TRAIT_TEXT, TraitValue, check_comparison};

use super::{
    consent::Purpose,
    language::language,
    name::{CampaignName, SegmentName, StoreName},
    place::MAX_TAGS,
    text::{Topic, TraitKey},
    violation::Invalid,
};

/// Most conditions and groups in one rule: it runs for every triggered campaign of every ping.
pub const MAX_TERMS: usize = 64;
/// Most of them in an audience together with the segments it names, each counted once: an audience and three segments as
/// large as may be. They are asked in the same ping, and 64 segments of 64 would take it tens of milliseconds.
pub const MAX_TERMS_IN_ALL: usize = 256;
/// Deepest nesting: people cannot read deeper rules, and a stack need not hold them.
pub const MAX_DEPTH: usize = 8;

/// One node of the tree. What is asked of traits, interests, visits and offers is not known without consent to profiling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Every one holds; true when empty.
    All(Vec<Rule>),
    /// At least one holds; false when empty.
    Any(Vec<Rule>),
    /// It does not hold: so it is true of what is not known, for a condition about that is false.
    Not(Box<Rule>),
    /// The trait is present and compares so. An absent trait fails every comparison, `≠` too.
    Trait {
        key: TraitKey,
        comparison: Comparison,
        value: TraitValue,
    },
    /// The trait is present and one of these.
    TraitIn {
        key: TraitKey,
        values: Vec<TraitValue>,
    },
    /// The trait is present.
    TraitKnown(TraitKey),
    /// The trait is a date, and stands so to the day it is for the person.
    TraitDate {
        key: TraitKey,
        test: DateTest,
    },
    /// The interest in the topic is at least this strong (0 to 1).
    Interest {
        topic: Topic,
        at_least: f64,
    },
    /// The purpose is granted.
    Consent(Purpose),
    /// The rule of that segment, of the same organization, holds; false if there is none.
    Segment(SegmentName),
    /// So many visits began in the last days; the one that is going on is one of them. False of another network's places
    /// that it has not granted.
    Visits {
        at: Visited,
        within_days: u32,
        count: Count,
    },
    /// The newest visit before the one that is going on, or that an exit has just ended, began so long ago; false if none is
    /// remembered.
    LastVisit {
        at: Visited,
        ago: Ago,
    },
    /// So many offers had this happen to them in the last days.
    Offers {
        of: OffersOf,
        event: OfferEvent,
        within_days: u32,
        count: Count,
    },
    Place(PlaceTest),
    Moment(MomentTest),
    Device(DeviceTest),
}

impl Rule {
    /// The rule itself and everything below it.
    pub fn nodes(&self) -> impl Iterator<Item = &Rule> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            match node {
                // The last comes out first.
                Rule::All(rules) | Rule::Any(rules) => open.extend(rules.iter().rev()),
                Rule::Not(rule) => open.push(rule),
                _ => {}
            }
            Some(node)
        })
    }
}

/// A whole audience: a rule within its bounds, taken apart for being asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Rule", into = "Rule")]
pub struct Audience {
    rule: Rule,
    terms: Arc<[Term]>,
}

/// One of the rules that all have to hold, ready to be refused by.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    pub rule: Rule,
    pub words: Arc<str>,
}

impl Audience {
    pub fn everyone() -> Self {
        Self { rule: Rule::All(Vec::new()), terms: Arc::default() }
    }

    pub fn new(rule: Rule) -> Result<Self, Invalid> {
        let mut terms = 0;
        check(&rule, 1, &mut terms)?;
        let mut terms = Vec::new();
        split(&rule, &mut terms);
        Ok(Self { rule, terms: terms.into() })
    }

    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What the rule comes to: it holds where each of these does.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The segments it names, once for each time it does.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentName> {
        self.rule.nodes().filter_map(|rule| match rule {
            Rule::Segment(name) => Some(name),
            _ => None,
        })
    }

    /// The places it asks about visits to, once for each time it does.
    pub fn visited(&self) -> impl Iterator<Item = &Visited> {
        self.rule.nodes().filter_map(|rule| match rule {
            Rule::Visits { at, .. } | Rule::LastVisit { at, .. } => Some(at),
            _ => None,
        })
    }

    /// The stores among them.
    pub fn visited_stores(&self) -> impl Iterator<Item = &StoreName> {
        self.visited().filter_map(|at| match at {
            Visited::Store(store) => Some(store),
            Visited::Here | Visited::Tagged { .. } | Visited::Network(_) => None,
        })
    }

    /// The campaigns whose offers it asks about by name, once for each time it does.
    pub fn offering(&self) -> impl Iterator<Item = &CampaignName> {
        self.rule.nodes().filter_map(|rule| match rule {
            Rule::Offers { of: OffersOf::Campaign(name), .. } => Some(name),
            _ => None,
        })
    }
}

impl TryFrom<Rule> for Audience {
    type Error = Invalid;
    fn try_from(rule: Rule) -> Result<Self, Invalid> {
        Self::new(rule)
    }
}

impl From<Audience> for Rule {
    fn from(audience: Audience) -> Rule {
        audience.rule
    }
}

fn split(rule: &Rule, terms: &mut Vec<Term>) {
    match rule {
        Rule::All(rules) => rules.iter().for_each(|rule| split(rule, terms)),
        term => terms.push(Term { rule: term.clone(), words: term.to_string().into() }),
    }
}

fn check(rule: &Rule, depth: usize, terms: &mut usize) -> Result<(), Invalid> {
    count_term(depth, terms)?;
    match rule {
        Rule::All(rules) | Rule::Any(rules) => rules.iter().try_for_each(|rule| check(rule, depth + 1, terms)),
        Rule::Not(rule) => check(rule, depth + 1, terms),
        Rule::Trait { key, comparison, value } => {
            check_comparison(*comparison, value).map_err(|invalid| Invalid::new(format!("{key}: {invalid}")))
        }
        Rule::TraitIn { values, .. } => check_choices(values.len()),
        Rule::TraitDate { test, .. } => test.check(),
        Rule::Interest { at_least, .. } => check_interest(*at_least),
        Rule::TraitKnown(_) | Rule::Consent(_) | Rule::Segment(_) => Ok(()),
        Rule::Visits { within_days, count, at } => {
            check_visited(at).and(within(&WINDOW_DAYS, *within_days, "days")).and(count.check())
        }
        Rule::LastVisit { at, ago } => check_visited(at).and(within(&LAST_VISIT_DAYS, ago.days(), "days")),
        Rule::Offers { within_days, count, .. } => within(&WINDOW_DAYS, *within_days, "days").and(count.check()),
        Rule::Place(test) => check_place(test),
        Rule::Moment(test) => test.check(),
        Rule::Device(test) => check_device(test),
    }
}

fn check_visited(at: &Visited) -> Result<(), Invalid> {
    match at {
        Visited::Tagged { tags, .. } => check_tags(tags.len()),
        Visited::Here | Visited::Store(_) | Visited::Network(_) => Ok(()),
    }
}

fn check_place(test: &PlaceTest) -> Result<(), Invalid> {
    match test {
        PlaceTest::AllTags(tags) | PlaceTest::AnyTag(tags) => check_tags(tags.len()),
        PlaceTest::Network(_) | PlaceTest::OpenNow => Ok(()),
        PlaceTest::Within { metres } => within(&DISTANCE_M, *metres, "metres"),
    }
}

fn check_device(test: &DeviceTest) -> Result<(), Invalid> {
    match test {
        DeviceTest::Platform(platforms) => check_choices(platforms.len()),
        DeviceTest::Language(languages) => {
            check_choices(languages.len()).and(languages.iter().try_for_each(|tag| language(tag).map(drop)))
        }
        DeviceTest::AppVersion(_) => Ok(()),
    }
}

/// Whether tags can be asked for: one at least, and no more than a place has.
pub fn check_tags(count: usize) -> Result<(), Invalid> {
    if (1..=MAX_TAGS).contains(&count) {
        return Ok(());
    }
    Err(Invalid::new(format!("must be 1 to {MAX_TAGS}, were {count}")))
}

/// How strong an interest may be: 0 to 1.
pub fn check_interest(strength: f64) -> Result<(), Invalid> {
    if (0.0..=1.0).contains(&strength) {
        return Ok(());
    }
    Err(Invalid::new(format!("must be 0 to 1, was {strength}")))
}

/// Counts a term that is nested so deep (1 for the outermost), or refuses it: before it is read, if it comes from outside.
pub fn count_term(depth: usize, terms: &mut usize) -> Result<(), Invalid> {
    *terms += 1;
    if depth > MAX_DEPTH || *terms > MAX_TERMS {
        return Err(Invalid::new(format!("must have at most {MAX_TERMS} terms, nested at most {MAX_DEPTH} deep")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{condition::MAX_CHOICES, *};

    #[test]
    fn rules_keep_their_bounds() {
        let deep = (0..MAX_DEPTH).fold(Rule::Consent(Purpose::Marketing), |rule, _| Rule::Not(Box::new(rule)));
        assert!(Audience::new(deep).is_err());
        assert!(Audience::new(Rule::Any(vec![Rule::All(vec![]); MAX_TERMS])).is_err());
        let topic = Topic::new("coffee").expect("sound");
        assert!(Audience::new(Rule::Interest { topic, at_least: f64::NAN }).is_err());
        let key = || TraitKey::new("tier").expect("sound");
        let values = |count| Rule::TraitIn { key: key(), values: vec![TraitValue::Flag(true); count] };
        assert!(Audience::new(values(MAX_CHOICES)).is_ok());
        let visits = |within_days, count| Rule::Visits { at: Visited::Here, within_days, count };
        let last = |days| Rule::LastVisit { at: Visited::Here, ago: Ago::AtLeast { days } };
        let date = |within_days| Rule::TraitDate { key: key(), test: DateTest::Anniversary { within_days } };
        let bad = [
            values(0),
            values(MAX_CHOICES + 1),
            visits(0, Count::AtLeast(1)),
            visits(91, Count::AtLeast(1)),
            visits(90, Count::AtLeast(0)),
            last(90),
            date(366),
            Rule::Place(PlaceTest::AllTags(Default::default())),
            Rule::Place(PlaceTest::Within { metres: 0 }),
            Rule::Device(DeviceTest::Language(vec!["italiano".into()])),
        ];
        for rule in bad {
            assert!(Audience::new(rule.clone()).is_err(), "{rule}");
        }
    }

    #[test]
    fn only_numbers_and_dates_are_ordered() {
        let compare = |value| {
            let key = TraitKey::new("tier").expect("sound");
            Audience::new(Rule::Trait { key, comparison: Comparison::AtLeast, value }).is_ok()
        };
        assert!(!compare(TraitValue::Text("gold".into())) && !compare(TraitValue::Flag(true)));
        assert!(compare(TraitValue::Number(1.0)) && compare(TraitValue::date("2026-11-22").expect("sound")));
    }

    #[test]
    fn rules_stored_before_there_were_more_conditions_are_read() {
        let old = r#"{"all":[{"trait":{"key":"tier","comparison":"equals","value":{"text":"gold"}}},{"not":{"interest":{"topic":"coffee","at_least":0.5}}},{"consent":"profiling"}]}"#;
        let read: Audience = serde_json::from_str(old).expect("sound");
        assert_eq!(serde_json::to_string(&read).expect("plain"), old);
    }
}
