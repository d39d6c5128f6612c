//! Features as the columns of a table, in Parquet, Arrow IPC or TFRecord of `tf.Example`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;

use sluice_core::artifact::{Draft, DraftFile};
use sluice_core::error::{CommonError, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, SparseRows};
use sluice_ingest::{EncodedRows, ParquetWriter, RowGroupEncoder};
use sluice_source::{EncodedExamples, ExampleEncoder, ExampleWriter};

/// The columns of a table. A number is a column of floats, levels are a column of codes (null for none of them),
/// terms are two lists: which, and their numbers. Expanded, levels and terms are a column of floats each.
pub(super) fn fields(space: &FeatureSpace, expanded: bool) -> Vec<Field> {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, false)));
    let mut fields = Vec::new();
    for feature in &space.features {
        match &feature.kind {
            FeatureKind::Number => fields.push(Field::new(&feature.name, DataType::Float64, true)),
            _ if expanded => {
                let names = feature.column_names().into_iter();
                fields.extend(names.map(|name| Field::new(name, DataType::Float64, false)));
            }
            FeatureKind::OneHot { .. } => fields.push(Field::new(&feature.name, DataType::UInt32, true)),
            FeatureKind::Sparse { .. } => {
                let name = &feature.name;
                fields.push(Field::new(format!("{name}.terms"), list(DataType::UInt32), false));
                fields.push(Field::new(format!("{name}.numbers"), list(DataType::Float64), false));
            }
        }
    }
    fields
}

/// The columns of [`fields`].
pub(super) fn columns(space: &FeatureSpace, batch: &FeatureBatch, expanded: bool) -> Result<Vec<ArrayRef>> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (feature, column) in space.features.iter().zip(&batch.columns) {
        match column {
            FeatureColumn::Numbers(values) => columns.push(Arc::new(values.clone())),
            FeatureColumn::Codes(codes) if expanded => {
                columns.extend(indicators(codes, feature.width()));
            }
            FeatureColumn::Codes(codes) => columns.push(Arc::new(codes.clone())),
            FeatureColumn::Sparse(sparse) if expanded => {
                columns.extend(expanded_terms(sparse, feature.width()));
            }
            FeatureColumn::Sparse(sparse) => columns.extend(lists(sparse)?),
        }
    }
    Ok(columns)
}

fn indicators(codes: &UInt32Array, width: usize) -> Vec<ArrayRef> {
    let mut columns = vec![vec![0.0; codes.len()]; width];
    for (row, code) in codes.iter().enumerate() {
        if let Some(column) = code.and_then(|code| columns.get_mut(code as usize)) {
            column[row] = 1.0;
        }
    }
    columns.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef).collect()
}

fn expanded_terms(sparse: &SparseRows, width: usize) -> Vec<ArrayRef> {
    let mut columns = vec![vec![0.0; sparse.rows()]; width];
    let mut set = |row: usize| sparse.row(row).for_each(|(term, number)| columns[term][row] = number);
    (0..sparse.rows()).for_each(&mut set);
    columns.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef).collect()
}

fn lists(sparse: &SparseRows) -> Result<[ArrayRef; 2]> {
    let too_many = |_| CommonError::Internal("a batch has more than 2^31 terms".into());
    let offsets = sparse.offsets.iter().map(|offset| i32::try_from(*offset));
    let offsets: Vec<i32> = offsets.collect::<Result<_, _>>().map_err(too_many)?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let list = |items: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(items.data_type().clone(), false));
        Arc::new(ListArray::new(field, offsets.clone(), items, None))
    };
    Ok([
        list(Arc::new(UInt32Array::from(sparse.indices.clone()))),
        list(Arc::new(Float64Array::from(sparse.values.clone()))),
    ])
}

/// Rows of a table on their way into a file.
pub(in crate::step) enum TableEncoder {
    Groups(Box<RowGroupEncoder>),
    Encoded(EncodedRows),
    Batches(Vec<RecordBatch>),
    Examples(Box<ExampleEncoder>),
    EncodedExamples(EncodedExamples),
}

impl TableEncoder {
    pub(in crate::step) fn parquet(file: &str, schema: &SchemaRef) -> Self {
        Self::Groups(Box::new(RowGroupEncoder::new(file, schema)))
    }

    pub(in crate::step) fn arrow() -> Self {
        Self::Batches(Vec::new())
    }

    pub(in crate::step) fn examples(schema: &SchemaRef) -> Self {
        Self::Examples(Box::new(ExampleEncoder::new(schema)))
    }

