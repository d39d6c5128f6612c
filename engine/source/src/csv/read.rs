//! Reads a piece of a CSV file by its byte range, with the types of the plan.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use sluice_core::Result;
use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, Plan};

use super::row_reader::{Row, RowProblem, RowReader};
use super::{line_of, row_error};
use crate::batches::{Room, Sink, schema_of};
use crate::cells::{Builder, fits, shorten};
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;
use crate::options::{Dialect, trim};
use crate::text_input::{Packing, is_damage, open_range, read_error};

/// Hands the rows of a piece to `sink` in batches, with the columns of these indices; `first` are its first bytes, if
/// they are here already; `order` says which cell of a row holds which column.
pub(crate) fn read(
    file: &ListedFile,
    (dialect, order): (&Dialect, &[usize]),
    plan: &Plan,
    (piece, first): (&Piece, Option<Bytes>),
    columns: &[usize],
    sink: &mut Sink<'_>,
) -> Result<ControlFlow<()>> {
    let changed = || SourceError::Changed { file: file.shown.clone() };
    let bytes = piece.bytes.ok_or_else(|| CommonError::Internal("a CSV piece without bytes".into()))?;
    let size_bytes = plan.files.get(piece.file).map_or(0, |planned| planned.size_bytes);
    let (input, packing) = open_range(file, size_bytes, bytes, first)?;
    let mut reader = RowReader::new(input, bytes.0, dialect.delimiter);
    let mut table = Table::new(dialect, plan, columns, order, piece.rows);
    if packing != Packing::Plain && dialect.header && !matches!(reader.next_row(), Ok(Some(_))) {
        return Err(changed().into());
    }
    let mut left = piece.rows;
    let place =
        |row, offset| CsvPlace { file: file.shown.clone(), row: Some(row), line: line_of(file, offset) };
    while left > 0 {
        let number = piece.first_row + (piece.rows - left) + 1;
        let row = match reader.next_row() {
            Ok(Some(row)) if row.len() == plan.columns.len() => row,
            // Rows were only counted.
            Ok(Some(row)) if dialect.is_trusting => {
                let (place, expected) = (place(number, row.offset), plan.columns.len());
                return Err(SourceError::Ragged { place, expected, found: row.len() }.into());
            }
            Err(error) if dialect.is_trusting => {
                return Err(row_error(file, packing, error, Some(number), &names_in(plan, order)));
            }
            Ok(_) => return Err(changed().into()),
            Err(error) => match error.problem {
                RowProblem::Unreadable(error) if !is_damage(packing, &error) => {
                    return Err(read_error(file, packing, error));
                }
                _ => return Err(changed().into()),
            },
        };
        if let Err(misfit) = table.append(&row) {
            let place = || place(number, row.offset);
            return Err(misfit.told(plan, columns, dialect, place, changed).into());
        }
        left -= 1;
        if (left == 0 || table.room.is_full()) && sink(table.finish()?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The names of the cells of a file's rows, of which `order` says which holds which column.
fn names_in(plan: &Plan, order: &[usize]) -> Vec<String> {
    let mut names = vec![String::new(); order.len()];
    for (column, &cell) in plan.columns.iter().zip(order) {
        names[cell].clone_from(&column.name);
    }
    names
}

/// Why a row is not taken in: a cell of one of the columns asked for.
enum Misfit {
    /// It does not fit its type.
    Cell { column: usize, cell: String },
    /// It does not fit the type that the first rows show.
    BeyondInference { column: usize, cell: String, infer_rows: u64 },
}

impl Misfit {
    /// The error, if it is not that the file changed since the pre-pass looked at it.
    fn told(
        self,
        plan: &Plan,
        columns: &[usize],
        dialect: &Dialect,
        place: impl Fn() -> CsvPlace,
        changed: impl Fn() -> SourceError,
    ) -> SourceError {
        match self {
            Self::Cell { column, cell } => {
                let column = plan.columns[columns[column]].name.clone();
                match dialect.given.get(&column) {
                    Some(&forced) if dialect.is_trusting => {
                        let (place, expected) = (place(), forced.with_article());
                        SourceError::CellType { place, column, cell, expected, forced }
                    }
                    _ => changed(),
                }
            }
            Self::BeyondInference { column, cell, infer_rows } => {
                let planned = &plan.columns[columns[column]];
                let (place, column, expected) =
                    (place(), planned.name.clone(), planned.kind.to_string().into());
                SourceError::CellBeyondInference { place, column, cell, expected, infer_rows }
            }
        }
    }
}

/// The batch in the making.
struct Table<'a> {
    dialect: &'a Dialect,
    schema: SchemaRef,
    columns: Vec<(usize, Builder)>,
    /// The kinds of columns whose cells were not all looked at; empty where all were.
    unsure: Vec<Option<&'a ColumnKind>>,
    room: Room,
    scratch: String,
}

impl<'a> Table<'a> {
    fn new(dialect: &'a Dialect, plan: &'a Plan, columns: &[usize], order: &[usize], rows: u64) -> Self {
        let room = Room::new(plan);
        let capacity = room.expected(rows);
        let builders =
            columns.iter().map(|&index| (order[index], Builder::new(&plan.columns[index].kind, capacity)));
        let is_unsure = |index: &usize| {
            let column = &plan.columns[*index];
            (!dialect.given.contains_key(&column.name)).then_some(&column.kind)
        };
        let unsure =
            if dialect.infer_rows.is_some() { columns.iter().map(is_unsure).collect() } else { Vec::new() };
        Self {
            dialect,
            unsure,
            schema: schema_of(plan, columns),
            columns: builders.collect(),
            room,
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
            if builder.append(text).is_none() {
                return Err(Misfit::Cell { column: number, cell: shorten(text) });
            }
        }
        self.room.add(row.size_bytes());
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.room.clear()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}
