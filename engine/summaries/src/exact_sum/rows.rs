//! Many exact sums over the same rows, by groups of rows.
//!
//! What a term adds to the bins of an [`ExactSum`] does not depend on the group of its row. So each term is cut once,
//! however often the rows are grouped: [`ExactRows`] holds the pieces of all sums of a row next to one another, and
//! [`ExactGroups`] adds a row to its group as so many whole numbers of 64 bits, which go to the sums themselves before
//! they could overflow. The highest bin of each term is remembered beside them, as opposite terms may cancel.
//!
//! The sums have the bits that adding term by term gives. Pieces are kept of a few bins per sum, which widen to what
//! the terms need; terms outside are added by themselves. Some 7 ns a term, and 1 ns a term and grouping.

use super::{BIN_BITS, BIN_MASK, ExactSum, INFINITY_BITS, SIGN_BIT, SUBNORMAL_POSITION, WINDOW, decompose};

/// Bins of a sum at most: as many as a mark has bits.
const MOST_BINS: u32 = u8::BITS;

/// Sums whose marks share a word.
const MARKS: usize = size_of::<u64>();

/// Rows that a group takes before its pieces go to its sums. A row adds at most two terms to a sum, each less than 2⁵⁶.
const MOST_HELD: u8 = 60;

/// Windows widen for terms of more than one row in so many.
const FEW_APART: usize = 128;

/// Where groups would hold more than this, rows go to their sums at once.
const MOST_BYTES: usize = 8 << 20;

/// The terms of one sum.
#[derive(Clone, Copy, Debug)]
pub enum Terms<'a> {
    /// These.
    Values(&'a [f64]),
    /// The products of these pairs, without rounding.
    Products(&'a [f64], &'a [f64]),
}

/// The bins in which pieces of one sum are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    lowest: u32,
    bins: u32,
    /// The first of them among the pieces of a row.
    first: usize,
}

impl Window {
    /// That of both; of more bins than there may be, the upper ones.
    fn joined(self, lowest: u32, highest: u32) -> Self {
        let (lowest, highest) = match self.bins {
            0 => (lowest, highest),
            bins => (lowest.min(self.lowest), highest.max(self.lowest + bins - 1)),
        };
        let lowest = lowest.max((highest + 1).saturating_sub(MOST_BINS));
        Self { lowest, bins: highest + 1 - lowest, first: self.first }
    }
}

/// A term outside of the window of its sum.
#[derive(Clone, Copy, Debug)]
struct Apart {
    row: usize,
    sum: usize,
    value: f64,
    /// What it is multiplied by.
    times: Option<f64>,
}

/// The terms of some rows in pieces.
#[derive(Clone, Debug, Default)]
pub struct ExactRows {
    rows: usize,
    /// By sum.
    windows: Vec<Window>,
    /// The same, as the terms that were met want them, and how many of these rows did not fit.
    wanted: Vec<(Window, usize)>,
    /// Pieces of a row.
    width: usize,
    pieces: Vec<i64>,
    /// A byte per row and sum: bit `k` is set where bin `k` of the window is the highest one of a term.
    marks: Vec<u64>,
    apart: Vec<Apart>,
}

impl ExactRows {
    /// No rows, of so many sums.
    #[must_use]
    pub fn new(sums: usize) -> Self {
        Self {
            windows: vec![Window::default(); sums],
            wanted: vec![(Window::default(), 0); sums],
            ..Self::default()
        }
    }

    /// How many sums there are.
    #[must_use]
    pub fn sums(&self) -> usize {
        self.windows.len()
    }

