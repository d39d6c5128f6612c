//! Rules over rows, repeated keys and example rows from outside: `validate --data`, and the section `validate` of a
//! pipeline file in `run` and `check`.

use serde_json::Value;

use crate::support::{Outcome, Place, assert_same_files, diabetes, diabetes_changed};

const SCHEMA: &str = "feature { name: 'id' type: BYTES } feature { name: 'note' type: BYTES }
feature { name: 'fare' type: FLOAT presence { min_fraction: 1 } float_domain { min: 0 } }
feature { name: 'total' type: FLOAT presence { min_count: 1 } }
";

/// 100 trips; `broken` ones have a fare above the total and share their id with the trip before, of which one has
/// a negative fare.
fn trips(broken: &[usize]) -> String {
    let mut text = "id,fare,total,note\n".to_owned();
    for row in 0..100 {
        let is_broken = broken.contains(&row);
        let id = if is_broken { row - 1 } else { row };
        let fare = if row == 50 && is_broken { -2.5 } else { 1.5 };
        let total = if is_broken { -3.5 } else { 4.25 };
        text.push_str(&format!("t{id},{fare},{total},{}\n", if row == 60 { "x" } else { "7" }));
    }
    text
}

fn place(broken: &[usize]) -> Place {
    let place = Place::new();
    let _ = place.write("schema.pbtxt", SCHEMA);
    let _ = place.write("trips.csv", &trips(broken));
    let _ = place.sluice(&["statistics", "trips.csv", "--out", "statistics"]).exits(0);
    place
}

fn validate(place: &Place, more: &[&str]) -> Outcome {
    place.sluice(&[&["validate", "statistics", "--schema", "schema.pbtxt"], more].concat())
}

fn text(place: &Place, file: &str) -> String {
    fs_err::read_to_string(place.path(file)).unwrap()
}

#[test]
fn rules_that_hold_are_counted_and_are_cases() {
    let place = place(&[]);
    let rules = ["--data", "trips.csv", "--rule", "fare <= total", "--unique", "id", "--out", "v"];
    let _ = validate(&place, &rules).exits(0).says(&["ACCEPTED  0 errors, 0 warnings"]);
    let subset = &place.json("v/validation.json")["subsets"][0];
    assert_eq!(subset["rules"][0]["num_true"], 100);
    assert_eq!(subset["rules"][0]["num_violations"], 0);
    assert_eq!(
        (&subset["keys"][0]["num_repeated"], &subset["keys"][0]["is_exact"]),
        (&0.into(), &true.into())
    );
    let junit = text(&place, "v/junit.xml");
    assert!(junit.contains("<testcase classname=\"(data set)\" name=\"fare &lt;= total\"/>"), "{junit}");
    assert!(junit.contains("<testcase classname=\"id\" name=\"unique (id)\"/>"), "{junit}");
    assert!(junit.contains("failures=\"0\""), "{junit}");
    place.is_tidy();
}

