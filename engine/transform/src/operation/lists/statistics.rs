//! Statistics of the list of each row: its length, and of its numbers the mean, minimum, maximum and sum,
//! each a number, `x.length`, `x.mean`, …. Null items count in the length only; NaN among the items makes the
//! others NaN, infinities follow IEEE 754. An empty list, and one of nulls, has sum 0 and neither mean nor
//! extremes (null). A null list is null in all of them. Sums run over the items in order.

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use super::{Lists, is_number, list_input};
use crate::fit::Builder;
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// A number that sums up a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListStatistic {
    /// How many items there are.
    Length,
    /// The arithmetic mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// All added up.
    Sum,
}

impl ListStatistic {
    /// Its name in the pipeline file and in the names of features.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
        }
    }

    /// Of the numbers of a list, null ones left out.
    fn of(self, mut numbers: impl Iterator<Item = f64>) -> Option<f64> {
        // `f64::min` would drop NaN.
        let better = |best: f64, value: f64, is_better: bool| {
            if best.is_nan() || !(value.is_nan() || is_better) { best } else { value }
        };
        match self {
            Self::Length => Some(numbers.count() as f64),
            Self::Sum => Some(numbers.fold(0.0, |sum, value| sum + value)),
            Self::Mean => {
                let (sum, count) = numbers.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
                (count > 0).then(|| sum / count as f64)
            }
            Self::Min => {
                let first = numbers.next()?;
                Some(numbers.fold(first, |best, value| better(best, value, value < best)))
            }
            Self::Max => {
                let first = numbers.next()?;
                Some(numbers.fold(first, |best, value| better(best, value, value > best)))
            }
        }
    }
}

/// The options of `list_statistics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListStatistics {
    /// The columns.
    pub columns: Vec<String>,
    /// Which, a number each.
    pub statistics: Vec<ListStatistic>,
    /// What stands before the point in the names of the results, one each; the name of the column without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Plan for ListStatistics {
    fn check(&self) -> Result<(), OptionsError> {
        if !self.statistics.is_empty() {
            return Ok(());
        }
        Err(OptionsError::OutOfRange {
            name: "list_statistics.statistics".into(),
            value: "[]".into(),
            range: "at least one of length, mean, min, max, sum".into(),
        })
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let only_length = self.statistics.iter().all(|statistic| *statistic == ListStatistic::Length);
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = if only_length {
                list_input(graph, column, |_| true, "lists")?
            } else {
                list_input(graph, column, is_number, "lists of numbers, or nothing but `length`")?
            };
            let names: Vec<String> =
                self.statistics.iter().map(|statistic| format!("{name}.{}", statistic.name())).collect();
            let outputs = names.iter().map(|name| (name.as_str(), ValueKind::FLOAT));
            let sums = Summary { statistics: self.statistics.clone() };
            graph.step(&[input], outputs, Known(Mapper::ListStatistics(sums)))?;
        }
        Ok(())
    }
}

/// Which statistics of lists are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// An output each.
    pub statistics: Vec<ListStatistic>,
}

impl Map for Summary {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let lists = Lists::of_inputs(inputs)?;
        let only_length = self.statistics.iter().all(|statistic| *statistic == ListStatistic::Length);
        let numbers = match only_length {
            true => None,
            false => Some(lists.numbers(inputs.names[0], inputs.operation)?),
        };
        let cell = |statistic: ListStatistic, row: usize| {
            let range = lists.range(row)?;
            match (statistic, &numbers) {
                (ListStatistic::Length, _) | (_, None) => Some(range.len() as f64),
                (_, Some(numbers)) => {
                    let known = range.filter(|place| numbers.is_valid(*place));
                    statistic.of(known.map(|place| numbers.value(place)))
                }
            }
        };
        let column = |statistic: &ListStatistic| {
            Value::floats((0..lists.rows()).map(|row| cell(*statistic, row)).collect::<Float64Array>())
        };
        Ok(self.statistics.iter().map(column).collect())
    }
}
