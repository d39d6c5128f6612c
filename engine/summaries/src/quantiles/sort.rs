//! Sorting by an integer key in linear time, where keys scatter.
//!
//! The bounds of the middle 98 % are guessed from a sample at fixed positions. If the sample falls evenly into that
//! many equal steps between them (of the keys, or of the numbers that are their order keys), one pass puts each
//! key into its step, and the few in a step are sorted by comparing (Knuth, The Art of Computer Programming 3, 5.2.1,
//! multiple list insertion). Else keys are told apart by the leading 24 bits of their distance from the lower
//! bound, which three passes of 8 bits sort (least significant digit first; ibid., 5.2.5); what lies outside goes to
//! the ends. Neighbours of equal bits are then sorted by comparing: few where keys scatter, so that the cost is linear,
//! more where they crowd. The order of equal keys is not kept.

use crate::order_key::f64_of_key;

/// Below this the comparing sort is as fast.
const SMALLEST: usize = 512;
/// Keys looked at to guess the bounds.
const SAMPLED: usize = 256;
const DIGIT_BITS: u32 = 8;
const DIGITS: usize = 1 << DIGIT_BITS;
const PASSES: u32 = 3;
/// More steps than this would not stay in the nearest cache.
const MOST_STEPS: u32 = 1 << 15;

/// Sorts ascending by `key`.
pub fn sort_by_key<T: Copy + Default>(items: &mut [T], key: impl Fn(&T) -> i64) {
    let Some((sample, prefix)) = Prefix::of_items(items, &key) else {
        items.sort_unstable_by_key(key);
        return;
    };
    match Steps::of_sample(&sample, items.len()) {
        Some(Steps::Keys { low, shift, last }) => sort_by_step(items, &key, last, |key| {
            let step = key.saturating_sub(low).max(0) >> shift;
            step.cast_unsigned()
        }),
        Some(Steps::Numbers { low, scale, last }) => {
            sort_by_step(items, &key, last, |key| number_step(key, low, scale));
        }
        None => sort_by_prefix(items, &key, &prefix),
    }
}

/// The last keys of cells of `in_cell` keys each (the last cell may have fewer), ascending, in linear time: keys are put
/// into steps, and only the steps in which a cell ends are looked into. `None` where that is not worth it, or where there
/// may be no more than `few` different keys.
pub(super) fn ends_of_cells(keys: &[i64], in_cell: usize, few: usize) -> Option<Vec<i64>> {
    if in_cell < 2 {
        return None;
    }
    let (sample, _) = Prefix::of_items(keys, |key| *key)?;
    let (stepped, ends) = match Steps::of_sample(&sample, keys.len())? {
        Steps::Keys { low, shift, last } => by_step(keys, &|key| *key, last, |key| {
            let step = key.saturating_sub(low).max(0) >> shift;
            step.cast_unsigned()
        }),
        Steps::Numbers { low, scale, last } => {
            by_step(keys, &|key| *key, last, |key| number_step(key, low, scale))
        }
    };
    cells_of_steps(stepped, &ends, in_cell, few)
}

fn cells_of_steps(mut stepped: Vec<i64>, ends: &[u32], in_cell: usize, few: usize) -> Option<Vec<i64>> {
    let mut taken = 0;
    let is_taken = |end: &&u32| core::mem::replace(&mut taken, **end) != **end;
    if ends.iter().filter(is_taken).count() <= few {
        return None;
    }
    let count = stepped.len();
    let mut cells = Vec::with_capacity(count.div_ceil(in_cell));
    let mut steps = ends.iter().map(|end| *end as usize);
    let (mut first, mut end) = (0, 0);
    for place in
        (in_cell - 1..count).step_by(in_cell).chain((!count.is_multiple_of(in_cell)).then_some(count - 1))
    {
        while end <= place {
            first = end;
            end = steps.next()?;
            if end > place && end - first > 2 * in_cell {
                // Several cells end here.
                stepped[first..end].sort_unstable();
            }
        }
        let key = match &mut stepped[first..end] {
            [only] => *only,
            [a, b] if (place == first) == (*a <= *b) => *a,
            [_, b] => *b,
            step if step.len() > 2 * in_cell => step[place - first],
            step => *step.select_nth_unstable(place - first).1,
        };
        cells.push(key);
    }
    Some(cells)
}

/// Sorts by step, which must not descend where keys ascend, and within steps by comparing.
fn sort_by_step<T: Copy + Default>(
    items: &mut [T],
    key: &impl Fn(&T) -> i64,
    last: u32,
    step: impl Fn(i64) -> u64,
) {
    let (mut other, ends) = by_step(items, key, last, step);
    let mut first = 0;
    for end in ends {
        let end = end as usize;
        match &mut other[first..end] {
            [] | [_] => {}
            [a, b] => {
                if key(b) < key(a) {
                    core::mem::swap(a, b);
                }
            }
            equal => equal.sort_unstable_by_key(key),
        }
        first = end;
    }
    items.copy_from_slice(&other);
}

