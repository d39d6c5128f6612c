//! States of spans that are kept: a window that moves reads what is new, and what comes out is the same bytes as without
//! them. What is damaged, or of other operations, is made again.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Outcome, Place, assert_same_files};

/// Two scans: what is logged must be imputed first.
const OPERATIONS: &str = "[ { impute: { columns: [fare], with: median } }, \
                          { math: { columns: [fare], function: log1p } }, \
                          { standardize: [fare, miles] }, { one_hot: [company] } ]";

/// Days of trips, each with other fares.
fn days(place: &Place, days: std::ops::RangeInclusive<u32>) {
    for day in days {
        let mut text = String::from("id,fare,miles,company,tips,subset\n");
        for row in 0..200 + 50 * day {
            let noise = (row * day).wrapping_mul(2_654_435_761) >> 16;
            let fare = if row % 37 == 0 { String::new() } else { format!("{}.{day}", noise % 90) };
            let subset = if row % 5 == 0 { "eval" } else { "train" };
            let miles = noise % 31;
            let _ = writeln!(text, "{day}-{row},{fare},{miles},c{},{}.5,{subset}", noise % 7, row % 9);
        }
        place.write(&format!("days/{day}/trips.csv"), &text);
    }
}

fn pipeline(place: &Place, transform: &str, rest: &str) {
    let text = format!(
        "pipeline: trips\ndata:\n  inputs: {{ trips: \"days/{{SPAN}}/*.csv\" }}\n  \
         roles: {{ label: tips, key: [id] }}\n  subsets: {{ by: subset }}\ntransform: {transform}\n\
         train: {{ ridge: {{ alpha: 1 }} }}\nevaluate: {{ baseline: none, require: [ {{ metric: rmse, at_most: 99 }} ] }}\n{rest}"
    );
    let _ = place.write("pipeline.yaml", &text);
}

fn run(place: &Place, out: &str, spans: &str) -> Outcome {
    place.sluice(&["run", "pipeline.yaml", "--out", out, "--spans", spans]).exits(0)
}

