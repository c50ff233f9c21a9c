//! Caps on the wire, of campaigns and of brands.
//!
//! Law 8: every field is decided upon, and each fault names its own.

use std::time::Duration;

use crate::{
    domain::{
        cap::{Cap, CivilPeriod, MAX_CAPS, Within},
        organization::BrandLimits,
        violation::{Invalid, Violations, at_most},
    },
    grpc::{
        pb,
        wire::{duration, duration_to_wire, not_one_of, optional_duration},
    },
};

/// Caps whose spans can be read; whether they are sound is the domain's question.
pub fn caps(wire: Vec<pb::Cap>) -> Result<Vec<Cap>, Violations> {
    let mut wrong = Violations::default();
    if wrong.take("", at_most(MAX_CAPS, wire.len())).is_none() {
        return wrong.finish(None);
    }
    let each = wire.into_iter().enumerate();
    let cap = |(i, pb::Cap { offers, within: span }): (usize, pb::Cap)| {
        let within = wrong.nest(format_args!("[{i}]"), within(span))?;
        Some(Cap { offers, within })
    };
    let caps = each.filter_map(cap).collect();
    wrong.finish(Some(caps))
}

fn within(wire: Option<pb::cap::Within>) -> Result<Within, Violations> {
    use pb::cap::{Period, Within as Wire};
    let (field, within) = match wire {
        None => ("", Err(Invalid::new("needs a window or a period"))),
        Some(Wire::Window(window)) => ("window", duration(Some(window)).map(Within::Window)),
        Some(Wire::Period(number)) => {
            let period = match Period::try_from(number) {
                Ok(Period::Day) => Ok(CivilPeriod::Day),
                Ok(Period::Week) => Ok(CivilPeriod::Week),
                Ok(Period::Month) => Ok(CivilPeriod::Month),
                Ok(Period::Unspecified) | Err(_) => Err(not_one_of(number, Period::as_str_name)),
            };
            ("period", period.map(Within::Period))
        }
    };
    within.map_err(|invalid| Violations::one(field, invalid))
}

pub fn caps_to_wire(caps: &[Cap]) -> Vec<pb::Cap> {
    use pb::cap::{Period, Within as Wire};
    let within = |within: Within| match within {
        Within::Window(window) => Wire::Window(duration_to_wire(window)),
        Within::Period(CivilPeriod::Day) => Wire::Period(Period::Day.into()),
        Within::Period(CivilPeriod::Week) => Wire::Period(Period::Week.into()),
        Within::Period(CivilPeriod::Month) => Wire::Period(Period::Month.into()),
    };
    caps.iter().map(|cap| pb::Cap { offers: cap.offers, within: Some(within(cap.within)) }).collect()
}

/// A brand's limits; none are set if there is no message.
pub fn brand_limits(wire: Option<pb::BrandLimits>) -> Result<BrandLimits, Violations> {
    let pb::BrandLimits { per_profile, cool_down } = wire.unwrap_or_default();
    let mut wrong = Violations::default();
    let per_profile = wrong.nest("per_profile", caps(per_profile));
    let cool_down = wrong.take("cool_down", optional_duration(cool_down));
    // What could not be read is noted; with something in its place the rest is checked as well.
    let limits = BrandLimits {
        per_profile: per_profile.unwrap_or_default(),
        cool_down: cool_down.flatten().unwrap_or(Duration::ZERO),
    };
    let limits = wrong.nest("", limits.check());
    wrong.finish(limits)
}

/// None if none are set.
pub fn brand_limits_to_wire(limits: &BrandLimits) -> Option<pb::BrandLimits> {
    let BrandLimits { per_profile, cool_down } = limits;
    let cool_down = Some(*cool_down).filter(|cool_down| !cool_down.is_zero()).map(duration_to_wire);
    let wire = pb::BrandLimits { per_profile: caps_to_wire(per_profile), cool_down };
    Some(wire).filter(|wire| *wire != pb::BrandLimits::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_survive_the_wire_and_their_faults_are_named() {
        let seconds = |seconds| pb::cap::Within::Window(prost_types::Duration { seconds, nanos: 0 });
        let cap = |offers, within| pb::Cap { offers, within };
        let sound = vec![cap(1, Some(seconds(3_600))), cap(3, Some(pb::cap::Within::Period(2)))];
        let limits = pb::BrandLimits { per_profile: sound, cool_down: None };
        let read = brand_limits(Some(limits.clone())).expect("sound");
        assert_eq!(brand_limits_to_wire(&read), Some(limits));
        assert_eq!(brand_limits_to_wire(&brand_limits(None).expect("nothing")), None);

        let faulty = vec![cap(1, None), cap(1, Some(pb::cap::Within::Period(9))), cap(1, Some(seconds(-1)))];
        let cool_down = Some(prost_types::Duration { seconds: i64::MAX, nanos: 0 });
        let wrong = brand_limits(Some(pb::BrandLimits { per_profile: faulty, cool_down })).expect_err("four faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["per_profile[0]", "per_profile[1].period", "per_profile[2].window", "cool_down"]);
    }
}
