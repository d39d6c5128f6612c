//! Ridge regression from the rows themselves, for data that fit in memory.
//!
//! Columns, label and weights are scaled by powers of two, means and centred cross products are summed in
//! double-double (`gram`), solved by `ridge`, and the solution is refined with residuals of the rows in
//! double-double: corrected semi-normal equations (Björck, Numerical Methods for Least Squares Problems,
//! 1996, section 2.4.6), where the system need only be solved roughly. The squared condition of the scaled,
//! centred columns still decides whether refinement converges: up to a condition of some 2^43 = 1e13 (past it
//! columns count as dependent, see `system`) results keep 13 digits and more, far above Longley's data
//! (condition 5e9 raw, some 150 centred and scaled). Rows with weight zero take no part, but must be finite
//! too.
//!
//! One thread. Time is rows times squared features over 2, at some 3 ns; memory is that of the sums.

use super::dot::dot;
use super::gram::Gram;
use super::minimise::finish_selected;
use super::normal::Normal;
use super::objective::{Objective, Penalties};
use super::packed::Packed;
use super::power::{exponent, scale, scale_pair};
use super::refined::{add, correction_share};
use super::ridge::{DOUBLE_DOUBLE_FEATURES, check_alpha, finish, solve};
use super::selection::Descent;
use super::solution::RidgeSolution;
use super::system::Solved;
use crate::error::{Part, SolveError};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::gram::Remainders;

/// A table of features with labels and weights.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The number of features, that is, of columns of `values`.
    pub features: usize,
    /// The features, row after row.
    pub values: &'a [f64],
    /// One label per row.
    pub label: &'a [f64],
    /// One weight per row, finite and at least 0; all 1 when absent.
    pub weights: Option<&'a [f64]>,
    /// Whether an intercept is fitted.
    pub intercept: bool,
}

/// Rows whose sums are taken, to be solved for several penalties.
#[derive(Debug)]
pub struct PreparedRows<'a> {
    rows: Rows<'a>,
    remainders: Remainders<'a>,
    /// Binary exponents of the features and, last, of the label.
    exponents: Vec<i32>,
    weight_exponent: i32,
    /// Means of the scaled features and, last, of the scaled label; zeros without an intercept.
    centers: Vec<DoubleDouble>,
    /// The problem in scaled units.
    normal: Normal,
}

/// Solves for one penalty from rows.
///
/// # Errors
///
/// Those of [`PreparedRows::new`] and [`PreparedRows::ridge`].
pub fn ridge_rows(rows: Rows<'_>, alpha: f64) -> Result<RidgeSolution, SolveError> {
    check_alpha(alpha)?;
    PreparedRows::new(rows)?.ridge(alpha)
}

impl<'a> PreparedRows<'a> {
    /// Checks the rows and takes their sums.
    ///
    /// # Errors
    ///
    /// [`SolveError::LengthMismatch`], [`SolveError::FeatureNotFinite`], [`SolveError::LabelNotFinite`],
    /// [`SolveError::WeightOutOfRange`], [`SolveError::RowsMissing`].
    pub fn new(rows: Rows<'a>) -> Result<Self, SolveError> {
        Self::exact(rows, Remainders::default())
    }

