use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use sluice_core::execution::Execution;
use sluice_core::memory::MemoryLimit;
use sluice_testkit::MemorySource;

use super::side::Part;
use super::*;

fn source(columns: Vec<(&str, ArrayRef)>) -> MemorySource {
    MemorySource::new(&RecordBatch::try_from_iter(columns).unwrap(), 3)
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn integers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn numbers(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn key() -> SkewOptions {
    SkewOptions { key: vec!["id".into()], ..SkewOptions::default() }
}

fn compared(current: &MemorySource, reference: &MemorySource, options: &SkewOptions) -> SkewReport {
    compare_by_key("all", current, reference, options, &Execution::with_threads(2)).unwrap()
}

#[test]
fn every_way_to_differ_is_counted() {
    let current = source(vec![
        ("id", integers(&[Some(5), Some(1), Some(2), Some(3), Some(4), None, Some(9), Some(9)])),
        ("x", numbers(&[Some(1.0), Some(1.0), Some(2.5), None, Some(4.0), Some(0.0), Some(0.0), Some(0.0)])),
        ("new", texts(&[Some("a"); 8])),
    ]);
    let reference = source(vec![
        ("id", numbers(&[Some(1.0), Some(2.0), Some(3.0), Some(4.0), Some(7.0), Some(9.0)])),
        ("x", integers(&[Some(1), Some(2), Some(3), None, Some(7), Some(0)])),
        ("gone", texts(&[Some("b"), None, None, None, None, None])),
    ]);
    let found = compared(&current, &reference, &key());
    let rows = |num_rows, without_key, duplicate_keys, duplicate_rows, unmatched| SideRows {
        num_rows,
        without_key,
        duplicate_keys,
        duplicate_rows,
        unmatched,
    };
    assert_eq!(found.current, rows(8, 1, 1, 2, 1));
    assert_eq!(found.reference, rows(6, 0, 0, 0, 1));
    assert_eq!(found.num_pairs, 4);
    let of = |name: &str| found.features.iter().find(|feature| feature.column == name).unwrap();
    let x = of("x");
    assert_eq!((x.num_match, x.mismatch, x.current_only, x.reference_only), (1, 1, 1, 1));
    assert_eq!((x.num_current, x.num_reference, x.num_different), (3, 3, 3));
    assert!((x.share - 0.75).abs() < 1e-12 && x.alarm);
    assert_eq!((of("new").current_only, of("gone").reference_only), (4, 1));
    let names: Vec<&str> = found.features.iter().map(|feature| feature.column.as_str()).collect();
    assert_eq!(names, ["x", "gone", "new"]);
    let shown = x.examples.iter().find(|one| one.key[0].1.as_deref() == Some("2")).unwrap();
    assert_eq!((shown.current.as_deref(), shown.reference.as_deref()), (Some("2.5"), Some("2")));
    assert_eq!((shown.current_row.1, shown.reference_row.1), (3, 2));
}

#[test]
fn thresholds_decide_and_rounding_forgives() {
    let current =
        source(vec![("id", texts(&[Some("a"), Some("b")])), ("x", numbers(&[Some(1.001), Some(2.0)]))]);
    let reference =
        source(vec![("id", texts(&[Some("b"), Some("a")])), ("x", numbers(&[Some(2.0), Some(1.0)]))]);
    assert!(!compared(&current, &reference, &key()).is_accepted());
    let rounded = SkewOptions { float_digits: Some(2), ..key() };
    assert!(compared(&current, &reference, &rounded).is_accepted());
    let of_column = BTreeMap::from([("x".to_owned(), 0.5)]);
    assert!(compared(&current, &reference, &SkewOptions { of_column, ..key() }).is_accepted());
    let strangers = source(vec![("id", texts(&[Some("c")])), ("x", numbers(&[Some(1.0)]))]);
    let found = compared(&current, &strangers, &key());
    assert!(found.unmatched_alarm && found.num_pairs == 0, "{found:#?}");
    let half = source(vec![("id", texts(&[Some("a")])), ("x", numbers(&[Some(1.001)]))]);
    assert!(compared(&current, &half, &key()).is_accepted());
    let most = SkewOptions { max_unmatched: Some(0.4), ..key() };
    assert!(!compared(&current, &half, &most).is_accepted());
}

#[test]
fn the_threshold_that_a_finding_suggests_settles_it() {
    // A share of a third, of which six decimals are too little.
    let side = |x: f64| {
        let ids = texts(&[Some("a"), Some("b"), Some("c")]);
        source(vec![("id", ids), ("x", numbers(&[Some(x), Some(2.0), Some(3.0)]))])
    };
    let (found, _) = skew_validation(&compared(&side(1.0), &side(1.5), &key()));
    let suggestion = &found.findings[0].suggestion;
    let threshold: f64 = suggestion.split(['=', '`']).nth(2).unwrap().parse().unwrap();
    let of_column = BTreeMap::from([("x".to_owned(), threshold)]);
    assert!(
        compared(&side(1.0), &side(1.5), &SkewOptions { of_column, ..key() }).is_accepted(),
        "{suggestion}"
    );
}

#[test]
fn options_that_do_not_fit_are_errors() {
    let table = source(vec![("id", texts(&[Some("a")])), ("x", numbers(&[Some(1.0)]))]);
    let other = source(vec![("id", integers(&[Some(1)])), ("x", numbers(&[Some(1.0)]))]);
    let ask = |options: &SkewOptions, reference: &MemorySource| {
        compare_by_key("all", &table, reference, options, &Execution::default()).unwrap_err().to_string()
    };
    assert!(ask(&SkewOptions::default(), &table).contains("no key"));
    assert!(
        ask(&key(), &other).contains("is Text in the current data")
            || ask(&key(), &other).contains("`id` is")
    );
    assert!(
        ask(&SkewOptions { exclude: vec!["x".into()], ..key() }, &table).contains("no column beside the key")
    );
    assert!(ask(&SkewOptions { exclude: vec!["y".into()], ..key() }, &table).contains("`y`"));
    assert!(ask(&SkewOptions { key: vec!["z".into()], ..key() }, &table).contains("`z`"));
    assert!(ask(&SkewOptions { threshold: f64::NAN, ..key() }, &table).contains("threshold"));
}

#[test]
fn parts_cover_all_hashes_once() {
    for number in [1, 2, 3, 7] {
        let parts = Part::split(number);
        assert_eq!(parts.len() as u64, number);
        for hash in [0, 1, u64::MAX / 3, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            assert_eq!(parts.iter().filter(|part| part.contains(hash)).count(), 1, "{number} {hash}");
        }
    }
}

proptest! {
    /// Counts are those of a join by hand, whatever the parts.
    #[test]
    fn counts_are_those_of_a_join_by_hand(
        now in prop::collection::vec((prop::option::of(0_i64..12), prop::option::of(0_i64..3)), 0..30),
        before in prop::collection::vec((prop::option::of(0_i64..12), prop::option::of(0_i64..3)), 0..30),
        parts in 1_u64..6,
    ) {
        let table = |rows: &[(Option<i64>, Option<i64>)]| {
            let keys: Vec<_> = rows.iter().map(|row| row.0).collect();
            let values: Vec<_> = rows.iter().map(|row| row.1).collect();
            source(vec![("id", integers(&keys)), ("x", integers(&values))])
        };
        let (current, reference) = (table(&now), table(&before));
        let columns = vec!["x".to_owned()];
        let (options, execution) = (key(), Execution::with_threads(2));
        let sides = [&current, &reference].map(|source| Side::new(source, &options, &columns));
        let mut joined = Joined::new(1, 2);
        for part in Part::split(parts) {
            joined.add(sides[0].read(part, &execution).unwrap(), sides[1].read(part, &execution).unwrap());
        }
        let of = |rows: &[(Option<i64>, Option<i64>)], key: i64| -> Vec<Option<i64>> {
            rows.iter().filter(|row| row.0 == Some(key)).map(|row| row.1).collect()
        };
        let (mut pairs, mut same, mut different) = (0, 0, 0);
        for key in 0..12 {
            if let ([x], [y]) = (of(&now, key).as_slice(), of(&before, key).as_slice()) {
                pairs += 1;
                same += u64::from(x == y && x.is_some());
                different += u64::from(x != y);
            }
        }
        prop_assert_eq!(joined.num_pairs, pairs);
        let counts = joined.counts[0];
        prop_assert_eq!(counts.matching, same);
        prop_assert_eq!(counts.mismatch + counts.current_only + counts.reference_only, different);
        let small = Execution::with_threads(1).within(MemoryLimit::bytes(1 << 20));
        let reports = [&small, &execution]
            .map(|execution| compare_by_key("all", &current, &reference, &key(), execution).unwrap());
        prop_assert_eq!(&reports[0], &reports[1]);
        prop_assert_eq!(reports[0].num_pairs, pairs);
    }
}
