//! Loss, slope and curvature of all rows at one point: what a step of the iteration needs, in one scan.
//!
//! Columns are shifted and scaled by powers of two as the first rows ask for, with a column of ones before them where
//! there is an intercept. Linear predictors, slopes and second derivatives of a block of rows are products of its
//! columns in `f64`, joined in double-double.

use std::ops::Range;
use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{Error, Result};
use sluice_core::group::GroupMap;
use sluice_summaries::clean_registers;
use sluice_summaries::gram::{GramScratch, ShiftedColumns, add_weighted_products, pieces, triangle_index};

use super::error::GlmError;
use super::family::{Family, softmax};
use super::rows::{Layout, RowReader, Rows};
use crate::solve::Packed;

/// How features become columns: (x − shift) x scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scaling {
    pub(super) shift: Vec<f64>,
    pub(super) scale: Vec<f64>,
}

impl Scaling {
    /// Mean (where there is an intercept) and a power of two near one over the spread of each column.
    pub(super) fn of(columns: &[Vec<f64>], intercept: bool) -> Self {
        let (shift, scale) = columns.iter().map(|values| Self::of_column(values, intercept)).unzip();
        Self { shift, scale }
    }

    fn of_column(values: &[f64], intercept: bool) -> (f64, f64) {
        let mut shift = 0.0;
        if let (true, Some(first)) = (intercept, values.first()) {
            // About the first row, so that the mean of equal numbers is that number.
            let count = values.len() as f64;
            let mean = first + values.iter().fold(0.0, |sum, value| sum + (value - first) / count);
            shift = if mean.is_finite() { mean } else { 0.0 };
        }
        // Halves, because the difference of the two ends of `f64` is beyond it.
        let deviations = values.iter().map(|value| (value / 2.0 - shift / 2.0).abs());
        let spread = deviations.fold(0.0_f64, |most, own| if own > most { own } else { most });
        // Squares of scales, which penalties are multiplied by, must be numbers.
        let scale = (-(spread.log2().round() + 1.0)).clamp(-500.0, 500.0).exp2();
        (shift, if spread > 0.0 { scale } else { 1.0 })
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
        self.layout().columns()
    }

    /// How features become columns.
    pub(super) fn layout(&self) -> Layout<'_> {
        let Scaling { shift, scale } = self.scaling.as_ref();
        Layout { shift, scale, ones: self.intercept }
    }

    /// The linear predictors of some rows, one after the other, without offsets.
    pub(super) fn predict(&self, rows: Rows<'_>, predictors: &mut Vec<f64>) {
        predictors.clear();
        predictors.resize(rows.len() * self.family.predictors(), 0.0);
        for piece in pieces(0..rows.len(), self.columns()) {
            self.predict_piece(rows, piece, predictors);
        }
    }

    fn predict_piece(&self, rows: Rows<'_>, piece: Range<usize>, predictors: &mut [f64]) {
        let (count, columns, outputs) = (rows.len(), self.columns(), self.family.predictors());
        matmul(
            MatMut::from_column_major_slice_mut(predictors, count, outputs)
                .subrows_mut(piece.start, piece.len()),
            Accum::Replace,
            matrix(rows, columns, piece),
            MatRef::from_column_major_slice(&self.coefficients, columns, outputs),
            1.0,
            Par::Seq,
        );
        clean_registers();
    }
}

/// The columns of some of the rows of a block.
fn matrix<'a>(rows: Rows<'a>, columns: usize, piece: Range<usize>) -> MatRef<'a, f64> {
    let stride = rows.stride();
    MatRef::from_column_major_slice_with_stride(rows.cells, rows.len(), columns, stride)
        .subrows(piece.start, piece.len())
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
    /// The curvatures of all rows and linear predictors.
    pub(super) curvature: DoubleDouble,
    /// Pearson's χ² of each linear predictor.
    pub(super) pearson: Vec<DoubleDouble>,
    /// Rows that are not on the side of their class.
    pub(super) misfits: u64,
    /// What only scans for the matrix add up: by pairs of linear predictors the second derivatives, row by row of a
    /// lower triangle.
    products: Vec<Vec<DoubleDouble>>,
    /// And Σ weight x value of each column, that of the ones first.
    columns: Vec<DoubleDouble>,
}

/// What a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Loss and slope.
    Slope,
    /// The matrix of second derivatives too, which costs about as much again.
    Matrix,
}

/// Numbers of one block, reused.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// By linear predictor, then row.
    pub(super) predictors: Vec<f64>,
    pulls: Vec<f64>,
    curvature: Vec<f64>,
    sums: Vec<f64>,
    row: Vec<f64>,
    gram: GramScratch,
}

