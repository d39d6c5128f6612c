//! The typed encoding of values, on which row identity and group keys rest. **Frozen**: a change would move
//! rows between subsets and folds, so a test holds the bytes.
//!
//! One tag byte, then the value, little-endian. Equal values of different width have equal bytes (the normal
//! form sees to that); a float and an integer differ even where they compare equal; -0.0 is 0.0 and all NaN
//! are one. The hash of a row is XXH3-64 over its columns in byte order of their names.
//!
//! | tag | kind | bytes |
//! |---|---|---|
//! | 0 | null | none |
//! | 1 | boolean | 1 |
//! | 2 | integer, or unsigned that fits | 8, two's complement |
//! | 3 | unsigned beyond 2^63 - 1 | 8 |
//! | 4 | float | 8, IEEE 754 |
//! | 5 | text | 8 for the length, then UTF-8 |
//! | 6 | binary | 8 for the length, then the bytes |
//! | 7 | date | 4, days since 1970-01-01 |
//! | 8 | timestamp | 8 for the second since 1970-01-01 (floored), 4 for the nanosecond within |
//! | 9 | decimal | 16 for the unscaled value without trailing zeros, 1 for its scale |

use arrow::array::{Array, ArrayRef};
use xxhash_rust::xxh3::xxh3_64;

use crate::column::{Column, ColumnKind};
use crate::error::{CommonError, Result};

/// Appends the bytes of one value.
///
/// # Errors
/// [`CommonError::ColumnKind`] for nested columns, which have no encoding yet.
pub fn encode(name: &str, array: &ArrayRef, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
    encode_view(name, array, Column::view(array), row, bytes)
}

/// As [`encode`], with the view of the column found once for many rows.
#[inline]
fn encode_view(
    name: &str,
    array: &ArrayRef,
    view: Column<'_>,
    row: usize,
    bytes: &mut Vec<u8>,
) -> Result<()> {
    if array.is_null(row) {
        bytes.push(0);
        return Ok(());
    }
    match view {
        Column::Null(_) => bytes.push(0),
        Column::Boolean(values) => bytes.extend([1, u8::from(values.value(row))]),
        Column::Integer(values) => tagged(bytes, 2, &values.value(row).to_le_bytes()),
        Column::Unsigned(values) => match i64::try_from(values.value(row)) {
            Ok(value) => tagged(bytes, 2, &value.to_le_bytes()),
            Err(_) => tagged(bytes, 3, &values.value(row).to_le_bytes()),
        },
        Column::Float(values) => tagged(bytes, 4, &canonical_bits(values.value(row)).to_le_bytes()),
        Column::Text(_) | Column::CodedText(..) => match view.text(row) {
            Some(text) => counted(bytes, 5, text.as_bytes()),
            None => bytes.push(0),
        },
        Column::Binary(values) => counted(bytes, 6, values.value(row)),
        Column::Date(values) => tagged(bytes, 7, &values.value(row).to_le_bytes()),
        Column::TimestampMicrosecond(values) => timestamp(bytes, values.value(row), 1_000_000),
        Column::TimestampNanosecond(values) => timestamp(bytes, values.value(row), 1_000_000_000),
        Column::Decimal(values) => decimal(bytes, values.value(row), values.scale()),
        Column::Other(_) => {
            return Err(CommonError::ColumnKind {
                column: name.into(),
                found: ColumnKind::of(array.data_type()).to_string(),
                expected: "a scalar",
                purpose: "the identity of a row".into(),
            }
            .into());
        }
    }
    Ok(())
}

/// The hash of each row over `columns`, which the caller has sorted by name.
///
/// # Errors
/// [`CommonError::ColumnKind`] for nested columns.
pub fn hash_rows(columns: &[(&str, &ArrayRef)], rows: usize) -> Result<Vec<u64>> {
    let views: Vec<Column<'_>> = columns.iter().map(|(_, array)| Column::view(array)).collect();
    let mut bytes = Vec::with_capacity(columns.len() * 16);
    (0..rows)
        .map(|row| {
            bytes.clear();
            for ((name, array), view) in columns.iter().zip(&views) {
                encode_view(name, array, *view, row, &mut bytes)?;
            }
            Ok(xxh3_64(&bytes))
        })
        .collect()
}

