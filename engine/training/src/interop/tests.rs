use linfa::prelude::*;
use ndarray::{Array1, Array2, array};
use sluice_testkit::assert_relative;

use super::{dataset_of, table_of};
use crate::least_squares::RidgeOptions;
use crate::spec::ModelSpec;

fn ridge(alpha: f64) -> ModelSpec {
    ModelSpec::Ridge(RidgeOptions::from(alpha))
}

fn noisy(rows: usize) -> Dataset<f64, f64, ndarray::Ix1> {
    let noise = |n: usize| ((n * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5;
    let records = Array2::from_shape_fn((rows, 3), |(row, column)| noise(row * 3 + column) + column as f64);
    let targets = Array1::from_shape_fn(rows, |row| 2.0 * records[(row, 0)] - records[(row, 2)] + noise(row));
    Dataset::new(records, targets).with_feature_names(vec!["a", "b", "c"])
}

#[test]
fn least_squares_are_those_of_linfa() {
    let data = noisy(300);
    let ours = ridge(0.0).fit(&data).unwrap();
    let theirs = linfa_linear::LinearRegression::new().fit(&data).unwrap();
    assert_relative(ours.label_output().intercept, theirs.intercept(), 1e-9);
    let coefficients = &ours.label_output().coefficients;
    assert_eq!(coefficients[2].column, "c");
    for (ours, theirs) in coefficients.iter().zip(theirs.params()) {
        assert_relative(ours.value, *theirs, 1e-9);
    }
    let (ours, theirs) = (ours.predict(&data), theirs.predict(&data));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() < 1e-9);
    }
    // linfa's own metrics take our predictions.
    assert!(ours.r2(&data).unwrap() > 0.5);
}

#[test]
fn weights_and_names_come_along_and_tables_go_back() {
    let data = noisy(60).with_weights(Array1::from_shape_fn(60, |row| (row % 3) as f32));
    let table = table_of(&data).unwrap();
    let names: Vec<&String> = table.schema_ref().fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["a", "b", "c", "label", "weight"]);
    let back = dataset_of(&table, &["a", "b", "c"], "label").unwrap();
    assert_eq!((back.records(), back.targets()), (data.records(), data.targets()));
    assert_eq!(ridge(1.0).fit(&data).unwrap().rows, 40);
    let error = dataset_of(&table, &["a", "bb"], "label").unwrap_err();
    assert!(error.to_string().contains("column `bb`"), "{error}");
}

#[test]
fn what_cannot_be_fitted_is_an_error_of_ours() {
    let message = |spec: &ModelSpec, data: &Dataset<f64, f64, ndarray::Ix1>| {
        let error = spec.fit(data).unwrap_err();
        error.to_string()
    };
    assert!(message(&ridge(-1.0), &noisy(10)).contains("`ridge.alpha` is -1"));
    let constant = Dataset::new(array![[1.0], [2.0]], array![3.0, 3.0]);
    assert!(message(&ridge(1.0), &constant).contains("is 3 in all 2 training rows"));
    let bad = Dataset::new(array![[1.0], [f64::NAN]], array![3.0, 4.0]);
    assert!(message(&ridge(1.0), &bad).contains("feature `x0` is NaN or infinite"));
    let model = ridge(1.0).fit(&noisy(10)).unwrap();
    let predicted: Array1<f64> = model.predict(&array![[f64::INFINITY, 0.0, 0.0], [0.0, 0.0, 0.0]]);
    assert!(predicted[0].is_nan() && predicted[1].is_finite());
}
