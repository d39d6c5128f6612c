//! Arithmetic on unevaluated sums of two `f64` (some 106 bits of significand).
//!
//! A [`DoubleDouble`] is `high + low` with `|low| <= ulp(high) / 2`. It carries central moments and small
//! linear systems where one rounding per step would show in the result. Algorithms: `two_sum` after Knuth,
//! The Art of Computer Programming 2, 4.2.2, theorem B; products by fused multiply-add; additions and
//! divisions after Li et al., "Design, implementation and testing of extended and mixed precision BLAS"
//! (2002), the accurate variants. Infinities and NaN propagate through `high`; `low` is then meaningless.

use core::ops::{Add, Div, Mul, Neg, Sub};
use serde::{Deserialize, Serialize};

/// A number held as the unevaluated sum of two `f64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DoubleDouble {
    /// The number rounded to `f64`.
    pub high: f64,
    /// What the rounding left over.
    pub low: f64,
}

/// Below this share of Σx² a sum of squares that was centred in this arithmetic is rounding: 2⁻⁹⁸.
pub const CENTRED_NOISE: f64 = 3.155_443_620_884_047e-30;

/// The exact sum of two `f64`, as rounded sum and error.
#[inline]
#[must_use]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_virtual = sum - a;
    let a_virtual = sum - b_virtual;
    (sum, (a - a_virtual) + (b - b_virtual))
}

/// The exact sum of two `f64` with `|a| >= |b|` (or `a == 0`), as rounded sum and error.
#[inline]
#[must_use]
pub fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// The exact product of two `f64`, as rounded product and error.
#[inline]
#[must_use]
pub fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

impl DoubleDouble {
    /// Zero.
    pub const ZERO: Self = Self { high: 0.0, low: 0.0 };
    /// One.
    pub const ONE: Self = Self { high: 1.0, low: 0.0 };

    /// A product of two `f64`, exact.
    #[inline]
    #[must_use]
    pub fn product(a: f64, b: f64) -> Self {
        let (high, low) = two_product(a, b);
        Self { high, low }
    }

    /// The sum of two `f64`, exact.
    #[inline]
    #[must_use]
    pub fn sum(a: f64, b: f64) -> Self {
        let (high, low) = two_sum(a, b);
        Self { high, low }
    }

    /// The nearest `f64`.
    #[inline]
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.high
    }

    /// The absolute value.
    #[inline]
    #[must_use]
    pub fn abs(self) -> Self {
        if self.high < 0.0 { -self } else { self }
    }

    /// The square root; NaN for negative numbers (one Newton step on the `f64` root).
    #[must_use]
    pub fn sqrt(self) -> Self {
        if self.high <= 0.0 || !self.high.is_finite() {
            return Self::from(self.high.sqrt());
        }
        let root = self.high.sqrt();
        let residual = self - Self::product(root, root);
        let (high, low) = quick_two_sum(root, residual.high / (2.0 * root));
        Self { high, low }
    }

    /// Whether both halves are finite.
    #[inline]
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.high.is_finite() && self.low.is_finite()
    }
}

impl From<f64> for DoubleDouble {
    #[inline]
    fn from(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }
}

impl From<u64> for DoubleDouble {
    #[inline]
    fn from(value: u64) -> Self {
        // Both halves are exact: 32 bits each fit f64.
        let upper = ((value >> 32) as f64) * 4_294_967_296.0;
        let lower = (value & 0xffff_ffff) as f64;
        Self::sum(upper, lower)
    }
}

impl Neg for DoubleDouble {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Add for DoubleDouble {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        let (s1, s2) = two_sum(self.high, other.high);
        let (t1, t2) = two_sum(self.low, other.low);
        let (s1, s2) = quick_two_sum(s1, s2 + t1);
        let (high, low) = quick_two_sum(s1, s2 + t2);
        Self { high, low }
    }
}

impl Add<f64> for DoubleDouble {
    type Output = Self;
    #[inline]
    fn add(self, other: f64) -> Self {
        let (s1, s2) = two_sum(self.high, other);
        let (high, low) = quick_two_sum(s1, s2 + self.low);
        Self { high, low }
    }
}

impl Sub for DoubleDouble {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        self + (-other)
    }
}

impl Mul for DoubleDouble {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        let (p, e) = two_product(self.high, other.high);
        let e = e + (self.high * other.low + self.low * other.high);
        let (high, low) = quick_two_sum(p, e);
        Self { high, low }
    }
}

impl Mul<f64> for DoubleDouble {
    type Output = Self;
    #[inline]
    fn mul(self, other: f64) -> Self {
        let (p, e) = two_product(self.high, other);
        let (high, low) = quick_two_sum(p, self.low.mul_add(other, e));
        Self { high, low }
    }
}

impl Div for DoubleDouble {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let q1 = self.high / other.high;
        let remainder = self - other * q1;
        let q2 = remainder.high / other.high;
        let remainder = remainder - other * q2;
        let q3 = remainder.high / other.high;
        let (q1, q2) = quick_two_sum(q1, q2);
        Self { high: q1, low: q2 } + q3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_f64_would_round_away() {
        let sum = DoubleDouble::from(1e16) + 1.0 + (-1e16);
        assert_eq!(sum.to_f64().to_bits(), 1.0_f64.to_bits());
        let square = DoubleDouble::product(1.0 + f64::EPSILON, 1.0 + f64::EPSILON);
        assert_eq!(square.low.to_bits(), (f64::EPSILON * f64::EPSILON).to_bits());
    }

    #[test]
    fn division_and_root_invert_multiplication() {
        let third = DoubleDouble::ONE / DoubleDouble::from(3.0);
        let one = third * 3.0;
        assert!((one - DoubleDouble::ONE).abs().to_f64() < 1e-31);
        let two = DoubleDouble::from(2.0);
        assert!((two.sqrt() * two.sqrt() - two).abs().to_f64() < 1e-31);
        assert!(DoubleDouble::from(-1.0).sqrt().high.is_nan());
    }

    #[test]
    fn integers_past_2_to_53_are_exact() {
        let value = DoubleDouble::from(u64::MAX);
        assert_eq!(value.high.to_bits(), ((1_u128 << 64) as f64).to_bits());
        assert_eq!(value.low.to_bits(), (-1.0_f64).to_bits());
    }
}
