//! Text and other formats as one Parquet file, for what reads Parquet alone.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::in_order;
use sluice_core::seam::{BatchSource, Delivery, Request};

use crate::error::IngestError;
use crate::parquet_writer::ParquetWriter;
use crate::row_groups::RowGroupEncoder;

/// A Parquet file that only this process reads; it need not survive a crash, so it is not flushed to disk.
pub(crate) struct StagedFile {
    schema: SchemaRef,
    writer: ParquetWriter<fs_err::File>,
}

impl StagedFile {
    /// Begins a file of rows in normal form.
    pub(crate) fn new(path: &Path, schema: &Schema) -> Result<Self> {
        let file = fs_err::File::create(path).map_err(CommonError::on("create", path))?;
        let schema = plain_schema(schema);
        let writer = ParquetWriter::over(file, &path.display().to_string(), &schema)?;
        Ok(Self { schema, writer })
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(&plain_batch(batch, &self.schema)?)
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<()> {
        self.writer.close().map(drop)
    }
}

/// The schema with text as text: polars would make categories of Arrow's dictionaries.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let plain = |field: &Field| match field.data_type() {
        DataType::Dictionary(_, values) if **values == DataType::Utf8 => DataType::Utf8View,
        other => other.clone(),
    };
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), plain(field), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let arrow = |source| IngestError::Rows { source };
    let arrays = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| {
            if array.data_type() == field.data_type() {
                Ok(Arc::clone(array))
            } else {
                cast(array, field.data_type())
            }
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(arrow)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(arrow)?)
}

/// Writes all rows of a source, whose columns have the types of `schema` in normal form, to a Parquet file, in order.
pub(crate) fn stage(
    source: &dyn BatchSource,
    name: &str,
    schema: &Schema,
    path: &Path,
    execution: &Execution,
) -> Result<()> {
    let plan = source.plan();
    let request = Request { rows: (0..plan.columns.len()).collect(), ..Request::default() };
    let file = fs_err::File::create(path).map_err(CommonError::on("create", path))?;
    let shown = path.display().to_string();
    let schema = plain_schema(schema);
    let mut writer = ParquetWriter::over(file, &shown, &schema)?;
    execution.progress.begin(&format!("stage {name}"), plan.extent());
    in_order(
        &plan.splits,
        execution,
        |split| {
            let mut encoder = RowGroupEncoder::new(&shown, &schema);
            let mut first_row = 0;
            source.read(split, &request, &mut |delivery| {
                execution.cancel.check()?;
                if let Delivery::Rows(batch) = delivery {
                    let rows = batch.num_rows() as u64;
                    execution.advance(plan, split, first_row, rows);
                    first_row += rows;
                    encoder.push(&plain_batch(&batch, &schema)?)?;
                }
                Ok(())
            })?;
            encoder.finish()
        },
        |_, part| writer.append(part),
    )?;
    execution.progress.end();
    let (_, rows) = writer.close()?;
    if rows != plan.rows() {
        let message = format!("{} rows were planned but {rows} staged", plan.rows());
        return Err(CommonError::Internal(message).into());
    }
    Ok(())
}
