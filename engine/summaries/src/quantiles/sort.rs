//! Sorting by an integer key in three passes of a radix sort.
//!
//! The bounds of the middle 98 % are guessed from a sample at fixed positions. Keys between them are told apart by the
//! leading 24 bits of their distance from the lower bound, which three passes of 8 bits sort (least significant digit
//! first; Knuth, The Art of Computer Programming 3, 5.2.5); what lies outside goes to the ends. Neighbours of equal bits
//! are then sorted by comparing: few where keys scatter, so that the cost is linear, more where they crowd. The
//! order of equal keys is not kept.

/// Below this the comparing sort is as fast.
const SMALLEST: usize = 512;
/// Keys looked at to guess the bounds.
const SAMPLED: usize = 256;
const DIGIT_BITS: u32 = 8;
const DIGITS: usize = 1 << DIGIT_BITS;
const PASSES: u32 = 3;

/// Sorts ascending by `key`.
pub(super) fn sort_by_key<T: Copy + Default>(items: &mut [T], key: impl Fn(&T) -> i64) {
    let Some(prefix) = Prefix::of_items(items, &key) else {
        items.sort_unstable_by_key(key);
        return;
    };
    let mut counts = [[0_usize; DIGITS]; PASSES as usize];
    for item in &*items {
        let bits = prefix.of(key(item));
        for (pass, counts) in (0..).zip(&mut counts) {
            counts[digit(bits, pass)] += 1;
        }
    }
    let mut other = vec![T::default(); items.len()];
    let [first, second, third] = &mut counts;
    scatter(items, &mut other, first, |item| digit(prefix.of(key(item)), 0));
    scatter(&other, items, second, |item| digit(prefix.of(key(item)), 1));
    scatter(items, &mut other, third, |item| digit(prefix.of(key(item)), 2));
    items.copy_from_slice(&other);
    for equal in items.chunk_by_mut(|a, b| prefix.of(key(a)) == prefix.of(key(b))) {
        if equal.len() > 1 {
            equal.sort_unstable_by_key(&key);
        }
    }
}

#[inline]
fn digit(bits: usize, pass: u32) -> usize {
    (bits >> (pass * DIGIT_BITS)) % DIGITS
}

/// Puts each item where its digit belongs, in the order in which they come; turns the counts into ends.
#[inline]
fn scatter<T: Copy>(from: &[T], to: &mut [T], counts: &mut [usize; DIGITS], digit: impl Fn(&T) -> usize) {
    let mut start = 0;
    for count in &mut *counts {
        start += core::mem::replace(count, start);
    }
    for item in from {
        let slot = &mut counts[digit(item)];
        to[*slot] = *item;
        *slot += 1;
    }
}

/// The leading bits of the distance of a key from a lower bound.
struct Prefix {
    low: i64,
    shift: u32,
    last: u64,
}

impl Prefix {
    /// `None` where a radix sort is not worth it: few items, or keys that hardly differ.
    fn of_items<T>(items: &[T], key: impl Fn(&T) -> i64) -> Option<Self> {
        if items.len() < SMALLEST {
            return None;
        }
        let mut sample: Vec<i64> = items.iter().step_by(items.len() / SAMPLED).map(key).collect();
        sample.sort_unstable();
        let (low, high) = (sample[sample.len() / 100], sample[sample.len() - 1 - sample.len() / 100]);
        let width = high.wrapping_sub(low).cast_unsigned();
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(PASSES * DIGIT_BITS);
        (width > 8).then_some(Self { low, shift, last: width >> shift })
    }

    #[inline]
    fn of(&self, key: i64) -> usize {
        let above = key.wrapping_sub(self.low).cast_unsigned() >> self.shift;
        let inside = if above < self.last { above } else { self.last };
        #[expect(clippy::cast_possible_truncation, reason = "below 2^24")]
        let prefix = if key <= self.low { 0 } else { inside as usize };
        prefix
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
