//! Loss, slope and curvature of all rows at one point: what a step of the iteration needs, in one scan.
//!
//! Columns are shifted and scaled by powers of two as the first rows ask for, with a column of ones before them where
//! there is an intercept. Sums of a block of 4,096 rows are in `f64` and joined in double-double; products by
//! [`Gram`], one for each pair of linear predictors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::group::GroupMap;
use sluice_summaries::Gram;
use sluice_summaries::gram::triangle_index;

use super::error::GlmError;
use super::family::{Family, softmax};
use super::rows::{RowReader, Rows};
use crate::solve::Packed;

/// How features become columns: (x − shift) x scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scaling {
    pub(super) shift: Vec<f64>,
    pub(super) scale: Vec<f64>,
}

impl Scaling {
    /// Mean (where there is an intercept) and a power of two near one over the spread of the columns of some rows.
    pub(super) fn of(cells: &[f64], width: usize, intercept: bool) -> Self {
        let rows = || cells.chunks_exact(std::cmp::max(width, 1));
        let count = rows().len() as f64;
        let mut shift = vec![0.0; width];
        if let (true, Some(first)) = (intercept, rows().next()) {
            // About the first row, so that the mean of equal numbers is that number.
            for row in rows() {
                for ((sum, value), first) in shift.iter_mut().zip(row).zip(first) {
                    *sum += (value - first) / count;
                }
            }
            for (shift, first) in shift.iter_mut().zip(first) {
                let mean = *shift + first;
                *shift = if mean.is_finite() { mean } else { 0.0 };
            }
        }
        let mut spread = vec![0.0_f64; width];
        for row in rows() {
            for ((spread, value), shift) in spread.iter_mut().zip(row).zip(&shift) {
                // Halves, because the difference of the two ends of `f64` is beyond it.
                let deviation = (value / 2.0 - shift / 2.0).abs();
                if deviation > *spread {
                    *spread = deviation;
                }
            }
        }
        // Squares of scales, which penalties are multiplied by, must be numbers.
        let scale = |spread: f64| (-(spread.log2().round() + 1.0)).clamp(-500.0, 500.0).exp2();
        let scale = spread.into_iter().map(|spread| if spread > 0.0 { scale(spread) } else { 1.0 });
        Self { scale: scale.collect(), shift }
    }
}

/// Where the sums are taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) family: Family,
    pub(super) intercept: bool,
    pub(super) scaling: Arc<Scaling>,
    /// Of each linear predictor one per column, that of the ones first.
    pub(super) coefficients: Vec<f64>,
    /// Whether curvatures are the expected ones.
    pub(super) is_expected: bool,
}

impl Point {
    /// Columns, that of the ones included.
    pub(super) fn columns(&self) -> usize {
        self.scaling.shift.len() + usize::from(self.intercept)
    }

    /// The columns of some rows, one row after the other.
    pub(super) fn columns_of(&self, cells: &[f64], rows: usize, columns: &mut Vec<f64>) {
        let width = self.scaling.shift.len();
        columns.clear();
        columns.reserve(rows * self.columns());
        if width == 0 {
            columns.resize(rows * self.columns(), 1.0);
            return;
        }
        let Scaling { shift, scale } = self.scaling.as_ref();
        for row in cells.chunks_exact(width) {
            if self.intercept {
                columns.push(1.0);
            }
            columns.extend(
                row.iter().zip(shift).zip(scale).map(|((value, shift), scale)| (value - shift) * scale),
            );
        }
    }
}

/// The sum of products, in eight lanes.
pub(super) fn product(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// What the rows add up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    /// Rows, all of a weight above 0.
    pub(super) rows: u64,
    /// Half the deviance.
    pub(super) loss: DoubleDouble,
    /// Minus its derivatives.
    pub(super) slope: Vec<DoubleDouble>,
    /// Its second derivatives, by pairs of linear predictors.
    grams: Vec<Gram>,
    /// Pearson's χ² of each linear predictor.
    pub(super) pearson: Vec<DoubleDouble>,
    /// Rows that are not on the side of their class.
    pub(super) misfits: u64,
    /// Σ weight x value of each column, that of the ones first.
    columns: Vec<DoubleDouble>,
}

/// Numbers of one block, reused.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) columns: Vec<f64>,
    curvature: Vec<f64>,
    slope: Vec<f64>,
    predictors: Vec<f64>,
}

impl Sums {
    /// Of no rows.
    ///
    /// # Errors
    /// None that can happen: shifts of 0 and scales of 1 are sound.
    pub(super) fn new(family: Family, columns: usize) -> Result<Self> {
        let predictors = family.predictors();
        let gram = Gram::new(vec![0.0; columns], vec![1.0; columns])
            .map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(Self {
            rows: 0,
            loss: DoubleDouble::ZERO,
            slope: vec![DoubleDouble::ZERO; predictors * columns],
            grams: vec![gram; triangle_index(predictors, 0)],
            pearson: vec![DoubleDouble::ZERO; predictors],
            misfits: 0,
            columns: vec![DoubleDouble::ZERO; columns],
        })
    }

