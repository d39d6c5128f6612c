//! Predictions of the taxi ridge, transform included: in bulk from Parquet to Parquet, with what each feature adds, and
//! one row as a service asks for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use criterion::Criterion;
use serde_json::json;
use sluice_core::role::Roles;
use sluice_core::{BatchSource, BatchTransform, Execution};
use sluice_datasets::taxi::{Taxi, TaxiOptions};
use sluice_datasets::{Format, write_taxi};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_pipeline::step::predict::{PredictOptions, predict};
use sluice_source::{FileSource, SourceOptions, open};
use sluice_training::{RidgeOptions, TrainingColumns, TrainingData, fit_ridge};
use sluice_transform::graph::Cell;
use sluice_transform::{TransformSpec, fit};

use crate::group;

const ROWS: usize = 2_000_000;

pub(crate) fn cases(criterion: &mut Criterion) {
    let execution = Execution::default();
    let folder = tempfile::tempdir().unwrap();
    let options = TaxiOptions::new(ROWS as u64, 1, 0);
    write_taxi(&options, Format::Parquet, &folder.path().join("trips"), &execution).unwrap();
    let source = open("trips/*/*.parquet", folder.path(), &SourceOptions::default(), &execution).unwrap();
    let package = package(&source, folder.path(), &execution);
    let id = format!("{ROWS}x25/0.08");
    for (what, explain) in [("predict", false), ("predict_explain", true)] {
        let options = PredictOptions { explain, ..PredictOptions::default() };
        let target = folder.path().join(what);
        group(criterion, what, ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| predict(&package, &source, &options, &target, &execution).unwrap().0.rows);
        });
    }
    let batch = Taxi::new(&options, 1).batch(0, 1000).unwrap();
    let normal = |name: &str| sluice_core::column::normalize(batch.column_by_name(name).unwrap()).unwrap();
    let inputs = package.transform().input_columns();
    let columns: Vec<_> = inputs.iter().map(|column| normal(&column.name)).collect();
    let rows: Vec<Vec<Cell<'_>>> =
        (0..1000).map(|row| columns.iter().map(|column| Cell::of_column(column, row)).collect()).collect();
    group(criterion, "predict_row", rows.len()).bench_function("1000x6/0.08", |bencher| {
        bencher.iter(|| rows.iter().filter(|row| package.predict_row(row).unwrap().is_some()).count());
    });
}

/// The model of `datasets/taxi/pipeline.yaml`, with a penalty that is given.
fn package(source: &FileSource, folder: &Path, execution: &Execution) -> ModelPackage {
    let spec: TransformSpec = serde_json::from_value(json!([
        { "impute": { "columns": ["trip_miles", "trip_seconds"], "with": "median" } },
        { "standardize": ["fare", "trip_miles", "trip_seconds", "extras"] },
        { "one_hot": ["payment_type", "trip_start_hour"] },
    ]))
    .unwrap();
    let transform = fit(&spec, source, &Roles::default(), execution).unwrap();
    let shared: Arc<dyn BatchTransform> = Arc::new(transform.clone());
    let columns = TrainingColumns::from("tips");
    let data = TrainingData { source, transform: &shared, columns: &columns };
    let model = fit_ridge(data, &RidgeOptions::from(1.0), execution).unwrap();
    let all: Vec<usize> = (0..source.plan().columns.len()).collect();
    let rows = source.head(&all, 5).unwrap().remove(0);
    let parts = PackageParts::new(transform, model);
    parts.publish(&rows, OnnxMode::Off, BTreeMap::new(), &folder.join("model")).unwrap()
}
