//! Values that have no view: lists, structs and maps, times of day, durations, intervals, wide decimals.

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal256Array, IntervalDayTimeArray, IntervalMonthDayNanoArray,
    IntervalYearMonthArray, ListArray, MapArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, TimeUnit, i256,
};

use super::{Encoder, tagged};

/// A column without a view, ready to be encoded row by row. Rows that are null are the caller's.
pub(super) enum Nested<'a> {
    List(&'a ListArray, Box<Encoder<'a>>),
    /// By name.
    Struct(Vec<(&'a str, Encoder<'a>)>),
    Map(&'a MapArray, Box<(Encoder<'a>, Encoder<'a>)>),
    /// Counts of a unit, and nanoseconds per unit.
    TimeOfDay(ArrayRef, i64),
    Duration(ArrayRef, i64),
    YearMonth(&'a IntervalYearMonthArray),
    DayTime(&'a IntervalDayTimeArray),
    MonthDayNano(&'a IntervalMonthDayNanoArray),
    Decimal(&'a Decimal256Array),
}

fn nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        TimeUnit::Nanosecond => 1,
    }
}

impl<'a> Nested<'a> {
    /// `None` for types that have no encoding.
    pub(super) fn new(array: &'a ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                Self::List(lists, Box::new(Encoder::new(lists.values())?))
            }
            DataType::Struct(_) => Self::Struct(fields(array.as_struct())?),
            DataType::Map(..) => {
                let maps = array.as_map();
                Self::Map(maps, Box::new((Encoder::new(maps.keys())?, Encoder::new(maps.values())?)))
            }
            DataType::Time32(unit) => {
                let counts = cast(array, &DataType::Int32).and_then(|counts| cast(&counts, &DataType::Int64));
                Self::TimeOfDay(counts.ok()?, nanoseconds(*unit))
            }
            DataType::Time64(unit) => {
                Self::TimeOfDay(cast(array, &DataType::Int64).ok()?, nanoseconds(*unit))
            }
            DataType::Duration(unit) => Self::Duration(counts(array, *unit)?, nanoseconds(*unit)),
            DataType::Interval(IntervalUnit::YearMonth) => {
                Self::YearMonth(array.as_primitive::<IntervalYearMonthType>())
            }
            DataType::Interval(IntervalUnit::DayTime) => {
                Self::DayTime(array.as_primitive::<IntervalDayTimeType>())
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Self::MonthDayNano(array.as_primitive::<IntervalMonthDayNanoType>())
            }
            DataType::Decimal256(..) => Self::Decimal(array.as_primitive::<Decimal256Type>()),
            _ => return None,
        })
    }

    /// Appends the bytes of a row that is not null.
    pub(super) fn encode(&self, row: usize, bytes: &mut Vec<u8>) {
        match self {
            Self::List(lists, items) => {
                let range = range(lists.value_offsets(), row);
                tagged(bytes, 10, &(range.len() as u64).to_le_bytes());
                range.for_each(|item| items.encode(item, bytes));
            }
            Self::Struct(fields) => {
                tagged(bytes, 11, &(fields.len() as u64).to_le_bytes());
                for (name, field) in fields {
                    bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
                    bytes.extend_from_slice(name.as_bytes());
                    field.encode(row, bytes);
                }
            }
            Self::Map(maps, pair) => map(&range(maps.value_offsets(), row), pair, bytes),
            Self::TimeOfDay(counts, scale) => {
                let count = counts.as_primitive::<Int64Type>().value(row);
                tagged(bytes, 13, &count.wrapping_mul(*scale).to_le_bytes());
            }
            Self::Duration(counts, scale) => {
                let count = i128::from(counts.as_primitive::<Int64Type>().value(row));
                tagged(bytes, 14, &(count * i128::from(*scale)).to_le_bytes());
            }
            Self::YearMonth(months) => interval(bytes, months.value(row), 0, 0),
            Self::DayTime(values) => {
                let value = values.value(row);
                interval(bytes, 0, value.days, i64::from(value.milliseconds) * 1_000_000);
            }
            Self::MonthDayNano(values) => {
                let value = values.value(row);
                interval(bytes, value.months, value.days, value.nanoseconds);
            }
            Self::Decimal(values) => decimal(bytes, values.value(row), values.scale()),
        }
    }
}

fn fields(array: &StructArray) -> Option<Vec<(&str, Encoder<'_>)>> {
    let mut fields = Vec::with_capacity(array.num_columns());
    for (name, column) in array.column_names().into_iter().zip(array.columns()) {
        fields.push((name, Encoder::new(column)?));
    }
    fields.sort_by_key(|(name, _)| *name);
    Some(fields)
}

/// The numbers of a duration.
fn counts(array: &ArrayRef, unit: TimeUnit) -> Option<ArrayRef> {
    let counts = match unit {
        TimeUnit::Second => array.as_primitive_opt::<DurationSecondType>()?.reinterpret_cast::<Int64Type>(),
        TimeUnit::Millisecond => array.as_primitive_opt::<DurationMillisecondType>()?.reinterpret_cast(),
        TimeUnit::Microsecond => array.as_primitive_opt::<DurationMicrosecondType>()?.reinterpret_cast(),
        TimeUnit::Nanosecond => array.as_primitive_opt::<DurationNanosecondType>()?.reinterpret_cast(),
    };
    Some(std::sync::Arc::new(counts))
}

/// The items of a row. Offsets of an array never fall and are never negative.
fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    at(row)..at(row + 1)
}

fn map(range: &std::ops::Range<usize>, (keys, values): &(Encoder<'_>, Encoder<'_>), bytes: &mut Vec<u8>) {
    let mut entries: Vec<(Vec<u8>, usize)> = range
        .clone()
        .map(|entry| {
            let mut key = Vec::new();
            keys.encode(entry, &mut key);
            (key, entry)
        })
        .collect();
    entries.sort();
    tagged(bytes, 12, &(entries.len() as u64).to_le_bytes());
    for (key, entry) in entries {
        bytes.extend_from_slice(&key);
        values.encode(entry, bytes);
    }
}

fn interval(bytes: &mut Vec<u8>, months: i32, days: i32, nanoseconds: i64) {
    tagged(bytes, 15, &months.to_le_bytes());
    bytes.extend_from_slice(&days.to_le_bytes());
    bytes.extend_from_slice(&nanoseconds.to_le_bytes());
}

fn decimal(bytes: &mut Vec<u8>, value: i256, scale: i8) {
    if let Some(value) = value.to_i128() {
        return super::decimal(bytes, value, scale);
    }
    let (mut value, mut scale) = (value, scale);
    let ten = i256::from_i128(10);
    while scale > i8::MIN && value.checked_rem(ten) == Some(i256::ZERO) {
        value = value.wrapping_div(ten);
        scale -= 1;
    }
    if let Some(value) = value.to_i128() {
        return super::decimal(bytes, value, scale);
    }
    tagged(bytes, 16, &value.to_le_bytes());
    bytes.extend_from_slice(&scale.to_le_bytes());
}
