//! Systems with a penalty for each unknown, by the machinery of ridge regression: scaled by powers of two, factored in
//! double-double, or in `f64` and refined where there are many unknowns.
//!
//! Solves (F + P + N) x = g: `F` a positive semidefinite matrix, `P` diagonal, and `N` what the caller adds where it
//! knows that `F` does not decide. Unknowns that are 0 throughout, or at penalty 0 determined by earlier ones, are 0.

use super::normal::Normal;
use super::packed::Packed;
use super::power::{exponent, scale, scale_pair};
use super::ridge::{DOUBLE_DOUBLE_FEATURES, solve};
use super::system::Solved;
use crate::error::SolveError;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::clean_registers;

/// A system with a penalty for each unknown.
#[derive(Debug)]
pub(crate) struct Penalised {
    /// `F + N`.
    pub(crate) matrix: Packed,
    /// The right side.
    pub(crate) right: Vec<DoubleDouble>,
    /// The diagonal of `P`.
    pub(crate) penalties: Vec<f64>,
    /// What the user calls the penalty; 0 lets unknowns that others determine be left out.
    pub(crate) alpha: f64,
    /// Rows that it was added up from.
    pub(crate) rows: u64,
}

/// A system with its solution.
#[derive(Debug)]
pub(crate) struct PenalisedSolution {
    solved: Solved,
    size: usize,
}

impl Penalised {
    /// Solves the system.
    ///
    /// # Errors
    /// [`SolveError::SumNotFinite`], [`SolveError::PenaltyTooSmall`].
    pub(crate) fn solve(self) -> Result<PenalisedSolution, SolveError> {
        let size = self.matrix.size();
        let normal = Normal {
            cross: self.matrix,
            label_cross: self.right,
            label_square: DoubleDouble::ZERO,
            means: vec![DoubleDouble::ZERO; size],
            label_mean: DoubleDouble::ZERO,
            rows: self.rows,
            weight_sum: self.rows as f64,
            intercept: false,
            relative_error: Normal::BLOCKED,
        };
        normal.check()?;
        let solved = solve(&normal, &self.penalties, self.alpha, DOUBLE_DOUBLE_FEATURES)?;
        Ok(PenalisedSolution { solved, size })
    }
}

impl PenalisedSolution {
    /// One number per unknown; 0 for those left out.
    pub(crate) fn solution(&self) -> Vec<f64> {
        self.solved.coefficients(self.size).into_iter().map(DoubleDouble::to_f64).collect()
    }

    /// Unknowns that are 0 throughout.
    pub(crate) fn constant(&self) -> &[usize] {
        &self.solved.system.constant
    }

    /// Unknowns that others determine.
    pub(crate) fn aliased(&self) -> &[usize] {
        &self.solved.system.aliased
    }

    /// What the factor says about the precision of the solution, given the matrix `F` without penalties.
    pub(crate) fn precision(&self, information: &Packed) -> Precision {
        let system = &self.solved.system;
        let inverse = self.solved.inverse();
        let kept = &system.features;
        let size = kept.len();
        let dense = Mat::from_fn(size, size, |i, j| inverse.at(i, j).high);
        let plain = Mat::from_fn(size, size, |i, j| {
            let entry = information.at(kept[i], kept[j]);
            scale_pair(scale_pair(entry, -system.exponents[i]), -system.exponents[j]).high
        });
        let mut product = Mat::<f64>::zeros(size, size);
        matmul(product.as_mut(), Accum::Replace, plain.as_ref(), dense.as_ref(), 1.0, Par::Seq);
        let mut covariance = Mat::<f64>::zeros(size, size);
        matmul(covariance.as_mut(), Accum::Replace, dense.as_ref(), product.as_ref(), 1.0, Par::Seq);
        clean_registers();
        let condition = if size == 0 { 1.0 } else { system.matrix.norm() * inverse.norm() };
        Precision {
            unknowns: self.size,
            kept: kept.clone(),
            exponents: system.exponents.clone(),
            effective_degrees: (0..size).map(|i| product[(i, i)]).sum(),
            covariance,
            condition,
        }
    }
}

