//! Powers over factorials without logarithms of gamma functions, which lose as many digits as they are large: Loader,
//! "Fast and accurate computation of binomial probabilities" (2000), sections 2 and 3.

use std::f64::consts::PI;

/// Where the series of Stirling's formula gives all digits.
const LARGE: f64 = 16.0;

/// `ln Γ(z + 1) - (z + 1/2) ln z + z - ln(2π) / 2`: by its series (DLMF 5.11.1), for small `z` by recursion.
pub(super) fn stirling_error(z: f64) -> f64 {
    let (mut at, mut above) = (z, 0.0);
    while at < LARGE {
        above += (at + 0.5) * at.recip().ln_1p() - 1.0;
        at += 1.0;
    }
    let square = 1.0 / (at * at);
    let series = [1.0 / 1188.0, -1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0];
    above + series.iter().fold(-691.0 / 360_360.0, |sum, term| sum * square + term) / at
}

/// `x ln(x / mean) + mean - x` with `difference` = x - mean, which the caller knows without rounding.
pub(super) fn deviance(x: f64, mean: f64, difference: f64) -> f64 {
    if difference.abs() > 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    let ratio = difference / (x + mean);
    let (mut term, mut sum, square) = (2.0 * x * ratio, difference * ratio, ratio * ratio);
    for index in 1..1000 {
        term *= square;
        let next = sum + term / f64::from(2 * index + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}

/// `x^a y^b / B(a, b)` with `y` = 1 - x.
pub(super) fn beta_power(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let difference = a * y - b * x;
    let (n, errors) = (a + b, stirling_error(a + b) - stirling_error(a) - stirling_error(b));
    let exponent = errors - deviance(a, n * x, difference) - deviance(b, n * y, -difference);
    (a / n * b / (2.0 * PI)).sqrt() * exponent.exp()
}

/// `1 / B(a, b)`.
pub(super) fn inverse_beta(a: f64, b: f64) -> f64 {
    let n = a + b;
    let errors = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let powers = a * (b / a).ln_1p() + b * (a / b).ln_1p();
    (a / n * b / (2.0 * PI)).sqrt() * (errors + powers).exp()
}

/// `x^a e^-x / Γ(a)`.
pub(super) fn gamma_power(a: f64, x: f64) -> f64 {
    (a / (2.0 * PI)).sqrt() * (-stirling_error(a) - deviance(a, x, a - x)).exp()
}
