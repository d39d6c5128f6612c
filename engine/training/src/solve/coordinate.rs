//! Coordinate descent on a quadratic with an absolute penalty.
//!
//! Minimises ½ c'Gc − g'c + Σ l1ⱼ |cⱼ| + ½ Σ l2ⱼ cⱼ², over all c or over c ≥ 0, with the products `G` of the features
//! known ("covariance updates": Friedman, Hastie & Tibshirani, "Regularization Paths for Generalized Linear Models via
//! Coordinate Descent", Journal of Statistical Software 33 (2010), section 2.2). One coordinate after the other takes
//! its minimum, S(gradient + Gⱼⱼ cⱼ, l1ⱼ) / (Gⱼⱼ + l2ⱼ) with the soft threshold S, and the gradient follows. Sweeps over
//! the coordinates that are not 0 alternate with sweeps over all.
//!
//! One thread, one order: the same bits always. A sweep costs the squared number of features where all change.

use crate::error::SolveError;

/// Sweeps at most; columns that nearly coincide take thousands.
const MOST_SWEEPS: usize = 100_000;

/// ½ c'Gc − g'c.
#[derive(Clone, Copy, Debug)]
pub struct Quadratic<'a> {
    /// `G`, all rows of it one after the other; symmetric, positive semidefinite.
    pub matrix: &'a [f64],
    /// `g`.
    pub linear: &'a [f64],
}

/// What is added to the quadratic.
#[derive(Clone, Copy, Debug)]
pub struct Penalties<'a> {
    /// The penalty of each magnitude, at least 0.
    pub absolute: &'a [f64],
    /// The penalty of each square, at least 0.
    pub square: &'a [f64],
    /// Whether coefficients below 0 are ruled out.
    pub non_negative: bool,
}

/// Brings `coefficients` to the minimum, from where they are; answers the number of sweeps.
///
/// It ends where no coordinate in a sweep over all changes the gradient of its own by more than `tolerance` times the
/// largest entry of `g` in magnitude. A column of zeros has coefficient 0.
///
/// # Errors
/// [`SolveError::NotConverged`] after a hundred thousand sweeps.
///
/// # Panics
/// If the lengths do not fit: a bug of the caller.
pub fn coordinate_descent(
    problem: Quadratic<'_>,
    penalties: Penalties<'_>,
    tolerance: f64,
    coefficients: &mut [f64],
) -> Result<usize, SolveError> {
    let size = coefficients.len();
    let Quadratic { matrix, linear } = problem;
    assert!(matrix.len() == size * size && linear.len() == size, "a quadratic has one shape");
    assert!(
        penalties.absolute.len() == size && penalties.square.len() == size,
        "each coefficient has its penalties"
    );
    let largest = linear.iter().fold(0.0, |most, entry| larger(most, entry.abs()));
    let enough = tolerance * largest;
    let mut descent = Descent { problem, penalties, gradient: linear.to_vec() };
    for (column, &coefficient) in coefficients.iter().enumerate() {
        descent.move_by(column, coefficient);
    }
    let mut sweeps = 0;
    while sweeps < MOST_SWEEPS {
        sweeps += 1;
        if descent.sweep(coefficients, |_| true) <= enough {
            return Ok(sweeps);
        }
        while sweeps < MOST_SWEEPS {
            sweeps += 1;
            // What is 0 stays 0 until the next sweep over all.
            if descent.sweep(coefficients, |coefficient| coefficient != 0.0) <= enough {
                break;
            }
        }
    }
    Err(SolveError::NotConverged { steps: sweeps })
}

/// The larger of two; what is no number counts as larger than any, so that it is not taken for the end.
fn larger(most: f64, value: f64) -> f64 {
    if value > most || value.is_nan() { value } else { most }
}

struct Descent<'a> {
    problem: Quadratic<'a>,
    penalties: Penalties<'a>,
    /// `g − Gc`.
    gradient: Vec<f64>,
}

