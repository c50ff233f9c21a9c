//! Experiments on the wire, and what came of them.
//!
//! Law 10: counts of a few people are for operators only.

use crate::{
    app::brand_view::in_tens,
    domain::{
        content::Content,
        experiment::{Experiment, MAX_VARIANTS, Variant},
        text::{ExperimentId, VariantId},
        violation::{Violations, at_most},
    },
    grpc::{
        content_wire::{content, content_to_wire},
        pb,
    },
    ports::ArmResult,
};

pub fn experiment(wire: pb::Experiment) -> Result<Experiment, Violations> {
    let pb::Experiment { id, variants: each, holdout_percent } = wire;
    let mut wrong = Violations::default();
    let id = wrong.take("id", ExperimentId::new(&id));
    if let Err(too_many) = at_most(MAX_VARIANTS, each.len()) {
        wrong.add("variants", too_many);
        return wrong.finish(None);
    }
    let each = each.into_iter().enumerate();
    let variants = each.filter_map(|(i, one)| wrong.nest(format_args!("variants[{i}]"), variant(one))).collect();
    let read = id.filter(|_| wrong.is_empty()).map(|id| Experiment { id, variants, holdout_percent });
    let experiment = read.and_then(|read| wrong.nest("", read.check()));
    wrong.finish(experiment)
}

fn variant(wire: pb::Variant) -> Result<Variant, Violations> {
    let pb::Variant { id, weight, content: own } = wire;
    let mut wrong = Violations::default();
    let id = wrong.take("id", VariantId::new(&id));
    let content: Option<Option<Content>> = wrong.nest("content", own.map(|own| content(*own)).transpose());
    let variant = id.zip(content).map(|(id, content)| Variant { id, weight, content });
    wrong.finish(variant)
}

pub fn experiment_to_wire(experiment: &Experiment) -> pb::Experiment {
    let Experiment { id, variants, holdout_percent } = experiment;
    let variant = |Variant { id, weight, content }: &Variant| pb::Variant {
        id: id.to_string(),
        weight: *weight,
        content: content.as_ref().map(|content| Box::new(content_to_wire(content))),
    };
    let variants = variants.iter().map(variant).collect();
    pb::Experiment { id: id.to_string(), variants, holdout_percent: *holdout_percent }
}

/// What came of the experiment, as an operator or anybody else may see it.
pub fn results_to_wire(experiment: &ExperimentId, arms: &[ArmResult], is_operator: bool) -> pb::ExperimentResults {
    let seen = |count: u64| if is_operator { Some(count) } else { in_tens(count) };
    let arm = |arm: &ArmResult| pb::ArmResult {
        variant: arm.variant.as_ref().map(VariantId::to_string).unwrap_or_default(),
        people: seen(arm.people),
        held_out: seen(arm.held_out),
        offers: seen(arm.offers),
        ghosts: seen(arm.ghosts),
        shown: seen(arm.shown),
        opened: seen(arm.opened),
        redeemed: seen(arm.redeemed),
    };
    pb::ExperimentResults { experiment: experiment.to_string(), arms: arms.iter().map(arm).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(id: &str, weight: u32) -> pb::Variant {
        pb::Variant { id: id.into(), weight, content: None }
    }

    #[test]
    fn experiments_survive_the_wire() {
        let own = pb::Content { title: "Tea".into(), ..Default::default() };
        let variants = vec![variant("plain", 1), pb::Variant { content: Some(own.into()), ..variant("tea", 3) }];
        let wire = pb::Experiment { id: "spring".into(), variants, holdout_percent: 10 };
        let read = experiment(wire.clone()).expect("sound");
        assert_eq!(experiment_to_wire(&read), wire);
    }

    #[test]
    fn faults_of_all_variants_are_told_together() {
        let untitled = pb::Variant { content: Some(Default::default()), ..variant("b", 1) };
        let wire = pb::Experiment { id: "?".into(), variants: vec![variant("", 1), untitled], holdout_percent: 0 };
        let wrong = experiment(wire).expect_err("three faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["id", "variants[0].id", "variants[1].content.title"]);
        let many = pb::Experiment { id: "a".into(), variants: vec![variant("a", 1); 9], holdout_percent: 0 };
        assert!(experiment(many).is_err());
    }

    #[test]
    fn few_people_are_not_counted_but_for_operators() {
        let id = ExperimentId::new("spring").expect("sound");
        let (people, held_out, offers, ghosts, shown, opened, redeemed) = (9, 10, 19, 9, 0, 20, 1);
        let arms = [ArmResult { variant: None, people, held_out, offers, ghosts, shown, opened, redeemed }];
        let told = results_to_wire(&id, &arms, false).arms.remove(0);
        assert_eq!((told.people, told.held_out), (None, Some(10)));
        assert_eq!((told.offers, told.ghosts, told.shown), (Some(10), None, None));
        assert_eq!((told.opened, told.redeemed), (Some(20), None));
        assert_eq!(results_to_wire(&id, &arms, true).arms.remove(0).shown, Some(0));
    }
}
