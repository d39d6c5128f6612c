//! Date parts: numbers that a calendar reads off dates and timestamps, in the proleptic Gregorian calendar.
//! `start` becomes `start.hour`, `start.weekday`, …, counted as the functions of expressions count
//! (docs/expressions.md): months from 1, weekdays from Monday as 1 to Sunday as 7 (ISO 8601). Fractions of a
//! second are cut off.
//!
//! A timestamp is read in the zone of its type, if that is UTC or a fixed offset; without a zone it is read
//! as it stands. The calendar of a region changes its offset, so it is refused. A date has the time of day
//! 0:00. Null is null.

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};
use sluice_core::options::OptionsError;
use sluice_expressions::{Part, offset_seconds};

use crate::fit::{Builder, Input};
use crate::graph::{Cell, CellInputs};
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

const SECONDS_OF_DAY: i64 = 86_400;

/// A part of a date or of its time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePart {
    /// The year.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// 1 to 31.
    Day,
    /// 1 is Monday, 7 Sunday.
    Weekday,
    /// 1 to 366.
    DayOfYear,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
    /// 1 on Saturdays and Sundays, else 0.
    IsWeekend,
    /// Whole days since 1970-01-01.
    DaysSinceEpoch,
}

impl DatePart {
    /// Its name in the pipeline file and in the names of features.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Day => "day",
            Self::Weekday => "weekday",
            Self::DayOfYear => "day_of_year",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::IsWeekend => "is_weekend",
            Self::DaysSinceEpoch => "days_since_epoch",
        }
    }

    /// After how much it begins anew; `None` for what does not come back.
    #[must_use]
    pub fn period(self) -> Option<f64> {
        match self {
            Self::Quarter => Some(4.0),
            Self::Month => Some(12.0),
            Self::Day => Some(31.0),
            Self::Weekday => Some(7.0),
            Self::DayOfYear => Some(366.0),
            Self::Hour => Some(24.0),
            Self::Minute | Self::Second => Some(60.0),
            Self::Year | Self::IsWeekend | Self::DaysSinceEpoch => None,
        }
    }

    pub(crate) fn of(self, moment: Moment) -> f64 {
        let part = |part: Part| part.of(moment.day, moment.second) as f64;
        match self {
            Self::Year => part(Part::Year),
            Self::Quarter => part(Part::Quarter),
            Self::Month => part(Part::Month),
            Self::Day => part(Part::Day),
            Self::Weekday => part(Part::IsoDayOfWeek),
            Self::DayOfYear => part(Part::DayOfYear),
            Self::Hour => part(Part::Hour),
            Self::Minute => part(Part::Minute),
            Self::Second => part(Part::Second),
            Self::IsWeekend => f64::from(Part::IsoDayOfWeek.of(moment.day, 0) >= 6),
            Self::DaysSinceEpoch => moment.day as f64,
        }
    }
}

/// A day of the calendar and a time of that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Days since 1970-01-01.
    day: i64,
    /// Seconds since midnight.
    second: i64,
}

/// The calendar in which dates and timestamps are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Seconds east of UTC.
    offset: i64,
}

impl Calendar {
    /// The calendar of the zone of a value.
    ///
    /// # Errors
    /// [`crate::TransformError::Kind`] for what is no date and for zones whose offset changes.
    pub(crate) fn of(graph: &Builder<'_>, input: &Input) -> Result<Self> {
        let offset = match input.kind.column() {
            Some(ColumnKind::Date | ColumnKind::Null | ColumnKind::Timestamp { zone: None, .. }) => Some(0),
            Some(ColumnKind::Timestamp { zone: Some(zone), .. }) => offset_seconds(zone),
            _ => return Err(graph.unsuitable(input, "dates or timestamps").into()),
        };
        let expected = "timestamps in UTC, in another fixed offset, or without a zone";
        Ok(Self { offset: offset.ok_or_else(|| graph.unsuitable(input, expected))? })
    }

    /// Seconds east of UTC.
    #[must_use]
    pub fn offset_seconds(self) -> i64 {
        self.offset
    }

    fn moment_of(self, seconds: i64) -> Moment {
        let local = seconds + self.offset;
        Moment { day: local.div_euclid(SECONDS_OF_DAY), second: local.rem_euclid(SECONDS_OF_DAY) }
    }

    fn of_microseconds(self, value: i64) -> Moment {
        self.moment_of(value.div_euclid(1_000_000))
    }

    fn of_nanoseconds(self, value: i64) -> Moment {
        self.moment_of(value.div_euclid(1_000_000_000))
    }

