//! Rows of a Parquet file, one row group after another.
//!
//! Strings come as codes where the chunk has nothing but codes, else as views; no string is copied row by row.
//! Columns that are wanted apart are read one after another: a batch of one column stays in the cache, one of a
//! hundred does not.

use std::ops::ControlFlow;
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::ParquetError;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::Result;
use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::Piece;
use sluice_core::seam::BATCH_ROWS;

use super::chunks::{ChunkBytes, Fetched};
use super::footer::{ParquetFile, RowGroup};
use super::hints::{Text, checked};
use super::{damaged, guarded};
use crate::batches::{Sink, normal, order_within, rows_within};

/// Columns that come apart are read so many at a time that a row group has about as many values of them, so that short
/// row groups do not cost a reader per column.
const VALUES_AT_ONCE: u64 = 2 * BATCH_ROWS as u64;

/// A row group that is being read.
struct OpenGroup<'a> {
    number: usize,
    group: &'a RowGroup,
    /// Rows to leave out, and to read.
    rows: (u64, u64),
    bytes: ChunkBytes,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    /// Hands the rows of a piece to `sink`, with the columns of these indices.
    pub(crate) fn read(
        &self,
        piece: &Piece,
        columns: &[usize],
        fetched: &Fetched,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        for (number, rows) in self.groups_of(piece) {
            let group = self.open_group((piece.file, number), rows, fetched)?;
            if self.read_group(&group, columns, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands the rows of a piece to `sink` column by column: of each row group one column after another, its rows in
    /// order, cut as [`ParquetFile::read`] cuts them.
    pub(crate) fn read_apart(
        &self,
        piece: &Piece,
        columns: &[usize],
        fetched: &Fetched,
        sink: &mut dyn FnMut(usize, ArrayRef) -> Result<()>,
    ) -> Result<()> {
        if columns.is_empty() {
            return Ok(());
        }
        for (number, rows) in self.groups_of(piece) {
            let group = self.open_group((piece.file, number), rows, fetched)?;
            let at_once = usize::try_from(VALUES_AT_ONCE / std::cmp::max(rows.1, 1)).unwrap_or(usize::MAX);
            for columns in columns.chunks(std::cmp::max(at_once, 1)) {
                let _ = self.read_group(&group, columns, &mut |batch| {
                    for (&column, values) in columns.iter().zip(batch.columns()) {
                        sink(column, Arc::clone(values))?;
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        Ok(())
    }

    /// The row groups that a piece meets, with the rows of each to leave out and to read.
    pub(super) fn groups_of(&self, piece: &Piece) -> impl Iterator<Item = (usize, (u64, u64))> {
        let (first, end) = (piece.first_row, piece.first_row + piece.rows);
        let meets = move |group: &RowGroup| group.rows > 0 && group.end() > first && group.first_row < end;
        self.groups.iter().enumerate().filter(move |(_, group)| meets(group)).map(move |(number, group)| {
            let from = std::cmp::max(first, group.first_row);
            let to = std::cmp::min(end, group.end());
            (number, (from - group.first_row, to - from))
        })
    }

    fn open_group(
        &self,
        (file, number): (usize, usize),
        rows: (u64, u64),
        fetched: &Fetched,
    ) -> Result<OpenGroup<'_>> {
        let group = &self.groups[number];
        let metadata = guarded(
            &self.listed.shown,
            || format!("row group {number}"),
            || {
                let options = ArrowReaderOptions::new().with_schema(self.coded_schema(group));
                ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), options)
            },
        )?;
        Ok(OpenGroup { number, group, rows, bytes: self.chunks((file, number), fetched)?, metadata })
    }

    fn read_group(
        &self,
        open: &OpenGroup<'_>,
        columns: &[usize],
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let shown = &self.listed.shown;
        let (number, (_, take)) = (open.number, open.rows);
        let part = || format!("row group {number}");
        let mut reader = open.bytes.told(guarded(shown, part, || self.reader(open, columns)))?;
        let order = order_within(columns.iter().map(|&column| self.order[column]));
        let mut left = take;
        while let Some(batch) = open.bytes.told(guarded(shown, part, || reader.next().transpose()))? {
            left = left.saturating_sub(batch.num_rows() as u64);
            let batch = self.checked(batch, number, columns)?;
            let batch =
                normal(&batch, &order).map_err(|error| error.in_place(format!("`{shown}`, {}", part())))?;
            if sink(batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if left > 0 {
            return Err(damaged(shown, format!("row group {number} ends {left} rows early")).into());
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The rows with their text checked, where the reader does not.
    fn checked(&self, batch: RecordBatch, group: usize, columns: &[usize]) -> Result<RecordBatch> {
        let mut places: Vec<usize> = columns.iter().map(|&column| self.order[column]).collect();
        places.sort_unstable();
        if places.iter().all(|&place| self.texts.get(place) == Some(&Text::Checked)) {
            return Ok(batch);
        }
        let mut fields = Vec::with_capacity(places.len());
        let mut arrays = Vec::with_capacity(places.len());
        for ((&place, field), array) in places.iter().zip(batch.schema().fields()).zip(batch.columns()) {
            let contradiction = || {
                let problem = format!("text in column `{}` of row group {group} is not UTF-8", field.name());
                damaged(&self.listed.shown, problem)
            };
            let text = self.texts.get(place).copied().unwrap_or(Text::Checked);
            let array = checked(text, array, contradiction)?;
            fields.push(field.as_ref().clone().with_data_type(array.data_type().clone()));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }

    fn reader(
        &self,
        open: &OpenGroup<'_>,
        columns: &[usize],
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let (skip, take) = open.rows;
        let rows = |rows: u64| {
            usize::try_from(rows)
                .map_err(|_| ParquetError::General(format!("{rows} rows do not fit this machine")))
        };
        let (bytes, metadata) = (open.bytes.share()?, open.metadata.clone());
        let places = columns.iter().map(|&column| self.order[column]);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), places);
        let most = rows_within(self.order.len(), open.group.rows, open.group.size_bytes);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata)
            .with_row_groups(vec![open.number])
            .with_projection(mask)
            .with_batch_size(std::cmp::min(most, rows(take)?));
        if (skip, take) != (0, open.group.rows) {
            builder = builder.with_offset(rows(skip)?).with_limit(rows(take)?);
        }
        builder.build()
    }

    /// The schema in which strings are codes where the chunk has nothing else.
    fn coded_schema(&self, group: &RowGroup) -> SchemaRef {
        let coded = |(index, field): (usize, &Arc<Field>)| {
            if ColumnKind::of(field.data_type()) != ColumnKind::Text || group.coded.get(index) != Some(&true)
            {
                return Arc::clone(field);
            }
            let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(codes))
        };
        let fields: Vec<_> = self.schema.fields().iter().enumerate().map(coded).collect();
        Arc::new(Schema::new_with_metadata(fields, self.schema.metadata().clone()))
    }
}
