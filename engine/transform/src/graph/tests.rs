use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::compute::take_record_batch;
use proptest::prelude::*;
use serde_json::json;

use crate::Transform;
use crate::testing::{check_laws, check_paths, features, fitted, refusal, table};

fn mixed(rows: usize, seed: usize) -> RecordBatch {
    let at = |row: usize, salt: usize| (row + seed).wrapping_mul(2_654_435_761).wrapping_add(salt * 97) >> 3;
    let number = |row: usize| match at(row, 1) % 9 {
        0 => None,
        1 => Some(f64::NAN),
        2 => Some(f64::INFINITY),
        rest => Some((at(row, 2) % 1000) as f64 / 7.0 - rest as f64),
    };
    let floats: Float64Array = (0..rows).map(number).collect();
    let integers: Int64Array =
        (0..rows).map(|row| (at(row, 3) % 5 != 0).then(|| (at(row, 4) % 40) as i64 - 20)).collect();
    let texts: StringArray =
        (0..rows).map(|row| (at(row, 5) % 6 != 0).then(|| format!("c{}", at(row, 6) % 12))).collect();
    let booleans: BooleanArray =
        (0..rows).map(|row| (at(row, 7) % 4 != 0).then(|| at(row, 8) % 3 == 0)).collect();
    let times: TimestampMicrosecondArray = (0..rows)
        .map(|row| (at(row, 9) % 8 != 0).then(|| (at(row, 10) % 200) as i64 * 3_600_000_000))
        .collect();
    table(vec![
        ("x", Arc::new(floats) as ArrayRef),
        ("n", Arc::new(integers)),
        ("c", Arc::new(texts)),
        ("b", Arc::new(booleans)),
        ("t", Arc::new(times)),
    ])
}

/// One of everything, in chains that need one scan and in chains that need several.
fn everything() -> serde_json::Value {
    json!([
        { "impute": { "columns": ["x"], "with": "median", "indicator": true } },
        { "clip": { "columns": ["x"], "at_least": -5.0, "at_most": 100.0 } },
        { "standardize": ["x"] },
        { "derive": { "twice": "2 * x + coalesce(n, 0)", "long": "length(c) > 2" } },
        { "derive": { "hour": "hour(t)", "day": "dayofweek(t)" } },
        { "standardize": ["hour"] },
        { "one_hot": ["day"] },
        { "scale_to_range": { "columns": ["twice"], "range": [-1, 1], "clip": true } },
        { "impute": { "columns": ["n"], "with": "most_frequent" } },
        { "max_abs_scale": { "columns": ["n"], "as": ["n share"] } },
        { "robust_scale": { "columns": ["n"], "as": ["n robust"] } },
        { "bucketize": { "columns": ["n"], "buckets": 4, "as": ["n bucket"] } },
        { "bucketize": { "columns": ["n"], "buckets": 3, "by": "width", "output": "number", "as": ["n third"] } },
        { "math": { "columns": ["n"], "function": "log1p" } },
        { "hash_buckets": { "columns": ["c"], "buckets": 3, "output": "number", "as": ["company bucket"] } },
        { "derive": { "n kept": "n * 1.5" } },
        { "impute": { "columns": ["c"], "with": { "constant": "none" } } },
        { "one_hot": { "columns": ["c"], "as": ["company"] } },
        { "drop": ["c", "company bucket"] },
        { "ordinal": { "columns": ["b"], "unseen": -1, "as": ["b place"] } },
        { "one_hot": { "columns": ["c"], "min_frequency": 2, "drop": "first", "as": ["often"] } },
        { "vocabulary": { "columns": ["c"], "top": 5, "oov_buckets": 2, "as": ["c token"] } },
        { "hash_buckets": { "columns": ["c"], "buckets": 7, "as": ["c hash"] } },
        { "cross": { "columns": ["company bucket", "b"], "as": "crossed" } },
        { "frequency": { "columns": ["c"], "as": ["c share"] } },
        { "standardize": { "columns": ["x"], "per": ["b"], "as": ["x per b"] } },
        { "impute": { "columns": ["n kept"], "with": "mean", "per": ["b"] } },
        { "one_hot": ["b"] },
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn rows_batches_and_the_restored_transform_agree_to_the_bit(rows in 30_usize..200, seed in 0_usize..1000) {
        let transform = fitted(&mixed(rows, seed), &everything()).unwrap();
        check_paths(&transform, &mixed(rows, seed));
        check_paths(&transform, &mixed(50, seed + 1));
        check_order(&transform, &mixed(50, seed + 2), seed);
    }
}

/// Checks that a row has the same features wherever it stands.
fn check_order(transform: &Transform, table: &RecordBatch, seed: usize) {
    let rows = table.num_rows();
    // Prime to the number of rows, so that every row comes once.
    let places: Vec<usize> = (0..rows).map(|row| (row * 7 + seed) % rows).collect();
    assert!(!rows.is_multiple_of(7));
    let order = UInt64Array::from(places.iter().map(|place| *place as u64).collect::<Vec<_>>());
    let shuffled = take_record_batch(table, &order).unwrap();
    for ((name, plain), (_, moved)) in features(transform, table).iter().zip(&features(transform, &shuffled))
    {
        for (row, place) in places.iter().enumerate() {
            let bits = |cell: Option<f64>| cell.map(f64::to_bits);
            assert_eq!(bits(moved[row]), bits(plain[*place]), "`{name}` of row {place} at {row}");
        }
    }
}

#[test]
fn every_scan_keeps_the_laws() {
    check_laws(&mixed(400, 3), &everything());
}

#[test]
fn features_say_where_they_come_from() {
    let transform = fitted(&mixed(200, 1), &everything()).unwrap();
    let names: Vec<String> = features(&transform, &mixed(10, 1)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..3], ["x is missing", "x", "long"]);
    assert!(names.contains(&"company=c3".to_owned()) && names.contains(&"b=true".to_owned()), "{names:?}");
    let space = &sluice_core::BatchTransform::space(&transform).features;
    let twice = space.iter().find(|feature| feature.name == "twice").unwrap();
    assert_eq!(twice.sources, ["n", "x"]);
}

#[test]
fn what_cannot_be_planned_is_said_before_a_row_is_read() {
    let rows = mixed(20, 1);
    let taken = refusal(&rows, &json!([{ "standardize": { "columns": ["x"], "as": ["n"] } }]));
    assert!(taken.starts_with("`standardize` cannot call its result `n`"), "{taken}");
    let twice = json!([{ "standardize": { "columns": ["x"], "as": ["z"] } }, { "math": { "columns": ["n"], "function": "abs", "as": ["z"] } }]);
    assert!(refusal(&rows, &twice).contains("there is a column of that name already"));
    let unknown = refusal(&rows, &json!([{ "derive": { "y": "xx + 1" } }]));
    assert!(unknown.contains("did you mean `x`?"), "{unknown}");
    let names = refusal(&rows, &json!([{ "standardize": { "columns": ["x"], "as": ["a", "b"] } }]));
    assert!(names.starts_with("`standardize.as` gives 2 names to 1 columns"), "{names}");
    let text = refusal(&rows, &json!([{ "derive": { "y": "upper(c)" } }]));
    assert!(text.contains("column `y` is text"), "{text}");
    assert!(
        refusal(&rows, &json!([{ "bucketize": { "columns": ["c"], "buckets": 3 } }]))
            .contains("needs numbers")
    );
    assert!(refusal(&rows, &json!([{ "drop": ["x"] }])).contains("`drop` names column `x`"));
}
