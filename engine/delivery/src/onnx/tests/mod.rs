//! Exports of whole transforms; `operations` and `expressions` go through them one by one.

mod expressions;
mod operations;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use serde_json::{Value as Json, json};

use sluice_core::column::normalize;
use sluice_core::execution::Execution;
use sluice_core::role::Roles;
use sluice_core::seam::BatchTransform;
use sluice_onnx::{Session, Tensor};
use sluice_testkit::MemorySource;
use sluice_training::{LinearModel, Link, RidgeOptions, TrainingColumns, TrainingData, fit_ridge};
use sluice_transform::{TransformSpec, fit};

use super::graph::Export;
use super::verify::verify;
use super::*;
use crate::model::Model;
use crate::package::{ModelPackage, ONNX_MODEL_FILE, ONNX_TRANSFORM_FILE, PackageParts};

const FUNCTIONS: [&str; 18] = [
    "abs",
    "ceil",
    "cos",
    "exp",
    "floor",
    "log",
    "log1p",
    "log10",
    "log2",
    "negate",
    "reciprocal",
    "round",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "square",
    "tanh",
];

/// Every kind of column that ONNX has, with cells missing but in `p`, which is above 0, `q`, `m`, `k`, `day`, `at`, `nano`
/// and in `y`, the label.
fn table(rows: usize) -> RecordBatch {
    let at = |row: usize, salt: usize| (row + 7).wrapping_mul(2_654_435_761).wrapping_add(salt * 97) >> 3;
    let present = |row: usize, salt: usize| at(row, salt) % 5 != 0;
    let floats: Float64Array = (0..rows)
        .map(|row| match at(row, 1) % 9 {
            0 => None,
            1 => Some(f64::NAN),
            rest => Some((at(row, 2) % 1000) as f64 / 7.0 - rest as f64),
        })
        .collect();
    let above: Float64Array = (0..rows).map(|row| Some((at(row, 3) % 500) as f64 / 90.0 + 0.01)).collect();
    let integers: Int64Array =
        (0..rows).map(|row| present(row, 4).then(|| (at(row, 5) % 12) as i64 - 6)).collect();
    let unsigned: UInt64Array =
        (0..rows).map(|row| present(row, 6).then(|| (at(row, 7) % 9) as u64)).collect();
    let decimals: Decimal128Array =
        (0..rows).map(|row| present(row, 8).then(|| (at(row, 9) % 9000) as i128)).collect();
    let texts: StringArray =
        (0..rows).map(|row| present(row, 10).then(|| format!("c{}", at(row, 11) % 7))).collect();
    let booleans: BooleanArray =
        (0..rows).map(|row| present(row, 12).then(|| at(row, 13) % 3 == 0)).collect();
    let signed: Float64Array = (0..rows).map(|row| Some((at(row, 15) % 2000) as f64 / 40.0 - 20.0)).collect();
    let whole: Int64Array = (0..rows).map(|row| Some((at(row, 16) % 5) as i64 - 2)).collect();
    let names: StringArray = (0..rows).map(|row| Some(format!("k{}", at(row, 17) % 4))).collect();
    let days: Date32Array =
        (0..rows).map(|row| i32::try_from(at(row, 18) % 40_000).ok().map(|day| day - 8_000)).collect();
    let instant = |row: usize| (at(row, 19) % 4_000_000_000) as i64 * 777_777 - 500_000_000_000_000;
    let micro: TimestampMicrosecondArray = (0..rows).map(|row| Some(instant(row))).collect();
    let nano: TimestampNanosecondArray = (0..rows).map(|row| Some(instant(row) * 999)).collect();
    let label: Float64Array = (0..rows).map(|row| Some((at(row, 14) % 100) as f64 / 3.0)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(floats)),
        ("p", Arc::new(above)),
        ("n", Arc::new(integers)),
        ("u", Arc::new(unsigned)),
        ("d", Arc::new(decimals.with_precision_and_scale(9, 2).unwrap())),
        ("c", Arc::new(texts)),
        ("b", Arc::new(booleans)),
        ("q", Arc::new(signed)),
        ("m", Arc::new(whole)),
        ("k", Arc::new(names)),
        ("day", Arc::new(days)),
        ("at", Arc::new(micro.with_timezone("+05:30"))),
        ("nano", Arc::new(nano)),
        ("y", Arc::new(label)),
    ];
    let normal = columns.into_iter().map(|(name, array)| (name, normalize(&array).unwrap(), true));
    RecordBatch::try_from_iter_with_nullable(normal).unwrap()
}

fn spec(operations: &Json) -> TransformSpec {
    serde_json::from_value(operations.clone()).unwrap()
}

