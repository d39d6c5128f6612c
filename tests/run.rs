//! `sluice run`: the first run, a second one, another model, and each way of being turned down.

use std::fmt::Write;

use serde_json::Value;
use sluice_testkit::assert_relative;

use crate::support::{ARTIFACTS, Outcome, Pipeline, Place, assert_same_files, diabetes, diabetes_changed};
use crate::tables::noise;

/// The mean squared error of scikit-learn's `Ridge(alpha=0.4)` on these rows, as `expected/ridge.json` has it.
const REFERENCE_MSE: f64 = 3295.714938563237;

fn run(place: &Place, pipeline: &str) -> Outcome {
    place.sluice(&["run", pipeline, "--out", "out"])
}

fn verdict(place: &Place, run: u32) -> Value {
    place.json(&format!("out/runs/{run:04}/evaluation/verdict.json"))
}

fn latest_blessed(place: &Place, name: &str) -> Value {
    place.json(&format!("out/registry/{name}/aliases.json"))["latest-blessed"].clone()
}

#[test]
fn the_first_run_passes_without_a_baseline_and_is_registered() {
    let place = Place::new();
    let outcome = run(&place, &diabetes("pipeline.yaml")).exits(0);
    let _ = outcome.says(&["PASS  no baseline; 89 rows", "registered as `diabetes` version 1"]);
    let evaluation = place.json("out/runs/0001/evaluation/metrics.json");
    let overall = &evaluation["slices"][0];
    assert_eq!(overall["slice"], Value::Array(Vec::new()));
    assert_eq!(overall["rows"], 89);
    assert_relative(overall["candidate"]["mse"].as_f64().unwrap(), REFERENCE_MSE, 1e-12);
    assert_eq!(evaluation["slices"].as_array().unwrap().len(), 3);
    assert_eq!(verdict(&place, 1)["comparison"], "no-baseline");
    assert_eq!(latest_blessed(&place, "diabetes"), 1);
    for name in ARTIFACTS {
        assert!(place.path(&format!("out/runs/0001/{name}/manifest.json")).is_file(), "{name}");
    }
    place.is_tidy();
}

#[test]
fn a_second_run_on_the_same_data_is_compared_and_is_the_same_package() {
    let place = Place::new();
    let _ = run(&place, &diabetes("pipeline.yaml")).exits(0);
    let outcome = run(&place, &diabetes("pipeline.yaml")).exits(0);
    let _ = outcome.says(&[
        "PASS  compared with the baseline on the same rows; 89 rows",
        "already registered as `diabetes` version 1",
    ]);
    assert_eq!(verdict(&place, 2)["comparison"], "compared");
    assert!(!place.path("out/registry/diabetes/versions/0002").exists());
    assert_eq!(latest_blessed(&place, "diabetes"), 1);
    for name in ["dataset", "model"] {
        let folder = |run: &str| place.path(&format!("out/runs/{run}/{name}"));
        assert_same_files(&folder("0001"), &folder("0002"));
    }
}

#[test]
fn another_penalty_is_compared_with_version_1() {
    let place = Place::new();
    let _ = run(&place, &diabetes("pipeline.yaml")).exits(0);
    let other = diabetes_changed(&place, "other.yaml", "alpha: 0.4", "alpha: 0.5");
    let outcome = run(&place, &other).exits(0);
    let _ = outcome.says(&["compared with the baseline", "registered as `diabetes` version 2"]);
    let evaluation = place.json("out/runs/0002/evaluation/metrics.json");
    let overall = &evaluation["slices"][0];
    assert_relative(overall["baseline"]["mse"].as_f64().unwrap(), REFERENCE_MSE, 1e-12);
    assert!(overall["candidate"]["mse"].as_f64().unwrap() > REFERENCE_MSE);
    assert!(overall["changes"]["rmse"]["interval"][0].is_f64());
    let manifest = place.json("out/runs/0002/evaluation/manifest.json");
    let first = place.json("out/registry/diabetes/versions/0001.json");
    assert_eq!(manifest["made_from"]["baseline"], first["digest"]);
    assert_eq!(latest_blessed(&place, "diabetes"), 2);
}

