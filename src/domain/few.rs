//! A map of a few entries, sorted in one piece of memory.
//!
//! Law: a person has a handful of devices, and every ping copies them; a tree keeps room for eleven in each of its nodes.

use std::{fmt, ops::Index};

/// Values by their keys, in the order of the keys.
#[derive(Clone, PartialEq)]
pub struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Few<K, V> {
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().map(|at| &self.0[at].1)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place(key).ok().map(|at| &mut self.0[at].1)
    }

    /// Puts the value in the place of the one before.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.place(key).ok().map(|at| self.0.remove(at).1)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

/// Of equal keys the last one counts.
impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut few = Self::default();
        entries.into_iter().for_each(|(key, value)| few.insert(key, value));
        few
    }
}

impl<K: Ord, V> Index<&K> for Few<K, V> {
    type Output = V;

    /// Panics if the key is missing, as those of the standard library do.
    #[expect(clippy::expect_used, reason = "what Index promises")]
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("no such key")
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Few<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_map(steps in prop::collection::vec((any::<bool>(), 0..9u8, any::<u8>()), 0..40)) {
            let (mut ours, mut oracle) = (Few::default(), BTreeMap::new());
            for (stays, key, value) in steps {
                if stays {
                    ours.insert(key, value);
                    oracle.insert(key, value);
                } else {
                    prop_assert_eq!(ours.remove(&key), oracle.remove(&key));
                }
                prop_assert!(ours.iter().eq(oracle.iter()) && ours.len() == oracle.len());
                prop_assert_eq!(ours.get(&key).copied(), oracle.get(&key).copied());
                prop_assert_eq!(ours.get_mut(&key), oracle.get_mut(&key));
            }
        }
    }
}
