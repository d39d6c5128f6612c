//! Executor inputs that are wrong: each is refused with the place in the JSON, before anything is made.

use serde_json::{Value, json};

use super::{Task, artifact, of_run, place_with_run};
use crate::support::{Place, diabetes};

/// Refused with exit code 2 and these words; nothing is made but the answer of the gate.
#[track_caller]
fn refused(place: &Place, task: &Task, parts: &[&str]) {
    let outcome = task.run(place, &[]);
    place.assert_failure(&outcome, 2, parts);
    assert!(!place.path(&format!("task/{}/deep", task.command)).exists(), "something was made");
}

#[test]
fn what_is_no_executor_input_is_refused() {
    let place = Place::new();
    for (text, part) in [
        ("", "is not valid"),
        ("{", "is not valid"),
        ("[]", "it is no JSON object"),
        ("{{$}}", "was not replaced"),
        ("{}", "`outputs.outputFile` is missing"),
        (r#"{"outputs": {"outputFile": 3}}"#, "`outputs.outputFile` is wrong: invalid type: integer `3`"),
        (
            r#"{"inputs": {"artifacts": {"model": {"artifacts": {}}}}}"#,
            "`inputs.artifacts.model.artifacts` is wrong",
        ),
        (r#"{"inputs": {"parameterValues": []}}"#, "`inputs.parameterValues` is wrong"),
    ] {
        for command in ["evaluate", "train"] {
            let outcome = place.sluice(&[command, "--executor-input", text]);
            place.assert_failure(&outcome, 2, &[part]);
        }
    }
}

#[test]
fn names_that_a_component_does_not_have_come_with_the_nearest() {
    let place = Place::new();
    let train = || {
        Task::new(&place, "train")
            .artifact("dataset", &place.path("d"))
            .artifact("transform", &place.path("t"))
    };
    refused(
        &place,
        &train().parameter("alhpa", 0.1),
        &["`inputs.parameterValues.alhpa` is not known to `sluice train`", "did you mean `alpha`?"],
    );
    refused(&place, &train().parameter("json", true), &["`inputs.parameterValues.json` is not known"]);
    refused(
        &place,
        &train().parameter("fail_on_reject", true),
        &["`inputs.parameterValues.fail_on_reject` is not known"],
    );
    refused(
        &place,
        &train().artifact("modle", &place.path("m")),
        &["`inputs.artifacts.modle` is not known", "there is `dataset`, `transform`"],
    );
    let mut task = train();
    task.input["outputs"]["parameters"]["row"] = json!({"outputFile": place.path("row")});
    refused(&place, &task, &["`outputs.parameters.row` is not known", "did you mean `rows`?"]);
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::new();
    let task = Task::new(&place, "train").artifact("dataset", &place.path("d"));
    refused(&place, &task, &["`inputs.artifacts.transform` is missing", "there is `dataset`"]);
    refused(
        &place,
        &Task::new(&place, "ingest").parameter("subset_column", "subset"),
        &["input", "is missing", "sluice ingest --help"],
    );
    let task = Task::new(&place, "ingest").parameter("input", diabetes("diabetes.csv"));
    refused(&place, &task, &["nothing says which rows belong to which subset", "`--subset-column COLUMN`"]);
    let both = Task::new(&place, "ingest")
        .parameter("input", "rows.csv")
        .artifact("files", &place.write("rows.csv", "a\n1\n"));
    refused(&place, &both, &["`inputs.artifacts.files` and `inputs.parameterValues.input` are both given"]);
    let push = Task::new(&place, "push")
        .artifact("model", &place.path("m"))
        .artifact("evaluation", &place.path("e"));
    refused(&place, &push.parameter("name", "m"), &["`inputs.parameterValues.registry` is missing"]);
    // A folder that ends with the container would lose the baseline.
    let run = Task::new(&place, "run").parameter("pipeline", diabetes("pipeline.yaml"));
    refused(&place, &run, &["`inputs.parameterValues.out` is missing"]);
    let mut task = Task::new(&place, "statistics").artifact("dataset", &place.path("d"));
    task.input["outputs"]["artifacts"].as_object_mut().unwrap().remove("statistics");
    refused(&place, &task, &["`outputs.artifacts.statistics` is missing"]);
}

#[test]
fn values_of_a_wrong_type_are_named() {
    let place = Place::new();
    let with = |name: &str, value: Value| {
        Task::new(&place, "evaluate")
            .artifact("dataset", &place.path("d"))
            .artifact("model", &place.path("m"))
            .parameter(name, value)
    };
    for (name, value, part) in [
        ("alpha", json!("high"), "is the text \"high\", but must be a number"),
        ("alpha", json!([0.1]), "is a list, but must be a number"),
        ("infer_rows", json!(1.5), "is the number 1.5, but must be an integer"),
        ("infer_rows", json!(1e300), "must be an integer of at most 2^53"),
        ("infer_rows", json!(0), "is refused: invalid value '0'"),
        ("threads", json!("many"), "is the text \"many\", but must be an integer"),
        ("no_header", json!("yes"), "must be true or false"),
        ("subset", json!(3), "is the number 3, but must be a text"),
        ("metric", json!("rmse"), "is the text \"rmse\", but must be a list"),
        ("metric", json!({"rmse": 1}), "is an object, but must be a list"),
        ("column_type", json!("age"), "is the text \"age\", but must be an object"),
        ("format", json!("xls"), "is refused: invalid value 'xls'"),
        ("fail_on_reject", json!(3), "is the number 3, but must be true or false"),
    ] {
        refused(&place, &with(name, value), &[&format!("`inputs.parameterValues.{name}` "), part]);
        // The gate is answered all the same.
        let answer = place.json("task/evaluate/out/executor_output.json");
        assert_eq!(answer["parameterValues"]["outcome"], "error");
        assert_eq!(answer["parameterValues"]["blessed"], false);
    }
    refused(&place, &with("metric", json!(["rmse", null])), &["`inputs.parameterValues.metric[1]` is null"]);
    refused(
        &place,
        &with("column_type", json!({"age": null})),
        &["`inputs.parameterValues.column_type.age` is null"],
    );
}

#[test]
fn options_that_exclude_one_another_do_so_here_too() {
    let place = Place::new();
    let task = Task::new(&place, "train")
        .artifact("dataset", &place.path("d"))
        .artifact("transform", &place.path("t"))
        .parameter("alpha", 0.1)
        .parameter("label", "y")
        .parameter("pipeline", "pipeline.yaml");
    refused(&place, &task, &["`inputs.parameterValues.pipeline` is refused", "cannot be used with"]);
}

#[test]
fn artifacts_that_are_not_one_local_place_are_refused() {
    let place = place_with_run();
    let task = |uri: &str| {
        let mut task = Task::new(&place, "evaluate").artifact("dataset", &of_run(&place, "dataset"));
        task.input["inputs"]["artifacts"]["model"] = artifact("m", "system.Model", uri);
        task
    };
    refused(&place, &task("hdfs://cluster/model"), &["`hdfs://cluster/model`", "no local path", "hint:"]);
    let mut two = task("a");
    two.input["inputs"]["artifacts"]["model"]["artifacts"].as_array_mut().unwrap().push(json!({"uri": "b"}));
    refused(&place, &two, &["`inputs.artifacts.model.artifacts` holds 2 artifacts"]);
    // A URI for a folder that is no artifact would become a folder of that name, lost with the container.
    let run =
        Task::new(&place, "run").parameter("pipeline", "pipeline.yaml").parameter("out", "hdfs://node/runs");
    refused(&place, &run, &["`inputs.parameterValues.out` is the URI", "`/mnt/node/runs`"]);
}

#[test]
fn a_remote_artifact_is_looked_for_where_the_launcher_mounts_it() {
    let place = place_with_run();
    for (uri, path) in [
        ("s3://no-bucket/run/model", "/s3/no-bucket/run/model"),
        ("gs://no-bucket/run/model", "/gcs/no-bucket/run/model"),
        ("minio://no-bucket/run/model", "/minio/no-bucket/run/model"),
    ] {
        let mut task = Task::new(&place, "evaluate").artifact("dataset", &of_run(&place, "dataset"));
        task.input["inputs"]["artifacts"]["model"] = artifact("m", "system.Model", uri);
        place.assert_failure(
            &task.run(&place, &[]),
            3,
            &[&format!("there is no artifact at `{path}`"), "hint:"],
        );
        // A local path that the launcher gives wins.
        let path = of_run(&place, "model").display().to_string();
        task.input["inputs"]["artifacts"]["model"]["artifacts"][0]["customPath"] = path.into();
        let _ = task.answers(&place, &[], 0);
        fs_err::remove_dir_all(place.path("task")).unwrap();
    }
}

#[test]
fn what_the_launcher_adds_is_left_alone() {
    let place = place_with_run();
    let mut task = Task::new(&place, "statistics").artifact("dataset", &of_run(&place, "dataset"));
    let log = place.path("task/log").display().to_string();
    task.input["outputs"]["artifacts"]["executor-logs"] = artifact("log", "system.Artifact", &log);
    let answer = task.answers(&place, &[], 0);
    assert!(answer["artifacts"].get("executor-logs").is_none(), "{answer:#}");
    assert!(!place.path("task/log").exists());
}

#[test]
fn a_runner_may_name_the_binary_again_and_options_may_stand_beside() {
    let place = place_with_run();
    let task = Task::new(&place, "statistics").artifact("dataset", &of_run(&place, "dataset"));
    let text = task.input.to_string();
    let joined = format!("--executor-input={text}");
    for words in [
        vec!["/sluice", "statistics", "--executor-input", &text, "--json"],
        vec!["--threads", "1", "statistics", &joined, "--json"],
        vec!["statistics", "--json", "--threads=1", &joined],
    ] {
        let outcome = place.sluice(&words).exits(0);
        assert_eq!(outcome.json()["subsets"].as_array().unwrap().len(), 2);
        fs_err::remove_dir_all(place.path("task")).unwrap();
    }
    // Everything else comes from the input.
    let outcome = place.sluice(&["statistics", "--executor-input", &text, "--out", "here"]);
    place.assert_failure(&outcome, 2, &["unexpected argument '--out'"]);
    let outcome = place.sluice(&["check", "--executor-input", &text]);
    place.assert_failure(&outcome, 2, &["unexpected argument '--executor-input'"]);
    let outcome = place.sluice(&["validate", "s", "--schema", "s", "--fail-on-reject"]);
    place.assert_failure(&outcome, 2, &["--executor-input"]);
    let twice = Task::new(&place, "statistics")
        .artifact("dataset", &of_run(&place, "dataset"))
        .parameter("threads", 1);
    let outcome = twice.run(&place, &["--threads", "2"]);
    place.assert_failure(&outcome, 2, &["`inputs.parameterValues.threads` is refused"]);
}

#[test]
fn where_the_answer_cannot_be_written_the_first_error_is_reported() {
    let place = Place::new();
    let mut task = Task::new(&place, "evaluate")
        .artifact("dataset", &place.path("d"))
        .artifact("model", &place.path("m"));
    // A file where a folder would have to be.
    let file = place.write("file", "");
    task.input["outputs"]["outputFile"] = file.join("executor_output.json").display().to_string().into();
    place.assert_failure(&task.run(&place, &[]), 3, &["there is no artifact at", "/m`"]);
}
