//! Random numbers by key: what is drawn follows from what it is for (seed, purpose, epoch, row, …), never from what was
//! drawn before, so that any thread can draw it and training can go on where it stopped.
//!
//! A key is mixed by the finaliser of `SplitMix64` (Steele, Lea & Flood 2014). **Frozen**: other numbers would be
//! another training.

use sluice_core::splitmix::{GAMMA, mix};

/// What a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    /// The key of a seed and a purpose.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(seed.wrapping_add(GAMMA))).with(purpose)
    }

    /// A key for tests.
    #[cfg(test)]
    pub(crate) const fn fixed(value: u64) -> Self {
        Self(value)
    }

    /// The key of a part of what this key is for.
    #[must_use]
    pub(crate) fn with(self, part: u64) -> Self {
        Self(mix(self.0 ^ part.wrapping_add(1).wrapping_mul(GAMMA)))
    }

    /// The number at this position.
    #[inline(always)]
    pub(crate) fn at(self, position: u64) -> u64 {
        mix(self.0.wrapping_add(position.wrapping_mul(GAMMA)))
    }

    /// The key as a number, for who draws by himself.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The upper 32 bits of the key, for loops over 32-bit lanes.
    pub(crate) fn half(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Uniform in (-1, 1), in 2^24 steps that `f32` holds exactly.
    #[allow(clippy::cast_possible_truncation, reason = "24 bits")]
    pub(crate) fn symmetric(self, position: u64) -> f32 {
        let steps = (self.at(position) >> 40) as f32; // below 2^24
        (steps + 0.5) / 8_388_608.0 - 1.0
    }

    /// Standard normal, as the sum of twelve uniforms less six: tails end at 6, which start weights may.
    pub(crate) fn normal(self, position: u64) -> f32 {
        let sum: f32 = (0..12).map(|part| 0.5 * self.symmetric(position.wrapping_mul(12) + part)).sum();
        sum
    }

    /// A permutation of 0 … `order.len()` - 1, by Fisher and Yates.
    pub(crate) fn shuffle<T>(self, order: &mut [T]) {
        for last in (1..order.len()).rev() {
            // The product is below `last + 1`; its bias, at most (last + 1) / 2^64, cannot be seen.
            let draw = (u128::from(self.at(last as u64)) * (last as u128 + 1)) >> 64;
            order.swap(last, usize::try_from(draw).unwrap_or(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn draws_are_frozen() {
        let key = Key::new(7, 1).with(3);
        let mut order: Vec<u32> = (0..8).collect();
        key.shuffle(&mut order);
        assert_eq!((key.at(0), order.as_slice()), (FROZEN.0, &FROZEN.1[..]));
    }

    /// Of the first build; another answer means that stored seeds would train other networks.
    const FROZEN: (u64, [u32; 8]) = (800_642_778_260_504_696, [6, 4, 5, 3, 7, 1, 2, 0]);

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let key = Key::new(1, 2);
        let moments = |draw: &dyn Fn(u64) -> f32| {
            let draws: Vec<f64> = (0..100_000).map(|at| f64::from(draw(at))).collect();
            let mean = draws.iter().sum::<f64>() / 1e5;
            (mean, draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5)
        };
        let (mean, variance) = moments(&|at| key.symmetric(at));
        assert!(mean.abs() < 0.01 && (variance - 1.0 / 3.0).abs() < 0.01, "{mean} {variance}");
        let (mean, variance) = moments(&|at| key.normal(at));
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn a_shuffle_reaches_every_place_from_every_place() {
        let mut seen = [[0_u32; 6]; 6];
        for seed in 0..6000 {
            let mut order: Vec<usize> = (0..6).collect();
            Key::new(seed, 0).shuffle(&mut order);
            for (place, from) in order.into_iter().enumerate() {
                seen[from][place] += 1;
            }
        }
        // 1000 expected, standard deviation 29.
        assert!(seen.iter().flatten().all(|count| (850..1150).contains(count)), "{seen:?}");
    }
}
