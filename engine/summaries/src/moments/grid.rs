//! The moments of a block whose values lie near one another, in one pass: each value is cut into a whole number of
//! grid steps and a rest, so that most of the work is exact arithmetic on integers.
//!
//! With a power of two `g` of at least 2^-26 of the spread, adding and taking away `1.5 * 2^52 g` rounds a value to a
//! multiple of `g` (the extraction of Rump, Ogita & Oishi, "Accurate floating-point summation", SIAM J. Sci. Comput. 31
//! (2008), section 3). About a multiple `c` of `g` the value is `c + q + r` without error, `q` at most 2^26 steps and
//! `|r| <= g / 2`. The sums of `q` and `q^2` are exact; those of `r` and `r (2q + r)` are rounded, at 2^-26 of the size.
//! `M2 = (n sum q^2 - (sum q)^2) / n - sum r (2 sum q + sum r) / n + sum r (2q + r)`: what cancels is the integers, exactly.
//!
//! With `s` the spread, `M2 >= s^2 / 2` (the smallest and the largest value alone have that), so the rounded sums
//! cannot outweigh the exact ones: some 1e-23 of the root mean square for the mean, 1e-21 for the variance.

use sluice_core::double_double::DoubleDouble;

use super::Moments;
use crate::vectors::{Extent, wide};

/// Independent sums; part of the result's definition.
const LANES: usize = 8;
/// Steps of the grid across the spread, as a power of two: 512 squares a lane stay below 2^63.
const STEP_BITS: i32 = 26;
/// Values to guess the middle from.
const SAMPLED: usize = 16;
/// Exponents of the spread outside of which a square could leave the range of `f64`.
const LARGEST_EXPONENT: i32 = 400;

type Lane = [f64; LANES];

/// A grid for the values of an extent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    step: f64,
    /// Rounds to the grid when added and taken away.
    rounder: f64,
}

/// What is summed of a block, lane by lane.
struct Sums {
    steps: [i64; LANES],
    squares: [i64; LANES],
    rests: Lane,
    products: Lane,
}

impl Grid {
    /// `None` where the values are too far from zero for their spread, or one of both is out of range.
    pub(super) fn of(extent: &Extent) -> Option<Self> {
        let spread = extent.max - extent.min;
        let exponent = exponent_above(spread)?;
        let step = power_of_two(exponent - STEP_BITS);
        let farthest = if -extent.min > extent.max { -extent.min } else { extent.max };
        let reach = power_of_two(50) * step;
        (farthest.abs() <= reach).then_some(Self { step, rounder: 1.5 * power_of_two(52) * step })
    }

    /// The moments of a block within the extent, of 16 to 4,096 values.
    pub(super) fn moments(self, block: &[f64]) -> Moments {
        let apart = block.len() / SAMPLED;
        let sample: f64 = (0..SAMPLED).map(|index| block[index * apart]).sum();
        let center = (sample / SAMPLED as f64 + self.rounder) - self.rounder;
        // The lanes are joined outside: within, the order of that would decide how the compiler lays out the loop, and
        // make it four times as slow.
        let Sums { steps, squares, rests, products } = wide(
            #[inline(always)]
            || self.sums(block, center),
        );
        let (steps, squares): (i64, i128) =
            (steps.iter().sum(), squares.iter().map(|one| i128::from(*one)).sum());
        let (rest, product): (f64, f64) = (rests.iter().sum(), products.iter().sum());
        let count = DoubleDouble::from(block.len() as u64);
        // At most 2^39 steps and a power of two: exact.
        let sum = DoubleDouble::sum(steps as f64 * self.step, rest);
        let exact = block.len() as i128 * squares - i128::from(steps) * i128::from(steps);
        let of_rests = DoubleDouble::sum(2.0 * steps as f64 * self.step, rest) * rest / count;
        let m2 = of_whole(exact) / count * (self.step * self.step) - of_rests + product;
        Moments {
            count: block.len() as u64,
            mean: DoubleDouble::from(center) + sum / count,
            m2: super::saturate(m2),
        }
    }

    #[inline(always)]
    fn sums(self, block: &[f64], center: f64) -> Sums {
        let mut sums =
            Sums { steps: [0; LANES], squares: [0; LANES], rests: [0.0; LANES], products: [0.0; LANES] };
        let (groups, rest) = block.as_chunks::<LANES>();
        for group in groups {
            self.add(&mut sums, group, center);
        }
        if !rest.is_empty() {
            // The center itself adds nothing to any sum.
            let mut last = [center; LANES];
            last[..rest.len()].copy_from_slice(rest);
            self.add(&mut sums, &last, center);
        }
        sums
    }

