//! The penalised normal equations with columns scaled by powers of two, and their factor.
//!
//! Column `j` is divided by `2^e` such that its penalised sum of squares lies in [1, 4): van der Sluis
//! ("Condition numbers and equilibration of matrices", Numer. Math. 14, 1969, theorem 4.1) shows that no
//! other scaling of columns has a condition number much better. Powers of two change no digit, so a model of
//! a column times 2^k is the same model with that coefficient times 2^-k, to the last bit (at penalty 0).

use super::cholesky::Cholesky;
use super::normal::Normal;
use super::packed::Packed;
use super::power::{exponent, scale, scale_pair};
use super::refined::{self, Refined};
use super::solution::Method;
use crate::error::SolveError;
use sluice_core::double_double::DoubleDouble;

/// The relative distance, squared, below which columns of `f64` cannot be told from dependent ones: 2^-86,
/// that is some thousand roundings of the data.
const DATA_ROUNDING: f64 = 1.0 / (1_u128 << 86) as f64;

/// A scaled system, reduced to the columns that stay.
#[derive(Debug)]
pub(super) struct System {
    /// The features that stay, ascending.
    pub(super) features: Vec<usize>,
    /// Features that do not vary.
    pub(super) constant: Vec<usize>,
    /// Features that others determine.
    pub(super) aliased: Vec<usize>,
    /// The binary exponent that scales each column.
    pub(super) exponents: Vec<i32>,
    /// Cross products plus penalties.
    pub(super) matrix: Packed,
    /// Cross products with the label.
    pub(super) right: Vec<DoubleDouble>,
    /// The penalty of each scaled column.
    pub(super) penalties: Vec<f64>,
}

/// The factor of a [`System`].
#[derive(Debug)]
pub(super) enum Factor {
    /// In double-double.
    Exact(Cholesky),
    /// In `f64`.
    Refined(Refined),
}

/// A system with factor and solution, both scaled.
#[derive(Debug)]
pub(super) struct Solved {
    /// The system, without aliased columns.
    pub(super) system: System,
    /// Its factor.
    pub(super) factor: Factor,
    /// Its solution.
    pub(super) solution: Vec<DoubleDouble>,
    /// The corrections applied so far.
    pub(super) refinements: usize,
}

impl System {
    /// Scales the problem; `penalties` has one entry per feature.
    pub(super) fn new(normal: &Normal, penalties: &[f64]) -> Self {
        let (constant, features): (Vec<_>, Vec<_>) =
            (0..normal.features()).partition(|&feature| normal.is_constant(feature));
        let penalised = |feature: usize| normal.cross.at(feature, feature) + penalties[feature];
        let exponents: Vec<i32> =
            features.iter().map(|&feature| exponent(penalised(feature).high).div_euclid(2)).collect();
        let matrix = Packed::from_fn(features.len(), |row, column| {
            let entry = normal.cross.at(features[row], features[column]);
            let entry = if row == column { entry + penalties[features[row]] } else { entry };
            // Twice, because the two exponents together may leave the range.
            scale_pair(scale_pair(entry, -exponents[row]), -exponents[column])
        });
        let pairs = || features.iter().zip(&exponents);
        Self {
            right: pairs().map(|(&feature, e)| scale_pair(normal.label_cross[feature], -e)).collect(),
            penalties: pairs().map(|(&feature, e)| scale(penalties[feature], -2 * e)).collect(),
            aliased: Vec::new(),
            features,
            constant,
            exponents,
            matrix,
        }
    }

    /// Factors and solves, in `f64` first where the system has more than `float_above` columns.
    ///
    /// # Errors
    ///
    /// [`SolveError::PenaltyTooSmall`] where a penalised column cannot be told from others.
    pub(super) fn solve(
        mut self,
        relative_error: f64,
        alpha: f64,
        float_above: usize,
    ) -> Result<Solved, SolveError> {
        let tolerance = self.tolerance(relative_error, alpha);
        let threshold =
            |system: &Self, i: usize| tolerance * (system.matrix.at(i, i).high - system.penalties[i]);
        if self.matrix.size() > float_above
            && let Some(refined) = Refined::new(&self.matrix, |i| threshold(&self, i))
            && let Some((solution, refinements)) = refined.solve(&self.matrix, &self.right)
        {
            return Ok(Solved { system: self, factor: Factor::Refined(refined), solution, refinements });
        }
        let cholesky = Cholesky::new(&self.matrix, |i| threshold(&self, i));
        if cholesky.kept.len() < self.matrix.size() {
            if alpha > 0.0 {
                return Err(self.penalty_too_small(&cholesky, alpha, tolerance));
            }
            self.keep(&cholesky.kept);
        }
        let solution = cholesky.solve(&self.right);
        Ok(Solved { system: self, factor: Factor::Exact(cholesky), solution, refinements: 0 })
    }

