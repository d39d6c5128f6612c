//! How much each value of a text column weighs; exact for few distinct values, with a hard bound for many.
//!
//! The algorithm is that of [`crate::Frequencies`] with weights in the place of counts: weights are kept for up to
//! twice `capacity` values; when more come, the (capacity + 1)-th largest is taken from all and what is not positive
//! is dropped (Misra & Gries 1982; Agarwal et al., "Mergeable summaries" (2012), section 2, holds for weights as it
//! does for counts). A weight held is too low by at most [`WeightedFrequencies::undercount`], itself at most the sum
//! of all weights / (capacity + 1).
//!
//! Weights are added in double-double, so that the order of additions does not show. What weighs 0 is not kept. The
//! caller leaves out null; the empty string is a value. A value of more than 1,024 bytes is kept as its beginning and
//! the hash of the whole. Memory: at most 2 x capacity values. Some 15 ns for a value that is held.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;
use thiserror::Error;

use crate::frequencies::{FREQUENCIES_CAPACITY, shortened};

/// Weights by value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct WeightedFrequencies {
    capacity: usize,
    undercount: DoubleDouble,
    held_bytes: usize,
    weights: HashMap<Box<str>, DoubleDouble, FixedState>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    capacity: u64,
    undercount: DoubleDouble,
    /// By value, ascending.
    weights: Vec<(Box<str>, DoubleDouble)>,
}

/// Why a serialised [`WeightedFrequencies`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stored values are not in ascending order, too many, or without a positive weight")]
pub struct WeightedFrequenciesError;

impl Default for WeightedFrequencies {
    fn default() -> Self {
        Self::new()
    }
}

fn is_less(a: DoubleDouble, b: DoubleDouble) -> std::cmp::Ordering {
    a.high.total_cmp(&b.high).then(a.low.total_cmp(&b.low))
}

impl WeightedFrequencies {
    /// No values, with the default capacity.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(FREQUENCIES_CAPACITY)
    }

    /// No values; exact up to `capacity` (at least 1) distinct ones.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let weights = HashMap::default();
        Self { capacity: capacity.max(1), undercount: DoubleDouble::ZERO, held_bytes: 0, weights }
    }

    /// Takes in a value with its weight, which is finite and at least 0.
    #[inline]
    pub fn update(&mut self, value: &str, weight: impl Into<DoubleDouble>) {
        let weight = weight.into();
        debug_assert!(weight.is_finite() && weight.high >= 0.0, "the caller checks weights");
        if weight.high > 0.0 {
            self.add(&shortened(value), weight);
            self.reduce_if_full();
        }
    }

    /// Takes in later weights; the smaller capacity remains.
    pub fn merge(&mut self, later: Self) {
        self.capacity = self.capacity.min(later.capacity);
        self.undercount = self.undercount + later.undercount;
        // Each value is added once, and the reduction looks at weights only: the order of the map does not show.
        for (value, weight) in later.weights {
            self.add(&value, weight);
        }
        self.reduce_if_full();
    }

    /// By how much any weight can be too low; weights are never too high.
    #[must_use]
    pub fn undercount(&self) -> f64 {
        self.undercount.to_f64()
    }

    /// The `k` values that weigh most, by weight descending, then value descending, as TFDV has it.
    #[must_use]
    pub fn top(&self, k: usize) -> Vec<(String, f64)> {
        let mut all: Vec<(&str, DoubleDouble)> =
            self.weights.iter().map(|(value, weight)| (value.as_ref(), *weight)).collect();
        // By the figure that is shown, so that what looks equal is in the order of the values.
        all.sort_unstable_by(|a, b| b.1.high.total_cmp(&a.1.high).then_with(|| b.0.cmp(a.0)));
        all.truncate(k);
        all.into_iter().map(|(value, weight)| (value.to_owned(), weight.to_f64())).collect()
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.weights.allocation_size() + self.held_bytes
    }

    #[inline]
    fn add(&mut self, value: &str, weight: DoubleDouble) {
        if let Some(held) = self.weights.get_mut(value) {
            *held = *held + weight;
        } else {
            self.held_bytes += value.len();
            self.weights.insert(Box::from(value), weight);
        }
    }

    #[inline]
    fn reduce_if_full(&mut self) {
        if self.weights.len() > 2 * self.capacity {
            self.reduce();
        }
    }

    #[cold]
    fn reduce(&mut self) {
        let mut weights: Vec<DoubleDouble> = self.weights.values().copied().collect();
        let (_, taken, _) = weights.select_nth_unstable_by(self.capacity, |a, b| is_less(*b, *a));
        let taken = *taken;
        self.undercount = self.undercount + taken;
        let mut held_bytes = 0;
        self.weights.retain(|value, weight| {
            *weight = *weight - taken;
            let is_kept = weight.high > 0.0;
            held_bytes += if is_kept { value.len() } else { 0 };
            is_kept
        });
        self.held_bytes = held_bytes;
    }
}

