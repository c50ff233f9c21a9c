//! Audience rules on the wire: the tree here, its conditions in the files beside.
//!
//! Laws: a fault is named by its path in the tree (`all.rules[1].trait.key`); a rule names segments and campaigns of its own
//! organization only, and the rule of a segment names no segment.

mod context;
mod past;
#[cfg(test)]
mod tests;
mod traits;

use std::collections::BTreeSet;

pub use traits::{trait_value, trait_value_to_wire};

use crate::{
    domain::{
        audience::{Audience, Rule, check_interest, check_tags, condition::check_choices, count_term},
        name::SegmentName,
        text::{Tag, Topic, TraitKey},
        violation::{Invalid, Violations},
    },
    grpc::{
        pb,
        wire::{purpose, purpose_to_wire},
    },
};

/// Whose rule is read, and for what.
pub struct Rules<'a> {
    /// The name of the organization; none while the name of what has the rule is refused itself.
    owner: Option<&'a str>,
    /// The rule is a segment's.
    is_segment: bool,
}

impl<'a> Rules<'a> {
    pub fn of_campaign(owner: Option<&'a str>) -> Self {
        Self { owner, is_segment: false }
    }

    pub fn of_segment(owner: Option<&'a str>) -> Self {
        Self { owner, is_segment: true }
    }

    /// The audience; without a rule it is everyone.
    pub fn audience(&self, wire: Option<pb::Rule>) -> Result<Audience, Violations> {
        let Some(wire) = wire else { return Ok(Audience::everyone()) };
        let refuse = |invalid| Violations::one("", invalid);
        fits(&wire, 1, &mut 0).map_err(refuse)?;
        Audience::new(self.rule(wire)?).map_err(refuse)
    }

    fn rule(&self, wire: pb::Rule) -> Result<Rule, Violations> {
        use pb::rule::Rule as Wire;
        let mut wrong = Violations::default();
        let rule = match wire.rule.ok_or_else(|| Violations::one("", "needs one kind of rule"))? {
            Wire::All(all) => wrong.nest("all", self.rules(all)).map(Rule::All),
            Wire::Any(any) => wrong.nest("any", self.rules(any)).map(Rule::Any),
            Wire::Not(inner) => wrong.nest("not", self.rule(*inner)).map(|inner| Rule::Not(Box::new(inner))),
            Wire::Trait(condition) => wrong.nest("trait", traits::compared(condition)),
            Wire::TraitIn(condition) => wrong.nest("trait_in", traits::among(condition)),
            Wire::TraitKnown(key) => wrong.take("trait_known", TraitKey::new(&key)).map(Rule::TraitKnown),
            Wire::TraitDate(condition) => wrong.nest("trait_date", traits::dated(condition)),
            Wire::Interest(pb::InterestCondition { topic, at_least }) => {
                let topic = wrong.take("interest.topic", Topic::new(&topic));
                wrong.take("interest.at_least", check_interest(at_least));
                topic.map(|topic| Rule::Interest { topic, at_least })
            }
            Wire::Consent(consent) => wrong.take("consent", purpose(consent)).map(Rule::Consent),
            Wire::Segment(name) => wrong.take("segment", self.segment(&name)).map(Rule::Segment),
            Wire::Visits(condition) => wrong.nest("visits", past::visits(condition)),
            Wire::LastVisit(condition) => wrong.nest("last_visit", past::last_visit(condition)),
            Wire::Offers(condition) => wrong.nest("offers", past::offers(self, condition)),
            Wire::Place(condition) => wrong.nest("place", context::place(condition)).map(Rule::Place),
            Wire::Moment(condition) => wrong.nest("moment", context::moment(condition)).map(Rule::Moment),
            Wire::Device(condition) => wrong.nest("device", context::device(condition)).map(Rule::Device),
        };
        wrong.finish(rule)
    }

    fn rules(&self, wire: pb::Rules) -> Result<Vec<Rule>, Violations> {
        let mut wrong = Violations::default();
        if wire.rules.is_empty() {
            wrong.add("rules", "must have one at least; leave the audience out for everybody");
        }
        let each = wire.rules.into_iter().enumerate();
        let rules = each.filter_map(|(i, inner)| wrong.nest(format_args!("rules[{i}]"), self.rule(inner))).collect();
        wrong.finish(Some(rules))
    }

