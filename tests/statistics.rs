//! `sluice statistics` with weights, slices and schemas: against TFDV, and what it refuses.

use serde_json::Value;
use sluice_testkit::datasets::repository;

use crate::support::{Place, diabetes_changed};

/// The table of `tests/data/weighted`, and what TFDV says of it.
fn weighted(place: &Place) -> Value {
    let folder = repository().join("tests/data/weighted");
    fs_err::copy(folder.join("rows.csv"), place.path("rows.csv")).unwrap();
    serde_json::from_slice(&fs_err::read(folder.join("expected.json")).unwrap()).unwrap()
}

/// TFDV reads numbers of CSV in single precision.
fn assert_close(found: &Value, expected: &Value, what: &str) {
    let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!((found - expected).abs() <= 3e-7 * expected.abs(), "{what}: {found}, TFDV has {expected}");
}

fn column<'a>(statistics: &'a Value, name: &str) -> &'a Value {
    statistics["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap()
}

/// Weighted figures of every column against those of TFDV. Its top values leave out what weighs less than 1.
fn compare(found: &Value, expected: &Value, what: &str) {
    assert_eq!(found["num_rows"], expected["num_rows"], "{what}");
    assert_close(&found["weight"]["sum"], &expected["weight"], what);
    for (name, theirs) in expected["columns"].as_object().unwrap() {
        let what = format!("{what}, {name}");
        let mine = &column(found, name)["weighted"];
        for key in ["num_present", "num_missing", "num_values"] {
            assert_close(&mine[key], &theirs[key], &format!("{what}, {key}"));
        }
        if let Some(top) = theirs["top_values"].as_array() {
            let heavy = mine["top_values"].as_array().unwrap().iter();
            let heavy: Vec<&Value> = heavy.filter(|pair| pair[1].as_f64().unwrap() >= 1.0).collect();
            assert_eq!(heavy, top.iter().collect::<Vec<_>>(), "{what}");
            continue;
        }
        let Some(numeric) = mine.get("numeric") else {
            assert!(theirs["mean"].as_f64().unwrap() == 0.0, "{what}: nothing weighs");
            continue;
        };
        assert_close(&numeric["mean"], &theirs["mean"], &what);
        assert_close(&numeric["standard_deviation"], &theirs["standard_deviation"], &what);
    }
}

#[test]
fn weights_and_slices_are_those_of_tfdv() {
    let place = Place::new();
    let expected = weighted(&place);
    for slice in ["company", "company,hour=12"] {
        let outcome = place
            .sluice(&["statistics", "rows.csv", "--weight", "weight", "--slice", slice, "--json"])
            .exits(0);
        let whole = &outcome.json()["subsets"][0];
        compare(whole, &expected["whole"][""], "whole");
        let theirs = expected[slice].as_object().unwrap();
        let mine = whole["slices"].as_array().unwrap();
        assert_eq!(mine.len(), theirs.len() - 1, "TFDV adds `All Examples`");
        for found in mine {
            let name = found["name"].as_str().unwrap();
            compare(found, theirs.get(name).unwrap_or_else(|| panic!("TFDV has no slice {name}")), name);
        }
        let left_out = whole["slicings"][0]["num_rows_left_out"].as_u64().unwrap();
        let in_slices: u64 = mine.iter().map(|slice| slice["num_rows"].as_u64().unwrap()).sum();
        if slice == "company" {
            assert_eq!(left_out + in_slices, 500);
            assert!(outcome.stderr.contains("leaves out"), "{outcome:#?}");
        }
    }
    // The median, within a rank: of an even weight TFDV takes the middle of two values.
    let json = place.sluice(&["statistics", "rows.csv", "--weight", "weight", "--json"]).json();
    let quantiles = &column(&json["subsets"][0], "fare")["weighted"]["numeric"]["quantiles"]["values"];
    let at = |q: f64| {
        let pair = quantiles.as_array().unwrap().iter().find(|pair| pair[0].as_f64() == Some(q)).unwrap();
        pair[1].as_f64().unwrap()
    };
    let median = expected["whole"][""]["columns"]["fare"]["median"].as_f64().unwrap();
    assert!((at(0.5) - median).abs() < 0.1, "{} {median}", at(0.5));
}

