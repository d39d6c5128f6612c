//! Rows to records of `tf.Example`, packed with gzip on whatever thread has the rows; the file is then put together
//! from bytes alone.
//!
//! Integers and booleans become integers; floats and decimals 32-bit floats, rounded to the nearest; text, dates (ISO
//! 8601) and instants bytes. A null is a feature without a kind, as TFX writes it; an empty list has one. Names stand in
//! byte order. Our own row hash stays out.
//!
//! The file is one gzip member: pieces end at a byte (an empty stored block), so that they can be joined, and their
//! checksums are combined.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use prost::Message;

use sluice_core::column::{ColumnKind, normalize};
use sluice_core::error::{CommonError, Result};
use sluice_core::{Error, ROW_HASH_COLUMN};

use super::error::ExampleError;
use super::example::{Example, Feature, Features, Pair};
use super::records::{head_of, masked_checksum};
use super::values::Prepared;

/// No name, no time, made by nobody in particular.
const GZIP_HEAD: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

/// An empty last block.
const DEFLATE_END: [u8; 2] = [3, 0];

/// Encodes consecutive rows as records.
pub struct ExampleEncoder {
    /// The columns that are written, in byte order of their names.
    columns: Vec<usize>,
    /// The record in the making: names stay, values change from row to row.
    example: Example,
    packed: DeflateEncoder<Vec<u8>>,
    /// One for each batch.
    checksums: Vec<Crc>,
    rows: u64,
    rounded: Vec<u64>,
}

/// Records on their way into a file.
#[derive(Debug)]
pub struct EncodedExamples {
    packed: Vec<u8>,
    checksums: Vec<Crc>,
    rows: u64,
    rounded: Vec<u64>,
}

/// The columns of a schema that records hold, in byte order of their names.
fn written(schema: &SchemaRef) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..schema.fields().len()).collect();
    columns.retain(|column| schema.field(*column).name() != ROW_HASH_COLUMN);
    columns.sort_by(|a, b| schema.field(*a).name().cmp(schema.field(*b).name()));
    columns
}

/// Sees that records can hold the columns of a schema, as far as their types tell.
///
/// # Errors
/// [`ExampleError::Unsupported`].
fn check_schema(schema: &SchemaRef) -> Result<(), ExampleError> {
    for column in written(schema) {
        let field = schema.field(column);
        let kind = ColumnKind::of(field.data_type());
        let item = match &kind {
            ColumnKind::List(item) => item,
            other => other,
        };
        if matches!(item, ColumnKind::List(_) | ColumnKind::Struct(_) | ColumnKind::Other(_)) {
            return Err(ExampleError::Unsupported { column: field.name().clone(), found: kind.to_string() });
        }
    }
    Ok(())
}

impl ExampleEncoder {
    /// For rows with this schema.
    #[must_use]
    pub fn new(schema: &SchemaRef) -> Self {
        let columns = written(schema);
        let pair = |column: &usize| Pair { name: schema.field(*column).name().clone(), feature: None };
        let features = Features { pairs: columns.iter().map(pair).collect() };
        Self {
            rounded: vec![0; columns.len()],
            columns,
            example: Example { features: Some(features), feature_lists: None },
            packed: DeflateEncoder::new(Vec::new(), Compression::default()),
            checksums: Vec::new(),
            rows: 0,
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`ExampleError`] for what records cannot hold.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let mut prepared = Vec::with_capacity(self.columns.len());
        for (&column, rounded) in self.columns.iter().zip(&mut self.rounded) {
            let name = schema.field(column).name();
            let values = Prepared::new(name, &normalize(batch.column(column))?)?;
            *rounded += values.rounded();
            prepared.push(values);
        }
        let (mut checksum, mut record) = (Crc::new(), Vec::new());
        for row in 0..batch.num_rows() {
            let pairs = self.example.features.iter_mut().flat_map(|features| &mut features.pairs);
            for (pair, values) in pairs.zip(&prepared) {
                let values = values.at(row, &pair.name).map_err(|error| Error::from(error).at_row(row))?;
                pair.feature = Some(Feature { values });
            }
            let content = self.example.encode_to_vec();
            record.clear();
            record.extend_from_slice(&head_of(content.len() as u64));
            record.extend_from_slice(&content);
            record.extend_from_slice(&masked_checksum(&content).to_le_bytes());
            checksum.update(&record);
            self.packed.write_all(&record).map_err(unpacked)?;
        }
        self.checksums.push(checksum);
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Bytes held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.packed.get_ref().capacity()
    }

    /// Ends the records.
    ///
    /// # Errors
    /// None that rows could cause.
    pub fn finish(mut self) -> Result<EncodedExamples> {
        self.packed.flush().map_err(unpacked)?;
        let packed = std::mem::take(self.packed.get_mut());
        let Self { checksums, rows, rounded, .. } = self;
        Ok(EncodedExamples { packed, checksums, rows, rounded })
    }
}

impl std::fmt::Debug for ExampleEncoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ExampleEncoder").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Packing into memory does not fail.
fn unpacked(error: io::Error) -> Error {
    CommonError::Internal(error.to_string()).into()
}

impl EncodedExamples {
    /// Bytes held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.packed.capacity()
    }
}

/// A TFRecord file packed with gzip, in the making.
#[derive(Debug)]
pub struct ExampleWriter<W: Write> {
    name: String,
    file: W,
    names: Vec<String>,
    checksum: Crc,
    rows: u64,
    rounded: Vec<u64>,
}

/// What became of the rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenExamples {
    /// How many there are.
    pub rows: u64,
    /// The columns with values that 32 bits do not hold exactly, with the number of such values.
    pub rounded: Vec<(String, u64)>,
}

impl<W: Write> ExampleWriter<W> {
    /// Begins a file, which messages call `name`, of rows with this schema.
    ///
    /// # Errors
    /// A column that records cannot hold; when it cannot be written.
    pub fn over(mut file: W, name: &str, schema: &SchemaRef) -> Result<Self> {
        check_schema(schema)?;
        file.write_all(&GZIP_HEAD).map_err(CommonError::on("write", name))?;
        let names: Vec<String> =
            written(schema).into_iter().map(|column| schema.field(column).name().clone()).collect();
        let rounded = vec![0; names.len()];
        Ok(Self { name: name.into(), file, names, checksum: Crc::new(), rows: 0, rounded })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, rows: &EncodedExamples) -> Result<()> {
        self.file.write_all(&rows.packed).map_err(CommonError::on("write", &self.name))?;
        rows.checksums.iter().for_each(|checksum| self.checksum.combine(checksum));
        self.rows += rows.rows;
        self.rounded.iter_mut().zip(&rows.rounded).for_each(|(mine, other)| *mine += other);
        Ok(())
    }

    /// Ends the file; answers it, and what became of the rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(mut self) -> Result<(W, WrittenExamples)> {
        let mut tail = DEFLATE_END.to_vec();
        tail.extend_from_slice(&self.checksum.sum().to_le_bytes());
        tail.extend_from_slice(&self.checksum.amount().to_le_bytes());
        self.file.write_all(&tail).map_err(CommonError::on("write", &self.name))?;
        let rounded = self.names.into_iter().zip(self.rounded).filter(|(_, values)| *values > 0).collect();
        Ok((self.file, WrittenExamples { rows: self.rows, rounded }))
    }
}
