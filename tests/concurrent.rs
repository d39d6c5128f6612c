//! Several runs at once in one output folder: each ends as it would alone, with the same bytes.

use std::collections::BTreeSet;
use std::process::Child;

use serde_json::Value;

use crate::support::{ARTIFACTS, Outcome, Place, assert_same_files, diabetes, diabetes_changed, outcome};

/// Starts all of them before it waits for the first.
fn together(place: &Place, commands: &[Vec<&str>]) -> Vec<Outcome> {
    let running: Vec<Child> =
        commands.iter().map(|command| place.command(command).spawn().unwrap()).collect();
    running.into_iter().map(|child| outcome(&child.wait_with_output().unwrap())).collect()
}

fn run<'a>(pipeline: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", pipeline, "--out", "out", "--json", "--threads", "1"], more].concat()
}

/// The digest of the package that is registered as this version.
fn registered(place: &Place, out: &str, version: u64) -> Value {
    place.json(&format!("{out}/registry/diabetes/versions/{version:04}.json"))["digest"].clone()
}

/// Asserts that the folders of the runs hold what a run alone makes; what an evaluation holds hangs on whether
/// another was registered before.
fn assert_as_alone(place: &Place, reports: &[Value], alone: &str) {
    for report in reports {
        let folder = place.path(report["folder"].as_str().unwrap());
        assert_eq!(report["rejected_by"], Value::Null, "{report:#}");
        for name in ARTIFACTS.iter().filter(|name| **name != "evaluation") {
            assert_same_files(&folder.join(name), &place.path(&format!("{alone}/runs/0001/{name}")));
        }
        assert!(folder.join("run.json").exists() && folder.join("evaluation/manifest.json").exists());
    }
}

#[test]
fn the_same_pipeline_is_registered_once() {
    let pipeline = diabetes("pipeline.yaml");
    for count in [2, 4, 4, 4] {
        let place = Place::new();
        let _ = place.sluice(&["run", &pipeline, "--out", "alone"]).exits(0);
        let commands = vec![run(&pipeline, &[]); count];
        // Into nothing; then all of it made anew over what is there, and read meanwhile.
        for (round, more) in [&[][..], &["--from", "ingest"], &["--from", "ingest"]].into_iter().enumerate() {
            let commands: Vec<Vec<&str>> = commands.iter().map(|command| [command, more].concat()).collect();
            let reports: Vec<Value> =
                together(&place, &commands).into_iter().map(|done| done.exits(0).json()).collect();
            assert_as_alone(&place, &reports, "alone");
            let folders: BTreeSet<&str> =
                reports.iter().map(|report| report["folder"].as_str().unwrap()).collect();
            assert_eq!(folders.len(), count);
            let new = reports.iter().filter(|report| report["pushed"]["is_new"] == true).count();
            assert_eq!(new, usize::from(round == 0));
            assert!(reports.iter().all(|report| report["pushed"]["version"] == 1));
            place.is_tidy();
        }
        assert_eq!(registered(&place, "out", 1), registered(&place, "alone", 1));
        assert!(!place.path("out/registry/diabetes/versions/0002").exists());
    }
}

#[test]
fn different_pipelines_are_registered_one_after_the_other() {
    for count in [2, 4, 4] {
        let place = Place::new();
        let files: Vec<String> = (0..count)
            .map(|number| {
                let (name, alpha) = (format!("{number}.yaml"), format!("alpha: 0.4{number}"));
                let file = diabetes_changed(&place, &name, "alpha: 0.4", &alpha);
                let _ = place.sluice(&["run", &file, "--out", &format!("alone{number}")]).exits(0);
                file
            })
            .collect();
        let commands: Vec<Vec<&str>> = files.iter().map(|file| run(file, &[])).collect();
        let done = together(&place, &commands);
        let mut numbers = BTreeSet::new();
        for (number, done) in done.into_iter().enumerate() {
            let report = done.exits(0).json();
            let alone = format!("alone{number}");
            let version = report["pushed"]["version"].as_u64().unwrap();
            assert_eq!(registered(&place, "out", version), registered(&place, &alone, 1));
            assert_as_alone(&place, &[report], &alone);
            numbers.insert(version);
        }
        assert_eq!(numbers, (1..=count).collect());
        let aliases = place.json("out/registry/diabetes/aliases.json");
        assert!(numbers.contains(&aliases["latest-blessed"].as_u64().unwrap()), "{aliases:#}");
        place.is_tidy();
    }
}
