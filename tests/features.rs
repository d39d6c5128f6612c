//! Features of dates, places, text and lists from the file to the prediction: what the label is made of is
//! found again.

use std::fmt::Write;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use sluice_testkit::assert_relative;

use crate::support::{Pipeline, Place, assert_same_files};
use crate::tables::noise;

const OPERATIONS: &str = "
  - derive: { started: CAST(started AS TIMESTAMP) }
  - date_parts: { columns: [started], parts: [is_weekend] }
  - cyclic: { columns: [started], part: hour }
  - drop: [started]
  - haversine: { from: [latitude, longitude], to: [41.88, -87.63], as: from centre }
  - bag_of_words: { columns: [text], lowercase: true, top: 3, as: [word] }
  - tf_idf: { columns: [text], ngrams: [2, 2], min_frequency: 20, norm: l2, as: [pair] }
  - multi_hot: [tags]
  - list_statistics: { columns: [trace], statistics: [sum] }
  - bucketize: { columns: [latitude], buckets: 4, interpolate: true, as: [north] }
  - pad: { columns: [trace], length: 2 }";

/// What the label is made of, by the names of the columns of the design matrix.
const TRUTH: [(&str, f64); 6] = [
    ("word=good", 3.0),
    ("tags=b", -2.0),
    ("trace.sum", 0.25),
    ("started.is_weekend", 1.0),
    ("started.hour cos", 0.5),
    ("from centre", 0.125),
];

fn pick<'a>(row: u64, salt: u64, from: &[&'a str]) -> &'a str {
    let place = (noise(row * 31 + salt) + 1.0) / 2.0 * from.len() as f64;
    from.iter().enumerate().find(|(index, _)| (*index + 1) as f64 > place).map_or("", |(_, word)| word)
}

/// A row without its label, and what the label is made of.
fn row(row: u64) -> (serde_json::Value, [f64; 5]) {
    let words: Vec<&str> = (0..2 + row % 4)
        .map(|word| pick(row, word, &["good", "Good", "bad", "driver", "late", "taxi", "street"]))
        .collect();
    let tags: Vec<&str> = (0..row % 3).map(|tag| pick(row, 10 + tag, &["a", "b", "c"])).collect();
    let trace: Vec<f64> = (0..row % 5).map(|point| noise(row * 5 + point + 1000)).collect();
    let (day, hour) = (1 + row % 28, (row * 7) % 24);
    let record = json!({
        "id": row,
        "subset": if row.is_multiple_of(4) { "eval" } else { "train" },
        "text": words.join(" "),
        "tags": tags,
        "trace": trace,
        "started": format!("2024-01-{day:02} {hour:02}:30:00"),
        "latitude": 41.88 + noise(row + 50_000),
        "longitude": -87.63,
    });
    // 2024-01-06 was a Saturday.
    let truth = [
        words.iter().filter(|word| word.eq_ignore_ascii_case("good")).count() as f64,
        f64::from(tags.contains(&"b")),
        trace.iter().sum(),
        f64::from((day + 1) % 7 <= 1),
        (hour as f64 / 24.0 * std::f64::consts::TAU).cos(),
    ];
    (record, truth)
}

fn rows() -> String {
    let mut text = String::new();
    for number in 0..800 {
        let (mut record, truth) = row(number);
        let degrees = (record["latitude"].as_f64().unwrap() - 41.88).abs();
        let made = 3.0 * truth[0] - 2.0 * truth[1] + 0.25 * truth[2] + truth[3] + 0.5 * truth[4];
        record["y"] = json!(made + 0.125 * degrees.to_radians() * 6371.0088 + 7.0);
        writeln!(text, "{record}").unwrap();
    }
    text
}

#[test]
fn what_the_label_is_made_of_is_found_again() {
    let place = Place::new();
    let _ = place.write("rows.jsonl", &rows());
    let pipeline = Pipeline {
        input: "rows.jsonl",
        transform: OPERATIONS,
        train: "{ ridge: { alpha: 1e-6 } }",
        evaluate: "{ require: [ { metric: rmse, at_most: 1e-4 } ] }",
        ..Pipeline::default()
    };
    let _ = pipeline.run(&place).exits(0);
    let model = place.json("out/runs/0001/model/model.json");
    let coefficients = model["outputs"][0]["coefficients"].as_array().unwrap();
    let of = |name: &str| {
        let found = coefficients.iter().find(|coefficient| coefficient["column"] == name);
        found.unwrap_or_else(|| panic!("no column `{name}` in {model}"))["value"].as_f64().unwrap()
    };
    for (name, expected) in TRUTH {
        assert_relative(of(name), expected, 1e-5);
    }
    for name in ["word=bad", "tags=a", "started.hour sin", "north", "trace.1"] {
        assert!(of(name).abs() < 1e-4, "{name} has no part in it: {}", of(name));
    }
    assert!(
        coefficients.iter().any(|coefficient| coefficient["column"].as_str().unwrap().starts_with("pair="))
    );

    let package = "out/registry/hostile/versions/0001";
    for (threads, folder) in [("1", "scored"), ("7", "again")] {
        let arguments = ["predict", package, "rows.jsonl", "--out", folder, "--threads", threads];
        let _ = place.sluice(&arguments).exits(0);
    }
    assert_same_files(&place.path("scored"), &place.path("again"));
    let file = fs_err::File::open(place.path("scored/part-00000.parquet")).unwrap().into_file();
    let batch =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().next().unwrap().unwrap();
    let found = batch.column_by_name("prediction").unwrap().as_primitive::<Float64Type>();
    for (line, found) in rows().lines().zip(found) {
        let expected = serde_json::from_str::<serde_json::Value>(line).unwrap()["y"].as_f64().unwrap();
        assert!((found.unwrap() - expected).abs() < 1e-3, "{found:?} is not {expected}");
    }
}

#[test]
fn what_text_and_dates_cannot_do_is_said_with_its_column() {
    let place = Place::new();
    let _ = place.write("rows.jsonl", &rows());
    let refused = |transform: &str, parts: &[&str]| {
        let pipeline = Pipeline { input: "rows.jsonl", transform, ..Pipeline::default() };
        place.assert_failure(&pipeline.run(&place), 2, parts);
    };
    refused(
        "[ { date_parts: { columns: [text], parts: [hour] } } ]",
        &["`date_parts` needs dates", "CAST(text"],
    );
    refused(
        "[ { bag_of_words: [tags] } ]",
        &["`bag_of_words` needs text, but column `tags` is list of text"],
    );
    refused(
        "[ { pad: { columns: [trac], length: 2 } } ]",
        &["`pad` names column `trac`", "did you mean `trace`?"],
    );
    refused("[ { bag_of_words: { columns: [text], grams: [1, 2] } } ]", &["grams"]);
}
