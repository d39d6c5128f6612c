//! `sluice predict`: the golden predictions, rows in their order, bad rows counted, the same bytes.

use arrow::array::{Array, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use sluice_testkit::assert_relative;

use crate::support::{Place, assert_same_files, diabetes};

const MODEL: &str = "out/registry/diabetes/versions/0001";

fn predictions(place: &Place, folder: &str) -> Float64Array {
    let file = fs_err::File::open(place.path(folder).join("part-00000.parquet")).unwrap().into_file();
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batch = batches.next().unwrap().unwrap();
    batch.column_by_name("prediction").unwrap().as_primitive::<Float64Type>().clone()
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
