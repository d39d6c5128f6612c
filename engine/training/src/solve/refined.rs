//! Cholesky factor of a large system in `f64`, whose solutions are refined to double-double.
//!
//! Residuals of the normal equations are taken in double-double; each correction shrinks the error by some
//! `n * condition * 2^-53` (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section
//! 12.1), until corrections stop shrinking. The factor is used only where every pivot is far above the
//! rounding of `f64`; else, or where refinement stalls, the caller factors in double-double, which costs some
//! ten times as much. One thread, so that the bits do not depend on how many there are.

use super::packed::Packed;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_inverse;
use faer::{Accum, Mat, Par};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::clean_registers;

/// Below this share of the largest entry a correction changes no digit that is kept.
const NEGLIGIBLE: f64 = 1.0 / (1_u128 << 80) as f64;
/// A refinement that stops above this share has not converged.
const CONVERGED: f64 = 1.0 / (1_u128 << 60) as f64;
/// Corrections at most.
const STEPS: usize = 40;

/// A factor in `f64`.
#[derive(Debug)]
pub(super) struct Refined {
    lower: Mat<f64>,
}

impl Refined {
    /// Factors `matrix`; none where a pivot does not pass the threshold of its row, or is so small beside the
    /// diagonal that `f64` says nothing about it.
    pub(super) fn new(matrix: &Packed, threshold: impl Fn(usize) -> f64) -> Option<Self> {
        let size = matrix.size();
        let mut lower = Mat::from_fn(size, size, |i, j| if j <= i { matrix.at(i, j).high } else { 0.0 });
        let need = llt::factor::cholesky_in_place_scratch::<f64>(size, Par::Seq, Default::default());
        let mut buffer = MemBuffer::new(need);
        let factored = llt::factor::cholesky_in_place(
            lower.as_mut(),
            Default::default(),
            Par::Seq,
            MemStack::new(&mut buffer),
            Default::default(),
        );
        clean_registers();
        factored.ok()?;
        let noise = 64.0 * size as f64 * f64::EPSILON;
        let sound = |i: usize| {
            let pivot = lower[(i, i)] * lower[(i, i)];
            pivot > threshold(i) && pivot > noise * matrix.at(i, i).high
        };
        (0..size).all(sound).then_some(Self { lower })
    }

    /// The solution in `f64`.
    pub(super) fn solve_once(&self, right: &[DoubleDouble]) -> Vec<DoubleDouble> {
        let mut solution = Mat::from_fn(right.len(), 1, |i, _| right[i].high);
        let mut buffer = MemBuffer::new(llt::solve::solve_in_place_scratch::<f64>(right.len(), 1, Par::Seq));
        llt::solve::solve_in_place(
            self.lower.as_ref(),
            solution.as_mut(),
            Par::Seq,
            MemStack::new(&mut buffer),
        );
        clean_registers();
        (0..right.len()).map(|i| DoubleDouble::from(solution[(i, 0)])).collect()
    }

    /// The solution in double-double and the number of corrections; none where they do not converge.
    pub(super) fn solve(
        &self,
        matrix: &Packed,
        right: &[DoubleDouble],
    ) -> Option<(Vec<DoubleDouble>, usize)> {
        let mut solution = self.solve_once(right);
        let mut share = f64::INFINITY;
        for step in 0..STEPS {
            let product = matrix.multiply(&solution);
            let residual: Vec<_> = right.iter().zip(&product).map(|(&b, &ax)| b - ax).collect();
            let correction = self.solve_once(&residual);
            let (next, previous) = (correction_share(&correction, &solution), share);
            share = next;
            if !(share < previous / 2.0) {
                return (previous <= CONVERGED).then_some((solution, step));
            }
            add(&mut solution, &correction);
            if share <= NEGLIGIBLE {
                return Some((solution, step + 1));
            }
        }
        (share <= CONVERGED).then_some((solution, STEPS))
    }

    /// The inverse of the lower factor.
    pub(super) fn lower_inverse(&self) -> Mat<f64> {
        let size = self.lower.nrows();
        let mut inverse = Mat::<f64>::zeros(size, size);
        triangular_inverse::invert_lower_triangular(inverse.as_mut(), self.lower.as_ref(), Par::Seq);
        clean_registers();
        inverse
    }

    /// The inverse, to `f64`.
    pub(super) fn inverse(&self) -> Packed {
        let size = self.lower.nrows();
        let mut inverse = Mat::<f64>::zeros(size, size);
        let mut buffer = MemBuffer::new(llt::inverse::inverse_scratch::<f64>(size, Par::Seq));
        llt::inverse::inverse(inverse.as_mut(), self.lower.as_ref(), Par::Seq, MemStack::new(&mut buffer));
        clean_registers();
        Packed::from_fn(size, |i, j| DoubleDouble::from(inverse[(i, j)]))
    }
}

/// The diagonal of `A^-1 G A^-1` to `f64`, `G` being `matrix` without penalties; by products, because a
/// difference would cancel where penalties are large.
pub(super) fn sandwich(matrix: &Packed, penalties: &[f64], inverse: &Packed) -> Vec<DoubleDouble> {
    let size = matrix.size();
    let plain = Mat::from_fn(size, size, |i, j| {
        if i == j { (matrix.at(i, i) + -penalties[i]).high } else { matrix.at(i, j).high }
    });
    let inverse = Mat::from_fn(size, size, |i, j| inverse.at(i, j).high);
    let mut product = Mat::<f64>::zeros(size, size);
    matmul(product.as_mut(), Accum::Replace, plain.as_ref(), inverse.as_ref(), 1.0, Par::Seq);
    clean_registers();
    let entry = |j: usize| {
        let column = product.col(j).iter().zip(inverse.col(j).iter());
        DoubleDouble::from(column.map(|(a, b)| a * b).sum::<f64>())
    };
    (0..size).map(entry).collect()
}

/// The largest entry of a correction over the largest of the solution; 0 when there is nothing to correct.
pub(super) fn correction_share(correction: &[DoubleDouble], solution: &[DoubleDouble]) -> f64 {
    let largest = |vector: &[DoubleDouble]| {
        vector.iter().map(|x| x.high.abs()).fold(0.0, |most, x| if x > most || x.is_nan() { x } else { most })
    };
    let correction = largest(correction);
    if correction == 0.0 { 0.0 } else { correction / largest(solution) }
}

/// Adds a correction.
pub(super) fn add(solution: &mut [DoubleDouble], correction: &[DoubleDouble]) {
    for (x, &dx) in solution.iter_mut().zip(correction) {
        *x = *x + dx;
    }
}
