//! The statistics of slices: parts of the rows that have values in common.
//!
//! Columns that a source codes come as counted views after the rows of a split, which leave behind in which slices each
//! of them is: their values are counted by slice and code, and no value is looked at twice. Other columns come with the
//! rows. Those of few different values (text that comes as codes, numbers) are counted the same way, batch by batch.
//! The rest is gathered once per batch in the order of the slices; each slice gets its piece without a copy. States are
//! kept by key in the order of keys, so that neither threads nor layout show.
//!
//! Memory: that of the profiles of the columns for each slice, of which there are at most `max_slices`; while a split is
//! read 4 bytes for each of its rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::take;
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::Heaviest;
use sluice_core::batch::{Batch, Delivered};
use sluice_core::column::Column;
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::{DatasetStatistics, SliceCondition, Slicing};

use super::few_values::FewValues;
use super::options::{StatisticsError, kind_of};
use super::profile::{Prepared, Ranked};
use super::row_filter::RowFilter;
use super::rows::RowStatistics;
use super::slice_counts::{Codes, SliceCounts, SliceRows};
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
    /// Of the split that is being read, while columns are still to come.
    #[serde(skip)]
    split: Option<SplitRows>,
}

/// The rows of a split for the columns that come after them.
#[derive(Clone, Debug)]
struct SplitRows {
    /// The slices of the split, numbered as they came.
    keys: BTreeMap<Vec<KeyValue>, u32>,
    batches: Vec<RowKeys<()>>,
    /// Columns that have not come yet.
    awaited: usize,
    /// Where the next column probably stands.
    next_column: usize,
    scratch: Vec<u32>,
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
        Ok(Self {
            shown: spec.to_string(),
            columns,
            filter,
            limit,
            empty,
            slices,
            num_rows_left_out: 0,
            split: None,
        })
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
            split: None,
        }
    }

    /// Whether every column has the value that is wanted.
    fn is_single(&self) -> bool {
        self.columns.iter().all(|(_, value)| value.is_some())
    }

    /// The columns by which rows are told apart.
    pub(super) fn key_columns(&self) -> impl Iterator<Item = &str> {
        let of_keys = self.columns.iter().map(|(column, _)| column.as_str());
        of_keys.chain(self.filter.iter().flat_map(RowFilter::columns))
    }

    /// The columns that are described.
    pub(super) fn described(&self) -> impl Iterator<Item = &str> {
        self.empty.columns()
    }

    /// Adds the rows of a batch. With weights every column stands in it, else those that are coded come later.
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
        let is_later = |name: &str| weights.is_none() && matches!(batch.delivered(name), Delivered::Apart);
        let names = || self.empty.columns().enumerate();
        let now: Vec<(usize, String)> = names()
            .filter(|(_, name)| !is_later(name))
            .map(|(index, name)| (index, name.to_owned()))
            .collect();
        let awaited = names().count() - now.len();
        let weights: Option<Vec<f64>> =
            weights.map(|weights| order.rows.values().iter().map(|row| weights[*row as usize]).collect());
        let mut slices = by_key(&mut self.slices, keys.keys.iter())?;
        for (number, slice) in slices.iter_mut().enumerate() {
            slice.weights(weights.as_deref().map(|weights| &weights[order.range(number)]));
        }
        let mut scratch = Vec::new();
        order.relate(batch, &self.empty, &mut slices)?;
        for (index, name) in &now {
            order.add(*index, name, (batch, &keys), weights.as_deref(), &mut slices, &mut scratch)?;
        }
        if awaited > 0 {
            self.split.get_or_insert_with(|| SplitRows::new(awaited)).add(keys);
        }
        Ok(())
    }

    /// Adds a column of the split whose rows were added.
    ///
    /// # Errors
    /// [`CommonError::Internal`] where it has no codes, or not as many as there were rows.
    pub(super) fn coded(&mut self, counted: &CountedColumn, ranked: Option<&Ranked>) -> Result<()> {
        let Some(split) = &mut self.split else { return Ok(()) };
        let is_it = |index: &usize| self.empty.column(*index) == Some(counted.column.as_str());
        let all = || (0..self.empty.columns().count()).find(is_it);
        let Some(index) = Some(split.next_column).filter(is_it).or_else(all) else { return Ok(()) };
        split.next_column = index + 1;
        let lost = || CommonError::Internal(format!("no codes of `{}` for slices", counted.column));
        let codes = counted.codes.as_deref().ok_or_else(lost)?;
        let Ranked { values, by_rank } = ranked.ok_or_else(lost)?;
        if codes.len() != split.batches.iter().map(RowKeys::rows).sum::<usize>() {
            return Err(lost().into());
        }
        let rows = SliceRows { parts: &split.batches, num_slices: split.keys.len() };
        let found = rows.count(Codes { codes, by_rank }, &mut split.scratch);
        for (key, number) in &split.keys {
            let (Some(slice), Some(found)) = (self.slices.get_mut(key), found.get(*number as usize)) else {
                return Err(lost().into());
            };
            slice.statistics.prepared(index, values, &found.counts, found.nulls);
        }
        split.awaited = split.awaited.saturating_sub(1);
        if split.awaited == 0 {
            self.split = None;
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
        self.split = None;
        if !self.empty.columns().eq(later.empty.columns()) {
            // Parts with other columns: every slice of both has the columns of both, in one order.
            let none = later.empty.clone();
            self.empty.merge(none.empty(), (0, 0))?;
            for slice in self.slices.values_mut() {
                slice.statistics.merge(none.empty(), (slice.num_rows, 0))?;
            }
            for slice in later.slices.values_mut() {
                let statistics = std::mem::replace(&mut slice.statistics, self.empty.empty());
                slice.statistics.merge(statistics, (0, slice.num_rows))?;
            }
        }
        for (key, slice) in later.slices {
            match self.slices.get_mut(&key) {
                Some(mine) => {
                    mine.statistics.merge(slice.statistics, (mine.num_rows, slice.num_rows))?;
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
            + self.split.as_ref().map_or(0, SplitRows::size_bytes)
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

impl SplitRows {
    fn new(awaited: usize) -> Self {
        Self { keys: BTreeMap::new(), batches: Vec::new(), awaited, next_column: 0, scratch: Vec::new() }
    }

    fn add(&mut self, mut keys: RowKeys<Vec<KeyValue>>) {
        let names = std::mem::take(&mut keys.keys);
        let numbers: Vec<u32> = names
            .into_iter()
            .map(|key| {
                let next = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
                *self.keys.entry(key).or_insert(next)
            })
            .collect();
        self.batches.push(keys.renumbered(&numbers));
    }

    fn size_bytes(&self) -> usize {
        self.batches.iter().map(RowKeys::size_bytes).sum::<usize>()
            + self.scratch.capacity() * size_of::<u32>()
    }
}

/// The statistics of the slices with these keys, in their order.
fn by_key<'a, 'k>(
    slices: &'a mut BTreeMap<Vec<KeyValue>, Slice>,
    keys: impl Iterator<Item = &'k Vec<KeyValue>>,
) -> Result<Vec<&'a mut RowStatistics>> {
    let mut all: BTreeMap<&Vec<KeyValue>, &mut Slice> = slices.iter_mut().collect();
    let mut take = |key| all.remove(key).map(|slice| &mut slice.statistics);
    keys.map(|key| take(key).ok_or_else(|| CommonError::Internal("a slice was lost".into()).into())).collect()
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

    /// Adds the rows to what the slices know of columns together.
    fn relate(&self, batch: &Batch, empty: &RowStatistics, slices: &mut [&mut RowStatistics]) -> Result<()> {
        let names = empty.related().columns.into_keys();
        let there = names.filter_map(|name| Some((batch.column(&name)?, name)));
        let columns: Vec<(String, ArrayRef)> =
            there.map(|(array, name)| Ok((name, take_rows(array, &self.rows)?))).collect::<Result<_>>()?;
        if columns.is_empty() {
            return Ok(());
        }
        let gathered = RecordBatch::try_from_iter(columns)
            .map_err(|error| CommonError::Internal(format!("cannot gather slices: {error}")))?;
        for (number, slice) in slices.iter_mut().enumerate() {
            let range = self.range(number);
            slice.relate(&Batch::new(&gathered.slice(range.start, range.len())))?;
        }
        Ok(())
    }

    /// Adds one column to the slices.
    fn add(
        &self,
        index: usize,
        name: &str,
        (batch, keys): (&Batch, &RowKeys<Vec<KeyValue>>),
        weights: Option<&[f64]>,
        slices: &mut [&mut RowStatistics],
        scratch: &mut Vec<u32>,
    ) -> Result<()> {
        let Some(array) = batch.column(name) else {
            for (number, slice) in slices.iter_mut().enumerate() {
                let range = self.range(number);
                slice.absent(index, range.len() as u64, weights.map(|weights| &weights[range]));
            }
            return Ok(());
        };
        if weights.is_none()
            && let Some((values, counts)) = counted(array, keys, scratch)?
        {
            for (slice, SliceCounts { counts, nulls }) in slices.iter_mut().zip(counts) {
                slice.prepared(index, &values, &counts, nulls);
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
}

/// The counts of the values of a column by slice, where these are coded or few.
fn counted(
    array: &ArrayRef,
    keys: &RowKeys<Vec<KeyValue>>,
    scratch: &mut Vec<u32>,
) -> Result<Option<(Prepared, Vec<SliceCounts>)>> {
    let Some(few) = FewValues::of(array) else { return Ok(None) };
    let values: ArrayRef = match Column::view(array) {
        // The dictionary as views, without a copy of the text.
        Column::CodedText(_, texts) => Arc::new(StringViewArray::from(texts)),
        _ => take_rows(array, &UInt32Array::from(few.firsts))?,
    };
    let Some(Ranked { values, by_rank }) = Ranked::of(&values) else { return Ok(None) };
    let rows = SliceRows { parts: std::slice::from_ref(keys), num_slices: keys.keys.len() };
    let counts = rows.count(Codes { codes: &few.codes, by_rank: &by_rank }, scratch);
    Ok(Some((values, counts)))
}

fn take_rows(array: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef> {
    take(array, rows, None)
        .map_err(|error| CommonError::Internal(format!("cannot gather a slice: {error}")).into())
}
