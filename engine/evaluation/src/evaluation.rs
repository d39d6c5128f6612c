//! What an evaluation leaves behind: the metrics of every slice and the verdict. No figure is NaN or infinite:
//! what does not exist is `null`, with the reason beside it.

use std::collections::BTreeMap;

use crate::comparison::{Change, Interval, IntervalOptions};
use crate::curves::Curves;
use crate::fairness::Fairness;
use crate::gate::{FEW_ROWS, Figures, SliceFigures, Verdict};
use crate::measure::Excluded;
use crate::metric::Direction;
use crate::order_statistics::OrderStatistics;
use crate::subject::ContenderName;
use crate::tables::Tables;
use serde::{Deserialize, Serialize};

/// A metric that was computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricName {
    /// Its name.
    pub name: String,
    /// Which way it improves.
    pub direction: Direction,
}

/// One column of a slice and its value there; `null` is the slice of rows without a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlicePart {
    /// The column.
    pub column: String,
    /// The value as text.
    pub value: Option<String>,
}

/// The columns and values that make a slice; none: all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SliceKey {
    /// In the order of the slice's definition.
    pub parts: Vec<SlicePart>,
}

impl SliceKey {
    /// Whether it is all rows.
    #[must_use]
    pub fn is_overall(&self) -> bool {
        self.parts.is_empty()
    }
}

impl std::fmt::Display for SliceKey {
    /// `sex=f, smoker=(null)`; nothing for all rows.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(formatter, "{comma}{}={}", part.column, part.value.as_deref().unwrap_or("(null)"))?;
        }
        Ok(())
    }
}

/// The metrics of one slice, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceMetrics {
    /// Which slice.
    pub slice: SliceKey,
    /// Its rows.
    pub rows: u64,
    /// Their weight, where rows have weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Whether it has fewer rows than a t test should be trusted with.
    pub few_rows: bool,
    /// The candidate's values.
    pub candidate: BTreeMap<String, Option<f64>>,
    /// Intervals of the candidate's values at level 1 − alpha.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, Interval>,
    /// Intervals of the baseline's values, if there is one to compare with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baseline_intervals: BTreeMap<String, Interval>,
    /// Between what the candidate's values lie, where they come from a histogram of scores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<String, [f64; 2]>,
    /// The same of the baseline's values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baseline_bounds: BTreeMap<String, [f64; 2]>,
    /// The baseline's values, if there is one to compare with.
    pub baseline: Option<BTreeMap<String, Option<f64>>>,
    /// Candidate minus baseline, if there is one to compare with.
    pub changes: Option<BTreeMap<String, Change>>,
    /// The figures of contenders, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contenders: BTreeMap<String, ContenderMetrics>,
    /// What plots show, by `candidate`, `baseline` and the names of contenders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub curves: BTreeMap<String, Curves>,
    /// How rows of each class are predicted, by `candidate`, `baseline` and the names of contenders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Tables>,
    /// Why a value is `null`, by metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undefined: BTreeMap<String, String>,
}

impl SliceMetrics {
    pub(crate) fn new(key: SliceKey, slice: &SliceFigures, alpha: f64) -> Self {
        let mut metrics = Self {
            slice: key,
            rows: slice.rows,
            weight: slice.weight,
            few_rows: slice.rows < FEW_ROWS,
            candidate: BTreeMap::new(),
            intervals: BTreeMap::new(),
            baseline_intervals: BTreeMap::new(),
            bounds: BTreeMap::new(),
            baseline_bounds: BTreeMap::new(),
            baseline: None,
            changes: None,
            contenders: BTreeMap::new(),
            curves: BTreeMap::new(),
            tables: BTreeMap::new(),
            undefined: BTreeMap::new(),
        };
        for figures in &slice.figures {
            let name = figures.metric.name.clone();
            let values = [Some(figures.candidate), figures.baseline];
            if let Some(reason) = values.into_iter().flatten().find_map(Result::err) {
                metrics.undefined.insert(name.clone(), reason.to_string());
            }
            metrics.candidate.insert(name.clone(), figures.candidate.ok());
            metrics.intervals.extend(figures.interval.ok().map(|interval| (name.clone(), interval)));
            let baseline_interval = figures.baseline_interval.and_then(Result::ok);
            metrics.baseline_intervals.extend(baseline_interval.map(|interval| (name.clone(), interval)));
            metrics.bounds.extend(figures.bounds.map(|ends| (name.clone(), ends)));
            metrics.baseline_bounds.extend(figures.baseline_bounds.map(|ends| (name.clone(), ends)));
            if let (Some(baseline), Some(change)) = (figures.baseline, figures.change_at(alpha)) {
                metrics.baseline.get_or_insert_default().insert(name.clone(), baseline.ok());
                metrics.changes.get_or_insert_default().insert(name, change);
            }
        }
        metrics
    }
}

