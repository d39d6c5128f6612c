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
//! | 10 | list | 8 for the number of items, then the items |
//! | 11 | struct | 8 for the number of fields; for each, by name: 8 for the length of the name, the name, the value |
//! | 12 | map | 8 for the number of entries, then key and value of each, by the bytes of the key |
//! | 13 | time of day | 8, nanoseconds since midnight |
//! | 14 | duration | 16, nanoseconds |
//! | 15 | interval | 4 for months, 4 for days, 8 for nanoseconds |
//! | 16 | decimal beyond 128 bits | 32 for the unscaled value without trailing zeros, 1 for its scale |

use arrow::array::{Array, ArrayRef};
use xxhash_rust::xxh3::xxh3_64;

use self::nested::Nested;

use crate::column::{Column, ColumnKind};
use crate::error::{CommonError, Result};

mod nested;

/// Appends the bytes of one value of a column that is not nested.
///
/// # Errors
/// [`CommonError::ColumnKind`] for columns without a view.
pub fn encode(name: &str, array: &ArrayRef, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
    let view = Column::view(array);
    if matches!(view, Column::Other(_)) {
        return Err(CommonError::ColumnKind {
            column: name.into(),
            found: ColumnKind::of(array.data_type()).to_string(),
            expected: "a scalar",
            purpose: "a grouping".into(),
        }
        .into());
    }
    encode_view(array, view, None, row, bytes);
    Ok(())
}

/// As [`encode`], with the view of the column found once for many rows; of one that has none, `nested` has it.
#[inline]
fn encode_view(
    array: &ArrayRef,
    view: Column<'_>,
    nested: Option<&Nested<'_>>,
    row: usize,
    bytes: &mut Vec<u8>,
) {
    if array.is_null(row) {
        bytes.push(0);
        return;
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
        // Who has no view was given one, or refused.
        Column::Other(_) => nested.into_iter().for_each(|nested| nested.encode(row, bytes)),
    }
}

/// A column ready to be encoded row by row.
struct Encoder<'a> {
    array: &'a ArrayRef,
    view: Column<'a>,
    nested: Option<Nested<'a>>,
}

impl<'a> Encoder<'a> {
    /// `None` for types that have no encoding.
    fn new(array: &'a ArrayRef) -> Option<Self> {
        let view = Column::view(array);
        let nested = match view {
            Column::Other(_) => Some(Nested::new(array)?),
            _ => None,
        };
        Some(Self { array, view, nested })
    }

    fn encode(&self, row: usize, bytes: &mut Vec<u8>) {
        encode_view(self.array, self.view, self.nested.as_ref(), row, bytes);
    }
}

/// The hash of each row over `columns` in normal form, which the caller has sorted by name.
///
/// # Errors
/// [`CommonError::ColumnKind`] for columns of a type that has no encoding, such as unions.
pub fn hash_rows(columns: &[(&str, &ArrayRef)], rows: usize) -> Result<Vec<u64>> {
    let encoders: Vec<Encoder<'_>> =
        columns.iter().map(|(name, array)| encoder(name, array)).collect::<Result<_>>()?;
    let mut bytes = Vec::with_capacity(columns.len() * 16);
    Ok((0..rows)
        .map(|row| {
            bytes.clear();
            encoders.iter().for_each(|encoder| encoder.encode(row, &mut bytes));
            xxh3_64(&bytes)
        })
        .collect())
}

