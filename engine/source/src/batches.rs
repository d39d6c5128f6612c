//! Batches on their way out.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::Result;
use sluice_core::column::normalize;
use sluice_core::error::CommonError;
use sluice_core::plan::Plan;
use sluice_core::seam::BATCH_ROWS;

/// Takes batches, and says whether it wants more.
pub(crate) type Sink<'a> = dyn FnMut(RecordBatch) -> Result<ControlFlow<()>> + 'a;

/// The Arrow schema of some columns of a plan in normal form.
pub(crate) fn schema_of(plan: &Plan, columns: &[usize]) -> SchemaRef {
    let field = |&index: &usize| {
        let column = &plan.columns[index];
        Field::new(&column.name, column.kind.normal_type().unwrap_or(DataType::Utf8View), true)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// So many rows without columns.
pub(crate) fn bare_rows(rows: u64, sink: &mut Sink<'_>) -> Result<ControlFlow<()>> {
    let schema = Arc::new(Schema::empty());
    let mut left = rows;
    while left > 0 {
        let taken = usize::try_from(left).map_or(BATCH_ROWS, |left| std::cmp::min(left, BATCH_ROWS));
        let options = RecordBatchOptions::new().with_row_count(Some(taken));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), Vec::new(), &options)
            .map_err(|error| CommonError::Internal(error.to_string()))?;
        if sink(batch)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        left -= taken as u64;
    }
    Ok(ControlFlow::Continue(()))
}

/// The columns of a batch at these places, in normal form.
pub(crate) fn normal(batch: &RecordBatch, places: &[usize]) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut fields = Vec::with_capacity(places.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(places.len());
    for &place in places {
        let name = schema.field(place).name();
        let array =
            normalize(batch.column(place)).map_err(|error| error.in_place(format!("column `{name}`")))?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| CommonError::Internal(error.to_string()).into())
}

/// Where each of some places of a file stands in a projection to them, which keeps the order of the file.
pub(crate) fn order_within(places: impl Iterator<Item = usize> + Clone) -> Vec<usize> {
    let mut sorted: Vec<usize> = places.clone().collect();
    sorted.sort_unstable();
    places.map(|place| sorted.partition_point(|&other| other < place)).collect()
}
