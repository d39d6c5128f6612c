//! Products of matrices that lie row after row, by the crate `gemm` on one thread.

use gemm::Parallelism;

/// A matrix that lies row after row, or the transpose of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `values` as `rows` rows; they must hold `rows` x `columns`.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(values.len() >= rows * columns, "a matrix of {rows} x {columns} in {} values", values.len());
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// What becomes of the values that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Add,
}

/// left x right into `output`, which lies row after row.
#[expect(unsafe_code, reason = "gemm takes pointers and strides")]
pub(crate) fn multiply(left: Matrix<'_>, right: Matrix<'_>, output: &mut [f32], write: Write) {
    let (rows, columns, depth) = (left.rows, right.columns, left.columns);
    assert_eq!(depth, right.rows, "inner dimensions of a product");
    assert!(output.len() >= rows * columns, "a product of {rows} x {columns} in {} values", output.len());
    let stride = |stride: usize| isize::try_from(stride).unwrap_or(isize::MAX);
    let add = write == Write::Add;
    // SAFETY: `Matrix::new` holds rows x columns values at these strides (a transpose exchanges both), `output` at least
    // rows x columns at strides (columns, 1), as asserted above; `output` is borrowed mutably, so nothing aliases it.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            output.as_mut_ptr(),
            1,
            stride(columns),
            add,
            left.values.as_ptr(),
            stride(left.column_stride),
            stride(left.row_stride),
            right.values.as_ptr(),
            stride(right.column_stride),
            stride(right.row_stride),
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, Write, multiply};
    use crate::random::Key;

    fn values(count: usize, purpose: u64) -> Vec<f32> {
        (0..count).map(|at| Key::new(1, purpose).symmetric(at as u64)).collect()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (64, 30, 128), (17, 1, 9), (128, 200, 33)] {
            let (left, right) = (values(m * k, 1), values(k * n, 2));
            let before = values(m * n, 3);
            let exact: Vec<f64> = (0..m * n)
                .map(|at| {
                    let (i, j) = (at / n, at % n);
                    (0..k).map(|x| f64::from(left[i * k + x]) * f64::from(right[x * n + j])).sum()
                })
                .collect();
            let transposed: Vec<f32> = (0..n * k).map(|at| right[(at % k) * n + at / k]).collect();
            for right in [Matrix::new(&right, k, n), Matrix::new(&transposed, n, k).transposed()] {
                let left = Matrix::new(&left, m, k);
                let mut output = before.clone();
                multiply(left, right, &mut output, Write::Replace);
                let close = |ours: f32, exact: f64| (f64::from(ours) - exact).abs() < 3e-5;
                assert!(output.iter().zip(&exact).all(|(ours, exact)| close(*ours, *exact)));
                multiply(left, right, &mut output, Write::Add);
                assert!(output.iter().zip(&exact).all(|(ours, exact)| close(*ours, 2.0 * exact)));
            }
        }
    }
}
