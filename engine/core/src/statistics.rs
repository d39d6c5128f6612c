//! What is known of a data set after one pass: the plain type that stages share, with its JSON.
//!
//! Counts are exact. Every approximate figure says so: [`Quantiles::rank_error_fraction`],
//! [`Distinct::relative_error`], [`TopValues::max_error`] are 0 where the figure is exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::column::ColumnKind;

/// The statistics of one subset of a data set, or of one slice of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetStatistics {
    /// The subset (`train`, `eval`, …); of a slice its key as TFDV writes it (`payment_type_Cash`).
    pub name: String,
    /// What the rows of a slice have in common; nothing for a whole subset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<SliceCondition>,
    /// Rows read.
    pub num_rows: u64,
    /// The spans of the data set that the subset belongs to, ascending, also those without a row of the subset; none
    /// for a source without spans, and for a slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<u64>,
    /// How much the rows count, where a column says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<DatasetWeight>,
    /// One per column, in the order of the source. The fields of a struct follow it, each with its path.
    pub columns: Vec<ColumnStatistics>,
    /// The sparse and weighted features of a schema, in its order, where one was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub composed: Vec<ComposedStatistics>,
    /// Pairs of columns, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crosses: Vec<CrossStatistics>,
    /// The slices of the subset, where they were asked for, in the order of their groupings and keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Self>,
    /// What became of each slice that was asked for, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slicings: Vec<Slicing>,
}

/// What became of a slice that was asked for, which may be one slice or one for each value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slicing {
    /// As it was asked for: `company`, `company=Flash`, `company,payment_type`.
    pub slice: String,
    /// How many slices it is.
    pub num_slices: u64,
    /// Rows that are in none of them because a column has no value there.
    pub num_rows_left_out: u64,
}

/// One thing that all rows of a slice have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceCondition {
    /// The column, or the expression that was asked for.
    pub column: String,
    /// Its value as text; none for null.
    #[serde(default)]
    pub value: Option<String>,
}

/// How much the rows of a data set count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetWeight {
    /// The column that says so.
    pub column: String,
    /// The sum over all rows.
    pub sum: f64,
    /// The sum of the squares; other programs do not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum_of_squares: Option<f64>,
}

impl DatasetWeight {
    /// How many rows of equal weight know as much: (Σ w)² / Σ w² (Kish, "Survey Sampling", 1965). None where the sum of
    /// the squares is not known; 0 where nothing weighs.
    #[must_use]
    pub fn effective_rows(&self) -> Option<f64> {
        let squares = self.sum_of_squares?;
        // The quotient first: squares of the heaviest weights fill the range of f64.
        Some(if squares > 0.0 { self.sum / squares * self.sum } else { 0.0 })
    }
}

impl DatasetStatistics {
    /// The statistics of a column of the source, not of a field of a struct.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnStatistics> {
        self.columns.iter().find(|column| column.path.is_empty() && column.name == name)
    }

    /// The statistics of a column or a field of a struct, by its steps.
    #[must_use]
    pub fn at(&self, steps: &[String]) -> Option<&ColumnStatistics> {
        self.columns.iter().find(|column| column.steps() == steps)
    }

    /// How the columns of a sparse or weighted feature fit together. Of one with the name of a column, other programs
    /// keep that with the column.
    #[must_use]
    pub fn composed(&self, name: &str) -> Option<&BTreeMap<String, CustomStatistic>> {
        let of_features = self.composed.iter().find(|feature| feature.name == name);
        let of_columns = || self.column(name).map(|column| &column.custom);
        of_features.map(|feature| &feature.custom).or_else(of_columns)
    }
}

/// How the columns of a sparse or weighted feature of a schema fit together, under TFDV's names: `missing_value`,
/// `missing_index`, `min_length_diff` and `max_length_diff` of values with positions, `missing_value`,
/// `missing_weight`, `min_weight_length_diff` and `max_weight_length_diff` of values with weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComposedStatistics {
    /// The feature.
    pub name: String,
    /// Its figures by name; of positions one per column of positions.
    pub custom: BTreeMap<String, CustomStatistic>,
}

/// How what goes with the values of a composed feature fits them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartnerStatistics<'a> {
    /// The column of positions; of weights `weights`.
    pub name: &'a str,
    /// Rows that lack it although the feature has others.
    pub num_missing: f64,
    /// The least and the greatest number by which it has more than there are values in a row.
    pub differences: (f64, f64),
}

