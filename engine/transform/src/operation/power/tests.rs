use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{check_paths, features, fitted, refusal, table};

fn column(values: Vec<Option<f64>>) -> arrow::array::RecordBatch {
    table(vec![("x", Arc::new(Float64Array::from(values)) as ArrayRef)])
}

#[test]
fn the_formulas() {
    let of = |method: PowerMethod, x: f64, lambda: f64| method.of_log(method.log(x), lambda);
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-15, "{found} {expected}");
    close(of(PowerMethod::BoxCox, 4.0, 0.5), 2.0);
    close(of(PowerMethod::BoxCox, 4.0, 0.0), 4.0_f64.ln());
    close(of(PowerMethod::YeoJohnson, 3.0, 0.5), 2.0);
    close(of(PowerMethod::YeoJohnson, -3.0, 1.5), -2.0);
    close(of(PowerMethod::YeoJohnson, -3.0, 2.0), -(4.0_f64.ln()));
    close(of(PowerMethod::YeoJohnson, 0.7, 1.0), 0.7);
    close(of(PowerMethod::YeoJohnson, -0.7, 1.0), -0.7);
    // Near λ = 0 nothing cancels.
    close(of(PowerMethod::BoxCox, 4.0, 1e-18), 4.0_f64.ln());
    assert!(of(PowerMethod::BoxCox, -1.0, 0.5).is_nan());
    assert!(of(PowerMethod::YeoJohnson, f64::NAN, 0.5).is_nan());
    close(of(PowerMethod::YeoJohnson, f64::INFINITY, -2.0), 0.5);
}

#[test]
fn null_nan_and_infinities() {
    let rows =
        column(vec![Some(1.0), None, Some(f64::NAN), Some(9.0), Some(f64::INFINITY), Some(2.5), Some(-3.0)]);
    let transform = fitted(&rows, &json!([{ "power_transform": ["x"] }])).unwrap();
    let found = &features(&transform, &rows)[0].1;
    assert_eq!(found[1], None);
    assert!(found[2].unwrap().is_nan());
    let finite = [0, 3, 5, 6].map(|row| found[row].unwrap());
    assert!(finite.iter().sum::<f64>().abs() < 1e-12, "{finite:?}");
    assert!((finite.iter().map(|value| value * value).sum::<f64>() - 4.0).abs() < 1e-12);
    check_paths(&transform, &rows);
}

#[test]
fn a_constant_column_is_centred() {
    let rows = column(vec![Some(3.5), Some(3.5), None]);
    for method in ["yeo_johnson", "box_cox"] {
        let options = json!([{ "power_transform": { "columns": ["x"], "method": method } }]);
        let found = features(&fitted(&rows, &options).unwrap(), &rows);
        assert_eq!(found[0].1, [Some(0.0), Some(0.0), None], "{method}");
    }
}

#[test]
fn a_power_that_leaves_only_rounding_is_no_candidate() {
    // The likelihood of years grows towards powers at which all of them are one number.
    let rows = column((0..200).map(|n| Some(2000.0 + f64::from(n * n % 21))).collect());
    let transform = fitted(&rows, &json!([{ "power_transform": ["x"] }])).unwrap();
    let found: Vec<f64> = features(&transform, &rows)[0].1.iter().copied().flatten().collect();
    let distinct: std::collections::BTreeSet<u64> = found.iter().map(|value| value.to_bits()).collect();
    assert_eq!(distinct.len(), (0..200).map(|n| n * n % 21).collect::<std::collections::BTreeSet<_>>().len());
    assert!(found.iter().all(|value| value.is_finite() && value.abs() < 10.0));
    let huge = column(vec![Some(1e12), Some(1e12 + 1.0), Some(-1e308), Some(1e308)]);
    let transform =
        fitted(&huge, &json!([{ "power_transform": { "columns": ["x"], "standardize": false } }]));
    let transform = transform.unwrap();
    let Mapper::PowerTransform(powered) = &transform.nodes()[0].mapper else { panic!("no power") };
    assert_relative(powered.lambda, 1.0);
}

fn assert_relative(found: f64, expected: f64) {
    sluice_testkit::assert_relative(found, expected, 1e-15);
}

#[test]
fn a_second_scan_keeps_the_laws() {
    let share = |n: u32| f64::from((n * 7919) % 9001) / 9001.0;
    let of = |n: u32| (!n.is_multiple_of(50)).then(|| (4.0 * share(n)).exp() - 3.0 + share(n));
    let rows = column((0..9500).map(of).collect());
    let operations = json!([
        { "impute": { "columns": ["x"], "with": "median" } },
        { "power_transform": ["x"] },
    ]);
    crate::testing::check_laws(&rows, &operations);
    let transform = fitted(&rows, &operations).unwrap();
    let found: Vec<f64> = features(&transform, &rows)[0].1.iter().copied().flatten().collect();
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let variance = found.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / found.len() as f64;
    assert!(mean.abs() < 1e-9 && (variance - 1.0).abs() < 1e-9, "{mean:e} {variance}");
}

proptest! {
    /// No λ of a fine grid has a larger likelihood.
    #[test]
    fn no_power_is_more_likely(
        numbers in proptest::collection::vec((-3.0_f64..3.0, any::<bool>()), 4..40),
        decades in 0.1_f64..2.0,
        is_positive in any::<bool>(),
    ) {
        let method = if is_positive { PowerMethod::BoxCox } else { PowerMethod::YeoJohnson };
        let values = numbers.iter().map(|(exponent, is_negative)| {
            let magnitude = 10.0_f64.powf(exponent * decades);
            if *is_negative && !is_positive { -magnitude } else { magnitude }
        });
        let logs: Vec<(f64, u64)> = values.map(|value| (method.log(value), 1)).collect();
        let smallest = logs.iter().map(|(log, _)| *log).min_by(f64::total_cmp).unwrap();
        let largest = logs.iter().map(|(log, _)| *log).max_by(f64::total_cmp).unwrap();
        let mean_log = mean(&logs);
        let likelihood =
            |lambda: f64| Point::of(lambda, mean_log, &moments_of(method, &logs, lambda)).rank();
        let search = Search::over((smallest, largest), method).unwrap();
        let found = search.settle(mean_log, |lambda| moments_of(method, &logs, lambda)).unwrap();
        for step in -300..=300 {
            let lambda = f64::from(step) / 100.0 + found;
            // Beyond, a transformed value may be out of range.
            if lambda.abs() < 3.0 {
                prop_assert!(
                    likelihood(lambda) <= likelihood(found) + 1e-12,
                    "{lambda}: {} above {found}: {}", likelihood(lambda), likelihood(found)
                );
            }
        }
    }
}

#[test]
fn what_has_no_power_is_said() {
    let boxed = json!([{ "power_transform": { "columns": ["x"], "method": "box_cox" } }]);
    let refused = refusal(&column(vec![Some(1.0), Some(-2.5)]), &boxed);
    assert_eq!(
        refused,
        "`power_transform` needs numbers above 0, but column `x` has -2.5 in the training rows / \
         `method: yeo_johnson` takes numbers of any sign; or clip the column first"
    );
    assert!(refusal(&column(vec![Some(0.0), Some(2.0)]), &boxed).contains("column `x` has 0 "));
    let nothing = refusal(&column(vec![None, Some(f64::NAN)]), &json!([{ "power_transform": ["x"] }]));
    assert!(nothing.starts_with("`power_transform` finds no value in column `x`"), "{nothing}");
}
