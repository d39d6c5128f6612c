//! What the program prints where: results on stdout, as JSON when asked; messages on stderr; help that teaches.

use serde_json::Value;

use crate::support::{Outcome, Place, data, diabetes, diabetes_changed};

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

/// The lines of a log, each of which must be a JSON object with the keys that every line has.
fn log_of(outcome: &Outcome) -> Vec<Value> {
    let lines: Vec<Value> = outcome.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{line}");
        assert!(["info", "warning", "error"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(line["event"].is_string() && line["message"].is_string(), "{line}");
    }
    lines
}

fn events(log: &[Value]) -> Vec<&str> {
    log.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn as_json_every_line_of_stderr_is_an_object_and_stdout_is_as_without() {
    let mut plain = Vec::new();
    each_step(&Place::new(), "--quiet", |_, outcome| plain.push(outcome.stdout));
    let mut plain = plain.into_iter();
    each_step(&Place::new(), "--log-format=json", |name, outcome| {
        assert_eq!(outcome.stdout, plain.next().unwrap(), "{name}");
        let log = log_of(&outcome);
        assert!(log.iter().all(|line| line["command"] == name), "{outcome:#?}");
        if !["run", "check"].contains(&name) {
            assert!(log.iter().all(|line| line["step"] == name), "{outcome:#?}");
        }
        let (first, last) = (&log[0], &log[log.len() - 1]);
        assert_eq!((&first["event"], &last["event"]), (&"command_begun".into(), &"command_finished".into()));
        assert_eq!((&last["exit_code"], &last["level"]), (&0.into(), &"info".into()));
        assert!(last["seconds"].as_f64().unwrap() > 0.0);
    });
}

#[test]
fn the_log_of_a_run_has_each_step_with_rows_and_seconds() {
    let place = Place::new();
    let file = diabetes("pipeline.yaml");
    let run = |more: &[&str]| {
        let outcome = place.sluice(&[&["run", &file, "--out", "out", "--log-format", "json"], more].concat());
        log_of(&outcome.exits(0))
    };
    for state in ["ran", "cached"] {
        let log = run(&[]);
        for (index, step) in
            ["ingest", "statistics", "schema", "validate", "transform", "train", "evaluate", "push"]
                .into_iter()
                .enumerate()
        {
            let lines: Vec<&Value> = log.iter().filter(|line| line["step"] == step).collect();
            assert_eq!(
                (&lines[0]["event"], &lines[1]["event"]),
                (&"step_begun".into(), &"step_finished".into())
            );
            assert_eq!(lines.len(), 2, "{lines:#?}");
            assert!(lines[1]["seconds"].as_f64().unwrap() >= 0.0);
            // The second evaluation has a baseline.
            if index < 6 {
                assert_eq!(lines[1]["state"], state, "{lines:#?}");
            }
        }
        let finished = |step: &str| {
            log.iter().find(|line| line["step"] == step && line["event"] == "step_finished").unwrap()
        };
        assert_eq!(finished("ingest")["rows"], if state == "ran" { 442.into() } else { Value::Null });
    }
    let planned = run(&["--dry-run", "--from", "train"]);
    let planned: Vec<&Value> = planned.iter().filter(|line| line["event"] == "step_planned").collect();
    let steps: Vec<&str> = planned.iter().map(|line| line["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["train", "evaluate", "push"]);
    assert_eq!(planned[0]["reason"], "asked for");
}

#[test]
fn the_log_has_notes_rejections_and_errors() {
    let place = Place::new();
    let json = ["--log-format", "json"];
    let noted = place.sluice(&[&["statistics", &data("leading_zeros.csv")], &json[..]].concat()).exits(0);
    let log = log_of(&noted);
    let is_note =
        |line: &&Value| line["event"] == "note" && line["message"].as_str().unwrap().starts_with("`code`");
    let note = log.iter().find(is_note).unwrap();
    assert_eq!(note["message"], "`code`: kept as text: \"007\" has a leading zero (row 1)");

    let strict = diabetes_changed(&place, "strict.yaml", "at_most: 60.0", "at_most: 50.0");
    let rejected = place.sluice(&[&["run", &strict, "--out", "out"], &json[..]].concat()).exits(1);
    let log = log_of(&rejected);
    let last = log.last().unwrap();
    assert_eq!((&last["level"], &last["exit_code"]), (&"warning".into(), &1.into()));

    let failed = place.sluice(&[&["statistics", "nowhere.csv", "--json"], &json[..]].concat()).exits(3);
    let log = log_of(&failed);
    assert_eq!(events(&log), ["command_begun", "error", "command_finished"]);
    assert_eq!(log[1]["error"], failed.json()["error"]);
    for key in ["kind", "exit_code", "message", "places", "causes", "hint"] {
        assert!(log[1]["error"].get(key).is_some(), "{key}: {failed:#?}");
    }
    let broken = diabetes_changed(&place, "broken.yaml", "bmi", "bim");
    let failed = place.sluice(&[&["run", &broken, "--out", "other", "-q"], &json[..]].concat()).exits(2);
    let log = log_of(&failed);
    assert_eq!((events(&log), &log[0]["step"]), (vec!["error"], &"ingest".into()));

    for wrong in [&["statistik"][..], &["run", "a", "--threads=0"], &["run"]] {
        let failed = place.sluice(&[wrong, &json[..]].concat()).exits(2);
        let log = log_of(&failed);
        assert_eq!((events(&log), &log[0]["error"]["kind"]), (vec!["error"], &"usage".into()), "{failed:#?}");
    }
}

#[test]
fn the_environment_chooses_the_format_and_the_option_wins() {
    let place = Place::new();
    let run = |variable: &str, more: &[&str]| {
        let mut command = place.command(&[&["statistics", "nowhere.csv"], more].concat());
        crate::support::outcome(&command.env("SLUICE_LOG_FORMAT", variable).output().unwrap())
    };
    assert_eq!(log_of(&run("json", &[]).exits(3)).len(), 3);
    assert!(run("json", &["--log-format", "text"]).exits(3).stderr.starts_with("error: "));
    assert!(run("", &[]).exits(3).stderr.starts_with("error: "));
    let wrong = run("yaml", &[]).exits(2);
    assert!(
        wrong.stderr.contains("`SLUICE_LOG_FORMAT` is `yaml`") && wrong.stderr.contains("`json`"),
        "{wrong:#?}"
    );
}

/// Holds `ingest` up for more than five seconds, some time after its start; what the log then tells of its progress,
/// if it was held up while it read.
fn progress_when_held_up(place: &Place, after_milliseconds: u64) -> Option<Value> {
    let out = format!("dataset-{after_milliseconds}");
    let ingest = ["ingest", "rows.csv", "--share", "train=0.8", "--share", "eval=0.2", "--out", &out];
    let child = place.command(&[&ingest[..], &["--log-format=json"]].concat()).spawn().unwrap();
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status();
        assert!(sent.unwrap().success(), "it ended before it was held up");
    };
    std::thread::sleep(std::time::Duration::from_millis(after_milliseconds));
    signal("-STOP");
    std::thread::sleep(std::time::Duration::from_millis(5200));
    signal("-CONT");
    let outcome = crate::support::outcome(&child.wait_with_output().unwrap()).exits(0);
    log_of(&outcome).into_iter().find(|line| line["event"] == "progress")
}

/// A program that is held up sees that five seconds have passed, and tells how far it is. On a busy machine it may not have
/// begun to read when it is held up: then it is tried again, later after its start.
#[test]
fn a_long_phase_is_told_in_the_log() {
    let place = Place::new();
    crate::tables::mixed_csv(400_000, &place.path("rows.csv"));
    let told = [100, 50, 200, 400, 25].into_iter().find_map(|after| progress_when_held_up(&place, after));
    let told = told.expect("no progress was told");
    assert_eq!(told["step"], "ingest");
    let (done, total) = (told["bytes"].as_u64().unwrap(), told["bytes_total"].as_u64().unwrap());
    assert!(done > 0 && done <= total && total == fs_err::metadata(place.path("rows.csv")).unwrap().len());
    assert!(told["seconds"].as_f64().unwrap() > 5.0 && told["seconds_left"].is_f64(), "{told:#}");
}
