//! Buckets of dates and timestamps: periods, which follow one another, and parts, which come back.
//!
//! | `by` | slices | called |
//! |---|---|---|
//! | `year`, `quarter`, `month`, `day` | periods of the calendar | `2026`, `2026-Q4`, `2026-11`, `2026-11-22` |
//! | `week` | weeks from Monday on, by year and number of ISO 8601 | `2026-W47` |
//! | `hour` | hours of a day | `2026-11-22T14` |
//! | `month_of_year`, `weekday`, `hour_of_day` | what comes back | `November`, `Sunday`, `14` |
//!
//! Dates are read as the `date_parts` of a transform reads them: in the proleptic Gregorian calendar; a timestamp in the zone
//! of its type, which is UTC or a fixed offset, and without a zone as it stands. The offset of a region changes, so it is
//! refused. A date has the time of day 0:00. Null is a slice of its own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use serde::{Deserialize, Serialize};
use sluice_core::batch::Batch;
use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::Result;
use sluice_core::seam::Derive;
use sluice_expressions::{Part, offset_seconds};

use super::derive::{place_names, places};
use super::error::SliceError;
use super::names::{Shown, SliceNames};

const SECONDS_OF_DAY: i64 = 86_400;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const HOURS_OF_DAY: i64 = 24;

/// What dates and timestamps are sliced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateBucket {
    /// Each year.
    Year,
    /// Each quarter of a year.
    Quarter,
    /// Each month.
    Month,
    /// Each week, from Monday on.
    Week,
    /// Each day.
    Day,
    /// Each hour of each day.
    Hour,
    /// The months of a year, whatever the year.
    MonthOfYear,
    /// The days of a week, whatever the week.
    Weekday,
    /// The hours of a day, whatever the day.
    HourOfDay,
}

impl DateBucket {
    /// Its name in options.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::MonthOfYear => "month_of_year",
            Self::Weekday => "weekday",
            Self::HourOfDay => "hour_of_day",
        }
    }

    /// What its slices are called, in order, where they come back.
    fn recurring(self) -> Option<Vec<String>> {
        let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        match self {
            Self::MonthOfYear => named(&MONTHS),
            Self::Weekday => named(&WEEKDAYS),
            Self::HourOfDay => Some((0..HOURS_OF_DAY).map(|hour| hour.to_string()).collect()),
            Self::Year | Self::Quarter | Self::Month | Self::Week | Self::Day | Self::Hour => None,
        }
    }

    /// How the keys of its slices are shown, of a column that is called so.
    pub(super) fn shown(self, name: &str) -> Shown {
        self.recurring()
            .map_or_else(|| Shown::Values(name.into()), |names| SliceNames::of_places(name, names))
    }

    /// The number of a moment's bucket, so many days since 1970-01-01 and so many seconds of that day: of what comes back its
    /// place; of periods any that no other has.
    fn of(self, day: i64, second: i64) -> i64 {
        let part = |part: Part| part.of(day, second);
        match self {
            Self::Year => part(Part::Year),
            Self::Quarter => part(Part::Year) * 4 + part(Part::Quarter) - 1,
            Self::Month => part(Part::Year) * 12 + part(Part::Month) - 1,
            // The Thursday of a week, whose year is that of the week.
            Self::Week => day + 4 - part(Part::IsoDayOfWeek),
            Self::Day => day,
            Self::Hour => day * HOURS_OF_DAY + part(Part::Hour),
            Self::MonthOfYear => part(Part::Month) - 1,
            Self::Weekday => part(Part::IsoDayOfWeek) - 1,
            Self::HourOfDay => part(Part::Hour),
        }
    }

    /// What the period of a number is called.
    fn period(self, number: i64) -> String {
        match self {
            Self::Year => format!("{number:04}"),
            Self::Quarter => format!("{:04}-Q{}", number.div_euclid(4), number.rem_euclid(4) + 1),
            Self::Month => format!("{:04}-{:02}", number.div_euclid(12), number.rem_euclid(12) + 1),
            Self::Week => {
                let week = (Part::DayOfYear.of(number, 0) - 1) / 7 + 1;
                format!("{:04}-W{week:02}", Part::Year.of(number, 0))
            }
            Self::Hour => {
                let (day, hour) = (number.div_euclid(HOURS_OF_DAY), number.rem_euclid(HOURS_OF_DAY));
                format!("{}T{hour:02}", date(day))
            }
            Self::Day | Self::MonthOfYear | Self::Weekday | Self::HourOfDay => date(number),
        }
    }
}

/// `2026-11-22`.
fn date(day: i64) -> String {
    let part = |part: Part| part.of(day, 0);
    format!("{:04}-{:02}-{:02}", part(Part::Year), part(Part::Month), part(Part::Day))
}

/// The buckets of a column of dates or timestamps.
#[derive(Debug)]
pub(super) struct DateBuckets {
    column: String,
    by: DateBucket,
    /// Seconds east of UTC.
    offset: i64,
    /// Of what comes back.
    names: Option<Arc<StringArray>>,
}

