//! A fitted linear model: intercept + Σ coefficient x feature.

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace, NotANumber};

use crate::design::not_a_number;
use crate::ridge::CrossValidation;
use crate::solve::Diagnostics;

/// A fitted linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    /// The family: `ridge`.
    pub family: String,
    /// The column that it predicts.
    pub label: String,
    /// The mean of the label over the training rows.
    pub label_mean: f64,
    /// The prediction where all features are 0.
    pub intercept: f64,
    /// One per column of the design matrix, in order.
    pub coefficients: Vec<Coefficient>,
    /// How the data were read: `whole`, `blocked`, or `exact` after a second scan.
    pub method: String,
    /// What the solver saw.
    pub diagnostics: Diagnostics,
    /// How the penalty was chosen, where it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<CrossValidation>,
}

/// A named coefficient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coefficient {
    /// The column of the design matrix: a feature, or `feature=level`.
    pub column: String,
    /// Its value.
    pub value: f64,
}

impl LinearModel {
    /// The predictions of a batch. Sums run over the features in order, row by row the same.
    ///
    /// # Errors
    /// `TrainingError::FeatureNotANumber` at the first row in which a feature is null, NaN or infinite.
    pub fn predict(&self, features: &FeatureBatch, space: &FeatureSpace) -> Result<Float64Array> {
        let mut predictions = vec![self.intercept; features.rows];
        let mut first = 0;
        for (index, (column, spec)) in features.columns.iter().zip(&space.features).enumerate() {
            let width = spec.width();
            let coefficients = &self.coefficients[first..first + width];
            first += width;
            match column {
                FeatureColumn::Numbers(values) => {
                    let coefficient = coefficients[0].value;
                    let mut sound = values.null_count() == 0;
                    for (prediction, value) in predictions.iter_mut().zip(values.values()) {
                        sound &= value.is_finite();
                        *prediction += coefficient * value;
                    }
                    if !sound {
                        return Err(first_unsound(values, index, space));
                    }
                }
                FeatureColumn::Codes(codes) => {
                    for (prediction, code) in predictions.iter_mut().zip(codes) {
                        if let Some(coefficient) = code.and_then(|code| coefficients.get(code as usize)) {
                            *prediction += coefficient.value;
                        }
                    }
                }
                FeatureColumn::Sparse(sparse) => {
                    for (row, prediction) in predictions.iter_mut().enumerate() {
                        for (term, value) in sparse.row(row) {
                            if !value.is_finite() {
                                let problem = NotANumber { feature: index, row, is_null: false };
                                return Err(not_a_number(problem, space));
                            }
                            *prediction += coefficients[term].value * value;
                        }
                    }
                }
            }
        }
        Ok(Float64Array::from(predictions))
    }
}

impl LinearModel {
    /// The predictions of a batch, null in rows in which a feature is null, NaN or infinite: for scoring, where
    /// one bad row must not stop the others.
    #[must_use]
    pub fn predict_sound(&self, features: &FeatureBatch, space: &FeatureSpace) -> Float64Array {
        let mut predictions: Vec<Option<f64>> = vec![Some(self.intercept); features.rows];
        let mut first = 0;
        for (column, spec) in features.columns.iter().zip(&space.features) {
            let coefficients = &self.coefficients[first..first + spec.width()];
            first += spec.width();
            match column {
                FeatureColumn::Numbers(values) => {
                    for (prediction, value) in predictions.iter_mut().zip(values) {
                        let sound = value.filter(|value| value.is_finite());
                        *prediction =
                            prediction.zip(sound).map(|(sum, value)| sum + coefficients[0].value * value);
                    }
                }
                FeatureColumn::Codes(codes) => {
                    for (prediction, code) in predictions.iter_mut().zip(codes) {
                        if let Some(coefficient) = code.and_then(|code| coefficients.get(code as usize)) {
                            *prediction = prediction.map(|sum| sum + coefficient.value);
                        }
                    }
                }
                FeatureColumn::Sparse(sparse) => {
                    for (row, prediction) in predictions.iter_mut().enumerate() {
                        for (term, value) in sparse.row(row) {
                            *prediction = prediction
                                .filter(|_| value.is_finite())
                                .map(|sum| sum + coefficients[term].value * value);
                        }
                    }
                }
            }
        }
        Float64Array::from(predictions)
    }
}

fn first_unsound(values: &Float64Array, feature: usize, space: &FeatureSpace) -> sluice_core::Error {
    let row = values.iter().position(|value| value.is_none_or(|value| !value.is_finite())).unwrap_or(0);
    let is_null = values.is_null(row);
    not_a_number(NotANumber { feature, row, is_null }, space)
}
