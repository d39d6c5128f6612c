//! Bucketize: numbers to buckets between edges. Bucket i holds `edge[i−1] ≤ x < edge[i]`; the first and the last are
//! open (TFT's `apply_buckets`; scikit-learn's `KBinsDiscretizer`). Edges are given, or learnt from the finite values of
//! the training rows: quantiles at i/n, interpolated as NumPy does, exact up to 2,048 distinct values and within their
//! bound beyond; or equal widths between minimum and maximum. Edges that coincide are one, so there may be fewer
//! buckets than asked for.
//!
//! A bucket is a level: a model sees one indicator each, or, with `output: number`, the number of the bucket from 0.
//! Null and NaN are in no bucket (TFT puts NaN into the last); infinities are in the first and last. With
//! `interpolate` the result is not the bucket, but the place among the edges: see `operation::interpolate`.

use arrow::array::{Float64Array, UInt32Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::interpolate::Interpolation;
use crate::operation::{Fitted, Fitting, Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// More buckets than this are refused.
const MAX_BUCKETS: usize = 100_000;

/// How edges are learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BucketsBy {
    /// About as many training rows in each bucket.
    #[default]
    Quantile,
    /// Buckets of one width.
    Width,
}

/// What comes out for a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelOutput {
    /// Levels: one indicator each.
    #[default]
    Levels,
    /// The number of the level, from 0.
    Number,
}

impl LevelOutput {
    /// What a value of this form is.
    #[must_use]
    pub fn kind(self) -> ValueKind {
        match self {
            Self::Levels => ValueKind::Codes,
            Self::Number => ValueKind::FLOAT,
        }
    }
}

/// The options of `bucketize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucketize {
    /// The columns.
    pub columns: Vec<String>,
    /// How many buckets to learn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<usize>,
    /// How they are learnt.
    #[serde(default)]
    pub by: BucketsBy,
    /// The inner edges, ascending, instead of learning them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<f64>>,
    /// What comes out.
    #[serde(default)]
    pub output: LevelOutput,
    /// Whether the result is the place among the edges, from 0 to 1, instead of the bucket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interpolate: bool,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Plan for Bucketize {
    fn check(&self) -> Result<(), OptionsError> {
        // One bucket has no edge to lie at.
        let fewest = if self.interpolate { 2 } else { 1 };
        match (&self.buckets, &self.edges) {
            (Some(buckets), None) if (fewest..=MAX_BUCKETS).contains(buckets) => Ok(()),
            (Some(buckets), None) => Err(OptionsError::OutOfRange {
                name: "bucketize.buckets".into(),
                value: buckets.to_string(),
                range: format!("from {fewest} to {MAX_BUCKETS}"),
            }),
            (None, Some(edges)) => {
                let is_ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
                if is_ascending && !edges.is_empty() && edges.iter().all(|edge| edge.is_finite()) {
                    return Ok(());
                }
                Err(OptionsError::OutOfRange {
                    name: "bucketize.edges".into(),
                    value: format!("{edges:?}"),
                    range: "one or more finite numbers in ascending order".into(),
                })
            }
            (given, _) => Err(OptionsError::Conflict {
                name: "bucketize".into(),
                problem: match given {
                    Some(_) => "has both `buckets` and `edges`".into(),
                    None => "has neither `buckets` nor `edges`".into(),
                },
                hint: Some("say how many buckets to learn, or give their edges".into()),
            }),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.number(column)?;
            let output = if self.interpolate { None } else { Some(self.output) };
            let outputs = [(name, output.map_or(ValueKind::FLOAT, LevelOutput::kind))];
            match (&self.edges, self.buckets) {
                (Some(edges), _) => {
                    graph.step(&[input], outputs, Known(mapper(edges.clone(), output)))?;
                }
                (None, count) => {
                    let (column, buckets) = (column.to_owned(), count.unwrap_or(1));
                    let fitting = BucketizeFitting { column, buckets, by: self.by, output };
                    graph.step(&[input], outputs, fitting)?;
                }
            }
        }
        Ok(())
    }
}

