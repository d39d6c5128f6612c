//! `sluice evaluate --executor-input`: the contract of Kubeflow's containers, with artifacts that a run made.

use serde_json::{Value, json};

use crate::support::{Outcome, Place, diabetes};

/// The output parameters that the component declares.
const PARAMETERS: [&str; 5] = ["blessed", "blessing", "outcome", "comparison", "reasons"];

/// A place with a run of the diabetes pipeline below `done`.
fn place() -> Place {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "done", "--quiet"]).exits(0);
    place
}

fn artifact(name: &str, schema: &str, uri: &str) -> Value {
    let kind = json!({"schemaTitle": schema, "schemaVersion": "0.0.1"});
    json!({"artifacts": [{"name": name, "type": kind, "uri": uri, "metadata": {}}]})
}

/// An executor input as the launcher writes it: artifacts of the run in, everything below `task` out.
fn input(place: &Place, parameters: &Value) -> Value {
    let made = |name: &str| place.path(&format!("done/runs/0001/{name}")).display().to_string();
    let task = |name: &str| place.path(&format!("task/{name}")).display().to_string();
    let declared: serde_json::Map<String, Value> = PARAMETERS
        .into_iter()
        .map(|name| (name.to_owned(), json!({"outputFile": task(&format!("parameters/{name}"))})))
        .collect();
    json!({
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {
                "dataset": artifact("d", "system.Dataset", &made("dataset")),
                "model": artifact("m", "system.Model", &made("model")),
            },
        },
        "outputs": {
            "parameters": declared,
            "artifacts": {
                "evaluation": artifact("e", "system.Artifact", &task("evaluation")),
                "metrics": artifact("k", "system.Metrics", &task("deep/metrics")),
            },
            "outputFile": task("out/executor_output.json"),
        },
    })
}

fn evaluate(place: &Place, input: &Value, extra: &[&str]) -> Outcome {
    let text = input.to_string();
    place.sluice(&[&["evaluate", "--executor-input", &text], extra].concat())
}

fn parameter(place: &Place, name: &str) -> String {
    fs_err::read_to_string(place.path(&format!("task/parameters/{name}"))).unwrap()
}

/// The files and the executor output say the same, in the launcher's notation.
#[track_caller]
fn assert_parameters(place: &Place, expected: &Value) {
    let output = place.json("task/out/executor_output.json");
    assert_eq!(&output["parameterValues"], expected);
    for (name, value) in expected.as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(parameter(place, name), text, "the file of `{name}`");
    }
}

#[test]
fn a_model_that_passes_writes_artifacts_parameters_and_the_answer() {
    let place = place();
    let parameters = json!({
        "slices": "[[\"sex\"]]", "metrics": ["rmse", "r2"], "force": "",
        "require": [{"metric": "rmse", "at_most": 60.0}],
    });
    let input = input(&place, &parameters);
    let _ = evaluate(&place, &input, &[]).exits(0).says(&["PASS  no baseline; 89 rows"]);
    let expected = json!({
        "blessed": true, "blessing": "BLESSED", "outcome": "pass", "comparison": "no-baseline", "reasons": [],
    });
    assert_parameters(&place, &expected);
    let evaluation = place.json("task/evaluation/evaluation.json");
    assert_eq!(evaluation["slices"].as_array().unwrap().len(), 3);
    let overall = &evaluation["slices"][0]["candidate"];
    assert_eq!(&place.json("task/deep/metrics"), overall);
    let output = place.json("task/out/executor_output.json");
    let uri = |name: &str| input["outputs"]["artifacts"][name]["artifacts"][0]["uri"].clone();
    let artifacts = json!({
        "evaluation": {"artifacts": [
            {"name": "e", "uri": uri("evaluation"), "metadata": {"blessed": true, "rows": 89}},
        ]},
        "metrics": {"artifacts": [
            {"name": "k", "uri": uri("metrics"), "metadata": {"rmse": overall["rmse"], "r2": overall["r2"], "rows": 89}},
        ]},
    });
    assert_eq!(output["artifacts"], artifacts);
    assert_eq!(output.as_object().unwrap().len(), 2, "the launcher refuses what it does not know");
    place.is_tidy();
}

#[test]
fn a_baseline_is_compared_on_the_same_rows_and_an_empty_one_is_none() {
    let place = place();
    let parameters = json!({"require": [{"metric": "rmse", "block_if_worse": 0.0}]});
    let mut given = input(&place, &parameters);
    let registered = place.path("done/registry/diabetes/versions/0001").display().to_string();
    given["inputs"]["artifacts"]["baseline"] = artifact("b", "system.Model", &registered);
    let _ = evaluate(&place, &given, &["--json"]).exits(0);
    assert_eq!(parameter(&place, "comparison"), "compared");
    // What an optional input holds when it was not given.
    let nothing = place.path("nothing").display().to_string();
    given["inputs"]["artifacts"]["baseline"] = artifact("b", "system.Model", &nothing);
    let _ = evaluate(&place, &given, &[]).exits(0);
    assert_eq!(parameter(&place, "comparison"), "no-baseline");
}

