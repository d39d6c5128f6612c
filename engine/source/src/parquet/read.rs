//! Rows of a Parquet file, one row group after another.
//!
//! Strings come as codes where the chunk has nothing but codes, else as views; no string is copied row by row.

use std::ops::ControlFlow;
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::ParquetError;
use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::Result;
use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::Piece;

use super::footer::{ParquetFile, RowGroup};
use super::hints::{Text, checked};
use super::{damaged, guarded};
use crate::batches::{Sink, normal, order_within, rows_within};

impl ParquetFile {
    /// Hands the rows of a piece to `sink`, with the columns of these indices.
    pub(crate) fn read(
        &self,
        piece: &Piece,
        columns: &[usize],
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let end = piece.first_row + piece.rows;
        for (number, group) in self.groups.iter().enumerate() {
            if group.rows == 0 || group.end() <= piece.first_row || group.first_row >= end {
                continue;
            }
            let from = std::cmp::max(piece.first_row, group.first_row);
            let to = std::cmp::min(end, group.end());
            let rows = (from - group.first_row, to - from);
            if self.read_group(number, group, rows, columns, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn read_group(
        &self,
        number: usize,
        group: &RowGroup,
        (skip, take): (u64, u64),
        columns: &[usize],
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let shown = &self.listed.shown;
        let part = || format!("row group {number}");
        let file = self.reopen()?;
        let mut reader = guarded(shown, part, || self.reader(file, number, group, (skip, take), columns))?;
        let order = order_within(columns.iter().map(|&column| self.order[column]));
        let mut left = take;
        while let Some(batch) = guarded(shown, part, || reader.next().transpose())? {
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
        file: std::fs::File,
        number: usize,
        group: &RowGroup,
        (skip, take): (u64, u64),
        columns: &[usize],
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let rows = |rows: u64| {
            usize::try_from(rows)
                .map_err(|_| ParquetError::General(format!("{rows} rows do not fit this machine")))
        };
        let options = ArrowReaderOptions::new().with_schema(self.coded_schema(group));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), options)?;
        let places = columns.iter().map(|&column| self.order[column]);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), places);
        let most = rows_within(self.order.len(), group.rows, group.size_bytes);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_row_groups(vec![number])
            .with_projection(mask)
            .with_batch_size(std::cmp::min(most, rows(take)?));
        if (skip, take) != (0, group.rows) {
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
