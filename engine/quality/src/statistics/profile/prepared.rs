//! Distinct values that the profiles of many slices take in: what does not depend on the slice (order keys in their
//! order, the hashes of texts) is found out once.

use arrow::array::{Array, ArrayRef, StringViewArray};

use sluice_core::column::Column;
use sluice_summaries::{hash_bytes, key_of_f64, key_of_u64, sort_by_key};

/// Ranks of what is no finite number, after those of the numbers.
const ODD: usize = 3;

/// Distinct values by rank: numbers, dates and instants ascending, texts as they come.
pub(in crate::statistics) enum Prepared {
    /// Order keys; after them come NaN, infinity and its opposite.
    Numbers(Vec<i64>),
    /// Texts with their hashes; one may stand twice.
    Texts(StringViewArray, Vec<u64>),
}

impl Prepared {
    /// The values with the rank of each, in which equal numbers are one; `None` of what no source codes.
    pub(in crate::statistics) fn of(values: &ArrayRef) -> Option<(Self, Vec<u32>)> {
        match Column::view(values) {
            Column::Integer(values) => Self::of_keys(values.values().iter().copied()),
            Column::Unsigned(values) => Self::of_keys(values.values().iter().map(|value| key_of_u64(*value))),
            Column::Date(values) => Self::of_keys(values.values().iter().map(|day| i64::from(*day))),
            Column::TimestampMicrosecond(values) => Self::of_keys(values.values().iter().copied()),
            Column::TimestampNanosecond(values) => Self::of_keys(values.values().iter().copied()),
            Column::Float(values) => Self::of_floats(values.values()),
            Column::Text(texts) => {
                let hashes =
                    texts.iter().map(|text| hash_bytes(text.unwrap_or_default().as_bytes())).collect();
                let ranks = (0..u32::try_from(texts.len()).ok()?).collect();
                Some((Self::Texts(texts.clone(), hashes), ranks))
            }
            Column::Null(_)
            | Column::Boolean(_)
            | Column::Decimal(_)
            | Column::CodedText(..)
            | Column::Binary(_)
            | Column::Other(_) => None,
        }
    }

    fn of_keys(keys: impl Iterator<Item = i64>) -> Option<(Self, Vec<u32>)> {
        let (keys, ranks) = ranked((0..).zip(keys).map(|(code, key)| (key, code)).collect())?;
        Some((Self::Numbers(keys), ranks))
    }

    fn of_floats(values: &[f64]) -> Option<(Self, Vec<u32>)> {
        let mut finite: Vec<(i64, u32)> = Vec::with_capacity(values.len());
        let mut odd: Vec<(u32, usize)> = Vec::new();
        for (code, value) in (0..).zip(values) {
            if value.is_finite() {
                finite.push((key_of_f64(*value), code));
            } else {
                odd.push((code, if value.is_nan() { 0 } else { 1 + usize::from(*value < 0.0) }));
            }
        }
        let (keys, mut ranks) = ranked(finite)?;
        ranks.resize(values.len(), 0);
        for (code, which) in odd {
            ranks[code as usize] = u32::try_from(keys.len() + which).ok()?;
        }
        Some((Self::Numbers(keys), ranks))
    }

    /// How many ranks there are at most.
    pub(in crate::statistics) fn len(&self) -> usize {
        match self {
            Self::Numbers(keys) => keys.len() + ODD,
            Self::Texts(_, hashes) => hashes.len(),
        }
    }

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

/// The distinct keys ascending, and by code the place of its key among them.
fn ranked(mut keys: Vec<(i64, u32)>) -> Option<(Vec<i64>, Vec<u32>)> {
    let codes = keys.iter().map(|(_, code)| *code as usize + 1).max().unwrap_or(0);
    sort_by_key(&mut keys, |pair| pair.0);
    let mut distinct: Vec<i64> = Vec::with_capacity(keys.len());
    let mut ranks = vec![0; codes];
    for (key, code) in keys {
        if distinct.last() != Some(&key) {
            distinct.push(key);
        }
        ranks[code as usize] = u32::try_from(distinct.len() - 1).ok()?;
    }
    Some((distinct, ranks))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array};

    use super::*;

    #[test]
    fn equal_numbers_are_one_and_odd_ones_come_last() {
        let values = vec![2.0, f64::NAN, -0.0, f64::NEG_INFINITY, 2.0, 0.0, f64::INFINITY, -1.0];
        let (prepared, ranks) = Prepared::of(&(Arc::new(Float64Array::from(values)) as ArrayRef)).unwrap();
        assert_eq!(ranks, [2, 3, 1, 5, 2, 1, 4, 0]);
        assert_eq!(prepared.len(), 6);
        let (pairs, odd) = prepared.numbers(&[(1, 7), (2, 1), (3, 4), (5, 2)]);
        assert_eq!((pairs, odd), (vec![(key_of_f64(0.0), 7), (key_of_f64(2.0), 1)], [4, 0, 2]));
        let none = Prepared::of(&(Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef)).unwrap();
        assert_eq!((none.0.len(), none.1.len()), (3, 0));
    }
}
