//! Small problems solved by hand, degenerate ones, and laws that any problem obeys.

use super::ridge::solve;
use super::{Method, Normal, PreparedRows, RidgeSolution, Rows, ridge, ridge_rows};
use crate::error::{Part, SolveError};
use proptest::prelude::*;

fn rows<'a>(features: usize, values: &'a [f64], label: &'a [f64]) -> Rows<'a> {
    Rows { features, values, label, weights: None, intercept: true }
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * (a.abs() + b.abs())
}

/// Numbers without pattern in [-1, 1), the same in every run.
fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(next).collect()
}

#[test]
fn one_feature_agrees_with_the_formula() {
    // By hand: slope -17 / (17.5 + 1.2) through the means 3.5 and 46/6.
    let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [10.0, 9.0, 8.0, 8.0, 6.0, 5.0]);
    let solution = ridge_rows(rows(1, &x, &y), 1.2).unwrap();
    assert!(close(solution.predict(&[1.0]), 9.939_393_939_393_94, 1e-15));
    assert!(close(solution.predict(&[2.0]), 9.030_303_030_303_03, 1e-15));
}

#[test]
fn the_later_of_dependent_columns_is_dropped_and_named() {
    let base = noise(80, 1);
    let mut values = Vec::new();
    for pair in base.chunks_exact(2) {
        values.extend([pair[0], 3.0, pair[1], 0.1 * pair[0] - 0.7 * pair[1] + 5.0, pair[0] * pair[1]]);
    }
    let label: Vec<f64> = values.chunks_exact(5).map(|x| 2.0 * x[0] - x[2] + 0.5 * x[4] + 1.0).collect();
    let solution = ridge_rows(rows(5, &values, &label), 0.0).unwrap();
    let diagnostics = &solution.diagnostics;
    assert_eq!(
        (diagnostics.rank, &diagnostics.constant[..], &diagnostics.aliased[..]),
        (3, &[1][..], &[3][..])
    );
    for (found, expected) in solution.coefficients.iter().zip([2.0, 0.0, -1.0, 0.0, 0.5]) {
        assert!((found - expected).abs() < 1e-14);
    }
    assert!((solution.intercept - 1.0).abs() < 1e-14);

    // With a penalty only the constant goes, and the dependent columns share.
    let solution = ridge_rows(rows(5, &values, &label), 0.1).unwrap();
    assert_eq!((solution.diagnostics.rank, solution.diagnostics.aliased.len()), (4, 0));
    assert_eq!(solution.diagnostics.constant, [1]);
    assert!(solution.coefficients[3] != 0.0 && solution.coefficients[1] == 0.0);
    // A penalty that rounding hides is refused, and the one proposed instead works.
    let Err(SolveError::PenaltyTooSmall { feature: 3, smallest, .. }) =
        ridge_rows(rows(5, &values, &label), 1e-35)
    else {
        panic!("the penalty was not refused");
    };
    assert!(ridge_rows(rows(5, &values, &label), smallest).unwrap().coefficients[3].abs() < 2.0);
}

#[test]
fn fewer_rows_than_features() {
    let (values, label) = (noise(5 * 9, 2), noise(5, 3));
    let plain = ridge_rows(rows(9, &values, &label), 0.0).unwrap();
    assert_eq!((plain.diagnostics.rank, &plain.diagnostics.aliased[..]), (4, &[4, 5, 6, 7, 8][..]));
    assert_eq!((plain.diagnostics.residual_variance, &plain.diagnostics.standard_errors), (None, &None));
    assert!(plain.diagnostics.residual_square < 1e-25);
    let penalised = ridge_rows(rows(9, &values, &label), 0.5).unwrap();
    assert_eq!((penalised.diagnostics.rank, penalised.diagnostics.aliased.len()), (9, 0));
    let degrees = penalised.diagnostics.effective_degrees.unwrap();
    assert!(degrees > 1.0 && degrees < 5.0);
    assert!(gradient(&rows(9, &values, &label), 0.5, &penalised) < 1e-14);
}

