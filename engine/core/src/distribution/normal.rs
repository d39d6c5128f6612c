//! The normal distribution with mean 0 and variance 1.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::quantile_of_convex;

/// P(Z > z), accurate relative to its size also far out.
#[must_use]
pub fn upper_tail(z: f64) -> f64 {
    match z {
        z if z.is_nan() => z,
        z if z < 0.0 => 1.0 - upper_tail(-z),
        z => 0.5 * erfc(z * FRAC_1_SQRT_2),
    }
}

/// The z with P(Z > z) = `tail`, for a tail above 0 and at most 1/2.
#[must_use]
pub fn upper_quantile(tail: f64) -> f64 {
    quantile_of_convex(tail, upper_tail, |z| (-0.5 * z * z).exp() / (2.0 * PI).sqrt())
}

/// 2/√π ∫ exp(−s²) ds from `z` to infinity, for z ≥ 0: 1 minus the series of DLMF 7.6.2, whose terms are all
/// positive; from 1.5 on the continued fraction of DLMF 7.9.1 by modified Lentz.
fn erfc(z: f64) -> f64 {
    let front = (-z * z).exp() / PI.sqrt();
    if z < 1.5 {
        let (mut term, mut sum, mut odd) = (2.0 * z, 2.0 * z, 1.0);
        while term > f64::EPSILON * 0.1 * sum {
            odd += 2.0;
            term *= 2.0 * z * z / odd;
            sum += term;
        }
        return 1.0 - front * sum;
    }
    if front == 0.0 {
        return 0.0;
    }
    let (mut c, mut d) = (f64::INFINITY, 1.0 / z);
    let mut fraction = d;
    for index in 1..1000 {
        let numerator = f64::from(index) / 2.0;
        d = 1.0 / (z + numerator * d);
        c = z + numerator / c;
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::{upper_quantile, upper_tail};

    #[test]
    fn tails_and_quantiles_equal_fifty_digit_arithmetic() {
        // mpmath 1.4.1, 50 digits: erfc(z / sqrt(2)) / 2, and -sqrt(2) erfinv(2 p - 1).
        for (z, expected) in [
            (0.0, 0.5),
            (0.5, 0.3085375387259869),
            (1.959963984540054, 0.025000000000000012),
            (6.0, 9.86587645037698e-10),
            (36.0, 4.182624065797283e-284),
        ] {
            let found = upper_tail(z);
            assert!((found / expected - 1.0_f64).abs() < 3e-13, "{z}: {found:e} {expected:e}");
            assert!((upper_tail(-z) - (1.0 - expected)).abs() < 1e-15);
        }
        for (tail, expected) in
            [(0.25, 0.6744897501960817), (0.025, 1.9599639845400543), (1e-09, 5.9978070150076865)]
        {
            assert!((upper_quantile(tail) - expected).abs() < 1e-14 * expected);
        }
        assert_eq!(
            [f64::INFINITY, f64::NEG_INFINITY].map(|z| upper_tail(z).to_bits()),
            [0.0_f64, 1.0].map(f64::to_bits)
        );
        assert!(upper_tail(f64::NAN).is_nan());
    }
}