/// A step of a run.
fn step(place: &Place, out: &str, run: u32, name: &str) -> Value {
    let record = place.json(&format!("{out}/runs/{run:04}/run.json"));
    let steps = record["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap().clone()
}

fn spans(read: u32, reused: u32) -> Value {
    json!({ "read": read, "reused": reused })
}

/// The kept states of a kind whose names have a text in them.
fn states(place: &Place, kind: &str, part: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(place.path(kind)).unwrap().map(|entry| entry.unwrap());
    let found = entries.filter(|entry| entry.file_name().to_string_lossy().contains(part));
    found.map(|entry| entry.path()).collect()
}

#[test]
fn a_run_over_a_window_that_moves_reads_the_new_span() {
    let place = Place::new();
    days(&place, 1..=5);
    pipeline(&place, OPERATIONS, "");
    let _ = run(&place, "out", "1..3");
    for name in ["statistics", "transform"] {
        assert_eq!(step(&place, "out", 1, name)["spans"], spans(3, 0));
        let both = if name == "statistics" { 2 } else { 1 };
        assert_eq!(states(&place, &format!("out/artifacts/{name}-state"), "span-").len(), 3 * both);
    }
    let moved = run(&place, "out", "2..4");
    assert!(moved.stderr.contains("1 spans read, 2 reused"), "{moved:#?}");
    let statistics = step(&place, "out", 2, "statistics");
    assert_eq!((&statistics["spans"], &statistics["rows"]), (&spans(1, 2), &json!(400)));
    let transform = step(&place, "out", 2, "transform");
    assert_eq!((&transform["spans"], &transform["rows"]), (&spans(1, 2), &json!(0)));
    assert!(transform["summary"].as_str().unwrap().contains("from the scan of the statistics"));
    // Other operations: the states of the statistics stand, those of the transform are of something else.
    pipeline(&place, "[ { impute: { columns: [fare], with: mean } }, { one_hot: [company] } ]", "");
    let _ = run(&place, "out", "3..5");
    assert_eq!(step(&place, "out", 3, "statistics")["spans"], spans(1, 2));
    let transform = step(&place, "out", 3, "transform");
    assert_eq!((&transform["spans"], &transform["rows"]), (&spans(3, 0), &json!(280 + 320 + 360)));
    // The same windows without anything from before.
    let _ = run(&place, "fresh", "3..5");
    pipeline(&place, OPERATIONS, "");
    let _ = run(&place, "fresh", "2..4");
    for (run, fresh) in [(2, 2), (3, 1)] {
        for name in ["statistics", "transform", "model"] {
            let (moved, alone) =
                (format!("out/runs/{run:04}/{name}"), format!("fresh/runs/{fresh:04}/{name}"));
            assert_same_files(&place.path(&moved), &place.path(&alone));
        }
    }
    place.is_tidy();
}

#[test]
fn rules_read_every_span_and_the_statistics_the_new_one() {
    let place = Place::new();
    days(&place, 1..=3);
    pipeline(&place, OPERATIONS, "validate: { rules: [miles < 99], unique: [id] }\n");
    let _ = run(&place, "out", "1..2");
    let shared = "rules from the scan of the statistics";
    assert!(step(&place, "out", 1, "validate")["summary"].as_str().unwrap().contains(shared));
    let _ = run(&place, "out", "2..3");
    assert_eq!(step(&place, "out", 2, "statistics")["spans"], spans(1, 1));
    let validate = step(&place, "out", 2, "validate");
    assert_eq!((&validate["rows"], &validate["summary"]), (&json!(650), &json!("nothing found")));
    let _ = run(&place, "fresh", "2..3");
    for name in ["statistics", "validation", "transform"] {
        let (moved, alone) = (format!("out/runs/0002/{name}"), format!("fresh/runs/0001/{name}"));
        assert_same_files(&place.path(&moved), &place.path(&alone));
    }
}

/// A data set of some days.
fn ingest(place: &Place, spans: &str, out: &str) {
    let input = ["ingest", "days/{SPAN}/*.csv", "--spans", spans, "--key", "id", "--out", out];
    let _ = place.sluice(&[&input[..], &["--subset-column", "subset"]].concat()).exits(0);
}

/// Fits with the states in `states`; what it says of them.
fn fit(place: &Place, dataset: &str, operation: &str, out: &str) -> String {
    let task = ["transform", "fit", dataset, "--operation", operation, "--operation", "one_hot: [company]"];
    let fit = place.sluice(&[&task[..], &["--keep-state", "states", "--out", out]].concat()).exits(0);
    let fresh = place.sluice(&[&task[..], &["--out", "fresh", "--threads", "1"]].concat()).exits(0);
    assert_eq!(fit.stdout.replace(out, "fresh"), fresh.stdout);
    assert_same_files(&place.path(out), &place.path("fresh"));
    fit.stderr
}

#[test]
fn a_fit_reads_the_spans_whose_state_is_not_there() {
    let place = Place::new();
    days(&place, 1..=4);
    for (window, out) in [("1..3", "first"), ("2..4", "next")] {
        ingest(&place, window, out);
    }
    let told = fit(&place, "first", "standardize: [fare]", "one");
    assert!(told.contains("3 spans read, 0 reused, 720 rows read; states in states"), "{told}");
    let told = fit(&place, "next", "standardize: [fare]", "two");
    assert!(told.contains("1 spans read, 2 reused, 320 rows read"), "{told}");
    let told = fit(&place, "next", "standardize: [fare]", "two");
    assert!(told.contains("0 spans read, 3 reused, 0 rows read"), "{told}");
    // The folder holds all four days, and merges to a transform of all four.
    let _ = place.sluice(&["transform", "merge", "states", "--out", "merged"]).exits(0);
    ingest(&place, "1..4", "all");
    let told = fit(&place, "all", "standardize: [fare]", "four");
    assert!(told.contains("0 spans read, 4 reused"), "{told}");
    let read = |name: &str| fs_err::read(place.path(name)).unwrap();
    assert_eq!(read("merged/transform.json"), read("four/transform.json"));
    // Other operations have states of their own.
    let told = fit(&place, "next", "scale_to_range: [fare]", "two");
    assert!(told.contains("3 spans read, 0 reused"), "{told}");
    let refused = place.sluice(&["transform", "merge", "states", "--out", "x"]);
    place.assert_failure(&refused, 2, &["is a state of another transform"]);
    // A day that was delivered again is another day.
    let text = fs_err::read_to_string(place.path("days/3/trips.csv")).unwrap();
    place.write("days/3/trips.csv", &text.replace(".3,", ".8,"));
    ingest(&place, "2..4", "again");
    let told = fit(&place, "again", "standardize: [fare]", "two");
    assert!(told.contains("1 spans read, 2 reused, 280 rows read"), "{told}");
}

#[test]
fn a_state_that_is_damaged_or_moved_is_made_again() {
    let place = Place::new();
    days(&place, 1..=2);
    ingest(&place, "1..2", "data");
    let _ = fit(&place, "data", "standardize: [fare]", "one");
    let day = |number: u32| states(&place, "states/transform-state", &format!("span-{number}-")).remove(0);
    let state = day(1).join("scan-1.state");
    let mut bytes = fs_err::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&state, bytes).unwrap();
    let told = fit(&place, "data", "standardize: [fare]", "one");
    assert!(told.contains("a state is made again: ") && told.contains("is damaged"), "{told}");
    assert!(told.contains("1 spans read, 1 reused"), "{told}");
    // The state of another day under this one's name.
    let (one, two) = (day(1), day(2));
    fs_err::remove_dir_all(&one).unwrap();
    fs_err::rename(&two, &one).unwrap();
    let told = fit(&place, "data", "standardize: [fare]", "one");
    assert!(told.contains("is not the state that its name says") && told.contains("2 spans read"), "{told}");
    // Folders that are something else.
    let task = ["transform", "fit", "data", "--operation", "standardize: [fare]"];
    let fit = |states: &str, out: &str| {
        place.sluice(&[&task[..], &["--keep-state", states, "--out", out]].concat())
    };
    place.assert_failure(&fit("data", "x"), 2, &["`data` is an artifact, not a folder of states"]);
    place.assert_failure(&fit("x", "x"), 2, &["`x` cannot hold both the result and the state"]);
    place.write("states/transform-state/notes.txt", "mine");
    let _ = fit("states", "one").exits(0);
    let partial = [&task[..], &["--keep-state", "states", "--partial", "--out", "x"]].concat();
    place.assert_failure(&place.sluice(&partial), 2, &["--keep-state", "--partial"]);
}

