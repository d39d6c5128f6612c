//! `sluice explain`: the same figures for any order of the rows and any number of threads, as table, JSON and page.

use serde_json::Value;
use sluice_testkit::assert_relative;

use crate::support::{Place, assert_same_files, diabetes};

const MODEL: &str = "out/registry/diabetes/versions/0001";

fn trained() -> Place {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "out"]).exits(0);
    place
}

#[test]
fn a_model_is_explained_as_table_json_and_page() {
    let place = trained();
    let rows = diabetes("diabetes.csv");
    let asked = ["--permutation", "--partial-dependence", "bmi,sex", "--grid", "8"];
    let arguments = [&["explain", MODEL, &rows, "--out", "explanation"], &asked[..]].concat();
    let outcome = place.sluice(&arguments).exits(0);
    let outcome =
        outcome.says(&["442 rows of 442 rows", "mean size", "mse grows by", "mean prediction by `bmi`"]);
    assert!(outcome.stdout.contains("explanation in explanation"), "{outcome:#?}");
    let found = place.json("explanation/explanation.json");
    let features = found["contributions"][0]["features"].as_array().unwrap();
    assert_eq!(features.len(), 10);
    let permutation = &found["permutation"];
    assert_eq!((&permutation["rows"], &permutation["rows_left_out"]), (&442.into(), &0.into()));
    let columns = permutation["columns"].as_array().unwrap();
    assert!(columns.iter().all(|column| column["repeats"].as_array().unwrap().len() == 5));
    // A linear model moves by its coefficient.
    let curve = &found["partial_dependence"][0];
    let value = |place: &Value| place.as_f64().unwrap();
    let (grid, averages) = (&curve["grid"], &curve["curves"][0]["averages"]);
    let slope = |at: usize| {
        (value(&averages[at + 1]) - value(&averages[at])) / (value(&grid[at + 1]) - value(&grid[at]))
    };
    assert_eq!(grid.as_array().unwrap().len(), 8);
    assert_relative(slope(0), slope(5), 1e-9);
    assert_eq!(found["partial_dependence"][1]["grid"].as_array().unwrap().len(), 2);
    let page = fs_err::read_to_string(place.path("explanation/explanation.html")).unwrap();
    assert!(page.contains("What columns tell the model") && page.contains("class=\"line\""));
    for threads in ["1", "7"] {
        let arguments =
            [&["explain", MODEL, &rows, "--out", "again", "--threads", threads], &asked[..]].concat();
        let _ = place.sluice(&arguments).exits(0);
        assert_same_files(&place.path("explanation"), &place.path("again"));
    }
    // In another order of the rows, other than the digest of the data nothing changes.
    let text = fs_err::read_to_string(&rows).unwrap();
    let (header, lines) = text.trim_end().split_once('\n').unwrap();
    let reversed: Vec<&str> = lines.lines().rev().collect();
    let other =
        place.write("other.csv", &format!("{header}\n{}\n", reversed.join("\n"))).display().to_string();
    let json = |rows: &str| {
        let arguments = [&["explain", MODEL, rows, "--json", "--rows", "200"], &asked[..]].concat();
        place.sluice(&arguments).exits(0).json()
    };
    assert_eq!(json(&rows), json(&other));
    place.is_tidy();
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let place = trained();
    let rows = diabetes("diabetes.csv");
    let refuse = |arguments: &[&str], code: i32, parts: &[&str]| {
        let outcome = place.sluice(&[&["explain", MODEL], arguments].concat()).exits(code);
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
    };
    refuse(
        &[&rows, "--partial-dependence", "bim"],
        2,
        &["`partial_dependence` has no choice `bim`", "`bmi`"],
    );
    refuse(&[&rows, "--grid", "1", "--partial-dependence", "bmi"], 2, &["2..=1000"]);
    refuse(&[&rows, "--key", "idd"], 2, &["column `idd`"]);
    let text = fs_err::read_to_string(&rows).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').take(10).collect::<Vec<_>>().join(","));
    let unlabelled: Vec<String> = lines.by_ref().take(20).collect();
    let unlabelled = place.write("unlabelled.csv", &unlabelled.join("\n")).display().to_string();
    let _ = place.sluice(&["explain", MODEL, &unlabelled]).exits(0);
    refuse(&[&unlabelled, "--permutation"], 2, &["column `target`"]);
    // A model of before there were means.
    let model = place.path("out/runs/0001/model/model.json");
    let mut old = place.json("out/runs/0001/model/model.json");
    assert_eq!(old.as_object_mut().unwrap().remove("column_means").unwrap().as_array().unwrap().len(), 10);
    fs_err::write(model, serde_json::to_string(&old).unwrap()).unwrap();
    let outcome = place.sluice(&["explain", "out/runs/0001/model", &rows]);
    assert!(outcome.stderr.contains("damaged"), "{outcome:#?}");
}
