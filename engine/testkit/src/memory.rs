//! A table in memory as a source, cut into splits of any size.

use arrow::array::RecordBatch;
use arrow::array::RecordBatchOptions;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

use sluice_core::Result;
use sluice_core::column::{ColumnKind, normalize};
use sluice_core::plan::{Piece, Plan, PlanOptions, PlannedColumn, PlannedFile, Split};
use sluice_core::seam::{BATCH_ROWS, BatchSource, Delivery, Request};

/// A table in memory. Every split is handed out in batches of at most `batch_rows` rows.
#[derive(Debug)]
pub struct MemorySource {
    table: RecordBatch,
    plan: Plan,
    batch_rows: usize,
}

impl MemorySource {
    /// A table in splits of `split_rows` rows.
    ///
    /// # Panics
    /// When a column cannot be brought into normal form.
    #[must_use]
    pub fn new(table: &RecordBatch, split_rows: u64) -> Self {
        let columns: Vec<_> = table.columns().iter().map(|array| normalize(array).unwrap()).collect();
        let fields: Vec<_> = table
            .schema()
            .fields()
            .iter()
            .zip(&columns)
            .map(|(field, array)| arrow::datatypes::Field::new(field.name(), array.data_type().clone(), true))
            .collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let planned = schema
            .fields()
            .iter()
            .map(|field| PlannedColumn {
                name: field.name().clone(),
                kind: ColumnKind::of(field.data_type()),
            })
            .collect();
        let rows = table.num_rows() as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
        let table = RecordBatch::try_new_with_options(schema, columns, &options).unwrap();
        let file =
            PlannedFile { path: "memory".into(), size_bytes: 0, rows, fingerprint: format!("rows {rows}") };
        let step = std::cmp::max(split_rows, 1);
        let pieces = (0..rows.div_ceil(step)).map(|number| {
            let first_row = number * step;
            Piece { file: 0, first_row, rows: std::cmp::min(step, rows - first_row), bytes: None }
        });
        let plan = Plan::new(vec![file], planned, pieces, PlanOptions { split_rows });
        Self { table, plan, batch_rows: BATCH_ROWS }
    }

    /// The same, handed out in smaller batches.
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> Self {
        self.batch_rows = batch_rows;
        self
    }
}

impl BatchSource for MemorySource {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        "memory".into()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        let projected = self.table.project(&request.rows).unwrap();
        for piece in &split.pieces {
            let mut first = usize::try_from(piece.first_row).unwrap();
            let end = first + usize::try_from(piece.rows).unwrap();
            while first < end {
                let rows = std::cmp::min(self.batch_rows, end - first);
                sink(Delivery::Rows(projected.slice(first, rows)))?;
                first += rows;
            }
        }
        Ok(())
    }
}
