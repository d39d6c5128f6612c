//! Quantile transform: the share of the training rows below a value, so that a column is spread evenly over 0 to 1, or
//! the quantile of the normal distribution at that share (scikit-learn's `QuantileTransformer`).
//!
//! Of the finite training values, quantiles stand at equal steps of the share from 0 to 1, interpolated as NumPy does;
//! there are `quantiles` of them, or as many as there are rows if those are fewer. A value between two neighbours
//! becomes the share between theirs in proportion; one that equals several of them becomes the middle of their shares.
//! From the last quantile up it is 1, and down from the first
//! it is 0, infinities included; a constant column becomes 0. With `output: normal` the result is
//! held between the normal quantiles at 1e-7 and 1 − 1e-7, some ±5.2. Null stays null, NaN stays NaN.
//!
//! Exact up to 8,192 distinct values in any number of rows; beyond that a share is off by the rank error of the
//! quantiles, some 0.05 % of the rows. scikit-learn takes a sample of 10,000 rows unless told otherwise, and sets a
//! value within 1e-7 of an end to that end with `output: normal`; here only those beyond it are.

pub(crate) mod normal;

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// Distinct values up to which quantiles are exact.
const DISTINCT: usize = 8192;
/// More quantiles than this are refused.
const MOST_QUANTILES: usize = 100_000;
/// The normal quantiles at 1e-7 and 1 − 1e-7, as scikit-learn holds the results between them.
pub const NORMAL_ENDS: (f64, f64) = (-5.199_337_582_605_575, 5.199_337_582_703_42);

/// How the results are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Evenly from 0 to 1.
    #[default]
    Uniform,
    /// With mean 0 and standard deviation 1.
    Normal,
}

/// The options of `quantile_transform`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantileTransform {
    /// The columns.
    pub columns: Vec<String>,
    /// How many quantiles are kept.
    #[serde(default = "default_quantiles")]
    pub quantiles: usize,
    /// How the results are distributed.
    #[serde(default)]
    pub output: Distribution,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn default_quantiles() -> usize {
    1000
}

impl OfColumns for QuantileTransform {
    fn of_columns(columns: Vec<String>) -> Self {
        let output = Distribution::default();
        Self { columns, quantiles: default_quantiles(), output, names: Vec::new() }
    }
}

impl Plan for QuantileTransform {
    fn check(&self) -> Result<(), OptionsError> {
        if (2..=MOST_QUANTILES).contains(&self.quantiles) {
            return Ok(());
        }
        Err(OptionsError::OutOfRange {
            name: "quantile_transform.quantiles".into(),
            value: self.quantiles.to_string(),
            range: format!("from 2 to {MOST_QUANTILES}"),
        })
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.number(column)?;
            let fitting =
                QuantileFitting { column: column.to_owned(), most: self.quantiles, output: self.output };
            graph.step(&[input], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct QuantileFitting {
    column: String,
    most: usize,
    output: Distribution,
}

impl Fitting for QuantileFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ColumnAnalyzer::new().with_quantiles_up_to(DISTINCT))]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let known = column.and_then(|column| Some((column.presence.num_rows, column.quantiles?.ranks())));
        let quantiles = known.and_then(|(rows, ranks)| {
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            let references = References::new(self.most.min(rows));
            // In per cent and back, as NumPy is asked, so that the digits agree.
            let quantile = |index: usize| ranks.interpolated(references.share(index) * 100.0 / 100.0);
            (0..references.count).map(quantile).collect::<Option<Vec<f64>>>()
        });
        match quantiles {
            Some(quantiles) if !quantiles.is_empty() => {
                let table = QuantileTable { quantiles, output: self.output };
                Ok(Fitted::Done(Mapper::QuantileTransform(Box::new(table))))
            }
            _ => {
                Err(TransformError::NoValues { operation: "quantile_transform", column: self.column }.into())
            }
        }
    }
}

/// Equal steps from 0 to 1.
#[derive(Clone, Copy, Debug)]
struct References {
    count: usize,
    step: f64,
}

impl References {
    fn new(count: usize) -> Self {
        Self { count, step: 1.0 / count.saturating_sub(1).max(1) as f64 }
    }

    fn share(self, index: usize) -> f64 {
        if index > 0 && index + 1 == self.count { 1.0 } else { index as f64 * self.step }
    }
}

/// Quantiles at equal steps of the share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileTable {
    /// The values at the shares 0 to 1, ascending.
    pub quantiles: Vec<f64>,
    /// How the results are distributed.
    pub output: Distribution,
}

impl QuantileTable {
    /// The share of a quantile, by its place.
    #[must_use]
    pub fn reference(&self, place: usize) -> f64 {
        References::new(self.quantiles.len()).share(place)
    }

    fn of(&self, x: f64) -> f64 {
        let share = self.share(x);
        match self.output {
            Distribution::Uniform => share,
            // `clamp` keeps NaN.
            Distribution::Normal => normal::quantile(share).clamp(NORMAL_ENDS.0, NORMAL_ENDS.1),
        }
    }