    /// The same for rows of which some features were rounded.
    ///
    /// # Errors
    ///
    /// As [`PreparedRows::new`].
    pub fn exact(rows: Rows<'a>, remainders: Remainders<'a>) -> Result<Self, SolveError> {
        rows.check()?;
        let expected = rows.label.len() * remainders.columns.len();
        if remainders.values.len() != expected {
            let found = remainders.values.len();
            return Err(SolveError::LengthMismatch { part: Part::Values, found, expected });
        }
        let weight_exponent = match rows.weights {
            Some(weights) => weights.iter().map(|&w| exponent_or_least(w)).max().unwrap_or(0),
            None => 0,
        };
        let mut exponents = vec![i32::MIN; rows.features + 1];
        for index in rows.used() {
            for (most, value) in exponents.iter_mut().zip(rows.numbers(index)) {
                *most = (*most).max(exponent_or_least(value));
            }
        }
        let mut prepared = Self {
            centers: vec![DoubleDouble::ZERO; rows.features + 1],
            normal: Normal {
                cross: Packed::zero(0),
                label_cross: Vec::new(),
                label_square: DoubleDouble::ZERO,
                means: Vec::new(),
                label_mean: DoubleDouble::ZERO,
                rows: 0,
                weight_sum: 0.0,
                intercept: rows.intercept,
                relative_error: Normal::EXACT,
            },
            exponents: exponents.into_iter().map(|e| if e == i32::MIN { 0 } else { e }).collect(),
            rows,
            remainders,
            weight_exponent,
        };
        prepared.center();
        prepared.sum();
        prepared.normal.check()?;
        Ok(prepared)
    }

    /// The sums in the units of the rows, for [`ridge()`](super::ridge()) or to be stored.
    #[must_use]
    pub fn normal(&self) -> Normal {
        let (label, features) = (self.exponents[self.rows.features], &self.exponents);
        let weight = self.weight_exponent;
        let own = &self.normal;
        Normal {
            cross: Packed::from_fn(own.features(), |i, j| {
                scale_pair(own.cross.at(i, j), features[i] + features[j] + weight)
            }),
            label_cross: own
                .label_cross
                .iter()
                .zip(features)
                .map(|(&sum, feature)| scale_pair(sum, feature + label + weight))
                .collect(),
            label_square: scale_pair(own.label_square, 2 * label + weight),
            means: own
                .means
                .iter()
                .zip(features)
                .map(|(&mean, &feature)| scale_pair(mean, feature))
                .collect(),
            label_mean: scale_pair(own.label_mean, label),
            weight_sum: scale(own.weight_sum, weight),
            ..*own
        }
    }

    /// Solves for one penalty.
    ///
    /// # Errors
    ///
    /// [`SolveError::AlphaOutOfRange`], [`SolveError::PenaltyTooSmall`],
    /// [`SolveError::CoefficientNotFinite`], [`SolveError::InterceptNotFinite`].
    pub fn ridge(&self, alpha: f64) -> Result<RidgeSolution, SolveError> {
        self.ridge_above(alpha, DOUBLE_DOUBLE_FEATURES)
    }

    pub(super) fn ridge_above(&self, alpha: f64, float_above: usize) -> Result<RidgeSolution, SolveError> {
        self.minimise_above(&Objective::ridge(alpha), float_above)
    }

    /// Solves for any penalties.
    ///
    /// # Errors
    ///
    /// As [`PreparedRows::ridge`], and [`SolveError::NotConverged`].
    pub fn minimise(&self, objective: &Objective) -> Result<RidgeSolution, SolveError> {
        self.minimise_above(objective, DOUBLE_DOUBLE_FEATURES)
    }

    fn minimise_above(&self, objective: &Objective, float_above: usize) -> Result<RidgeSolution, SolveError> {
        objective.check()?;
        let features = &self.exponents[..self.rows.features];
        let penalties = self.penalties(objective);
        let solution = if objective.selects() {
            let mut selected = Descent::new(&self.normal).select(&self.normal, &penalties, float_above)?;
            let residual_square = self.refine(&mut selected.solved, &penalties.square, &selected.pulls);
            let mut solution =
                finish_selected(&self.normal, &selected.solved, objective.alpha, residual_square)?;
            if objective.non_negative {
                // What a correction of the last digit may have brought below 0.
                solution.coefficients.iter_mut().filter(|c| **c < 0.0).for_each(|c| *c = 0.0);
            }
            solution
        } else {
            let mut solved = solve(&self.normal, &penalties.square, penalties.square_alpha, float_above)?;
            let residual_square = self.refine(&mut solved, &penalties.square, &penalties.absolute);
            finish(&self.normal, &solved, objective.alpha, residual_square)?
        };
        let solution = solution.rescale(features, self.exponents[self.rows.features], self.weight_exponent);
        match solution.coefficients.iter().position(|c| !c.is_finite()) {
            Some(feature) => Err(SolveError::CoefficientNotFinite { feature }),
            None if !solution.intercept.is_finite() => Err(SolveError::InterceptNotFinite),
            None => Ok(solution),
        }
    }

