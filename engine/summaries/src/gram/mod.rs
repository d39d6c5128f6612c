//! The Gram matrix `sum w z z'` of dense rows, with column sums: all that linear models need of the data.
//!
//! Rows enter as `z = (x - shift) * scale`, with a shift near the column's mean and a power-of-two scale,
//! both fixed before the first row, so that centring later does not cancel. Blocks of 4,096 rows are
//! multiplied in `f64` by faer (lower triangle) and added to double-double totals; column sums and weights
//! are compensated throughout. [`Gram::centered`] gives `sum w (x - mean)(x - mean)' = (G - S S' / W) /
//! (scale scale')`, in double-double (Chan, Golub & `LeVeque`, "Algorithms for computing the sample
//! variance", The American Statistician 37 (1983), section 2: shifted data).
//!
//! Merging states of the same shift and scale adds entry by entry; another shift is re-centred first, with
//! `z' = a z + b`, `a = scale' / scale`, `b = (shift - shift') scale'`: `G' = a_i a_j G + a_i b_j S_i + b_i
//! a_j S_j + b_i b_j W`.
//!
//! The relative error is that of one block's product in `f64`, some 1e-15 of `sqrt(G_ii G_jj)` (bound: 4,096
//! x 2^-53), plus the rounding of `z` and `w z`. The bits depend on how rows fall into blocks: each
//! [`Gram::update`] starts one, so the caller feeds the same slices for the same bits. NaN and infinities
//! spread to every entry they meet; the caller fills or leaves out missing values. Zero rows or zero total
//! weight: no centred matrix. Memory: 8 p^2 bytes for p columns and 64 KiB x p while updating; time p^2 / 2
//! multiplications a row.

#[cfg(test)]
mod tests;

use std::ops::Range;

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par};
use serde::{Deserialize, Serialize};
use sluice_core::double_double::{DoubleDouble, two_sum};
use thiserror::Error;

/// Rows multiplied at a time: fast in cache, and few enough for plain `f64`; part of the result's definition.
pub const GRAM_BLOCK_ROWS: usize = 4096;

/// Weighted sums of products and of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Gram {
    shift: Vec<f64>,
    scale: Vec<f64>,
    count: u64,
    weight: DoubleDouble,
    /// `sum w z`, by column.
    sums: Vec<DoubleDouble>,
    /// `sum w z_i z_j` for `j <= i`, row by row.
    products: Vec<DoubleDouble>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    shift: Vec<f64>,
    scale: Vec<f64>,
    count: u64,
    weight: DoubleDouble,
    sums: Vec<DoubleDouble>,
    products: Vec<DoubleDouble>,
}

/// Means and centred products in the units of the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Centered {
    /// Weighted means.
    pub means: Vec<DoubleDouble>,
    /// `sum w (x_i - mean_i)(x_j - mean_j)` for `j <= i`, row by row: entry (i, j) stands at [`triangle_index`].
    pub products: Vec<DoubleDouble>,
}

/// What rounding to `f64` took from the cells of some columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remainders<'a> {
    /// The columns, ascending; none where nothing is known.
    pub columns: &'a [usize],
    /// Row after row, one number for each of the columns.
    pub values: &'a [f64],
}

impl<'a> Remainders<'a> {
    /// Those of some rows.
    #[must_use]
    pub fn rows(self, first: usize, count: usize) -> Self {
        let width = self.columns.len();
        let values: &'a [f64] = &self.values[first * width..(first + count) * width];
        Self { columns: self.columns, values }
    }

    /// Adds them to columns that were shifted and scaled without them; `rows` are the cells as they were.
    fn add_to(self, cells: &mut [f64], stride: usize, rows: &[f64], shift: &[f64], scale: &[f64]) {
        if self.columns.is_empty() {
            return;
        }
        let pairs = rows.chunks_exact(shift.len()).zip(self.values.chunks_exact(self.columns.len()));
        for (row, (values, remainders)) in pairs.enumerate() {
            for (&column, &remainder) in self.columns.iter().zip(remainders) {
                cells[column * stride + row] =
                    shifted_exactly(values[column], remainder, shift[column]) * scale[column];
            }
        }
    }
}

