//! What can be wrong with files.

use std::io;

use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::options::quoted;
use sluice_core::{Diagnostic, Error, ErrorKind};

use crate::options::{CsvType, Format, format_of_name};

/// Where in a text file; rows count from 1 without the header, lines from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvPlace {
    /// The file as the user knows it.
    pub file: String,
    /// The data row; `None` is the header.
    pub row: Option<u64>,
    /// The line in which the row begins.
    pub line: u64,
}

impl std::fmt::Display for CsvPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.row {
            Some(row) => write!(formatter, "`{}`, row {row} (line {})", self.file, self.line),
            None => write!(formatter, "`{}`, header (line {})", self.file, self.line),
        }
    }
}

/// An error in finding, planning or reading files.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A glob or a folder has no file to read.
    #[error("no file to read in `{location}`")]
    NothingFound {
        /// What was asked for.
        location: String,
        /// What to do.
        hint: &'static str,
    },
    /// A glob that is not one.
    #[error("`{location}` is not a valid glob")]
    Pattern {
        /// What was asked for.
        location: String,
        /// What is wrong.
        source: glob::PatternError,
    },
    /// Something else than a file, such as a pipe.
    #[error("`{file}` is not a regular file")]
    NotAFile {
        /// What it is called.
        file: String,
    },
    /// Files of several formats in one source.
    #[error(
        "`{location}` has files of several formats: {first_format} (`{first}`) and {other_format} (`{other}`)"
    )]
    SeveralFormats {
        /// What was asked for.
        location: String,
        /// The first file.
        first: String,
        /// Its format.
        first_format: Format,
        /// The first file of another format.
        other: String,
        /// That format.
        other_format: Format,
    },
    /// A file without a single row, not even a header.
    #[error("`{file}` is empty")]
    EmptyFile {
        /// The file.
        file: String,
    },
    /// A table without columns.
    #[error("`{file}` has no columns")]
    NoColumns {
        /// The file.
        file: String,
    },
    /// Two columns of one name.
    #[error("`{file}` has two columns named `{column}`, number {first} and number {second}")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The name.
        column: String,
        /// The first of them, from 1.
        first: usize,
        /// The second.
        second: usize,
    },
    /// A column name that is ours.
    #[error("`{file}` has a column `{column}`, but names that begin with `__` are reserved")]
    ReservedColumn {
        /// The file.
        file: String,
        /// The name.
        column: String,
    },
    /// A column of our name that is not what we write.
    #[error(
        "column `{column}` of `{file}` is {found}, but holds unsigned row hashes when `sluice ingest` writes it"
    )]
    ForeignRowHash {
        /// The file.
        file: String,
        /// The name.
        column: String,
        /// What it holds.
        found: ColumnKind,
    },
    /// Files of one source that do not have the same columns.
    #[error("`{other}` and `{first}` do not have the same columns: {difference}")]
    ColumnsDiffer {
        /// The first file of the source.
        first: String,
        /// The file that differs.
        other: String,
        /// How.
        difference: String,
    },
    /// A row with too few or too many cells.
    #[error("{place}: expected {}, found {found}", cells(*expected))]
    Ragged {
        /// Where.
        place: CsvPlace,
        /// Cells of the first row.
        expected: usize,
        /// Cells of this one.
        found: usize,
    },
    /// A quote that never ends.
    #[error("{place}: the quote opened in this row is never closed")]
    UnterminatedQuote {
        /// Where.
        place: CsvPlace,
    },
    /// Text between a closing quote and the next delimiter.
    #[error("{place}: text follows the closing quote of cell {cell}")]
    TextAfterQuote {
        /// Where.
        place: CsvPlace,
        /// Which cell, from 1.
        cell: usize,
    },
    /// A NUL byte.
    #[error("{place}: NUL byte in column `{column}` (byte offset {offset})")]
    NulByte {
        /// Where.
        place: CsvPlace,
        /// The column's name.
        column: String,
        /// From the beginning of the file.
        offset: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("{place}: column `{column}` is not UTF-8 (byte offset {offset})")]
    InvalidUtf8 {
        /// Where.
        place: CsvPlace,
        /// The column's name.
        column: String,
        /// From the beginning of the file.
        offset: u64,
    },
    /// A row that does not fit into memory reserved for one.
    #[error("{place}: the row is longer than {limit_bytes} bytes")]
    RowTooLong {
        /// Where.
        place: CsvPlace,
        /// The limit.
        limit_bytes: usize,
    },
    /// A line that does not fit into memory reserved for one.
    #[error("{place}: the line is longer than {limit_bytes} bytes")]
    LineTooLong {
        /// Where.
        place: CsvPlace,
        /// The limit.
        limit_bytes: usize,
    },
    /// A line that does not hold a JSON object.
    #[error("{place}: {problem}")]
    NotJson {
        /// Where.
        place: CsvPlace,
        /// What is wrong.
        problem: String,
    },
    /// Lists, objects and single values under one key.
    #[error("{place}: `{column}` is {found}, but {expected} in {first}")]
    MixedValues {
        /// Where.
        place: CsvPlace,
        /// The column, with the keys (`.key`) and lists (`[]`) that lead to it.
        column: Box<str>,
        /// What stands there.
        found: &'static str,
        /// What stood there before.
        expected: &'static str,
        /// The row of the first of those.
        first: Box<str>,
    },
    /// A key that an object has twice.
    #[error("{place}: key `{key}` stands twice in the object")]
    DuplicateKey {
        /// Where.
        place: CsvPlace,
        /// The key.
        key: String,
    },
    /// Keys without end.
    #[error("{place}: more than {limit} different keys")]
    TooManyKeys {
        /// Where.
        place: CsvPlace,
        /// The limit.
        limit: usize,
    },
    /// A file that is no text at all.
    #[error("`{file}` is {what}, not UTF-8 text")]
    NotText {
        /// The file.
        file: String,
        /// What its first bytes say.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A packed file that cannot be unpacked to its end.
    #[error("`{file}` is damaged or cut off: it cannot be unpacked as {packing}")]
    Packed {
        /// The file.
        file: String,
        /// How it is packed.
        packing: &'static str,
        /// What the decoder said.
        source: io::Error,
    },
    /// One column whose name shows another delimiter.
    #[error("`{file}` has one column, `{header}`, when cut at {delimiter}")]
    WrongDelimiter {
        /// The file.
        file: String,
        /// The header.
        header: String,
        /// The delimiter that was used.
        delimiter: String,
        /// The one that it seems to be.
        likely: String,
    },
    /// A cell that is not of the type given for its column.
    #[error("{place}: `{cell}` in column `{column}` is not {expected}")]
    CellType {
        /// Where.
        place: CsvPlace,
        /// The column.
        column: String,
        /// The cell, shortened.
        cell: String,
        /// With its article.
        expected: &'static str,
        /// What was given.
        forced: CsvType,
    },
    /// A cell that is not of the type that the first rows show.
    #[error(
        "{place}: `{cell}` in column `{column}` does not fit its type, {expected} by the first {infer_rows} rows"
    )]
    CellBeyondInference {
        /// Where.
        place: CsvPlace,
        /// The column.
        column: String,
        /// The cell, shortened.
        cell: String,
        /// The kind that the first rows show.
        expected: Box<str>,
        /// How many rows were looked at.
        infer_rows: u64,
    },
    /// A file that is not what it was when it was planned.
    #[error("`{file}` changed while it was read")]
    Changed {
        /// The file.
        file: String,
    },
    /// Something else under the name of Parquet.
    #[error("`{file}` is not a Parquet file: {reason}")]
    NotParquet {
        /// The file.
        file: String,
        /// How it shows.
        reason: &'static str,
    },
    /// A Parquet file that contradicts itself.
    #[error("`{file}` is a damaged Parquet file: {problem}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A Parquet file that the reader refuses.
    #[error("cannot read {part} of `{file}`")]
    Parquet {
        /// The file.
        file: String,
        /// Which part.
        part: String,
        /// What the reader said.
        source: ::parquet::errors::ParquetError,
    },
    /// A type that cannot be read without losing something.
    #[error("column `{column}` of `{file}` is {found}, which is not supported")]
    UnsupportedType {
        /// The file.
        file: String,
        /// The column, with the fields that lead to it.
        column: String,
        /// Its type, as the format calls it.
        found: &'static str,
    },
    /// Something else under the name of Arrow IPC.
    #[error("`{file}` is not an Arrow IPC file: {reason}")]
    NotArrow {
        /// The file.
        file: String,
        /// How it shows.
        reason: &'static str,
    },
    /// An Arrow IPC file that contradicts itself.
    #[error("`{file}` is a damaged Arrow IPC file: {problem}")]
    DamagedArrow {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// An Arrow IPC file that the reader refuses.
    #[error("cannot read {part} of `{file}`")]
    Arrow {
        /// The file.
        file: String,
        /// Which part.
        part: String,
        /// What the reader said.
        source: arrow::error::ArrowError,
    },
}

