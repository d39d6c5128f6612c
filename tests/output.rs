//! What the program prints where: results on stdout, as JSON when asked; messages on stderr; help that teaches.

use crate::support::{Outcome, Place, data, diabetes};

/// Runs the steps one after the other, each with `extra`, and hands each outcome to `seen`.
fn each_step(place: &Place, extra: &str, mut seen: impl FnMut(&str, Outcome)) {
    let (input, file) = (diabetes("diabetes.csv"), diabetes("pipeline.yaml"));
    let steps: [&[&str]; 10] = [
        &["check", &file],
        &["ingest", &input, "--subset-column", "subset", "--out", "dataset"],
        &["statistics", "dataset", "--out", "statistics"],
        &["schema", "statistics", "--out", "schema"],
        &["validate", "statistics", "--schema", "schema", "--out", "validation"],
        &["transform", "dataset", "--pipeline", &file, "--out", "transform"],
        &["train", "dataset", "--transform", "transform", "--pipeline", &file, "--out", "model"],
        &["evaluate", "dataset", "--model", "model", "--pipeline", &file, "--out", "evaluation"],
        &["push", "model", "--evaluation", "evaluation", "--registry", "registry", "--name", "diabetes"],
        &["run", &file, "--out", "out"],
    ];
    for step in steps {
        let mut command = step.to_vec();
        command.push(extra);
        seen(step[0], place.sluice(&command).exits(0));
    }
}

#[test]
fn every_command_answers_in_json_and_nothing_else_is_on_stdout() {
    let place = Place::new();
    each_step(&place, "--json", |name, outcome| {
        assert!(outcome.json().is_object(), "{name}: {outcome:#?}");
    });
    place.is_tidy();
}

#[test]
fn quiet_says_nothing_but_the_result() {
    each_step(&Place::new(), "--quiet", |name, outcome| {
        assert_eq!(outcome.stderr, "", "{name}");
        assert!(!outcome.stdout.trim().is_empty(), "{name} has no result");
    });
}

#[test]
fn in_a_pipe_there_is_neither_progress_nor_colour() {
    each_step(&Place::new(), "--threads=2", |name, outcome| {
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(['\r', '\u{1b}']), "{name}: {outcome:#?}");
            assert!(!text.contains("rows/s") || name == "run", "{name}: {outcome:#?}");
        }
    });
}

#[test]
fn statistics_without_out_only_print() {
    let place = Place::new();
    let outcome = place.sluice(&["statistics", &diabetes("diabetes.csv"), "--json"]).exits(0);
    let statistics = outcome.json();
    assert_eq!(statistics["subsets"][0]["name"], "all");
    assert_eq!(statistics["subsets"][0]["num_rows"], 442);
    assert!(fs_err::read_dir(place.path("")).unwrap().next().is_none(), "something was written");
}

#[test]
fn what_the_reader_kept_as_text_is_said() {
    let place = Place::new();
    let outcome = place.sluice(&["statistics", &data("leading_zeros.csv")]).exits(0);
    assert!(
        outcome.stderr.contains("note: `code`: kept as text: \"007\" has a leading zero"),
        "{outcome:#?}"
    );
    assert!(outcome.stdout.contains("\"0870\"") || outcome.stdout.contains("\"007\""), "{outcome:#?}");
}

#[test]
fn an_error_is_json_too_when_results_are() {
    let place = Place::new();
    let outcome = place.sluice(&["statistics", "nowhere.csv", "--json"]).exits(3);
    let error = &outcome.json()["error"];
    assert_eq!((&error["kind"], &error["exit_code"]), (&"unavailable".into(), &3.into()));
    assert!(error["message"].as_str().unwrap().contains("nowhere.csv"), "{error:#}");
    assert!(error["hint"].is_string(), "{error:#}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome:#?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let mut child = place.command(&["statistics", &diabetes("diabetes.csv")]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn help_teaches_every_command() {
    let place = Place::new();
    let help = place.sluice(&["--help"]).exits(0);
    assert!(help.stdout.contains("Exit codes:"), "{help:#?}");
    let commands = help.stdout.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // Of each entry the first line begins with the name; what follows is indented further.
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10 && names.contains(&"evaluate"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let own = place.sluice(&[name, "--help"]).exits(0);
        assert!(own.stdout.contains("Usage: sluice"), "{own:#?}");
        let teaches = own.stdout.contains(&format!("  sluice {name} ")) || own.stdout.contains("Options:");
        assert!(teaches, "`sluice {name} --help` has neither example nor options");
        assert_eq!(own.stderr, "");
    }
}

#[test]
fn version_and_a_second_own_name() {
    let place = Place::new();
    let version = place.sluice(&["--version"]).exits(0);
    assert_eq!(version.stdout.trim(), format!("sluice {}", env!("CARGO_PKG_VERSION")));
    let again = place.sluice(&["sluice", "--version"]).exits(0);
    assert_eq!(again.stdout, version.stdout);
    let path = env!("CARGO_BIN_EXE_sluice");
    let _ = place.sluice(&[path, "run", &diabetes("pipeline.yaml"), "--out", "out"]).exits(0);
    let _ = place.sluice(&["run", "sluice"]).exits(3);
}

#[test]
fn an_option_without_effect_is_refused() {
    let place = Place::new();
    let rows = diabetes("diabetes.csv");
    let by_column = ["ingest", &rows, "--subset-column", "subset", "--out", "dataset"];
    let seeded = place.sluice(&[&by_column[..], &["--seed", "7"]].concat()).exits(2);
    assert!(seeded.stderr.contains("--seed"), "{seeded:#?}");
    let _ = place.sluice(&by_column).exits(0);
    let outcome = place.sluice(&["statistics", "dataset", "--delimiter", ";"]);
    place.assert_failure(&outcome, 2, &["`dataset` is a data set", "have no meaning", "hint:"]);
}