/// `value + remainder - shift`, where the remainder is less than a rounding of the value.
#[inline]
#[must_use]
pub fn shifted_exactly(value: f64, remainder: f64, shift: f64) -> f64 {
    let (difference, error) = two_sum(value, -shift);
    difference + (error + remainder)
}

/// Some rows of a block, shifted and scaled: column `j` stands from `j * stride` on.
#[derive(Clone, Debug)]
pub struct ShiftedColumns<'a> {
    /// `(x - shift) * scale`.
    pub cells: &'a [f64],
    /// Rows that there is room for in a column; few enough for plain `f64`: at most [`GRAM_BLOCK_ROWS`] are meant.
    pub stride: usize,
    /// The rows that are taken in.
    pub rows: Range<usize>,
}

/// Memory that [`Gram::update_shifted`] uses again and again.
#[derive(Debug)]
pub struct GramScratch {
    weighted: Vec<f64>,
    products: Mat<f64>,
}

impl Default for GramScratch {
    fn default() -> Self {
        Self { weighted: Vec::new(), products: Mat::zeros(0, 0) }
    }
}

/// Why a shift and scale, or a serialised [`Gram`], are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GramError {
    /// Shift and scale of different length, or sums and products that do not fit them.
    #[error("shift, scale, sums and products of the Gram matrix differ in width")]
    WidthMismatch,
    /// A shift that is not finite.
    #[error("the shift of column {column} is not finite")]
    ShiftNotFinite {
        /// Position of the column.
        column: usize,
    },
    /// A scale that is not a positive power of two between 2^-512 and 2^512.
    #[error("the scale of column {column} is not a power of two between 2^-512 and 2^512")]
    ScaleNotPowerOfTwo {
        /// Position of the column.
        column: usize,
    },
}

/// Where entry (`row`, `column`) of a lower triangle stored row by row stands, for `column <= row`.
#[inline]
#[must_use]
pub fn triangle_index(row: usize, column: usize) -> usize {
    row * (row + 1) / 2 + column
}

impl Gram {
    /// No rows; each column with its shift and scale.
    ///
    /// # Errors
    /// [`GramError`] if the lengths differ, a shift is not finite or a scale is no moderate power of two.
    pub fn new(shift: Vec<f64>, scale: Vec<f64>) -> Result<Self, GramError> {
        if shift.len() != scale.len() {
            return Err(GramError::WidthMismatch);
        }
        if let Some(column) = shift.iter().position(|shift| !shift.is_finite()) {
            return Err(GramError::ShiftNotFinite { column });
        }
        if let Some(column) = scale.iter().position(|scale| !is_moderate_power_of_two(*scale)) {
            return Err(GramError::ScaleNotPowerOfTwo { column });
        }
        let width = shift.len();
        Ok(Self {
            shift,
            scale,
            count: 0,
            weight: DoubleDouble::ZERO,
            sums: vec![DoubleDouble::ZERO; width],
            products: vec![DoubleDouble::ZERO; triangle_index(width, 0)],
        })
    }

    /// The same shift and scale, no rows.
    #[must_use]
    pub fn empty(&self) -> Self {
        Self {
            shift: self.shift.clone(),
            scale: self.scale.clone(),
            count: 0,
            weight: DoubleDouble::ZERO,
            sums: vec![DoubleDouble::ZERO; self.sums.len()],
            products: vec![DoubleDouble::ZERO; self.products.len()],
        }
    }

    /// Takes in rows, one after the other in `rows`, each with its weight (one if there are none).
    ///
    /// # Panics
    /// If `rows` does not hold whole rows or the weights are not as many: a bug of the caller.
    pub fn update(&mut self, rows: &[f64], weights: Option<&[f64]>) {
        self.update_exact(rows, Remainders::default(), weights);
    }

