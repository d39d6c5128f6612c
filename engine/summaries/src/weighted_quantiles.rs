//! Quantiles and histograms of numbers that weigh, in bounded memory, deterministic and mergeable, with a hard bound.
//!
//! The algorithm is that of [`crate::Quantiles`] with weights in the place of counts: pairs are gathered, sorted and
//! kept as runs of (value, weight); a run longer than the capacity is cut into cells of about equal weight, each kept
//! as its last value with the weight of the cell, so that the weight of the values up to any `v` is too low by at most
//! the heaviest cell without its last value; runs are joined by the logarithmic method (Munro & Paterson, "Selection
//! and sorting with limited storage", 1980) by weight. Undercounts add up and are known: answers assume the middle and
//! say how far off they may be.
//!
//! A quantile is the smallest value at which the weight so far is at least q of all (the inverted distribution
//! function; with equal weights definition 1 of Hyndman & Fan, "Sample quantiles in statistical packages", The American
//! Statistician 50 (1996)). Weights are added as `f64`: shares closer than 1e-12 to one another count as equal.
//!
//! Up to `capacity` distinct values everything is exact but for that rounding. What weighs 0 is left out. `-0.0`
//! counts as `0.0`; the caller leaves out null, NaN and infinities. Memory: 16 bytes an entry, at most `capacity`
//! entries a run, and up to 1 MiB to gather in; some 60 ns a scattered value.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::quantiles::QUANTILES_CAPACITY;

/// Pairs gathered before they are sorted.
const GATHERED: usize = 65_536;
const SMALLEST_CAPACITY: usize = 16;
/// Shares of the weight closer than this are equal.
const ROUNDING: f64 = 1e-12;

/// Weighted values by rank, exact or within a bound.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct WeightedQuantiles {
    capacity: usize,
    runs: Vec<Run>,
    gathered: Vec<(f64, f64)>,
}

/// Ascending values with their weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Run {
    entries: Vec<(f64, f64)>,
    weight: f64,
    undercount: f64,
    /// The least value; the first entry may stand for a cell.
    min: f64,
}

/// What is serialised: everything gathered stands in runs.
#[derive(Serialize, Deserialize)]
struct Stored {
    capacity: u64,
    runs: Vec<Run>,
}

/// Why a serialised [`WeightedQuantiles`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a run of the stored weighted quantiles is not a table of ascending values with weights")]
pub struct WeightedQuantilesError;

/// Equal content; what is gathered counts as if it had been sorted in.
impl PartialEq for WeightedQuantiles {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.clone().settled(), other.clone().settled());
        a.capacity == b.capacity && a.runs == b.runs
    }
}

impl Default for WeightedQuantiles {
    fn default() -> Self {
        Self::new()
    }
}

