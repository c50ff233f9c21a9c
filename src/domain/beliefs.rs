//! What is believed at a few areas: a sorted map whose copies share its keys.
//!
//! Law: most pings change beliefs and no areas, so a copy with other beliefs allocates for those alone, and touches none
//! of the names, which are all over the memory.

use std::{fmt, sync::Arc};

use super::presence::{Area, Belief};

/// Room is made for so many at most before they are counted.
const ROOM: usize = 64;

/// Beliefs by area, in the order of the areas.
#[derive(Clone, Default, PartialEq)]
pub struct Beliefs {
    areas: Arc<[Area]>,
    /// One for each of the areas.
    beliefs: Vec<Belief>,
}

impl Beliefs {
    pub fn areas(&self) -> &Arc<[Area]> {
        &self.areas
    }

    pub fn values(&self) -> std::slice::Iter<'_, Belief> {
        self.beliefs.iter()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Area, &Belief)> {
        self.areas.iter().zip(&self.beliefs)
    }

    pub fn get_mut(&mut self, area: &Area) -> Option<&mut Belief> {
        let at = self.areas.binary_search(area).ok()?;
        self.beliefs.get_mut(at)
    }

    pub fn len(&self) -> usize {
        self.beliefs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.beliefs.is_empty()
    }

    /// Other beliefs at the same areas, if there is one for each.
    pub fn renewed(&self, beliefs: Vec<Belief>) -> Option<Self> {
        (beliefs.len() == self.areas.len()).then(|| Self { areas: self.areas.clone(), beliefs })
    }
}

/// Of the beliefs at one area the last one counts.
impl FromIterator<(Area, Belief)> for Beliefs {
    fn from_iter<I: IntoIterator<Item = (Area, Belief)>>(entries: I) -> Self {
        let given = entries.into_iter();
        let mut entries: Vec<(Area, Belief)> = Vec::with_capacity(given.size_hint().1.unwrap_or(0).min(ROOM));
        entries.extend(given);
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(later, belief), (area, kept)| {
            let is_same = later == area;
            if is_same {
                *kept = *belief;
            }
            is_same
        });
        let (areas, beliefs): (Vec<Area>, Vec<Belief>) = entries.into_iter().unzip();
        Self { areas: areas.into(), beliefs }
    }
}

impl fmt::Debug for Beliefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{presence::Arrival, time::Timestamp};

    fn entering(second: i64) -> Belief {
        let since = Timestamp::from_micros(second * 1_000_000);
        Belief::Entering(Arrival { since, not_before: since, initial: false })
    }

    fn area(id: &str) -> Area {
        Area::parse(&format!("organizations/acme/geofences/{id}")).expect("sound")
    }

    #[test]
    fn beliefs_are_sorted_and_the_last_of_an_area_counts() {
        let mut beliefs: Beliefs =
            [("b", 1), ("c", 2), ("a", 3), ("b", 4)].map(|(id, s)| (area(id), entering(s))).into_iter().collect();
        let expected = [("a", 3), ("b", 4), ("c", 2)].map(|(id, second)| (area(id), entering(second)));
        assert!(beliefs.iter().eq(expected.iter().map(|(area, belief)| (area, belief))), "{beliefs:?}");
        assert_eq!((beliefs.get_mut(&area("b")).copied(), beliefs.get_mut(&area("d"))), (Some(entering(4)), None));
    }

    #[test]
    fn a_renewed_copy_has_the_same_areas() {
        let beliefs: Beliefs = [(area("a"), entering(1)), (area("b"), entering(2))].into_iter().collect();
        let renewed = beliefs.renewed(vec![entering(3), entering(4)]).expect("one for each");
        assert!(Arc::ptr_eq(beliefs.areas(), renewed.areas()) && renewed.values().eq(&[entering(3), entering(4)]));
        assert!(beliefs.renewed(vec![entering(3)]).is_none());
    }
}