fn parts(table: &RecordBatch, operations: &Json) -> PackageParts {
    let source = MemorySource::new(table, 20);
    let execution = Execution::with_threads(2);
    let roles: Roles = serde_json::from_value(json!({ "label": "y" })).unwrap();
    let transform = fit(&spec(operations), &source, &roles, &execution).unwrap();
    let shared: Arc<dyn BatchTransform> = Arc::new(transform.clone());
    let options: RidgeOptions = serde_json::from_value(json!({ "alpha": 1.0 })).unwrap();
    let columns = TrainingColumns::from("y");
    let data = TrainingData { source: &source, transform: &shared, columns: &columns };
    let model = fit_ridge(data, &options, &execution).unwrap();
    PackageParts::new(transform, model)
}

/// The linear model of some parts.
fn linear(parts: &mut PackageParts) -> &mut LinearModel {
    match &mut parts.model {
        Model::Linear(model) => model,
        Model::Network(_) => panic!("no linear model"),
    }
}

/// Every operation in every form on every kind of column.
fn everything() -> Json {
    let mut operations = vec![
        json!({ "impute": { "columns": ["x"], "with": "median", "indicator": true } }),
        json!({ "clip": { "columns": ["x"], "at_least": -5.0, "at_most": 100.0 } }),
        json!({ "standardize": ["x"] }),
        json!({ "standardize": { "columns": ["p"], "as": ["p standardized"] } }),
        json!({ "impute": { "columns": ["n"], "with": "most_frequent", "indicator": true, "as": ["n filled"] } }),
        json!({ "max_abs_scale": { "columns": ["n filled"], "as": ["n share"] } }),
        json!({ "robust_scale": { "columns": ["n filled"], "as": ["n robust"] } }),
        json!({ "scale_to_range": { "columns": ["n filled"], "range": [-1, 3], "clip": true, "as": ["n range"] } }),
        json!({ "bucketize": { "columns": ["n"], "buckets": 4, "as": ["n bucket"] } }),
        json!({ "bucketize": { "columns": ["n filled"], "edges": [-2, 0.5], "output": "number", "as": ["n third"] } }),
        json!({ "bucketize": { "columns": ["p"], "buckets": 1, "as": ["p all"] } }),
        json!({ "one_hot": { "columns": ["n", "u", "b", "c"], "as": ["n level", "u level", "b level", "c level"] } }),
        json!({ "one_hot": { "columns": ["n filled"], "as": ["n filled level"] } }),
        json!({ "impute": { "columns": ["c"], "with": { "constant": "none" }, "indicator": true, "as": ["c filled"] } }),
        json!({ "one_hot": { "columns": ["c filled"], "as": ["c filled level"] } }),
        json!({ "impute": { "columns": ["b"], "with": "most_frequent", "as": ["b filled"] } }),
        json!({ "one_hot": { "columns": ["b filled"], "as": ["b filled level"] } }),
        json!({ "impute": { "columns": ["u", "d"], "with": "mean" } }),
        json!({ "pass_through": ["p"] }),
        json!({ "drop": ["c filled"] }),
        json!({ "ordinal": { "columns": ["c"], "unseen": -1.0, "as": ["c place"] } }),
        json!({ "frequency": { "columns": ["n"], "as": ["n count"] } }),
        json!({ "target_mean": { "columns": ["c"], "as": ["c mean"] } }),
        json!({ "vocabulary": { "columns": ["c"], "top": 3, "as": ["c token"] } }),
        json!({ "cross": { "columns": ["c", "b"] } }),
        json!({ "power_transform": { "columns": ["q"], "as": ["q power"] } }),
        json!({ "quantile_transform": { "columns": ["q"], "as": ["q share"] } }),
        json!({ "scale_to_gaussian": { "columns": ["q"], "as": ["q normal"] } }),
        json!({ "polynomial": ["p", "q"] }),
        json!({ "pca": ["p", "q"] }),
        json!({ "date_parts": { "columns": ["at"], "parts": ["hour"] } }),
        json!({ "cyclic": { "columns": ["m"], "period": 5 } }),
        json!({ "haversine": { "from": ["q", "p"], "to": [1.0, 2.0], "as": "far" } }),
        json!({ "derive": { "z": "p * 2 + q" } }),
    ];
    for function in FUNCTIONS {
        operations.push(json!({ "math": { "columns": ["p"], "function": function, "as": [function] } }));
    }
    Json::Array(operations)
}

