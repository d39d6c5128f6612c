//! A component leaves the bytes that its command leaves, and answers every output of its component file.

use serde_json::json;

use super::{COMPONENTS, Task, made};
use crate::support::{Place, assert_same_files, diabetes};

const OPERATIONS: [&str; 2] =
    ["{pass_through: [age, bmi, bp, s1, s2, s3, s4, s5, s6]}", "{standardize: [sex]}"];

/// The diabetes data through every command of the command line.
fn by_hand(place: &Place) {
    let data = diabetes("diabetes.csv");
    let commands: [&[&str]; 8] = [
        &["ingest", &data, "--subset-column", "subset", "--column-type", "age=float", "--out", "dataset"],
        &["statistics", "dataset", "--out", "statistics"],
        &["schema", "statistics", "--out", "schema"],
        &["validate", "statistics", "--schema", "schema", "--out", "validation"],
        &[
            "transform",
            "dataset",
            "--operation",
            OPERATIONS[0],
            "--operation",
            OPERATIONS[1],
            "--out",
            "transform",
        ],
        &[
            "train",
            "dataset",
            "--transform",
            "transform",
            "--label",
            "target",
            "--alpha",
            "0.4",
            "--out",
            "model",
        ],
        &[
            "evaluate",
            "dataset",
            "--model",
            "model",
            "--slice",
            "sex",
            "--metric",
            "rmse",
            "--metric",
            "r2",
            "--require",
            "{metric: rmse, at_most: 60}",
            "--alpha",
            "0.01",
            "--out",
            "evaluation",
        ],
        &["predict", "model", "dataset", "--subset", "train", "--keep", "age", "--out", "predictions"],
    ];
    for command in commands {
        let _ = place.sluice(command).exits(0);
    }
    let push = ["push", "model", "--evaluation", "evaluation", "--registry", "registry", "--name", "m"];
    let _ = place.sluice(&push).exits(0);
}

/// The same through executor inputs, each fed with what the one before left. Answers the answers.
fn as_components(place: &Place) -> Vec<serde_json::Value> {
    let task = |command| Task::new(place, command);
    let dataset = made(place, "ingest", "dataset");
    let statistics = made(place, "statistics", "statistics");
    let (transform, model) = (made(place, "transform", "transform"), made(place, "train", "model"));
    let evaluation = made(place, "evaluate", "evaluation");
    let tasks = [
        task("ingest")
            .parameter("input", diabetes("diabetes.csv"))
            .parameter("subset_column", "subset")
            .parameter("column_type", json!({"age": "float"}))
            // What Kubeflow sends for parameters that were not given, and for a default.
            .parameter("share", json!(null))
            .parameter("format", "")
            .parameter("no_header", false)
            .parameter("delimiter", ",")
            .parameter("threads", 2.0),
        task("statistics").artifact("dataset", &dataset),
        task("schema").artifact("statistics", &statistics),
        task("validate")
            .artifact("statistics", &statistics)
            .artifact("schema", &made(place, "schema", "schema")),
        task("transform").artifact("dataset", &dataset).parameter("operation", json!(OPERATIONS).to_string()),
        task("train")
            .artifact("dataset", &dataset)
            .artifact("transform", &transform)
            .parameter("label", "target")
            .parameter("alpha", 0.4),
        task("evaluate")
            .artifact("dataset", &dataset)
            .artifact("model", &model)
            .artifact("baseline", &place.path("nothing"))
            .parameter("slice", json!([["sex"]]))
            .parameter("metric", json!(["rmse", "r2"]))
            .parameter("require", json!([{"metric": "rmse", "at_most": 60}]))
            .parameter("alpha", "0.01"),
        task("predict")
            .artifact("model", &model)
            .artifact("dataset", &dataset)
            .parameter("subset", "train")
            .parameter("keep", json!(["age"])),
        task("push")
            .artifact("model", &model)
            .artifact("evaluation", &evaluation)
            .parameter("registry", place.path("task/registry").display().to_string())
            .parameter("name", "m"),
    ];
    tasks.iter().map(|task| task.answers(place, &["--quiet"], 0)).collect()
}

