//! Reads a piece of a CSV file by its byte range, with the types of the plan.

use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, Plan};
use sluice_core::seam::BATCH_ROWS;

use super::row_reader::{Row, RowReader};
use super::value::Builder;
use crate::batches::{Sink, schema_of};
use crate::error::SourceError;
use crate::listing::ListedFile;
use crate::options::{Dialect, trim};

/// Hands the rows of a piece to `sink` in batches, with the columns of these indices.
pub(crate) fn read(
    file: &ListedFile,
    dialect: &Dialect,
    plan: &Plan,
    piece: &Piece,
    columns: &[usize],
    sink: &mut Sink<'_>,
) -> Result<ControlFlow<()>> {
    let changed = || SourceError::Changed { file: file.shown.clone() };
    let unreadable = |error| CommonError::file("read", &file.shown, error);
    let mut input = fs_err::File::open(&file.path).map_err(unreadable)?;
    let (start, end) =
        piece.bytes.ok_or_else(|| CommonError::Internal("a CSV piece without bytes".into()))?;
    if plan.files.get(piece.file).map(|planned| planned.size_bytes)
        != Some(input.metadata().map_err(unreadable)?.len())
    {
        return Err(changed().into());
    }
    input.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let mut reader = RowReader::new(input.take(end - start), start, dialect.delimiter);
    let mut table = Table::new(dialect, plan, columns, piece.rows);
    let mut left = piece.rows;
    while left > 0 {
        let row = match reader.next_row() {
            Ok(Some(row)) if row.len() == plan.columns.len() => row,
            Ok(_) => return Err(changed().into()),
            Err(error) => match error.problem {
                super::RowProblem::Unreadable(error) => return Err(unreadable(error).into()),
                _ => return Err(changed().into()),
            },
        };
        table.append(&row).ok_or_else(changed)?;
        left -= 1;
        if (left == 0 || table.rows == BATCH_ROWS) && sink(table.finish()?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The batch in the making.
struct Table<'a> {
    dialect: &'a Dialect,
    schema: SchemaRef,
    columns: Vec<(usize, Builder)>,
    rows: usize,
    scratch: String,
}

impl<'a> Table<'a> {
    fn new(dialect: &'a Dialect, plan: &Plan, columns: &[usize], rows: u64) -> Self {
        let capacity = usize::try_from(rows).map_or(BATCH_ROWS, |rows| std::cmp::min(rows, BATCH_ROWS));
        let builders =
            columns.iter().map(|&index| (index, Builder::new(&plan.columns[index].kind, capacity)));
        Self {
            dialect,
            schema: schema_of(plan, columns),
            columns: builders.collect(),
            rows: 0,
            scratch: String::new(),
        }
    }

    fn append(&mut self, row: &Row<'_>) -> Option<()> {
        for (index, builder) in &mut self.columns {
            let cell = row.cell(*index, &mut self.scratch);
            if cell.quoted {
                builder.append(cell.text)?;
                continue;
            }
            let trimmed = trim(cell.text);
            if self.dialect.is_null(trimmed) {
                builder.append_null();
            } else {
                builder.append(if builder.is_verbatim() { cell.text } else { trimmed })?;
            }
        }
        self.rows += 1;
        Some(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}
