//! Two lists of keyed rows side by side: who is in a pair, and what the pairs say.

use super::SideRows;
use super::cells::NOTHING;
use super::side::{KeyedRow, KeyedRows};

/// What the pairs say of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) matching: u64,
    pub(super) current_only: u64,
    pub(super) reference_only: u64,
    pub(super) mismatch: u64,
}

/// A place on both sides: split and row, current first.
pub(super) type Places = [(u64, u64); 2];

/// What is known of all parts so far.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) current: SideRows,
    pub(super) reference: SideRows,
    pub(super) num_pairs: u64,
    /// By column.
    pub(super) counts: Vec<Counts>,
    /// By column, the first pairs that differ.
    pub(super) examples: Vec<Vec<Places>>,
    num_examples: usize,
}

impl Joined {
    pub(super) fn new(width: usize, num_examples: usize) -> Self {
        Self {
            current: SideRows::default(),
            reference: SideRows::default(),
            num_pairs: 0,
            counts: vec![Counts::default(); width],
            examples: vec![Vec::new(); width],
            num_examples,
        }
    }

    /// Adds the rows of the next part of the keys.
    pub(super) fn add(&mut self, current: KeyedRows, reference: KeyedRows) {
        for (mine, side) in [(&mut self.current, &current), (&mut self.reference, &reference)] {
            mine.num_rows += side.num_rows;
            mine.without_key += side.without_key;
        }
        let (mut now, mut before) = (runs(&current), runs(&reference));
        let (mut left, mut right) = (now.next(), before.next());
        loop {
            let order = match (left, right) {
                (Some(one), Some(other)) => one[0].key.cmp(&other[0].key),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => break,
            };
            let (one, other) = (left.filter(|_| order.is_le()), right.filter(|_| order.is_ge()));
            for (side, run, is_alone) in
                [(&mut self.current, one, order.is_lt()), (&mut self.reference, other, order.is_gt())]
            {
                let rows = run.map_or(0, <[KeyedRow]>::len) as u64;
                side.unmatched += if is_alone { rows } else { 0 };
                if rows > 1 {
                    side.duplicate_keys += 1;
                    side.duplicate_rows += rows;
                }
            }
            if let (Some([one]), Some([other])) = (one, other) {
                self.pair((&current, one), (&reference, other));
            }
            if order.is_le() {
                left = now.next();
            }
            if order.is_ge() {
                right = before.next();
            }
        }
    }

    fn pair(&mut self, (current, one): (&KeyedRows, &KeyedRow), (reference, other): (&KeyedRows, &KeyedRow)) {
        self.num_pairs += 1;
        let cells = current.cells(one).iter().zip(reference.cells(other));
        for (column, (x, y)) in cells.enumerate() {
            let counts = &mut self.counts[column];
            match (*x == NOTHING, *y == NOTHING) {
                (true, true) => continue,
                (false, true) => counts.current_only += 1,
                (true, false) => counts.reference_only += 1,
                (false, false) if x == y => {
                    counts.matching += 1;
                    continue;
                }
                (false, false) => counts.mismatch += 1,
            }
            let examples = &mut self.examples[column];
            if examples.len() < self.num_examples {
                examples.push([one.place, other.place]);
            }
        }
    }
}

/// Runs of rows with one key.
fn runs(side: &KeyedRows) -> impl Iterator<Item = &[KeyedRow]> {
    side.rows.chunk_by(|a, b| a.key == b.key)
}
