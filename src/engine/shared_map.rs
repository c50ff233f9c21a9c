//! Sorted maps of which the next version shares almost everything with the one before.
//!
//! Law: a copy costs nothing, and a change copies one chunk and the list of chunks, however large the map is; a reader
//! never sees a map change. Two levels are enough: a million entries are 2,000 chunks, whose list is copied in the time
//! that two of them are. (The libraries of such maps copy less, and take twenty times as long to be filled.)

use std::{
    cmp::Ordering,
    fmt,
    ops::{Bound, Index},
    sync::Arc,
};

/// Entries of a full chunk.
const CHUNK: usize = 512;
/// More than this share of new entries, and all chunks are made anew: that is faster than putting in one by one.
const REBUILT_SHARE: usize = 8;

/// Values by their keys, in the order of the keys.
#[derive(Clone)]
pub struct SharedMap<K, V> {
    /// Each with its first key; none is empty.
    chunks: Arc<Vec<(K, Chunk<K, V>)>>,
    len: usize,
}

type Chunk<K, V> = Arc<Vec<(K, V)>>;

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(|other| other.cmp(key))
    }

    /// The value of the key that this says to be equal; it says of the others whether they are less or greater.
    pub fn find(&self, compare: impl Fn(&K) -> Ordering) -> Option<&V> {
        let at = self.chunks.partition_point(|(first, _)| compare(first).is_le()).saturating_sub(1);
        let (_, chunk) = self.chunks.get(at)?;
        let at = chunk.binary_search_by(|(key, _)| compare(key)).ok()?;
        Some(&chunk[at].1)
    }

    /// As [`Self::find`], where keys can be measured, rise with their measure, and are spread evenly by it: the search begins
    /// where the key should be, which spares most of the looks into a memory that is not at hand.
    pub fn find_measured(
        &self,
        measure: impl Fn(&K) -> u32,
        wanted: u32,
        compare: impl Fn(&K) -> Ordering,
    ) -> Option<&V> {
        let first = |at: usize| self.chunks.get(at).map(|(first, _)| first);
        let is_behind = |at: usize| first(at).is_some_and(|key| compare(key).is_le());
        let guess = guessed(wanted, (0, u32::MAX), self.chunks.len());
        let at = boundary(guess, self.chunks.len(), is_behind).saturating_sub(1);
        let (from, chunk) = self.chunks.get(at)?;
        let until = first(at + 1).map_or(u32::MAX, &measure);
        let guess = guessed(wanted, (measure(from), until), chunk.len());
        let at = boundary(guess, chunk.len(), |at| chunk.get(at).is_some_and(|(key, _)| compare(key).is_lt()));
        chunk.get(at).filter(|(key, _)| compare(key).is_eq()).map(|(_, value)| value)
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|(_, chunk)| chunk.iter()).map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// From a key on.
    pub fn from<'a>(&'a self, from: Bound<&K>) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        let (chunk, entry) = match from {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => self.first_behind(|other| other < key),
            Bound::Excluded(key) => self.first_behind(|other| other <= key),
        };
        self.entries((chunk, entry))
    }

    /// From the first key on of which this does not say that it comes before.
    pub fn behind(&self, is_before: impl Fn(&K) -> bool) -> impl Iterator<Item = (&K, &V)> {
        self.entries(self.first_behind(is_before))
    }

    fn entries<'a>(&'a self, (chunk, entry): (usize, usize)) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        let entries = self.chunks[chunk.min(self.chunks.len())..].iter().flat_map(|(_, chunk)| chunk.iter());
        entries.skip(entry).map(|(key, value)| (key, value))
    }

    /// The chunk that has the first of those keys, if any has, and its entry there, which may be just past the last.
    fn first_behind(&self, is_before: impl Fn(&K) -> bool) -> (usize, usize) {
        let chunk = self.chunks.partition_point(|(first, _)| is_before(first)).saturating_sub(1);
        let entries = self.chunks.get(chunk).map_or(&[][..], |(_, entries)| entries);
        (chunk, entries.partition_point(|(key, _)| is_before(key)))
    }

    /// The last chunk that begins with the key or before it, else the first.
    fn chunk_of(&self, key: &K) -> usize {
        self.chunks.partition_point(|(first, _)| first <= key).saturating_sub(1)
    }

    /// Puts the value in the place of the one before.
    pub fn insert(&mut self, key: K, value: V) {
        let at = self.chunk_of(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some((first, chunk)) = chunks.get_mut(at) else {
            chunks.push((key.clone(), Arc::new(vec![(key, value)])));
            self.len = 1;
            return;
        };
        let entries = Arc::make_mut(chunk);
        match entries.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(known) => entries[known].1 = value,
            Err(place) => {
                entries.insert(place, (key, value));
                self.len += 1;
            }
        }
        first.clone_from(&entries[0].0);
        if entries.len() > 2 * CHUNK {
            let right = entries.split_off(CHUNK);
            chunks.insert(at + 1, (right[0].0.clone(), Arc::new(right)));
        }
    }

    pub fn remove(&mut self, key: &K) {
        if !self.contains_key(key) {
            return;
        }
        let at = self.chunk_of(key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let (first, chunk) = &mut chunks[at];
        let entries = Arc::make_mut(chunk);
        entries.retain(|(other, _)| other != key);
        self.len -= 1;
        match entries.first() {
            Some((key, _)) => first.clone_from(key),
            None => drop(chunks.remove(at)),
        }
    }

    /// Puts many values at once; of equal keys the last one wins.
    pub fn extend(&mut self, added: impl IntoIterator<Item = (K, V)>) {
        let mut added: Vec<(K, V)> = added.into_iter().collect();
        if added.len() * REBUILT_SHARE <= self.len {
            return added.into_iter().for_each(|(key, value)| self.insert(key, value));
        }
        if !self.is_empty() {
            let known = self.iter().map(|(key, value)| (key.clone(), value.clone()));
            added = known.chain(added).collect();
        }
        // Stable, and fast for what is sorted in parts.
        added.sort_by(|(a, _), (b, _)| a.cmp(b));
        added.reverse();
        added.dedup_by(|(a, _), (b, _)| a == b);
        added.reverse();
        self.len = added.len();
        let mut chunks = Vec::with_capacity(added.len().div_ceil(CHUNK));
        let mut left = added.into_iter();
        loop {
            let chunk: Vec<(K, V)> = left.by_ref().take(CHUNK).collect();
            let Some((first, _)) = chunk.first() else { break };
            chunks.push((first.clone(), Arc::new(chunk)));
        }
        self.chunks = Arc::new(chunks);
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<K: Ord + Clone, V: Clone> Index<&K> for SharedMap<K, V> {
    type Output = V;

    /// Panics if the key is missing, as those of the standard library do.
    #[expect(clippy::expect_used, reason = "what Index promises")]
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("no such key")
    }
}

impl<K: Ord + Clone + fmt::Debug, V: Clone + fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Where among so many, spread evenly over a range, one of that measure should be.
fn guessed(wanted: u32, (from, until): (u32, u32), count: usize) -> usize {
    let (off, span) = (u64::from(wanted.saturating_sub(from)), u64::from(until.saturating_sub(from)).max(1));
    (off * count as u64 / span) as usize
}

/// The first of `0..count` that is not `behind`, as all after it are not; looked for from a guess outwards.
fn boundary(guess: usize, count: usize, behind: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high, mut step) = (guess.min(count), guess.min(count), 1);
    while low > 0 && !behind(low - 1) {
        high = low - 1;
        low = low.saturating_sub(step);
        step *= 2;
    }
    while high < count && behind(high) {
        low = high + 1;
        high = (high + step).min(count);
        step *= 2;
    }
    while low < high {
        let middle = usize::midpoint(low, high);
        if behind(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u16, u8),
        Remove(u16),
        Extend(Vec<(u16, u8)>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..4_000u16, any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
            4 => (0..4_000u16).prop_map(Step::Remove),
            1 => prop::collection::vec((0..4_000u16, any::<u8>()), 0..3_000).prop_map(Step::Extend),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn it_is_a_sorted_map_that_never_changes_under_a_reader(steps in steps(), from in 0..4_000u16) {
            let (mut ours, mut oracle) = (SharedMap::default(), BTreeMap::new());
            for step in steps {
                let (reader, known) = (ours.clone(), oracle.clone());
                match step {
                    Step::Insert(key, value) => {
                        ours.insert(key, value);
                        oracle.insert(key, value);
                    }
                    Step::Remove(key) => {
                        ours.remove(&key);
                        oracle.remove(&key);
                    }
                    Step::Extend(entries) => {
                        ours.extend(entries.clone());
                        oracle.extend(entries);
                    }
                }
                prop_assert!(reader.iter().eq(known.iter()));
                prop_assert!(ours.iter().eq(oracle.iter()) && ours.len() == oracle.len());
                prop_assert_eq!(ours.get(&from), oracle.get(&from));
                for spread in [1, 1_000_000] {
                    let measured = ours.find_measured(|key| u32::from(*key) * spread, u32::from(from) * spread, |key| key.cmp(&from));
                    prop_assert_eq!(measured, oracle.get(&from));
                }
                for bound in [Bound::Included(&from), Bound::Excluded(&from), Bound::Unbounded] {
                    prop_assert!(ours.from(bound).eq(oracle.range((bound, Bound::Unbounded))));
                }
            }
        }
    }
}
