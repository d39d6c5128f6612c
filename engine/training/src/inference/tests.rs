use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::Value;

use sluice_core::execution::Execution;
use sluice_testkit::{MemorySource, assert_relative, laws, log_relative_error};

use super::scan::{Fit, ResidualScan};
use super::{Inference, InferenceOptions, InfluentialRow, Reference, StandardErrors};
use crate::data::{TrainingColumns, TrainingData};
use crate::design::Design;
use crate::least_squares::tests::{FEATURES, diabetes};
use crate::least_squares::{RidgeOptions, fit_gathered, fit_ridge};
use crate::model::{LinearModel, Output};
use crate::solve::{PreparedRows, Rows, Whitening};
use crate::testing::{Plain, table};

const KINDS: [StandardErrors; 5] = [
    StandardErrors::Classical,
    StandardErrors::Hc0,
    StandardErrors::Hc1,
    StandardErrors::Hc2,
    StandardErrors::Hc3,
];

fn options(alpha: f64, inference: InferenceOptions) -> RidgeOptions {
    RidgeOptions { inference, ..RidgeOptions::from(alpha) }
}

fn golden() -> Value {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/expected/inference.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The table with weights 1, 2, 3, 1, 2, 3, ….
fn weighted(rows: &RecordBatch) -> RecordBatch {
    let weights: Float64Array = (0..rows.num_rows()).map(|row| (row % 3) as f64 + 1.0).collect();
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("weight", DataType::Float64, false)));
    let columns = rows.columns().iter().cloned().chain([Arc::new(weights) as ArrayRef]);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect()).unwrap()
}

fn inference(model: &LinearModel) -> &Inference {
    model.label_output().inference.as_ref().unwrap()
}

/// Statistic, p-value, interval and standard error of the intercept and all coefficients.
fn assert_tests(output: &Output, expected: &Value) {
    let found = output.inference.as_ref().unwrap();
    let tests: Vec<_> = [found.intercept].into_iter().chain(found.coefficients.clone()).collect();
    for (index, test) in tests.iter().enumerate() {
        let test = test.unwrap();
        let at = |key: &str| floats(&expected[key])[index];
        assert_relative(test.standard_error, at("standard_errors"), 1e-9);
        assert_relative(test.statistic, at("statistics"), 1e-9);
        assert_relative(test.p_value, at("p_values"), 1e-7);
        for (found, expected) in [(test.interval.0, at("lower")), (test.interval.1, at("upper"))] {
            assert!((found - expected).abs() < 1e-9 * test.standard_error * 100.0, "{found} {expected}");
        }
    }
}

fn exact(data: TrainingData<'_>, folds: u32) -> sluice_core::Result<Design> {
    Ok(Design::exact(data, folds))
}

#[test]
fn tests_and_robust_errors_agree_with_statsmodels() {
    let golden = golden();
    let source = MemorySource::new(&weighted(&diabetes()), 50);
    let transform = Plain::shared(&FEATURES);
    let execution = Execution::with_threads(2);
    for (name, weight) in [("ols", None), ("wls", Some("weight".to_owned()))] {
        let columns = TrainingColumns { weight, ..TrainingColumns::from("target") };
        let data = TrainingData { source: &source, transform: &transform, columns: &columns };
        for kind in KINDS {
            let wanted = InferenceOptions { confidence: 0.9, standard_errors: kind, diagnostics: true };
            for design in [Design::new, Design::blocked, exact] {
                let design = design(data, 1).unwrap();
                let model = fit_gathered(data, &(&options(0.0, wanted)).into(), design, &execution).unwrap();
                assert_tests(model.label_output(), &golden[name]["kinds"][kind.name()]);
                let found = inference(&model);
                assert_eq!(found.reference, Some(Reference::StudentT(342.0)));
                assert!(found.notes.is_empty(), "{:?}", found.notes);
                let f = found.fit.f_test.unwrap();
                for (found, key) in [
                    (found.fit.r_squared.unwrap(), "r_squared"),
                    (found.fit.adjusted_r_squared.unwrap(), "adjusted_r_squared"),
                    (found.fit.residual_standard_deviation.unwrap().powi(2), "residual_variance"),
                    (found.fit.log_likelihood.unwrap(), "log_likelihood"),
                    (found.fit.aic.unwrap(), "aic"),
                    (found.fit.bic.unwrap(), "bic"),
                    (f.statistic, "f"),
                    (f.p_value, "f_p"),
                ] {
                    assert_relative(found, golden[name][key].as_f64().unwrap(), 1e-10);
                }
            }
        }
    }
}

