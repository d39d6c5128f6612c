//! The pre-pass over JSON lines: columns in the order of their first appearance, their types, rows, split bounds
//! and fingerprint. Memory does not grow with the files.

use arrow::datatypes::DataType;

use sluice_core::column::ColumnKind;
use sluice_core::plan::{Piece, PlannedColumn, PlannedFile};
use sluice_core::{Error, Execution, Result};

use super::keys::Keys;
use super::lines::{Line, LineReader};
use super::shape::{MAX_KEYS, Misfit, Shape};
use super::token::{Problem, Quoted, Value, members};
use super::{line_error, place};
use crate::ColumnInference;
use crate::columns::check_names;
use crate::csv::{Survey, check_magic, pieces};
use crate::error::SourceError;
use crate::listing::ListedFile;
use crate::options::SourceOptions;
use crate::text_input::{Packing, open_hashed, read_error};

/// Rows between two looks at the cancel flag.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 14;

/// What stops the reading of a row.
enum Stop {
    Syntax(Problem),
    Other(Error),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Syntax(problem)
    }
}

struct State<'a> {
    execution: &'a Execution,
    split_rows: u64,
    several: bool,
    keys: Keys,
    shapes: Vec<Shape>,
    /// For each column, the number of the last row that had it, over all files.
    seen: Vec<u64>,
    rows: u64,
    scratch: String,
}

/// Reads all files once; answers also the Arrow type of each column.
pub(crate) fn survey(
    files: &[ListedFile],
    options: &SourceOptions,
    execution: &Execution,
) -> Result<(Survey, Vec<DataType>)> {
    let mut state = State {
        execution,
        split_rows: std::cmp::max(options.plan.split_rows, 1),
        several: files.len() > 1,
        keys: Keys::default(),
        shapes: Vec::new(),
        seen: Vec::new(),
        rows: 0,
        scratch: String::new(),
    };
    let (mut planned, mut all_pieces) = (Vec::new(), Vec::new());
    for (number, file) in files.iter().enumerate() {
        let (scanned, file_pieces) = state.scan(number, file)?;
        planned.push(scanned);
        all_pieces.extend(file_pieces);
    }
    if state.rows == 0 {
        return Err(SourceError::EmptyFile { file: files[0].shown.clone() }.into());
    }
    check_names(&files[0].shown, state.keys.names())?;
    let (mut columns, mut inference, mut types) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape) in state.keys.into_names().into_iter().zip(state.shapes) {
        let (data_type, notes) = shape.finish("");
        let kind = ColumnKind::of(&data_type);
        columns.push(PlannedColumn { name: name.clone(), kind: kind.clone() });
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        inference.push(ColumnInference { column: name, kind, note });
        types.push(data_type);
    }
    let (files, pieces, orders) = (planned, all_pieces, Vec::new());
    Ok((Survey { files, columns, pieces, inference, orders, is_trusting: false }, types))
}

impl State<'_> {
    fn scan(&mut self, number: usize, file: &ListedFile) -> Result<(PlannedFile, Vec<Piece>)> {
        let (input, packing) = open_hashed(file, Some(&self.execution.progress))?;
        let mut reader = LineReader::new(input, 0);
        check_magic(file, reader.peek().map_err(|error| line_error(file, packing, error, 1))?)?;
        let mut bounds = Vec::new();
        let mut rows = 0_u64;
        while let Some(line) =
            reader.next_line().map_err(|error| line_error(file, packing, error, rows + 1))?
        {
            if rows.is_multiple_of(self.split_rows) {
                bounds.push(line.offset);
            }
            rows += 1;
            if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                self.execution.cancel.check()?;
            }
            self.observe(file, line, rows)?;
        }
        let finished = reader.into_input().into_raw().finish("");
        let (size_bytes, fingerprint) = finished.map_err(|error| read_error(file, packing, error))?;
        let planned = PlannedFile { path: file.relative.clone(), size_bytes, rows, fingerprint };
        let pieces = if packing == Packing::Plain {
            pieces(number, &bounds, rows, self.split_rows, size_bytes)
        } else {
            vec![Piece { file: number, first_row: 0, rows, bytes: Some((0, size_bytes)) }]
        };
        Ok((planned, pieces))
    }

    fn observe(&mut self, file: &ListedFile, line: Line<'_>, row: u64) -> Result<()> {
        self.rows += 1;
        let mut position = 0;
        let result = members(line.text, |key, value| {
            let column = match self.keys.find(position, key) {
                Some(column) => column,
                None => self.add(file, key, line, row).map_err(Stop::Other)?,
            };
            position += 1;
            if std::mem::replace(&mut self.seen[column], self.rows) == self.rows {
                let key = self.keys.names()[column].clone();
                let place = place(file, row, line.offset);
                return Err(Stop::Other(SourceError::DuplicateKey { place, key }.into()));
            }
            self.take_in(file, column, value, line, row).map_err(Stop::Other)
        });
        result.map_err(|stop| match stop {
            Stop::Other(error) => error,
            Stop::Syntax(Problem { at, what }) => {
                let problem = format!("{what} (byte {} of the line)", at + 1);
                SourceError::NotJson { place: place(file, row, line.offset), problem }.into()
            }
        })
    }

    fn add(&mut self, file: &ListedFile, key: Quoted<'_>, line: Line<'_>, row: u64) -> Result<usize> {
        let name = key.text(&mut self.scratch).to_owned();
        check_names(&file.shown, std::slice::from_ref(&name))?;
        if self.keys.names().len() >= MAX_KEYS {
            let place = place(file, row, line.offset);
            return Err(SourceError::TooManyKeys { place, limit: MAX_KEYS }.into());
        }
        self.shapes.push(Shape::new());
        self.seen.push(0);
        Ok(self.keys.add(name))
    }

    fn take_in(
        &mut self,
        file: &ListedFile,
        column: usize,
        value: Value<'_>,
        line: Line<'_>,
        row: u64,
    ) -> Result<()> {
        let several = self.several;
        let shown = || if several { format!("row {row} of `{}`", file.shown) } else { format!("row {row}") };
        let misfit = match self.shapes[column].observe(value, &shown, &mut self.scratch) {
            Ok(()) => return Ok(()),
            Err(misfit) => misfit,
        };
        let place = place(file, row, line.offset);
        Err(match misfit {
            Misfit::Mixed { path, found, expected, first } => {
                let column = format!("{}{path}", self.keys.names()[column]).into();
                SourceError::MixedValues { place, column, found, expected, first: first.into() }
            }
            Misfit::Duplicate(key) => SourceError::DuplicateKey { place, key },
            Misfit::TooManyKeys => SourceError::TooManyKeys { place, limit: MAX_KEYS },
            // The line was found sound before.
            Misfit::Syntax(problem) => SourceError::NotJson { place, problem: problem.what.into() },
        }
        .into())
    }
}
