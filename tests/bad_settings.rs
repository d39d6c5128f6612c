//! Settings, places and artifacts that are not what they should be.

use crate::support::{Pipeline, Place, data, diabetes, files};

/// Runs a pipeline and asserts that it fails before anything is read.
#[track_caller]
fn refused(pipeline: &Pipeline<'_>, parts: &[&str]) {
    let place = Place::new();
    let outcome = pipeline.run(&place);
    place.assert_failure(&outcome, 2, parts);
    assert!(!place.path("out").exists(), "something was written for a pipeline that is not one");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let sound = Pipeline::default();
    let key = |rest| Pipeline { rest, ..sound };
    refused(
        &key("psuh: { registry: models }\n"),
        &["pipeline.yaml", "unknown key `psuh`", "did you mean `push`?"],
    );
    let evaluate = "{ slises: [x] }";
    refused(
        &Pipeline { evaluate, ..sound },
        &["unknown key `slises`", "`evaluate.slises`", "did you mean `slices`?"],
    );
    let train = "{ ridge: { alpa: 1 } }";
    refused(
        &Pipeline { train, ..sound },
        &["unknown key `alpa`", "`train.ridge.alpa`", "did you mean `alpha`?"],
    );
    let train = "{ rigde: { alpha: 1 } }";
    refused(&Pipeline { train, ..sound }, &["unknown name `rigde`", "(at `train", "did you mean `ridge`?"]);
    let transform = "[ { pass_trough: [x] } ]";
    refused(
        &Pipeline { transform, ..sound },
        &["`pass_trough`", "transform[0]", "did you mean `pass_through`?"],
    );
    let evaluate = "{ require: [ { metric: rmse, at_mots: 1 } ] }";
    refused(
        &Pipeline { evaluate, ..sound },
        &["`at_mots`", "evaluate.require[0]", "did you mean `at_most`?"],
    );
    let evaluate = "{ require: [ { metric: rmsee, at_most: 1 } ] }";
    refused(
        &Pipeline { evaluate, ..sound },
        &["`metric`", "`rmsee`", "pipeline.yaml", "did you mean `rmse`?"],
    );
}

#[test]
fn options_out_of_range_are_named() {
    let sound = Pipeline::default();
    refused(
        &Pipeline { train: "{ ridge: { alpha: -1 } }", ..sound },
        &["ridge.alpha", "is -1", "pipeline.yaml"],
    );
    refused(
        &Pipeline { train: "{ elastic_net: { alpha: 1, l1_ratio: 2 } }", ..sound },
        &["elastic_net.l1_ratio", "is 2", "pipeline.yaml"],
    );
    let train = "{ lasso: { alpha: 1, targets: [y] } }";
    refused(&Pipeline { train, ..sound }, &["column `y` has two roles", "target", "pipeline.yaml"]);
    let subsets = "{ by: hash, train: 0.8, eval: 0.1 }";
    refused(&Pipeline { subsets, ..sound }, &["add up to 0.9", "hint: for example", "pipeline.yaml"]);
    refused(&Pipeline { evaluate: "{ alpha: 0.7 }", ..sound }, &["`alpha` is 0.7", "pipeline.yaml"]);
}

#[test]
fn a_target_that_is_a_feature_is_refused_by_check_and_by_train() {
    let place = Place::new();
    let train = "{ ridge: { alpha: 1, targets: [z] } }";
    let input = data("bom_crlf.csv");
    Pipeline { input: &input, train, ..Pipeline::default() }.write(&place);
    let leak =
        ["feature `z` leaks the target `z` through column `z`", "hint: in prediction `z` is not known"];
    place.assert_failure(&place.sluice(&["check", "pipeline.yaml"]), 2, &leak);
    place.assert_failure(&place.sluice(&["run", "pipeline.yaml", "--out", "out"]), 2, &leak);
    let sluice = |arguments: &[&str]| {
        let _ = place.sluice(arguments).exits(0);
    };
    sluice(&["ingest", &input, "--subset-column", "subset", "--out", "dataset"]);
    sluice(&["transform", "dataset", "--pipeline", "pipeline.yaml", "--out", "transform"]);
    let model = ["--label", "y", "--model", "least_squares: {targets: [z]}", "--out", "model"];
    let train = place.sluice(&[&["train", "dataset", "--transform", "transform"], &model[..]].concat());
    place.assert_failure(&train, 2, &leak);
    assert!(!place.path("model").exists());
}

