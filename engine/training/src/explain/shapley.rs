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

use arrow::array::{Array, Float64Array};
use arrow::buffer::NullBuffer;
use serde::{Deserialize, Serialize};

use sluice_core::double_double::DoubleDouble;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace};
use sluice_summaries::ExactSum;

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
    pub fn new(model: &LinearModel, space: &FeatureSpace) -> Result<Self, TrainingError> {
        if model.column_means.len() != space.width() {
            return Err(TrainingError::NoMeans);
        }
        let outputs = model.outputs.iter().map(|output| explainer(output, &model.column_means, space));
        Ok(Self {
            features: space.features.iter().map(|feature| feature.name.clone()).collect(),
            outputs: outputs.collect(),
        })
    }

    /// By output and feature what it adds in each row of a batch.
    #[must_use]
    pub fn contributions(
        &self,
        features: &FeatureBatch,
        soundness: Option<&NullBuffer>,
    ) -> Vec<Vec<Float64Array>> {
        let of_output = |output: &OutputExplainer| {
            let columns = output.features.iter().zip(&features.columns);
            let values = columns.map(|(weights, column)| weights.contributions(column, features.rows));
            values.map(|values| Float64Array::new(values.into(), soundness.cloned())).collect()
        };
        self.outputs.iter().map(of_output).collect()
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

/// Sums of contributions, the same bits for any order of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionSums {
    /// Rows with a prediction.
    pub rows: u64,
    /// By output and feature the sums of contributions and of their sizes.
    sums: Vec<Vec<(ExactSum, ExactSum)>>,
}

/// What features add on average to one output, the largest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputContributions {
    /// The column that it predicts.
    pub target: String,
    /// The expected sum over the training rows.
    pub base_value: f64,
    /// By their mean size, those of one size in the order of the features.
    pub features: Vec<Contribution>,
}

/// What a feature adds on average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The feature.
    pub feature: String,
    /// The mean of the sizes: how much it moves predictions, whichever way.
    pub mean_absolute: f64,
    /// The mean: 0 over the training rows, elsewhere how much the feature has moved since.
    pub mean: f64,
}

impl ContributionSums {
    /// Adds the contributions of a batch, of its rows with a prediction.
    pub fn update(&mut self, contributions: &[Vec<Float64Array>]) {
        self.sums.resize_with(contributions.len(), Vec::new);
        let first = contributions.first().and_then(|features| features.first());
        self.rows += first.map_or(0, |column| (column.len() - column.null_count()) as u64);
        for (sums, columns) in self.sums.iter_mut().zip(contributions) {
            sums.resize_with(columns.len(), Default::default);
            for ((sum, sizes), column) in sums.iter_mut().zip(columns) {
                let values: Vec<f64> = match column.null_count() {
                    0 => column.values().to_vec(),
                    _ => column.iter().flatten().collect(),
                };
                sum.add_slice(&values);
                sizes.add_slice(&values.iter().map(|value| value.abs()).collect::<Vec<_>>());
            }
        }
    }

    /// Adds the sums of other rows.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        if self.sums.is_empty() {
            self.sums = other.sums;
            return;
        }
        for (mine, other) in self.sums.iter_mut().flatten().zip(other.sums.into_iter().flatten()) {
            mine.0.merge(other.0);
            mine.1.merge(other.1);
        }
    }

    /// The means; 0 without rows.
    #[must_use]
    pub fn finish(&self, explainer: &LinearExplainer) -> Vec<OutputContributions> {
        let rows = std::cmp::max(self.rows, 1) as f64;
        let mut outputs = Vec::with_capacity(explainer.outputs.len());
        for (number, output) in explainer.outputs.iter().enumerate() {
            let mut features: Vec<Contribution> = Vec::with_capacity(explainer.features.len());
            for (index, feature) in explainer.features.iter().enumerate() {
                let sums = self.sums.get(number).and_then(|sums| sums.get(index)).copied();
                let (sum, sizes) = sums.unwrap_or_default();
                let (mean, mean_absolute) = (sum.to_f64() / rows, sizes.to_f64() / rows);
                features.push(Contribution { feature: feature.clone(), mean_absolute, mean });
            }
            features.sort_by(|a, b| b.mean_absolute.total_cmp(&a.mean_absolute));
            let (target, base_value) = (output.target.clone(), output.base_value);
            outputs.push(OutputContributions { target, base_value, features });
        }
        outputs
    }
}
