//! Ridge regression from sums.
//!
//! Minimises `sum w (y - b - x·c)^2 + alpha |c|^2` over coefficients `c` and intercept `b`, which is not
//! penalised; `alpha` is not multiplied by the number of rows. This is scikit-learn's `Ridge`; with `alpha` 0
//! it is least squares. The normal equations `(G + alpha I) c = g` are scaled by powers of two and factored
//! in double-double (`cholesky`) up to [`DOUBLE_DOUBLE_FEATURES`] features, above that in `f64` with
//! refinement to double-double (`refined`). Normal equations square the condition of the rows, so of the 106
//! bits of double-double at least 53 are left while the condition of the scaled, centred columns stays below
//! some 2^26 = 7e7; the sums must then be as exact (see [`Normal::relative_error`]).
//!
//! A feature that does not vary gets coefficient 0. At penalty 0, so does each feature that earlier ones
//! determine; with a penalty nothing else is dropped. Time is cubic in the features: see `cholesky`.

use super::dot::dot;
use super::minimise::minimise;
use super::normal::Normal;
use super::objective::Objective;
use super::packed::Packed;
use super::power::scale_pair;
use super::solution::{Diagnostics, RidgeSolution};
use super::system::{Solved, System};
use crate::error::SolveError;
use sluice_core::double_double::DoubleDouble;

/// Up to this number of features the system is factored in double-double (some 0.04 s); above, in `f64`.
pub const DOUBLE_DOUBLE_FEATURES: usize = 256;

/// Solves for one penalty.
///
/// # Errors
///
/// [`SolveError::AlphaOutOfRange`]; those of [`Normal::check`]; [`SolveError::PenaltyTooSmall`] where
/// dependent columns have a penalty that rounding hides; [`SolveError::CoefficientNotFinite`] or
/// [`SolveError::InterceptNotFinite`].
pub fn ridge(normal: &Normal, alpha: f64) -> Result<RidgeSolution, SolveError> {
    minimise(normal, &Objective::ridge(alpha))
}

pub(super) fn check_alpha(alpha: f64) -> Result<(), SolveError> {
    if alpha >= 0.0 && alpha.is_finite() { Ok(()) } else { Err(SolveError::AlphaOutOfRange { alpha }) }
}

/// Factors and solves a checked problem with one penalty per feature; they are all 0 when `alpha` is.
pub(super) fn solve(
    normal: &Normal,
    penalties: &[f64],
    alpha: f64,
    float_above: usize,
) -> Result<Solved, SolveError> {
    System::new(normal, penalties).solve(normal.relative_error, alpha, float_above)
}

/// Rounds the solution and adds the diagnostics.
pub(super) fn finish(
    normal: &Normal,
    solved: &Solved,
    alpha: f64,
    residual_square: f64,
) -> Result<RidgeSolution, SolveError> {
    let exact = solved.coefficients(normal.features());
    let intercept = intercept_of(normal, &exact).to_f64();
    let coefficients: Vec<f64> = exact.into_iter().map(DoubleDouble::to_f64).collect();
    if let Some(feature) = coefficients.iter().position(|c| !c.is_finite()) {
        return Err(SolveError::CoefficientNotFinite { feature });
    }
    if !intercept.is_finite() {
        return Err(SolveError::InterceptNotFinite);
    }
    let inverse = solved.inverse();
    let system = &solved.system;
    let effective_degrees = effective_degrees(normal, system, &inverse);
    let degrees_left = normal.rows as f64 - effective_degrees;
    // Between an exact 0 and the smallest difference that the trace can show in f64.
    let residual_variance =
        (degrees_left > 1e-9 * normal.rows as f64).then(|| residual_square / degrees_left);
    let variances = residual_variance.map(|variance| variances(normal, solved, &inverse, variance));
    let diagnostics = Diagnostics {
        alpha,
        rows: normal.rows,
        rank: system.features.len(),
        constant: system.constant.clone(),
        aliased: system.aliased.clone(),
        condition: if system.features.is_empty() { 1.0 } else { system.matrix.norm() * inverse.norm() },
        effective_degrees,
        residual_square,
        label_square: normal.label_square.to_f64(),
        residual_variance,
        intercept_standard_error: variances.as_ref().and_then(|v| v.1).map(f64::sqrt),
        standard_errors: variances.map(|v| v.0.into_iter().map(f64::sqrt).collect()),
        method: solved.method(),
        refinements: solved.refinements,
    };
    Ok(RidgeSolution { coefficients, intercept, diagnostics })
}

/// What the coefficients leave of the mean of the label; 0 where no intercept is fitted.
pub(super) fn intercept_of(normal: &Normal, coefficients: &[DoubleDouble]) -> DoubleDouble {
    if normal.intercept { normal.label_mean - dot(coefficients, &normal.means) } else { DoubleDouble::ZERO }
}

/// `tr (G + P)^-1 G = n - tr (G + P)^-1 P`, and 1 for the intercept.
fn effective_degrees(normal: &Normal, system: &System, inverse: &Packed) -> f64 {
    let mut trace = DoubleDouble::from(u64::from(normal.intercept));
    for (i, &penalty) in system.penalties.iter().enumerate() {
        trace = trace + (DoubleDouble::ONE - inverse.at(i, i) * penalty);
    }
    trace.to_f64()
}

/// The variances of the coefficients and of the intercept, from `V = A^-1 G A^-1`: `diag V` and
/// `1 / sum w + m'V m` with the means `m`.
fn variances(normal: &Normal, solved: &Solved, inverse: &Packed, variance: f64) -> (Vec<f64>, Option<f64>) {
    let system = &solved.system;
    let sandwich = solved.sandwich(inverse);
    let mut of_features = vec![0.0; normal.features()];
    for ((own, &feature), &exponent) in sandwich.iter().zip(&system.features).zip(&system.exponents) {
        let own = scale_pair(scale_pair(*own, -exponent), -exponent);
        of_features[feature] = variance * positive(own);
    }
    let of_intercept = normal.intercept.then(|| {
        let pairs = system.features.iter().zip(&system.exponents);
        let means: Vec<_> = pairs.map(|(&f, e)| scale_pair(normal.means[f], -e)).collect();
        let solution = inverse.multiply(&means);
        let mut product = system.matrix.multiply(&solution);
        for ((entry, &x), &penalty) in product.iter_mut().zip(&solution).zip(&system.penalties) {
            *entry = *entry - x * penalty;
        }
        let own = dot(&solution, &product) + DoubleDouble::ONE / DoubleDouble::from(normal.weight_sum);
        variance * positive(own)
    });
    (of_features, of_intercept)
}

fn positive(value: DoubleDouble) -> f64 {
    if value.high > 0.0 { value.high } else { 0.0 }
}
