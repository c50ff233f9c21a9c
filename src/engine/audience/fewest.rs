//! Which conditions of a rule have to change their answers for it to hold: logic alone, whatever they ask.
//!
//! Laws: what is told does it, whatever each condition stands for in how many places; no fewer would do, unless that takes
//! longer to prove than [`MOST_STEPS`]: then none of those told can be spared.

/// Most steps of one search, each of which looks through the rule a few times: an explanation searches once for each place
/// that belongs to a store, and what people write takes a few dozen.
const MOST_STEPS: usize = 1_000;

/// A rule of which only the numbers of its conditions are left; one that occurs twice has one number.
#[derive(Debug)]
pub enum Tree {
    Condition(usize),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
}

/// The numbers of the answers that have to be others for the rule to hold, rising: the fewest that do. None if nothing does, or
/// nothing was found.
pub fn fewest(rule: &Tree, answers: &[bool]) -> Option<Vec<usize>> {
    let need = Need::of(rule, true, answers);
    let least = need.least(&vec![None; answers.len()]).count?;
    let some = Search::new(answers).within(&need, answers.len())?;
    let enough = needed_of(some, &need, answers.len());
    let mut search = Search::new(answers);
    let fewer = (least..enough.len()).find_map(|most| search.within(&need, most));
    Some(fewer.unwrap_or(enough))
}

/// Of these changes those without which the others do not do.
fn needed_of(mut changed: Vec<usize>, need: &Need, conditions: usize) -> Vec<usize> {
    let does_without = |changed: &[usize], number: usize| {
        let mut choices: Choices = vec![None; conditions];
        changed.iter().filter(|&&other| other != number).for_each(|&other| choices[other] = Some(true));
        need.least(&choices).count == Some(0)
    };
    // Again from the start: without one of them another may be one too many.
    while let Some(at) = (0..changed.len()).rev().find(|&at| does_without(&changed, changed[at])) {
        changed.remove(at);
    }
    changed
}

/// What is decided of each condition: whether it changes its answer. None: not decided, and it stays for now.
type Choices = Vec<Option<bool>>;

/// What has to be so, with each `not` moved down to its conditions.
enum Need {
    Condition {
        number: usize,
        /// Whether it is as it has to be, if its answer does not change.
        is_met: bool,
    },
    All(Vec<Need>),
    Any(Vec<Need>),
}

/// What there is at least to be changed.
#[derive(Clone, Copy)]
struct Least {
    /// No fewer will do; none if nothing will.
    count: Option<usize>,
    /// The conditions among which they are. Some of more than 128 share a place: then they count as one.
    among: u128,
}

impl Need {
    fn of(rule: &Tree, must_hold: bool, answers: &[bool]) -> Self {
        let each = |rules: &[Tree]| rules.iter().map(|rule| Self::of(rule, must_hold, answers)).collect();
        match rule {
            Tree::Condition(number) => Self::Condition { number: *number, is_met: answers[*number] == must_hold },
            Tree::Not(rule) => Self::of(rule, !must_hold, answers),
            Tree::All(rules) if must_hold => Self::All(each(rules)),
            Tree::Any(rules) if !must_hold => Self::All(each(rules)),
            Tree::All(rules) | Tree::Any(rules) => Self::Any(each(rules)),
        }
    }

    /// As if no change spoilt what is met: what is needed in groups that share no condition adds up.
    fn least(&self, choices: &Choices) -> Least {
        match self {
            Self::Condition { number, is_met } => match choices[*number] {
                choice if *is_met != (choice == Some(true)) => Least { count: Some(0), among: 0 },
                Some(_) => Least { count: None, among: 0 },
                None => Least { count: Some(1), among: 1 << (number % 128) },
            },
            Self::Any(needs) => {
                let none = Least { count: None, among: 0 };
                needs.iter().map(|need| need.least(choices)).fold(none, Least::or)
            }
            Self::All(needs) => {
                let met = Least { count: Some(0), among: 0 };
                needs.iter().map(|need| need.least(choices)).fold(met, Least::and)
            }
        }
    }

    /// Undecided conditions of which one has to change, those that promise most first; none if this is met, or cannot be.
    fn one_of(&self, choices: &Choices) -> Vec<usize> {
        match self {
            Self::Condition { number, .. } => match self.least(choices).count {
                Some(1) => vec![*number],
                _ => Vec::new(),
            },
            Self::All(needs) => {
                let open = needs.iter().map(|need| need.one_of(choices)).filter(|open| !open.is_empty());
                open.min_by_key(Vec::len).unwrap_or_default()
            }
            Self::Any(needs) => {
                let counted = |need| Self::least(need, choices).count.map(|count| (count, need));
                let mut ways: Vec<(usize, &Need)> = needs.iter().filter_map(counted).collect();
                ways.sort_by_key(|(count, _)| *count);
                match ways.first() {
                    None | Some((0, _)) => Vec::new(),
                    Some(_) => ways.iter().flat_map(|(_, need)| need.one_of(choices)).collect(),
                }
            }
        }
    }
}

impl Least {
    fn or(self, other: Self) -> Self {
        let count = self.count.into_iter().chain(other.count).min();
        Self { count, among: self.among | other.among }
    }

    fn and(self, other: Self) -> Self {
        let is_apart = self.among & other.among == 0;
        let both = |a: usize, b: usize| if is_apart { a + b } else { a.max(b) };
        let count = self.count.zip(other.count).map(|(a, b)| both(a, b));
        Self { count, among: self.among | other.among }
    }
}