impl Sums {
    /// Of no rows.
    pub(super) fn new(family: Family, columns: usize, wanted: Wanted) -> Self {
        let predictors = family.predictors();
        let zeros = |count: usize| vec![DoubleDouble::ZERO; count];
        let (pairs, means) = match wanted {
            Wanted::Slope => (0, 0),
            Wanted::Matrix => (triangle_index(predictors, 0), columns),
        };
        Self {
            rows: 0,
            loss: DoubleDouble::ZERO,
            slope: zeros(predictors * columns),
            curvature: DoubleDouble::ZERO,
            pearson: zeros(predictors),
            misfits: 0,
            products: vec![zeros(triangle_index(columns, 0)); pairs],
            columns: zeros(means),
        }
    }

    /// Whether there are second derivatives.
    pub(super) fn has_matrix(&self) -> bool {
        !self.products.is_empty()
    }

    /// Takes over the second derivatives of an earlier point.
    pub(super) fn take_matrix(&mut self, earlier: &mut Self) {
        self.products = std::mem::take(&mut earlier.products);
        // These are the same at every point.
        self.columns = std::mem::take(&mut earlier.columns);
    }

    /// Loss, pull and curvature of some rows of one linear predictor.
    fn add_single(&mut self, point: &Point, rows: Rows<'_>, piece: Range<usize>, scratch: &mut Scratch) {
        let Scratch { predictors, pulls, curvature, .. } = scratch;
        let mut total = 0.0;
        for row in piece {
            let (label, weight) = (rows.labels[row], rows.weight(row));
            let predictor = predictors[row] + rows.offsets.get(row).copied().unwrap_or(0.0);
            let terms = point.family.terms(label, predictor, point.is_expected);
            self.loss = self.loss + weight * terms.loss;
            self.pearson[0] = self.pearson[0] + weight * terms.pearson;
            let own = weight * terms.curvature;
            total += own;
            curvature.push(own);
            pulls[row] = weight * terms.slope;
            let is_fitted =
                point.family.has_classes() && (label > 0.0) == (predictor > 0.0) && predictor != 0.0;
            self.misfits += u64::from(!is_fitted);
        }
        self.curvature = self.curvature + total;
    }

    /// The same of several; leaves probabilities in place of the linear predictors.
    fn add_classes(&mut self, rows: Rows<'_>, piece: Range<usize>, scratch: &mut Scratch) {
        let count = rows.len();
        let Scratch { predictors, pulls, row: own, .. } = scratch;
        let mut total = 0.0;
        for row in piece {
            let weight = rows.weight(row);
            let offset = rows.offsets.get(row).copied().unwrap_or(0.0);
            let label = place(rows.labels[row]);
            own.clear();
            own.extend(predictors[row..].iter().step_by(count).map(|sum| sum + offset));
            let is_fitted =
                own.iter().enumerate().all(|(class, &other)| class == label || own[label] > other);
            self.misfits += u64::from(!is_fitted);
            self.loss = self.loss + weight * softmax(label, own);
            for (class, &probability) in own.iter().enumerate() {
                let residual = if class == label { 1.0 - probability } else { -probability };
                let variance = probability * (1.0 - probability);
                self.pearson[class] = self.pearson[class] + weight * residual * (residual / variance);
                total += weight * variance;
                predictors[class * count + row] = probability;
                pulls[class * count + row] = weight * residual;
            }
        }
        self.curvature = self.curvature + total;
    }

    /// The matrices of all pairs of classes.
    fn add_pairs(&mut self, classes: usize, rows: Rows<'_>, scratch: &mut Scratch) {
        let count = rows.len();
        for first in 0..classes {
            for second in 0..=first {
                let Scratch { predictors: shares, curvature, .. } = scratch;
                let of_class = |class: usize| &shares[class * count..(class + 1) * count];
                let pairs = of_class(first).iter().zip(of_class(second)).enumerate();
                curvature.clear();
                curvature.extend(pairs.map(|(row, (own, other))| {
                    let other = if first == second { 1.0 - other } else { -other };
                    rows.weight(row) * (own * other)
                }));
                self.add_products(triangle_index(first, second), rows, scratch);
            }
        }
    }

    /// Adds the products of a pair of linear predictors.
    fn add_products(&mut self, pair: usize, rows: Rows<'_>, scratch: &mut Scratch) {
        let Scratch { curvature, gram, .. } = scratch;
        let block = ShiftedColumns { cells: rows.cells, stride: rows.stride(), rows: 0..rows.len() };
        add_weighted_products(&mut self.products[pair], block, curvature, gram);
    }