#[test]
fn statistics_read_the_spans_whose_state_is_not_there() {
    let place = Place::new();
    days(&place, 1..=4);
    for (window, out) in [("1..3", "first"), ("2..4", "next")] {
        ingest(&place, window, out);
    }
    let statistics = |dataset: &str, more: &[&str]| {
        let given = ["statistics", dataset, "--slice", "company", "--label", "tips"];
        place.sluice(&[&given[..], more].concat()).exits(0).stderr
    };
    let keep = |dataset: &str, out: &str| statistics(dataset, &["--keep-state", "states", "--out", out]);
    let told = keep("first", "one");
    assert!(told.contains("3 spans read, 0 reused, 900 rows read; states in states"), "{told}");
    let told = keep("next", "two");
    assert!(told.contains("1 spans read, 2 reused, 400 rows read"), "{told}");
    let _ = statistics("next", &["--out", "fresh"]);
    assert_same_files(&place.path("two"), &place.path("fresh"));
    // One subset has the states of that subset; other options have none.
    let told = statistics("first", &["--subset", "eval", "--keep-state", "states"]);
    assert!(told.contains("0 spans read, 3 reused, 0 rows read"), "{told}");
    let told = statistics("first", &["--weight", "miles", "--keep-state", "states"]);
    assert!(told.contains("3 spans read, 0 reused"), "{told}");
}

#[test]
fn data_without_spans_have_one_state() {
    let place = Place::new();
    days(&place, 1..=1);
    let ingest = ["ingest", "days/1/trips.csv", "--key", "id", "--subset-column", "subset", "--out", "data"];
    let _ = place.sluice(&ingest).exits(0);
    let told = fit(&place, "data", "standardize: [fare]", "one");
    assert!(told.contains("200 rows read; states in states"), "{told}");
    let told = fit(&place, "data", "standardize: [fare]", "one");
    assert!(told.contains("0 rows read; states in states"), "{told}");
    // Files as they are can keep a state, which is not taken for theirs: only a data set knows its bytes.
    let keep = ["statistics", "days/1/trips.csv", "--keep-state", "of-files", "--out"];
    for out in ["whole", "again"] {
        let _ = place.sluice(&[&keep[..], &[out]].concat()).exits(0);
    }
    let _ = place.sluice(&["statistics", "merge", "of-files", "--out", "merged"]).exits(0);
    assert_same_files(&place.path("whole"), &place.path("merged"));
}
