//! Rows to encoded row groups of a Parquet file, on whatever thread reads the rows; the file is then put together
//! from bytes alone ([`ParquetWriter::append`](crate::ParquetWriter::append)).
//!
//! A row group is cut after T = min(262,144, ⌊8,388,608 / columns⌋, at least 256) rows, but only once M = min(32,768,
//! ⌊T / 2⌋) more have come; so groups hold M to T + M rows, and only what was pushed in all decides where they are
//! cut. Fewer than M rows are not encoded but handed on, so that small parts are encoded together. Memory: one
//! group's encoded pages and at most M rows plus one batch in Arrow arrays.
//!
//! Whether a column gets a dictionary is decided for each group by its first 4096 rows (fewer than 1024 do not tell,
//! and it does): building one for values that are all different costs a quarter of the writing and is thrown away.

use std::io::Sink;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use sluice_core::encoding::hash_rows;
use sluice_core::error::Result as SluiceResult;

use crate::error::IngestError;

/// Rows of a row group: many enough to compress well, few enough to hold several in memory.
const GROUP_ROWS: usize = 1 << 18;

/// Cells of a row group, which bound it where a table is wide: 64 MiB of plain numbers.
const GROUP_CELLS: usize = 1 << 23;

/// Not even the widest table is cut into groups of fewer rows: each column of each group costs the footer some
/// hundred bytes.
const LEAST_GROUP_ROWS: usize = 256;

/// Fewer rows are not encoded by themselves.
const PART_ROWS: usize = 1 << 15;

/// Rows at the head of a group by which columns are judged.
const JUDGED_ROWS: usize = 4096;

/// A head of fewer rows does not tell.
const LEAST_JUDGED_ROWS: usize = 1024;

/// Where groups are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    /// A group is full.
    full: usize,
    /// So many rows are worth a group of their own.
    part: usize,
}

impl Cut {
    fn new(columns: usize) -> Self {
        let by_cells = GROUP_CELLS / std::cmp::max(columns, 1);
        let full = by_cells.clamp(LEAST_GROUP_ROWS, GROUP_ROWS);
        Self { full, part: std::cmp::min(PART_ROWS, full / 2) }
    }
}

/// Encodes consecutive rows of a Parquet file as row groups.
#[derive(Debug)]
pub struct RowGroupEncoder {
    name: String,
    schema: SchemaRef,
    cut: Cut,
    pending: Pending,
    open: Option<OpenGroup>,
    full: Vec<EncodedGroup>,
}

/// What became of consecutive rows: encoded row groups, or rows that are too few for one.
#[derive(Debug)]
pub struct EncodedRows {
    pub(crate) groups: Vec<EncodedGroup>,
    pub(crate) rest: Vec<RecordBatch>,
}

impl EncodedRows {
    /// Bytes held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.groups.iter().map(|group| group.size_bytes).sum::<usize>() + rows_bytes(&self.rest)
    }
}

/// The bytes of rows in Arrow arrays.
fn rows_bytes(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::get_array_memory_size).sum()
}

impl RowGroupEncoder {
    /// For rows of the file `name` (for messages) with this schema.
    #[must_use]
    pub fn new(name: &str, schema: &SchemaRef) -> Self {
        Self {
            name: name.into(),
            schema: Arc::clone(schema),
            cut: Cut::new(schema.fields().len()),
            pending: Pending::default(),
            open: None,
            full: Vec::new(),
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When a column has a type that Parquet lacks, or another one than the schema says.
    pub fn push(&mut self, batch: &RecordBatch) -> SluiceResult<()> {
        Ok(self.encode(batch).map_err(|source| IngestError::Write { name: self.name.clone(), source })?)
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<()> {
        self.pending.push(batch.clone());
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None if self.pending.rows < self.cut.part => return Ok(()),
                None => self.open.insert(OpenGroup::new(&self.schema, &self.pending.batches)?),
            };
            self.pending.move_to(open, self.cut.full - open.rows)?;
            if open.rows < self.cut.full || self.pending.rows < self.cut.part {
                return Ok(());
            }
            self.close()?;
        }
    }

    fn close(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            self.full.push(open.close()?);
        }
        Ok(())
    }

