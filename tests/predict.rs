//! `sluice predict`: the golden predictions, rows in their order, bad rows counted, the same bytes.

use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use serde_json::Value;
use sluice_testkit::assert_relative;

use crate::support::{Place, assert_same_files, diabetes};

const MODEL: &str = "out/registry/diabetes/versions/0001";

fn predictions(place: &Place, folder: &str) -> Float64Array {
    column(&place.parquet(&format!("{folder}/part-00000.parquet")), "prediction")
}

fn trained() -> Place {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "out"]).exits(0);
    place
}

#[test]
fn predictions_are_those_of_scikit_learn_in_the_order_of_the_rows() {
    let place = trained();
    let rows = diabetes("diabetes.csv");
    let record = place.sluice(&["predict", MODEL, &rows, "--keep", "subset", "--out", "scored", "--json"]);
    let record = record.exits(0).json();
    assert_eq!((&record["rows"], &record["rows_without_prediction"]), (&442.into(), &0.into()));
    let golden: Value =
        serde_json::from_slice(&fs_err::read(diabetes("expected/ridge.json")).unwrap()).unwrap();
    let fits = golden["fits"].as_array().unwrap();
    let fit = fits.iter().find(|fit| fit["alpha"].as_f64() == Some(0.4)).unwrap();
    let found = predictions(&place, "scored");
    let eval_rows = golden["eval_rows"].as_array().unwrap();
    for (row, expected) in eval_rows.iter().zip(fit["exact"]["predictions"].as_array().unwrap()) {
        let row = usize::try_from(row.as_u64().unwrap()).unwrap();
        assert_relative(found.value(row), expected.as_f64().unwrap(), 1e-13);
    }
    for threads in ["1", "7"] {
        let arguments = ["predict", MODEL, &rows, "--keep", "subset", "--out", "again", "--threads", threads];
        let _ = place.sluice(&arguments).exits(0);
        assert_same_files(&place.path("scored"), &place.path("again"));
    }
    place.is_tidy();
}

#[test]
fn a_row_without_a_feature_has_no_prediction_and_stops_nobody() {
    let place = trained();
    let text = fs_err::read_to_string(diabetes("diabetes.csv")).unwrap();
    let mut lines: Vec<String> = text.lines().take(4).map(str::to_owned).collect();
    // The second row loses its age.
    let rest = lines[2].split_once(',').unwrap().1.to_owned();
    lines[2] = format!(",{rest}");
    let rows = place.write("rows.csv", &lines.join("\n")).display().to_string();
    let outcome = place.sluice(&["predict", MODEL, &rows, "--out", "scored"]).exits(0);
    assert!(outcome.stdout.contains("3 rows scored, 1 row of them without a prediction"), "{outcome:#?}");
    let found = predictions(&place, "scored");
    assert_eq!((0..3).map(|row| found.is_null(row)).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let place = trained();
    let rows = diabetes("diabetes.csv");
    let refuse = |arguments: &[&str], parts: &[&str]| {
        let outcome = place.sluice(arguments).exits(2);
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
        assert!(!place.path("scored").exists());
        place.is_tidy();
    };
    refuse(
        &["predict", MODEL, &rows, "--keep", "agee", "--out", "scored"],
        &["column `agee`", "did you mean `age`?"],
    );
    refuse(
        &["predict", MODEL, &rows, "--keep", "age", "--keep", "age", "--out", "scored"],
        &["written twice"],
    );
    let other = place.write("other.csv", "a,b\n1,2\n").display().to_string();
    refuse(&["predict", MODEL, &other, "--out", "scored"], &["column `age` is not in"]);
    refuse(&["predict", MODEL, &rows, "--subset", "eval", "--out", "scored"], &["is not a data set"]);
}

fn column(rows: &RecordBatch, name: &str) -> Float64Array {
    rows.column_by_name(name).unwrap_or_else(|| panic!("no `{name}`")).as_primitive::<Float64Type>().clone()
}

#[test]
fn contributions_and_the_base_value_add_up_to_the_prediction() {
    let place = trained();
    let rows = diabetes("diabetes.csv");
    let _ =
        place.sluice(&["predict", MODEL, &rows, "--keep", "age", "--explain", "--out", "scored"]).exits(0);
    let found = place.parquet("scored/part-00000.parquet");
    let names: Vec<&str> = found.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names[..4], ["age", "prediction", "base_value", "contribution_age"]);
    let contributions: Vec<Float64Array> = names[3..].iter().map(|name| column(&found, name)).collect();
    assert_eq!(contributions.len(), 10);
    let (base, predictions) = (column(&found, "base_value"), column(&found, "prediction"));
    for row in 0..found.num_rows() {
        let sum = contributions.iter().fold(base.value(row), |sum, column| sum + column.value(row));
        assert_relative(sum, predictions.value(row), 1e-13);
    }
    // The average sizes are those of the columns, the largest first.
    let explanations = place.json("scored/explanations.json");
    assert_eq!(explanations["rows"], 442);
    let output = &explanations["contributions"][0];
    assert_relative(output["base_value"].as_f64().unwrap(), base.value(0), 1e-15);
    let features = output["features"].as_array().unwrap();
    let mut last = f64::INFINITY;
    for feature in features {
        let values = column(&found, &format!("contribution_{}", feature["feature"].as_str().unwrap()));
        let mean = values.iter().flatten().map(f64::abs).sum::<f64>() / 442.0;
        let shown = feature["mean_absolute"].as_f64().unwrap();
        assert_relative(shown, mean, 1e-12);
        assert!(shown <= last);
        last = shown;
    }
    for threads in ["1", "7"] {
        let arguments = ["predict", MODEL, &rows, "--keep", "age", "--explain", "--threads", threads];
        let _ = place.sluice(&[&arguments[..], &["--out", "again"]].concat()).exits(0);
        assert_same_files(&place.path("scored"), &place.path("again"));
    }
}

