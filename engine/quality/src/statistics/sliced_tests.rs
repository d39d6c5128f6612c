//! Slices are described as their rows alone are, however the columns come.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array,
    ListArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use proptest::prelude::*;
use sluice_core::execution::Execution;
use sluice_core::statistics::{DatasetStatistics, SliceCondition};
use sluice_testkit::MemorySource;

use super::{StatisticsOptions, compute_with};

/// A row: the number decides what stands in most columns, the other two are keys.
type Row = (Option<i64>, Option<u8>, Option<u8>);

fn table(rows: &[Row]) -> RecordBatch {
    let float = |n: i64| match n % 10 {
        3 => f64::NAN,
        4 => f64::INFINITY,
        5 => f64::NEG_INFINITY,
        6 => -0.0,
        7 => 0.0,
        _ => n as f64 / 3.0,
    };
    let numbers = || rows.iter().map(|row| row.0);
    let x: Float64Array = numbers().map(|n| n.map(float)).collect();
    let whole: Int64Array = numbers().map(|n| n.map(|n| n << (n & 31))).collect();
    let unsigned: UInt64Array =
        numbers().map(|n| n.map(|n| n.unsigned_abs().wrapping_mul(u64::MAX / 97))).collect();
    let day: Date32Array = numbers().map(|n| n.and_then(|n| i32::try_from(n).ok())).collect();
    let instant: TimestampMicrosecondArray = numbers().map(|n| n.map(|n| n * 60_000_000)).collect();
    let text: StringViewArray =
        numbers().map(|n| n.map(|n| "é".repeat(usize::from(n % 7 == 0)) + &n.to_string())).collect();
    let flag: BooleanArray = numbers().map(|n| n.map(|n| n > 0)).collect();
    let tags = ListArray::from_iter_primitive::<Int64Type, _, _>(
        numbers().map(|n| n.map(|n| (0..n % 4).map(Some).collect::<Vec<_>>())),
    );
    let key: DictionaryArray<Int32Type> =
        rows.iter().map(|row| row.1.map(|key| ["a", "b", "c", "d"][usize::from(key % 4)])).collect();
    let zone: Int64Array = rows.iter().map(|row| row.2.map(i64::from)).collect();
    RecordBatch::try_from_iter([
        ("x", Arc::new(x) as ArrayRef),
        ("whole", Arc::new(whole)),
        ("unsigned", Arc::new(unsigned)),
        ("day", Arc::new(day)),
        ("instant", Arc::new(instant)),
        ("text", Arc::new(text)),
        ("flag", Arc::new(flag)),
        ("tags", Arc::new(tags)),
        ("key", Arc::new(key)),
        ("zone", Arc::new(zone)),
    ])
    .unwrap()
}

fn statistics(
    batch: &RecordBatch,
    slices: &[&str],
    (split_rows, is_coded): (u64, bool),
) -> DatasetStatistics {
    let options = StatisticsOptions {
        slices: slices.iter().map(|slice| slice.parse().unwrap()).collect(),
        categories: vec!["zone".into()],
        ..StatisticsOptions::default()
    };
    let source = MemorySource::new(batch, split_rows).with_batch_rows(50);
    let source = if is_coded { source.with_codes() } else { source };
    compute_with(&options, "all", &source, &Execution::with_threads(2)).unwrap()
}

