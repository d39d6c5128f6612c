//! Bytes to batches: CSV, JSON lines, Parquet and Arrow IPC files as sources of rows.
//!
//! [`open`] lists the files of a location (one file, a glob, a folder), plans their splits and hands out a
//! [`FileSource`], which `fold` reads. CSV and JSON lines, which may be packed with gzip or zstd, go through a
//! pre-pass that finds column types, rows and split bounds; Parquet and Arrow IPC are planned from their headers.
//! Files of one source have the same columns in any order. Every column is delivered in the normal form of
//! [`sluice_core::column`], and Parquet chunks that are dictionary-encoded throughout also as counted views.
//!
//! A packed text file is one split, read by one thread, since there is no way into its middle; several such files
//! are read side by side.

mod batches;
mod blocks;
mod cells;
mod columns;
mod csv;
mod error;
mod file_source;
mod ipc;
mod jsonl;
mod listing;
mod options;
mod parquet;
mod text_input;
mod whole_files;

pub use cells::ColumnInference;
pub use error::{CsvPlace, SourceError};
pub use file_source::{FileSource, Header, SpanLocation, header, open, open_spans};
pub use options::{CsvOptions, CsvType, Format, SourceOptions};
