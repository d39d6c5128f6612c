//! What is known of a data set after one pass: the plain type that stages share, with its JSON.
//!
//! Counts are exact. Every approximate figure says so: [`Quantiles::rank_error_fraction`],
//! [`Distinct::relative_error`], [`TopValues::max_error`] are 0 where the figure is exact.

use serde::{Deserialize, Serialize};

use crate::column::ColumnKind;

/// The statistics of one subset of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetStatistics {
    /// The subset: `train`, `eval`, …
    pub name: String,
    /// Rows read.
    pub num_rows: u64,
    /// One per column, in the order of the source.
    pub columns: Vec<ColumnStatistics>,
}

impl DatasetStatistics {
    /// The statistics of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnStatistics> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The statistics of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// The kinds of nothing.
    pub presence: Presence,
    /// For numbers (booleans count as 0 and 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<NumericStatistics>,
    /// For text and binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextStatistics>,
    /// For dates and timestamps: the earliest and latest, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeStatistics>,
    /// How many different values there are, nulls and NaN left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
    /// The most frequent values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_values: Option<TopValues>,
}

/// The kinds of nothing, counted apart. All counts are rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Rows in all, present or not.
    pub num_rows: u64,
    /// Rows of parts in which the whole column was absent.
    pub num_absent: u64,
    /// Nulls.
    pub num_missing: u64,
    /// NaN, which is a value but not a number.
    pub num_nan: u64,
    /// +infinity.
    pub num_positive_infinity: u64,
    /// -infinity.
    pub num_negative_infinity: u64,
    /// Empty strings, which are present.
    pub num_empty: u64,
}

impl Presence {
    /// Adds the counts of other rows.
    pub fn merge(&mut self, later: &Self) {
        let Self {
            num_rows,
            num_absent,
            num_missing,
            num_nan,
            num_positive_infinity,
            num_negative_infinity,
            num_empty,
        } = later;
        self.num_rows += num_rows;
        self.num_absent += num_absent;
        self.num_missing += num_missing;
        self.num_nan += num_nan;
        self.num_positive_infinity += num_positive_infinity;
        self.num_negative_infinity += num_negative_infinity;
        self.num_empty += num_empty;
    }

    /// Rows with a value of any sort, NaN and infinities included.
    #[must_use]
    pub fn num_present(&self) -> u64 {
        self.num_rows - self.num_absent - self.num_missing
    }

    /// The share of rows with a value; 0 when there are no rows.
    #[must_use]
    pub fn fraction_present(&self) -> f64 {
        if self.num_rows == 0 { 0.0 } else { self.num_present() as f64 / self.num_rows as f64 }
    }
}

/// Statistics of numbers. Moments and quantiles are over finite values: nulls, NaN and infinities are skipped
/// and counted in [`Presence`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumericStatistics {
    /// Finite values.
    pub num_finite: u64,
    /// Values equal to zero.
    pub num_zeros: u64,
    /// Their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Population standard deviation (divided by n), as TFDV has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// The smallest finite value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest finite value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The smallest and largest as exact decimal text, where `f64` cannot hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_range: Option<(String, String)>,
    /// Quantiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Quantiles>,
}

/// Quantiles by inverted distribution function: the smallest value that at least q·n values do not exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// (q, value), ascending in q: the tenths, the quarters, 0.01, 0.05, 0.95 and 0.99.
    pub values: Vec<(f64, f64)>,
    /// The true rank of each value lies within this share of the rows of q; 0 when exact.
    pub rank_error_fraction: f64,
}

impl Quantiles {
    /// The value at exactly this q, if it is one of those kept.
    #[must_use]
    pub fn at(&self, q: f64) -> Option<f64> {
        self.values.iter().find(|(mine, _)| (mine - q).abs() < 1e-12).map(|(_, value)| *value)
    }
}

/// How many different values there are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distinct {
    /// The count or its estimate.
    pub count: u64,
    /// The standard error of the estimate relative to it; 0 when exact.
    pub relative_error: f64,
}

/// The most frequent values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopValues {
    /// By count descending, then by value.
    pub values: Vec<(String, u64)>,
    /// A true count exceeds the one shown by at most this; 0 when exact.
    pub max_error: u64,
    /// Whether `values` are all there are.
    pub is_complete: bool,
}

/// Statistics of text and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextStatistics {
    /// The mean length, in bytes.
    pub mean_length_bytes: f64,
    /// The shortest.
    pub min_length_bytes: u64,
    /// The longest.
    pub max_length_bytes: u64,
}

/// Statistics of dates and timestamps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeStatistics {
    /// The earliest, ISO 8601.
    pub earliest: String,
    /// The latest, ISO 8601.
    pub latest: String,
}
