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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};

    use super::{chi_squared, fisher, normal, student};

    /// What is left of its digits where `statrs` does well: degrees of freedom below 100, not far out.
    const TOLERANCE: f64 = 1e-9;

    fn agree(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= TOLERANCE * expected.abs()
    }

    proptest! {
        // Beside the digits of the modules' own tests, which are of few arguments.
        #[test]
        fn tails_agree_with_statrs_at_any_moderate_argument(
            at in 0.01..6.0_f64,
            ratio in 0.01..8.0_f64,
            numerator in 0.5..100.0_f64,
            denominator in 0.5..100.0_f64,
        ) {
            let theirs = Normal::standard().sf(at);
            prop_assert!(agree(normal::upper_tail(at), theirs), "normal: {theirs:e}");
            let theirs = StudentsT::new(0.0, 1.0, denominator).unwrap().sf(at);
            prop_assert!(agree(student::upper_tail(at, denominator), theirs), "t: {theirs:e}");
            let theirs = FisherSnedecor::new(numerator, denominator).unwrap().sf(ratio);
            prop_assert!(agree(fisher::upper_tail(ratio, numerator, denominator), theirs), "F: {theirs:e}");
            let theirs = ChiSquared::new(numerator).unwrap().sf(ratio * numerator);
            prop_assert!(agree(chi_squared::upper_tail(ratio * numerator, numerator), theirs), "{theirs:e}");
        }
    }
}