impl WeightedQuantiles {
    /// An empty summary with the default capacity.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(QUANTILES_CAPACITY)
    }

    /// An empty summary that is exact up to `capacity` distinct values (at least 16).
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { capacity: capacity.max(SMALLEST_CAPACITY), runs: Vec::new(), gathered: Vec::new() }
    }

    /// Takes in finite values with their weights, which are finite and at least 0.
    pub fn update(&mut self, pairs: &[(f64, f64)]) {
        debug_assert!(pairs.iter().all(|(value, weight)| value.is_finite() && *weight >= 0.0));
        for (value, weight) in pairs {
            if *weight > 0.0 {
                // Adding zero turns -0.0 into 0.0.
                self.gathered.push((value + 0.0, *weight));
                if self.gathered.len() == GATHERED {
                    self.settle();
                }
            }
        }
    }

    /// Takes in a later summary; the smaller capacity remains.
    pub fn merge(&mut self, later: Self) {
        self.capacity = self.capacity.min(later.capacity);
        let later = later.settled();
        if later.runs.is_empty() {
            return;
        }
        self.settle();
        later.runs.into_iter().for_each(|run| self.push(run));
    }

    /// The table to ask quantiles and histograms of.
    #[must_use]
    pub fn ranks(&self) -> WeightedRanks {
        WeightedRanks::new(Run::join_all(self.clone().settled().runs))
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let entries: usize = self.runs.iter().map(|run| run.entries.capacity()).sum();
        size_of::<Self>()
            + self.runs.capacity() * size_of::<Run>()
            + (entries + self.gathered.capacity()) * size_of::<(f64, f64)>()
    }

    fn settled(mut self) -> Self {
        self.settle();
        self
    }

    /// Sorts in what is gathered and gives its space back.
    fn settle(&mut self) {
        let gathered = core::mem::take(&mut self.gathered);
        if !gathered.is_empty() {
            self.push(Run::of_pairs(gathered));
        }
    }

    /// Appends a run and joins from the end what is less than twice as heavy as all after it.
    fn push(&mut self, run: Run) {
        if let [only] = self.runs.as_slice()
            && only.undercount == 0.0
            && run.undercount == 0.0
        {
            let union = only.join(&run);
            if union.entries.len() <= self.capacity {
                self.runs = vec![union];
                return;
            }
        }
        let mut weight = run.weight;
        self.runs.push(run);
        let mut first = self.runs.len() - 1;
        while first > 0 && self.runs[first - 1].weight / 2.0 < weight {
            first -= 1;
            weight += self.runs[first].weight;
        }
        let mut joined = Run::join_all(self.runs.split_off(first));
        joined.compress(self.capacity);
        self.runs.push(joined);
    }
}

impl Run {
    /// Sorts pairs; weights of equal values are added in the order in which they came.
    fn of_pairs(mut pairs: Vec<(f64, f64)>) -> Self {
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut run = Self { min: pairs.first().map_or(0.0, |pair| pair.0), ..Self::default() };
        for (value, weight) in pairs {
            run.append(value, weight);
        }
        run.weight = run.sum();
        run
    }

    fn sum(&self) -> f64 {
        self.entries.iter().map(|(_, weight)| weight).sum()
    }

    fn append(&mut self, value: f64, weight: f64) {
        match self.entries.last_mut() {
            Some((last, last_weight)) if last.to_bits() == value.to_bits() => *last_weight += weight,
            _ => self.entries.push((value, weight)),
        }
    }

    /// Both runs as one; this one's weights come first where values are equal.
    fn join(&self, other: &Self) -> Self {
        let mut joined = Self {
            entries: Vec::with_capacity(self.entries.len() + other.entries.len()),
            weight: 0.0,
            undercount: self.undercount + other.undercount,
            min: if other.min < self.min { other.min } else { self.min },
        };
        let (mut left, mut right) = (self.entries.as_slice(), other.entries.as_slice());
        while let ([(a, a_weight), a_rest @ ..], [(b, b_weight), b_rest @ ..]) = (left, right) {
            if a <= b {
                joined.append(*a, *a_weight);
                left = a_rest;
            } else {
                joined.append(*b, *b_weight);
                right = b_rest;
            }
        }
        for (value, weight) in left.iter().chain(right) {
            joined.append(*value, *weight);
        }
        joined.weight = joined.sum();
        joined
    }

    /// All runs as one, lightest (last) first.
    fn join_all(mut runs: Vec<Self>) -> Self {
        let Some(last) = runs.pop() else { return Self::default() };
        runs.into_iter().rev().fold(last, |joined, run| run.join(&joined))
    }

    /// Cuts the run into at most `capacity` cells and keeps the last value of each.
    fn compress(&mut self, capacity: usize) {
        if self.entries.len() <= capacity {
            return;
        }
        // A finished cell weighs more than its bound, so `capacity` cells of this bound hold everything; the last digits
        // of the sums may say otherwise.
        let mut bound = self.weight / capacity as f64;
        while self.cell_count(bound) > capacity {
            bound *= 1.0 + 1.0 / capacity as f64;
        }
        let mut cells: Vec<(f64, f64)> = Vec::with_capacity(capacity);
        let mut largest = 0.0;
        let mut open: Option<(f64, f64)> = None;
        for (value, weight) in &self.entries {
            open = match open {
                Some((_, held)) if held <= bound => {
                    largest = if held > largest { held } else { largest };
                    Some((*value, held + weight))
                }
                closed => {
                    cells.extend(closed);
                    Some((*value, *weight))
                }
            };
        }
        cells.extend(open);
        self.entries = cells;
        self.undercount += largest;
        self.weight = self.sum();
    }

