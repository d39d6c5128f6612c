//! Cells to values of a known type, into Arrow builders in normal form.
//!
//! The parsers accept all that inference or a given type accepts. Floats are correctly rounded (Rust's
//! `parse`).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, NullArray, StringViewBuilder,
    TimestampMicrosecondBuilder, TimestampNanosecondBuilder, UInt64Builder,
};

use sluice_core::column::ColumnKind;

use super::cell::{Class, EXACT_IN_FLOAT, boolean, classify};
use super::time::{self, Moment};
use crate::options::CsvType;

/// The class of a cell in a column whose type was given; `None` when it does not fit.
pub(super) fn forced_class(text: &str, forced: CsvType) -> Option<Class> {
    match forced {
        CsvType::Text => Some(Class::Text),
        CsvType::Integer => text
            .parse::<i64>()
            .ok()
            .map(|value| Class::Integer { negative: value < 0, magnitude: value.unsigned_abs() }),
        CsvType::Unsigned => {
            text.parse::<u64>().ok().map(|magnitude| Class::Integer { negative: false, magnitude })
        }
        CsvType::Float => text.parse::<f64>().ok().map(|_| Class::Float),
        CsvType::Boolean => truth(text).map(|_| Class::Boolean),
        CsvType::Date => time::date(text.as_bytes()).map(|_| Class::Date),
        CsvType::Timestamp => moment(text).map(|moment| Class::Timestamp {
            zoned: moment.zoned,
            fine: moment.is_finer_than_microseconds(),
            beyond_nanoseconds: moment.in_nanoseconds().is_none(),
        }),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => boolean(text),
    }
}

fn moment(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    time::timestamp(bytes).or_else(|| {
        let seconds = i64::from(time::date(bytes)?) * 86_400;
        Some(Moment { seconds, nanoseconds: 0, zoned: false })
    })
}

/// Whether a cell, spaces around it removed, could have led to this kind and loses nothing in it.
pub(crate) fn fits(kind: &ColumnKind, text: &str) -> bool {
    match (kind, classify(text)) {
        (ColumnKind::Text, _)
        | (ColumnKind::Boolean, Class::Boolean)
        | (ColumnKind::Float, Class::Float)
        | (ColumnKind::Date, Class::Date) => true,
        (ColumnKind::Integer, Class::Integer { negative, magnitude }) => {
            negative || i64::try_from(magnitude).is_ok()
        }
        (ColumnKind::Unsigned, Class::Integer { negative, .. }) => !negative,
        (ColumnKind::Float, Class::Integer { magnitude, .. }) => magnitude <= EXACT_IN_FLOAT,
        (
            ColumnKind::Timestamp { zone, nanoseconds },
            Class::Timestamp { zoned, fine, beyond_nanoseconds },
        ) => zoned == zone.is_some() && if *nanoseconds { !beyond_nanoseconds } else { !fine },
        _ => false,
    }
}

/// A column in the making.
#[derive(Debug)]
pub(crate) enum Builder {
    Null(usize),
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Unsigned(UInt64Builder),
    Float(Float64Builder),
    Text(StringViewBuilder),
    Date(Date32Builder),
    Microseconds(TimestampMicrosecondBuilder),
    Nanoseconds(TimestampNanosecondBuilder),
}

impl Builder {
    /// For a column of a kind that inference gives; all others are text.
    pub(crate) fn new(kind: &ColumnKind, rows: usize) -> Self {
        match kind {
            ColumnKind::Null => Self::Null(0),
            ColumnKind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnKind::Integer => Self::Integer(Int64Builder::with_capacity(rows)),
            ColumnKind::Unsigned => Self::Unsigned(UInt64Builder::with_capacity(rows)),
            ColumnKind::Float => Self::Float(Float64Builder::with_capacity(rows)),
            ColumnKind::Date => Self::Date(Date32Builder::with_capacity(rows)),
            ColumnKind::Timestamp { zone, nanoseconds: false } => {
                let builder = TimestampMicrosecondBuilder::with_capacity(rows);
                Self::Microseconds(builder.with_timezone_opt(zone.as_deref()))
            }
            ColumnKind::Timestamp { zone, nanoseconds: true } => {
                let builder = TimestampNanosecondBuilder::with_capacity(rows);
                Self::Nanoseconds(builder.with_timezone_opt(zone.as_deref()))
            }
            ColumnKind::Text
            | ColumnKind::Decimal { .. }
            | ColumnKind::Binary
            | ColumnKind::List(_)
            | ColumnKind::Struct(_)
            | ColumnKind::Other(_) => Self::Text(StringViewBuilder::with_capacity(rows)),
        }
    }

    /// Whether cells are taken as they stand, with the spaces around them.
    pub(crate) fn is_verbatim(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(crate) fn append_null(&mut self) {
        match self {
            Self::Null(rows) => *rows += 1,
            Self::Boolean(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Unsigned(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Microseconds(builder) => builder.append_null(),
            Self::Nanoseconds(builder) => builder.append_null(),
        }
    }

    /// Takes in a cell; `None` when it does not fit the type.
    pub(crate) fn append(&mut self, text: &str) -> Option<()> {
        match self {
            Self::Null(_) => return None,
            Self::Boolean(builder) => builder.append_value(truth(text)?),
            Self::Integer(builder) => builder.append_value(text.parse().ok()?),
            Self::Unsigned(builder) => builder.append_value(text.parse().ok()?),
            Self::Float(builder) => builder.append_value(text.parse().ok()?),
            Self::Text(builder) => builder.append_value(text),
            Self::Date(builder) => builder.append_value(time::date(text.as_bytes())?),
            Self::Microseconds(builder) => builder.append_value(moment(text)?.in_microseconds()),
            Self::Nanoseconds(builder) => builder.append_value(moment(text)?.in_nanoseconds()?),
        }
        Some(())
    }

    /// The rows so far as an array; the builder begins anew.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Null(rows) => Arc::new(NullArray::new(std::mem::take(rows))),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Unsigned(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Microseconds(builder) => Arc::new(builder.finish()),
            Self::Nanoseconds(builder) => Arc::new(builder.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn arrays_are_in_normal_form() {
        let zoned = ColumnKind::Timestamp { zone: Some("+00:00".into()), nanoseconds: true };
        for (kind, cell) in [
            (ColumnKind::Boolean, "TRUE"),
            (ColumnKind::Integer, "-7"),
            (ColumnKind::Unsigned, "18446744073709551615"),
            (ColumnKind::Float, "1e-7"),
            (ColumnKind::Text, "a text longer than twelve bytes"),
            (ColumnKind::Date, "2024-02-29"),
            (ColumnKind::Timestamp { zone: None, nanoseconds: false }, "2024-02-29 01:02:03"),
            (zoned, "2024-02-29T01:02:03.000000001Z"),
        ] {
            let mut builder = Builder::new(&kind, 2);
            builder.append(cell).unwrap();
            builder.append_null();
            let array = builder.finish();
            assert_eq!(Some(array.data_type().clone()), kind.normal_type());
            assert_eq!((array.len(), array.null_count()), (2, 1));
            assert!(kind == ColumnKind::Text || builder.append("x").is_none());
        }
        let mut builder = Builder::new(&ColumnKind::Null, 1);
        builder.append_null();
        assert_eq!(builder.finish().data_type(), &DataType::Null);
    }
}
