//! Each step alone makes what it makes within `sluice run`, byte for byte.

use crate::support::{Place, assert_same_files, diabetes, diabetes_changed};

/// The diabetes pipeline whole into `out`, and step by step into folders of the steps' names.
fn both_ways(place: &Place) {
    let (input, file) = (diabetes("diabetes.csv"), diabetes("pipeline.yaml"));
    let steps: [&[&str]; 9] = [
        &["run", &file, "--out", "out"],
        &["ingest", &input, "--subset-column", "subset", "--out", "dataset"],
        &["statistics", "dataset", "--out", "statistics"],
        &["schema", "statistics", "--out", "schema"],
        &["validate", "statistics", "--schema", "schema", "--out", "validation"],
        &["transform", "dataset", "--pipeline", &file, "--out", "transform"],
        &["train", "dataset", "--transform", "transform", "--pipeline", &file, "--out", "model"],
        &["evaluate", "dataset", "--model", "model", "--pipeline", &file, "--out", "evaluation"],
        &["push", "model", "--evaluation", "evaluation", "--registry", "registry", "--name", "diabetes"],
    ];
    for step in steps {
        let _ = place.sluice(step).exits(0);
    }
}

#[test]
fn each_step_alone_gives_the_artifact_of_the_run() {
    let place = Place::new();
    both_ways(&place);
    for name in ["dataset", "statistics", "schema", "validation", "transform", "model", "evaluation"] {
        assert_same_files(&place.path(name), &place.path("out/runs/0001").join(name));
    }
    let package = "registry/diabetes/versions/0001";
    assert_same_files(&place.path(package), &place.path("out").join(package));
    place.is_tidy();
}

#[test]
fn options_in_place_of_a_pipeline_file_give_the_same_model() {
    let place = Place::new();
    both_ways(&place);
    let columns = "pass_through: [age, sex, bmi, bp, s1, s2, s3, s4, s5, s6]";
    let steps: [&[&str]; 2] = [
        &["transform", "dataset", "--operation", columns, "--label", "target", "--out", "other/transform"],
        &[
            "train",
            "dataset",
            "--transform",
            "other/transform",
            "--label",
            "target",
            "--alpha",
            "0.4",
            "--out",
            "other/model",
        ],
    ];
    for step in steps {
        let _ = place.sluice(step).exits(0);
    }
    assert_same_files(&place.path("transform"), &place.path("other/transform"));
    assert_same_files(&place.path("model"), &place.path("other/model"));
}

#[test]
fn evaluate_alone_rejects_with_1_and_push_refuses() {
    let place = Place::new();
    both_ways(&place);
    let strict = "{metric: rmse, at_most: 50}";
    let model = ["--model", "model", "--require", strict, "--out", "strict"];
    let outcome = place.sluice(&[&["evaluate", "dataset"][..], &model[..]].concat()).exits(1);
    let _ = outcome.says(&["FAIL", "`rmse` is 57.4083 overall, above the bound of 50"]);
    let push = ["push", "model", "--evaluation", "strict", "--registry", "other", "--name", "diabetes"];
    let _ = place.sluice(&push).exits(1).says(&["not registered"]);
    assert!(!place.path("other").exists());
    // An evaluation of another model does not count.
    let other = diabetes_changed(&place, "other.yaml", "alpha: 0.4", "alpha: 9.0");
    let train = ["train", "dataset", "--transform", "transform", "--pipeline", &other, "--out", "model9"];
    let _ = place.sluice(&train).exits(0);
    let push = ["push", "model9", "--evaluation", "evaluation", "--registry", "other", "--name", "diabetes"];
    let outcome = place.sluice(&push).exits(2);
    assert!(outcome.stderr.contains("the verdict is about model"), "{outcome:#?}");
    assert!(outcome.stderr.contains("hint:"), "{outcome:#?}");
    assert!(!place.path("other").exists());
}

#[test]
fn check_accepts_the_sound_file_and_names_a_wrong_column() {
    let place = Place::new();
    let sound = place.sluice(&["check", &diabetes("pipeline.yaml")]).exits(0);
    let _ = sound.says(&["`diabetes` is sound: 12 columns, 10 of them features"]);
    let wrong = [
        ("label: target", "label: targt", "`targt`", "data.roles", "did you mean `target`?"),
        ("[age, sex, bmi", "[age, sex, bmj", "`bmj`", "pass_through", "did you mean `bmi`?"),
        ("by: subset", "by: subsets", "`subsets`", "data.subsets.by", "did you mean `subset`?"),
        ("slices: [sex]", "slices: [sx]", "`sx`", "evaluate.slices", "did you mean `sex`?"),
        ("every: sex", "every: sez", "`sez`", "evaluate.require.every", "did you mean `sex`?"),
    ];
    for (from, to, column, place_in_file, hint) in wrong {
        let file = diabetes_changed(&place, "wrong.yaml", from, to);
        place.assert_failure(&place.sluice(&["check", &file]), 2, &[column, place_in_file, hint]);
    }
    let file = diabetes_changed(&place, "wrong.yaml", "transform:", "schema: missing.pbtxt\ntransform:");
    place.assert_failure(&place.sluice(&["check", &file]), 3, &["missing.pbtxt", "hint: check the path"]);
    assert!(!place.path("sluice-runs").exists());
}
