//! Distinct values that the profiles of many slices take in: what does not depend on the slice (order keys in their
//! order, the hashes of texts) is found out once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};

use sluice_core::column::Column;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::Presence;
use sluice_summaries::{hash_bytes, key_of_f64, key_of_u64, sort_by_key};

use super::numbers::count_odd;

/// Ranks of what is no finite number, after those of the numbers.
const ODD: usize = 3;

/// The distinct values of a column over a split, by rank, and which code stands for which.
pub(in crate::statistics) struct Ranked {
    pub(in crate::statistics) values: Prepared,
    /// Each code, which is its place among the values, with its rank, ascending by rank, in which equal numbers are one.
    pub(in crate::statistics) by_rank: Vec<(u32, u32)>,
}

/// Distinct values by rank: numbers, dates and instants ascending, texts as they come.
pub(in crate::statistics) enum Prepared {
    /// Order keys; after them come NaN, infinity and its opposite.
    Numbers(Vec<i64>),
    /// Texts with their hashes; one may stand twice.
    Texts(Vec<Arc<str>>, Vec<u64>),
}

impl Ranked {
    /// `None` of what no source codes.
    pub(in crate::statistics) fn of(values: &ArrayRef) -> Option<Self> {
        if let Column::Text(texts) = Column::view(values) {
            u32::try_from(values.len()).ok()?;
            let texts: Vec<Arc<str>> = texts.iter().map(|text| Arc::from(text.unwrap_or_default())).collect();
            let hashes = texts.iter().map(|text| hash_bytes(text.as_bytes())).collect();
            let by_rank = (0..).zip(&texts).map(|(code, _)| (code, code)).collect();
            return Some(Self { values: Prepared::Texts(texts, hashes), by_rank });
        }
        Self::of_numbers(values)
    }

    fn of_numbers(values: &ArrayRef) -> Option<Self> {
        u32::try_from(values.len() + ODD).ok()?;
        let mut finite: Vec<(i64, u32)> = Vec::with_capacity(values.len());
        let mut odd: Vec<(u32, u32)> = Vec::new();
        each_key(values, |code, key| match key {
            Ok(key) => finite.push((key, code)),
            Err(value) => {
                odd.push((if value.is_nan() { 0 } else { 1 + u32::from(value < 0.0) }, code));
            }
        })?;
        odd.sort_unstable();
        let (keys, mut by_rank) = ranked(finite);
        let after = by_rank.last().map_or(0, |(rank, _)| rank + 1);
        by_rank.extend(odd.into_iter().map(|(which, code)| (after + which, code)));
        Some(Self { values: Prepared::Numbers(keys), by_rank })
    }

    /// The ranks with their counts, given by code; ascending.
    pub(in crate::statistics) fn counts(&self, by_code: &[u64]) -> Vec<(u32, u64)> {
        let mut counts: Vec<(u32, u64)> = Vec::with_capacity(self.by_rank.len());
        for (rank, code) in &self.by_rank {
            let count = by_code.get(*code as usize).copied().unwrap_or_default();
            match counts.last_mut() {
                Some((last, sum)) if last == rank => *sum += count,
                _ => counts.push((*rank, count)),
            }
        }
        counts
    }
}

impl Prepared {
    /// The keys of the ranks in order with their counts, and how many NaN, infinities and their opposites there were.
    pub(in crate::statistics) fn numbers(&self, counts: &[(u32, u64)]) -> (Vec<(i64, u64)>, [u64; ODD]) {
        let Self::Numbers(keys) = self else { return Default::default() };
        let mut odd = [0; ODD];
        let mut pairs = Vec::with_capacity(counts.len());
        for (rank, count) in counts {
            match keys.get(*rank as usize) {
                Some(key) => pairs.push((*key, *count)),
                None => odd[(*rank as usize - keys.len()).min(ODD - 1)] += *count,
            }
        }
        (pairs, odd)
    }
}

