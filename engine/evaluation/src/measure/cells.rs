//! Confusion matrices at thresholds, per slice: rows and weight by label, candidate's and baseline's prediction.
//!
//! Rows are counted by all three at once, so that the error of a change between models that see the same rows
//! follows.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::ExactSum;

use super::Pair;
use crate::metric::{Counts, Dual, Side};
use crate::tables::ConfusionMatrix;

/// Bits of a cell's number.
const LABEL: usize = 1;
const CANDIDATE: usize = 2;
const BASELINE: usize = 4;
const CELLS: usize = 8;

/// At which thresholds rows are counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellPlan {
    thresholds: Vec<f64>,
    is_weighted: bool,
}

impl CellPlan {
    /// Cells of a matrix.
    pub(crate) const CELLS: usize = CELLS;

    pub(crate) fn new(is_weighted: bool) -> Self {
        Self { thresholds: Vec::new(), is_weighted }
    }

    pub(crate) fn add(&mut self, threshold: f64) {
        if self.place(threshold).is_none() {
            self.thresholds.push(threshold);
        }
    }

    pub(crate) fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    pub(crate) fn place(&self, threshold: f64) -> Option<usize> {
        self.thresholds.iter().position(|known| known.to_bits() == threshold.to_bits())
    }

    pub(crate) fn len(&self) -> usize {
        self.thresholds.len() * CELLS
    }

    /// The cell of each row, by threshold.
    pub(crate) fn places(&self, pair: &Pair<'_>) -> Vec<Vec<u32>> {
        let candidate = pair.candidate.first().copied().unwrap_or_default();
        let baseline = pair.baseline.as_ref().and_then(|columns| columns.first().copied());
        let of = |threshold: &f64| {
            let bit = |is_so: bool, place: usize| u32::from(is_so) << place;
            let cell = |(row, label): (usize, &f64)| {
                bit(*label > 0.5, 0)
                    | bit(candidate[row] > *threshold, 1)
                    | bit(baseline.is_some_and(|column| column[row] > *threshold), 2)
            };
            pair.label.iter().enumerate().map(cell).collect()
        };
        self.thresholds.iter().map(of).collect()
    }
}

/// The counts of every slice of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellSums {
    cells: usize,
    rows: Vec<u64>,
    /// Σw and Σw²; none without weights.
    weights: Vec<[ExactSum; 2]>,
}

impl CellSums {
    pub(crate) fn new(plan: &CellPlan) -> Self {
        Self { cells: plan.len(), ..Self::default() }
    }

    pub(crate) fn grow(&mut self, plan: &CellPlan, groups: usize) {
        let cells = groups * self.cells;
        if cells > self.rows.len() {
            self.rows.resize(cells, 0);
            if plan.is_weighted {
                self.weights.resize(cells, Default::default());
            }
        }
    }

    /// Adds rows of groups; `places` are their cells.
    pub(crate) fn add(
        &mut self,
        places: &[Vec<u32>],
        weight: Option<&[f64]>,
        group_of: impl Fn(usize) -> usize,
    ) {
        for (index, places) in places.iter().enumerate() {
            for (row, place) in places.iter().enumerate() {
                let place = group_of(row) * self.cells + index * CELLS + *place as usize;
                self.rows[place] += 1;
                if let Some(weight) = weight {
                    let [sum, squares] = &mut self.weights[place];
                    sum.add(weight[row]);
                    squares.add_product(weight[row], weight[row]);
                }
            }
        }
    }

