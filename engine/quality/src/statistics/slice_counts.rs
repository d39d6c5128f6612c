//! How often each value of a column occurs in each slice, from the code of the value and the slices of every row.
//!
//! Where slices times values are few the counts stand in a table, one look per row. Else rows are sorted by counting,
//! first by value, then by slice, which takes two passes over them whatever the number of slices and values.
//! Cost: some 2 to 5 ns a row.

use super::slice_key::RowKeys;

/// A table may have this many places for each row that it counts.
const PLACES_PER_ROW: usize = 2;
/// Or this many, which always stay in the cache.
const SMALL_TABLE: usize = 1 << 14;

/// The counts of the values of one slice, by rank, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SliceCounts {
    pub(super) counts: Vec<(u32, u64)>,
    pub(super) nulls: u64,
}

/// The rank of null, after all others.
const NO_RANK: u32 = u32::MAX;

impl SliceCounts {
    /// Of ranks that ascend.
    fn of(ranks: &[u32]) -> Self {
        let values = ranks.partition_point(|rank| *rank != NO_RANK);
        let counts = ranks[..values].chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64));
        Self { counts: counts.collect(), nulls: (ranks.len() - values) as u64 }
    }

    /// Adds to the last rank or to one after it.
    #[inline]
    fn add(&mut self, rank: u32, count: u64) {
        match self.counts.last_mut() {
            Some((last, last_count)) if *last == rank => *last_count += count,
            _ => self.counts.push((rank, count)),
        }
    }
}

/// Which distinct value of a column each row has.
#[derive(Clone, Copy)]
pub(super) struct Codes<'a> {
    /// By row; not below the number of codes for null.
    pub(super) codes: &'a [u32],
    /// Each code once with the rank of its value, ascending.
    pub(super) by_rank: &'a [(u32, u32)],
}

/// The slices of rows that come in parts.
pub(super) struct SliceRows<'a, K> {
    pub(super) parts: &'a [RowKeys<K>],
    pub(super) num_slices: usize,
}

