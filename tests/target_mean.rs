//! What `target_mean` learns of labels does not leak into the model, through the real binary.

use std::fmt::Write as _;

use crate::support::Place;

/// Ten digits of a number that looks drawn by lot.
fn lot(row: u64) -> u64 {
    row.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
}

/// Four rows of each city, the label by lot: a city tells nothing. The feature `x` tells half of the label.
fn rows() -> String {
    let mut text = String::from("id,city,x,y\n");
    for row in 0..4000_u64 {
        let noise = (lot(row) % 1000) as f64 / 1000.0;
        let x = (lot(row + 100_000) % 1000) as f64 / 1000.0;
        writeln!(text, "r{row},city {},{x},{}", row / 4, x + noise).unwrap();
    }
    text
}

fn pipeline(city: &str) -> String {
    format!(
        "pipeline: cities\ndata:\n  inputs: {{ rows: rows.csv }}\n  roles: {{ label: y, key: [id] }}\n  \
         subsets: {{ by: hash, train: 0.75, eval: 0.25 }}\ntransform:\n{city}  - standardize: [x]\n\
         train: {{ ridge: {{ alpha: 1 }} }}\nevaluate: {{ require: [ {{ metric: rmse, at_most: 100 }} ] }}\n"
    )
}

fn rmse(place: &Place, run: &str) -> f64 {
    let evaluation = place.json(&format!("{run}/runs/0001/evaluation/metrics.json"));
    evaluation["slices"][0]["candidate"]["rmse"].as_f64().unwrap()
}

#[test]
fn a_model_does_not_trust_what_tells_nothing() {
    let place = Place::new();
    place.write("rows.csv", &rows());
    place.write("with.yaml", &pipeline("  - target_mean: { columns: [city], smoothing: 0 }\n"));
    place.write("without.yaml", &pipeline(""));
    let _ = place.sluice(&["run", "with.yaml", "--out", "with"]).exits(0);
    let _ = place.sluice(&["run", "without.yaml", "--out", "without"]).exits(0);
    // Were a row told its own label, the model would follow the city and be worse by a seventh.
    let (with, without) = (rmse(&place, "with"), rmse(&place, "without"));
    assert!(with < without * 1.02, "{with} with the city, {without} without");
    let model = place.json("with/runs/0001/model/model.json");
    let transform = place.json("with/runs/0001/transform/transform.json");
    assert_eq!(transform["identity"]["key"], serde_json::json!(["id"]), "{transform}");
    assert!(model.to_string().contains("city"), "{model}");
    // Step by step, with another idea of the key, the folds are still those of the transform.
    let dataset = "with/runs/0001/dataset";
    let fitted = "with/runs/0001/transform";
    let _ = place
        .sluice(&["train", dataset, "--transform", fitted, "--label", "y", "--alpha", "1", "--out", "m"])
        .exits(0);
    assert_eq!(place.json("m/model.json"), model);
    // Applied to its own training rows the transform leaves out their fold; to the same rows from elsewhere it does not.
    let features = |input: &str, more: &[&str], out: &str| {
        let apply = ["transform", "apply", fitted, input, "--matrix", "f64", "--to", "npy", "--out", out];
        let _ = place.sluice(&[&apply, more].concat()).exits(0);
        fs_err::read(place.path(out).join("features.npy")).unwrap()
    };
    let own = features(dataset, &["--subset", "train"], "own");
    let foreign = features(&format!("{dataset}/train/*.parquet"), &[], "foreign");
    assert_eq!(own.len(), foreign.len());
    assert!(own != foreign, "a training row sees its own label");
    let eval = features(dataset, &["--subset", "eval"], "eval");
    assert!(eval == features(&format!("{dataset}/eval/*.parquet"), &[], "files"));
}
