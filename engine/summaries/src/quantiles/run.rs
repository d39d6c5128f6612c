//! A run of the quantile summary: ascending (value, count) pairs whose counts of values up to `v` are too low
//! by at most `undercount`, never too high.
//!
//! Values are order keys ([`crate::order_key`]). Joining adds the undercounts; compressing to cells adds the
//! largest count that a cell had before its last value. All is linear, sorting included where values scatter.

use serde::{Deserialize, Serialize};

use super::sort::sort_by_key;

/// Above this many times the capacity, a compression takes the first bound that suffices instead of the least.
const SEARCHED_LENGTH: usize = 8;

/// Ascending values with counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) entries: Vec<(i64, u64)>,
    pub(super) undercount: u64,
}

impl Run {
    /// Sorts and counts keys that each stand for `weight` values, and (key, count) pairs.
    pub(super) fn of_values(keys: &mut [i64], weight: u64, pairs: &mut [(i64, u64)]) -> Self {
        sort_by_key(keys, |key| *key);
        sort_by_key(pairs, |pair| pair.0);
        let mut single = Self::default();
        single.entries.reserve(keys.len());
        for key in keys {
            single.append(*key, weight);
        }
        let mut counted = Self::default();
        for (key, count) in pairs {
            counted.append(*key, *count);
        }
        if counted.entries.is_empty() { single } else { single.join(&counted) }
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
            // A choice, not a branch, which would be guessed wrongly every other time.
            let is_left = left[i].0 <= right[j].0;
            let (value, count) = if is_left { left[i] } else { right[j] };
            i += usize::from(is_left);
            j += usize::from(!is_left);
            joined.append(value, count);
        }
        for (value, count) in left[i..].iter().chain(&right[j..]) {
            joined.append(*value, *count);
        }
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
        let (mut infeasible, mut bound) = (None, weight / (cells - 1) + 1);
        let guess = weight.div_ceil(cells) - 1;
        if self.cell_count(guess) <= capacity {
            bound = guess;
        } else {
            infeasible = Some(guess);
        }
        if self.entries.len() <= SEARCHED_LENGTH * capacity {
            // A cell outweighs the bound by its last entry at most, so that a smaller bound makes too many.
            let heaviest = self.entries.iter().map(|(_, count)| *count).fold(0, u64::max);
            let least = weight.div_ceil(cells).saturating_sub(heaviest);
            let mut low = infeasible.map_or(0, |guess| guess + 1).max(least);
            // Close enough to the least: the bound makes the undercount, of which a part in 32 is nothing.
            while low + bound / 32 < bound {
                let middle = low + (bound - low) / 2;
                if self.cell_count(middle) <= capacity {
                    bound = middle;
                } else {
                    low = middle + 1;
                }
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

    /// How many cells there are if each may weigh `bound` before its last value. A choice, not a branch, which cells of
    /// a few values would mislead.
    fn cell_count(&self, bound: u64) -> usize {
        let (mut cells, mut weight) = (1, 0);
        for (_, count) in &self.entries {
            let is_full = weight > bound;
            cells += usize::from(is_full);
            weight = if is_full { *count } else { weight + count };
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
