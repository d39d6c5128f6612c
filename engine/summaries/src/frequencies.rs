//! How often each value of a text column occurs; exact for few distinct values, with a hard bound for many.
//!
//! Counts are kept for up to twice `capacity` values. When more come, the (capacity + 1)-th largest count is
//! taken from all and what is not positive is dropped: Misra & Gries, "Finding repeated elements" (1982), in
//! the mergeable form of Agarwal et al., "Mergeable summaries" (2012), section 2, theorem 1, waiting for
//! twice the capacity so that a reduction is paid for by as many insertions. A count held is never too high
//! and too low by at most [`Frequencies::undercount_rows`], itself at most rows / (capacity + 1) + states; what is not
//! held occurred no more often.
//!
//! Up to `capacity` distinct values the state is exact and the same for any layout. Beyond, it depends on the
//! sequence of updates and merges, never on a hash order. After the first reduction of a state a value that is not
//! held is only marked when it comes for the first time, in some 256 bits per value of the capacity by its hash, and
//! let in the second time (a Bloom filter of one hash as doorkeeper; Einziger, Friedman & Manes, "`TinyLFU`", 2017,
//! section 3.4.2), which costs each value one count at most: the bound grows by one for each state that did. So
//! identifiers cost no allocation. The caller leaves out null; the empty string is a value. A value of more than
//! 1,024 bytes is kept as its beginning (cut at a character) and the hash of the whole, so that different ones stay
//! different. Memory: at most 2 x capacity values of some 50 to 1,100 bytes, and 256 KiB for the marks while a split
//! with more than that is read. Some 10 ns a value with its hash.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use thiserror::Error;

use crate::distinct::hash_bytes;

/// Distinct values up to which counts are exact, unless told otherwise.
pub const FREQUENCIES_CAPACITY: usize = 8192;
/// Bytes of a value that are kept; the mark of a cut one makes it longer than that, so it never equals a whole value.
pub const KEPT_VALUE_BYTES: usize = 1024;

/// Words of 64 marks for values that came once, for each value of the capacity: 2^21 marks for 8,192.
const DOOR_WORDS: usize = 4;

/// Counts by value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Frequencies {
    capacity: usize,
    count: u64,
    undercount: u64,
    held_bytes: usize,
    counts: HashTable<Held>,
    /// After the first reduction; never travels.
    door: Option<Vec<u64>>,
}

#[derive(Clone, Debug)]
struct Held {
    hash: u64,
    /// Perhaps shared with the counts of other rows.
    value: Arc<str>,
    count: u64,
}

/// Equal counts; the marks at the door are no part of them.
impl PartialEq for Frequencies {
    fn eq(&self, other: &Self) -> bool {
        (self.capacity, self.count, self.undercount) == (other.capacity, other.count, other.undercount)
            && self.by_value() == other.by_value()
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    capacity: u64,
    count: u64,
    undercount: u64,
    /// By value, ascending.
    counts: Vec<(Box<str>, u64)>,
}

/// Why a serialised [`Frequencies`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrequenciesError {
    /// Values not in ascending order, too many or with counts of zero.
    #[error("the stored values are not in ascending order, too many or without a count")]
    ValuesMalformed,
    /// Counts past the number of rows.
    #[error("the stored counts add up to more than the rows")]
    CountsMalformed,
}

