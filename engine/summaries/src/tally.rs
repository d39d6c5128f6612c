//! How often each of a few values occurs: exact while there are no more than the capacity, then it says so.
//!
//! Open addressing over order keys ([`crate::order_key`]), multiplicative hashing (Knuth, The Art of Computer
//! Programming 3, 6.4), linear probing at a load of at most a half. A state is a function of the values and their counts
//! alone. What comes in ascending order ([`Tally::extend_ascending`]) is kept so, until a value comes by itself: joining
//! is then one pass. Memory: 32 bytes a value at most, grown with need, 16 in ascending order; some 2 ns a value.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How many values are counted, unless told otherwise.
pub const TALLY_CAPACITY: usize = 2048;
const SMALLEST_SLOTS: usize = 16;

/// Counts by key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Tally {
    /// Key and count; a count of zero is a free slot.
    slots: Vec<(i64, u64)>,
    /// Instead of slots: key and count, ascending.
    ascending: Vec<(i64, u64)>,
    held: usize,
}

#[derive(Serialize, Deserialize)]
struct Stored(Vec<(i64, u64)>);

/// Why a serialised [`Tally`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TallyError {
    /// Keys not in ascending order, too many or without a count.
    #[error("the stored counts are not in ascending order, too many or zero")]
    CountsMalformed,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Tally {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Tally {
    /// Nothing counted.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: Vec::new(), ascending: Vec::new(), held: 0 }
    }

    /// Counts a value, or leaves everything as it is and answers `false` where it would be one too many.
    #[inline]
    #[must_use]
    pub fn add(&mut self, key: i64, count: u64) -> bool {
        if self.held * 2 >= self.slots.len() && !self.grow() {
            // Full: what is known still counts.
            return self.add_known(key, count);
        }
        let index = self.find(key);
        let slot = &mut self.slots[index];
        if slot.1 == 0 {
            if count == 0 {
                return true;
            }
            slot.0 = key;
            self.held += 1;
        }
        slot.1 += count;
        true
    }

    /// Counts what another has counted, or leaves everything as it is and answers `false` where that would be too many
    /// values.
    #[must_use]
    pub fn merge(&mut self, later: &Self) -> bool {
        if self.slots.is_empty() {
            return if later.slots.is_empty() {
                self.extend_ascending(&later.ascending)
            } else {
                self.extend_ascending(&later.sorted())
            };
        }
        if !later.ascending.is_empty() {
            return self.extend_ascending(&later.ascending);
        }
        if self.held + later.held > TALLY_CAPACITY {
            let is_new = |slot: &&(i64, u64)| slot.1 != 0 && !self.holds(slot.0);
            if self.held + later.slots.iter().filter(is_new).count() > TALLY_CAPACITY {
                return false;
            }
        }
        later.slots.iter().filter(|slot| slot.1 != 0).all(|(key, count)| self.add(*key, *count))
    }

    /// Counts values with their counts, none of them zero, that come in ascending order; or leaves everything as it is and
    /// answers `false` where that would be too many values.
    #[must_use]
    pub fn extend_ascending(&mut self, pairs: &[(i64, u64)]) -> bool {
        debug_assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0), "the caller sorts");
        if pairs.is_empty() {
            return true;
        }
        if !self.slots.is_empty() {
            let is_new = |pair: &&(i64, u64)| !self.holds(pair.0);
            let fits = self.held + pairs.len() <= TALLY_CAPACITY
                || self.held + pairs.iter().filter(is_new).count() <= TALLY_CAPACITY;
            return fits && pairs.iter().all(|(key, count)| self.add(*key, *count));
        }
        if self.ascending.len().max(pairs.len()) > TALLY_CAPACITY {
            return false;
        }
        let joined = if self.ascending.is_empty() { pairs.to_vec() } else { joined(&self.ascending, pairs) };
        let fits = joined.len() <= TALLY_CAPACITY;
        if fits {
            self.held = joined.len();
            self.ascending = joined;
        }
        fits
    }

    fn holds(&self, key: i64) -> bool {
        !self.slots.is_empty() && self.slots[self.find(key)].1 != 0
    }

    /// How many different values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The values with their counts, ascending.
    #[must_use]
    pub fn sorted(&self) -> Vec<(i64, u64)> {
        if !self.ascending.is_empty() {
            return self.ascending.clone();
        }
        let mut entries: Vec<_> = self.slots.iter().filter(|slot| slot.1 != 0).copied().collect();
        entries.sort_unstable();
        entries
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + (self.slots.capacity() + self.ascending.capacity()) * size_of::<(i64, u64)>()
    }

    /// The slot of a key, or the free one where it belongs. There is always a free one.
    #[inline]
    fn find(&self, key: i64) -> usize {
        let mask = self.slots.len() - 1;
        // The upper bits of the product are the well mixed ones.
        let mut index = (key.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & mask;
        while self.slots[index].1 != 0 && self.slots[index].0 != key {
            index = (index + 1) & mask;
        }
        index
    }

    fn add_known(&mut self, key: i64, count: u64) -> bool {
        let index = self.find(key);
        let slot = &mut self.slots[index];
        if slot.1 == 0 {
            return count == 0;
        }
        slot.1 += count;
        true
    }

    #[cold]
    fn grow(&mut self) -> bool {
        if !self.ascending.is_empty() {
            let entries = core::mem::take(&mut self.ascending);
            let size = (entries.len() * 2 + 1).next_power_of_two().clamp(SMALLEST_SLOTS, 2 * TALLY_CAPACITY);
            self.slots = vec![(0, 0); size];
            self.place(entries);
            if self.held * 2 < size {
                return true;
            }
        }
        if self.held >= TALLY_CAPACITY {
            return false;
        }
        let size = (self.slots.len() * 2).max(SMALLEST_SLOTS);
        let old = core::mem::replace(&mut self.slots, vec![(0, 0); size]);
        self.place(old);
        true
    }

    fn place(&mut self, entries: Vec<(i64, u64)>) {
        for (key, count) in entries.into_iter().filter(|slot| slot.1 != 0) {
            let index = self.find(key);
            self.slots[index] = (key, count);
        }
    }
}