/// The items in the order of their steps, and where each step ends.
fn by_step<T: Copy + Default>(
    items: &[T],
    key: &impl Fn(&T) -> i64,
    last: u32,
    step: impl Fn(i64) -> u64,
) -> (Vec<T>, Vec<u32>) {
    #[expect(clippy::cast_possible_truncation, reason = "at most `last`")]
    let steps: Vec<u32> = items.iter().map(|item| step(key(item)).min(u64::from(last)) as u32).collect();
    let mut starts = vec![0_u32; last as usize + 2];
    for step in &steps {
        starts[*step as usize + 1] += 1;
    }
    for step in 1..starts.len() {
        starts[step] += starts[step - 1];
    }
    let mut other = vec![T::default(); items.len()];
    for (item, step) in items.iter().zip(&steps) {
        let place = &mut starts[*step as usize];
        other[*place as usize] = *item;
        *place += 1;
    }
    // Now each start is where its step ends.
    (other, starts)
}

fn sort_by_prefix<T: Copy + Default>(items: &mut [T], key: &impl Fn(&T) -> i64, prefix: &Prefix) {
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
            equal.sort_unstable_by_key(key);
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
    fn of_items<T>(items: &[T], key: impl Fn(&T) -> i64) -> Option<(Vec<i64>, Self)> {
        if items.len() < SMALLEST {
            return None;
        }
        let mut sample: Vec<i64> = items.iter().step_by(items.len() / SAMPLED).map(key).collect();
        sample.sort_unstable();
        let (low, high) = middle(&sample);
        let width = high.wrapping_sub(low).cast_unsigned();
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(PASSES * DIGIT_BITS);
        (width > 8).then_some((sample, Self { low, shift, last: width >> shift }))
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

/// The bounds of the middle 98 % of a sorted sample.
fn middle(sample: &[i64]) -> (i64, i64) {
    (sample[sample.len() / 100], sample[sample.len() - 1 - sample.len() / 100])
}

/// Equal steps into which keys fall evenly.
enum Steps {
    /// Of the keys.
    Keys { low: i64, shift: u32, last: u32 },
    /// Of the numbers that they are the order keys of.
    Numbers { low: f64, scale: f64, last: u32 },
}

impl Steps {
    /// About half as many steps as items, of the kind into which the sample falls more evenly; `None` where both crowd.
    fn of_sample(sample: &[i64], items: usize) -> Option<Self> {
        let last =
            u32::try_from((items / 2).next_power_of_two()).ok().filter(|count| *count <= MOST_STEPS)? - 1;
        let (low, high) = middle(sample);
        let width = high.checked_sub(low)?.cast_unsigned();
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(last.count_ones());
        let by_key = |key: &i64| (key.saturating_sub(low).max(0) >> shift).cast_unsigned();
        let of_keys = occupied(sample.iter().map(by_key), last);
        let (least, most) = (f64_of_key(low), f64_of_key(high));
        let scale = f64::from(last) / (most - least);
        // Integers are the order keys of tiny numbers or of none, of which no steps are made.
        let has_numbers = scale.is_normal() && (most - least).is_normal() && scale < 1e300;
        let by_number = |key: &i64| number_step(*key, least, scale);
        let of_numbers = if has_numbers { occupied(sample.iter().map(by_number), last) } else { 0 };
        if of_keys.max(of_numbers) < sample.len() / 2 {
            return None;
        }
        Some(if of_numbers > of_keys {
            Self::Numbers { low: least, scale, last }
        } else {
            Self::Keys { low, shift, last }
        })
    }
}

/// The step of a number, 0 below the lower bound. Keys above that of infinity are none of numbers; those below that of
/// its opposite become NaN, which becomes 0.
#[inline]
fn number_step(key: i64, low: f64, scale: f64) -> u64 {
    const INFINITY: i64 = f64::INFINITY.to_bits().cast_signed();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let step = ((f64_of_key(key.min(INFINITY)) - low) * scale) as u64;
    step
}

/// How many different steps there are; they ascend.
fn occupied(steps: impl Iterator<Item = u64>, last: u32) -> usize {
    let mut steps: Vec<u64> = steps.map(|step| step.min(u64::from(last))).collect();
    steps.dedup();
    steps.len()
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
    fn sorts_numbers_of_many_shapes() {
        let noise = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) as f64 / 2_f64.powi(64);
        let shapes: [fn(f64) -> f64; 7] = [
            |x| x - 0.5,
            |x| (x / (1.0 - x)).ln(),
            |x| (20.0 * x).exp(),
            |x| 1e308 * (x - 0.5),
            |x| if x < 0.6 { 0.0 } else { 1.0 / x },
            |x| (x * 40.0).floor(),
            |x| x * f64::MIN_POSITIVE,
        ];
        for shape in shapes {
            let numbers = (1..9000).map(|n| shape(noise(n)));
            let odd = [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0];
            let mut keys: Vec<i64> = numbers.chain(odd).map(crate::order_key::key_of_f64).collect();
            keys.extend([i64::MAX, i64::MIN]);
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort_by_key(&mut keys, |key| *key);
            assert_eq!(keys, expected);
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
