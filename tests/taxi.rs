//! The generated taxi trips: four spans through the pipeline of `datasets/taxi`, as its README tells it, and the command
//! that makes them.

use serde_json::Value;

use sluice_testkit::datasets::repository;

use crate::support::{Outcome, Place, assert_same_files};

const ROWS: &str = "20000";

const FAULTS: [&str; 2] = ["presence@3,domain@3,range@3", "payment@4"];

fn generate(place: &Place, arguments: &[&str]) -> Outcome {
    place.sluice(&[&["datasets", "taxi"], arguments].concat())
}

/// How many findings the checks of the data had in a run.
fn findings(place: &Place, run: u64) -> usize {
    let validation = place.json(&format!("out/runs/000{run}/validation/validation.json"));
    let subsets = validation["subsets"].as_array().unwrap();
    subsets.iter().map(|subset| subset["findings"].as_array().unwrap().len()).sum()
}

/// Runs the pipeline of the repository on one span.
fn run(place: &Place, span: u64) -> Outcome {
    let folder = repository().join("datasets/taxi");
    let text = fs_err::read_to_string(folder.join("pipeline.yaml")).unwrap();
    assert!(text.contains("trips/span-{SPAN}/") && text.contains("../../schemas"));
    let schemas = repository().join("schemas").display().to_string();
    let _ = place.write("taxi.yaml", &text.replace("../../schemas", &schemas));
    place.sluice(&["run", "taxi.yaml", "--spans", &span.to_string(), "--out", "out"])
}

/// How many models are registered.
fn versions(place: &Place) -> usize {
    let entries = fs_err::read_dir(place.path("out/registry/taxi/versions")).unwrap().flatten();
    entries.filter(|entry| entry.path().is_dir()).count()
}

