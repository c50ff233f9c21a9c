//! Which conditions of a rule have to change their answers for it to hold: logic alone, whatever they ask.
//!
//! Laws: one that is enough comes before two, and two before more; of as many the first, in the order of the rule.

use crate::domain::audience::MAX_TERMS;

/// A rule of which only the numbers of its conditions are left; one that occurs twice has one number.
#[derive(Debug)]
pub enum Tree {
    Condition(usize),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
}

/// The numbers of the answers that have to be others for the rule to hold; none if it does. Where two are not enough, of
/// each group the fewest by themselves.
pub fn fewest(rule: &Tree, answers: &[bool]) -> Vec<usize> {
    let does = |changed: &[usize]| rule.holds(&|number| answers[number] != changed.contains(&number));
    if does(&[]) {
        return Vec::new();
    }
    let count = answers.len();
    if let Some(one) = (0..count).find(|&one| does(&[one])) {
        return vec![one];
    }
    // Pairs of what segments add to a full rule are too many.
    let paired = count.min(MAX_TERMS);
    let mut pairs = (0..paired).flat_map(|one| (one + 1..paired).map(move |other| [one, other]));
    pairs.find(|pair| does(pair)).map_or_else(|| rule.needed(true, answers), Vec::from)
}

impl Tree {
    fn holds(&self, answer: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Condition(number) => answer(*number),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(answer)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(answer)),
            Self::Not(rule) => !rule.holds(answer),
        }
    }

    fn needed(&self, must_hold: bool, answers: &[bool]) -> Vec<usize> {
        if self.holds(&|number| answers[number]) == must_hold {
            return Vec::new();
        }
        match self {
            Self::Condition(number) => vec![*number],
            Self::Not(rule) => rule.needed(!must_hold, answers),
            Self::All(rules) if must_hold => every(rules, must_hold, answers),
            Self::Any(rules) if !must_hold => every(rules, must_hold, answers),
            Self::All(rules) | Self::Any(rules) => {
                let each = rules.iter().map(|rule| rule.needed(must_hold, answers));
                each.min_by_key(Vec::len).unwrap_or_default()
            }
        }
    }
}

fn every(rules: &[Tree], must_hold: bool, answers: &[bool]) -> Vec<usize> {
    let mut all: Vec<usize> = Vec::new();
    for number in rules.iter().flat_map(|rule| rule.needed(must_hold, answers)) {
        if !all.contains(&number) {
            all.push(number);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{
        Tree::{All, Any, Condition, Not},
        *,
    };

    #[test]
    fn one_condition_of_two_groups_is_enough() {
        let either = |one, other| Any(vec![Condition(one), Condition(other)]);
        let (tier, vip, points) = (0, 1, 2);
        assert_eq!(fewest(&All(vec![either(tier, vip), either(points, vip)]), &[false; 3]), [vip]);
        let neither = All(vec![either(tier, vip), Not(Box::new(Condition(tier)))]);
        assert_eq!(fewest(&neither, &[false; 2]), [vip], "the first would break what holds");
        let three = All(vec![either(0, 1), either(0, 2), either(3, 2), either(4, 1)]);
        assert_eq!(fewest(&three, &[false; 5]), [1, 2]);
    }
}
