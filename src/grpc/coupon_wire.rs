//! Coupons and budgets on the wire.
//!
//! Law 8: every field is decided upon, and each fault names its own.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    domain::{
        budget::{Budget, Period, Unit},
        campaign::{Limits, MAX_TARGETS},
        code::Code,
        coupon::{Codes, Coupon, RedeemedAt},
        name::{OrganizationName, StoreName},
        offer::OfferCoupon,
        text::Tag,
        time::TimeZone,
        violation::{Invalid, Violations, at_most},
    },
    grpc::{
        pb,
        place_wire::tags,
        wire::{duration_to_wire, money, money_to_wire, not_one_of, optional_duration, timestamp_to_wire},
    },
};

/// Longest code that everybody has: people type it.
const MAX_FIXED: usize = 32;
/// Kinds of budget there can be: three units, four periods, per store or not.
const MAX_BUDGETS: usize = 24;

pub fn budgets(wire: Vec<pb::Budget>) -> Result<Vec<Budget>, Violations> {
    let mut wrong = Violations::default();
    if wrong.take("", at_most(MAX_BUDGETS, wire.len())).is_none() {
        return wrong.finish(None);
    }
    let each = wire.into_iter().enumerate();
    let budgets = each.filter_map(|(i, wire)| wrong.nest(format_args!("[{i}]"), budget(wire))).collect();
    wrong.finish(Some(budgets))
}

fn budget(wire: pb::Budget) -> Result<Budget, Violations> {
    let pb::Budget { unit: counted, limit, period: anew, per_store, time_zone } = wire;
    let mut wrong = Violations::default();
    let unit = wrong.take("unit", unit(counted));
    let period = wrong.take("period", period(anew));
    let zone = (!time_zone.is_empty()).then(|| TimeZone::new(&time_zone)).transpose();
    let zone = wrong.take("time_zone", zone);
    let budget = (|| Some(Budget { unit: unit?, limit, period: period?, per_store, time_zone: zone? }))();
    wrong.finish(budget)
}

fn unit(wire: i32) -> Result<Unit, Invalid> {
    use pb::budget::Unit as Wire;
    match Wire::try_from(wire) {
        Ok(Wire::Offers) => Ok(Unit::Offers),
        Ok(Wire::Redemptions) => Ok(Unit::Redemptions),
        Ok(Wire::Money) => Ok(Unit::Money),
        Ok(Wire::Unspecified) | Err(_) => Err(not_one_of(wire, Wire::as_str_name)),
    }
}

fn period(wire: i32) -> Result<Period, Invalid> {
    use pb::budget::Period as Wire;
    match Wire::try_from(wire) {
        Ok(Wire::Unspecified) => Ok(Period::Whole),
        Ok(Wire::Day) => Ok(Period::Day),
        Ok(Wire::Week) => Ok(Period::Week),
        Ok(Wire::Month) => Ok(Period::Month),
        Err(_) => Err(not_one_of(wire, Wire::as_str_name)),
    }
}

pub fn budgets_to_wire(limits: &Limits) -> Vec<pb::Budget> {
    let budget = |budget: &Budget| pb::Budget {
        unit: match budget.unit {
            Unit::Offers => pb::budget::Unit::Offers,
            Unit::Redemptions => pb::budget::Unit::Redemptions,
            Unit::Money => pb::budget::Unit::Money,
        }
        .into(),
        limit: budget.limit,
        period: match budget.period {
            Period::Whole => pb::budget::Period::Unspecified,
            Period::Day => pb::budget::Period::Day,
            Period::Week => pb::budget::Period::Week,
            Period::Month => pb::budget::Period::Month,
        }
        .into(),
        per_store: budget.per_store,
        time_zone: budget.time_zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
    };
    limits.budgets.iter().map(budget).collect()
}

pub fn coupon(wire: pb::Coupon) -> Result<Coupon, Violations> {
    let pb::Coupon { codes: kind, instruction, value, redeem_after, holder_only, at: place } = wire;
    let mut wrong = Violations::default();
    let codes = wrong.nest("", codes(kind));
    let value = wrong.nest("value", money(value));
    let redeem_after = wrong.take("redeem_after", optional_duration(redeem_after));
    let at = wrong.nest("", at(place));
    // What could not be read is noted; with something in its place the rest is checked as well.
    let coupon = Coupon {
        codes: codes.unwrap_or(Codes::Generated),
        instruction,
        value: value.flatten(),
        redeem_after: redeem_after.flatten().unwrap_or(Duration::ZERO),
        holder_only,
        at: at.unwrap_or(RedeemedAt::Anywhere),
    };
    let coupon = wrong.nest("", coupon.check());
    wrong.finish(coupon)
}

fn codes(wire: Option<pb::coupon::Codes>) -> Result<Codes, Violations> {
    use pb::coupon::Codes as Wire;
    match wire {
        Some(Wire::Generated(pb::GeneratedCodes {})) => Ok(Codes::Generated),
        Some(Wire::Pool(pb::PooledCodes {})) => Ok(Codes::Pool),
        Some(Wire::Fixed(text)) => {
            let code = Code::parse(&text).and_then(|code| match code.as_str().len() {
                0..=MAX_FIXED => Ok(code),
                _ => Err(Invalid::new(format!("must be at most {MAX_FIXED} letters and digits"))),
            });
            code.map(Codes::Fixed).map_err(|invalid| Violations::one("fixed", invalid))
        }
        None => Err(Violations::one("", "needs codes: generated, fixed or pool")),
    }
}

