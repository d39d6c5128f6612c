//! Intervals of time, and which of them each row lies in.

use arrow::array::{Array, ArrayRef};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Error, Result};

use crate::error::IngestError;

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;

/// From an instant (included) to another (not included); one of them may be left out.
///
/// An instant is a date (`2014-06-01`, its first moment), a time (`2014-06-01T12:30:00`, with `Z` or an offset where
/// the column has a zone), or a whole number where the column holds numbers, such as seconds since 1970-01-01.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalOptions {
    /// The first instant that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub from: Option<String>,
    /// The first instant that does not belong to it any more.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub before: Option<String>,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    Ok(Option::<Written>::deserialize(deserializer)?.map(|written| match written {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    }))
}

/// What the ends of an interval count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Microseconds since 1970-01-01.
    Microseconds,
    /// Whatever the column counts.
    Number,
}

/// A checked interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    unit: Unit,
    from: i64,
    before: i64,
}

impl IntervalOptions {
    pub(crate) fn checked(&self, name: &str) -> Result<Interval, IngestError> {
        let end = |value: &Option<String>, end: &'static str| {
            value
                .as_ref()
                .map(|value| {
                    instant(value).ok_or_else(|| IngestError::Instant {
                        name: name.into(),
                        end,
                        value: value.clone(),
                    })
                })
                .transpose()
        };
        let wrong = |problem| IngestError::Interval { name: name.into(), problem };
        let (unit, from, before) = match (end(&self.from, "begins")?, end(&self.before, "ends")?) {
            (None, None) => return Err(wrong("has neither `from` nor `before`")),
            (Some((unit, from)), None) => (unit, from, i64::MAX),
            (None, Some((unit, before))) => (unit, i64::MIN, before),
            (Some((unit, from)), Some((other, before))) if unit == other => (unit, from, before),
            (Some(_), Some(_)) => {
                return Err(wrong("begins with a number and ends with a date, or the reverse"));
            }
        };
        if from >= before {
            return Err(IngestError::Backwards { name: name.into() });
        }
        Ok(Interval { unit, from, before })
    }
}

impl Interval {
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.from < other.before && other.from < self.before
    }
}

fn instant(text: &str) -> Option<(Unit, i64)> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some((Unit::Number, number));
    }
    let microseconds = if let Ok(date) = text.parse::<NaiveDate>() {
        i64::from(date.to_epoch_days()).checked_mul(MICROSECONDS_OF_A_DAY)?
    } else if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        instant.timestamp_micros()
    } else {
        let time = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
        time.and_utc().timestamp_micros()
    };
    Some((Unit::Microseconds, microseconds))
}

/// The interval of each row; `None` where it lies in none of them.
pub(crate) fn assign(column: &str, values: &ArrayRef, intervals: &[Interval]) -> Result<Vec<Option<usize>>> {
    let view = Column::view(values);
    let unit = match view {
        Column::Date(_) | Column::TimestampMicrosecond(_) | Column::TimestampNanosecond(_) => {
            Unit::Microseconds
        }
        Column::Integer(_) => Unit::Number,
        _ => return Err(wrong_kind(column, values, "dates, times or whole numbers").into()),
    };
    if intervals.iter().any(|interval| interval.unit != unit) {
        let expected = match unit {
            Unit::Microseconds => "intervals that are given as dates or times",
            Unit::Number => "intervals that are given as whole numbers",
        };
        return Err(wrong_kind(column, values, expected).into());
    }
    let value = |row: usize| match view {
        Column::Date(days) => i64::from(days.value(row)) * MICROSECONDS_OF_A_DAY,
        Column::TimestampMicrosecond(times) => times.value(row),
        Column::TimestampNanosecond(times) => times.value(row).div_euclid(1000),
        Column::Integer(numbers) => numbers.value(row),
        _ => 0,
    };
    (0..values.len())
        .map(|row| {
            if values.is_null(row) {
                return Err(Error::from(IngestError::Null { column: column.into() }).at_row(row));
            }
            let value = value(row);
            Ok(intervals.iter().position(|interval| (interval.from..interval.before).contains(&value)))
        })
        .collect()
}

fn wrong_kind(column: &str, values: &ArrayRef, expected: &'static str) -> CommonError {
    CommonError::ColumnKind {
        column: column.into(),
        found: ColumnKind::of(values.data_type()).to_string(),
        expected,
        purpose: "`subsets.by: time`".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, StringViewArray, TimestampMicrosecondArray};

    use super::*;

    fn interval(from: &str, before: &str) -> Result<Interval, IngestError> {
        let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        IntervalOptions { from: end(from), before: end(before) }.checked("train")
    }

    #[test]
    fn ends_are_dates_times_and_numbers() {
        assert_eq!(instant("1970-01-02"), Some((Unit::Microseconds, MICROSECONDS_OF_A_DAY)));
        assert_eq!(instant("1970-01-01T00:00:01.5"), Some((Unit::Microseconds, 1_500_000)));
        assert_eq!(instant("1970-01-01T01:00:00+01:00"), Some((Unit::Microseconds, 0)));
        assert_eq!(instant("1401580800"), Some((Unit::Number, 1_401_580_800)));
        assert_eq!(instant("last week"), None);
        assert!(matches!(interval("x", ""), Err(IngestError::Instant { .. })));
        assert!(matches!(interval("", ""), Err(IngestError::Interval { .. })));
        assert!(matches!(interval("5", "2014-01-01"), Err(IngestError::Interval { .. })));
        assert!(matches!(interval("2014-01-01", "2014-01-01"), Err(IngestError::Backwards { .. })));
        let (early, late) = (interval("", "2014-01-01").unwrap(), interval("2014-01-01", "").unwrap());
        assert!(!early.overlaps(&late) && late.overlaps(&interval("2013-12-31", "2014-01-02").unwrap()));
    }

    #[test]
    fn rows_lie_in_one_interval_or_none() {
        let intervals = [interval("", "1970-01-03").unwrap(), interval("1970-01-05", "1970-01-07").unwrap()];
        let expected = [Some(0), Some(0), None, Some(1), None];
        let days: ArrayRef = Arc::new(Date32Array::from(vec![-9, 1, 2, 4, 6]));
        assert_eq!(assign("day", &days, &intervals).unwrap(), expected);
        let times: Vec<i64> = [-9, 1, 2, 4, 6].iter().map(|day| day * MICROSECONDS_OF_A_DAY).collect();
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times));
        assert_eq!(assign("time", &times, &intervals).unwrap(), expected);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None]));
        assert!(assign("number", &numbers, &intervals).is_err());
        let five = [interval("5", "6").unwrap()];
        let mut error = assign("number", &numbers, &five).unwrap_err();
        assert_eq!(error.take_row(), Some(1));
        let text: ArrayRef = Arc::new(StringViewArray::from(vec!["2014-01-01"]));
        assert!(assign("text", &text, &intervals).unwrap_err().to_string().contains("is text"));
    }
}
