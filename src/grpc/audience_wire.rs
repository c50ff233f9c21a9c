//! Audience rules on the wire.
//!
//! Law 8: a fault is named by its path in the tree (`all.rules[1].trait.key`).

use crate::{
    domain::{
        audience::{Audience, Comparison, Rule, TraitValue, check_comparison, check_interest, count_term},
        text::{Topic, TraitKey},
        violation::{Invalid, Violations},
    },
    grpc::{
        pb,
        wire::{purpose, purpose_to_wire, required, unknown},
    },
};

type WireComparison = pb::trait_condition::Comparison;

/// The audience of a campaign; without a rule it is everyone.
pub fn audience(wire: Option<pb::Rule>) -> Result<Audience, Violations> {
    let Some(wire) = wire else { return Ok(Audience::everyone()) };
    let refuse = |invalid| Violations::one("", invalid);
    fits(&wire, 1, &mut 0).map_err(refuse)?;
    Audience::new(rule(wire)?).map_err(refuse)
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
        Some(Wire::Trait(_) | Wire::Interest(_) | Wire::Consent(_)) | None => Ok(()),
    }
}

/// None for everyone, which is how it was said.
pub fn audience_to_wire(audience: &Audience) -> Option<pb::Rule> {
    (*audience != Audience::everyone()).then(|| rule_to_wire(audience.rule()))
}

fn rule(wire: pb::Rule) -> Result<Rule, Violations> {
    use pb::rule::Rule as Wire;
    let mut wrong = Violations::default();
    let rule = match wire.rule.ok_or_else(|| Violations::one("", "needs one kind of rule"))? {
        Wire::All(all) => wrong.nest("all", rules(all)).map(Rule::All),
        Wire::Any(any) => wrong.nest("any", rules(any)).map(Rule::Any),
        Wire::Not(inner) => wrong.nest("not", rule(*inner)).map(|inner| Rule::Not(Box::new(inner))),
        Wire::Trait(condition) => wrong.nest("trait", trait_condition(condition)),
        Wire::Interest(pb::InterestCondition { topic, at_least }) => {
            let topic = wrong.take("interest.topic", Topic::new(&topic));
            wrong.take("interest.at_least", check_interest(at_least));
            topic.map(|topic| Rule::Interest { topic, at_least })
        }
        Wire::Consent(consent) => wrong.take("consent", purpose(consent)).map(Rule::Consent),
    };
    wrong.finish(rule)
}

fn rules(wire: pb::Rules) -> Result<Vec<Rule>, Violations> {
    let mut wrong = Violations::default();
    let each = wire.rules.into_iter().enumerate();
    let rules = each.filter_map(|(i, inner)| wrong.nest(&format!("rules[{i}]"), rule(inner))).collect();
    wrong.finish(Some(rules))
}

fn trait_condition(wire: pb::TraitCondition) -> Result<Rule, Violations> {
    let pb::TraitCondition { key, comparison: compared, value } = wire;
    let mut wrong = Violations::default();
    let key = wrong.take("key", TraitKey::new(&key));
    let comparison = wrong.take("comparison", comparison(compared));
    let value = wrong.take("value", trait_value(value));
    if let (Some(comparison), Some(value)) = (comparison, &value) {
        // Either of them may be the slip.
        let fits = check_comparison(comparison, value);
        wrong.take("comparison", fits.clone());
        wrong.take("value", fits);
    }
    let rule = (|| Some(Rule::Trait { key: key?, comparison: comparison?, value: value? }))();
    wrong.finish(rule)
}

/// The value of a trait, which must be there.
pub fn trait_value(wire: Option<pb::TraitValue>) -> Result<TraitValue, Invalid> {
    use pb::trait_value::Value;
    match wire.and_then(|value| value.value).ok_or_else(required)? {
        Value::Text(text) => TraitValue::text(&text),
        Value::Number(number) => TraitValue::number(number),
        Value::Flag(flag) => Ok(TraitValue::Flag(flag)),
    }
}

pub fn trait_value_to_wire(value: &TraitValue) -> pb::TraitValue {
    use pb::trait_value::Value;
    let value = match value {
        TraitValue::Text(text) => Value::Text(text.clone()),
        TraitValue::Number(number) => Value::Number(*number),
        TraitValue::Flag(flag) => Value::Flag(*flag),
    };
    pb::TraitValue { value: Some(value) }
}

