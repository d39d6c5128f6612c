//! One Parquet file of an artifact, written batch by batch. Its bytes follow from the rows and their order alone.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use sluice_core::artifact::{Draft, DraftFile};
use sluice_core::encoding::hash_rows;
use sluice_core::error::Result;

use crate::error::IngestError;

/// Rows of a row group: many enough to compress well, few enough to hold several in memory.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Rows at the head of a file by which columns are judged.
const JUDGED_ROWS: usize = 4096;

/// A Parquet file of a draft.
#[derive(Debug)]
pub struct ParquetWriter {
    name: String,
    schema: SchemaRef,
    target: Target,
    rows: u64,
}

/// The writer needs to know the first rows, so it begins with them.
#[derive(Debug)]
enum Target {
    File(Box<DraftFile>),
    Writer(Box<ArrowWriter<DraftFile>>),
    Failed,
}

impl ParquetWriter {
    /// Begins the file `name` of a draft.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(draft: &mut Draft, name: &str, schema: &SchemaRef) -> Result<Self> {
        let target = Target::File(Box::new(draft.create_file(name)?));
        Ok(Self { name: name.into(), schema: Arc::clone(schema), target, rows: 0 })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written, or a column has a type that Parquet lacks.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let written = self.writer(Some(batch)).and_then(|writer| writer.write(batch));
        Ok(written.map_err(|source| IngestError::Write { name: self.name.clone(), source })?)
    }

    fn writer(&mut self, head: Option<&RecordBatch>) -> Result<&mut ArrowWriter<DraftFile>, ParquetError> {
        if let Target::File(_) = self.target {
            let Target::File(file) = std::mem::replace(&mut self.target, Target::Failed) else {
                return Err(ParquetError::General("the file is gone".into()));
            };
            let properties = properties(&self.schema, head);
            let writer = ArrowWriter::try_new(*file, Arc::clone(&self.schema), Some(properties))?;
            self.target = Target::Writer(Box::new(writer));
        }
        match &mut self.target {
            Target::Writer(writer) => Ok(writer),
            Target::File(_) | Target::Failed => Err(ParquetError::General("an earlier write failed".into())),
        }
    }

    /// Ends the file and answers how many rows it holds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, draft: &mut Draft) -> Result<u64> {
        let name = self.name.clone();
        let failed = |source| IngestError::Write { name: name.clone(), source };
        self.writer(None).map_err(failed)?;
        if let Target::Writer(writer) = self.target {
            writer.into_inner().map_err(failed)?.finish(draft)?;
        }
        Ok(self.rows)
    }
}

/// How the file is written. A dictionary is tried only for columns whose first rows repeat: building one for
/// values that are all different costs a quarter of the writing and is thrown away.
fn properties(schema: &SchemaRef, head: Option<&RecordBatch>) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("sluice {}", env!("CARGO_PKG_VERSION")));
    let Some(head) = head.filter(|head| head.num_rows() >= JUDGED_ROWS) else { return properties.build() };
    for (field, array) in schema.fields().iter().zip(head.columns()) {
        let Ok(mut hashes) = hash_rows(&[(field.name().as_str(), array)], JUDGED_ROWS) else { continue };
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.len() > JUDGED_ROWS / 2 {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    properties.build()
}