/// Buckets with their output, or the place among the edges.
fn mapper(edges: Vec<f64>, output: Option<LevelOutput>) -> Mapper {
    match output {
        Some(output) => Mapper::Bucketize(Buckets { edges, output }),
        None => Mapper::Interpolate(Interpolation { edges }),
    }
}

#[derive(Debug)]
struct BucketizeFitting {
    column: String,
    buckets: usize,
    by: BucketsBy,
    /// `None` to interpolate.
    output: Option<LevelOutput>,
}

impl Fitting for BucketizeFitting {
    fn wanted(&self) -> Vec<Wanted> {
        let analyzer = ColumnAnalyzer::new();
        let analyzer = match self.by {
            BucketsBy::Quantile => analyzer.with_quantiles(),
            BucketsBy::Width => analyzer.with_bounds(),
        };
        vec![Wanted::of(0, analyzer)]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let edges = column.and_then(|column| self.edges(&column));
        let no_values = TransformError::NoValues { operation: "bucketize", column: self.column };
        let edges = edges.ok_or(no_values)?;
        Ok(Fitted::Done(mapper(edges, self.output)))
    }
}

impl BucketizeFitting {
    fn edges(&self, column: &ColumnAnalyzer) -> Option<Vec<f64>> {
        let inner = 1..self.buckets;
        let share = |index: usize| index as f64 / self.buckets as f64;
        let mut edges: Vec<f64> = match self.by {
            BucketsBy::Quantile => {
                let ranks = column.quantiles.as_ref()?.ranks();
                ranks.min()?;
                inner.filter_map(|index| ranks.interpolated(share(index))).collect()
            }
            BucketsBy::Width => {
                let (minimum, maximum) = column.bounds?.of_values()?;
                inner.map(|index| minimum + (maximum - minimum) * share(index)).collect()
            }
        };
        edges.dedup_by(|later, earlier| later <= earlier);
        Some(edges)
    }
}

/// Buckets between edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buckets {
    /// The inner edges, ascending; one fewer than there are buckets.
    pub edges: Vec<f64>,
    /// What comes out.
    pub output: LevelOutput,
}

impl Buckets {
    #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BUCKETS edges")]
    fn of(&self, value: f64) -> Option<u32> {
        (!value.is_nan()).then(|| self.edges.partition_point(|edge| *edge <= value) as u32)
    }
}

impl Map for Buckets {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.numbers(0)?;
        let buckets = values.iter().map(|value| value.and_then(|value| self.of(value)));
        Ok(vec![match self.output {
            LevelOutput::Levels => Value::Codes(buckets.collect::<UInt32Array>()),
            LevelOutput::Number => {
                Value::floats(buckets.map(|bucket| bucket.map(f64::from)).collect::<Float64Array>())
            }
        }])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let bucket = inputs.number(0)?.and_then(|value| self.of(value));
        outputs.push(match self.output {
            LevelOutput::Levels => Cell::Code(bucket),
            LevelOutput::Number => bucket.map_or(Cell::Null, |bucket| Cell::Float(f64::from(bucket))),
        });
        Ok(())
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        if self.output == LevelOutput::Number {
            return None;
        }
        let Some((first, last)) = self.edges.first().zip(self.edges.last()) else {
            return Some(vec!["all".into()]);
        };
        let inner = self.edges.windows(2).map(|pair| format!("{} to {}", pair[0], pair[1]));
        let labels = std::iter::once(format!("below {first}")).chain(inner);
        Some(labels.chain(std::iter::once(format!("from {last}"))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_the_bucket_above_it() {
        let buckets = Buckets { edges: vec![2.0, 5.0, 8.0], output: LevelOutput::Levels };
        // golden.json tft-033, but for NaN, which TFT puts into the last bucket.
        let found = [4.0, f64::NAN, f64::NEG_INFINITY, 7.5, 10.0, 2.0].map(|value| buckets.of(value));
        assert_eq!(found, [Some(1), None, Some(0), Some(2), Some(3), Some(1)]);
        assert_eq!(buckets.labels(0).unwrap(), ["below 2", "2 to 5", "5 to 8", "from 8"]);
    }
}
