//! A run of the quantile summary: ascending (value, count) pairs whose counts of values up to `v` are too low
//! by at most `undercount`, never too high.
//!
//! Values are order keys ([`crate::order_key`]). Joining adds the undercounts; compressing to cells adds the
//! largest count that a cell had before its last value. All is linear, sorting included where values scatter.

use serde::{Deserialize, Serialize};

use crate::vectors::wide;

use super::sort::{ends_of_cells, sort_by_key};

/// Above this many times the capacity, a compression takes the first bound that suffices instead of the least.
const SEARCHED_LENGTH: usize = 8;
/// Bounds that are tried in one pass.
const TRIED: usize = 8;

/// Ascending values with counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) entries: Vec<(i64, u64)>,
    pub(super) undercount: u64,
}

impl Run {
    /// Keys that each stand for `weight` values: all of them, sorted; but where there are surely more different ones than
    /// the capacity, the cells of equally many that [`Run::compress`] would make of them.
    pub(super) fn of_values(keys: &mut [i64], weight: u64, capacity: usize) -> Self {
        let in_cell = keys.len().div_ceil(capacity).max(1);
        if let Some(ends) = ends_of_cells(keys, in_cell, capacity) {
            let mut run =
                Self { entries: Vec::with_capacity(ends.len()), undercount: (in_cell as u64 - 1) * weight };
            let mut left = keys.len();
            for end in ends {
                let count = left.min(in_cell);
                left -= count;
                // What crowds at one value ends several cells.
                run.append(end, count as u64 * weight);
            }
            return run;
        }
        sort_by_key(keys, |key| *key);
        let mut run = Self { entries: Vec::with_capacity(keys.len()), undercount: 0 };
        for key in keys {
            run.append(*key, weight);
        }
        run
    }

    /// Values with their counts, sorted.
    pub(super) fn of_pairs(pairs: &mut [(i64, u64)]) -> Self {
        sort_by_key(pairs, |pair| pair.0);
        let mut run = Self { entries: Vec::with_capacity(pairs.len()), undercount: 0 };
        for (key, count) in pairs {
            run.append(*key, *count);
        }
        run
    }

    /// How many values the run stands for.
    pub(super) fn weight(&self) -> u64 {
        self.entries.iter().map(|(_, count)| count).sum()
    }

    /// The weight of a run read from outside; `None` if it is none.
    pub(super) fn checked_weight(&self) -> Option<u64> {
        let is_ascending = self.entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let is_counted = self.entries.iter().all(|(_, count)| *count > 0);
        let weight = self.entries.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
        weight.filter(|weight| is_ascending && is_counted && self.undercount <= *weight)
    }

    /// Both runs as one.
    pub(super) fn join(&self, other: &Self) -> Self {
        let mut joined = Self {
            entries: Vec::with_capacity(self.entries.len() + other.entries.len()),
            undercount: self.undercount + other.undercount,
        };
        let (left, right) = (self.entries.as_slice(), other.entries.as_slice());
        let (mut i, mut j) = (0, 0);
        while i < left.len() && j < right.len() {
            // Choices, not branches, which would be guessed wrongly every other time. Within a run no value comes twice.
            let ((value, count), (other, other_count)) = (left[i], right[j]);
            let (is_left, is_right) = (value <= other, other <= value);
            let least = if is_left { value } else { other };
            let count = if is_left { count } else { 0 } + if is_right { other_count } else { 0 };
            joined.entries.push((least, count));
            i += usize::from(is_left);
            j += usize::from(is_right);
        }
        joined.entries.extend_from_slice(&left[i..]);
        joined.entries.extend_from_slice(&right[j..]);
        joined
    }

    /// All runs as one, lightest (last) first.
    pub(super) fn join_all(runs: &[Self]) -> Self {
        let Some((last, others)) = runs.split_last() else {
            return Self::default();
        };
        others.iter().rev().fold(last.clone(), |joined, run| run.join(&joined))
    }

    /// Cuts the run into at most `capacity` cells (at least 2) and keeps the last value of each.
    pub(super) fn compress(&mut self, capacity: usize) {
        if self.entries.len() <= capacity {
            return;
        }
        if let Some((_, count)) = self.entries.first()
            && self.entries.iter().all(|(_, other)| other == count)
        {
            // Of equal counts each cell takes equally many: the least bound that suffices, without a search.
            let in_cell = self.entries.len().div_ceil(capacity) as u64;
            self.cut((in_cell - 1) * count, capacity);
            return;
        }
        let weight = self.weight();
        let cells = capacity as u64;
        // With this bound each finished cell weighs more than weight / (cells - 1).
        let mut bound = weight / (cells - 1) + 1;
        // A cell outweighs the bound by its last entry at most, so that a smaller bound makes too many.
        let heaviest = self.entries.iter().map(|(_, count)| *count).fold(0, u64::max);
        let mut low = weight.div_ceil(cells).saturating_sub(heaviest);
        let mut passes = if self.entries.len() <= SEARCHED_LENGTH * capacity { usize::MAX } else { 1 };
        // Close enough to the least: the bound makes the undercount, of which a part in 32 is nothing.
        while passes > 0 && low + bound / 32 < bound {
            passes -= 1;
            let part = (bound - low).div_ceil(TRIED as u64);
            let tried = core::array::from_fn(|index| (low + part * index as u64).min(bound));
            let counts = wide(
                #[inline(always)]
                || self.cell_counts(&tried),
            );
            match counts.iter().position(|count| *count <= cells) {
                Some(0) => bound = tried[0],
                Some(index) => (low, bound) = (tried[index - 1] + 1, tried[index]),
                None => low = tried[TRIED - 1] + 1,
            }
        }
        self.cut(bound, capacity);
    }

    fn append(&mut self, value: i64, count: u64) {
        match self.entries.last_mut() {
            Some((last, last_count)) if *last == value => *last_count += count,
            _ => self.entries.push((value, count)),
        }
    }

    /// How many cells there are if each may weigh a bound before its last value, for several bounds at once. A choice, not
    /// a branch, which cells of a few values would mislead.
    #[inline(always)]
    fn cell_counts(&self, bounds: &[u64; TRIED]) -> [u64; TRIED] {
        let (mut cells, mut weights) = ([1; TRIED], [0; TRIED]);
        for (_, count) in &self.entries {
            for lane in 0..TRIED {
                let is_full = weights[lane] > bounds[lane];
                cells[lane] = u64::wrapping_add(cells[lane], u64::from(is_full));
                weights[lane] = u64::wrapping_add(if is_full { 0 } else { weights[lane] }, *count);
            }
        }
        cells
    }

    fn cut(&mut self, bound: u64, capacity: usize) {
        let mut cells: Vec<(i64, u64)> = Vec::with_capacity(capacity);
        let mut largest_undercount = 0;
        let mut open: Option<(i64, u64)> = None;
        for (value, count) in &self.entries {
            open = match open {
                Some((_, weight)) if weight <= bound => {
                    largest_undercount = largest_undercount.max(weight);
                    Some((*value, weight + count))
                }
                closed => {
                    cells.extend(closed);
                    Some((*value, *count))
                }
            };
        }
        cells.extend(open);
        self.entries = cells;
        self.undercount += largest_undercount;
    }
}
