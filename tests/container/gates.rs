//! What gates answer: a rejection exits 0 and stands in the output parameters, since a task that fails loses them.

use serde_json::{Value, json};

use super::{Task, made, of_run, place_with_run};
use crate::classification;
use crate::support::{Pipeline, Place, diabetes_changed};

fn evaluate(place: &Place, require: &Value) -> Task {
    Task::new(place, "evaluate")
        .artifact("dataset", &of_run(place, "dataset"))
        .artifact("model", &of_run(place, "model"))
        .parameter("require", require.clone())
}

#[test]
fn a_model_that_fails_exits_0_and_stands_in_the_parameters() {
    let place = place_with_run();
    let task = evaluate(&place, &json!([{"metric": "rmse", "at_most": 50}]));
    let expected = json!({
        "blessed": false, "blessing": "NOT_BLESSED", "outcome": "fail", "comparison": "no-baseline",
        "reasons": ["`rmse` is 57.4083 overall, above the bound of 50 [few rows: 89]"],
    });
    assert_eq!(task.answers(&place, &[], 0)["parameterValues"], expected);
    // Only where it is asked for does the task fail; the outputs are the same.
    for (beside, parameter) in [(vec!["--fail-on-reject"], Value::Null), (vec![], json!(true))] {
        fs_err::remove_dir_all(place.path("task")).unwrap();
        let task = evaluate(&place, &json!([{"metric": "rmse", "at_most": 50}]))
            .parameter("fail_on_reject", parameter);
        assert_eq!(task.answers(&place, &beside, 1)["parameterValues"], expected);
    }
    // A push of what failed says so, and registers nothing.
    let registry = place.path("registry");
    let push = Task::new(&place, "push")
        .artifact("model", &of_run(&place, "model"))
        .artifact("evaluation", &made(&place, "evaluate", "evaluation"))
        .parameter("registry", registry.display().to_string())
        .parameter("name", "m");
    let answer = push.answers(&place, &[], 0);
    assert_eq!(answer["parameterValues"], json!({"pushed": false, "version": 0, "path": ""}));
    let _ = push.answers(&place, &["--fail-on-reject"], 1);
    assert!(!registry.exists());
}

#[test]
fn metrics_are_a_file_and_metadata_that_pages_show() {
    let place = place_with_run();
    let task = evaluate(&place, &json!([{"metric": "rmse", "at_most": 60}]))
        .parameter("metric", json!(["rmse", "r2"]));
    let answer = task.answers(&place, &["--json"], 0);
    let evaluation = place.json("task/evaluate/deep/evaluation/metrics.json");
    let overall = &evaluation["slices"][0]["candidate"];
    assert_eq!(&place.json("task/evaluate/deep/metrics"), overall);
    let uri = &task.input["outputs"]["artifacts"]["metrics"]["artifacts"][0]["uri"];
    let metadata = json!({"rmse": overall["rmse"], "r2": overall["r2"], "rows": 89});
    let expected = json!({"artifacts": [{"name": "metrics", "uri": uri, "metadata": metadata}]});
    assert_eq!(answer["artifacts"]["metrics"], expected);
    // The page is one file, as a frame shows it.
    let page = |name: &str| fs_err::read(place.path(&format!("task/evaluate/deep/{name}"))).unwrap();
    assert_eq!(page("report"), page("evaluation/evaluation.html"));
}

#[test]
fn a_baseline_is_compared_on_the_same_rows_and_an_empty_one_is_none() {
    let place = place_with_run();
    let task = evaluate(&place, &json!([{"metric": "rmse", "block_if_worse": 0.0}]));
    let task = task.artifact("baseline", &place.path("done/registry/diabetes/versions/0001"));
    assert_eq!(task.answers(&place, &[], 0)["parameterValues"]["comparison"], "compared");
    // What an optional input holds when it was not given: a place without content.
    fs_err::create_dir(place.path("nothing")).unwrap();
    for nothing in ["nothing", "absent"] {
        let task = evaluate(&place, &json!([])).artifact("baseline", &place.path(nothing));
        assert_eq!(task.answers(&place, &[], 0)["parameterValues"]["comparison"], "no-baseline");
    }
    // One that holds something else is an error, not the absence of a baseline.
    place.write("something/model.txt", "no model");
    let task = evaluate(&place, &json!([])).artifact("baseline", &place.path("something"));
    let outcome = task.run(&place, &[]);
    place.assert_failure(&outcome, 3, &["there is no artifact at", "something"]);
}

#[test]
fn the_model_in_production_is_the_baseline_once_there_is_one() {
    let place = place_with_run();
    let judge = |registry: &str| {
        evaluate(&place, &json!([{"metric": "rmse", "block_if_worse": 0.0}]))
            .parameter("registry", place.path(registry).display().to_string())
            .parameter("name", "diabetes")
    };
    let answer = judge("done/empty").answers(&place, &[], 0);
    assert_eq!(answer["parameterValues"]["comparison"], "no-baseline");
    assert!(!place.path("done/empty").exists(), "looking for a baseline must not make a registry");
    assert_eq!(judge("done/registry").answers(&place, &[], 0)["parameterValues"]["comparison"], "compared");
    let digest = place.json("task/evaluate/deep/evaluation/verdict.json")["baseline_digest"].clone();
    assert_eq!(digest, place.json("done/registry/diabetes/versions/0001.json")["digest"]);
    let both = judge("done/registry").artifact("baseline", &of_run(&place, "model"));
    let outcome = both.run(&place, &[]);
    place.assert_failure(&outcome, 2, &["`inputs.artifacts.baseline` is refused", "cannot be used with"]);
}

