//! Rows with their labels, weights and the predictions of each model, as metrics take them.

use arrow::array::{Array, Float64Array};
use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::features::FeatureColumn;

use crate::error::EvaluationError;

/// The rows of a candidate and of the model that it is compared with; all numbers are finite.
#[derive(Clone, Debug)]
pub(crate) struct Pair<'a> {
    /// Numbers, 1 and 0, or places of classes.
    pub(crate) label: &'a [f64],
    /// 1 without.
    pub(crate) weight: Option<&'a [f64]>,
    /// A column per output of the model.
    pub(crate) candidate: Vec<&'a [f64]>,
    /// The same of the baseline.
    pub(crate) baseline: Option<Vec<&'a [f64]>>,
    /// Taken off labels before they are squared.
    pub(crate) shift: f64,
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
    model: &'static str,
    outputs: usize,
) -> Result<Vec<&'a Float64Array>> {
    let columns = &batch.features(model)?.columns;
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
        Err(EvaluationError::NotOneNumber { model, outputs }.into())
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
pub(super) fn weights(batch: &Batch, column: &str) -> Result<Float64Array> {
    let values = numbers(column, batch.require(column)?, "the weight of the rows")?;
    let sound = finite(&values, || format!("weight `{column}`"))?;
    match sound.iter().position(|weight| *weight < 0.0) {
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
