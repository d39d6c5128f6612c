//! Tails and quantiles of the distributions that tests refer to: normal, Student's t, F, chi-squared.
//!
//! Degrees of freedom need not be whole: those of a penalised fit are not. Tails are accurate relative to their own
//! size, however small.
//!
//! The crate `statrs` 0.19 has the same functions and does not serve: its `erfc` has constants cut to ten digits
//! (errors of 4e-11), its incomplete beta function adds log-gammas of size ν ln ν, which loses as many digits,
//! stops after 140 terms, and computes 1 - x by subtraction.

mod beta;
pub mod chi_squared;
pub mod fisher;
pub mod normal;
mod saddle;
pub mod student;

/// The quantile of a tail that is convex where the quantile lies, by Newton's steps from 0, which approach from the
/// left.
fn quantile_of_convex(tail: f64, upper_tail: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64) -> f64 {
    let mut quantile = 0.0;
    for _ in 0..2000 {
        let step = (upper_tail(quantile) - tail) / density(quantile);
        quantile += step;
        if !(step.abs() > 4.0 * f64::EPSILON * quantile) {
            break;
        }
    }
    quantile
}