#[test]
fn every_component_leaves_the_bytes_of_its_command() {
    let place = Place::new();
    by_hand(&place);
    let answers = as_components(&place);
    for (command, artifact) in [
        ("ingest", "dataset"),
        ("statistics", "statistics"),
        ("schema", "schema"),
        ("validate", "validation"),
        ("transform", "transform"),
        ("train", "model"),
        ("evaluate", "evaluation"),
        ("predict", "predictions"),
    ] {
        assert_same_files(&place.path(artifact), &made(&place, command, artifact));
    }
    assert_same_files(&place.path("registry/m/versions/0001"), &place.path("task/registry/m/versions/0001"));
    let values: Vec<_> = answers.iter().map(|answer| answer["parameterValues"].clone()).collect();
    assert_eq!(values[0], json!({"rows": 442}));
    assert_eq!(values[1], json!({"rows": 442}));
    assert_eq!(values[2], json!({"columns": 11}));
    let verdict = json!({"blessed": true, "blessing": "BLESSED", "outcome": "pass", "reasons": []});
    let mut validated = verdict.clone();
    validated.as_object_mut().unwrap().extend([("errors".into(), json!(0)), ("warnings".into(), json!(0))]);
    assert_eq!(values[3], validated);
    assert_eq!(values[4], json!({"features": 10, "width": 10}));
    assert_eq!(values[5], json!({"chosen_alpha": 0.4, "rows": 353}));
    let mut evaluated = verdict;
    evaluated["comparison"] = "no-baseline".into();
    assert_eq!(values[6], evaluated);
    assert_eq!(values[7], json!({"rows": 353, "rows_without_prediction": 0}));
    let registered = place.path("task/registry/m/versions/0001").display().to_string();
    assert_eq!(values[8], json!({"pushed": true, "version": 1, "path": registered}));
    // Lineage: the digest of an artifact is that of its manifest.
    let manifest = fs_err::read(made(&place, "ingest", "dataset").join("manifest.json")).unwrap();
    let metadata = &answers[0]["artifacts"]["dataset"]["artifacts"][0]["metadata"];
    let expected = json!({
        "kind": "dataset", "format_version": 1, "digest": sluice_core::artifact::hex_digest(&manifest),
        "rows_train": 353, "rows_eval": 89,
    });
    assert_eq!(metadata, &expected);
}

#[test]
fn files_may_come_as_an_artifact() {
    let place = Place::new();
    let folder = place.path("imported/files");
    fs_err::create_dir_all(folder.parent().unwrap()).unwrap();
    fs_err::copy(diabetes("diabetes.csv"), &folder).unwrap();
    // An artifact's name says nothing about the format.
    let task = Task::new(&place, "ingest").artifact("files", &folder);
    let task = task
        .parameter("format", "csv")
        .parameter("share", json!({"train": 0.75, "eval": 0.25}))
        .parameter("seed", 7);
    let _ = task.answers(&place, &[], 0);
    let by_hand = [
        "ingest",
        "imported/files",
        "--format",
        "csv",
        "--share",
        "train=0.75",
        "--share",
        "eval=0.25",
        "--seed",
        "7",
    ];
    let _ = place.sluice(&[&by_hand[..], &["--out", "dataset"]].concat()).exits(0);
    assert_same_files(&place.path("dataset"), &made(&place, "ingest", "dataset"));
}

#[test]
fn a_whole_run_is_a_component_that_takes_the_text_of_the_pipeline() {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "done", "--quiet"]).exits(0);
    let text = fs_err::read_to_string(diabetes("pipeline.yaml")).unwrap();
    let text = text.replace("diabetes: diabetes.csv", &format!("diabetes: {}", diabetes("diabetes.csv")));
    let out = place.path("mounted").display().to_string();
    let task = Task::new(&place, "run").parameter("pipeline", text).parameter("out", out.as_str());
    let answer = task.answers(&place, &["--quiet"], 0);
    for artifact in ["statistics", "validation", "model", "evaluation"] {
        let by_hand = place.path(&format!("done/runs/0001/{artifact}"));
        assert_same_files(&by_hand, &made(&place, "run", artifact));
    }
    assert_eq!(
        answer["parameterValues"],
        json!({
            "blessed": true, "blessing": "BLESSED", "outcome": "pass", "reasons": [], "rejected_by": "",
            "pushed": true, "version": 1, "path": format!("{out}/registry/diabetes/versions/0001"),
        })
    );
    let rmse = &answer["artifacts"]["metrics"]["artifacts"][0]["metadata"]["rmse"];
    assert_eq!(rmse, &place.json("task/run/deep/metrics")["rmse"]);
}

#[test]
fn the_commands_of_the_component_files_are_these() {
    let folder = sluice_testkit::datasets::repository().join("components");
    let mut found: Vec<String> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("component.yaml").is_file())
        .map(|path| path.file_name().unwrap().to_string_lossy().replace('_', "-"))
        .collect();
    found.sort_unstable();
    assert_eq!(found, COMPONENTS);
}
