//! Values of dictionary pages (PLAIN encoding) with their counts, in normal form.

use std::sync::Arc;

use ::parquet::basic::Type;
use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, StringViewBuilder, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, TimeUnit};

use sluice_core::column::ColumnKind;

/// How the stored values of a column become its normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    Signed32,
    Signed64,
    /// Unsigned, of up to 32 bits: an integer in normal form.
    Unsigned32,
    Unsigned64,
    Float32,
    Float64,
    Date,
    Text,
    /// Milliseconds, microseconds in normal form.
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Conversion {
    /// For an Arrow type and the way it is stored; `None` where it is more than a change of width.
    pub(super) fn of(data_type: &DataType, physical: Type) -> Option<Self> {
        let data_type = if let DataType::Dictionary(_, values) = data_type { values } else { data_type };
        Some(match (data_type, physical) {
            (DataType::Int8 | DataType::Int16 | DataType::Int32, Type::INT32) => Self::Signed32,
            (DataType::Int64, Type::INT64) => Self::Signed64,
            (DataType::UInt8 | DataType::UInt16 | DataType::UInt32, Type::INT32) => Self::Unsigned32,
            (DataType::UInt64, Type::INT64) => Self::Unsigned64,
            (DataType::Float32, Type::FLOAT) => Self::Float32,
            (DataType::Float64, Type::DOUBLE) => Self::Float64,
            (DataType::Date32, Type::INT32) => Self::Date,
            (DataType::Timestamp(TimeUnit::Millisecond, _), Type::INT64) => Self::Milliseconds,
            (DataType::Timestamp(TimeUnit::Microsecond, _), Type::INT64) => Self::Microseconds,
            (DataType::Timestamp(TimeUnit::Nanosecond, _), Type::INT64) => Self::Nanoseconds,
            (other, Type::BYTE_ARRAY) if ColumnKind::of(other) == ColumnKind::Text => Self::Text,
            _ => return None,
        })
    }
}

/// Values with their counts, of one dictionary after another.
#[derive(Debug)]
pub(super) struct CountedValues {
    conversion: Conversion,
    values: Values,
    counts: Vec<u64>,
}

#[derive(Debug)]
enum Values {
    Integer(Vec<i64>),
    Instant(Vec<i64>),
    Unsigned(Vec<u64>),
    Float(Vec<f64>),
    Date(Vec<i32>),
    Text(StringViewBuilder),
}

impl CountedValues {
    pub(super) fn new(conversion: Conversion) -> Self {
        let values = match conversion {
            Conversion::Signed32 | Conversion::Signed64 | Conversion::Unsigned32 => {
                Values::Integer(Vec::new())
            }
            Conversion::Milliseconds | Conversion::Microseconds | Conversion::Nanoseconds => {
                Values::Instant(Vec::new())
            }
            Conversion::Unsigned64 => Values::Unsigned(Vec::new()),
            Conversion::Float32 | Conversion::Float64 => Values::Float(Vec::new()),
            Conversion::Date => Values::Date(Vec::new()),
            Conversion::Text => Values::Text(StringViewBuilder::new()),
        };
        Self { conversion, values, counts: Vec::new() }
    }

    /// What follows is stored in another width of the same kind.
    pub(super) fn convert_by(&mut self, conversion: Conversion) {
        self.conversion = conversion;
    }

    /// How many values were taken in.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Takes in the used values of a dictionary page; `counts` has one entry per value.
    pub(super) fn extend(&mut self, page: &[u8], counts: &[u64]) -> Result<(), &'static str> {
        match (&mut self.values, self.conversion) {
            (Values::Integer(values), Conversion::Unsigned32) => {
                used(page, counts, |bytes| values.push(i64::from(u32::from_le_bytes(bytes))))?;
            }
            (Values::Integer(values), Conversion::Signed32) => {
                used(page, counts, |bytes| values.push(i64::from(i32::from_le_bytes(bytes))))?;
            }
            (Values::Integer(values), _) => {
                used(page, counts, |bytes| values.push(i64::from_le_bytes(bytes)))?;
            }
            (Values::Instant(values), Conversion::Milliseconds) => {
                let mut fits = true;
                used(page, counts, |bytes| {
                    let instant = i64::from_le_bytes(bytes).checked_mul(1000);
                    fits &= instant.is_some();
                    values.push(instant.unwrap_or_default());
                })?;
                if !fits {
                    return Err("a timestamp beyond the range of microseconds");
                }
            }
            (Values::Instant(values), _) => {
                used(page, counts, |bytes| values.push(i64::from_le_bytes(bytes)))?;
            }
            (Values::Unsigned(values), _) => {
                used(page, counts, |bytes| values.push(u64::from_le_bytes(bytes)))?;
            }
            (Values::Float(values), Conversion::Float32) => {
                used(page, counts, |bytes| values.push(f64::from(f32::from_le_bytes(bytes))))?;
            }
            (Values::Float(values), _) => used(page, counts, |bytes| values.push(f64::from_le_bytes(bytes)))?,
            (Values::Date(values), _) => used(page, counts, |bytes| values.push(i32::from_le_bytes(bytes)))?,
            (Values::Text(builder), _) => used_text(page, counts, builder)?,
        }
        self.counts.extend(counts.iter().filter(|&&count| count > 0));
        Ok(())
    }

    /// The values as the column of this kind has them, with their counts.
    pub(super) fn finish(self, kind: &ColumnKind) -> (ArrayRef, Vec<u64>) {
        let zone = if let ColumnKind::Timestamp { zone, .. } = kind { zone.clone() } else { None };
        let values: ArrayRef = match self.values {
            Values::Instant(values) if self.conversion == Conversion::Nanoseconds => {
                Arc::new(TimestampNanosecondArray::from(values).with_timezone_opt(zone))
            }
            Values::Instant(values) => {
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone_opt(zone))
            }
            Values::Integer(values) => Arc::new(Int64Array::from(values)),
            Values::Unsigned(values) => Arc::new(UInt64Array::from(values)),
            Values::Float(values) => Arc::new(Float64Array::from(values)),
            Values::Date(values) => Arc::new(Date32Array::from(values)),
            Values::Text(mut builder) => Arc::new(builder.finish()),
        };
        (values, self.counts)
    }
}

