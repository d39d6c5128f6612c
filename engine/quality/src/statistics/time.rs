//! Days and instants as ISO 8601 text. Arrow's formatter does the calendar.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, TimestampMicrosecondArray, TimestampNanosecondArray};
use arrow::util::display::array_value_to_string;

use sluice_core::column::ColumnKind;

/// The text of a day or instant given in the unit of the column's normal form.
pub(crate) fn iso(kind: &ColumnKind, value: i64) -> String {
    let array: ArrayRef = match kind {
        ColumnKind::Timestamp { zone, nanoseconds: false } => {
            Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone_opt(zone.clone()))
        }
        ColumnKind::Timestamp { zone, nanoseconds: true } => {
            Arc::new(TimestampNanosecondArray::from(vec![value]).with_timezone_opt(zone.clone()))
        }
        _ => match i32::try_from(value) {
            Ok(day) => Arc::new(Date32Array::from(vec![day])),
            Err(_) => return value.to_string(),
        },
    };
    // A value outside the calendar, or a zone that Arrow does not know, is shown as the number it is.
    array_value_to_string(&array, 0).unwrap_or_else(|_| value.to_string())
}

/// Units from the coarsest, with their nanoseconds.
pub(crate) const UNITS: [(&str, i64); 7] = [
    ("day", 86_400_000_000_000),
    ("hour", 3_600_000_000_000),
    ("minute", 60_000_000_000),
    ("second", 1_000_000_000),
    ("millisecond", 1_000_000),
    ("microsecond", 1000),
    ("nanosecond", 1),
];

/// How many steps of a column each of [`UNITS`] has that its instants may not be whole numbers of.
pub(crate) fn units_of(kind: &ColumnKind) -> Vec<i64> {
    let step = match kind {
        ColumnKind::Timestamp { nanoseconds: false, .. } => 1000,
        ColumnKind::Timestamp { nanoseconds: true, .. } => 1,
        _ => return Vec::new(),
    };
    UNITS.iter().map(|(_, nanoseconds)| nanoseconds / step).take_while(|steps| *steps > 1).collect()
}