    fn segment(&self, name: &str) -> Result<SegmentName, Invalid> {
        if self.is_segment {
            return Err(Invalid::new("must not be in the rule of a segment: a segment names no segment"));
        }
        let name = SegmentName::parse(name)?;
        self.own(name.owner()).map(|()| name)
    }

    /// Whether what is named is of the organization whose rule it is.
    fn own(&self, named: &str) -> Result<(), Invalid> {
        match self.owner {
            Some(owner) if owner != named => Err(Invalid::new(format!("must be of {owner}, was of {named}"))),
            _ => Ok(()),
        }
    }
}

/// Looks no further than the bounds, so that a huge tree costs no more than a large one.
fn fits(wire: &pb::Rule, depth: usize, terms: &mut usize) -> Result<(), Invalid> {
    use pb::rule::Rule as Wire;
    count_term(depth, terms)?;
    match &wire.rule {
        Some(Wire::All(pb::Rules { rules }) | Wire::Any(pb::Rules { rules })) => {
            rules.iter().try_for_each(|inner| fits(inner, depth + 1, terms))
        }
        Some(Wire::Not(inner)) => fits(inner, depth + 1, terms),
        Some(_) | None => Ok(()),
    }
}

/// None for everyone, which is how it was said.
pub fn audience_to_wire(audience: &Audience) -> Option<pb::Rule> {
    (*audience != Audience::everyone()).then(|| rule_to_wire(audience.rule()))
}

pub fn rule_to_wire(rule: &Rule) -> pb::Rule {
    use pb::rule::Rule as Wire;
    let list = |rules: &[Rule]| pb::Rules { rules: rules.iter().map(rule_to_wire).collect() };
    let wire = match rule {
        Rule::All(rules) => Wire::All(list(rules)),
        Rule::Any(rules) => Wire::Any(list(rules)),
        Rule::Not(inner) => Wire::Not(Box::new(rule_to_wire(inner))),
        Rule::Trait { key, comparison, value } => Wire::Trait(traits::compared_to_wire(key, *comparison, value)),
        Rule::TraitIn { key, values } => Wire::TraitIn(traits::among_to_wire(key, values)),
        Rule::TraitKnown(key) => Wire::TraitKnown(key.to_string()),
        Rule::TraitDate { key, test } => Wire::TraitDate(traits::dated_to_wire(key, *test)),
        Rule::Interest { topic, at_least } => {
            Wire::Interest(pb::InterestCondition { topic: topic.to_string(), at_least: *at_least })
        }
        Rule::Consent(purpose) => Wire::Consent(purpose_to_wire(*purpose).into()),
        Rule::Segment(name) => Wire::Segment(name.to_string()),
        Rule::Visits { at, within_days, count } => Wire::Visits(past::visits_to_wire(at, *within_days, *count)),
        Rule::LastVisit { at, ago } => Wire::LastVisit(past::last_visit_to_wire(at, *ago)),
        Rule::Offers { of, event, within_days, count } => {
            Wire::Offers(past::offers_to_wire(of, *event, *within_days, *count))
        }
        Rule::Place(test) => Wire::Place(context::place_to_wire(test)),
        Rule::Moment(test) => Wire::Moment(context::moment_to_wire(test)),
        Rule::Device(test) => Wire::Device(context::device_to_wire(test)),
    };
    pb::Rule { rule: Some(wire) }
}

/// Refuses a list that is empty or too long, before it is read.
fn count_choices(wrong: &mut Violations, field: &str, count: usize) -> Result<(), Violations> {
    match wrong.take(field, check_choices(count)) {
        Some(()) => Ok(()),
        None => Err(std::mem::take(wrong)),
    }
}

fn tag_set(wire: &[String]) -> Result<BTreeSet<Tag>, Violations> {
    check_tags(wire.len()).map_err(|invalid| Violations::one("tags", invalid))?;
    let mut wrong = Violations::default();
    let each = wire.iter().enumerate();
    let tags = each.filter_map(|(i, tag)| wrong.take(format!("tags[{i}]"), Tag::new(tag))).collect();
    wrong.finish(Some(tags))
}

fn tags_to_wire(tags: &BTreeSet<Tag>) -> pb::Tags {
    pb::Tags { tags: tags.iter().map(Tag::to_string).collect() }
}
