//! How two columns of finite numbers vary together: means, sums of squared deviations and of their products.
//!
//! `C = sum (x - mean_x)(y - mean_y)`, in blocks of 4,096 pairs about the rounded means of the block, corrected for
//! the rounding; blocks and states are joined by `C = C_a + C_b + delta_x delta_y n_a n_b / n` (Chan, Golub &
//! `LeVeque` 1983, eq. 2.1, for products; Pébay, "Formulas for robust, one-pass parallel computation of covariances",
//! SAND2008-6212, eq. 2.2). The means and squares are those of [`Moments`]. A product is split at 26 bits, so that
//! the sum of the products of upper halves is exact up to compensation.
//!
//! The caller hands over pairs in which both are finite (asserted in debug builds). No pairs: no answer. A constant
//! column has the covariance 0 exactly and no correlation. Products beyond the range of f64 leave no finite
//! covariance, and the answer is `None`. The relative error is some 1e-23 of `sqrt(M2_x M2_y)`, hence a covariance
//! that is small beside it loses digits; the same blocks give the same bits. Constant memory; some 6 ns a pair.

use crate::moments::Moments;
use serde::{Deserialize, Serialize};
use sluice_core::double_double::{DoubleDouble, two_sum};

/// Pairs of a block; [`Moments`] takes as many at once.
const BLOCK: usize = 4096;
/// Independent sums, so that the compiler can use vector registers; part of the result's definition.
const LANES: usize = 8;
/// Keeps the 26 leading bits of a significand; the product of two such is exact.
const UPPER_HALF: u64 = !((1 << 27) - 1);

/// Moments of two columns and of their products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CoMoments {
    x: Moments,
    y: Moments,
    products: DoubleDouble,
}