    fn add_single(&mut self, point: &Point, rows: Rows<'_>, scratch: &mut Scratch) {
        let columns = point.columns();
        let Scratch { columns: cells, curvature, slope, .. } = scratch;
        curvature.clear();
        slope.clear();
        slope.resize(columns, 0.0);
        for (row, &label) in rows.labels.iter().enumerate() {
            let cells = &cells[row * columns..(row + 1) * columns];
            let weight = rows.weights.map_or(1.0, |weights| weights[row]);
            let predictor =
                product(cells, &point.coefficients) + rows.offsets.get(row).copied().unwrap_or(0.0);
            let terms = point.family.terms(label, predictor, point.is_expected);
            self.loss = self.loss + weight * terms.loss;
            self.pearson[0] = self.pearson[0] + weight * terms.pearson;
            curvature.push(weight * terms.curvature);
            let is_fitted =
                point.family.has_classes() && (label > 0.0) == (predictor > 0.0) && predictor != 0.0;
            self.misfits += u64::from(!is_fitted);
            let pull = weight * terms.slope;
            for (sum, cell) in slope.iter_mut().zip(cells) {
                *sum += pull * cell;
            }
        }
        add_each(&mut self.slope, slope);
        self.grams[0].update(cells, Some(curvature));
    }

    fn add_classes(&mut self, point: &Point, classes: usize, rows: Rows<'_>, scratch: &mut Scratch) {
        let columns = point.columns();
        let Scratch { columns: cells, curvature, slope, predictors } = scratch;
        slope.clear();
        slope.resize(classes * columns, 0.0);
        predictors.clear();
        for (row, &label) in rows.labels.iter().enumerate() {
            let cells = &cells[row * columns..(row + 1) * columns];
            let weight = rows.weights.map_or(1.0, |weights| weights[row]);
            let offset = rows.offsets.get(row).copied().unwrap_or(0.0);
            let label = place(label);
            let first = predictors.len();
            let sums = (0..classes)
                .map(|class| product(cells, &point.coefficients[class * columns..(class + 1) * columns]));
            predictors.extend(sums.map(|sum| sum + offset));
            let own = &mut predictors[first..];
            let is_fitted =
                own.iter().enumerate().all(|(class, &other)| class == label || own[label] > other);
            self.misfits += u64::from(!is_fitted);
            self.loss = self.loss + weight * softmax(label, own);
            for (class, &probability) in own.iter().enumerate() {
                let residual = if class == label { 1.0 - probability } else { -probability };
                let variance = probability * (1.0 - probability);
                self.pearson[class] = self.pearson[class] + weight * residual * (residual / variance);
                for (sum, cell) in slope[class * columns..(class + 1) * columns].iter_mut().zip(cells) {
                    *sum += weight * residual * cell;
                }
            }
        }
        add_each(&mut self.slope, slope);
        for first in 0..classes {
            for second in 0..=first {
                curvature.clear();
                curvature.extend(predictors.chunks_exact(classes).enumerate().map(|(row, shares)| {
                    let weight = rows.weights.map_or(1.0, |weights| weights[row]);
                    let other = if first == second { 1.0 - shares[second] } else { -shares[second] };
                    weight * (shares[first] * other)
                }));
                self.grams[triangle_index(first, second)].update(cells, Some(curvature));
            }
        }
    }

    /// The weighted means of the columns of the design in their own units, over rows of so much weight.
    pub(super) fn column_means(&self, point: &Point, weight: DoubleDouble) -> Vec<f64> {
        let Scaling { shift, scale } = point.scaling.as_ref();
        let sums = self.columns.iter().skip(usize::from(point.intercept));
        let units = shift.iter().zip(scale);
        sums.zip(units)
            .map(|(sum, (shift, scale))| (*sum / weight * scale.recip() + *shift).to_f64())
            .collect()
    }

    /// The matrix of second derivatives, linear predictor after linear predictor.
    pub(super) fn information(&self) -> Packed {
        let predictors = self.pearson.len();
        let columns = self.slope.len() / predictors;
        let products: Vec<Vec<DoubleDouble>> = self.grams.iter().map(Gram::uncentered_products).collect();
        Packed::from_fn(self.slope.len(), |row, column| {
            let (first, second) = (row / columns, column / columns);
            let (i, j) = (row % columns, column % columns);
            let (high, low) = if i >= j { (i, j) } else { (j, i) };
            products[triangle_index(first, second)][triangle_index(high, low)]
        })
    }
}