/// What the README tells of the schema: two new payment types of the third span are right after all.
fn accept_the_new_payment_types(place: &Place) {
    let schema = repository().join("schemas/taxi.pbtxt").display().to_string();
    let [validation, statistics] =
        ["validation", "statistics"].map(|artifact| format!("out/runs/0003/{artifact}"));
    let update = ["schema", "update", &schema, "--findings", &validation, "--statistics", &statistics];
    let change = "loosened  payment_type  string_domain.value  -    \"Crypto\", \"Voucher\"\n";
    let accept = ["--accept", "unexpected-value:payment_type", "--out", "taxi-2.pbtxt"];
    let _ = place.sluice(&[&update[..], &accept[..]].concat()).exits(0).says(&[change]);
    let diff = ["schema", "diff", &schema, "taxi-2.pbtxt"];
    let _ = place.sluice(&diff).exits(0).says(&[change]);
    let _ = place.sluice(&[&diff[..], &["--fail-on-change"]].concat()).exits(1);
    // What was not accepted is still found.
    let validate = ["validate", &statistics, "--schema", "taxi-2.pbtxt", "--json"];
    let record = place.sluice(&validate).exits(1).json();
    for subset in record["subsets"].as_array().unwrap() {
        let findings = subset["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 4);
        assert!(findings.iter().all(|finding| finding["column"] != "payment_type"), "{findings:#?}");
    }
    let with_rows = ["--data", "out/runs/0003/dataset", "--examples", "1"];
    let _ = place
        .sluice(&[&["validate", &statistics, "--schema", "taxi-2.pbtxt"], &with_rows[..]].concat())
        .exits(1)
        .says(&["REJECTED  8 errors, 0 warnings"]);
    // The spans before keep to both schemas.
    for run in [1, 2] {
        let statistics = format!("out/runs/000{run}/statistics");
        for schema in [schema.as_str(), "taxi-2.pbtxt"] {
            let validate = ["validate", &statistics, "--schema", schema, "--new-columns", "error"];
            let _ = place.sluice(&validate).exits(0).says(&["ACCEPTED  0 errors, 0 warnings"]);
        }
    }
}

#[test]
fn the_story_of_four_spans() {
    let place = Place::new();
    let [data, labels] = FAULTS;
    let made = generate(
        &place,
        &["--rows", ROWS, "--spans", "4", "--broken", data, "--broken", labels, "--out", "trips"],
    );
    let _ = made.exits(0).says(&[
        "span-2: 20 000 rows in 25 columns\n",
        "span-3: 20 000 rows in 25 columns: presence broken, domain broken, range broken",
        "span-4: 20 000 rows in 25 columns: payment broken",
    ]);

    // The first trips make the first model, the second a better informed one.
    let _ = run(&place, 1).exits(0).says(&["PASS  no baseline", "registered as `taxi` version 1"]);
    let _ = run(&place, 2)
        .exits(0)
        .says(&["PASS  compared with the baseline on the same rows", "registered as `taxi` version 2"]);

    // The third span breaks presence, domain and range, and nothing else: no model is trained.
    let _ = run(&place, 3).exits(1).says(&["REJECTED"]);
    let validation = place.json("out/runs/0003/validation/validation.json");
    for subset in validation["subsets"].as_array().unwrap() {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("(rule)").to_owned();
        let findings = subset["findings"].as_array().unwrap().iter();
        let found: Vec<_> =
            findings.map(|finding| (text(finding, "column"), text(finding, "code"))).collect();
        let expected = [
            ("payment_type", "unexpected-value"),
            ("trip_miles", "low-fraction-present"),
            ("trip_miles", "float-too-big"),
            ("fare", "float-too-small"),
            ("trip_total", "float-too-small"),
            ("(rule)", "rule-broken"),
        ];
        assert_eq!(found, expected.map(|(column, code)| (column.to_owned(), code.to_owned())));
        // Every finding shows rows, with the key of the trip.
        for finding in subset["findings"].as_array().unwrap() {
            let examples = finding["examples"].as_array().unwrap();
            assert_eq!(examples.len(), 5, "{finding:#}");
            assert!(examples.iter().all(|row| row["key"][0][0] == "trip_id" && row["row"].is_u64()));
        }
        assert_eq!(subset["keys"][0]["num_repeated"], 0);
    }
    assert!(!place.path("out/runs/0003/model").exists());

    accept_the_new_payment_types(&place);

    // The fourth passes every check of the data; the gate sees what its wrong tips did to one payment type.
    let _ = run(&place, 4).exits(1).says(&["FAIL  compared with the baseline", "in payment_type=Mobile"]);
    let verdict = place.json("out/runs/0004/evaluation/verdict.json");
    let reasons = verdict["reasons"].as_array().unwrap();
    let failed: Vec<&Value> = reasons.iter().filter(|reason| reason["passed"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["rule"], "block_if_worse");
    assert!(failed[0]["slice"] == "payment_type=Mobile", "{failed:#?}");
    assert_eq!([1, 2, 4].map(|run| findings(&place, run)), [0, 0, 0]);
    assert_eq!(versions(&place), 2);
    place.is_tidy();
}

#[test]
fn a_larger_table_begins_with_the_smaller_one() {
    let place = Place::new();
    for (out, size) in [("small", "3000"), ("large", "50000")] {
        let _ = generate(&place, &["--rows", size, "--seed", "4", "--out", out]).exits(0);
    }
    let (small, large) =
        (place.parquet("small/span-1/part-00000.parquet"), place.parquet("large/span-1/part-00000.parquet"));
    assert_eq!(small, large.slice(0, 3_000));
    assert_ne!(small, large.slice(3_000, 3_000));
    // Text comes as text, whatever it was made of.
    let kinds: Vec<String> = small.columns().iter().map(|column| column.data_type().to_string()).collect();
    assert!(kinds.iter().all(|kind| !kind.contains("Dictionary")), "{kinds:?}");
}

#[test]
fn csv_and_parquet_hold_the_same_table() {
    let place = Place::new();
    for format in ["parquet", "csv"] {
        let _ = generate(&place, &["--rows", "4000", "--format", format, "--out", format]).exits(0);
        let input = format!("{format}/span-1");
        let out = format!("dataset-{format}");
        let arguments = ["ingest", &input, "--subset-column", "subset", "--key", "trip_id", "--out", &out];
        let _ = place.sluice(&arguments).exits(0).says(&["4 000 rows read"]);
    }
    let subset = |format: &str| place.parquet(&format!("dataset-{format}/train/part-00000.parquet"));
    assert_eq!(subset("csv"), subset("parquet"));
}

#[test]
fn a_table_is_replaced_and_described() {
    let place = Place::new();
    let arguments =
        ["--rows", "500", "--spans", "2", "--drift", "fare=-0.5,company=0.2", "--json", "--out", "table"];
    let record = generate(&place, &arguments).exits(0).json();
    assert_eq!(record["files"]["span-2/part-00000.parquet"], 500);
    assert_eq!(record["drift"][0]["amount"], -0.5);
    assert_eq!(record["columns"].as_array().unwrap().len(), 25);
    assert_eq!(place.json("table/table.json"), record);
    let _ = generate(
        &place,
        &[
            "--rows",
            "500",
            "--spans",
            "2",
            "--drift",
            "fare=-0.5",
            "--drift",
            "company=0.2",
            "--out",
            "other",
        ],
    )
    .exits(0);
    assert_same_files(&place.path("table"), &place.path("other"));
    let _ = generate(&place, &["--rows", "10", "--out", "table"]).exits(0);
    assert!(!place.path("table/span-2").exists());
    place.is_tidy();
}

#[test]
fn what_cannot_be_made_is_refused() {
    let place = Place::new();
    let _ = place.write("mine/notes.txt", "keep");
    for (arguments, parts) in [
        (vec!["--rows", "0"], vec!["`--rows` is 0", "a whole number from 1"]),
        (vec!["--rows", "5", "--spans", "0"], vec!["`--spans` is 0"]),
        (
            vec!["--rows", "5", "--drift", "tip=1"],
            vec!["`--drift` has no choice `tip`", "did you mean `tips`?"],
        ),
        (vec!["--rows", "5", "--drift", "trip_id=0.5"], vec!["`trip_id`", "hint: there is `taxi_id`"]),
        (
            vec!["--rows", "5", "--drift", "fare=much"],
            vec!["is not a column and a number", "--drift fare=0.5"],
        ),
        (vec!["--rows", "5", "--drift", "fare=nan"], vec!["`--drift fare` is NaN"]),
        (vec!["--rows", "5", "--drift", "company=2"], vec!["`--drift company` is 2", "at most 1"]),
        (vec!["--rows", "5", "--broken", "presense"], vec!["did you mean `presence`?"]),
        (vec!["--rows", "5", "--spans", "3", "--broken", "domain@4"], vec!["span `4`", "from 1 to 3"]),
        (vec!["--rows", "5", "--broken", "range,range"], vec!["`--broken range@1` is given twice"]),
    ] {
        let outcome = generate(&place, &[arguments.as_slice(), &["--out", "table"]].concat());
        place.assert_failure(&outcome, 2, &parts);
        assert!(!place.path("table").exists(), "{arguments:?}");
    }
    let outcome = generate(&place, &["--rows", "5", "--out", "mine"]);
    place.assert_failure(&outcome, 2, &["exists and is not an artifact"]);
}
