//! Which dwells of a visit were reported.
//!
//! Law: none is reported twice in a visit, and one that is waited for only later is not hidden by a longer one of somebody
//! else. But a visit takes no more room for however many there are.

use std::{mem, time::Duration};

/// So many are remembered one by one, the longest; of the others only how long they were at most.
const ONE_BY_ONE: usize = 3;

/// The thresholds that were reported, in nanoseconds: one cut to microseconds would be reported again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dwelt {
    /// All up to this count as reported.
    all_to: u64,
    /// Longer ones, the longest first; 0 where there is none.
    longer: [u64; ONE_BY_ONE],
}

impl Dwelt {
    /// As if all up to this were reported, and these.
    pub fn new(all_to: Duration, longer: impl IntoIterator<Item = Duration>) -> Self {
        let mut dwelt = Self { all_to: nanos(all_to), ..Self::default() };
        longer.into_iter().for_each(|threshold| dwelt.note(threshold));
        dwelt
    }

    pub fn has(&self, threshold: Duration) -> bool {
        let threshold = nanos(threshold);
        threshold <= self.all_to || self.longer.contains(&threshold)
    }

    pub fn note(&mut self, threshold: Duration) {
        if self.has(threshold) {
            return;
        }
        let mut shortest = nanos(threshold);
        for kept in &mut self.longer {
            if *kept < shortest {
                mem::swap(kept, &mut shortest);
            }
        }
        self.all_to = self.all_to.max(shortest);
    }

    pub fn all_to(&self) -> Duration {
        Duration::from_nanos(self.all_to)
    }

    /// Those that are remembered one by one, the longest first.
    pub fn longer(&self) -> impl Iterator<Item = Duration> {
        self.longer.into_iter().filter(|threshold| *threshold > 0).map(Duration::from_nanos)
    }
}

fn nanos(threshold: Duration) -> u64 {
    u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_longest_are_known_and_what_is_shorter_than_all_of_them_is_not_new() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut dwelt = Dwelt::default();
        for reported in [30, 10, 45, 10] {
            dwelt.note(minutes(reported));
        }
        let known = |dwelt: Dwelt| (1..60).filter(|&each| dwelt.has(minutes(each))).collect::<Vec<u64>>();
        assert_eq!(known(dwelt), [10, 30, 45]);
        dwelt.note(minutes(20));
        assert_eq!(known(dwelt), (1..=10).chain([20, 30, 45]).collect::<Vec<_>>());
        dwelt.note(minutes(15));
        assert_eq!(known(dwelt), (1..=15).chain([20, 30, 45]).collect::<Vec<_>>());
        assert_eq!(Dwelt::new(dwelt.all_to(), dwelt.longer()), dwelt);
    }
}