#[test]
fn data_that_break_the_schema_exit_0_and_stand_in_the_parameters() {
    let place = place_with_run();
    let schema = fs_err::read_to_string(of_run(&place, "schema").join("schema.pbtxt")).unwrap();
    let stricter = schema.replacen("type: FLOAT", "type: INT", 1);
    assert_ne!(schema, stricter);
    let task = Task::new(&place, "validate")
        .artifact("statistics", &of_run(&place, "statistics"))
        .artifact("schema", &place.write("stricter.pbtxt", &stricter));
    let values = task.answers(&place, &[], 0)["parameterValues"].clone();
    assert_eq!(values["blessed"], false);
    assert_eq!(values["outcome"], "fail");
    assert_eq!(values["errors"], 2);
    let reasons: Vec<&str> =
        values["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].starts_with("eval: `") && reasons[1].starts_with("train: `"), "{reasons:?}");
    let _ = task.answers(&place, &["--fail-on-reject"], 1);
}

#[test]
fn a_run_that_is_turned_down_says_by_whom() {
    let place = Place::new();
    let stricter = diabetes_changed(&place, "stricter.yaml", "at_most: 60.0", "at_most: 50.0");
    let out = place.path("out-of-task").display().to_string();
    let task =
        Task::new(&place, "run").parameter("pipeline", stricter.as_str()).parameter("out", out.as_str());
    let values = task.answers(&place, &[], 0)["parameterValues"].clone();
    assert_eq!((&values["blessed"], &values["rejected_by"]), (&json!(false), &json!("evaluate")));
    assert_eq!(
        (&values["pushed"], &values["version"], &values["path"]),
        (&json!(false), &json!(0), &json!(""))
    );
    let _ = task.answers(&place, &["--fail-on-reject"], 1);

    place.write("narrow.pbtxt", "feature { name: \"x\" type: INT presence { min_count: 1 } }\n");
    place.write("rows.csv", "x,z,y,subset\na,1,2,train\nb,2,3,train\nc,3,5,train\nd,4,6,eval\ne,5,7,eval\n");
    Pipeline { rest: "schema: narrow.pbtxt\n", ..Pipeline::default() }.write(&place);
    let task = Task::new(&place, "run").parameter("pipeline", "pipeline.yaml").parameter("out", out.as_str());
    fs_err::remove_dir_all(place.path("task")).unwrap();
    let answer = task.answers(&place, &[], 0);
    assert_eq!(answer["parameterValues"]["rejected_by"], "validate");
    assert_eq!(answer["parameterValues"]["outcome"], "fail");
    assert!(made(&place, "run", "validation").join("manifest.json").is_file());
    assert!(!made(&place, "run", "model").exists());
}

#[test]
fn a_gate_that_fails_still_answers() {
    let place = place_with_run();
    let task = evaluate(&place, &json!([])).parameter("slice", json!([["nope"]]));
    let values = task.answers(&place, &[], 2)["parameterValues"].clone();
    assert!(values["reasons"][0].as_str().unwrap().contains("column `nope`"), "{values:#}");
    let expected = json!({
        "blessed": false, "blessing": "NOT_BLESSED", "outcome": "error", "comparison": "not-comparable",
        "reasons": values["reasons"],
    });
    assert_eq!(values, expected);
    assert_eq!(place.json("task/evaluate/deep/evaluation/verdict.json")["outcome"], "error");
    let task = Task::new(&place, "validate")
        .artifact("statistics", &place.path("absent"))
        .artifact("schema", &of_run(&place, "schema"));
    let values = task.answers(&place, &[], 3)["parameterValues"].clone();
    assert_eq!((&values["outcome"], &values["errors"]), (&json!("error"), &json!(0)));
}

#[test]
fn a_classifier_has_its_curve_and_its_matrix_in_the_metadata() {
    let place = classification::ran();
    let task = Task::new(&place, "evaluate")
        .artifact("dataset", &place.path(classification::DATASET))
        .artifact("model", &place.path(classification::MODEL))
        .parameter("metric", json!(["auc", "recall"]))
        .parameter("accept_any", true);
    let answer = task.answers(&place, &[], 0);
    let metadata = &answer["artifacts"]["classification"]["artifacts"][0]["metadata"];
    let points = metadata["confidenceMetrics"].as_array().unwrap();
    assert!(points.len() > 10 && points.iter().all(|point| point["recall"].is_number()), "{metadata:#}");
    assert_eq!(
        metadata["confusionMatrix"]["annotationSpecs"],
        json!([{"displayName": "negative"}, {"displayName": "positive"}])
    );
    let evaluation = place.json("task/evaluate/deep/evaluation/metrics.json");
    let table = &evaluation["slices"][0]["tables"]["candidate"]["confusion"][0];
    let row = |names: [&str; 2]| json!({"row": names.map(|name| &table[name])});
    let rows =
        json!([row(["true_negatives", "false_positives"]), row(["false_negatives", "true_positives"]),]);
    assert_eq!(metadata["confusionMatrix"]["rows"], rows);
    let file = place.json("task/evaluate/deep/classification");
    assert_eq!(file["confusionMatrix"], metadata["confusionMatrix"]);
}
