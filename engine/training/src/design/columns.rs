//! The fast way from a batch to Gram matrices: column by column, shifted and scaled on the way, the rows of each fold
//! side by side.
//!
//! Nothing is laid out row by row, so that every loop runs along a column; what takes part and in which order (rows of
//! weight 0 do not, folds come one after the other) is decided once per block.

use arrow::array::{Array, Float64Array};

use sluice_core::batch::Batch;
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace, NotANumber, Remainder};
use sluice_summaries::gram::{Gram, GramScratch, ShiftedColumns, shifted_exactly};

use super::rows::{Responses, not_a_number};

/// The rows of a block that take part, fold after fold, each fold in the order of its rows.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Places in the batch.
    pub(crate) rows: Vec<usize>,
    /// Where each fold ends in `rows`.
    ends: Vec<usize>,
    /// The weights of `rows`, where rows have weights.
    pub(crate) weights: Vec<f64>,
    /// Whether `rows` are all rows in their order.
    is_whole: bool,
}

impl Order {
    /// Those of so many rows that have a weight above 0.
    pub(crate) fn fill(
        &mut self,
        count: usize,
        folds: usize,
        weights: Option<&[f64]>,
        fold_of: impl Fn(usize) -> usize,
    ) {
        self.rows.clear();
        self.ends.clear();
        self.weights.clear();
        let takes_part = |row: &usize| weights.is_none_or(|weights| weights[*row] > 0.0);
        for fold in 0..folds {
            self.rows.extend((0..count).filter(takes_part).filter(|row| folds == 1 || fold_of(*row) == fold));
            self.ends.push(self.rows.len());
        }
        self.is_whole = self.rows.len() == count && self.rows.is_sorted();
        if let Some(weights) = weights {
            self.weights.extend(self.rows.iter().map(|row| weights[*row]));
        }
    }
}

/// What is added up.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) responses: &'a Responses,
    /// No more rows than a block of the Gram matrix has.
    pub(super) batch: &'a Batch,
    pub(super) features: &'a FeatureBatch,
    /// What rounding took from some features.
    pub(super) remainders: &'a [Remainder],
    pub(super) space: &'a FeatureSpace,
}

/// Memory that is used again and again.
#[derive(Default)]
pub(super) struct Scratch {
    cells: Vec<f64>,
    order: Order,
    gram: GramScratch,
}

/// Adds rows to the Gram matrix of their folds.
///
/// # Errors
/// As [`Responses::each_block`].
pub(super) fn add_up(
    grams: &mut [&mut Gram],
    rows: Rows<'_>,
    fold_of: impl Fn(usize) -> usize,
    scratch: &mut Scratch,
) -> Result<()> {
    let Rows { responses, batch, features, remainders, space } = rows;
    let (labels, weights) = responses.columns_of(batch)?;
    let weights = weights.as_ref().map(|weights| -> &[f64] { weights.values() });
    // All folds have one shift and scale.
    let Some(first) = grams.first() else { return Ok(()) };
    let (shift, scale) = (first.shift().to_vec(), first.scale().to_vec());
    let Scratch { cells, order, gram: scratch } = scratch;
    let count = features.rows;
    cells.resize(count * shift.len(), 0.0);
    order.fill(count, grams.len(), weights, &fold_of);
    let mut filler = Filler { shift: &shift, scale: &scale, cells, stride: count };
    filler.features((features, remainders), space, order)?;
    for label in &labels {
        filler.numbers(label.values(), order);
    }
    let mut start = 0;
    for (gram, &end) in grams.iter_mut().zip(&order.ends) {
        let weights = weights.map(|_| &order.weights[start..end]);
        let block = ShiftedColumns { cells, stride: count, rows: start..end };
        gram.update_shifted(block, weights, scratch);
        start = end;
    }
    Ok(())
}

/// Fills the columns of a block, one after the other.
pub(crate) struct Filler<'a> {
    /// Of the columns that are not filled yet.
    pub(crate) shift: &'a [f64],
    pub(crate) scale: &'a [f64],
    pub(crate) cells: &'a mut [f64],
    pub(crate) stride: usize,
}