    /// Bytes of a row.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        (self.width + self.mark_words()) * size_of::<u64>()
    }

    fn mark_words(&self) -> usize {
        self.windows.len().div_ceil(MARKS)
    }

    /// Whether so many terms of these rows did not fit that the windows should be wider; see [`ExactRows::widen`].
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.apart.len() * FEW_APART > self.rows
            && self.windows.iter().zip(&self.wanted).any(|both| self.gains(both))
    }

    fn gains(&self, (window, (wanted, missed)): (&Window, &(Window, usize))) -> bool {
        missed * FEW_APART > self.rows && wanted != window
    }

    /// Widens the windows that many terms of these rows did not fit. The groups that rows were added to are flushed
    /// before.
    pub fn widen(&mut self) {
        let mut windows = self.windows.clone();
        for (number, both) in self.windows.iter().zip(&self.wanted).enumerate() {
            if self.gains(both) {
                windows[number] = both.1.0;
            }
        }
        self.width = 0;
        for (window, (wanted, missed)) in windows.iter_mut().zip(&mut self.wanted) {
            window.first = self.width;
            self.width += window.bins as usize;
            (*wanted, *missed) = (*window, 0);
        }
        self.windows = windows;
    }

    /// Begins with so many other rows.
    pub fn begin(&mut self, rows: usize) {
        self.rows = rows;
        self.apart.clear();
        for (window, (wanted, missed)) in self.windows.iter().zip(&mut self.wanted) {
            (*wanted, *missed) = (*window, 0);
        }
        self.pieces.clear();
        self.pieces.resize(rows * self.width, 0);
        self.marks.clear();
        self.marks.resize(rows * self.mark_words(), 0);
    }

    /// Adds a term of each row to a sum; at most twice to one sum.
    pub fn add(&mut self, sum: usize, terms: Terms<'_>) {
        match terms {
            Terms::Values(values) => self.add_values(sum, values),
            Terms::Products(first, second) => self.add_products(sum, first, second),
        }
    }

    fn add_values(&mut self, sum: usize, values: &[f64]) {
        let Window { lowest, bins, first } = self.windows[sum];
        let fitting = bins.saturating_sub(1);
        let (mark_words, bit) = (self.mark_words(), sum % MARKS * 8);
        for (row, value) in values.iter().take(self.rows).enumerate() {
            let bits = value.to_bits();
            let magnitude = bits & !SIGN_BIT;
            if magnitude == 0 {
                continue;
            }
            let (significand, position) = decompose(magnitude);
            let position = position + SUBNORMAL_POSITION;
            let (bin, shift) = (position / BIN_BITS, position % BIN_BITS);
            let offset = bin.wrapping_sub(lowest);
            if offset >= fitting || magnitude >= INFINITY_BITS {
                self.set_apart(Apart { row, sum, value: *value, times: None }, bin, bin + 1);
                continue;
            }
            let sign = bits.cast_signed() >> 63;
            let low = ((significand << shift) & BIN_MASK).cast_signed();
            let high = (significand >> (BIN_BITS - shift)).cast_signed();
            let pieces = &mut self.pieces[row * self.width + first + offset as usize..][..2];
            pieces[0] = pieces[0].wrapping_add((low ^ sign) - sign);
            pieces[1] = pieces[1].wrapping_add((high ^ sign) - sign);
            let mark = 1 << (offset + u32::from(high != 0));
            self.marks[row * mark_words + sum / MARKS] |= mark << bit;
        }
    }

    fn add_products(&mut self, sum: usize, first_factors: &[f64], second_factors: &[f64]) {
        let Window { lowest, bins, first } = self.windows[sum];
        let fitting = bins.saturating_sub(2);
        let (mark_words, bit) = (self.mark_words(), sum % MARKS * 8);
        for (row, (a, b)) in first_factors.iter().zip(second_factors).take(self.rows).enumerate() {
            let magnitudes = [a, b].map(|factor| factor.to_bits() & !SIGN_BIT);
            if magnitudes[0] == 0 && magnitudes[1] < INFINITY_BITS
                || magnitudes[1] == 0 && magnitudes[0] < INFINITY_BITS
            {
                continue;
            }
            let [(a_significand, a_position), (b_significand, b_position)] = magnitudes.map(decompose);
            let position = a_position + b_position;
            let (bin, shift) = (position / BIN_BITS, position % BIN_BITS);
            let offset = bin.wrapping_sub(lowest);
            if offset >= fitting || magnitudes[0] >= INFINITY_BITS || magnitudes[1] >= INFINITY_BITS {
                self.set_apart(Apart { row, sum, value: *a, times: Some(*b) }, bin, bin + 2);
                continue;
            }
            let significand = u128::from(a_significand) * u128::from(b_significand);
            let sign = (a.to_bits() ^ b.to_bits()).cast_signed() >> 63;
            let cut = three_pieces(significand, shift);
            let pieces = &mut self.pieces[row * self.width + first + offset as usize..][..3];
            for (sum, piece) in pieces.iter_mut().zip(cut) {
                *sum = sum.wrapping_add((piece ^ sign) - sign);
            }
            let highest = std::cmp::max(2 * u32::from(cut[2] != 0), u32::from(cut[1] != 0));
            let mark = 1 << (offset + highest);
            self.marks[row * mark_words + sum / MARKS] |= mark << bit;
        }
    }

    #[cold]
    fn set_apart(&mut self, term: Apart, lowest: u32, highest: u32) {
        let is_finite = |factor: f64| factor.is_finite();
        if is_finite(term.value) && term.times.is_none_or(is_finite) {
            let (wanted, missed) = &mut self.wanted[term.sum];
            *wanted = wanted.joined(lowest, highest);
            *missed += 1;
        }
        self.apart.push(term);
    }

    fn pieces_of(&self, row: usize) -> &[i64] {
        &self.pieces[row * self.width..(row + 1) * self.width]
    }

    fn marks_of(&self, row: usize) -> &[u64] {
        let words = self.mark_words();
        &self.marks[row * words..(row + 1) * words]
    }

    /// Adds pieces to their sums.
    fn deposit(&self, pieces: &[i64], marks: &[u64], sums: &mut [ExactSum]) {
        for (number, (window, sum)) in self.windows.iter().zip(sums).enumerate() {
            let mark = (marks[number / MARKS] >> (number % MARKS * 8)) & 0xff;
            if mark != 0 {
                let pieces = &pieces[window.first..][..window.bins as usize];
                sum.add_pieces(window.lowest, pieces, window.lowest + mark.ilog2());
            }
        }
    }
}

