//! What every family does, and ridge in particular.

mod cross_validation;
mod references;
mod selections;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt64Array};
use sluice_core::batch::{Batch, RowIdentity};
use sluice_core::execution::Execution;
use sluice_core::features::{
    FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec, SparseRows,
};
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, assert_relative, laws, log_relative_error};

use super::{
    Fitted, Grid, LinearModel, LinearOptions, Penalty, PenaltySearch, RidgeOptions, Rule, Solved, fit_ridge,
    solve,
};
use crate::data::{TrainingColumns, TrainingData};
use crate::design::Design;
use crate::testing::{Plain, table};

/// What is fitted: the label of `source` by the features of `transform`.
pub(crate) fn data<'a>(
    source: &'a MemorySource,
    transform: &'a Arc<dyn BatchTransform>,
    columns: &'a TrainingColumns,
) -> TrainingData<'a> {
    TrainingData { source, transform, columns }
}

fn ridge(penalty: impl Into<RidgeOptions>) -> LinearOptions {
    (&penalty.into()).into()
}

pub(crate) const FEATURES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];

pub(crate) fn diabetes() -> RecordBatch {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/diabetes.csv");
    let text = fs_err::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> =
        lines.map(|line| line.split(',').collect::<Vec<_>>()).filter(|row| row[11] == "train").collect();
    let column = |name: &str| {
        let index = header.iter().position(|title| *title == name).unwrap();
        rows.iter().map(|row| row[index].parse::<f64>().unwrap()).collect::<Vec<_>>()
    };
    table(FEATURES.iter().chain(&["target"]).map(|name| (*name, column(name))).collect())
}

#[test]
fn diabetes_agrees_with_scikit_learn_and_with_fifty_digits() {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/expected/ridge.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let source = MemorySource::new(&diabetes(), 50);
    let transform = Plain::shared(&FEATURES);
    for fit in golden["fits"].as_array().unwrap() {
        let options = RidgeOptions::from(fit["alpha"].as_f64().unwrap());
        let columns = TrainingColumns::from("target");
        let data = data(&source, &transform, &columns);
        let model = fit_ridge(data, &options, &Execution::with_threads(2)).unwrap();
        let model = model.label_output();
        for (reference, tolerance) in [("sklearn", 1e-10), ("exact", 1e-15)] {
            assert_relative(model.intercept, fit[reference]["intercept"].as_f64().unwrap(), tolerance);
            let expected = fit[reference]["coefficients"].as_array().unwrap();
            assert_eq!(expected.len(), model.coefficients.len());
            for (coefficient, expected) in model.coefficients.iter().zip(expected) {
                assert_relative(coefficient.value, expected.as_f64().unwrap(), tolerance);
            }
        }
    }
}

/// A wide table whose columns lie far from zero.
fn skewed(rows: usize) -> RecordBatch {
    let noise =
        |n: usize, k: usize| (((n * 7919 + k * 104_729) * 2_654_435_761 % 1_000_003) as f64) / 1_000_003.0;
    let x: Vec<f64> = (0..rows).map(|n| 1e4 + noise(n, 1)).collect();
    let z: Vec<f64> = (0..rows).map(|n| -3.0 + 1e-3 * noise(n, 2)).collect();
    let code: Vec<f64> = (0..rows).map(|n| (n * 13 % 3) as f64).collect();
    let y: Vec<f64> = (0..rows).map(|n| 2.0 * x[n] - 500.0 * z[n] + 3.0 * code[n] + noise(n, 3)).collect();
    table(vec![("x", x), ("z", z), ("code", code), ("y", y)])
}

/// The model of the one label.
fn only(mut fitted: Fitted) -> Solved {
    assert_eq!(fitted.targets.len(), 1);
    fitted.targets.remove(0)
}