    /// The same with what rounding took from some columns; it counts where the shift takes away the leading digits.
    ///
    /// # Panics
    /// If parts do not fit together: a bug of the caller.
    pub fn update_exact(&mut self, rows: &[f64], remainders: Remainders<'_>, weights: Option<&[f64]>) {
        let width = self.width();
        if width == 0 || rows.is_empty() {
            return;
        }
        assert!(rows.len().is_multiple_of(width), "rows of a Gram matrix are whole");
        let row_count = rows.len() / width;
        assert!(weights.is_none_or(|weights| weights.len() == row_count), "each row has a weight");
        let stride = row_count.min(GRAM_BLOCK_ROWS);
        let mut cells = vec![0.0; stride * width];
        let mut scratch = GramScratch::default();
        for (index, block) in rows.chunks(GRAM_BLOCK_ROWS * width).enumerate() {
            let first = index * GRAM_BLOCK_ROWS;
            let count = block.len() / width;
            self.lay_out(block, stride, &mut cells);
            let own = remainders.rows(first, count);
            own.add_to(&mut cells, stride, block, &self.shift, &self.scale);
            let weights = weights.map(|weights| &weights[first..first + count]);
            self.update_shifted(
                ShiftedColumns { cells: &cells, stride, rows: 0..count },
                weights,
                &mut scratch,
            );
        }
    }

    /// Shifts and scales rows into columns, some rows at a time, so that a line of the cache is written whole.
    fn lay_out(&self, block: &[f64], stride: usize, cells: &mut [f64]) {
        const TOGETHER: usize = 8;
        let width = self.width();
        for (number, rows) in block.chunks(TOGETHER * width).enumerate() {
            let first = number * TOGETHER;
            for (column, (shift, scale)) in self.shift.iter().zip(&self.scale).enumerate() {
                let own = &mut cells[column * stride + first..];
                for (cell, row) in own.iter_mut().zip(rows.chunks_exact(width)) {
                    *cell = (row[column] - shift) * scale;
                }
            }
        }
    }

    /// Takes in one block of rows that are shifted and scaled already and stand column by column, each with its weight
    /// (one if there are none): the fast way, for who has columns.
    ///
    /// # Panics
    /// If the columns are not as many as those of the matrix, or the weights not as many as the rows: a bug of the
    /// caller.
    pub fn update_shifted(
        &mut self,
        block: ShiftedColumns<'_>,
        weights: Option<&[f64]>,
        scratch: &mut GramScratch,
    ) {
        let ShiftedColumns { cells, stride, rows } = block;
        let (width, row_count) = (self.width(), rows.len());
        if width == 0 || row_count == 0 {
            return;
        }
        assert!(
            cells.len() == stride * width && rows.end <= stride,
            "a block has the columns of its Gram matrix"
        );
        self.count += row_count as u64;
        let right = MatRef::from_column_major_slice_with_stride(cells, stride, width, stride)
            .subrows(rows.start, row_count);
        match weights {
            None => {
                self.weight = self.weight + DoubleDouble::from(row_count as u64);
                for (total, column) in self.sums.iter_mut().zip(cells.chunks_exact(stride)) {
                    *total = *total + column_sum(&column[rows.clone()]);
                }
                add_products(&mut self.products, right, right, &mut scratch.products);
            }
            Some(weights) => {
                assert!(weights.len() == row_count, "each row has a weight");
                self.weight = weights.iter().fold(self.weight, |sum, weight| sum + *weight);
                let GramScratch { weighted, products } = scratch;
                weigh(ShiftedColumns { cells, stride, rows }, weights, weighted);
                for (total, column) in self.sums.iter_mut().zip(weighted.chunks_exact(row_count)) {
                    *total = *total + column_sum(column);
                }
                let left = MatRef::from_column_major_slice(weighted, row_count, width);
                add_products(&mut self.products, left, right, products);
            }
        }
    }