/// A product of two significands, cut where bins begin.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the mask keeps bits below the cut; the last piece has 50"
)]
fn three_pieces(significand: u128, shift: u32) -> [i64; 3] {
    let (low, high) = (significand as u64, (significand >> u64::BITS) as u64);
    // The cut is 1 to 56 bits up.
    let cut = BIN_BITS - shift;
    let middle = low >> cut | high << (u64::BITS - cut);
    let rest = middle >> BIN_BITS | (high >> cut) << (u64::BITS - BIN_BITS);
    [(low << shift) & BIN_MASK, middle & BIN_MASK, rest].map(u64::cast_signed)
}

impl ExactSum {
    /// Adds sums of pieces in the bins from `lowest` on, of terms of which the highest has its highest bit in `top`.
    fn add_pieces(&mut self, lowest: u32, pieces: &[i64], top: u32) {
        self.raise(top);
        for (bin, piece) in (lowest..=top).zip(pieces) {
            let below_top = (u32::from(self.top) - bin) as usize;
            if below_top < WINDOW {
                self.bins[below_top] = self.bins[below_top].wrapping_add(i128::from(*piece));
            }
        }
    }
}

/// The rows of some groups in pieces, on their way to the sums.
#[derive(Clone, Debug, Default)]
pub struct ExactGroups {
    /// By group: pieces, marks and how many rows they are of.
    pieces: Vec<i64>,
    marks: Vec<u64>,
    held: Vec<u8>,
}

impl ExactGroups {
    /// Adds rows to the sums of their groups, all sums of a group standing together; what is held of them is not in the
    /// sums yet.
    pub fn add(&mut self, rows: &ExactRows, group_of: impl Fn(usize) -> usize, sums: &mut [ExactSum]) {
        let count = rows.sums();
        if count == 0 {
            return;
        }
        for term in &rows.apart {
            let sum = &mut sums[group_of(term.row) * count + term.sum];
            match term.times {
                None => sum.add(term.value),
                Some(times) => sum.add_product(term.value, times),
            }
        }
        let (width, mark_words) = (rows.width, rows.mark_words());
        let groups = sums.len() / count;
        if groups * rows.row_bytes() > MOST_BYTES {
            self.flush(rows, sums);
            for row in 0..rows.rows {
                let own = &mut sums[group_of(row) * count..][..count];
                rows.deposit(rows.pieces_of(row), rows.marks_of(row), own);
            }
            return;
        }
        self.pieces.resize(groups * width, 0);
        self.marks.resize(groups * mark_words, 0);
        self.held.resize(groups, 0);
        for row in 0..rows.rows {
            let group = group_of(row);
            let pieces = &mut self.pieces[group * width..][..width];
            for (sum, piece) in pieces.iter_mut().zip(rows.pieces_of(row)) {
                *sum = sum.wrapping_add(*piece);
            }
            let marks = &mut self.marks[group * mark_words..][..mark_words];
            for (all, mark) in marks.iter_mut().zip(rows.marks_of(row)) {
                *all |= mark;
            }
            self.held[group] += 1;
            if self.held[group] >= MOST_HELD {
                self.flush_group(rows, group, sums);
            }
        }
    }

    fn flush_group(&mut self, rows: &ExactRows, group: usize, sums: &mut [ExactSum]) {
        let (width, words, count) = (rows.width, rows.mark_words(), rows.sums());
        let pieces = &mut self.pieces[group * width..][..width];
        let marks = &mut self.marks[group * words..][..words];
        rows.deposit(pieces, marks, &mut sums[group * count..][..count]);
        pieces.fill(0);
        marks.fill(0);
        self.held[group] = 0;
    }

    /// Adds what is held to the sums. `rows` has the windows that it was added with.
    pub fn flush(&mut self, rows: &ExactRows, sums: &mut [ExactSum]) {
        for group in 0..self.held.len() {
            if self.held[group] > 0 {
                self.flush_group(rows, group, sums);
            }
        }
        self.pieces.clear();
        self.marks.clear();
        self.held.clear();
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        (self.pieces.capacity() + self.marks.capacity()) * size_of::<u64>() + self.held.capacity()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a sum takes of a row.
    #[derive(Clone, Debug)]
    struct Row {
        group: usize,
        value: f64,
        times: f64,
        other: f64,
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => -1e3..1e3_f64,
            3 => Just(0.75),
            2 => (-300..300_i32, -1.0..1.0_f64).prop_map(|(exponent, value)| value * 10.0_f64.powi(exponent)),
            1 => (0..1_u64 << 53).prop_map(f64::from_bits),
            1 => prop_oneof![Just(0.0), Just(-0.0), Just(f64::MAX), Just(-1e-17), Just(f64::MIN_POSITIVE)],
        ]
    }