#[test]
fn all_columns_pass_through_as_parquet_or_arrow() {
    let place = trained();
    let rows = diabetes("diabetes.csv");
    let _ = place.sluice(&["predict", MODEL, &rows, "--keep-all", "--out", "scored"]).exits(0);
    let found = place.parquet("scored/part-00000.parquet");
    let names: Vec<&str> = found.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!((names[0], names[10], names[11], names[12]), ("age", "target", "subset", "prediction"));
    let arrow = ["predict", MODEL, &rows, "--keep", "age", "--to", "arrow", "--columns", "prediction"];
    let _ = place.sluice(&[&arrow[..], &["--out", "arrow"]].concat()).exits(0);
    let statistics = place.sluice(&["statistics", "arrow/part-00000.arrow", "--json"]).exits(0).json();
    assert_eq!(statistics["subsets"][0]["num_rows"], 442);
    let refuse = |arguments: &[&str], parts: &[&str]| {
        let outcome = place.sluice(&[&["predict", MODEL, &rows, "--out", "no"], arguments].concat()).exits(2);
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
        assert!(!place.path("no").exists());
    };
    refuse(
        &["--columns", "predictoin"],
        &["`columns` has no choice `predictoin`", "did you mean `prediction`?"],
    );
    refuse(&["--keep-all", "--keep", "age"], &["--keep"]);
}

/// A model of a small taxi table with levels.
const LEVELS: &str = "pipeline: levels
data:
  inputs: { rows: rows.csv }
  roles: { label: y, key: [id] }
  subsets: { by: subset }
transform: [ { pass_through: [x] }, { one_hot: [c] } ]
train: { ridge: { alpha: 0.1 } }
evaluate: { require: [ { metric: rmse, at_most: 1e9 } ] }
";