#[test]
fn an_empty_slice_and_a_selection_of_columns() {
    let place = Place::new();
    weighted(&place);
    let arguments = [
        "statistics",
        "rows.csv",
        "--slice",
        "company=Nobody",
        "--columns",
        "fare,hour",
        "--exclude",
        "hour",
    ];
    let outcome = place.sluice(&arguments).exits(0).says(&["company_Nobody", "fare"]);
    assert!(outcome.stderr.contains("slice `company_Nobody` has no rows"), "{outcome:#?}");
    let json = place.sluice(&[&arguments[..], &["--json"]].concat()).json();
    let whole = &json["subsets"][0];
    assert_eq!(whole["columns"].as_array().unwrap().len(), 1);
    assert_eq!(whole["slices"][0]["num_rows"], 0);
    assert_eq!(whole["slices"][0]["conditions"][0]["value"], "Nobody");
}

#[test]
fn a_slice_may_be_an_expression() {
    let place = Place::new();
    weighted(&place);
    let text = fs_err::read_to_string(place.path("rows.csv")).unwrap();
    let fares: Vec<Option<f64>> =
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().ok()).collect();
    let fits = fares.iter().flatten().filter(|fare| **fare > 20.0);
    let (count, sum) = (fits.clone().count(), fits.sum::<f64>());
    let nulls = fares.iter().filter(|fare| fare.is_none()).count();
    assert!(count > 20 && nulls > 20, "{count} {nulls}");
    let arguments =
        ["statistics", "rows.csv", "--slice", "fare > 20", "--slice", "company", "--max-slices", "5"];
    let outcome = place.sluice(&[&arguments[..], &["--json"]].concat()).exits(0);
    let note = format!("slice `fare > 20` leaves out {nulls} rows without a value");
    assert!(outcome.stderr.contains(&note), "{outcome:#?}");
    let whole = &outcome.json()["subsets"][0];
    let slice = &whole["slices"][0];
    assert_eq!(slice["name"], "fare > 20");
    assert_eq!(slice["conditions"], serde_json::json!([{ "column": "fare > 20", "value": "true" }]));
    assert_eq!(slice["num_rows"], count);
    let mean = column(slice, "fare")["numeric"]["mean"].as_f64().unwrap();
    assert!((mean - sum / count as f64).abs() < 1e-12 * mean, "{mean}");
    assert_eq!(whole["slices"][1]["name"], "company_Choice", "slices by values are as they were");
    // Shards and their merge know the expression.
    let sharded = [&arguments[..], &["--partial", "--out"]].concat();
    place.sluice(&[&sharded[..], &["one", "--shard", "1/2"]].concat()).exits(0);
    place.sluice(&[&sharded[..], &["two", "--shard", "2/2"]].concat()).exits(0);
    place.sluice(&["statistics", "merge", "two", "one", "--out", "merged"]).exits(0);
    place.sluice(&[&arguments[..], &["--out", "alone"]].concat()).exits(0);
    crate::support::assert_same_files(&place.path("alone"), &place.path("merged"));
}

#[test]
fn a_schema_says_which_integers_are_names() {
    let place = Place::new();
    weighted(&place);
    place.write("s.pbtxt", "feature { name: \"hour\" type: INT int_domain { is_categorical: true } }");
    let json = place
        .sluice(&["statistics", "rows.csv", "--schema", "s.pbtxt", "--weight", "weight", "--json"])
        .json();
    let hour = column(&json["subsets"][0], "hour");
    let top = hour["top_values"]["values"].as_array().unwrap();
    assert_eq!((top.len(), top[0][0].as_str()), (5, Some("12")));
    assert_eq!(hour["weighted"]["top_values"].as_array().unwrap().len(), 5);
}

