//! Quantiles of numbers in bounded memory, deterministic and mergeable, with a stated bound on the rank error.
//!
//! Values are gathered 16,384 at a time (a longer slice up to 65,536 at once), sorted as far as needed and kept as runs of (order key,
//! count). A run longer than the capacity is cut into cells of about equal count, each kept as its last value with
//! the count of the cell: the held count of values up to any `v` is then too low, never too high, and by at most the
//! largest cell without its last value. Runs are joined when the earlier is less than twice as heavy as what follows
//! (the logarithmic method; Munro & Paterson, "Selection and sorting with limited storage", 1980), so undercounts
//! add up over some log2(n / 65,536) levels, each about n / (2 capacity). Answers assume the middle
//! ([`Ranks`]), which halves the bound: with capacity 2,048 it is 0.02 % of the rows after one gathering,
//! some 0.16 % after 100 million rows.
//!
//! [`Quantiles::update_strata`] takes [`Strata`], which keep one value of each `stride` consecutive ones, picked by a
//! keyed generator, with the weight of all: an eighth of the sorting. A count of values up to `v` is then off by a sum
//! of independent terms within `stride`, one a stratum, so that the sum of squares `s` bounds it (Hoeffding,
//! "Probability inequalities for sums of bounded random variables", 1963, theorem 2): beyond sqrt(s ln(2e9) / 2) with
//! probability 1e-9 at most.
//! That is added to the bound; with a stride of 8 it is 0.9 % after one million rows, 0.3 % after ten.
//!
//! Without strata, everything is exact up to `capacity` distinct values, for any layout, and the bound holds always.
//! Results depend on the sequence of updates and merges only. `-0.0` counts as `0.0`; infinities are values; the
//! caller leaves out null and NaN (NaN is dropped, asserted in debug builds). Memory: 16 bytes an entry, at most
//! `capacity` entries in each of log2(n / 65,536) runs, and at most 128 KiB to gather in; some 8 ns a scattered value,
//! fewer if few are distinct.

mod run;
mod sort;
mod strata;
#[cfg(test)]
mod tests;

use crate::order_key::{f64_of_key, key_of_f64};
use crate::ranks::Ranks;
use run::Run;
use serde::{Deserialize, Serialize};
pub use sort::sort_by_key;
use std::borrow::Cow;
pub use strata::Strata;
use thiserror::Error;

/// Distinct values up to which quantiles are exact, unless told otherwise: 32 KiB a run, and a bound well below
/// the 1 % that TFDV's quantiles have.
pub const QUANTILES_CAPACITY: usize = 2048;
/// Values gathered before they are sorted.
const GATHERED: usize = 16_384;
/// Values sorted at once, at most.
const SORTED: usize = 65_536;
const SMALLEST_CAPACITY: usize = 16;
/// ln(2 / 1e-9) / 2, of Hoeffding's inequality.
const HOEFFDING: f64 = 10.708_206_508_753_22;

/// Values by rank, exact or within a bound.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Quantiles {
    capacity: usize,
    count: u64,
    /// Order keys of the smallest and largest value, the wrong way round while there is none.
    min: i64,
    max: i64,
    /// Each at least twice as heavy as the next.
    runs: Vec<Run>,
    /// The sum of the squares of the strata that one value stands for.
    squared_strata: u64,
    gathered: Vec<i64>,
    gathered_counted: Vec<(i64, u64)>,
    /// Each stands for `stride` values.
    gathered_strata: Vec<i64>,
    stride: u64,
}

/// What is serialised: everything gathered stands in runs.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    capacity: u64,
    min: i64,
    max: i64,
    runs: Vec<Run>,
    squared_strata: u64,
}

/// Why a serialised [`Quantiles`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QuantilesError {
    /// Values not in ascending order, a count of zero or a total past 2^64.
    #[error("a run of the stored quantiles is not a table of ascending values with counts")]
    RunMalformed,
    /// A capacity this machine cannot address.
    #[error("the capacity of the stored quantiles is out of range")]
    CapacityOutOfRange,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self::new()
    }
}

/// Equal content; what is gathered counts as if it had been sorted in.
impl PartialEq for Quantiles {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.settled(), other.settled());
        (a.capacity, a.count, a.min, a.max, a.squared_strata)
            == (b.capacity, b.count, b.min, b.max, b.squared_strata)
            && a.runs == b.runs
    }
}

