//! The F distribution.

use super::beta::incomplete_beta;

/// P(F > f) with `numerator` and `denominator` degrees of freedom, both above 0.
#[must_use]
pub fn upper_tail(f: f64, numerator: f64, denominator: f64) -> f64 {
    if f.is_nan() || !(f > 0.0) {
        return if f.is_nan() { f } else { 1.0 };
    }
    let share = numerator / denominator * f;
    if share.is_infinite() {
        return 0.0;
    }
    incomplete_beta(denominator / 2.0, numerator / 2.0, 1.0 / (1.0 + share), share / (1.0 + share))
}

#[cfg(test)]
mod tests {
    use super::upper_tail;

    #[test]
    fn tails_equal_fifty_digit_arithmetic() {
        // mpmath 1.4.1, 50 digits: betainc(b/2, a/2, 0, b/(b + a f), regularized=True).
        for (f, a, b, expected) in [
            (0.5, 1.0, 1.0, 0.6081734479693928),
            (3.5, 4.0, 12.0, 0.04089467166212071),
            (120.0, 6.0, 9.0, 4.521127697583788e-08),
            (1.01, 50.0, 1000.0, 0.4560338629135109),
            (1.2, 300.0, 250.0, 0.06742273272239338),
            (8.5, 17.0, 100000.0, 3.029576058490498e-22),
            (4000.0, 2.0, 30.0, 3.855543803775808e-37),
            (1.05, 3000.0, 5000.0, 0.0668737850671885),
            (0.9, 10.5, 7.25, 0.5763961113229936),
        ] {
            let found = upper_tail(f, a, b);
            assert!((found / expected - 1.0_f64).abs() < 3e-13, "{f} {a} {b}: {found:e} {expected:e}");
        }
        assert_eq!(
            [0.0, -1.0, f64::INFINITY].map(|f| upper_tail(f, 3.0, 4.0)).map(f64::to_bits),
            [1.0_f64, 1.0, 0.0].map(f64::to_bits)
        );
        assert!(upper_tail(f64::NAN, 3.0, 4.0).is_nan());
    }
}
