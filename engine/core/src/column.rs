//! Typed views of columns. A source delivers every column in one of the few types of the *normal form*; this
//! is the only place that matches on Arrow's types.
//!
//! | kind | normal form | comes from |
//! |---|---|---|
//! | boolean | `Boolean` | |
//! | integer | `Int64` | all signed integers, unsigned up to 32 bits |
//! | unsigned | `UInt64` | |
//! | float | `Float64` | 16, 32 and 64 bits |
//! | decimal | `Decimal128` | decimals of up to 38 digits |
//! | text | `Utf8View`, or `Dictionary(Int32, Utf8)` where the source has codes | all strings |
//! | binary | `BinaryView` | all byte strings |
//! | date | `Date32` | |
//! | timestamp | `Timestamp(Microsecond)`, `Timestamp(Nanosecond)` | coarser units become microseconds |
//! | null | `Null` | columns in which nothing was ever seen |
//! | list | `List` of the normal form | lists of any layout and size |
//! | struct, map | as it comes, of the normal form | |
//! | everything else | as it comes | times of day, durations, intervals, decimals of more than 38 digits |
//!
//! What nested columns hold is never coded, may always be null, and has Arrow's usual names (`item`, `entries`,
//! `keys`, `values`), so that two writers of the same data lead to the same type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int32Array, Int64Array, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::kernels::cast::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Date32Type, Decimal128Type, Field, Float64Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampNanosecondType, UInt64Type,
};
use serde::{Deserialize, Serialize};

use crate::error::{CommonError, Diagnostic, ErrorKind, Result};

/// What a column holds, apart from how it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Nothing was ever seen.
    Null,
    /// True or false.
    Boolean,
    /// Signed 64-bit integers.
    Integer,
    /// Unsigned 64-bit integers that need not fit the signed ones.
    Unsigned,
    /// Double precision.
    Float,
    /// Decimal numbers.
    Decimal {
        /// Significant digits.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// UTF-8 strings.
    Text,
    /// Byte strings.
    Binary,
    /// Days.
    Date,
    /// Instants (with a zone) or wall-clock times (without).
    Timestamp {
        /// The IANA name or offset, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
        /// Whether it counts nanoseconds rather than microseconds.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nanoseconds: bool,
    },
    /// Lists of any layout; what they hold.
    List(Box<Self>),
    /// Structs; their fields in order.
    Struct(Vec<(String, Self)>),
    /// Maps and whatever has no view yet; the Arrow type in words.
    Other(String),
}

impl ColumnKind {
    /// The kind that an Arrow type becomes in normal form.
    #[must_use]
    pub fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::RunEndEncoded(_, values) => Self::of(values.data_type()),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => Self::List(Box::new(Self::of(item.data_type()))),
            DataType::Struct(fields) => Self::Struct(
                fields.iter().map(|field| (field.name().clone(), Self::of(field.data_type()))).collect(),
            ),
            other => {
                Self::of_scalar(other).unwrap_or_else(|| Self::Other(plain_normal_type(other).to_string()))
            }
        }
    }

    /// What the innermost lists hold; the kind itself where it is no list.
    #[must_use]
    pub fn innermost(&self) -> &Self {
        match self {
            Self::List(item) => item.innermost(),
            other => other,
        }
    }

    /// The same for a type that is not made of others; `None` where it has no kind of its own.
    fn of_scalar(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::Integer,
            DataType::UInt64 => Self::Unsigned,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                Self::Decimal { precision: *precision, scale: *scale }
            }
            // Wider than it needs to be.
            DataType::Decimal256(precision, scale) if *precision <= DECIMAL128_MAX_PRECISION => {
                Self::Decimal { precision: *precision, scale: *scale }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Binary,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(unit, zone) => Self::Timestamp {
                zone: zone.as_ref().map(ToString::to_string),
                nanoseconds: matches!(unit, TimeUnit::Nanosecond),
            },
            _ => return None,
        })
    }

    /// The Arrow type of the normal form (text without codes); `None` for what is nested or has none.
    #[must_use]
    pub fn normal_type(&self) -> Option<DataType> {
        Some(match self {
            Self::Null => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Unsigned => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Text => DataType::Utf8View,
            Self::Binary => DataType::BinaryView,
            Self::Date => DataType::Date32,
            Self::Timestamp { zone, nanoseconds } => {
                let unit = if *nanoseconds { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
                DataType::Timestamp(unit, zone.as_deref().map(Arc::from))
            }
            Self::List(_) | Self::Struct(_) | Self::Other(_) => return None,
        })
    }

    /// Whether it holds numbers that arithmetic makes sense of.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer | Self::Unsigned | Self::Float | Self::Decimal { .. } | Self::Boolean)
    }
}

