//! Calibration of a classifier: what its scores are worth as probabilities, learnt from rows that it was not fitted on.
//!
//! - `isotonic`: the rising function of the score with the least squared error;
//! - `sigmoid`: a logistic curve in the log-odds of the score, after Platt.
//!
//! Both are fitted in memory, from a score, a label and a weight per row.

mod isotonic;
mod sigmoid;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use isotonic::Isotonic;
use sigmoid::Sigmoid;

/// Probabilities are kept this far from 0 and 1 before their log-odds are taken.
const LEAST_PROBABILITY: f64 = 1e-15;

/// How scores become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// A rising function, of steps joined by lines; needs some thousand rows.
    Isotonic,
    /// A logistic curve; does with some dozens.
    Sigmoid,
}

/// A fitted calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "method")]
pub enum Calibration {
    /// A rising function.
    Isotonic(Isotonic),
    /// A logistic curve.
    Sigmoid(Sigmoid),
}

/// A row that a calibration learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredRow {
    /// The probability that the classifier gives the positive class.
    pub score: f64,
    /// Whether it is of the positive class.
    pub is_positive: bool,
    /// How much it counts; above 0.
    pub weight: f64,
}

/// Why there is no calibration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// All rows are of one class.
    #[error("all {rows} rows are of one class, so nothing can be calibrated")]
    OneClass {
        /// How many rows.
        rows: usize,
    },
    /// The model does not predict the probability of one of two classes.
    #[error("the model of `{label}` does not predict the probability of one of two classes")]
    NotBinary {
        /// What it predicts.
        label: String,
    },
    /// The model is calibrated already.
    #[error("the model is calibrated already")]
    Calibrated,
    /// The curve was not found.
    #[error("the logistic curve was not found in {steps} steps")]
    NotConverged {
        /// Steps that were made.
        steps: usize,
    },
}

impl sluice_core::Diagnostic for CalibrationError {
    fn kind(&self) -> sluice_core::ErrorKind {
        match self {
            Self::NotBinary { .. } | Self::Calibrated => sluice_core::ErrorKind::Usage,
            Self::OneClass { .. } | Self::NotConverged { .. } => sluice_core::ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OneClass { .. } => {
                "calibrate on rows of both classes, which the model was not fitted on".into()
            }
            Self::NotBinary { .. } => "calibrate a model of `logistic` with two classes".into(),
            Self::Calibrated => "calibrate the model that it was made from".into(),
            Self::NotConverged { .. } => {
                "take `isotonic`, or look at the scores: they may all be 0 or 1".into()
            }
        })
    }
}

impl Calibration {
    /// Learns from some rows.
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn fit(method: CalibrationMethod, rows: &[ScoredRow]) -> Result<Self, CalibrationError> {
        let first = rows.first().map(|row| row.is_positive);
        if rows.iter().all(|row| Some(row.is_positive) == first) {
            return Err(CalibrationError::OneClass { rows: rows.len() });
        }
        match method {
            CalibrationMethod::Isotonic => Ok(Self::Isotonic(Isotonic::fit(rows))),
            CalibrationMethod::Sigmoid => Sigmoid::fit(rows).map(Self::Sigmoid),
        }
    }

    /// The probability that a score is worth; NaN stays NaN.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        match self {
            Self::Isotonic(steps) => steps.at(score),
            Self::Sigmoid(curve) => curve.at(score),
        }
    }
}

/// `ln (p / (1 - p))`, finite for every probability.
fn log_odds(score: f64) -> f64 {
    let kept = score.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
    (kept / (1.0 - kept)).ln()
}