/// The covariance A⁻¹ F A⁻¹ of the solution, with A the whole matrix of the system.
#[derive(Debug)]
pub(crate) struct Precision {
    unknowns: usize,
    kept: Vec<usize>,
    exponents: Vec<i32>,
    /// Of the scaled unknowns that are kept.
    covariance: Mat<f64>,
    /// The trace of A⁻¹ F.
    pub(crate) effective_degrees: f64,
    /// The condition number in the 1-norm of the scaled system.
    pub(crate) condition: f64,
}

impl Precision {
    /// The variance of each unknown; 0 for those left out.
    pub(crate) fn variances(&self) -> Vec<f64> {
        let mut variances = vec![0.0; self.unknowns];
        for (place, &unknown) in self.kept.iter().enumerate() {
            variances[unknown] = scale(self.covariance[(place, place)], -2 * self.exponents[place]);
        }
        variances
    }

    /// The variance of Σ `factors` x unknown.
    pub(crate) fn variance_of(&self, factors: &[f64]) -> f64 {
        let scaled: Vec<f64> =
            self.kept.iter().zip(&self.exponents).map(|(&unknown, e)| scale(factors[unknown], -e)).collect();
        // Squares of the largest factors may leave the range.
        let largest =
            scaled.iter().fold(0.0_f64, |most, factor| if factor.abs() > most { factor.abs() } else { most });
        let back = exponent(largest);
        let scaled: Vec<f64> = scaled.into_iter().map(|factor| scale(factor, -back)).collect();
        let mut variance = DoubleDouble::ZERO;
        for (i, &a) in scaled.iter().enumerate() {
            for (j, &b) in scaled.iter().enumerate() {
                variance = variance + DoubleDouble::product(a, b) * self.covariance[(i, j)];
            }
        }
        scale(variance.to_f64(), 2 * back)
    }
}

#[cfg(test)]
mod tests {
    use super::{DoubleDouble, Packed, Penalised};
    use sluice_testkit::assert_relative;

    fn solve(
        entries: [[f64; 2]; 2],
        right: [f64; 2],
        penalties: [f64; 2],
        alpha: f64,
    ) -> super::PenalisedSolution {
        let matrix = Packed::from_fn(2, |i, j| DoubleDouble::from(entries[i][j]));
        let right = right.map(DoubleDouble::from).to_vec();
        Penalised { matrix, right, penalties: penalties.to_vec(), alpha, rows: 10 }.solve().unwrap()
    }

    #[test]
    fn solution_and_variances_by_hand() {
        let entries = [[4.0, 1.0], [1.0, 3.0]];
        let information = Packed::from_fn(2, |i, j| DoubleDouble::from(entries[i][j]));
        let found = solve(entries, [1.0, 2.0], [0.0, 0.0], 0.0);
        assert_relative(found.solution()[0], 1.0 / 11.0, 1e-15);
        assert_relative(found.solution()[1], 7.0 / 11.0, 1e-15);
        let precision = found.precision(&information);
        assert_relative(precision.variances()[0], 3.0 / 11.0, 1e-14);
        // The inverse is [[3, -1], [-1, 4]] / 11.
        assert_relative(precision.variance_of(&[1.0, -2.0]), (3.0 + 4.0 + 16.0) / 11.0, 1e-14);
        assert_relative(precision.effective_degrees, 2.0, 1e-14);
        // With a penalty of 1 on the second: A = [[4, 1], [1, 4]], A⁻¹ = [[4, -1], [-1, 4]] / 15.
        let found = solve(entries, [1.0, 2.0], [0.0, 1.0], 1.0);
        assert_relative(found.solution()[1], 7.0 / 15.0, 1e-15);
        // A⁻¹ − A⁻¹ P A⁻¹, entry 2: 4/15 − 16/225.
        assert_relative(found.precision(&information).variances()[1], 44.0 / 225.0, 1e-13);
    }

    #[test]
    fn what_others_determine_is_left_out_without_penalty() {
        let found = solve([[4.0, 2.0], [2.0, 1.0]], [2.0, 1.0], [0.0, 0.0], 0.0);
        assert_eq!((found.aliased(), found.constant()), (&[1][..], &[][..]));
        assert_eq!(found.solution(), [0.5, 0.0]);
        let found = solve([[0.0, 0.0], [0.0, 1.0]], [0.0, 1.0], [0.0, 0.0], 0.0);
        assert_eq!((found.constant(), found.aliased()), (&[0][..], &[][..]));
    }
}
