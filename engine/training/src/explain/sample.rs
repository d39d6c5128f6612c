//! A bounded sample of rows that follows from their keys: those whose keyed number is least.
//!
//! The number of a row is splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA
//! 2014, figure 16) of its identity's hash plus that of the seed. The sample holds the `rows` least numbers in ascending
//! order, so neither the order of the rows nor the files nor the threads decide what is in it; of rows with one identity
//! the first in the data come first. One scan; memory is that of some twice as many rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::batch::{Batch, RowIdentity};
use sluice_core::column::plain_normal_type;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::in_order_weighed;
use sluice_core::options::{OptionsError, Range};
use sluice_core::plan::Split;
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::splitmix::{GAMMA, mix};

use super::arrow;

/// Which rows are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleOptions {
    /// So many at most.
    pub rows: u64,
    /// Another number, another sample.
    pub seed: u64,
    /// What identifies a row.
    pub identity: RowIdentity,
}

impl SampleOptions {
    /// Rows unless told otherwise.
    pub const DEFAULT_ROWS: u64 = 100_000;
    /// The numbers of rows that are allowed.
    pub const ROWS: Range = Range::closed(1.0, 100_000_000.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn check(&self) -> Result<(), OptionsError> {
        Self::ROWS.check("rows", self.rows as f64).map(drop)
    }
}

/// Some rows of a source with what identifies them.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The rows.
    pub rows: RecordBatch,
    /// The hash of the identity of each.
    pub hashes: Vec<u64>,
    /// The rows of the source.
    pub of_rows: u64,
}

/// The number that orders a key.
pub(super) fn splitmix(key: u64) -> u64 {
    mix(key.wrapping_add(GAMMA))
}

/// The number of a row with this hash.
pub(super) fn keyed(hash: u64, seed: u64) -> u64 {
    splitmix(hash.wrapping_add(splitmix(seed)))
}

impl Sample {
    /// Some rows of `source` with these columns, in one scan.
    ///
    /// # Errors
    /// A column that is missing, what reading meets, and more memory than there may be.
    pub fn take(
        source: &dyn BatchSource,
        columns: &[String],
        options: &SampleOptions,
        execution: &Execution,
    ) -> Result<Self> {
        options.check()?;
        let plan = source.plan();
        let identity = options.identity.columns();
        for column in columns.iter().chain(&identity) {
            plan.require(column, &source.name())?;
        }
        let is_read = |index: &usize| {
            let name = &plan.columns[*index].name;
            columns.contains(name) || identity.contains(name)
        };
        let request = Request::of_rows((0..plan.columns.len()).filter(is_read).collect());
        let scan = Scan { source, columns, options, request };
        let mut kept = Kept::default();
        let limit = usize::try_from(options.rows).unwrap_or(usize::MAX);
        execution.progress.begin("sample", plan.extent());
        in_order_weighed(
            &plan.splits,
            execution,
            Kept::size_bytes,
            |split, task| {
                let mut kept = Kept::default();
                let mut first_row = 0;
                scan.read(split, execution, |batch, hashes| {
                    task.advance(execution, plan, split, first_row, hashes.len() as u64);
                    first_row += hashes.len() as u64;
                    kept.push(batch, hashes, options.seed)?;
                    kept.prune(limit)?;
                    Ok(task.holds(kept.size_bytes())?)
                })?;
                Ok(kept)
            },
            |_, later: Kept| {
                kept.merge(later)?;
                kept.prune(limit)?;
                Ok(kept.size_bytes())
            },
        )?;
        execution.progress.end();
        let (rows, hashes) = kept.finish(limit, &scan.schema())?;
        Ok(Self { rows, hashes, of_rows: plan.rows() })
    }

    /// The rows for which `keep` is true.
    pub(super) fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        let rows = filter_record_batch(&self.rows, keep).map_err(arrow)?;
        let pairs = self.hashes.iter().zip(keep.iter());
        let hashes = pairs.filter(|(_, keep)| *keep == Some(true)).map(|(hash, _)| *hash).collect();
        Ok(Self { rows, hashes, of_rows: self.of_rows })
    }
}

struct Scan<'a> {
    source: &'a dyn BatchSource,
    columns: &'a [String],
    options: &'a SampleOptions,
    request: Request,
}