#[test]
fn a_label_that_is_a_feature_is_refused_by_train_as_by_a_pipeline() {
    let place = Place::new();
    let input = data("bom_crlf.csv");
    let ingested = place.sluice(&["ingest", &input, "--subset-column", "subset", "--out", "dataset"]);
    let _ = ingested.exits(0);
    // What the pipeline says of an operation, the command says of the transform that was fitted without knowing the label.
    for (operation, name, column, role) in [
        ("pass_through: [x, z]", "pass_through", "z", "label"),
        ("standardize: [x, z]", "standardize", "z", "label"),
        ("derive: {twice: 2 * z}", "derive", "z", "label"),
        ("standardize: [x]", "standardize", "x", "weight"),
    ] {
        let (label, weight) = if role == "label" { (column, "") } else { ("y", column) };
        let words = format!("`{name}` names column `{column}`, which is the {role}");
        let parts = [words.as_str(), "hint: take it out of the transform"];
        let label_role = if weight.is_empty() { label.into() } else { format!("{label}, weight: {weight}") };
        let transform = format!("[ {{ {operation} }} ]");
        let sound = Pipeline { input: &input, label: &label_role, ..Pipeline::default() };
        let run = Pipeline { transform: &transform, ..sound }.run(&place);
        place.assert_failure(&run, 2, &parts);
        let fit = ["transform", "fit", "dataset", "--operation", operation, "--out", "transform"];
        let _ = place.sluice(&fit).exits(0);
        let train = ["train", "dataset", "--transform", "transform", "--label", label, "--alpha", "1"];
        let weighted = if weight.is_empty() { vec![] } else { vec!["--weight", weight] };
        for more in [&["--out", "model"][..], &["--shard", "1/2", "--partial", "--out", "model"]] {
            place.assert_failure(&place.sluice(&[&train[..], &weighted, more].concat()), 2, &parts);
            assert!(!place.path("model").exists());
        }
    }
}

#[test]
fn a_pipeline_file_that_is_none() {
    let place = Place::new();
    place.write("broken.yaml", "pipeline: [1\nb");
    place.write("empty.yaml", "");
    place.write("half.yaml", "pipeline: half\n");
    let run = |file: &str| place.sluice(&["run", file, "--out", "out"]);
    place.assert_failure(&run("broken.yaml"), 2, &["broken.yaml", "line 1 column", "YAML"]);
    place.assert_failure(&run("empty.yaml"), 2, &["empty.yaml", "empty"]);
    place.assert_failure(&run("half.yaml"), 2, &["half.yaml", "key `data` is missing"]);
    place.assert_failure(&run("missing.yaml"), 3, &["missing.yaml", "hint: check the path"]);
}

#[test]
fn columns_may_be_called_like_the_booleans_of_old_yaml() {
    let place = Place::new();
    place.write("rows.csv", "no,y,subset\n1,2,train\n2,4.5,train\n3,6,train\n4,8,eval\n5,10,eval\n");
    let pipeline = Pipeline { label: "y", transform: "[ { pass_through: [no] } ]", ..Pipeline::default() };
    let _ = pipeline.run(&place).exits(0);
}

#[test]
fn output_that_cannot_be_written() {
    let place = Place::new();
    place.write("file", "somebody's");
    Pipeline { input: &data("bom_crlf.csv"), ..Pipeline::default() }.write(&place);
    for out in ["/dev/null/x", "file", "file/below"] {
        let outcome = place.sluice(&["run", "pipeline.yaml", "--out", out]);
        place.assert_failure(&outcome, 3, &["cannot create", out, "not a directory"]);
    }
    let ingest =
        place.sluice(&["ingest", &data("bom_crlf.csv"), "--subset-column", "subset", "--out", "file/below"]);
    place.assert_failure(&ingest, 3, &["cannot create", "`file"]);
    assert_eq!(fs_err::read_to_string(place.path("file")).unwrap(), "somebody's");
}

#[test]
fn somebodys_folder_is_left_alone() {
    let place = Place::new();
    place.write("mine/notes.txt", "keep");
    place.write("file", "keep");
    let before = files(&place.path("mine"));
    let diabetes = diabetes("diabetes.csv");
    let commands: [&[&str]; 3] = [
        &["ingest", &diabetes, "--subset-column", "subset", "--out", "mine"],
        &["statistics", &diabetes, "--out", "mine"],
        &["ingest", &diabetes, "--subset-column", "subset", "--out", "file"],
    ];
    for command in commands {
        let outcome = place.sluice(command);
        let target = format!("`{}` exists and is not an artifact", command[command.len() - 1]);
        place.assert_failure(&outcome, 2, &[&target, "hint: choose another place"]);
    }
    assert_eq!(files(&place.path("mine")), before);
    assert_eq!(fs_err::read_to_string(place.path("file")).unwrap(), "keep");
    // Runs go into numbered folders beside what is there.
    let pipeline = crate::support::diabetes("pipeline.yaml");
    let _ = place.sluice(&["run", &pipeline, "--out", "mine"]).exits(0);
    assert_eq!(fs_err::read_to_string(place.path("mine/notes.txt")).unwrap(), "keep");
}

