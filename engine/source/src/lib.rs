//! Bytes to batches: CSV and Parquet files as sources of rows.
//!
//! [`open`] lists the files of a location (one file, a glob, a folder), plans their splits and hands out a
//! [`FileSource`], which `fold` reads. CSV goes through a pre-pass that finds column types, rows and split
//! bounds; Parquet is planned from its footers. Every column is delivered in the normal form of
//! [`sluice_core::column`], and Parquet chunks that are dictionary-encoded throughout also as counted views.

mod batches;
mod columns;
mod csv;
mod error;
mod file_source;
mod listing;
mod options;
mod parquet;

pub use csv::ColumnInference;
pub use error::{CsvPlace, SourceError};
pub use file_source::{FileSource, header, open};
pub use options::{CsvOptions, CsvType, Format, SourceOptions};