impl std::fmt::Display for ColumnKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => formatter.write_str("empty (only nulls)"),
            Self::Boolean => formatter.write_str("boolean"),
            Self::Integer => formatter.write_str("integer"),
            Self::Unsigned => formatter.write_str("unsigned integer"),
            Self::Float => formatter.write_str("float"),
            Self::Decimal { precision, scale } => write!(formatter, "decimal({precision}, {scale})"),
            Self::Text => formatter.write_str("text"),
            Self::Binary => formatter.write_str("binary"),
            Self::Date => formatter.write_str("date"),
            Self::Timestamp { zone: None, .. } => formatter.write_str("timestamp"),
            Self::Timestamp { zone: Some(zone), .. } => write!(formatter, "timestamp in {zone}"),
            Self::List(item) => write!(formatter, "list of {item}"),
            Self::Struct(fields) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                write!(formatter, "struct of {}", names.join(", "))
            }
            Self::Other(name) => formatter.write_str(name),
        }
    }
}

/// A column could not be brought into normal form.
#[derive(Debug, thiserror::Error)]
#[error("cannot read a value of type {from} as {to}")]
pub struct NormalizeError {
    from: String,
    to: String,
    source: arrow::error::ArrowError,
}

impl Diagnostic for NormalizeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Malformed
    }
}

/// The Arrow type of the normal form of a type, text without codes.
#[must_use]
pub fn plain_normal_type(data_type: &DataType) -> DataType {
    let inner = |name: &str, field: &Field, nullable| {
        Arc::new(Field::new(name, plain_normal_type(field.data_type()), nullable))
    };
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(inner("item", item, true)),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| inner(field.name(), field, true)).collect())
        }
        DataType::Map(entries, is_sorted) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let pair = vec![inner("keys", &fields[0], false), inner("values", &fields[1], true)];
                let entries = Field::new("entries", DataType::Struct(pair.into()), false);
                DataType::Map(Arc::new(entries), *is_sorted)
            }
            _ => data_type.clone(),
        },
        DataType::Dictionary(_, values) => plain_normal_type(values),
        DataType::RunEndEncoded(_, values) => plain_normal_type(values.data_type()),
        other => match ColumnKind::of_scalar(other) {
            Some(kind) => kind.normal_type().unwrap_or_else(|| other.clone()),
            None => other.clone(),
        },
    }
}

/// Brings an array into normal form; free when it is already there.
///
/// # Errors
/// [`NormalizeError`] when a value does not fit, such as a date beyond the range of its target.
pub fn normalize(array: &ArrayRef) -> Result<ArrayRef> {
    let target = match array.data_type() {
        DataType::Dictionary(_, values) if ColumnKind::of(values) == ColumnKind::Text => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        other => plain_normal_type(other),
    };
    if *array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, &target, &options).map_err(|source| {
        NormalizeError { from: array.data_type().to_string(), to: target.to_string(), source }.into()
    })
}