/// The rows that fulfil all conditions.
fn members(batch: &RecordBatch, conditions: &[SliceCondition]) -> RecordBatch {
    let is_member = |row: &usize| {
        conditions.iter().all(|condition| {
            let wanted = condition.value.as_deref().unwrap();
            let column = batch.column_by_name(&condition.column);
            if let Some(list) = column.and_then(|column| column.as_list_opt::<i32>()) {
                let values = list.is_valid(*row).then(|| list.value(*row));
                let has = |value: i64| value.to_string() == wanted;
                return values
                    .is_some_and(|values| values.as_primitive::<Int64Type>().iter().flatten().any(has));
            }
            let Some(column) = column else {
                let x = batch.column_by_name("x").unwrap().as_primitive::<Float64Type>();
                return x.is_valid(*row) && x.value(*row) > 20.0;
            };
            column.is_valid(*row)
                && arrow::util::display::array_value_to_string(column, *row).unwrap() == wanted
        })
    };
    let rows: UInt32Array =
        (0..batch.num_rows()).filter(is_member).map(|row| u32::try_from(row).unwrap()).collect();
    take_record_batch(batch, &rows).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// While values are few, every figure of a slice is that of its rows alone, to the last bit.
    #[test]
    fn a_slice_is_its_rows(
        rows in prop::collection::vec(
            (prop::option::weighted(0.9, -60..400_i64), prop::option::of(0..4_u8), prop::option::of(0..3_u8)), 0..400,
        ),
        split_rows in 1..300_u64,
    ) {
        let batch = table(&rows);
        let slices = ["key", "key,zone", "tags", "x > 20", "zone=1,key", "tags,zone"];
        let coded = statistics(&batch, &slices, (split_rows, true));
        for slice in &coded.slices {
            let mine = members(&batch, &slice.conditions);
            prop_assert_eq!(slice.num_rows, mine.num_rows() as u64, "{}", &slice.name);
            let alone = statistics(&mine, &[], (1000, false));
            prop_assert_eq!(&slice.columns, &alone.columns, "{}", &slice.name);
        }
        let by_rows = statistics(&batch, &slices, (split_rows, false));
        prop_assert_eq!(&coded.slices, &by_rows.slices);
        prop_assert_eq!(&coded.slicings, &by_rows.slicings);
        prop_assert_eq!(&coded.columns, &statistics(&batch, &[], (split_rows, true)).columns);
    }
}

/// Where values are many: what is exact stays so, quantiles stay within their bound.
#[test]
fn many_values_stay_within_their_bounds() {
    let rows: Vec<Row> = (0..60_000_i64)
        .map(|n| {
            ((n % 17 != 5).then_some(n * 7_919 % 9_973 - 500), Some(u8::try_from(n % 3).unwrap()), Some(0))
        })
        .collect();
    let batch = table(&rows);
    let found = statistics(&batch, &["key"], (20_000, true));
    assert_eq!(
        found.columns,
        statistics(&batch, &[], (20_000, true)).columns,
        "the whole is as without slices"
    );
    assert_eq!(found.slices.len(), 3);
    for slice in &found.slices {
        let mine = members(&batch, &slice.conditions);
        let alone = statistics(&mine, &[], (100_000, false));
        for (mine, theirs) in slice.columns.iter().zip(&alone.columns) {
            assert_eq!((&mine.name, mine.presence), (&theirs.name, theirs.presence));
            assert_eq!(
                (mine.distinct, &mine.top_values, &mine.text),
                (theirs.distinct, &theirs.top_values, &theirs.text)
            );
            let (Some(mine), Some(theirs)) = (&mine.numeric, &theirs.numeric) else { continue };
            let exact = |of: &sluice_core::statistics::NumericStatistics| {
                (of.num_finite, of.num_zeros, of.min, of.max, of.exact_range.clone())
            };
            assert_eq!(exact(mine), exact(theirs));
            let close =
                |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() <= 1e-15 * b.unwrap().abs();
            assert!(
                close(mine.mean, theirs.mean) && close(mine.standard_deviation, theirs.standard_deviation)
            );
        }
        let x = mine.column_by_name("x").unwrap().as_primitive::<Float64Type>();
        let mut sorted: Vec<f64> = x.iter().flatten().filter(|x| x.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let quantiles = slice.column("x").unwrap().numeric.clone().unwrap().quantiles.unwrap();
        let share = quantiles.rank_error_fraction;
        assert!(share > 0.0 && share < 0.001, "{share}");
        for (q, value) in quantiles.values {
            let rank = |end: usize| end as f64 / sorted.len() as f64;
            let (low, high) =
                (rank(sorted.partition_point(|x| *x < value)), rank(sorted.partition_point(|x| *x <= value)));
            assert!(
                low - share <= q && q <= high + share,
                "{q}: {value} has ranks {low} to {high}, within {share}"
            );
        }
    }
}
