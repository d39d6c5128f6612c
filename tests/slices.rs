//! Slices of an evaluation and weak slices, from the command line.

use crate::support::{Place, assert_same_files, diabetes};

const MODEL: &str = "out/registry/diabetes/versions/0001";

/// A model, and its rows with two more columns: a site, at one of which the label is far off, and a day.
fn trained() -> Place {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "out"]).exits(0);
    let text = fs_err::read_to_string(diabetes("diabetes.csv")).unwrap();
    let (header, lines) = text.trim_end().split_once('\n').unwrap();
    let target = header.split(',').position(|name| name == "target").unwrap();
    let mut rows = format!("{header},site,day\n");
    for (number, line) in lines.lines().enumerate() {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        let site = ["north", "east", "south", "west"][number % 4];
        if site == "south" {
            let label: f64 = cells[target].parse().unwrap();
            cells[target] = (label + if number % 8 > 3 { 200.0 } else { -150.0 }).to_string();
        }
        rows.push_str(&format!("{},{site},2026-01-0{}\n", cells.join(","), 1 + number % 7));
    }
    let _ = place.write("rows.csv", &rows);
    place
}

#[test]
fn slices_of_every_kind_are_evaluated_in_one_run() {
    let place = trained();
    let arguments = [
        "evaluate",
        "rows.csv",
        "--model",
        MODEL,
        "--metric",
        "rmse",
        "--slice",
        "{column: bmi, quantiles: 2}",
        "--slice",
        "{name: heavy, expression: \"bmi > 0.1\", minimum_rows: 50}",
        "--slice",
        "[heavy, {column: site, top: 1}]",
        "--slice",
        "day",
        "--require",
        "{metric: rmse, at_most: 100, every: {column: s5, bounds: [0]}}",
    ];
    let outcome = place.sluice(&[&arguments[..], &["--out", "one", "--threads", "1"]].concat()).exits(1);
    let outcome = outcome.says(&["day=2026-01-07", "heavy=true, site=(other)", "s5=[0, inf]"]);
    assert!(
        outcome.stdout.contains(
            "1 slice of `heavy: bmi > 0.1` with fewer than 50 rows is left out: heavy=true (12 rows)"
        ),
        "{outcome:#?}"
    );
    let found = place.json("one/metrics.json");
    let slices = found["slices"].as_array().unwrap();
    let rows = |column: &str| -> u64 {
        let is_of = |slice: &&serde_json::Value| {
            let parts = slice["slice"].as_array().unwrap();
            parts.len() == 1 && parts[0]["column"] == column
        };
        slices.iter().filter(is_of).map(|slice| slice["rows"].as_u64().unwrap()).sum()
    };
    assert_eq!((rows("bmi"), rows("day"), rows("s5")), (442, 442, 442));
    assert_eq!(rows("heavy") + found["left_out"][0]["rows"].as_u64().unwrap(), 442);
    let _ = place.sluice(&[&arguments[..], &["--out", "seven", "--threads", "7"]].concat()).exits(1);
    assert_same_files(&place.path("one"), &place.path("seven"));
    place.is_tidy();
}

#[test]
fn a_weak_slice_is_found_by_itself_and_in_an_evaluation() {
    let place = trained();
    let asked = ["--minimum-rows", "40", "--columns", "site,day,bmi,sex"];
    let arguments = [&["find-weak-slices", "rows.csv", "--model", MODEL], &asked[..]].concat();
    let outcome = place.sluice(&[&arguments[..], &["--out", "weak"]].concat()).exits(0);
    let outcome = outcome.says(&["slices of at least 40 rows are worse", "site=south", "effect size"]);
    assert!(outcome.stdout.contains("weak slices in weak"), "{outcome:#?}");
    let found = place.json("weak/weak_slices.json");
    let plain: Vec<&serde_json::Value> = found["slices"].as_array().unwrap().iter().collect();
    assert_eq!(plain[0]["slice"][0]["value"], "south");
    assert_eq!(plain[0]["rows"], 110);
    assert!(plain[0]["q_value"].as_f64().unwrap() < 1e-6);
    let json = place.sluice(&[&arguments[..], &["--json", "--threads", "1"]].concat()).exits(0).json();
    assert_eq!(json, found);
    let options = "{minimum_rows: 40, columns: [site, day, bmi, sex]}";
    let arguments = ["evaluate", "rows.csv", "--model", MODEL, "--weak-slices", options, "--out", "both"];
    let _ = place.sluice(&[&arguments[..], &["--accept-any"]].concat()).exits(0).says(&["site=south"]);
    assert_eq!(place.json("both/weak_slices.json"), found);
    place.is_tidy();
}

#[test]
fn slices_that_do_not_fit_are_refused() {
    let place = trained();
    let refuse = |arguments: &[&str], parts: &[&str]| {
        let outcome = place.sluice(&[arguments, &["rows.csv", "--model", MODEL]].concat()).exits(2);
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
    };
    let evaluate = |slice: &'static str| ["evaluate", "--out", "out-of", "--slice", slice];
    refuse(&evaluate("{colum: site}"), &["unknown key `colum`", "did you mean `column`?"]);
    refuse(&evaluate("{column: site, quantiles: 4}"), &["buckets of column `site`, which holds text"]);
    refuse(&evaluate("{expression: bim > 1}"), &["`bim`, which is not in the data", "did you mean `bmi`?"]);
    refuse(&evaluate("[site, {column: site}]"), &["names `site` twice"]);
    refuse(&["find-weak-slices", "--columns", "sight"], &["column `sight`"]);
    refuse(&["find-weak-slices", "--loss", "r2"], &["is `r2`, which is not the mean of a number per row"]);
    refuse(&["evaluate", "--out", "out-of", "--weak-slices", "{level: 2}"], &["`level` is 2"]);
}