impl Descent<'_> {
    /// Minimises over each coordinate that takes part; the largest change of a coordinate's own gradient.
    fn sweep(&mut self, coefficients: &mut [f64], takes_part: impl Fn(f64) -> bool) -> f64 {
        let mut largest = 0.0;
        for (column, coefficient) in coefficients.iter_mut().enumerate() {
            let old = *coefficient;
            if !takes_part(old) {
                continue;
            }
            let new = self.minimum(column, old);
            let step = new - old;
            if step != 0.0 {
                *coefficient = new;
                self.move_by(column, step);
                largest = larger(largest, (step * self.curvature(column)).abs());
            }
        }
        largest
    }

    fn curvature(&self, column: usize) -> f64 {
        self.problem.matrix[column * self.gradient.len() + column] + self.penalties.square[column]
    }

    /// The minimum along one coordinate.
    fn minimum(&self, column: usize, current: f64) -> f64 {
        let own = self.problem.matrix[column * self.gradient.len() + column];
        if !(own > 0.0) {
            return 0.0;
        }
        let pull = self.gradient[column] + own * current;
        let excess = pull.abs() - self.penalties.absolute[column];
        if !(excess > 0.0) || (self.penalties.non_negative && pull < 0.0) {
            return 0.0;
        }
        excess.copysign(pull) / self.curvature(column)
    }

    /// Follows a step of one coordinate.
    fn move_by(&mut self, column: usize, step: f64) {
        if step == 0.0 {
            return;
        }
        let size = self.gradient.len();
        let row = &self.problem.matrix[column * size..(column + 1) * size];
        for (entry, product) in self.gradient.iter_mut().zip(row) {
            *entry -= product * step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Penalties, Quadratic, coordinate_descent};
    use sluice_testkit::assert_relative;

    fn minimise(matrix: &[f64], linear: &[f64], absolute: f64, square: f64, non_negative: bool) -> Vec<f64> {
        let size = linear.len();
        let penalties =
            Penalties { absolute: &vec![absolute; size], square: &vec![square; size], non_negative };
        let mut coefficients = vec![0.0; size];
        coordinate_descent(Quadratic { matrix, linear }, penalties, 1e-15, &mut coefficients).unwrap();
        coefficients
    }

    #[test]
    fn independent_columns_have_thresholded_coefficients() {
        let matrix = [2.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let found = minimise(&matrix, &[3.0, -8.0, 5.0], 1.0, 2.0, false);
        assert_eq!(found, [0.5, -7.0 / 6.0, 0.0]);
        assert_eq!(minimise(&matrix, &[3.0, -8.0, 5.0], 1.0, 2.0, true), [0.5, 0.0, 0.0]);
        assert_eq!(minimise(&matrix, &[0.5, 0.9, 0.0], 1.0, 0.0, false), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn without_an_absolute_penalty_the_linear_system_is_solved() {
        // By hand: the solution of [[4, 1], [1, 3]] c = [1, 2].
        let found = minimise(&[4.0, 1.0, 1.0, 3.0], &[1.0, 2.0], 0.0, 0.0, false);
        assert_relative(found[0], 1.0 / 11.0, 1e-14);
        assert_relative(found[1], 7.0 / 11.0, 1e-14);
        // With a penalty of squares the diagonal grows.
        let found = minimise(&[3.0, 1.0, 1.0, 2.0], &[1.0, 2.0], 0.0, 1.0, false);
        assert_relative(found[0], 1.0 / 11.0, 1e-14);
    }

    #[test]
    fn the_conditions_of_the_minimum_hold() {
        let columns = 12;
        let noise = |n: usize| ((n * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5;
        let rows: Vec<f64> = (0..40 * columns).map(noise).collect();
        let mut matrix = vec![0.0; columns * columns];
        let mut linear = vec![0.0; columns];
        for (number, row) in rows.chunks_exact(columns).enumerate() {
            for i in 0..columns {
                linear[i] += row[i] * (3.0 * row[0] - row[5] + noise(number * 31));
                for j in 0..columns {
                    matrix[i * columns + j] += row[i] * row[j];
                }
            }
        }
        let found = minimise(&matrix, &linear, 0.4, 0.1, false);
        assert!(found.contains(&0.0) && found.iter().any(|coefficient| *coefficient != 0.0));
        for i in 0..columns {
            let product: f64 = (0..columns).map(|j| matrix[i * columns + j] * found[j]).sum();
            let gradient = linear[i] - product - 0.1 * found[i];
            if found[i] == 0.0 {
                assert!(gradient.abs() <= 0.4 + 1e-12);
            } else {
                assert_relative(gradient, 0.4_f64.copysign(found[i]), 1e-10);
            }
        }
    }
}
