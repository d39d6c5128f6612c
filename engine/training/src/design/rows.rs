//! Rows of a batch as the solvers take them: row-major, the features first, then the labels, with their weights.

use std::ops::Range;

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureSpace, FeatureSpec, NotANumber, Remainder};
use sluice_summaries::gram::{GRAM_BLOCK_ROWS, Remainders};

use crate::error::TrainingError;

/// The columns that stand beside the features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Responses {
    /// What is predicted; none where the caller reads it.
    pub(crate) labels: Vec<String>,
    /// How much a row counts.
    pub(crate) weight: Option<String>,
}

/// Some consecutive rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    /// Row-major: the features, then the labels.
    pub(crate) rows: &'a [f64],
    /// One per row; all 1 without.
    pub(crate) weights: Option<&'a [f64]>,
    /// What rounding took from features that are products.
    pub(crate) remainders: Remainders<'a>,
}

impl Responses {
    /// Adds the columns to what a scan reads.
    pub(crate) fn inputs(&self, inputs: Inputs) -> Inputs {
        self.columns().fold(inputs, Inputs::with_column)
    }

    /// The columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().chain(&self.weight).map(String::as_str)
    }

    /// The labels of a batch and the weights of its rows.
    ///
    /// # Errors
    /// At the first label that is null, NaN or infinite, and the first weight that is no finite number of at least 0.
    pub(crate) fn columns_of(&self, batch: &Batch) -> Result<(Vec<Float64Array>, Option<Float64Array>)> {
        let labels = self.labels.iter().map(|label| finite_label(batch, label)).collect::<Result<_>>()?;
        let weights = self.weight.as_ref().map(|weight| sound_weights(batch, weight)).transpose()?;
        Ok((labels, weights))
    }

    /// Hands out the rows of a batch with a weight above 0, in blocks, with their places in the batch.
    ///
    /// # Errors
    /// At the first feature or label that is null, NaN or infinite, and the first weight that is no finite number of
    /// at least 0; with its row.
    pub(crate) fn each_block(
        &self,
        batch: &Batch,
        features: &FeatureBatch,
        space: &FeatureSpace,
        visit: impl FnMut(Block<'_>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        self.each_exact_block(batch, (features, &[]), space, visit)
    }

    /// The same with what rounding took from some features.
    ///
    /// # Errors
    /// As [`Responses::each_block`].
    pub(crate) fn each_exact_block(
        &self,
        batch: &Batch,
        (features, remainders): (&FeatureBatch, &[Remainder]),
        space: &FeatureSpace,
        mut visit: impl FnMut(Block<'_>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        let rounded = columns_of(space, remainders.iter().map(|remainder| remainder.feature));
        let mut low = Vec::new();
        let (labels, weights) = self.columns_of(batch)?;
        let width = space.width();
        let stride = width + labels.len();
        let mut matrix = vec![0.0; stride * std::cmp::min(features.rows, GRAM_BLOCK_ROWS)];
        let (mut kept_weights, mut kept_rows) = (Vec::new(), Vec::new());
        for range in blocks(features.rows) {
            let (first, count) = (range.start, range.len());
            let cells = &mut matrix[..count * stride];
            features
                .fill(space, first, count, stride, cells)
                .map_err(|problem| not_a_number(problem, space))?;
            // Without features and labels there are no cells.
            for (row, cells) in cells.chunks_exact_mut(std::cmp::max(stride, 1)).enumerate() {
                for (cell, label) in cells[width..].iter_mut().zip(&labels) {
                    *cell = label.value(first + row);
                }
            }
            kept_rows.clear();
            kept_rows.extend(range.clone());
            low.clear();
            low.extend(range.clone().flat_map(|row| remainders.iter().map(move |column| column.values[row])));
            let Some(weights) = &weights else {
                let remainders = Remainders { columns: &rounded, values: &low };
                visit(Block { rows: cells, weights: None, remainders }, &kept_rows)?;
                continue;
            };
            kept_weights.clear();
            kept_weights.extend_from_slice(&weights.values()[range]);
            let count = leave_out_weightless(cells, stride, &mut kept_weights, &mut kept_rows);
            if count > 0 {
                let kept =
                    kept_rows.iter().flat_map(|&row| remainders.iter().map(move |column| column.values[row]));
                low.clear();
                low.extend(kept);
                let remainders = Remainders { columns: &rounded, values: &low };
                let rows = &cells[..count * stride];
                visit(Block { rows, weights: Some(&kept_weights), remainders }, &kept_rows)?;
            }
        }
        Ok(())
    }
}

impl<'a> Block<'a> {
    /// One of its rows, of so many columns.
    pub(crate) fn row(self, place: usize, columns: usize) -> Self {
        let weights = self.weights.map(|weights: &'a [f64]| &weights[place..=place]);
        let remainders = self.remainders.rows(place, 1);
        Self { rows: &self.rows[place * columns..(place + 1) * columns], weights, remainders }
    }
}

/// The columns of the design matrix that some features of numbers fill.
fn columns_of(space: &FeatureSpace, features: impl Iterator<Item = usize>) -> Vec<usize> {
    features.map(|feature| space.features[..feature].iter().map(FeatureSpec::width).sum()).collect()
}

/// Leaves only rows with a weight above 0 and answers how many they are: the others take no part, not in the number
/// of rows either.
fn leave_out_weightless(
    cells: &mut [f64],
    stride: usize,
    weights: &mut Vec<f64>,
    rows: &mut Vec<usize>,
) -> usize {
    let mut kept = 0;
    for row in 0..weights.len() {
        if weights[row] > 0.0 {
            if kept < row {
                cells.copy_within(row * stride..(row + 1) * stride, kept * stride);
                weights[kept] = weights[row];
                rows[kept] = rows[row];
            }
            kept += 1;
        }
    }
    weights.truncate(kept);
    rows.truncate(kept);
    kept
}

/// The rows of a batch, some at a time.
pub(crate) fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(GRAM_BLOCK_ROWS).map(move |first| first..std::cmp::min(first + GRAM_BLOCK_ROWS, rows))
}

/// The error of a row, counted from `first` further up.
pub(crate) fn further(mut error: Error, first: usize) -> Error {
    match error.take_row().and_then(|row| usize::try_from(row).ok()) {
        Some(row) => error.at_row(first + row),
        None => error,
    }
}

/// A label of a batch; every one a finite number.
pub(crate) fn finite_label(batch: &Batch, label: &str) -> Result<Float64Array> {
    let values = numbers(label, batch.require(label)?, "the label")?;
    match (0..values.len()).find(|&row| values.is_null(row) || !values.value(row).is_finite()) {
        None => Ok(values),
        Some(row) => {
            let problem = TrainingError::LabelNotANumber { label: label.into(), found: kind(&values, row) };
            Err(Error::from(problem).at_row(row))
        }
    }
}

/// The weights of a batch; every one a finite number of at least 0.
pub(crate) fn sound_weights(batch: &Batch, weight: &str) -> Result<Float64Array> {
    let values = numbers(weight, batch.require(weight)?, "the weight of the rows")?;
    let is_sound =
        |row: usize| !values.is_null(row) && values.value(row) >= 0.0 && values.value(row).is_finite();
    match (0..values.len()).find(|&row| !is_sound(row)) {
        None => Ok(values),
        Some(row) => {
            let problem =
                TrainingError::WeightOutOfRange { weight: weight.into(), found: kind(&values, row) };
            Err(Error::from(problem).at_row(row))
        }
    }
}

/// What a value that is no finite number of at least 0 is.
fn kind(values: &Float64Array, row: usize) -> &'static str {
    match values.value(row) {
        _ if values.is_null(row) => "null",
        value if value.is_nan() => "NaN",
        value if value.is_infinite() => "infinite",
        _ => "negative",
    }
}

/// The error of a feature that a model cannot take.
pub(crate) fn not_a_number(problem: NotANumber, space: &FeatureSpace) -> Error {
    let feature = space.features[problem.feature].name.clone();
    let found = if problem.is_null { "null" } else { "NaN or infinite" };
    Error::from(TrainingError::FeatureNotANumber { feature, found }).at_row(problem.row)
}

/// Shift (the mean) and power-of-two scale (the spread) of each column of some row-major rows.
pub(crate) fn shift_and_scale(rows: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let count = std::cmp::max(rows.len() / width, 1) as f64;
    let mut shift = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        shift.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    let mut spread = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        for ((spread, value), shift) in spread.iter_mut().zip(row).zip(&shift) {
            let deviation = (value - shift).abs();
            if deviation > *spread {
                *spread = deviation;
            }
        }
    }
    let scale = spread
        .into_iter()
        .map(|spread| {
            // A constant column, or one at the limits of floating point, is not scaled.
            let exponent = -spread.log2().round();
            if exponent.abs() <= 256.0 { exponent.exp2() } else { 1.0 }
        })
        .collect();
    (shift, scale)
}