fn assert_rows(found: &[InfluentialRow], expected: &Value) {
    assert_eq!(found.len(), 10);
    for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
        assert_eq!(found.row, expected["row"].as_u64().unwrap() + 1);
        let figures = found.figures;
        assert_relative(figures.leverage, expected["leverage"].as_f64().unwrap(), 1e-9);
        assert_relative(figures.studentized, expected["studentized"].as_f64().unwrap(), 1e-9);
        assert_relative(figures.cooks_distance, expected["cooks_distance"].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn diagnostics_agree_with_statsmodels() {
    let golden = golden();
    let source = MemorySource::new(&diabetes(), 50);
    let transform = Plain::shared(&FEATURES);
    let columns = TrainingColumns::from("target");
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let wanted = InferenceOptions { diagnostics: true, ..InferenceOptions::default() };
    let models = [1, 2, 7]
        .map(|threads| fit_ridge(data, &options(0.0, wanted), &Execution::with_threads(threads)).unwrap());
    assert!(models.iter().all(|model| *model == models[0]), "threads change the diagnostics");
    let found = inference(&models[0]);
    for (found, expected) in found.variance_inflation.iter().zip(floats(&golden["variance_inflation"])) {
        assert_relative(found.unwrap(), expected, 1e-10);
    }
    let residuals = found.residuals.as_ref().unwrap();
    let [jarque_bera, p, skewness, kurtosis] = floats(&golden["jarque_bera"]).try_into().unwrap();
    assert_relative(residuals.jarque_bera.unwrap().statistic, jarque_bera, 1e-9);
    assert_relative(residuals.jarque_bera.unwrap().p_value, p, 1e-9);
    assert_relative(residuals.skewness.unwrap(), skewness, 1e-9);
    assert_relative(residuals.kurtosis.unwrap(), kurtosis, 1e-9);
    let [score, score_p, f, f_p] = floats(&golden["breusch_pagan"]).try_into().unwrap();
    let test = residuals.breusch_pagan.unwrap();
    for (found, expected) in [
        (test.score.statistic, score),
        (test.score.p_value, score_p),
        (test.f_statistic, f),
        (test.f_p_value, f_p),
    ] {
        assert_relative(found, expected, 1e-9);
    }
    for (found, expected) in residuals.quartiles.iter().zip(floats(&golden["quartiles"])) {
        assert_relative(*found, expected, 1e-9);
    }
    assert_rows(&residuals.largest_leverage, &golden["largest_leverage"]);
    assert_rows(&residuals.largest_residual, &golden["largest_residual"]);
    assert_rows(&residuals.largest_influence, &golden["largest_influence"]);
    assert_eq!((residuals.sample.len(), residuals.normal_quantiles.len()), (353, 199));
    assert!(residuals.sample.is_sorted_by(|a, b| a.fitted <= b.fitted));
    assert!(residuals.normal_quantiles.is_sorted());
}

#[test]
fn the_scan_keeps_the_laws() {
    let rows = weighted(&diabetes());
    let source = MemorySource::new(&rows, 30);
    let transform = Plain::shared(&FEATURES);
    let columns = TrainingColumns { weight: Some("weight".into()), ..TrainingColumns::from("target") };
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let model = fit_ridge(data, &RidgeOptions::from(0.1), &Execution::with_threads(1)).unwrap();
    let column =
        |index: usize| rows.column(index).as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec();
    let features: Vec<Vec<f64>> = (0..10).map(column).collect();
    let values: Vec<f64> =
        (0..rows.num_rows()).flat_map(|row| features.iter().map(move |column| column[row])).collect();
    let (label, weights) = (column(10), column(11));
    let cells =
        Rows { features: 10, values: &values, label: &label, weights: Some(&weights), intercept: true };
    let normal = PreparedRows::new(cells).unwrap().normal();
    let output = model.label_output();
    let fit = Fit {
        coefficients: output.coefficients.iter().map(|coefficient| coefficient.value).collect(),
        whitening: Whitening::new(&normal, 0.1).unwrap(),
        residual_variance: output.diagnostics.residual_variance,
        effective_degrees: output.diagnostics.effective_degrees.unwrap(),
    };
    let wanted =
        InferenceOptions { standard_errors: StandardErrors::Hc3, diagnostics: true, ..Default::default() };
    laws::check(&source, &ResidualScan::new(data, vec![fit], wanted).unwrap());
}

#[test]
fn certified_errors_keep_their_digits() {
    for name in ["Norris", "Longley"] {
        let Some(path) = sluice_testkit::datasets::external(&format!("nist/linear/{name}.json")) else {
            continue;
        };
        let set: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        let names: Vec<String> = serde_json::from_value(set["columns"].clone()).unwrap();
        let cells: Vec<Vec<f64>> = serde_json::from_value(set["data"].clone()).unwrap();
        let column = |index: usize| cells.iter().map(|row| row[index]).collect::<Vec<f64>>();
        let rows =
            table(names.iter().enumerate().map(|(index, name)| (name.as_str(), column(index))).collect());
        let source = MemorySource::new(&rows, 10);
        let features: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "y").collect();
        let transform = Plain::shared(&features);
        let columns = TrainingColumns::from("y");
        let data = TrainingData { source: &source, transform: &transform, columns: &columns };
        let model = fit_ridge(data, &RidgeOptions::from(0.0), &Execution::with_threads(2)).unwrap();
        let found = inference(&model);
        let tests = [found.intercept].into_iter().chain(found.coefficients.clone());
        let digits = |found: f64, certified: &Value| log_relative_error(found, certified.as_f64().unwrap());
        for (test, certified) in tests.zip(set["certified"]["coefficients"].as_array().unwrap()) {
            assert!(digits(test.unwrap().standard_error, &certified["std_err"]) > 12.0, "{name}");
        }
        let fit = &found.fit;
        let certified = &set["certified"];
        assert!(digits(fit.residual_standard_deviation.unwrap(), &certified["residual_sd"]) > 12.0, "{name}");
        assert!(digits(fit.r_squared.unwrap(), &certified["r_squared"]) > 12.0, "{name}");
    }
}

/// A fit of `y` by `x` and `z`.
fn small(x: Vec<f64>, z: Vec<f64>, y: Vec<f64>, inference: InferenceOptions) -> LinearModel {
    let source = MemorySource::new(&table(vec![("x", x), ("z", z), ("y", y)]), 4);
    let (transform, columns) = (Plain::shared(&["x", "z"]), TrainingColumns::from("y"));
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    fit_ridge(data, &options(0.0, inference), &Execution::with_threads(1)).unwrap()
}

#[test]
fn what_is_not_determined_is_absent_and_said() {
    let hc3 =
        InferenceOptions { standard_errors: StandardErrors::Hc3, diagnostics: true, ..Default::default() };
    // The last row alone has a `z`, which decides its prediction.
    let x = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let z = vec![0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let y = vec![1.0, 2.5, 2.0, 4.0, 5.5, 9.0];
    let model = small(x.clone(), z, y.clone(), hc3);
    let found = inference(&model);
    assert_eq!(found.coefficients, [None, None]);
    assert!(found.notes[0].contains("decide their own predictions (leverage 1): 1"), "{:?}", found.notes);
    assert_eq!(found.residuals.as_ref().unwrap().decided_rows, 1);
    // A column that another determines has no test; the others keep theirs.
    let twice = x.iter().map(|x| 2.0 * x).collect();
    let model = small(x.clone(), twice, y.clone(), hc3);
    let found = inference(&model);
    assert!(found.coefficients[0].is_some() && found.coefficients[1].is_none());
    assert!(found.variance_inflation[0].is_some_and(|inflation| (inflation - 1.0).abs() < 1e-12));
    assert_eq!(found.variance_inflation[1], None);
    // As many coefficients as rows.
    let model = small(vec![1.0, 2.0, 4.0], vec![1.0, 0.0, 5.0], vec![2.0, 1.0, 9.0], hc3);
    let found = inference(&model);
    assert_eq!((found.reference, found.fit.f_test, found.fit.adjusted_r_squared), (None, None, None));
    assert!(
        found.notes.iter().any(|note| note.contains("as many coefficients as rows")),
        "{:?}",
        found.notes
    );
    assert_eq!(found.residuals, None);
    // An exact fit.
    let line = x.iter().map(|x| 3.0 * x + 1.0).collect();
    let model = small(x.clone(), vec![1.0, 0.0, 4.0, 0.0, 2.0, 3.0], line, hc3);
    let json = serde_json::to_string(&model).unwrap();
    assert!(!json.contains("NaN") && serde_json::from_str::<LinearModel>(&json).unwrap() == model);
    for confidence in [0.0, 1.0, f64::NAN] {
        let wanted = InferenceOptions { confidence, ..Default::default() };
        assert!(crate::LinearOptions::from(&options(0.0, wanted)).check().is_err());
    }
}

#[test]
fn a_weighted_fit_from_sums_says_what_its_likelihood_takes() {
    let source = MemorySource::new(&weighted(&diabetes()), 50);
    let transform = Plain::shared(&FEATURES);
    let columns = TrainingColumns { weight: Some("weight".into()), ..TrainingColumns::from("target") };
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let design = Design::blocked(data, 1).unwrap();
    let model =
        fit_gathered(data, &(&RidgeOptions::from(0.5)).into(), design, &Execution::with_threads(1)).unwrap();
    let found = inference(&model);
    assert_eq!((found.fit.log_likelihood, found.fit.f_test), (None, None));
    assert!(found.notes[0].contains("diagnostics"), "{:?}", found.notes);
    // A penalty makes the estimates vary less than least squares would.
    assert!(found.variance_inflation.iter().flatten().any(|inflation| *inflation < 1.0));
}
