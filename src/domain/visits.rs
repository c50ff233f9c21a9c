//! What a profile remembers of visits: when each began, place by place.
//!
//! Laws: it is bounded in number, in places and in age, for it is written with every profile; a visit counts from its
//! entry, and coming in by another door, or with a second phone, is no second visit.

use std::time::Duration;

use super::{campaign::MAX_WINDOW, place::PlaceName, time::Timestamp};

/// Most visits that are remembered of one person: nearly three a day over the longest window. At [`MAX_PLACES`] places with
/// names of usual length they take less than 5 KiB of a profile (the codec's tests measure it), which every commit writes.
pub const MAX_VISITS: usize = 256;
/// Most places: their names take most of the room.
pub const MAX_PLACES: usize = 64;
/// Visits that began longer ago are forgotten, and no condition asks for them.
pub const MAX_AGE: Duration = MAX_WINDOW;
/// Who enters again so soon after a visit began is still on that visit.
pub const SAME_VISIT: Duration = Duration::from_secs(30 * 60);

/// When visits began, to the second, by place: a store, or a geofence or beacon without one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Visits {
    /// In the order of the names; none is empty.
    places: Vec<VisitedPlace>,
}

/// The visits to one place.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitedPlace {
    pub place: PlaceName,
    /// Earliest first.
    pub begun: Vec<Timestamp>,
}

impl Visits {
    /// Visits as they were kept, in any order; of what is too many the newest stay.
    pub fn new(places: Vec<VisitedPlace>) -> Self {
        let mut visits = Self::default();
        for VisitedPlace { place, mut begun } in places {
            begun = begun.into_iter().map(to_the_second).collect();
            begun.sort_unstable();
            match visits.find(&place) {
                Ok(at) => visits.places[at].begun.append(&mut begun),
                Err(at) if !begun.is_empty() => visits.places.insert(at, VisitedPlace { place, begun }),
                Err(_) => {}
            }
        }
        visits.places.iter_mut().for_each(|known| known.begun.sort_unstable());
        visits.make_room();
        visits
    }

    /// By the names of the places.
    pub fn iter(&self) -> std::slice::Iter<'_, VisitedPlace> {
        self.places.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// When the visits to the place began, earliest first.
    pub fn at(&self, place: &PlaceName) -> &[Timestamp] {
        self.find(place).map(|at| self.places[at].begun.as_slice()).unwrap_or_default()
    }

    /// Whether an entry at that time begins a visit that is not remembered yet.
    pub fn is_new(&self, place: &PlaceName, at: Timestamp, now: Timestamp) -> bool {
        let at = to_the_second(at);
        now.since(at) <= MAX_AGE && self.at(place).iter().all(|begun| begun.apart(at) > SAME_VISIT)
    }

    /// Remembers an entry, if it begins a visit; forgets what is too old or too much by then.
    pub fn note(&mut self, place: &PlaceName, at: Timestamp, now: Timestamp) {
        if !self.is_new(place, at, now) {
            return;
        }
        let begun = to_the_second(at);
        match self.find(place) {
            Ok(known) => {
                let times = &mut self.places[known].begun;
                times.insert(times.partition_point(|&other| other < begun), begun);
            }
            Err(next) => self.places.insert(next, VisitedPlace { place: place.clone(), begun: vec![begun] }),
        }
        self.forget_old(now);
        self.make_room();
    }

    /// Adds what somebody else remembers, who turned out to be the same person.
    pub fn join(&mut self, other: &Visits, now: Timestamp) {
        for VisitedPlace { place, begun } in other.iter() {
            begun.iter().for_each(|&at| self.note(place, at, now));
        }
    }

    fn find(&self, place: &PlaceName) -> Result<usize, usize> {
        self.places.binary_search_by(|known| known.place.cmp(place))
    }

    fn forget_old(&mut self, now: Timestamp) {
        let is_old = |begun: &Timestamp| now.since(*begun) > MAX_AGE;
        if !self.places.iter().any(|known| known.begun.first().is_none_or(is_old)) {
            return;
        }
        self.places.iter_mut().for_each(|known| known.begun.retain(|&begun| now.since(begun) <= MAX_AGE));
        self.places.retain(|known| !known.begun.is_empty());
    }

    /// Forgets the places that were visited last the longest ago, then the oldest visits.
    fn make_room(&mut self) {
        while self.places.len() > MAX_PLACES {
            let oldest = self.places.iter().enumerate().min_by_key(|(_, known)| known.begun.last());
            let Some((at, _)) = oldest else { return };
            self.places.remove(at);
        }
        let count: usize = self.places.iter().map(|known| known.begun.len()).sum();
        let Some(excess) = count.checked_sub(MAX_VISITS).filter(|&excess| excess > 0) else { return };
        let mut times: Vec<Timestamp> = self.places.iter().flat_map(|known| known.begun.iter().copied()).collect();
        times.sort_unstable();
        let mut left = excess;
        for known in &mut self.places {
            let old = known.begun.iter().take_while(|&&begun| begun <= times[excess - 1]).count().min(left);
            known.begun.drain(..old);
            left -= old;
        }
        self.places.retain(|known| !known.begun.is_empty());
    }
}

/// Nobody asks for less, and it takes half the room.
fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.micros().div_euclid(1_000_000) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn place(number: usize) -> PlaceName {
        PlaceName::parse(&format!("organizations/acme/stores/{number}")).expect("sound")
    }

    #[test]
    fn coming_in_again_soon_is_no_second_visit() {
        let mut visits = Visits::default();
        for (minutes, count) in [(0, 1), (30, 1), (31, 2), (-29, 2), (-31, 3)] {
            visits.note(&place(1), at(10 * HOUR + minutes * 60), at(20 * HOUR));
            assert_eq!(visits.at(&place(1)).len(), count, "{minutes}");
        }
        visits.note(&place(1), at(0), at(91 * 24 * HOUR));
        assert_eq!(visits.at(&place(1)).len(), 3, "what began too long ago is not noted");
        visits.note(&place(2), at(91 * 24 * HOUR), at(91 * 24 * HOUR));
        assert_eq!((visits.at(&place(1)).len(), visits.iter().count()), (0, 1), "and what is too old goes");
    }

    proptest! {
        #[test]
        fn the_newest_are_kept(entries in prop::collection::vec((0..90_usize, 0..80_i64 * 24), 0..600)) {
            let now = at(80 * 24 * HOUR);
            let mut visits = Visits::default();
            for &(number, hour) in &entries {
                visits.note(&place(number), at(hour * HOUR), now);
            }
            let count: usize = visits.iter().map(|known| known.begun.len()).sum();
            prop_assert!(visits.iter().count() <= MAX_PLACES && count <= MAX_VISITS);
            prop_assert!(visits.iter().is_sorted_by(|a, b| a.place < b.place));
            for known in visits.iter() {
                prop_assert!(known.begun.is_sorted() && !known.begun.is_empty());
                let is_there = |begun: &Timestamp| entries.iter().any(|&(number, hour)| (place(number), at(hour * HOUR)) == (known.place.clone(), *begun));
                prop_assert!(known.begun.iter().all(is_there));
            }
            if let Some(&(number, hour)) = entries.iter().max_by_key(|(_, hour)| *hour) {
                prop_assert!(visits.at(&place(number)).contains(&at(hour * HOUR)), "the newest of all is there");
            }
            prop_assert_eq!(&Visits::new(visits.iter().cloned().collect()), &visits);
        }
    }
}
