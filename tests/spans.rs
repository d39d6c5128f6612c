//! Data over time from outside: gaps of spans, and new data against those that an earlier run accepted.

use serde_json::Value;

use crate::support::{Outcome, Place};

const SCHEMA: &str =
    "feature { name: 'fare' type: FLOAT drift_comparator { jensen_shannon_divergence { threshold: 0.2 } } }
feature { name: 'payment_type' type: BYTES drift_comparator { infinity_norm { threshold: 0.1 } } }
dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 } }
";

/// Four spans of trips, of which the last has other fares.
fn place() -> Place {
    let place = Place::new();
    let taxi = ["datasets", "taxi", "--rows", "2000", "--spans", "4", "--drift", "fare=4", "--out", "trips"];
    let _ = place.sluice(&taxi).exits(0);
    let _ = place.write("schema.pbtxt", SCHEMA);
    pipeline(&place, "{ new_columns: ignore, previous: latest-accepted }");
    place
}

fn pipeline(place: &Place, validate: &str) {
    let text = format!(
        "pipeline: taxi\ndata:\n  inputs: {{ trips: \"trips/span-{{SPAN}}/*.parquet\" }}\n  \
         roles: {{ label: tips, key: [trip_id], ignored: [trip_total] }}\n  subsets: {{ by: subset }}\n\
         schema: schema.pbtxt\nvalidate: {validate}\ntransform:\n  - standardize: [fare]\n\
         train: {{ ridge: {{ alpha: 1 }} }}\nevaluate: {{ baseline: none, require: [ {{ metric: rmse, at_most: 9 }} ] }}\n"
    );
    let _ = place.write("pipeline.yaml", &text);
}

fn run(place: &Place, spans: &str, more: &[&str]) -> Outcome {
    place.sluice(&[&["run", "pipeline.yaml", "--out", "out", "--spans", spans], more].concat())
}

