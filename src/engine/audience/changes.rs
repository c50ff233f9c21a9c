//! What would have to be otherwise for a person to be in an audience.
//!
//! Laws: of all ways that of [`fewest()`]; it is asked by the same questions that decide ([`Person::holds`]). What is told has
//! the person's own values in it: it is for who may read them.

use super::{
    Person, Site,
    fewest::{Tree, fewest},
};
use crate::domain::audience::{
    Audience, Rule,
    condition::{DeviceTest, MomentTest, PlaceTest},
};

/// Most conditions of one term whose values a receipt tells: more than anybody reads.
const MOST_FOUND: usize = 8;

/// One condition that has to change its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub rule: Rule,
    /// Whether it has to hold, or not to.
    pub must_hold: bool,
    /// The person's own value, in words.
    pub is: String,
}

impl<'a> Person<'a> {
    /// The conditions that have to change for the person to be in the audience at this place, as few as will do; empty if
    /// they are. None if no change of conditions was found that does, as of a rule that contradicts itself.
    pub fn changes_to(&self, audience: &Audience, site: &Site<'_>) -> Option<Vec<Change>> {
        let mut known = Vec::new();
        let rule = self.conditions_of(audience.rule(), site, &mut known);
        let answers: Vec<bool> = known.iter().map(|(_, answer)| *answer).collect();
        let change = |number: usize| {
            let (rule, holds) = known[number];
            Change { rule: rule.clone(), must_hold: !holds, is: self.own(rule, site) }
        };
        fewest(&rule, &answers).map(|numbers| numbers.into_iter().map(change).collect())
    }

    /// What there is of what a rule asks, in words: the person's own values, in the order in which its words name the
    /// conditions. Of a segment whether they are in it, and not what it asks.
    pub fn found(&self, rule: &Rule, site: &Site<'_>) -> String {
        let mut conditions = rule.nodes().filter(|node| !matches!(node, Rule::All(_) | Rule::Any(_) | Rule::Not(_)));
        let mut told = String::new();
        for condition in conditions.by_ref().take(MOST_FOUND) {
            told.push_str(if told.is_empty() { "it " } else { ", it " });
            match condition {
                Rule::Segment(_) if self.holds(condition, site) => told.push_str("is so"),
                Rule::Segment(_) => told.push_str("is not so"),
                condition => told.push_str(&self.own(condition, site)),
            }
        }
        match conditions.count() {
            0 => told,
            left => format!("{told}, and {left} more"),
        }
    }

    /// The rule, and of segments theirs: each condition once in the list, with what it answers now.
    fn conditions_of<'r>(&self, rule: &'r Rule, site: &Site<'_>, known: &mut Vec<(&'r Rule, bool)>) -> Tree
    where
        'a: 'r,
    {
        let mut each = |rules: &'r [Rule]| rules.iter().map(|rule| self.conditions_of(rule, site, known)).collect();
        match rule {
            Rule::Not(inner) => Tree::Not(Box::new(self.conditions_of(inner, site, known))),
            Rule::All(rules) => Tree::All(each(rules)),
            Rule::Any(rules) => Tree::Any(each(rules)),
            Rule::Segment(name) if let Some((segment, within)) = self.own_segment(name, site) => {
                self.conditions_of(segment.rule(), &within, known)
            }
            condition => {
                let number = known.iter().position(|(other, _)| *other == condition);
                Tree::Condition(number.unwrap_or_else(|| {
                    known.push((condition, self.holds(condition, site)));
                    known.len() - 1
                }))
            }
        }
    }

    /// What the person has of what the condition asks, in words.
    fn own(&self, leaf: &Rule, site: &Site<'_>) -> String {
        let unknown = || match self.past {
            Some(_) => "is not known".to_owned(),
            None => "is not to be known without consent to profiling".to_owned(),
        };
        let is = |value: Option<String>| value.map_or_else(unknown, |value| format!("is {value}"));
        match leaf {
            Rule::Trait { key, .. }
            | Rule::TraitIn { key, .. }
            | Rule::TraitKnown(key)
            | Rule::TraitDate { key, .. } => is(self.trait_value(key).map(ToString::to_string)),
            Rule::Interest { topic, .. } => is(self.interest(topic).map(|strength| strength.to_string())),
            Rule::Visits { at, within_days, .. } => is(self.visits(at, *within_days, site).map(|n| n.to_string())),
            Rule::LastVisit { at, .. } => is(self.last_visit(at, site).map(|last| format!("at {last}"))),
            Rule::Offers { of, event, within_days, .. } => {
                is(self.offers(of, *event, *within_days, site).map(|n| n.to_string()))
            }
            Rule::Consent(purpose) => match self.profile.consents.granted(*purpose) {
                true => "is given".to_owned(),
                false => "is not given".to_owned(),
            },
            Rule::Place(test) => self.of_place(test, site),
            Rule::Moment(test) => self.of_moment(test, site),
            Rule::Device(test) => self.of_device(test),
            Rule::Segment(_) => "is no segment of this organization".to_owned(),
            Rule::All(_) | Rule::Any(_) | Rule::Not(_) => "is no condition".to_owned(),
        }
    }

    fn of_place(&self, test: &PlaceTest, site: &Site<'_>) -> String {
        match test {
            PlaceTest::AllTags(_) | PlaceTest::AnyTag(_) => {
                let of_store = site.store.iter().flat_map(|store| &store.tags);
                let tags: Vec<String> = site.tags.iter().chain(of_store).map(ToString::to_string).collect();
                if tags.is_empty() { "has no tags".to_owned() } else { format!("is tagged {}", tags.join(", ")) }
            }
            PlaceTest::OpenNow => match site.store {
                Some(_) if site.is(test, &self.doors) => "is open".to_owned(),
                Some(store) if store.opening_hours.is_known() => "is closed".to_owned(),
                Some(_) => "has no opening hours".to_owned(),
                None => "is no store".to_owned(),
            },
            PlaceTest::Network(_) => match &site.place {
                Some(place) => format!("is of {}", place.owner()),
                None => "is no place".to_owned(),
            },
            PlaceTest::Within { .. } => match site.distance_m {
                Some(metres) => format!("is {metres:.0} m away"),
                None => "is at no known distance".to_owned(),
            },
        }
    }

    fn of_moment(&self, test: &MomentTest, site: &Site<'_>) -> String {
        let local = self.clock_of(test, site);
        format!("is {} on a {:?}", crate::domain::time::TimeOfDay::of(local), local.weekday())
    }

    fn of_device(&self, test: &DeviceTest) -> String {
        let device = self.around.device;
        match test {
            DeviceTest::Platform(_) => format!("is {}", device.platform.as_str()),
            DeviceTest::Language(_) => format!("is {}", device.language),
            DeviceTest::AppVersion(_) => match device.app_version {
                Some(version) => format!("is {version}"),
                None => "is not known".to_owned(),
            },
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let must = if self.must_hold { "must be so" } else { "must not be so" };
        write!(f, "\"{}\" {must}, and it {}", self.rule, self.is)
    }
}
