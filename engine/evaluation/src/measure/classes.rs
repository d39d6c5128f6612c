//! Matrices of several classes, per slice: rows and weight by label and by the class that each model predicts.
//!
//! A row enters the error of a change by what both models say of it. Up to [`JOINT_CLASSES`] classes rows are counted
//! by label and both predictions at once; beyond, that table would be too large, and there is a matrix per model.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::ExactSum;

use super::term::predicted_class;
use super::{Pair, place};
use crate::metric::{ClassCounts, Dual, Side};

/// Up to so many classes rows are counted by label and both predictions.
const JOINT_CLASSES: usize = 8;

/// Up to so many classes the derivatives of a rate are taken.
const DERIVED_CLASSES: usize = 64;

/// Cells of all slices of one grouping.
const MOST_CELLS: usize = 1 << 26;

/// Whether, and how, rows are counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassPlan {
    classes: usize,
    is_asked: bool,
    is_paired: bool,
    is_weighted: bool,
}

impl ClassPlan {
    pub(crate) fn new(classes: usize, is_paired: bool, is_weighted: bool) -> Self {
        Self { classes, is_asked: false, is_paired, is_weighted }
    }

    pub(crate) fn add(&mut self) {
        self.is_asked = true;
    }

    /// Whether a matrix is gathered that people may read.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_asked && self.classes <= DERIVED_CLASSES
    }

    /// Slices whose matrices fit into a few hundred megabytes.
    pub(crate) fn most_slices(&self) -> usize {
        MOST_CELLS / std::cmp::max(self.len(), 1)
    }

    /// Lists of sums by class that replicates hold: labels, then predictions and hits of each model.
    pub(crate) fn replicated(&self) -> usize {
        if self.is_asked { 3 + 2 * usize::from(self.is_paired) } else { 0 }
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// The place of each row in those lists; none: [`u32::MAX`].
    pub(crate) fn places(&self, pair: &Pair<'_>) -> Vec<Vec<u32>> {
        if !self.is_asked {
            return Vec::new();
        }
        let number = |class: usize| u32::try_from(class).unwrap_or(u32::MAX);
        let label = |label: &f64| number(std::cmp::min(place(*label), self.classes - 1));
        let labels: Vec<u32> = pair.label.iter().map(label).collect();
        let mut found = vec![labels];
        for columns in std::iter::once(&pair.candidate).chain(pair.baseline.as_ref()) {
            let predicted: Vec<u32> =
                (0..pair.label.len()).map(|row| number(predicted_class(columns, row))).collect();
            let hit = |(label, predicted): (&u32, &u32)| if label == predicted { *label } else { u32::MAX };
            let hits = found[0].iter().zip(&predicted).map(hit).collect();
            found.extend([predicted, hits]);
        }
        found
    }

    fn is_joint(&self) -> bool {
        self.is_paired && self.classes <= JOINT_CLASSES
    }

    /// Cells per slice.
    fn len(&self) -> usize {
        let matrix = self.classes * self.classes;
        match (self.is_asked, self.is_paired) {
            (false, _) => 0,
            (true, false) => matrix,
            (true, true) if self.is_joint() => matrix * self.classes,
            (true, true) => 2 * matrix,
        }
    }

    /// The label and the prediction of a model that a cell holds; none where it is of the other model.
    fn kind(&self, cell: usize, side: Side) -> Option<(usize, usize)> {
        let classes = self.classes;
        if self.is_joint() {
            let (label, both) = (cell / (classes * classes), cell % (classes * classes));
            return Some(match side {
                Side::Candidate => (label, both / classes),
                Side::Baseline => (label, both % classes),
            });
        }
        let (matrix, own) = (cell / (classes * classes), cell % (classes * classes));
        (matrix == usize::from(side == Side::Baseline)).then(|| (own / classes, own % classes))
    }
}

/// The counts of every slice of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassSums {
    cells: usize,
    rows: Vec<u64>,
    /// Σw and Σw²; none without weights.
    weights: Vec<[ExactSum; 2]>,
}

