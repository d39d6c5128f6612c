//! JSON lines: one object per line, its keys the columns. A pre-pass finds columns, types and split bounds.
//!
//! Keys may come in any order; one that is missing is null; columns stand in the order in which their keys
//! first appear. Numbers stay exact: what neither 64 bits nor a double can hold stays text, digit by digit.
//! Strings stay strings, whatever they look like. Lists become lists, objects structs, with the types of what they
//! hold, at any depth.
//!
//! There is no way into the middle of a file packed with gzip or zstd: it is one piece, read by one thread.

mod build;
mod keys;
mod lines;
mod read;
mod shape;
mod survey;
mod token;

#[cfg(test)]
mod tests;

use sluice_core::Error;

use self::lines::{LineError, LineProblem};
use crate::blocks::MAX_ROW_BYTES;
use crate::csv::line_of;
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;
use crate::text_input::{Packing, read_error};

pub(crate) use read::read;
pub(crate) use survey::survey;

fn place(file: &ListedFile, row: u64, offset: u64) -> CsvPlace {
    CsvPlace { file: file.shown.clone(), row: Some(row), line: line_of(file, offset) }
}

fn line_error(file: &ListedFile, packing: Packing, error: LineError, row: u64) -> Error {
    match error.problem {
        LineProblem::Unreadable(source) => read_error(file, packing, source),
        LineProblem::TooLong => {
            let place = place(file, row, error.offset);
            SourceError::LineTooLong { place, limit_bytes: MAX_ROW_BYTES }.into()
        }
        LineProblem::InvalidUtf8 { at } => {
            let problem = format!("byte {} of the line is not UTF-8", at + 1);
            SourceError::NotJson { place: place(file, row, error.offset), problem }.into()
        }
    }
}