    /// Bytes held: encoded groups, the one in the making, and rows that wait.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let full = self.full.iter().map(|group| group.size_bytes).sum::<usize>();
        full + self.open.as_ref().map_or(0, OpenGroup::size_bytes) + rows_bytes(&self.pending.batches)
    }

    /// The groups that are full by now.
    pub(crate) fn take_full(&mut self) -> Vec<EncodedGroup> {
        std::mem::take(&mut self.full)
    }

    /// Ends the last group; rows that were too few for one stay as they are.
    ///
    /// # Errors
    /// As [`RowGroupEncoder::push`].
    pub fn finish(mut self) -> SluiceResult<EncodedRows> {
        if self.open.is_some() {
            self.flush()?;
        }
        Ok(EncodedRows { groups: self.full, rest: self.pending.batches })
    }

    /// Makes a group of all that has come, however few rows that are.
    pub(crate) fn flush(&mut self) -> SluiceResult<()> {
        Ok(self.encode_all().map_err(|source| IngestError::Write { name: self.name.clone(), source })?)
    }

    fn encode_all(&mut self) -> Result<()> {
        if self.open.is_none() && self.pending.rows > 0 {
            self.open = Some(OpenGroup::new(&self.schema, &self.pending.batches)?);
        }
        if let Some(open) = &mut self.open {
            self.pending.move_to(open, usize::MAX)?;
        }
        self.close()
    }
}

/// Rows that wait.
#[derive(Debug, Default)]
struct Pending {
    batches: Vec<RecordBatch>,
    rows: usize,
}

impl Pending {
    fn push(&mut self, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.rows += batch.num_rows();
            self.batches.push(batch);
        }
    }

    /// Moves the first `limit` rows into a group.
    fn move_to(&mut self, group: &mut OpenGroup, limit: usize) -> Result<()> {
        let mut room = limit;
        let mut rest = Vec::new();
        for batch in std::mem::take(&mut self.batches) {
            let taken = std::cmp::min(room, batch.num_rows());
            if taken > 0 {
                group.write(&batch.slice(0, taken))?;
            }
            if taken < batch.num_rows() {
                rest.push(batch.slice(taken, batch.num_rows() - taken));
            }
            room -= taken;
            self.rows -= taken;
        }
        self.batches = rest;
        Ok(())
    }
}