    pub(in crate::step) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        match self {
            Self::Groups(encoder) => encoder.push(&batch),
            Self::Batches(batches) => {
                batches.push(batch);
                Ok(())
            }
            Self::Examples(encoder) => encoder.push(&batch),
            Self::Encoded(_) | Self::EncodedExamples(_) => {
                Err(CommonError::Internal("rows after the end of a split".into()).into())
            }
        }
    }

    pub(in crate::step) fn finish(self) -> Result<Self> {
        Ok(match self {
            Self::Groups(encoder) => Self::Encoded(encoder.finish()?),
            Self::Examples(encoder) => Self::EncodedExamples(encoder.finish()?),
            other => other,
        })
    }

    pub(in crate::step) fn size_bytes(&self) -> usize {
        match self {
            Self::Groups(encoder) => encoder.size_bytes(),
            Self::Encoded(rows) => rows.size_bytes(),
            Self::Examples(encoder) => encoder.size_bytes(),
            Self::EncodedExamples(rows) => rows.size_bytes(),
            Self::Batches(batches) => batches.iter().map(RecordBatch::get_array_memory_size).sum(),
        }
    }
}

/// A file of a table.
pub(in crate::step) enum TableWriter {
    Parquet(Box<ParquetWriter>),
    Arrow(Box<FileWriter<DraftFile>>, u64),
    Examples(Box<ExampleWriter<DraftFile>>),
}

fn arrow(error: ArrowError) -> sluice_core::error::Error {
    match error {
        ArrowError::IoError(_, source) => CommonError::on("write", "the Arrow file")(source).into(),
        other => CommonError::Internal(other.to_string()).into(),
    }
}

impl TableWriter {
    pub(in crate::step) fn parquet(draft: &mut Draft, file: &str, schema: &SchemaRef) -> Result<Self> {
        Self::parquet_over(draft.create_file(file)?, file, schema)
    }

    pub(in crate::step) fn parquet_over(opened: DraftFile, file: &str, schema: &SchemaRef) -> Result<Self> {
        Ok(Self::Parquet(Box::new(ParquetWriter::over(opened, file, schema)?)))
    }

    pub(in crate::step) fn arrow(draft: &mut Draft, file: &str, schema: &SchemaRef) -> Result<Self> {
        Self::arrow_over(draft.create_file(file)?, schema)
    }

    pub(in crate::step) fn arrow_over(opened: DraftFile, schema: &SchemaRef) -> Result<Self> {
        Ok(Self::Arrow(Box::new(FileWriter::try_new(opened, schema).map_err(arrow)?), 0))
    }

    pub(in crate::step) fn examples(draft: &mut Draft, file: &str, schema: &SchemaRef) -> Result<Self> {
        Self::examples_over(draft.create_file(file)?, file, schema)
    }

    pub(in crate::step) fn examples_over(opened: DraftFile, file: &str, schema: &SchemaRef) -> Result<Self> {
        Ok(Self::Examples(Box::new(ExampleWriter::over(opened, file, schema)?)))
    }

    /// Adds the rows of a split; answers the bytes held.
    pub(in crate::step) fn append(&mut self, rows: TableEncoder) -> Result<usize> {
        match (self, rows) {
            (Self::Parquet(writer), TableEncoder::Encoded(rows)) => {
                writer.append(rows)?;
                Ok(writer.size_bytes())
            }
            (Self::Arrow(writer, written), TableEncoder::Batches(batches)) => {
                for batch in batches {
                    writer.write(&batch).map_err(arrow)?;
                    *written += batch.num_rows() as u64;
                }
                Ok(0)
            }
            (Self::Examples(writer), TableEncoder::EncodedExamples(rows)) => {
                writer.append(&rows)?;
                Ok(0)
            }
            _ => Err(CommonError::Internal("rows of another format".into()).into()),
        }
    }

    /// Ends the file and answers its rows.
    pub(in crate::step) fn finish(self, draft: &mut Draft) -> Result<u64> {
        let (file, rows) = self.close()?;
        file.finish(draft)?;
        Ok(rows)
    }

    /// Ends the file; answers it with its rows.
    pub(in crate::step) fn close(self) -> Result<(DraftFile, u64)> {
        match self {
            Self::Parquet(writer) => writer.close(),
            Self::Arrow(mut writer, rows) => {
                writer.finish().map_err(arrow)?;
                Ok((writer.into_inner().map_err(arrow)?, rows))
            }
            Self::Examples(writer) => {
                let (file, written) = writer.close()?;
                Ok((file, written.rows))
            }
        }
    }
}