#[test]
fn what_is_not_a_number_is_named_by_row_and_column() {
    let mut values = noise(12, 4);
    values[7] = f64::NAN;
    let label = noise(4, 5);
    let Err(SolveError::FeatureNotFinite { row: 2, column: 1, value }) =
        ridge_rows(rows(3, &values, &label), 1.0)
    else {
        panic!("a NaN feature was accepted");
    };
    assert!(value.is_nan());
    let infinite = [1.0, f64::INFINITY];
    let found = ridge_rows(rows(1, &[1.0, 2.0], &infinite), 1.0);
    assert_eq!(found, Err(SolveError::LabelNotFinite { row: 1, value: f64::INFINITY }));
    let weighted = Rows { weights: Some(&[1.0, -1.0]), ..rows(1, &[1.0, 2.0], &[1.0, 2.0]) };
    assert_eq!(ridge_rows(weighted, 1.0), Err(SolveError::WeightOutOfRange { row: 1, value: -1.0 }));
    let weightless = Rows { weights: Some(&[0.0, 0.0]), ..rows(1, &[1.0, 2.0], &[1.0, 2.0]) };
    assert_eq!(ridge_rows(weightless, 1.0), Err(SolveError::RowsMissing));
    let short = SolveError::LengthMismatch { part: Part::Values, found: 3, expected: 4 };
    assert_eq!(ridge_rows(rows(2, &[1.0, 2.0, 3.0], &[1.0, 2.0]), 1.0), Err(short));
    for alpha in [-1.0, f64::NAN, f64::INFINITY] {
        let found = ridge_rows(rows(1, &[1.0, 2.0], &[1.0, 2.0]), alpha);
        assert!(matches!(found, Err(SolveError::AlphaOutOfRange { .. })));
    }
}

#[test]
fn degenerate_problems_have_their_answer() {
    // No features, one row, a constant label.
    let solution = ridge_rows(rows(0, &[], &[1.0, 2.0, 6.0]), 1.0).unwrap();
    assert_eq!((solution.intercept.to_bits(), solution.diagnostics.rank), (3.0_f64.to_bits(), 0));
    let solution = ridge_rows(rows(1, &[7.0], &[2.5]), 0.0).unwrap();
    assert_eq!(
        (solution.intercept.to_bits(), &solution.diagnostics.constant[..]),
        (2.5_f64.to_bits(), &[0][..])
    );
    let solution = ridge_rows(rows(1, &[1.0, 2.0, 4.0], &[0.1; 3]), 0.0).unwrap();
    assert_eq!(solution.coefficients[0].to_bits() << 1, 0);
    assert_eq!((solution.intercept.to_bits(), solution.r_squared()), (0.1_f64.to_bits(), None));
    // A column of equal numbers whose mean is not exact, and one past 2^53 beside its neighbours.
    let solution = ridge_rows(rows(1, &[0.1; 7], &noise(7, 6)), 0.0).unwrap();
    assert_eq!(solution.diagnostics.constant, [0]);
    let big = 9_007_199_254_740_992.0;
    let solution = ridge_rows(rows(1, &[big, big + 2.0, big + 4.0], &[1.0, 2.0, 3.0]), 0.0).unwrap();
    assert_eq!(solution.coefficients[0].to_bits(), 0.5_f64.to_bits());
}

#[test]
fn the_range_of_numbers_is_no_limit() {
    let label = noise(20, 7);
    let plain = ridge_rows(rows(2, &noise(40, 8), &label), 0.0).unwrap();
    for exponent in [-900, 900] {
        let values: Vec<f64> = noise(40, 8).iter().map(|x| x * 2f64.powi(exponent)).collect();
        let solution = ridge_rows(rows(2, &values, &label), 0.0).unwrap();
        for (found, expected) in solution.coefficients.iter().zip(&plain.coefficients) {
            assert_eq!((found * 2f64.powi(exponent)).to_bits(), expected.to_bits());
        }
    }
}