    pub(crate) fn merge(&mut self, plan: &CellPlan, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(plan, groups);
        if self.cells == 0 {
            return;
        }
        for (theirs, rows) in later.rows.chunks(self.cells).enumerate() {
            let first = numbers[theirs] as usize * self.cells;
            for (mine, more) in self.rows[first..].iter_mut().zip(rows) {
                *mine += more;
            }
        }
        for (theirs, weights) in later.weights.chunks(self.cells).enumerate() {
            let first = numbers[theirs] as usize * self.cells;
            for (mine, more) in self.weights[first..].iter_mut().zip(weights) {
                mine[0].merge(more[0]);
                mine[1].merge(more[1]);
            }
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, plan: &CellPlan, groups: usize) -> bool {
        let cells = groups.checked_mul(self.cells);
        self.cells == plan.len()
            && cells == Some(self.rows.len())
            && self.weights.len() == if plan.is_weighted { self.rows.len() } else { 0 }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u64>() + self.weights.capacity() * size_of::<[ExactSum; 2]>()
    }

    /// The matrix of one slice at one threshold.
    pub(crate) fn of(&self, plan: &CellPlan, group: usize, threshold: f64) -> Cells {
        let first = group * self.cells + plan.place(threshold).unwrap_or(0) * CELLS;
        let number = |place: usize, sum: usize| match self.weights.get(place) {
            Some(weights) => weights[sum].to_double_double(),
            None => DoubleDouble::from(self.rows.get(place).copied().unwrap_or(0)),
        };
        Cells {
            weight: std::array::from_fn(|cell| number(first + cell, 0)),
            square: std::array::from_fn(|cell| number(first + cell, 1)),
        }
    }
}

/// The matrix of one slice at one threshold.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    weight: [DoubleDouble; CELLS],
    square: [DoubleDouble; CELLS],
}

/// Places of the derivatives.
const KINDS: usize = 4;

/// Which kind of row a cell holds for a side: label and prediction, two bits.
fn kind(cell: usize, side: Side) -> usize {
    let bit = match side {
        Side::Candidate => CANDIDATE,
        Side::Baseline => BASELINE,
    };
    (cell & LABEL) + 2 * usize::from(cell & bit != 0)
}

impl Cells {
    /// The counts of one side, with derivatives by kind of row.
    pub(crate) fn counts(&self, side: Side) -> Counts {
        let mut kinds = [DoubleDouble::ZERO; KINDS];
        for (cell, weight) in self.weight.iter().enumerate() {
            let sum = &mut kinds[kind(cell, side)];
            *sum = *sum + *weight;
        }
        Self::named(&Dual::inputs(&kinds))
    }

    /// The counts of one side of a matrix, without derivatives.
    pub(crate) fn constants(weights: &[f64; CELLS], side: Side) -> Counts {
        let mut kinds = [0.0; KINDS];
        for (cell, weight) in weights.iter().enumerate() {
            kinds[kind(cell, side)] += weight;
        }
        Self::named(&kinds.map(Dual::constant))
    }

    fn named(kinds: &[Dual]) -> Counts {
        let of = |kind: usize| kinds[kind].clone();
        Counts {
            true_negatives: of(0),
            false_negatives: of(LABEL),
            false_positives: of(2),
            true_positives: of(2 + LABEL),
        }
    }

    /// The counts of one side.
    pub(crate) fn matrix(&self, threshold: f64, side: Side) -> ConfusionMatrix {
        let counts = self.counts(side);
        ConfusionMatrix {
            threshold,
            true_positives: counts.true_positives.value.to_f64(),
            false_positives: counts.false_positives.value.to_f64(),
            true_negatives: counts.true_negatives.value.to_f64(),
            false_negatives: counts.false_negatives.value.to_f64(),
        }
    }

    /// The variance of Σ slope · count, of one side's rate or of the difference of both.
    pub(crate) fn variance(
        &self,
        candidate: Option<&[DoubleDouble]>,
        baseline: Option<&[DoubleDouble]>,
    ) -> DoubleDouble {
        let at = |slope: Option<&[DoubleDouble]>, cell: usize, side: Side| {
            slope.and_then(|slope| slope.get(kind(cell, side)).copied()).unwrap_or(DoubleDouble::ZERO)
        };
        let mut variance = DoubleDouble::ZERO;
        for (cell, square) in self.square.iter().enumerate() {
            let influence = at(candidate, cell, Side::Candidate) - at(baseline, cell, Side::Baseline);
            variance = variance + influence * influence * *square;
        }
        variance
    }

    /// The rows of some kinds, as many as would tell as much were their weights equal.
    pub(crate) fn effective_rows(&self, side: Side, is_of: impl Fn(usize) -> bool) -> f64 {
        let of = |sums: &[DoubleDouble; CELLS]| {
            let cells = (0..CELLS).filter(|cell| is_of(kind(*cell, side)));
            cells.fold(DoubleDouble::ZERO, |sum, cell| sum + sums[cell])
        };
        let weight = of(&self.weight);
        (weight * weight / of(&self.square)).to_f64()
    }
}