    /// Takes in later sums, re-centred to this shift and scale; an empty state takes over the other's.
    ///
    /// # Panics
    /// If the widths differ: a bug of the caller.
    pub fn merge(&mut self, later: Self) {
        assert_eq!(self.width(), later.width(), "merged Gram matrices have the same columns");
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = later;
            return;
        }
        let later = if self.shift == later.shift && self.scale == later.scale {
            later
        } else {
            later.recentered(&self.shift, &self.scale)
        };
        self.count += later.count;
        self.weight = self.weight + later.weight;
        add_each(&mut self.sums, &later.sums);
        add_each(&mut self.products, &later.products);
    }

    /// How many columns there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shift.len()
    }

    /// How many rows were taken in, whatever their weights.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the weights.
    #[must_use]
    pub fn weight(&self) -> DoubleDouble {
        self.weight
    }

    /// The shift of each column.
    #[must_use]
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// The scale of each column.
    #[must_use]
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Means and centred products in the units of the columns; `None` without rows or weight.
    #[must_use]
    pub fn centered(&self) -> Option<Centered> {
        if self.count == 0 || self.weight.high == 0.0 {
            return None;
        }
        let unscale: Vec<f64> = self.scale.iter().map(|scale| scale.recip()).collect();
        let shifted_means: Vec<DoubleDouble> = self.sums.iter().map(|sum| *sum / self.weight).collect();
        let mut products = Vec::with_capacity(self.products.len());
        for (row, mean) in shifted_means.iter().enumerate() {
            for (column, sum) in self.sums.iter().enumerate().take(row + 1) {
                let product = self.products[triangle_index(row, column)] - *mean * *sum;
                products.push(product * unscale[row] * unscale[column]);
            }
        }
        let means = shifted_means.iter().zip(&unscale).zip(&self.shift);
        let means = means.map(|((mean, unscale), shift)| *mean * *unscale + *shift).collect();
        Some(Centered { means, products })
    }

    /// `sum w x_i x_j` in the units of the columns, not centred, for `j <= i`, row by row.
    #[must_use]
    pub fn uncentered_products(&self) -> Vec<DoubleDouble> {
        let width = self.width();
        self.recentered(&vec![0.0; width], &vec![1.0; width]).products
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + (self.shift.capacity() + self.scale.capacity()) * size_of::<f64>()
            + (self.sums.capacity() + self.products.capacity()) * size_of::<DoubleDouble>()
    }

    /// The same rows under another shift and scale.
    fn recentered(&self, shift: &[f64], scale: &[f64]) -> Self {
        let ratio: Vec<f64> = scale.iter().zip(&self.scale).map(|(new, old)| new / old).collect();
        let offset: Vec<DoubleDouble> = (0..self.width())
            .map(|column| DoubleDouble::sum(self.shift[column], -shift[column]) * scale[column])
            .collect();
        let mut products = Vec::with_capacity(self.products.len());
        for row in 0..self.width() {
            for column in 0..=row {
                let (a, b) = (ratio[row], ratio[column]);
                let old = self.products[triangle_index(row, column)] * a * b;
                let crossed = self.sums[row] * a * offset[column] + self.sums[column] * b * offset[row];
                products.push(old + crossed + offset[row] * offset[column] * self.weight);
            }
        }
        let sums = (0..self.width())
            .map(|column| self.sums[column] * ratio[column] + offset[column] * self.weight)
            .collect();
        Self {
            shift: shift.to_vec(),
            scale: scale.to_vec(),
            count: self.count,
            weight: self.weight,
            sums,
            products,
        }
    }
}

fn is_moderate_power_of_two(scale: f64) -> bool {
    let exponent = scale.to_bits() >> 52;
    scale.to_bits() & ((1 << 52) - 1) == 0 && (1023 - 512..=1023 + 512).contains(&exponent)
}

/// The rows of a block of so many columns, some at a time: so few that their cells stay in the cache.
pub fn pieces(rows: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    const CELLS: usize = 1 << 15;
    let count = std::cmp::max(CELLS / std::cmp::max(width, 1) / 8 * 8, 64);
    let end = rows.end;
    rows.step_by(count).map(move |first| first..std::cmp::min(first + count, end))
}

