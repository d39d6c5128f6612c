//! Count, mean and sum of squared deviations of finite numbers, in double-double.
//!
//! A slice is read in blocks of 4,096: first the mean, then `sum (x - mean)^2` about it, both compensated
//! (the corrected two-pass algorithm; Chan, Golub & `LeVeque`, "Algorithms for computing the sample
//! variance", The American Statistician 37 (1983), eq. 1.7). Blocks and states are joined by their pairwise
//! update, eq. 2.1: with `delta = mean_b - mean_a`, `mean = mean_a + delta n_b / n` and `M2 = M2_a + M2_b +
//! delta^2 n_a n_b / n`. The square of a deviation is split at 26 bits, so that the sum of its upper halves
//! is exact up to compensation without fused multiply-add, which the base x86-64 lacks.
//!
//! The caller leaves out null, NaN and infinities (asserted in debug builds). Nothing: no mean, no variance.
//! A constant column has the mean `x` and the variance zero, exactly. The mean of finite numbers is finite;
//! the variance is infinite when it exceeds the range of `f64`, which deviations above some 1e150 make it do.
//!
//! The relative error is some 1e-28 for the mean (relative to the root mean square) and 1e-23 for the
//! variance, hence the same `f64` within one unit in the last place for any layout; the same blocks give the
//! same bits. Constant memory; some 2 ns a value on the base x86-64.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::{DoubleDouble, two_sum};

/// Values read twice before they leave the cache.
const BLOCK: usize = 4096;
/// Independent sums, so that the compiler can use vector registers; part of the result's definition.
const LANES: usize = 16;
/// Keeps the 26 leading bits of a significand, whose square is exact.
const UPPER_HALF: u64 = !((1 << 27) - 1);
/// Brings the sum of a block of the largest numbers into range; exact.
const RESCUE_SCALE: f64 = 1.0 / 8192.0;

/// Count, mean and sum of squared deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: DoubleDouble,
    m2: DoubleDouble,
}

impl Moments {
    /// The moments of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in finite values.
    pub fn update(&mut self, values: &[f64]) {
        debug_assert!(
            values.iter().all(|value| value.is_finite()),
            "the caller leaves out NaN and infinities"
        );
        for block in values.chunks(BLOCK) {
            self.merge(Self::of_block(block));
        }
    }

    /// Takes in finite values, each as often as its count says.
    pub fn update_counted(&mut self, pairs: impl Iterator<Item = (f64, u64)>) {
        let mut block = Vec::with_capacity(BLOCK);
        for pair in pairs.filter(|(_, count)| *count != 0) {
            debug_assert!(pair.0.is_finite(), "the caller leaves out NaN and infinities");
            block.push(pair);
            if block.len() == BLOCK {
                self.merge(Self::of_counted_block(&block));
                block.clear();
            }
        }
        if !block.is_empty() {
            self.merge(Self::of_counted_block(&block));
        }
    }

