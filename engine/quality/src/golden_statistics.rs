//! TFDV's own test cases of statistics (`golden.json`, outside the repository), and what TFX computed of its taxi
//! table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Float64Builder, Int64Array, ListBuilder, RecordBatch, StringArray,
};
use serde_json::Value;
use sluice_core::execution::Execution;
use sluice_core::seam::BatchSource;
use sluice_core::statistics::{Bucket, ColumnStatistics, CustomStatistic};
use sluice_summaries::Ranks;
use sluice_testkit::datasets::external;
use sluice_testkit::{MemorySource, assert_relative};

use crate::schema::read_schema;
use crate::statistics::{StatisticsOptions, compute, compute_with, equal_width, pooled};

/// TFDV's eps: by which share of the values its counts may be off.
const EPSILON: f64 = 0.01;

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        Some("NaN") => f64::NAN,
        _ => value.as_f64().unwrap(),
    }
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(number).collect()
}

fn buckets(values: &Value) -> Vec<Bucket> {
    let bucket = |value: &Value| Bucket {
        low: number(&value["low"]),
        high: number(&value["high"]),
        count: number(&value["count"]),
    };
    values.as_array().unwrap().iter().map(bucket).collect()
}

fn finite(buckets: &[Bucket]) -> Vec<Bucket> {
    buckets.iter().filter(|bucket| bucket.low.is_finite() && bucket.high.is_finite()).copied().collect()
}

/// The same bounds, and counts that differ by at most `slack` values.
fn assert_buckets(found: &[Bucket], wanted: &[Bucket], slack: f64, case: &Value) {
    assert_eq!(found.len(), wanted.len(), "{case} {found:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        let scale = wanted.low.abs() + wanted.high.abs();
        for (found, wanted) in [(found.low, wanted.low), (found.high, wanted.high)] {
            assert!((found - wanted).abs() <= 1e-6 * scale, "{case}: {found} for {wanted}");
        }
        assert!((found.count - wanted.count).abs() <= slack + 1e-9, "{case}: {found:?} for {wanted:?}");
    }
}

/// Checks a case; where it is checked instead, or why nowhere. A case of another kind is nowhere, and fails.
fn check(case: &Value) -> Result<(), &'static str> {
    match case["op"].as_str().unwrap() {
        "quantiles_histogram" => quantiles_histogram(case),
        "equi_width_histogram" => equi_width_histogram(case),
        "find_median" => find_median(case),
        "basic_stats" => basic_stats(case),
        "top_k_uniques" => top_k_uniques(case),
        "lift" => Err("`statistics::association`, test `lift_is_that_of_tfdv`"),
        "cross_feature" => Err("`statistics::crosses`"),
        "bin_array" => Err("lift of numeric columns, which is not computed"),
        "partial_copresence_counts" => Err("a step within lift, whose result is checked"),
        "weighted_feature_stats" => weighted_feature(case),
        "slice_rows" => Err("`statistics::options_tests`"),
        op => panic!("{} {op} is neither checked nor listed", case["id"]),
    }
}

fn quantiles_histogram(case: &Value) -> Result<(), &'static str> {
    let cumulative: Vec<u64> =
        case["input"]["cumulative_counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let found = pooled(&numbers(&case["input"]["quantiles"]), &cumulative);
    assert_buckets(&found, &buckets(&case["expect"]["buckets"]), 0.0, case);
    Ok(())
}

/// TFDV spreads the values between two of its quantiles evenly; here they are counted where they are. So the counts
/// may differ by the values between two quantiles.
fn equi_width_histogram(case: &Value) -> Result<(), &'static str> {
    let input = &case["input"];
    let mut before = 0.0;
    let mut entries: Vec<(f64, u64)> = Vec::new();
    for (value, cumulative) in
        numbers(&input["quantiles"]).into_iter().zip(numbers(&input["cumulative_counts"]))
    {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let count = (cumulative - before) as u64;
        before = cumulative;
        if value.is_finite() && count > 0 {
            entries.push((value, count));
        }
    }
    if entries.last().map(|(value, _)| *value) != input["finite_max"].as_f64() {
        return Err("the largest value is not among the quantiles");
    }
    let slack = entries.iter().map(|(_, count)| *count).max().unwrap_or(0) as f64;
    let intervals = u32::try_from(input["num_buckets"].as_u64().unwrap()).unwrap();
    let found = equal_width(&Ranks::exact(entries.into_iter()), intervals);
    assert_buckets(&found.buckets, &finite(&buckets(&case["expect"]["buckets"])), slack, case);
    Ok(())
}

