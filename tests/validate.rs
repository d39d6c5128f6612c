//! `sluice validate` from outside: good data, bad data, the schema of other data, environments, earlier statistics,
//! severities, and what it writes.

use std::time::Instant;

use crate::support::Place;

const SCHEMA: &str = "default_environment: 'TRAINING' default_environment: 'SERVING'
feature { name: 'fare' type: FLOAT presence { min_fraction: 1 } float_domain { min: 0 max: 50 } }
feature { name: 'kind' type: BYTES presence { min_count: 1 } string_domain { name: 'kind' value: 'Cash' value: 'Card' }
  drift_comparator { infinity_norm { threshold: 0.3 } } }
feature { name: 'tip' type: FLOAT presence { min_count: 1 } not_in_environment: 'SERVING' }
dataset_constraints { min_examples_count: 2 num_examples_drift_comparator { min_fraction_threshold: 0.6 } }
";
const GOOD: &str = "fare,kind,tip\n1.5,Cash,0.5\n20.25,Card,2.5\n3.5,Cash,0.25\n9.75,Card,1.5\n";
const BAD: &str = "fare,kind,tip,extra\n-1.5,Cash,0.5,1\n60.25,</failure>,2.5,2\n,Cash,0.25,3\n";

/// A place with the schema and the statistics of these rows.
fn place(rows: &[(&str, &str)]) -> Place {
    let place = Place::new();
    place.write("schema.pbtxt", SCHEMA);
    for (name, text) in rows {
        let file = format!("{name}.csv");
        place.write(&file, text);
        let _ = place.sluice(&["statistics", &file, "--out", name]).exits(0);
    }
    place
}

#[test]
fn good_data_pass_and_every_rule_is_a_case() {
    let place = place(&[("good", GOOD)]);
    let outcome = place.sluice(&["validate", "good", "--schema", "schema.pbtxt", "--out", "validation"]);
    let outcome = outcome.exits(0).says(&["ACCEPTED  0 errors, 0 warnings"]);
    assert!(outcome.stderr.contains("`--previous STATISTICS`"), "{}", outcome.stderr);
    let junit = fs_err::read_to_string(place.path("validation/junit.xml")).unwrap();
    assert!(junit.contains("failures=\"0\""), "{junit}");
    for rule in ["presence.min_fraction", "type", "float_domain.min", "float_domain.max"] {
        assert!(junit.contains(&format!("<testcase classname=\"fare\" name=\"{rule}\"/>")), "{junit}");
    }
    assert!(place.path("validation/validation.html").is_file());
    assert!(place.path("validation/anomalies-all.pbtxt").is_file());
    place.is_tidy();
}

