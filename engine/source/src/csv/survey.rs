//! The pre-pass over CSV files: names and types of the columns, rows, split bounds and fingerprint.
//!
//! Files are read once from end to end in blocks; memory does not grow with them. Types are inferred over
//! all files together, so that a column that is empty in one file takes its type from the others.

use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, PlannedColumn, PlannedFile};
use sluice_core::{Execution, Result};

use super::row_reader::{Row, RowError, RowReader};
use super::{line_of, row_error};
use crate::cells::{ColumnInference, Inference, shorten};
use crate::columns::{check_names, match_names};
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;
use crate::options::{Dialect, SourceOptions, trim};
use crate::text_input::{Packing, open_hashed, read_error};

/// What the pre-pass finds out.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) files: Vec<PlannedFile>,
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) inference: Vec<ColumnInference>,
    /// For each file and column of the table, the cell of the file's rows that holds it.
    pub(crate) orders: Vec<Vec<usize>>,
}

/// Rows between two looks at the cancel flag.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 14;

/// Reads all files once.
pub(crate) fn survey(
    files: &[ListedFile],
    dialect: &Dialect,
    options: &SourceOptions,
    execution: &Execution,
) -> Result<Survey> {
    let split_rows = std::cmp::max(options.plan.split_rows, 1);
    let mut state = State {
        dialect,
        execution,
        split_rows,
        names: Vec::new(),
        inference: Vec::new(),
        several: files.len() > 1,
        infer_rows: dialect.infer_rows.unwrap_or(u64::MAX),
        rows: 0,
    };
    let (mut planned, mut pieces, mut orders) = (Vec::new(), Vec::new(), Vec::new());
    for (number, file) in files.iter().enumerate() {
        let names = state.read_names(file)?;
        if number == 0 {
            state.begin(file, &names, options)?;
        }
        let order = match_names(&files[0].shown, &state.names, &file.shown, &names)?;
        let (scanned, file_pieces) = state.scan(number, file, &names, &order)?;
        planned.push(scanned);
        pieces.extend(file_pieces);
        orders.push(order);
    }
    let (mut columns, mut inference) = (Vec::new(), Vec::new());
    for (name, column) in state.names.into_iter().zip(state.inference) {
        let (kind, note) = column.finish();
        columns.push(PlannedColumn { name: name.clone(), kind: kind.clone() });
        inference.push(ColumnInference { column: name, kind, note });
    }
    Ok(Survey { files: planned, columns, pieces, inference, orders })
}

/// The names of the columns of the first file, from its first row alone.
pub(crate) fn header(files: &[ListedFile], dialect: &Dialect) -> Result<Vec<String>> {
    let execution = Execution::default();
    let state = State {
        dialect,
        execution: &execution,
        split_rows: 1,
        names: Vec::new(),
        inference: Vec::new(),
        several: files.len() > 1,
        infer_rows: dialect.infer_rows.unwrap_or(u64::MAX),
        rows: 0,
    };
    let names = state.read_names(&files[0])?;
    check_names(&files[0].shown, &names)?;
    Ok(names)
}

struct State<'a> {
    dialect: &'a Dialect,
    execution: &'a Execution,
    split_rows: u64,
    names: Vec<String>,
    inference: Vec<Inference>,
    several: bool,
    /// Rows that types follow from.
    infer_rows: u64,
    /// Rows so far, of all files.
    rows: u64,
}

