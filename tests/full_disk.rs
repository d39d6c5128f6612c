//! A full disk at any moment of any step: the documented code, which file it was, what was there before intact,
//! nothing half written; with space again the next run ends as if nothing had been.

use std::process::Command;
use std::sync::OnceLock;

use crate::support::{ARTIFACTS, Outcome, Place, assert_same_files, diabetes, files, outcome};
use crate::tables::mixed_csv;

/// `full_disk.c`, compiled: a disk that is full from a given call on.
fn library() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = format!("{}/full_disk.so", env!("CARGO_TARGET_TMPDIR"));
        let source = format!("{}/tests/full_disk.c", std::env::var("CARGO_MANIFEST_DIR").unwrap());
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let built = Command::new(compiler).args(["-shared", "-fPIC", "-o", &path, &source, "-ldl"]).status();
        assert!(built.unwrap().success(), "the C compiler that the build needs anyway failed");
        path
    })
}

/// Runs the program on a disk that is full from call `from` on.
fn on_full_disk(place: &Place, arguments: &[&str], from: usize) -> Outcome {
    let mut command = place.command(arguments);
    command.env("LD_PRELOAD", library()).env("FULL_FROM", from.to_string());
    outcome(&command.output().unwrap())
}

#[track_caller]
fn assert_full(place: &Place, done: &Outcome, from: usize) {
    assert_eq!(done.code, Some(3), "full from call {from}: {done:#?}");
    for part in ["error: cannot ", "the disk is full: free some space"] {
        assert!(done.stderr.contains(part), "full from call {from}: stderr lacks {part:?}: {done:#?}");
    }
    assert!(!done.stderr.contains(".draft."), "a draft is named, which nobody knows: {done:#?}");
    assert_eq!(done.stdout, "", "data on stdout of a failure: {done:#?}");
    place.is_tidy();
}

/// Makes the disk full at each call of a command in turn, until it comes to its end. What is at `target` stays.
fn at_every_call(place: &Place, arguments: &[&str], target: &str) {
    let before = files(&place.path(target));
    for from in 1.. {
        let done = on_full_disk(place, arguments, from);
        if done.code == Some(0) {
            assert!(from > 10, "{arguments:?} wrote nothing, or the library was not loaded");
            break;
        }
        assert_full(place, &done, from);
        assert!(files(&place.path(target)) == before, "full from call {from}: `{target}` is not what it was");
    }
    assert!(files(&place.path(target)) != before, "{arguments:?} changed nothing");
    place.is_tidy();
}

#[test]
fn in_ingest() {
    let place = Place::new();
    mixed_csv(200, &place.path("old.csv"));
    mixed_csv(300, &place.path("rows.csv"));
    let ingest = |input| ["ingest", input, "--share", "train=0.8", "--share", "eval=0.2", "--out", "dataset"];
    let _ = place.sluice(&ingest("old.csv")).exits(0);
    at_every_call(&place, &ingest("rows.csv"), "dataset");
}

#[test]
fn in_predict() {
    let place = Place::new();
    let (input, file) = (diabetes("diabetes.csv"), diabetes("pipeline.yaml"));
    let _ = place.sluice(&["run", &file, "--out", "out"]).exits(0);
    let predict = |keep| ["predict", "out/runs/0001/model", &input, "--keep", keep, "--out", "predictions"];
    let _ = place.sluice(&predict("subset")).exits(0);
    at_every_call(&place, &predict("age"), "predictions");
}

/// Until the last call the alias points at the version before.
#[test]
fn in_push() {
    let place = Place::new();
    let file = diabetes("pipeline.yaml");
    let other = crate::support::diabetes_changed(&place, "other.yaml", "alpha: 0.4", "alpha: 0.5");
    for (out, pipeline) in [("one", &file), ("two", &other)] {
        let _ = place.sluice(&["run", pipeline, "--out", out]).exits(0);
    }
    let push = |out: &str| {
        let part = |name| format!("{out}/runs/0001/{name}");
        let (model, evaluation) = (part("model"), part("evaluation"));
        ["push", &model, "--evaluation", &evaluation, "--registry", "registry", "--name", "m"]
            .map(str::to_owned)
    };
    let (first, second) = (push("one"), push("two"));
    let _ = place.sluice(&first.each_ref().map(String::as_str)).exits(0);
    let second = second.each_ref().map(String::as_str);
    let alias = || place.json("registry/m/aliases.json")["latest-blessed"].clone();
    for from in 1.. {
        let done = on_full_disk(&place, &second, from);
        if done.code == Some(0) {
            assert!(from > 10, "the library was not loaded");
            break;
        }
        assert_full(&place, &done, from);
        assert_eq!(alias(), 1, "full from call {from}");
    }
    assert_eq!(alias(), 2);
    assert!(place.path("registry/m/versions/0002.json").exists());
    assert!(!place.path("registry/m/versions/0003").exists());
}

#[test]
fn in_any_step_of_a_run_which_the_next_run_finishes() {
    let place = Place::new();
    let file = diabetes("pipeline.yaml");
    let _ = place.sluice(&["run", &file, "--out", "expected"]).exits(0);
    let mut failed_at: Vec<String> = Vec::new();
    for from in (1..).step_by(4) {
        let out = format!("out{from}");
        let done = on_full_disk(&place, &["run", &file, "--out", &out], from);
        if done.code == Some(0) {
            break;
        }
        assert_full(&place, &done, from);
        if let Some(step) = done.stderr.lines().find_map(|line| line.strip_prefix("  in step ")) {
            failed_at.push(step.to_owned());
        }
        let _ = place.sluice(&["run", &file, "--out", &out]).exits(0);
        let runs = fs_err::read_dir(place.path(&format!("{out}/runs"))).unwrap().count();
        // An evaluation after the push knows its baseline.
        for name in ARTIFACTS.iter().filter(|name| **name != "evaluation") {
            let made = place.path(&format!("{out}/runs/{runs:04}/{name}"));
            assert_same_files(&made, &place.path("expected/runs/0001").join(name));
        }
        let versions = format!("{out}/registry/diabetes/versions");
        assert!(place.path(&versions).join("0001").exists() && !place.path(&versions).join("0002").exists());
        fs_err::remove_dir_all(place.path(&out)).unwrap();
    }
    failed_at.dedup();
    let steps = ["ingest", "statistics", "schema", "validate", "transform", "train", "evaluate", "push"];
    assert_eq!(failed_at, steps.map(|step| format!("`{step}`")));
}

/// `ulimit -f`, whose signal would end a program that does not know it.
#[test]
fn a_limit_of_file_sizes_is_an_error_too() {
    let place = Place::new();
    mixed_csv(200, &place.path("old.csv"));
    mixed_csv(30_000, &place.path("rows.csv"));
    let ingest = |input| ["ingest", input, "--share", "train=0.8", "--share", "eval=0.2", "--out", "dataset"];
    let _ = place.sluice(&ingest("old.csv")).exits(0);
    let before = files(&place.path("dataset"));
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 64 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_sluice")]);
    let done = outcome(&limited.args(ingest("rows.csv")).current_dir(place.path("")).output().unwrap());
    let parts = ["/part-00000.parquet` beyond its first ", "File too large", "raise the limit of file sizes"];
    place.assert_failure(&done, 3, &parts);
    assert!(files(&place.path("dataset")) == before);
}
