//! Whether keys repeat: the rows of those keys whose hash is least.
//!
//! The 1,024 least hashes of all keys are a sample of the keys, the same for any order of the rows (K. Beyer and others,
//! "On synopses for distinct-value estimation under multiset operations", SIGMOD 2007); all their rows are counted, since
//! a hash that is let go never comes back. Below that many keys the figures are exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const KEYS: usize = 1_024;

/// The rows of some keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeySample {
    rows: BTreeMap<u64, u64>,
}

impl KeySample {
    pub(crate) fn add(&mut self, hash: u64, rows: u64) {
        if self.rows.len() >= KEYS && self.rows.last_key_value().is_some_and(|(greatest, _)| hash > *greatest)
        {
            return;
        }
        *self.rows.entry(hash).or_default() += rows;
        if self.rows.len() > KEYS {
            self.rows.pop_last();
        }
    }

    pub(crate) fn merge(&mut self, later: Self) {
        for (hash, rows) in later.rows {
            self.add(hash, rows);
        }
    }

    /// Rows per key, on average over the keys; none without rows.
    pub(crate) fn rows_per_key(&self) -> Option<f64> {
        let rows: u64 = self.rows.values().sum();
        (!self.rows.is_empty()).then(|| rows as f64 / self.rows.len() as f64)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        // Nodes of the tree are at least half full.
        self.rows.len() * 2 * size_of::<(u64, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    fn sample(hashes: impl Iterator<Item = u64>) -> KeySample {
        let mut sample = KeySample::default();
        hashes.for_each(|hash| sample.add(hash, 1));
        sample
    }

    #[test]
    fn rows_per_key_are_those_of_the_keys_that_are_held() {
        assert_eq!(KeySample::default().rows_per_key(), None);
        let few = sample([5, 9, 5, 5].into_iter());
        assert_relative(few.rows_per_key().unwrap(), 2.0, 0.0);
        // Each key three times, in three passes.
        let pass = |_| (0..10_000_u64).map(|key| key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let many = sample((0..3).flat_map(pass));
        assert_relative(many.rows_per_key().unwrap(), 3.0, 0.0);
        assert_eq!(many.rows.len(), KEYS);
    }

    #[test]
    fn pieces_join_to_the_whole() {
        let hashes: Vec<u64> =
            (0..9_000_u64).map(|row| (row % 4_000).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let whole = sample(hashes.iter().copied());
        for cut in [0, 1, 1_500, 4_100, 9_000] {
            let mut joined = sample(hashes[..cut].iter().copied());
            joined.merge(sample(hashes[cut..].iter().copied()));
            assert_eq!(joined, whole);
        }
    }
}