#[test]
fn a_failure_leaves_the_earlier_artifact() {
    let place = Place::new();
    let ingest =
        |input: &str| place.sluice(&["ingest", input, "--subset-column", "subset", "--out", "dataset"]);
    let _ = ingest(&diabetes("diabetes.csv")).exits(0);
    let before = files(&place.path("dataset"));
    place.assert_failure(&ingest(&data("ragged.csv")), 4, &["ragged.csv"]);
    assert_eq!(files(&place.path("dataset")), before);
    // A sound one takes its place, whole.
    let _ = ingest(&data("bom_crlf.csv")).exits(0);
    assert_ne!(files(&place.path("dataset")), before);
    place.is_tidy();
}

/// A run of the diabetes pipeline with one file changed by one byte, or removed.
fn damaged(name: &str, damage: impl FnOnce(&mut Vec<u8>)) -> Place {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "done", "--quiet"]).exits(0);
    let path = place.path(name);
    let mut bytes = fs_err::read(&path).unwrap();
    damage(&mut bytes);
    fs_err::write(&path, bytes).unwrap();
    place
}

/// Asserts that a command finds the damage; the damaged artifact itself cannot be tidy.
#[track_caller]
fn finds(place: &Place, command: &[&str], code: i32, parts: &[&str]) {
    let outcome = place.sluice(command);
    assert_eq!(outcome.code, Some(code), "{outcome:#?}");
    for part in parts.iter().chain(&["error:", "hint:"]) {
        assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
    }
    assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
    assert!(!place.path("new").exists(), "an artifact was made of damaged ones");
}

#[test]
fn a_damaged_artifact_is_found_and_the_file_is_named() {
    let model = "done/runs/0001/model";
    let dataset = "done/runs/0001/dataset";
    let evaluate = ["evaluate", dataset, "--model", model, "--out", "new"];
    let last = |bytes: &mut Vec<u8>| {
        let end = bytes.len() / 2;
        bytes[end] ^= 1;
    };
    for file in ["model.json", "transform.json", "examples.json", "signature.json", "onnx.json", "model.onnx"]
    {
        let place = damaged(&format!("{model}/{file}"), last);
        finds(&place, &evaluate, 4, &[&format!("{model}/{file}"), "damaged", "digest"]);
    }
    let part = format!("{dataset}/eval/part-00000.parquet");
    finds(&damaged(&part, last), &evaluate, 4, &[&part, "damaged", "digest"]);
    let manifest = format!("{model}/manifest.json");
    finds(&damaged(&manifest, |bytes| bytes.truncate(40)), &evaluate, 4, &[&manifest, "not a manifest"]);
    let place = damaged(&part, last);
    fs_err::remove_file(place.path(&part)).unwrap();
    finds(&place, &evaluate, 4, &[&part, "missing"]);
}

#[test]
fn a_damaged_baseline_or_registry_stops_the_run() {
    let again = ["run", &diabetes("pipeline.yaml"), "--out", "done"];
    let model = "done/registry/diabetes/versions/0001/model.json";
    finds(&damaged(model, |bytes| bytes[9] ^= 1), &again, 4, &[model, "damaged", "step `evaluate`"]);
    let aliases = "done/registry/diabetes/aliases.json";
    finds(&damaged(aliases, |bytes| bytes.truncate(3)), &again, 4, &[aliases, "damaged"]);
}

#[test]
fn an_artifact_of_another_kind_or_none() {
    let place = damaged("done/runs/0001/run.json", |_| ());
    let dataset = "done/runs/0001/dataset";
    finds(&place, &["evaluate", dataset, "--model", dataset, "--out", "new"], 2, &["`dataset`, not `model`"]);
    finds(&place, &["evaluate", dataset, "--model", "nowhere", "--out", "new"], 3, &["`nowhere`"]);
    let wrong = ["evaluate", dataset, "--model", "done/runs/0001/model", "--subset", "test", "--out", "new"];
    finds(&place, &wrong, 2, &["no subset `test`", "`eval`"]);
}

#[test]
fn arguments_that_are_none() {
    let place = Place::new();
    let cases: [(&[&str], &str); 7] = [
        (&["bogus"], "bogus"),
        (&["run"], "<PIPELINE>"),
        (&["ingest", "rows.csv", "--out", "new"], "--subset-column"),
        (&["ingest", "rows.csv", "--share", "train", "--out", "new"], "--share train"),
        (
            &["ingest", "rows.csv", "--share", "train=1", "--column-type", "x=number", "--out", "new"],
            "`number`",
        ),
        (&["statistics", "rows.csv", "--threads", "0"], "--threads"),
        (&["evaluate", "--model", "model"], "<INPUT>"),
    ];
    for (command, part) in cases {
        place.assert_failure(&place.sluice(command), 2, &[part]);
    }
}
