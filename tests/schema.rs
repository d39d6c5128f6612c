//! `sluice schema`: infer, diff, update, check; and schemas that are not what they should be.

use sluice_testkit::datasets::repository;

use crate::support::{Place, data, diabetes};

/// A place with the statistics of the diabetes data.
fn with_statistics() -> Place {
    let place = Place::new();
    let data = diabetes("diabetes.csv");
    place.sluice(&["ingest", &data, "--subset-column", "subset", "--out", "dataset"]).exits(0);
    place.sluice(&["statistics", "dataset", "--out", "statistics"]).exits(0);
    place
}

const FARE: &str =
    "feature { name: \"fare\" type: FLOAT presence { min_count: 1 } float_domain { max: 80 } }\n";

#[test]
fn a_curated_schema_fits_its_data() {
    let place = with_statistics();
    let schema = repository().join("schemas/diabetes.pbtxt").display().to_string();
    let arguments = ["validate", "statistics", "--schema", &schema, "--new-columns", "error"];
    place.sluice(&arguments).exits(0).says(&["ACCEPTED"]);
}

#[test]
fn every_sample_data_set_has_a_curated_schema() {
    let place = Place::new();
    let mut found = 0;
    for folder in fs_err::read_dir(repository().join("datasets")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.join("pipeline.yaml").exists() {
            continue;
        }
        found += 1;
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let schema = repository().join(format!("schemas/{name}.pbtxt")).display().to_string();
        let outcome = place.sluice(&["schema", "check", &schema]).exits(0);
        assert!(!outcome.stderr.contains("is not known"), "{outcome:#?}");
        assert!(outcome.stdout.matches("feature {").count() > 5, "{outcome:#?}");
    }
    assert_eq!(found, 2);
}

#[test]
fn inference_takes_what_is_asked_for() {
    let place = with_statistics();
    place.sluice(&["schema", "statistics", "--out", "plain"]).exits(0).says(&["dim {\n      size: 1"]);
    place.sluice(&["schema", "infer", "statistics", "--out", "same"]).exits(0);
    place.sluice(&["schema", "diff", "plain", "same", "--fail-on-change"]).exits(0).says(&["no change"]);
    let asked =
        ["--ranges", "--environment", "TRAINING", "--environment", "SERVING", "--absent", "target=SERVING"];
    let arguments = [&["schema", "infer", "statistics", "--out", "asked"], asked.as_slice()].concat();
    place.sluice(&arguments).exits(0).says(&[
        "not_in_environment: \"SERVING\"",
        "float_domain {",
        "\"TRAINING\"",
    ]);
    let changes =
        place.sluice(&["schema", "diff", "plain", "asked", "--fail-on-change", "--json"]).exits(1).json();
    let rules: Vec<&str> =
        changes.as_array().unwrap().iter().map(|change| change["rule"].as_str().unwrap()).collect();
    assert!(rules.contains(&"float_domain") && rules.contains(&"not_in_environment"), "{rules:?}");
}

#[test]
fn absences_must_be_of_columns_and_environments_that_are_there() {
    let place = with_statistics();
    let infer = |absent: &str| {
        let arguments =
            ["schema", "infer", "statistics", "--environment", "SERVING", "--absent", absent, "--out", "s"];
        place.sluice(&arguments)
    };
    place.assert_failure(&infer("traget=SERVING"), 2, &["`traget`", "did you mean `target`?"]);
    place.assert_failure(&infer("target=SERVIN"), 2, &["`SERVIN`", "did you mean `SERVING`?"]);
    place.assert_failure(&infer("target"), 2, &["`--absent target` has no `=`", "COLUMN=ENVIRONMENT"]);
}

#[test]
fn accepted_findings_become_rules_and_the_rest_of_the_file_stays() {
    let place = with_statistics();
    let _ = place.write(
        "narrow.pbtxt",
        "feature { name: \"bmi\" type: FLOAT float_domain { max: 0.1 } annotation { tag: \"kept\" } }\n\
         feature { name: \"gone\" type: INT presence { min_count: 1 } }\n",
    );
    let validate = ["validate", "statistics", "--schema", "narrow.pbtxt", "--out", "validation"];
    place.sluice(&validate).exits(1);
    let update = |words: &[&str]| {
        place.sluice(&[&["schema", "update", "narrow.pbtxt", "--findings", "validation"], words].concat())
    };
    let outcome = update(&["--accept", "float-too-bgi"]);
    place.assert_failure(&outcome, 2, &["`--accept float-too-bgi` names no finding", "`float-too-big:bmi`"]);
    let one = ["--statistics", "statistics", "--accept", "float-too-big:bmi", "--out", "wide.pbtxt"];
    update(&one).exits(0).says(&["loosened", "bmi", "float_domain.max", "0.17055523"]);
    let written = fs_err::read_to_string(place.path("wide.pbtxt")).unwrap();
    assert!(written.contains("tag: \"kept\"") && !written.contains("DEPRECATED"), "{written}");
    update(&["--statistics", "statistics", "--accept", "all", "--out", "all.pb"]).exits(0);
    place.sluice(&["validate", "statistics", "--schema", "all.pb", "--new-columns", "error"]).exits(0);
    let arguments = ["schema", "update", "narrow.pbtxt", "--statistics", "statistics", "--accept", "all"];
    place.sluice(&arguments).exits(0).says(&[
        "lifecycle_stage: DEPRECATED",
        "name: \"target\"",
        "tag: \"kept\"",
    ]);
}

