//! Evaluates WHO: whether a person is in an audience, and if not, which term says so.
//!
//! Law 4: traits and interests are read with a permit for profiling only; without it they are missing data, and
//! missing data makes a condition false, never an error.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    audience::{Audience, Comparison, Rule, TraitValue},
    consent::{Consented, Profiling},
    profile::Profile,
    text::{Topic, TraitKey, tail},
};

/// What an audience may look at: one profile, as far as it agreed.
pub struct Person<'a> {
    profile: &'a Profile,
    traits: Words<'a, TraitKey, TraitValue>,
    interests: Words<'a, Topic, f64>,
}

/// Values by words, of which there are few: tails tell most of them apart, one behind the other.
struct Words<'a, K, V>(Vec<(u64, &'a K, &'a V)>);

impl<K, V> Default for Words<'_, K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, K: AsRef<str> + Eq, V> Words<'a, K, V> {
    fn of(values: &'a BTreeMap<K, V>) -> Self {
        Self(values.iter().map(|(word, value)| (tail(word.as_ref()), word, value)).collect())
    }

    fn get(&self, word: &K) -> Option<&'a V> {
        let end = tail(word.as_ref());
        self.0.iter().find(|(tail, other, _)| *tail == end && *other == word).map(|(_, _, value)| *value)
    }
}

impl<'a> Person<'a> {
    pub fn new(profile: &'a Profile, profiling: Option<Consented<Profiling>>) -> Self {
        let personal = profiling.map(|permit| profile.personal(permit));
        let traits = personal.map_or_else(Words::default, |own| Words::of(&own.traits));
        let interests = personal.map_or_else(Words::default, |own| Words::of(&own.interests));
        Self { profile, traits, interests }
    }

    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// Strength of the interest, 0 to 1; none if unknown or not to be known.
    pub fn interest(&self, topic: &Topic) -> Option<f64> {
        self.interests.get(topic).copied()
    }

    fn trait_value(&self, key: &TraitKey) -> Option<&TraitValue> {
        self.traits.get(key)
    }

    /// None if the person is in the audience, else the first term that fails, in words.
    pub fn missing_from(&self, audience: &Audience) -> Option<Arc<str>> {
        let failing = audience.terms().iter().find(|term| !self.holds(&term.rule));
        failing.map(|term| term.words.clone())
    }

    fn holds(&self, rule: &Rule) -> bool {
        match rule {
            Rule::All(rules) => rules.iter().all(|rule| self.holds(rule)),
            Rule::Any(rules) => rules.iter().any(|rule| self.holds(rule)),
            Rule::Not(rule) => !self.holds(rule),
            Rule::Trait { key, comparison, value } => {
                self.trait_value(key).is_some_and(|own| compare(own, *comparison, value))
            }
            Rule::Interest { topic, at_least } => self.interest(topic).is_some_and(|own| own >= *at_least),
            Rule::Consent(purpose) => self.profile.consents.granted(*purpose),
        }
    }
}

fn compare(own: &TraitValue, comparison: Comparison, value: &TraitValue) -> bool {
    match (comparison, own, value) {
        (Comparison::Equals, own, value) => own == value,
        (Comparison::NotEquals, own, value) => own != value,
        (ordering, TraitValue::Number(own), TraitValue::Number(value)) => match ordering {
            Comparison::LessThan => own < value,
            Comparison::AtMost => own <= value,
            Comparison::GreaterThan => own > value,
            _ => own >= value,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        consent::{Consent, Consents, Purpose},
        name::ProfileName,
        profile::Personal,
        time::Timestamp,
    };

    fn person(profiling: bool) -> Profile {
        let mut consents = Consents::default();
        let consent = Consent { granted: profiling, text_version: "1".into(), given_at: Timestamp::default() };
        consents.set(Purpose::Profiling, consent);
        let mut personal = Personal::default();
        personal.traits.insert(TraitKey::new("points").expect("sound"), TraitValue::Number(10.0));
        personal.interests.insert(Topic::new("coffee").expect("sound"), 0.5);
        let name = ProfileName::parse("organizations/a/apps/b/profiles/c").expect("sound");
        Profile::new(name, Timestamp::default(), consents, personal)
    }

    fn points(comparison: Comparison, value: f64) -> Rule {
        Rule::Trait { key: TraitKey::new("points").expect("sound"), comparison, value: TraitValue::Number(value) }
    }

    fn refusal(profile: &Profile, rule: Rule) -> Option<Arc<str>> {
        Person::new(profile, profile.consents.permit()).missing_from(&Audience::new(rule).expect("sound"))
    }

    #[test]
    fn the_failing_term_is_named() {
        let coffee = Rule::Interest { topic: Topic::new("coffee").expect("sound"), at_least: 0.5 };
        let rule = Rule::All(vec![coffee, points(Comparison::GreaterThan, 10.0)]);
        assert_eq!(refusal(&person(true), rule).as_deref(), Some("points > 10"));
        assert_eq!(refusal(&person(true), points(Comparison::AtLeast, 10.0)), None);
    }

    #[test]
    fn without_consent_traits_are_missing_data() {
        assert!(refusal(&person(false), points(Comparison::AtLeast, 10.0)).is_some());
        let absent = Rule::Trait {
            key: TraitKey::new("tier").expect("sound"),
            comparison: Comparison::NotEquals,
            value: TraitValue::Text("gold".into()),
        };
        assert!(refusal(&person(true), absent).is_some(), "an absent trait fails every comparison");
    }
}
