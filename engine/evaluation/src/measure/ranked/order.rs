//! Rows in the order of a number: one sort serves every slicing.
//!
//! Numbers are compared by their bits, turned so that they sort as integers. The first 32 bits of those integers, less
//! the smallest, are sorted together with the row in one word, in three passes of counting (D. E. Knuth, "The Art of
//! Computer Programming" 3, section 5.2.5), which keeps equal ones in the order of rows; what agrees in those bits is
//! sorted by comparison.

/// Bits that one pass sorts by.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;
const PASSES: usize = 3;
const SORTED_BITS: u32 = 32;

/// Below so many rows comparing is faster than counting.
const FEW: usize = 1 << 12;

/// More rows than this cannot be put in order in memory.
pub(crate) const MAX_ROWS: usize = (1 << 31) - 1;

/// A row in an order, with its class, which spares the walks along the order from looking it up all over the memory: the
/// number of its step above, as rows of one number share a step and steps follow one another; then twice the number of
/// the row, and the class. While rows are sorted, the first bits of what they are sorted by stand in the step's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

impl Place {
    fn new(step: u64, row: u32, class: u32) -> Self {
        Self(step << 32 | u64::from(row) << 1 | u64::from(class))
    }

    /// The number of the row.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half of a word")]
    pub(crate) fn row(self) -> u32 {
        self.0 as u32 >> 1
    }

    /// 1 of a positive row.
    #[inline]
    pub(crate) fn class(self) -> usize {
        usize::from(self.0 & 1 == 1)
    }

    /// Whether the two rows have one number.
    #[inline]
    pub(crate) fn is_tied(&self, other: &Self) -> bool {
        self.step() == other.step()
    }

    /// The number of its step: rows of one number share it.
    #[inline]
    pub(crate) fn step(self) -> u64 {
        self.0 >> 32
    }

    /// The same row in another step.
    fn at(self, step: u64) -> Self {
        Self(step << 32 | self.0 & 0xffff_ffff)
    }
}

/// Which comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// The greatest.
    Greatest,
    /// The least.
    Least,
}