#[test]
fn every_operation_does_in_onnx_what_it_does_here() {
    let table = table(300);
    let parts = parts(&table, &everything());
    let export = Export::new(&parts).unwrap();
    let rows = verify(&parts, &export, &table).unwrap();
    assert!(rows > 350, "300 rows and edges of 7 columns, not {rows}");
    let again = Export::new(&parts).unwrap();
    assert_eq!((again.transform_file, again.model_file), (export.transform_file, export.model_file));
    let named: Vec<String> = export.inputs.describe().into_iter().map(|input| input.name).collect();
    let expected = [
        "x",
        "p",
        "n",
        "n_is_null",
        "u",
        "u_is_null",
        "b",
        "b_is_null",
        "c",
        "c_is_null",
        "d",
        "q",
        "at",
        "at_is_null",
        "m",
        "m_is_null",
    ];
    assert_eq!(named, expected);
}

#[test]
fn every_link_does_in_onnx_what_it_does_here() {
    let table = table(200);
    for link in [Link::Identity, Link::Logit, Link::Log, Link::Softmax] {
        let mut parts =
            parts(&table, &json!([{ "standardize": { "columns": ["p", "q"] } }, { "one_hot": ["c"] }]));
        let model = linear(&mut parts);
        model.link = link;
        let mut other = model.outputs[0].clone();
        other.target = "other".into();
        other.intercept -= 2.0;
        other.coefficients.iter_mut().for_each(|coefficient| coefficient.value *= -0.5);
        model.outputs.push(other);
        let export = Export::new(&parts).unwrap();
        let rows = verify(&parts, &export, &table).unwrap_or_else(|error| panic!("{link:?}: {error}"));
        assert!(rows > 200, "200 rows and edges, not {rows}");
        let first = if link == Link::Softmax { "prediction_y" } else { "prediction" };
        assert_eq!(export.predictions, [first, "prediction_other"]);
        // What the file says is looked at: with another coefficient it differs.
        linear(&mut parts).outputs[1].intercept += 1e-3;
        assert!(verify(&parts, &export, &table).is_err(), "{link:?}");
    }
}

#[test]
fn each_function_keeps_its_bound_alone() {
    let table = table(300);
    for function in FUNCTIONS {
        let parts = parts(&table, &json!([{ "math": { "columns": ["p"], "function": function } }]));
        let export = Export::new(&parts).unwrap();
        verify(&parts, &export, &table).unwrap_or_else(|error| panic!("{function}: {error}"));
        let exact = !matches!(
            function,
            "cos" | "exp" | "log" | "log1p" | "log10" | "log2" | "sigmoid" | "sin" | "tanh"
        );
        assert_eq!(export.bounds, [if exact { Bound::EXACT } else { Bound::FUNCTION }], "{function}");
    }
}

#[test]
fn null_nan_unseen_and_extremes_come_out_as_stated() {
    let table = table(300);
    let operations = json!([
        { "impute": { "columns": ["c"], "with": { "constant": "c3" }, "as": ["filled"] } },
        { "one_hot": ["c", "n"] },
        { "one_hot": ["filled"] },
        { "bucketize": { "columns": ["x"], "edges": [0, 50], "as": ["bucket"] } },
    ]);
    let parts = parts(&table, &operations);
    let export = Export::new(&parts).unwrap();
    let inputs = export.inputs.describe();
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["c", "c_is_null", "n", "n_is_null", "x"]);
    let tensors = [
        Tensor::Text(vec!["c1".into(), "c6".into(), "unseen".into()]),
        Tensor::Boolean(vec![true, false, false]),
        Tensor::Integer(vec![-6, i64::MIN, 5]),
        Tensor::Boolean(vec![true, false, false]),
        Tensor::Double(vec![f64::NAN, 50.0, f64::INFINITY]),
    ];
    let features = Session::new(&export.transform_file).unwrap().run(&tensors).unwrap();
    let columns = parts.transform.space().column_names();
    let ones = |row: usize| -> Vec<&str> {
        let cells = &features[0][row * columns.len()..(row + 1) * columns.len()];
        let set = columns.iter().zip(cells).filter(|(_, cell)| **cell > 0.5);
        set.map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(ones(0), ["filled=c3"]);
    assert_eq!(ones(1), ["filled=c6", "c=c6", "bucket=from 50"]);
    assert_eq!(ones(2), ["n=5", "bucket=from 50"]);
}

#[test]
fn a_file_that_does_something_else_is_found_out() {
    let table = table(100);
    let operations = json!([{ "standardize": ["p"] }, { "one_hot": ["c"] }]);
    let parts = parts(&table, &operations);
    let mut export = Export::new(&parts).unwrap();
    let mut other = parts.clone();
    linear(&mut other).outputs[0].intercept += 1e-9;
    let error = verify(&other, &export, &table).unwrap_err();
    assert!(error.to_string().contains("`prediction` is"), "{error}");
    let shifted = table.slice(1, 60);
    let source = MemorySource::new(&shifted, 20);
    other.model = parts.model.clone();
    other.transform = fit(&spec(&operations), &source, &Roles::default(), &Execution::default()).unwrap();
    let error = verify(&other, &export, &table).unwrap_err();
    assert!(error.to_string().contains("feature `p` is"), "{error}");
    export.model_file = export.transform_file.clone();
    assert!(verify(&parts, &export, &table).is_err());
}