/// What the validation of a run says of itself, and whether it ran.
fn validation(place: &Place, run: u32) -> (String, String) {
    let record = place.json(&format!("out/runs/{run:04}/run.json"));
    let steps = record["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == "validate").unwrap();
    let text = |key: &str| step[key].as_str().unwrap().to_owned();
    (text("summary"), text("state"))
}

/// The codes of the findings in the first subset of a validation, with their severity and what was observed.
fn findings(place: &Place, folder: &str) -> Vec<(String, String, String)> {
    let record = place.json(&format!("{folder}/validation.json"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    record["subsets"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (text(finding, "code"), text(finding, "severity"), text(finding, "observed")))
        .collect()
}

#[test]
fn new_data_are_compared_with_the_data_before() {
    let place = place();
    let _ = run(&place, "1", &[]).exits(0);
    assert_eq!(validation(&place, 1).0, "nothing found, no earlier data to compare with");
    let _ = run(&place, "2", &[]).exits(0);
    assert_eq!(validation(&place, 2).0, "nothing found, compared with run 1");
    let record = place.json("out/runs/0002/validation/validation.json");
    let measured = record["subsets"][0]["measurements"].as_array().unwrap();
    assert_eq!(measured.len(), 2, "{record:#}");
    let digest = |run: u32| {
        let manifest = place.json(&format!("out/runs/{run:04}/validation/manifest.json"));
        manifest["made_from"]["previous"].clone()
    };
    assert!(digest(1).is_null() && digest(2).is_string());
    // The same span again is compared with what it was compared with before: the step is cached.
    let _ = run(&place, "2", &[]).exits(0);
    assert_eq!(validation(&place, 3), ("nothing found, compared with run 1".into(), "cached".into()));
    // The fourth span drifted, and the third was left out.
    let _ = run(&place, "4", &[]).exits(1).says(&["REJECTED", "jensen-shannon-high", "span-missing"]);
    assert_eq!(validation(&place, 4).0, "2 errors, 2 warnings, compared with run 3");
    let found = findings(&place, "out/runs/0004/validation");
    assert_eq!(found[1], ("span-missing".into(), "warning".into(), "span 4, span 3 is missing".into()));
    // What was turned down is compared with nothing; a span is compared with those before it only.
    let _ = run(&place, "3", &[]).exits(0);
    assert_eq!(validation(&place, 5).0, "nothing found, compared with run 3");
    let _ = run(&place, "1", &[]).exits(0);
    assert_eq!(validation(&place, 6), (validation(&place, 1).0, "cached".into()));
    // A window that lacks a span is read where it may have gaps.
    fs_err::rename(place.path("trips/span-2"), place.path("away")).unwrap();
    let refused = run(&place, "1..3", &[]).exits(3);
    assert!(
        refused.stderr.contains("span 2 of") && refused.stderr.contains("`last 7 with gaps`"),
        "{refused:#?}"
    );
    let _ = run(&place, "1..3 with gaps", &[]).exits(0);
    assert_eq!(validation(&place, 8).0, "0 errors, 2 warnings, compared with run 3");
    let gap = ("span-missing".into(), "warning".into(), "span 2 is missing".into());
    assert_eq!(findings(&place, "out/runs/0008/validation"), [gap]);
    fs_err::rename(place.path("away"), place.path("trips/span-2")).unwrap();
    // A window that overlaps with the data before has no gap.
    let _ = run(&place, "2..3", &[]).exits(0);
    assert_eq!(validation(&place, 9).0, "nothing found, compared with run 3");
    let dry = run(&place, "4", &["--dry-run"]).exits(0);
    assert!(dry.stderr.contains("validate") && dry.stderr.contains("changed: previous"), "{dry:#?}");
    place.is_tidy();
}

#[test]
fn data_without_spans_are_compared_with_the_latest_other_data() {
    let place = place();
    let text = fs_err::read_to_string(place.path("pipeline.yaml")).unwrap();
    let run = |span: u32| {
        let _ = place.write("plain.yaml", &text.replace("{SPAN}", &span.to_string()));
        place.sluice(&["run", "plain.yaml", "--out", "out"])
    };
    let _ = run(1).exits(0);
    let _ = run(1).exits(0);
    assert_eq!(
        validation(&place, 2),
        ("nothing found, no earlier data to compare with".into(), "cached".into())
    );
    let _ = run(2).exits(0);
    assert_eq!(validation(&place, 3).0, "nothing found, compared with run 2");
    let _ = run(4).exits(1).says(&["jensen-shannon-high"]);
    let _ = run(3).exits(0);
    assert_eq!(validation(&place, 5).0, "nothing found, compared with run 3");
    // Runs of another pipeline, and runs that left no record, are passed over.
    fs_err::remove_file(place.path("out/runs/0005/run.json")).unwrap();
    let record = fs_err::read_to_string(place.path("out/runs/0003/run.json")).unwrap();
    let _ = place.write("out/runs/0003/run.json", &record.replacen("\"taxi\"", "\"other\"", 1));
    let _ = run(4).exits(1);
    assert_eq!(validation(&place, 6).0, "2 errors, 0 warnings, compared with run 2");
}

#[test]
fn new_data_are_compared_with_statistics_at_a_path() {
    let place = place();
    let ingest = ["ingest", "trips/span-1", "--subset-column", "subset", "--out", "dataset"];
    let _ = place.sluice(&ingest).exits(0);
    let _ = place.sluice(&["statistics", "dataset", "--out", "baseline"]).exits(0);
    pipeline(&place, "{ new_columns: ignore, previous: baseline }");
    let _ = run(&place, "2", &[]).exits(0);
    assert_eq!(validation(&place, 1).0, "nothing found, compared with `baseline`");
    let _ = run(&place, "4", &[]).exits(1).says(&["jensen-shannon-high"]);
    // One file for all subsets, in TFDV's format: `eval` is smaller than `train`.
    let fewer = "severity: { fewer-rows-than-before: ignore }";
    pipeline(
        &place,
        &format!("{{ new_columns: ignore, previous: baseline/statistics-train.binpb, {fewer} }}"),
    );
    let _ = run(&place, "4", &[]).exits(1).says(&["jensen-shannon-high"]);
    pipeline(&place, "{ new_columns: ignore, previous: none }");
    let _ = run(&place, "4", &[]).exits(0);
    let unchecked = "drift comparators not checked without `validate.previous`";
    assert_eq!(validation(&place, 4).0, format!("nothing found, {unchecked}"));
    pipeline(&place, "{ previous: basline }");
    for command in [&["check", "pipeline.yaml"][..], &["run", "pipeline.yaml", "--out", "new"]] {
        let outcome = place.sluice(command).exits(3);
        assert!(
            outcome.stderr.contains("`validate.previous`") && outcome.stderr.contains("basline"),
            "{outcome:#?}"
        );
    }
    pipeline(&place, "{ previous: schema.pbtxt }");
    let outcome = place.sluice(&["check", "pipeline.yaml"]).exits(4);
    assert!(
        outcome.stderr.contains("schema.pbtxt") && outcome.stderr.contains("`validate.previous`"),
        "{outcome:#?}"
    );
}

#[test]
fn spans_that_lack_among_stored_ones_are_a_finding() {
    let place = place();
    for span in ["1", "2", "4"] {
        let dataset = format!("dataset-{span}");
        let ingest = ["ingest", "trips/span-{SPAN}/*.parquet", "--spans", span, "--subset-column", "subset"];
        let _ = place.sluice(&[&ingest[..], &["--out", &dataset]].concat()).exits(0);
        let (state, statistics) = (format!("state-{span}"), format!("statistics-{span}"));
        let keep = ["statistics", &dataset, "--keep-state", &state, "--out", &statistics];
        let _ = place.sluice(&keep).exits(0);
        assert_eq!(
            place.json(&format!("{statistics}/statistics.json"))["subsets"][1]["spans"],
            serde_json::json!([span.parse::<u64>().unwrap()])
        );
    }
    let merge = |spans: &[&str], out: &str| {
        let states: Vec<String> = spans.iter().map(|span| format!("state-{span}")).collect();
        let states: Vec<&str> = states.iter().map(String::as_str).collect();
        let _ = place.sluice(&[&["statistics", "merge"], &states[..], &["--out", out]].concat()).exits(0);
    };
    merge(&["4", "1"], "gap");
    merge(&["2", "1"], "whole");
    let _ = place.write("plain.pbtxt", "feature { name: 'fare' type: FLOAT }");
    let validate = |statistics: &str, more: &[&str]| {
        let given =
            ["validate", statistics, "--schema", "plain.pbtxt", "--new-columns", "ignore", "--out", "v"];
        place.sluice(&[&given[..], more].concat())
    };
    let _ = validate("whole", &[]).exits(0).says(&["ACCEPTED  0 errors, 0 warnings"]);
    let _ = validate("gap", &[]).exits(0).says(&["ACCEPTED  0 errors, 2 warnings"]);
    let missing =
        |severity: &str, observed: &str| vec![("span-missing".into(), severity.into(), observed.into())];
    assert_eq!(findings(&place, "v"), missing("warning", "spans 2 to 3 are missing"));
    let anomalies = fs_err::read_to_string(place.path("v/anomalies-eval.pbtxt")).unwrap();
    assert!(
        anomalies.contains("type: NO_DATA_IN_SPAN") && !anomalies.contains("data_missing"),
        "{anomalies}"
    );
    let _ = validate("gap", &["--severity", "span-missing=error"]).exits(1).says(&["REJECTED  2 errors"]);
    let junit = fs_err::read_to_string(place.path("v/junit.xml")).unwrap();
    assert!(junit.contains("failures=\"1\"") && junit.contains("spans 2 to 3 are missing"), "{junit}");
    let _ = validate("gap", &["--severity", "span-missing=ignore"]).exits(0).says(&["0 errors, 0 warnings"]);
    let _ = validate("statistics-4", &["--previous", "whole"]).exits(0).says(&["0 errors, 2 warnings"]);
    assert_eq!(findings(&place, "v"), missing("warning", "span 4, span 3 is missing"));
    let _ =
        validate("statistics-2", &["--previous", "statistics-1"]).exits(0).says(&["0 errors, 0 warnings"]);
    // What TFDV reads has no spans.
    let _ = validate("gap/statistics-eval.binpb", &[]).exits(0).says(&["0 errors, 0 warnings"]);
}