impl<'a> Filler<'a> {
    /// The columns of all features.
    ///
    /// # Errors
    /// At the first feature that is null, NaN or infinite, with its row.
    pub(crate) fn features(
        &mut self,
        (features, remainders): (&FeatureBatch, &[Remainder]),
        space: &FeatureSpace,
        order: &Order,
    ) -> Result<()> {
        for (feature, (column, spec)) in features.columns.iter().zip(&space.features).enumerate() {
            let remainder = remainders.iter().find(|remainder| remainder.feature == feature);
            let remainder = remainder.map(|remainder| remainder.values.as_slice());
            self.feature((column, remainder), spec.width(), order)
                .map_err(|(row, is_null)| not_a_number(NotANumber { feature, row, is_null }, space))?;
        }
        Ok(())
    }

    /// The next column with its shift and scale.
    fn next(&mut self) -> (&'a mut [f64], f64, f64) {
        let (column, rest) = std::mem::take(&mut self.cells).split_at_mut(self.stride);
        self.cells = rest;
        let (shift, scale) = (self.shift[0], self.scale[0]);
        (self.shift, self.scale) = (&self.shift[1..], &self.scale[1..]);
        (column, shift, scale)
    }

    /// The columns of a feature; or the row that has no number there, and whether it is null.
    fn feature(
        &mut self,
        (column, remainder): (&FeatureColumn, Option<&[f64]>),
        width: usize,
        order: &Order,
    ) -> Result<(), (usize, bool)> {
        match column {
            FeatureColumn::Numbers(values) => {
                check(values)?;
                match remainder {
                    Some(remainder) => self.products(values.values(), remainder, order),
                    None => self.numbers(values.values(), order),
                }
            }
            FeatureColumn::Codes(codes) => {
                self.indicators(width, order, |row| {
                    let code = (!codes.is_null(row)).then(|| codes.value(row) as usize);
                    code.into_iter().map(|code| (code, 1.0))
                });
            }
            FeatureColumn::Sparse(sparse) => {
                let is_sound = |row: &usize| sparse.row(*row).all(|(_, value)| value.is_finite());
                if let Some(row) = (0..sparse.rows()).find(|row| !is_sound(row)) {
                    return Err((row, false));
                }
                self.indicators(width, order, |row| sparse.row(row));
            }
        }
        Ok(())
    }

    /// A column of numbers.
    fn numbers(&mut self, values: &[f64], order: &Order) {
        let (column, shift, scale) = self.next();
        if order.is_whole {
            for (cell, value) in column.iter_mut().zip(values) {
                *cell = (value - shift) * scale;
            }
        } else {
            for (cell, row) in column.iter_mut().zip(&order.rows) {
                *cell = (values[*row] - shift) * scale;
            }
        }
    }

    /// A column of products, with what rounding took from each.
    fn products(&mut self, values: &[f64], remainder: &[f64], order: &Order) {
        let (column, shift, scale) = self.next();
        for (cell, &row) in column.iter_mut().zip(&order.rows) {
            *cell = shifted_exactly(values[row], remainder[row], shift) * scale;
        }
    }

    /// Columns most of whose numbers are 0; `entries` gives the others of a row.
    fn indicators<I: Iterator<Item = (usize, f64)>>(
        &mut self,
        width: usize,
        order: &Order,
        entries: impl Fn(usize) -> I,
    ) {
        let (shift, scale) = (self.shift, self.scale);
        let mut columns: Vec<&mut [f64]> = Vec::with_capacity(width);
        for _ in 0..width {
            let (column, shift, scale) = self.next();
            column[..order.rows.len()].fill((0.0 - shift) * scale);
            columns.push(column);
        }
        for (place, row) in order.rows.iter().enumerate() {
            for (term, value) in entries(*row) {
                if let Some(column) = columns.get_mut(term) {
                    column[place] = (value - shift[term]) * scale[term];
                }
            }
        }
    }
}

/// That every value is a finite number; or the first row where it is not, and whether it is null.
fn check(values: &Float64Array) -> Result<(), (usize, bool)> {
    let are_finite = values.values().iter().fold(true, |sound, value| sound & value.is_finite());
    if are_finite && values.null_count() == 0 {
        return Ok(());
    }
    match (0..values.len()).find(|row| values.is_null(*row) || !values.value(*row).is_finite()) {
        Some(row) => Err((row, values.is_null(row))),
        None => Ok(()),
    }
}
