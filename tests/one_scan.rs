//! Rules over rows and statistics from one reading of the data: in `run`, and in `validate` without statistics. Each step
//! alone gives the same bytes.

use serde_json::Value;

use crate::support::{Place, assert_same_files, diabetes, diabetes_changed};

const RULES: &str = "{ rules: [{ rule: \"bmi < bp + 0.1\", name: slim, severity: warning }, \"age < 1\"], \
                     unique: [[age, sex, bmi, bp, s1, s5], sex], severity: { key-repeated: warning } }";
const SHARED: &str = "rules from the scan of the statistics";

fn with_rules(place: &Place, rules: &str) -> String {
    diabetes_changed(place, "rules.yaml", "transform:", &format!("validate: {rules}\ntransform:"))
}

/// A step of a run into `out`.
fn step(place: &Place, out: &str, run: u32, name: &str) -> Value {
    let record = place.json(&format!("{out}/runs/{run:04}/run.json"));
    let steps = record["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap().clone()
}

/// Whether the rules of a run came from the scan of the statistics, and the state of its validation.
fn validated(place: &Place, out: &str, run: u32) -> (bool, String) {
    let step = step(place, out, run, "validate");
    let is_shared = step["summary"].as_str().unwrap().contains(SHARED);
    if step["state"] == "ran" {
        assert_eq!(step["rows"], if is_shared { 0 } else { 442 }, "{step:#}");
    }
    (is_shared, step["state"].as_str().unwrap().to_owned())
}

#[test]
fn rules_share_the_scan_of_the_statistics_and_give_the_bytes_of_the_step_alone() {
    let place = Place::new();
    let rules = with_rules(&place, RULES);
    let run = |file: &str, out: &str, more: &[&str]| {
        let arguments = [&["run", file, "--out", out], more].concat();
        let _ = place.sluice(&arguments).exits(0);
    };
    run(&rules, "shared", &["--threads", "3"]);
    assert_eq!(validated(&place, "shared", 1), (true, "ran".into()));
    let found = place.json("shared/runs/0001/validation/validation.json");
    assert_eq!(found["subsets"][0]["findings"].as_array().unwrap().len(), 2, "{found:#}");
    // Without rules first: the statistics are there when the rules come.
    run(&diabetes("pipeline.yaml"), "alone", &[]);
    run(&rules, "alone", &["--threads", "1"]);
    assert_eq!(validated(&place, "alone", 2), (false, "ran".into()));
    for name in ["statistics", "validation", "transform"] {
        let (shared, alone) = (format!("shared/runs/0001/{name}"), format!("alone/runs/0002/{name}"));
        assert_same_files(&place.path(&shared), &place.path(&alone));
    }
    // The commands of the single steps, too.
    let statistics = "shared/runs/0001/statistics";
    let _ = place.sluice(&["statistics", "shared/runs/0001/dataset", "--out", "statistics"]).exits(0);
    assert_same_files(&place.path(statistics), &place.path("statistics"));
    place.is_tidy();
}

#[test]
fn a_step_that_is_cached_leaves_the_scan() {
    let place = Place::new();
    let rules = with_rules(&place, RULES);
    let run = |file: &str, more: &[&str]| {
        let _ = place.sluice(&[&["run", file, "--out", "out"], more].concat()).exits(0);
    };
    run(&rules, &[]);
    // Statistics that are made again are the same, so that the validation is found.
    run(&rules, &["--force", "statistics"]);
    assert_eq!(step(&place, "out", 2, "statistics")["state"], "ran");
    assert_eq!(validated(&place, "out", 2), (false, "cached".into()));
    run(&rules, &["--force", "statistics", "--force", "validate"]);
    assert_eq!(validated(&place, "out", 3), (true, "ran".into()));
    assert_eq!(step(&place, "out", 3, "transform")["state"], "cached");
    run(&rules, &["--force", "validate"]);
    assert_eq!(validated(&place, "out", 4), (false, "ran".into()));
    // Other statistics: the transform stays out of the scan, the rules do not.
    let text = fs_err::read_to_string(place.path(&rules)).unwrap();
    let _ = place.write("other.yaml", &format!("statistics: {{ slices: [sex > 0] }}\n{text}"));
    run("other.yaml", &[]);
    assert_eq!(validated(&place, "out", 5), (true, "ran".into()));
    assert_eq!(step(&place, "out", 5, "transform")["state"], "cached");
    let of = |run: u32| place.json(&format!("out/runs/{run:04}/validation/validation.json"));
    for run in 2..=5 {
        assert_eq!(of(run), of(1));
    }
    place.is_tidy();
}

#[test]
fn a_rule_without_an_answer_is_the_validations_matter() {
    let place = Place::new();
    let file = with_rules(&place, "{ rules: [\"CAST(bmi * 1e300 AS BIGINT) > 0\"] }");
    let outcome = place.sluice(&["run", &file, "--out", "out"]);
    place.assert_failure(&outcome, 4, &["cannot be cast", "row 1", "step `validate`", "subset `"]);
    assert_eq!(fs_err::read_dir(place.path("out/artifacts/statistics")).unwrap().count(), 1);
    assert!(!place.path("out/artifacts/validation").exists());
    // The next run goes on from the statistics.
    let _ = place.sluice(&["run", &with_rules(&place, RULES), "--out", "out"]).exits(0);
    assert_eq!(step(&place, "out", 2, "statistics")["state"], "cached");
}

const SCHEMA: &str = "feature { name: 'id' type: BYTES } feature { name: 'zone' type: INT int_domain { is_categorical: true } }
feature { name: 'fare' type: FLOAT presence { min_fraction: 1 } float_domain { min: 0 } }
";
const ROWS: &str = "id,zone,fare\na,1,2.5\nb,2,-3.5\nb,2,\nc,1,7.25\n";

fn files() -> Place {
    let place = Place::new();
    let _ = place.write("schema.pbtxt", SCHEMA);
    let _ = place.write("rows.csv", ROWS);
    place
}

#[test]
fn validate_computes_the_statistics_that_it_is_not_given() {
    let place = files();
    let rules = ["--rule", "fare < 7", "--unique", "id", "--key", "id", "--schema", "schema.pbtxt"];
    let one =
        ["validate", "--data", "rows.csv", "--keep-statistics", "kept", "--out", "one", "--junit", "one.xml"];
    let _ = place.sluice(&[&one[..], &rules].concat()).exits(1).says(&["REJECTED  4 errors"]);
    let two = ["statistics", "rows.csv", "--schema", "schema.pbtxt", "--out", "statistics"];
    let _ = place.sluice(&two).exits(0);
    let two = ["validate", "statistics", "--data", "rows.csv", "--out", "two", "--junit", "two.xml"];
    let _ = place.sluice(&[&two[..], &rules].concat()).exits(1);
    assert_same_files(&place.path("kept"), &place.path("statistics"));
    assert_same_files(&place.path("one"), &place.path("two"));
    let text = |name: &str| fs_err::read_to_string(place.path(name)).unwrap();
    assert_eq!(text("one.xml"), text("two.xml"));
    // Without keeping them the same is found; the data stand for the statistics.
    let three = ["validate", "--data", "rows.csv", "--out", "three"];
    let _ = place.sluice(&[&three[..], &rules].concat()).exits(1);
    assert_eq!(text("three/validation.json"), text("one/validation.json"));
    let made_from = place.json("three/manifest.json")["made_from"].clone();
    assert!(made_from["statistics"].is_null() && made_from["data"].is_string(), "{made_from:#}");
    // The kept ones are what the next data are compared with.
    let next = [
        "validate",
        "--data",
        "rows.csv",
        "--schema",
        "schema.pbtxt",
        "--previous",
        "kept",
        "--examples",
        "0",
    ];
    let _ = place.sluice(&next).exits(1).says(&["REJECTED  2 errors"]);
    place.is_tidy();
}

#[test]
fn validate_computes_the_statistics_of_every_subset() {
    let place = Place::new();
    let _ = place.write("schema.pbtxt", "feature { name: 'bmi' type: FLOAT float_domain { max: 0.1 } }");
    let data = diabetes("diabetes.csv");
    let ingest = ["ingest", &data, "--subset-column", "subset", "--key", "age", "--out", "dataset"];
    let _ = place.sluice(&ingest).exits(0);
    let _ =
        place.sluice(&["statistics", "dataset", "--schema", "schema.pbtxt", "--out", "statistics"]).exits(0);
    let options = [
        "--schema",
        "schema.pbtxt",
        "--new-columns",
        "ignore",
        "--rule",
        "bmi < bp + 0.1",
        "--data",
        "dataset",
    ];
    let validate = |more: &[&str]| place.sluice(&[&["validate"], &options[..], more].concat()).exits(1);
    let _ =
        validate(&["--keep-statistics", "kept", "--out", "one", "--threads", "3"]).says(&["train", "eval"]);
    let _ = validate(&["statistics", "--out", "two", "--threads", "1"]);
    assert_same_files(&place.path("kept"), &place.path("statistics"));
    assert_same_files(&place.path("one"), &place.path("two"));
}

#[test]
fn validate_says_what_it_lacks() {
    let place = files();
    let _ = place.sluice(&["statistics", "rows.csv", "--out", "statistics"]).exits(0);
    for (arguments, parts) in [
        (vec![], vec!["neither statistics nor data", "name STATISTICS, or add `--data INPUT`"]),
        (vec!["--rule", "fare > 0"], vec!["have no rows", "`--data INPUT`"]),
        (vec!["--data", "rows.csv", "--slices"], vec!["STATISTICS"]),
        (vec!["statistics", "--data", "rows.csv", "--keep-statistics", "k"], vec!["--keep-statistics"]),
        (vec!["--data", "rows.csv", "--rule", "fares > 0"], vec!["`fares`", "did you mean `fare`?"]),
        (vec!["--data", "rows.csv", "--unique", "ids"], vec!["`ids`", "did you mean `id`?"]),
        (vec!["--data", "rows.csv", "--key", "ids"], vec!["`--key`", "did you mean `id`?"]),
    ] {
        let outcome = place.sluice(&[&["validate", "--schema", "schema.pbtxt"], &arguments[..]].concat());
        place.assert_failure(&outcome, 2, &parts);
        assert!(!place.path("k").exists());
    }
    let outcome = place.sluice(&["validate", "--schema", "schema.pbtxt", "--data", "nowhere.csv"]);
    place.assert_failure(&outcome, 3, &["nowhere.csv"]);
    let cast =
        ["validate", "--schema", "schema.pbtxt", "--data", "rows.csv", "--rule", "CAST(id AS BIGINT) > 0"];
    place.assert_failure(&place.sluice(&cast), 4, &["cannot be cast", "rows.csv", "row 1"]);
}