impl ClassSums {
    pub(crate) fn new(plan: &ClassPlan) -> Self {
        Self { cells: plan.len(), ..Self::default() }
    }

    pub(crate) fn grow(&mut self, plan: &ClassPlan, groups: usize) {
        let cells = groups * self.cells;
        if cells > self.rows.len() {
            self.rows.resize(cells, 0);
            if plan.is_weighted {
                self.weights.resize(cells, Default::default());
            }
        }
    }

    /// Adds rows of groups.
    pub(crate) fn add(&mut self, plan: &ClassPlan, pair: &Pair<'_>, group_of: impl Fn(usize) -> usize) {
        if !plan.is_asked {
            return;
        }
        let (classes, matrix) = (plan.classes, plan.classes * plan.classes);
        for (row, label) in pair.label.iter().enumerate() {
            let label = std::cmp::min(place(*label), classes - 1);
            let first = group_of(row) * self.cells;
            let own = predicted_class(&pair.candidate, row);
            let theirs = pair.baseline.as_ref().map(|baseline| predicted_class(baseline, row));
            let weight = pair.weight.map(|weight| weight[row]);
            match theirs {
                Some(theirs) if plan.is_joint() => {
                    self.count(first + label * matrix + own * classes + theirs, weight);
                }
                _ => {
                    self.count(first + label * classes + own, weight);
                    if let Some(theirs) = theirs {
                        self.count(first + matrix + label * classes + theirs, weight);
                    }
                }
            }
        }
    }

    fn count(&mut self, cell: usize, weight: Option<f64>) {
        self.rows[cell] += 1;
        if let Some(weight) = weight {
            let [sum, squares] = &mut self.weights[cell];
            sum.add(weight);
            squares.add_product(weight, weight);
        }
    }

    pub(crate) fn merge(&mut self, plan: &ClassPlan, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(plan, groups);
        let cells = std::cmp::max(self.cells, 1);
        for (theirs, rows) in later.rows.chunks(cells).enumerate() {
            let first = numbers[theirs] as usize * self.cells;
            for (mine, more) in self.rows[first..].iter_mut().zip(rows) {
                *mine += more;
            }
        }
        for (theirs, weights) in later.weights.chunks(cells).enumerate() {
            let first = numbers[theirs] as usize * self.cells;
            for (mine, more) in self.weights[first..].iter_mut().zip(weights) {
                mine[0].merge(more[0]);
                mine[1].merge(more[1]);
            }
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, plan: &ClassPlan, groups: usize) -> bool {
        let cells = groups.checked_mul(self.cells);
        self.cells == plan.len()
            && cells == Some(self.rows.len())
            && self.weights.len() == if plan.is_weighted { self.rows.len() } else { 0 }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u64>() + self.weights.capacity() * size_of::<[ExactSum; 2]>()
    }

    /// The matrices of one slice.
    pub(crate) fn of<'a>(&'a self, plan: &'a ClassPlan, group: usize) -> ClassCells<'a> {
        ClassCells { plan, sums: self, first: group * self.cells }
    }
}

/// The matrices of one slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassCells<'a> {
    plan: &'a ClassPlan,
    sums: &'a ClassSums,
    first: usize,
}

