//! The statistics of slices: parts of the rows that have values in common.
//!
//! Per batch the rows are put in the order of their slices once per slice asked for, and every column is gathered once
//! in that order; each slice then gets its piece of the gathered column without a copy. Columns of few different values
//! (text that comes as codes, numbers) are not gathered: their values are counted by slice. States are kept by key in
//! the order of keys, so that neither threads nor layout show.
//!
//! Memory: that of the profiles of the columns for each slice, of which there are at most `max_slices`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, UInt32Array};
use arrow::compute::take;
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::Heaviest;
use sluice_core::batch::Batch;
use sluice_core::column::Column;
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::{DatasetStatistics, SliceCondition, Slicing};

use super::few_values::FewValues;
use super::options::{StatisticsError, kind_of};
use super::row_filter::RowFilter;
use super::rows::RowStatistics;
use super::slice_key::{KeyValue, LONGEST_KEY, RowKeys, combined, keys_of};
use super::slice_spec::SliceSpec;

/// The slices of one entry of `slices`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sliced {
    /// As it was asked for.
    shown: String,
    /// Its columns with the value that is wanted; none: every value.
    columns: Vec<(String, Option<KeyValue>)>,
    /// Instead of columns: what is true in the rows of the one slice.
    filter: Option<RowFilter>,
    limit: u64,
    /// The statistics of a slice without rows.
    empty: RowStatistics,
    slices: BTreeMap<Vec<KeyValue>, Slice>,
    /// Rows without a value in one of the columns.
    num_rows_left_out: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slice {
    num_rows: u64,
    statistics: RowStatistics,
}

impl Sliced {
    /// No rows yet; the options were checked.
    ///
    /// # Errors
    /// An expression that does not fit the columns.
    pub(super) fn new(
        spec: &SliceSpec,
        limit: u64,
        empty: RowStatistics,
        columns: &[PlannedColumn],
    ) -> Result<Self> {
        let filter = spec.expression().map(|text| RowFilter::new(text, columns)).transpose()?;
        let wanted = |column: &str, value: &Option<String>| {
            KeyValue::parse(kind_of(columns, column)?.innermost(), value.as_deref()?)
        };
        let columns: Vec<(String, Option<KeyValue>)> =
            spec.parts().iter().map(|(column, value)| (column.clone(), wanted(column, value))).collect();
        let mut slices = BTreeMap::new();
        // A slice that is asked for by its values is there, with or without rows.
        if let Some(key) = columns.iter().map(|(_, value)| value.clone()).collect::<Option<Vec<KeyValue>>>() {
            slices.insert(key, Slice { num_rows: 0, statistics: empty.empty() });
        }
        Ok(Self { shown: spec.to_string(), columns, filter, limit, empty, slices, num_rows_left_out: 0 })
    }

    /// The same slices, no rows.
    pub(super) fn empty(&self) -> Self {
        let slices = self.slices.iter().filter(|_| self.is_single());
        let slice = |slice: &Slice| Slice { num_rows: 0, statistics: slice.statistics.empty() };
        Self {
            shown: self.shown.clone(),
            columns: self.columns.clone(),
            filter: self.filter.clone(),
            limit: self.limit,
            empty: self.empty.clone(),
            slices: slices.map(|(key, found)| (key.clone(), slice(found))).collect(),
            num_rows_left_out: 0,
        }
    }

    /// Whether every column has the value that is wanted.
    fn is_single(&self) -> bool {
        self.columns.iter().all(|(_, value)| value.is_some())
    }

