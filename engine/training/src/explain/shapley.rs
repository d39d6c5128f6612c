//! What each feature adds to a prediction: the Shapley values of a linear model, exactly.
//!
//! With features that are put in independently of one another ("interventional", the definition of
//! `shap.LinearExplainer`), the Shapley value of column j in a row x is `b_j (x_j - m_j)`, with coefficient b and the
//! mean m over the training rows (Štrumbelj & Kononenko, "Explaining prediction models and individual predictions with
//! feature contributions", Knowl. Inf. Syst. 41, 2014, section 3.1). The columns of one feature (levels, terms) are
//! added up. The base value is `a + Σ b_j m_j`, the expected sum over the training rows. Base value and contributions add
//! up to the model's sum; where the link is the identity that is the prediction, elsewhere the prediction before the
//! inverse of the link. Rounding: each contribution within some ulps of its largest term, so that the difference to the
//! sum is at most (features + 2) ulps of `Σ |b_j x_j| + |a|`.
//!
//! A row in which a feature is null, NaN or infinite has no prediction and no contributions.

use arrow::array::Float64Array;
use arrow::buffer::NullBuffer;

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace};

use super::attribution::{Attribution, AttributionMethod};
use crate::error::TrainingError;
use crate::model::{LinearModel, Output};

/// The Shapley values of a model's outputs.
#[derive(Clone, Debug)]
pub struct LinearExplainer {
    /// The names of the features, in order.
    pub features: Vec<String>,
    /// One per output of the model, in order.
    pub outputs: Vec<OutputExplainer>,
}

/// The Shapley values of one output.
#[derive(Clone, Debug)]
pub struct OutputExplainer {
    /// The column that it predicts.
    pub target: String,
    /// The expected sum over the training rows.
    pub base_value: f64,
    features: Vec<FeatureWeights>,
}

/// The columns of a feature.
#[derive(Clone, Debug)]
struct FeatureWeights {
    coefficients: Vec<f64>,
    /// The mean of its only column.
    mean: f64,
    /// Σ coefficient x mean of its columns.
    expected: f64,
}

impl LinearExplainer {
    /// Of a model on the features of `space`.
    ///
    /// # Errors
    /// [`TrainingError::NoMeans`] for a model that was written before models held the means of their columns.
    pub fn new(model: &LinearModel, space: &FeatureSpace) -> std::result::Result<Self, TrainingError> {
        if model.column_means.len() != space.width() {
            return Err(TrainingError::NoMeans);
        }
        let outputs = model.outputs.iter().map(|output| explainer(output, &model.column_means, space));
        Ok(Self {
            features: space.features.iter().map(|feature| feature.name.clone()).collect(),
            outputs: outputs.collect(),
        })
    }
}

impl Attribution for LinearExplainer {
    fn method(&self) -> AttributionMethod {
        AttributionMethod::Shapley
    }

    fn features(&self) -> &[String] {
        &self.features
    }

    fn outputs(&self) -> Vec<(&str, f64)> {
        self.outputs.iter().map(|output| (output.target.as_str(), output.base_value)).collect()
    }

    fn contributions(
        &self,
        features: &FeatureBatch,
        soundness: Option<&NullBuffer>,
    ) -> Result<Vec<Vec<Float64Array>>> {
        let of_output = |output: &OutputExplainer| {
            let columns = output.features.iter().zip(&features.columns);
            let values = columns.map(|(weights, column)| weights.contributions(column, features.rows));
            values.map(|values| Float64Array::new(values.into(), soundness.cloned())).collect()
        };
        Ok(self.outputs.iter().map(of_output).collect())
    }
}

fn explainer(output: &Output, means: &[f64], space: &FeatureSpace) -> OutputExplainer {
    let (mut first, mut features) = (0, Vec::with_capacity(space.features.len()));
    let mut base = DoubleDouble::from(output.intercept);
    for spec in &space.features {
        let columns = first..first + spec.width();
        first = columns.end;
        let coefficients: Vec<f64> =
            output.coefficients[columns.clone()].iter().map(|coefficient| coefficient.value).collect();
        let pairs = coefficients.iter().zip(&means[columns.clone()]);
        let expected =
            pairs.fold(DoubleDouble::ZERO, |sum, (weight, mean)| sum + DoubleDouble::product(*weight, *mean));
        base = base + expected;
        let mean = means[columns].first().copied().unwrap_or_default();
        features.push(FeatureWeights { coefficients, mean, expected: expected.to_f64() });
    }
    OutputExplainer { target: output.target.clone(), base_value: base.to_f64(), features }
}

impl FeatureWeights {
    fn contributions(&self, column: &FeatureColumn, rows: usize) -> Vec<f64> {
        match column {
            FeatureColumn::Numbers(values) => {
                let coefficient = self.coefficients.first().copied().unwrap_or_default();
                values.values().iter().map(|value| coefficient * (value - self.mean)).collect()
            }
            FeatureColumn::Codes(codes) => {
                let weight = |code: Option<u32>| {
                    code.and_then(|code| self.coefficients.get(code as usize)).copied().unwrap_or_default()
                };
                codes.iter().map(|code| weight(code) - self.expected).collect()
            }
            FeatureColumn::Sparse(sparse) => {
                let sum = |row: usize| {
                    sparse.row(row).map(|(term, value)| self.coefficients[term] * value).sum::<f64>()
                };
                (0..rows).map(|row| sum(row) - self.expected).collect()
            }
        }
    }
}
