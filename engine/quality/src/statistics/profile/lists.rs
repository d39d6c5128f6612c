//! How many values the rows of a list column have, level by level, and the innermost values themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::compute::take;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::statistics::{Level, Valency};
use sluice_summaries::Quantiles;

use super::histograms::lengths;
use super::internal;

/// The lists of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lists {
    levels: Vec<Level>,
    num_null_values: u64,
    /// Values per present row.
    lengths: Quantiles,
}

impl Lists {
    pub(super) fn new(depth: usize) -> Self {
        Self { levels: vec![Level::default(); depth], num_null_values: 0, lengths: Quantiles::new() }
    }

    /// Takes in the lists of some rows and answers the innermost values, nulls among them.
    pub(super) fn rows(&mut self, values: &ArrayRef) -> Result<ArrayRef> {
        let mut current = Arc::clone(values);
        // Of each present row, how many elements it has so far.
        let mut per_row: Option<Vec<u64>> = None;
        for level in &mut self.levels {
            let lists = current.as_list_opt::<i32>();
            let lists = lists.ok_or_else(|| internal(format!("{} is no list", current.data_type())))?;
            let lengths = lengths_of(lists);
            note(level, &lengths);
            per_row = Some(match per_row {
                None => lengths.iter().flatten().copied().collect(),
                Some(per_row) => regrouped(&per_row, lengths.iter().map(|length| length.unwrap_or(0))),
            });
            let elements = elements(lists, &lengths)?;
            current = elements;
        }
        let mut per_row = per_row.unwrap_or_default();
        if let Some(nulls) = current.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            self.num_null_values += nulls.null_count() as u64;
            per_row = regrouped(&per_row, nulls.iter().map(u64::from));
        }
        let keys: Vec<i64> = per_row.iter().map(|length| length.cast_signed()).collect();
        self.lengths.update_keys(&keys);
        Ok(current)
    }

    pub(super) fn merge(&mut self, later: Self) {
        for (mine, later) in self.levels.iter_mut().zip(later.levels) {
            if later.num_present > 0 {
                let is_first = mine.num_present == 0;
                mine.min_length =
                    if is_first { later.min_length } else { mine.min_length.min(later.min_length) };
                mine.max_length = mine.max_length.max(later.max_length);
            }
            mine.num_present += later.num_present;
            mine.num_missing += later.num_missing;
            mine.num_empty += later.num_empty;
            mine.num_elements += later.num_elements;
        }
        self.num_null_values += later.num_null_values;
        self.lengths.merge(later.lengths);
    }

    pub(super) fn finish(self) -> Valency {
        let ranks = self.lengths.ranks_by(|length| length as f64);
        Valency { levels: self.levels, num_null_values: self.num_null_values, lengths: lengths(&ranks) }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>() + self.lengths.size_bytes()
    }
}

fn lengths_of(lists: &ListArray) -> Vec<Option<u64>> {
    let length = |index| u64::try_from(lists.value_length(index)).unwrap_or(0);
    (0..lists.len()).map(|index| (!lists.is_null(index)).then(|| length(index))).collect()
}

/// What the lists of a column hold, in order.
pub(in crate::statistics) fn list_elements(lists: &ListArray) -> Result<ArrayRef> {
    elements(lists, &lengths_of(lists))
}

fn note(level: &mut Level, lengths: &[Option<u64>]) {
    for length in lengths {
        let Some(length) = *length else {
            level.num_missing += 1;
            continue;
        };
        level.min_length = if level.num_present == 0 { length } else { level.min_length.min(length) };
        level.max_length = level.max_length.max(length);
        level.num_present += 1;
        level.num_empty += u64::from(length == 0);
        level.num_elements += length;
    }
}

/// The elements of the lists that are there, in order. Only where a null hides some are they copied.
fn elements(lists: &ListArray, lengths: &[Option<u64>]) -> Result<ArrayRef> {
    let offsets = lists.value_offsets();
    let place = |offset: Option<&i32>| offset.map_or(0, |offset| usize::try_from(*offset).unwrap_or(0));
    let (start, end) = (place(offsets.first()), place(offsets.last()));
    let present: u64 = lengths.iter().flatten().sum();
    if present == (end - start) as u64 {
        return Ok(lists.values().slice(start, end - start));
    }
    let shown = lengths
        .iter()
        .zip(offsets)
        .filter_map(|(length, start)| Some(((*length)?, place(Some(start)) as u64)));
    let indices: UInt64Array =
        shown.flat_map(|(length, start)| start..start + length).collect::<Vec<_>>().into();
    take(lists.values(), &indices, None).map_err(internal)
}

/// Sums the sizes of the elements of each row.
fn regrouped(per_row: &[u64], mut sizes: impl Iterator<Item = u64>) -> Vec<u64> {
    per_row.iter().map(|elements| (0..*elements).filter_map(|_| sizes.next()).sum()).collect()
}