/// What a file lacks that holds nothing.
fn hint_of_empty(file: &str) -> &'static str {
    match format_of_name(file) {
        None | Some(Format::Csv) => "write at least a header line, or leave the file out",
        Some(_) => "write at least one row, or leave the file out",
    }
}

impl Diagnostic for SourceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NothingFound { .. } | Self::Changed { .. } => ErrorKind::Unavailable,
            Self::Parquet { source, .. } if is_unavailable(source) => ErrorKind::Unavailable,
            Self::Pattern { .. } | Self::NotAFile { .. } | Self::SeveralFormats { .. } => ErrorKind::Usage,
            Self::EmptyFile { .. }
            | Self::NoColumns { .. }
            | Self::DuplicateColumn { .. }
            | Self::ReservedColumn { .. }
            | Self::ForeignRowHash { .. }
            | Self::ColumnsDiffer { .. }
            | Self::Ragged { .. }
            | Self::UnterminatedQuote { .. }
            | Self::TextAfterQuote { .. }
            | Self::NulByte { .. }
            | Self::InvalidUtf8 { .. }
            | Self::RowTooLong { .. }
            | Self::LineTooLong { .. }
            | Self::NotJson { .. }
            | Self::MixedValues { .. }
            | Self::DuplicateKey { .. }
            | Self::TooManyKeys { .. }
            | Self::NotText { .. }
            | Self::Packed { .. }
            | Self::WrongDelimiter { .. }
            | Self::CellType { .. }
            | Self::CellBeyondInference { .. }
            | Self::NotParquet { .. }
            | Self::Damaged { .. }
            | Self::Parquet { .. }
            | Self::UnsupportedType { .. }
            | Self::NotArrow { .. }
            | Self::DamagedArrow { .. }
            | Self::Arrow { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NothingFound { hint, .. } | Self::NotText { hint, .. } => (*hint).to_owned(),
            Self::Pattern { .. } => {
                "`*`, `?` and `[...]` match within a name, `**` stands alone between slashes".into()
            }
            Self::NotAFile { .. } => "files are read twice; copy the data into a file first".into(),
            Self::SeveralFormats { .. } => {
                "give a glob such as `folder/**/*.parquet`, or set the format".into()
            }
            Self::EmptyFile { file } => hint_of_empty(file).into(),
            Self::NoColumns { .. } => "write a file with at least one column".into(),
            Self::DuplicateColumn { .. } | Self::ReservedColumn { .. } | Self::ForeignRowHash { .. } => {
                "rename the column".into()
            }
            Self::ColumnsDiffer { .. } => {
                "read files of different shape as sources of their own, or write them alike".into()
            }
            Self::Ragged { .. } => {
                "quote cells that hold the delimiter or a line end, and check the delimiter".into()
            }
            Self::UnterminatedQuote { .. } | Self::RowTooLong { .. } => {
                "close the quote; a quote within a quoted cell is written twice".into()
            }
            Self::LineTooLong { .. } | Self::NotJson { .. } => {
                "every line must hold one JSON object, such as {\"fare\": 12.5, \"code\": \"007\"}".into()
            }
            Self::MixedValues { .. } => {
                "write lists, objects and single values under keys of their own, or all as strings".into()
            }
            Self::DuplicateKey { .. } => "rename one of them".into(),
            Self::TooManyKeys { .. } => {
                "write what varies as values, for example in a column of its own, not as keys".into()
            }
            Self::TextAfterQuote { .. } => "a quote within a quoted cell is written twice".into(),
            Self::NulByte { .. } => {
                "remove the NUL byte; it is often a sign of a damaged file or UTF-16".into()
            }
            Self::InvalidUtf8 { .. } => {
                "convert the file to UTF-8, for example with `iconv -f latin1 -t utf-8`".into()
            }
            Self::WrongDelimiter { likely, .. } => format!("set the delimiter to {likely}"),
            Self::CellType { cell, .. } => format!(
                "add {} to `null_values` if it means missing, or give the column the type `text`",
                quoted([cell.as_str()])
            ),
            Self::CellBeyondInference { column, .. } => {
                format!("raise `infer_rows`, or give the type of {}", quoted([column.as_str()]))
            }
            Self::Changed { .. } => "read it again once nobody writes to it".into(),
            Self::UnsupportedType { .. } => {
                "write it as a number of months, days or seconds, or leave the column out".into()
            }
            Self::NotParquet { .. } => "check the file; if it holds CSV, set the format to `csv`".into(),
            Self::NotArrow { .. } => "check the file; write it as Arrow IPC (Feather V2) or Parquet".into(),
            Self::Packed { .. }
            | Self::Damaged { .. }
            | Self::Parquet { .. }
            | Self::DamagedArrow { .. }
            | Self::Arrow { .. } => "write or copy the file again".into(),
        })
    }
}

fn cells(count: usize) -> String {
    if count == 1 { "1 cell".into() } else { format!("{count} cells") }
}

/// Whether the system, not the content, was in the way: only its errors have a number.
fn is_unavailable(error: &::parquet::errors::ParquetError) -> bool {
    let ::parquet::errors::ParquetError::External(source) = error else { return false };
    source.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error().is_some())
}

/// The error of a file that cannot be read. What reading from elsewhere met comes through readers of bytes as it was.
pub(crate) fn unreadable(file: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => CommonError::file("read", file, error).into(),
    }
}

/// Whether it is an error of reading from elsewhere.
pub(crate) fn is_remote(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Error>())
}
