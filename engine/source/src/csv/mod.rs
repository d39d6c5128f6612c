//! CSV files: a pre-pass that plans them, and the reading of a split by its byte range.
//!
//! The pre-pass reads a file in parts on all threads ([`part`]) and joins what they tell in order ([`mod@survey`]).
//!
//! There is no way into the middle of a file packed with gzip or zstd: it is one piece, read by one thread.

mod find;
mod part;
mod quotes;
mod read;
mod row_reader;
mod survey;

#[cfg(test)]
mod survey_tests;
#[cfg(test)]
mod tests;

use std::io::Read;

use sluice_core::Error;

use self::row_reader::{RowError, RowProblem};
use crate::blocks::MAX_ROW_BYTES;
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;
use crate::text_input::{Packing, open_text, read_error};

pub(crate) use read::read;
pub(crate) use survey::{Survey, check_magic, header, pieces, survey};

/// The error of a row, with file, row and line; `names` are those of the columns, as far as they are known.
fn row_error(
    file: &ListedFile,
    packing: Packing,
    error: RowError,
    row: Option<u64>,
    names: &[String],
) -> Error {
    let place = || CsvPlace { file: file.shown.clone(), row, line: line_of(file, error.offset) };
    let name = |cell: usize| names.get(cell).map_or_else(|| format!("column_{}", cell + 1), Clone::clone);
    match error.problem {
        RowProblem::Unreadable(source) => read_error(file, packing, source),
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

/// The line, from 1, in which a byte of the text stands. Reads the file again up to there: only errors ask for it.
pub(crate) fn line_of(file: &ListedFile, offset: u64) -> u64 {
    let Ok(input) = open_text(file) else { return 0 };
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