impl<K> SliceRows<'_, K> {
    /// Hands the slice and the code of each row of a slice to `visit`; null is the code after the last.
    #[inline]
    fn each(&self, column: Codes<'_>, mut visit: impl FnMut(usize, usize)) {
        let (mut codes, null) = (column.codes, column.by_rank.len());
        let code_of = |code: u32| null.min(code as usize);
        for part in self.parts {
            let (now, later) = codes.split_at(part.rows().min(codes.len()));
            codes = later;
            match part.single() {
                Some(slices) => {
                    for (slice, code) in slices.iter().zip(now) {
                        let slice = *slice as usize;
                        if slice < self.num_slices {
                            visit(slice, code_of(*code));
                        }
                    }
                }
                None => {
                    for (row, code) in now.iter().enumerate() {
                        part.of(row).iter().for_each(|slice| visit(*slice as usize, code_of(*code)));
                    }
                }
            }
        }
    }

    /// The rows of all slices.
    fn entries(&self) -> usize {
        self.parts.iter().map(RowKeys::entries).sum()
    }

    /// Counts the values of a column in each slice; `scratch` is room to count in.
    pub(super) fn count(&self, column: Codes<'_>, scratch: &mut Vec<u32>) -> Vec<SliceCounts> {
        let places = (column.by_rank.len() + 1).saturating_mul(self.num_slices);
        if places <= SMALL_TABLE.max(self.entries().saturating_mul(PLACES_PER_ROW)) {
            self.by_table(column, places, scratch)
        } else {
            self.by_sorting(column, scratch)
        }
    }

    fn by_table(&self, column: Codes<'_>, places: usize, table: &mut Vec<u32>) -> Vec<SliceCounts> {
        let (num_slices, null) = (self.num_slices, column.by_rank.len());
        // One place more for what is in no slice, which saves a branch per row.
        let (stride, places) = (num_slices + 1, places + null + 1);
        let place = |slice: u32, code: u32| null.min(code as usize) * stride + num_slices.min(slice as usize);
        table.clear();
        // Small counts have two tables, in turn: adding to a place that was just written waits for that.
        let is_small = places <= SMALL_TABLE / 2;
        table.resize(if is_small { 2 * places } else { places }, 0);
        let (even, odd) = table.split_at_mut(places);
        if is_small && self.parts.iter().all(|part| part.single().is_some()) {
            let mut codes = column.codes;
            for slices in self.parts.iter().filter_map(RowKeys::single) {
                let (now, later) = codes.split_at(slices.len().min(codes.len()));
                codes = later;
                let ((slices, last_slice), (now, last)) = (slices.as_chunks::<2>(), now.as_chunks::<2>());
                for (slices, codes) in slices.iter().zip(now) {
                    even[place(slices[0], codes[0])] += 1;
                    odd[place(slices[1], codes[1])] += 1;
                }
                last_slice.iter().zip(last).for_each(|(slice, code)| even[place(*slice, *code)] += 1);
            }
        } else {
            self.each(column, |slice, code| even[code * stride + slice] += 1);
        }
        even.iter_mut().zip(odd).for_each(|(even, odd)| *even += *odd);
        let mut found = vec![SliceCounts::default(); num_slices];
        for (rank, code) in column.by_rank {
            let first = *code as usize * stride;
            for (found, count) in found.iter_mut().zip(&even[first..first + num_slices]) {
                if *count > 0 {
                    found.add(*rank, u64::from(*count));
                }
            }
        }
        for (found, nulls) in found.iter_mut().zip(&even[null * stride..]) {
            found.nulls = u64::from(*nulls);
        }
        found
    }

    fn by_sorting(&self, column: Codes<'_>, by_rank: &mut Vec<u32>) -> Vec<SliceCounts> {
        let null = column.by_rank.len();
        let mut places = vec![0_usize; null + 1];
        let mut slices = vec![0_usize; self.num_slices + 1];
        self.each(column, |slice, code| {
            places[code] += 1;
            slices[slice + 1] += 1;
        });
        let entries = running(&mut slices);
        let codes = || column.by_rank.iter().map(|(_, code)| *code as usize).chain([null]);
        let mut start = 0;
        for code in codes() {
            start += std::mem::replace(&mut places[code], start);
        }
        by_rank.clear();
        by_rank.resize(entries, 0);
        self.each(column, |slice, code| {
            let place = &mut places[code];
            by_rank[*place] = u32::try_from(slice).unwrap_or(u32::MAX);
            *place += 1;
        });
        // Now each place is where its code ends.
        let mut by_slice = vec![NO_RANK; entries];
        let (mut first, mut next) = (0, slices.clone());
        for (code, rank) in codes().zip(column.by_rank.iter().map(|(rank, _)| *rank).chain([NO_RANK])) {
            for slice in &by_rank[first..places[code]] {
                let place = &mut next[*slice as usize];
                by_slice[*place] = rank;
                *place += 1;
            }
            first = places[code];
        }
        slices.windows(2).map(|bounds| SliceCounts::of(&by_slice[bounds[0]..bounds[1]])).collect()
    }
}

/// Sums up counts so that each becomes the start of its place, and answers the sum of all.
fn running(counts: &mut [usize]) -> usize {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_count_what_there_is(
            rows in prop::collection::vec((prop::option::of(0..5_u32), 0..9_u32), 0..200), cut in 0..200_usize,
        ) {
            // Codes 0 to 6 have ranks, two of them the same; others are null.
            let ranks = [3, 0, 4, 1, 0, 2, 5];
            let by_rank = [(0, 4), (0, 1), (1, 3), (2, 5), (3, 0), (4, 2), (5, 6)];
            let codes: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let column = Codes { codes: &codes, by_rank: &by_rank };
            let mut expected = vec![(BTreeMap::new(), 0); 5];
            for (slice, code) in &rows {
                if let Some(slice) = slice {
                    let found: &mut (BTreeMap<u32, u64>, u64) = &mut expected[*slice as usize];
                    match ranks.get(*code as usize) {
                        Some(rank) => *found.0.entry(*rank).or_insert(0) += 1,
                        None => found.1 += 1,
                    }
                }
            }
            let expected: Vec<SliceCounts> = expected
                .into_iter()
                .map(|(counts, nulls)| SliceCounts { counts: counts.into_iter().collect(), nulls })
                .collect();
            let keys = |rows: &[(Option<u32>, u32)]| RowKeys::numbered(rows.iter().map(|row| row.0));
            let (first, second) = rows.split_at(cut.min(rows.len()));
            let parts = [keys(first), keys(second)];
            let slices = SliceRows { parts: &parts, num_slices: 5 };
            let mut scratch = vec![7; 3];
            prop_assert_eq!(&slices.count(column, &mut scratch), &expected);
            prop_assert_eq!(&slices.by_sorting(column, &mut scratch), &expected);
        }
    }
}