#[test]
fn what_onnx_cannot_express_is_refused_by_name() {
    for (operation, reason) in [
        (json!({ "hash_buckets": { "columns": ["c"], "buckets": 8 } }), "`hash_buckets` has no form in ONNX"),
        (json!({ "bag_of_words": ["c"] }), "`bag_of_words` has no form in ONNX"),
        (
            json!({ "vocabulary": { "columns": ["c"], "oov_buckets": 2 } }),
            "`vocabulary` with `oov_buckets` hashes text, which has no form in ONNX",
        ),
        (
            json!({ "cross": { "columns": ["c", "b"], "buckets": 9 } }),
            "`cross` with `buckets` hashes text, which has no form in ONNX",
        ),
        (
            json!({ "one_hot": { "columns": ["c"], "unseen": "error" } }),
            "`one_hot` with `unseen: error` stops at rows, which ONNX cannot",
        ),
        (
            json!({ "derive": { "z": "CASE WHEN lower(c) = 'c1' THEN 1 ELSE 0 END" } }),
            "`derive` asks for `lower` in `z`, which has no form in ONNX",
        ),
    ] {
        let refused = check(&spec(&json!([{ "standardize": ["p"] }, operation]))).unwrap_err();
        assert_eq!(refused.to_string(), reason);
    }
    check(&spec(&everything())).unwrap();
    let used: std::collections::BTreeSet<&str> = spec(&everything()).0.iter().map(Operation::name).collect();
    assert_eq!(used, EXPRESSIBLE.into_iter().collect(), "an operation that no test exports");
}

#[test]
fn the_package_says_why_there_is_no_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(100);
    let publish = |operations: &Json, mode: OnnxMode, name: &str| {
        parts(&table, operations).publish(&table, mode, BTreeMap::new(), &folder.path().join(name))
    };
    let hashed = json!([{ "hash_buckets": { "columns": ["c"], "buckets": 8 } }]);
    let error = publish(&hashed, OnnxMode::Required, "required").unwrap_err();
    assert_eq!(error.to_string(), "`hash_buckets` has no form in ONNX");
    assert!(!folder.path().join("required").exists());
    let record = publish(&hashed, OnnxMode::IfPossible, "possible").unwrap().onnx().unwrap().unwrap();
    assert_eq!(record.left_out.as_deref(), Some("`hash_buckets` has no form in ONNX"));
    let plain = json!([{ "standardize": ["p"] }]);
    let record = publish(&plain, OnnxMode::Off, "off").unwrap().onnx().unwrap().unwrap();
    assert_eq!((record.files, record.left_out.as_deref()), (None, Some("`onnx` is `off`")));
    assert!(!folder.path().join("off").join(ONNX_MODEL_FILE).exists());
    let package = publish(&plain, OnnxMode::Required, "plain").unwrap();
    let files = package.onnx().unwrap().unwrap().files.unwrap();
    assert_eq!((files.features.as_str(), files.prediction.as_str()), ("features", "prediction"));
    let opened = ModelPackage::open(&folder.path().join("plain")).unwrap();
    for file in [ONNX_TRANSFORM_FILE, ONNX_MODEL_FILE] {
        Session::new(&opened.artifact().read(file).unwrap()).unwrap();
    }
}

#[test]
fn names_of_columns_may_be_those_of_outputs_but_not_of_masks() {
    let table = table(100);
    let renamed = |from: &str, to: &str| {
        let columns = table
            .schema()
            .fields()
            .iter()
            .zip(table.columns())
            .map(|(field, array)| {
                let name = if field.name() == from { to } else { field.name() };
                (name.to_owned(), Arc::clone(array), true)
            })
            .collect::<Vec<_>>();
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let table = renamed("p", "prediction");
    let parts_of = |table: &RecordBatch, column: &str| {
        parts(table, &json!([{ "standardize": [column] }, { "one_hot": ["c"] }]))
    };
    let found = parts_of(&table, "prediction");
    let export = Export::new(&found).unwrap();
    assert_eq!(export.predictions, ["prediction_"]);
    verify(&found, &export, &table).unwrap();
    let table = renamed("p", "c_is_null");
    let error = Export::new(&parts_of(&table, "c_is_null")).unwrap_err();
    assert_eq!(error.to_string(), "the ONNX graph would have two tensors called `c_is_null`");
}