#[test]
fn the_three_ways_agree() {
    let source = MemorySource::new(&skewed(3000), 400).with_batch_rows(256);
    let transform = Plain::shared(&["x", "z", "code"]);
    let execution = Execution::with_threads(2);
    let columns = TrainingColumns::from("y");
    let data = data(&source, &transform, &columns);
    let solved = |design: Design, method: &str| {
        let fitted = solve(data, &ridge(0.25), design, &execution).unwrap();
        assert_eq!(fitted.method, method);
        only(fitted)
    };
    let whole = solved(Design::new(data, 1).unwrap(), "whole");
    let blocked = solved(Design::blocked(data, 1).unwrap(), "blocked");
    let exact = solved(Design::exact(data, 1), "exact");
    for index in 0..5 {
        let expected = whole.solution.coefficients[index];
        assert_relative(exact.solution.coefficients[index], expected, 1e-14);
        // Blocks of f64 keep some 13 digits of the cross products; the least coefficient has fewer.
        assert_relative(blocked.solution.coefficients[index], expected, 1e-9);
    }
    assert_relative(exact.label_mean, whole.label_mean, 1e-15);
    assert_relative(blocked.solution.intercept, whole.solution.intercept, 1e-10);
}

#[test]
fn gathering_keeps_the_laws() {
    let source = MemorySource::new(&skewed(700), 33).with_batch_rows(16);
    let transform = Plain::shared(&["x", "z", "code"]);
    let weighted = TrainingColumns { weight: Some("code".into()), ..TrainingColumns::from("y") };
    let several = TrainingColumns { further_labels: vec!["z".into()], ..TrainingColumns::from("y") };
    for columns in [TrainingColumns::from("y"), weighted, several] {
        let data = data(&source, &transform, &columns);
        laws::check(&source, &Design::new(data, 1).unwrap());
        laws::check(&source, &Design::blocked(data, 1).unwrap());
        laws::check(&source, &Design::exact(data, 1));
    }
}

#[test]
fn ill_conditioned_columns_get_a_second_scan() {
    let noise = |n: usize| ((n * 7919 % 1009) as f64) / 1009.0;
    let x: Vec<f64> = (0..500).map(noise).collect();
    let near: Vec<f64> = (0..500).map(|n| noise(n) + 1e-8 * noise(n * 31 + 7)).collect();
    let y: Vec<f64> = (0..500).map(|n| x[n] + 2.0 * near[n] + 1e-9 * noise(n * 17 + 3)).collect();
    let source = MemorySource::new(&table(vec![("x", x), ("near", near), ("y", y)]), 100);
    let transform = Plain::shared(&["x", "near"]);
    let execution = Execution::with_threads(2);
    let columns = TrainingColumns::from("y");
    let data = data(&source, &transform, &columns);
    let found = solve(data, &ridge(0.0), Design::blocked(data, 1).unwrap(), &execution).unwrap();
    assert_eq!(found.method, "exact");
    let found = only(found);
    let expected = only(solve(data, &ridge(0.0), Design::new(data, 1).unwrap(), &execution).unwrap());
    for (found, expected) in found.solution.coefficients.iter().zip(&expected.solution.coefficients) {
        assert!(log_relative_error(*found, *expected) > 9.0, "{found} {expected}");
    }
}

#[test]
fn bad_rows_are_named() {
    let transform = Plain::shared(&["x"]);
    let message = |x: Vec<f64>, y: Vec<f64>| {
        let source = MemorySource::new(&table(vec![("x", x), ("y", y)]), 2);
        let options = RidgeOptions::from(1.0);
        let columns = TrainingColumns::from("y");
        let data = data(&source, &transform, &columns);
        let error = fit_ridge(data, &options, &Execution::with_threads(2)).unwrap_err();
        format!("{error} {:?} {}", error.places(), error.kind().exit_code())
    };
    let y = vec![1.0, 2.0, 3.0, 4.0];
    let feature = message(vec![1.0, 2.0, 3.0, f64::NAN], y.clone());
    assert_eq!(feature, "feature `x` is NaN or infinite [\"`memory`, row 4\"] 4");
    let label = message(vec![1.0, 2.0, 3.0, 5.0], vec![1.0, f64::INFINITY, 2.0, 3.0]);
    assert_eq!(label, "label `y` is infinite [\"`memory`, row 2\"] 4");
    let constant = message(vec![1.0, 2.0, 3.0, 5.0], vec![7.5; 4]);
    assert!(constant.starts_with("label `y` is 7.5 in all 4 training rows"), "{constant}");
    assert!(message(vec![], vec![]).starts_with("there are no training rows"));
    assert!(ridge(-1.0).check().is_err());
    assert!(ridge(f64::NAN).check().is_err());
}