    /// The smallest pivot, relative to the diagonal, that is more than noise.
    fn tolerance(&self, relative_error: f64, alpha: f64) -> f64 {
        let noise = 4.0 * self.matrix.size() as f64 * relative_error;
        // With a penalty the solution is continuous in the data, and their rounding does not decide.
        if alpha == 0.0 && noise < DATA_ROUNDING { DATA_ROUNDING } else { noise }
    }

    fn penalty_too_small(&self, cholesky: &Cholesky, alpha: f64, tolerance: f64) -> SolveError {
        let mut worst = (0, 0.0);
        for position in (0..self.features.len()).filter(|i| cholesky.kept.binary_search(i).is_err()) {
            let penalty = self.penalties[position];
            let factor = 2.0 * tolerance * (self.matrix.at(position, position).high - penalty) / penalty;
            if factor > worst.1 {
                worst = (position, factor);
            }
        }
        SolveError::PenaltyTooSmall { alpha, feature: self.features[worst.0], smallest: alpha * worst.1 }
    }

    /// Reduces the system to the columns at `kept`; the others are aliased.
    fn keep(&mut self, kept: &[usize]) {
        let all = 0..self.features.len();
        self.aliased = all.filter(|i| kept.binary_search(i).is_err()).map(|i| self.features[i]).collect();
        self.matrix = self.matrix.select(kept);
        self.features = kept.iter().map(|&i| self.features[i]).collect();
        self.exponents = kept.iter().map(|&i| self.exponents[i]).collect();
        self.right = kept.iter().map(|&i| self.right[i]).collect();
        self.penalties = kept.iter().map(|&i| self.penalties[i]).collect();
    }
}

impl Solved {
    /// The coefficients of all features, in the units of the problem.
    pub(super) fn coefficients(&self, features: usize) -> Vec<DoubleDouble> {
        let mut coefficients = vec![DoubleDouble::ZERO; features];
        let System { features, exponents, .. } = &self.system;
        for ((&feature, &exponent), &x) in features.iter().zip(exponents).zip(&self.solution) {
            coefficients[feature] = scale_pair(x, -exponent);
        }
        coefficients
    }

    /// The change of the scaled solution that takes away `gradient`, one entry per feature of the problem.
    pub(super) fn correction(&self, gradient: &[DoubleDouble]) -> Vec<DoubleDouble> {
        let System { features, exponents, .. } = &self.system;
        let right: Vec<_> =
            features.iter().zip(exponents).map(|(&f, e)| scale_pair(gradient[f], -e)).collect();
        match &self.factor {
            Factor::Exact(cholesky) => cholesky.solve(&right),
            Factor::Refined(refined) => refined.solve_once(&right),
        }
    }

    /// The weighted sum of squared residuals: `y'y - 2 x'b + x'(A - P)x`, in double-double, not below 0.
    pub(super) fn residual_square(&self, label_square: DoubleDouble) -> f64 {
        let System { matrix, right, penalties, .. } = &self.system;
        let product = matrix.multiply(&self.solution);
        let mut square = label_square;
        for (i, &x) in self.solution.iter().enumerate() {
            square = square + x * (product[i] - right[i] * 2.0 - x * penalties[i]);
        }
        if square.high > 0.0 { square.high } else { 0.0 }
    }

    /// The inverse of the scaled, penalised matrix.
    pub(super) fn inverse(&self) -> Packed {
        match &self.factor {
            Factor::Exact(cholesky) => cholesky.inverse(),
            Factor::Refined(refined) => refined.inverse(),
        }
    }

    /// The diagonal of `A^-1 G A^-1`, `G` being the matrix `A` without penalties.
    pub(super) fn sandwich(&self, inverse: &Packed) -> Vec<DoubleDouble> {
        let System { matrix, penalties, .. } = &self.system;
        if let Factor::Refined(_) = self.factor {
            return refined::sandwich(matrix, penalties, inverse);
        }
        // As A^-1 - A^-1 P A^-1: what cancels leaves enough of double-double, and time is quadratic.
        let entry = |i: usize| {
            penalties.iter().enumerate().fold(inverse.at(i, i), |sum, (k, &penalty)| {
                if penalty == 0.0 { sum } else { sum - inverse.at(i, k) * inverse.at(i, k) * penalty }
            })
        };
        (0..matrix.size()).map(entry).collect()
    }

    /// How the system was factored.
    pub(super) fn method(&self) -> Method {
        match &self.factor {
            Factor::Exact(_) => Method::DoubleDouble,
            Factor::Refined(_) => Method::Refined,
        }
    }
}