#[test]
fn whole_weights_are_repeated_rows() {
    let (values, label) = (noise(30, 9), noise(10, 10));
    let counts: Vec<u32> = (0..10).map(|i| i % 4).collect();
    let weights: Vec<f64> = counts.iter().copied().map(f64::from).collect();
    let mut repeated = (Vec::new(), Vec::new());
    for (i, &count) in counts.iter().enumerate() {
        for _ in 0..count {
            repeated.0.extend_from_slice(&values[3 * i..][..3]);
            repeated.1.push(label[i]);
        }
    }
    let weighted = Rows { weights: Some(&weights), ..rows(3, &values, &label) };
    for alpha in [0.0, 0.3] {
        let one = ridge_rows(weighted, alpha).unwrap();
        let other = ridge_rows(rows(3, &repeated.0, &repeated.1), alpha).unwrap();
        assert!(one.coefficients.iter().zip(&other.coefficients).all(|(a, b)| close(*a, *b, 1e-15)));
        assert!(close(one.diagnostics.residual_square, other.diagnostics.residual_square, 1e-15));
        assert_eq!((one.diagnostics.rows, other.diagnostics.rows), (7, 13));
    }
}

#[test]
fn both_methods_agree() {
    let (features, count) = (40, 300);
    let mut values = noise(features * count, 11);
    // Neighbours correlate, and columns differ in size by 1e12.
    for row in values.chunks_exact_mut(features) {
        for j in 1..features {
            row[j] = row[j - 1] + 1e-2 * row[j];
        }
        for (j, x) in row.iter_mut().enumerate() {
            *x = (*x + 10.0) * 10f64.powi(i32::try_from(j % 13).unwrap() - 6);
        }
    }
    let label = noise(count, 12);
    let prepared = PreparedRows::new(rows(features, &values, &label)).unwrap();
    for alpha in [0.0, 1e-9, 1.0, 1e6] {
        let exact = prepared.ridge_above(alpha, usize::MAX).unwrap();
        let refined = prepared.ridge_above(alpha, 0).unwrap();
        let normal = prepared.normal();
        let sums = solve(&normal, &vec![alpha; features], alpha, 0).unwrap();
        assert_eq!(refined.diagnostics.method, Method::Refined);
        assert_eq!(sums.method(), Method::Refined);
        for (feature, coefficient) in exact.coefficients.iter().enumerate() {
            assert!(close(*coefficient, refined.coefficients[feature], 1e-15));
            assert!(close(*coefficient, sums.coefficients(features)[feature].to_f64(), 1e-15));
        }
        let (a, b) = (&exact.diagnostics, &refined.diagnostics);
        assert!(close(a.condition, b.condition, 1e-6), "{} {}", a.condition, b.condition);
        assert!(close(a.effective_degrees.unwrap(), b.effective_degrees.unwrap(), 1e-6));
        let (a, b) = (a.standard_errors.as_ref().unwrap(), b.standard_errors.as_ref().unwrap());
        assert!(a.iter().zip(b).all(|(a, b)| close(*a, *b, 1e-6)));
    }
}

#[test]
fn a_large_dependent_system_falls_back_to_double_double() {
    let (features, count) = (6, 50);
    let mut values = noise(features * count, 13);
    for row in values.chunks_exact_mut(features) {
        row[4] = row[0] - row[2];
    }
    let label = noise(count, 14);
    let solution = PreparedRows::new(rows(features, &values, &label)).unwrap().ridge_above(0.0, 0).unwrap();
    assert_eq!(
        (solution.diagnostics.method, &solution.diagnostics.aliased[..]),
        (Method::DoubleDouble, &[4][..])
    );
}

#[test]
fn sums_that_are_less_exact_have_a_coarser_rank() {
    // Columns 1e-7 apart: told apart by exact sums, not by sums from blocks.
    let base = noise(60, 15);
    let values: Vec<f64> = base.chunks_exact(2).flat_map(|p| [p[0], p[0] + 1e-7 * p[1]]).collect();
    let label = noise(30, 16);
    let normal = PreparedRows::new(rows(2, &values, &label)).unwrap().normal();
    assert_eq!(ridge(&normal, 0.0).unwrap().diagnostics.rank, 2);
    let blocked = Normal { relative_error: Normal::BLOCKED, ..normal };
    assert_eq!(ridge(&blocked, 0.0).unwrap().diagnostics.aliased, [1]);
}