    /// The penalties in scaled units.
    fn penalties(&self, objective: &Objective) -> Penalties {
        let (features, label) = (&self.exponents[..self.rows.features], self.exponents[self.rows.features]);
        let weight = self.weight_exponent;
        let each = |penalty: f64, exponent: &dyn Fn(i32) -> i32| -> Vec<f64> {
            features.iter().map(|&e| scaled_penalty(penalty, exponent(e))).collect()
        };
        Penalties {
            square_alpha: objective.square_alpha(),
            absolute: each(objective.absolute, &|e| -e - label - weight),
            square: each(objective.square, &|e| -2 * e - weight),
            non_negative: objective.non_negative,
        }
    }

    /// Corrects the solution until corrections stop shrinking, and gives the sum of squared residuals; `pulls` is
    /// the slope of the penalties of magnitudes.
    fn refine(&self, solved: &mut Solved, penalties: &[f64], pulls: &[f64]) -> f64 {
        const STEPS: usize = 8;
        const NEGLIGIBLE: f64 = 1.0 / (1_u128 << 64) as f64;
        let mut previous = f64::INFINITY;
        for _ in 0..STEPS {
            let coefficients = solved.coefficients(self.rows.features);
            let (gradient, residual_square) = self.residuals(&coefficients, penalties, pulls);
            let correction = solved.correction(&gradient);
            let share = correction_share(&correction, &solved.solution);
            if !(share < previous / 2.0) {
                return residual_square;
            }
            add(&mut solved.solution, &correction);
            solved.refinements += 1;
            // The square is stationary at the solution: what this correction changes in it is far below f64.
            if share <= NEGLIGIBLE {
                return residual_square;
            }
            previous = share;
        }
        self.residuals(&solved.coefficients(self.rows.features), penalties, pulls).1
    }

    /// The negative gradient of the objective, `X'W r - P c - pulls`, and `r'W r`.
    fn residuals(
        &self,
        coefficients: &[DoubleDouble],
        penalties: &[f64],
        pulls: &[f64],
    ) -> (Vec<DoubleDouble>, f64) {
        let own = |((&c, &penalty), &pull): ((&DoubleDouble, &f64), &f64)| -(c * penalty) + -pull;
        let mut gradient: Vec<_> = coefficients.iter().zip(penalties).zip(pulls).map(own).collect();
        let mut square = DoubleDouble::ZERO;
        self.each(|row, weight| {
            let (label, features) = (row[self.rows.features], &row[..self.rows.features]);
            let residual = label - dot(features, coefficients);
            let weighted = residual * weight;
            for (sum, &x) in gradient.iter_mut().zip(features) {
                *sum = *sum + x * weighted;
            }
            square = square + residual * weighted;
        });
        (gradient, square.to_f64())
    }

    /// Fills counts and centers.
    fn center(&mut self) {
        let mut weight_sum = DoubleDouble::ZERO;
        let mut sums = vec![DoubleDouble::ZERO; self.centers.len()];
        let mut first: Option<Vec<DoubleDouble>> = None;
        let mut varies = vec![false; self.centers.len()];
        let mut rows = 0;
        self.each(|row, weight| {
            let first = first.get_or_insert_with(|| row.to_vec());
            for (column, &value) in row.iter().enumerate() {
                sums[column] = sums[column] + value * weight;
                varies[column] |= value != first[column];
            }
            weight_sum = weight_sum + weight;
            rows += 1;
        });
        self.normal.rows = rows;
        self.normal.weight_sum = weight_sum.to_f64();
        if let (true, Some(first)) = (self.rows.intercept, first) {
            for (column, center) in self.centers.iter_mut().enumerate() {
                // The mean of equal numbers is that number; the quotient might miss it by a rounding.
                *center = if varies[column] { sums[column] / weight_sum } else { first[column] };
            }
        }
    }