/// Hands each value of numbers, dates or instants to `visit`, with its place: its order key, or the float itself where it
/// is not finite. `None` of what is something else.
fn each_key(values: &ArrayRef, mut visit: impl FnMut(u32, Result<i64, f64>)) -> Option<()> {
    let mut keys = |keys: &mut dyn Iterator<Item = i64>| {
        (0..).zip(keys).for_each(|(place, key)| visit(place, Ok(key)));
    };
    match Column::view(values) {
        Column::Integer(values) => keys(&mut values.values().iter().copied()),
        Column::Unsigned(values) => keys(&mut values.values().iter().map(|value| key_of_u64(*value))),
        Column::Date(values) => keys(&mut values.values().iter().map(|day| i64::from(*day))),
        Column::TimestampMicrosecond(values) => keys(&mut values.values().iter().copied()),
        Column::TimestampNanosecond(values) => keys(&mut values.values().iter().copied()),
        Column::Float(values) => (0..).zip(values.values()).for_each(|(place, value)| {
            visit(place, if value.is_finite() { Ok(key_of_f64(*value)) } else { Err(*value) });
        }),
        Column::Null(_)
        | Column::Boolean(_)
        | Column::Decimal(_)
        | Column::Text(_)
        | Column::CodedText(..)
        | Column::Binary(_)
        | Column::Other(_) => return None,
    }
    Some(())
}

/// The order keys of the values of a counted column with their counts, ascending, and what is no finite number counted:
/// what [`Ranked`] gives where nobody asks for codes, in less memory. `None` of what is no number, date or instant.
pub(super) fn keys_with_counts(column: &CountedColumn, presence: &mut Presence) -> Option<Vec<(i64, u64)>> {
    let mut pairs: Vec<(i64, u64)> = Vec::with_capacity(column.counts.len());
    each_key(&column.values, |place, key| {
        let count = column.counts.get(place as usize).copied().unwrap_or_default();
        match key {
            Ok(key) => pairs.push((key, count)),
            Err(value) => {
                count_odd(value, count, presence);
            }
        }
    })?;
    sort_by_key(&mut pairs, |pair| pair.0);
    pairs.dedup_by(|later, first| {
        let is_same = later.0 == first.0;
        first.1 += if is_same { later.1 } else { 0 };
        is_same
    });
    Some(pairs)
}

/// The distinct keys ascending, and each code with the place of its key among them.
fn ranked(mut keys: Vec<(i64, u32)>) -> (Vec<i64>, Vec<(u32, u32)>) {
    sort_by_key(&mut keys, |pair| pair.0);
    let mut distinct: Vec<i64> = Vec::with_capacity(keys.len());
    let mut by_rank = Vec::with_capacity(keys.len());
    let mut next = 0;
    for (key, code) in keys {
        if distinct.last() != Some(&key) {
            distinct.push(key);
            next += 1;
        }
        by_rank.push((next - 1, code));
    }
    (distinct, by_rank)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array};

    use super::*;

    #[test]
    fn equal_numbers_are_one_and_odd_ones_come_last() {
        let values = vec![2.0, f64::NAN, -0.0, f64::NEG_INFINITY, 2.0, 0.0, f64::INFINITY, -1.0];
        let ranked = Ranked::of(&(Arc::new(Float64Array::from(values)) as ArrayRef)).unwrap();
        let counts = ranked.counts(&[1, 1, 4, 2, 0, 3, 0, 5]);
        assert_eq!(counts, [(0, 5), (1, 7), (2, 1), (3, 1), (4, 0), (5, 2)]);
        let Ranked { values: prepared, mut by_rank } = ranked;
        assert!(by_rank.is_sorted_by_key(|pair| pair.0));
        by_rank.sort_unstable_by_key(|pair| pair.1);
        assert!(by_rank.iter().map(|pair| pair.0).eq([2, 3, 1, 5, 2, 1, 4, 0]));
        let (pairs, odd) = prepared.numbers(&[(1, 7), (2, 1), (3, 4), (5, 2)]);
        assert_eq!((pairs, odd), (vec![(key_of_f64(0.0), 7), (key_of_f64(2.0), 1)], [4, 0, 2]));
        let none = Ranked::of(&(Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef)).unwrap();
        assert!(none.by_rank.is_empty() && none.values.numbers(&[]).0.is_empty());
    }
}
