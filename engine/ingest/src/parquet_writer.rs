//! One Parquet file of an artifact, written batch by batch. Its bytes follow from the rows and their order alone.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use sluice_core::artifact::{Draft, DraftFile};
use sluice_core::error::Result;

use crate::error::IngestError;

/// Rows of a row group: many enough to compress well, few enough to hold several in memory.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// A Parquet file of a draft.
#[derive(Debug)]
pub struct ParquetWriter {
    name: String,
    writer: ArrowWriter<DraftFile>,
    rows: u64,
}

impl ParquetWriter {
    /// Begins the file `name` of a draft.
    ///
    /// # Errors
    /// When it cannot be written, or a column has a type that Parquet lacks.
    pub fn new(draft: &mut Draft, name: &str, schema: &SchemaRef) -> Result<Self> {
        let file = draft.create_file(name)?;
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("sluice {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties))
            .map_err(|source| IngestError::Write { name: name.into(), source })?;
        Ok(Self { name: name.into(), writer, rows: 0 })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let name = &self.name;
        Ok(self.writer.write(batch).map_err(|source| IngestError::Write { name: name.clone(), source })?)
    }

    /// Ends the file and answers how many rows it holds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self, draft: &mut Draft) -> Result<u64> {
        let name = self.name;
        let file = self.writer.into_inner().map_err(|source| IngestError::Write { name, source })?;
        file.finish(draft)?;
        Ok(self.rows)
    }
}