/// Both in one, ascending; exactly as large as it needs to be.
fn joined(mine: &[(i64, u64)], theirs: &[(i64, u64)]) -> Vec<(i64, u64)> {
    let mut joined = Vec::with_capacity(mine.len() + theirs.len());
    let (mut i, mut j) = (0, 0);
    while let (Some(left), Some(right)) = (mine.get(i), theirs.get(j)) {
        // Choices, not branches, which would be guessed wrongly every other time.
        let (has_left, has_right) = (left.0 <= right.0, right.0 <= left.0);
        let count = if has_left { left.1 } else { 0 } + if has_right { right.1 } else { 0 };
        joined.push((left.0.min(right.0), count));
        i += usize::from(has_left);
        j += usize::from(has_right);
    }
    joined.extend_from_slice(&mine[i..]);
    joined.extend_from_slice(&theirs[j..]);
    joined.shrink_to_fit();
    joined
}

impl From<Tally> for Stored {
    fn from(tally: Tally) -> Self {
        Self(tally.sorted())
    }
}

impl TryFrom<Stored> for Tally {
    type Error = TallyError;

    fn try_from(Stored(entries): Stored) -> Result<Self, TallyError> {
        let is_ascending = entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !is_ascending || entries.len() > TALLY_CAPACITY || entries.iter().any(|(_, count)| *count == 0) {
            return Err(TallyError::CountsMalformed);
        }
        let mut tally = Self::new();
        if entries.into_iter().all(|(key, count)| tally.add(key, count)) {
            return Ok(tally);
        }
        Err(TallyError::CountsMalformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn counts_are_those_of_a_map(values in prop::collection::vec((-40..40_i64, 0..5_u64), 0..400), shift in 0..50_u32) {
            let mut truth = BTreeMap::new();
            let mut tally = Tally::new();
            for (value, count) in values {
                prop_assert!(tally.add(value << shift, count));
                if count > 0 {
                    *truth.entry(value << shift).or_insert(0) += count;
                }
            }
            prop_assert_eq!(tally.len(), truth.len());
            prop_assert_eq!(tally.sorted(), truth.into_iter().collect::<Vec<_>>());
            let bytes = postcard::to_stdvec(&tally).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Tally>(&bytes).unwrap(), tally);
        }
    }

