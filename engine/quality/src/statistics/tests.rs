use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Float64Array, Float64Builder, Int64Array,
    Int64Builder, ListArray, ListBuilder, MapBuilder, RecordBatch, StringArray, StringBuilder, StructBuilder,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float64Type};
use sluice_core::column::ColumnKind;
use sluice_core::execution::Execution;
use sluice_core::statistics::Level;
use sluice_testkit::{MemorySource, assert_relative, laws};

use super::compute;

/// The profiles of a source: one per column that is not ours.
fn profiles(
    source: &dyn sluice_core::seam::BatchSource,
) -> Vec<sluice_summaries::OfColumn<super::ColumnProfile>> {
    source
        .plan()
        .columns
        .iter()
        .filter(|column| !column.name.starts_with(sluice_core::RESERVED_PREFIX))
        .map(|column| {
            let profile =
                super::ColumnProfile::new(column.kind.clone()).with_table_rows(source.plan().rows());
            sluice_summaries::OfColumn::new(&column.name, profile)
        })
        .collect()
}

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
    let time = day.time.as_ref().unwrap();
    assert_eq!((time.resolution.as_deref(), time.quantiles.len()), (Some("day"), 17));
    assert_eq!(time.histogram.len(), 10);
    assert_relative(time.histogram.iter().map(|bucket| bucket.count).sum::<f64>(), 1001.0, 0.0);
    assert_eq!(day.top_values.as_ref().unwrap().values[0], ("1970-01-09".to_owned(), 33));
    assert_eq!(
        statistics.column("flag").unwrap().top_values.as_ref().unwrap().values,
        [("false".to_owned(), 750), ("true".to_owned(), 251)]
    );
    assert!(statistics.column("id").unwrap().top_values.is_none(), "1,001 values are too many to show");
    let histograms = numeric.histograms.as_ref().unwrap();
    for histogram in [&histograms.equal_width, &histograms.equal_depth] {
        assert_eq!(histogram.buckets.len(), 10);
        assert!(histogram.max_error <= 0.0);
        let counted: f64 = histogram.buckets.iter().map(|bucket| bucket.count).sum();
        assert_relative(counted, numeric.num_finite as f64, 1e-15);
    }
    let bucket = histograms.equal_width.buckets[3];
    let values = table(1001).column(0).as_primitive::<Float64Type>().clone();
    let within = values.iter().flatten().filter(|x| *x > bucket.low && *x <= bucket.high).count();
    assert_relative(within as f64, bucket.count, 0.0);
}

/// Lists of lists, structs with lists in them, lists of structs, and a map.
fn nested(rows: usize) -> RecordBatch {
    let mut lists = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
    let mut trips = ListBuilder::new(StructBuilder::from_fields(
        vec![Field::new("fare", DataType::Float64, true), Field::new("paid.by", DataType::Utf8, true)],
        0,
    ));
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..rows {
        // Rows 0, 1, 2, 3 modulo 4: null, [], [[7, null], null], [[row], []].
        match row % 4 {
            0 => lists.append_null(),
            1 => lists.append(true),
            2 => {
                lists.values().values().append_value(7);
                lists.values().values().append_null();
                lists.values().append(true);
                lists.values().append_null();
                lists.append(true);
            }
            _ => {
                lists.values().values().append_value(i64::try_from(row).unwrap());
                lists.values().append(true);
                lists.values().append(true);
                lists.append(true);
            }
        }
        // One struct in even rows, a null struct and another in odd ones.
        let structs = trips.values();
        if row % 2 == 1 {
            structs.field_builder::<Float64Builder>(0).unwrap().append_null();
            structs.field_builder::<StringBuilder>(1).unwrap().append_null();
            structs.append(false);
        }
        structs.field_builder::<Float64Builder>(0).unwrap().append_value(row as f64);
        structs.field_builder::<StringBuilder>(1).unwrap().append_option((row % 3 > 0).then_some("Cash"));
        structs.append(true);
        trips.append(true);
        maps.keys().append_value("k");
        maps.values().append_value(1);
        maps.append(row % 5 > 0).unwrap();
    }
    let (lists, trips) = (lists.finish(), trips.finish());
    let instants: TimestampMicrosecondArray =
        (0..rows).map(|row| Some(i64::try_from(row).unwrap() * 90_000_000)).collect();
    let bytes: BinaryArray =
        (0..rows).map(|row| Some(if row % 2 == 0 { &b"\xff"[..] } else { b"ok" })).collect();
    RecordBatch::try_from_iter([
        ("lists", Arc::new(lists) as ArrayRef),
        ("trips", Arc::new(trips)),
        ("map", Arc::new(maps.finish())),
        ("instant", Arc::new(instants)),
        ("bytes", Arc::new(bytes)),
    ])
    .unwrap()
}

#[test]
fn nested_profiles_keep_the_laws() {
    for (rows, split_rows) in [(0, 10), (1, 10), (200, 7), (3000, 700)] {
        let source = MemorySource::new(&nested(rows), split_rows).with_batch_rows(64);
        laws::check(&source, &profiles(&source));
    }
}

