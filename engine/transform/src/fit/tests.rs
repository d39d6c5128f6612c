use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use sluice_core::batch::Batch;
use sluice_core::execution::Execution;
use sluice_core::role::Roles;
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, assert_relative, laws};

use super::{Fitter, fit};
use crate::Transform;
use crate::spec::{
    Constant, Impute, ImputeWith, OfColumns as _, OneHot, Operation, StandardizeOptions, TransformSpec,
};

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn impute(column: &str, with: ImputeWith) -> Operation {
    Operation::Impute(Impute {
        columns: columns(&[column]),
        with,
        per: Vec::new(),
        names: Vec::new(),
        indicator: false,
    })
}

fn one_hot(column: &str) -> Operation {
    Operation::OneHot(OneHot::of_columns(columns(&[column])))
}

fn standardize(names: &[&str]) -> Operation {
    Operation::Standardize(StandardizeOptions::of_columns(columns(names)))
}

fn fitted(table: &RecordBatch, operations: Vec<Operation>) -> sluice_core::Result<Transform> {
    let source = MemorySource::new(table, 3);
    fit(&TransformSpec(operations), &source, &Roles::default(), &Execution::with_threads(2))
}

/// The design matrix of a table, row by row.
fn matrix(transform: &Transform, table: &RecordBatch) -> Vec<Vec<f64>> {
    let arrays: Vec<_> =
        table.columns().iter().map(|array| sluice_core::column::normalize(array).unwrap()).collect();
    let names = table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let table = RecordBatch::try_from_iter(names.into_iter().zip(arrays)).unwrap();
    let features = transform.apply(&Batch::new(&table)).unwrap();
    let width = transform.space().width();
    let mut cells = vec![0.0; width * table.num_rows()];
    features.fill(transform.space(), 0, table.num_rows(), width, &mut cells).unwrap();
    cells.chunks(width).map(<[f64]>::to_vec).collect()
}

fn golden() -> serde_json::Value {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/expected/transform.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(serde_json::Value::as_f64).collect()
}

#[test]
fn imputing_agrees_with_scikit_learn() {
    for case in golden()["simple_imputer"].as_array().unwrap() {
        let with = match case["strategy"].as_str().unwrap() {
            "mean" => ImputeWith::Mean,
            "most_frequent" => ImputeWith::MostFrequent,
            // scikit-learn averages the two middle values, ours is the lower of them: see `operation::impute`.
            _ => continue,
        };
        let input = Float64Array::from(numbers(&case["input"]));
        let table = RecordBatch::try_from_iter([("x", Arc::new(input) as ArrayRef)]).unwrap();
        let transform = fitted(&table, vec![impute("x", with)]).unwrap();
        let found: Vec<Option<f64>> =
            matrix(&transform, &table).into_iter().map(|row| Some(row[0])).collect();
        assert_eq!(found, numbers(&case["output"]), "{case}");
    }
}

