//! A table in memory as a source, cut into splits of any size.

use arrow::array::{Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_core::Result;
use sluice_core::column::{ColumnKind, normalize};
use sluice_core::plan::{Piece, Plan, PlanOptions, PlannedColumn, PlannedFile, Split};
use sluice_core::seam::{BATCH_ROWS, BatchSource, CountedColumn, Delivery, NO_VALUE, Request};

/// A table in memory. Every split is handed out in batches of at most `batch_rows` rows.
#[derive(Debug)]
pub struct MemorySource {
    table: RecordBatch,
    plan: Plan,
    batch_rows: usize,
    is_coded: bool,
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
        Self { table, plan, batch_rows: BATCH_ROWS, is_coded: false }
    }

    /// The same, handed out in smaller batches.
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> Self {
        self.batch_rows = batch_rows;
        self
    }

    /// The same, with counted views of numbers, texts, dates and instants, from two dictionaries a split.
    #[must_use]
    pub fn with_codes(mut self) -> Self {
        self.is_coded = true;
        self
    }

    fn counted(&self, split: &Split, column: usize, has_codes: bool) -> CountedColumn {
        let rows = |rows: u64| usize::try_from(rows).unwrap();
        let pieces: Vec<_> = split
            .pieces
            .iter()
            .map(|piece| self.table.column(column).slice(rows(piece.first_row), rows(piece.rows)))
            .collect();
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        let mut array = concat(&pieces).unwrap();
        if let DataType::Dictionary(..) = array.data_type() {
            array = cast(&array, &DataType::Utf8View).unwrap();
        }
        let (mut firsts, mut counts, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        let mut dictionary = BTreeMap::new();
        for row in 0..array.len() {
            if row == array.len() / 2 {
                dictionary.clear();
            }
            if array.is_null(row) {
                codes.push(NO_VALUE);
                continue;
            }
            let next = u32::try_from(firsts.len()).unwrap();
            let code = *dictionary.entry(array_value_to_string(&array, row).unwrap()).or_insert(next);
            if code == next {
                firsts.push(u32::try_from(row).unwrap());
                counts.push(0);
            }
            counts[code as usize] += 1;
            codes.push(code);
        }
        CountedColumn {
            column: self.plan.columns[column].name.clone(),
            split: split.number,
            values: take(&array, &UInt32Array::from(firsts), None).unwrap(),
            counts,
            nulls: array.null_count() as u64,
            codes: has_codes.then_some(codes),
        }
    }
}

impl BatchSource for MemorySource {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        "memory".into()
    }

    fn countable(&self, split: &Split) -> Vec<bool> {
        let is_countable = |column: &PlannedColumn| {
            matches!(
                column.kind,
                ColumnKind::Integer
                    | ColumnKind::Unsigned
                    | ColumnKind::Float
                    | ColumnKind::Text
                    | ColumnKind::Date
                    | ColumnKind::Timestamp { .. }
            )
        };
        let is_coded = self.is_coded && !split.pieces.is_empty();
        self.plan.columns.iter().map(|column| is_coded && is_countable(column)).collect()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        for &column in &request.counted {
            sink(Delivery::Counted(self.counted(split, column, false)))?;
        }
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
        for &column in &request.coded {
            sink(Delivery::Counted(self.counted(split, column, true)))?;
        }
        Ok(())
    }
}
