use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use sluice_core::BatchSource;
use sluice_core::column::ColumnKind;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::statistics::CustomStatistic;
use sluice_testkit::{MemorySource, assert_relative, laws};

use super::*;

fn associations(table: &RecordBatch, label: &str, split_rows: u64) -> Vec<ColumnAssociation> {
    let source = MemorySource::new(table, split_rows);
    let association = LabelAssociation::new(label, &source.plan().columns).unwrap();
    fold(&source, &association, &Execution::with_threads(2)).unwrap().accumulator.finish()
}

fn text<T: ToString>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.into_iter().map(|value| value.to_string())))
}

/// Numbers that look like chance, the same everywhere.
fn noise(n: u64, seed: u64) -> f64 {
    let mut z = n.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn discrete_columns_agree_with_scikit_learn() {
    let path = sluice_testkit::datasets::repository().join("tests/data/association.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let column = |key: &str| -> Vec<u64> { serde_json::from_value(case[key].clone()).unwrap() };
        let table = RecordBatch::try_from_iter([("x", text(column("x"))), ("y", text(column("y")))]).unwrap();
        let found = associations(&table, "y", 64).remove(0).association;
        let number = |key: &str| case[key].as_f64().unwrap();
        let adjusted = number("mutual_information") - number("expected");
        let bits = if adjusted > 1e-12 { adjusted / std::f64::consts::LN_2 } else { 0.0 };
        assert_relative(found.adjusted_mutual_information, bits, 1e-10);
        let share = adjusted / (number("entropy_y") - number("expected"));
        let share = if bits > 0.0 { share } else { 0.0 };
        assert_relative(found.normalized_mutual_information, share, 1e-10);
        assert_eq!((found.num_rows, found.correlation), (column("x").len() as u64, None));
    }
}

#[test]
fn numbers_tell_what_they_know_and_noise_tells_nothing() {
    let rows = 20_000;
    let x: Vec<f64> = (0..rows).map(|n| noise(n, 1)).collect();
    let y: Vec<f64> = x.iter().map(|x| (x - 0.5).powi(2)).collect();
    let straight: Vec<f64> = y.iter().map(|y| 3.0 - 7.0 * y).collect();
    let unrelated: Vec<f64> = (0..rows).map(|n| 1e9 * noise(n, 77_777)).collect();
    let number = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let table = RecordBatch::try_from_iter([
        ("y", number(y)),
        ("x", number(x)),
        ("straight", number(straight)),
        ("unrelated", number(unrelated)),
        ("id", text(0..rows)),
    ])
    .unwrap();
    let found = associations(&table, "y", 3000);
    let of = |name: &str| &found.iter().find(|column| column.column == name).unwrap().association;
    assert!(of("x").normalized_mutual_information > 0.8, "{:?}", of("x"));
    assert!(of("x").correlation.unwrap().abs() < 0.03, "a parabola has no straight line");
    // A straight line tells all; what is missing happens inside ranges whose bounds differ.
    assert!(of("straight").normalized_mutual_information > 0.85, "{:?}", of("straight"));
    assert_relative(of("straight").correlation.unwrap(), -1.0, 1e-12);
    assert!(of("unrelated").normalized_mutual_information < 0.005, "{:?}", of("unrelated"));
    assert!(of("id").normalized_mutual_information < 0.005, "all different tells nothing: {:?}", of("id"));
}

#[test]
fn missing_values_are_a_category() {
    let y = text((0..100).map(|n| n % 2));
    let x: StringArray = (0..100).map(|n| (n % 2 == 0).then_some("known")).collect();
    let some: Float64Array = (0..100).map(|n| if n % 2 == 0 { Some(f64::NAN) } else { None }).collect();
    let table =
        RecordBatch::try_from_iter([("x", Arc::new(x) as ArrayRef), ("some", Arc::new(some)), ("y", y)])
            .unwrap();
    let found = associations(&table, "y", 10);
    for column in &found {
        assert_eq!(column.association.num_rows, 50, "{}", column.column);
        assert_relative(column.association.normalized_mutual_information, 1.0, 1e-12);
    }
}

#[test]
fn lift_is_that_of_tfdv() {
    // stat-045 of the golden cases: test_lift_string_y of TFDV.
    let table = RecordBatch::try_from_iter([
        ("x", text(["a", "a", "b", "a"])),
        ("y", text(["cat", "dog", "cat", "dog"])),
    ])
    .unwrap();
    let lift = associations(&table, "y", 2).remove(0).lift;
    let expected = [
        ("Lift (Y=cat)", vec![("b", 2.0), ("a", 2.0 / 3.0)]),
        ("Lift (Y=dog)", vec![("a", 4.0 / 3.0), ("b", 0.0)]),
    ];
    for ((name, found), (expected_name, values)) in lift.iter().zip(&expected) {
        let CustomStatistic::Counts(found) = found else { panic!("{found:?}") };
        assert_eq!(name, expected_name);
        for ((value, lift), (expected_value, expected_lift)) in found.iter().zip(values) {
            assert_eq!(value, expected_value);
            assert_relative(*lift, *expected_lift, 1e-15);
        }
    }
    assert_eq!(lift.len(), 2);
    let many = RecordBatch::try_from_iter([("x", text((0..90).map(|n| n % 3))), ("y", text(0..90))]).unwrap();
    assert!(associations(&many, "y", 20)[0].lift.is_empty(), "90 classes have no lift");
}

#[test]
fn a_label_must_hold_values() {
    let columns = [PlannedColumn { name: "l".into(), kind: ColumnKind::List(Box::new(ColumnKind::Integer)) }];
    let error = LabelAssociation::new("l", &columns).unwrap_err();
    assert!(error.to_string().contains("column `l` is list of integer"), "{error}");
    assert!(LabelAssociation::new("k", &columns).is_err());
}

/// A table with more ranges and names than fit, so that places are joined and names forgotten on the way.
fn crowded(rows: u64) -> RecordBatch {
    let y: Float64Array = (0..rows).map(|n| (n % 17 != 0).then(|| noise(n, 5) - 0.5)).collect();
    let x: Float64Array = (0..rows)
        .map(|n| match n % 23 {
            0 => None,
            1 => Some(f64::NAN),
            2 => Some(f64::INFINITY),
            _ => Some((1e3 * noise(n, 9)).powi(3)),
        })
        .collect();
    let few: Int64Array = (0..rows).map(|n| Some(i64::try_from(n % 6).unwrap())).collect();
    let names = text((0..rows).map(|n| (n * n) % 1901));
    RecordBatch::try_from_iter([
        ("y", Arc::new(y) as ArrayRef),
        ("x", Arc::new(x)),
        ("few", Arc::new(few)),
        ("names", names),
    ])
    .unwrap()
}

#[test]
fn the_laws_hold_for_numbers_and_names_as_labels() {
    for (rows, split_rows) in [(0, 10), (1, 10), (700, 10), (5000, 700)] {
        let source = MemorySource::new(&crowded(rows), split_rows).with_batch_rows(64);
        for label in ["y", "few", "names"] {
            laws::check(&source, &LabelAssociation::new(label, &source.plan().columns).unwrap());
        }
    }
}

#[test]
fn numbers_do_not_depend_on_the_layout() {
    let table = crowded(4000).project(&[0, 1, 2]).unwrap();
    let at = |split_rows: u64| associations(&table, "y", split_rows);
    for (one, other) in at(4000).iter().zip(&at(37)) {
        assert_eq!(
            one.association.adjusted_mutual_information.to_bits(),
            other.association.adjusted_mutual_information.to_bits()
        );
    }
}
