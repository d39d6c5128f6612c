//! One Parquet file of an artifact. Its bytes follow from the rows, their order, and how they came in parts.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, add_encoded_arrow_schema_to_metadata};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use sluice_core::artifact::{Draft, DraftFile};
use sluice_core::error::Result;

use crate::error::IngestError;
use crate::row_groups::{EncodedGroup, EncodedRows, RowGroupEncoder, properties};

/// A Parquet file of a draft: rows encoded here ([`write`](Self::write)) or beforehand on other threads
/// ([`append`](Self::append)), in the order in which they are given.
#[derive(Debug)]
pub struct ParquetWriter<W: Write + Send = DraftFile> {
    name: String,
    file: SerializedFileWriter<W>,
    /// Rows too few to be encoded where they were read.
    small: RowGroupEncoder,
    rows: u64,
}

impl ParquetWriter {
    /// Begins the file `name` of a draft.
    ///
    /// # Errors
    /// When it cannot be created, or a column has a type that Parquet lacks.
    pub fn new(draft: &mut Draft, name: &str, schema: &SchemaRef) -> Result<Self> {
        let file = draft.create_file(name)?;
        Self::over(file, name, schema)
    }

    /// Ends the file and answers how many rows it holds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self, draft: &mut Draft) -> Result<u64> {
        let (file, rows) = self.close()?;
        file.finish(draft)?;
        Ok(rows)
    }
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file, which messages call `name`.
    ///
    /// # Errors
    /// When a column has a type that Parquet lacks.
    pub fn over(file: W, name: &str, schema: &SchemaRef) -> Result<Self> {
        let mut properties = properties().build();
        add_encoded_arrow_schema_to_metadata(&without_views(schema), &mut properties);
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let begun = ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)
            .and_then(ArrowWriter::into_serialized_writer);
        let (file, _) = begun.map_err(|source| IngestError::Write { name: name.into(), source })?;
        let small = RowGroupEncoder::new(name, schema);
        Ok(Self { name: name.into(), file, small, rows: 0 })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written, or a column has another type than the schema says.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.small.push(batch)?;
        let full = self.small.take_full();
        self.splice(full)
    }

    /// Adds rows that were encoded before.
    ///
    /// # Errors
    /// As [`ParquetWriter::write`].
    pub fn append(&mut self, part: EncodedRows) -> Result<()> {
        if !part.groups.is_empty() {
            self.flush()?;
            self.rows += part.groups.iter().map(|group| group.rows as u64).sum::<u64>();
            self.splice(part.groups)?;
        }
        part.rest.iter().try_for_each(|batch| self.write(batch))
    }

    /// Bytes held of rows that are not written yet.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.small.size_bytes()
    }

    fn flush(&mut self) -> Result<()> {
        self.small.flush()?;
        let full = self.small.take_full();
        self.splice(full)
    }

    fn splice(&mut self, groups: Vec<EncodedGroup>) -> Result<()> {
        let file = &mut self.file;
        let spliced = groups.into_iter().try_for_each(|group| {
            let mut writer = file.next_row_group()?;
            group.chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut writer))?;
            writer.close().map(drop)
        });
        Ok(spliced.map_err(|source: ParquetError| IngestError::Write { name: self.name.clone(), source })?)
    }

    /// Ends the file; answers it with its rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(mut self) -> Result<(W, u64)> {
        self.flush()?;
        let file = self.file.into_inner().map_err(|source| IngestError::Write { name: self.name, source })?;
        Ok((file, self.rows))
    }
}

/// The schema that a file tells Arrow's readers: views are how we hold text in memory, and pyarrow before version 16, which
/// TFX pins, opens no file that speaks of them.
fn without_views(schema: &Schema) -> Schema {
    fn told(field: &FieldRef) -> FieldRef {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            DataType::List(item) => DataType::List(told(item)),
            DataType::LargeList(item) => DataType::LargeList(told(item)),
            DataType::FixedSizeList(item, size) => DataType::FixedSizeList(told(item), *size),
            DataType::Map(entries, is_sorted) => DataType::Map(told(entries), *is_sorted),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(told).collect()),
            _ => return Arc::clone(field),
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    }
    let fields: Vec<FieldRef> = schema.fields().iter().map(told).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, StringViewArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn files_speak_of_no_views() {
        let item: FieldRef = Arc::new(Field::new("item", DataType::Utf8View, true));
        let inner: FieldRef = Arc::new(Field::new("inner", DataType::BinaryView, true));
        let fields = vec![
            Field::new("text", DataType::Utf8View, true),
            Field::new("texts", DataType::List(item), true),
            Field::new("parts", DataType::Struct(vec![inner].into()), true),
            Field::new(
                "zoned",
                DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("+01:00".into())),
                true,
            ),
        ];
        let schema = Arc::new(Schema::new(fields));
        let mut writer = ParquetWriter::over(Vec::new(), "rows.parquet", &schema).unwrap();
        let texts = StringViewArray::from(vec![Some("a"), None]);
        let rest =
            schema.fields().iter().skip(1).map(|field| arrow::array::new_null_array(field.data_type(), 2));
        let columns = std::iter::once(Arc::new(texts) as Arc<dyn Array>).chain(rest).collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
        let (bytes, rows) = writer.close().unwrap();
        assert_eq!(rows, 2);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let told = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let types: Vec<String> =
            told.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
        assert!(types.iter().all(|shown| !shown.contains("View")), "{types:?}");
        // What Parquet itself would not say.
        assert_eq!(told.schema().field(3).data_type(), schema.field(3).data_type());
    }
}
