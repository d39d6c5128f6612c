//! The sums that regression metrics are made of, per group, and what follows from them.
//!
//! With label y, predictions c (candidate) and b (baseline), s the label shift: t = y − s, e = c − y, f = b − y,
//! u = e², v = f², d = u − v = (c − b)(e + f), g = |e| − |f|, h = c − b. Each is rounded once per row
//! (d three times); the squares t², d², g², h², v² and the product dv are then added without any rounding, as the
//! two f64 of the exact product. All sums are exactly associative ([`ExactSum`]), so they do not depend on how
//! the rows lie in files.
//!
//! A centred sum of squares is Σx² − (Σx)²/n. In f64 that would lose twice the digits of mean/deviation; here both
//! sums are exact to 106 bits and the subtraction is done in double-double, so a mean 10⁶ times the deviation
//! still leaves 20 digits. What comes out below 2⁻⁹⁸ Σx² is rounding, and zero: the values are constant. The third
//! and fourth powers of t, which only the interval of R² needs, are rounded per row; for them the shift must lie
//! near the label mean (the mean over the train subset does).

use serde::{Deserialize, Serialize};
use sluice_core::double_double::{DoubleDouble, two_product};
use sluice_summaries::ExactSum;

/// What is summed up. The first [`ALONE`] need no baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Term {
    Error,
    AbsoluteError,
    SquaredError,
    Label,
    LabelSquare,
    BaselineError,
    BaselineAbsoluteError,
    BaselineSquaredError,
    BaselineFourthPower,
    SquareChange,
    SquareChangeSquare,
    SquareChangeTimesBaseline,
    AbsoluteChange,
    AbsoluteChangeSquare,
    PredictionChange,
    PredictionChangeSquare,
    LabelCube,
    LabelFourthPower,
    SquareChangeTimesLabel,
    SquareChangeTimesLabelSquare,
}

/// Terms without a baseline.
pub(crate) const ALONE: usize = 5;
/// Terms with a baseline.
pub(crate) const PAIRED: usize = 20;

/// Below this share of Σx² a centred sum of squares is rounding: 2⁻⁹⁸.
const NOISE: f64 = 3.155_443_620_884_047e-30;

/// The terms of the rows of one batch, a column each; a product has two columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct TermColumns {
    columns: Vec<(usize, Vec<f64>)>,
    ordered: Vec<f64>,
}

impl TermColumns {
    /// Computes the terms; all numbers are finite.
    pub(crate) fn compute(&mut self, label: &[f64], shift: f64, candidate: &[f64], baseline: Option<&[f64]>) {
        self.columns.clear();
        let shifted: Vec<f64> = label.iter().map(|y| y - shift).collect();
        let error = combine(candidate, label, |c, y| c - y);
        self.square(Term::LabelSquare, &shifted);
        self.push(Term::AbsoluteError, error.iter().map(|e| e.abs()).collect());
        let squared: Vec<f64> = error.iter().map(|e| e * e).collect();
        self.push(Term::SquaredError, squared);
        if let Some(baseline) = baseline {
            self.compute_paired(&shifted, &error, candidate, baseline, label);
        }
        self.push(Term::Error, error);
        self.push(Term::Label, shifted);
    }

    fn compute_paired(
        &mut self,
        shifted: &[f64],
        error: &[f64],
        candidate: &[f64],
        baseline: &[f64],
        label: &[f64],
    ) {
        let baseline_error = combine(baseline, label, |b, y| b - y);
        let baseline_square: Vec<f64> = baseline_error.iter().map(|e| e * e).collect();
        let prediction_change = combine(candidate, baseline, |c, b| c - b);
        let error_sum = combine(error, &baseline_error, |c, b| c + b);
        let square_change = combine(&prediction_change, &error_sum, |h, sum| h * sum);
        let absolute_change = combine(error, &baseline_error, |c, b| c.abs() - b.abs());
        let label_square: Vec<f64> = shifted.iter().map(|t| t * t).collect();

        self.square(Term::BaselineFourthPower, &baseline_square);
        self.square(Term::SquareChangeSquare, &square_change);
        self.product(Term::SquareChangeTimesBaseline, &square_change, &baseline_square);
        self.square(Term::AbsoluteChangeSquare, &absolute_change);
        self.square(Term::PredictionChangeSquare, &prediction_change);
        self.push(Term::LabelCube, combine(&label_square, shifted, |square, t| square * t));
        self.push(Term::LabelFourthPower, label_square.iter().map(|square| square * square).collect());
        self.push(Term::SquareChangeTimesLabel, combine(&square_change, shifted, |d, t| d * t));
        self.push(
            Term::SquareChangeTimesLabelSquare,
            combine(&square_change, &label_square, |d, square| d * square),
        );
        self.push(Term::BaselineAbsoluteError, baseline_error.iter().map(|e| e.abs()).collect());
        self.push(Term::BaselineError, baseline_error);
        self.push(Term::BaselineSquaredError, baseline_square);
        self.push(Term::SquareChange, square_change);
        self.push(Term::AbsoluteChange, absolute_change);
        self.push(Term::PredictionChange, prediction_change);
    }

    fn push(&mut self, term: Term, values: Vec<f64>) {
        self.columns.push((term as usize, values));
    }

