//! Cached steps and runs that go on: what did not change does not run again, and what was killed leaves the next
//! run the steps that were done, with the same bytes in the end.

use std::time::Duration;

use serde_json::Value;

use crate::support::{ARTIFACTS, Place, assert_same_files, diabetes, diabetes_changed};

/// The state of each step of a run, by name.
fn states(place: &Place, pipeline: &str, options: &[&str]) -> Vec<(String, String)> {
    let arguments = [&["run", pipeline, "--out", "out", "--json"], options].concat();
    let report = place.sluice(&arguments).exits(0).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (text(&step["name"]), text(&step["state"])))
        .collect()
}

/// The names of the steps that ran.
fn ran(states: &[(String, String)]) -> Vec<&str> {
    states.iter().filter(|(_, state)| state == "ran").map(|(name, _)| name.as_str()).collect()
}

#[test]
fn only_what_changed_runs_again() {
    let place = Place::new();
    let pipeline = diabetes("pipeline.yaml");
    assert_eq!(ran(&states(&place, &pipeline, &[])).len(), 8);
    // The first run has left a baseline, which the evaluation reads.
    assert_eq!(ran(&states(&place, &pipeline, &[])), ["evaluate", "push"]);
    assert_eq!(ran(&states(&place, &pipeline, &[])), ["push"]);
    let outcome = place.sluice(&["run", &pipeline, "--out", "out"]).exits(0);
    assert!(outcome.stdout.contains("nothing to do: every step is up to date"), "{outcome:#?}");
    let changed = diabetes_changed(&place, "changed.yaml", "alpha: 0.4", "alpha: 0.5");
    assert_eq!(ran(&states(&place, &changed, &[])), ["train", "evaluate", "push"]);
    place.is_tidy();
}

#[test]
fn steps_run_again_where_they_are_asked_to() {
    let place = Place::new();
    let pipeline = diabetes("pipeline.yaml");
    for _ in 0..2 {
        let _ = states(&place, &pipeline, &[]);
    }
    assert_eq!(ran(&states(&place, &pipeline, &["--force", "statistics"])), ["statistics", "push"]);
    assert_eq!(ran(&states(&place, &pipeline, &["--from", "train"])), ["train", "evaluate", "push"]);
    let outcome = place.sluice(&["run", &pipeline, "--out", "out", "--from", "trian"]).exits(2);
    assert!(outcome.stderr.contains("there is no step `trian`; did you mean `train`?"), "{outcome:#?}");
}

#[test]
fn a_dry_run_says_why_and_changes_nothing() {
    let place = Place::new();
    let pipeline = diabetes("pipeline.yaml");
    let never = place.sluice(&["run", &pipeline, "--out", "out", "--dry-run"]).exits(0);
    assert!(never.stderr.contains("it never ran"), "{never:#?}");
    assert!(!place.path("out").exists());
    let _ = states(&place, &pipeline, &[]);
    let before = crate::support::files(&place.path("out"));
    let changed = diabetes_changed(&place, "changed.yaml", "alpha: 0.4", "alpha: 0.5");
    let dry = place.sluice(&["run", &changed, "--out", "out", "--dry-run"]).exits(0);
    assert!(dry.stderr.contains("changed: options"), "{dry:#?}");
    assert!(dry.stdout.contains("5 steps are cached, 3 would run"), "{dry:#?}");
    assert_eq!(crate::support::files(&place.path("out")), before);
}

#[test]
fn a_damaged_artifact_is_made_again() {
    let place = Place::new();
    let pipeline = diabetes("pipeline.yaml");
    let _ = states(&place, &pipeline, &[]);
    let file = place.path("out/runs/0001/transform/transform.json");
    fs_err::write(&file, "{}").unwrap();
    let report = place.sluice(&["run", &pipeline, "--out", "out", "--json"]).exits(0).json();
    let transform = &report["steps"][4];
    assert_eq!(
        (&transform["name"], &transform["state"]),
        (&"transform".into(), &"ran".into()),
        "{transform:#}"
    );
    assert!(transform["reason"].as_str().unwrap().contains("cannot be used"), "{transform:#}");
    // The same bytes came out, so nothing after it had to run but what reads the new baseline.
    assert_eq!(report["steps"][5]["state"], "cached");
}

#[test]
fn a_run_that_is_killed_at_any_moment_is_finished_by_the_next_with_the_same_bytes() {
    let pipeline = diabetes("pipeline.yaml");
    let expected = Place::new();
    let _ = states(&expected, &pipeline, &[]);
    let place = Place::new();
    for attempt in 0_u64..50 {
        let mut child = place.command(&["run", &pipeline, "--out", "out"]).spawn().unwrap();
        // From before the first line of `main` to past the end, in steps that meet every part of a run.
        std::thread::sleep(Duration::from_micros(attempt * 37 % 50 * 1500));
        child.kill().unwrap();
        child.wait().unwrap();
        if attempt % 10 == 9 {
            let _ = states(&place, &pipeline, &[]);
            let latest = fs_err::read_dir(place.path("out/runs")).unwrap().count();
            for name in ARTIFACTS.iter().filter(|name| **name != "evaluation") {
                let found = place.path(&format!("out/runs/{latest:04}/{name}"));
                assert_same_files(&found, &expected.path("out/runs/0001").join(name));
            }
            // Begin again from nothing.
            fs_err::remove_dir_all(place.path("out")).unwrap();
        }
    }
}