    /// Fills the sums.
    fn sum(&mut self) {
        let features = self.rows.features;
        let mut gram = Gram::new(features + 1);
        self.each(|row, weight| gram.push(row, weight));
        let gram = gram.finish();
        self.normal.cross = Packed::from_fn(features, |i, j| gram.at(i, j));
        self.normal.label_cross = gram.row(features)[..features].to_vec();
        self.normal.label_square = gram.at(features, features);
        self.normal.means = self.centers[..features].to_vec();
        self.normal.label_mean = self.centers[features];
    }

    /// Calls `visit` with each row that takes part, scaled and centered, label last, and its scaled weight.
    fn each(&self, mut visit: impl FnMut(&[DoubleDouble], f64)) {
        let mut row = vec![DoubleDouble::ZERO; self.exponents.len()];
        for index in self.rows.used() {
            let scaled = self.rows.numbers(index).zip(&self.exponents).map(|(value, e)| scale(value, -e));
            for ((place, value), &center) in row.iter_mut().zip(scaled).zip(&self.centers) {
                *place = -center + value;
            }
            let own = self.remainders.rows(index, 1);
            for (&column, &remainder) in own.columns.iter().zip(own.values) {
                row[column] = row[column] + scale(remainder, -self.exponents[column]);
            }
            visit(&row, scale(self.rows.weight(index), -self.weight_exponent));
        }
    }
}

impl Rows<'_> {
    fn check(&self) -> Result<(), SolveError> {
        let rows = self.label.len();
        let expected = rows.saturating_mul(self.features);
        if self.values.len() != expected {
            let found = self.values.len();
            return Err(SolveError::LengthMismatch { part: Part::Values, found, expected });
        }
        if let Some(weights) = self.weights {
            if weights.len() != rows {
                let found = weights.len();
                return Err(SolveError::LengthMismatch { part: Part::Weights, found, expected: rows });
            }
            if let Some(row) = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
                return Err(SolveError::WeightOutOfRange { row, value: weights[row] });
            }
        }
        if let Some(place) = self.values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (place / self.features, place % self.features);
            return Err(SolveError::FeatureNotFinite { row, column, value: self.values[place] });
        }
        if let Some(row) = self.label.iter().position(|value| !value.is_finite()) {
            return Err(SolveError::LabelNotFinite { row, value: self.label[row] });
        }
        if self.used().next().is_none() { Err(SolveError::RowsMissing) } else { Ok(()) }
    }

    fn used(&self) -> impl Iterator<Item = usize> + use<'_> {
        (0..self.label.len()).filter(|&index| self.weight(index) > 0.0)
    }

    fn weight(&self, index: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[index])
    }

    /// The features of one row and then its label.
    fn numbers(&self, index: usize) -> impl Iterator<Item = f64> + use<'_> {
        let row = &self.values[index * self.features..][..self.features];
        row.iter().copied().chain([self.label[index]])
    }
}

/// The exponent of a number; the least there is for zero, so that any other number has a larger one.
fn exponent_or_least(value: f64) -> i32 {
    if value == 0.0 { i32::MIN } else { exponent(value) }
}

/// `alpha * 2^exponent`, at most 2^900, where a coefficient is 0 in any digit that could be told.
fn scaled_penalty(alpha: f64, exponent: i32) -> f64 {
    let penalty = scale(alpha, exponent);
    let most = scale(1.0, 900);
    if penalty > most { most } else { penalty }
}