    fn share(&self, x: f64) -> f64 {
        let (Some(first), Some(last)) = (self.quantiles.first(), self.quantiles.last()) else {
            return f64::NAN;
        };
        if x <= *first {
            return 0.0;
        }
        if x >= *last {
            return 1.0;
        }
        if x.is_nan() {
            return x;
        }
        let references = References::new(self.quantiles.len());
        // Between first and last, so that both neighbours are there.
        let above = self.quantiles.partition_point(|quantile| *quantile <= x);
        let from_below = self.between(above - 1, references, x);
        let reached = self.quantiles[..above].partition_point(|quantile| *quantile < x);
        if reached == above {
            return from_below;
        }
        // x is a quantile, or several: the middle of their shares.
        0.5 * (from_below + references.share(reached))
    }

    fn between(&self, below: usize, references: References, x: f64) -> f64 {
        let (low, high) = (self.quantiles[below], self.quantiles[below + 1]);
        let share = references.share(below);
        (references.share(below + 1) - share) / (high - low) * (x - low) + share
    }
}

impl QuantileTable {
    /// The value at a share, between its neighbours in proportion.
    fn value_at(&self, share: f64) -> f64 {
        let references = References::new(self.quantiles.len());
        let above = (0..self.quantiles.len()).find(|index| references.share(*index) >= share);
        match above {
            _ if share.is_nan() => share,
            Some(0) => self.quantiles.first().copied().unwrap_or(f64::NAN),
            Some(above) => {
                let (from, to) = (references.share(above - 1), references.share(above));
                let (low, high) = (self.quantiles[above - 1], self.quantiles[above]);
                low + (high - low) * ((share - from) / (to - from))
            }
            None => self.quantiles.last().copied().unwrap_or(f64::NAN),
        }
    }
}

impl Map for QuantileTable {
    fn inverse(&self, value: f64) -> Option<f64> {
        Some(match self.output {
            Distribution::Uniform => self.value_at(value),
            Distribution::Normal if value <= NORMAL_ENDS.0 => self.value_at(0.0),
            Distribution::Normal if value >= NORMAL_ENDS.1 => self.value_at(1.0),
            Distribution::Normal => self.value_at(normal::share(value)),
        })
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array};
    use serde_json::json;

    use super::*;
    use crate::testing::{features, fitted, refusal, table};

    fn column(values: Vec<Option<f64>>) -> arrow::array::RecordBatch {
        table(vec![("x", Arc::new(Float64Array::from(values)) as ArrayRef)])
    }

    #[test]
    fn null_nan_infinities_and_values_beyond_training() {
        let rows = column(vec![Some(1.0), Some(2.0), Some(4.0), None, Some(f64::NAN), Some(f64::INFINITY)]);
        let transform =
            fitted(&rows, &json!([{ "quantile_transform": { "columns": ["x"], "quantiles": 3 } }]));
        let transform = transform.unwrap();
        let asked =
            [Some(1.5), Some(3.0), Some(9.0), Some(-9.0), Some(f64::INFINITY), Some(f64::NEG_INFINITY), None];
        let found = features(&transform, &column(asked.to_vec()));
        assert_eq!(
            found[0].1,
            [0.25, 0.75, 1.0, 0.0, 1.0, 0.0].map(Some).into_iter().chain([None]).collect::<Vec<_>>()
        );
        assert!(features(&transform, &rows)[0].1[4].unwrap().is_nan());
        let normal =
            json!([{ "quantile_transform": { "columns": ["x"], "quantiles": 3, "output": "normal" } }]);
        let found = features(&fitted(&rows, &normal).unwrap(), &column(asked.to_vec()));
        assert_eq!((found[0].1[2], found[0].1[3]), (Some(NORMAL_ENDS.1), Some(NORMAL_ENDS.0)));
    }

    #[test]
    fn a_constant_column_and_too_few_quantiles() {
        let rows = column(vec![Some(3.5); 4]);
        let found = features(&fitted(&rows, &json!([{ "quantile_transform": ["x"] }])).unwrap(), &rows);
        assert_eq!(found[0].1, [Some(0.0); 4]);
        let one = refusal(&rows, &json!([{ "quantile_transform": { "columns": ["x"], "quantiles": 1 } }]));
        assert!(one.starts_with("`quantile_transform.quantiles` is 1, but must be from 2"), "{one}");
        let nothing = refusal(&column(vec![None]), &json!([{ "quantile_transform": ["x"] }]));
        assert!(nothing.contains("finds no value in column `x`"), "{nothing}");
    }

    #[test]
    fn many_distinct_values_stay_within_the_bound() {
        // 50,000 distinct values: the share of each is its rank, within 0.1 %.
        let count = 50_000_u32;
        let of = |index: u32| (f64::from(index) / f64::from(count)).powi(3);
        let shuffled = (0..count).map(|index| Some(of((index * 7919) % count)));
        let rows = column(shuffled.collect());
        let source = sluice_testkit::MemorySource::new(&rows, 10_000);
        let spec = crate::testing::spec(&json!([{ "quantile_transform": ["x"] }]));
        let (roles, execution) = (Default::default(), sluice_core::execution::Execution::with_threads(2));
        let transform = crate::fit(&spec, &source, &roles, &execution).unwrap();
        for (row, found) in features(&transform, &rows)[0].1.iter().enumerate() {
            let index = (u32::try_from(row).unwrap() * 7919) % count;
            let expected = f64::from(index) / f64::from(count);
            assert!((found.unwrap() - expected).abs() < 1e-3, "{found:?} {expected}");
        }
    }
}
