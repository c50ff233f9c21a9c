//! An experiment: which of a campaign's contents a person is shown, or that they get nothing, so that it is known what
//! the campaign is worth.
//!
//! Law: an experiment that exists can be drawn; who is in which arm is drawn in [`crate::engine::experiment`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    content::Content,
    text::{ExperimentId, VariantId},
    violation::{Violations, at_most},
};

/// Most variants of one experiment: with more, none gets enough people to tell them apart.
pub const MAX_VARIANTS: usize = 8;
/// Weights of variants: their shares are as these to each other.
pub const WEIGHTS: std::ops::RangeInclusive<u32> = 1..=100;
/// Largest holdout, in per cent of the people.
pub const MAX_HOLDOUT_PERCENT: u32 = 50;

/// At least two variants, or a holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Everybody is drawn by it, so another one draws everybody anew.
    pub id: ExperimentId,
    /// Each id once. None if all but the holdout get the campaign's own content.
    pub variants: Vec<Variant>,
    pub holdout_percent: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub id: VariantId,
    pub weight: u32,
    /// In the place of the campaign's own; none for that.
    pub content: Option<Content>,
}

/// The arm of an experiment that an offer is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Arm {
    pub experiment: ExperimentId,
    /// None if the experiment has a holdout only.
    pub variant: Option<VariantId>,
}

impl Experiment {
    /// Refuses what cannot be drawn; fields are `variants[i].id`, `variants[i].weight`, `holdout_percent`.
    pub fn check(self) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        wrong.take("variants", at_most(MAX_VARIANTS, self.variants.len()));
        let mut seen = BTreeSet::new();
        for (i, variant) in self.variants.iter().enumerate().take(MAX_VARIANTS) {
            if !seen.insert(&variant.id) {
                wrong.add(format!("variants[{i}].id"), format!("must be there once, was {} again", variant.id));
            }
            if !WEIGHTS.contains(&variant.weight) {
                let (least, most) = (WEIGHTS.start(), WEIGHTS.end());
                let said = format!("must be {least} to {most}, was {}", variant.weight);
                wrong.add(format!("variants[{i}].weight"), said);
            }
        }
        if self.holdout_percent > MAX_HOLDOUT_PERCENT {
            let said = format!("must be 0 to {MAX_HOLDOUT_PERCENT}, was {}", self.holdout_percent);
            wrong.add("holdout_percent", said);
        }
        if self.variants.len() < 2 && self.holdout_percent == 0 {
            wrong.add("", "needs a holdout or two variants: with less there is nothing to compare");
        }
        wrong.finish(Some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(id: &str, weight: u32) -> Variant {
        Variant { id: VariantId::new(id).expect("sound"), weight, content: None }
    }

    fn faults(variants: Vec<Variant>, holdout_percent: u32) -> Vec<String> {
        let id = ExperimentId::new("spring").expect("sound");
        let checked = Experiment { id, variants, holdout_percent }.check();
        checked.err().iter().flat_map(Violations::iter).map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn every_fault_is_named() {
        let wrong = faults(vec![variant("a", 0), variant("b", 101), variant("a", 1)], 51);
        assert_eq!(wrong, ["variants[0].weight", "variants[1].weight", "variants[2].id", "holdout_percent"]);
        assert_eq!(faults((0..9).map(|i| variant(&format!("v{i}"), 1)).collect(), 0), ["variants"]);
    }

    #[test]
    fn there_must_be_something_to_compare() {
        assert_eq!(faults(vec![variant("a", 1)], 0), [""]);
        assert!(faults(vec![variant("a", 1)], 10).is_empty() && faults(Vec::new(), 10).is_empty());
        assert!(faults(vec![variant("a", 1), variant("b", 100)], 0).is_empty());
    }
}
