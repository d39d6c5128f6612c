//! How the columns of a file are to be read, where the reader's own choice would lose something.
//!
//! - An `ENUM` is text, which it is by the format's definition; the reader takes it for bytes.
//! - The reader checks that text is UTF-8 only where its old annotation says so, not its newer one alone. The
//!   rest is checked here.
//! - Strings and bytes come as views, at any depth: offsets of 32 bits end at 2 GiB per batch.
//! - `INT96` is a timestamp in microseconds. In nanoseconds, years beyond 1677 to 2262 would come out wrong, and
//!   writers of this old type put such sentinels there; digits below a microsecond are dropped.
//! - An `INTERVAL` of which the file does not say what it counts is refused: months or days would be dropped.

use std::sync::Arc;

use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::schema::types::SchemaDescriptor;
use arrow::array::{Array, ArrayRef};
use arrow::compute::kernels::cast::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use sluice_core::column::ColumnKind;

use crate::error::SourceError;

/// The metadata in which Arrow's writers say what they wrote.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// The schema in which the columns of a file are read.
pub(super) fn hinted_schema(
    file: &str,
    metadata: &ParquetMetaData,
    schema: &SchemaRef,
) -> Result<SchemaRef, SourceError> {
    let leaves = metadata.file_metadata().schema_descr();
    let pairs = metadata.file_metadata().key_value_metadata();
    let is_told = pairs.is_some_and(|pairs| pairs.iter().any(|pair| pair.key == ARROW_SCHEMA));
    let unclear = leaves.columns().iter().find(|leaf| leaf.converted_type() == ConvertedType::INTERVAL);
    if let Some(leaf) = unclear.filter(|_| !is_told) {
        return Err(SourceError::UnsupportedType {
            file: file.into(),
            column: leaf.path().string(),
            found: "INTERVAL",
        });
    }
    let mut next = 0;
    let fields: Fields = schema.fields().iter().map(|field| hinted(field, leaves, &mut next)).collect();
    Ok(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

/// How far the reader can be trusted with the text of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// It has none, or the reader checks it.
    Checked,
    /// The reader does not check that it is UTF-8.
    Unchecked,
    /// The reader takes it for bytes.
    Bytes,
}

/// For each column of a file, given the one leaf of those that are flat.
pub(super) fn texts(metadata: &ParquetMetaData, flat: &[Option<usize>]) -> Vec<Text> {
    let leaves = metadata.file_metadata().schema_descr();
    let mut texts = vec![Text::Checked; flat.len()];
    for (number, leaf) in leaves.columns().iter().enumerate() {
        let Some(text) = texts.get_mut(leaves.get_column_root_idx(number)) else { continue };
        if leaf.physical_type() != Type::BYTE_ARRAY || leaf.converted_type() == ConvertedType::UTF8 {
            continue;
        }
        match (leaf.logical_type_ref(), leaf.converted_type()) {
            (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) if flat.contains(&Some(number)) => {
                *text = Text::Bytes;
            }
            (Some(LogicalType::String | LogicalType::Json), _) | (None, ConvertedType::JSON) => {
                *text = Text::Unchecked;
            }
            _ => {}
        }
    }
    texts
}

/// What the reader made of a column, as it is meant.
pub(super) fn checked(
    text: Text,
    array: &ArrayRef,
    contradiction: impl Fn() -> SourceError,
) -> Result<ArrayRef, SourceError> {
    match text {
        Text::Checked => Ok(Arc::clone(array)),
        Text::Unchecked if ColumnKind::of(array.data_type()) != ColumnKind::Binary => {
            match array.to_data().validate_full() {
                Ok(()) => Ok(Arc::clone(array)),
                Err(_) => Err(contradiction()),
            }
        }
        // Out of a dictionary, the reader hands out what it did not check as bytes.
        Text::Unchecked | Text::Bytes => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, &DataType::Utf8View, &options).map_err(|_| contradiction())
        }
    }
}

/// A field with its hints; `next` is the first of its leaves, which stand in the order of the fields.
fn hinted(field: &Arc<Field>, leaves: &SchemaDescriptor, next: &mut usize) -> Arc<Field> {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(hinted(item, leaves, next)),
        DataType::LargeList(item) => DataType::LargeList(hinted(item, leaves, next)),
        DataType::ListView(item) => DataType::ListView(hinted(item, leaves, next)),
        DataType::LargeListView(item) => DataType::LargeListView(hinted(item, leaves, next)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(hinted(item, leaves, next), *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| hinted(field, leaves, next)).collect())
        }
        DataType::Map(entries, is_sorted) => DataType::Map(hinted(entries, leaves, next), *is_sorted),
        leaf => {
            let stored = leaves.columns().get(*next);
            *next += 1;
            let is_int96 = stored.is_some_and(|stored| stored.physical_type() == Type::INT96);
            match leaf {
                DataType::Timestamp(TimeUnit::Nanosecond, zone) if is_int96 => {
                    DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
                }
                DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
                DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
                other => other.clone(),
            }
        }
    };
    if data_type == *field.data_type() {
        return Arc::clone(field);
    }
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}