impl State<'_> {
    fn read_names(&self, file: &ListedFile) -> Result<Vec<String>> {
        let (input, packing) = open_hashed(file, None)?;
        let mut reader = RowReader::new(input, 0, self.dialect.delimiter);
        let failed = |error| row_error(file, packing, error, None, &[]);
        check_magic(file, reader.peek().map_err(failed)?)?;
        let row = reader.next_row().map_err(failed)?;
        let Some(row) = row else { return Err(SourceError::EmptyFile { file: file.shown.clone() }.into()) };
        let mut scratch = String::new();
        let mut names = Vec::with_capacity(row.len());
        for index in 0..row.len() {
            let cell = row.cell(index, &mut scratch);
            let name = if cell.quoted { cell.text } else { trim(cell.text) };
            if row.len() == 1 && !cell.quoted {
                self.check_delimiter(file, name)?;
            }
            let unnamed = !self.dialect.header || name.is_empty();
            names.push(if unnamed { format!("column_{}", index + 1) } else { name.to_owned() });
        }
        Ok(names)
    }

    fn check_delimiter(&self, file: &ListedFile, header: &str) -> Result<()> {
        let likely = [b';', b'\t', b'|', b',']
            .into_iter()
            .find(|&other| other != self.dialect.delimiter && header.as_bytes().contains(&other));
        let Some(likely) = likely else { return Ok(()) };
        Err(SourceError::WrongDelimiter {
            file: file.shown.clone(),
            header: shorten(header),
            delimiter: shown_delimiter(self.dialect.delimiter),
            likely: shown_delimiter(likely),
        }
        .into())
    }

    fn begin(&mut self, file: &ListedFile, names: &[String], options: &SourceOptions) -> Result<()> {
        check_names(&file.shown, names)?;
        for column in options.csv.types.keys() {
            if !names.contains(column) {
                let place = format!("`{}`", file.shown);
                let available = names.to_vec();
                return Err(CommonError::ColumnMissing { column: column.clone(), place, available }.into());
            }
        }
        self.inference =
            names.iter().map(|name| Inference::new(options.csv.types.get(name).copied())).collect();
        self.names = names.to_vec();
        Ok(())
    }

    /// Reads a file once; `names` are those of its cells, `order` says which of them holds which column.
    fn scan(
        &mut self,
        number: usize,
        file: &ListedFile,
        names: &[String],
        order: &[usize],
    ) -> Result<(PlannedFile, Vec<Piece>)> {
        let (input, packing) = open_hashed(file, Some(&self.execution.progress))?;
        let mut reader = RowReader::new(input, 0, self.dialect.delimiter);
        let at = |error: RowError, row: Option<u64>| row_error(file, packing, error, row, names);
        if self.dialect.header {
            reader.next_row().map_err(|error| at(error, None))?;
        }
        let mut open: Vec<usize> =
            (0..self.names.len()).filter(|&index| self.inference[index].is_open()).collect();
        if self.rows >= self.infer_rows {
            open.retain(|&index| self.inference[index].is_forced());
        }
        let mut bounds = Vec::new();
        let mut rows = 0_u64;
        let mut scratch = String::new();
        while let Some(row) = reader.next_row().map_err(|error| at(error, Some(rows + 1)))? {
            if rows.is_multiple_of(self.split_rows) {
                bounds.push(row.offset);
            }
            if self.rows == self.infer_rows {
                open.retain(|&index| self.inference[index].is_forced());
            }
            rows += 1;
            self.rows += 1;
            if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                self.execution.cancel.check()?;
            }
            self.observe(file, &row, rows, order, &mut open, &mut scratch)?;
        }
        let finished = reader.into_input().into_raw().finish(&self.dialect.mark());
        let (size_bytes, fingerprint) = finished.map_err(|error| read_error(file, packing, error))?;
        let planned = PlannedFile { path: file.relative.clone(), size_bytes, rows, fingerprint };
        let pieces = if packing == Packing::Plain {
            pieces(number, &bounds, rows, self.split_rows, size_bytes)
        } else {
            // There is no way into the middle of a packed file.
            vec![Piece { file: number, first_row: 0, rows, bytes: Some((0, size_bytes)) }]
        };
        Ok((planned, pieces))
    }

    fn observe(
        &mut self,
        file: &ListedFile,
        row: &Row<'_>,
        number: u64,
        order: &[usize],
        open: &mut Vec<usize>,
        scratch: &mut String,
    ) -> Result<()> {
        if row.len() != self.names.len() {
            let place = place(file, number, row.offset);
            return Err(SourceError::Ragged { place, expected: self.names.len(), found: row.len() }.into());
        }
        let mut closed = false;
        for &index in &*open {
            let cell = row.cell(order[index], scratch);
            let text = if cell.quoted { cell.text } else { trim(cell.text) };
            if !cell.quoted && self.dialect.is_null(text) {
                continue;
            }
            let inference = &mut self.inference[index];
            let several = self.several;
            let shown = || {
                if several { format!("row {number} of `{}`", file.shown) } else { format!("row {number}") }
            };
            if let Err(forced) = inference.observe(text, shown) {
                return Err(SourceError::CellType {
                    place: place(file, number, row.offset),
                    column: self.names[index].clone(),
                    cell: shorten(text),
                    expected: forced.with_article(),
                    forced,
                }
                .into());
            }
            closed |= !inference.is_open();
        }
        if closed {
            open.retain(|&index| self.inference[index].is_open());
        }
        Ok(())
    }
}

/// The pieces of a file whose every `split_rows`-th row begins at these bounds.
pub(crate) fn pieces(file: usize, bounds: &[u64], rows: u64, split_rows: u64, size_bytes: u64) -> Vec<Piece> {
    let ends = bounds.iter().skip(1).copied().chain([size_bytes]);
    let mut first_row = 0;
    let mut pieces = Vec::with_capacity(bounds.len());
    for (&start, end) in bounds.iter().zip(ends) {
        let piece_rows = std::cmp::min(split_rows, rows - first_row);
        pieces.push(Piece { file, first_row, rows: piece_rows, bytes: Some((start, end)) });
        first_row += piece_rows;
    }
    pieces
}

fn place(file: &ListedFile, row: u64, offset: u64) -> CsvPlace {
    CsvPlace { file: file.shown.clone(), row: Some(row), line: line_of(file, offset) }
}

fn shown_delimiter(delimiter: u8) -> String {
    if delimiter == b'\t' { "a tab".into() } else { format!("`{}`", char::from(delimiter)) }
}

/// Other kinds of files that come under the name of a text format.
pub(crate) fn check_magic(file: &ListedFile, magic: &[u8]) -> Result<()> {
    let (what, hint) = match magic {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            ("UTF-16", "convert the file to UTF-8, for example with `iconv -f utf-16 -t utf-8`")
        }
        [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD] => ("compressed twice", "unpack it once first"),
        b"PK\x03\x04" => ("a ZIP archive or a spreadsheet", "unpack it, or export the sheet as CSV"),
        b"PAR1" | b"PARE" => ("Parquet", "set the format to `parquet`, or end its name in `.parquet`"),
        b"ARRO" => ("Arrow IPC", "set the format to `arrow`, or end its name in `.arrow`"),
        _ => return Ok(()),
    };
    Err(SourceError::NotText { file: file.shown.clone(), what, hint }.into())
}