#[test]
fn too_many_slices_are_refused_in_bounded_memory() {
    let place = Place::new();
    let rows: String = (0..100_000).map(|n| format!("{n},k{n}\n")).collect();
    place.write("rows.csv", &format!("x,key\n{rows}"));
    let outcome = place.sluice(&["statistics", "rows.csv", "--slice", "key", "--out", "out"]);
    place.assert_failure(&outcome, 2, &["slice `key` has at least 1001 slices, but `max_slices` is 1000"]);
    assert!(!place.path("out").exists());
}

#[test]
fn what_is_wrong_is_named_with_its_row() {
    let place = Place::new();
    place.write("rows.csv", "x,g,w\n1,a,1\n2,b,0.5\n3,a,-2\n");
    place.write("nulls.csv", "x,g,w\n1,a,1\n2,b,\n");
    for (arguments, code, parts) in [
        (vec!["rows.csv", "--weight", "w"], 4, vec!["weight column `w` is -2 here", "row 3"]),
        (vec!["nulls.csv", "--weight", "w"], 4, vec!["weight column `w` is null here", "row 2"]),
        (vec!["rows.csv", "--weight", "g"], 2, vec!["column `g` is text, `weight` needs numbers"]),
        (vec!["rows.csv", "--weight", "W1"], 2, vec!["column `W1` is not in the data"]),
        (vec!["rows.csv", "--slice", "gg"], 2, vec!["`slices` names it", "did you mean `g`?"]),
        (vec!["rows.csv", "--slice", "w"], 2, vec!["column `w` is float, whose values are no keys"]),
        (vec!["rows.csv", "--slice", "x=one"], 2, vec!["`one` is no value of column `x`, which is integer"]),
        (
            vec!["rows.csv", "--slice", "y >= 2"],
            2,
            vec!["expression `y >= 2` reads column `y`", "not in the data"],
        ),
        (vec!["rows.csv", "--slice", "x + 2 > g"], 2, vec!["`>` cannot take integer and text"]),
        (vec!["rows.csv", "--slice", "(x + 2)"], 2, vec!["answers integer, not true or false"]),
        (
            vec!["rows.csv", "--slice", "g=<50K"],
            2,
            vec!["neither columns with values", "quotes around what has"],
        ),
        (vec!["rows.csv", "--slice", "CAST(g AS BIGINT) > 1"], 4, vec!["cannot be cast", "row 1"]),
        (vec!["rows.csv", "--columns", "x", "--exclude", "x"], 2, vec!["leave no column"]),
        (vec!["rows.csv", "--subset", "train"], 2, vec!["is not a data set"]),
    ] {
        let outcome = place.sluice(&[&["statistics"], arguments.as_slice()].concat());
        place.assert_failure(&outcome, code, &parts);
    }
}

