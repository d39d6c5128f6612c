//! What each feature adds to a prediction: numbers that add up to it, row by row, and what they are on average.
//!
//! How they come about is the model's: exact Shapley values of a linear one, integrated gradients of a network. Either
//! way the base value and the contributions of a row add up to the model's sum, the prediction before the inverse of the
//! link. A row without a prediction has no contributions.

use arrow::array::{Array, Float64Array};
use arrow::buffer::NullBuffer;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::features::FeatureBatch;
use sluice_summaries::ExactSum;

/// How contributions come about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionMethod {
    /// The Shapley values of features that are put in independently of one another; exact.
    #[default]
    Shapley,
    /// The gradient along the way from the mean of the training rows to the row, integrated.
    IntegratedGradients,
}

/// What each feature adds to the predictions of a model.
pub trait Attribution: Send + Sync {
    /// How.
    fn method(&self) -> AttributionMethod;

    /// The names of the features, in order.
    fn features(&self) -> &[String];

    /// By output what it predicts and its base value: that to which contributions are added.
    fn outputs(&self) -> Vec<(&str, f64)>;

    /// By output and feature what it adds in each row of a batch; null in rows without a prediction, which `soundness`
    /// says.
    ///
    /// # Errors
    /// Features that are not those of the model.
    fn contributions(
        &self,
        features: &FeatureBatch,
        soundness: Option<&NullBuffer>,
    ) -> Result<Vec<Vec<Float64Array>>>;
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
    pub fn finish(&self, attribution: &dyn Attribution) -> Vec<OutputContributions> {
        let rows = std::cmp::max(self.rows, 1) as f64;
        let mut outputs = Vec::new();
        for (number, (target, base_value)) in attribution.outputs().into_iter().enumerate() {
            let mut features: Vec<Contribution> = Vec::with_capacity(attribution.features().len());
            for (index, feature) in attribution.features().iter().enumerate() {
                let sums = self.sums.get(number).and_then(|sums| sums.get(index)).copied();
                let (sum, sizes) = sums.unwrap_or_default();
                let (mean, mean_absolute) = (sum.to_f64() / rows, sizes.to_f64() / rows);
                features.push(Contribution { feature: feature.clone(), mean_absolute, mean });
            }
            features.sort_by(|a, b| b.mean_absolute.total_cmp(&a.mean_absolute));
            outputs.push(OutputContributions { target: target.to_owned(), base_value, features });
        }
        outputs
    }
}
