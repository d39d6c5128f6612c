use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array};
use sluice_core::batch::Batch;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, assert_relative, laws, log_relative_error};

use super::{RidgeOptions, Solved, fit_ridge, solve};
use crate::design::Design;

/// Hands columns through as they are; a column named `code` holds codes of three levels.
struct Plain(FeatureSpace);

impl Plain {
    fn shared(names: &[&str]) -> Arc<dyn BatchTransform> {
        let features = names
            .iter()
            .map(|name| FeatureSpec {
                name: (*name).into(),
                kind: match *name {
                    "code" => FeatureKind::OneHot { levels: vec!["a".into(), "b".into(), "c".into()] },
                    _ => FeatureKind::Number,
                },
                sources: vec![(*name).into()],
            })
            .collect();
        Arc::new(Self(FeatureSpace { features }))
    }
}

impl BatchTransform for Plain {
    fn inputs(&self) -> Vec<String> {
        self.0.features.iter().map(|feature| feature.name.clone()).collect()
    }

    fn space(&self) -> &FeatureSpace {
        &self.0
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "codes of the test are 0, 1 and 2"
    )]
    fn apply(&self, batch: &Batch) -> sluice_core::Result<FeatureBatch> {
        let columns = self.0.features.iter().map(|feature| {
            let values =
                sluice_core::column::numbers(&feature.name, batch.require(&feature.name)?, "a test")?;
            Ok(match feature.kind {
                FeatureKind::Number => FeatureColumn::Numbers(values),
                FeatureKind::OneHot { .. } => FeatureColumn::Codes(UInt32Array::from_iter(
                    values.iter().map(|value| value.map(|value| value as u32)),
                )),
            })
        });
        Ok(FeatureBatch { rows: batch.rows(), columns: columns.collect::<sluice_core::Result<_>>()? })
    }
}

fn table(columns: Vec<(&str, Vec<f64>)>) -> RecordBatch {
    RecordBatch::try_from_iter(
        columns.into_iter().map(|(name, values)| (name, Arc::new(Float64Array::from(values)) as ArrayRef)),
    )
    .unwrap()
}

const FEATURES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];

fn diabetes() -> RecordBatch {
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
        let options = RidgeOptions { alpha: fit["alpha"].as_f64().unwrap() };
        let model = fit_ridge(&source, &transform, "target", &options, &Execution::with_threads(2)).unwrap();
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

#[test]
fn the_three_ways_agree() {
    let source = MemorySource::new(&skewed(3000), 400).with_batch_rows(256);
    let transform = Plain::shared(&["x", "z", "code"]);
    let execution = Execution::with_threads(2);
    let options = RidgeOptions { alpha: 0.25 };
    let solved = |design: Design| -> (Solved, &'static str) {
        solve(&source, &transform, "y", &options, design, &execution).unwrap()
    };
    let (whole, method) = solved(Design::new(&source, &transform, "y").unwrap());
    assert_eq!(method, "whole");
    let (blocked, method) = solved(Design::blocked(&source, &transform, "y").unwrap());
    assert_eq!(method, "blocked");
    let (exact, method) = solved(Design::exact(&transform, "y"));
    assert_eq!(method, "exact");
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
    laws::check(&source, &Design::new(&source, &transform, "y").unwrap());
    laws::check(&source, &Design::blocked(&source, &transform, "y").unwrap());
    laws::check(&source, &Design::exact(&transform, "y"));
}

#[test]
fn ill_conditioned_columns_get_a_second_scan() {
    let noise = |n: usize| ((n * 7919 % 1009) as f64) / 1009.0;
    let x: Vec<f64> = (0..500).map(noise).collect();
    let near: Vec<f64> = (0..500).map(|n| noise(n) + 1e-8 * noise(n * 31 + 7)).collect();
    let y: Vec<f64> = (0..500).map(|n| x[n] + 2.0 * near[n] + 1e-9 * noise(n * 17 + 3)).collect();
    let source = MemorySource::new(&table(vec![("x", x), ("near", near), ("y", y)]), 100);
    let transform = Plain::shared(&["x", "near"]);
    let options = RidgeOptions { alpha: 0.0 };
    let execution = Execution::with_threads(2);
    let blocked = Design::blocked(&source, &transform, "y").unwrap();
    let (found, method) = solve(&source, &transform, "y", &options, blocked, &execution).unwrap();
    assert_eq!(method, "exact");
    let whole = Design::new(&source, &transform, "y").unwrap();
    let (expected, _) = solve(&source, &transform, "y", &options, whole, &execution).unwrap();
    for (found, expected) in found.solution.coefficients.iter().zip(&expected.solution.coefficients) {
        assert!(log_relative_error(*found, *expected) > 9.0, "{found} {expected}");
    }
}

#[test]
fn bad_rows_are_named() {
    let transform = Plain::shared(&["x"]);
    let message = |x: Vec<f64>, y: Vec<f64>| {
        let source = MemorySource::new(&table(vec![("x", x), ("y", y)]), 2);
        let options = RidgeOptions { alpha: 1.0 };
        let error = fit_ridge(&source, &transform, "y", &options, &Execution::with_threads(2)).unwrap_err();
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
    assert!(RidgeOptions { alpha: -1.0 }.check().is_err());
    assert!(RidgeOptions { alpha: f64::NAN }.check().is_err());
}
