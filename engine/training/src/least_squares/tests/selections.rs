//! Penalties of magnitudes and coefficients of one sign where the data are degenerate, and what is refused.

use sluice_core::execution::Execution;
use sluice_testkit::{MemorySource, assert_relative};

use super::{Plain, data, table};
use crate::data::TrainingColumns;
use crate::model::Output;
use crate::spec::{ModelSpec, fit};

fn noise(n: usize) -> f64 {
    ((n * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5
}

fn tried(spec: &str, columns: Vec<(&str, Vec<f64>)>) -> Result<Output, String> {
    let spec: ModelSpec = serde_json::from_str(spec).map_err(|error| error.to_string())?;
    spec.check().map_err(|error| error.to_string())?;
    let names: Vec<String> =
        columns.iter().map(|(name, _)| (*name).to_owned()).filter(|name| name != "y").collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let source = MemorySource::new(&table(columns), 7);
    let (transform, labels) = (Plain::shared(&names), TrainingColumns::from("y"));
    let model = fit(&spec, data(&source, &transform, &labels), &Execution::with_threads(2));
    model.map(|mut model| model.outputs.remove(0)).map_err(|error| error.to_string())
}

fn values(output: &Output) -> Vec<f64> {
    output.coefficients.iter().map(|coefficient| coefficient.value).collect()
}

/// `p` columns of noise and a label of the first two.
fn columns(rows: usize, names: &[&'static str]) -> Vec<(&'static str, Vec<f64>)> {
    let column = |j: usize| (0..rows).map(|i| noise(i * 31 + j * 257)).collect::<Vec<f64>>();
    let mut columns: Vec<(&str, Vec<f64>)> =
        names.iter().enumerate().map(|(j, name)| (*name, column(j))).collect();
    let y =
        (0..rows).map(|i| 2.0 * columns[0].1[i] - columns[1].1[i] + 0.2 * noise(i * 17 + 5) + 4.0).collect();
    columns.push(("y", y));
    columns
}

#[test]
fn equal_and_dependent_columns_have_an_answer() {
    // A column twice: the sum of both is what one alone has.
    let alone = tried(r#"{"lasso":{"alpha":0.01}}"#, columns(40, &["a", "b"])).unwrap();
    let mut twice = columns(40, &["a", "b"]);
    twice.insert(2, ("again", twice[0].1.clone()));
    let found = tried(r#"{"lasso":{"alpha":0.01}}"#, twice).unwrap();
    let (alone, found) = (values(&alone), values(&found));
    assert_relative(found[0] + found[2], alone[0], 1e-13);
    assert_relative(found[1], alone[1], 1e-13);
    // A column that is the sum of others spares them both: the magnitudes of one coefficient for two.
    let mut sum = columns(40, &["a", "b"]);
    let total: Vec<f64> = sum[0].1.iter().zip(&sum[1].1).map(|(a, b)| a + b).collect();
    let y = total.iter().enumerate().map(|(i, total)| 3.0 * total + 0.1 * noise(i * 11)).collect();
    sum[2].1 = y;
    sum.insert(2, ("total", total));
    let found = tried(r#"{"lasso":{"alpha":0.001}}"#, sum.clone()).unwrap();
    assert!((values(&found)[2] - 3.0).abs() < 0.2, "{found:?}");
    // At penalty 0 it is least squares: the last of dependent columns is left out.
    let none = tried(r#"{"lasso":{"alpha":0}}"#, sum.clone()).unwrap();
    let plain = tried(r#"{"least_squares":{}}"#, sum.clone()).unwrap();
    assert_eq!((values(&none), &none.diagnostics.aliased), (values(&plain), &vec![2]));
    let bounded = tried(r#"{"least_squares":{"non_negative":true}}"#, sum).unwrap();
    assert!(values(&bounded).iter().all(|value| *value >= 0.0));
    assert_relative(bounded.diagnostics.residual_square, plain.diagnostics.residual_square, 1e-1);
}

#[test]
fn more_columns_than_rows_and_few_rows_have_an_answer() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for alpha in ["1e-6", "0.001", "0.05"] {
        let found = tried(&format!(r#"{{"lasso":{{"alpha":{alpha}}}}}"#), columns(6, &names)).unwrap();
        assert!(values(&found).iter().filter(|value| **value != 0.0).count() <= 5, "{found:?}");
        let spec = format!(r#"{{"elastic_net":{{"alpha":{alpha},"l1_ratio":0.5,"non_negative":true}}}}"#);
        let found = tried(&spec, columns(6, &names)).unwrap();
        assert!(values(&found).iter().all(|value| *value >= 0.0));
    }
    let bounded = tried(r#"{"least_squares":{"non_negative":true}}"#, columns(4, &names)).unwrap();
    assert!(values(&bounded).iter().all(|value| *value >= 0.0));
    // One row says nothing of how the label varies.
    let error = tried(r#"{"lasso":{"alpha":0.1}}"#, columns(1, &["a", "b"])).unwrap_err();
    assert!(error.starts_with("label `y` is"), "{error}");
    // Columns that do not vary have coefficient 0.
    let constant = vec![("a", vec![3.0; 9]), ("y", (0..9).map(f64::from).collect())];
    let found = tried(r#"{"elastic_net":{"alpha":0.1,"l1_ratio":0.3}}"#, constant).unwrap();
    assert_eq!((values(&found), found.intercept, found.diagnostics.constant), (vec![0.0], 4.0, vec![0]));
    // Past the largest penalty of the path all coefficients are 0, and below 0 there is nothing to bound.
    let found = tried(r#"{"lasso":{"alpha":1e9}}"#, columns(30, &["a", "b"])).unwrap();
    assert_eq!((values(&found), found.diagnostics.effective_degrees), (vec![0.0, 0.0], Some(1.0)));
    let mut turned = columns(30, &["a", "b"]);
    turned[2].1 = turned[0].1.iter().map(|a| -a).collect();
    let found = tried(r#"{"least_squares":{"non_negative":true}}"#, turned).unwrap();
    assert_eq!(values(&found)[0].to_bits(), 0.0_f64.to_bits());
}

#[test]
fn through_the_origin_a_constant_label_is_a_line() {
    let rows = vec![("a", vec![1.0, 2.0, 3.0]), ("y", vec![2.0, 2.0, 2.0])];
    let found = tried(r#"{"least_squares":{"intercept":false}}"#, rows.clone()).unwrap();
    // By hand: 2 · 6 / 14.
    assert_relative(values(&found)[0], 12.0 / 14.0, 1e-15);
    assert_eq!(found.intercept.to_bits(), 0.0_f64.to_bits());
    assert_eq!(found.diagnostics.label_square.to_bits(), 12.0_f64.to_bits());
    assert!(tried(r#"{"least_squares":{}}"#, rows).unwrap_err().starts_with("label `y` is 2 in all 3"));
    let zeros = vec![("a", vec![1.0, 2.0, 3.0]), ("y", vec![0.0; 3])];
    assert!(tried(r#"{"least_squares":{"intercept":false}}"#, zeros).unwrap_err().contains("is 0 in all"));
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let refused = |spec: &str, expected: &str| {
        let error = tried(spec, columns(20, &["a", "b"])).unwrap_err();
        assert!(error.contains(expected), "{spec}: {error}");
    };
    refused(r#"{"lasso":{"alpha":-0.1}}"#, "`lasso.alpha` is -0.1");
    refused(r#"{"lasso":{}}"#, "missing field `alpha`");
    refused(r#"{"elastic_net":{"alpha":1}}"#, "missing field `l1_ratio`");
    refused(r#"{"elastic_net":{"alpha":1,"l1_ratio":1.5}}"#, "`elastic_net.l1_ratio` is 1.5");
    refused(r#"{"elastic_net":{"alpha":1,"l1_ratio":-0.5}}"#, "`elastic_net.l1_ratio` is -0.5");
    refused(r#"{"elastic_net":{"alpha":1,"l1_ratio":"half"}}"#, "a number from 0 to 1");
    refused(r#"{"elastic_net":{"alpha":1,"l1_ratio":[0.1,0.5]}}"#, "nothing chooses among them");
    refused(r#"{"elastic_net":{"alpha":{"grid":[1]},"l1_ratio":[]}}"#, "has 0 ratios");
    refused(r#"{"elastic_net":{"alpha":{"path":5},"l1_ratio":[0,1]}}"#, "`elastic_net.l1_ratio` is 0");
    refused(r#"{"least_squares":{"alpha":1}}"#, "unknown field `alpha`");
    refused(r#"{"ridge":{"alpha":{"path":5}}}"#, "`ridge.alpha` cannot be a path");
    refused(r#"{"lasso":{"alpha":{"path":5,"folds":30}}}"#, "in the cross-validation");
}
