//! `sluice should-retrain` from outside: each kind of reason, and exit codes for a scheduler.

use crate::support::{Place, diabetes};

/// Two columns, the label, and a prediction; `factor` moves the first, `lift` the label.
fn rows(number: u32, factor: f64, lift: f64) -> String {
    let mut text = String::from("x,z,y,guess\n");
    for row in 0..number {
        let (a, b) = (f64::from(row * 37 % 101), f64::from(row * 53 % 97));
        text.push_str(&format!("{},{b},{},{}\n", a * factor, a + lift, a + b));
    }
    text
}

fn drift(place: &Place, name: &str, text: &str, out: &str, code: i32) {
    place.write(name, text);
    let roles = ["--label-column", "y", "--prediction-column", "guess"];
    let arguments = [&["drift", name, "--against", "then.csv", "--out", out], &roles[..]].concat();
    let _ = place.sluice(&arguments).exits(code);
}

#[test]
fn drift_is_a_reason_by_what_the_column_is_to_the_model() {
    let place = Place::new();
    place.write("then.csv", &rows(3000, 1.0, 0.0));
    drift(&place, "same.csv", &rows(2500, 1.0, 0.0), "same", 0);
    drift(&place, "moved.csv", &rows(2500, 1.5, 0.0), "moved", 1);
    drift(&place, "lifted.csv", &rows(2500, 1.0, 50.0), "lifted", 1);
    let ask = |more: &[&str]| place.sluice(&[&["should-retrain"], more].concat());
    let _ = ask(&["--drift", "same"]).exits(0).says(&["KEEP  0 reasons"]);
    let _ = ask(&["--drift", "moved"]).exits(1).says(&["RETRAIN", "REASON  feature_drift", "column `x`"]);
    let _ = ask(&["--drift", "moved", "--max-drifted-columns", "1"]).exits(0);
    let found = ask(&["--drift", "lifted", "--max-drifted-columns", "9", "--json", "--out", "verdict"]);
    let found = found.exits(1).json();
    let checks = found["checks"].as_array().unwrap();
    let reason = checks.iter().find(|check| check["is_reason"] == true).unwrap();
    assert_eq!((&reason["kind"], &reason["subject"]), (&"label_drift".into(), &"y".into()));
    assert!(reason["value"].as_f64() > reason["bound"].as_f64(), "{reason}");
    let _ = ask(&["--prediction-drift", "same", "--drift", "same", "--max-new-rows", "2499"]).exits(1);
    let markdown = fs_err::read_to_string(place.path("verdict/retraining.md")).unwrap();
    assert!(markdown.starts_with("## Train again: YES\n"), "{markdown}");
    let manifest = place.json("verdict/manifest.json");
    assert_eq!(manifest["made_from"].as_object().unwrap().len(), 1);
    place.assert_failure(&ask(&[]), 2, &["nothing is given that could be a reason"]);
    place.assert_failure(&ask(&["--drift", "same", "--max-age", "1d"]), 2, &["name the model in a registry"]);
    place.assert_failure(&ask(&["--drift", "nowhere"]), 3, &["there is no artifact"]);
}

#[test]
fn age_rows_and_evaluation_are_those_of_the_model_in_production() {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "done", "--quiet"]).exits(0);
    // The second run takes the model of the first.
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "done", "--quiet"]).exits(0);
    let ask = |more: &[&str]| place.sluice(&[&["should-retrain"], more].concat());
    let registry = ["--registry", "done/registry", "--name", "diabetes", "--max-age", "30d"];
    let _ = ask(&registry).exits(0).says(&["KEEP"]);
    let _ = ask(&["--ledger", "done", "--max-age", "30d"]).exits(0);
    // 353 rows were trained on.
    let more = ["--new-rows", "100", "--max-new-share"];
    for from in [&registry[..], &["--ledger", "done"]] {
        let _ = ask(&[from, &more, &["0.28"]].concat()).exits(1).says(&["REASON  new_share", "0.283286"]);
        let _ = ask(&[from, &more, &["0.29"]].concat()).exits(0);
    }
    let found = ask(&["--ledger", "done", "--max-age", "30d", "--json"]).json();
    assert_eq!(found["training"]["which"], "run diabetes.0001");
    let digest = place.json("done/registry/diabetes/versions/0001.json")["digest"].clone();
    assert_eq!(found["training"]["digest"], digest);
    let absent = ["--registry", "done/registry", "--name", "other", "--max-age", "30d"];
    let _ = ask(&absent).exits(1).says(&["never_trained"]);
    let require = "{metric: rmse, at_most: 50}";
    let model = "done/registry/diabetes/versions/0001";
    let dataset = "done/runs/0001/dataset";
    let evaluate = ["evaluate", dataset, "--model", model, "--require", require, "--out", "evaluation"];
    let _ = place.sluice(&evaluate).exits(1);
    let arguments = [&registry[..], &["--evaluation", "evaluation"]].concat();
    let _ = ask(&arguments).exits(1).says(&["REASON  evaluation", "57.4", "above the bound of 50"]);
}