#[test]
fn lists_and_structs_are_counted_level_by_level() {
    let source = MemorySource::new(&nested(400), 70).with_batch_rows(33);
    let statistics = compute("train", &source, &Execution::with_threads(2)).unwrap();
    let names: Vec<&str> = statistics.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["lists", "trips", "trips.fare", "trips.'paid.by'", "map", "instant", "bytes"]);
    let lists = statistics.column("lists").unwrap();
    assert_eq!((&lists.kind, lists.presence.num_missing), (&ColumnKind::Integer, 100));
    let valency = lists.valency.as_ref().unwrap();
    let level = |present, missing, empty, (min_length, max_length), elements| Level {
        num_present: present,
        num_missing: missing,
        num_empty: empty,
        min_length,
        max_length,
        num_elements: elements,
    };
    assert_eq!(valency.levels, [level(300, 100, 100, (0, 2), 400), level(300, 100, 100, (0, 2), 300)]);
    assert_eq!((valency.num_null_values, lists.num_values()), (100, 200));
    let lengths = valency.lengths.as_ref().unwrap();
    assert_eq!((lengths.buckets[0].low, lengths.buckets[9].high), (0.0, 1.0));
    assert_relative(lengths.buckets.iter().map(|bucket| bucket.count).sum::<f64>(), 300.0, 1e-15);
    assert_eq!(lists.numeric.as_ref().unwrap().num_finite, 200);
    assert_eq!(lists.top_values.as_ref().unwrap().values[0], ("7".to_owned(), 101));
    let trips = statistics.column("trips").unwrap();
    assert!(matches!(trips.kind, ColumnKind::Struct(_)) && trips.numeric.is_none());
    assert_eq!(trips.num_values(), 400, "null structs are no values");
    let payment = statistics.at(&["trips".into(), "paid.by".into()]).unwrap();
    assert_eq!((payment.presence.num_rows, payment.presence.num_missing), (400, 134));
    assert_eq!(payment.top_values.as_ref().unwrap().values, [("Cash".to_owned(), 266)]);
    let fare = statistics.at(&["trips".into(), "fare".into()]).unwrap().numeric.clone().unwrap();
    assert_eq!((fare.num_finite, fare.max, fare.mean), (400, Some(399.0), Some(199.5)));
    let map = statistics.column("map").unwrap();
    assert_eq!((map.presence.num_rows, map.presence.num_missing), (400, 80));
    let instant = statistics.column("instant").unwrap();
    let time = instant.time.as_ref().unwrap();
    assert_eq!((time.latest.as_str(), time.resolution.as_deref()), ("1970-01-01T09:58:30", Some("second")));
    assert_eq!(time.quantiles[8], (0.5, "1970-01-01T04:58:30".to_owned()));
    let bytes = statistics.column("bytes").unwrap();
    assert_eq!(bytes.text.unwrap().num_invalid_utf8, 200);
    assert!(bytes.top_values.is_none() && bytes.distinct.unwrap().count == 2);
}

#[test]
fn a_null_list_may_hide_values() {
    let hidden = Float64Array::from(vec![1.0, 99.0, 99.0, 2.0]);
    let offsets = OffsetBuffer::new(vec![0, 1, 3, 4].into());
    let nulls = NullBuffer::from(vec![true, false, true]);
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    let lists = ListArray::new(item, offsets, Arc::new(hidden), Some(nulls));
    let batch = RecordBatch::try_from_iter([("x", Arc::new(lists) as ArrayRef)]).unwrap();
    let statistics = compute("all", &MemorySource::new(&batch, 10), &Execution::with_threads(1)).unwrap();
    let numeric = statistics.columns[0].numeric.clone().unwrap();
    assert_eq!((numeric.num_finite, numeric.max), (2, Some(2.0)));
}

#[test]
fn large_tables_are_sampled_within_their_bound() {
    // Above 2^18 rows in splits of 2^16: the first 16,384 values of a split whole, then one in two.
    let rows: u32 = 300_000;
    let x: Float64Array = (0..rows).map(|n| Some((f64::from(n) * 0.618_033_988_749_894_9).fract())).collect();
    let id: Int64Array = (0..rows).map(|n| Some((1 << 60) + i64::from(n * 7 % 299_993))).collect();
    let batch = RecordBatch::try_from_iter([("x", Arc::new(x) as ArrayRef), ("id", Arc::new(id))]).unwrap();
    let source = MemorySource::new(&batch, 65_536);
    laws::check(&source, &profiles(&source));
    let statistics = compute("all", &source, &Execution::with_threads(2)).unwrap();
    let numeric = statistics.column("x").unwrap().numeric.clone().unwrap();
    let quantiles = numeric.quantiles.unwrap();
    let bound = quantiles.rank_error_fraction;
    assert!(bound > 0.0 && bound < 0.01, "{bound}");
    for (q, value) in &quantiles.values {
        assert!((value - q).abs() <= bound + 1e-5, "{q}: {value}");
    }
    let id = statistics.column("id").unwrap();
    // Within four standard errors of 299,993, and the deviation of integers past 2^53 as it is.
    assert_relative(id.distinct.unwrap().count as f64, 299_993.0, 4.0 * 0.0082);
    let deviation = id.numeric.as_ref().unwrap().standard_deviation.unwrap();
    assert_relative(deviation, ((299_993.0_f64 * 299_993.0 - 1.0) / 12.0).sqrt(), 1e-4);
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