#[test]
fn broken_rules_stand_in_every_report() {
    let place = place(&[10, 20, 50]);
    let rules = ["--data", "trips.csv", "--rule", "fare <= total", "--unique", "id", "--examples", "2"];
    let outcome = validate(&place, &[&rules[..], &["--key", "id", "--out", "v"]].concat()).exits(1);
    let _ = outcome.says(&[
        "REJECTED  3 errors, 0 warnings",
        "fare <= total",
        "3 of 100 rows break it",
        "trips.csv, row 11 (id t9): fare 1.5, total -3.5",
        "key (id) is repeated in 3 of 100 rows",
    ]);
    let record = place.json("v/validation.json");
    let findings = record["subsets"][0]["findings"].as_array().unwrap();
    let found: Vec<(&str, Option<u64>, usize)> = findings
        .iter()
        .map(|finding| {
            let count = finding["num_violations"].as_u64();
            (finding["code"].as_str().unwrap(), count, finding["examples"].as_array().unwrap().len())
        })
        .collect();
    // The schema's finding is located, too.
    assert_eq!(
        found,
        [("float-too-small", Some(1), 1), ("rule-broken", Some(3), 2), ("key-repeated", Some(3), 2)]
    );
    let example = &findings[0]["examples"][0];
    assert_eq!((&example["row"], &example["value"]), (&51.into(), &"-2.5".into()));
    assert_eq!(findings[2]["examples"][1]["row"], 21);
    let anomalies = text(&place, "v/anomalies-all.pbtxt");
    assert_eq!(anomalies.matches("type: CUSTOM_VALIDATION").count(), 2, "{anomalies}");
    assert!(anomalies.contains("dataset_anomaly_info"), "{anomalies}");
    let junit = text(&place, "v/junit.xml");
    assert!(junit.contains("failures=\"3\"") && junit.contains("trips.csv, row 11"), "{junit}");
    let page = text(&place, "v/validation.html");
    assert!(page.contains("<summary>Rows (2)</summary>") && page.contains("fare 1.5, total -3.5"));
    assert!(place.json("v/manifest.json")["made_from"]["data"].is_string());
    let weighed = ["--severity", "rule-broken=warning", "--severity", "key-repeated=ignore"];
    let weighed = [&rules[..], &weighed[..], &["--severity", "float-too-small=warning"]].concat();
    let _ = validate(&place, &weighed).exits(0).says(&["ACCEPTED  0 errors, 2 warnings"]);
}

#[test]
fn a_file_of_rules_is_strict_and_has_shares() {
    let place = place(&[10, 20, 50]);
    let rules = |text: &str| {
        let _ = place.write("rules.yaml", text);
        validate(
            &place,
            &["--data", "trips.csv", "--rules", "rules.yaml", "--severity", "float-too-small=ignore"],
        )
    };
    let one = "rules: [{ rule: \"fare <= total\", name: fares, at_least: 0.97 }]\nunique: [[id, note]]\n";
    let _ = rules(one).exits(1).says(&["REJECTED  1 errors", "key (id, note) is repeated"]);
    let _ = rules("rules: [{ rule: \"fare <= total\", at_least: 0.97 }]").exits(0);
    let _ = rules("rules: [{ rule: \"fare <= total\", at_least: 0.971 }]").exits(1).says(&["rule-broken"]);
    let _ = rules("rules: [{ rule: \"fare <= total\", severity: warning }]").exits(0).says(&["1 warnings"]);
    let _ = rules("unique: [total]\nexamples: 1").exits(1).says(&["98 of 100 rows repeat the key"]);
    for (text, parts) in [
        (
            "rules: [{ rule: \"fare > 0\", at_lest: 1 }]",
            vec!["rules.yaml", "`at_lest`", "did you mean `at_least`?"],
        ),
        ("rulse: []", vec!["rules.yaml", "`rulse`", "did you mean `rules`?"]),
        ("rules: [{ rule: \"fare > 0\", at_least: 2 }]", vec!["`at_least` is 2"]),
        ("rules: [\"fare > 0\", \"fare > 0\"]", vec!["two rules are called `fare > 0`", "hint"]),
        ("unique: [[]]", vec!["names no column"]),
        ("examples: 100000", vec!["`examples` is 100000"]),
    ] {
        place.assert_failure(&rules(text), 2, &parts);
    }
    let missing = validate(&place, &["--data", "trips.csv", "--rules", "nowhere.yaml"]);
    place.assert_failure(&missing, 3, &["nowhere.yaml"]);
}

