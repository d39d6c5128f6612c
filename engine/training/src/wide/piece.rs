//! Rows as the scans take them: numbers as shifted and scaled columns, indicators as codes.

use arrow::array::{Array, Float64Array, UInt32Array};

use sluice_core::batch::{Batch, Inputs, RowIdentity};
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace, NotANumber};
use sluice_core::folds::fold_of;

use crate::data::TrainingData;
use crate::design::rows::{Responses, blocks, further, not_a_number};

/// What the scans know of the columns before they read a row.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) folds: u32,
    identity: Option<RowIdentity>,
    pub(super) responses: Responses,
    /// Of the columns of the design and then the labels; 0 and 1 for indicators.
    pub(super) shift: Vec<f64>,
    pub(super) scale: Vec<f64>,
}

/// Some rows.
pub(super) struct Piece {
    pub(super) rows: usize,
    features: FeatureBatch,
    /// The places of columns of numbers in the design and their values, shifted and scaled.
    numbers: Vec<(usize, Vec<f64>)>,
    /// Where the columns of each feature begin.
    offsets: Vec<usize>,
    /// The labels, shifted and scaled.
    pub(super) labels: Vec<Vec<f64>>,
    /// The weight of each row.
    pub(super) weights: Vec<f64>,
    /// The fold of each row; empty where there is one.
    folds: Vec<u32>,
}

impl Layout {
    pub(super) fn new(data: TrainingData<'_>, folds: u32, shift: Vec<f64>, scale: Vec<f64>) -> Self {
        let identity = (folds > 1).then(|| data.identity());
        Self { folds, identity, responses: data.columns.responses(), shift, scale }
    }

    /// Columns of the design.
    pub(super) fn width(&self) -> usize {
        self.shift.len() - self.responses.labels.len()
    }

    /// What a scan reads.
    pub(super) fn inputs(&self, data: TrainingData<'_>) -> Inputs {
        let identity = self.identity.iter().flat_map(RowIdentity::columns);
        let inputs = self.responses.inputs(Inputs::default());
        data.transform.inputs().into_iter().chain(identity).fold(inputs, Inputs::with_column)
    }

    /// Hands out the rows of a batch, some at a time.
    pub(super) fn each_piece(
        &self,
        data: TrainingData<'_>,
        batch: &Batch,
        mut visit: impl FnMut(&Piece),
    ) -> Result<()> {
        let hashes = self.identity.as_ref().map(|identity| batch.hash(identity)).transpose()?;
        for rows in blocks(batch.rows()) {
            let folds = match &hashes {
                Some(hashes) => hashes[rows.clone()].iter().map(|hash| fold_of(*hash, self.folds)).collect(),
                None => Vec::new(),
            };
            let piece = self
                .piece(data, &batch.slice(rows.clone()), folds)
                .map_err(|error| further(error, rows.start))?;
            visit(&piece);
        }
        Ok(())
    }

    fn piece(&self, data: TrainingData<'_>, batch: &Batch, folds: Vec<u32>) -> Result<Piece> {
        let space = data.transform.space();
        let features = data.transform.apply(batch)?;
        let (labels, weights) = self.responses.columns_of(batch)?;
        let (mut numbers, mut offsets) = (Vec::new(), Vec::new());
        let mut offset = 0;
        for (feature, (column, spec)) in features.columns.iter().zip(&space.features).enumerate() {
            offsets.push(offset);
            if let FeatureColumn::Numbers(values) = column {
                check(values, feature, space)?;
                numbers.push((offset, self.moved(values, offset)));
            }
            offset += spec.width();
        }
        let labels = (self.width()..).zip(&labels).map(|(place, label)| self.moved(label, place)).collect();
        let weights = match weights {
            Some(weights) => weights.values().to_vec(),
            None => vec![1.0; batch.rows()],
        };
        Ok(Piece { rows: batch.rows(), features, numbers, offsets, labels, weights, folds })
    }

    fn moved(&self, values: &Float64Array, place: usize) -> Vec<f64> {
        let (shift, scale) = (self.shift[place], self.scale[place]);
        values.values().iter().map(|value| (value - shift) * scale).collect()
    }
}

impl Piece {
    /// Whether a row is in a fold.
    pub(super) fn is_in(&self, row: usize, fold: u32) -> bool {
        self.folds.get(row).copied().unwrap_or(0) == fold
    }

    /// Sets `sums` to the sum of coefficient x column of each row, from `start` on.
    pub(super) fn times(&self, coefficients: &[f64], start: f64, sums: &mut Vec<f64>) {
        sums.clear();
        sums.resize(self.rows, start);
        for (place, values) in &self.numbers {
            let coefficient = coefficients[*place];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += coefficient * value);
        }
        for (column, &offset) in self.features.columns.iter().zip(&self.offsets) {
            match column {
                FeatureColumn::Numbers(_) => {}
                FeatureColumn::Codes(codes) => {
                    each_code(codes, |row, code| sums[row] += coefficients[offset + code]);
                }
                FeatureColumn::Sparse(sparse) => {
                    for (row, sum) in sums.iter_mut().enumerate() {
                        for (term, value) in sparse.row(row) {
                            *sum += coefficients[offset + term] * value;
                        }
                    }
                }
            }
        }
    }

    /// Adds to `sums` the sum of factor x value of each column.
    pub(super) fn transposed_times(&self, factors: &[f64], sums: &mut [f64]) {
        for (place, values) in &self.numbers {
            sums[*place] += values.iter().zip(factors).map(|(value, factor)| value * factor).sum::<f64>();
        }
        self.each_entry(|column, row, value| sums[column] += factors[row] * value);
    }

    /// As [`Piece::transposed_times`], with the squares of the values.
    pub(super) fn transposed_squares(&self, factors: &[f64], sums: &mut [f64]) {
        for (place, values) in &self.numbers {
            sums[*place] +=
                values.iter().zip(factors).map(|(value, factor)| value * value * factor).sum::<f64>();
        }
        self.each_entry(|column, row, value| sums[column] += factors[row] * value * value);
    }

    /// The entries of the columns that are mostly 0.
    fn each_entry(&self, mut visit: impl FnMut(usize, usize, f64)) {
        for (column, &offset) in self.features.columns.iter().zip(&self.offsets) {
            match column {
                FeatureColumn::Numbers(_) => {}
                FeatureColumn::Codes(codes) => each_code(codes, |row, code| visit(offset + code, row, 1.0)),
                FeatureColumn::Sparse(sparse) => {
                    for row in 0..self.rows {
                        sparse.row(row).for_each(|(term, value)| visit(offset + term, row, value));
                    }
                }
            }
        }
    }
}

fn each_code(codes: &UInt32Array, mut visit: impl FnMut(usize, usize)) {
    for (row, code) in codes.iter().enumerate() {
        if let Some(code) = code {
            visit(row, code as usize);
        }
    }
}

/// That every value is a finite number.
fn check(values: &Float64Array, feature: usize, space: &FeatureSpace) -> Result<()> {
    let is_bad = |row: &usize| values.is_null(*row) || !values.value(*row).is_finite();
    match (0..values.len()).find(is_bad) {
        None => Ok(()),
        Some(row) => Err(not_a_number(NotANumber { feature, row, is_null: values.is_null(row) }, space)),
    }
}