#[test]
fn sums_and_solutions_survive_a_round_trip() {
    let prepared_values = (noise(24, 17), noise(8, 18));
    let normal = PreparedRows::new(rows(3, &prepared_values.0, &prepared_values.1)).unwrap().normal();
    let back: Normal = serde_json::from_str(&serde_json::to_string(&normal).unwrap()).unwrap();
    assert_eq!(back, normal);
    let solution = ridge(&normal, 0.5).unwrap();
    let back: RidgeSolution = serde_json::from_str(&serde_json::to_string(&solution).unwrap()).unwrap();
    assert_eq!(back, solution);
    let damaged = Normal { label_cross: Vec::new(), ..normal };
    let expected = SolveError::LengthMismatch { part: Part::LabelCross, found: 0, expected: 3 };
    assert_eq!(ridge(&damaged, 0.5), Err(expected));
}

/// The largest derivative of the objective by a coefficient or the intercept, relative to the norms of the
/// column and of the label.
fn gradient(rows: &Rows<'_>, alpha: f64, solution: &RidgeSolution) -> f64 {
    let table = || rows.values.chunks_exact(rows.features).zip(rows.label);
    let label_norm = rows.label.iter().map(|y| y * y).sum::<f64>().sqrt();
    let mut worst = table().map(|(x, y)| y - solution.predict(x)).sum::<f64>().abs() / label_norm;
    for (j, coefficient) in solution.coefficients.iter().enumerate() {
        let slope = table().map(|(x, y)| x[j] * (y - solution.predict(x))).sum::<f64>() - alpha * coefficient;
        let norm = table().map(|(x, _)| x[j] * x[j]).sum::<f64>().sqrt();
        let relative = slope.abs() / (norm * label_norm);
        worst = if relative > worst { relative } else { worst };
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_gradient_vanishes_at_the_solution(
        features in 1_usize..8, count in 1_usize..30, seed in any::<u64>(), power in -3_i32..4,
    ) {
        let (values, label) = (noise(features * count, seed), noise(count, seed ^ 1));
        let alpha = 10f64.powi(power);
        let problem = rows(features, &values, &label);
        let solution = ridge_rows(problem, alpha).unwrap();
        prop_assert!(gradient(&problem, alpha, &solution) < 1e-12);
        let from_sums = ridge(&PreparedRows::new(problem).unwrap().normal(), alpha).unwrap();
        prop_assert!(gradient(&problem, alpha, &from_sums) < 1e-12);
        // Explained and unexplained parts, directly.
        let direct: f64 = values.chunks_exact(features).zip(&label)
            .map(|(x, y)| (y - solution.predict(x)).powi(2)).sum();
        prop_assert!((direct - solution.diagnostics.residual_square).abs() < 1e-13 * count as f64);
        prop_assert!((direct - from_sums.diagnostics.residual_square).abs() < 1e-13 * count as f64);
    }

    #[test]
    fn a_column_times_a_power_of_two_has_its_coefficient_divided(
        features in 1_usize..6, extra in 2_usize..20, seed in any::<u64>(), power in -60_i32..60,
    ) {
        let count = features + extra;
        let (mut values, label) = (noise(features * count, seed), noise(count, seed ^ 1));
        let plain = PreparedRows::new(rows(features, &values, &label)).unwrap();
        let plain = [plain.ridge(0.0).unwrap(), ridge(&plain.normal(), 0.0).unwrap()];
        values.iter_mut().step_by(features).for_each(|x| *x *= 2f64.powi(power));
        let scaled = PreparedRows::new(rows(features, &values, &label)).unwrap();
        let scaled = [scaled.ridge(0.0).unwrap(), ridge(&scaled.normal(), 0.0).unwrap()];
        for (plain, scaled) in plain.into_iter().zip(scaled) {
            let mut coefficients = scaled.coefficients;
            coefficients[0] *= 2f64.powi(power);
            prop_assert_eq!(coefficients, plain.coefficients);
            prop_assert_eq!(scaled.intercept.to_bits(), plain.intercept.to_bits());
        }
    }
}
