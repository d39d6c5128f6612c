//! How well a model fits as a whole, from the sums of the fit alone.
//!
//! With n rows, k the trace of the hat matrix (the number of coefficients at penalty 0, the intercept counted), SSR
//! the weighted sum of squared residuals and SST that of the label (about its mean with an intercept):
//! R² = 1 - SSR / SST; adjusted 1 - (n - c) / (n - k) (1 - R²) with c = 1 for an intercept, else 0; residual variance
//! SSR / (n - k); F = ((SST - SSR) / (k - c)) / (SSR / (n - k)), at penalty 0 only; log-likelihood
//! -n/2 (ln(2π SSR / n) + 1) + Σ ln w / 2; AIC = 2 k - 2 ln L; BIC = k ln n - 2 ln L. These are the definitions of
//! statsmodels' `OLS` and `WLS`: the variance of the noise is not counted as a parameter.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use sluice_core::distribution::fisher;

use crate::solve::Diagnostics;

/// Figures of the fit as a whole; absent is what the data do not determine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitStatistics {
    /// The share of the label's sum of squares that the model explains.
    pub r_squared: Option<f64>,
    /// The same with both sums over their degrees of freedom.
    pub adjusted_r_squared: Option<f64>,
    /// The root of the residual variance.
    pub residual_standard_deviation: Option<f64>,
    /// That all coefficients but the intercept are 0.
    pub f_test: Option<FTest>,
    /// The logarithm of the likelihood where the noise is normal.
    pub log_likelihood: Option<f64>,
    /// Akaike's information criterion.
    pub aic: Option<f64>,
    /// The Bayesian information criterion.
    pub bic: Option<f64>,
    /// The trace of the matrix that maps labels to predictions.
    pub effective_degrees: f64,
    /// About the condition number of the scaled, centred columns of the features, the penalty counted: the root of
    /// that of their cross products in the 1-norm.
    pub condition_number: f64,
}

/// A test of several coefficients together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FTest {
    /// Explained over residual variance.
    pub statistic: f64,
    /// How many coefficients.
    pub numerator: f64,
    /// Residual degrees of freedom.
    pub denominator: f64,
    /// How likely a statistic this large is where all are 0.
    pub p_value: f64,
}

impl FitStatistics {
    /// `effective_degrees` is the trace of the hat matrix, `log_weights` the sum of the logarithms of the weights, 0 without weights; none where it is not known.
    #[must_use]
    pub fn new(
        diagnostics: &Diagnostics,
        effective_degrees: f64,
        has_intercept: bool,
        log_weights: Option<f64>,
    ) -> Self {
        let Diagnostics { residual_square, label_square, .. } = *diagnostics;
        let rows = diagnostics.rows as f64;
        let constant = f64::from(u8::from(has_intercept));
        let r_squared = (label_square > 0.0).then(|| 1.0 - residual_square / label_square);
        let left = diagnostics.residual_variance.map(|_| rows - effective_degrees);
        let adjusted = |r_squared: f64| Some(1.0 - (rows - constant) / left? * (1.0 - r_squared));
        let log_likelihood = log_weights
            .map(|log_weights| {
                -rows / 2.0 * ((2.0 * PI * residual_square / rows).ln() + 1.0) + log_weights / 2.0
            })
            .filter(|found| found.is_finite());
        Self {
            r_squared,
            adjusted_r_squared: r_squared.and_then(adjusted),
            residual_standard_deviation: diagnostics.residual_variance.map(f64::sqrt),
            f_test: FTest::new(diagnostics, effective_degrees),
            log_likelihood,
            aic: log_likelihood.map(|likelihood| 2.0 * effective_degrees - 2.0 * likelihood),
            bic: log_likelihood.map(|likelihood| effective_degrees * rows.ln() - 2.0 * likelihood),
            effective_degrees,
            condition_number: diagnostics.condition.sqrt(),
        }
    }
}

impl FTest {
    fn new(diagnostics: &Diagnostics, effective_degrees: f64) -> Option<Self> {
        let variance = diagnostics.residual_variance.filter(|variance| *variance > 0.0)?;
        let numerator = diagnostics.rank as f64;
        if diagnostics.alpha > 0.0 || diagnostics.rank == 0 {
            return None;
        }
        let denominator = diagnostics.rows as f64 - effective_degrees;
        let explained = diagnostics.label_square - diagnostics.residual_square;
        let statistic = explained / numerator / variance;
        let p_value = fisher::upper_tail(statistic, numerator, denominator);
        statistic.is_finite().then_some(Self { statistic, numerator, denominator, p_value })
    }
}