    proptest! {
        #[test]
        fn ascending_counts_are_counts(
            parts in prop::collection::vec(prop::collection::btree_map(0..3000_i64, 1..5_u64, 0..60), 0..8),
            singles in prop::collection::vec(0..3000_i64, 0..4), wide in any::<bool>(),
        ) {
            let all: Vec<(i64, u64)> = (0..TALLY_CAPACITY as u64 - 90).map(|key| (key.cast_signed(), 1)).collect();
            let (mut by_one, mut together, mut merged) = (Tally::new(), Tally::new(), Tally::new());
            if wide {
                prop_assert!(all.iter().all(|(key, count)| by_one.add(*key, *count)));
                prop_assert!(together.extend_ascending(&all) && merged.extend_ascending(&all));
            }
            for (number, part) in parts.iter().enumerate() {
                let pairs: Vec<(i64, u64)> = part.iter().map(|(key, count)| (*key, *count)).collect();
                let before = by_one.sorted();
                let fits = pairs.iter().filter(|(key, _)| !before.iter().any(|held| held.0 == *key)).count()
                    + before.len() <= TALLY_CAPACITY;
                prop_assert_eq!(together.extend_ascending(&pairs), fits);
                let mut part = Tally::new();
                let is_in = number % 2 == 0 && part.extend_ascending(&pairs);
                prop_assert!(is_in || pairs.iter().all(|(key, count)| part.add(*key, *count)));
                prop_assert_eq!(merged.merge(&part), fits);
                if fits {
                    prop_assert!(pairs.iter().all(|(key, count)| by_one.add(*key, *count)));
                }
                prop_assert_eq!(&together, &by_one);
                prop_assert_eq!(&merged, &by_one);
                if let Some(key) = singles.get(number) {
                    let fits = by_one.add(*key, 1);
                    prop_assert_eq!(together.add(*key, 1), fits);
                    prop_assert_eq!(merged.add(*key, 1), fits);
                }
            }
            prop_assert_eq!((together.len(), together.sorted()), (by_one.len(), by_one.sorted()));
        }
    }

    #[test]
    fn one_too_many_is_refused_and_nothing_lost() {
        let mut tally = Tally::new();
        assert!((0..TALLY_CAPACITY as u64).all(|key| tally.add(key.cast_signed() * 1024, 1)));
        assert!(!tally.add(-1, 1));
        assert!(tally.add(1024, 4));
        assert_eq!((tally.len(), tally.sorted()[1]), (TALLY_CAPACITY, (1024, 5)));
        assert!(tally.size_bytes() < 70_000);
        let mut other = Tally::new();
        assert!(other.add(2048, 2) && other.merge(&tally) && !Tally::new().holds(0));
        assert_eq!((other.len(), other.sorted()[2]), (TALLY_CAPACITY, (2048, 3)));
        assert!(tally.merge(&other));
        assert_eq!((tally.len(), tally.sorted()[2]), (TALLY_CAPACITY, (2048, 4)));
        let mut foreign = Tally::new();
        assert!(foreign.add(-1, 1) && !tally.merge(&foreign) && tally.sorted()[2] == (2048, 4));
        let foreign = Stored(vec![(2, 1), (1, 1)]);
        assert_eq!(Tally::try_from(foreign), Err(TallyError::CountsMalformed));
    }
}
