//! Transforms: fitting and applying in memory, the graph of a taxi table from Parquet to features, and one row of it.

use std::path::Path;

use criterion::Criterion;
use serde_json::json;
use sluice_core::artifact::Artifact;
use sluice_core::role::Roles;
use sluice_core::{Batch, BatchSource, BatchTransform, Execution};
use sluice_datasets::taxi::{Taxi, TaxiOptions};
use sluice_datasets::{Format, write_taxi};
use sluice_pipeline::step::apply::{FeatureLayout, apply};
use sluice_source::{SourceOptions, open};
use sluice_transform::graph::Cell;
use sluice_transform::{TransformSpec, fit};

use crate::{data, group, in_memory, names};

pub(crate) fn cases(criterion: &mut Criterion) {
    in_memory_cases(criterion);
    taxi_cases(criterion);
}

/// Imputation and standardization of nine columns and one-hot of three: fitting, then applying to all rows.
fn in_memory_cases(criterion: &mut Criterion) {
    const ROWS: usize = 300_000;
    let execution = Execution::default();
    let numeric = || names("c", (0..12).filter(|index| index % 4 != 2));
    let spec: TransformSpec = serde_json::from_value(json!([
        { "impute": { "columns": numeric(), "with": "mean" } },
        { "standardize": numeric() },
        { "one_hot": names("c", [2, 6, 10].into_iter()) },
    ]))
    .unwrap();
    let roles = Roles::default();
    for share in [0.0, 0.2] {
        let id = format!("{ROWS}x12/{share}");
        let table = data::mixed(ROWS, 12, share);
        let source = in_memory(&table);
        group(criterion, "transform_fit", ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| fit(&spec, &source, &roles, &execution).unwrap());
        });
        let fitted = fit(&spec, &source, &roles, &execution).unwrap();
        let all: Vec<usize> = (0..source.plan().columns.len()).collect();
        let batches: Vec<Batch> = source.head(&all, ROWS).unwrap().iter().map(Batch::new).collect();
        group(criterion, "transform_apply", ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| batches.iter().map(|batch| fitted.apply(batch).unwrap().rows).sum::<usize>());
        });
    }
}

/// The graph that `benches/peers` gives polars and scikit-learn too.
fn taxi_graph() -> TransformSpec {
    let places = ["pickup_latitude", "pickup_longitude", "dropoff_latitude"];
    serde_json::from_value(json!([
        { "impute": { "columns": ["trip_seconds", "trip_miles", places[0], places[1], places[2]], "with": "mean" } },
        { "standardize": ["trip_seconds", "trip_miles", "fare", "extras", "tolls"] },
        { "bucketize": { "columns": places, "buckets": 10 } },
        { "one_hot": ["company", "payment_type"] },
        { "ordinal": ["taxi_id", "pickup_community_area", "dropoff_community_area"] },
    ]))
    .unwrap()
}

/// From Parquet to the fitted transform and the features as Arrow IPC; then one row, as a service asks for it.
fn taxi_cases(criterion: &mut Criterion) {
    const ROWS: usize = 2_000_000;
    let execution = Execution::default();
    let folder = tempfile::tempdir().unwrap();
    let options = TaxiOptions::new(ROWS as u64, 1, 0);
    write_taxi(&options, Format::Parquet, &folder.path().join("trips"), &execution).unwrap();
    let (spec, roles) = (taxi_graph(), Roles::default());
    let open = || open("trips/*/*.parquet", folder.path(), &SourceOptions::default(), &execution).unwrap();
    let fitted = fit(&spec, &open(), &roles, &execution).unwrap();
    let id = format!("{ROWS}x25/0.08");
    let mut timed = group(criterion, "transform_fit_apply", ROWS);
    timed.bench_function(&id, |bencher| {
        bencher.iter(|| {
            let source = open();
            let transform = fit(&spec, &source, &roles, &execution).unwrap();
            features(&transform, &source, folder.path(), &execution)
        });
    });
    timed.finish();
    let batch = Taxi::new(&options, 1).batch(0, 1000).unwrap();
    let normal = |name: &str| sluice_core::column::normalize(batch.column_by_name(name).unwrap()).unwrap();
    let columns: Vec<_> = fitted.input_columns().iter().map(|column| normal(&column.name)).collect();
    let rows: Vec<Vec<Cell<'_>>> =
        (0..1000).map(|row| columns.iter().map(|column| Cell::of_column(column, row)).collect()).collect();
    group(criterion, "transform_apply_row", rows.len()).bench_function("1000x10/0.08", |bencher| {
        bencher.iter(|| rows.iter().map(|row| fitted.apply_row(row).unwrap().len()).sum::<usize>());
    });
}

fn features(
    transform: &sluice_transform::Transform,
    source: &dyn BatchSource,
    folder: &Path,
    execution: &Execution,
) -> Artifact {
    let layout = FeatureLayout::Arrow { expanded: false };
    apply((transform, "bench"), source, layout, &[], &folder.join("features"), execution).unwrap().1
}