/// The metrics of a contender in one slice, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContenderMetrics {
    /// Its values.
    pub values: BTreeMap<String, Option<f64>>,
    /// Their intervals at level 1 − alpha.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, Interval>,
    /// Between what they lie, where they come from a histogram of scores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<String, [f64; 2]>,
    /// Contender minus baseline, on the same rows, if there is a baseline to compare with.
    pub changes: Option<BTreeMap<String, Change>>,
    /// Why a value is `null`, by metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undefined: BTreeMap<String, String>,
}

impl ContenderMetrics {
    /// Of figures in which the contender stands in the candidate's place.
    pub(crate) fn new(all: &[Figures], alpha: f64) -> Self {
        let mut metrics = Self::default();
        for figures in all {
            let name = || figures.metric.name.clone();
            metrics.undefined.extend(figures.candidate.err().map(|reason| (name(), reason.to_string())));
            metrics.values.insert(name(), figures.candidate.ok());
            metrics.intervals.extend(figures.interval.ok().map(|interval| (name(), interval)));
            metrics.bounds.extend(figures.bounds.map(|ends| (name(), ends)));
            if let Some(change) = figures.change_at(alpha) {
                metrics.changes.get_or_insert_default().insert(name(), change);
            }
        }
        metrics
    }
}

/// Slices that are too small for their slicing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The columns of the slicing.
    pub columns: Vec<String>,
    /// The rows that a slice of it must have.
    pub minimum_rows: u64,
    /// How many are left out.
    pub num_slices: u64,
    /// Their rows.
    pub rows: u64,
    /// The largest of them.
    pub largest: Vec<SliceKey>,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { minimum_rows, num_slices, rows, largest, .. } = self;
        let (slices, are) = if *num_slices == 1 { ("slice", "is") } else { ("slices", "are") };
        let columns = self.columns.join(", ");
        write!(
            formatter,
            "{num_slices} {slices} of `{columns}` with fewer than {minimum_rows} rows {are} left out: "
        )?;
        let named: Vec<String> = largest.iter().map(ToString::to_string).collect();
        let more = if largest.len() as u64 == *num_slices { "" } else { ", …" };
        write!(formatter, "{}{more} ({rows} rows)", named.join("; "))
    }
}

/// How rows were drawn again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resampled {
    /// Bootstrap or jackknife, and how.
    pub intervals: IntervalOptions,
    /// The columns whose values rows of one draw share; none: each row was drawn by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Rows that a key has, from 1,024 keys at most; above 1 they were drawn together (a cluster bootstrap).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_key: Option<f64>,
}

impl Resampled {
    /// Whether rows of one key were drawn together.
    #[must_use]
    pub fn is_clustered(&self) -> bool {
        self.rows_per_key.is_some_and(|rows| rows > 1.0)
    }
}

/// The metrics of every slice and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The label column.
    pub label: String,
    /// What was taken off the label before squaring; it changes rounding only.
    pub label_shift: f64,
    /// The rows that were left out because something is missing in them; none: there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Excluded>,
    /// The metrics, in the order of the options.
    pub metrics: Vec<MetricName>,
    /// The models that were measured beside the candidate, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contenders: Vec<ContenderName>,
    /// Overall first, then slice by slice: by definition, then by the text of the key.
    pub slices: Vec<SliceMetrics>,
    /// Slices with fewer rows than their slicing asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// How rows were drawn again for the intervals, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resampled: Option<Resampled>,
    /// Where metrics that follow from the order of rows came from.
    #[serde(default, skip_serializing_if = "OrderStatistics::is_exact")]
    pub order_statistics: OrderStatistics,
    /// The decision.
    pub verdict: Verdict,
    /// How far groups lie apart, where it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fairness: Vec<Fairness>,
}