    /// Statement by statement for all lanes, and without checks of what cannot overflow, which is how the compiler finds
    /// the vector instructions.
    #[inline(always)]
    fn add(self, sums: &mut Sums, group: &Lane, center: f64) {
        let middle = (center + self.rounder).to_bits();
        let (rounders, centers) = ([self.rounder; LANES], [center; LANES]);
        let rounded = each(group, &rounders, |value, rounder| value + rounder);
        let on_grid = each(&rounded, &rounders, |rounded, rounder| rounded - rounder);
        let rest = each(group, &on_grid, |value, on_grid| value - on_grid);
        let distance = each(&on_grid, &centers, |on_grid, center| on_grid - center);
        let twice = each(&distance, &distance, |distance, _| distance + distance);
        let factor = each(&twice, &rest, |twice, rest| twice + rest);
        let product = each(&factor, &rest, |factor, rest| factor * rest);
        sums.rests = each(&sums.rests, &rest, |sum, rest| sum + rest);
        sums.products = each(&sums.products, &product, |sum, product| sum + product);
        let steps = rounded.map(|rounded| i64::from(low_half(rounded.to_bits().wrapping_sub(middle))));
        for (sum, steps) in sums.steps.iter_mut().zip(steps) {
            *sum = sum.wrapping_add(steps);
        }
        for (sum, steps) in sums.squares.iter_mut().zip(steps) {
            *sum = sum.wrapping_add(steps.wrapping_mul(steps));
        }
    }
}

#[inline(always)]
fn each(a: &Lane, b: &Lane, operation: impl Fn(f64, f64) -> f64) -> Lane {
    let mut result = [0.0; LANES];
    for lane in 0..LANES {
        result[lane] = operation(a[lane], b[lane]);
    }
    result
}

/// Significands of one exponent differ by the difference of the whole numbers, which fits.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most 27 bits and a sign")]
fn low_half(difference: u64) -> i32 {
    difference as i32
}

/// The exponent of the smallest power of two above a positive number within range.
fn exponent_above(value: f64) -> Option<i32> {
    let biased = i32::try_from(value.to_bits() >> 52).ok()?;
    let exponent = biased - 1022;
    (value > 0.0 && exponent.abs() <= LARGEST_EXPONENT).then_some(exponent)
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52)
}

/// A whole number below 2^90, exact.
fn of_whole(value: i128) -> DoubleDouble {
    let scale = 1_i128 << 40;
    DoubleDouble::sum((value / scale) as f64 * scale as f64, (value % scale) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::extent;
    use proptest::prelude::*;

    /// The same from exact arithmetic on rationals of a common denominator: `values` are whole multiples of 2^-30.
    fn exactly(whole: &[i64]) -> (f64, f64) {
        let (n, sum): (i128, i128) =
            (whole.len() as i128, whole.iter().map(|value| i128::from(*value)).sum());
        let squares: i128 = whole.iter().map(|value| i128::from(*value) * i128::from(*value)).sum();
        let unit = 2_f64.powi(-30);
        (sum as f64 / n as f64 * unit, (n * squares - sum * sum) as f64 / n as f64 * unit * unit)
    }

    proptest! {
        #[test]
        fn a_block_has_its_exact_moments(
            whole in prop::collection::vec(-(1_i64 << 40)..1 << 40, 16..700), offset in -(1_i64 << 48)..1 << 48,
            outlier in any::<bool>(),
        ) {
            let mut whole: Vec<i64> = whole.iter().map(|value| (value >> if outlier { 12 } else { 0 }) + offset).collect();
            if outlier {
                whole[3] = offset + (1 << 44);
            }
            let values: Vec<f64> = whole.iter().map(|value| *value as f64 * 2_f64.powi(-30)).collect();
            let (mean, m2) = exactly(&whole);
            let found = Grid::of(&extent(&values)).unwrap().moments(&values);
            prop_assert!((found.mean.to_f64() - mean).abs() <= mean.abs() * 4e-16);
            prop_assert!((found.m2.to_f64() - m2).abs() <= m2 * 4e-16, "{} {}", found.m2.to_f64(), m2);
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_others() {
        let of = |min: f64, max: f64| Grid::of(&Extent { is_finite: true, min, max, zeros: 0 });
        assert!(of(1.0, 1.0).is_none() && of(f64::MIN, f64::MAX).is_none() && of(0.0, 1e-200).is_none());
        assert!(of(1e9, 1e9 + 1.0).is_none() && of(-1e9 - 1.0, -1e9).is_none());
        assert!(of(1e7, 1e7 + 1.0).is_some() && of(-3.0, -1.0).is_some() && of(0.0, 1e100).is_some());
    }
}
