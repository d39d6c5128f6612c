//! Coordinates in which the penalised cross products of a problem are the identity, for figures of single rows.
//!
//! With `A = D S D`, `D` the scaling by powers of two and `S = L L'`, a row `x` becomes `q = L^-1 D^-1 (x - mean)`.
//! Then `(x - mean)' A^-1 (x - mean) = |q|^2`, the leverage but for weight and intercept, loses as many digits as the
//! columns have condition, not its square; and sums over rows of products of `q` are well conditioned.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::clean_registers;

use super::normal::Normal;
use super::power::scale;
use super::ridge::{DOUBLE_DOUBLE_FEATURES, check_alpha, solve};
use super::system::Factor;
use crate::error::SolveError;

/// The change of coordinates; columns that were dropped have none.
#[derive(Clone, Debug)]
pub struct Whitening {
    /// The features that stay, ascending.
    features: Vec<usize>,
    /// Their means; zeros without an intercept.
    means: Vec<DoubleDouble>,
    /// The power of two that each is multiplied by.
    scales: Vec<f64>,
    /// `L^-1`, lower.
    inverse: Mat<f64>,
    /// The mean of the label; 0 without an intercept.
    label_mean: DoubleDouble,
    /// One over the sum of the weights; none without an intercept.
    intercept_share: Option<f64>,
    /// All features, the dropped ones counted.
    width: usize,
}

impl Whitening {
    /// Of the problem with one penalty.
    ///
    /// # Errors
    /// Those of [`ridge()`](super::ridge()).
    pub fn new(normal: &Normal, alpha: f64) -> Result<Self, SolveError> {
        check_alpha(alpha)?;
        normal.check()?;
        let solved = solve(normal, &vec![alpha; normal.features()], alpha, DOUBLE_DOUBLE_FEATURES)?;
        let inverse = match &solved.factor {
            Factor::Exact(cholesky) => {
                let columns = cholesky.lower_inverse();
                let size = columns.len();
                Mat::from_fn(size, size, |i, j| if i < j { 0.0 } else { columns[j][i - j].to_f64() })
            }
            Factor::Refined(refined) => refined.lower_inverse(),
        };
        let system = solved.system;
        let mean = |mean: DoubleDouble| if normal.intercept { mean } else { DoubleDouble::ZERO };
        Ok(Self {
            means: system.features.iter().map(|&feature| mean(normal.means[feature])).collect(),
            scales: system.exponents.iter().map(|&exponent| scale(1.0, -exponent)).collect(),
            features: system.features,
            inverse,
            label_mean: mean(normal.label_mean),
            intercept_share: normal.intercept.then(|| 1.0 / normal.weight_sum),
            width: normal.features(),
        })
    }

    /// How many coordinates a row has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.features.len()
    }

    /// The part of every leverage that is the intercept's, where there is one.
    #[must_use]
    pub fn intercept_share(&self) -> Option<f64> {
        self.intercept_share
    }

    /// Bytes held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.size() * (self.size() * size_of::<f64>() + 32)
    }

    /// The residual of the label of one row, from differences from the means, which cancel less than values.
    #[must_use]
    pub fn residual(&self, row: &[f64], label: f64, coefficients: &[f64]) -> f64 {
        let mut residual = label - self.label_mean.high - self.label_mean.low;
        for (&feature, mean) in self.features.iter().zip(&self.means) {
            residual -= coefficients[feature] * (row[feature] - mean.high - mean.low);
        }
        residual
    }

    /// The coordinates of rows of `stride` numbers, the features first; one row after the other.
    #[must_use]
    pub fn coordinates(&self, rows: &[f64], stride: usize) -> Vec<f64> {
        let (size, count) = (self.size(), rows.len() / stride);
        let mut centered = Vec::with_capacity(count * size);
        for row in rows.chunks_exact(stride) {
            for ((&feature, mean), scale) in self.features.iter().zip(&self.means).zip(&self.scales) {
                centered.push((row[feature] - mean.high - mean.low) * scale);
            }
        }
        let mut coordinates = vec![0.0; count * size];
        if size > 0 {
            triangular::matmul(
                MatMut::from_row_major_slice_mut(&mut coordinates, count, size),
                BlockStructure::Rectangular,
                Accum::Replace,
                MatRef::from_row_major_slice(&centered, count, size),
                BlockStructure::Rectangular,
                self.inverse.as_ref().transpose(),
                BlockStructure::TriangularUpper,
                1.0,
                Par::Seq,
            );
            clean_registers();
        }
        coordinates
    }

    /// The variances of coefficients and intercept where the sum over rows of error times coordinates, with a last
    /// coordinate of 1 where there is an intercept, has the covariance `entry(i, j)`. Dropped features have 0.
    #[must_use]
    pub fn variances(&self, entry: impl Fn(usize, usize) -> f64) -> (Vec<f64>, Option<f64>) {
        let size = self.size();
        let middle = Mat::from_fn(size, size, &entry);
        let mut product = Mat::<f64>::zeros(size, size);
        matmul(product.as_mut(), Accum::Replace, middle.as_ref(), self.inverse.as_ref(), 1.0, Par::Seq);
        clean_registers();
        let mut variances = vec![0.0; self.width];
        for (j, (&feature, scale)) in self.features.iter().zip(&self.scales).enumerate() {
            let own: f64 = (j..size).map(|i| self.inverse[(i, j)] * product[(i, j)]).sum();
            variances[feature] = positive(own) * scale * scale;
        }
        let of_intercept = self.intercept_share.map(|share| {
            // The intercept is the mean of the label less the coefficients times the means.
            let own = |i: usize| -> f64 {
                let means = self.means.iter().zip(&self.scales).take(i + 1).enumerate();
                -means.map(|(j, (mean, scale))| self.inverse[(i, j)] * mean.high * scale).sum::<f64>()
            };
            let direction: Vec<f64> = (0..size).map(own).chain([share]).collect();
            let row = |(i, a): (usize, &f64)| -> f64 {
                a * direction.iter().enumerate().map(|(j, b)| entry(i, j) * b).sum::<f64>()
            };
            positive(direction.iter().enumerate().map(row).sum())
        });
        (variances, of_intercept)
    }
}

fn positive(value: f64) -> f64 {
    if value > 0.0 { value } else { 0.0 }
}