    /// The columns that are read row by row.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let of_keys = self.columns.iter().map(|(column, _)| column.as_str());
        of_keys.chain(self.filter.iter().flat_map(RowFilter::columns)).chain(self.empty.columns())
    }

    /// Adds the rows of a batch.
    pub(super) fn rows(&mut self, batch: &Batch, weights: Option<&[f64]>) -> Result<()> {
        let Some(keys) = self.keys_of(batch)? else { return Ok(()) };
        self.num_rows_left_out += keys.missing.iter().filter(|is_missing| **is_missing).count() as u64;
        let order = Order::new(&keys, batch.rows());
        for (number, key) in keys.keys.iter().enumerate() {
            let rows = order.range(number).len() as u64;
            match self.slices.get_mut(key) {
                Some(slice) => slice.num_rows += rows,
                None => {
                    let statistics = self.empty.empty();
                    self.slices.insert(key.clone(), Slice { num_rows: rows, statistics });
                    self.check_limit()?;
                }
            }
        }
        let weights: Option<Vec<f64>> =
            weights.map(|weights| order.rows.values().iter().map(|row| weights[*row as usize]).collect());
        let names: Vec<String> = self.empty.columns().map(str::to_owned).collect();
        // By the number of the batch, for the columns to come.
        let mut slices: Vec<&mut RowStatistics> = Vec::with_capacity(keys.keys.len());
        let mut found: BTreeMap<&Vec<KeyValue>, &mut Slice> = self.slices.iter_mut().collect();
        for key in &keys.keys {
            let slice = found.remove(key).ok_or_else(|| CommonError::Internal("a slice was lost".into()))?;
            slices.push(&mut slice.statistics);
        }
        for (number, slice) in slices.iter_mut().enumerate() {
            slice.weights(weights.as_deref().map(|weights| &weights[order.range(number)]));
        }
        for (index, name) in names.iter().enumerate() {
            order.add(index, name, batch, weights.as_deref(), &mut slices)?;
        }
        Ok(())
    }

    /// The slices of each row.
    fn keys_of(&self, batch: &Batch) -> Result<Option<RowKeys<Vec<KeyValue>>>> {
        if let Some(filter) = &self.filter {
            return filter.keys_of(batch).map(Some);
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, wanted) in &self.columns {
            columns.push(keys_of(batch.require(column)?, wanted.as_ref()).map_err(|too_long| {
                let error = StatisticsError::SliceKeyTooLong {
                    slice: self.shown.clone(),
                    column: column.clone(),
                    bytes: too_long.bytes,
                    limit: LONGEST_KEY,
                };
                sluice_core::Error::from(error).at_row(too_long.row)
            })?);
        }
        Ok(combined(columns))
    }

    fn check_limit(&self) -> Result<()> {
        let seen = self.slices.len() as u64;
        if seen <= self.limit {
            return Ok(());
        }
        Err(StatisticsError::TooManySlices { slice: self.shown.clone(), seen, limit: self.limit }.into())
    }

    /// Joins the slices of later rows.
    pub(super) fn merge(&mut self, mut later: Self) -> Result<()> {
        if !self.empty.columns().eq(later.empty.columns()) {
            // Parts with other columns: every slice of both has the columns of both, in one order.
            let none = later.empty.clone();
            self.empty.merge(none.empty(), (0, 0));
            for slice in self.slices.values_mut() {
                slice.statistics.merge(none.empty(), (slice.num_rows, 0));
            }
            for slice in later.slices.values_mut() {
                let statistics = std::mem::replace(&mut slice.statistics, self.empty.empty());
                slice.statistics.merge(statistics, (0, slice.num_rows));
            }
        }
        for (key, slice) in later.slices {
            match self.slices.get_mut(&key) {
                Some(mine) => {
                    mine.statistics.merge(slice.statistics, (mine.num_rows, slice.num_rows));
                    mine.num_rows += slice.num_rows;
                }
                None => {
                    self.slices.insert(key, slice);
                }
            }
        }
        self.num_rows_left_out += later.num_rows_left_out;
        self.check_limit()
    }

    /// What became of the slice that was asked for, and the statistics of each that was found.
    pub(super) fn finish(self) -> (Slicing, Vec<DatasetStatistics>) {
        let slicing = Slicing {
            slice: self.shown,
            num_slices: self.slices.len() as u64,
            num_rows_left_out: self.num_rows_left_out,
        };
        let (columns, filter) = (&self.columns, &self.filter);
        let slices = self.slices.into_iter().map(|(key, slice)| {
            if let Some(filter) = filter {
                let name = filter.text().to_owned();
                let conditions = vec![SliceCondition { column: name.clone(), value: Some("true".into()) }];
                return DatasetStatistics {
                    name,
                    conditions,
                    num_rows: slice.num_rows,
                    ..slice.statistics.finish()
                };
            }
            let conditions: Vec<SliceCondition> = columns
                .iter()
                .zip(&key)
                .map(|((column, _), value)| SliceCondition {
                    column: column.clone(),
                    value: Some(value.to_string()),
                })
                .collect();
            let steps = conditions.iter().map(|condition| {
                format!("{}_{}", condition.column, condition.value.as_deref().unwrap_or_default())
            });
            let name = steps.collect::<Vec<_>>().join("_");
            DatasetStatistics { name, conditions, num_rows: slice.num_rows, ..slice.statistics.finish() }
        });
        (slicing, slices.collect())
    }

    /// Bytes held, capacity included.
    pub(super) fn size_bytes(&self) -> usize {
        let slices = self.slices.values();
        size_of::<Self>()
            + slices.map(|slice| size_of::<Slice>() + slice.statistics.size_bytes()).sum::<usize>()
    }

    /// All slices together, if there are any.
    pub(super) fn heaviest(&self) -> Option<Heaviest> {
        (!self.slices.is_empty()).then(|| Heaviest {
            what: format!("the statistics of the {} slices by `{}`", self.slices.len(), self.shown),
            bytes: self.size_bytes(),
            advice: Some(format!("leave out `--slice {}`, or lower `--max-slices`", self.shown)),
        })
    }
}