    /// The array as dates or timestamps in this zone.
    fn view<'a>(self, array: &'a ArrayRef, name: &str, operation: &str) -> Result<Column<'a>> {
        let view = Column::view(array);
        let fits = match array.data_type() {
            DataType::Timestamp(_, Some(zone)) => offset_seconds(zone) == Some(self.offset),
            DataType::Timestamp(_, None) => self.offset == 0,
            other => matches!(other, DataType::Date32 | DataType::Null),
        };
        if fits {
            return Ok(view);
        }
        Err(CommonError::ColumnKind {
            column: name.to_owned(),
            found: ColumnKind::of(array.data_type()).to_string(),
            expected: "dates or timestamps in the zone of training",
            purpose: format!("`{operation}`"),
        }
        .into())
    }

    /// A number of every row's moment.
    pub(crate) fn read(self, inputs: &Inputs<'_>, number: impl Fn(Moment) -> f64) -> Result<Float64Array> {
        let array = inputs.values[0].column()?;
        Ok(match self.view(array, inputs.names[0], inputs.operation)? {
            Column::Date(days) => {
                days.unary::<_, Float64Type>(|day| number(Moment { day: i64::from(day), second: 0 }))
            }
            Column::TimestampMicrosecond(values) => {
                values.unary::<_, Float64Type>(|value| number(self.of_microseconds(value)))
            }
            Column::TimestampNanosecond(values) => {
                values.unary::<_, Float64Type>(|value| number(self.of_nanoseconds(value)))
            }
            _ => Float64Array::new_null(array.len()),
        })
    }

    /// The moment of one row.
    pub(crate) fn read_row(self, inputs: &CellInputs<'_, '_>) -> Result<Option<Moment>> {
        let array = match inputs.cell(0) {
            Cell::Null => return Ok(None),
            Cell::Date(day) => return Ok(Some(Moment { day: i64::from(*day), second: 0 })),
            other => ArrayRef::clone(other.to_value().column()?),
        };
        Ok(match self.view(&array, &inputs.names[0], inputs.operation)? {
            _ if array.is_null(0) => None,
            Column::TimestampMicrosecond(values) => Some(self.of_microseconds(values.value(0))),
            Column::TimestampNanosecond(values) => Some(self.of_nanoseconds(values.value(0))),
            _ => None,
        })
    }
}

/// The options of `date_parts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateParts {
    /// The columns.
    pub columns: Vec<String>,
    /// The parts, a number each.
    pub parts: Vec<DatePart>,
    /// What stands before the point in the names of the results, one each; the name of the column without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Plan for DateParts {
    fn check(&self) -> Result<(), OptionsError> {
        if !self.parts.is_empty() {
            return Ok(());
        }
        Err(OptionsError::OutOfRange {
            name: "date_parts.parts".into(),
            value: "[]".into(),
            range: "at least one part, such as hour or weekday".into(),
        })
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.read(column)?;
            let calendar = Calendar::of(graph, &input)?;
            let names: Vec<String> =
                self.parts.iter().map(|part| format!("{name}.{}", part.name())).collect();
            let outputs = names.iter().map(|name| (name.as_str(), ValueKind::FLOAT));
            let parts = PartsOfDates { calendar, parts: self.parts.clone() };
            graph.step(&[input], outputs, Known(Mapper::DateParts(parts)))?;
        }
        Ok(())
    }
}

/// The parts that are read, and in which calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartsOfDates {
    /// Where the day begins.
    pub calendar: Calendar,
    /// An output each.
    pub parts: Vec<DatePart>,
}