impl DateBuckets {
    /// Of a column of some kind.
    ///
    /// # Errors
    /// [`SliceError::NotADate`], [`SliceError::RegionalZone`].
    pub(super) fn new(column: &str, by: DateBucket, kind: &ColumnKind) -> Result<Self, SliceError> {
        let offset = match kind {
            ColumnKind::Date | ColumnKind::Null | ColumnKind::Timestamp { zone: None, .. } => 0,
            ColumnKind::Timestamp { zone: Some(zone), .. } => {
                let regional =
                    || SliceError::RegionalZone { column: column.into(), by: by.name(), zone: zone.clone() };
                offset_seconds(zone).ok_or_else(regional)?
            }
            other => {
                let kind = other.to_string();
                return Err(SliceError::NotADate { column: column.into(), by: by.name(), kind });
            }
        };
        let names = by.recurring().map(|names| place_names(names.len()));
        Ok(Self { column: column.into(), by, offset, names })
    }

    /// The bucket of an instant.
    fn of_seconds(&self, seconds: i64) -> i64 {
        let local = seconds + self.offset;
        self.by.of(local.div_euclid(SECONDS_OF_DAY), local.rem_euclid(SECONDS_OF_DAY))
    }
}

impl Derive for DateBuckets {
    fn inputs(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn derive(&self, batch: &Batch) -> Result<ArrayRef> {
        let array = batch.require(&self.column)?;
        let numbers: Vec<Option<i64>> = match Column::view(array) {
            Column::Date(days) => days.iter().map(|day| Some(self.by.of(i64::from(day?), 0))).collect(),
            Column::TimestampMicrosecond(values) => {
                values.iter().map(|value| Some(self.of_seconds(value?.div_euclid(1_000_000)))).collect()
            }
            Column::TimestampNanosecond(values) => {
                values.iter().map(|value| Some(self.of_seconds(value?.div_euclid(1_000_000_000)))).collect()
            }
            // What it holds was checked before reading.
            _ => vec![None; array.len()],
        };
        if let Some(names) = &self.names {
            let place = |number: Option<i64>| number.and_then(|number| usize::try_from(number).ok());
            return places(numbers.into_iter().map(place), names);
        }
        let (mut places_of, mut names): (HashMap<i64, usize>, Vec<String>) = (HashMap::new(), Vec::new());
        let mut place = |number: i64| {
            *places_of.entry(number).or_insert_with(|| {
                names.push(self.by.period(number));
                names.len() - 1
            })
        };
        let codes: Vec<Option<usize>> = numbers.into_iter().map(|number| number.map(&mut place)).collect();
        places(codes.into_iter(), &Arc::new(names.into_iter().map(Some).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python 3.13: `date.isocalendar()`, `strftime`, of moments around the turns of weeks and years.
    #[test]
    fn periods_are_called_as_iso_8601_does() {
        for (day, second, expected) in [
            (0, 0, ["1970", "1970-Q1", "1970-01", "1970-W01", "1970-01-01", "1970-01-01T00"]),
            (-1, 86_399, ["1969", "1969-Q4", "1969-12", "1970-W01", "1969-12-31", "1969-12-31T23"]),
            // Friday 2021-01-01 is of the last week of 2020, Monday 2024-12-30 of the first of 2025.
            (18_628, 3_600, ["2021", "2021-Q1", "2021-01", "2020-W53", "2021-01-01", "2021-01-01T01"]),
            (20_087, 0, ["2024", "2024-Q4", "2024-12", "2025-W01", "2024-12-30", "2024-12-30T00"]),
            (20_779, 50_399, ["2026", "2026-Q4", "2026-11", "2026-W47", "2026-11-22", "2026-11-22T13"]),
        ] {
            let periods = [
                DateBucket::Year,
                DateBucket::Quarter,
                DateBucket::Month,
                DateBucket::Week,
                DateBucket::Day,
                DateBucket::Hour,
            ];
            assert_eq!(periods.map(|by| by.period(by.of(day, second))), expected);
        }
        let recurring = |by: DateBucket| {
            let place = usize::try_from(by.of(20_779, 50_399)).unwrap();
            by.recurring().unwrap()[place].clone()
        };
        let all = [DateBucket::MonthOfYear, DateBucket::Weekday, DateBucket::HourOfDay];
        assert_eq!(all.map(recurring), ["November", "Sunday", "13"]);
    }

    #[test]
    fn names_in_options_are_those_of_serde() {
        for name in
            ["year", "quarter", "month", "week", "day", "hour", "month_of_year", "weekday", "hour_of_day"]
        {
            let by: DateBucket = serde_json::from_value(serde_json::json!(name)).unwrap();
            assert_eq!(by.name(), name);
        }
    }

    #[test]
    fn zones_are_those_of_the_type_and_regions_are_refused() {
        let kind =
            |zone: Option<&str>| ColumnKind::Timestamp { zone: zone.map(Into::into), nanoseconds: false };
        let at = |zone| {
            DateBuckets::new("at", DateBucket::Hour, &kind(zone))
                .map(|buckets| buckets.of_seconds(0))
                .unwrap()
        };
        assert_eq!([None, Some("UTC"), Some("+05:30"), Some("-01:00")].map(at), [0, 0, 5, -1]);
        let error = DateBuckets::new("at", DateBucket::Day, &kind(Some("Europe/Berlin"))).unwrap_err();
        assert!(error.to_string().contains("`Europe/Berlin`"), "{error}");
        let error = DateBuckets::new("at", DateBucket::Day, &ColumnKind::Text).unwrap_err().to_string();
        assert_eq!(error, "slices column `at` by day, but it holds text");
    }
}
