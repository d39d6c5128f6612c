//! Mean and spread of finite numbers that weigh, in double-double.
//!
//! The weighted mean is `sum(w x) / sum(w)`, the variance `sum(w (x - mean)^2) / sum(w)`, as TFDV has them. A slice
//! is read in blocks of 4,096: first the mean, then the squared deviations about the rounded mean `c`, corrected by
//! `sum(w) (mean - c)^2` (the corrected two-pass algorithm with weights). Blocks and states are joined by the pairwise
//! update (Chan, Golub & `LeVeque`, "Algorithms for computing the sample variance", The American Statistician 37
//! (1983), eq. 2.1) with weights in the place of counts; D. H. D. West, "Updating mean and variance estimates",
//! Communications of the ACM 22 (1979) has the case of one value.
//!
//! The caller leaves out null, NaN and infinities, and weights that are not finite or below 0 (asserted in debug
//! builds). What weighs 0 changes nothing. No weight: no mean, no variance. A constant column has its value as mean
//! and the variance zero, exactly. A figure that leaves the range of `f64` is not given. With equal weights the answers are those of [`crate::Moments`] but for the last bit. Constant
//! memory; some 15 ns a value.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;

/// Values read twice before they leave the cache.
const BLOCK: usize = 4096;
/// Brings the sum of a block of the largest numbers into range; exact.
const RESCUE_SCALE: f64 = 1.0 / 8192.0;

/// Sum of weights, weighted mean and weighted sum of squared deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightedMoments {
    weight: DoubleDouble,
    mean: DoubleDouble,
    m2: DoubleDouble,
}

impl WeightedMoments {
    /// The moments of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in finite values with their weights; both are equally long.
    pub fn update(&mut self, pairs: &[(f64, f64)]) {
        debug_assert!(
            pairs.iter().all(|(value, weight)| value.is_finite() && weight.is_finite() && *weight >= 0.0),
            "the caller leaves out what is not finite"
        );
        for block in pairs.chunks(BLOCK) {
            self.merge(Self::of_block(block));
        }
    }

    /// The same of values with sums of weights.
    pub fn update_summed(&mut self, pairs: &[(f64, DoubleDouble)]) {
        for block in pairs.chunks(BLOCK) {
            self.merge(Self::of_block(block));
        }
    }

    /// Joins the moments of other values (eq. 2.1).
    pub fn merge(&mut self, later: Self) {
        if later.weight.high == 0.0 {
            return;
        }
        if self.weight.high == 0.0 {
            *self = later;
            return;
        }
        let total = self.weight + later.weight;
        let share = later.weight / total;
        let delta = later.mean - self.mean;
        let m2 = self.m2 + later.m2 + delta * delta * self.weight * share;
        self.mean = if delta.is_finite() {
            self.mean + delta * share
        } else {
            self.mean * (self.weight / total) + later.mean * share
        };
        self.m2 = saturate(m2);
        self.weight = total;
    }

    /// The sum of the weights.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight.to_f64()
    }

    /// The weighted mean; `None` where nothing weighs.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        Some(self.mean.to_f64()).filter(|mean| self.weight.high > 0.0 && mean.is_finite())
    }

    /// The square root of the weighted variance; `None` where nothing weighs, or beyond the range of `f64`.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        let variance = (self.weight.high > 0.0 && self.m2.is_finite()).then(|| self.m2 / self.weight)?;
        Some(variance.sqrt().to_f64()).filter(|deviation| deviation.is_finite())
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn of_block<W: Copy + Into<DoubleDouble>>(block: &[(f64, W)]) -> Self {
        // What weighs nothing may be so far away that its square is infinite.
        let weights = || block.iter().map(|(value, weight)| (value, (*weight).into()));
        let weighing = || weights().filter(|(_, weight): &(_, DoubleDouble)| weight.high > 0.0);
        let Some((first, _)) = weighing().next() else { return Self::default() };
        let weight = weighing().fold(DoubleDouble::ZERO, |sum, (_, weight)| sum + weight);
        if weighing().all(|(value, _)| value.to_bits() == first.to_bits()) {
            return Self { weight, mean: DoubleDouble::from(*first), m2: DoubleDouble::ZERO };
        }
        let sum = weighing().fold(DoubleDouble::ZERO, |sum, (value, weight)| sum + weight * *value);
        let mut mean = sum / weight;
        if !mean.is_finite() {
            mean = rescued_mean(block, weight);
        }
        let center = mean.high;
        let about_rounded = weighing().fold(DoubleDouble::ZERO, |m2, (value, weight)| {
            let deviation = DoubleDouble::sum(*value, -center);
            m2 + deviation * deviation * weight
        });
        let correction = weight * DoubleDouble::product(mean.low, mean.low);
        Self { weight, mean, m2: saturate(about_rounded - correction) }
    }
}

