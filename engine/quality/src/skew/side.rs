//! One side of a comparison: its rows of a part of the keys, as hashes.

use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray};
use arrow::record_batch::RecordBatch;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::in_order;
use sluice_core::plan::Split;
use sluice_core::seam::{BatchSource, Delivery, Request};

use super::cells::{NOTHING, further_hashes, hashes, splitmix};
use super::{PARTITION_BYTES, SkewOptions};

/// A range of the hashes of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    first: u64,
    last: u64,
}

impl Part {
    /// Ranges in order, each of which memory holds.
    pub(super) fn all(sides: &[Side<'_>; 2], execution: &Execution) -> Vec<Self> {
        let limit = execution.memory.map_or(PARTITION_BYTES, |memory| memory.in_bytes() / 3);
        let bytes: u64 = sides.iter().map(Side::bytes).sum();
        let number = bytes.div_ceil(std::cmp::max(limit, 1 << 20)).clamp(1, 1 << 20);
        Self::split(number)
    }

    /// So many ranges of equal size.
    pub(super) fn split(number: u64) -> Vec<Self> {
        let width = u64::MAX / number;
        let first = |index: u64| if index == 0 { 0 } else { index * width + 1 };
        (0..number)
            .map(|index| Self {
                first: first(index),
                last: if index + 1 == number { u64::MAX } else { first(index + 1) - 1 },
            })
            .collect()
    }

    pub(super) fn contains(self, hash: u64) -> bool {
        (self.first..=self.last).contains(&hash)
    }

    fn is_first(self) -> bool {
        self.first == 0
    }
}

/// A row by its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyedRow {
    /// Of its key.
    pub(super) key: (u64, u64),
    /// Where it is: its split and its number there.
    pub(super) place: (u64, u64),
    /// Where its values are.
    pub(super) cells: usize,
}

/// Rows of one side, by key, then by place.
#[derive(Debug, Default)]
pub(super) struct KeyedRows {
    pub(super) rows: Vec<KeyedRow>,
    cells: Vec<u64>,
    width: usize,
    /// Rows without a key, and all rows; told by the first part.
    pub(super) without_key: u64,
    pub(super) num_rows: u64,
}

impl KeyedRows {
    /// The values of a row.
    pub(super) fn cells(&self, row: &KeyedRow) -> &[u64] {
        &self.cells[row.cells..row.cells + self.width]
    }

    fn append(&mut self, mut later: Self) {
        let shift = self.cells.len();
        later.rows.iter_mut().for_each(|row| row.cells += shift);
        self.rows.append(&mut later.rows);
        self.cells.append(&mut later.cells);
        self.without_key += later.without_key;
        self.num_rows += later.num_rows;
    }
}

/// A source with what is read of it.
pub(super) struct Side<'a> {
    pub(super) source: &'a dyn BatchSource,
    /// The columns of the key, then those compared, as indices of the plan; none where this side lacks them.
    indices: Vec<Option<usize>>,
    num_keys: usize,
    digits: Option<u32>,
}

impl<'a> Side<'a> {
    pub(super) fn new(source: &'a dyn BatchSource, options: &SkewOptions, columns: &[String]) -> Self {
        let plan = source.plan();
        let index = |name: &String| plan.columns.iter().position(|column| column.name == *name);
        let indices = options.key.iter().chain(columns).map(index).collect();
        Self { source, indices, num_keys: options.key.len(), digits: options.float_digits }
    }

    /// What all rows take.
    fn bytes(&self) -> u64 {
        let width = self.indices.len() - self.num_keys;
        self.source.plan().rows().saturating_mul((size_of::<KeyedRow>() + 8 * width) as u64)
    }

    pub(super) fn request(&self) -> Request {
        let mut indices: Vec<usize> = self.indices.iter().flatten().copied().collect();
        indices.sort_unstable();
        indices.dedup();
        Request::of_rows(indices)
    }

