//! What a fitted model says of its fit.

use serde::{Deserialize, Serialize};

use super::labels::Class;
use super::rows::Offsets;
use crate::inference::CoefficientTest;

/// How a generalised linear model fits, and how the fit came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlmRecord {
    /// Of the variance, as a power of the mean; absent for classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
    /// The share of the penalty on magnitudes.
    pub l1_ratio: f64,
    /// What is added to the sums.
    #[serde(default)]
    pub offsets: Offsets,
    /// The classes, ascending, with their rows; none of an amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassRows>,
    /// The class whose probability is predicted, where there are two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<Class>,
    /// Twice the loss above that of a model with a coefficient for each row.
    pub deviance: f64,
    /// That of the model without features.
    pub null_deviance: f64,
    /// 1 − deviance / null deviance: `McFadden`'s pseudo-R² of classes, D² of amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_r_squared: Option<f64>,
    /// The logarithm of the likelihood; absent where it has no closed form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_likelihood: Option<f64>,
    /// −2 x log-likelihood + 2 x parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aic: Option<f64>,
    /// −2 x log-likelihood + ln(rows) x parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bic: Option<f64>,
    /// Coefficients and intercepts that the data determine; with a penalty, the effective number.
    pub parameters: f64,
    /// Σ (label − mean)² / variance; absent where it is outside the range of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pearson_chi_square: Option<f64>,
    /// What the variance is multiplied by: 1 of classes and counts, else Pearson's χ² over the rows less the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispersion: Option<f64>,
    /// Wald's tests of each equation, by the normal distribution, with intervals of 95 %; none where there are no
    /// standard errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<EquationTests>,
    /// How the iteration went.
    pub convergence: Convergence,
    /// What to know about the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A class and how often it occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRows {
    /// The class.
    pub class: Class,
    /// Its rows, those of weight 0 not counted.
    pub rows: u64,
    /// The sum of their weights.
    pub weight: f64,
}

/// The tests of one equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EquationTests {
    /// Of the intercept.
    pub intercept: Option<CoefficientTest>,
    /// Of the coefficients, in order; none of one that was left out.
    pub coefficients: Vec<Option<CoefficientTest>>,
}

/// How an iteration went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// Steps on all rows.
    pub iterations: u32,
    /// The first rows that a fit in memory started from; absent where all are in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on_rows: Option<u64>,
    /// Half the deviance with its penalty at each point, falling.
    pub objectives: Vec<f64>,
    /// How far the last step moved the coefficients, in standard errors.
    pub last_step: f64,
}