/// The mean of a block whose products leave the range of `f64`.
fn rescued_mean<W: Copy + Into<DoubleDouble>>(block: &[(f64, W)], weight: DoubleDouble) -> DoubleDouble {
    let sum = block
        .iter()
        .fold(DoubleDouble::ZERO, |sum, (value, one)| sum + (*one).into() / weight * (value * RESCUE_SCALE));
    sum * (1.0 / RESCUE_SCALE)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moments;
    use proptest::prelude::*;

    fn of(pairs: &[(f64, f64)]) -> WeightedMoments {
        let mut moments = WeightedMoments::new();
        moments.update(pairs);
        moments
    }

    #[test]
    fn figures_by_hand() {
        // (1*1 + 2*2 + 4*1) / 4 = 2.25; variance ((1.25)^2 + 2*(0.25)^2 + (1.75)^2) / 4 = 1.1875.
        let moments = of(&[(1.0, 1.0), (2.0, 2.0), (4.0, 1.0), (1e300, 0.0)]);
        assert_eq!((moments.mean(), moments.weight().to_bits()), (Some(2.25), 4.0_f64.to_bits()));
        assert_eq!(moments.standard_deviation(), Some(1.1875_f64.sqrt()));
        assert_eq!((of(&[]).mean(), of(&[(3.0, 0.0)]).standard_deviation()), (None, None));
        let constant = of(&[(0.1, 0.3); 9000]);
        assert_eq!((constant.mean(), constant.standard_deviation()), (Some(0.1), Some(0.0)));
    }

    #[test]
    fn the_largest_numbers_have_a_mean() {
        let moments = of(&[(f64::MAX, 1e99), (f64::MAX, 1e99)]);
        assert!((moments.mean().unwrap() / f64::MAX - 1.0).abs() < 1e-15);
        assert_eq!(of(&[(f64::MAX, 1.0), (-f64::MAX, 1.0)]).standard_deviation(), None);
    }

    proptest! {
        #[test]
        fn whole_weights_are_repetitions(pairs in prop::collection::vec((-1e3..1e3_f64, 0..5_u32), 0..200)) {
            let weighted: Vec<(f64, f64)> = pairs.iter().map(|(x, w)| (*x, f64::from(*w))).collect();
            let repeated: Vec<f64> =
                pairs.iter().flat_map(|(x, w)| std::iter::repeat_n(*x, *w as usize)).collect();
            let mut moments = Moments::new();
            moments.update(&repeated);
            let weighted = of(&weighted);
            prop_assert_eq!(weighted.mean().is_some(), moments.mean().is_some());
            if let (Some(mine), Some(theirs)) = (weighted.mean(), moments.mean()) {
                prop_assert!((mine - theirs).abs() <= 1e-15 * theirs.abs());
                let (mine, theirs) =
                    (weighted.standard_deviation().unwrap(), moments.standard_deviation(0).unwrap());
                prop_assert!((mine - theirs).abs() <= 1e-14 * theirs);
            }
        }

        #[test]
        fn any_layout_gives_the_same_figures(
            parts in prop::collection::vec(prop::collection::vec((-1e6..1e6_f64, 0.0..1e3_f64), 0..50), 1..6),
        ) {
            let all = of(&parts.concat());
            let joined = parts.iter().map(|part| of(part)).reduce(|mut a, b| { a.merge(b); a }).unwrap();
            if let (Some(mine), Some(theirs)) = (joined.mean(), all.mean()) {
                prop_assert!((mine - theirs).abs() <= 2e-16 * theirs.abs().clamp(1e-9, f64::MAX));
                let (a, b) = (joined.standard_deviation().unwrap(), all.standard_deviation().unwrap());
                prop_assert!((a - b).abs() <= 1e-14 * b);
            }
            let bytes = postcard::to_stdvec(&joined).unwrap();
            let read: WeightedMoments = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(read, joined);
        }
    }
}
