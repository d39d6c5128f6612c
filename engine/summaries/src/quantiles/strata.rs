//! One value of each `stride` consecutive ones, picked by a keyed generator, in the place of all of them.

use sluice_core::splitmix;

/// A sample of consecutive values, which may come in blocks.
#[derive(Clone, Debug)]
pub struct Strata {
    pub(super) stride: usize,
    random: u64,
    /// Order keys.
    pub(super) picked: Vec<i64>,
    /// What did not fill a stratum at the end of a block; stands for itself.
    pub(super) left_over: Vec<i64>,
    /// Order keys of the smallest and largest of all, the wrong way round while there is none.
    pub(super) extremes: (i64, i64),
}

impl Strata {
    /// No values; `seed` is different for each sample, and some `expected` values will come.
    #[must_use]
    pub fn new(stride: usize, seed: u64, expected: usize) -> Self {
        let stride = stride.max(1);
        let picked = Vec::with_capacity(expected / stride);
        Self { stride, random: seed, picked, left_over: Vec::new(), extremes: (i64::MAX, i64::MIN) }
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        (self.picked.len() * self.stride + self.left_over.len()) as u64
    }

    /// Picks from a block of values; `extremes` are the order keys of the smallest and largest of the block or of more.
    pub fn add<T: Copy>(&mut self, values: &[T], extremes: (i64, i64), key: impl Fn(T) -> i64) {
        if values.is_empty() {
            return;
        }
        self.extremes = (self.extremes.0.min(extremes.0), self.extremes.1.max(extremes.1));
        if self.stride == 1 {
            self.picked.extend(values.iter().map(|value| key(*value)));
            return;
        }
        let mut strata = values.chunks_exact(self.stride);
        for stratum in &mut strata {
            self.picked.push(key(stratum[below(&mut self.random, self.stride)]));
        }
        self.left_over.extend(strata.remainder().iter().map(|value| key(*value)));
    }
}

/// A number below `bound`.
#[inline]
fn below(state: &mut u64, bound: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "below the bound")]
    let picked = ((u128::from(splitmix::next(state)) * bound as u128) >> 64) as usize;
    picked
}