/// A column in normal form, by kind.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// Only nulls; so many rows.
    Null(usize),
    /// True or false.
    Boolean(&'a BooleanArray),
    /// Signed integers.
    Integer(&'a Int64Array),
    /// Unsigned integers.
    Unsigned(&'a UInt64Array),
    /// Double precision.
    Float(&'a Float64Array),
    /// Decimals; the scale is in the array's type.
    Decimal(&'a Decimal128Array),
    /// Text, row by row.
    Text(&'a StringViewArray),
    /// Text as codes into a list of values.
    CodedText(&'a Int32Array, &'a StringArray),
    /// Bytes.
    Binary(&'a BinaryViewArray),
    /// Days since 1970-01-01.
    Date(&'a Date32Array),
    /// Microseconds since 1970-01-01.
    TimestampMicrosecond(&'a TimestampMicrosecondArray),
    /// Nanoseconds since 1970-01-01.
    TimestampNanosecond(&'a TimestampNanosecondArray),
    /// What has no view yet.
    Other(&'a ArrayRef),
}

impl<'a> Column<'a> {
    /// The view of an array in normal form; anything else is [`Column::Other`].
    #[must_use]
    pub fn view(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Null => Self::Null(array.len()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(..) => Self::Decimal(array.as_primitive::<Decimal128Type>()),
            DataType::Utf8View => Self::Text(array.as_string_view()),
            DataType::BinaryView => Self::Binary(array.as_binary_view()),
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::TimestampMicrosecond(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                Self::TimestampNanosecond(array.as_primitive::<TimestampNanosecondType>())
            }
            DataType::Dictionary(..) => match array.as_dictionary_opt::<Int32Type>() {
                Some(dictionary) => match dictionary.values().as_string_opt::<i32>() {
                    Some(values) => Self::CodedText(dictionary.keys(), values),
                    None => Self::Other(array),
                },
                None => Self::Other(array),
            },
            _ => Self::Other(array),
        }
    }

    /// The text of a row; `None` where it is null. Only for [`Column::Text`] and [`Column::CodedText`].
    #[must_use]
    pub fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(array) => (!array.is_null(row)).then(|| array.value(row)),
            Self::CodedText(codes, values) => {
                if codes.is_null(row) {
                    return None;
                }
                let code = usize::try_from(codes.value(row)).ok()?;
                (!values.is_null(code)).then(|| values.value(code))
            }
            _ => None,
        }
    }
}

/// The numbers of a column as `f64` (booleans as 0 and 1); nulls stay null.
///
/// Integers past 2^53 are rounded to the nearest `f64`; decimals are the rounded unscaled value divided by the
/// power of ten, which may be one step off the nearest.
///
/// # Errors
/// [`CommonError::ColumnKind`] for a column that does not hold numbers.
pub fn numbers(name: &str, array: &ArrayRef, purpose: &str) -> Result<Float64Array> {
    match Column::view(array) {
        Column::Float(values) => Ok(values.clone()),
        Column::Integer(values) => Ok(values.unary::<_, Float64Type>(|value| value as f64)),
        Column::Unsigned(values) => Ok(values.unary::<_, Float64Type>(|value| value as f64)),
        Column::Boolean(values) => Ok(values.iter().map(|value| value.map(f64::from)).collect()),
        Column::Decimal(values) => {
            let divisor = 10_f64.powi(i32::from(values.scale()));
            Ok(values.unary::<_, Float64Type>(|value| value as f64 / divisor))
        }
        Column::Null(rows) => Ok(Float64Array::new_null(rows)),
        Column::Text(_)
        | Column::CodedText(..)
        | Column::Binary(_)
        | Column::Date(_)
        | Column::TimestampMicrosecond(_)
        | Column::TimestampNanosecond(_)
        | Column::Other(_) => Err(CommonError::ColumnKind {
            column: name.into(),
            found: ColumnKind::of(array.data_type()).to_string(),
            expected: "numbers",
            purpose: purpose.into(),
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        DictionaryArray, FixedSizeListArray, Int16Array, LargeListArray, LargeStringArray, MapArray,
        StructArray,
    };
    use arrow::buffer::{NullBuffer, OffsetBuffer};

    use super::*;

    #[test]
    fn narrow_types_become_the_normal_form() {
        let narrow: ArrayRef = Arc::new(Int16Array::from(vec![Some(-3), None]));
        let normal = normalize(&narrow).unwrap();
        assert_eq!(normal.data_type(), &DataType::Int64);
        assert!(
            matches!(Column::view(&normal), Column::Integer(values) if values.value(0) == -3 && values.is_null(1))
        );
        let text: ArrayRef = Arc::new(LargeStringArray::from(vec!["007"]));
        assert_eq!(Column::view(&normalize(&text).unwrap()).text(0), Some("007"));
    }

    #[test]
    fn nested_columns_hold_the_normal_form() {
        let item = |data_type| Arc::new(Field::new("element", data_type, false));
        let narrow: ArrayRef = Arc::new(Int16Array::from(vec![1, 2, 3, 4]));
        let offsets = OffsetBuffer::new(vec![0, 2, 2, 4].into());
        let nulls = NullBuffer::from(vec![true, false, true]);
        let lists: ArrayRef = Arc::new(LargeListArray::new(
            item(DataType::Int16),
            OffsetBuffer::new(vec![0_i64, 2, 2, 4].into()),
            Arc::clone(&narrow),
            Some(nulls.clone()),
        ));
        let fixed: ArrayRef =
            Arc::new(FixedSizeListArray::new(item(DataType::Int16), 2, Arc::clone(&narrow), None));
        let normal = normalize(&lists).unwrap();
        assert_eq!(ColumnKind::of(lists.data_type()), ColumnKind::List(Box::new(ColumnKind::Integer)));
        assert_eq!(ColumnKind::of(normal.data_type()), ColumnKind::of(fixed.data_type()));
        assert_eq!(normal.data_type(), normalize(&fixed).unwrap().data_type());
        assert!(normal.is_null(1) && normal.as_list::<i32>().value(2).len() == 2);
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "c"]));
        let pair = vec![("key", DataType::Utf8), ("value", DataType::Int16)];
        let fields: Vec<Field> = pair.into_iter().map(|(n, t)| Field::new(n, t, n == "value")).collect();
        let entries = StructArray::new(fields.into(), vec![keys, narrow], None);
        let map = MapArray::new(item(entries.data_type().clone()), offsets, entries, Some(nulls), false);
        let normal = normalize(&(Arc::new(map) as ArrayRef)).unwrap();
        let map = normal.as_map();
        assert_eq!(
            (map.keys().data_type(), map.values().data_type()),
            (&DataType::Utf8View, &DataType::Int64)
        );
        assert_eq!(map.entries().column_names(), ["keys", "values"]);
        assert_eq!(normalize(&normal).unwrap().data_type(), normal.data_type());
    }

    #[test]
    fn codes_stay_codes() {
        let coded: DictionaryArray<arrow::datatypes::Int8Type> =
            vec![Some("a"), None, Some("a")].into_iter().collect();
        let coded: ArrayRef = Arc::new(coded);
        let normal = normalize(&coded).unwrap();
        let view = Column::view(&normal);
        assert!(matches!(view, Column::CodedText(..)));
        assert_eq!(view.text(2), Some("a"));
        assert_eq!(view.text(1), None);
    }

    #[test]
    fn text_is_not_a_number() {
        let text: ArrayRef = Arc::new(StringViewArray::from(vec!["x"]));
        let error = numbers("company", &text, "`standardize`").unwrap_err();
        assert_eq!(error.to_string(), "column `company` is text, `standardize` needs numbers");
    }
}
