//! Each operation alone: what tract makes of sample and edge rows is what ours does.

use serde_json::{Value as Json, json};

use super::{parts, table};
use crate::onnx::Bound;
use crate::onnx::graph::Export;
use crate::onnx::verify::verify;

/// Fits, exports, runs both on rows and edges; the bounds of the features.
fn verified(operations: &Json) -> Vec<Bound> {
    let table = table(300);
    let parts = parts(&table, operations);
    let export = Export::new(&parts).unwrap_or_else(|error| panic!("{operations}: {error}"));
    let rows = verify(&parts, &export, &table).unwrap_or_else(|error| panic!("{operations}: {error}"));
    assert!(rows > 300, "{rows} rows of {operations}");
    export.bounds
}

/// As [`verified`], for what gives the same bits.
fn exact(operations: &Json) {
    let bounds = verified(operations);
    assert!(bounds.iter().all(|bound| *bound == Bound::EXACT), "{operations}: {bounds:?}");
}

/// As [`verified`], for what is near; no feature further than some bound, and none exact.
fn near(operations: &Json, most: f64) {
    let bounds = verified(operations);
    assert!(bounds.iter().all(|bound| bound.0 > 0.0 && bound.0 <= most), "{operations}: {bounds:?}");
}

/// A step whose results may be null, which a model does not take.
fn filled(operation: Json, columns: &[&str]) -> Json {
    json!([operation, { "impute": { "columns": columns, "with": { "constant": -7.5 } } }])
}

#[test]
fn levels_are_looked_up() {
    for column in ["c", "n", "u", "b", "x", "k"] {
        exact(&filled(json!({ "ordinal": [column] }), &[column]));
        exact(&json!([{ "ordinal": { "columns": [column], "unseen": -1.0 } }]));
        exact(&json!([{ "frequency": [column] }]));
        exact(&json!([{ "target_mean": [column] }]));
        exact(&json!([{ "target_mean": { "columns": [column], "smoothing": 3.0 } }]));
    }
}

#[test]
fn a_filled_column_is_looked_up_by_its_fill() {
    for (column, fill) in [("c", json!("c2")), ("c", json!("none")), ("n", json!(3)), ("b", json!(true))] {
        let impute = json!({ "impute": { "columns": [column], "with": { "constant": fill } } });
        exact(&json!([impute.clone(), { "frequency": [column] }]));
        exact(&json!([impute.clone(), { "target_mean": [column] }]));
        exact(&json!([impute, { "vocabulary": { "columns": [column], "top": 4 } }]));
    }
}

#[test]
fn vocabularies_number_tokens() {
    for column in ["c", "n", "u", "b", "x"] {
        exact(&json!([{ "vocabulary": { "columns": [column], "top": 5 } }]));
        let numbers = json!({ "vocabulary": { "columns": [column], "output": "number", "default": -1 } });
        exact(&json!([numbers]));
        let reserved = json!({ "vocabulary": { "columns": [column], "output": "number", "reserved": ["3", "3.0", "?"] } });
        exact(&filled(reserved, &[column]));
    }
}

#[test]
fn combinations_are_those_that_were_seen() {
    exact(&json!([{ "cross": { "columns": ["c", "b"] } }]));
    exact(&json!([{ "cross": { "columns": ["n", "k", "u"] } }]));
    exact(&filled(
        json!({ "cross": { "columns": ["k", "m"], "output": "number", "as": "both" } }),
        &["both"],
    ));
}

#[test]
fn constants_are_those_of_the_key() {
    for keys in [json!(["c"]), json!(["c", "n"]), json!(["b", "u", "k"]), json!(["x"])] {
        exact(&json!([{ "standardize": { "columns": ["q"], "per": keys } }]));
        exact(
            &json!([{ "scale_to_range": { "columns": ["q"], "per": keys, "range": [-1, 1], "clip": true } }]),
        );
        exact(&json!([{ "impute": { "columns": ["x", "n"], "with": "mean", "per": keys } }]));
        exact(&json!([
            { "impute": { "columns": ["b"], "with": "most_frequent", "per": keys } },
            { "one_hot": ["b"] },
        ]));
    }
}

#[test]
fn powers_are_near() {
    for method in ["yeo_johnson", "box_cox"] {
        let column = if method == "box_cox" { "p" } else { "q" };
        near(&json!([{ "power_transform": { "columns": [column], "method": method } }]), 1e-10);
        near(
            &json!([{ "power_transform": { "columns": [column], "method": method, "standardize": false } }]),
            1e-10,
        );
    }
    near(&json!([{ "scale_to_gaussian": ["q"] }]), 1e-10);
    near(&json!([{ "derive": { "h": "q * q * q" } }, { "scale_to_gaussian": ["h"] }]), 1e-9);
}

#[test]
fn quantiles_are_ours_to_the_bit() {
    for quantiles in [2, 7, 1000] {
        exact(&json!([{ "quantile_transform": { "columns": ["q", "m"], "quantiles": quantiles } }]));
        let normal = json!({ "quantile_transform": { "columns": ["q", "m"], "quantiles": quantiles, "output": "normal" } });
        near(&json!([normal]), 1e-13);
    }
    exact(&json!([{ "bucketize": { "columns": ["q"], "buckets": 5, "interpolate": true } }]));
    exact(&json!([{ "bucketize": { "columns": ["q"], "edges": [1.5], "interpolate": true } }]));
}

#[test]
fn products_and_components_are_ours_to_the_bit() {
    exact(&json!([{ "polynomial": { "columns": ["p", "q", "m"], "degree": 3 } }]));
    exact(&json!([{ "pca": ["p", "q", "m"] }]));
    exact(&json!([{ "pca": { "columns": ["p", "q", "m"], "components": 2, "whiten": true } }]));
}

#[test]
fn dates_are_read_in_their_calendar() {
    let parts = [
        "year",
        "quarter",
        "month",
        "day",
        "weekday",
        "day_of_year",
        "hour",
        "minute",
        "second",
        "is_weekend",
        "days_since_epoch",
    ];
    for column in ["day", "at", "nano"] {
        exact(&json!([{ "date_parts": { "columns": [column], "parts": parts } }]));
        for part in ["month", "weekday", "hour", "day_of_year"] {
            near(&json!([{ "cyclic": { "columns": [column], "part": part } }]), 1e-13);
        }
    }
    near(&json!([{ "cyclic": { "columns": ["q", "m"], "period": 7.5 } }]), 1e-13);
}

#[test]
fn distances_are_near() {
    near(&json!([{ "haversine": { "from": ["q", "p"], "to": ["m", 7.5], "as": "far" } }]), 1e-12);
    near(
        &json!([{ "haversine": { "from": [48.1, "q"], "to": ["p", "m"], "unit": "metres", "as": "far" } }]),
        1e-12,
    );
}

#[test]
fn what_is_inexact_carries_its_bound_along() {
    let bounds = verified(&json!([
        { "math": { "columns": ["p"], "function": "log", "as": ["log"] } },
        { "polynomial": ["log", "q"] },
        { "pca": ["log", "q"] },
    ]));
    let inexact = bounds.iter().filter(|bound| bound.0 > 0.0).count();
    // log, log², log × q and both components; not q and q².
    assert_eq!((bounds.len(), inexact), (7, 5), "{bounds:?}");
}
