//! Rows in the order of a number: one sort serves every slicing.
//!
//! Numbers are compared by their bits, turned so that they sort as integers. Those integers, less the smallest, are
//! sorted by their first 33 bits in three passes of counting (D. E. Knuth, "The Art of Computer Programming" 3,
//! section 5.2.5), which keeps equal ones in the order of rows; what agrees in those bits is sorted by comparison.

/// Bits that one pass sorts by.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;
const PASSES: usize = 3;
const SORTED_BITS: u32 = DIGIT_BITS * 3;

/// Below so many rows comparing is faster than counting.
const FEW: usize = 1 << 12;

/// More rows than this cannot be put in order in memory.
pub(crate) const MAX_ROWS: usize = (1 << 31) - 1;

/// A row in an order, with its class, which spares the walks along the order from looking it up all over the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number.
    pub(crate) row: u32,
    /// Twice the number of its step, and the class: rows of one number share a step; steps follow one another.
    mark: u32,
}

impl Place {
    /// 1 of a positive row.
    #[inline]
    pub(crate) fn class(self) -> usize {
        (self.mark & 1) as usize
    }

    /// Whether the two rows have one number.
    #[inline]
    pub(crate) fn is_tied(&self, other: &Self) -> bool {
        self.mark ^ other.mark < 2
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

#[derive(Clone, Copy, Debug, Default)]
struct Keyed {
    key: u64,
    row: u32,
    class: u32,
}

/// Bits that sort as the numbers do; of 0 and −0 they are the same.
fn sortable(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Gives the rows of an order the numbers of their places in it.
pub(crate) fn renumber(places: &mut [Place]) {
    for (place, number) in places.iter_mut().zip(0..) {
        place.row = number;
    }
}

/// A number that rows in order ascend by.
pub(crate) fn sort_key(number: f64, first: First) -> u64 {
    match first {
        First::Greatest => !sortable(number),
        First::Least => sortable(number),
    }
}

/// The rows in the order of their numbers, which are not NaN; equal ones by row. `classes` says of each whether it is
/// positive, or is empty. There are at most [`MAX_ROWS`].
pub(crate) fn in_order(
    numbers: impl ExactSizeIterator<Item = f64>,
    classes: &[bool],
    first: First,
) -> Vec<Place> {
    let mut keyed: Vec<Keyed> = Vec::with_capacity(numbers.len());
    let class = |row: u32| u32::from(classes.get(row as usize).is_some_and(|is_positive| *is_positive));
    let one = |(row, number)| Keyed { key: sort_key(number, first), row, class: class(row) };
    keyed.extend((0..).zip(numbers).map(one));
    sort(&mut keyed);
    let mut places = Vec::with_capacity(keyed.len());
    let (mut step, mut last) = (0_u32, keyed.first().map_or(0, |first| first.key));
    for Keyed { key, row, class } in keyed {
        step += u32::from(key != last);
        last = key;
        places.push(Place { row, mark: 2 * step + class });
    }
    places
}

fn sort(keyed: &mut Vec<Keyed>) {
    if keyed.len() < FEW {
        keyed.sort_unstable_by_key(|one| (one.key, one.row));
        return;
    }
    let least = keyed.iter().map(|one| one.key).min().unwrap_or(0);
    let greatest = keyed.iter().map(|one| one.key).max().unwrap_or(0);
    let shift = (u64::BITS - (greatest - least).leading_zeros()).saturating_sub(SORTED_BITS);
    let digit = |key: u64, pass: usize| {
        let digit = (key - least) >> shift >> (u32::try_from(pass).unwrap_or(0) * DIGIT_BITS);
        usize::try_from(digit).unwrap_or(0) & (DIGITS - 1)
    };
    let mut counts = vec![[0_usize; DIGITS]; PASSES];
    for one in keyed.iter() {
        for (pass, counts) in counts.iter_mut().enumerate() {
            counts[digit(one.key, pass)] += 1;
        }
    }
    let mut sorted = vec![Keyed::default(); keyed.len()];
    for (pass, counts) in counts.iter_mut().enumerate() {
        if counts.contains(&keyed.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for one in keyed.iter() {
            let place = &mut counts[digit(one.key, pass)];
            sorted[*place] = *one;
            *place += 1;
        }
        std::mem::swap(keyed, &mut sorted);
    }
    if shift > 0 {
        for run in keyed.chunk_by_mut(|a, b| (a.key - least) >> shift == (b.key - least) >> shift) {
            if run.len() > 1 {
                run.sort_unstable_by_key(|one| (one.key, one.row));
            }
        }
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
                && number(last.row).partial_cmp(&number(row)) != Some(std::cmp::Ordering::Equal)
            {
                step += 1;
            }
            places.push(Place { row, mark: 2 * step + row % 2 });
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
                in_order(numbers.iter().copied(), &odd(numbers.len()), first),
                expected(&numbers, first)
            );
        }
        let near: Vec<f64> = (0..2 * FEW as u64).map(|row| 0.5 + (row * 37 % 4099) as f64 * 1e-16).collect();
        assert_eq!(
            in_order(near.iter().copied(), &odd(near.len()), First::Least),
            expected(&near, First::Least)
        );
        let same = vec![0.25; 2 * FEW];
        assert!(in_order(same.iter().copied(), &[], First::Least).iter().all(|place| place.mark == 0));
        assert!(in_order(std::iter::empty(), &[], First::Least).is_empty());
    }

    proptest! {
        #[test]
        fn orders_as_comparing_does(
            numbers in prop::collection::vec(prop_oneof![-1e3..1e3_f64, Just(0.0), Just(-0.0), Just(0.5)], 0..200)
        ) {
            for first in [First::Greatest, First::Least] {
                prop_assert_eq!(in_order(numbers.iter().copied(), &odd(numbers.len()), first), expected(&numbers, first));
            }
        }
    }
}