impl Default for Frequencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Frequencies {
    /// No values, with the default capacity.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(FREQUENCIES_CAPACITY)
    }

    /// No values; exact up to `capacity` (at least 1) distinct ones.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let counts = HashTable::new();
        Self { capacity: capacity.max(1), count: 0, undercount: 0, held_bytes: 0, counts, door: None }
    }

    /// Takes in one value.
    #[inline]
    pub fn update(&mut self, value: &str) {
        self.update_counted(value, 1);
    }

    /// Takes in one value as often as `count` says.
    #[inline]
    pub fn update_counted(&mut self, value: &str, count: u64) {
        self.update_hashed(value, hash_bytes(value.as_bytes()), count);
    }

    /// The same for a caller that knows [`hash_bytes`] of the value already. Answers whether the value was held.
    #[inline]
    pub fn update_hashed(&mut self, value: &str, hash: u64, count: u64) -> bool {
        self.take_in(value, hash, count, || Arc::from(value))
    }

    /// The same of a value that several counts hold together.
    #[inline]
    pub fn update_shared(&mut self, value: &Arc<str>, hash: u64, count: u64) -> bool {
        self.take_in(value, hash, count, || Arc::clone(value))
    }

    #[inline]
    fn take_in(&mut self, value: &str, hash: u64, count: u64, owned: impl FnOnce() -> Arc<str>) -> bool {
        if count == 0 {
            return true;
        }
        self.count += count;
        let was_held = match shortened(value, hash) {
            Cow::Borrowed(value) => self.add(value, hash, count, owned),
            Cow::Owned(kept) => self.add(&kept, hash_bytes(kept.as_bytes()), count, || Arc::from(&*kept)),
        };
        if !was_held && self.counts.len() > 2 * self.capacity {
            self.reduce();
            if self.door.is_none() {
                self.door = Some(vec![0; (self.capacity * DOOR_WORDS).next_power_of_two()]);
                self.undercount += 1;
            }
        }
        was_held
    }

    /// Takes in later counts; the smaller capacity remains.
    pub fn merge(&mut self, later: Self) {
        self.capacity = self.capacity.min(later.capacity);
        self.count += later.count;
        self.undercount += later.undercount;
        self.door = None;
        // Additions commute, and the reduction looks at counts only: the order of the table does not show.
        for held in later.counts {
            match self.counts.find_mut(held.hash, |mine| mine.hash == held.hash && mine.value == held.value) {
                Some(mine) => mine.count += held.count,
                None => {
                    self.held_bytes += held.value.len();
                    self.counts.insert_unique(held.hash, held, |held| held.hash);
                }
            }
        }
        // What is no longer exact need not wait for twice the capacity: states that wait for others to be merged
        // with, of which there are more the more rows there are, hold half as much, and mostly next to nothing.
        let most = if self.undercount > 0 { self.capacity } else { 2 * self.capacity };
        if self.counts.len() > most {
            self.reduce();
            self.counts.shrink_to_fit(|held| held.hash);
        }
    }

    /// How many rows were taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// By how much any count can be too low; counts are never too high.
    #[must_use]
    pub fn undercount_rows(&self) -> u64 {
        self.undercount
    }

    /// Whether there were at most as many distinct values as the capacity, so that all counts are exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.undercount == 0 && self.counts.len() <= self.capacity
    }

    /// How many distinct values there are, if known exactly.
    #[must_use]
    pub fn distinct_if_exact(&self) -> Option<u64> {
        self.is_exact().then_some(self.counts.len() as u64)
    }

    /// The count held for a value: too low by at most [`Frequencies::undercount_rows`], zero if not held.
    #[must_use]
    pub fn count_of(&self, value: &str) -> u64 {
        let kept = shortened(value, hash_bytes(value.as_bytes()));
        let held = self.counts.find(hash_bytes(kept.as_bytes()), |held| *held.value == *kept);
        held.map_or(0, |held| held.count)
    }

    /// The `k` values with the largest counts held, by count descending, then by value descending.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<(String, u64)> {
        let mut all: Vec<(&str, u64)> = self.counts.iter().map(|held| (&*held.value, held.count)).collect();
        let order = |a: &(&str, u64), b: &(&str, u64)| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0));
        if k < all.len() {
            all.select_nth_unstable_by(k, order);
            all.truncate(k);
        }
        all.sort_unstable_by(order);
        all.into_iter().map(|(value, count)| (value.to_owned(), count)).collect()
    }

    /// All values held with their counts, by value ascending.
    #[must_use]
    pub fn by_value(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.counts.iter().map(|held| (&*held.value, held.count)).collect();
        all.sort_unstable();
        all
    }

    /// Memory held, in bytes; as if no value were shared.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let door = self.door.as_ref().map_or(0, |door| door.capacity() * size_of::<u64>());
        size_of::<Self>() + self.counts.allocation_size() + self.held_bytes + door
    }

    #[inline]
    fn add(&mut self, value: &str, hash: u64, count: u64, owned: impl FnOnce() -> Arc<str>) -> bool {
        if let Some(held) = self.counts.find_mut(hash, |held| held.hash == hash && *held.value == *value) {
            held.count += count;
            return true;
        }
        if let Some(door) = &mut self.door
            && count == 1
        {
            let (word, bit) = ((hash >> 6) as usize & (door.len() - 1), 1 << (hash % 64));
            if door[word] & bit == 0 {
                door[word] |= bit;
                return false;
            }
        }
        self.insert(owned(), hash, count);
        false
    }

    fn insert(&mut self, value: Arc<str>, hash: u64, count: u64) {
        self.held_bytes += value.len();
        self.counts.insert_unique(hash, Held { hash, value, count }, |held| held.hash);
    }

    #[cold]
    fn reduce(&mut self) {
        let mut counts: Vec<u64> = self.counts.iter().map(|held| held.count).collect();
        let (_, taken, _) = counts.select_nth_unstable_by(self.capacity, |a, b| b.cmp(a));
        let taken = *taken;
        self.undercount += taken;
        let mut held_bytes = 0;
        self.counts.retain(|held| {
            held.count = held.count.saturating_sub(taken);
            held_bytes += if held.count == 0 { 0 } else { held.value.len() };
            held.count != 0
        });
        self.held_bytes = held_bytes;
    }
}

