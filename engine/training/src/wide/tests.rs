use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt64Array};
use sluice_core::batch::RowIdentity;
use sluice_core::execution::Execution;
use sluice_core::memory::MemoryLimit;
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, assert_relative};

use super::is_wide;
use crate::data::{TrainingColumns, TrainingData};
use crate::least_squares::{RidgeOptions, fit_ridge};
use crate::model::LinearModel;
use crate::testing::{Plain, table};

/// Two columns of numbers far from zero, two of codes, a weight, two labels.
fn source(rows: u32, split_rows: u64) -> MemorySource {
    let noise = |row: u32, factor: f64| (f64::from(row) * factor).fract() - 0.5;
    let column = |of: &dyn Fn(u32) -> f64| (0..rows).map(of).collect::<Vec<f64>>();
    let x = |row| 1e3 + noise(row, 0.618_033_988_749_894_9);
    let z = |row| 5.0 + 1e-2 * noise(row, 0.414_213_562_373_095) + 1e-3 * x(row);
    let code = |row: u32| f64::from(row * 7 % 11 % 3);
    let other = |row: u32| f64::from(row * 5 % 13 % 3);
    let y =
        |row| 2.0 * x(row) - 30.0 * z(row) + code(row) - 0.5 * other(row) + noise(row, 0.732_050_807_568_877);
    let rows = table(vec![
        ("x", column(&x)),
        ("z", column(&z)),
        ("code", column(&code)),
        ("code 2", column(&other)),
        ("weight", column(&|row| f64::from(row % 4))),
        ("y", column(&y)),
        ("u", column(&|row| x(row) * 1e-6 + noise(row, 0.236_067_977_499_79))),
    ]);
    let hashes = UInt64Array::from_iter_values(0..rows.num_rows() as u64);
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns());
    let columns = columns
        .map(|(field, array)| (field.name().clone(), Arc::clone(array)))
        .chain([(sluice_core::ROW_HASH_COLUMN.to_owned(), Arc::new(hashes) as ArrayRef)]);
    MemorySource::new(&RecordBatch::try_from_iter(columns).unwrap(), split_rows).with_batch_rows(5_000)
}

fn transform() -> Arc<dyn BatchTransform> {
    Plain::shared(&["x", "z", "code", "code 2"])
}

