//! Sorted maps of which the next version shares almost everything with the one before.
//!
//! Law: a copy costs nothing, and a change costs one chunk and its path, however large the map is; a reader never
//! sees a map change.

use std::ops::{Bound, Index};

use immutable_chunkmap::map::Map;

/// Entries of one chunk: large enough to be dense in memory, small enough to be copied in some microseconds.
const CHUNK: usize = 128;

/// Values by their keys, in the order of the keys.
#[derive(Clone)]
pub struct SharedMap<K: Ord + Clone, V: Clone>(Map<K, V, CHUNK>);

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.0.get(key).is_some()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        (&self.0).into_iter()
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// From a key on.
    pub fn from(&self, from: Bound<K>) -> impl Iterator<Item = (&K, &V)> {
        self.0.range::<K, _>((from, Bound::Unbounded))
    }

    /// Puts the value in the place of the one before, which is returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert_cow(key, value)
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove_cow(key)
    }

    /// Puts many values at once, which is faster than one by one.
    pub fn insert_many(&mut self, entries: impl IntoIterator<Item = (K, V)>) {
        self.0 = self.0.insert_many(entries);
    }
}

impl<K: Ord + Clone, V: Clone> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self(Map::new())
    }
}

impl<K: Ord + Clone, V: Clone> Index<&K> for SharedMap<K, V> {
    type Output = V;

    /// Panics if the key is missing, as those of the standard library do.
    fn index(&self, key: &K) -> &V {
        &self.0[key]
    }
}

impl<K: Ord + Clone + std::fmt::Debug, V: Clone + std::fmt::Debug> std::fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