fn comparison(wire: i32) -> Result<Comparison, Invalid> {
    match WireComparison::try_from(wire) {
        Ok(WireComparison::Unspecified) => Err(required()),
        Ok(WireComparison::Equals) => Ok(Comparison::Equals),
        Ok(WireComparison::NotEquals) => Ok(Comparison::NotEquals),
        Ok(WireComparison::LessThan) => Ok(Comparison::LessThan),
        Ok(WireComparison::AtMost) => Ok(Comparison::AtMost),
        Ok(WireComparison::GreaterThan) => Ok(Comparison::GreaterThan),
        Ok(WireComparison::AtLeast) => Ok(Comparison::AtLeast),
        Err(_) => Err(unknown(wire)),
    }
}

fn comparison_to_wire(comparison: Comparison) -> WireComparison {
    match comparison {
        Comparison::Equals => WireComparison::Equals,
        Comparison::NotEquals => WireComparison::NotEquals,
        Comparison::LessThan => WireComparison::LessThan,
        Comparison::AtMost => WireComparison::AtMost,
        Comparison::GreaterThan => WireComparison::GreaterThan,
        Comparison::AtLeast => WireComparison::AtLeast,
    }
}

fn rule_to_wire(rule: &Rule) -> pb::Rule {
    use pb::rule::Rule as Wire;
    let list = |rules: &[Rule]| pb::Rules { rules: rules.iter().map(rule_to_wire).collect() };
    let wire = match rule {
        Rule::All(rules) => Wire::All(list(rules)),
        Rule::Any(rules) => Wire::Any(list(rules)),
        Rule::Not(inner) => Wire::Not(Box::new(rule_to_wire(inner))),
        Rule::Trait { key, comparison, value } => Wire::Trait(pb::TraitCondition {
            key: key.to_string(),
            comparison: comparison_to_wire(*comparison).into(),
            value: Some(trait_value_to_wire(value)),
        }),
        Rule::Interest { topic, at_least } => {
            Wire::Interest(pb::InterestCondition { topic: topic.to_string(), at_least: *at_least })
        }
        Rule::Consent(purpose) => Wire::Consent(purpose_to_wire(*purpose).into()),
    };
    pb::Rule { rule: Some(wire) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{audience::MAX_DEPTH, consent::Purpose};
    use proptest::prelude::*;

    fn any_rule() -> impl Strategy<Value = Rule> {
        let key = TraitKey::new("tier").expect("sound");
        let topic = Topic::new("coffee").expect("sound");
        let leaf = prop_oneof![
            (-9.0..9.0).prop_map(move |number| Rule::Trait {
                key: key.clone(),
                comparison: Comparison::AtLeast,
                value: TraitValue::Number(number)
            }),
            (0.0..=1.0).prop_map(move |at_least| Rule::Interest { topic: topic.clone(), at_least }),
            Just(Rule::Consent(Purpose::Profiling)),
        ];
        leaf.prop_recursive(4, 20, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Rule::All),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Rule::Any),
                inner.prop_map(|rule| Rule::Not(Box::new(rule))),
            ]
        })
    }

    proptest! {
        #[test]
        fn rules_survive_the_wire(rule in any_rule()) {
            let audience = Audience::new(rule).expect("small");
            prop_assert_eq!(self::audience(audience_to_wire(&audience)), Ok(audience));
        }
    }

    #[test]
    fn a_tree_past_its_bounds_is_one_fault() {
        let empty = pb::Rule { rule: None };
        let negate = |inner: pb::Rule, _| pb::Rule { rule: Some(pb::rule::Rule::Not(Box::new(inner))) };
        let deep = (0..MAX_DEPTH).fold(empty.clone(), negate);
        let wide = pb::Rule { rule: Some(pb::rule::Rule::Any(pb::Rules { rules: vec![empty; 100_000] })) };
        for wire in [deep, wide] {
            let wrong = audience(Some(wire)).expect_err("refused");
            assert_eq!(wrong.count(), 1, "{wrong}");
            assert!(wrong.to_string().contains("must have at most"), "{wrong}");
        }
    }

    #[test]
    fn faults_are_named_by_their_path() {
        let trait_rule = pb::Rule { rule: Some(pb::rule::Rule::Trait(pb::TraitCondition::default())) };
        let empty = pb::Rule { rule: None };
        let all = pb::Rules { rules: vec![empty, trait_rule] };
        let wrong = audience(Some(pb::Rule { rule: Some(pb::rule::Rule::All(all)) })).expect_err("four faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let within = "all.rules[1].trait";
        assert_eq!(
            fields,
            ["all.rules[0]", &format!("{within}.key"), &format!("{within}.comparison"), &format!("{within}.value")]
        );
    }
}
