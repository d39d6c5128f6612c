//! The same bytes in every artifact, for any number of threads.

use crate::support::{ARTIFACTS, Pipeline, Place, assert_same_files, diabetes};
use crate::tables::{mixed_csv, mixed_parquet};

const THREADS: [&str; 3] = ["1", "2", "7"];

/// Runs the pipeline with 1, 2 and 7 threads and compares every artifact and the registered package.
fn assert_same_with_any_threads(place: &Place, pipeline: &str) {
    for threads in THREADS {
        let out = format!("out{threads}");
        let _ = place.sluice(&["run", pipeline, "--out", &out, "--threads", threads]).exits(0);
        for name in ARTIFACTS {
            let artifact = |out: &str| place.path(&format!("{out}/runs/0001/{name}"));
            assert_same_files(&artifact("out1"), &artifact(&out));
        }
        let versions = |out: &str| {
            let registry = fs_err::read_dir(place.path(out).join("registry")).unwrap();
            registry.flatten().next().unwrap().path().join("versions/0001")
        };
        assert_same_files(&versions("out1"), &versions(&out));
    }
    place.is_tidy();
}

fn mixed_pipeline(place: &Place, input: &str) {
    let pipeline = Pipeline {
        input,
        subsets: "{ by: hash, train: 0.75, eval: 0.25, seed: 11 }",
        transform: "[ { impute: { columns: [amount], with: mean } }, { impute: { columns: [age], with: median } }, \
                    { standardize: [amount, age] }, { one_hot: [city] } ]",
        evaluate: "{ slices: [city], require: [ { metric: rmse, at_most: 100 } ] }",
        ..Pipeline::default()
    };
    pipeline.write(place);
}

#[test]
fn the_diabetes_data() {
    assert_same_with_any_threads(&Place::new(), &diabetes("pipeline.yaml"));
}

#[test]
fn mixed_types_from_csv() {
    let place = Place::new();
    mixed_csv(30_000, &place.path("rows.csv"));
    mixed_pipeline(&place, "rows.csv");
    assert_same_with_any_threads(&place, "pipeline.yaml");
}

#[test]
fn mixed_types_from_parquet_in_row_groups() {
    let place = Place::new();
    mixed_parquet(30_000, 7_001, &place.path("rows.parquet"));
    mixed_pipeline(&place, "rows.parquet");
    assert_same_with_any_threads(&place, "pipeline.yaml");
}

/// Enough rows for several splits of the size that the program uses, so that threads do share the work.
#[test]
fn several_splits() {
    let place = Place::new();
    mixed_parquet(600_000, 50_000, &place.path("rows.parquet"));
    mixed_pipeline(&place, "rows.parquet");
    assert_same_with_any_threads(&place, "pipeline.yaml");
}

/// In a run the statistics and the transform come from one scan of the training rows; alone each reads them itself.
#[test]
fn a_shared_scan_gives_the_bytes_of_the_steps_alone() {
    let place = Place::new();
    mixed_parquet(600_000, 50_000, &place.path("rows.parquet"));
    mixed_pipeline(&place, "rows.parquet");
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    assert!(outcome.stderr.contains("from the scan of the statistics"), "{outcome:#?}");
    let run = place.path("out/runs/0001");
    let dataset = run.join("dataset").display().to_string();
    let _ = place.sluice(&["statistics", &dataset, "--out", "statistics"]).exits(0);
    assert_same_files(&place.path("statistics"), &run.join("statistics"));
    let transform = ["transform", &dataset, "--pipeline", "pipeline.yaml", "--out", "transform"];
    let _ = place.sluice(&transform).exits(0);
    assert_same_files(&place.path("transform"), &run.join("transform"));
    // With one of the two there already, the other leaves the shared scan.
    let forced = place.sluice(&["run", "pipeline.yaml", "--out", "out", "--force", "transform"]).exits(0);
    assert!(!forced.stderr.contains("from the scan of the statistics"), "{forced:#?}");
    assert_same_files(&place.path("out/runs/0002/transform"), &place.path("transform"));
}

#[test]
fn the_same_table_in_both_formats_gives_the_same_subsets_and_figures() {
    let place = Place::new();
    mixed_csv(5_000, &place.path("rows.csv"));
    mixed_parquet(5_000, 999, &place.path("rows.parquet"));
    for (out, input) in [("csv", "rows.csv"), ("parquet", "rows.parquet")] {
        mixed_pipeline(&place, input);
        let _ = place.sluice(&["run", "pipeline.yaml", "--out", out]).exits(0);
    }
    let subsets = |out: &str| place.json(&format!("{out}/runs/0001/dataset/dataset.json"))["subsets"].clone();
    assert_eq!(subsets("csv"), subsets("parquet"));
    for file in ["statistics/statistics.json", "transform/transform.json", "model/model.json"] {
        let figures = |out: &str| place.json(&format!("{out}/runs/0001/{file}"));
        assert_eq!(figures("csv"), figures("parquet"), "{file}");
    }
}
