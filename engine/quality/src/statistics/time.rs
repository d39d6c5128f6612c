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
