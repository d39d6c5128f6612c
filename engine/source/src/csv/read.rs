//! Reads a piece of a CSV file by its byte range, with the types of the plan.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use sluice_core::Result;
use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, Plan};
use sluice_core::seam::BATCH_ROWS;

use super::line_of;
use super::row_reader::{Row, RowProblem, RowReader};
use crate::batches::{Sink, schema_of};
use crate::cells::{Builder, fits, shorten};
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;
use crate::options::{Dialect, trim};
use crate::text_input::{Packing, is_damage, open_range, read_error};

/// Hands the rows of a piece to `sink` in batches, with the columns of these indices; `order` says which cell of
/// a row holds which column.
pub(crate) fn read(
    file: &ListedFile,
    (dialect, order): (&Dialect, &[usize]),
    plan: &Plan,
    piece: &Piece,
    columns: &[usize],
    sink: &mut Sink<'_>,
) -> Result<ControlFlow<()>> {
    let changed = || SourceError::Changed { file: file.shown.clone() };
    let bytes = piece.bytes.ok_or_else(|| CommonError::Internal("a CSV piece without bytes".into()))?;
    let size_bytes = plan.files.get(piece.file).map_or(0, |planned| planned.size_bytes);
    let (input, packing) = open_range(file, size_bytes, bytes)?;
    let mut reader = RowReader::new(input, bytes.0, dialect.delimiter);
    let mut table = Table::new(dialect, plan, columns, order, piece.rows);
    if packing != Packing::Plain && dialect.header && !matches!(reader.next_row(), Ok(Some(_))) {
        return Err(changed().into());
    }
    let mut left = piece.rows;
    while left > 0 {
        let row = match reader.next_row() {
            Ok(Some(row)) if row.len() == plan.columns.len() => row,
            Ok(_) => return Err(changed().into()),
            Err(error) => match error.problem {
                RowProblem::Unreadable(error) if !is_damage(packing, &error) => {
                    return Err(read_error(file, packing, error));
                }
                _ => return Err(changed().into()),
            },
        };
        if let Err(misfit) = table.append(&row) {
            let Misfit::BeyondInference { column, cell, infer_rows } = misfit else {
                return Err(changed().into());
            };
            let number = piece.first_row + (piece.rows - left) + 1;
            let place =
                CsvPlace { file: file.shown.clone(), row: Some(number), line: line_of(file, row.offset) };
            let planned = &plan.columns[columns[column]];
            let (column, expected) = (planned.name.clone(), planned.kind.to_string().into());
            return Err(SourceError::CellBeyondInference { place, column, cell, expected, infer_rows }.into());
        }
        left -= 1;
        if (left == 0 || table.rows == BATCH_ROWS) && sink(table.finish()?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Why a row is not taken in.
enum Misfit {
    /// It is not what the pre-pass saw.
    Changed,
    /// A cell of one of the columns asked for, which the pre-pass did not look at.
    BeyondInference { column: usize, cell: String, infer_rows: u64 },
}

/// The batch in the making.
struct Table<'a> {
    dialect: &'a Dialect,
    schema: SchemaRef,
    columns: Vec<(usize, Builder)>,
    /// The kinds of columns whose cells were not all looked at; empty where all were.
    unsure: Vec<Option<&'a ColumnKind>>,
    rows: usize,
    scratch: String,
}

impl<'a> Table<'a> {
    fn new(dialect: &'a Dialect, plan: &'a Plan, columns: &[usize], order: &[usize], rows: u64) -> Self {
        let capacity = usize::try_from(rows).map_or(BATCH_ROWS, |rows| std::cmp::min(rows, BATCH_ROWS));
        let builders =
            columns.iter().map(|&index| (order[index], Builder::new(&plan.columns[index].kind, capacity)));
        let is_unsure = |index: &usize| {
            let column = &plan.columns[*index];
            (!dialect.forced.contains(&column.name)).then_some(&column.kind)
        };
        let unsure =
            if dialect.infer_rows.is_some() { columns.iter().map(is_unsure).collect() } else { Vec::new() };
        Self {
            dialect,
            unsure,
            schema: schema_of(plan, columns),
            columns: builders.collect(),
            rows: 0,
            scratch: String::new(),
        }
    }

    fn append(&mut self, row: &Row<'_>) -> Result<(), Misfit> {
        for (number, (index, builder)) in self.columns.iter_mut().enumerate() {
            let cell = row.cell(*index, &mut self.scratch);
            let trimmed = trim(cell.text);
            if !cell.quoted && self.dialect.is_null(trimmed) {
                builder.append_null();
                continue;
            }
            let text = if cell.quoted || builder.is_verbatim() { cell.text } else { trimmed };
            if let Some(infer_rows) = self.dialect.infer_rows
                && let Some(Some(kind)) = self.unsure.get(number)
                && !fits(kind, text)
            {
                return Err(Misfit::BeyondInference { column: number, cell: shorten(text), infer_rows });
            }
            builder.append(text).ok_or(Misfit::Changed)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}
