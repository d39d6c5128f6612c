//! Polynomials of high degree through transform and fit, against the certified values of NIST.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use serde_json::Value;

use sluice_core::execution::Execution;
use sluice_core::role::Roles;
use sluice_core::seam::BatchTransform;
use sluice_pipeline::spec::from_yaml;
use sluice_testkit::{MemorySource, laws, log_relative_error};
use sluice_training::design::Design;
use sluice_training::{LinearModel, ModelSpec, TrainingColumns, TrainingData, fit_gathered};
use sluice_transform::TransformSpec;

use crate::support::data;

/// The least digits of the figures of a fit: coefficients, standard errors, residual deviation, R².
fn digits(model: &LinearModel, set: &Value) -> f64 {
    let output = model.label_output();
    let diagnostics = &output.diagnostics;
    let expected = |key: &str| -> Vec<f64> { serde_json::from_value(set[key].clone()).unwrap() };
    let coefficients = output.coefficients.iter().map(|coefficient| coefficient.value);
    let errors = diagnostics.standard_errors.clone().unwrap();
    let r_squared = 1.0 - diagnostics.residual_square / diagnostics.label_square;
    let pairs = [output.intercept]
        .into_iter()
        .chain(coefficients)
        .zip(expected("estimate"))
        .chain(
            [diagnostics.intercept_standard_error.unwrap()]
                .into_iter()
                .chain(errors)
                .zip(expected("std_err")),
        )
        .chain([(diagnostics.residual_variance.unwrap().sqrt(), set["residual_sd"].as_f64().unwrap())])
        .chain([(r_squared, set["r_squared"].as_f64().unwrap())]);
    pairs
        .map(|(found, certified)| log_relative_error(found, certified))
        .fold(17.0, |least, digits| if digits < least { digits } else { least })
}

#[test]
fn polynomials_of_nist_keep_their_digits() {
    let golden: Value =
        serde_json::from_slice(&fs_err::read(data("nist_polynomials.json")).unwrap()).unwrap();
    let execution = Execution::with_threads(2);
    let spec: ModelSpec = from_yaml("least_squares: {}", "the test").unwrap();
    for set in golden["sets"].as_array().unwrap() {
        let floats = |key: &str| -> Vec<f64> { serde_json::from_value(set[key].clone()).unwrap() };
        let column = |key: &str| Arc::new(Float64Array::from(floats(key))) as ArrayRef;
        let rows = RecordBatch::try_from_iter([("x", column("x")), ("y", column("y"))]).unwrap();
        let source = MemorySource::new(&rows, 20);
        let operations = format!("[ {{ polynomial: {{ columns: [x], degree: {} }} }} ]", set["degree"]);
        let operations: TransformSpec = from_yaml(&operations, "the test").unwrap();
        let roles = Roles { label: Some("y".into()), ..Roles::default() };
        let transform = sluice_transform::fit(&operations, &source, &roles, &execution).unwrap();
        let transform: Arc<dyn BatchTransform> = Arc::new(transform);
        let columns = TrainingColumns::from("y");
        let data = TrainingData { source: &source, transform: &transform, columns: &columns };
        let name = set["name"].as_str().unwrap();
        for (form, design) in [
            ("whole", Design::new(data, 1).unwrap()),
            ("blocked", Design::blocked(data, 1).unwrap()),
            ("exact", Design::exact(data, 1)),
        ] {
            laws::check(&source, &design);
            let model = fit_gathered(data, &spec.linear().unwrap(), design, &execution).unwrap();
            // The sums of powers are ill-conditioned: the blocked form asks for a second scan.
            assert_eq!(model.method, if form == "whole" { "whole" } else { "exact" }, "{name} {form}");
            let digits = digits(&model, set);
            assert!(digits > 9.0, "{name} {form}: {digits:.1} digits");
        }
    }
}
