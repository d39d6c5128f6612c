//! The sums of training rows, kept span by span and merged from shards: what is solved from them is the very bytes of one
//! run over the window.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Outcome, Place, assert_same_files};

const SCALED: [&str; 6] = [
    "--operation",
    "standardize: [fare]",
    "--operation",
    "scale_to_range: { columns: [miles], range: [-1, 1] }",
    "--operation",
    "one_hot: [company]",
];
/// So many rows a day that a window of four days passes what is kept row by row.
const MANY: u32 = 30_000;

/// Days of trips, each with other fares: the constants of scaling are those of the window.
fn days(place: &Place, days: RangeInclusive<u32>, rows: u32) {
    for day in days {
        let mut text = String::from("id,fare,miles,near,company,trips,tips,subset\n");
        for row in 0..rows + 7 * day {
            let noise = |factor: u32| (row * day).wrapping_mul(factor) >> 16;
            let (fare, miles) = (noise(2_654_435_761) % 900, noise(2_246_822_519) % (30 + day));
            let near = f64::from(fare) + f64::from(day) / 10.0 + 1e-7 * f64::from(noise(3_266_489_917) % 97);
            let subset = if row % 6 == 0 { "eval" } else { "train" };
            let tips = f64::from(fare) * 0.15 + f64::from(miles) + f64::from(noise(668_265_263) % 50) / 7.0;
            let _ = writeln!(
                text,
                "{day}-{row},{fare}.{day},{miles},{near},c{},{},{tips},{subset}",
                fare % 5,
                row % 4
            );
        }
        place.write(&format!("days/{day}/trips.csv"), &text);
    }
}

fn pipeline(place: &Place, transform: &str, train: &str) {
    let text = format!(
        "pipeline: trips\ndata:\n  inputs: {{ trips: \"days/{{SPAN}}/*.csv\" }}\n  \
         roles: {{ label: tips, weight: trips, key: [id] }}\n  subsets: {{ by: subset }}\n\
         transform: {transform}\ntrain: {train}\n\
         evaluate: {{ baseline: none, require: [ {{ metric: rmse, at_most: 999 }} ] }}\n"
    );
    let _ = place.write("pipeline.yaml", &text);
}

fn run(place: &Place, out: &str, spans: &str) -> Outcome {
    place.sluice(&["run", "pipeline.yaml", "--out", out, "--spans", spans]).exits(0)
}

