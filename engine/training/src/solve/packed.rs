//! A symmetric matrix in double-double, of which the lower triangle is kept row after row.

use super::dot::dot;
use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;

/// A symmetric matrix; the entry of row `i` and column `j <= i` stands at `i (i + 1) / 2 + j`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packed {
    entries: Vec<DoubleDouble>,
    size: usize,
}

impl Packed {
    /// The matrix of zeros with `size` rows and columns.
    #[must_use]
    pub fn zero(size: usize) -> Self {
        Self { entries: vec![DoubleDouble::ZERO; size * (size + 1) / 2], size }
    }

    /// The matrix whose lower triangle `entry(row, column)` gives, asked in order of storage.
    #[must_use]
    pub fn from_fn(size: usize, mut entry: impl FnMut(usize, usize) -> DoubleDouble) -> Self {
        let mut entries = Vec::with_capacity(size * (size + 1) / 2);
        for row in 0..size {
            entries.extend((0..=row).map(|column| entry(row, column)));
        }
        Self { entries, size }
    }

    /// The number of rows, which is the number of columns.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether the storage is as long as the size says; false only for what was read from a damaged file.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.size.checked_add(1).and_then(|next| next.checked_mul(self.size)).map(|twice| twice / 2)
            == Some(self.entries.len())
    }

    /// The entry at `row` and `column`, in either triangle.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> DoubleDouble {
        self.entries[Self::index(row, column)]
    }

    /// The entry at `row` and `column`, in either triangle, to be changed (its mirror image with it).
    pub fn at_mut(&mut self, row: usize, column: usize) -> &mut DoubleDouble {
        &mut self.entries[Self::index(row, column)]
    }

    /// Row `row` up to and including the diagonal.
    #[must_use]
    pub fn row(&self, row: usize) -> &[DoubleDouble] {
        &self.entries[row * (row + 1) / 2..][..=row]
    }

    /// Every entry of the lower triangle, row after row.
    #[must_use]
    pub fn entries(&self) -> &[DoubleDouble] {
        &self.entries
    }

    /// The product with a vector.
    #[must_use]
    pub fn multiply(&self, vector: &[DoubleDouble]) -> Vec<DoubleDouble> {
        let mut product = vec![DoubleDouble::ZERO; self.size];
        for (row, &factor) in vector.iter().enumerate().take(self.size) {
            let lower = self.row(row);
            for (sum, &entry) in product.iter_mut().zip(&lower[..row]) {
                *sum = *sum + entry * factor;
            }
            product[row] = product[row] + dot(lower, &vector[..=row]);
        }
        product
    }

    /// The largest sum of magnitudes of a column.
    #[must_use]
    pub fn norm(&self) -> f64 {
        let mut sums = vec![0.0; self.size];
        for row in 0..self.size {
            for (column, entry) in self.row(row).iter().enumerate() {
                sums[column] += entry.high.abs();
                if column < row {
                    sums[row] += entry.high.abs();
                }
            }
        }
        sums.into_iter().fold(0.0, |most, sum| if sum > most { sum } else { most })
    }

    /// The rows and columns at `positions`, in that order.
    pub(super) fn select(&self, positions: &[usize]) -> Self {
        Self::from_fn(positions.len(), |row, column| self.at(positions[row], positions[column]))
    }

    fn index(row: usize, column: usize) -> usize {
        let (row, column) = if column <= row { (row, column) } else { (column, row) };
        row * (row + 1) / 2 + column
    }
}

#[cfg(test)]
mod tests {
    use super::{DoubleDouble, Packed};

    #[test]
    fn product_and_norm_see_both_triangles() {
        let matrix =
            Packed::from_fn(2, |row, column| DoubleDouble::from([2.0, 0.0, -1.0, 3.0][2 * row + column]));
        let product = matrix.multiply(&[DoubleDouble::from(1.0), DoubleDouble::from(10.0)]);
        assert_eq!(product.map_to_f64(), [-8.0, 29.0]);
        assert_eq!(matrix.norm().to_bits(), 4.0_f64.to_bits());
        assert_eq!(matrix.at(0, 1), matrix.at(1, 0));
        assert!(matrix.is_whole() && Packed::zero(0).is_whole());
    }

    trait MapToFloat {
        fn map_to_f64(self) -> Vec<f64>;
    }

    impl MapToFloat for Vec<DoubleDouble> {
        fn map_to_f64(self) -> Vec<f64> {
            self.into_iter().map(DoubleDouble::to_f64).collect()
        }
    }
}