#[test]
fn a_model_that_fails_exits_0_and_stands_in_the_parameters() {
    let place = place();
    let input = input(&place, &json!({"require": [{"metric": "rmse", "at_most": 50}]}));
    let _ = evaluate(&place, &input, &[]).exits(0).says(&["FAIL"]);
    let reason = "`rmse` is 57.4083 overall, above the bound of 50 [few rows: 89]";
    let expected = json!({
        "blessed": false, "blessing": "NOT_BLESSED", "outcome": "fail", "comparison": "no-baseline",
        "reasons": [reason],
    });
    assert_parameters(&place, &expected);
    // Only where it is asked for does the task fail; the outputs are the same.
    fs_err::remove_dir_all(place.path("task")).unwrap();
    let _ = evaluate(&place, &input, &["--fail-on-reject"]).exits(1);
    assert_parameters(&place, &expected);
    place.is_tidy();
}

#[test]
fn an_evaluation_that_fails_still_answers_the_gate() {
    let place = place();
    let input = input(&place, &json!({"slices": [["nope"]]}));
    let outcome = evaluate(&place, &input, &[]).exits(2);
    assert!(outcome.stderr.contains("column `nope`"), "{outcome:#?}");
    let output = place.json("task/out/executor_output.json");
    let reasons = output["parameterValues"]["reasons"].clone();
    assert!(reasons[0].as_str().unwrap().contains("column `nope`"), "{reasons:#}");
    let expected = json!({
        "blessed": false, "blessing": "NOT_BLESSED", "outcome": "error", "comparison": "not-comparable",
        "reasons": reasons,
    });
    assert_parameters(&place, &expected);
    assert_eq!(place.json("task/evaluation/verdict.json")["outcome"], "error");
    place.is_tidy();
}

#[test]
fn an_input_that_is_none_is_refused_and_the_gate_is_answered_where_it_can_be() {
    let place = place();
    // Without the names of the outputs there is nowhere to answer.
    for (text, part) in [
        ("{", "the executor input is not valid"),
        ("{{$}}", "was not replaced"),
        ("{}", "the executor input has no"),
    ] {
        let outcome = place.sluice(&["evaluate", "--executor-input", text]);
        place.assert_failure(&outcome, 2, &[part]);
        assert!(!place.path("task").exists());
    }
    let refuse = |text: &str, parts: &[&str]| {
        let outcome = place.sluice(&["evaluate", "--executor-input", text]);
        place.assert_failure(&outcome, 2, parts);
        assert!(!place.path("task/evaluation").exists());
        let output = place.json("task/out/executor_output.json");
        assert_eq!(output["parameterValues"]["outcome"], "error");
        assert_eq!(output["parameterValues"]["blessed"], false);
        fs_err::remove_dir_all(place.path("task")).unwrap();
    };
    let mut without = input(&place, &json!({}));
    without["inputs"]["artifacts"].as_object_mut().unwrap().remove("model");
    refuse(&without.to_string(), &["no input artifact `model`", "there is `dataset`"]);
    let unknown = input(&place, &json!({"slizes": [["sex"]]}));
    refuse(&unknown.to_string(), &["no parameter `slizes`", "`slices`"]);
    let wrong = input(&place, &json!({"alpha": "high"}));
    refuse(&wrong.to_string(), &["parameter `alpha`"]);
    let out_of_range = input(&place, &json!({"alpha": 0.9}));
    refuse(&out_of_range.to_string(), &["`alpha` is 0.9"]);
    let mut scheme = input(&place, &json!({}));
    scheme["inputs"]["artifacts"]["model"] = artifact("m", "system.Model", "hdfs://cluster/model");
    refuse(&scheme.to_string(), &["`hdfs://cluster/model`", "no local path", "hint:"]);
}

#[test]
fn a_remote_artifact_is_looked_for_where_the_launcher_mounts_it() {
    let place = place();
    let mut remote = input(&place, &json!({}));
    remote["inputs"]["artifacts"]["model"] = artifact("m", "system.Model", "s3://no-bucket/run/model");
    let outcome = evaluate(&place, &remote, &[]);
    place.assert_failure(&outcome, 3, &["there is no artifact at `/s3/no-bucket/run/model`", "hint:"]);
    // A local path that the launcher gives wins.
    let path = place.path("done/runs/0001/model").display().to_string();
    remote["inputs"]["artifacts"]["model"]["artifacts"][0]["customPath"] = path.into();
    let _ = evaluate(&place, &remote, &[]);
    assert!(place.path("task/evaluation/manifest.json").is_file());
}
