//! From a source to a data set: subsets by a column or by the hash of the key, Parquet per subset, rows
//! accounted for. [`ingest`] writes the artifact, [`Dataset`] opens it.

mod dataset;
mod error;
mod parquet_writer;
mod row_groups;
mod subsets;
mod write;

pub use dataset::{DATASET_KIND, DATASET_VERSION, Dataset, DatasetRecord};
pub use error::IngestError;
pub use parquet_writer::ParquetWriter;
pub use row_groups::{EncodedRows, RowGroupEncoder};
pub use subsets::SubsetOptions;
pub use write::{IngestOptions, ingest};
