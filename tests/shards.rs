//! Shards: the states of 1, 2 and 5 parts of a source, written and read back, merge to the bytes of one pass, for
//! every summary that a run computes, over real files in small splits.
//!
//! The analyzers of the transform are private to `sluice-transform`; the same law is checked there
//! (`analysis/tests.rs`).

use std::sync::Arc;

use sluice_core::column::ColumnKind;
use sluice_core::execution::Execution;
use sluice_core::group::Grouping;
use sluice_core::plan::PlanOptions;
use sluice_core::role::Roles;
use sluice_core::seam::{BatchSource, BatchTransform, Predictor};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_evaluation::measure::{MeasureOptions, Measures, Missing};
use sluice_evaluation::metric::{Definition, Metric, TaskKind};
use sluice_pipeline::spec::from_yaml;
use sluice_quality::statistics::{Statistics, StatisticsOptions};
use sluice_source::{FileSource, SourceOptions, open};
use sluice_testkit::laws::check;
use sluice_training::design::Design;
use sluice_training::{RidgeOptions, TrainingColumns, TrainingData, fit_ridge};
use sluice_transform::{Transform, TransformSpec};

use crate::support::{Place, diabetes};
use crate::tables::{mixed_csv, mixed_parquet};

const ROWS: u64 = 1_000;

/// Opens a file in splits of 37 rows, and sees that there are several.
fn source(location: &str, place: &Place) -> FileSource {
    let options = SourceOptions { plan: PlanOptions { split_rows: 37 }, ..SourceOptions::default() };
    let source = open(location, &place.path(""), &options, &Execution::default()).unwrap();
    assert!(source.plan().splits.len() >= 5, "{location}: {} splits", source.plan().splits.len());
    source
}

/// The mixed table as CSV and as Parquet, and the diabetes data.
fn sources(place: &Place) -> Vec<(FileSource, TransformSpec, &'static str)> {
    mixed_csv(ROWS, &place.path("rows.csv"));
    mixed_parquet(ROWS, 101, &place.path("rows.parquet"));
    let mixed: TransformSpec = from_yaml(
        "[ { impute: { columns: [amount, age], with: mean } }, { standardize: [amount] }, { pass_through: [age] }, \
         { one_hot: [city] } ]",
        "the test",
    )
    .unwrap();
    let numbers: TransformSpec =
        from_yaml("[ { standardize: [age, bmi] }, { one_hot: [sex] } ]", "the test").unwrap();
    vec![
        (source("rows.csv", place), mixed.clone(), "y"),
        (source("rows.parquet", place), mixed, "y"),
        (source(&diabetes("diabetes.csv"), place), numbers, "target"),
    ]
}

fn fitted(source: &FileSource, spec: &TransformSpec, label: &str) -> Transform {
    let roles = Roles { label: Some(label.into()), ..Roles::default() };
    sluice_transform::fit(spec, source, &roles, &Execution::default()).unwrap()
}

/// A package fitted on the source, made in the place.
fn package(
    source: &FileSource,
    spec: &TransformSpec,
    label: &str,
    alpha: f64,
    target: &std::path::Path,
) -> ModelPackage {
    let transform = fitted(source, spec, label);
    let shared: Arc<dyn BatchTransform> = Arc::new(transform.clone());
    let execution = Execution::default();
    let columns = TrainingColumns::from(label);
    let data = TrainingData { source, transform: &shared, columns: &columns };
    let model = fit_ridge(data, &RidgeOptions::from(alpha), &execution).unwrap();
    let columns: Vec<usize> = (0..source.plan().columns.len())
        .filter(|index| shared.inputs().contains(&source.plan().columns[*index].name))
        .collect();
    let examples = source.head(&columns, 3).unwrap().remove(0);
    let parts = PackageParts::new(transform, model);
    parts.publish(&examples, OnnxMode::IfPossible, std::collections::BTreeMap::new(), target).unwrap()
}

#[test]
fn statistics() {
    let place = Place::new();
    for (source, _, _) in sources(&place) {
        let mut options = StatisticsOptions::default();
        let columns = &source.plan().columns;
        check(&source, &Statistics::new(&options, columns).unwrap());
        let text = columns.iter().find(|column| column.kind == ColumnKind::Text).unwrap();
        options.slices = vec![format!("'{}'", text.name).parse().unwrap()];
        check(&source, &Statistics::new(&options, columns).unwrap());
    }
}

#[test]
fn design_matrices_whole_and_blocked() {
    let place = Place::new();
    for (source, spec, label) in sources(&place) {
        let transform: Arc<dyn BatchTransform> = Arc::new(fitted(&source, &spec, label));
        let columns = TrainingColumns::from(label);
        let data = TrainingData { source: &source, transform: &transform, columns: &columns };
        check(&source, &Design::new(data, 1).unwrap());
        check(&source, &Design::blocked(data, 1).unwrap());
        check(&source, &Design::exact(data, 1));
    }
}

#[test]
fn metrics_alone_and_against_a_baseline_by_slices() {
    let place = Place::new();
    for (number, (source, spec, label)) in sources(&place).into_iter().enumerate() {
        let model = |alpha: f64, name: &str| -> Arc<dyn Predictor> {
            Arc::new(package(&source, &spec, label, alpha, &place.path(&format!("{name}{number}"))))
        };
        let (candidate, baseline) = (model(0.5, "candidate"), model(5.0, "baseline"));
        let slice = if label == "y" { "city" } else { "sex" };
        let groupings = vec![Grouping::overall(), Grouping::by([slice])];
        let names = Definition::defaults(TaskKind::Regression).iter();
        let metrics: Vec<Arc<Metric>> = names.map(|name| Metric::find(name).unwrap()).collect();
        let options = MeasureOptions {
            metrics: &metrics,
            groupings,
            weight: None,
            missing: Missing::Refuse,
            label_shift: 1.5,
        };
        check(&source, &Measures::new(&candidate, None, &options));
        check(&source, &Measures::new(&candidate, Some(&baseline), &options));
    }
}

#[test]
fn transforms_do_not_depend_on_threads() {
    let place = Place::new();
    for (source, spec, label) in sources(&place) {
        let fit = |threads: usize| {
            let roles = Roles { label: Some(label.into()), ..Roles::default() };
            let transform = sluice_transform::fit(&spec, &source, &roles, &Execution::with_threads(threads));
            serde_json::to_string(&transform.unwrap()).unwrap()
        };
        assert_eq!(fit(1), fit(2));
        assert_eq!(fit(1), fit(7));
    }
}
