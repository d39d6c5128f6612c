//! Reads a piece of a TFRecord file by its byte range, with the types of the plan.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;

use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, Plan};

use super::build::{Builder, Mismatch};
use super::example::{Example, Pair};
use super::records::{RecordProblem, Records};
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
    let bytes =
        piece.bytes.ok_or_else(|| CommonError::Internal("a piece of records without bytes".into()))?;
    let size_bytes = plan.files.get(piece.file).map_or(0, |planned| planned.size_bytes);
    let (input, packing) = open_range(file, size_bytes, bytes, first)?;
    let mut records = Records::new(input, bytes.0);
    let mut table = Table::new(plan, types, columns, piece.rows);
    let mut left = piece.rows;
    while left > 0 {
        let content = match records.next_record() {
            Ok(Some((_, content))) => content,
            Ok(None) => return Err(changed().into()),
            Err(error) => match error.problem {
                RecordProblem::Unreadable(error) if !is_damage(packing, &error) => {
                    return Err(read_error(file, packing, error));
                }
                _ => return Err(changed().into()),
            },
        };
        table.append(content).map_err(|Mismatch| changed())?;
        left -= 1;
        if (left == 0 || table.room.is_full()) && sink(table.finish()?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The batch in the making.
struct Table {
    /// The column of each feature of the plan, and its builder where it is wanted.
    builders_by_name: HashMap<String, Option<usize>>,
    schema: SchemaRef,
    builders: Vec<Builder>,
    /// For each builder, how many rows it has.
    filled: Vec<usize>,
    room: Room,
}

impl Table {
    fn new(plan: &Plan, types: &[DataType], columns: &[usize], rows: u64) -> Self {
        let room = Room::new(plan);
        let capacity = room.expected(rows);
        let mut builders_by_name: HashMap<String, Option<usize>> =
            plan.column_names().into_iter().map(|name| (name, None)).collect();
        for (builder, &column) in columns.iter().enumerate() {
            builders_by_name.insert(plan.columns[column].name.clone(), Some(builder));
        }
        let field = |&column: &usize| Field::new(&plan.columns[column].name, types[column].clone(), true);
        Self {
            builders_by_name,
            schema: Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())),
            builders: columns.iter().map(|&column| Builder::new(&types[column], capacity)).collect(),
            filled: vec![0; columns.len()],
            room,
        }
    }

    fn append(&mut self, content: &[u8]) -> Result<(), Mismatch> {
        for Pair { name, feature } in Example::of_record(content).map_err(|_| Mismatch)? {
            let Some(number) = *self.builders_by_name.get(&name).ok_or(Mismatch)? else { continue };
            let Some(values) = feature.and_then(|feature| feature.values) else { continue };
            if self.filled[number] != self.room.rows() {
                return Err(Mismatch);
            }
            self.filled[number] += 1;
            self.builders[number].append(&values)?;
        }
        self.room.add(content.len());
        for (builder, filled) in self.builders.iter_mut().zip(&mut self.filled) {
            if *filled < self.room.rows() {
                *filled += 1;
                builder.append_null();
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        self.filled.fill(0);
        let options = RecordBatchOptions::new().with_row_count(Some(self.room.clear()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}
