//! Bytes to batches: CSV, JSON lines, TFRecord, Parquet and Arrow IPC files as sources of rows.
//!
//! [`open`] lists the files of a location (one file, a glob, a folder; here, in a bucket or on a web server), plans
//! their splits and hands out a [`FileSource`], which `fold` reads. CSV, JSON lines and TFRecord, which may be packed
//! with gzip or zstd, go through a pre-pass that finds column types, rows and split bounds; Parquet and Arrow IPC are
//! planned from their headers. Files of one source have the same columns in any order. Every column is delivered in the
//! normal form of [`sluice_core::column`], and Parquet chunks that are dictionary-encoded throughout also as counted
//! views.
//!
//! What is elsewhere is read by ranges, of the content that was there when it was listed; what a scan will want next is
//! asked for before it does (`ahead`).
//!
//! A packed file is one split, read by one thread, since there is no way into its middle; several such files
//! are read side by side.

mod ahead;
mod batches;
mod blocks;
mod bucket_listing;
mod cells;
mod columns;
mod csv;
mod error;
mod file_source;
mod input;
mod ipc;
mod jsonl;
mod listing;
mod options;
mod parquet;
mod remote_file;
mod text_input;
mod tfrecord;
mod whole_files;

#[cfg(test)]
mod remote_tests;

pub use bucket_listing::names_below;
pub use cells::ColumnInference;
pub use error::{CsvPlace, SourceError};
pub use file_source::{FileSource, Header, SpanLocation, arrow_schema, header, open, open_spans};
pub use options::{CsvOptions, CsvType, Format, SourceOptions};
pub use tfrecord::{
    EncodedExamples, ExampleEncoder, ExampleError, ExampleWriter, RecordPlace, WrittenExamples,
};