#[test]
fn a_pipeline_file_takes_the_same_options() {
    let place = Place::new();
    let with = |options: &str| {
        diabetes_changed(&place, "p.yaml", "\ntransform:", &format!("\nstatistics: {options}\ntransform:"))
    };
    for (options, parts) in [
        ("{wieght: target}", ["unknown key `wieght`", "did you mean `weight`?"]),
        ("{weight: targte}", ["`statistics.weight` names it", "did you mean `target`?"]),
        ("{slices: [age, age]}", ["slice `age` is given twice", "`statistics`"]),
        ("{max_slices: 0}", ["`max_slices` is 0", "at least 1"]),
    ] {
        let outcome = place.sluice(&["check", &with(options)]);
        place.assert_failure(&outcome, 2, &parts);
    }
    let run = |file: &str| place.sluice(&["run", file, "--out", "out", "--json"]).exits(0).json();
    let state = |report: &Value| {
        let steps = report["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == "statistics").unwrap();
        step["state"].as_str().unwrap().to_owned()
    };
    let weighted = with("{weight: target}");
    assert_eq!(state(&run(&weighted)), "ran");
    assert_eq!(state(&run(&weighted)), "cached");
    // The scan that the transform shares gives what the step alone gives.
    place.sluice(&["statistics", "out/runs/0001/dataset", "--weight", "target", "--out", "alone"]).exits(0);
    crate::support::assert_same_files(&place.path("alone"), &place.path("out/runs/0001/statistics"));
    assert_eq!(state(&run(&with("{exclude: [age]}"))), "ran", "an option is part of the key");
    let sliced = with("{slices: [bmi > 0.05, \"age > 0 AND bmi > 0.05\"]}");
    assert_eq!(state(&run(&sliced)), "ran");
    assert_eq!(state(&run(&sliced)), "cached");
    let written = fs_err::read(place.path("out/runs/0004/statistics/statistics.json")).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    let slices = written["subsets"][0]["slices"].as_array().unwrap();
    let names: Vec<&str> = slices.iter().map(|slice| slice["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bmi > 0.05", "age > 0 AND bmi > 0.05"]);
    let other = Place::new();
    let bound = "\nstatistics: {slices: [bmy > 30]}\ntransform:";
    let file = diabetes_changed(&other, "p.yaml", "\ntransform:", bound);
    let wrong = other.sluice(&["run", &file, "--out", "out"]);
    other.assert_failure(&wrong, 2, &["reads column `bmy`", "did you mean `bmi`?"]);
}

#[test]
fn a_generated_table_is_described_like_its_files() {
    let place = Place::new();
    place.sluice(&["datasets", "taxi", "--rows", "2000", "--out", "trips"]).exits(0);
    let all =
        ["--weight", "fare", "--slice", "payment_type", "--label", "tips", "--cross", "fare,tips", "--json"];
    let table = place.sluice(&[&["statistics", "trips", "--threads", "1"], &all[..]].concat()).exits(0);
    let files =
        place.sluice(&[&["statistics", "trips/span-1", "--threads", "3"], &all[..]].concat()).exits(0);
    assert_eq!(table.json(), files.json());
    assert_eq!(table.json()["subsets"][0]["num_rows"], 2000);
}

const TERMS: &str = "
    feature { name: \"terms\" type: BYTES } feature { name: \"weights\" type: FLOAT } feature { name: \"kind\" type: BYTES }
    weighted_feature { name: \"scored\" feature { step: \"terms\" } weight_feature { step: \"weights\" } }
    sparse_feature { name: \"sparse\" value_feature { name: \"weights\" } index_feature { name: \"positions\" } }";

/// Rows with lists of terms and weights that do not always fit together.
fn terms() -> Place {
    let place = Place::new();
    let rows = [
        r#"{"terms": ["a", "b"], "weights": [1.5, 2.5], "kind": "good"}"#,
        r#"{"terms": ["a"], "weights": [0.5], "kind": "good"}"#,
        r#"{"terms": ["c", "d", "e"], "kind": "bad"}"#,
        r#"{"weights": [2.5], "kind": "bad"}"#,
        r#"{"kind": "bad"}"#,
    ];
    place.write("rows.jsonl", &rows.join("\n"));
    place.write("s.pbtxt", TERMS);
    place
}

#[test]
fn sparse_and_weighted_features_are_counted_and_judged() {
    let place = terms();
    let arguments = ["statistics", "rows.jsonl", "--schema", "s.pbtxt", "--slice", "kind"];
    let outcome = place.sluice(&[&arguments[..], &["--out", "statistics"]].concat()).exits(0);
    assert!(outcome.stdout.contains("scored"), "{outcome:#?}");
    let json = place.sluice(&[&arguments[..], &["--json"]].concat()).json();
    let whole = &json["subsets"][0];
    let number = |value: f64| serde_json::json!({ "number": value });
    let scored = |statistics: &Value, missing: f64, less: f64, more: f64| {
        let expected = serde_json::json!({
            "missing_value": number(missing), "missing_weight": number(missing),
            "min_weight_length_diff": number(less), "max_weight_length_diff": number(more),
        });
        let feature = statistics["composed"].as_array().unwrap().iter().find(|one| one["name"] == "scored");
        assert_eq!(feature.unwrap()["custom"], expected);
    };
    scored(whole, 1.0, -3.0, 1.0);
    let slices = whole["slices"].as_array().unwrap();
    assert_eq!((&slices[0]["name"], &slices[1]["name"]), (&"kind_bad".into(), &"kind_good".into()));
    scored(&slices[0], 1.0, -3.0, 1.0);
    scored(&slices[1], 0.0, 0.0, 0.0);
    let page = std::fs::read_to_string(place.path("statistics/statistics.html")).unwrap();
    assert!(page.contains("Sparse and weighted features") && page.contains("<bdi>scored</bdi>"));

    // The artifact, its file for TFDV, and the rows themselves are judged alike.
    let codes = |arguments: &[&str]| -> Vec<String> {
        let json = place
            .sluice(&[&["validate", "--schema", "s.pbtxt", "--json"], arguments].concat())
            .exits(1)
            .json();
        let findings = json["subsets"][0]["findings"].as_array().unwrap().iter();
        findings
            .map(|one| format!("{} {}", one["column"].as_str().unwrap(), one["code"].as_str().unwrap()))
            .collect()
    };
    let expected = [
        "sparse sparse-missing-index",
        // No row has as many positions as weights: one of the least difference, one of the greatest.
        "sparse sparse-length-mismatch",
        "sparse sparse-length-mismatch",
        "scored weighted-missing-weight",
        "scored weighted-missing-value",
        "scored weighted-length-mismatch",
    ];
    assert_eq!(codes(&["statistics"]), expected);
    assert_eq!(codes(&["statistics/statistics.binpb"]), expected);
    assert_eq!(codes(&["--data", "rows.jsonl"]), expected);
    // A column of the schema is no column of the data because of its name.
    let schema = place.sluice(&["schema", "statistics/statistics.binpb", "--out", "inferred"]).exits(0);
    assert!(
        !std::fs::read_to_string(place.path("inferred/schema.pbtxt")).unwrap().contains("scored"),
        "{schema:?}"
    );
}

#[test]
fn states_know_the_composed_features_of_their_schema() {
    let place = terms();
    let part = |index: &str, schema: &str| {
        let out = format!("part-{index}");
        let shard = format!("{index}/2");
        let schema = ["--schema", schema];
        let arguments = ["statistics", "rows.jsonl", "--partial", "--shard", &shard, "--out", &out];
        place.sluice(&[&arguments[..], &schema[..]].concat()).exits(0);
    };
    part("1", "s.pbtxt");
    part("2", "s.pbtxt");
    place.sluice(&["statistics", "merge", "part-2", "part-1", "--out", "merged"]).exits(0);
    place.sluice(&["statistics", "rows.jsonl", "--schema", "s.pbtxt", "--out", "alone"]).exits(0);
    crate::support::assert_same_files(&place.path("alone"), &place.path("merged"));
    place.write("other.pbtxt", "feature { name: \"terms\" type: BYTES }");
    std::fs::remove_dir_all(place.path("part-2")).unwrap();
    part("2", "other.pbtxt");
    let outcome = place.sluice(&["statistics", "merge", "part-1", "part-2"]);
    place.assert_failure(&outcome, 2, &["`part-2` was made with other options than `part-1`"]);
    let apart = "weighted_feature { name: \"f\" feature { step: \"terms\" } weight_feature { step: \"s\" step: \"w\" } }";
    place.write("apart.pbtxt", apart);
    let outcome = place.sluice(&["statistics", "rows.jsonl", "--schema", "apart.pbtxt", "--out", "none"]);
    place.assert_failure(
        &outcome,
        2,
        &["feature `f` of the schema: `terms` and `s.w` are not in the same struct"],
    );
    assert!(!place.path("none").exists());
}
