//! A table in memory as a source.

use arrow::array::RecordBatch;

use sluice_core::column::{ColumnKind, normalize};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::{Piece, Plan, PlanOptions, PlannedColumn, PlannedFile, Split};
use sluice_core::seam::{BatchSource, Delivery, Request, batch_rows};

/// A table whose rows are read in splits, as those of files are.
#[derive(Debug)]
pub struct TableSource {
    table: RecordBatch,
    plan: Plan,
}

impl TableSource {
    /// The table as a source of rows.
    ///
    /// # Errors
    /// A column of a type that has no normal form.
    pub fn new(table: RecordBatch) -> Result<Self> {
        let schema = table.schema();
        let mut columns = Vec::with_capacity(table.num_columns());
        let mut planned = Vec::with_capacity(table.num_columns());
        for (field, array) in schema.fields().iter().zip(table.columns()) {
            let array = normalize(array)?;
            let kind = ColumnKind::of(array.data_type());
            planned.push(PlannedColumn { name: field.name().clone(), kind });
            columns.push((field.name().clone(), array));
        }
        let rows = table.num_rows() as u64;
        let table =
            RecordBatch::try_from_iter(columns).map_err(|error| CommonError::Internal(error.to_string()))?;
        let fingerprint = format!("rows {rows}");
        let file = PlannedFile { path: "memory".into(), size_bytes: 0, rows, fingerprint };
        let options = PlanOptions::default();
        let step = std::cmp::max(options.split_rows, 1);
        let pieces = (0..rows.div_ceil(step)).map(|number| {
            let first_row = number * step;
            Piece { file: 0, first_row, rows: std::cmp::min(step, rows - first_row), bytes: None }
        });
        let plan = Plan::new(vec![file], planned, pieces, options);
        Ok(Self { table, plan })
    }
}

impl BatchSource for TableSource {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        "the table in memory".into()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        let projected =
            self.table.project(&request.rows).map_err(|error| CommonError::Internal(error.to_string()))?;
        // Rows of a table in memory are numbered by `usize`.
        let place = |row: u64| usize::try_from(row).unwrap_or(usize::MAX);
        for piece in &split.pieces {
            let (mut first, end) = (place(piece.first_row), place(piece.first_row + piece.rows));
            while first < end {
                let rows = std::cmp::min(batch_rows(self.plan.columns.len()), end - first);
                sink(Delivery::Rows(projected.slice(first, rows)))?;
                first += rows;
            }
        }
        Ok(())
    }
}