#[test]
fn bad_data_are_rejected_with_counts_and_fixes() {
    let place = place(&[("bad", BAD)]);
    let arguments = ["validate", "bad", "--schema", "schema.pbtxt", "--out", "v", "--junit", "junit.xml"];
    let outcome = place.sluice(&arguments).exits(1);
    let _ = outcome.says(&[
        "REJECTED  4 errors, 1 warnings",
        "low-fraction-present",
        "float-too-small",
        "</failure>",
    ]);
    let record = place.json("v/validation.json");
    let findings = record["subsets"][0]["findings"].as_array().unwrap();
    let codes: Vec<&str> = findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    let wanted =
        ["low-fraction-present", "float-too-small", "float-too-big", "unexpected-value", "new-column"];
    assert_eq!(codes, wanted);
    assert_eq!(findings[0]["num_violations"], 1);
    assert_eq!(findings[3]["num_violations"], 1);
    assert_eq!(
        findings[3]["tfdv"]["description"],
        "Examples contain values missing from the schema: </failure> (~33%). "
    );
    let junit = fs_err::read_to_string(place.path("junit.xml")).unwrap();
    assert!(junit.contains("&lt;/failure&gt;") && !junit.contains("</failure> ("), "{junit}");
    assert!(junit.contains("failures=\"4\""), "{junit}");
    let anomalies = fs_err::read_to_string(place.path("v/anomalies-all.pbtxt")).unwrap();
    assert!(anomalies.contains("type: FLOAT_TYPE_BIG_FLOAT"), "{anomalies}");
    let lenient = ["low-fraction-present", "float-too-small", "float-too-big"];
    let mut arguments = vec!["validate".to_owned(), "bad".into(), "--schema".into(), "schema.pbtxt".into()];
    arguments.extend(lenient.iter().flat_map(|code| ["--severity".to_owned(), format!("{code}=warning")]));
    arguments.extend(["--severity".to_owned(), "unexpected-value=ignore".into()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _ = place.sluice(&arguments).exits(0).says(&["ACCEPTED  0 errors, 4 warnings"]);
}

#[test]
fn an_environment_excuses_columns_and_must_be_there() {
    let serving = GOOD.replace(",tip", "").replace(",0.5\n", "\n").replace(",2.5\n", "\n");
    let serving = serving.replace(",0.25\n", "\n").replace(",1.5\n", "\n");
    let place = place(&[("serving", &serving), ("good", GOOD)]);
    let validate = |statistics: &str, environment: &str| {
        let base = ["validate", statistics, "--schema", "schema.pbtxt"];
        place.sluice(&[&base[..], &["--environment", environment]].concat())
    };
    let _ =
        place.sluice(&["validate", "serving", "--schema", "schema.pbtxt"]).exits(1).says(&["missing-column"]);
    let _ = validate("serving", "SERVING").exits(0);
    let _ = validate("good", "SERVING").exits(1).says(&["wrong-environment"]);
    let unknown = validate("good", "SERVIN");
    place.assert_failure(&unknown, 2, &["no environment `SERVIN`", "did you mean `SERVING`?"]);
}

#[test]
fn earlier_statistics_are_compared() {
    let fewer = "fare,kind,tip\n1.5,Card,0.5\n20.25,Card,2.5\n";
    let place = place(&[("good", GOOD), ("now", fewer)]);
    let arguments = ["validate", "now", "--schema", "schema.pbtxt", "--previous", "good", "--out", "v"];
    let _ = place.sluice(&arguments).exits(1).says(&["infinity-norm-high", "fewer-rows-than-before"]);
    let record = place.json("v/validation.json");
    let measured = &record["subsets"][0]["measurements"][0];
    assert_eq!(
        (measured["value"].as_f64(), measured["distance"].as_str()),
        (Some(0.5), Some("infinity_norm"))
    );
    let anomalies = fs_err::read_to_string(place.path("v/anomalies-all.pbtxt")).unwrap();
    assert!(anomalies.contains("drift_measurements {\n    type: L_INFTY\n    value: 0.5"), "{anomalies}");
    let same = ["validate", "good", "--schema", "schema.pbtxt", "--previous", "good"];
    let _ = place.sluice(&same).exits(0);
}

#[test]
fn wrong_settings_are_named() {
    let place = place(&[("good", GOOD)]);
    let base = ["validate", "good", "--schema", "schema.pbtxt"];
    for (option, value, parts) in [
        ("--severity", "has-nam=error", ["has-nam", "did you mean `has-nan`?"]),
        ("--severity", "has-nan=fatal", ["`fatal` is not", "`ignore`"]),
        ("--severity", "has-nan", ["--severity", "write a code"]),
    ] {
        place.assert_failure(&place.sluice(&[&base[..], &[option, value]].concat()), 2, &parts);
    }
    let _ = place.sluice(&[&base[..], &["--previous", "nowhere"]].concat()).exits(3);
}

#[test]
fn the_schema_of_other_data_and_no_rows_are_rejected() {
    let place = place(&[("good", GOOD)]);
    place.write("other.pbtxt", "feature { name: 'x' type: INT presence { min_count: 1 } }");
    let _ = place.sluice(&["validate", "good", "--schema", "other.pbtxt"]).exits(1).says(&["missing-column"]);
    let mut statistics = place.json("good/statistics.json");
    let subset = &mut statistics["subsets"][0];
    (subset["num_rows"], subset["columns"]) = (0.into(), serde_json::json!([]));
    let report: sluice_core::statistics::DatasetStatistics = serde_json::from_value(subset.clone()).unwrap();
    let found = sluice_quality::validation::validate(
        &report,
        &sluice_core::schema::Schema::default(),
        &sluice_quality::validation::ValidateOptions::default(),
    );
    assert_eq!(found.findings[0].code.word(), "no-rows");
}

#[test]
fn five_hundred_columns_take_no_time() {
    let row = |text: &dyn Fn(usize) -> String| (0..500).map(text).collect::<Vec<_>>().join(",") + "\n";
    let csv = row(&|index| format!("c{index}")) + &row(&|index| index.to_string()) + &row(&|_| "7".into());
    let place = place(&[("wide", &csv)]);
    let _ = place.sluice(&["schema", "wide", "--out", "schema"]).exits(0);
    let start = Instant::now();
    let _ = place.sluice(&["validate", "wide", "--schema", "schema"]).exits(0);
    // A bound against work that grows with more than the columns; a quiet machine takes some milliseconds.
    assert!(start.elapsed().as_secs_f64() < 5.0, "{:?}", start.elapsed());
}
