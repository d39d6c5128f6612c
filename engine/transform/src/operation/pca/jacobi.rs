//! Eigenvalues and eigenvectors of a symmetric matrix by Jacobi's rotations, row by row until none is needed (Golub
//! & Van Loan, Matrix Computations, 4th edition, section 8.5; the updates of Rutishauser, "The Jacobi method for
//! real symmetric matrices", Numerische Mathematik 9 (1966)).
//!
//! An entry counts as 0 beside `2^-53 √(a_pp a_qq)`: so the small eigenvalues of a covariance of columns in very
//! different units keep their digits, which those of a reduction to three diagonals lose (Demmel & Veselić,
//! "Jacobi's method is more accurate than QR", SIAM Journal on Matrix Analysis 13 (1992)). One thread and plain
//! arithmetic, so the bits are the same everywhere. Time: some 6 to 10 sweeps of 6 p^3 operations.

/// Sweeps before giving up; convergence is quadratic, and 10 are many.
const SWEEPS: usize = 60;

/// Eigenvalues with their vectors, in no particular order; `lower` is the lower triangle row by row.
pub(super) fn eigenpairs(size: usize, lower: &[f64]) -> Vec<(f64, Vec<f64>)> {
    let entry = |row: usize, column: usize| {
        let (row, column) = if row < column { (column, row) } else { (row, column) };
        lower[row * (row + 1) / 2 + column]
    };
    let mut matrix: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| entry(row, column)).collect()).collect();
    // Row i is what becomes the i-th vector.
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    for _ in 0..SWEEPS {
        let mut is_turned = false;
        for p in 0..size {
            for q in p + 1..size {
                let beside = (matrix[p][p].abs().sqrt()) * (matrix[q][q].abs().sqrt());
                if matrix[p][q].abs() > 0.5 * f64::EPSILON * beside && matrix[p][q].abs() > 0.0 {
                    turn(&mut matrix, &mut vectors, p, q);
                    is_turned = true;
                }
            }
        }
        if !is_turned {
            break;
        }
    }
    let values = matrix.iter().enumerate().map(|(index, row)| row[index]);
    values.zip(vectors).collect()
}

/// Makes entry (p, q) zero.
fn turn(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let entry = matrix[p][q];
    let ratio = (matrix[q][q] - matrix[p][p]) / (2.0 * entry);
    // The smaller root of t² + 2 t ratio − 1; where the square overflows, t is 1 / (2 ratio), or 0.
    let tangent = (1.0 / (ratio.abs() + ratio.hypot(1.0))).copysign(ratio);
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let share = sine / (1.0 + cosine);
    matrix[p][p] -= tangent * entry;
    matrix[q][q] += tangent * entry;
    matrix[p][q] = 0.0;
    matrix[q][p] = 0.0;
    let rotated = |a: f64, b: f64| (a - sine * (b + share * a), b + sine * (a - share * b));
    for other in (0..matrix.len()).filter(|other| *other != p && *other != q) {
        let (a, b) = rotated(matrix[other][p], matrix[other][q]);
        (matrix[other][p], matrix[p][other]) = (a, a);
        (matrix[other][q], matrix[q][other]) = (b, b);
    }
    let (before, after) = vectors.split_at_mut(q);
    for (a, b) in before[p].iter_mut().zip(&mut after[0]) {
        (*a, *b) = rotated(*a, *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand_and_graded() {
        let mut pairs = eigenpairs(2, &[2.0, 1.0, 2.0]);
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!((pairs[0].0 - 3.0).abs() < 1e-15 && (pairs[1].0 - 1.0).abs() < 1e-15, "{pairs:?}");
        // Scaled by 1 and 1e-8: the eigenvalues are (1 ± √(1 − 4 d)) / 2 about d = 0.75e-16, the smaller 0.75e-16.
        let graded = eigenpairs(2, &[1.0, 0.5e-8, 1e-16]);
        let smaller = graded.iter().map(|(value, _)| *value).min_by(f64::total_cmp).unwrap();
        assert!((smaller / 0.75e-16 - 1.0).abs() < 1e-14, "{smaller:e}");
        assert_eq!(eigenpairs(1, &[4.0]), [(4.0, vec![1.0])]);
        assert_eq!(eigenpairs(2, &[0.0; 3]).len(), 2);
    }

    proptest! {
        #[test]
        fn the_matrix_comes_back(
            size in 1_usize..9,
            numbers in proptest::collection::vec(-1.0_f64..1.0, 45),
        ) {
            let lower = &numbers[..size * (size + 1) / 2];
            let pairs = eigenpairs(size, lower);
            for row in 0..size {
                for column in 0..=row {
                    let sum: f64 =
                        pairs.iter().map(|(value, vector)| value * vector[row] * vector[column]).sum();
                    prop_assert!((sum - lower[row * (row + 1) / 2 + column]).abs() < 1e-13);
                    let dot: f64 = (0..size).map(|k| pairs[row].1[k] * pairs[column].1[k]).sum();
                    prop_assert!((dot - f64::from(u8::from(row == column))).abs() < 1e-13);
                }
            }
        }
    }
}