#[test]
fn a_bound_that_fails_ends_with_1_and_registers_nothing() {
    let place = Place::new();
    let strict = diabetes_changed(&place, "strict.yaml", "at_most: 60.0", "at_most: 50.0");
    let outcome = run(&place, &strict).exits(1);
    let outcome = outcome.says(&["FAIL  no baseline", "`rmse` is 57.4083 overall, above the bound of 50"]);
    assert!(!outcome.stdout.contains("registered as"));
    assert!(!place.path("out/registry").exists());
    let verdict = verdict(&place, 1);
    assert_eq!(verdict["outcome"], "fail");
    let failed: Vec<&Value> =
        verdict["reasons"].as_array().unwrap().iter().filter(|reason| reason["passed"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((&failed[0]["metric"], &failed[0]["bound"]), (&"rmse".into(), &50.0.into()));
    place.is_tidy();

    // What was registered before stays in force.
    let _ = run(&place, &diabetes("pipeline.yaml")).exits(0);
    let _ = run(&place, &strict).exits(1);
    assert_eq!(latest_blessed(&place, "diabetes"), 1);
}

/// Two groups of 400 training and 400 evaluation rows; `shift` is added to the training labels of group `b`.
fn groups(shift: f64) -> String {
    let mut text = String::from("x,group,y,subset\n");
    for row in 0..1600_u64 {
        let x = noise(row) * 4.0;
        let (group, offset) = if row % 2 == 0 { ("a", 0.0) } else { ("b", 1.0) };
        let train = row % 4 < 2;
        let wrong = if train && group == "b" { shift } else { 0.0 };
        let y = 2.0 * x + offset + noise(row + 10_000) + wrong;
        let subset = if train { "train" } else { "eval" };
        writeln!(text, "{x},{group},{y},{subset}").unwrap();
    }
    text
}

#[test]
fn a_model_that_is_worse_on_one_slice_is_blocked_and_the_slice_is_named() {
    let place = Place::new();
    let pipeline = Pipeline {
        transform: "[ { pass_through: [x] }, { one_hot: [group] } ]",
        evaluate: "{ require: [ { metric: rmse, block_if_worse: 0.0, every: group } ] }",
        ..Pipeline::default()
    };
    place.write("rows.csv", &groups(0.0));
    let _ = pipeline.run(&place).exits(0).says(&["PASS  no baseline", "version 1"]);
    place.write("rows.csv", &groups(3.0));
    let outcome = pipeline.run(&place).exits(1).says(&["FAIL  compared", "group=b"]);
    assert!(!outcome.stdout.contains("registered as"));
    let verdict = verdict(&place, 2);
    for reason in verdict["reasons"].as_array().unwrap() {
        if reason["rule"] == "block_if_worse" {
            assert_eq!(reason["passed"], reason["slice"] == "group=a", "{reason:#}");
        }
    }
    let said = outcome.stdout.lines().find(|line| line.starts_with("  ") && line.contains("group=b"));
    assert!(said.is_some_and(|line| line.contains("worse")), "{outcome:#?}");
    assert_eq!(latest_blessed(&place, "hostile"), 1);
    assert!(!place.path("out/registry/hostile/versions/0002").exists());
}

#[test]
fn data_that_break_the_schema_stop_at_validate() {
    let place = Place::new();
    place.write(
        "schema.pbtxt",
        "feature { name: \"bmi\" type: FLOAT presence { min_fraction: 1.0 } float_domain { min: -1.0 max: 0.1 } }\n\
         feature { name: \"sex\" type: BYTES }\n",
    );
    let pipeline = diabetes_changed(&place, "strict.yaml", "transform:", "schema: schema.pbtxt\ntransform:");
    let outcome = run(&place, &pipeline).exits(1);
    let outcome = outcome.says(&["REJECTED", "bmi", "0.1", "sex", "if the data are right, bmi:"]);
    let mut made: Vec<String> = fs_err::read_dir(place.path("out/runs/0001"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    made.sort();
    assert_eq!(made, ["dataset", "run.json", "schema", "statistics", "validation"], "{outcome:#?}");
    assert!(!place.path("out/registry").exists());
    let record = place.json("out/runs/0001/run.json");
    assert_eq!((&record["rejected_by"], &record["error"]), (&"validate".into(), &Value::Null));
    place.is_tidy();
}