/// Bits that sort as the numbers do; of 0 and −0 they are the same.
fn sortable(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// A number that rows in order ascend by.
pub(crate) fn sort_key(number: f64, first: First) -> u64 {
    match first {
        First::Greatest => !sortable(number),
        First::Least => sortable(number),
    }
}

/// So many rows in the order of their numbers, which are not NaN; equal ones by row. `classes` says of each whether it is
/// positive, or is empty. There are at most [`MAX_ROWS`].
pub(crate) fn in_order(
    rows: usize,
    number: impl Fn(usize) -> f64,
    classes: &[bool],
    first: First,
) -> Vec<Place> {
    let key = |row: u32| sort_key(number(row as usize), first);
    let all = || (0..).take(rows);
    let (least, greatest) = all().map(key).fold((u64::MAX, 0), |(least, greatest), key| {
        (std::cmp::min(least, key), std::cmp::max(greatest, key))
    });
    let shift = (u64::BITS - greatest.saturating_sub(least).leading_zeros()).saturating_sub(SORTED_BITS);
    let class = |row: u32| u32::from(classes.get(row as usize).is_some_and(|is_positive| *is_positive));
    let mut places = Vec::with_capacity(rows);
    places.extend(all().map(|row| Place::new((key(row) - least) >> shift, row, class(row))));
    sort(&mut places);
    number_steps(&mut places, |place| if shift > 0 { key(place.row()) } else { 0 });
    places
}

/// Gives places whose first bits are in order their steps; `key` is all of what they are sorted by.
fn number_steps(places: &mut [Place], key: impl Fn(Place) -> u64) {
    let (mut step, mut start) = (0, 0);
    while start < places.len() {
        let same = places[start].step();
        let length = places[start..].iter().take_while(|place| place.step() == same).count();
        let run = &mut places[start..start + length];
        if let [one] = run {
            *one = one.at(step);
        } else {
            if !run.is_sorted_by_key(|place| key(*place)) {
                run.sort_unstable_by_key(|place| (key(*place), *place));
            }
            let mut last = key(run[0]);
            for place in run {
                let key = key(*place);
                step += u64::from(key != last);
                last = key;
                *place = place.at(step);
            }
        }
        step += 1;
        start += length;
    }
}

/// Sorts by the first bits; equal ones stay in their order, which is that of rows.
fn sort(places: &mut Vec<Place>) {
    if places.len() < FEW {
        places.sort_unstable();
        return;
    }
    let digit = |place: Place, pass: usize| {
        let digit = place.step() >> (u32::try_from(pass).unwrap_or(0) * DIGIT_BITS);
        usize::try_from(digit).unwrap_or(0) & (DIGITS - 1)
    };
    let mut counts = vec![[0_usize; DIGITS]; PASSES];
    for place in places.iter() {
        for (pass, counts) in counts.iter_mut().enumerate() {
            counts[digit(*place, pass)] += 1;
        }
    }
    let mut sorted = vec![Place::default(); places.len()];
    for (pass, counts) in counts.iter_mut().enumerate() {
        if counts.contains(&places.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for place in places.iter() {
            let next = &mut counts[digit(*place, pass)];
            sorted[*next] = *place;
            *next += 1;
        }
        std::mem::swap(places, &mut sorted);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every other row is positive.
    fn odd(rows: usize) -> Vec<bool> {
        (0..rows).map(|row| row % 2 == 1).collect()
    }

    fn expected(numbers: &[f64], first: First) -> Vec<Place> {
        let mut rows: Vec<u32> = (0..).take(numbers.len()).collect();
        let number = |row: u32| numbers[row as usize];
        rows.sort_by(|a, b| match first {
            First::Greatest => number(*b).partial_cmp(&number(*a)).unwrap(),
            First::Least => number(*a).partial_cmp(&number(*b)).unwrap(),
        });
        let mut step = 0;
        let mut places: Vec<Place> = Vec::new();
        for row in rows {
            if let Some(last) = places.last()
                && number(last.row()).partial_cmp(&number(row)) != Some(std::cmp::Ordering::Equal)
            {
                step += 1;
            }
            places.push(Place::new(step, row, row % 2));
        }
        places
    }

    #[test]
    fn many_rows_of_every_size() {
        // Close numbers, far numbers, both signs, both zeros, ties.
        let spread = |row: u64| {
            let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            let number = (mixed % 1000) as f64;
            match row % 5 {
                0 => number * 1e-300,
                1 => -number,
                2 => 1.0 + number * f64::EPSILON,
                3 => number * 1e290,
                _ => -0.0,
            }
        };
        let numbers: Vec<f64> = (0..3 * FEW as u64).map(spread).collect();
        for first in [First::Greatest, First::Least] {
            assert_eq!(
                in_order(numbers.len(), |row| numbers[row], &odd(numbers.len()), first),
                expected(&numbers, first)
            );
        }
        let near: Vec<f64> = (0..2 * FEW as u64).map(|row| 0.5 + (row * 37 % 4099) as f64 * 1e-16).collect();
        assert_eq!(
            in_order(near.len(), |row| near[row], &odd(near.len()), First::Least),
            expected(&near, First::Least)
        );
        let same = vec![0.25; 2 * FEW];
        assert!(
            in_order(same.len(), |row| same[row], &[], First::Least).iter().all(|place| place.step() == 0)
        );
        assert!(in_order(0, |_| 0.0, &[], First::Least).is_empty());
    }

    proptest! {
        #[test]
        fn orders_as_comparing_does(
            numbers in prop::collection::vec(prop_oneof![-1e3..1e3_f64, Just(0.0), Just(-0.0), Just(0.5)], 0..200)
        ) {
            for first in [First::Greatest, First::Least] {
                prop_assert_eq!(in_order(numbers.len(), |row| numbers[row], &odd(numbers.len()), first), expected(&numbers, first));
            }
        }
    }
}