impl From<WeightedFrequencies> for Stored {
    fn from(frequencies: WeightedFrequencies) -> Self {
        let mut weights: Vec<(Box<str>, DoubleDouble)> = frequencies.weights.into_iter().collect();
        weights.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Self { capacity: frequencies.capacity as u64, undercount: frequencies.undercount, weights }
    }
}

impl TryFrom<Stored> for WeightedFrequencies {
    type Error = WeightedFrequenciesError;

    fn try_from(stored: Stored) -> Result<Self, WeightedFrequenciesError> {
        let mut frequencies = Self::with_capacity(usize::try_from(stored.capacity).unwrap_or(usize::MAX));
        let is_ascending = stored.weights.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let is_short = stored.weights.len() / 2 <= frequencies.capacity;
        let is_positive = |weight: &DoubleDouble| weight.is_finite() && weight.high > 0.0;
        let all_positive = stored.weights.iter().all(|(_, weight)| is_positive(weight));
        if !is_ascending || !is_short || !all_positive || !(stored.undercount.high >= 0.0) {
            return Err(WeightedFrequenciesError);
        }
        frequencies.undercount = stored.undercount;
        frequencies.held_bytes = stored.weights.iter().map(|(value, _)| value.len()).sum();
        frequencies.weights = stored.weights.into_iter().collect();
        Ok(frequencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, f64)>, capacity: usize) -> WeightedFrequencies {
        let mut frequencies = WeightedFrequencies::with_capacity(capacity);
        pairs.into_iter().for_each(|(value, weight)| frequencies.update(value, weight));
        frequencies
    }

    #[test]
    fn weights_by_hand() {
        let frequencies = of([("b", 1.5), ("a", 2.0), ("b", 0.5), ("", 3.0), ("zero", 0.0)], 10);
        let expected = [("", 3.0), ("b", 2.0), ("a", 2.0)].map(|(value, weight)| (value.to_owned(), weight));
        assert_eq!(frequencies.top(3), expected);
        assert_eq!(frequencies.top(9).len(), 3, "what weighs nothing is not kept");
        let tenths = of(std::iter::repeat_n(("x", 0.1), 1000), 10);
        assert_eq!(tenths.top(1)[0].1.to_bits(), 100.0_f64.to_bits(), "rounded once");
    }

    #[test]
    fn malformed_states_are_refused() {
        let stored = |weights| Stored { capacity: 1, undercount: DoubleDouble::ZERO, weights };
        let weight = DoubleDouble::ONE;
        let unordered = vec![(Box::from("b"), weight), (Box::from("a"), weight)];
        assert!(WeightedFrequencies::try_from(stored(unordered)).is_err());
        let weightless = vec![(Box::from("a"), DoubleDouble::ZERO)];
        assert!(WeightedFrequencies::try_from(stored(weightless)).is_err());
    }

    proptest! {
        #[test]
        fn any_layout_keeps_the_bound(
            parts in prop::collection::vec(prop::collection::vec(("[a-e]{1,2}", 0.0..9.0_f64), 0..120), 1..6),
            capacity in 1..40_usize,
        ) {
            let mut truth: BTreeMap<&str, f64> = BTreeMap::new();
            parts.iter().flatten().for_each(|(value, weight)| *truth.entry(value).or_default() += weight);
            let total: f64 = truth.values().sum();
            let states = parts
                .iter()
                .map(|part| of(part.iter().map(|(value, weight)| (value.as_str(), *weight)), capacity));
            let joined = states.reduce(|mut joined, state| { joined.merge(state); joined }).unwrap();
            prop_assert!(joined.undercount() <= total / (capacity as f64 + 1.0) * (1.0 + 1e-12));
            let held: BTreeMap<String, f64> = joined.top(usize::MAX).into_iter().collect();
            for (value, weight) in &truth {
                let mine = held.get(*value).copied().unwrap_or(0.0);
                prop_assert!(mine <= weight * (1.0 + 1e-12) && weight - mine <= joined.undercount() + 1e-9);
            }
            let bytes = postcard::to_stdvec(&joined).unwrap();
            let read: WeightedFrequencies = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&read).unwrap());
            prop_assert_eq!(joined, read);
        }
    }
}
