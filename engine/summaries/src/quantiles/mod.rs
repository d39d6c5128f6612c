//! Quantiles of numbers in bounded memory, deterministic and mergeable, with a hard bound on the rank error.
//!
//! Values are gathered 65,536 at a time, sorted and kept as runs of (value, count). A run longer than the
//! capacity is cut into cells of about equal count, each kept as its last value with the count of the cell:
//! the held count of values up to any `v` is then too low, never too high, and by at most the largest cell
//! without its last value. Runs are joined when the earlier is less than twice as heavy as what follows (the
//! logarithmic method; Munro & Paterson, "Selection and sorting with limited storage", 1980), so undercounts
//! add up over some log2(n / 65,536) levels, each about n / (2 capacity). Answers assume the middle
//! ([`Ranks`]), which halves the bound: with capacity 2,048 it is 0.02 % of the rows after one gathering,
//! some 0.16 % after 100 million rows.
//!
//! Up to `capacity` distinct values everything is exact, for any layout. Results depend on the sequence of
//! updates and merges only. `-0.0` counts as `0.0`; infinities are values; the caller leaves out null and NaN
//! (NaN is dropped, asserted in debug builds). Memory: 16 bytes an entry, at most `capacity` entries in each
//! of log2(n / 65,536) runs, and 512 KiB to gather in; some 25 ns a scattered value, 8 if few are distinct.

mod run;
#[cfg(test)]
mod tests;

use crate::ranks::Ranks;
use run::Run;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use thiserror::Error;

/// Distinct values up to which quantiles are exact, unless told otherwise: 32 KiB a run, and a bound well below
/// the 1 % that TFDV's quantiles have.
pub const QUANTILES_CAPACITY: usize = 2048;
/// Values gathered before they are sorted; also the longest batch.
const GATHERED: usize = 65_536;
const SMALLEST_CAPACITY: usize = 16;

/// Values by rank, exact or within a bound.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Quantiles {
    capacity: usize,
    count: u64,
    min: f64,
    max: f64,
    /// Each at least twice as heavy as the next.
    runs: Vec<Run>,
    gathered: Vec<f64>,
    gathered_counted: Vec<(f64, u64)>,
}

/// What is serialised: everything gathered stands in runs.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    capacity: u64,
    min: f64,
    max: f64,
    runs: Vec<Run>,
}

/// Why a serialised [`Quantiles`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QuantilesError {
    /// Values not in ascending order, NaN, a count of zero or a total past 2^64.
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
        (a.capacity, a.count, a.min.to_bits(), a.max.to_bits())
            == (b.capacity, b.count, b.min.to_bits(), b.max.to_bits())
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
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            runs: Vec::new(),
            gathered: Vec::new(),
            gathered_counted: Vec::new(),
        }
    }

    /// Takes in values.
    pub fn update(&mut self, values: &[f64]) {
        debug_assert!(values.iter().all(|value| !value.is_nan()), "the caller leaves out NaN");
        let mut rest = values;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(GATHERED - self.gathered.len()));
            for value in now.iter().filter(|value| !value.is_nan()) {
                self.note_extremes(*value);
                // Adding zero turns -0.0 into 0.0.
                self.gathered.push(value + 0.0);
                self.count += 1;
            }
            self.settle_if_full();
            rest = later;
        }
    }

    /// Takes in one value as often as `count` says.
    pub fn update_counted(&mut self, value: f64, count: u64) {
        debug_assert!(!value.is_nan(), "the caller leaves out NaN");
        if count == 0 || value.is_nan() {
            return;
        }
        self.note_extremes(value);
        self.gathered_counted.push((value + 0.0, count));
        self.count += count;
        self.settle_if_full();
    }

    /// Takes in a later summary; the smaller capacity remains.
    pub fn merge(&mut self, later: Self) {
        self.capacity = self.capacity.min(later.capacity);
        if later.count == 0 {
            return;
        }
        self.settle();
        let mut later = later;
        later.settle();
        self.note_extremes(later.min);
        self.note_extremes(later.max);
        self.count += later.count;
        for run in later.runs {
            self.push(run);
        }
    }

    /// How many values were taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The table to ask several quantiles or a histogram of; [`Quantiles::quantile`] builds it anew each time.
    #[must_use]
    pub fn ranks(&self) -> Ranks {
        let settled = self.settled();
        let all = Run::join_all(&settled.runs);
        Ranks::new(&all.entries, all.undercount, self.min + 0.0, self.max + 0.0)
    }

    /// The value at quantile `q` between 0 and 1 (see [`Ranks`]); `None` without values and for any other `q`.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.ranks().quantile(q)
    }

    /// By which share of the rows the rank of an answer can be off.
    #[must_use]
    pub fn rank_error_fraction(&self) -> f64 {
        let undercount: u64 = self.settled().runs.iter().map(|run| run.undercount).sum();
        if self.count == 0 { 0.0 } else { undercount.div_ceil(2) as f64 / self.count as f64 }
    }

    /// Whether there were at most as many distinct values as the capacity, so that all answers are exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let settled = self.settled();
        settled.runs.len() <= 1 && settled.runs.iter().all(|run| run.undercount == 0)
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.runs.capacity() * size_of::<Run>()
            + self.runs.iter().map(|run| run.entries.capacity() * size_of::<(f64, u64)>()).sum::<usize>()
            + self.gathered.capacity() * size_of::<f64>()
            + self.gathered_counted.capacity() * size_of::<(f64, u64)>()
    }

    fn note_extremes(&mut self, value: f64) {
        let value = value + 0.0;
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
    }

    fn settle_if_full(&mut self) {
        if self.gathered.len() >= GATHERED || self.gathered_counted.len() >= GATHERED {
            let mut gathered = core::mem::take(&mut self.gathered);
            let mut gathered_counted = core::mem::take(&mut self.gathered_counted);
            self.push(Run::of_values(&mut gathered, &mut gathered_counted));
            // The space is used again.
            gathered.clear();
            gathered_counted.clear();
            (self.gathered, self.gathered_counted) = (gathered, gathered_counted);
        }
    }

    /// Sorts in what is gathered and gives its space back.
    fn settle(&mut self) {
        let mut gathered = core::mem::take(&mut self.gathered);
        let mut gathered_counted = core::mem::take(&mut self.gathered_counted);
        if !gathered.is_empty() || !gathered_counted.is_empty() {
            self.push(Run::of_values(&mut gathered, &mut gathered_counted));
        }
    }

    fn settled(&self) -> Cow<'_, Self> {
        if self.gathered.is_empty() && self.gathered_counted.is_empty() {
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
        self.runs.push(run);
        let mut first = self.runs.len() - 1;
        while first > 0 && self.runs[first - 1].weight() / 2 < weight {
            first -= 1;
            weight += self.runs[first].weight();
        }
        let mut joined = Run::join_all(&self.runs[first..]);
        joined.compress(self.capacity);
        self.runs.truncate(first);
        self.runs.push(joined);
    }
}

impl From<Quantiles> for Stored {
    fn from(quantiles: Quantiles) -> Self {
        let mut settled = quantiles;
        settled.settle();
        Self { capacity: settled.capacity as u64, min: settled.min, max: settled.max, runs: settled.runs }
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
        Ok(quantiles)
    }
}