/// Of an even number TFDV averages the middle two; here the median is the lower of them.
fn find_median(case: &Value) -> Result<(), &'static str> {
    let values = numbers(&case["input"]["quantiles"]);
    let found = Ranks::exact(values.iter().map(|value| (*value, 1))).quantile(0.5).unwrap();
    let (below, above) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    assert_relative(found, below, 0.0);
    assert_relative((below + above) / 2.0, case["expect"]["median"].as_f64().unwrap(), 0.0);
    Ok(())
}

fn list_of_numbers(rows: &[&Value]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float64Builder::new());
    for row in rows {
        for value in row.as_array().into_iter().flatten() {
            lists.values().append_value(number(value));
        }
        lists.append(row.is_array());
    }
    Arc::new(lists.finish())
}

fn list_of_texts(rows: &[&Value]) -> ArrayRef {
    let mut lists = ListBuilder::new(arrow::array::StringBuilder::new());
    for row in rows {
        for value in row.as_array().into_iter().flatten() {
            lists.values().append_value(value.as_str().unwrap());
        }
        lists.append(row.is_array());
    }
    Arc::new(lists.finish())
}

fn statistics_of(values: ArrayRef) -> ColumnStatistics {
    let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
    let rows = std::cmp::max(2, batch.num_rows() as u64 / 7);
    compute("all", &MemorySource::new(&batch, rows), &Execution::with_threads(2)).unwrap().columns.remove(0)
}

fn rows<'a>(case: &'a Value, column: &str) -> Vec<&'a Value> {
    let batches = case["input"]["batches"].as_array().unwrap().iter();
    batches.flat_map(|batch| batch[column].as_array().unwrap()).collect()
}

fn basic_stats(case: &Value) -> Result<(), &'static str> {
    let (column, expect) = case["expect"].as_object().unwrap().iter().next().unwrap();
    let rows = rows(case, column);
    let found = statistics_of(list_of_numbers(&rows));
    let (common, valency) = (&expect["common"], found.valency.clone().unwrap());
    let level = valency.levels[0];
    for (name, found) in [
        ("num_non_missing", level.num_present),
        ("num_missing", level.num_missing),
        ("min_num_values", level.min_length),
        ("max_num_values", level.max_length),
        ("tot_num_values", level.num_elements),
    ] {
        assert!(common[name].as_u64().is_none_or(|wanted| wanted == found), "{name}: {found} in {case}");
    }
    assert_eq!(found.presence.num_rows, rows.len() as u64);
    let numeric = found.numeric.unwrap();
    let expect = &expect["numeric"];
    let values: Vec<f64> =
        rows.iter().flat_map(|row| row.as_array().into_iter().flatten().map(number)).collect();
    let count = |odd: fn(&f64) -> bool| values.iter().filter(|value| odd(value)).count() as u64;
    assert_eq!(found.presence.num_nan, count(|value| value.is_nan()));
    assert_eq!(found.presence.num_positive_infinity, count(|value| *value == f64::INFINITY));
    for (name, found) in [("mean", numeric.mean), ("std_dev", numeric.standard_deviation)] {
        // TFDV's mean of infinities is NaN, ours is of the finite values.
        if let Some(wanted) = expect[name].as_f64() {
            assert_relative(found.unwrap(), wanted, 1e-7);
        }
    }
    for (name, found) in [("min", numeric.min), ("max", numeric.max)] {
        assert!(expect[name].as_f64().is_none_or(|wanted| Some(wanted) == found), "{name} in {case}");
    }
    if let Some(wanted) = expect["standard_histogram"].as_array() {
        let intervals = u32::try_from(case["options"]["num_histogram_buckets"].as_u64().unwrap()).unwrap();
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let found = equal_width(&Ranks::exact(sorted.iter().map(|value| (*value, 1))), intervals);
        let wanted = finite(&buckets(&Value::Array(wanted.clone())));
        assert_buckets(&found.buckets, &wanted, EPSILON * sorted.len() as f64, case);
    }
    Ok(())
}

fn top_k_uniques(case: &Value) -> Result<(), &'static str> {
    for (column, expect) in case["expect"].as_object().unwrap() {
        let found = statistics_of(list_of_texts(&rows(case, column)));
        assert_eq!(Some(found.distinct.unwrap().count), expect["unique"].as_u64());
        let wanted = expect["top_values"].as_array().unwrap();
        let wanted =
            wanted.iter().map(|top| (top["label"].as_str().unwrap(), top["count"].as_u64().unwrap()));
        let top = found.top_values.unwrap();
        let found: Vec<(&str, u64)> =
            top.values.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        let wanted: Vec<(&str, u64)> = wanted.collect();
        assert_eq!(found[..wanted.len()], wanted, "{case}");
    }
    Ok(())
}

