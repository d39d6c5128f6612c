//! A logistic curve in the log-odds of the score: p = 1 / (1 + exp(−(slope · log-odds + intercept))).
//!
//! Platt, "Probabilistic Outputs for Support Vector Machines" (1999): the targets are (n₊ + 1) / (n₊ + 2) and
//! 1 / (n₋ + 2) instead of 1 and 0, n the weights of the classes, so that a class told apart without error does not
//! make the curve a step. Found by Newton's method with step halving (Lin, Lin & Weng, "A note on Platt's probabilistic
//! outputs for support vector machines", Machine Learning 68 (2007)).

use serde::{Deserialize, Serialize};

use super::{CalibrationError, ScoredRow, log_odds};

/// Newton steps at most; a dozen is usual.
const MOST_STEPS: usize = 200;

/// The gradient, per unit of weight, at which the curve is found.
const ENOUGH: f64 = 1e-13;

/// A curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid {
    /// By how much log-odds rise with those of the score.
    slope: f64,
    /// The log-odds at a score of one half.
    intercept: f64,
}

/// A row as Newton's method sees it.
struct Row {
    odds: f64,
    target: f64,
    weight: f64,
}

impl Sigmoid {
    /// Of rows of both classes.
    ///
    /// # Errors
    /// [`CalibrationError::NotConverged`].
    pub(super) fn fit(rows: &[ScoredRow]) -> Result<Self, CalibrationError> {
        let class = |positive: bool| -> f64 {
            rows.iter().filter(|row| row.is_positive == positive).map(|row| row.weight).sum()
        };
        let (positive, negative) = (class(true), class(false));
        let targets = [(negative + 2.0).recip(), (positive + 1.0) / (positive + 2.0)];
        let rows: Vec<Row> = rows
            .iter()
            .map(|row| Row {
                odds: log_odds(row.score),
                target: targets[usize::from(row.is_positive)],
                weight: row.weight,
            })
            .collect();
        let mut curve = Self { slope: 0.0, intercept: ((positive + 1.0) / (negative + 1.0)).ln() };
        let mut loss = curve.loss(&rows);
        for _ in 0..MOST_STEPS {
            let [along_slope, along_intercept, step_slope, step_intercept] = curve.newton(&rows);
            if along_slope.abs() + along_intercept.abs() <= ENOUGH * (positive + negative) {
                return Ok(curve);
            }
            let mut length = 1.0;
            let next = loop {
                let next = Self {
                    slope: curve.slope - length * step_slope,
                    intercept: curve.intercept - length * step_intercept,
                };
                let next_loss = next.loss(&rows);
                if next_loss < loss {
                    loss = next_loss;
                    break Some(next);
                }
                length /= 2.0;
                if length < 1e-12 {
                    break None;
                }
            };
            match next {
                Some(next) => curve = next,
                // No step makes the loss less: rounding is all that is left.
                None => return Ok(curve),
            }
        }
        Err(CalibrationError::NotConverged { steps: MOST_STEPS })
    }

    /// The probability at a score.
    pub(super) fn at(&self, score: f64) -> f64 {
        logistic(self.slope * log_odds(score) + self.intercept)
    }

    fn loss(&self, rows: &[Row]) -> f64 {
        let of_row = |row: &Row| {
            let sum = self.slope * row.odds + self.intercept;
            // ln(1 + e^s) − t s, without overflow.
            let softplus = if sum > 0.0 { sum + (-sum).exp().ln_1p() } else { sum.exp().ln_1p() };
            row.weight * (softplus - row.target * sum)
        };
        rows.iter().map(of_row).sum()
    }

    /// The gradient by slope and intercept, and Newton's step.
    fn newton(&self, rows: &[Row]) -> [f64; 4] {
        let (mut by_slope, mut by_intercept) = (0.0, 0.0);
        let (mut square, mut mixed, mut plain) = (0.0, 0.0, 0.0);
        for row in rows {
            let probability = logistic(self.slope * row.odds + self.intercept);
            let error = row.weight * (probability - row.target);
            let curvature = row.weight * probability * (1.0 - probability);
            by_slope += error * row.odds;
            by_intercept += error;
            square += curvature * row.odds * row.odds;
            mixed += curvature * row.odds;
            plain += curvature;
        }
        // Little enough to change no digit, enough to solve where all scores are one.
        let ridge = 1e-12 * (square + plain);
        let (square, plain) = (square + ridge, plain + ridge);
        let determinant = square * plain - mixed * mixed;
        [
            by_slope,
            by_intercept,
            (plain * by_slope - mixed * by_intercept) / determinant,
            (square * by_intercept - mixed * by_slope) / determinant,
        ]
    }
}

fn logistic(sum: f64) -> f64 {
    if sum >= 0.0 {
        (1.0 + (-sum).exp()).recip()
    } else {
        let small = sum.exp();
        small / (1.0 + small)
    }
}