/// Adds `sum w z_i z_j` of a block to a lower triangle, row by row (see [`triangle_index`]): for who needs neither
/// means nor weights, and has weights of either sign.
///
/// # Panics
/// If the columns are not as many as those of the triangle, or the weights not as many as the rows: a bug of the caller.
pub fn add_weighted_products(
    triangle: &mut [DoubleDouble],
    block: ShiftedColumns<'_>,
    weights: &[f64],
    scratch: &mut GramScratch,
) {
    let ShiftedColumns { cells, stride, rows } = block;
    if cells.is_empty() || rows.is_empty() {
        return;
    }
    let width = cells.len() / stride;
    assert!(
        cells.len() == stride * width && rows.end <= stride && triangle.len() == triangle_index(width, 0),
        "a block has the columns of its triangle"
    );
    assert!(weights.len() == rows.len(), "each row has a weight");
    let GramScratch { weighted, products } = scratch;
    let all = MatRef::from_column_major_slice_with_stride(cells, stride, width, stride);
    for piece in pieces(rows.clone(), width) {
        let own = &weights[piece.start - rows.start..piece.end - rows.start];
        weigh(ShiftedColumns { cells, stride, rows: piece.clone() }, own, weighted);
        let left = MatRef::from_column_major_slice(weighted, piece.len(), width);
        let accum = if piece.start == rows.start { Accum::Replace } else { Accum::Add };
        multiply(products, accum, left, all.subrows(piece.start, piece.len()));
    }
    add_triangle(triangle, products);
}

/// The rows of a block, each times its weight, without room between the columns.
fn weigh(block: ShiftedColumns<'_>, weights: &[f64], weighted: &mut Vec<f64>) {
    let ShiftedColumns { cells, stride, rows } = block;
    weighted.clear();
    for column in cells.chunks_exact(stride) {
        let column = &column[rows.clone()];
        weighted.extend(column.iter().zip(weights).map(|(value, weight)| value * weight));
    }
}

/// Adds `left' right` to a lower triangle.
fn add_products(
    triangle: &mut [DoubleDouble],
    left: MatRef<'_, f64>,
    right: MatRef<'_, f64>,
    scratch: &mut Mat<f64>,
) {
    multiply(scratch, Accum::Replace, left, right);
    add_triangle(triangle, scratch);
}

/// The lower triangle of `left' right`.
fn multiply(products: &mut Mat<f64>, accum: Accum, left: MatRef<'_, f64>, right: MatRef<'_, f64>) {
    let width = right.ncols();
    if products.nrows() != width {
        *products = Mat::zeros(width, width);
    }
    triangular::matmul(
        products.as_mut(),
        BlockStructure::TriangularLower,
        accum,
        left.transpose(),
        BlockStructure::Rectangular,
        right,
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
    crate::clean_registers();
}

/// Adds to a lower triangle, row by row, that of a matrix.
fn add_triangle(triangle: &mut [DoubleDouble], products: &Mat<f64>) {
    for row in 0..products.nrows() {
        for column in 0..=row {
            let total = &mut triangle[triangle_index(row, column)];
            *total = *total + products[(row, column)];
        }
    }
}

fn add_each(sums: &mut [DoubleDouble], others: &[DoubleDouble]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum = *sum + *other;
    }
}

/// The sum of a column, compensated in lanes that are added up in double-double.
fn column_sum(values: &[f64]) -> DoubleDouble {
    const LANES: usize = 8;
    let (mut sums, mut errors) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |values: &[f64]| {
        for ((sum, error), value) in sums.iter_mut().zip(&mut errors).zip(values) {
            let (total, rounded_away) = two_sum(*sum, *value);
            *sum = total;
            *error += rounded_away;
        }
    };
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    chunks.for_each(&mut add);
    add(rest);
    sums.iter()
        .zip(errors)
        .fold(DoubleDouble::ZERO, |total, (sum, error)| total + DoubleDouble::sum(*sum, error))
}

impl From<Gram> for Stored {
    fn from(gram: Gram) -> Self {
        let Gram { shift, scale, count, weight, sums, products } = gram;
        Self { shift, scale, count, weight, sums, products }
    }
}

impl TryFrom<Stored> for Gram {
    type Error = GramError;

    fn try_from(stored: Stored) -> Result<Self, GramError> {
        let mut gram = Self::new(stored.shift, stored.scale)?;
        if gram.sums.len() != stored.sums.len() || gram.products.len() != stored.products.len() {
            return Err(GramError::WidthMismatch);
        }
        (gram.count, gram.weight) = (stored.count, stored.weight);
        (gram.sums, gram.products) = (stored.sums, stored.products);
        Ok(gram)
    }
}