    /// The columns of a batch of [`Side::request`], in the order of key and columns; nulls where this side lacks one.
    pub(super) fn columns(&self, request: &Request, batch: &RecordBatch) -> Vec<(String, ArrayRef)> {
        let nothing: ArrayRef = Arc::new(NullArray::new(batch.num_rows()));
        let column = |index: &Option<usize>| {
            let found = index.and_then(|index| {
                let place = request.rows.iter().position(|mine| *mine == index)?;
                Some((self.source.plan().columns[index].name.clone(), Arc::clone(batch.column(place))))
            });
            found.unwrap_or_else(|| (String::new(), Arc::clone(&nothing)))
        };
        self.indices.iter().map(column).collect()
    }

    /// The rows of a part, sorted.
    pub(super) fn read(&self, part: Part, execution: &Execution) -> Result<KeyedRows> {
        let plan = self.source.plan();
        let request = self.request();
        let width = self.indices.len() - self.num_keys;
        let mut found = KeyedRows { width, ..KeyedRows::default() };
        execution.progress.begin("compare by key", plan.extent());
        in_order(
            &plan.splits,
            execution,
            |split| self.split(split, &request, part, execution),
            |_, rows| {
                found.append(rows);
                Ok(())
            },
        )?;
        execution.progress.end();
        found.rows.sort_unstable();
        Ok(found)
    }

    fn split(
        &self,
        split: &Split,
        request: &Request,
        part: Part,
        execution: &Execution,
    ) -> Result<KeyedRows> {
        let plan = self.source.plan();
        let mut found = KeyedRows { width: self.indices.len() - self.num_keys, ..KeyedRows::default() };
        let mut first_row = 0;
        self.source.read(split, request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(batch) = delivery else { return Ok(()) };
            let rows = batch.num_rows() as u64;
            let place = |error| plan.located(error, &self.source.name(), split.number, first_row);
            self.batch(&batch, request, part, (split.number, first_row), &mut found).map_err(place)?;
            execution.advance(plan, split, first_row, rows);
            first_row += rows;
            Ok(())
        })?;
        Ok(found)
    }

    fn batch(
        &self,
        batch: &RecordBatch,
        request: &Request,
        part: Part,
        (split, first_row): (u64, u64),
        found: &mut KeyedRows,
    ) -> Result<()> {
        let columns = self.columns(request, batch);
        let (key, columns) = columns.split_at(self.num_keys);
        let mut keys = vec![Some((0, 0)); batch.num_rows()];
        for (name, array) in key {
            let (one, two) = (hashes(name, array, None)?, further_hashes(name, array)?);
            for (row, key) in keys.iter_mut().enumerate() {
                *key = key.filter(|_| one[row] != NOTHING).map(|(a, b): (u64, u64)| {
                    (splitmix(a ^ one[row]), splitmix(b.rotate_left(32) ^ two[row].rotate_left(7)))
                });
            }
        }
        if part.is_first() {
            found.num_rows += keys.len() as u64;
            found.without_key += keys.iter().filter(|key| key.is_none()).count() as u64;
        }
        let of_part = |key: &Option<(u64, u64)>| key.filter(|(first, _)| part.contains(*first));
        let kept: Vec<(usize, (u64, u64))> =
            keys.iter().enumerate().filter_map(|(row, key)| Some((row, of_part(key)?))).collect();
        let start = found.cells.len();
        found.cells.resize(start + kept.len() * found.width, NOTHING);
        for (column, (name, array)) in columns.iter().enumerate() {
            let values = hashes(name, array, self.digits)?;
            for (index, (row, _)) in kept.iter().enumerate() {
                found.cells[start + index * found.width + column] = values[*row];
            }
        }
        found.rows.extend(kept.iter().enumerate().map(|(index, (row, key))| KeyedRow {
            key: *key,
            place: (split, first_row + *row as u64),
            cells: start + index * found.width,
        }));
        Ok(())
    }
}