impl ComposedStatistics {
    /// Rows that lack the values although they have positions or weights.
    #[must_use]
    pub fn num_missing_values(&self) -> f64 {
        self.number("missing_value")
    }

    /// The columns of positions, or the weights.
    #[must_use]
    pub fn partners<'a>(&'a self) -> Vec<PartnerStatistics<'a>> {
        if let Some(CustomStatistic::Counts(missing)) = self.custom.get("missing_index") {
            let differences =
                |name: &str| (self.labelled("min_length_diff", name), self.labelled("max_length_diff", name));
            let partner = |(name, num_missing): &'a (String, f64)| PartnerStatistics {
                name,
                num_missing: *num_missing,
                differences: differences(name),
            };
            return missing.iter().map(partner).collect();
        }
        let differences = (self.number("min_weight_length_diff"), self.number("max_weight_length_diff"));
        let has_weights = self.custom.contains_key("missing_weight");
        let num_missing = self.number("missing_weight");
        has_weights
            .then_some(PartnerStatistics { name: "weights", num_missing, differences })
            .into_iter()
            .collect()
    }

    fn number(&self, name: &str) -> f64 {
        match self.custom.get(name) {
            Some(CustomStatistic::Number(number)) => *number,
            _ => 0.0,
        }
    }

    fn labelled(&self, name: &str, label: &str) -> f64 {
        match self.custom.get(name) {
            Some(CustomStatistic::Counts(counts)) => {
                counts.iter().find(|(mine, _)| mine == label).map_or(0.0, |(_, count)| *count)
            }
            _ => 0.0,
        }
    }
}

/// The statistics of a column, or of a field of a struct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// Its name; of a field of a struct its steps joined by points, as TFDV's schema writes paths.
    pub name: String,
    /// The steps to a field of a struct, at least two; empty for a column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// What its values are; of lists what the innermost hold.
    pub kind: ColumnKind,
    /// The kinds of nothing. For a field of a struct a "row" is one present struct.
    pub presence: Presence,
    /// How many values rows have, for lists; every present row of another column has exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valency: Option<Valency>,
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
    /// What changes when rows count by their weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted: Option<WeightedStatistics>,
    /// How much it tells about the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<Association>,
    /// Figures beyond the above, by name: those that other programs wrote, and those that a schema asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, CustomStatistic>,
}

impl ColumnStatistics {
    /// Statistics that hold nothing yet but what the column is.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self {
            name: name.into(),
            path: Vec::new(),
            kind,
            presence: Presence::default(),
            valency: None,
            numeric: None,
            text: None,
            time: None,
            distinct: None,
            top_values: None,
            weighted: None,
            association: None,
            custom: BTreeMap::new(),
        }
    }

    /// The steps that lead to it: its name alone for a column of the source.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        if self.path.is_empty() { std::slice::from_ref(&self.name) } else { &self.path }
    }

    /// Values of all rows, NaN and infinities included, nulls not.
    #[must_use]
    pub fn num_values(&self) -> u64 {
        self.valency.as_ref().map_or_else(|| self.presence.num_present(), Valency::num_values)
    }
}

/// How many values the rows of a list column have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Valency {
    /// From the outermost lists inwards; at least one.
    pub levels: Vec<Level>,
    /// Nulls inside the innermost lists, which are no values.
    pub num_null_values: u64,
    /// The number of values per present row, all levels together, in buckets of about equally many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lengths: Option<Histogram>,
}

impl Valency {
    /// Values in the innermost lists.
    #[must_use]
    pub fn num_values(&self) -> u64 {
        self.levels.last().map_or(0, |level| level.num_elements.saturating_sub(self.num_null_values))
    }
}

/// The lists of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Lists, empty ones included.
    pub num_present: u64,
    /// Nulls where a list could be.
    pub num_missing: u64,
    /// Lists without an element.
    pub num_empty: u64,
    /// Elements of the shortest list.
    pub min_length: u64,
    /// Elements of the longest list.
    pub max_length: u64,
    /// Elements of all lists.
    pub num_elements: u64,
}

/// A count of values by range; bounds are finite. The first bucket includes its lower bound, every one its upper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Ascending.
    pub buckets: Vec<Bucket>,
    /// By how much a count may be off, in values; 0 when all are exact.
    pub max_error: f64,
}

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Values; a fraction where a heavy value is shared between buckets, or where values weigh.
    pub count: f64,
}

