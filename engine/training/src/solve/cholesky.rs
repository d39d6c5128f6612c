//! Cholesky factor of a symmetric matrix in double-double, which drops the columns that earlier ones
//! determine.
//!
//! Row by row, `L_ij = (A_ij - sum_k<j L_ik L_jk) / L_jj` (Golub & Van Loan, Matrix Computations, 4.2.5). The
//! pivot left for row `i`, divided by `A_ii`, is one minus the squared multiple correlation of column `i`
//! with those kept before it; where it does not pass the threshold the column is left out. As in R's `lm`,
//! and unlike with diagonal pivoting, it is the later of two equal columns that goes, so that the report
//! reads well, and every column is tried. Time is `n^3 / 6` steps for the factor, as many again twice for the
//! inverse.

use super::dot::dot;
use super::packed::Packed;
use sluice_core::double_double::DoubleDouble;

/// The factor of the kept rows and columns.
#[derive(Debug)]
pub(super) struct Cholesky {
    /// Positions of the rows kept, ascending.
    pub(super) kept: Vec<usize>,
    /// `L`, row by row; the row of `kept[k]` has `k + 1` entries.
    rows: Vec<Vec<DoubleDouble>>,
}

impl Cholesky {
    /// Factors the rows of `matrix` whose pivots pass `threshold(position)`.
    pub(super) fn new(matrix: &Packed, threshold: impl Fn(usize) -> f64) -> Self {
        let mut factor = Self { kept: Vec::new(), rows: Vec::new() };
        for position in 0..matrix.size() {
            let mut row: Vec<DoubleDouble> = Vec::with_capacity(factor.kept.len() + 1);
            for (&column, earlier) in factor.kept.iter().zip(&factor.rows) {
                let (diagonal, before) = (earlier[row.len()], &earlier[..row.len()]);
                row.push((matrix.at(position, column) - dot(&row, before)) / diagonal);
            }
            let pivot = matrix.at(position, position) - dot(&row, &row);
            if pivot.high > threshold(position) {
                row.push(pivot.sqrt());
                factor.kept.push(position);
                factor.rows.push(row);
            }
        }
        factor
    }

    /// The solution for a right side that has one entry per kept row.
    pub(super) fn solve(&self, right: &[DoubleDouble]) -> Vec<DoubleDouble> {
        let mut solution: Vec<DoubleDouble> = Vec::with_capacity(right.len());
        for (row, &entry) in self.rows.iter().zip(right) {
            let k = solution.len();
            solution.push((entry - dot(&row[..k], &solution)) / row[k]);
        }
        for (k, row) in self.rows.iter().enumerate().rev() {
            let value = solution[k] / row[k];
            solution[k] = value;
            for (earlier, &entry) in solution.iter_mut().zip(&row[..k]) {
                *earlier = *earlier - entry * value;
            }
        }
        solution
    }

    /// The inverse of `L`, column by column, each from the diagonal down, so that all products run along memory.
    pub(super) fn lower_inverse(&self) -> Vec<Vec<DoubleDouble>> {
        let size = self.rows.len();
        let mut columns: Vec<Vec<DoubleDouble>> = Vec::with_capacity(size);
        for j in 0..size {
            let mut column = Vec::with_capacity(size - j);
            column.push(DoubleDouble::ONE / self.rows[j][j]);
            for (i, row) in self.rows.iter().enumerate().skip(j + 1) {
                column.push(-(dot(&row[j..i], &column) / row[i]));
            }
            columns.push(column);
        }
        columns
    }

    /// The inverse of the kept rows and columns.
    pub(super) fn inverse(&self) -> Packed {
        let columns = self.lower_inverse();
        Packed::from_fn(columns.len(), |i, j| dot(&columns[i], &columns[j][i - j..]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cholesky, DoubleDouble, Packed};

    fn matrix() -> Packed {
        // Column 2 is the sum of columns 0 and 1.
        let entries = [[4.0, 2.0, 6.0], [2.0, 5.0, 7.0], [6.0, 7.0, 13.0]];
        Packed::from_fn(3, |row, column| DoubleDouble::from(entries[row][column]))
    }

    #[test]
    fn a_column_that_earlier_ones_determine_is_left_out() {
        let factor = Cholesky::new(&matrix(), |_| 1e-20);
        assert_eq!(factor.kept, [0, 1]);
        let solution = factor.solve(&[DoubleDouble::from(8.0), DoubleDouble::from(12.0)]);
        assert!((solution[0].to_f64() - 1.0).abs() < 1e-30 && (solution[1].to_f64() - 2.0).abs() < 1e-30);
    }

    #[test]
    fn the_inverse_inverts() {
        let factor = Cholesky::new(&matrix(), |_| 1e-20);
        let inverse = factor.inverse();
        // By hand: determinant 16.
        for (row, column, sixteenths) in [(0, 0, 5.0), (1, 0, -2.0), (1, 1, 4.0)] {
            assert!((inverse.at(row, column).to_f64() - sixteenths / 16.0).abs() < 1e-16);
        }
    }
}
