//! Runs both files on rows and compares them with ours.

use arrow::array::{Array, RecordBatch};

use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace};
use sluice_core::seam::BatchTransform as _;
use sluice_onnx::Session;

use super::bound::{Bound, is_close};
use super::graph::Export;
use super::rows::with_edges;
use crate::error::DeliveryError;
use crate::package::PackageParts;

/// How many rows both were run on.
///
/// # Errors
/// [`DeliveryError::OnnxDiffers`] where a file does not do what ours does, and what running it meets.
pub(crate) fn verify(parts: &PackageParts, export: &Export, rows: &RecordBatch) -> Result<usize> {
    if rows.num_rows() == 0 {
        return Err(CommonError::Internal("an ONNX export without rows to run it on".into()).into());
    }
    let table = with_edges(&parts.transform, rows)?;
    let tensors = export.inputs.tensors(&table)?;
    let features = parts.transform.apply(&Batch::new(&table))?;
    let space = parts.transform.space();
    let expected = matrix(&features, space);

    let only = |outputs: Vec<Vec<f64>>| {
        let none = || CommonError::Internal("an ONNX graph without an output".into());
        outputs.into_iter().next().ok_or_else(none)
    };
    let found = only(Session::new(&export.transform_file)?.run(&tensors)?)?;
    compare_features(&found, &expected, &export.bounds, space)?;

    let predictions = parts.model.predict_sound(&features, space);
    let found = only(Session::new(&export.model_file)?.run(&tensors)?)?;
    if found.len() != table.num_rows() {
        return Err(CommonError::Internal("an ONNX graph predicts another number of rows".into()).into());
    }
    let width = space.width();
    for (row, found) in found.iter().enumerate() {
        let expected_prediction = if predictions.is_null(row) { f64::NAN } else { predictions.value(row) };
        let allowed = allowed(parts, &expected[row * width..(row + 1) * width], &export.bounds);
        if !is_close(*found, expected_prediction, allowed) {
            return Err(differs("the prediction", row, expected_prediction, *found, allowed).into());
        }
    }
    Ok(table.num_rows())
}

fn compare_features(found: &[f64], expected: &[f64], bounds: &[Bound], space: &FeatureSpace) -> Result<()> {
    if found.len() != expected.len() {
        return Err(CommonError::Internal("an ONNX graph makes another number of features".into()).into());
    }
    for (cell, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (row, column) = (cell / bounds.len(), cell % bounds.len());
        if !bounds[column].allows(*found, *expected) {
            let name = format!("feature `{}`", space.column_names()[column]);
            return Err(differs(&name, row, *expected, *found, bounds[column].at(*expected)).into());
        }
    }
    Ok(())
}

/// The sum is added up in another order, so what matters is the size of what is added.
fn allowed(parts: &PackageParts, features: &[f64], bounds: &[Bound]) -> f64 {
    let mut size = parts.model.intercept.abs();
    let mut carried = 0.0;
    for ((coefficient, feature), bound) in parts.model.coefficients.iter().zip(features).zip(bounds) {
        size += (coefficient.value * feature).abs();
        carried += coefficient.value.abs() * bound.at(*feature);
    }
    Bound::SUM.0 * size + carried
}

/// The design matrix, row by row, NaN where a feature is null.
fn matrix(features: &FeatureBatch, space: &FeatureSpace) -> Vec<f64> {
    let width = space.width();
    let mut matrix = vec![0.0; width * features.rows];
    let mut first = 0;
    for (column, spec) in features.columns.iter().zip(&space.features) {
        for row in 0..features.rows {
            let cells = &mut matrix[row * width + first..row * width + first + spec.width()];
            match column {
                FeatureColumn::Numbers(values) => {
                    cells[0] = if values.is_null(row) { f64::NAN } else { values.value(row) };
                }
                FeatureColumn::Codes(codes) => {
                    if !codes.is_null(row)
                        && let Some(cell) = cells.get_mut(codes.value(row) as usize)
                    {
                        *cell = 1.0;
                    }
                }
                FeatureColumn::Sparse(sparse) => {
                    for (term, value) in sparse.row(row) {
                        cells[term] = value;
                    }
                }
            }
        }
        first += spec.width();
    }
    matrix
}

fn differs(what: &str, row: usize, expected: f64, found: f64, allowed: f64) -> DeliveryError {
    DeliveryError::OnnxDiffers { what: what.to_owned(), row: row + 1, expected, found, allowed }
}