impl ClassCells<'_> {
    fn number(&self, cell: usize, sum: usize) -> DoubleDouble {
        let place = self.first + cell;
        match self.sums.weights.get(place) {
            Some(weights) => weights[sum].to_double_double(),
            None => DoubleDouble::from(self.sums.rows.get(place).copied().unwrap_or(0)),
        }
    }

    /// Σw, or Σw², by label and prediction of a side.
    fn matrix_of(&self, side: Side, sum: usize) -> Vec<DoubleDouble> {
        let classes = self.plan.classes;
        let mut matrix = vec![DoubleDouble::ZERO; classes * classes];
        for cell in 0..self.sums.cells {
            if let Some((label, predicted)) = self.plan.kind(cell, side) {
                let total = &mut matrix[label * classes + predicted];
                *total = *total + self.number(cell, sum);
            }
        }
        matrix
    }

    /// The weights by label (a list each) and prediction.
    pub(crate) fn matrix(&self, side: Side) -> Vec<Vec<f64>> {
        let matrix = self.matrix_of(side, 0);
        let row = |row: &[DoubleDouble]| row.iter().map(|weight| weight.to_f64()).collect();
        matrix.chunks(std::cmp::max(self.plan.classes, 1)).map(row).collect()
    }

    /// What rates are made of, with derivatives where there are few enough classes: hits, labels, predictions.
    pub(crate) fn counts(&self, side: Side) -> ClassCounts {
        let classes = self.plan.classes;
        let mut sums = vec![DoubleDouble::ZERO; 3 * classes];
        for (cell, weight) in self.matrix_of(side, 0).into_iter().enumerate() {
            let (label, predicted) = (cell / classes, cell % classes);
            let hit = (label == predicted).then_some(label);
            for place in hit.into_iter().chain([classes + label, 2 * classes + predicted]) {
                sums[place] = sums[place] + weight;
            }
        }
        let mut inputs = if classes <= DERIVED_CLASSES {
            Dual::inputs(&sums)
        } else {
            sums.into_iter().map(|value| Dual { value, slope: Vec::new() }).collect()
        };
        let predicted = inputs.split_off(2 * classes);
        let labels = inputs.split_off(classes);
        ClassCounts { hits: inputs, labels, predicted }
    }

    /// What a row of this label and prediction adds to a rate of this slope.
    pub(crate) fn influence(&self, slope: &[DoubleDouble], label: usize, predicted: usize) -> DoubleDouble {
        let classes = self.plan.classes;
        let at = |place: usize| slope.get(place).copied().unwrap_or(DoubleDouble::ZERO);
        let hit = if label == predicted { at(label) } else { DoubleDouble::ZERO };
        hit + at(classes + label) + at(2 * classes + predicted)
    }

    /// The variance of a rate of one side; none where derivatives are not taken.
    pub(crate) fn variance(&self, slope: &[DoubleDouble], side: Side) -> Option<DoubleDouble> {
        if self.plan.classes > DERIVED_CLASSES {
            return None;
        }
        let classes = self.plan.classes;
        let squares = self.matrix_of(side, 1).into_iter().enumerate();
        Some(squares.fold(DoubleDouble::ZERO, |sum, (cell, square)| {
            let influence = self.influence(slope, cell / classes, cell % classes);
            sum + influence * influence * square
        }))
    }

    /// The variance of the difference of a rate between both sides; none where rows are not counted by both.
    pub(crate) fn change_variance(
        &self,
        candidate: &[DoubleDouble],
        baseline: &[DoubleDouble],
    ) -> Option<DoubleDouble> {
        if !self.plan.is_joint() {
            return None;
        }
        let of = |cell: usize, slope: &[DoubleDouble], side: Side| {
            let kind = self.plan.kind(cell, side);
            kind.map_or(DoubleDouble::ZERO, |(label, predicted)| self.influence(slope, label, predicted))
        };
        Some((0..self.sums.cells).fold(DoubleDouble::ZERO, |sum, cell| {
            let influence = of(cell, candidate, Side::Candidate) - of(cell, baseline, Side::Baseline);
            sum + influence * influence * self.number(cell, 1)
        }))
    }

    /// The rows of some labels and predictions, as many as would tell as much were their weights equal.
    pub(crate) fn effective_rows(&self, side: Side, is_of: impl Fn(usize, usize) -> bool) -> f64 {
        let classes = self.plan.classes;
        let of = |sum: usize| {
            let cells = self.matrix_of(side, sum).into_iter().enumerate();
            cells
                .filter(|(cell, _)| is_of(cell / classes, cell % classes))
                .fold(DoubleDouble::ZERO, |total, (_, number)| total + number)
        };
        let weight = of(0);
        (weight * weight / of(1)).to_f64()
    }
}
