//! Batches on their way out.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::Result;
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