/// The table with a stored row hash: the position.
fn numbered(table: &RecordBatch) -> RecordBatch {
    let hashes = UInt64Array::from_iter_values(0..table.num_rows() as u64);
    let schema = table.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(table.columns())
        .map(|(field, array)| (field.name().clone(), Arc::clone(array)))
        .chain([(sluice_core::ROW_HASH_COLUMN.to_owned(), Arc::new(hashes) as ArrayRef)]);
    RecordBatch::try_from_iter(columns).unwrap()
}

fn searched(alphas: &[f64], folds: u32) -> PenaltySearch {
    PenaltySearch { grid: Grid::Values(alphas.to_vec()), folds, rule: Rule::Best }
}

fn fit(source: &MemorySource, features: &[&str], label: &str, alpha: Penalty, threads: usize) -> LinearModel {
    let columns = TrainingColumns { identity: Some(RowIdentity::Stored), ..TrainingColumns::from(label) };
    let transform = Plain::shared(features);
    let execution = Execution::with_threads(threads);
    fit_ridge(data(source, &transform, &columns), &RidgeOptions::from(alpha), &execution).unwrap()
}

fn floats(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Hands `a`, `b` and `c` on as one sparse feature, zeros left out, after the number `x`.
struct Bag(FeatureSpace);

impl BatchTransform for Bag {
    fn inputs(&self) -> Vec<String> {
        ["x", "a", "b", "c"].map(str::to_owned).to_vec()
    }

    fn space(&self) -> &FeatureSpace {
        &self.0
    }

    fn apply(&self, batch: &Batch) -> sluice_core::Result<FeatureBatch> {
        let column = |name: &str| sluice_core::column::numbers(name, batch.require(name)?, "a test");
        let columns = [column("a")?, column("b")?, column("c")?];
        let mut sparse = SparseRows { offsets: vec![0], ..SparseRows::default() };
        for row in 0..batch.rows() {
            for (term, values) in (0..).zip(&columns) {
                if values.value(row) != 0.0 {
                    sparse.indices.push(term);
                    sparse.values.push(values.value(row));
                }
            }
            sparse.offsets.push(u32::try_from(sparse.indices.len()).unwrap());
        }
        let columns = vec![FeatureColumn::Numbers(column("x")?), FeatureColumn::Sparse(Arc::new(sparse))];
        Ok(FeatureBatch { rows: batch.rows(), columns })
    }
}

#[test]
fn too_many_columns_are_refused_before_a_row_is_read() {
    let terms: Vec<String> = (0..=crate::design::MAX_COLUMNS).map(|term| term.to_string()).collect();
    let kind = FeatureKind::Sparse { terms };
    let bag = FeatureSpec { name: "bag".into(), kind, sources: vec!["a".into()] };
    let transform: Arc<dyn BatchTransform> = Arc::new(Bag(FeatureSpace { features: vec![bag] }));
    let source = MemorySource::new(&table(vec![("a", vec![1.0]), ("y", vec![1.0])]), 1);
    let error = Design::new(data(&source, &transform, &TrainingColumns::from("y")), 1).unwrap_err();
    assert_eq!(error.to_string(), "the features make 32769 columns, a linear model takes up to 32768");
    assert_eq!(error.kind(), sluice_core::ErrorKind::Usage);
}

#[test]
fn a_sparse_feature_is_its_columns_to_the_bit() {
    let term =
        |row: usize, every: usize| if row.is_multiple_of(every) { 1.0 + (row % 4) as f64 } else { 0.0 };
    let count = 900;
    let column = |of: &dyn Fn(usize) -> f64| (0..count).map(of).collect::<Vec<f64>>();
    let rows = table(vec![
        ("x", column(&|row| (row * 37 % 101) as f64 / 7.0)),
        ("a", column(&|row| term(row, 3))),
        ("b", column(&|row| term(row, 7))),
        ("c", column(&|row| term(row, 50))),
        ("y", column(&|row| term(row, 3) - 2.0 * term(row, 7) + (row % 13) as f64 / 5.0)),
    ]);
    let feature = |name: &str, kind| FeatureSpec { name: name.into(), kind, sources: vec![name.into()] };
    let terms = ["a", "b", "c"].map(str::to_owned).to_vec();
    let space = FeatureSpace {
        features: vec![feature("x", FeatureKind::Number), feature("bag", FeatureKind::Sparse { terms })],
    };
    let sparse: Arc<dyn BatchTransform> = Arc::new(Bag(space));
    let dense = Plain::shared(&["x", "a", "b", "c"]);
    let source = MemorySource::new(&rows, 100);
    let options = RidgeOptions::from(0.5);
    let columns = TrainingColumns::from("y");
    let fit = |transform| {
        fit_ridge(data(&source, transform, &columns), &options, &Execution::with_threads(2)).unwrap()
    };
    let (of_sparse, of_dense) = (fit(&sparse), fit(&dense));
    let bits = |model: &LinearModel| -> Vec<u64> {
        let coefficients = model.label_output().coefficients.iter();
        coefficients.map(|coefficient| coefficient.value.to_bits()).collect()
    };
    assert_eq!(bits(&of_sparse), bits(&of_dense));
    assert_eq!(of_sparse.label_output().coefficients[2].column, "bag=b");
    let predict = |model: &LinearModel, transform: &Arc<dyn BatchTransform>| {
        let features = transform.apply(&Batch::new(&rows)).unwrap();
        let sound = model.predict_sound(&features, transform.space());
        let strict = model.predict(&features, transform.space()).unwrap();
        assert_eq!(sound, strict);
        strict
    };
    assert_eq!(predict(&of_sparse, &sparse), predict(&of_dense, &dense));
    laws::check(&source, &Design::new(data(&source, &sparse, &columns), 1).unwrap());
}

#[test]
fn weights_count_rows_and_further_labels_are_models_of_their_own() {
    let rows = skewed(200);
    let source = MemorySource::new(&rows, 30);
    let weight: Vec<f64> = (0..200).map(|row| f64::from(row % 4)).collect();
    let mut table: Vec<(String, ArrayRef)> = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, array)| (field.name().clone(), Arc::clone(array)))
        .collect();
    table.push(("weight".into(), Arc::new(Float64Array::from(weight.clone()))));
    let weighted = MemorySource::new(&RecordBatch::try_from_iter(table.clone()).unwrap(), 30);
    // A row of weight 3 stands for three rows, one of weight 0 for none.
    let repeated: Vec<u64> =
        (0..200_u64).flat_map(|row| std::iter::repeat_n(row, (row % 4) as usize)).collect();
    let repeated = arrow::compute::take_record_batch(&rows, &UInt64Array::from(repeated)).unwrap();
    let repeated = MemorySource::new(&repeated, 30);
    let transform = Plain::shared(&["x", "code"]);
    let options = RidgeOptions::from(0.3);
    let both = TrainingColumns { further_labels: vec!["z".into()], ..TrainingColumns::from("y") };
    let with_weight = TrainingColumns { weight: Some("weight".into()), ..both.clone() };
    let execution = Execution::with_threads(2);
    let found = fit_ridge(data(&weighted, &transform, &with_weight), &options, &execution).unwrap();
    let expected = fit_ridge(data(&repeated, &transform, &both), &options, &execution).unwrap();
    assert_eq!((found.rows, expected.rows), (150, 300));
    assert_relative(found.label_mean, expected.label_mean, 1e-15);
    for (found, expected) in found.outputs.iter().zip(&expected.outputs) {
        assert_eq!(found.target, expected.target);
        assert_relative(found.intercept, expected.intercept, 1e-13);
        for (found, expected) in found.coefficients.iter().zip(&expected.coefficients) {
            assert_relative(found.value, expected.value, 1e-12);
        }
    }
    // Each label by itself gives the same bits, in every form.
    let alone = fit_ridge(data(&source, &transform, &"z".into()), &options, &execution).unwrap();
    let together = fit_ridge(data(&source, &transform, &both), &options, &execution).unwrap();
    assert_eq!(alone.outputs[0], together.outputs[1]);
    for is_exact in [false, true] {
        let form = |data: TrainingData<'_>, folds| {
            if is_exact { Ok(Design::exact(data, folds)) } else { Design::blocked(data, folds) }
        };
        let together = data(&source, &transform, &both);
        let together = solve(together, &ridge(0.3), form(together, 1).unwrap(), &execution).unwrap();
        let columns = TrainingColumns::from("z");
        let alone = data(&source, &transform, &columns);
        let alone = solve(alone, &ridge(0.3), form(alone, 1).unwrap(), &execution).unwrap();
        for (found, expected) in
            together.targets[1].solution.coefficients.iter().zip(&alone.targets[0].solution.coefficients)
        {
            assert_relative(*found, *expected, 1e-12);
        }
    }
}