#[test]
fn rules_that_cannot_be_checked_are_named_with_their_place() {
    let place = place(&[]);
    let data = |more: &[&str]| validate(&place, &[&["--data", "trips.csv"], more].concat());
    for (arguments, parts) in [
        (["--rule", "fares <= total"], vec!["`fares`", "line 1, column 1", "did you mean `fare`?"]),
        (["--rule", "fare + total"], vec!["answers float, not true or false"]),
        (["--rule", "fare <="], vec!["is not valid SQL"]),
        (["--rule", "note > 5"], vec!["`>`", "text"]),
        (["--unique", "ids"], vec!["`ids`", "did you mean `id`?"]),
        (["--unique", "id,"], vec!["--unique", "commas"]),
        (["--key", "ids"], vec!["`--key`", "did you mean `id`?"]),
    ] {
        place.assert_failure(&data(&arguments), 2, &parts);
    }
    for arguments in [["--rule", "fare > 0"], ["--unique", "id"], ["--examples", "3"], ["--delimiter", ";"]] {
        place.assert_failure(&validate(&place, &arguments), 2, &["have no rows", "`--data INPUT`"]);
    }
    // A rule without an answer for one row ends the command with that row.
    let failed = data(&["--rule", "CAST(note AS BIGINT) = 7"]);
    place.assert_failure(&failed, 4, &["cannot be cast", "trips.csv", "row 61"]);
    let _ = data(&["--rule", "coalesce(TRY_CAST(note AS BIGINT), 7) = 7"]).exits(0);
    // Other rows than those that the statistics are of.
    let _ = place.write("other.csv", &trips(&[]).lines().take(51).collect::<Vec<_>>().join("\n"));
    let other = validate(&place, &["--data", "other.csv"]);
    place.assert_failure(&other, 2, &["100 rows", "50", "hint"]);
}

#[test]
fn each_subset_of_a_data_set_is_looked_at_and_threads_do_not_matter() {
    let place = Place::new();
    let _ = place.write("schema.pbtxt", "feature { name: 'bmi' type: FLOAT float_domain { max: 0.1 } }");
    let ingest = [
        "ingest",
        &diabetes("diabetes.csv"),
        "--subset-column",
        "subset",
        "--key",
        "age",
        "--out",
        "dataset",
    ];
    let _ = place.sluice(&ingest).exits(0);
    let _ = place.sluice(&["statistics", "dataset", "--out", "statistics"]).exits(0);
    let outcome = |threads: &str, out: &str| {
        let rules = [
            "--new-columns",
            "ignore",
            "--data",
            "dataset",
            "--rule",
            "bmi < bp + 0.1",
            "--threads",
            threads,
        ];
        validate(&place, &[&rules[..], &["--out", out]].concat()).exits(1)
    };
    let _ = outcome("1", "one").says(&["train", "eval", "rule-broken"]);
    let _ = outcome("3", "three");
    assert_same_files(&place.path("one"), &place.path("three"));
    let subsets = place.json("one/validation.json")["subsets"].as_array().unwrap().clone();
    let rows: Vec<u64> = subsets.iter().map(|subset| subset["num_rows"].as_u64().unwrap()).collect();
    assert_eq!(rows.iter().sum::<u64>(), 442);
    for subset in &subsets {
        let rule = &subset["rules"][0];
        let counted = ["num_true", "num_unknown", "num_violations"].map(|key| rule[key].as_u64().unwrap());
        assert_eq!(counted.iter().sum::<u64>(), subset["num_rows"].as_u64().unwrap());
        // The key of the data set is shown, the file is named.
        let example = &subset["findings"][0]["examples"][0];
        assert_eq!(example["key"][0][0], "age");
        assert!(example["file"].as_str().unwrap().contains("part-"), "{example}");
    }
    let files = validate(&place, &["--data", &diabetes("diabetes.csv")]);
    place.assert_failure(&files, 2, &["is not a data set", "hint"]);
}

/// The findings of the first subset in a run.
fn findings(place: &Place, run: u32) -> Vec<Value> {
    let record = place.json(&format!("out/runs/{run:04}/validation/validation.json"));
    record["subsets"][0]["findings"].as_array().unwrap().clone()
}

fn with_rules(place: &Place, rules: &str) -> String {
    diabetes_changed(place, "rules.yaml", "transform:", &format!("validate: {rules}\ntransform:"))
}