impl CoMoments {
    /// Of no pairs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in pairs of finite values; of slices of different lengths the common beginning.
    pub fn update(&mut self, x: &[f64], y: &[f64]) {
        debug_assert!(
            x.iter().chain(y).all(|value| value.is_finite()),
            "the caller leaves out NaN and infinities"
        );
        for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
            let pairs = std::cmp::min(x.len(), y.len());
            self.merge(Self::of_block(&x[..pairs], &y[..pairs]));
        }
    }

    fn of_block(x: &[f64], y: &[f64]) -> Self {
        let moments = |values: &[f64]| {
            let mut moments = Moments::new();
            moments.update(values);
            moments
        };
        let (mut block, count) = (Self { x: moments(x), y: moments(y), ..Self::default() }, x.len() as u64);
        let (Some(mean_x), Some(mean_y)) = (block.x.mean_double_double(), block.y.mean_double_double())
        else {
            return block;
        };
        let about_rounded = products(x, y, mean_x.high, mean_y.high);
        let correction = DoubleDouble::product(mean_x.low, mean_y.low) * DoubleDouble::from(count);
        block.products = about_rounded - correction;
        block
    }

    /// Joins the moments of other pairs; exact in the count.
    pub fn merge(&mut self, later: Self) {
        let means = |moments: &Self| moments.x.mean_double_double().zip(moments.y.mean_double_double());
        match (means(self), means(&later)) {
            (_, None) => {}
            (None, _) => *self = later,
            (Some((x_a, y_a)), Some((x_b, y_b))) => {
                let (n_a, n_b) = (DoubleDouble::from(self.count()), DoubleDouble::from(later.count()));
                let shift = (x_b - x_a) * (y_b - y_a) * (n_a * (n_b / (n_a + n_b)));
                self.products = self.products + later.products + shift;
                self.x.merge(later.x);
                self.y.merge(later.y);
            }
        }
    }

    /// Pairs taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.x.count()
    }

    /// The population covariance, C / n; `None` without pairs and where it is not finite.
    #[must_use]
    pub fn covariance(&self) -> Option<f64> {
        if self.count() == 0 || !self.products.is_finite() {
            return None;
        }
        Some((self.products / DoubleDouble::from(self.count())).to_f64())
    }

    /// Pearson's correlation, `C / sqrt(M2_x M2_y)`; `None` where one of the two does not vary, and where a sum of
    /// squares is not finite.
    #[must_use]
    pub fn correlation(&self) -> Option<f64> {
        let (x, y) = (self.x.sum_of_squared_deviations(), self.y.sum_of_squared_deviations());
        if x.high <= 0.0 || y.high <= 0.0 || !(x.is_finite() && y.is_finite() && self.products.is_finite()) {
            return None;
        }
        // Two roots: the product of the squares may be out of range where the roots are not.
        let correlation = (self.products / x.sqrt() / y.sqrt()).to_f64();
        correlation.is_finite().then(|| correlation.clamp(-1.0, 1.0))
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// `sum (x - center_x)(y - center_y)`.
fn products(x: &[f64], y: &[f64], center_x: f64, center_y: f64) -> DoubleDouble {
    let (mut sums, mut errors) = ([0.0; LANES], [0.0; LANES]);
    for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
        for (lane, (&x, &y)) in x.iter().zip(y).enumerate() {
            let (dx, error_x) = two_sum(x, -center_x);
            let (dy, error_y) = two_sum(y, -center_y);
            let upper_x = f64::from_bits(dx.to_bits() & UPPER_HALF);
            let upper_y = f64::from_bits(dy.to_bits() & UPPER_HALF);
            let rest = (dx - upper_x) * dy + upper_x * (dy - upper_y) + (dx * error_y + dy * error_x);
            let (sum, error) = two_sum(sums[lane], upper_x * upper_y);
            sums[lane] = sum;
            errors[lane] += error + rest;
        }
    }
    let lanes = sums.into_iter().zip(errors);
    lanes.fold(DoubleDouble::ZERO, |total, (sum, error)| total + DoubleDouble::sum(sum, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(x: &[f64], y: &[f64]) -> CoMoments {
        let mut moments = CoMoments::new();
        moments.update(x, y);
        moments
    }

    #[test]
    fn by_hand_and_at_the_limits() {
        let moments = of(&[1.0, 3.0, 5.0, 6.0, 10.0], &[2.0, 4.0, 6.0, 14.0, 16.0]);
        assert_eq!(moments.covariance(), Some(15.6));
        assert!((moments.correlation().unwrap() - 0.923_145).abs() < 1e-6);
        assert_eq!((of(&[], &[]).covariance(), of(&[], &[]).correlation()), (None, None));
        assert_eq!((of(&[2.5], &[7.0]).covariance(), of(&[2.5], &[7.0]).correlation()), (Some(0.0), None));
        let constant = of(&[0.1; 5000], &[1.0; 5000]);
        assert_eq!((constant.covariance(), constant.correlation()), (Some(0.0), None));
        let line: Vec<f64> = (0..10_000).map(|n| 1e9 + f64::from(n) * 1e-3).collect();
        let falling: Vec<f64> = line.iter().map(|x| -x).collect();
        assert_eq!(of(&line, &line).correlation(), Some(1.0));
        assert_eq!(of(&line, &falling).correlation(), Some(-1.0));
        assert_eq!(of(&[1e300, -1e300], &[1e300, -1e300]).covariance(), None);
        let large = of(&[1e100, -1e100, 0.0], &[1e-100, -1e-100, 0.0]);
        assert_eq!(large.correlation(), Some(1.0));
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        // Covariance of n and n^2 for n = 0..999, by whole numbers; shifted by 2^30, which f64 holds exactly.
        let n: Vec<f64> = (0..1000).map(f64::from).collect();
        let squares: Vec<f64> = n.iter().map(|n| n * n + 1_073_741_824.0).collect();
        let shifted: Vec<f64> = n.iter().map(|n| n + 1_073_741_824.0).collect();
        let (sum, squares_sum): (u64, u64) = ((0..1000).sum(), (0..1000).map(|n| n * n).sum());
        let cubes_sum: u64 = (0..1000).map(|n| n * n * n).sum();
        let exact = (1000 * cubes_sum - sum * squares_sum) as f64 / 1e6;
        assert_eq!(of(&shifted, &squares).covariance(), Some(exact));
    }

    proptest! {
        /// Any cut gives the same to the last digits, and an empty state changes nothing.
        #[test]
        fn cuts_do_not_matter(
            pairs in proptest::collection::vec((-1e6_f64..1e6, -1e-3_f64..1e-3), 2..200),
            cut in 0_usize..200,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let cut = std::cmp::min(cut, x.len());
            let whole = of(&x, &y);
            let mut joined = of(&x[..cut], &y[..cut]);
            joined.merge(of(&x[cut..], &y[cut..]));
            prop_assert_eq!(joined.count(), whole.count());
            let scale = whole.x.standard_deviation(0).unwrap() * whole.y.standard_deviation(0).unwrap();
            prop_assert!((joined.covariance().unwrap() - whole.covariance().unwrap()).abs() <= 1e-15 * scale);
            let mut same = whole;
            same.merge(CoMoments::new());
            prop_assert_eq!(same, whole);
            let mut before = CoMoments::new();
            before.merge(whole);
            prop_assert_eq!(before, whole);
        }
    }
}