    /// Adds the columns.
    fn add_columns(&mut self, rows: Rows<'_>, scratch: &mut Scratch) {
        let Scratch { pulls: weights, sums, .. } = scratch;
        weights.clear();
        weights.extend((0..rows.len()).map(|row| rows.weight(row)));
        sums.clear();
        sums.resize(self.columns.len(), 0.0);
        add_products_of(rows, 0..rows.len(), weights, sums);
        add_each(&mut self.columns, sums);
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
        Packed::from_fn(self.slope.len(), |row, column| {
            let (first, second) = (row / columns, column / columns);
            let (i, j) = (row % columns, column % columns);
            let (high, low) = if i >= j { (i, j) } else { (j, i) };
            self.products[triangle_index(first, second)][triangle_index(high, low)]
        })
    }
}

/// Adds, by vector, the products of the columns of some rows with vectors that stand one after the other.
fn add_products_of(rows: Rows<'_>, piece: Range<usize>, vectors: &[f64], products: &mut [f64]) {
    let number = vectors.len() / rows.len();
    let columns = products.len() / number;
    matmul(
        MatMut::from_column_major_slice_mut(products, columns, number),
        Accum::Add,
        matrix(rows, columns, piece.clone()).transpose(),
        MatRef::from_column_major_slice(vectors, rows.len(), number).subrows(piece.start, piece.len()),
        1.0,
        Par::Seq,
    );
    clean_registers();
}

impl RowSums for Sums {
    fn empty(&self) -> Self {
        let zeros = |like: &[DoubleDouble]| vec![DoubleDouble::ZERO; like.len()];
        Self {
            rows: 0,
            loss: DoubleDouble::ZERO,
            slope: zeros(&self.slope),
            curvature: DoubleDouble::ZERO,
            pearson: zeros(&self.pearson),
            misfits: 0,
            products: self.products.iter().map(|products| zeros(products)).collect(),
            columns: zeros(&self.columns),
        }
    }

    fn add(&mut self, point: &Point, rows: Rows<'_>, scratch: &mut Scratch) {
        let (count, outputs) = (rows.len(), point.family.predictors());
        self.rows += count as u64;
        scratch.curvature.clear();
        for (buffer, size) in [
            (&mut scratch.predictors, count * outputs),
            (&mut scratch.pulls, count * outputs),
            (&mut scratch.sums, self.slope.len()),
        ] {
            buffer.clear();
            buffer.resize(size, 0.0);
        }
        for piece in pieces(0..count, point.columns()) {
            point.predict_piece(rows, piece.clone(), &mut scratch.predictors);
            match point.family {
                Family::Softmax(_) => self.add_classes(rows, piece.clone(), scratch),
                Family::Logistic | Family::Power(_) => self.add_single(point, rows, piece.clone(), scratch),
            }
            add_products_of(rows, piece, &scratch.pulls, &mut scratch.sums);
        }
        add_each(&mut self.slope, &scratch.sums);
        if self.has_matrix() {
            match point.family {
                Family::Softmax(classes) => self.add_pairs(classes, rows, scratch),
                Family::Logistic | Family::Power(_) => self.add_products(0, rows, scratch),
            }
            self.add_columns(rows, scratch);
        }
    }

    fn merge(&mut self, later: Self) {
        self.rows += later.rows;
        self.loss = self.loss + later.loss;
        self.curvature = self.curvature + later.curvature;
        self.misfits += later.misfits;
        let vectors = [
            (&mut self.slope, &later.slope),
            (&mut self.pearson, &later.pearson),
            (&mut self.columns, &later.columns),
        ];
        for (mine, theirs) in vectors.into_iter().chain(self.products.iter_mut().zip(&later.products)) {
            mine.iter_mut().zip(theirs).for_each(|(sum, other)| *sum = *sum + *other);
        }
    }

    fn size_bytes(&self) -> usize {
        let vectors = [&self.slope, &self.pearson, &self.columns];
        let entries: usize = vectors.into_iter().chain(&self.products).map(Vec::capacity).sum();
        size_of::<DoubleDouble>() * entries + size_of::<Vec<f64>>() * self.products.capacity()
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
        reader.each(batch, point.layout(), |rows, places| {
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
        !(loss * rows.weight(*row)).is_finite()
    };
    let row = (0..places.len()).find(is_infinite).unwrap_or(0);
    Error::from(GlmError::LossInfinite { predictor: predictor(row) }).at_row(places[row])
}
