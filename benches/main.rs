//! What the engine's inner loops cost, as criterion benchmarks; the peers' times stand in `benches/peers`.
//!
//! `cargo bench` runs all of them in two to three minutes, `cargo bench statistics` those of that name. The id
//! of a case is `what/rowsxcolumns/share of null cells`. Data have a constant seed and are made before anything
//! is timed; all cores are used, as by the command line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot make its data fails by panicking"
)]

mod data;
mod predict;
mod transform;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::fold::fold;
use sluice_core::group::GroupMap;
use sluice_core::plan::PlanOptions;
use sluice_core::role::Roles;
use sluice_core::{BatchSource, BatchTransform, Execution, Predictor, Result};
use sluice_datasets::taxi::{Taxi, TaxiOptions};
use sluice_datasets::{Format, write_taxi};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_evaluation::{Baseline, EvaluateOptions, evaluate};
use sluice_source::{SourceOptions, open};
use sluice_testkit::MemorySource;
use sluice_training::design::Design;
use sluice_training::{RidgeOptions, TrainingColumns, TrainingData, fit_ridge};
use sluice_transform::{Operation, Transform, TransformSpec, fit};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .sample_size(10)
        .configure_from_args();
    statistics(&mut criterion);
    statistics_beside_decoding(&mut criterion);
    transform::cases(&mut criterion);
    predict::cases(&mut criterion);
    ridge(&mut criterion);
    evaluation(&mut criterion);
    csv(&mut criterion);
    overhead(&mut criterion);
    taxi(&mut criterion);
    criterion.final_summary();
}

/// A group whose cases are shown in rows per second.
fn group<'a>(criterion: &'a mut Criterion, what: &str, rows: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(what);
    group.throughput(Throughput::Elements(rows as u64));
    group
}

fn in_memory(table: &RecordBatch) -> MemorySource {
    MemorySource::new(table, PlanOptions::SPLIT_ROWS)
}

/// Full statistics: the same table in memory and as three kinds of file. Opening the file is timed too, because for
/// CSV it is a pass of its own.
fn statistics(criterion: &mut Criterion) {
    const ROWS: usize = 300_000;
    let execution = Execution::default();
    for share in [0.0, 0.2] {
        let id = format!("{ROWS}x12/{share}");
        let table = data::mixed(ROWS, 12, share);
        let folder = tempfile::tempdir().unwrap();
        let source = in_memory(&table);
        group(criterion, "statistics_memory", ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| sluice_quality::statistics::compute("all", &source, &execution).unwrap());
        });
        data::write_parquet(&folder.path().join("coded.parquet"), &table, true);
        data::write_parquet(&folder.path().join("plain.parquet"), &table, false);
        data::write_csv(&folder.path().join("rows.csv"), &table);
        for (what, file) in [
            ("statistics_parquet_dictionary", "coded.parquet"),
            ("statistics_parquet_plain", "plain.parquet"),
            ("statistics_csv", "rows.csv"),
        ] {
            group(criterion, what, ROWS).bench_function(&id, |bencher| {
                bencher.iter(|| {
                    let source = open_file(folder.path(), file);
                    sluice_quality::statistics::compute("all", &source, &execution).unwrap()
                });
            });
        }
    }
}

/// Full statistics of large Parquet files, reading included, beside what arrow-rs takes to decode them and do nothing:
/// two million taxi trips, dictionary-encoded, and a hundred plain columns of a million floats. On one thread wall
/// time is CPU time; then on all.
fn statistics_beside_decoding(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let options = TaxiOptions::new(2_000_000, 1, 0);
    let trips = folder.path().join("trips");
    write_taxi(&options, Format::Parquet, &trips, &Execution::default()).unwrap();
    let floats = folder.path().join("floats");
    fs_err::create_dir(&floats).unwrap();
    data::write_parquet(&floats.join("floats.parquet"), &data::regression(1_000_000, 100), false);
    for (table, rows) in [(&trips, 2_000_000), (&floats, 1_000_000)] {
        let name = table.file_name().unwrap().to_string_lossy().into_owned();
        let mut group = group(criterion, &format!("statistics_beside_decoding_{name}"), rows);
        group.sample_size(10);
        group.bench_function("decode/1_thread", |bencher| {
            bencher.iter(|| assert_eq!(data::decode(table), rows));
        });
        for (threads, execution) in
            [("1_thread", Execution::with_threads(1)), ("all_threads", Execution::default())]
        {
            group.bench_function(format!("statistics/{threads}"), |bencher| {
                bencher.iter(|| {
                    let source = open("**/*.parquet", table, &SourceOptions::default(), &execution).unwrap();
                    sluice_quality::statistics::compute("all", &source, &execution).unwrap()
                });
            });
        }
    }
}

fn open_file(folder: &Path, name: &str) -> sluice_source::FileSource {
    open(name, folder, &SourceOptions::default(), &Execution::default()).unwrap()
}

fn names(prefix: &str, indices: impl Iterator<Item = usize>) -> Vec<String> {
    indices.map(|index| format!("{prefix}{index}")).collect()
}

fn pass_through(source: &dyn BatchSource, columns: usize) -> Transform {
    let spec = TransformSpec(vec![Operation::PassThrough(names("x", 0..columns))]);
    fit(&spec, source, &Roles::default(), &Execution::default()).unwrap()
}

