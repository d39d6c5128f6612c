//! Columns in the three kinds that records know.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Float32Array, Int64Array, ListArray, StringViewArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};

use sluice_core::Result;
use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::CommonError;

use super::error::ExampleError;
use super::example::{BytesList, FloatList, IntegerList, Values};

/// The values of a column, ready to be taken row by row.
pub(super) enum Prepared {
    Nothing,
    Integers(Int64Array),
    /// With the number of values that 32 bits do not hold exactly.
    Floats(Float32Array, u64),
    Texts(StringViewArray),
    Bytes(BinaryViewArray),
    Lists(ListArray, Box<Self>),
}

impl Prepared {
    /// Of an array in normal form.
    pub(super) fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        Ok(match Column::view(array) {
            Column::Null(_) => Self::Nothing,
            Column::Integer(values) => Self::Integers(values.clone()),
            Column::Boolean(_) => {
                Self::Integers(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            Column::Unsigned(values) => {
                let beyond = values.iter().flatten().position(|value| i64::try_from(value).is_err());
                if let Some(value) = beyond.and_then(|at| values.iter().flatten().nth(at)) {
                    return Err(out_of_range(name, value.to_string(), "the 64-bit integers"));
                }
                Self::Integers(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            Column::Float(_) | Column::Decimal(_) => floats(name, array)?,
            Column::Text(values) => Self::Texts(values.clone()),
            Column::CodedText(..)
            | Column::Date(_)
            | Column::TimestampMicrosecond(_)
            | Column::TimestampNanosecond(_) => {
                Self::Texts(cast(array, &DataType::Utf8View)?.as_string_view().clone())
            }
            Column::Binary(values) => Self::Bytes(values.clone()),
            Column::Other(_) => match array.as_list_opt::<i32>() {
                Some(lists) if !matches!(lists.value_type(), DataType::List(_)) => {
                    Self::Lists(lists.clone(), Box::new(Self::new(name, lists.values())?))
                }
                _ => return Err(unsupported(name, array)),
            },
        })
    }

    /// How many values 32 bits do not hold exactly.
    pub(super) fn rounded(&self) -> u64 {
        match self {
            Self::Floats(_, rounded) => *rounded,
            Self::Lists(_, items) => items.rounded(),
            Self::Nothing | Self::Integers(_) | Self::Texts(_) | Self::Bytes(_) => 0,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Nothing => true,
            Self::Integers(values) => values.is_null(row),
            Self::Floats(values, _) => values.is_null(row),
            Self::Texts(values) => values.is_null(row),
            Self::Bytes(values) => values.is_null(row),
            Self::Lists(lists, _) => lists.is_null(row),
        }
    }

    /// What a record holds of a row; `None` for null.
    pub(super) fn at(&self, row: usize, name: &str) -> Result<Option<Values>, ExampleError> {
        if self.is_null(row) {
            return Ok(None);
        }
        let Self::Lists(lists, items) = self else { return Ok(self.within(row..row + 1)) };
        let offsets = lists.value_offsets();
        let range = index(offsets[row])..index(offsets[row + 1]);
        if range.clone().any(|item| items.is_null(item)) {
            return Err(ExampleError::NullInList { column: name.to_owned() });
        }
        Ok(match items.as_ref() {
            // Of a list that holds nothing, nobody knows what it would hold.
            Self::Nothing => Some(Values::Bytes(BytesList { values: Vec::new() })),
            items => items.within(range),
        })
    }

    fn within(&self, range: std::ops::Range<usize>) -> Option<Values> {
        Some(match self {
            Self::Nothing | Self::Lists(..) => return None,
            Self::Integers(values) => {
                Values::Integers(IntegerList { values: values.values()[range].to_vec() })
            }
            Self::Floats(values, _) => Values::Floats(FloatList { values: values.values()[range].to_vec() }),
            Self::Texts(values) => {
                let values = range.map(|row| values.value(row).as_bytes().to_vec()).collect();
                Values::Bytes(BytesList { values })
            }
            Self::Bytes(values) => {
                Values::Bytes(BytesList { values: range.map(|row| values.value(row).to_vec()).collect() })
            }
        })
    }
}

/// Offsets of lists are never negative.
fn index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

/// Rounded to 32 bits.
fn floats(name: &str, array: &ArrayRef) -> Result<Prepared> {
    let numbers = numbers(name, array, "`tf.Example`")?;
    let mut rounded = 0;
    let mut narrow = Vec::with_capacity(numbers.len());
    for (row, &value) in numbers.values().iter().enumerate() {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is what is meant, and counted")]
        let single = value as f32;
        if !numbers.is_null(row) {
            if single.is_infinite() && value.is_finite() {
                let error = out_of_range(name, format!("{value:e}"), "the 32-bit floats");
                return Err(error.at_row(row));
            }
            rounded += u64::from(f64::from(single).to_bits() != value.to_bits() && !value.is_nan());
        }
        narrow.push(single);
    }
    Ok(Prepared::Floats(Float32Array::new(narrow.into(), numbers.nulls().cloned()), rounded))
}

fn out_of_range(name: &str, value: String, kind: &'static str) -> sluice_core::Error {
    ExampleError::OutOfRange { column: name.to_owned(), value, kind }.into()
}

fn unsupported(name: &str, array: &ArrayRef) -> sluice_core::Error {
    let found = ColumnKind::of(array.data_type()).to_string();
    ExampleError::Unsupported { column: name.to_owned(), found }.into()
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| CommonError::Internal(error.to_string()).into())
}