#[test]
fn a_pipeline_is_stopped_by_its_rules() {
    let place = Place::new();
    let run = |rules: &str| place.sluice(&["run", &with_rules(&place, rules), "--out", "out"]);
    let sound = "{ rules: [\"bmi BETWEEN -1 AND 1\"], unique: [[age, sex, bmi, bp, s1, s5]] }";
    let first = run(sound).exits(0).says(&["PASS"]);
    assert!(first.stderr.contains("nothing found"), "{first:?}");
    let state = |run: u32| {
        let record = place.json(&format!("out/runs/{run:04}/run.json"));
        let steps = record["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == "validate").unwrap()["state"].clone()
    };
    let _ = run(sound).exits(0);
    assert_eq!([state(1), state(2)], ["ran", "cached"]);
    let warned = "{ rules: [{ rule: \"bmi < bp + 0.1\", name: slim, severity: warning }], examples: 3 }";
    let _ = run(warned).exits(0);
    assert_eq!(state(3), "ran");
    let found = findings(&place, 3);
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&"rule-broken".into(), &"warning".into()));
    assert_eq!(found[0]["examples"].as_array().unwrap().len(), 3);
    // Another rule is another key: the step runs again, and stops what follows.
    let _ = run("{ rules: [\"bmi < bp + 0.1\"] }")
        .exits(1)
        .says(&["REJECTED", "rule `bmi < bp + 0.1` is broken"]);
    assert!(!place.path("out/runs/0004/model").exists());
    place.is_tidy();
}

#[test]
fn check_and_run_name_what_is_wrong_with_rules() {
    let place = Place::new();
    for (rules, parts) in [
        ("{ rules: [\"bmj > 0\"] }", vec!["`bmj`", "did you mean `bmi`?"]),
        ("{ rules: [\"subset = 'train'\"] }", vec!["`subset`"]),
        ("{ rules: [\"bmi >\"] }", vec!["is not valid SQL"]),
        ("{ rules: [\"bmi + 1\"] }", vec!["`bmi + 1`", "not true or false"]),
        (
            "{ rules: [{ rule: \"bmi > 0\", at_lest: 0.5 }] }",
            vec!["validate.rules[0].at_lest", "`at_least`?"],
        ),
        ("{ unique: [[ages]] }", vec!["`ages`", "did you mean `age`?"]),
        ("{ rule: [\"bmi > 0\"] }", vec!["unknown key `rule`", "did you mean `rules`?"]),
        ("{ examples: -1 }", vec!["validate.examples"]),
    ] {
        let file = with_rules(&place, rules);
        place.assert_failure(&place.sluice(&["check", &file]), 2, &parts);
        place.assert_failure(&place.sluice(&["run", &file, "--out", "out"]), 2, &parts);
    }
    // The header of a CSV file has no kinds; they are known once the data are ingested, and nothing is counted before
    // the rules are held against them.
    let file = with_rules(&place, "{ rules: [\"lower(bmi) = 'x'\"] }");
    let _ = place.sluice(&["check", &file]).exits(0);
    let outcome = place.sluice(&["run", &file, "--out", "out"]);
    place.assert_failure(&outcome, 2, &["`lower`", "float", "step `validate`"]);
    assert!(!place.path("out/artifacts/statistics").exists());
}

/// A pipeline over Parquet, whose footer tells the kinds of the columns; a query, or none.
fn over_parquet(place: &Place, query: &str, more: &str) -> String {
    let file = place.path("data/train/part-00000.parquet");
    if !file.exists() {
        let taken =
            ["ingest", &diabetes("diabetes.csv"), "--share", "train=1", "--key", "age", "--out", "data"];
        let _ = place.sluice(&taken).exits(0);
    }
    let text = format!(
        "pipeline: kinds\ndata:\n  inputs: {{ d: data/train/part-00000.parquet }}\n{query}  roles: {{ label: target, \
         key: [age, s1, s5] }}\n  subsets: {{ by: hash, train: 0.8, eval: 0.2 }}\ntransform: [ {{ pass_through: [bmi] }} ]\n\
         train: {{ ridge: {{ alpha: 1 }} }}\nevaluate: {{ require: [ {{ metric: rmse, at_most: 900 }} ] }}\n{more}"
    );
    let _ = place.write("kinds.yaml", &text);
    "kinds.yaml".to_owned()
}

