//! Functions of one number, without branches so that loops over them become vector instructions, and without the
//! system's library so that they have the same bits everywhere.

use std::f32::consts::LOG2_E;

/// Adding and taking away this rounds to whole numbers.
const ROUND: f32 = 12_582_912.0; // 1.5 x 2^23

/// exp(x) within 2 units in the last place; e^±87 outside of [-87, 88]: neither 0 nor infinity, NaN for NaN. After
/// Moshier's Cephes library (1992): x = n ln 2 + r, exp(r) by a polynomial.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Comparisons that are false keep NaN.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let n = (x * LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + c;
    }
    let p = p * (r * r) + r + 1.0;
    // Between -126 and 127; NaN becomes 0, and p is NaN then.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an exponent")]
    let power = f32::from_bits(((n as i32 + 127) as u32) << 23);
    p * power
}

/// 1 / (1 + exp(-x)).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// ln(1 + e) for e in [0, 1], within 3 units in the last place: 2 artanh(s), s = e / (2 + e).
#[inline(always)]
pub(crate) fn ln_one_plus(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let square = s * s;
    let mut series = 1.0 / 17.0;
    for c in [1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0] {
        series = series * square + c;
    }
    2.0 * s * series
}

/// ln(1 + exp(x)), and its derivative 1 / (1 + exp(-x)), both from exp(-|x|) alone.
#[inline(always)]
pub(crate) fn softplus(x: f32) -> (f32, f32) {
    let e = exp(-x.abs());
    let positive = if x > 0.0 { x } else { 0.0 };
    let share = if x > 0.0 { 1.0 } else { e } / (1.0 + e);
    (positive + ln_one_plus(e), share)
}

/// The hyperbolic tangent within 4 units in the last place, as a quotient of polynomials (the one of the library Eigen).
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let x = if x > 7.905_311 { 7.905_311 } else { x };
    let x = if x < -7.905_311 { -7.905_311 } else { x };
    let square = x * x;
    let mut above = -2.760_768_5e-16;
    for c in [2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619e-4, 4.893_524_6e-3] {
        above = above * square + c;
    }
    let mut below = 1.198_258_4e-6;
    for c in [1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3] {
        below = below * square + c;
    }
    x * above / below
}

/// Sum of products in 16 lanes, added along a tree: the same bits whatever the width of vectors.
#[inline(always)]
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (left, left_rest) = left.as_chunks::<16>();
    let (right, right_rest) = right.as_chunks::<16>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..16 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        lanes[lane] += left * right;
    }
    add_lanes(lanes)
}

/// Sum in 16 lanes, added along a tree.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes[lane] += value;
    }
    add_lanes(lanes)
}

#[inline(always)]
fn add_lanes(mut lanes: [f32; 16]) -> f32 {
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::{dot, exp, sigmoid, sum, tanh};

    /// The largest error relative to the value in f64, over `from` … `to`.
    fn worst(from: f32, to: f32, ours: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        (0..=200_000)
            .map(|step| from + (to - from) * step as f32 / 200_000.0)
            .map(|x| {
                let exact = exact(f64::from(x));
                (f64::from(ours(x)) - exact).abs() / exact.abs().clamp(f64::MIN_POSITIVE, f64::MAX)
            })
            .fold(0.0, |worst, error| if error > worst { error } else { worst })
    }

    #[test]
    fn functions_are_exact_to_a_few_units_in_the_last_place() {
        let unit = f64::from(f32::EPSILON);
        assert!(worst(-87.0, 88.0, exp, f64::exp) < 2.0 * unit);
        assert!(worst(-80.0, 80.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp())) < 4.0 * unit);
        assert!(worst(-9.0, 9.0, tanh, f64::tanh) < 4.0 * unit);
        assert!(worst(-1e-3, 1e-3, tanh, f64::tanh) < 4.0 * unit);
    }

    #[test]
    fn extreme_values_stay_numbers_and_nan_stays_nan() {
        for x in [f32::MAX, f32::INFINITY, 1e10, 89.0] {
            assert!(exp(x).is_finite() && exp(x) > 1e38 && exp(-x) > 0.0 && exp(-x) < 1e-37);
            assert!(
                (sigmoid(x) - 1.0).abs() < 1e-6
                    && (tanh(x) - 1.0).abs() < 1e-6
                    && (tanh(-x) + 1.0).abs() < 1e-6
            );
        }
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }

    #[test]
    fn lanes_add_everything_once() {
        for length in [0, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (0..length).map(|value| value as f32).collect();
            let expected: f32 = values.iter().sum();
            assert!((sum(&values) - expected).abs() < 1e-3);
            assert!((dot(&values, &vec![2.0; length]) - 2.0 * expected).abs() < 1e-3);
        }
    }
}
