//! A map that holds so many entries and no more: the oldest goes first.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// What was put in last.
#[derive(Debug)]
pub struct Latest<K, V> {
    known: HashMap<K, (u64, V)>,
    /// Keys by when they were put in.
    order: BTreeMap<u64, K>,
    next: u64,
    most: usize,
}

impl<K: Clone + Eq + Hash, V> Latest<K, V> {
    /// Nothing yet, and never more than `most`.
    pub fn new(most: usize) -> Self {
        Self {
            known: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            most,
        }
    }

    /// Puts one in; what was there under the key is replaced, and does not grow younger.
    pub fn put(&mut self, key: K, value: V) {
        if let Some((_, known)) = self.known.get_mut(&key) {
            *known = value;
            return;
        }
        self.known.insert(key.clone(), (self.next, value));
        self.order.insert(self.next, key);
        self.next += 1;
        if self.order.len() > self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
        }
    }

    /// What is there under a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.known.get(key).map(|(_, value)| value)
    }

    /// Takes one out; whether it was there.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let removed = self.known.remove(key);
        if let Some((at, _)) = &removed {
            self.order.remove(at);
        }
        removed.is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let keys = self.order.values();
        keys.filter_map(|key| self.get(key).map(|value| (key, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::Latest;

    fn keys(latest: &Latest<u8, char>) -> Vec<u8> {
        latest.iter().map(|(key, _)| *key).collect()
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut latest = Latest::new(3);
        for (key, value) in [(1, 'a'), (2, 'b'), (2, 'c'), (3, 'd'), (4, 'e')] {
            latest.put(key, value);
        }
        assert_eq!(keys(&latest), [2, 3, 4]);
        assert_eq!((latest.get(&2), latest.get(&1)), (Some(&'c'), None));
        assert_eq!(latest.len(), 3);
    }

    #[test]
    fn what_is_taken_out_makes_room_and_comes_back_as_the_youngest() {
        let mut latest = Latest::new(3);
        for key in [1, 2, 3] {
            latest.put(key, 'a');
        }
        assert!(latest.remove(&1));
        assert!(!latest.remove(&1));
        latest.put(1, 'b');
        assert_eq!(keys(&latest), [2, 3, 1]);
        latest.put(4, 'a');
        assert_eq!(keys(&latest), [3, 1, 4]);
        for key in [3, 1, 4] {
            assert!(latest.remove(&key));
        }
        assert!(latest.is_empty());
    }
}
