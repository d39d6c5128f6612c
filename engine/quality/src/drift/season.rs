//! Which batches are alike by their time: those of the same day of the week, or of the same hour of the day.

use serde::{Deserialize, Serialize};
use sluice_core::statistics::DatasetStatistics;

use super::options::DriftError;

/// What makes batches alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// The day of the week.
    Weekday,
    /// The hour of the day.
    Hour,
}

impl Season {
    /// The season of a batch: by the middle of a column of times, else by the date in its name. Monday is 1 and Sunday 7,
    /// hours go from 0 to 23.
    ///
    /// # Errors
    /// [`DriftError::TimeUnknown`].
    pub fn of(
        self,
        name: &str,
        statistics: &DatasetStatistics,
        column: Option<&str>,
    ) -> Result<u8, DriftError> {
        let unknown = |reason| DriftError::TimeUnknown { batch: name.to_owned(), reason };
        let Some(column) = column else { return self.in_name(name).ok_or_else(|| unknown(None)) };
        let found = statistics.column(column);
        let found = found.ok_or_else(|| unknown(Some(format!("there is no column `{column}`"))))?;
        let time = found.time.as_ref();
        let time = time.ok_or_else(|| unknown(Some(format!("`{column}` is {}, not a time", found.kind))))?;
        let middle = time.quantiles.iter().find(|(q, _)| (q - 0.5).abs() < 1e-12);
        let instant = middle.map_or(time.earliest.as_str(), |(_, instant)| instant.as_str());
        self.at(instant)
            .ok_or_else(|| unknown(Some(format!("`{instant}` of `{column}` names no {}", self.word()))))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Weekday => "day",
            Self::Hour => "hour",
        }
    }

    /// The last date in a name that names a season.
    fn in_name(self, name: &str) -> Option<u8> {
        let starts = name.char_indices().map(|(index, _)| index).rev();
        starts
            .filter(|start| !name[..*start].ends_with(|c: char| c.is_ascii_digit()))
            .find_map(|start| self.at(&name[start..]))
    }

    /// The season of a text that begins with an instant as ISO 8601 writes it; the hour may stand after `T`, a blank,
    /// `_` or `-`.
    fn at(self, text: &str) -> Option<u8> {
        let text = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.iter().all(u8::is_ascii_digit).then_some(())?;
            Some(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
        };
        let is_dash = |index: usize| text.get(index) == Some(&b'-');
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let is_date = is_dash(4) && is_dash(7) && (1..=12).contains(&month) && (1..=31).contains(&day);
        if !is_date {
            return None;
        }
        match self {
            Self::Weekday if text.get(10).is_none_or(|byte| !byte.is_ascii_digit()) => {
                // 1970-01-01 was a Thursday.
                u8::try_from((days(year, month, day) + 3).rem_euclid(7) + 1).ok()
            }
            Self::Weekday => None,
            Self::Hour => {
                let is_parted = matches!(text.get(10), Some(b'T' | b' ' | b'_' | b'-'));
                let hour = number(11, 13).filter(|hour| is_parted && *hour < 24)?;
                u8::try_from(hour).ok()
            }
        }
    }
}

/// Days since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use sluice_core::column::ColumnKind;
    use sluice_core::statistics::{ColumnStatistics, TimeStatistics};

    use super::*;

    #[test]
    fn names_tell_days_and_hours() {
        let weekday = |name: &str| Season::Weekday.in_name(name);
        // `date -d 2026-11-22` says Sunday, 2024-02-29 was a Thursday, 1969-12-31 a Wednesday.
        let days = ["trips/2026-11-22.parquet", "s3://b/day=2024-02-29/", "1969-12-31", "a-2024-02-29T07_x"];
        assert_eq!(days.map(weekday), [Some(7), Some(4), Some(3), Some(4)]);
        // The last date counts: folders stand before files.
        assert_eq!(weekday("2026-11-22/2026-11-23.csv"), Some(1));
        for none in ["part-0001", "2026-13-01", "20261122", "12026-11-22", "2026-11-221", "", "ä-2026"] {
            assert_eq!(weekday(none), None, "{none}");
        }
        let hour = |name: &str| Season::Hour.in_name(name);
        assert_eq!(["2026-11-22T05", "x_2026-11-22-23.csv"].map(hour), [Some(5), Some(23)]);
        assert_eq!(["2026-11-22", "2026-11-22T24", "2026-11-22.05"].map(hour), [None; 3]);
    }

    #[test]
    fn a_column_of_times_tells_it_by_its_middle() {
        let mut column = ColumnStatistics::new("at", ColumnKind::Date);
        column.time = Some(TimeStatistics {
            earliest: "2026-11-20T00:00:00".into(),
            latest: "2026-11-23T00:00:00".into(),
            resolution: None,
            quantiles: vec![(0.25, "2026-11-21T00:00:00".into()), (0.5, "2026-11-22T17:30:00Z".into())],
            rank_error_fraction: 0.0,
            histogram: Vec::new(),
        });
        let other = ColumnStatistics::new("x", ColumnKind::Float);
        let columns = vec![column, other];
        let statistics = DatasetStatistics { columns, ..DatasetStatistics::default() };
        let of = |season: Season, column| season.of("batch", &statistics, column);
        assert_eq!(of(Season::Weekday, Some("at")).unwrap(), 7);
        assert_eq!(of(Season::Hour, Some("at")).unwrap(), 17);
        for (column, told) in
            [(Some("x"), "`x` is float"), (Some("y"), "no column `y`"), (None, "is not known")]
        {
            let error = of(Season::Hour, column).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