impl Scan<'_> {
    /// The columns of the sample, where no row was read.
    fn schema(&self) -> SchemaRef {
        let plan = self.source.plan();
        let field = |name: &String| {
            let kind = plan.column(name).and_then(|column| column.kind.normal_type());
            Field::new(name, kind.unwrap_or(DataType::Null), true)
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    fn read(
        &self,
        split: &Split,
        execution: &Execution,
        mut visit: impl FnMut(&RecordBatch, &[u64]) -> Result<()>,
    ) -> Result<()> {
        let mut first_row = 0;
        self.source.read(split, &self.request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(record_batch) = delivery else { return Ok(()) };
            let batch = Batch::new(&record_batch);
            let place =
                |error| self.source.plan().located(error, &self.source.name(), split.number, first_row);
            let hashes = batch.hash(&self.options.identity).map_err(place)?;
            let arrays: Vec<&ArrayRef> =
                self.columns.iter().map(|name| batch.require(name)).collect::<Result<_>>()?;
            let fields = self
                .columns
                .iter()
                .zip(&arrays)
                .map(|(name, array)| Field::new(name, array.data_type().clone(), true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let rows = RecordBatch::try_new(schema, arrays.into_iter().cloned().collect()).map_err(arrow)?;
            visit(&rows, &hashes)?;
            first_row += hashes.len() as u64;
            Ok(())
        })
    }
}

/// The rows that may be among the least.
#[derive(Debug, Default)]
struct Kept {
    batches: Vec<RecordBatch>,
    /// The number and the hash of each row.
    keys: Vec<(u64, u64)>,
    /// Rows with a higher number are not among the least.
    bound: Option<u64>,
}

impl Kept {
    fn size_bytes(&self) -> usize {
        let rows: usize = self.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        rows + self.keys.capacity() * size_of::<(u64, u64)>()
    }

    fn push(&mut self, batch: &RecordBatch, hashes: &[u64], seed: u64) -> Result<()> {
        let keys: Vec<(u64, u64)> = hashes.iter().map(|hash| (keyed(*hash, seed), *hash)).collect();
        self.add(batch, &keys)
    }

    fn add(&mut self, batch: &RecordBatch, keys: &[(u64, u64)]) -> Result<()> {
        let is_kept = |number: u64| self.bound.is_none_or(|bound| number <= bound);
        let mask: BooleanArray = keys.iter().map(|(number, _)| Some(is_kept(*number))).collect();
        self.keys.extend(keys.iter().filter(|(number, _)| is_kept(*number)));
        let rows = filter_record_batch(batch, &mask).map_err(arrow)?;
        if rows.num_rows() > 0 {
            self.batches.push(own(&rows)?);
        }
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        let mut first = 0;
        for batch in later.batches {
            let end = first + batch.num_rows();
            self.add(&batch, &later.keys[first..end])?;
            first = end;
        }
        self.bound = self.bound.into_iter().chain(later.bound).min();
        Ok(())
    }

    /// Drops rows that are not among the `limit` least, once there are twice as many.
    fn prune(&mut self, limit: usize) -> Result<()> {
        if self.keys.len() < 2 * std::cmp::max(limit, 1024) {
            return Ok(());
        }
        let Some(schema) = self.batches.first().map(RecordBatch::schema) else { return Ok(()) };
        let (rows, keys) = least(std::mem::take(&mut self.batches), &self.keys, limit, &schema)?;
        self.bound = keys.last().map(|(number, _)| *number);
        (self.batches, self.keys) = (vec![rows], keys);
        Ok(())
    }

    fn finish(self, limit: usize, schema: &SchemaRef) -> Result<(RecordBatch, Vec<u64>)> {
        let (rows, keys) = least(self.batches, &self.keys, limit, schema)?;
        Ok((rows, keys.into_iter().map(|(_, hash)| hash).collect()))
    }
}

/// The rows of the `limit` least numbers, ascending, with their keys; of one number the first.
fn least(
    batches: Vec<RecordBatch>,
    keys: &[(u64, u64)],
    limit: usize,
    schema: &SchemaRef,
) -> Result<(RecordBatch, Vec<(u64, u64)>)> {
    let plain = batches.iter().map(plain).collect::<Result<Vec<_>>>()?;
    let schema = plain.first().map_or_else(|| Arc::clone(schema), RecordBatch::schema);
    let rows = concat_batches(&schema, &plain).map_err(arrow)?;
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|place| keys[*place].0);
    order.truncate(limit);
    let places: UInt64Array = order.iter().map(|place| Some(*place as u64)).collect();
    let rows = own(&take_record_batch(&rows, &places).map_err(arrow)?)?;
    Ok((rows, order.into_iter().map(|place| keys[place]).collect()))
}

/// The rows without what views hold on to: few rows of many would keep the text of all of them in memory.
fn own(batch: &RecordBatch) -> Result<RecordBatch> {
    let column = |array: &ArrayRef| -> ArrayRef {
        match array.data_type() {
            DataType::Utf8View => Arc::new(array.as_string_view().gc()),
            DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
            _ => Arc::clone(array),
        }
    };
    let columns = batch.columns().iter().map(column).collect();
    RecordBatch::try_new(batch.schema(), columns).map_err(arrow)
}

/// Without dictionaries, which may differ from batch to batch.
fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .map(|column| cast(column, &plain_normal_type(column.data_type())).map_err(arrow))
        .collect::<Result<_>>()?;
    let fields = batch
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
        .collect::<Vec<_>>();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(arrow)
}
