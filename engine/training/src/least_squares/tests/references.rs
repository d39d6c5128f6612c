//! Agreement with scikit-learn and with rational arithmetic (`datasets/diabetes/make_linear.py`), and with glmnet.

use serde_json::Value;
use sluice_core::batch::RowIdentity;
use sluice_core::execution::Execution;
use sluice_testkit::{MemorySource, assert_relative};

use super::{FEATURES, Plain, data, diabetes, floats, numbered, table};
use crate::data::TrainingColumns;
use crate::design::Design;
use crate::least_squares::fit_gathered;
use crate::model::{LinearModel, Output};
use crate::spec::ModelSpec;
use crate::{LinearOptions, TrainingData, fit};

const COLUMNS: usize = 12;

fn golden() -> Value {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/expected/linear.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// The names of the features of the correlated table.
fn names() -> Vec<String> {
    (0..COLUMNS).map(|column| format!("x{column}")).collect()
}

/// The table of `make_linear.py`, by the same steps; `y` and `weight` after the features.
fn correlated(rows: usize) -> arrow::array::RecordBatch {
    let mut columns = vec![Vec::new(); COLUMNS + 2];
    for i in 0..rows {
        let mut last = 0.0;
        for (j, column) in columns.iter_mut().take(COLUMNS).enumerate() {
            let noise = ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f64 / 1009.0 - 0.5;
            last = last * 0.9 + noise;
            column.push(last);
        }
        let error = ((i * 15_485_863 + 7) % 997) as f64 / 997.0 - 0.5;
        let y = 3.0 * columns[0][i] - 2.0 * columns[4][i] + 1.5 * columns[5][i] + error + 10.0;
        columns[COLUMNS].push(y);
        columns[COLUMNS + 1].push(0.5 + (i % 4) as f64);
    }
    let named = names();
    let all = named.iter().map(String::as_str).chain(["y", "weight"]);
    table(all.zip(columns).collect())
}

fn close(model: &Output, expected: &Value, tolerance: f64) {
    let larger = |most: f64, value: f64| if value > most { value } else { most };
    let size = floats(&expected["coefficients"]).iter().map(|value| value.abs()).fold(0.0, larger);
    let intercept = expected["intercept"].as_f64().unwrap();
    assert!((model.intercept - intercept).abs() <= tolerance * larger(size, intercept.abs()), "{intercept}");
    for (found, expected) in model.coefficients.iter().zip(floats(&expected["coefficients"])) {
        assert!((found.value - expected).abs() <= tolerance * size, "{found:?}, not {expected:e}");
    }
}

type Form = fn(TrainingData<'_>, u32) -> Design;

#[test]
fn every_family_agrees_in_every_form() {
    let golden = golden();
    let generated = correlated(200);
    for (column, expected) in generated.columns().iter().zip(floats(&golden["correlated_first_row"])) {
        let values = sluice_core::column::numbers("x", column, "a test").unwrap();
        assert_eq!(values.value(1).to_bits(), expected.to_bits());
    }
    let names = names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let forms: [(&str, Form, f64); 3] = [
        ("whole", |data, folds| Design::new(data, folds).unwrap(), 1e-14),
        ("blocked", |data, folds| Design::blocked(data, folds).unwrap(), 1e-10),
        ("exact", Design::exact, 1e-14),
    ];
    for expected in golden["fits"].as_array().unwrap() {
        let is_diabetes = expected["table"] == "diabetes";
        let (rows, features, label) = if is_diabetes {
            (diabetes(), &FEATURES[..], "target")
        } else {
            (generated.clone(), &names[..], "y")
        };
        let source = MemorySource::new(&rows, 50);
        let weight = expected["weighted"].as_bool().unwrap().then(|| "weight".to_owned());
        let columns = TrainingColumns { weight, ..TrainingColumns::from(label) };
        let transform = Plain::shared(features);
        let data = data(&source, &transform, &columns);
        let spec: ModelSpec = serde_json::from_value(expected["spec"].clone()).unwrap();
        let options = spec.linear().unwrap();
        for (method, form, tolerance) in forms {
            let execution = Execution::with_threads(2);
            let model = fit_gathered(data, &options, form(data, 1), &execution).unwrap();
            assert_eq!((model.method.as_str(), model.family.as_str()), (method, options.family.name()));
            let output = model.label_output();
            close(output, &expected["exact"], tolerance);
            // L-BFGS, which scikit-learn fits non-negative ridge by, comes no nearer.
            let of_reference = if expected["spec"].get("ridge").is_some() { 1e-6 } else { 1e-9 };
            close(output, &expected["sklearn"], of_reference);
            for (found, exact) in output.coefficients.iter().zip(floats(&expected["exact"]["coefficients"])) {
                assert_eq!(found.value == 0.0, exact == 0.0, "{method} {:?}", expected["spec"]);
            }
            let selects = options.non_negative || !output.diagnostics.alpha.eq(&0.0);
            let is_ridge = expected["spec"].get("ridge").is_some() && !options.non_negative;
            assert_eq!(output.diagnostics.standard_errors.is_none(), selects && !is_ridge);
        }
    }
}

fn searched(
    rows: &arrow::array::RecordBatch,
    features: &[&str],
    label: &str,
    spec: &str,
    threads: usize,
) -> LinearModel {
    let source = MemorySource::new(&numbered(rows), 50);
    let columns = TrainingColumns { identity: Some(RowIdentity::Stored), ..TrainingColumns::from(label) };
    let transform = Plain::shared(features);
    let spec: ModelSpec = serde_json::from_str(spec).unwrap();
    fit(&spec, data(&source, &transform, &columns), &Execution::with_threads(threads)).unwrap()
}

#[test]
fn paths_agree_with_scikit_learn() {
    let golden = golden();
    let names = names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for search in golden["searches"].as_array().unwrap() {
        let spec = search["spec"].to_string();
        let model = if search["table"] == "diabetes" {
            searched(&diabetes(), &FEATURES, "target", &spec, 2)
        } else {
            searched(&correlated(200), &names, "y", &spec, 2)
        };
        let output = model.label_output();
        let record = output.cross_validation.as_ref().unwrap();
        let scores = search["scores"].as_array().unwrap();
        assert_eq!(record.alphas.len(), scores.len());
        for (found, expected) in record.alphas.iter().zip(scores) {
            assert_relative(found.alpha, expected["alpha"].as_f64().unwrap(), 1e-13);
            assert_eq!(found.l1_ratio, expected["l1_ratio"].as_f64());
            let error = expected["mean_squared_error"].as_f64().unwrap();
            assert_relative(found.mean_squared_error, error, 1e-8);
            assert_relative(found.standard_error, expected["standard_error"].as_f64().unwrap(), 1e-7);
        }
        // Of the largest penalty all coefficients are 0, of the others some are not.
        let last = record.alphas.last().unwrap();
        assert!(last.nonzero.unwrap() <= 1 && record.alphas[0].nonzero.unwrap() >= 8, "{last:?}");
        let best = scores.iter().min_by(|a, b| {
            let error = |score: &Value| score["mean_squared_error"].as_f64().unwrap();
            error(a).total_cmp(&error(b))
        });
        assert_relative(record.chosen, best.unwrap()["alpha"].as_f64().unwrap(), 1e-13);
        assert_eq!(record.chosen_l1_ratio, output.l1_ratio);
        // scikit-learn weighs folds alike and may choose another.
        if (record.chosen - search["sklearn_alpha"].as_f64().unwrap()).abs() < 1e-12 * record.chosen {
            close(output, search, 1e-6);
        }
    }
}

#[test]
fn one_standard_error_chooses_the_largest_penalty_within() {
    let best = searched(&diabetes(), &FEATURES, "target", r#"{"lasso":{"alpha":{"path":40}}}"#, 1);
    let spec = r#"{"lasso":{"alpha":{"path":40,"rule":"one_standard_error"}}}"#;
    let simple = searched(&diabetes(), &FEATURES, "target", spec, 1);
    assert_eq!(serde_json::to_string(&searched(&diabetes(), &FEATURES, "target", spec, 7)).unwrap(), {
        serde_json::to_string(&simple).unwrap()
    });
    let record = |model: &LinearModel| model.label_output().cross_validation.clone().unwrap();
    let (best, simple) = (record(&best), record(&simple));
    assert_eq!(best.alphas, simple.alphas);
    let least = best.alphas.iter().find(|score| score.alpha.to_bits() == best.chosen.to_bits()).unwrap();
    let bound = least.mean_squared_error + least.standard_error;
    assert!(simple.chosen > best.chosen);
    for score in simple.alphas.iter().filter(|score| score.alpha >= simple.chosen) {
        let is_chosen = score.alpha.to_bits() == simple.chosen.to_bits();
        assert_eq!(score.mean_squared_error <= bound, is_chosen, "{score:?}");
    }
    // The model of the chosen penalty given is the same.
    let given = format!(r#"{{"lasso":{{"alpha":{:e}}}}}"#, simple.chosen);
    let given = searched(&diabetes(), &FEATURES, "target", &given, 2);
    let again = searched(&diabetes(), &FEATURES, "target", spec, 2);
    assert_eq!(given.label_output().coefficients, again.label_output().coefficients);
}

#[test]
fn glmnet_agrees_to_its_printed_digits() {
    let (Some(results), Some(rows)) = (
        sluice_testkit::datasets::external("reference/glmnet_ridge.json"),
        sluice_testkit::datasets::external("reference/statsmodels/lasso_data.csv"),
    ) else {
        return;
    };
    let results: Value = serde_json::from_slice(&fs_err::read(results).unwrap()).unwrap();
    let rows: Vec<Vec<f64>> = fs_err::read_to_string(rows)
        .unwrap()
        .lines()
        .map(|line| line.split(',').map(|cell| cell.trim().parse().unwrap()).collect())
        .collect();
    for result in results["results"].as_array().unwrap() {
        let of = |key: &str| result[key].as_f64().unwrap();
        let integer = |key: &str| usize::try_from(result[key].as_u64().unwrap()).unwrap();
        let (n, p, lambda, l1_ratio) = (integer("n"), integer("p"), of("lam"), of("l1_ratio"));
        // As the file says: each column centred and divided by its standard deviation (divisor n - 1).
        let standard = |column: usize| -> Vec<f64> {
            let values: Vec<f64> = rows[..n].iter().map(|row| row[column]).collect();
            let mean = values.iter().sum::<f64>() / n as f64;
            let square: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let deviation = (square / (n as f64 - 1.0)).sqrt();
            values.iter().map(|value| (value - mean) / deviation).collect()
        };
        let names: Vec<String> = (0..p).map(|column| format!("x{column}")).collect();
        let mut columns: Vec<(&str, Vec<f64>)> =
            names.iter().enumerate().map(|(column, name)| (name.as_str(), standard(column + 1))).collect();
        columns.push(("y", standard(0)));
        let source = MemorySource::new(&table(columns), 50);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // glmnet divides the label by its deviation with divisor n, so that its penalties stand in those units: of the
        // squares lambda / deviation, of the magnitudes lambda.
        let deviation = ((n as f64 - 1.0) / n as f64).sqrt();
        let (absolute, square) = (lambda * l1_ratio, lambda * (1.0 - l1_ratio) / deviation);
        let alpha = absolute + square;
        let text = format!(r#"{{"elastic_net":{{"alpha":{alpha:e},"l1_ratio":{:e}}}}}"#, absolute / alpha);
        let options: LinearOptions = serde_json::from_str::<ModelSpec>(&text).unwrap().linear().unwrap();
        let (transform, columns) = (Plain::shared(&names), TrainingColumns::from("y"));
        let data = data(&source, &transform, &columns);
        let model = crate::fit_linear(data, &options, &Execution::with_threads(1)).unwrap();
        for (found, expected) in model.label_output().coefficients.iter().zip(floats(&result["coef"])) {
            // Its iteration stops at some 1e-7.
            assert!((found.value - expected).abs() < 2e-7, "{result}: {found:?}");
        }
    }
}