fn options(alpha: &str, gram_limit: u64) -> RidgeOptions {
    let gram_limit = Some(MemoryLimit::bytes(gram_limit));
    RidgeOptions { gram_limit, ..serde_json::from_str(&format!(r#"{{"alpha": {alpha}}}"#)).unwrap() }
}

fn fit(
    source: &MemorySource,
    columns: &TrainingColumns,
    alpha: &str,
    limit: u64,
    threads: usize,
) -> LinearModel {
    let transform = transform();
    let data = TrainingData { source, transform: &transform, columns };
    fit_ridge(data, &options(alpha, limit), &Execution::with_threads(threads)).unwrap()
}

/// By iterations, and from the rows kept whole.
fn both(columns: &TrainingColumns, alpha: &str) -> (LinearModel, LinearModel) {
    let source = source(20_000, 6_000);
    let found = fit(&source, columns, alpha, 1, 2);
    assert_eq!(found.method, "iterative");
    let expected = fit(&source, columns, alpha, 1 << 30, 2);
    assert_eq!(expected.method, "whole");
    (found, expected)
}

fn stored(label: &str) -> TrainingColumns {
    TrainingColumns { identity: Some(RowIdentity::Stored), ..TrainingColumns::from(label) }
}

fn assert_alike(found: &LinearModel, expected: &LinearModel, tolerance: f64) {
    assert_eq!(found.rows, expected.rows);
    assert_relative(found.label_mean, expected.label_mean, 1e-14);
    for (found, expected) in found.outputs.iter().zip(&expected.outputs) {
        // Where parts all but cancel digits count from the size of the label.
        assert_relative(1e3 + found.intercept, 1e3 + expected.intercept, tolerance);
        for (found, expected) in found.coefficients.iter().zip(&expected.coefficients) {
            assert_relative(1e3 + found.value, 1e3 + expected.value, tolerance);
        }
        assert_relative(found.diagnostics.residual_square, expected.diagnostics.residual_square, 1e-10);
        assert_relative(found.diagnostics.label_square, expected.diagnostics.label_square, 1e-12);
        assert_eq!(found.diagnostics.rank, expected.diagnostics.rank);
    }
}

#[test]
fn iterations_agree_with_double_double() {
    for alpha in ["0.5", "1e3"] {
        let (found, expected) = both(&stored("y"), alpha);
        assert_alike(&found, &expected, 1e-12);
    }
}

#[test]
fn weights_and_several_labels() {
    let columns =
        TrainingColumns { weight: Some("weight".into()), further_labels: vec!["u".into()], ..stored("y") };
    let (found, expected) = both(&columns, "2");
    assert_eq!((found.rows, found.outputs.len()), (15_000, 2));
    assert_alike(&found, &expected, 1e-12);
}

#[test]
fn a_search_is_that_of_sums() {
    let (found, expected) = both(&stored("y"), r#"{"grid": [0.01, 1, 100], "folds": 4}"#);
    assert_alike(&found, &expected, 1e-12);
    let (found, expected) = (&found.outputs[0].cross_validation, &expected.outputs[0].cross_validation);
    let (found, expected) = (found.as_ref().unwrap(), expected.as_ref().unwrap());
    assert_eq!((found.chosen.to_bits(), &found.fold_rows), (expected.chosen.to_bits(), &expected.fold_rows));
    for (found, expected) in found.alphas.iter().zip(&expected.alphas) {
        assert_relative(found.mean_squared_error, expected.mean_squared_error, 1e-10);
        for (found, expected) in found.per_fold.iter().zip(&expected.per_fold) {
            assert_relative(*found, *expected, 1e-10);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let source = source(9_000, 1_000);
    let bytes = |threads| {
        let model = fit(&source, &stored("y"), r#"{"grid": [0.1, 1], "folds": 3}"#, 1, threads);
        serde_json::to_string(&model).unwrap()
    };
    let expected = bytes(1);
    assert_eq!([bytes(2), bytes(7)], [expected.clone(), expected]);
}

#[test]
fn what_cannot_be_solved_is_told() {
    let source = source(500, 100);
    let transform = transform();
    let told = |columns: &TrainingColumns, alpha: &str| {
        let data = TrainingData { source: &source, transform: &transform, columns };
        let error = fit_ridge(data, &options(alpha, 1), &Execution::with_threads(2)).unwrap_err();
        let causes = error.causes().join(": ");
        format!("{error}: {causes} / {} {}", error.hint().unwrap_or_default(), error.kind().exit_code())
    };
    let without = told(&stored("y"), "0");
    assert!(without.contains("penalty `0` is not above 0") && without.contains("gram_limit"), "{without}");
    let constant = Float64Array::from(vec![7.5; 500]);
    let rows = RecordBatch::try_from_iter([
        ("x", Arc::new(Float64Array::from_iter_values((0..500).map(f64::from))) as ArrayRef),
        ("y", Arc::new(constant)),
    ])
    .unwrap();
    let source = MemorySource::new(&rows, 100);
    let transform = Plain::shared(&["x"]);
    let columns = TrainingColumns::from("y");
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let error = fit_ridge(data, &options("1", 1), &Execution::with_threads(2)).unwrap_err();
    assert!(error.to_string().starts_with("label `y` is 7.5 in all 500 training rows"), "{error}");
}

#[test]
fn what_iterations_cannot_tell_of_a_fit_is_refused() {
    let rows = RecordBatch::try_from_iter([
        ("x", Arc::new(Float64Array::from_iter_values((0..50).map(f64::from))) as ArrayRef),
        ("y", Arc::new(Float64Array::from_iter_values((0..50).map(|row| f64::from(row % 7))))),
    ])
    .unwrap();
    let source = MemorySource::new(&rows, 10);
    let transform = Plain::shared(&["x"]);
    let columns = TrainingColumns::from("y");
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let mut asked = options("1", 1);
    asked.inference.diagnostics = true;
    let error = fit_ridge(data, &asked, &Execution::with_threads(1)).unwrap_err().to_string();
    assert!(
        error.starts_with("`ridge.inference` is set, but a design of 2 columns is solved by iterations"),
        "{error}"
    );
}

#[test]
fn a_limit_counts_the_folds() {
    assert!(!is_wide(4_000, 1, super::GRAM_LIMIT) && is_wide(4_200, 1, super::GRAM_LIMIT));
    assert!(!is_wide(1_800, 5, super::GRAM_LIMIT) && is_wide(1_900, 5, super::GRAM_LIMIT));
    assert!(is_wide(usize::MAX, 50, super::GRAM_LIMIT));
}