impl RowSums for Sums {
    fn empty(&self) -> Self {
        Self {
            rows: 0,
            loss: DoubleDouble::ZERO,
            slope: vec![DoubleDouble::ZERO; self.slope.len()],
            grams: self.grams.iter().map(Gram::empty).collect(),
            pearson: vec![DoubleDouble::ZERO; self.pearson.len()],
            misfits: 0,
            columns: vec![DoubleDouble::ZERO; self.columns.len()],
        }
    }

    fn add(&mut self, point: &Point, rows: Rows<'_>, scratch: &mut Scratch) {
        point.columns_of(rows.cells, rows.labels.len(), &mut scratch.columns);
        self.rows += rows.labels.len() as u64;
        let mut sums = vec![0.0; self.columns.len()];
        for (row, cells) in scratch.columns.chunks_exact(std::cmp::max(sums.len(), 1)).enumerate() {
            let weight = rows.weights.map_or(1.0, |weights| weights[row]);
            sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += weight * cell);
        }
        add_each(&mut self.columns, &sums);
        match point.family {
            Family::Softmax(classes) => self.add_classes(point, classes, rows, scratch),
            Family::Logistic | Family::Power(_) => self.add_single(point, rows, scratch),
        }
    }

    fn merge(&mut self, later: Self) {
        self.rows += later.rows;
        self.loss = self.loss + later.loss;
        self.misfits += later.misfits;
        for (mine, theirs) in [
            (&mut self.slope, &later.slope),
            (&mut self.pearson, &later.pearson),
            (&mut self.columns, &later.columns),
        ] {
            mine.iter_mut().zip(theirs).for_each(|(sum, other)| *sum = *sum + *other);
        }
        self.grams.iter_mut().zip(later.grams).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    fn size_bytes(&self) -> usize {
        16 * (self.slope.capacity() + self.pearson.capacity() + self.columns.capacity())
            + self.grams.iter().map(Gram::size_bytes).sum::<usize>()
    }

    fn is_finite(&self) -> bool {
        self.loss.is_finite()
    }
}

/// The number of a class as an index.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "labels of classes are places in a list"
)]
pub(super) fn place(label: f64) -> usize {
    label as usize
}

fn add_each(totals: &mut [DoubleDouble], block: &[f64]) {
    for (total, sum) in totals.iter_mut().zip(block) {
        *total = *total + *sum;
    }
}

/// What rows add up to at a point.
pub(super) trait RowSums: Clone + Send + Sync {
    /// Of no rows.
    fn empty(&self) -> Self;
    /// Adds rows.
    fn add(&mut self, point: &Point, rows: Rows<'_>, scratch: &mut Scratch);
    /// Adds the sums of later rows.
    fn merge(&mut self, later: Self);
    /// Bytes held beside the value itself.
    fn size_bytes(&self) -> usize;
    /// Whether the sums are numbers.
    fn is_finite(&self) -> bool;
}

/// The accumulator of [`RowSums`].
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Scan<S> {
    #[serde(skip)]
    reader: Option<RowReader>,
    #[serde(skip)]
    point: Option<Arc<Point>>,
    /// Whether sums that are no numbers are an error, with its row.
    is_strict: bool,
    sums: S,
}

impl<S: RowSums> Scan<S> {
    pub(super) fn new(reader: RowReader, point: Point, sums: S, is_strict: bool) -> Self {
        Self { reader: Some(reader), point: Some(Arc::new(point)), is_strict, sums }
    }
}

impl<S: RowSums> Accumulator for Scan<S> {
    type Output = S;

    fn inputs(&self) -> Inputs {
        self.reader.as_ref().map_or_else(Inputs::default, RowReader::inputs)
    }

    fn empty(&self) -> Self {
        Self { sums: self.sums.empty(), ..self.clone() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let (Some(reader), Some(point)) = (&self.reader, self.point.clone()) else { return Ok(()) };
        let mut scratch = Scratch::default();
        let (sums, is_strict) = (&mut self.sums, self.is_strict);
        reader.each(batch, |rows, places| {
            sums.add(&point, rows, &mut scratch);
            if is_strict && !sums.is_finite() { Err(infinite(&point, rows, places)) } else { Ok(()) }
        })
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.sums.merge(later.sums);
        Ok(())
    }

    fn finish(self) -> S {
        self.sums
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.sums.size_bytes()
    }
}

/// The first row whose loss is no number, of a model without features.
fn infinite(point: &Point, rows: Rows<'_>, places: &[usize]) -> Error {
    let constant = point.coefficients.first().copied().unwrap_or(0.0);
    let predictor = |row: usize| constant + rows.offsets.get(row).copied().unwrap_or(0.0);
    let is_infinite = |row: &usize| {
        let loss = point.family.terms(rows.labels[*row], predictor(*row), false).loss;
        !(loss * rows.weights.map_or(1.0, |weights| weights[*row])).is_finite()
    };
    let row = (0..places.len()).find(is_infinite).unwrap_or(0);
    Error::from(GlmError::LossInfinite { predictor: predictor(row) }).at_row(places[row])
}
