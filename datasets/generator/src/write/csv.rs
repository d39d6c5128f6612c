//! Batches as CSV: numbers in the shortest digits that read back the same, timestamps as `2024-01-01 00:15:00`, null
//! as an empty cell. No name of ours needs quotes, which a test holds.

use std::io::Write;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{Int32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::taxi::COLUMNS;

/// The first line.
pub(super) fn header() -> Vec<u8> {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    format!("{}\n", names.join(",")).into_bytes()
}

/// A column of one of the types that the table has.
enum Cells<'a> {
    Text(&'a StringArray),
    Coded(&'a Int32Array, &'a StringArray),
    Integer(&'a Int64Array),
    Float(&'a Float64Array),
    Timestamp(&'a TimestampMicrosecondArray),
}

impl<'a> Cells<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        let other = || ArrowError::NotYetImplemented(format!("{} as CSV", array.data_type()));
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Timestamp(..) => {
                Self::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(other)?)
            }
            DataType::Dictionary(..) => {
                let coded = array.as_dictionary_opt::<Int32Type>().ok_or_else(other)?;
                Self::Coded(coded.keys(), coded.values().as_string_opt().ok_or_else(other)?)
            }
            _ => return Err(other()),
        })
    }

    fn write(&self, row: usize, text: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::Text(values) => text.write_all(values.value(row).as_bytes()),
            Self::Coded(codes, values) => {
                // A code that is not null lies below the number of levels, which Arrow has checked.
                let code = usize::try_from(codes.value(row)).unwrap_or(0);
                text.write_all(values.value(code).as_bytes())
            }
            Self::Integer(values) => write!(text, "{}", values.value(row)),
            Self::Float(values) => write!(text, "{}", values.value(row)),
            Self::Timestamp(values) => match values.value_as_datetime(row) {
                Some(time) => write!(text, "{time}"),
                None => Ok(()),
            },
        }
    }
}

/// Appends the rows of a batch.
pub(super) fn write(batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
    let columns = batch.columns();
    let cells: Vec<Cells<'_>> = columns.iter().map(Cells::new).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        for (index, (array, cells)) in columns.iter().zip(&cells).enumerate() {
            if index > 0 {
                text.push(b',');
            }
            if array.is_valid(row) {
                cells.write(row, text)?;
            }
        }
        text.push(b'\n');
    }
    Ok(())
}