/// The two histograms of finite values that TFDV keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// Buckets of equal width.
    pub equal_width: Histogram,
    /// Buckets of about equally many values.
    pub equal_depth: Histogram,
}

/// Statistics in which every row counts by its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedStatistics {
    /// The weight of rows with a value.
    pub num_present: f64,
    /// The weight of rows without.
    pub num_missing: f64,
    /// Values, each with the weight of its row.
    pub num_values: f64,
    /// For numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<WeightedNumericStatistics>,
    /// The values of greatest weight, descending, then by value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top_values: Vec<(String, f64)>,
    /// A true weight exceeds the one shown by at most this; 0 when all values are known.
    #[serde(default)]
    pub top_values_max_error: f64,
}

/// Statistics of finite numbers in which every row counts by its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedNumericStatistics {
    /// sum(w x) / sum(w).
    pub mean: f64,
    /// sqrt(sum(w (x - mean)^2) / sum(w)).
    pub standard_deviation: f64,
    /// Weighted quantiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Quantiles>,
    /// Weighted histograms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histograms: Option<Histograms>,
}

/// How much a column tells about the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// The label.
    pub label: String,
    /// Rows in which both have a value.
    pub num_rows: u64,
    /// Mutual information in bits, after the chance level is taken off; at least 0.
    pub adjusted_mutual_information: f64,
    /// The same as a share of what there is to know of the label, from 0 to 1.
    pub normalized_mutual_information: f64,
    /// Pearson's correlation, where both are numbers that vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<f64>,
}

/// How two numeric columns vary together, over the rows in which both have a finite value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossStatistics {
    /// One column.
    pub x: String,
    /// The other.
    pub y: String,
    /// Rows in which both have one.
    pub num_rows: u64,
    /// Population covariance (divided by n).
    pub covariance: f64,
    /// Pearson's correlation; none where one does not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<f64>,
}

/// A figure with a name of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomStatistic {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// Counts by range.
    Histogram(Histogram),
    /// Counts by label.
    Counts(Vec<(String, f64)>),
}

/// The kinds of nothing, counted apart. NaN, infinities and empty strings are values and counted as such, the others
/// are counts of rows.
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
    /// Histograms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histograms: Option<Histograms>,
}

/// Quantiles by inverted distribution function: the smallest value that at least q·n values do not exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// (q, value), ascending in q: the tenths, the quarters, 0.01, 0.05, 0.95 and 0.99. A quantile of weights is the
    /// smallest value that at least q of the weight does not exceed.
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
    /// By count descending, then by value descending, as TFDV has them; at most
    /// [`MAX_TOP_VALUES`].
    pub values: Vec<(String, u64)>,
    /// A true count exceeds the one shown by at most this; 0 when exact.
    pub max_error: u64,
    /// Whether `values` are all there are.
    pub is_complete: bool,
}

/// The length of the longest list of most frequent values: TFDV's `num_rank_histogram_buckets`.
pub const MAX_TOP_VALUES: usize = 1000;

/// Statistics of text and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextStatistics {
    /// The mean length, in bytes.
    pub mean_length_bytes: f64,
    /// The shortest.
    pub min_length_bytes: u64,
    /// The longest.
    pub max_length_bytes: u64,
    /// Values that should be text but are not UTF-8.
    #[serde(default)]
    pub num_invalid_utf8: u64,
}

/// Statistics of dates and timestamps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeStatistics {
    /// The earliest, ISO 8601.
    pub earliest: String,
    /// The latest, ISO 8601.
    pub latest: String,
    /// The coarsest unit that all values are whole numbers of: `day`, `hour`, `minute`, `second`, `millisecond`,
    /// `microsecond` or `nanosecond`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// (q, instant), as [`Quantiles::values`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<(f64, String)>,
    /// As [`Quantiles::rank_error_fraction`].
    #[serde(default)]
    pub rank_error_fraction: f64,
    /// Counts in spans of equal length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<TimeBucket>,
}

/// A span of time, with its end; the first also with its beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeBucket {
    /// Beginning, ISO 8601.
    pub low: String,
    /// End, ISO 8601.
    pub high: String,
    /// Values.
    pub count: f64,
}
