//! `sluice drift` from outside: what drifted and what did not, from rows and from statistics, and what it writes.

use std::fmt::Write;

use crate::support::Place;

/// Trips of which `share` in a hundred are paid in cash, at prices that `factor` multiplies.
fn trips(rows: u32, share: u32, factor: f64) -> String {
    let mut text = String::from("fare,miles,kind,area\n");
    for row in 0..rows {
        // Two full sequences of remainders, so that shares are what they are meant to be.
        let (a, b) = (f64::from(row * 37 % 101), row * 53 % 100);
        let kind = if b < share { "Cash" } else { "Card" };
        writeln!(text, "{},{},{kind},{}", (a * a / 50.0 + 3.0) * factor, a / 9.0, row % 7).unwrap();
    }
    text
}

fn place() -> Place {
    let place = Place::new();
    place.write("then.csv", &trips(4000, 60, 1.0));
    place.write("same.csv", &trips(3500, 60, 1.0));
    place.write("now.csv", &trips(3000, 30, 1.5));
    for name in ["then", "same", "now"] {
        let _ = place.sluice(&["statistics", &format!("{name}.csv"), "--out", name]).exits(0);
    }
    place
}

fn alarms(place: &Place, file: &str) -> Vec<(String, String)> {
    let record = place.json(file);
    let columns = record["subsets"][0]["columns"].as_array().unwrap().clone();
    let mut found = Vec::new();
    for column in columns {
        for signal in column["signals"].as_array().unwrap() {
            if signal["alarm"] == true {
                let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                found.push((word(&column["column"]), word(&signal["measure"])));
            }
        }
    }
    found
}

#[test]
fn the_same_passes_and_what_changed_is_named_from_rows_and_from_statistics() {
    let place = place();
    for (now, then) in [("same.csv", "then.csv"), ("same", "then"), ("same", "then.csv")] {
        let _ = place.sluice(&["drift", now, "--against", then]).exits(0).says(&["ACCEPTED  0 alarms"]);
    }
    for (now, then, out) in [("now.csv", "then.csv", "rows"), ("now", "then", "saved")] {
        let outcome = place.sluice(&["drift", now, "--against", then, "--out", out, "--junit", "j.xml"]);
        let _ = outcome.exits(1).says(&["REJECTED", "ALARM", "total_variation", "\"Cash\" differs most"]);
        let found = alarms(&place, &format!("{out}/drift.json"));
        let columns: Vec<&str> = found.iter().map(|(column, _)| column.as_str()).collect();
        assert!(columns.contains(&"fare") && columns.contains(&"kind"), "{found:?}");
        assert!(!columns.contains(&"miles") && !columns.contains(&"area"), "{found:?}");
        for file in ["drift.json", "anomalies-all.pbtxt", "junit.xml", "drift.html"] {
            assert!(place.path(&format!("{out}/{file}")).is_file(), "{file}");
        }
    }
    let junit = fs_err::read_to_string(place.path("j.xml")).unwrap();
    assert!(junit.contains("name=\"drift.total_variation\"") && junit.contains("<failure"), "{junit}");
    place.is_tidy();
}

#[test]
fn threads_change_no_byte_and_the_counts_behind_a_number_are_there() {
    let place = place();
    for (threads, out) in [("1", "one"), ("3", "three")] {
        let arguments = ["drift", "now.csv", "--against", "then.csv", "--threads", threads, "--out", out];
        let _ = place.sluice(&arguments).exits(1);
    }
    let files = ["one", "three"].map(|out| fs_err::read(place.path(&format!("{out}/drift.json"))).unwrap());
    assert!(files[0] == files[1]);
    let record = place.json("one/drift.json");
    let columns = record["subsets"][0]["columns"].as_array().unwrap();
    let kind = columns.iter().find(|column| column["column"] == "kind").unwrap();
    let bins = kind["bins"].as_array().unwrap();
    let card = bins.iter().find(|bin| bin["bin"] == "Card").unwrap();
    assert_eq!((bins.len(), &card["current"], &card["reference"]), (2, &2100.0.into(), &1600.0.into()));
    let value = kind["signals"][0]["value"].as_f64().unwrap();
    assert!((value - 0.3).abs() < 1e-12, "{value}");
}

#[test]
fn distances_of_tfdv_are_its_measurements() {
    let place = place();
    let own =
        ["--numbers", "jensen_shannon", "--labels", "infinity_norm", "--threshold", "infinity_norm=0.2"];
    let arguments = [&["drift", "now", "--against", "then", "--out", "d"], &own[..]].concat();
    let _ = place.sluice(&arguments).exits(1);
    let anomalies = fs_err::read_to_string(place.path("d/anomalies-all.pbtxt")).unwrap();
    for text in ["drift_skew_info", "type: L_INFTY", "type: JENSEN_SHANNON_DIVERGENCE", "threshold: 0.2"] {
        assert!(anomalies.contains(text), "{anomalies}");
    }
    assert!(anomalies.contains("COMPARATOR_L_INFTY_HIGH"), "{anomalies}");
}

