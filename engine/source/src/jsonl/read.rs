//! Reads a piece of a file of JSON lines by its byte range, with the types of the plan.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;

use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, Plan};

use super::build::{Mismatch, Values};
use super::keys::Keys;
use super::lines::{LineProblem, LineReader};
use super::token::members;
use crate::batches::{Room, Sink};
use crate::error::SourceError;
use crate::listing::ListedFile;
use crate::text_input::{is_damage, open_range, read_error};

/// Hands the rows of a piece to `sink` in batches, with the columns of these indices; `first` are its first
/// bytes, if they are here already; `types` has those of all.
pub(crate) fn read(
    file: &ListedFile,
    (plan, types): (&Plan, &[DataType]),
    (piece, first): (&Piece, Option<Bytes>),
    columns: &[usize],
    sink: &mut Sink<'_>,
) -> Result<ControlFlow<()>> {
    let changed = || SourceError::Changed { file: file.shown.clone() };
    let bytes = piece.bytes.ok_or_else(|| CommonError::Internal("a piece of text without bytes".into()))?;
    let size_bytes = plan.files.get(piece.file).map_or(0, |planned| planned.size_bytes);
    let (input, packing) = open_range(file, size_bytes, bytes, first)?;
    let mut reader = LineReader::new(input, bytes.0);
    let mut table = Table::new(plan, types, columns, piece.rows);
    let mut left = piece.rows;
    while left > 0 {
        let line = match reader.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Err(changed().into()),
            Err(error) => match error.problem {
                LineProblem::Unreadable(error) if !is_damage(packing, &error) => {
                    return Err(read_error(file, packing, error));
                }
                _ => return Err(changed().into()),
            },
        };
        table.append(line.text).map_err(|Mismatch| changed())?;
        left -= 1;
        if (left == 0 || table.room.is_full()) && sink(table.finish()?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The batch in the making.
struct Table {
    keys: Keys,
    schema: SchemaRef,
    builders: Vec<Values>,
    /// For each column of the table, its builder.
    wanted: Vec<Option<usize>>,
    /// For each builder, how many rows it has.
    filled: Vec<usize>,
    room: Room,
    scratch: String,
}

impl Table {
    fn new(plan: &Plan, types: &[DataType], columns: &[usize], rows: u64) -> Self {
        let room = Room::new(plan);
        let capacity = room.expected(rows);
        let mut wanted = vec![None; plan.columns.len()];
        for (builder, &column) in columns.iter().enumerate() {
            wanted[column] = Some(builder);
        }
        let builders = columns.iter().map(|&column| Values::new(&types[column], capacity));
        let field = |&column: &usize| Field::new(&plan.columns[column].name, types[column].clone(), true);
        Self {
            keys: Keys::new(plan.column_names()),
            schema: Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())),
            builders: builders.collect(),
            wanted,
            filled: vec![0; columns.len()],
            room,
            scratch: String::new(),
        }
    }

    fn append(&mut self, line: &str) -> Result<(), Mismatch> {
        let mut position = 0;
        members(line, |key, value| {
            let column = self.keys.find(position, key).ok_or(Mismatch)?;
            position += 1;
            let Some(number) = self.wanted[column] else { return Ok(()) };
            if self.filled[number] != self.room.rows() {
                return Err(Mismatch);
            }
            self.filled[number] += 1;
            self.builders[number].append(value, &mut self.scratch)
        })?;
        self.room.add(line.len());
        for (builder, filled) in self.builders.iter_mut().zip(&mut self.filled) {
            if *filled < self.room.rows() {
                *filled += 1;
                builder.append_null();
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.builders.iter_mut().map(Values::finish).collect();
        self.filled.fill(0);
        let options = RecordBatchOptions::new().with_row_count(Some(self.room.clear()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}