#[test]
#[allow(clippy::print_stdout, reason = "a skipped case must be seen in the test's output")]
fn cases_of_tfdv_agree() {
    let Some(path) = external("../reference/golden.json") else { return };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap().iter().filter(|case| case["area"] == "statistics") {
        match check(case) {
            Ok(()) => checked += 1,
            Err(reason) => println!("does not apply: {} {}: {reason}", case["id"], case["op"]),
        }
    }
    assert!(checked >= 12, "only {checked} cases were checked");
}

fn weighted_feature(case: &Value) -> Result<(), &'static str> {
    let rows = |name: &str| -> Option<Vec<&Value>> { Some(case["input"][name].as_array()?.iter().collect()) };
    let columns = [
        rows("value").map(|rows| ("value", list_of_texts(&rows))),
        rows("weight").map(|rows| ("weight", list_of_numbers(&rows))),
    ];
    let batch = RecordBatch::try_from_iter(columns.into_iter().flatten()).unwrap();
    let schema = "weighted_feature { name: 'f' feature { step: 'value' } weight_feature { step: 'weight' } }";
    let schema = read_schema(schema, "schema.pbtxt").unwrap();
    let source = MemorySource::new(&batch, 1);
    let options = StatisticsOptions::default().with_schema(schema.schema(), &source.plan().columns).unwrap();
    let found = compute_with(&options, "all", &source, &Execution::with_threads(2)).unwrap();
    let figures = found.composed("f").unwrap();
    for (name, wanted) in case["expect"].as_object().unwrap() {
        assert_eq!(figures[name], CustomStatistic::Number(number(wanted)), "{name} in {case}");
    }
    Ok(())
}

/// A column of the taxi table as numbers or text; an empty cell is null.
fn column(rows: &[Vec<&str>], index: usize, data_type: &str) -> ArrayRef {
    let cells = rows.iter().map(|row| Some(row[index]).filter(|cell| !cell.is_empty()));
    let parsed = |cell: Option<&str>| cell.map(|cell| cell.parse::<f64>().unwrap());
    match data_type {
        "STRING" => Arc::new(cells.collect::<StringArray>()),
        "FLOAT" => Arc::new(cells.map(parsed).collect::<Float64Array>()),
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers")]
        _ => Arc::new(cells.map(|cell| parsed(cell).map(|value| value as i64)).collect::<Int64Array>()),
    }
}

#[test]
fn taxi_agrees_with_tfx() {
    let Some(table) = external("taxi/taxi_simple.csv") else { return };
    let Some(reference) = external("reference/taxi_simple_tfx_stats.json") else { return };
    let text = std::fs::read_to_string(table).unwrap();
    let reference: Value = serde_json::from_str(&std::fs::read_to_string(reference).unwrap()).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for (name, wanted) in reference["features"].as_object().unwrap() {
        let index = header.iter().position(|column| column == name).unwrap();
        let found = statistics_of(column(&rows, index, wanted["type"].as_str().unwrap()));
        assert_eq!(Some(found.presence.num_present()), wanted["present_values"].as_u64(), "{name}");
        if let Some(counts) = wanted["value_counts"].as_object() {
            let top = found.top_values.unwrap();
            for (value, count) in counts {
                let held = top.values.iter().find(|(held, _)| held == value).map(|(_, count)| *count);
                assert_eq!(held, count.as_u64(), "{name} {value}");
            }
            continue;
        }
        // TFX read floats as 32 bits.
        let tolerance = if wanted["type"] == "FLOAT" { 2e-5 } else { 1e-9 };
        let numeric = found.numeric.unwrap();
        assert_eq!(Some(numeric.num_zeros), wanted["num_zeros"].as_u64(), "{name}");
        for (figure, found) in [
            ("mean", numeric.mean),
            ("std_dev_population", numeric.standard_deviation),
            ("min", numeric.min),
            ("max", numeric.max),
        ] {
            let wanted = wanted[figure].as_f64().unwrap();
            // TFX adds up squares, of which what the mean has more than the deviation is lost.
            let ratio = if figure == "std_dev_population" { numeric.mean.unwrap() / wanted } else { 0.0 };
            let tolerance = tolerance + 1e-15 * ratio * ratio;
            assert!(
                (found.unwrap() - wanted).abs() <= tolerance * wanted.abs(),
                "{name} {figure}: {found:?}"
            );
        }
        // The medians of the two parts are known; that of all lies between.
        let medians = ["train", "eval"].map(|part| wanted["per_split"][part]["median"].as_f64().unwrap());
        let median = numeric.quantiles.unwrap().at(0.5).unwrap();
        let (low, high) =
            if medians[0] < medians[1] { (medians[0], medians[1]) } else { (medians[1], medians[0]) };
        assert!(median >= low * (1.0 - 1e-6) && median <= high * (1.0 + 1e-6), "{name}: {median}");
    }
}
