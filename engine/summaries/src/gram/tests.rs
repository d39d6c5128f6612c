use super::*;
use proptest::prelude::*;

/// Means and centred products by definition, in double-double.
fn naive(rows: &[f64], weights: &[f64], width: usize) -> Centered {
    let weight = weights.iter().fold(DoubleDouble::ZERO, |sum, weight| sum + *weight);
    let columns = |row: usize| &rows[row * width..(row + 1) * width];
    let mut means = vec![DoubleDouble::ZERO; width];
    for (row, weight) in weights.iter().enumerate() {
        for (mean, value) in means.iter_mut().zip(columns(row)) {
            *mean = *mean + DoubleDouble::product(*value, *weight);
        }
    }
    means.iter_mut().for_each(|mean| *mean = *mean / weight);
    let mut products = Vec::new();
    for i in 0..width {
        for j in 0..=i {
            products.push(weights.iter().enumerate().fold(DoubleDouble::ZERO, |sum, (row, weight)| {
                let values = columns(row);
                sum + (DoubleDouble::from(values[i]) - means[i])
                    * (DoubleDouble::from(values[j]) - means[j])
                    * *weight
            }));
        }
    }
    Centered { means, products }
}

/// Entries agree to `tolerance` times the geometric mean of their diagonals, means likewise.
fn assert_close(found: &Centered, expected: &Centered, weight: f64, tolerance: f64) {
    let width = expected.means.len();
    let norm = |column: usize| expected.products[triangle_index(column, column)].high.sqrt() + 1e-300;
    for i in 0..width {
        let error = (found.means[i] - expected.means[i]).abs().high;
        assert!(error <= tolerance * norm(i) / weight.sqrt(), "mean {i}: {found:?} {expected:?}");
        for j in 0..=i {
            let index = triangle_index(i, j);
            let error = (found.products[index] - expected.products[index]).abs().high;
            assert!(error <= tolerance * norm(i) * norm(j), "({i}, {j}): {found:?} {expected:?}");
        }
    }
}

/// Rows near (1e6, 3, -0.01), spread by about (1, 1, 1e-3), without period.
fn rows(count: u32) -> Vec<f64> {
    let noise = |index: u32, factor: f64| (f64::from(index) * factor).fract() - 0.5;
    (0..count)
        .flat_map(|index| {
            let common = noise(index, 0.618_033_988_749_894_9);
            [
                1e6 + common,
                3.0 + common + noise(index, 0.414_213_562_373_095),
                noise(index, 0.732_050_8) / 1e3 - 0.01,
            ]
        })
        .collect()
}

fn empty() -> Gram {
    Gram::new(vec![1e6, 3.0, -0.01], vec![1.0, 2.0, 1024.0]).unwrap()
}

#[test]
fn a_matrix_by_hand() {
    let mut gram = Gram::new(vec![1.0, 0.0], vec![0.5, 2.0]).unwrap();
    gram.update(&[1.0, 2.0, 3.0, 5.0, 8.0, -1.0], None);
    let centered = gram.centered().unwrap();
    let high = |values: &[DoubleDouble]| values.iter().map(|value| value.high).collect::<Vec<_>>();
    assert_eq!(high(&centered.means), [4.0, 2.0]);
    assert_eq!(high(&centered.products), [26.0, -15.0, 18.0]);
    assert_eq!(high(&gram.uncentered_products()), [74.0, 9.0, 30.0]);
    assert_eq!((gram.count(), gram.weight().high), (3, 3.0));
}

#[test]
fn blocks_agree_with_the_definition() {
    let rows = rows(10_000);
    let weights: Vec<f64> = (0..10_000).map(|row| f64::from(row % 7) / 4.0).collect();
    let mut plain = empty();
    plain.update(&rows, None);
    assert_close(&plain.centered().unwrap(), &naive(&rows, &[1.0; 10_000], 3), 1e4, 1e-14);
    let mut weighted = empty();
    weighted.update(&rows, Some(&weights));
    assert_close(&weighted.centered().unwrap(), &naive(&rows, &weights, 3), 7.5e3, 1e-14);
}

#[test]
fn another_shift_is_recentered() {
    let rows = rows(3000);
    let (left, right) = rows.split_at(3 * 1234);
    let mut gram = empty();
    gram.update(left, None);
    let mut other = Gram::new(vec![999_990.0, 0.0, 0.0], vec![4.0, 0.25, 512.0]).unwrap();
    other.update(right, None);
    gram.merge(other);
    assert_eq!(gram.shift(), [1e6, 3.0, -0.01]);
    // The other shift is some 30 deviations away; its f64 products have lost that much squared.
    assert_close(&gram.centered().unwrap(), &naive(&rows, &[1.0; 3000], 3), 3000.0, 1e-12);
    let mut adopted = empty();
    adopted.merge(gram.clone());
    assert_eq!(adopted, gram);
}

#[test]
fn nothing_and_what_does_not_fit() {
    assert_eq!(empty().centered(), None);
    let mut weightless = empty();
    weightless.update(&[1.0, 2.0, 3.0], Some(&[0.0]));
    assert_eq!((weightless.centered(), weightless.count()), (None, 1));
    assert_eq!(Gram::new(vec![0.0], vec![]), Err(GramError::WidthMismatch));
    assert_eq!(Gram::new(vec![0.0; 2], vec![1.0, 3.0]), Err(GramError::ScaleNotPowerOfTwo { column: 1 }));
    assert_eq!(Gram::new(vec![f64::NAN], vec![1.0]), Err(GramError::ShiftNotFinite { column: 0 }));
    let mut stored = Stored::from(empty());
    stored.sums.pop();
    assert_eq!(Gram::try_from(stored), Err(GramError::WidthMismatch));
    let mut none = Gram::new(vec![], vec![]).unwrap();
    none.update(&[], None);
    assert_eq!(none.count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pieces_add_up(
        values in prop::collection::vec((-1e3..1e3_f64, -1e3..1e3_f64, 0.0..2.0_f64), 2..200), cut in 0..200_usize,
    ) {
        let rows: Vec<f64> = values.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
        let weights: Vec<f64> = values.iter().map(|(_, _, weight)| weight + 0.1).collect();
        let cut = cut.min(values.len());
        let mut left = Gram::new(vec![0.0, 1.0], vec![0.5, 0.25]).unwrap();
        let mut right = left.clone();
        left.update(&rows[..2 * cut], Some(&weights[..cut]));
        right.update(&rows[2 * cut..], Some(&weights[cut..]));
        left.merge(right);
        assert_close(&left.centered().unwrap(), &naive(&rows, &weights, 2), weights.iter().sum(), 1e-12);
        let bytes = postcard::to_stdvec(&left).unwrap();
        prop_assert_eq!(left, postcard::from_bytes::<Gram>(&bytes).unwrap());
    }
}
