//! The files of a data set: Parquet, or TFRecord of `tf.Example` as TFX lays it out.

use sluice_core::artifact::{Draft, DraftFile};
use sluice_core::error::{CommonError, Result};
use sluice_source::{EncodedExamples, ExampleEncoder, ExampleWriter};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::parquet_writer::ParquetWriter;
use crate::row_groups::{EncodedRows, RowGroupEncoder};
use crate::split_folders::SPLIT_PREFIX;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetFormat {
    /// Parquet: every type and every bit is kept.
    #[default]
    Parquet,
    /// TFRecord of `tf.Example`, packed with gzip, in folders `Split-NAME`: what TFX calls Examples.
    Tfrecord,
}

impl DatasetFormat {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_parquet(&self) -> bool {
        *self == Self::Parquet
    }

    /// The file of a subset, or of its part of a span; in byte order of their names the spans ascend. TFX knows spans
    /// of artifacts, not within them: there all of them are one file.
    pub(crate) fn file_of(self, subset: &str, span: Option<u64>) -> String {
        match (self, span) {
            (Self::Parquet, None) => format!("{subset}/part-00000.parquet"),
            (Self::Parquet, Some(span)) => format!("{subset}/span-{span:018}.parquet"),
            (Self::Tfrecord, _) => format!("{SPLIT_PREFIX}{subset}/data_tfrecord-00000-of-00001.gz"),
        }
    }
}

/// Encodes rows of a subset on whatever thread reads them.
pub(crate) enum SubsetEncoder {
    Parquet(Box<RowGroupEncoder>),
    Examples(Box<ExampleEncoder>),
}

/// Encoded rows of a subset.
pub(crate) enum EncodedSubset {
    Parquet(EncodedRows),
    Examples(EncodedExamples),
}

impl SubsetEncoder {
    pub(crate) fn new(format: DatasetFormat, file: &str, schema: &SchemaRef) -> Self {
        match format {
            DatasetFormat::Parquet => Self::Parquet(Box::new(RowGroupEncoder::new(file, schema))),
            DatasetFormat::Tfrecord => Self::Examples(Box::new(ExampleEncoder::new(schema))),
        }
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Parquet(encoder) => encoder.push(batch),
            Self::Examples(encoder) => encoder.push(batch),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Parquet(encoder) => encoder.size_bytes(),
            Self::Examples(encoder) => encoder.size_bytes(),
        }
    }

    pub(crate) fn finish(self) -> Result<EncodedSubset> {
        Ok(match self {
            Self::Parquet(encoder) => EncodedSubset::Parquet(encoder.finish()?),
            Self::Examples(encoder) => EncodedSubset::Examples(encoder.finish()?),
        })
    }
}

impl EncodedSubset {
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Parquet(rows) => rows.size_bytes(),
            Self::Examples(rows) => rows.size_bytes(),
        }
    }
}

/// A file of a subset, in the making.
pub(crate) enum SubsetWriter {
    Parquet(Box<ParquetWriter>),
    Examples(Box<ExampleWriter<DraftFile>>),
}

impl SubsetWriter {
    pub(crate) fn new(
        draft: &mut Draft,
        format: DatasetFormat,
        name: &str,
        schema: &SchemaRef,
    ) -> Result<Self> {
        Ok(match format {
            DatasetFormat::Parquet => Self::Parquet(Box::new(ParquetWriter::new(draft, name, schema)?)),
            DatasetFormat::Tfrecord => {
                let file = draft.create_file(name)?;
                Self::Examples(Box::new(ExampleWriter::over(file, name, schema)?))
            }
        })
    }

    pub(crate) fn append(&mut self, rows: EncodedSubset) -> Result<()> {
        match (self, rows) {
            (Self::Parquet(writer), EncodedSubset::Parquet(rows)) => writer.append(rows),
            (Self::Examples(writer), EncodedSubset::Examples(rows)) => writer.append(&rows),
            _ => Err(CommonError::Internal("rows of another format".into()).into()),
        }
    }

    /// Bytes held of rows that are not written yet.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Parquet(writer) => writer.size_bytes(),
            Self::Examples(_) => 0,
        }
    }

    /// Ends the file; answers its rows, and by column how many values were rounded.
    pub(crate) fn finish(self, draft: &mut Draft) -> Result<(u64, Vec<(String, u64)>)> {
        match self {
            Self::Parquet(writer) => Ok((writer.finish(draft)?, Vec::new())),
            Self::Examples(writer) => {
                let (file, written) = writer.close()?;
                file.finish(draft)?;
                Ok((written.rows, written.rounded))
            }
        }
    }
}
