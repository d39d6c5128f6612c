//! A fitted linear model: for each output intercept + Σ coefficient x feature, through the inverse of its link.

mod predict;
mod start;

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::glm::GlmRecord;
use crate::inference::Inference;
use crate::least_squares::CrossValidation;
use crate::solve::Diagnostics;

pub use predict::RowFeature;
pub use start::StartValues;

/// A fitted linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    /// The family, as the options name it: `ridge`, `logistic`, …
    pub family: String,
    /// The column that it predicts.
    pub label: String,
    /// The weighted mean of the label over the training rows; of two classes the share of the positive one, of
    /// more 0.
    pub label_mean: f64,
    /// The weighted mean of each column of the design matrix over the training rows, which explanations compare with;
    /// empty in models that are older than they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub column_means: Vec<f64>,
    /// How sums of features become predictions.
    pub link: Link,
    /// How the data were read: `whole`, `blocked`, or `exact` after a second scan.
    pub method: String,
    /// The rows that it was fitted on, those of weight 0 not counted.
    pub rows: u64,
    /// What is predicted, the label first; of more than two classes, the probability of each.
    pub outputs: Vec<Output>,
    /// What the probabilities of two classes are worth, where they were calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How a generalised linear model fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glm: Option<Box<GlmRecord>>,
}

/// How the sum of a model's intercept and features is related to its prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The prediction is the sum.
    Identity,
    /// The prediction is 1 / (1 + e^−sum), the probability of the positive class.
    Logit,
    /// The prediction is e^sum.
    Log,
    /// The predictions are e^sum of each class over the total of all.
    Softmax,
}

/// One column of predictions and how it comes about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The column that it predicts; of more than two classes the class.
    pub target: String,
    /// The penalty that it was fitted with.
    pub alpha: f64,
    /// The share of the magnitudes in the penalty, of an elastic net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_ratio: Option<f64>,
    /// The sum where all features are 0.
    pub intercept: f64,
    /// One per column of the design matrix, in order.
    pub coefficients: Vec<Coefficient>,
    /// What the solver saw.
    pub diagnostics: Diagnostics,
    /// What it says of the population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
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

impl Coefficient {
    /// Values with their names.
    pub(crate) fn named(columns: &[String], values: &[f64]) -> Vec<Self> {
        let pairs = columns.iter().zip(values);
        pairs.map(|(column, &value)| Self { column: column.clone(), value }).collect()
    }
}

impl LinearModel {
    /// The output of the label.
    ///
    /// # Panics
    /// Never for a model that was fitted or opened: it has an output.
    #[must_use]
    pub fn label_output(&self) -> &Output {
        &self.outputs[0]
    }

    /// Whether there is an output, and every output has a coefficient for each of so many columns, which have a mean each
    /// or none; false only for what was read from a damaged file.
    #[must_use]
    pub fn is_sound(&self, columns: usize) -> bool {
        (self.column_means.is_empty() || self.column_means.len() == columns)
            && !self.outputs.is_empty()
            && self.outputs.iter().all(|output| output.coefficients.len() == columns)
    }
}