/// The bits of a float with one zero and one NaN.
#[must_use]
pub fn canonical_bits(value: f64) -> u64 {
    if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

fn tagged(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    bytes.push(tag);
    bytes.extend_from_slice(value);
}

fn counted(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    bytes.push(tag);
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(value);
}

fn timestamp(bytes: &mut Vec<u8>, value: i64, units_per_second: i64) {
    tagged(bytes, 8, &value.div_euclid(units_per_second).to_le_bytes());
    let nanosecond = value.rem_euclid(units_per_second) * (1_000_000_000 / units_per_second);
    // A remainder below 10^9 fits 32 bits.
    bytes.extend_from_slice(&u32::try_from(nanosecond).unwrap_or(u32::MAX).to_le_bytes());
}

fn decimal(bytes: &mut Vec<u8>, value: i128, scale: i8) {
    let (mut value, mut scale) = (value, scale);
    while scale > i8::MIN && value != 0 && value % 10 == 0 {
        value /= 10;
        scale -= 1;
    }
    if value == 0 {
        scale = 0;
    }
    tagged(bytes, 9, &value.to_le_bytes());
    bytes.extend_from_slice(&scale.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
    };

    use super::*;

    fn bytes_of(array: impl Array + 'static) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode("c", &(Arc::new(array) as ArrayRef), 0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_encoding_is_frozen() {
        assert_eq!(bytes_of(BooleanArray::from(vec![true])), [1, 1]);
        assert_eq!(bytes_of(Int64Array::from(vec![-2])), [2, 254, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(bytes_of(UInt64Array::from(vec![7])), bytes_of(Int64Array::from(vec![7])));
        assert_eq!(bytes_of(UInt64Array::from(vec![u64::MAX]))[0], 3);
        assert_eq!(bytes_of(Float64Array::from(vec![1.0])), [4, 0, 0, 0, 0, 0, 0, 240, 63]);
        assert_eq!(bytes_of(Float64Array::from(vec![-0.0])), bytes_of(Float64Array::from(vec![0.0])));
        assert_eq!(bytes_of(StringViewArray::from(vec!["ab"])), [5, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(bytes_of(Date32Array::from(vec![1])), [7, 1, 0, 0, 0]);
        assert_eq!(
            bytes_of(TimestampMicrosecondArray::from(vec![-1])),
            bytes_of(TimestampNanosecondArray::from(vec![-1000]))
        );
        let cents = Decimal128Array::from(vec![1200_i128]).with_precision_and_scale(10, 2).unwrap();
        let units = Decimal128Array::from(vec![12_i128]).with_precision_and_scale(10, 0).unwrap();
        assert_eq!(bytes_of(cents), bytes_of(units));
        assert_eq!(bytes_of(Int64Array::from(vec![None])), [0]);
        assert_eq!(bytes_of(Float64Array::from(vec![-f64::NAN])), [4, 0, 0, 0, 0, 0, 0, 248, 127]);
        assert_eq!(bytes_of(BinaryViewArray::from(vec![b"\x00".as_slice()])), [6, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes_of(UInt64Array::from(vec![u64::MAX])), [3, 255, 255, 255, 255, 255, 255, 255, 255]);
        let before_1970 = [8, 255, 255, 255, 255, 255, 255, 255, 255, 24, 198, 154, 59];
        assert_eq!(bytes_of(TimestampNanosecondArray::from(vec![-1000])), before_1970);
        let twelve = Decimal128Array::from(vec![120_i128]).with_precision_and_scale(10, 1).unwrap();
        let mut bytes = vec![9, 12];
        bytes.extend([0; 16]);
        assert_eq!(bytes_of(twelve), bytes);
    }

    #[test]
    fn the_row_hash_is_frozen() {
        let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let name: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None]));
        let hashes = hash_rows(&[("id", &id), ("name", &name)], 2).unwrap();
        assert_eq!(hashes, [FROZEN_FIRST, FROZEN_SECOND]);
    }

    // Checked against the Python package xxhash 3 over the same bytes.
    const FROZEN_FIRST: u64 = 15_701_222_700_158_870_214;
    const FROZEN_SECOND: u64 = 3_645_882_786_610_738_333;
}