    /// How many cells there are if each may weigh `bound` before its last value.
    fn cell_count(&self, bound: f64) -> usize {
        let (mut cells, mut held) = (1, 0.0);
        for (_, weight) in &self.entries {
            if held > bound {
                cells += 1;
                held = 0.0;
            }
            held += weight;
        }
        cells
    }
}

impl From<WeightedQuantiles> for Stored {
    fn from(quantiles: WeightedQuantiles) -> Self {
        let settled = quantiles.settled();
        Self { capacity: settled.capacity as u64, runs: settled.runs }
    }
}

impl TryFrom<Stored> for WeightedQuantiles {
    type Error = WeightedQuantilesError;

    fn try_from(stored: Stored) -> Result<Self, WeightedQuantilesError> {
        let is_sound = |run: &Run| {
            run.entries.windows(2).all(|pair| pair[0].0 < pair[1].0)
                && run.entries.iter().all(|(value, weight)| value.is_finite() && *weight > 0.0)
                && run.undercount >= 0.0
                && run.weight.to_bits() == run.sum().to_bits()
                && run.entries.first().is_some_and(|(value, _)| run.min <= *value)
        };
        if !stored.runs.iter().all(is_sound) {
            return Err(WeightedQuantilesError);
        }
        let capacity = usize::try_from(stored.capacity).map_err(|_| WeightedQuantilesError)?;
        Ok(Self { runs: stored.runs, ..Self::with_capacity(capacity) })
    }
}

/// A finished table of weighted values by rank.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedRanks {
    values: Vec<f64>,
    /// For each value, how much the values up to it weigh, too low by at most `undercount`.
    cumulative: Vec<f64>,
    undercount: f64,
    min: f64,
}

/// One bar of a histogram: values above `low` (in the first bar: from `low`) up to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedBar {
    /// Lower end.
    pub low: f64,
    /// Upper end, included.
    pub high: f64,
    /// How much the values weigh, within [`WeightedRanks::bar_error`].
    pub weight: f64,
}

impl WeightedRanks {
    fn new(run: Run) -> Self {
        let mut total = 0.0;
        let cumulative = run.entries.iter().map(|(_, weight)| {
            total += weight;
            total
        });
        let cumulative = cumulative.collect();
        let values = run.entries.iter().map(|(value, _)| *value).collect();
        Self { values, cumulative, undercount: run.undercount, min: run.min }
    }

    /// How much all values weigh.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    /// By which share of the weight the rank of a quantile can be off; 0 when exact.
    #[must_use]
    pub fn rank_error_fraction(&self) -> f64 {
        if self.values.is_empty() { 0.0 } else { self.undercount / 2.0 / self.weight() }
    }

    /// By how much the weight of a bar can be off: the error of a rank at either end.
    #[must_use]
    pub fn bar_error(&self) -> f64 {
        self.undercount
    }