    fn row(special: bool) -> impl Strategy<Value = Row> {
        let any_number = move || match special {
            true => prop_oneof![8 => number(), 1 => Just(f64::NAN), 1 => Just(f64::NEG_INFINITY)].boxed(),
            false => number().boxed(),
        };
        (0..4_usize, any_number(), any_number(), number()).prop_map(|(group, value, times, other)| Row {
            group,
            value,
            times,
            other,
        })
    }

    const SUMS: usize = 11;
    /// Sums of values, of products, and of both a value and another.
    const PLACES: [usize; 3] = [0, 9, 10];

    fn one_by_one(rows: &[Row], groups: usize) -> Vec<ExactSum> {
        let mut sums = vec![ExactSum::new(); groups * SUMS];
        for row in rows {
            let own = &mut sums[row.group * SUMS..][..SUMS];
            own[PLACES[0]].add(row.value);
            own[PLACES[1]].add_product(row.value, row.times);
            own[PLACES[2]].add(row.value);
            own[PLACES[2]].add(row.other);
        }
        sums
    }

    fn together(rows: &[Row], groups: usize, cuts: &[usize]) -> Vec<ExactSum> {
        let mut sums = vec![ExactSum::new(); groups * SUMS];
        let (mut pieces, mut held) = (ExactRows::new(SUMS), ExactGroups::default());
        let mut rest = rows;
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let (part, later) = rest.split_at(std::cmp::min(cut, rest.len()));
            rest = later;
            let column = |of: fn(&Row) -> f64| part.iter().map(of).collect::<Vec<f64>>();
            let (values, times, other) =
                (column(|row| row.value), column(|row| row.times), column(|row| row.other));
            pieces.begin(part.len());
            pieces.add(PLACES[0], Terms::Values(&values));
            pieces.add(PLACES[1], Terms::Products(&values, &times));
            pieces.add(PLACES[2], Terms::Values(&values));
            pieces.add(PLACES[2], Terms::Values(&other));
            held.add(&pieces, |row| part[row].group, &mut sums);
            if pieces.is_narrow() {
                held.flush(&pieces, &mut sums);
                pieces.widen();
            }
        }
        held.flush(&pieces, &mut sums);
        sums
    }

    proptest! {
        #[test]
        fn sums_are_those_of_adding_one_by_one(
            rows in prop::collection::vec(row(false), 0..900),
            cuts in prop::collection::vec(0..300_usize, 0..8),
        ) {
            prop_assert_eq!(together(&rows, 4, &cuts), one_by_one(&rows, 4));
        }

        #[test]
        fn what_is_not_finite_is_too(
            rows in prop::collection::vec(row(true), 0..200),
            cuts in prop::collection::vec(0..100_usize, 0..4),
        ) {
            prop_assert_eq!(together(&rows, 4, &cuts), one_by_one(&rows, 4));
        }
    }

    #[test]
    fn of_opposite_terms_the_highest_bin_stays() {
        let row = |value: f64| Row { group: 0, value, times: value, other: -value };
        let rows: Vec<Row> = [1e3, -1e3, 1e-30, 1e-31, 3e-20].map(row).to_vec();
        assert_eq!(together(&rows, 1, &[1, 1, 1]), one_by_one(&rows, 1));
        assert_eq!(together(&rows, 1, &[2]), one_by_one(&rows, 1));
    }

    #[test]
    fn many_rows_do_not_overflow() {
        let row = |number: u32| Row { group: 0, value: 0.999 + f64::from(number), times: -1.0, other: 63.9 };
        let rows: Vec<Row> = (0..50_000).map(|number| row(number % 3)).collect();
        assert_eq!(together(&rows, 1, &[7, 25_000]), one_by_one(&rows, 1));
    }

    #[test]
    fn groups_beyond_the_memory_for_them_are_added_at_once() {
        let groups = MOST_BYTES / (SUMS * 16);
        let row = |number: usize| {
            let value = number as f64 / 7.0 - 900.0;
            Row { group: number * 31 % groups, value, times: value * 1e-9, other: 0.25 }
        };
        let rows: Vec<Row> = (0..3_000).map(row).collect();
        assert_eq!(together(&rows, groups, &[5, 40, 1000]), one_by_one(&rows, groups));
    }
}
