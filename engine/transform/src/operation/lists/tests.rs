use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Float64Builder, Int64Array, ListArray, ListBuilder, NullArray,
    RecordBatch, StringBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use serde_json::{Value as Json, json};
use sluice_core::batch::Batch;
use sluice_core::seam::BatchTransform;

use crate::testing::{
    check_laws, check_paths, feature, features, fitted, numbers_of, reference, refusal, table,
};

fn number_lists(rows: &[Option<Vec<Option<f64>>>]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float64Builder::new());
    for row in rows {
        match row {
            None => lists.append_null(),
            Some(items) => lists.append_value(items.iter().copied()),
        }
    }
    Arc::new(lists.finish())
}

fn text_lists(rows: &[Option<Vec<Option<&str>>>]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            None => lists.append_null(),
            Some(items) => lists.append_value(items.iter().copied()),
        }
    }
    Arc::new(lists.finish())
}

/// Three items; a null beside NaN; an infinity; empty; null; only nulls.
fn samples() -> RecordBatch {
    table(vec![(
        "x",
        number_lists(&[
            Some(vec![Some(3.0), Some(-1.0), Some(4.0)]),
            Some(vec![Some(2.0), None, Some(f64::NAN)]),
            Some(vec![Some(f64::INFINITY), Some(5.0)]),
            Some(vec![]),
            None,
            Some(vec![None]),
        ]),
    )])
}

fn same(found: &[Option<f64>], expected: &[Option<f64>]) {
    let bits = |values: &[Option<f64>]| -> Vec<Option<u64>> {
        values
            .iter()
            .map(|value| value.map(|value| if value.is_nan() { 1 } else { value.to_bits() }))
            .collect()
    };
    assert_eq!(bits(found), bits(expected), "{found:?} is not {expected:?}");
}

#[test]
fn lists_are_padded_and_cut_at_a_side() {
    let rows = samples();
    let operations = json!([
        { "pad": { "columns": ["x"], "length": 2, "value": 9 } },
        { "pad": { "columns": ["x"], "length": 2, "side": "start", "as": ["last"] } },
    ]);
    let transform = fitted(&rows, &operations).unwrap();
    check_paths(&transform, &rows);
    let names: Vec<String> = features(&transform, &rows).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x.0", "x.1", "last.0", "last.1"]);
    let (nan, infinity) = (Some(f64::NAN), Some(f64::INFINITY));
    let of = |name: &str| feature(&transform, &rows, name);
    same(&of("x.0"), &[Some(3.0), Some(2.0), infinity, Some(9.0), None, None]);
    same(&of("x.1"), &[Some(-1.0), None, Some(5.0), Some(9.0), None, Some(9.0)]);
    same(&of("last.0"), &[Some(-1.0), None, infinity, Some(0.0), None, Some(0.0)]);
    same(&of("last.1"), &[Some(4.0), nan, Some(5.0), Some(0.0), None, None]);
}

#[test]
fn lists_are_summed_up() {
    let rows = samples();
    let all = json!([{ "list_statistics": { "columns": ["x"], "statistics": ["length", "mean", "min", "max", "sum"] } }]);
    let transform = fitted(&rows, &all).unwrap();
    check_paths(&transform, &rows);
    let (nan, infinity) = (Some(f64::NAN), Some(f64::INFINITY));
    let of = |name: &str| feature(&transform, &rows, name);
    same(&of("x.length"), &[Some(3.0), Some(3.0), Some(2.0), Some(0.0), None, Some(1.0)]);
    same(&of("x.mean"), &[Some(2.0), nan, infinity, None, None, None]);
    same(&of("x.min"), &[Some(-1.0), nan, Some(5.0), None, None, None]);
    same(&of("x.max"), &[Some(4.0), nan, infinity, None, None, None]);
    same(&of("x.sum"), &[Some(6.0), nan, infinity, Some(0.0), None, Some(0.0)]);
    // NaN counts wherever it stands.
    let first = table(vec![("x", number_lists(&[Some(vec![Some(f64::NAN), Some(1.0)])]))]);
    same(&feature(&transform, &first, "x.min"), &[nan]);
}

#[test]
fn only_the_length_needs_no_numbers() {
    let rows = table(vec![("x", text_lists(&[Some(vec![Some("a"), None]), None, Some(vec![])]))]);
    let statistics = |names: Json| json!([{ "list_statistics": { "columns": ["x"], "statistics": names } }]);
    let transform = fitted(&rows, &statistics(json!(["length"]))).unwrap();
    check_paths(&transform, &rows);
    same(&feature(&transform, &rows, "x.length"), &[Some(2.0), None, Some(0.0)]);
    let refused = refusal(&rows, &statistics(json!(["length", "sum"])));
    assert!(refused.contains("needs lists of numbers, or nothing but `length`"), "{refused}");
    assert!(refused.contains("column `x` is list of text"), "{refused}");
    let padded = refusal(&rows, &json!([{ "pad": { "columns": ["x"], "length": 3 } }]));
    assert!(padded.starts_with("`pad` needs lists of numbers"), "{padded}");
    assert!(refusal(&rows, &statistics(json!([]))).contains("at least one of length"));
    assert!(
        refusal(&rows, &json!([{ "pad": { "columns": ["x"], "length": 0 } }])).contains("`pad.length` is 0")
    );
}