fn at(wire: Option<pb::coupon::At>) -> Result<RedeemedAt, Violations> {
    let mut wrong = Violations::default();
    match wire {
        None => Ok(RedeemedAt::Anywhere),
        Some(pb::coupon::At::Stores(pb::Stores { stores })) => {
            let stores = store_names(&mut wrong, "stores.stores", &stores);
            wrong.finish(Some(RedeemedAt::Stores(stores)))
        }
        Some(pb::coupon::At::Tagged(pb::TaggedPlaces { network, tags: words })) => {
            let network = wrong.take("tagged.network", OrganizationName::parse(&network));
            let mut within = Violations::default();
            let tags = tags(&mut within, &words);
            wrong.nest("tagged", within.finish(Some(())));
            wrong.finish(network.map(|network| RedeemedAt::Tagged { network, tags }))
        }
    }
}

/// 1 to [`MAX_TARGETS`] names of stores.
pub fn store_names(wrong: &mut Violations, field: &str, names: &[String]) -> BTreeSet<StoreName> {
    if !(1..=MAX_TARGETS).contains(&names.len()) {
        wrong.add(field, format!("must be 1 to {MAX_TARGETS}, were {}", names.len()));
        return BTreeSet::new();
    }
    let each = names.iter().enumerate();
    each.filter_map(|(i, name)| wrong.take(format!("{field}[{i}]"), StoreName::parse(name))).collect()
}

pub fn coupon_to_wire(coupon: &Coupon) -> pb::Coupon {
    let Coupon { codes, instruction, value, redeem_after, holder_only, at } = coupon;
    pb::Coupon {
        codes: Some(match codes {
            Codes::Generated => pb::coupon::Codes::Generated(pb::GeneratedCodes {}),
            Codes::Fixed(code) => pb::coupon::Codes::Fixed(code.as_str().to_owned()),
            Codes::Pool => pb::coupon::Codes::Pool(pb::PooledCodes {}),
        }),
        instruction: instruction.clone(),
        value: value.as_ref().map(money_to_wire),
        redeem_after: Some(duration_to_wire(*redeem_after)),
        holder_only: *holder_only,
        at: match at {
            RedeemedAt::Anywhere => None,
            RedeemedAt::Stores(stores) => {
                Some(pb::coupon::At::Stores(pb::Stores { stores: stores.iter().map(StoreName::to_string).collect() }))
            }
            RedeemedAt::Tagged { network, tags } => Some(pb::coupon::At::Tagged(pb::TaggedPlaces {
                network: network.to_string(),
                tags: tags.iter().map(Tag::to_string).collect(),
            })),
        },
    }
}

pub fn offer_coupon_to_wire(coupon: &OfferCoupon) -> pb::OfferCoupon {
    pb::OfferCoupon {
        code: coupon.code.as_ref().map(|code| code.as_str().to_owned()).unwrap_or_default(),
        instruction: coupon.instruction.clone(),
        valid_from: Some(timestamp_to_wire(coupon.valid_from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coupons_survive_the_wire() {
        use pb::coupon::{At, Codes as Kind};
        let stores = vec!["organizations/acme/stores/1".to_owned()];
        let tagged = pb::TaggedPlaces { network: "organizations/acme".into(), tags: vec!["city".into()] };
        let kinds =
            [Kind::Generated(pb::GeneratedCodes {}), Kind::Fixed("SUMMER20".into()), Kind::Pool(pb::PooledCodes {})];
        for (kind, at) in
            kinds.into_iter().zip([None, Some(At::Stores(pb::Stores { stores })), Some(At::Tagged(tagged))])
        {
            let wire = pb::Coupon {
                codes: Some(kind),
                instruction: "10 % off".into(),
                value: Some(pb::Money { currency: "EUR".into(), minor_units: 500 }),
                redeem_after: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
                holder_only: true,
                at,
            };
            assert_eq!(coupon_to_wire(&coupon(wire.clone()).expect("sound")), wire);
            // Blanks around it do not count, and are not kept.
            let padded = pb::Coupon { instruction: format!("{:300}\n", wire.instruction), ..wire.clone() };
            assert_eq!(coupon_to_wire(&coupon(padded).expect("sound")), wire);
        }
    }

    #[test]
    fn every_fault_of_a_coupon_is_named() {
        let wire = pb::Coupon {
            codes: Some(pb::coupon::Codes::Fixed("a!".into())),
            value: Some(pb::Money { currency: "EUR".into(), minor_units: 0 }),
            redeem_after: Some(prost_types::Duration { seconds: 91 * 86_400, nanos: 0 }),
            at: Some(pb::coupon::At::Stores(pb::Stores { stores: vec!["x".into()] })),
            ..Default::default()
        };
        let wrong = coupon(wire).expect_err("faulty");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["fixed", "stores.stores[0]", "instruction", "redeem_after", "value.minor_units"]);
    }

    #[test]
    fn budgets_survive_the_wire_and_their_faults_are_named() {
        let wire = |unit: i32, period: i32, time_zone: &str| pb::Budget {
            unit,
            limit: 7,
            period,
            per_store: true,
            time_zone: time_zone.into(),
        };
        let sound = vec![wire(1, 0, ""), wire(2, 1, "Europe/Rome"), wire(3, 3, "")];
        let limits = Limits { budgets: budgets(sound.clone()).expect("sound"), ..Limits::default() };
        assert_eq!(budgets_to_wire(&limits), sound);
        let wrong = budgets(vec![wire(0, 0, ""), wire(1, 9, "Mars")]).expect_err("faulty");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["[0].unit", "[1].period", "[1].time_zone"]);
    }
}
