//! Batches on their way out.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::Result;
use sluice_core::column::normalize;
use sluice_core::error::CommonError;
use sluice_core::plan::Plan;
use sluice_core::seam::{BATCH_ROWS, batch_rows};

/// Takes batches, and says whether it wants more.
pub(crate) type Sink<'a> = dyn FnMut(RecordBatch) -> Result<ControlFlow<()>> + 'a;

/// Bytes of a batch, about, which bound its rows where cells are long.
const BATCH_BYTES: u64 = 1 << 26;

/// Rows of a batch of a table of so many columns, of which `rows` rows take `bytes`.
pub(crate) fn rows_within(columns: usize, rows: u64, bytes: u64) -> usize {
    let of_bytes = u128::from(BATCH_BYTES) * u128::from(rows) / u128::from(std::cmp::max(bytes, 1));
    let of_bytes = usize::try_from(of_bytes).unwrap_or(usize::MAX);
    std::cmp::max(std::cmp::min(batch_rows(columns), of_bytes), 1)
}

/// The room of a batch that is filled row by row.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    rows: usize,
    bytes: u64,
}

impl Room {
    /// Of batches of the table of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { most: batch_rows(plan.columns.len()), rows: 0, bytes: 0 }
    }

    /// How many rows builders should expect, of so many that come.
    pub(crate) fn expected(&self, rows: u64) -> usize {
        usize::try_from(rows).map_or(self.most, |rows| std::cmp::min(rows, self.most))
    }

    /// The rows of the batch.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row of so many bytes of text.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes += bytes as u64;
    }

    /// Whether the batch is to be handed out.
    pub(crate) fn is_full(&self) -> bool {
        self.rows == self.most || self.bytes >= BATCH_BYTES
    }

    /// Begins the next batch; answers the rows of this one.
    pub(crate) fn clear(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_by_rows_cells_and_bytes() {
        assert_eq!(rows_within(20, 1_000_000, 160_000_000), BATCH_ROWS);
        assert_eq!(rows_within(5_000, 20_000, 1 << 20), 1_677);
        assert_eq!(rows_within(1_000_000, 20_000, 1 << 20), 256);
        assert_eq!(rows_within(2, 200, 200 * 10_000_000), 6);
        assert_eq!(rows_within(1, 1, u64::MAX), 1);
        assert_eq!(rows_within(0, 0, 0), 1);
    }

    #[test]
    fn a_batch_is_full_after_its_rows_or_its_bytes() {
        let mut room = Room { most: 3, rows: 0, bytes: 0 };
        for expected in [false, false, true] {
            room.add(10);
            assert_eq!(room.is_full(), expected);
        }
        assert_eq!((room.clear(), room.rows(), room.is_full()), (3, 0, false));
        room.add(1 << 26);
        assert!(room.is_full());
        assert_eq!((room.expected(2), room.expected(u64::MAX)), (2, 3));
    }
}
