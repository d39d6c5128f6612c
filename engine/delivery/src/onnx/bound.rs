//! How far a value of the ONNX file may be from ours.
//!
//! A bound b allows |found − expected| ≤ b · (1 + |expected|); 0 asks for the same number. Arithmetic,
//! comparisons, roots and rounding are exact by IEEE 754 and have the bound 0. Exponentials, logarithms,
//! sines and what is put together from them differ between runtimes in the last digits:
//! [`Bound::FUNCTION`]. A linear step carries the bound of what it reads: for y = (x − m) / s,
//! |Δy| ≤ b (1 + |x|) / |s| ≤ b · max(1, (1 + |m|) / |s|) · (1 + |y|).

use serde::{Deserialize, Serialize};

/// A bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bound(pub f64);

impl Bound {
    /// The same number.
    pub const EXACT: Self = Self(0.0);
    /// Of a function that runtimes compute each in their way.
    pub const FUNCTION: Self = Self(1e-13);
    /// Of integers and decimals that are joined as doubles: exact up to 2^53, a few last digits beyond.
    pub const ROUNDED: Self = Self(1e-15);
    /// Of an exponential of what is a logarithm: the last digit of an exponent of 700 is 1e-13 of the power.
    pub const POWER: Self = Self(1e-12);
    /// Of the sum of the model, for the sum of the absolute values of what is added.
    pub const SUM: Self = Self(1e-12);

    /// After (x − center) / scale.
    pub(crate) fn after_linear(self, center: f64, scale: f64) -> Self {
        let factor = (1.0 + center.abs()) / scale.abs();
        Self(if factor > 1.0 { self.0 * factor } else { self.0 })
    }

    /// After a function that is computed with this bound, and that may raise the error of what it reads.
    pub(crate) fn after_function(self, function: Self) -> Self {
        Self(self.0 * 100.0 + function.0)
    }

    /// Of what is made of several numbers: arithmetic adds no error to exact ones, and may raise that of others.
    pub(crate) fn joined(bounds: impl IntoIterator<Item = Self>) -> Self {
        let worst = bounds.into_iter().fold(Self::EXACT, Self::larger);
        worst.after_function(Self::EXACT)
    }

    /// The wider of two.
    pub(crate) fn larger(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }

    /// The largest difference that is allowed at `expected`.
    pub(crate) fn at(self, expected: f64) -> f64 {
        self.0 * (1.0 + expected.abs())
    }

    /// Whether two numbers are as close as they must be. NaN is close to NaN, an infinity to itself.
    pub(crate) fn allows(self, found: f64, expected: f64) -> bool {
        is_close(found, expected, self.at(expected))
    }
}

/// Whether two numbers differ by no more than `allowed`; infinities and NaN must be the same.
pub(crate) fn is_close(found: f64, expected: f64, allowed: f64) -> bool {
    if expected.is_nan() || found.is_nan() {
        return found.is_nan() && expected.is_nan();
    }
    #[expect(clippy::float_cmp, reason = "the same infinity, or the same number where nothing is allowed")]
    let is_same = found == expected;
    is_same || (found - expected).abs() <= allowed
}