/// A row group that still takes rows.
#[derive(Debug)]
struct OpenGroup {
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl OpenGroup {
    fn new(schema: &SchemaRef, head: &[RecordBatch]) -> Result<Self> {
        // The column writers come from a writer of a whole file, here of one that nobody reads.
        let writer =
            ArrowWriter::<Sink>::try_new(std::io::sink(), Arc::clone(schema), Some(judged(schema, head)))?;
        let (_, factory) = writer.into_serialized_writer()?;
        Ok(Self { schema: Arc::clone(schema), columns: factory.create_column_writers(0)?, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let lacks = || ParquetError::General("a batch has other columns than the file".into());
        let mut columns = self.columns.iter_mut();
        if batch.num_columns() != self.schema.fields().len() {
            return Err(lacks());
        }
        for (field, array) in self.schema.fields().iter().zip(batch.columns()) {
            // Refuses another type than the field's; a dictionary of its type is written as plain values.
            for leaf in compute_leaves(field, array)? {
                columns.next().ok_or_else(lacks)?.write(&leaf)?;
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    fn close(self) -> Result<EncodedGroup> {
        let chunks = self.columns.into_iter().map(ArrowColumnWriter::close).collect::<Result<Vec<_>>>()?;
        let compressed = chunks.iter().map(|chunk| chunk.close().metadata.compressed_size());
        let size_bytes = compressed.map(|bytes| usize::try_from(bytes).unwrap_or(0)).sum();
        Ok(EncodedGroup { rows: self.rows, size_bytes, chunks })
    }
}

/// A row group as bytes.
#[derive(Debug)]
pub(crate) struct EncodedGroup {
    pub(crate) rows: usize,
    /// Of its pages.
    size_bytes: usize,
    pub(crate) chunks: Vec<ArrowColumnChunk>,
}

/// How any row group is written.
pub(crate) fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_max_row_group_row_count(None)
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("sluice {}", env!("CARGO_PKG_VERSION")))
}

/// How a row group is written that begins with these rows.
fn judged(schema: &SchemaRef, head: &[RecordBatch]) -> WriterProperties {
    let mut properties = properties();
    let rows: usize = head.iter().map(RecordBatch::num_rows).sum();
    let judged = std::cmp::min(rows, JUDGED_ROWS);
    if judged < LEAST_JUDGED_ROWS {
        return properties.build();
    }
    for (index, field) in schema.fields().iter().enumerate() {
        let mut hashes: Vec<u64> = Vec::with_capacity(judged);
        for batch in head {
            let wanted = std::cmp::min(judged - hashes.len(), batch.num_rows());
            let column = batch.columns().get(index).map(|array| (field.name().as_str(), array));
            // A column without an encoding (nested ones) is not judged.
            hashes.extend(column.and_then(|column| hash_rows(&[column], wanted).ok()).unwrap_or_default());
        }
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.len() > judged / 2 {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn rows(from: i64, count: usize) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((from..).take(count)));
        RecordBatch::try_from_iter([("id", numbers)]).unwrap()
    }

    /// An encoder that cuts after 10 rows once 4 more have come.
    fn encoder() -> RowGroupEncoder {
        let encoder = RowGroupEncoder::new("test.parquet", &rows(0, 1).schema());
        RowGroupEncoder { cut: Cut { full: 10, part: 4 }, ..encoder }
    }

    fn sizes(groups: &[EncodedGroup]) -> Vec<usize> {
        groups.iter().map(|group| group.rows).collect()
    }

    #[test]
    fn wide_tables_are_cut_by_cells() {
        assert_eq!(Cut::new(20), Cut { full: 262_144, part: 32_768 });
        assert_eq!(Cut::new(100), Cut { full: 83_886, part: 32_768 });
        assert_eq!(Cut::new(1000), Cut { full: 8_388, part: 4_194 });
        assert_eq!(Cut::new(1_000_000), Cut { full: 256, part: 128 });
        assert_eq!(Cut::new(0), Cut { full: 262_144, part: 32_768 });
    }

    #[test]
    fn groups_hold_from_a_part_to_a_part_more_than_a_full_one() {
        for (total, expected, left) in [
            (0, vec![], 0),
            (3, vec![], 3),
            (4, vec![4], 0),
            (13, vec![13], 0),
            (14, vec![10, 4], 0),
            (23, vec![10, 13], 0),
            (24, vec![10, 10, 4], 0),
        ] {
            // However the rows come, the groups are the same.
            for step in [1, 3, 7, 100] {
                let mut encoder = encoder();
                for from in (0..total).step_by(step) {
                    encoder.push(&rows(0, std::cmp::min(step, total - from))).unwrap();
                }
                let part = encoder.finish().unwrap();
                assert_eq!(sizes(&part.groups), expected, "{total} rows by {step}");
                assert_eq!(part.rest.iter().map(RecordBatch::num_rows).sum::<usize>(), left);
            }
        }
    }

    #[test]
    fn flushing_makes_a_group_of_what_is_there() {
        let mut encoder = encoder();
        encoder.push(&rows(0, 3)).unwrap();
        encoder.flush().unwrap();
        encoder.flush().unwrap();
        assert_eq!(sizes(&encoder.take_full()), [3]);
        let part = encoder.finish().unwrap();
        assert!(part.groups.is_empty() && part.rest.is_empty());
    }

    #[test]
    fn a_dictionary_is_given_to_columns_that_repeat() {
        let table = |count: usize| {
            let repeating: ArrayRef =
                Arc::new((0..count).map(|row| i64::try_from(row % 7).ok()).collect::<Int64Array>());
            let batch = rows(0, count);
            RecordBatch::try_from_iter([("id", Arc::clone(batch.column(0))), ("level", repeating)]).unwrap()
        };
        let dictionaries = |head: &[RecordBatch]| {
            let properties = judged(&head[0].schema(), head);
            ["id", "level"].map(|name| properties.dictionary_enabled(&ColumnPath::from(name)))
        };
        assert_eq!(dictionaries(&[table(5000)]), [false, true]);
        assert_eq!(dictionaries(&[table(1000)]), [true, true]);
        // The head is the same rows when they come in small batches.
        let batches: Vec<RecordBatch> = (0..10).map(|part| table(5000).slice(part * 500, 500)).collect();
        assert_eq!(dictionaries(&batches), [false, true]);
    }

    #[test]
    fn other_columns_are_refused() {
        let mut encoder = encoder();
        let text: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["x"; 20]));
        let error = encoder.push(&RecordBatch::try_from_iter([("id", text)]).unwrap()).unwrap_err();
        assert!(error.to_string().contains("test.parquet"), "{error}");
    }
}