/// Tries changes one after another, each of a condition of which one has to change.
struct Search {
    choices: Choices,
    left: usize,
}

impl Search {
    fn new(answers: &[bool]) -> Self {
        Self { choices: vec![None; answers.len()], left: MOST_STEPS }
    }

    /// All that is changed in the first way found with at most so many changes more; none if there is none, or no steps are
    /// left.
    fn within(&mut self, need: &Need, most: usize) -> Option<Vec<usize>> {
        self.left = self.left.checked_sub(1)?;
        let least = need.least(&self.choices).count.filter(|&least| least <= most)?;
        if least == 0 {
            let is_changed = |number: &usize| self.choices[*number] == Some(true);
            return Some((0..self.choices.len()).filter(is_changed).collect());
        }
        let one_of = need.one_of(&self.choices);
        let mut found = None;
        for &number in &one_of {
            self.choices[number] = Some(true);
            found = self.within(need, most - 1);
            if found.is_some() {
                break;
            }
            // All ways with it were looked through.
            self.choices[number] = Some(false);
        }
        one_of.iter().for_each(|&number| self.choices[number] = None);
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Tree::{All, Any, Condition, Not},
        *,
    };

    fn holds(rule: &Tree, answers: u32) -> bool {
        match rule {
            Condition(number) => answers & (1 << number) != 0,
            All(rules) => rules.iter().all(|rule| holds(rule, answers)),
            Any(rules) => rules.iter().any(|rule| holds(rule, answers)),
            Not(rule) => !holds(rule, answers),
        }
    }

    fn not(number: usize) -> Tree {
        Not(Box::new(Condition(number)))
    }

    #[test]
    fn one_condition_of_two_groups_is_enough() {
        let either = |one, other| Any(vec![Condition(one), Condition(other)]);
        let told = |rule: &Tree, conditions| fewest(rule, &vec![false; conditions]).expect("a way");
        let (tier, vip, points, city) = (0, 1, 2, 3);
        assert_eq!(told(&All(vec![either(tier, vip), either(points, vip)]), 3), [vip]);
        let neither = All(vec![either(tier, vip), not(tier)]);
        assert_eq!(told(&neither, 2), [vip], "the first would break what holds");
        let three = All(vec![either(0, 1), either(0, 2), either(3, 2), either(4, 1)]);
        assert_eq!(told(&three, 5), [1, 2]);
        let more = All(vec![either(tier, vip), not(tier), Condition(points), Condition(city)]);
        assert_eq!(told(&more, 4), [vip, points, city], "nor where many have to change");
        let shared = All(vec![either(0, 3), either(1, 3), either(2, 3), Condition(4), Condition(5)]);
        assert_eq!(told(&shared, 6), [3, 4, 5], "of groups by themselves the first would do");
    }

    #[test]
    fn what_nothing_makes_hold_has_no_way() {
        assert_eq!(fewest(&All(vec![Condition(0), not(0)]), &[false]), None);
        assert_eq!(fewest(&Any(vec![]), &[]), None);
        assert_eq!(fewest(&Not(Box::new(Any(vec![]))), &[]), Some(vec![]));
    }

    #[test]
    fn of_rules_that_are_too_entangled_what_is_told_does_it_and_nothing_of_it_can_be_spared() {
        let strewn = |term: usize, place: usize| Condition((((term * 3 + place) * 2_654_435_761) >> 16) % 30);
        let entangled = All((0..90).map(|term| Any((0..3).map(|place| strewn(term, place)).collect())).collect());
        let told = fewest(&entangled, &[false; 30]).expect("a way");
        let changed = told.iter().fold(0, |answers, number| answers | (1 << number));
        assert!(holds(&entangled, changed));
        assert!(told.iter().all(|number| !holds(&entangled, changed ^ (1 << number))), "{told:?}");
        let many =
            Any((0..85).map(|i| All(vec![Condition(3 * i), Condition(3 * i + 1), Condition(3 * i + 2)])).collect());
        let apart =
            All((0..60).map(|i| Any(vec![Condition(i), All(vec![Condition(i + 60), Condition(i + 120)])])).collect());
        assert_eq!(fewest(&many, &[false; 255]), Some(vec![0, 1, 2]));
        assert_eq!(fewest(&apart, &[false; 180]), Some((0..60).collect()));
    }

    fn tree() -> impl Strategy<Value = Tree> {
        (0..9_usize).prop_map(Condition).prop_recursive(4, 24, 4, |rule| {
            prop_oneof![
                prop::collection::vec(rule.clone(), 0..5).prop_map(All),
                prop::collection::vec(rule.clone(), 0..5).prop_map(Any),
                rule.prop_map(|rule| Not(Box::new(rule))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_told_does_it_and_nothing_smaller(rules in prop::collection::vec(tree(), 1..6), answers in 0..512_u32) {
            let (rule, own) = (All(rules), (0..9).map(|number| answers & (1 << number) != 0).collect::<Vec<_>>());
            let does = |changed: &u32| holds(&rule, answers ^ changed);
            let least = (0..512_u32).filter(does).map(u32::count_ones).min();
            let told = fewest(&rule, &own);
            prop_assert_eq!(told.as_ref().map(|told| told.len() as u32), least);
            prop_assert!(told.iter().all(|told| does(&told.iter().fold(0, |changed, number| changed | 1 << number))));
        }
    }
}