#[test]
fn check_holds_rules_and_slices_against_the_kinds_of_the_header() {
    let place = Place::new();
    let derived = "  query: \"SELECT age, bmi, s1, s5, target, CAST(age AS VARCHAR) AS words, bmi > 0 AS heavy FROM d\"\n";
    let joined = "  query: \"SELECT age, bmi, s1, s5, target, n, words FROM d JOIN (SELECT sex, count(*) AS n, min(CAST(age AS \
                  VARCHAR)) AS words FROM d GROUP BY sex) AS s ON d.sex = s.sex\"\n";
    for (query, more, parts) in [
        ("", "validate: { rules: [\"lower(bmi) = 'x'\"] }", vec!["`lower`", "float", "`validate`"]),
        ("", "validate: { rules: [\"bmi > DATE '2024-01-01'\"] }", vec!["float", "date", "`validate`"]),
        ("", "validate: { unique: [[ages]] }", vec!["`ages`", "did you mean `age`?"]),
        ("", "statistics: { slices: [\"bmi LIKE 'x%'\"] }", vec!["LIKE", "float", "`statistics`"]),
        ("", "statistics: { slices: [bmi] }", vec!["`bmi`", "float", "`statistics`"]),
        ("", "statistics: { weight: subset }", vec!["`subset`"]),
        (derived, "validate: { rules: [\"words > 5\"] }", vec!["`>`", "text", "`validate`"]),
        (derived, "validate: { rules: [\"heavy + 1 > 0\"] }", vec!["`+`", "boolean", "`validate`"]),
        (derived, "statistics: { weight: words }", vec!["`words`", "text", "numbers"]),
        (joined, "validate: { rules: [\"upper(n) = 'X'\"] }", vec!["`upper`", "integer", "`validate`"]),
        (joined, "validate: { rules: [\"words - 1 > 0\"] }", vec!["`-`", "text", "`validate`"]),
    ] {
        let file = over_parquet(&place, query, more);
        for command in [&["check", &file][..], &["run", &file, "--out", "out"]] {
            place.assert_failure(&place.sluice(command), 2, &parts);
        }
        assert!(!place.path("out/artifacts").exists(), "nothing is read before");
    }
    // What `check` accepts runs.
    for (query, more) in [
        ("", "validate: { rules: [\"bmi + bp < 5\"] }\nstatistics: { slices: [\"bmi > 0\"] }"),
        (
            derived,
            "validate: { rules: [\"length(words) > 0 OR heavy\"] }\nstatistics: { slices: [heavy], weight: target }",
        ),
        (joined, "validate: { rules: [\"n > 5 AND lower(words) <> ''\"], unique: [[age, s1, s5]] }"),
    ] {
        let file = over_parquet(&place, query, more);
        let _ = place.sluice(&["check", &file]).exits(0);
        let _ = place.sluice(&["run", &file, "--out", "out"]).exits(0);
    }
    // The types of a CSV file are its header's where they are all given.
    let rows: String = (0..40).map(|row| format!("{row},{}\n", row % 7)).collect();
    let _ = place.write("given.csv", &format!("x,y\n{rows}"));
    let csv = |types: &str| {
        let text = format!(
            "pipeline: csv\ndata:\n  inputs: {{ d: given.csv }}\n  csv: {{ types: {types} }}\n  roles: {{ label: y \
             }}\n  subsets: {{ by: hash, train: 0.8, eval: 0.2 }}\nvalidate: {{ rules: [\"lower(x) = 'a'\"] }}\n\
             transform: [ {{ one_hot: [x] }} ]\ntrain: {{ ridge: {{ alpha: 1 }} }}\nevaluate: {{ require: [ {{ \
             metric: rmse, at_most: 900 }} ] }}\n"
        );
        let _ = place.write("csv.yaml", &text);
        place.sluice(&["check", "csv.yaml"])
    };
    let outcome = csv("{ x: integer, y: float }").exits(2);
    assert!(outcome.stderr.contains("`lower`") && outcome.stderr.contains("integer"), "{outcome:#?}");
    let _ = csv("{ x: integer }").exits(0);
    let _ = csv("{ x: text, y: float }").exits(0);
}
