//! Components that watch data and models: drift, skew, and whether to train again.

use serde_json::json;

use super::{Task, made};
use crate::support::{Place, assert_same_files};

/// Rows with a key; `factor` moves the numbers.
fn rows(number: u32, factor: f64) -> String {
    let mut text = String::from("id,x,kind\n");
    for row in 0..number {
        let kind = if row * 53 % 100 < 60 { "Cash" } else { "Card" };
        text.push_str(&format!("r{row},{},{kind}\n", f64::from(row * 37 % 101) * factor));
    }
    text
}

#[test]
fn drift_skew_and_should_retrain_leave_the_bytes_of_their_commands_and_answer() {
    let place = Place::new();
    for (name, factor) in [("then", 1.0), ("now", 1.5)] {
        place.write(&format!("{name}.csv"), &rows(3000, factor));
        let _ = place.sluice(&["statistics", &format!("{name}.csv"), "--out", name]).exits(0);
    }
    let drift =
        ["drift", "now", "--against", "then", "--exclude", "id", "--label-column", "kind", "--out", "drift"];
    let _ = place.sluice(&drift).exits(1);
    let task = Task::new(&place, "drift")
        .artifact("current", &place.path("now"))
        .artifact("against", &place.path("then"))
        .parameter("exclude", json!(["id"]))
        .parameter("label_column", json!(["kind"]));
    let answer = task.answers(&place, &["--quiet"], 0);
    assert_same_files(&place.path("drift"), &made(&place, "drift", "drift"));
    let values = &answer["parameterValues"];
    assert_eq!((&values["blessed"], &values["outcome"]), (&json!(false), &json!("fail")));
    assert!(values["alarms"].as_u64().unwrap() > 0, "{values}");
    assert!(values["reasons"][0].as_str().unwrap().contains("`x`"), "{values}");
    let _ = task.answers(&place, &["--fail-on-reject"], 1);

    let skew =
        ["skew", "now.csv", "--against", "then.csv", "--key", "id", "--threshold", "x=0.5", "--out", "skew"];
    let _ = place.sluice(&skew).exits(1);
    let task = Task::new(&place, "skew")
        .artifact("current", &place.path("now.csv"))
        .artifact("against", &place.path("then.csv"))
        .parameter("key", json!(["id"]))
        .parameter("threshold", json!(["x=0.5"]));
    let values = task.answers(&place, &["--quiet"], 0)["parameterValues"].clone();
    assert_same_files(&place.path("skew"), &made(&place, "skew", "skew"));
    assert_eq!(
        (&values["pairs"], &values["alarms"], &values["blessed"]),
        (&json!(3000), &json!(1), &json!(false))
    );

    let task = Task::new(&place, "should-retrain")
        .artifact("drift", &made(&place, "drift", "drift"))
        .artifact("evaluation", &place.path("nothing"))
        .parameter("max_new_rows", 5000);
    let values = task.answers(&place, &["--quiet"], 0)["parameterValues"].clone();
    assert_eq!((&values["retrain"], &values["decision"]), (&json!(true), &json!("RETRAIN")));
    assert!(values["reasons"][0].as_str().unwrap().contains("columns drifted"), "{values}");
    let summary = fs_err::read_to_string(made(&place, "should-retrain", "summary")).unwrap();
    assert!(summary.starts_with("## Train again: YES"), "{summary}");
    let _ = task.answers(&place, &["--fail-on-reject"], 1);
    let empty = Task::new(&place, "should-retrain");
    let values = empty.answers(&place, &[], 2)["parameterValues"].clone();
    assert_eq!((&values["retrain"], &values["decision"]), (&json!(false), &json!("ERROR")));
}