impl Map for PartsOfDates {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let read = |part: &DatePart| self.calendar.read(inputs, |moment| part.of(moment)).map(Value::floats);
        self.parts.iter().map(read).collect()
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let moment = self.calendar.read_row(inputs)?;
        let cell = |part: &DatePart| moment.map_or(Cell::Null, |moment| Cell::Float(part.of(moment)));
        outputs.extend(self.parts.iter().map(cell));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, NullArray, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray,
    };
    use serde_json::json;

    use super::*;
    use crate::testing::{check_paths, feature, features, fitted, reference, refusal, table};

    fn all_parts() -> serde_json::Value {
        json!([{ "date_parts": { "columns": ["at"], "parts": reference("dates_text_lists.json")["parts"] } }])
    }

    #[test]
    fn parts_agree_with_python_in_utc_and_in_fixed_offsets() {
        let cases = reference("dates_text_lists.json");
        for case in cases["calendars"].as_array().unwrap() {
            let zone = case["zone"].as_str().unwrap();
            let rows = case["rows"].as_array().unwrap();
            let instants = rows.iter().map(|row| row["microseconds"].as_i64());
            let micro: TimestampMicrosecondArray = instants.clone().collect();
            let nano: TimestampNanosecondArray =
                instants.map(|instant| instant.map(|value| value * 1000)).collect();
            for column in
                [Arc::new(micro.with_timezone(zone)) as ArrayRef, Arc::new(nano.with_timezone(zone))]
            {
                let rows_of = table(vec![("at", column)]);
                let transform = fitted(&rows_of, &all_parts()).unwrap();
                check_paths(&transform, &rows_of);
                for (place, (name, found)) in features(&transform, &rows_of).into_iter().enumerate() {
                    let expected: Vec<Option<f64>> =
                        rows.iter().map(|row| row["parts"][place].as_f64()).collect();
                    assert_eq!(found, expected, "{name} in {zone}");
                }
            }
        }
    }

    #[test]
    fn dates_have_no_clock_and_null_stays_null() {
        let rows = table(vec![("at", Arc::new(Date32Array::from(vec![Some(19_782), None, Some(-1)])))]);
        let options = json!([
            { "date_parts": { "columns": ["at"], "parts": ["month", "hour", "is_weekend"], "as": ["start"] } },
        ]);
        let transform = fitted(&rows, &options).unwrap();
        check_paths(&transform, &rows);
        // 2024-02-29 was a Thursday, 1969-12-31 a Wednesday.
        assert_eq!(feature(&transform, &rows, "start.month"), [Some(2.0), None, Some(12.0)]);
        assert_eq!(feature(&transform, &rows, "start.hour"), [Some(0.0), None, Some(0.0)]);
        assert_eq!(feature(&transform, &rows, "start.is_weekend"), [Some(0.0), None, Some(0.0)]);
        let nothing = table(vec![("at", Arc::new(NullArray::new(2)))]);
        assert_eq!(feature(&transform, &nothing, "start.month"), [None, None]);
        check_paths(&fitted(&nothing, &options).unwrap(), &nothing);
    }

    #[test]
    fn what_is_no_date_is_refused_before_a_row_is_read_and_later() {
        let text = table(vec![("at", Arc::new(StringArray::from(vec!["2024-02-29"])))]);
        let refused = refusal(&text, &all_parts());
        assert!(
            refused.starts_with("`date_parts` needs dates or timestamps, but column `at` is text"),
            "{refused}"
        );
        assert!(refused.contains("CAST(at AS TIMESTAMP)"), "{refused}");
        let none = json!([{ "date_parts": { "columns": ["at"], "parts": [] } }]);
        assert!(refusal(&text, &none).contains("`date_parts.parts`"));
        let instant = |zone: Option<&str>| {
            let values = TimestampMicrosecondArray::from(vec![0]);
            let values = zone.map_or(values.clone(), |zone| values.with_timezone(zone));
            table(vec![("at", Arc::new(values) as ArrayRef)])
        };
        let region = refusal(&instant(Some("Europe/Berlin")), &all_parts());
        assert!(region.contains("is timestamp in Europe/Berlin"), "{region}");
        let transform = fitted(&instant(Some("+02:00")), &all_parts()).unwrap();
        for other in [instant(None), instant(Some("UTC")), text] {
            let error =
                sluice_core::seam::BatchTransform::apply(&transform, &sluice_core::Batch::new(&other));
            assert!(error.unwrap_err().to_string().contains("dates or timestamps in the zone of training"));
        }
    }

    #[test]
    fn text_becomes_a_date_by_an_expression() {
        let rows = table(vec![("at", Arc::new(StringArray::from(vec![Some("2024-02-29 23:15:00"), None])))]);
        let operations = json!([
            { "derive": { "at": "CAST(at AS TIMESTAMP)" } },
            { "date_parts": { "columns": ["at"], "parts": ["hour", "minute"] } },
            { "drop": ["at"] },
        ]);
        let transform = fitted(&rows, &operations).unwrap();
        check_paths(&transform, &rows);
        assert_eq!(feature(&transform, &rows, "at.hour"), [Some(23.0), None]);
        assert_eq!(feature(&transform, &rows, "at.minute"), [Some(15.0), None]);
    }

    #[test]
    fn a_part_that_is_asked_for_twice_is_one_name_twice() {
        let rows = table(vec![("at", Arc::new(Date32Array::from(vec![1])))]);
        let twice = json!([{ "date_parts": { "columns": ["at"], "parts": ["year", "year"] } }]);
        assert!(refusal(&rows, &twice).contains("cannot call its result `at.year`"));
    }
}
