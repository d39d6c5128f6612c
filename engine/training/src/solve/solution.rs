//! The answer of a ridge regression, with the figures that say how far to trust it.
//!
//! Standard errors are those of the penalised estimate, not counting its bias: the variance of the label's
//! noise times the diagonal of `A^-1 G A^-1`, with cross products `G` and `A = G + alpha I` (Hoerl &
//! Kennard, "Ridge regression", Technometrics 12, 1970, equation 4.3); at penalty zero they are the usual
//! ones. Weights count as inverse variances, as in R's `lm`, not as numbers of repeated rows.

use super::power::scale;
use serde::{Deserialize, Serialize};

/// Coefficients and intercept of a linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RidgeSolution {
    /// One coefficient per feature; 0 for those that were dropped.
    pub coefficients: Vec<f64>,
    /// The prediction where all features are 0; 0 when no intercept was asked for.
    pub intercept: f64,
    /// What the solver saw.
    pub diagnostics: Diagnostics,
}

/// How the system was solved and how well it determines its solution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// The penalty.
    pub alpha: f64,
    /// The number of rows with a weight above zero.
    pub rows: u64,
    /// The number of coefficients that were determined.
    pub rank: usize,
    /// Features that do not vary; their coefficients are 0.
    pub constant: Vec<usize>,
    /// Features that are combinations of earlier ones, found at penalty 0 only; their coefficients are 0.
    pub aliased: Vec<usize>,
    /// The condition number in the 1-norm of the penalised cross products, columns scaled to norms near 1, of
    /// the features not dropped. Its root is near the condition of the scaled feature columns.
    pub condition: f64,
    /// The trace of the matrix that maps labels to predictions, the intercept counted as 1; unknown of a solution by
    /// iterations.
    pub effective_degrees: Option<f64>,
    /// The weighted sum of squared residuals.
    pub residual_square: f64,
    /// The weighted sum of squares of the label, about its mean when there is an intercept.
    pub label_square: f64,
    /// `residual_square` over (rows - effective degrees); absent where none are left, or where they are unknown.
    pub residual_variance: Option<f64>,
    /// One standard error per coefficient, 0 for those dropped; absent without a residual variance.
    pub standard_errors: Option<Vec<f64>>,
    /// The standard error of the intercept; absent without one.
    pub intercept_standard_error: Option<f64>,
    /// The method that was used.
    pub method: Method,
    /// The corrections that were applied to the first solution.
    pub refinements: usize,
}

/// How the system was factored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Cholesky in double-double.
    DoubleDouble,
    /// Cholesky in `f64`, refined with residuals in double-double.
    Refined,
    /// Conjugate gradients on scans, nothing factored.
    ConjugateGradients,
}

impl RidgeSolution {
    /// The prediction for one row of features.
    #[must_use]
    pub fn predict(&self, features: &[f64]) -> f64 {
        self.coefficients
            .iter()
            .zip(features)
            .fold(self.intercept, |sum, (coefficient, x)| sum + coefficient * x)
    }

    /// The share of the label's sum of squares that the model explains; absent where the label is constant.
    #[must_use]
    pub fn r_squared(&self) -> Option<f64> {
        let Diagnostics { residual_square, label_square, .. } = self.diagnostics;
        (label_square > 0.0).then(|| 1.0 - residual_square / label_square)
    }

    /// The same solution for columns that were divided by `2^features[j]`, `2^label` and `2^weight` before.
    pub(super) fn rescale(mut self, features: &[i32], label: i32, weight: i32) -> Self {
        let back = |values: &mut [f64]| {
            for (value, exponent) in values.iter_mut().zip(features) {
                *value = scale(*value, label - exponent);
            }
        };
        back(&mut self.coefficients);
        self.intercept = scale(self.intercept, label);
        let diagnostics = &mut self.diagnostics;
        diagnostics.residual_square = scale(diagnostics.residual_square, 2 * label + weight);
        diagnostics.label_square = scale(diagnostics.label_square, 2 * label + weight);
        diagnostics.residual_variance = diagnostics.residual_variance.map(|s| scale(s, 2 * label + weight));
        if let Some(errors) = &mut diagnostics.standard_errors {
            back(errors);
        }
        diagnostics.intercept_standard_error =
            diagnostics.intercept_standard_error.map(|error| scale(error, label));
        self
    }
}