impl Quantiles {
    /// An empty summary with the default capacity.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(QUANTILES_CAPACITY)
    }

    /// An empty summary that is exact up to `capacity` distinct values (at least 16).
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(SMALLEST_CAPACITY),
            count: 0,
            min: i64::MAX,
            max: i64::MIN,
            runs: Vec::new(),
            squared_strata: 0,
            gathered: Vec::new(),
            gathered_counted: Vec::new(),
            gathered_strata: Vec::new(),
            stride: 1,
        }
    }

    /// Takes in numbers.
    pub fn update(&mut self, values: &[f64]) {
        debug_assert!(values.iter().all(|value| !value.is_nan()), "the caller leaves out NaN");
        for chunk in values.chunks(SORTED) {
            let keys = chunk.iter().filter(|value| !value.is_nan()).map(|value| key_of_f64(*value));
            self.gathered.extend(keys);
            self.settle_if_full();
        }
    }

    /// Takes in a number as often as `count` says.
    pub fn update_counted(&mut self, value: f64, count: u64) {
        debug_assert!(!value.is_nan(), "the caller leaves out NaN");
        if !value.is_nan() {
            self.update_counted_key(key_of_f64(value), count);
        }
    }

    /// Takes in order keys.
    pub fn update_keys(&mut self, keys: &[i64]) {
        for chunk in keys.chunks(SORTED) {
            self.gathered.extend_from_slice(chunk);
            self.settle_if_full();
        }
    }

    /// Takes in an order key as often as `count` says.
    pub fn update_counted_key(&mut self, key: i64, count: u64) {
        if count != 0 {
            self.gathered_counted.push((key, count));
            self.settle_if_full();
        }
    }

    /// Takes in order keys with their counts, none of them zero, in ascending order.
    pub fn update_ascending(&mut self, pairs: &[(i64, u64)]) {
        debug_assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0), "the caller sorts");
        if pairs.len() < GATHERED / 4 {
            self.gathered_counted.extend_from_slice(pairs);
            self.settle_if_full();
            return;
        }
        if let (Some((first, _)), Some((last, _))) = (pairs.first(), pairs.last()) {
            (self.min, self.max) = (self.min.min(*first), self.max.max(*last));
        }
        let run = Run { entries: pairs.to_vec(), undercount: 0 };
        self.count += run.weight();
        self.push(run);
    }

    /// Takes in a sample of consecutive values.
    pub fn update_strata(&mut self, strata: Strata) {
        let Strata { stride, picked, left_over, extremes, .. } = strata;
        if picked.is_empty() && left_over.is_empty() {
            return;
        }
        if stride == 1 {
            self.update_keys(&picked);
            return;
        }
        let weight = stride as u64;
        self.squared_strata += weight * weight * picked.len() as u64;
        (self.min, self.max) = (self.min.min(extremes.0), self.max.max(extremes.1));
        self.gathered.extend(left_over);
        if weight != self.stride {
            self.settle();
            self.stride = weight;
        }
        if self.gathered_strata.is_empty() {
            self.gathered_strata = picked;
        } else {
            self.gathered_strata.extend(picked);
        }
        self.settle_if_full();
    }

    /// Takes in a later summary; the smaller capacity remains.
    pub fn merge(&mut self, later: Self) {
        self.capacity = self.capacity.min(later.capacity);
        if later.count() == 0 {
            return;
        }
        self.settle();
        let mut later = later;
        later.settle();
        (self.min, self.max) = (self.min.min(later.min), self.max.max(later.max));
        self.count += later.count;
        self.squared_strata += later.squared_strata;
        for run in later.runs {
            self.push(run);
        }
    }

    /// How many values were taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counted: u64 = self.gathered_counted.iter().map(|(_, count)| count).sum();
        self.count + self.gathered.len() as u64 + counted + self.stride * self.gathered_strata.len() as u64
    }

    /// The table to ask several quantiles or a histogram of numbers; [`Quantiles::quantile`] builds it anew each time.
    #[must_use]
    pub fn ranks(&self) -> Ranks {
        self.ranks_by(f64_of_key)
    }

    /// The same of whatever the keys stand for; `value` keeps their order.
    #[must_use]
    pub fn ranks_by<T: Copy + PartialOrd>(&self, value: impl Fn(i64) -> T) -> Ranks<T> {
        let settled = self.settled();
        let all = Run::join_all(&settled.runs);
        let extremes = (settled.count != 0).then(|| (value(settled.min), value(settled.max)));
        let entries = all.entries.iter().map(|(key, count)| (value(*key), *count));
        Ranks::new(entries, all.undercount, settled.sampling_error_rows(), extremes)
    }

    /// The value at quantile `q` between 0 and 1 (see [`Ranks`]); `None` without values and for any other `q`.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.ranks().quantile(q)
    }

    /// By which share of the rows the rank of an answer can be off.
    #[must_use]
    pub fn rank_error_fraction(&self) -> f64 {
        let settled = self.settled();
        let undercount: u64 = settled.runs.iter().map(|run| run.undercount).sum();
        let rows = undercount.div_ceil(2) + settled.sampling_error_rows();
        if settled.count == 0 { 0.0 } else { rows as f64 / settled.count as f64 }
    }

    /// Distinct values up to which it is exact.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether there were at most as many distinct values as the capacity, so that all answers are exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let settled = self.settled();
        let is_whole = settled.runs.len() <= 1 && settled.runs.iter().all(|run| run.undercount == 0);
        is_whole && settled.squared_strata == 0
    }

    fn sampling_error_rows(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let rows = (self.squared_strata as f64 * HOEFFDING).sqrt().ceil() as u64;
        rows.min(self.count)
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.runs.capacity() * size_of::<Run>()
            + self.runs.iter().map(|run| run.entries.capacity() * size_of::<(i64, u64)>()).sum::<usize>()
            + (self.gathered.capacity() + self.gathered_strata.capacity()) * size_of::<i64>()
            + self.gathered_counted.capacity() * size_of::<(i64, u64)>()
    }

    fn settle_if_full(&mut self) {
        if self.num_gathered() >= GATHERED {
            self.settle();
        }
    }

    fn num_gathered(&self) -> usize {
        self.gathered.len() + self.gathered_counted.len() + self.gathered_strata.len()
    }

    /// Sorts in what is gathered and gives its space back.
    fn settle(&mut self) {
        if self.num_gathered() == 0 {
            return;
        }
        let mut gathered = core::mem::take(&mut self.gathered);
        let mut gathered_counted = core::mem::take(&mut self.gathered_counted);
        let mut gathered_strata = core::mem::take(&mut self.gathered_strata);
        // Those of a sample were noted when it was taken.
        let counted = gathered_counted.iter().map(|(key, _)| *key);
        for key in gathered.iter().copied().chain(counted) {
            (self.min, self.max) = (self.min.min(key), self.max.max(key));
        }
        let runs = [
            Run::of_values(&mut gathered, 1, self.capacity),
            Run::of_pairs(&mut gathered_counted),
            Run::of_values(&mut gathered_strata, self.stride, self.capacity),
        ];
        let runs = runs.into_iter().filter(|run| !run.entries.is_empty());
        let Some(run) = runs.reduce(|joined, run| joined.join(&run)) else { return };
        self.count += run.weight();
        self.push(run);
    }

    fn settled(&self) -> Cow<'_, Self> {
        if self.num_gathered() == 0 {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled)
    }

    /// Appends a run and joins from the end what is less than twice as heavy as all after it.
    fn push(&mut self, run: Run) {
        if let [only] = self.runs.as_slice()
            && only.undercount == 0
            && run.undercount == 0
        {
            let union = only.join(&run);
            if union.entries.len() <= self.capacity {
                self.runs = vec![union];
                return;
            }
        }
        let mut weight = run.weight();
        let mut first = self.runs.len();
        while first > 0 && self.runs[first - 1].weight() / 2 < weight {
            first -= 1;
            weight += self.runs[first].weight();
        }
        let mut joined = run;
        for earlier in self.runs.drain(first..).rev() {
            joined = earlier.join(&joined);
        }
        joined.compress(self.capacity);
        self.runs.push(joined);
    }
}

impl From<Quantiles> for Stored {
    fn from(quantiles: Quantiles) -> Self {
        let mut settled = quantiles;
        settled.settle();
        let Quantiles { capacity, min, max, runs, squared_strata, .. } = settled;
        Self { capacity: capacity as u64, min, max, runs, squared_strata }
    }
}

impl TryFrom<Stored> for Quantiles {
    type Error = QuantilesError;

    fn try_from(stored: Stored) -> Result<Self, QuantilesError> {
        let capacity = usize::try_from(stored.capacity).map_err(|_| QuantilesError::CapacityOutOfRange)?;
        let mut quantiles = Self::with_capacity(capacity);
        for run in &stored.runs {
            let weight = run.checked_weight().ok_or(QuantilesError::RunMalformed)?;
            quantiles.count = quantiles.count.checked_add(weight).ok_or(QuantilesError::RunMalformed)?;
        }
        // Below any stored value the minimum may be lower: a compressed run keeps the last of each cell.
        (quantiles.min, quantiles.max, quantiles.runs) = (stored.min, stored.max, stored.runs);
        quantiles.squared_strata = stored.squared_strata;
        Ok(quantiles)
    }
}