/// The scan of a ridge regression: a million rows of a hundred features to one Gram matrix.
fn ridge(criterion: &mut Criterion) {
    const ROWS: usize = 1_000_000;
    const COLUMNS: usize = 100;
    let execution = Execution::default();
    let source = in_memory(&data::regression(ROWS, COLUMNS));
    let transform: Arc<dyn BatchTransform> = Arc::new(pass_through(&source, COLUMNS));
    let columns = TrainingColumns::from("y");
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let design = Design::blocked(data, 1).unwrap();
    group(criterion, "ridge_design", ROWS).bench_function(format!("{ROWS}x{COLUMNS}/0"), |bencher| {
        bencher.iter(|| fold(&source, &design, &execution).unwrap().rows);
    });
}

fn model(source: &dyn BatchSource, transform: &Transform, alpha: f64, folder: &Path) -> Arc<dyn Predictor> {
    let shared: Arc<dyn BatchTransform> = Arc::new(transform.clone());
    let columns = TrainingColumns::from("y");
    let data = TrainingData { source, transform: &shared, columns: &columns };
    let fitted = fit_ridge(data, &RidgeOptions::from(alpha), &Execution::default()).unwrap();
    let columns: Vec<usize> = (0..transform.space().width()).collect();
    let examples = source.head(&columns, 5).unwrap().remove(0);
    let parts = PackageParts::new(transform.clone(), fitted);
    let package: ModelPackage = parts
        .publish(&examples, OnnxMode::Off, BTreeMap::new(), &folder.join(format!("alpha-{alpha}")))
        .unwrap();
    Arc::new(package)
}

/// All metrics overall, by zone and by zone and payment, of a candidate and of a baseline.
fn evaluation(criterion: &mut Criterion) {
    const ROWS: usize = 300_000;
    const COLUMNS: usize = 10;
    let execution = Execution::default();
    let folder = tempfile::tempdir().unwrap();
    let source = in_memory(&data::regression(ROWS, COLUMNS));
    let transform = pass_through(&source, COLUMNS);
    let candidate = model(&source, &transform, 0.1, folder.path());
    let baseline = Baseline::Model(model(&source, &transform, 1e4, folder.path()));
    let options: EvaluateOptions = serde_json::from_str(
        r#"{
            "slices": ["zone", ["zone", "payment"]],
            "require": [{ "metric": "rmse", "block_if_worse": 0.0, "every": "zone" }]
        }"#,
    )
    .unwrap();
    let id = format!("{ROWS}x{COLUMNS}/0");
    group(criterion, "evaluation_3_groupings_2_models", ROWS).bench_function(&id, |bencher| {
        bencher.iter(|| evaluate(&source, &candidate, &baseline, &options, &execution).unwrap());
    });
}

/// CSV: the pass that finds types and splits, then reading every column into batches.
fn csv(criterion: &mut Criterion) {
    const ROWS: usize = 300_000;
    let folder = tempfile::tempdir().unwrap();
    for share in [0.0, 0.2] {
        let id = format!("{ROWS}x12/{share}");
        data::write_csv(&folder.path().join("rows.csv"), &data::mixed(ROWS, 12, share));
        group(criterion, "csv_survey", ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| open_file(folder.path(), "rows.csv").plan().rows());
        });
        let source = open_file(folder.path(), "rows.csv");
        group(criterion, "csv_read", ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| touch(&source));
        });
    }
}

/// What a fold costs by itself: a thousand splits of which nothing is asked but how many rows they have.
fn overhead(criterion: &mut Criterion) {
    const ROWS: usize = 1_000_000;
    let table = data::mixed(ROWS, 1, 0.0);
    for splits in [1_u64, 1000] {
        let source = MemorySource::new(&table, ROWS as u64 / splits);
        group(criterion, &format!("fold_{splits}_splits"), ROWS)
            .bench_function(format!("{ROWS}x1/0"), |bencher| bencher.iter(|| touch(&source)));
    }
}

/// Making taxi trips: the rows alone, on one thread, and the whole table as files, on all.
fn taxi(criterion: &mut Criterion) {
    const ROWS: usize = 1_000_000;
    let id = format!("{ROWS}x25/0.08");
    let options = TaxiOptions::new(ROWS as u64, 1, 0);
    let trips = Taxi::new(&options, 1);
    group(criterion, "taxi_rows", ROWS).bench_function(&id, |bencher| {
        bencher.iter(|| {
            let blocks = (0..ROWS as u64).step_by(10_000);
            blocks.map(|first| trips.batch(first, 10_000).unwrap().num_rows()).sum::<usize>()
        });
    });
    let folder = tempfile::tempdir().unwrap();
    for (what, format) in [("taxi_parquet", Format::Parquet), ("taxi_csv", Format::Csv)] {
        let target = folder.path().join(what);
        group(criterion, what, ROWS).bench_function(&id, |bencher| {
            bencher.iter(|| write_taxi(&options, format, &target, &Execution::default()).unwrap().0);
        });
    }
}

/// Reads all columns of a source and does nothing with them.
fn touch(source: &dyn BatchSource) -> u64 {
    let touched = Touched { columns: source.plan().column_names(), rows: 0 };
    fold(source, &touched, &Execution::default()).unwrap().accumulator.rows
}

/// Counts rows, after having asked for their columns.
struct Touched {
    columns: Vec<String>,
    rows: u64,
}

impl Accumulator for Touched {
    type Output = u64;

    fn inputs(&self) -> Inputs {
        self.columns.iter().fold(Inputs::default(), Inputs::with_column)
    }

    fn empty(&self) -> Self {
        Self { columns: self.columns.clone(), rows: 0 }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        if let Input::Rows(batch) = input {
            self.rows += batch.rows() as u64;
        }
        Ok(())
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.rows += later.rows;
        Ok(())
    }

    fn finish(self) -> u64 {
        self.rows
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
    }
}