#[test]
fn one_hot_agrees_with_scikit_learn() {
    let case = &golden()["one_hot_encoder"];
    let texts = |key: &str| -> RecordBatch {
        let values: StringArray =
            case[key].as_array().unwrap().iter().map(serde_json::Value::as_str).collect();
        RecordBatch::try_from_iter([("c", Arc::new(values) as ArrayRef)]).unwrap()
    };
    let transform = fitted(&texts("fitted_on"), vec![one_hot("c")]).unwrap();
    let levels: Vec<String> = case["categories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|level| format!("c={}", level.as_str().unwrap()))
        .collect();
    assert_eq!(transform.space().column_names(), levels);
    let expected: Vec<Vec<f64>> = case["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| numbers(row).into_iter().flatten().collect())
        .collect();
    assert_eq!(matrix(&transform, &texts("input")), expected);
}

#[test]
fn standardizing_agrees_with_scikit_learn() {
    let case = &golden()["standard_scaler"];
    let names: Vec<&str> =
        case["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/diabetes.csv");
    let text = fs_err::read_to_string(path).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let table = |keep: &dyn Fn(usize, &str) -> bool| {
        let kept: Vec<_> =
            rows.iter().enumerate().filter(|(n, row)| keep(*n, row[11])).map(|(_, row)| row).collect();
        RecordBatch::try_from_iter(names.iter().enumerate().map(|(index, name)| {
            let values: Float64Array = kept.iter().map(|row| row[index].parse::<f64>().ok()).collect();
            (*name, Arc::new(values) as ArrayRef)
        }))
        .unwrap()
    };
    let transform = fitted(&table(&|_, subset| subset == "train"), vec![standardize(&names)]).unwrap();
    let wanted: Vec<usize> = case["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| usize::try_from(row.as_u64().unwrap()).unwrap())
        .collect();
    let found = matrix(&transform, &table(&|n, _| wanted.contains(&n)));
    for (found, expected) in found.iter().zip(case["transformed"].as_array().unwrap()) {
        for (found, expected) in found.iter().zip(numbers(expected)) {
            assert_relative(*found, expected.unwrap(), 1e-13);
        }
    }
}

fn mixed() -> RecordBatch {
    RecordBatch::try_from_iter([
        ("age", Arc::new(Int64Array::from(vec![Some(30), None, Some(50), Some(30), None])) as ArrayRef),
        ("city", Arc::new(StringArray::from(vec![Some("b"), Some("a"), None, Some("b"), Some("")]))),
        ("member", Arc::new(BooleanArray::from(vec![Some(true), Some(true), None, Some(true), Some(true)]))),
        ("flat", Arc::new(Float64Array::from(vec![0.1; 5]))),
    ])
    .unwrap()
}

#[test]
fn standardizing_after_imputing_sees_the_filled_column() {
    let zero = ImputeWith::Constant(Constant::Number(10.0));
    let transform = fitted(&mixed(), vec![impute("age", zero), standardize(&["age", "flat"])]).unwrap();
    let filled = [30.0, 10.0, 50.0, 30.0, 10.0];
    let mean = filled.iter().sum::<f64>() / 5.0;
    let deviation = (filled.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
    for (row, value) in matrix(&transform, &mixed()).iter().zip(filled) {
        assert_relative(row[0], (value - mean) / deviation, 1e-15);
        assert_eq!(row[1].to_bits(), 0.0_f64.to_bits(), "a constant column is centred, not scaled");
    }
}

#[test]
fn a_filled_value_is_a_level_like_any_other() {
    let missing = ImputeWith::Constant(Constant::Text("missing".into()));
    let transform = fitted(&mixed(), vec![impute("city", missing), one_hot("city"), one_hot("age")]).unwrap();
    assert_eq!(
        transform.space().column_names(),
        ["city=", "city=a", "city=b", "city=missing", "age=30", "age=50"]
    );
    let rows = matrix(&transform, &mixed());
    assert_eq!(rows[2], [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[1], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let restored: Transform = serde_json::from_str(&serde_json::to_string(&transform).unwrap()).unwrap();
    assert_eq!(matrix(&restored, &mixed()), rows);
}

#[test]
fn a_boolean_is_a_number_or_a_level() {
    let transform =
        fitted(&mixed(), vec![impute("member", ImputeWith::MostFrequent), one_hot("member")]).unwrap();
    assert_eq!(transform.space().column_names(), ["member=true"]);
    assert_eq!(matrix(&transform, &mixed()), vec![vec![1.0]; 5]);
}

#[test]
fn what_does_not_fit_is_said() {
    let message = |operations: Vec<Operation>| {
        let error = fitted(&mixed(), operations).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    };
    assert_eq!(
        message(vec![standardize(&["aeg"])]),
        "`standardize` names column `aeg`, which is not in the data / did you mean `age`?"
    );
    assert!(
        message(vec![standardize(&["city"])])
            .starts_with("`standardize` needs numbers, but column `city` is text")
    );
    assert!(message(vec![one_hot("city"), standardize(&["city"])]).contains("column `city` is levels"));
    assert!(message(vec![impute("city", ImputeWith::Mean), one_hot("city")]).contains("numbers for a mean"));
    assert!(message(vec![]).starts_with("the transform names no column"));
    let constant = ImputeWith::Constant(Constant::Text("x".into()));
    assert!(message(vec![impute("age", constant)]).starts_with("`impute` cannot put `x` into column `age`"));
    let roles = Roles { label: Some("age".into()), ..Roles::default() };
    let source = MemorySource::new(&mixed(), 3);
    let error =
        fit(&TransformSpec(vec![standardize(&["age"])]), &source, &roles, &Execution::default()).unwrap_err();
    assert_eq!(error.to_string(), "`standardize` names column `age`, which is the label");
}

#[test]
fn the_analysis_keeps_the_laws() {
    let rows = 500;
    let number: Float64Array = (0..rows)
        .map(|n| (n % 7 != 0).then(|| if n % 5 == 0 { f64::NAN } else { f64::from(n * 37 % 101) / 3.0 }))
        .collect();
    let city: StringArray = (0..rows).map(|n| (n % 6 != 0).then(|| format!("c{}", n * 31 % 23))).collect();
    let table =
        RecordBatch::try_from_iter([("x", Arc::new(number) as ArrayRef), ("city", Arc::new(city))]).unwrap();
    let source = MemorySource::new(&table, 37).with_batch_rows(10);
    let operations = TransformSpec(vec![
        impute("x", ImputeWith::Median),
        standardize(&["x"]),
        impute("city", ImputeWith::MostFrequent),
        one_hot("city"),
    ]);
    let columns = &sluice_core::BatchSource::plan(&source).columns;
    let analysis =
        Fitter::new(&operations, columns, &Roles::default()).unwrap().next_scan().unwrap().unwrap();
    laws::check(&source, &analysis);
}

#[test]
fn the_scans_that_are_foreseen_are_those_that_fitting_takes() {
    let x: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0), Some(8.0)]));
    let n: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 2, 5]));
    let table = RecordBatch::try_from_iter_with_nullable([("x", x, true), ("n", n, true)]).unwrap();
    let operations = serde_json::json!([
        { "impute": { "columns": ["x"], "with": "median" } },
        { "standardize": ["x"] },
        { "derive": { "sum": "x + n" } },
        { "standardize": ["sum"] },
        { "one_hot": ["n"] },
        { "pass_through": ["n"] },
    ]);
    let source = MemorySource::new(&table, 3);
    let spec = crate::testing::spec(&operations);
    let mut fitter =
        Fitter::new(&spec, &sluice_core::seam::BatchSource::plan(&source).columns, &Roles::default())
            .unwrap();
    let scans = fitter.scans();
    let learned: Vec<Vec<(&str, bool)>> = scans
        .iter()
        .map(|scan| scan.learns.iter().map(|it| (it.operation.as_str(), it.with_impute)).collect())
        .collect();
    assert_eq!(
        learned,
        [vec![("impute", false), ("standardize", true), ("one_hot", false)], vec![("standardize", false)]]
    );
    let columns = |scan: usize| -> Vec<(&str, bool)> {
        scans[scan].columns.iter().map(|column| (column.name.as_str(), column.counted)).collect()
    };
    assert_eq!(columns(0), [("n", true), ("x", true)]);
    assert_eq!(columns(1), [("n", false), ("x", false)]);
    let mut count = 0;
    while let Some(analysis) = fitter.next_scan().unwrap() {
        let state = sluice_core::fold::fold(&source, &analysis, &Execution::with_threads(1)).unwrap();
        fitter.absorb(state.accumulator).unwrap();
        count += 1;
        assert_eq!(fitter.scans().len(), scans.len() - count);
    }
    assert_eq!(count, scans.len());
}