/// The step `train` of a run.
fn train_step(place: &Place, out: &str, run: u32) -> Value {
    let record = place.json(&format!("{out}/runs/{run:04}/run.json"));
    let steps = record["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == "train").unwrap().clone()
}

fn ingest(place: &Place, spans: &str, out: &str) {
    let input = ["ingest", "days/{SPAN}/*.csv", "--spans", spans, "--key", "id", "--out", out];
    let _ = place.sluice(&[&input[..], &["--subset-column", "subset"]].concat()).exits(0);
}

fn fit_transform(place: &Place, dataset: &str, operations: &[&str], out: &str) {
    let _ = place.sluice(&[&["transform", "fit", dataset, "--out", out], operations].concat()).exits(0);
}

fn train(place: &Place, dataset: &str, transform: &str, rest: &[&str]) -> Outcome {
    let given = ["train", dataset, "--transform", transform, "--label", "tips"];
    place.sluice(&[&given[..], rest].concat())
}

fn states(place: &Place, folder: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(place.path(folder)).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn damage(path: &std::path::Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn a_window_that_moves_reads_the_new_span_and_solves_the_same_bytes() {
    let scaled = "[ { standardize: [fare] }, { scale_to_range: [miles] }, { one_hot: [company] } ]";
    for (rows, method) in [(MANY, "blocked"), (300, "whole")] {
        let place = Place::new();
        days(&place, 1..=5, rows);
        pipeline(&place, scaled, "{ ridge: { alpha: { grid: [0.1, 1, 10], folds: 3 } } }");
        let _ = run(&place, "out", "1..4");
        assert_eq!(train_step(&place, "out", 1)["spans"], json!({ "read": 4, "reused": 0 }));
        let _ = run(&place, "out", "2..5");
        let step = train_step(&place, "out", 2);
        assert_eq!(step["spans"], json!({ "read": 1, "reused": 3 }), "{method}");
        assert_eq!(step["unusable_states"], Value::Null);
        // The constants of the transform are others, the sums are not.
        let transform = |run: u32| place.json(&format!("out/runs/{run:04}/transform/transform.json"));
        assert_ne!(transform(1), transform(2));
        let _ = run(&place, "fresh", "2..5");
        assert_same_files(&place.path("out/runs/0002/model"), &place.path("fresh/runs/0001/model"));
        assert_eq!(place.json("out/runs/0002/model/model.json")["method"], method);
        // Another penalty needs no row; another number of folds needs all.
        for (alpha, reused) in [("{ grid: [0.5, 2], folds: 3 }", 4), ("0.5", 0)] {
            pipeline(&place, scaled, &format!("{{ ridge: {{ alpha: {alpha} }} }}"));
            let _ = run(&place, "out", "2..5");
            let number = if reused == 4 { 3 } else { 4 };
            let step = train_step(&place, "out", number);
            assert_eq!(step["spans"], json!({ "read": 4 - reused, "reused": reused }), "{alpha}");
        }
        place.is_tidy();
    }
}

#[test]
fn what_a_transform_has_learnt_anew_is_said_and_read_again() {
    let place = Place::new();
    days(&place, 1..=3, 200);
    for (window, out) in [("1..2", "first"), ("2..3", "next")] {
        ingest(&place, window, out);
    }
    let keep = |dataset: &str, transform: &str, rest: &[&str]| {
        let options = ["--alpha", "1", "--keep-state", "states", "--out", "model"];
        train(&place, dataset, transform, &[&options[..], rest].concat()).exits(0).stderr
    };
    let operations = ["--operation", "impute: { columns: [fare], with: mean }"];
    fit_transform(&place, "first", &operations, "of-first");
    fit_transform(&place, "next", &operations, "of-next");
    let told = keep("first", "of-first", &[]);
    assert!(told.contains("2 spans read, 0 reused"), "{told}");
    let told = keep("next", "of-next", &[]);
    let learnt = "a state is made again: what `impute` has learnt of `fare` is not what it was";
    assert!(told.contains(learnt) && told.contains("2 spans read, 0 reused"), "{told}");
    // The sums hang on label and weight too, and on nothing else that is asked for.
    let told = keep("next", "of-next", &["--weight", "trips"]);
    assert!(told.contains("2 spans read, 0 reused") && !told.contains("made again"), "{told}");
    let told = keep("next", "of-next", &["--onnx", "off"]);
    assert!(told.contains("0 spans read, 2 reused, 0 rows read"), "{told}");
}

#[test]
fn a_state_that_is_damaged_moved_or_of_other_rows_is_made_again() {
    let place = Place::new();
    days(&place, 1..=3, 200);
    ingest(&place, "1..3", "data");
    fit_transform(&place, "data", &SCALED, "transform");
    let keep = |dataset: &str| {
        let told = train(
            &place,
            dataset,
            "transform",
            &["--alpha", "1", "--keep-state", "states", "--out", "model"],
        );
        let _ = train(&place, dataset, "transform", &["--alpha", "1", "--out", "fresh"]).exits(0);
        let told = told.exits(0).stderr;
        assert_same_files(&place.path("model"), &place.path("fresh"));
        told
    };
    assert!(keep("data").contains("3 spans read, 0 reused"));
    assert!(keep("data").contains("0 spans read, 3 reused, 0 rows read"));
    let kept = states(&place, "states/train-state");
    assert_eq!(kept.len(), 3);
    damage(&kept[0].join("sums.state"));
    let told = keep("data");
    assert!(told.contains("is damaged") && told.contains("1 spans read, 2 reused"), "{told}");
    fs_err::remove_dir_all(&kept[0]).unwrap();
    fs_err::rename(&kept[1], &kept[0]).unwrap();
    let told = keep("data");
    assert!(told.contains("is not the state that its name says"), "{told}");
    assert!(told.contains("2 spans read, 1 reused"), "{told}");
    // A day that was delivered again is another day.
    let text = fs_err::read_to_string(place.path("days/2/trips.csv")).unwrap();
    place.write("days/2/trips.csv", &text.replace(".2,", ".9,"));
    ingest(&place, "1..3", "again");
    let told = keep("again");
    assert!(told.contains("1 spans read, 2 reused"), "{told}");
    // What was kept of a span does not say which model is wanted.
    let merge = place.sluice(&["train", "merge", "states", "--out", "x"]);
    place.assert_failure(&merge, 2, &["is what was kept of a span", "train --partial"]);
}

/// States of shards of `data`, the last first.
fn shards(place: &Place, count: u32, rest: &[&str]) -> Vec<String> {
    let part = |index: u32| {
        let (of, out) = (format!("{index}/{count}"), format!("part-{index}-of-{count}"));
        let partial = ["--partial", "--shard", &of, "--out", &out];
        let _ = train(place, "data", "transform", &[&partial[..], rest].concat()).exits(0);
        out
    };
    (1..=count).rev().map(part).collect()
}

fn merge(place: &Place, states: &[String], out: &str) -> Outcome {
    let states = states.iter().map(String::as_str);
    place.sluice(&["train", "merge"].into_iter().chain(states).chain(["--out", out]).collect::<Vec<_>>())
}

#[test]
fn shards_merge_to_the_bytes_of_one_run() {
    let search =
        ["--model", "ridge: {alpha: {grid: [0.1, 1], folds: 3}, targets: [near]}", "--weight", "trips"];
    for (days_of, rows) in [(1..=4, MANY), (1..=1, 500)] {
        let place = Place::new();
        let window = format!("1..{}", days_of.end());
        days(&place, days_of, rows);
        ingest(&place, &window, "data");
        fit_transform(&place, "data", &SCALED, "transform");
        let _ = train(&place, "data", "transform", &[&search[..], &["--out", "whole"]].concat()).exits(0);
        for count in [1, 3] {
            let _ = merge(&place, &shards(&place, count, &search), "merged").exits(0).says(&["near:"]);
            assert_same_files(&place.path("whole"), &place.path("merged"));
        }
    }
}

#[test]
fn states_that_do_not_fit_together_are_refused() {
    let place = Place::new();
    days(&place, 1..=3, 200);
    ingest(&place, "1..3", "data");
    ingest(&place, "1..2", "less");
    fit_transform(&place, "data", &SCALED, "transform");
    fit_transform(&place, "data", &SCALED[..2], "narrow");
    let alpha = ["--alpha", "1"];
    let parts = shards(&place, 2, &alpha);
    let refused = |states: &[&str], parts: &[&str]| {
        let states: Vec<String> = states.iter().map(|state| (*state).to_owned()).collect();
        place.assert_failure(&merge(&place, &states, "x"), 2, parts);
    };
    let first = parts[1].as_str();
    refused(&[first], &["no state holds splits", "every shard"]);
    refused(&[first, first], &["two states hold split"]);
    refused(&[first, "transform"], &["`transform`, not `train-state`"]);
    let part = |dataset: &str, transform: &str, rest: &[&str], out: &str| {
        let partial = ["--partial", "--shard", "2/2", "--out", out];
        let _ = train(&place, dataset, transform, &[&partial[..], rest].concat()).exits(0);
    };
    part("data", "narrow", &alpha, "other");
    refused(&[first, "other"], &["`other` is a state of another transform than `part-1-of-2`"]);
    part("less", "transform", &alpha, "other");
    refused(&[first, "other"], &["another data set"]);
    part("data", "transform", &["--alpha", "2"], "other");
    refused(&[first, "other"], &["another model"]);
    part("data", "transform", &["--alpha", "1", "--weight", "trips"], "other");
    refused(&[first, "other"], &["another label, weight or key"]);
    // Options that would do nothing.
    let both = ["--alpha", "1", "--partial", "--keep-state", "states", "--out", "x"];
    place.assert_failure(&train(&place, "data", "transform", &both), 2, &["--keep-state", "--partial"]);
    let exact = train(&place, "data", "transform", &["--alpha", "1", "--exact", "--out", "x"]);
    place.assert_failure(&exact, 2, &["--partial"]);
    let _ = train(&place, "data", "transform", &["--alpha", "1", "--out", "model"]).exits(0);
    let start = train(&place, "data", "transform", &["--alpha", "1", "--warm-start", "model", "--out", "x"]);
    place.assert_failure(&start, 2, &["`ridge` is solved at once from sums", "leave `--warm-start` out"]);
    damage(&place.path(first).join("sums.state"));
    let damaged = merge(&place, &parts, "x");
    assert_eq!(damaged.code, Some(4), "{damaged:#?}");
    assert!(damaged.stderr.contains("is damaged"), "{damaged:#?}");
}

#[test]
fn nearly_dependent_features_need_exact_sums() {
    let place = Place::new();
    days(&place, 1..=4, MANY);
    ingest(&place, "1..4", "data");
    let operations = ["--operation", "standardize: [fare, near]"];
    fit_transform(&place, "data", &operations, "transform");
    let fit = ["--alpha", "0"];
    let _ = train(&place, "data", "transform", &[&fit[..], &["--out", "whole"]].concat()).exits(0);
    assert_eq!(place.json("whole/model.json")["method"], "exact");
    let blocked = merge(&place, &shards(&place, 2, &fit), "x");
    place.assert_failure(&blocked, 2, &["so nearly dependent", "make all states again with `--exact`"]);
    let exact = shards(&place, 3, &["--alpha", "0", "--exact"]);
    let _ = merge(&place, &exact, "merged").exits(0);
    assert_same_files(&place.path("whole"), &place.path("merged"));
    let mixed = ["part-1-of-2".to_owned(), exact[0].clone()];
    place.assert_failure(&merge(&place, &mixed, "x"), 2, &["another form (`--exact`)"]);
    // Both scans have states.
    for told in ["4 spans read, 0 reused", "0 spans read, 4 reused, 0 rows read"] {
        let keep = ["--alpha", "0", "--keep-state", "states", "--out", "kept"];
        let outcome = train(&place, "data", "transform", &keep).exits(0);
        assert!(outcome.stderr.contains(told), "{outcome:#?}");
        assert_same_files(&place.path("whole"), &place.path("kept"));
    }
    assert_eq!(states(&place, "states/train-state").len(), 8);
}