#[test]
fn bad_weights_are_told() {
    let transform = Plain::shared(&["x"]);
    let message = |weights: Vec<f64>| {
        let rows = table(vec![("x", vec![1.0, 2.0, 4.0]), ("y", vec![1.0, 0.0, 2.0]), ("w", weights)]);
        let columns = TrainingColumns { weight: Some("w".into()), ..TrainingColumns::from("y") };
        let source = MemorySource::new(&rows, 2);
        let options = RidgeOptions::from(1.0);
        let data = data(&source, &transform, &columns);
        let error = fit_ridge(data, &options, &Execution::with_threads(2)).unwrap_err();
        format!("{error} {:?} {}", error.places(), error.kind().exit_code())
    };
    assert_eq!(message(vec![1.0, 1.0, -2.0]), "weight `w` is negative [\"`memory`, row 3\"] 4");
    assert_eq!(message(vec![f64::NAN, 1.0, 2.0]), "weight `w` is NaN [\"`memory`, row 1\"] 4");
    let all_zero = message(vec![0.0; 3]);
    assert!(all_zero.starts_with("weight `w` is 0 in all training rows"), "{all_zero}");
}

#[test]
fn options_that_one_another_would_ignore_are_refused() {
    let checked = |text: &str| {
        serde_json::from_str::<crate::ModelSpec>(text).unwrap().check().map_err(|e| e.to_string())
    };
    let inference = r#""inference": {"standard_errors": "hc3"}"#;
    for (text, told) in [
        (
            r#"{"ridge": {"alpha": 1, "gram_limit": "2MB", "intercept": false}}"#.to_owned(),
            "`ridge.gram_limit` is set beside `intercept: false`, with which the matrix of products is always needed",
        ),
        (
            r#"{"ridge": {"alpha": 1, "gram_limit": "2MB", "non_negative": true}}"#.to_owned(),
            "`ridge.gram_limit` is set beside `non_negative: true`, with which the matrix of products is always needed",
        ),
        (
            format!(r#"{{"ridge": {{"alpha": 1, "non_negative": true, {inference}}}}}"#),
            "`ridge.inference` is set beside `non_negative`, with which coefficients have no standard errors",
        ),
        (
            format!(r#"{{"least_squares": {{"non_negative": true, {inference}}}}}"#),
            "`least_squares.inference` is set beside `non_negative`, with which coefficients have no standard errors",
        ),
    ] {
        assert_eq!(checked(&text), Err(told.to_owned()));
    }
    for text in [
        r#"{"ridge": {"alpha": 1, "gram_limit": "2MB"}}"#.to_owned(),
        r#"{"ridge": {"alpha": 1, "intercept": false, "non_negative": true}}"#.to_owned(),
        format!(r#"{{"least_squares": {{"intercept": false, {inference}}}}}"#),
    ] {
        assert_eq!(checked(&text), Ok(()));
    }
}