    fn square(&mut self, term: Term, values: &[f64]) {
        self.product(term, values, values);
    }

    fn product(&mut self, term: Term, a: &[f64], b: &[f64]) {
        let (high, low) = a.iter().zip(b).map(|(a, b)| two_product(*a, *b)).unzip();
        self.push(term, high);
        self.push(term, low);
    }
}

fn combine(a: &[f64], b: &[f64], function: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| function(*a, *b)).collect()
}

/// The sums of every group of one grouping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupedSums {
    terms: usize,
    counts: Vec<u64>,
    sums: Vec<ExactSum>,
}

impl GroupedSums {
    /// So many groups without rows.
    pub(crate) fn new(terms: usize, groups: usize) -> Self {
        let mut sums = Self { terms, counts: Vec::new(), sums: Vec::new() };
        sums.grow(groups);
        sums
    }

    pub(crate) fn grow(&mut self, groups: usize) {
        if groups > self.counts.len() {
            self.counts.resize(groups, 0);
            self.sums.resize(groups * self.terms, ExactSum::default());
        }
    }

    /// Adds rows of one group.
    pub(crate) fn add_all(&mut self, columns: &TermColumns, group: usize, rows: usize) {
        self.counts[group] += rows as u64;
        for (term, values) in &columns.columns {
            self.sums[group * self.terms + term].add_slice(values);
        }
    }

    /// Adds rows of several groups: rows are brought into the order of their groups first, so that each
    /// group's rows are one slice.
    pub(crate) fn add_grouped(
        &mut self,
        columns: &mut TermColumns,
        rows: usize,
        group_of: impl Fn(usize) -> usize,
    ) {
        let mut ends = vec![0_usize; self.counts.len() + 1];
        for row in 0..rows {
            ends[group_of(row) + 1] += 1;
        }
        for group in 1..ends.len() {
            ends[group] += ends[group - 1];
        }
        let present: Vec<(usize, std::ops::Range<usize>)> = (0..self.counts.len())
            .map(|group| (group, ends[group]..ends[group + 1]))
            .filter(|(_, range)| !range.is_empty())
            .collect();
        let mut order = vec![0; rows];
        for row in 0..rows {
            let place = &mut ends[group_of(row)];
            order[*place] = row;
            *place += 1;
        }
        for (group, range) in &present {
            self.counts[*group] += range.len() as u64;
        }
        let TermColumns { columns, ordered } = columns;
        for (term, values) in columns {
            ordered.clear();
            ordered.extend(order.iter().map(|row| values[*row]));
            for (group, range) in &present {
                self.sums[group * self.terms + *term].add_slice(&ordered[range.clone()]);
            }
        }
    }

    /// Adds the sums of later rows; `numbers` says which group of ours each of theirs is.
    pub(crate) fn merge(&mut self, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(groups);
        for (theirs, (count, sums)) in later.counts.iter().zip(later.sums.chunks(self.terms)).enumerate() {
            let mine = numbers[theirs] as usize;
            self.counts[mine] += count;
            for (sum, more) in self.sums[mine * self.terms..].iter_mut().zip(sums) {
                sum.merge(*more);
            }
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, terms: usize) -> bool {
        self.terms == terms && self.counts.len().checked_mul(terms) == Some(self.sums.len())
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The sums of one group; `None` for a group that is not there.
    #[must_use]
    pub fn summary(&self, group: usize) -> Option<Summary<'_>> {
        let sums = self.sums.get(group * self.terms..(group + 1) * self.terms)?;
        Some(Summary { rows: *self.counts.get(group)?, sums })
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>() + self.sums.capacity() * size_of::<ExactSum>()
    }
}

/// The sums of one group.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    rows: u64,
    sums: &'a [ExactSum],
}

impl Summary<'_> {
    /// Rows of the group.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether a baseline was evaluated beside the candidate.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        self.sums.len() == PAIRED
    }

    pub(crate) fn sum(&self, term: Term) -> DoubleDouble {
        self.sums.get(term as usize).map_or(DoubleDouble::from(f64::NAN), ExactSum::to_double_double)
    }

    pub(crate) fn mean(&self, term: Term) -> DoubleDouble {
        self.sum(term) / self.count()
    }

    pub(crate) fn count(&self) -> DoubleDouble {
        DoubleDouble::from(self.rows)
    }

    /// Σ(x − mean)², from Σx and Σx²; exactly zero for constant x.
    pub(crate) fn centred_square(&self, term: Term, square: Term) -> DoubleDouble {
        let squares = self.sum(square);
        without_noise(squares - self.sum(term) * self.mean(term), squares)
    }

    /// Σ(x − mean)(y − mean), from Σx, Σy and Σxy.
    pub(crate) fn centred_product(&self, x: Term, y: Term, product: Term) -> DoubleDouble {
        self.sum(product) - self.sum(x) * self.mean(y)
    }
}

/// A centred sum of squares, zero where it is only what rounding left over of `squares`.
fn without_noise(centred: DoubleDouble, squares: DoubleDouble) -> DoubleDouble {
    if centred.high.abs() <= NOISE * squares.high { DoubleDouble::ZERO } else { centred }
}