/// The rows of a batch in the order of their slices; a row of several slices stands several times.
struct Order {
    rows: UInt32Array,
    /// Where each slice begins in `rows`, and the end.
    starts: Vec<usize>,
}

impl Order {
    /// Sorts by counting; within a slice rows stay in order.
    fn new(keys: &RowKeys<Vec<KeyValue>>, num_rows: usize) -> Self {
        let mut starts = vec![0; keys.keys.len() + 1];
        for row in 0..num_rows {
            for number in keys.of(row) {
                starts[*number as usize + 1] += 1;
            }
        }
        for number in 1..starts.len() {
            starts[number] += starts[number - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; starts[keys.keys.len()]];
        for row in 0..num_rows {
            for number in keys.of(row) {
                let place = &mut next[*number as usize];
                rows[*place] = u32::try_from(row).unwrap_or(u32::MAX);
                *place += 1;
            }
        }
        Self { rows: UInt32Array::from(rows), starts }
    }

    fn range(&self, number: usize) -> std::ops::Range<usize> {
        self.starts[number]..self.starts[number + 1]
    }

    /// Adds one column to the slices.
    fn add(
        &self,
        index: usize,
        name: &str,
        batch: &Batch,
        weights: Option<&[f64]>,
        slices: &mut [&mut RowStatistics],
    ) -> Result<()> {
        let Some(array) = batch.column(name) else {
            for (number, slice) in slices.iter_mut().enumerate() {
                let range = self.range(number);
                slice.absent(index, range.len() as u64, weights.map(|weights| &weights[range]));
            }
            return Ok(());
        };
        let counted = match weights {
            None => self.counted(name, batch.split(), array)?,
            Some(_) => None,
        };
        if let Some(counted) = counted {
            for (slice, counted) in slices.iter_mut().zip(counted) {
                slice.counted(index, &counted)?;
            }
            return Ok(());
        }
        let gathered = take_rows(array, &self.rows)?;
        for (number, slice) in slices.iter_mut().enumerate() {
            let range = self.range(number);
            let piece = gathered.slice(range.start, range.len());
            slice.rows(index, &piece, weights.map(|weights| &weights[range]))?;
        }
        Ok(())
    }

    /// The counts of the values of a column by slice, where these are coded or few: two looks at each code, whatever
    /// the profiles cost.
    fn counted(&self, name: &str, split: u64, array: &ArrayRef) -> Result<Option<Vec<CountedColumn>>> {
        let Some(few) = FewValues::of(array) else { return Ok(None) };
        // The dictionary as views, which are taken without a copy of the text.
        let texts: Option<ArrayRef> = match Column::view(array) {
            Column::CodedText(_, texts) => Some(Arc::new(StringViewArray::from(texts))),
            _ => None,
        };
        let values = texts.as_ref().unwrap_or(array);
        let num_slices = self.starts.len() - 1;
        let mut views = Vec::with_capacity(num_slices);
        // All zero between slices.
        let mut places = vec![0_u64; few.firsts.len()];
        for number in 0..num_slices {
            let rows = &self.rows.values()[self.range(number)];
            let mut nulls = 0;
            for row in rows {
                match places.get_mut(few.codes[*row as usize] as usize) {
                    Some(count) => *count += 1,
                    None => nulls += 1,
                }
            }
            let (mut firsts, mut counts) = (Vec::new(), Vec::new());
            for row in rows {
                let code = few.codes[*row as usize] as usize;
                if let Some(count @ 1..) = places.get_mut(code) {
                    firsts.push(few.firsts[code]);
                    counts.push(std::mem::take(count));
                }
            }
            let values = take_rows(values, &UInt32Array::from(firsts))?;
            views.push(CountedColumn { column: name.into(), split, values, counts, nulls });
        }
        Ok(Some(views))
    }
}

fn take_rows(array: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef> {
    take(array, rows, None)
        .map_err(|error| CommonError::Internal(format!("cannot gather a slice: {error}")).into())
}