#[test]
fn unknown_values_are_counted_and_the_key_of_a_data_set_passes_through() {
    let place = Place::new();
    place.write("levels.yaml", LEVELS);
    let mut text = String::from("id,x,c,y,subset\n");
    for row in 0..60 {
        let (level, subset) = (["a", "b", "c"][row % 3], if row % 5 == 0 { "eval" } else { "train" });
        text.push_str(&format!("{row},{},{level},{},{subset}\n", row % 7, row % 11));
    }
    place.write("rows.csv", &text);
    let _ = place.sluice(&["run", "levels.yaml", "--out", "out"]).exits(0);
    let model = "out/registry/levels/versions/0001";
    place.write("new.csv", "x,c\n1,a\n2,z\n3,\n4,z\n");
    let outcome = place.sluice(&["predict", model, "new.csv", "--out", "scored"]).exits(0);
    assert!(
        outcome.stdout.contains("2 rows with a value of `c` that the model does not know"),
        "{outcome:#?}"
    );
    let record = place.json("scored/predictions.json");
    assert_eq!(record["rows_without_level"], serde_json::json!({ "c": 2 }));
    // None of the levels, whatever the value is: the same prediction as for null at the same x.
    let found = place.parquet("scored/part-00000.parquet");
    assert_eq!(found.num_columns(), 1);
    place.write("null.csv", "x,c\n2,\n");
    let _ =
        place.sluice(&["predict", model, "null.csv", "--column-type", "c=text", "--out", "null"]).exits(0);
    let null = place.parquet("null/part-00000.parquet");
    assert_eq!(
        column(&found, "prediction").value(1).to_bits(),
        column(&null, "prediction").value(0).to_bits()
    );
    let _ = place.sluice(&["predict", model, "out/runs/0001/dataset", "--out", "keyed"]).exits(0);
    let names = place.json("keyed/predictions.json")["columns"].clone();
    assert_eq!(names, serde_json::json!(["id", "prediction"]));
    // Another type than in training.
    place.write("other.csv", "x,c\none,a\ntwo,b\n");
    let outcome = place.sluice(&["predict", model, "other.csv", "--out", "other"]);
    assert!(outcome.code == Some(2) || outcome.code == Some(4), "{outcome:#?}");
    assert!(outcome.stderr.contains("`x`") && !place.path("other").exists(), "{outcome:#?}");
}

#[test]
fn a_prediction_that_is_killed_goes_on_after_its_last_part_with_the_same_bytes() {
    let place = Place::new();
    let _ = place.sluice(&["datasets", "taxi", "--rows", "1100000", "--out", "trips"]).exits(0);
    let pipeline = "pipeline: trips\ndata:\n  inputs: { trips: 'trips/*/*.parquet' }\n  roles: { label: tips, ignored: [trip_total] }\n  subsets: { by: subset }\ntransform: [ { impute: { columns: [trip_miles, trip_seconds], with: mean } }, { one_hot: [payment_type] } ]\ntrain: { ridge: { alpha: 1.0 } }\nevaluate: { require: [ { metric: rmse, at_most: 1e9 } ] }\n";
    place.write("trips.yaml", pipeline);
    let _ = place.sluice(&["run", "trips.yaml", "--out", "out"]).exits(0);
    let model = "out/registry/trips/versions/0001";
    let arguments = |out: &'static str| {
        [
            "predict",
            model,
            "trips/*/*.parquet",
            "--keep-all",
            "--part-rows",
            "1",
            "--threads",
            "1",
            "--out",
            out,
        ]
    };
    let resuming = |out: &'static str| [&arguments(out)[..], &["--resume", "--explain"]].concat();
    let _ = place.sluice(&[&arguments("whole")[..], &["--explain"]].concat()).exits(0);
    assert!(place.path("whole/part-00003.parquet").exists() && !place.path(".whole.parts").exists());

    // Killed once a part is complete, and before the last one is.
    let mut child = place.command(&resuming("scored")).spawn().unwrap();
    let complete = place.path(".scored.parts/part-00000.parquet.json");
    let started = Instant::now();
    while !complete.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("scored").exists() && complete.exists(), "it was not killed in between");
    let outcome = place.sluice(&resuming("scored")).exits(0);
    assert!(outcome.stderr.contains("of an interrupted call taken up"), "{outcome:#?}");
    assert_same_files(&place.path("whole"), &place.path("scored"));
    assert!(!place.path(".scored.parts").exists());
    place.is_tidy();
}