#[test]
fn multi_hot_agrees_with_scikit_learn() {
    let case = &reference("dates_text_lists.json")["multi_label"];
    let lists: Vec<Option<Vec<Option<&str>>>> = case["lists"]
        .as_array()
        .unwrap()
        .iter()
        .map(|list| Some(list.as_array().unwrap().iter().map(Json::as_str).collect()))
        .collect();
    let rows = table(vec![("tags", text_lists(&lists))]);
    let transform = fitted(&rows, &json!([{ "multi_hot": ["tags"] }])).unwrap();
    check_paths(&transform, &rows);
    let expected: Vec<Vec<f64>> = case["indicators"].as_array().unwrap().iter().map(numbers_of).collect();
    for (place, level) in case["levels"].as_array().unwrap().iter().enumerate() {
        let found = feature(&transform, &rows, &format!("tags={}", level.as_str().unwrap()));
        same(&found, &expected.iter().map(|row| Some(row[place])).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_no_level_is_none_of_them() {
    let training =
        table(vec![("x", number_lists(&[Some(vec![Some(2.0), Some(10.0), None, Some(f64::NAN)]), None]))]);
    let transform = fitted(&training, &json!([{ "multi_hot": ["x"] }])).unwrap();
    assert_eq!(transform.space().column_names(), ["x=2", "x=10"]);
    let rows = table(vec![(
        "x",
        number_lists(&[
            Some(vec![Some(10.0), Some(f64::NAN), None, Some(7.0), Some(f64::INFINITY)]),
            Some(vec![]),
            None,
        ]),
    )]);
    check_paths(&transform, &rows);
    same(&feature(&transform, &rows, "x=2"), &[Some(0.0), Some(0.0), Some(0.0)]);
    same(&feature(&transform, &rows, "x=10"), &[Some(1.0), Some(0.0), Some(0.0)]);
    let nothing = table(vec![("x", Arc::new(NullArray::new(1)) as ArrayRef)]);
    check_paths(&transform, &nothing);
    let text = table(vec![("x", text_lists(&[Some(vec![Some("2")])]))]);
    let error = transform.apply(&Batch::new(&text)).unwrap_err().to_string();
    assert!(error.contains("column `x`, which now is list of text"), "{error}");
    let number = table(vec![("x", Arc::new(Int64Array::from(vec![2])) as ArrayRef)]);
    let error = transform.apply(&Batch::new(&number)).unwrap_err().to_string();
    assert_eq!(error, "column `x` is integer, `multi_hot` needs lists");
}

#[test]
fn what_cannot_be_learnt_is_said() {
    let rows = table(vec![
        ("x", number_lists(&[Some(vec![Some(1.0), Some(2.0)])])),
        ("none", number_lists(&[Some(vec![None])])),
        ("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
    ]);
    let hot = |options: Json| refusal(&rows, &json!([{ "multi_hot": options }]));
    assert!(hot(json!({ "columns": ["x"], "max_levels": 1 })).contains("has 2 levels"));
    assert!(hot(json!(["none"])).starts_with("`multi_hot` finds no value in column `none`"));
    assert!(hot(json!(["n"])).starts_with("`multi_hot` needs lists of text, numbers or booleans"));
    assert!(hot(json!({ "columns": ["x"], "max_levels": 0 })).contains("at least 1"));
}

/// Arrow allows items under a null list, and items that no list of a slice has: none of them is anybody's.
#[test]
fn items_of_nobody_are_not_seen() {
    let items: ArrayRef = Arc::new(Float64Array::from(vec![100.0, 1.0, 200.0, 2.0, 300.0]));
    let lists = ListArray::new(
        Arc::new(Field::new("item", DataType::Float64, true)),
        OffsetBuffer::new(vec![0, 1, 2, 3, 4, 5].into()),
        items,
        Some(NullBuffer::from(vec![true, true, false, true, true])),
    );
    let rows = table(vec![("x", Arc::new(lists.slice(1, 3)) as ArrayRef)]);
    let operations = json!([
        { "multi_hot": { "columns": ["x"], "as": ["hot"] } },
        { "pad": { "columns": ["x"], "length": 1 } },
    ]);
    let transform = fitted(&rows, &operations).unwrap();
    check_paths(&transform, &rows);
    assert_eq!(transform.space().column_names(), ["hot=1", "hot=2", "x.0"]);
    same(&feature(&transform, &rows, "hot=2"), &[Some(0.0), Some(0.0), Some(1.0)]);
    same(&feature(&transform, &rows, "x.0"), &[Some(1.0), None, Some(2.0)]);
}

#[test]
fn every_scan_keeps_the_laws() {
    let words = ["a", "b", "c", "d", "e"];
    let list = |row: usize| match row % 7 {
        0 => None,
        length => Some((1..length).map(|item| (item % 4 != 3).then(|| words[(row * item) % 5])).collect()),
    };
    let numbers = |row: usize| match row % 5 {
        0 => None,
        length => Some((1..length).map(|item| Some((row * item % 11) as f64 / 4.0)).collect()),
    };
    let rows = table(vec![
        ("tags", text_lists(&(0..300).map(list).collect::<Vec<_>>())),
        ("x", number_lists(&(0..300).map(numbers).collect::<Vec<_>>())),
    ]);
    let operations = json!([
        { "multi_hot": ["tags"] },
        { "list_statistics": { "columns": ["x"], "statistics": ["mean", "max"] } },
        { "impute": { "columns": ["x.mean"], "with": "mean" } },
        { "standardize": ["x.mean"] },
        { "pad": { "columns": ["x"], "length": 3 } },
    ]);
    check_laws(&rows, &operations);
    let transform = fitted(&rows, &operations).unwrap();
    check_paths(&transform, &rows);
    assert!(rows.column(0).is_null(0));
}