#[test]
fn a_schema_is_checked_and_printed_in_one_layout() {
    let place = Place::new();
    let _ = place.write("schema.pbtxt", &format!("# a comment\n{FARE}"));
    let outcome = place.sluice(&["schema", "check", "schema.pbtxt"]).exits(0);
    assert!(outcome.stdout.starts_with("feature {\n  name: \"fare\"\n  type: FLOAT\n"), "{outcome:#?}");
    let _ =
        place.write("newer.pbtxt", "feature { name: 'fare' type: FLOAT\n  lunar_phase { of: 'moon' } }\n");
    let outcome =
        place.sluice(&["schema", "check", "newer.pbtxt"]).exits(0).says(&["lunar_phase {\n    of: 'moon'\n"]);
    assert!(outcome.stderr.contains("feature `fare`: lunar_phase is not known"), "{outcome:#?}");
}

#[test]
fn broken_schemas_are_refused_with_the_place() {
    let place = Place::new();
    for (text, code, parts) in [
        ("", 4, ["`bad.pbtxt` is empty", "schema infer"]),
        (
            "feature {\n  name: \"a\"\n  presense { }\n}\n",
            4,
            ["line 3, column 3", "did you mean `presence`?"],
        ),
        ("feature {\n  type: FLAOT\n}\n", 4, ["line 2, column 9", "did you mean `FLOAT`?"]),
        ("feature {\n  name: 7\n}\n", 4, ["line 2, column 9", "protobuf text"]),
        ("feature {\n  name: \"a\"\n", 4, ["line 3, column 1", "protobuf text"]),
        ("feature { name: 'a' } feature { name: 'a' }", 4, ["feature `a` is described twice", "keep one"]),
        ("string_domain { name: 'a' } string_domain { name: 'a' }", 4, ["string domain `a`", "keep one"]),
        (
            "feature { name: 's' struct_domain { feature { } } }",
            4,
            ["feature 1 of struct `s` has no name", "name"],
        ),
        (
            "feature { name: 'a' domain: 'coler' } string_domain { name: 'color' }",
            4,
            ["refers to the domain `coler`", "did you mean `color`?"],
        ),
    ] {
        let _ = place.write("bad.pbtxt", text);
        place.assert_failure(&place.sluice(&["schema", "check", "bad.pbtxt"]), code, &parts);
    }
    fs_err::write(place.path("bad.pb"), [0x0a, 0xff, 0xff]).unwrap();
    place.assert_failure(&place.sluice(&["schema", "check", "bad.pb"]), 4, &["`bad.pb`", "binary form"]);
    fs_err::write(place.path("latin.pbtxt"), b"# caf\xe9\n").unwrap();
    place.assert_failure(
        &place.sluice(&["schema", "check", "latin.pbtxt"]),
        4,
        &["line 1", "not text in UTF-8"],
    );
    place.assert_failure(&place.sluice(&["schema", "diff", "bad.pbtxt", "missing.pbtxt"]), 4, &["coler"]);
}

#[test]
fn the_schema_of_other_data_is_told_column_by_column() {
    let place = with_statistics();
    let _ = place.write("taxi.pbtxt", FARE);
    let arguments = ["validate", "statistics", "--schema", "taxi.pbtxt", "--new-columns", "error"];
    place.sluice(&arguments).exits(1).says(&["column `fare` is required, but not in the data", "bmi"]);
}

#[test]
fn schemas_of_other_tools_are_taken_over_and_what_is_not_is_listed() {
    let place = Place::new();
    for (name, columns) in [
        ("pandera.yaml", 7),
        ("great_expectations.json", 4),
        ("pydantic.schema.json", 8),
        ("arrow.parquet", 11),
    ] {
        let file = data(&format!("schemas/{name}"));
        let found =
            place.sluice(&["schema", "import", &file, "--out", "schema.pbtxt", "--json"]).exits(0).json();
        assert_eq!(found["schema"]["features"].as_array().unwrap().len(), columns, "{name}");
        let text = fs_err::read_to_string(place.path("schema.pbtxt")).unwrap();
        assert_eq!(found["text"], text);
        // What was written is read again, and says the same.
        let checked = place.sluice(&["schema", "check", "schema.pbtxt", "--json"]).exits(0).json();
        assert_eq!(checked["features"].as_array().unwrap().len(), columns, "{name}");
        assert!(!found["remarks"].as_array().unwrap().is_empty(), "{name}");
        let _ = place.sluice(&["schema", "import", &file, "--complete"]).exits(1);
    }
    let printed = place.sluice(&["schema", "import", &data("schemas/pandera.json")]).exits(0);
    place.write("printed.pbtxt", &printed.stdout);
    let _ = place.sluice(&["schema", "check", "printed.pbtxt"]).exits(0).says(&["name: \"fare\""]);
    place.write(
        "rows.csv",
        "fare,miles,riders,paid,company,plate,started\n-1,2,1,true,red,AB1,2026-01-01T00:00:00\n",
    );
    let _ = place.sluice(&["statistics", "rows.csv", "--out", "statistics"]).exits(0);
    let outcome = place.sluice(&["validate", "statistics", "--schema", "printed.pbtxt", "--json"]).exits(1);
    assert!(outcome.stdout.contains("unexpected-value"), "{outcome:#?}");
    place.write("nothing.json", "{\"a\": 1}");
    place.assert_failure(&place.sluice(&["schema", "import", "nothing.json"]), 4, &["--from"]);
}
