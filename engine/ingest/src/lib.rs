//! From sources to a data set: named inputs and their spans, a query that filters, joins and derives (polars; the only
//! crate that knows it), subsets by a column, by time or by the hash of the key, Parquet per subset, rows accounted
//! for. [`ingest`] and [`ingest_query`] write the artifact, [`Dataset`] opens it, or what TFX left in its place.

mod dataset;
mod error;
mod interval;
mod parquet_writer;
mod query;
mod row_groups;
mod spans;
mod split_folders;
mod stage;
mod subset_files;
mod subsets;
mod write;

pub use dataset::{DATASET_KIND, DATASET_VERSION, Dataset, DatasetRecord, SpanRecord};
pub use error::IngestError;
pub use interval::IntervalOptions;
pub use parquet_writer::ParquetWriter;
pub use query::{Answer, InputRecord, NamedSource, Position, Query, QueryError, QueryRecord};
pub use row_groups::{EncodedRows, RowGroupEncoder};
pub use spans::{FoundSpan, SpanError, SpanSelection, has_spans, select_spans};
pub use split_folders::{SPLIT_PREFIX, are_split_folders, has_split_folders};
pub use subset_files::DatasetFormat;
pub use subsets::{BY_SPLIT_FOLDER, Share, SubsetOptions};
pub use write::{IngestOptions, ingest, ingest_query};