/// How many values a page can hold at most, so that a forged number takes no memory.
pub(super) fn most_values(conversion: Conversion, page: &[u8]) -> usize {
    page.len()
        / match conversion {
            Conversion::Signed64
            | Conversion::Unsigned64
            | Conversion::Float64
            | Conversion::Milliseconds
            | Conversion::Microseconds
            | Conversion::Nanoseconds => 8,
            Conversion::Signed32
            | Conversion::Unsigned32
            | Conversion::Float32
            | Conversion::Date
            | Conversion::Text => 4,
        }
}

fn used<const N: usize>(
    page: &[u8],
    counts: &[u64],
    mut take: impl FnMut([u8; N]),
) -> Result<(), &'static str> {
    let (values, _) = page.as_chunks::<N>();
    if values.len() < counts.len() {
        return Err("a dictionary ends early");
    }
    for (value, &count) in values.iter().zip(counts) {
        if count > 0 {
            take(*value);
        }
    }
    Ok(())
}

/// Strings, each after its length. All are checked to be UTF-8, as reading row by row does.
fn used_text(mut page: &[u8], counts: &[u64], builder: &mut StringViewBuilder) -> Result<(), &'static str> {
    for &count in counts {
        let (length, rest) = page.split_first_chunk::<4>().ok_or("a dictionary ends early")?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (text, rest) = rest.split_at_checked(length).ok_or("a dictionary ends early")?;
        let text = std::str::from_utf8(text).map_err(|_| "a string is not UTF-8")?;
        if count > 0 {
            builder.append_value(text);
        }
        page = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, Int64Type};

    use super::*;

    #[test]
    fn unused_values_are_dropped() {
        let mut values = CountedValues::new(Conversion::Unsigned32);
        values.extend(&[1, 0, 0, 0, 255, 255, 255, 255, 3, 0, 0, 0], &[2, 1, 0]).unwrap();
        values.extend(&[1, 0, 0, 0], &[5]).unwrap();
        let (array, counts) = values.finish(&ColumnKind::Integer);
        assert_eq!(array.as_primitive::<Int64Type>().values(), &[1, i64::from(u32::MAX), 1]);
        assert_eq!(counts, [2, 1, 5]);
        let mut values = CountedValues::new(Conversion::Float32);
        values.extend(&0.5_f32.to_le_bytes(), &[1]).unwrap();
        assert_eq!(
            values.finish(&ColumnKind::Float).0.as_primitive::<Float64Type>().value(0).to_bits(),
            0.5_f64.to_bits()
        );
    }

    #[test]
    fn instants_keep_their_zone_and_become_microseconds() {
        let kind = ColumnKind::Timestamp { zone: Some("UTC".into()), nanoseconds: false };
        let mut values = CountedValues::new(Conversion::Milliseconds);
        values.extend(&7_i64.to_le_bytes(), &[3]).unwrap();
        let array = values.finish(&kind).0;
        assert_eq!(array.data_type(), &kind.normal_type().unwrap());
        assert_eq!(array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().value(0), 7000);
        let mut values = CountedValues::new(Conversion::Milliseconds);
        assert!(values.extend(&i64::MAX.to_le_bytes(), &[1]).is_err());
    }

    #[test]
    fn short_and_foreign_pages_are_refused() {
        let mut values = CountedValues::new(Conversion::Text);
        assert!(values.extend(&[1, 0, 0, 0, b'a'], &[1, 1]).is_err());
        assert!(values.extend(&[9, 0, 0, 0, b'a'], &[1]).is_err());
        assert!(values.extend(&[1, 0, 0, 0, 0xFF], &[0]).is_err());
        assert!(CountedValues::new(Conversion::Signed64).extend(&[0; 15], &[1, 1]).is_err());
        assert_eq!(Conversion::of(&DataType::Date64, Type::INT64), None);
        assert_eq!(Conversion::of(&DataType::Float16, Type::FIXED_LEN_BYTE_ARRAY), None);
    }
}
