//! Scaling by powers of two, which changes no digit.
//!
//! Zero, infinities and NaN have exponent 0 here; results that leave the range of normal `f64` round as
//! any product does.

use sluice_core::double_double::DoubleDouble;

/// The exponent `e` with `2^e <= |value| < 2^(e + 1)`; 0 for zero and for what is not finite.
pub(super) fn exponent(value: f64) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    match i32::try_from(value.abs().to_bits() >> 52).unwrap_or(0) {
        0 => exponent(value * power(64)) - 64, // subnormal
        biased => biased - 1023,
    }
}

/// `value * 2^exponent`, for any exponent.
pub(super) fn scale(mut value: f64, mut exponent: i32) -> f64 {
    while exponent > 1023 {
        value *= power(1023);
        exponent -= 1023;
    }
    while exponent < -1022 {
        value *= power(-1022);
        exponent += 1022;
    }
    value * power(exponent)
}

/// `value * 2^exponent`, both halves.
pub(super) fn scale_pair(value: DoubleDouble, exponent: i32) -> DoubleDouble {
    DoubleDouble { high: scale(value.high, exponent), low: scale(value.low, exponent) }
}

/// `2^exponent` for exponents of normal numbers, -1022 to 1023.
fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1023).unwrap_or(0) << 52)
}

#[cfg(test)]
mod tests {
    use super::{exponent, scale};

    #[test]
    fn exponents_reach_from_subnormal_to_largest() {
        assert_eq!(exponent(1.0), 0);
        assert_eq!(exponent(-0.75), -1);
        assert_eq!(exponent(f64::MAX), 1023);
        assert_eq!(exponent(f64::from_bits(1)), -1074);
        assert_eq!(exponent(0.0), 0);
    }

    #[test]
    fn scaling_there_and_back_is_exact() {
        for value in [1.0 / 3.0, -1e300, 1e-300] {
            let there = scale(value, -exponent(value));
            assert!((1.0..2.0).contains(&there.abs()));
            assert_eq!(scale(there, exponent(value)).to_bits(), value.to_bits());
        }
    }
}