    /// Joins the moments of other values (eq. 2.1); exact in `count`.
    pub fn merge(&mut self, later: Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = later;
            return;
        }
        let count = self.count + later.count;
        let total = DoubleDouble::from(count);
        let share = DoubleDouble::from(later.count) / total;
        let delta = later.mean - self.mean;
        let m2 = self.m2 + later.m2 + delta * delta * DoubleDouble::from(self.count) * share;
        self.mean = if delta.is_finite() {
            self.mean + delta * share
        } else {
            self.mean * (DoubleDouble::from(self.count) / total) + later.mean * share
        };
        self.m2 = saturate(m2);
        self.count = count;
    }

    /// How many values were taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.mean_double_double().map(DoubleDouble::to_f64)
    }

    /// The mean as held; `None` without values.
    #[must_use]
    pub fn mean_double_double(&self) -> Option<DoubleDouble> {
        (self.count != 0).then_some(self.mean)
    }

    /// The sum of squared deviations from the mean.
    #[must_use]
    pub fn sum_of_squared_deviations(&self) -> DoubleDouble {
        self.m2
    }

    /// The sum of squared deviations divided by `count - delta_degrees_of_freedom`; `None` unless that is positive.
    #[must_use]
    pub fn variance(&self, delta_degrees_of_freedom: u64) -> Option<f64> {
        self.variance_double_double(delta_degrees_of_freedom).map(DoubleDouble::to_f64)
    }

    /// The square root of the variance; `None` where that is.
    #[must_use]
    pub fn standard_deviation(&self, delta_degrees_of_freedom: u64) -> Option<f64> {
        self.variance_double_double(delta_degrees_of_freedom).map(|variance| variance.sqrt().to_f64())
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn variance_double_double(&self, delta_degrees_of_freedom: u64) -> Option<DoubleDouble> {
        let degrees = self.count.checked_sub(delta_degrees_of_freedom).filter(|degrees| *degrees != 0)?;
        Some(if self.m2.is_finite() { self.m2 / DoubleDouble::from(degrees) } else { self.m2 })
    }

    fn of_block(block: &[f64]) -> Self {
        let count = block.len() as u64;
        let mut sum = compensated_sum(block, 1.0);
        let mut mean = sum / DoubleDouble::from(count);
        if !mean.is_finite() {
            sum = compensated_sum(block, RESCUE_SCALE);
            mean = sum / DoubleDouble::from(count) * (1.0 / RESCUE_SCALE);
        }
        // About the rounded mean `c`: sum (x - mean)^2 = sum (x - c)^2 - n (mean - c)^2.
        let about_rounded = squared_deviations(block, mean.high);
        let correction = DoubleDouble::product(mean.low, mean.low) * DoubleDouble::from(count);
        Self { count, mean, m2: saturate(about_rounded - correction) }
    }

    fn of_counted_block(block: &[(f64, u64)]) -> Self {
        let count = block.iter().map(|(_, count)| count).sum();
        let total = DoubleDouble::from(count);
        let mean_at_scale = |scale: f64| {
            let sum = block.iter().fold(DoubleDouble::ZERO, |sum, (value, count)| {
                sum + DoubleDouble::from(*count) * (value * scale)
            });
            sum / total
        };
        let mut mean = mean_at_scale(1.0);
        if !mean.is_finite() {
            let scale = f64::from_bits((1023 - 64) << 52);
            mean = mean_at_scale(scale) * (1.0 / scale);
        }
        let m2 = block.iter().fold(DoubleDouble::ZERO, |m2, (value, count)| {
            let deviation = DoubleDouble::from(*value) - mean;
            m2 + deviation * deviation * DoubleDouble::from(*count)
        });
        Self { count, mean, m2: saturate(m2) }
    }
}

/// A sum of squares that is not finite overflowed; rounding may leave a tiny negative one.
fn saturate(m2: DoubleDouble) -> DoubleDouble {
    if !m2.is_finite() {
        DoubleDouble::from(f64::INFINITY)
    } else if m2.high < 0.0 {
        DoubleDouble::ZERO
    } else {
        m2
    }
}

fn compensated_sum(block: &[f64], scale: f64) -> DoubleDouble {
    let (mut sums, mut errors) = ([0.0; LANES], [0.0; LANES]);
    let (groups, remainder) = block.as_chunks::<LANES>();
    for group in groups {
        for lane in 0..LANES {
            let (sum, error) = two_sum(sums[lane], group[lane] * scale);
            sums[lane] = sum;
            errors[lane] += error;
        }
    }
    for (lane, value) in remainder.iter().enumerate() {
        let (sum, error) = two_sum(sums[lane], value * scale);
        sums[lane] = sum;
        errors[lane] += error;
    }
    join_lanes(sums, errors)
}

fn squared_deviations(block: &[f64], center: f64) -> DoubleDouble {
    let (mut sums, mut errors) = ([0.0; LANES], [0.0; LANES]);
    let (groups, remainder) = block.as_chunks::<LANES>();
    for group in groups {
        for lane in 0..LANES {
            add_square(&mut sums[lane], &mut errors[lane], group[lane], center);
        }
    }
    for (lane, value) in remainder.iter().enumerate() {
        add_square(&mut sums[lane], &mut errors[lane], *value, center);
    }
    join_lanes(sums, errors)
}

/// Adds `(value - center)^2`: the square of the upper half exactly, the rest (2^-26 of it) rounded.
#[inline(always)]
fn add_square(sum: &mut f64, errors: &mut f64, value: f64, center: f64) {
    let (deviation, deviation_error) = two_sum(value, -center);
    let upper = f64::from_bits(deviation.to_bits() & UPPER_HALF);
    let lower = deviation - upper;
    let rest = lower * (deviation + upper) + (deviation + deviation) * deviation_error;
    let (total, error) = two_sum(*sum, upper * upper);
    *sum = total;
    *errors += error + rest;
}

fn join_lanes(sums: [f64; LANES], errors: [f64; LANES]) -> DoubleDouble {
    sums.into_iter()
        .zip(errors)
        .fold(DoubleDouble::ZERO, |total, (sum, error)| total + DoubleDouble::sum(sum, error))
}

#[cfg(test)]
mod tests;
