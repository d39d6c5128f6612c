//! A column under the rules of the schema, counted by rows, by values of lists, or by weight.

use sluice_core::schema::Feature;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, WeightedStatistics};

use super::code::FindingCode;
use super::finding::{Finding, Words, rows};
use super::place::Place;
use super::words::general;

/// Whether all counts are weights: the data set has a weight and so has every column, as in TFDV.
pub(crate) fn is_by_weight(statistics: &DatasetStatistics) -> bool {
    statistics.weight.as_ref().is_some_and(|weight| weight.sum.abs() > 0.0)
        && statistics.columns.iter().all(|column| column.weighted.is_some())
}

/// One column that is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) feature: &'a Feature,
    pub(crate) column: &'a ColumnStatistics,
    pub(crate) place: &'a Place,
    /// Set where weights are what counts.
    pub(crate) weighted: Option<&'a WeightedStatistics>,
}

/// The most frequent values of a column with their counts or weights.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    pub(crate) listed: Vec<(&'a str, f64)>,
    /// Whether there are no others.
    pub(crate) is_complete: bool,
    /// Whether the counts are exact.
    pub(crate) is_exact: bool,
    /// What all values add up to.
    pub(crate) total: f64,
}

impl<'a> Subject<'a> {
    pub(crate) fn name(&self) -> &str {
        self.place.name()
    }

    pub(crate) fn finding(&self, code: FindingCode, words: Words) -> Finding {
        self.place.finding(code, words)
    }

    pub(crate) fn change(&self, body: &str) -> String {
        self.place.change(body)
    }

    /// Rows with a value, or their weight.
    pub(crate) fn num_present(&self) -> f64 {
        self.weighted.map_or(self.column.presence.num_present() as f64, |weighted| weighted.num_present)
    }

    /// Rows without a value, or their weight.
    pub(crate) fn num_missing(&self) -> f64 {
        let presence = &self.column.presence;
        self.weighted
            .map_or((presence.num_rows - presence.num_present()) as f64, |weighted| weighted.num_missing)
    }

    /// The share of rows with a value, from 0 to 1.
    pub(crate) fn fraction_present(&self) -> f64 {
        let (present, missing) = (self.num_present(), self.num_missing());
        if present + missing > 0.0 { present / (present + missing) } else { 0.0 }
    }

    /// "8 of 10 rows have a value".
    pub(crate) fn presence_in_words(&self) -> String {
        let presence = &self.column.presence;
        if self.weighted.is_some() {
            let (present, missing) = (self.num_present(), self.num_missing());
            return format!("a weight of {} of {} has a value", general(present), general(present + missing));
        }
        let have = if presence.num_present() == 1 { "has" } else { "have" };
        format!("{} of {} {have} a value", presence.num_present(), rows(presence.num_rows))
    }

    /// A number of values: "5 rows", of lists "5 values", by weight "a weight of 5".
    pub(crate) fn amount(&self, count: f64) -> String {
        if self.weighted.is_some() {
            return format!("a weight of {}", general(count));
        }
        let one = (count - 1.0).abs() < 0.5;
        match (self.column.valency.is_some(), one) {
            (true, true) => "1 value".into(),
            (true, false) => format!("{count:.0} values"),
            (false, true) => "1 row".into(),
            (false, false) => format!("{count:.0} rows"),
        }
    }

    /// "5 of 10 rows".
    pub(crate) fn amount_of(&self, count: f64, total: f64) -> String {
        if self.weighted.is_some() {
            return format!("a weight of {} of {}", general(count), general(total));
        }
        format!("{count:.0} of {}", self.amount(total))
    }

    /// The most frequent values, where the statistics have any.
    pub(crate) fn values(&self) -> Option<Values<'a>> {
        if let Some(weighted) = self.weighted.filter(|weighted| !weighted.top_values.is_empty()) {
            let known = weighted.top_values_max_error <= 0.0;
            return Some(Values {
                listed: weighted.top_values.iter().map(|(value, weight)| (value.as_str(), *weight)).collect(),
                is_complete: known && self.column.top_values.as_ref().is_none_or(|top| top.is_complete),
                is_exact: known,
                total: weighted.num_values,
            });
        }
        let top = self.column.top_values.as_ref()?;
        Some(Values {
            listed: top.values.iter().map(|(value, count)| (value.as_str(), *count as f64)).collect(),
            is_complete: top.is_complete,
            is_exact: top.is_complete && top.max_error == 0,
            total: self.column.num_values() as f64,
        })
    }

    /// The statistics lack what the check needs.
    pub(crate) fn undecided(&self, rule: &'static str) -> Finding {
        let words = Words {
            rule,
            expected: "statistics of the values".into(),
            observed: "none".into(),
            message: format!(
                "the statistics of column `{}` do not say enough to check `{rule}`",
                self.name()
            ),
            suggestion: "none; compute the statistics with ranges and top values".into(),
        };
        self.finding(FindingCode::Undecided, words).into_warning()
    }
}
