//! CSV files: a pre-pass that plans them, and the reading of a split by its byte range.

mod cell;
mod inference;
mod read;
mod row_reader;
mod survey;
mod time;
mod value;

#[cfg(test)]
mod tests;

use std::io::Read;

use sluice_core::Error;
use sluice_core::error::CommonError;

use self::row_reader::{MAX_ROW_BYTES, RowError, RowProblem};
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;

pub use inference::ColumnInference;
pub(crate) use read::read;
pub(crate) use survey::{header, survey};

/// The error of a row, with file, row and line; `names` are those of the columns, as far as they are known.
fn row_error(file: &ListedFile, error: RowError, row: Option<u64>, names: &[String]) -> Error {
    let place = || CsvPlace { file: file.shown.clone(), row, line: line_of(file, error.offset) };
    let name = |cell: usize| names.get(cell).map_or_else(|| format!("column_{}", cell + 1), Clone::clone);
    match error.problem {
        RowProblem::Unreadable(source) => CommonError::file("read", &file.shown, source).into(),
        RowProblem::UnterminatedQuote => SourceError::UnterminatedQuote { place: place() }.into(),
        RowProblem::TextAfterQuote { cell } => {
            SourceError::TextAfterQuote { place: place(), cell: cell + 1 }.into()
        }
        RowProblem::NulByte { cell, offset } => {
            SourceError::NulByte { place: place(), column: name(cell), offset }.into()
        }
        RowProblem::InvalidUtf8 { cell, offset } => {
            SourceError::InvalidUtf8 { place: place(), column: name(cell), offset }.into()
        }
        RowProblem::TooLong => SourceError::RowTooLong { place: place(), limit_bytes: MAX_ROW_BYTES }.into(),
    }
}

/// The line, from 1, in which a byte stands. Reads the file again up to there: only errors ask for it.
fn line_of(file: &ListedFile, offset: u64) -> u64 {
    let Ok(input) = fs_err::File::open(&file.path) else { return 0 };
    let mut input = input.take(offset);
    let mut buffer = vec![0; 1 << 16];
    let mut line = 1;
    let mut after_return = false;
    while let Ok(bytes @ 1..) = input.read(&mut buffer) {
        for &byte in &buffer[..bytes] {
            line += u64::from(byte == b'\r' || (byte == b'\n' && !after_return));
            after_return = byte == b'\r';
        }
    }
    line
}