#[test]
fn settings_that_do_not_fit_are_errors() {
    let place = place();
    let drift = |more: &[&str]| place.sluice(&[&["drift", "now", "--against", "then"], more].concat());
    let told = drift(&["--labels", "kolmogorov_smirnov"]).exits(2).stderr;
    assert!(told.contains("`kolmogorov_smirnov` is no distance of labels"), "{told}");
    let told = drift(&["--threshold", "wassertein=1"]).exits(2).stderr;
    assert!(told.contains("wasserstein"), "{told}");
    let _ = drift(&["--threshold", "wasserstein=-1"]).exits(2);
    for (measure, hint) in [("energy", "`numbers`"), ("domain_classifier", "`--domain-classifier`")] {
        let told = drift(&["--threshold", &format!("{measure}=0.6")]).exits(2).stderr;
        assert!(told.contains("has a threshold, but is not measured") && told.contains(hint), "{told}");
    }
    let _ = drift(&["--level", "0"]).exits(2);
    let _ = drift(&["--exclude", "fair"]).exits(2);
    let _ = drift(&["--format", "csv"]).exits(2);
    let told = drift(&["--exact"]).exits(2).stderr;
    assert!(told.contains("all sides are statistics"), "{told}");
    let told = drift(&["--subset", "eval"]).exits(2).stderr;
    assert!(told.contains("no side has a subset `eval`"), "{told}");
    place.write("drift.yaml", "of_column: { kind: { wasserstein: 0.1 } }\n");
    let told = drift(&["--settings", "drift.yaml"]).exits(2).stderr;
    assert!(told.contains("as column `kind` is compared"), "{told}");
    place.write("drift.yaml", "of_column: { kind: { total_variation: 0.5 } }\nexclude: [fare]\n");
    let _ = drift(&["--settings", "drift.yaml"]).exits(0);
    let _ = place.sluice(&["drift", "nowhere.csv", "--against", "then"]).exits(3);
    place.is_tidy();
}

#[test]
fn labels_and_predictions_are_told_apart_and_have_thresholds_of_their_own() {
    let place = place();
    let roles = ["--label-column", "fare", "--prediction-column", "kind"];
    let drift = |more: &[&str]| {
        place.sluice(&[&["drift", "now", "--against", "then", "--out", "d"], &roles[..], more].concat())
    };
    let _ = drift(&[]).exits(1).says(&["fare (label)", "kind (prediction)"]);
    let record = place.json("d/drift.json");
    let columns = record["subsets"][0]["columns"].as_array().unwrap();
    let role = |name: &str| columns.iter().find(|column| column["column"] == name).unwrap()["role"].clone();
    assert_eq!((role("fare"), role("kind")), ("label".into(), "prediction".into()));
    assert!(role("miles").is_null());
    let page = fs_err::read_to_string(place.path("d/drift.html")).unwrap();
    assert!(page.contains("<small>prediction</small>") && page.contains("class=\"over-all\""), "{page}");
    let generous = "of_role: { label: { kolmogorov_smirnov: 0.9 }, prediction: { total_variation: 0.9 } }\n\
                    thresholds: { out_of_range: 1 }\n";
    place.write("drift.yaml", generous);
    let _ = drift(&["--settings", "drift.yaml"]).exits(0);
    place.write("drift.yaml", "of_role: { prediction: { wasserstein: 0.9 } }\n");
    let told = drift(&["--settings", "drift.yaml"]).exits(2).stderr;
    assert!(told.contains("`wasserstein` fits no prediction column"), "{told}");
    let told = drift(&["--label-column", "kind"]).exits(2).stderr;
    assert!(told.contains("column `kind` is named as label and as prediction"), "{told}");
}

#[test]
fn rows_are_told_apart_by_all_columns_at_once() {
    let place = place();
    let drift = |now: &str, more: &[&str]| {
        let arguments = ["drift", now, "--against", "then.csv", "--domain-classifier"];
        place.sluice(&[&arguments[..], more].concat())
    };
    let _ = drift("same.csv", &[])
        .exits(0)
        .says(&["rows are told apart with AUC 0.", "3 500 rows against 4 000 rows"]);
    for (threads, out) in [("1", "one"), ("3", "three")] {
        let more = ["--classifier-rows", "1000", "--threads", threads, "--out", out];
        let _ = drift("now.csv", &more).exits(1).says(&["ALARM  rows are told apart", "kind"]);
    }
    let files = ["one", "three"].map(|out| fs_err::read(place.path(&format!("{out}/drift.json"))).unwrap());
    assert!(files[0] == files[1]);
    let found = &place.json("one/drift.json")["subsets"][0]["domain_classifier"];
    assert_eq!((&found["num_rows"], &found["num_reference_rows"]), (&1000.into(), &1000.into()));
    assert!(found["signal"]["value"].as_f64().unwrap() > 0.6, "{found}");
    let page = fs_err::read_to_string(place.path("one/drift.html")).unwrap();
    assert!(page.contains("Rows told apart by all columns"), "{page}");
    let told =
        place.sluice(&["drift", "now", "--against", "then.csv", "--domain-classifier"]).exits(2).stderr;
    assert!(told.contains("needs the rows of both sides"), "{told}");
    let told = drift("now.csv", &["--classifier-rows", "5"]).exits(2).stderr;
    assert!(told.contains("domain_classifier.rows"), "{told}");
}
