//! WHO: a typed rule tree over what is known of a person.
//!
//! Law: a rule that exists is small enough to be evaluated per ping; missing data makes a condition false, never an
//! error. A new operator is one more variant here, one arm in `engine::audience` and one field in the proto.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    consent::Purpose,
    text::{Topic, TraitKey},
    violation::Invalid,
};

/// Most conditions and groups in one rule: it runs for every triggered campaign of every ping.
pub const MAX_TERMS: usize = 64;
/// Deepest nesting: people cannot read deeper rules, and a stack need not hold them.
pub const MAX_DEPTH: usize = 8;
/// Longest text value of a trait, in characters.
pub const MAX_TRAIT_TEXT: usize = 256;

/// The value of a trait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraitValue {
    Text(String),
    Number(f64),
    Flag(bool),
}

impl TraitValue {
    pub fn text(text: &str) -> Result<Self, Invalid> {
        super::text::line(text, MAX_TRAIT_TEXT).map(Self::Text)
    }

    pub fn number(number: f64) -> Result<Self, Invalid> {
        if number.is_finite() { Ok(Self::Number(number)) } else { Err(Invalid::new("must be a finite number")) }
    }
}

impl fmt::Display for TraitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

/// How a trait is compared. Ordering operators hold for numbers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Equals,
    NotEquals,
    LessThan,
    AtMost,
    GreaterThan,
    AtLeast,
}

impl Comparison {
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equals => "=",
            Comparison::NotEquals => "≠",
            Comparison::LessThan => "<",
            Comparison::AtMost => "≤",
            Comparison::GreaterThan => ">",
            Comparison::AtLeast => "≥",
        }
    }

    pub fn is_ordering(self) -> bool {
        !matches!(self, Comparison::Equals | Comparison::NotEquals)
    }
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Every one holds; true when empty.
    All(Vec<Rule>),
    /// At least one holds; false when empty.
    Any(Vec<Rule>),
    Not(Box<Rule>),
    /// The trait is present and compares so. An absent trait fails every comparison, `≠` too.
    Trait {
        key: TraitKey,
        comparison: Comparison,
        value: TraitValue,
    },
    /// The interest in the topic is at least this strong (0 to 1).
    Interest {
        topic: Topic,
        at_least: f64,
    },
    /// The purpose is granted.
    Consent(Purpose),
}

/// A rule as a marketer would say it. It names what is asked, never what somebody has.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, rules: &[Rule], word: &str| {
            let parts: Vec<String> = rules.iter().map(Rule::to_string).collect();
            write!(f, "({})", parts.join(word))
        };
        match self {
            Self::All(rules) => list(f, rules, " and "),
            Self::Any(rules) => list(f, rules, " or "),
            Self::Not(rule) => write!(f, "not {rule}"),
            Self::Trait { key, comparison, value } => write!(f, "{key} {} {value}", comparison.symbol()),
            Self::Interest { topic, at_least } => write!(f, "interest in {topic} ≥ {at_least}"),
            Self::Consent(purpose) => write!(f, "consent to {}", purpose.as_str()),
        }
    }
}

/// A whole audience: a rule within its bounds.
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
        Rule::Interest { at_least, .. } => check_interest(*at_least),
        Rule::Consent(_) => Ok(()),
    }
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

/// Whether such a value can be compared so.
pub fn check_comparison(comparison: Comparison, value: &TraitValue) -> Result<(), Invalid> {
    if comparison.is_ordering() && !matches!(value, TraitValue::Number(_)) {
        return Err(Invalid::new(format!("{} compares numbers only", comparison.symbol())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_keep_their_bounds() {
        let deep = (0..MAX_DEPTH).fold(Rule::Consent(Purpose::Marketing), |rule, _| Rule::Not(Box::new(rule)));
        assert!(Audience::new(deep).is_err());
        assert!(Audience::new(Rule::Any(vec![Rule::All(vec![]); MAX_TERMS])).is_err());
        let topic = Topic::new("coffee").expect("sound");
        assert!(Audience::new(Rule::Interest { topic, at_least: f64::NAN }).is_err());
    }

    #[test]
    fn only_numbers_are_ordered() {
        let key = TraitKey::new("tier").expect("sound");
        let rule = Rule::Trait { key, comparison: Comparison::AtLeast, value: TraitValue::Text("gold".into()) };
        assert!(Audience::new(rule).is_err());
    }
}
