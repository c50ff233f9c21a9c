//! Conditions on traits, and the values of traits, on the wire.
//!
//! Law 8: a value is checked where it stands; a comparison that does not fit it is told of both, for either may be the slip.

use super::count_choices;
use crate::{
    domain::{
        audience::{Comparison, Rule, TraitValue, check_comparison, condition::DateTest},
        text::TraitKey,
        violation::{Invalid, Violations},
    },
    grpc::{
        pb,
        wire::{not_one_of, required},
    },
};

type WireComparison = pb::trait_condition::Comparison;
type WireWhen = pb::trait_date_condition::When;

pub(super) fn compared(wire: pb::TraitCondition) -> Result<Rule, Violations> {
    let pb::TraitCondition { key, comparison: compared, value } = wire;
    let mut wrong = Violations::default();
    let key = wrong.take("key", TraitKey::new(&key));
    let comparison = wrong.take("comparison", comparison(compared));
    let value = wrong.take("value", trait_value(value));
    if let (Some(comparison), Some(value)) = (comparison, &value) {
        let fits = check_comparison(comparison, value);
        wrong.take("comparison", fits.clone());
        wrong.take("value", fits);
    }
    let rule = (|| Some(Rule::Trait { key: key?, comparison: comparison?, value: value? }))();
    wrong.finish(rule)
}

pub(super) fn among(wire: pb::TraitInCondition) -> Result<Rule, Violations> {
    let pb::TraitInCondition { key, values } = wire;
    let mut wrong = Violations::default();
    let key = wrong.take("key", TraitKey::new(&key));
    count_choices(&mut wrong, "values", values.len())?;
    let each = values.into_iter().enumerate();
    let values = each.filter_map(|(i, value)| wrong.take(format!("values[{i}]"), trait_value(Some(value)))).collect();
    wrong.finish(key.map(|key| Rule::TraitIn { key, values }))
}

pub(super) fn dated(wire: pb::TraitDateCondition) -> Result<Rule, Violations> {
    let pb::TraitDateCondition { key, when } = wire;
    let mut wrong = Violations::default();
    let key = wrong.take("key", TraitKey::new(&key));
    let test = match when {
        None => wrong.take("", Err(Invalid::new("needs one kind of days"))),
        Some(when) => {
            let (field, test) = match when {
                WireWhen::WithinLastDays(days) => ("within_last_days", DateTest::WithinLast { days }),
                WireWhen::WithinNextDays(days) => ("within_next_days", DateTest::WithinNext { days }),
                WireWhen::AtLeastDaysAgo(days) => ("at_least_days_ago", DateTest::AtLeastAgo { days }),
                WireWhen::AtLeastDaysAhead(days) => ("at_least_days_ahead", DateTest::AtLeastAhead { days }),
                WireWhen::AnniversaryWithinDays(within_days) => {
                    ("anniversary_within_days", DateTest::Anniversary { within_days })
                }
            };
            wrong.take(field, test.check()).map(|()| test)
        }
    };
    wrong.finish(key.zip(test).map(|(key, test)| Rule::TraitDate { key, test }))
}

/// The value of a trait, which must be there.
pub fn trait_value(wire: Option<pb::TraitValue>) -> Result<TraitValue, Invalid> {
    use pb::trait_value::Value;
    match wire.and_then(|value| value.value).ok_or_else(required)? {
        Value::Text(text) => TraitValue::text(&text),
        Value::Number(number) => TraitValue::number(number),
        Value::Flag(flag) => Ok(TraitValue::Flag(flag)),
        Value::Date(date) => TraitValue::date(&date),
    }
}

pub fn trait_value_to_wire(value: &TraitValue) -> pb::TraitValue {
    use pb::trait_value::Value;
    let value = match value {
        TraitValue::Text(text) => Value::Text(text.clone()),
        TraitValue::Number(number) => Value::Number(*number),
        TraitValue::Flag(flag) => Value::Flag(*flag),
        TraitValue::Date(date) => Value::Date(date.to_string()),
    };
    pb::TraitValue { value: Some(value) }
}

pub(super) fn compared_to_wire(key: &TraitKey, comparison: Comparison, value: &TraitValue) -> pb::TraitCondition {
    pb::TraitCondition {
        key: key.to_string(),
        comparison: comparison_to_wire(comparison).into(),
        value: Some(trait_value_to_wire(value)),
    }
}

pub(super) fn among_to_wire(key: &TraitKey, values: &[TraitValue]) -> pb::TraitInCondition {
    pb::TraitInCondition { key: key.to_string(), values: values.iter().map(trait_value_to_wire).collect() }
}

pub(super) fn dated_to_wire(key: &TraitKey, test: DateTest) -> pb::TraitDateCondition {
    let when = match test {
        DateTest::WithinLast { days } => WireWhen::WithinLastDays(days),
        DateTest::WithinNext { days } => WireWhen::WithinNextDays(days),
        DateTest::AtLeastAgo { days } => WireWhen::AtLeastDaysAgo(days),
        DateTest::AtLeastAhead { days } => WireWhen::AtLeastDaysAhead(days),
        DateTest::Anniversary { within_days } => WireWhen::AnniversaryWithinDays(within_days),
    };
    pb::TraitDateCondition { key: key.to_string(), when: Some(when) }
}

fn comparison(wire: i32) -> Result<Comparison, Invalid> {
    match WireComparison::try_from(wire) {
        Ok(WireComparison::Equals) => Ok(Comparison::Equals),
        Ok(WireComparison::NotEquals) => Ok(Comparison::NotEquals),
        Ok(WireComparison::LessThan) => Ok(Comparison::LessThan),
        Ok(WireComparison::AtMost) => Ok(Comparison::AtMost),
        Ok(WireComparison::GreaterThan) => Ok(Comparison::GreaterThan),
        Ok(WireComparison::AtLeast) => Ok(Comparison::AtLeast),
        Ok(WireComparison::Unspecified) | Err(_) => Err(not_one_of(wire, WireComparison::as_str_name)),
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