    /// The value at quantile `q` between 0 and 1; `None` without values and for any other `q`.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = *self.values.last()?;
        if !(0.0..=1.0).contains(&q) {
            return None;
        }
        let (total, middle) = (self.weight(), self.undercount / 2.0);
        let target = q * total - ROUNDING * total;
        if target <= middle {
            // Nothing may be held up to there, and the first entry may already lie beyond.
            let is_first = middle > 0.0 || q == 0.0 || self.cumulative[0] >= target;
            return Some(if is_first { self.min } else { self.values[0] });
        }
        if q >= 1.0 {
            return Some(last);
        }
        let index = self.cumulative.partition_point(|held| held + middle < target);
        Some(self.values.get(index).copied().unwrap_or(last))
    }

    /// How much the values up to `value` weigh.
    #[must_use]
    pub fn rank(&self, value: f64) -> f64 {
        let index = self.values.partition_point(|held| *held <= value);
        if index == self.values.len() {
            return self.weight();
        }
        if value < self.min {
            return 0.0;
        }
        let held = if index == 0 { 0.0 } else { self.cumulative[index - 1] };
        held + self.undercount / 2.0
    }

    /// `bars` bars of equal width from the least to the greatest value; one where all values are equal, none without
    /// values or where the width leaves the range of `f64`.
    #[must_use]
    pub fn equi_width(&self, bars: u32) -> Vec<WeightedBar> {
        let (Some(max), min) = (self.values.last().copied(), self.min) else { return Vec::new() };
        if min >= max {
            return vec![WeightedBar { low: min, high: max, weight: self.weight() }];
        }
        if !(max - min).is_finite() {
            return Vec::new();
        }
        let end =
            |bar: u32| if bar == bars { max } else { min + (max - min) * f64::from(bar) / f64::from(bars) };
        let mut before = 0.0;
        let bar = |bar: u32| {
            let (low, high) = (end(bar - 1), end(bar));
            let up_to_high = self.rank(high);
            let weight = up_to_high - before;
            before = up_to_high;
            WeightedBar { low, high, weight }
        };
        (1..=bars).map(bar).collect()
    }

    /// `bars` bars of about equal weight. Where a heavy value is the upper end of several, they share its weight evenly,
    /// as TFDV has it.
    #[must_use]
    pub fn equi_depth(&self, bars: u32) -> Vec<WeightedBar> {
        let ends: Vec<f64> =
            (0..=bars).filter_map(|bar| self.quantile(f64::from(bar) / f64::from(bars))).collect();
        let mut shown: Vec<WeightedBar> =
            ends.windows(2).map(|pair| WeightedBar { low: pair[0], high: pair[1], weight: 0.0 }).collect();
        let mut before = 0.0;
        let mut first = 0;
        while first < shown.len() {
            let high = shown[first].high;
            let sharing =
                shown[first..].iter().take_while(|bar| bar.high.to_bits() == high.to_bits()).count();
            let up_to_high = self.rank(high);
            let weight = (up_to_high - before) / sharing as f64;
            shown[first..first + sharing].iter_mut().for_each(|bar| bar.weight = weight);
            before = up_to_high;
            first += sharing;
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pairs: &[(f64, f64)], capacity: usize) -> WeightedQuantiles {
        let mut quantiles = WeightedQuantiles::with_capacity(capacity);
        quantiles.update(pairs);
        quantiles
    }

    #[test]
    fn equal_weights_give_the_quantiles_of_numpy() {
        // numpy 2: np.quantile([1, …, 10], q, method="inverted_cdf")
        for weight in [1.0, 0.1, 3.7] {
            let ten: Vec<(f64, f64)> = (1..=10).map(|value| (f64::from(value), weight)).collect();
            let ranks = of(&ten, 100).ranks();
            for (q, expected) in [
                (0.0, 1.0),
                (0.05, 1.0),
                (0.1, 1.0),
                (0.11, 2.0),
                (0.3, 3.0),
                (0.5, 5.0),
                (0.7, 7.0),
                (1.0, 10.0),
            ] {
                assert_eq!(ranks.quantile(q), Some(expected), "{q} of weight {weight}");
            }
            assert_eq!((ranks.quantile(1.1), ranks.quantile(f64::NAN)), (None, None));
        }
        assert_eq!(of(&[(1.0, 0.0)], 100).ranks().quantile(0.5), None);
    }

    #[test]
    fn weights_and_bars_by_hand() {
        // numpy 2: np.quantile([1, 2, 5], q, method="inverted_cdf", weights=[4, 1, 5])
        let ranks = of(&[(5.0, 5.0), (1.0, 1.5), (2.0, 1.0), (1.0, 2.5)], 100).ranks();
        for (q, expected) in [(0.0, 1.0), (0.4, 1.0), (0.41, 2.0), (0.5, 2.0), (0.51, 5.0), (1.0, 5.0)] {
            assert_eq!(ranks.quantile(q), Some(expected), "{q}");
        }
        let bar = |low, high, weight| WeightedBar { low, high, weight };
        assert_eq!(ranks.equi_width(2), [bar(1.0, 3.0, 5.0), bar(3.0, 5.0, 5.0)]);
        assert_eq!(ranks.equi_depth(2), [bar(1.0, 2.0, 5.0), bar(2.0, 5.0, 5.0)]);
        let shared = [bar(1.0, 1.0, 4.0), bar(1.0, 2.0, 1.0), bar(2.0, 5.0, 2.5), bar(5.0, 5.0, 2.5)];
        assert_eq!(ranks.equi_depth(4), shared);
        let constant = of(&[(7.0, 3.0)], 100).ranks();
        assert_eq!(constant.equi_width(4), [bar(7.0, 7.0, 3.0)]);
        assert_eq!(of(&[], 100).ranks().equi_depth(3), []);
    }

    #[test]
    fn many_values_take_bounded_memory() {
        let pairs: Vec<(f64, f64)> = (0..300_000_u32)
            .map(|n| (f64::from(n.wrapping_mul(2_654_435_761) % 1_000_003), f64::from(n % 7)))
            .collect();
        let quantiles = of(&pairs, 2048);
        assert!(quantiles.size_bytes() < 1 << 21, "{}", quantiles.size_bytes());
        let ranks = quantiles.ranks();
        let error = ranks.rank_error_fraction();
        assert!(error > 0.0 && error < 0.002, "{error}");
    }

    #[test]
    fn malformed_states_are_refused() {
        let run = |entries: &[(f64, f64)]| Run {
            entries: entries.to_vec(),
            weight: 2.0,
            undercount: 0.0,
            min: 1.0,
        };
        let refused = |run| WeightedQuantiles::try_from(Stored { capacity: 16, runs: vec![run] }).is_err();
        assert!(!refused(run(&[(1.0, 1.0), (2.0, 1.0)])));
        assert!(refused(run(&[(2.0, 1.0), (1.0, 1.0)])) && refused(run(&[(1.0, 2.0), (2.0, 0.0)])));
        assert!(refused(run(&[(0.5, 2.0)])) && refused(run(&[(f64::NAN, 2.0)])) && refused(run(&[])));
    }

    proptest! {
        #[test]
        fn any_layout_keeps_the_bound(
            parts in prop::collection::vec(
                prop::collection::vec((-50..50_i32, 0.0..9.0_f64), 0..200), 1..6),
            capacity in 16..40_usize,
            q in 0.0..=1.0_f64,
        ) {
            let parts: Vec<Vec<(f64, f64)>> =
                parts.iter().map(|part| part.iter().map(|(x, w)| (f64::from(*x), *w)).collect()).collect();
            let joined = parts.iter().map(|part| of(part, capacity)).reduce(|mut a, b| { a.merge(b); a }).unwrap();
            let all: Vec<(f64, f64)> = parts.concat();
            let total: f64 = all.iter().map(|(_, weight)| weight).sum();
            let ranks = joined.ranks();
            prop_assert!((ranks.weight() - total).abs() <= 1e-9 * total);
            let Some(value) = ranks.quantile(q) else { return Ok(()) };
            let up_to: f64 = all.iter().filter(|(x, _)| *x <= value).map(|(_, weight)| weight).sum();
            let below: f64 = all.iter().filter(|(x, _)| *x < value).map(|(_, weight)| weight).sum();
            let slack = ranks.rank_error_fraction() * total + 1e-9 * total;
            prop_assert!(up_to >= q * total - slack && below <= q * total + slack, "{up_to} {below} {q} {total}");
            for bars in [ranks.equi_width(7), ranks.equi_depth(7)] {
                let sum: f64 = bars.iter().map(|bar| bar.weight).sum();
                prop_assert!((sum - total).abs() <= 1e-9 * total, "{bars:?}");
            }
            let bytes = postcard::to_stdvec(&joined).unwrap();
            let read: WeightedQuantiles = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&read).unwrap());
            prop_assert_eq!(joined, read);
        }
    }
}
