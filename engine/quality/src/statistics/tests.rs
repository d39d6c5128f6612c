use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use sluice_core::execution::Execution;
use sluice_testkit::{MemorySource, assert_relative, laws};

use super::{compute, profiles};

fn table(rows: usize) -> RecordBatch {
    let number = |n: usize| ((n * 2_654_435_761) % 10_007) as f64 / 7.0 - 500.0;
    let x: Float64Array = (0..rows)
        .map(|n| match n % 11 {
            3 => None,
            5 => Some(f64::NAN),
            7 if n % 2 == 0 => Some(f64::INFINITY),
            _ => Some(number(n)),
        })
        .collect();
    let id: Int64Array = (0..rows).map(|n| Some((1_i64 << 60) + i64::try_from(n).unwrap())).collect();
    let name: StringArray = (0..rows)
        .map(|n| match n % 13 {
            0 => None,
            1 => Some(String::new()),
            k => Some(format!("level {}", k % 5)),
        })
        .collect();
    let flag: BooleanArray = (0..rows).map(|n| Some(n % 4 == 0)).collect();
    let day: Date32Array = (0..rows).map(|n| Some(i32::try_from(n % 31).unwrap())).collect();
    RecordBatch::try_from_iter([
        ("x", Arc::new(x) as ArrayRef),
        ("id", Arc::new(id)),
        ("name", Arc::new(name)),
        ("flag", Arc::new(flag)),
        ("day", Arc::new(day)),
    ])
    .unwrap()
}

#[test]
fn profiles_keep_the_laws() {
    for (rows, split_rows) in [(0, 10), (1, 10), (997, 10), (5000, 700)] {
        let source = MemorySource::new(&table(rows), split_rows).with_batch_rows(64);
        laws::check(&source, &profiles(&source));
    }
}

#[test]
fn every_figure_is_what_a_person_would_count() {
    let source = MemorySource::new(&table(1001), 100);
    let statistics = compute("train", &source, &Execution::with_threads(2)).unwrap();
    assert_eq!(statistics.num_rows, 1001);
    let x = statistics.column("x").unwrap();
    assert_eq!((x.presence.num_missing, x.presence.num_nan, x.presence.num_positive_infinity), (91, 91, 45));
    let numeric = x.numeric.as_ref().unwrap();
    assert_eq!(numeric.num_finite, 1001 - 91 - 91 - 45);
    assert_eq!(
        statistics.column("id").unwrap().distinct.unwrap().count,
        1001,
        "integers past 2^53 stay apart"
    );
    let id = statistics.column("id").unwrap().numeric.as_ref().unwrap();
    let (low, high) = id.exact_range.clone().unwrap();
    assert_eq!((low.as_str(), high.as_str()), ("1152921504606846976", "1152921504606847976"));
    let name = statistics.column("name").unwrap();
    assert_eq!((name.presence.num_missing, name.presence.num_empty), (77, 77));
    let top = name.top_values.as_ref().unwrap();
    assert!(top.is_complete && top.max_error == 0);
    assert_eq!(top.values.iter().map(|(_, count)| count).sum::<u64>(), 1001 - 77);
    assert_eq!(name.distinct.unwrap().count, 6);
    let flag = statistics.column("flag").unwrap().numeric.as_ref().unwrap();
    assert_eq!((flag.num_zeros, flag.max), (750, Some(1.0)));
    let day = statistics.column("day").unwrap();
    assert_eq!(day.time.as_ref().unwrap().latest, "1970-01-31");
    assert_eq!(day.distinct.unwrap().count, 31);
}

#[test]
fn diabetes_agrees_with_mpmath_and_numpy() {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes");
    let text = fs_err::read_to_string(path.join("diabetes.csv")).unwrap();
    let expected: serde_json::Value =
        serde_json::from_slice(&fs_err::read(path.join("expected/moments.json")).unwrap()).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for (index, name) in header.iter().enumerate().filter(|(_, name)| **name != "subset") {
        let values: Float64Array = rows.iter().map(|row| row[index].parse::<f64>().ok()).collect();
        let batch = RecordBatch::try_from_iter([(*name, Arc::new(values) as ArrayRef)]).unwrap();
        let source = MemorySource::new(&batch, 50);
        let statistics = compute("all", &source, &Execution::with_threads(2)).unwrap();
        let column = statistics.columns[0].clone();
        let numeric = column.numeric.unwrap();
        let golden = &expected["all"][*name];
        assert!(golden.is_object(), "moments.json has no `all.{name}`: {}", expected.to_string().len());
        let number = |key: &str| golden[key].as_f64().unwrap();
        // Means near 0 are what is left of cancelling values of size 0.05: absolute, as the golden file notes.
        assert!(
            (numeric.mean.unwrap() - number("mean")).abs()
                <= 1e-17 * numeric.max.unwrap().abs().clamp(1.0, f64::MAX)
        );
        assert_relative(numeric.standard_deviation.unwrap(), number("population_std"), 2e-16);
        assert_relative(numeric.min.unwrap(), number("min"), 0.0);
        assert_relative(numeric.max.unwrap(), number("max"), 0.0);
        assert_relative(
            numeric.quantiles.as_ref().unwrap().at(0.3).unwrap(),
            golden["quantiles"]["0.3"].as_f64().unwrap(),
            0.0,
        );
        assert_eq!(column.distinct.unwrap().count, golden["distinct"].as_u64().unwrap());
    }
}