fn encoder<'a>(name: &str, array: &'a ArrayRef) -> Result<Encoder<'a>> {
    Encoder::new(array).ok_or_else(|| {
        CommonError::ColumnKind {
            column: name.into(),
            found: ColumnKind::of(array.data_type()).to_string(),
            expected: "a type with an encoding",
            purpose: "the identity of a row".into(),
        }
        .into()
    })
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
        BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
        DurationMillisecondArray, DurationSecondArray, Float64Array, Int64Array, Int64Builder,
        IntervalMonthDayNanoArray, IntervalYearMonthArray, ListArray, MapBuilder, StringArray, StringBuilder,
        StringViewArray, StructArray, Time32SecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::{DataType, Field, Int32Type, IntervalMonthDayNano, i256};

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

    fn hash_of(array: impl Array + 'static) -> Vec<u64> {
        let array = crate::column::normalize(&(Arc::new(array) as ArrayRef)).unwrap();
        hash_rows(&[("c", &array)], array.len()).unwrap()
    }

    fn nested_bytes(array: impl Array + 'static, row: usize) -> Vec<u8> {
        let array = crate::column::normalize(&(Arc::new(array) as ArrayRef)).unwrap();
        let mut bytes = Vec::new();
        Encoder::new(&array).unwrap().encode(row, &mut bytes);
        bytes
    }

    fn lists(rows: Vec<Option<Vec<Option<i32>>>>) -> ListArray {
        ListArray::from_iter_primitive::<Int32Type, _, _>(rows)
    }

    #[test]
    fn the_encoding_of_nested_values_is_frozen() {
        let eight = |value: u8| [value, 0, 0, 0, 0, 0, 0, 0];
        let column = lists(vec![Some(vec![Some(7), None]), Some(vec![]), None]);
        let expected = [&[10][..], &eight(2), &[2], &eight(7), &[0]].concat();
        assert_eq!(nested_bytes(column.clone(), 0), expected);
        assert_eq!(nested_bytes(column.clone(), 1), [&[10][..], &eight(0)].concat());
        assert_eq!(nested_bytes(column.clone(), 2), [0]);
        assert_eq!(nested_bytes(column.slice(1, 2), 0), nested_bytes(column, 1));
        let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        let b: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let a: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        let fields = [(field("b", DataType::Int64), b), (field("a", DataType::Utf8), a)];
        let mut expected =
            [&[11][..], &eight(2), &eight(1), b"a", &[0], &eight(1), b"b", &[2], &eight(7)].concat();
        assert_eq!(nested_bytes(StructArray::from(fields.to_vec()), 0), expected);
        let [b, a] = fields;
        assert_eq!(nested_bytes(StructArray::from(vec![a, b]), 0), expected, "fields in any order");
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        for keys in [["k", "j"], ["j", "k"]] {
            for key in keys {
                maps.keys().append_value(key);
                maps.values().append_option((key == "k").then_some(7));
            }
            maps.append(true).unwrap();
        }
        let maps = maps.finish();
        let text = |text: &[u8]| [&[5][..], &eight(1), text].concat();
        expected = [&[12][..], &eight(2), &text(b"j"), &[0], &text(b"k"), &[2], &eight(7)].concat();
        assert_eq!(nested_bytes(maps.clone(), 0), expected);
        assert_eq!(nested_bytes(maps, 1), expected, "entries in any order");
    }

    #[test]
    fn the_encoding_of_times_and_wide_decimals_is_frozen() {
        let wide = |value: i128, scale| {
            Decimal256Array::from(vec![i256::from_i128(value)]).with_precision_and_scale(76, scale).unwrap()
        };
        let narrow = Decimal128Array::from(vec![12_i128]).with_precision_and_scale(10, 0).unwrap();
        assert_eq!(nested_bytes(wide(1200, 2), 0), bytes_of(narrow));
        let beyond = i256::from_i128(i128::MAX).wrapping_mul(i256::from_i128(4));
        let beyond = Decimal256Array::from(vec![beyond]).with_precision_and_scale(76, 3).unwrap();
        let mut expected = vec![16, 0xFC];
        expected.extend([0xFF; 15]);
        expected.extend([1]);
        expected.extend([0; 15]);
        expected.extend([3]);
        assert_eq!(nested_bytes(beyond, 0), expected);
        let second = [&[13][..], &1_000_000_000_i64.to_le_bytes()].concat();
        assert_eq!(nested_bytes(Time32SecondArray::from(vec![1]), 0), second);
        assert_eq!(nested_bytes(Time64NanosecondArray::from(vec![1_000_000_000]), 0), second);
        let second = [&[14][..], &1_000_000_000_i128.to_le_bytes()].concat();
        assert_eq!(nested_bytes(DurationSecondArray::from(vec![1]), 0), second);
        assert_eq!(nested_bytes(DurationMillisecondArray::from(vec![1000]), 0), second);
        let parts = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(14, 3, 5)]);
        let expected =
            [&[15][..], &14_i32.to_le_bytes(), &3_i32.to_le_bytes(), &5_i64.to_le_bytes()].concat();
        assert_eq!(nested_bytes(parts, 0), expected);
        let months = IntervalYearMonthArray::from(vec![14]);
        let expected = [&[15][..], &14_i32.to_le_bytes(), &[0; 12]].concat();
        assert_eq!(nested_bytes(months, 0), expected);
    }

    #[test]
    fn nested_rows_have_hashes() {
        let column = lists(vec![Some(vec![Some(1)]), Some(vec![Some(1), None]), None, Some(vec![Some(1)])]);
        let hashes = hash_of(column);
        assert!(hashes[0] == hashes[3] && hashes[0] != hashes[1] && hashes[1] != hashes[2]);
        let expected = [&[10][..], &1_u64.to_le_bytes(), &[2], &1_i64.to_le_bytes()].concat();
        assert_eq!(hashes[0], xxh3_64(&expected));
        let error = encode("l", &(Arc::new(lists(vec![None, None])) as ArrayRef), 0, &mut Vec::new());
        assert_eq!(
            error.unwrap_err().to_string(),
            "column `l` is list of integer, a grouping needs a scalar"
        );
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