/// The value, or the beginning of a long one with the hash of the whole.
#[inline]
pub(crate) fn shortened(value: &str, hash: u64) -> Cow<'_, str> {
    if value.len() <= KEPT_VALUE_BYTES {
        return Cow::Borrowed(value);
    }
    let beginning = &value[..value.floor_char_boundary(KEPT_VALUE_BYTES)];
    Cow::Owned(format!("{beginning}… xxh3:{hash:016x}"))
}

impl From<Frequencies> for Stored {
    fn from(frequencies: Frequencies) -> Self {
        let mut counts: Vec<(Box<str>, u64)> =
            frequencies.counts.into_iter().map(|held| (Box::from(&*held.value), held.count)).collect();
        counts.sort_unstable();
        let Frequencies { capacity, count, undercount, .. } = frequencies;
        Self { capacity: capacity as u64, count, undercount, counts }
    }
}

impl TryFrom<Stored> for Frequencies {
    type Error = FrequenciesError;

    fn try_from(stored: Stored) -> Result<Self, FrequenciesError> {
        let mut frequencies = Self::with_capacity(usize::try_from(stored.capacity).unwrap_or(usize::MAX));
        let is_ascending = stored.counts.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let is_short = stored.counts.len() / 2 <= frequencies.capacity;
        if !is_ascending || !is_short || stored.counts.iter().any(|(_, count)| *count == 0) {
            return Err(FrequenciesError::ValuesMalformed);
        }
        let sum = stored.counts.iter().try_fold(stored.undercount, |sum, (_, count)| sum.checked_add(*count));
        if sum.is_none_or(|sum| sum > stored.count) {
            return Err(FrequenciesError::CountsMalformed);
        }
        (frequencies.count, frequencies.undercount) = (stored.count, stored.undercount);
        for (value, count) in stored.counts {
            let hash = hash_bytes(value.as_bytes());
            frequencies.insert(Arc::from(value), hash, count);
        }
        Ok(frequencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn of<'a>(values: impl IntoIterator<Item = &'a str>, capacity: usize) -> Frequencies {
        let mut frequencies = Frequencies::with_capacity(capacity);
        values.into_iter().for_each(|value| frequencies.update(value));
        frequencies
    }

    #[test]
    fn counts_by_hand() {
        let mut frequencies = of(["b", "a", "b", "", "c", "a"], 10);
        frequencies.update_counted("c", 3);
        frequencies.update_counted("d", 0);
        let expected = [("c", 4), ("b", 2), ("a", 2)].map(|(value, count)| (value.to_owned(), count));
        assert_eq!(frequencies.top(3), expected);
        assert_eq!((frequencies.distinct_if_exact(), frequencies.count()), (Some(4), 9));
        assert_eq!(frequencies.by_value(), [("", 1), ("a", 2), ("b", 2), ("c", 4)]);
        assert_eq!(Frequencies::new().top(5), []);
    }

    #[test]
    fn long_values_are_cut_but_stay_apart() {
        let long = "é".repeat(10_000);
        let other = format!("{long}!");
        let frequencies = of([long.as_str(), &other, &long], 10);
        assert_eq!((frequencies.count_of(&long), frequencies.count_of(&other)), (2, 1));
        assert!(frequencies.top(2).iter().all(|(value, _)| value.len() < 1100 && value.len() > 1024));
        let edge = "x".repeat(KEPT_VALUE_BYTES);
        assert_eq!(of([edge.as_str()], 10).top(1), [(edge.clone(), 1)]);
        let mut shared = Frequencies::with_capacity(10);
        for value in [&long, &edge, &long] {
            let value = Arc::from(value.as_str());
            shared.update_shared(&value, hash_bytes(value.as_bytes()), 2);
            assert_eq!(Arc::strong_count(&value), if value.len() == KEPT_VALUE_BYTES { 2 } else { 1 });
        }
        assert_eq!(shared, of([long.as_str(), &long, &long, &long, &edge, &edge], 10));
    }

    #[test]
    fn unique_values_take_bounded_memory() {
        let mut frequencies = Frequencies::with_capacity(100);
        for index in 0..20_000 {
            frequencies.update(&format!("id-{index}"));
            frequencies.update("common");
        }
        assert!(!frequencies.is_exact());
        assert!(frequencies.undercount_rows() <= 40_000 / 101, "{}", frequencies.undercount_rows());
        assert_eq!(frequencies.top(1)[0].0, "common");
        assert!(frequencies.size_bytes() < 30_000, "{}", frequencies.size_bytes());
    }

    #[test]
    fn malformed_states_are_refused() {
        let stored = |counts, count| Stored { capacity: 1, count, undercount: 0, counts };
        let unordered = vec![(Box::from("b"), 1), (Box::from("a"), 1)];
        assert_eq!(Frequencies::try_from(stored(unordered, 2)), Err(FrequenciesError::ValuesMalformed));
        let excessive = vec![(Box::from("a"), u64::MAX), (Box::from("b"), 2)];
        assert_eq!(Frequencies::try_from(stored(excessive, 2)), Err(FrequenciesError::CountsMalformed));
    }

    proptest! {
        #[test]
        fn any_layout_keeps_the_bound(
            parts in prop::collection::vec(prop::collection::vec("[a-e]{1,2}", 0..120), 1..6), capacity in 1..40_usize,
        ) {
            let mut truth: BTreeMap<&str, u64> = BTreeMap::new();
            parts.iter().flatten().for_each(|value| *truth.entry(value).or_default() += 1);
            let rows: u64 = truth.values().sum();
            let states = parts.iter().map(|part| of(part.iter().map(String::as_str), capacity));
            let joined = states.reduce(|mut joined, state| { joined.merge(state); joined }).unwrap();
            prop_assert_eq!(joined.count(), rows);
            prop_assert!(joined.undercount_rows() <= rows / (capacity as u64 + 1) + parts.len() as u64);
            for (value, count) in &truth {
                let held = joined.count_of(value);
                prop_assert!(held <= *count && count - held <= joined.undercount_rows());
            }
            prop_assert_eq!(joined.is_exact(), truth.len() <= capacity);
            if joined.is_exact() {
                prop_assert_eq!(&joined, &of(parts.iter().flatten().rev().map(String::as_str), capacity));
            }
            let bytes = postcard::to_stdvec(&joined).unwrap();
            let read: Frequencies = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&read).unwrap());
            prop_assert_eq!(joined, read);
        }
    }
}
