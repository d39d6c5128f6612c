//! Days and instants as ISO 8601 text. Arrow's formatter does the calendar.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, TimestampMicrosecondArray, TimestampNanosecondArray};
use arrow::util::display::array_value_to_string;

use sluice_core::column::ColumnKind;

/// The text of a day or instant given in the unit of the column's normal form.
pub(crate) fn iso(kind: &ColumnKind, value: i64) -> String {
    let instant = |zone: Option<String>, nanoseconds: bool| -> ArrayRef {
        if nanoseconds {
            Arc::new(TimestampNanosecondArray::from(vec![value]).with_timezone_opt(zone))
        } else {
            Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone_opt(zone))
        }
    };
    let shown = match kind {
        ColumnKind::Timestamp { zone, nanoseconds } => {
            // Names of zones that Arrow does not know are instants all the same: shown in UTC.
            array_value_to_string(&instant(zone.clone(), *nanoseconds), 0).or_else(|error| match zone {
                Some(_) => array_value_to_string(&instant(Some("+00:00".to_owned()), *nanoseconds), 0),
                None => Err(error),
            })
        }
        _ => match i32::try_from(value) {
            Ok(day) => array_value_to_string(&(Arc::new(Date32Array::from(vec![day])) as ArrayRef), 0),
            Err(_) => return value.to_string(),
        },
    };
    // A value outside the calendar is shown as the number it is.
    shown.unwrap_or_else(|_| value.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_named_zones_are_shown() {
        let zoned = |zone: &str| ColumnKind::Timestamp { zone: Some(zone.into()), nanoseconds: false };
        assert_eq!(iso(&zoned("UTC"), 1_000_000), "1970-01-01T00:00:01Z");
        assert_eq!(iso(&zoned("+02:00"), 0), "1970-01-01T02:00:00+02:00");
        assert_eq!(
            iso(&ColumnKind::Timestamp { zone: None, nanoseconds: true }, 1),
            "1970-01-01T00:00:00.000000001"
        );
        assert_eq!(iso(&ColumnKind::Date, 31), "1970-02-01");
    }
}
