//! Rows with their labels, weights and the predictions of each model, as metrics take them.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::{Array, Float64Array};
use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::features::FeatureColumn;
use sluice_core::seam::{Predictor, Task};

use super::Role;
use super::term::{Answers, Term};
use crate::error::EvaluationError;
use crate::metric::Side;

/// The rows of a candidate and of the model that it is compared with; all numbers are finite.
#[derive(Clone, Debug)]
pub(crate) struct Pair<'a> {
    /// Numbers, 1 and 0, or places of classes.
    pub(crate) label: &'a [f64],
    /// Of sets of labels, of which the label is the number: whether rows have each of them, a column per label.
    pub(crate) truths: Vec<&'a [f64]>,
    /// 1 without.
    pub(crate) weight: Option<&'a [f64]>,
    /// A column per output of the model.
    pub(crate) candidate: Vec<&'a [f64]>,
    /// The same of the baseline.
    pub(crate) baseline: Option<Vec<&'a [f64]>>,
    /// What expressions answer for the candidate and for the baseline, by their places in the plan.
    pub(crate) custom: Vec<[Vec<f64>; 2]>,
    /// Taken off labels before they are squared.
    pub(crate) shift: f64,
}

impl<'a> Pair<'a> {
    /// What the candidate answers.
    pub(super) fn answers(&self) -> Answers<'_> {
        Answers { label: self.label, predictions: &self.candidate, truths: &self.truths, shift: self.shift }
    }

    /// Some of the rows.
    pub(super) fn part(&self, rows: Range<usize>) -> Self {
        let columns = |columns: &Vec<&'a [f64]>| columns.iter().map(|values| &values[rows.clone()]).collect();
        let custom = |[own, theirs]: &[Vec<f64>; 2]| {
            [own, theirs].map(|values| values.get(rows.clone()).unwrap_or_default().to_vec())
        };
        Self {
            label: &self.label[rows.clone()],
            truths: columns(&self.truths),
            weight: self.weight.map(|weight| &weight[rows.clone()]),
            candidate: columns(&self.candidate),
            baseline: self.baseline.as_ref().map(columns),
            custom: self.custom.iter().map(custom).collect(),
            shift: self.shift,
        }
    }

    /// Numbers of its rows, times their weights.
    pub(super) fn weighted<'b>(&self, values: &'b [f64]) -> Cow<'b, [f64]> {
        match self.weight {
            Some(weight) => values.iter().zip(weight).map(|(value, weight)| value * weight).collect(),
            None => Cow::Borrowed(values),
        }
    }

    /// The numbers of a term of one side, whose answers these are.
    pub(super) fn values(&self, term: Term, answers: Answers<'_>, side: Side) -> Vec<f64> {
        match term {
            Term::Custom(place) => {
                let sides = self.custom.get(place);
                sides.map(|sides| sides[usize::from(side == Side::Baseline)].clone()).unwrap_or_default()
            }
            _ => term.values(answers),
        }
    }
}

/// The labels of some rows.
pub(super) struct LabelRows {
    /// Numbers, 1 and 0, places of classes, or how many labels there are.
    pub(super) values: Float64Array,
    /// Of sets of labels whether rows have each of them; null where it is not known.
    sets: Vec<Float64Array>,
}

impl LabelRows {
    /// Those that a model predicts.
    pub(super) fn of(model: &dyn Predictor, batch: &Batch) -> Result<Self> {
        let names = model.label_columns();
        let columns = names.iter().map(|name| batch.require(name)).collect::<Result<Vec<_>>>()?;
        if !matches!(model.task(), Task::MultiLabel { .. }) {
            let column = columns.first().copied().map_or_else(|| batch.require(model.label()), Ok)?;
            return Ok(Self { values: model.label_values(column)?, sets: Vec::new() });
        }
        let sets = model.label_sets(&columns)?;
        let labels = |row: usize| -> Option<f64> {
            sets.iter().map(|set| set.is_valid(row).then(|| set.value(row))).sum()
        };
        Ok(Self { values: (0..batch.rows()).map(labels).collect(), sets })
    }

    /// Whether rows have each label; of rows that are all known.
    pub(super) fn truths(&self) -> Vec<&[f64]> {
        self.sets.iter().map(|set| -> &[f64] { set.values() }).collect()
    }
}

/// The place of a class, from a label.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "labels of classes are places in a list"
)]
pub(crate) fn place(label: f64) -> usize {
    label as usize
}

/// The predictions that a model gives for its label, which come first.
pub(super) fn predictions<'a>(
    batch: &'a Batch,
    model: &Role,
    outputs: usize,
) -> Result<Vec<&'a Float64Array>> {
    let columns = &batch.features(&model.transform())?.columns;
    let numbers: Vec<&Float64Array> = columns
        .iter()
        .take(outputs)
        .filter_map(|column| match column {
            FeatureColumn::Numbers(values) if values.len() == batch.rows() => Some(values),
            _ => None,
        })
        .collect();
    if numbers.len() == outputs {
        Ok(numbers)
    } else {
        Err(EvaluationError::NotOneNumber { model: model.to_string(), outputs }.into())
    }
}

/// The numbers, if all are there and finite.
pub(super) fn finite(values: &Float64Array, what: impl Fn() -> String) -> Result<&[f64]> {
    let numbers = values.values();
    let is_sound = |row: usize| !values.is_null(row) && numbers[row].is_finite();
    match (0..values.len()).find(|row| !is_sound(*row)) {
        None => Ok(numbers),
        Some(row) => {
            let found = if values.is_null(row) {
                "null"
            } else if numbers[row].is_nan() {
                "NaN"
            } else {
                "infinite"
            };
            Err(Error::from(EvaluationError::NotFinite { what: what(), found }).at_row(row))
        }
    }
}

/// The weights of rows: finite and not negative.
pub(crate) fn weights(batch: &Batch, column: &str) -> Result<Float64Array> {
    let values = numbers(column, batch.require(column)?, "the weight of the rows")?;
    finite(&values, || format!("weight `{column}`"))?;
    not_negative(values, column)
}

/// The weights, if none of them is negative.
pub(super) fn not_negative(values: Float64Array, column: &str) -> Result<Float64Array> {
    match values.values().iter().position(|weight| *weight < 0.0) {
        None => Ok(values),
        Some(row) => {
            let problem =
                EvaluationError::NotFinite { what: format!("weight `{column}`"), found: "negative" };
            Err(Error::from(problem).at_row(row))
        }
    }
}

/// Probabilities that lie between 0 and 1.
pub(super) fn probabilities(columns: &[&[f64]], what: impl Fn() -> String) -> Result<()> {
    for column in columns {
        if let Some(row) = column.iter().position(|p| !(0.0..=1.0).contains(p)) {
            let problem = EvaluationError::NotAProbability { what: what(), found: column[row] };
            return Err(Error::from(problem).at_row(row));
        }
    }
    Ok(())
}
