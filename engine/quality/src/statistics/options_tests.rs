//! Weights and slices: the laws, figures that a person would count, TFDV's own cases, and what is refused.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StringViewArray,
    StructArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type};
use serde_json::Value;
use sluice_core::execution::Execution;
use sluice_core::seam::BatchSource;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};
use sluice_testkit::datasets::external;
use sluice_testkit::{MemorySource, laws};

use super::{ComposedFeature, Statistics, StatisticsOptions, compute_with};
use crate::schema::read_schema;

fn table(rows: usize) -> RecordBatch {
    let x: Float64Array = (0..rows)
        .map(|n| match n % 11 {
            3 => None,
            5 => Some(f64::NAN),
            7 if n % 2 == 0 => Some(f64::INFINITY),
            _ => Some(((n * 2_654_435_761) % 10_007) as f64 / 7.0 - 500.0),
        })
        .collect();
    let zone: Int64Array = (0..rows).map(|n| (n % 17 != 4).then_some((n % 6) as i64 * 10)).collect();
    let name: StringViewArray =
        (0..rows).map(|n| (n % 13 != 0).then(|| format!("level {}", n % 13 % 5))).collect();
    let coded: arrow::array::DictionaryArray<Int32Type> =
        (0..rows).map(|n| if n % 9 == 2 { None } else { Some(["a", "b", "c"][n % 3]) }).collect();
    let weight: Float64Array = (0..rows).map(|n| Some((n % 5) as f64 / 4.0)).collect();
    let tags = ListArray::from_iter_primitive::<Int64Type, _, _>((0..rows).map(|n| match n % 4 {
        0 => None,
        1 => Some(vec![]),
        2 => Some(vec![Some(1), Some(2), Some(1)]),
        _ => Some(vec![Some((n % 3) as i64), None]),
    }));
    let inner: ArrayRef = Arc::new((0..rows).map(|n| Some(n as f64)).collect::<Float64Array>());
    let inside = StructArray::from(vec![(Arc::new(Field::new("z", DataType::Float64, true)), inner)]);
    RecordBatch::try_from_iter([
        ("x", Arc::new(x) as ArrayRef),
        ("zone", Arc::new(zone)),
        ("name", Arc::new(name)),
        ("coded", Arc::new(coded)),
        ("tags", Arc::new(tags)),
        ("inside", Arc::new(inside)),
        ("w", Arc::new(weight)),
    ])
    .unwrap()
}

fn options(weight: Option<&str>, slices: &[&str]) -> StatisticsOptions {
    StatisticsOptions {
        weight: weight.map(str::to_owned),
        slices: slices.iter().map(|slice| slice.parse().unwrap()).collect(),
        ..StatisticsOptions::default()
    }
}

fn statistics(batch: &RecordBatch, options: &StatisticsOptions) -> sluice_core::Result<DatasetStatistics> {
    let source = MemorySource::new(batch, 100).with_batch_rows(32);
    compute_with(options, "all", &source, &Execution::with_threads(2))
}

/// These numbers exactly.
fn assert_bits(found: &[f64], wanted: &[f64]) {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found), bits(wanted), "{found:?} is not {wanted:?}");
}

/// The columns of a sparse feature, one of them absent, and of a weighted one.
fn composed() -> Vec<ComposedFeature> {
    let schema = "sparse_feature { name: 's' value_feature { name: 'tags' } index_feature { name: 'zone' }
            index_feature { name: 'nowhere' } }
        weighted_feature { name: 'f' feature { step: 'tags' } weight_feature { step: 'x' } }";
    ComposedFeature::of_schema(read_schema(schema, "schema.pbtxt").unwrap().schema()).unwrap()
}

#[test]
fn weights_and_slices_keep_the_laws() {
    for (rows, split_rows) in [(0, 10), (1, 10), (997, 50), (3000, 700)] {
        let source = |is_coded| {
            let source = MemorySource::new(&table(rows), split_rows).with_batch_rows(64);
            if is_coded { source.with_codes() } else { source }
        };
        for (weight, slices) in [
            (Some("w"), vec![]),
            (None, vec!["name", "coded,zone", "tags", "zone=10,name", "name=nobody"]),
            (Some("w"), vec!["coded", "zone=20"]),
            (Some("w"), vec!["x > 20 OR coded = 'a'", "x > 1e9", "zone"]),
        ] {
            let mut options = options(weight, &slices);
            options.categories = vec!["zone".into()];
            options.label = (rows != 3000).then(|| "zone".into());
            options.crosses = vec!["x,w".parse().unwrap()];
            options.composed = composed();
            for source in [source(false), source(true)] {
                laws::check(&source, &Statistics::new(&options, &source.plan().columns).unwrap());
            }
        }
    }
}

/// Association, crosses and composed features of a slice are those of its rows alone.
#[test]
fn columns_of_a_slice_are_related_as_those_of_its_rows_alone() {
    let batch = table(2003);
    let asked = |slices: &[&str]| StatisticsOptions {
        label: Some("coded".into()),
        crosses: vec!["x,w".parse().unwrap(), "zone,x".parse().unwrap()],
        composed: composed(),
        ..options(None, slices)
    };
    let found = statistics(&batch, &asked(&["name", "x > 20", "zone=990"])).unwrap();
    let kinds: Vec<&str> = found.slices.iter().map(|slice| slice.conditions[0].column.as_str()).collect();
    assert_eq!(kinds, ["name", "name", "name", "name", "name", "x > 20", "zone"]);
    let (mut told, mut figures) = (0, std::collections::BTreeSet::new());
    for slice in &found.slices {
        let condition = &slice.conditions[0];
        let is_member = |row: usize| match condition.column.as_str() {
            "name" => {
                let names = batch.column_by_name("name").unwrap().as_string_view();
                names.is_valid(row) && Some(names.value(row)) == condition.value.as_deref()
            }
            "zone" => false,
            _ => {
                let x = batch.column_by_name("x").unwrap().as_primitive::<Float64Type>();
                x.is_valid(row) && x.value(row) > 20.0
            }
        };
        let rows: arrow::array::UInt32Array =
            (0..2003).filter(|row| is_member(*row)).map(|row| u32::try_from(row).unwrap()).collect();
        let alone = arrow::compute::take_record_batch(&batch, &rows).unwrap();
        let alone = statistics(&alone, &asked(&[])).unwrap();
        assert_eq!((slice.num_rows, &slice.composed), (alone.num_rows, &alone.composed), "{}", slice.name);
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * (a.abs() + b.abs());
        for (mine, theirs) in slice.crosses.iter().zip(&alone.crosses) {
            assert_eq!((&mine.x, &mine.y, mine.num_rows), (&theirs.x, &theirs.y, theirs.num_rows));
            assert!(close(mine.covariance, theirs.covariance), "{}: {mine:?} {theirs:?}", slice.name);
        }
        for (mine, theirs) in slice.columns.iter().zip(&alone.columns) {
            assert_eq!(mine.association, theirs.association, "{} {}", slice.name, mine.name);
            assert_eq!(mine.custom, theirs.custom, "{} {}", slice.name, mine.name);
            told += usize::from(mine.association.is_some());
        }
        figures.insert(format!("{:?}", slice.composed));
    }
    // Each slice has figures of its own, the empty one too.
    assert_eq!((told, found.crosses.len()), (7 * 4, 2));
    assert!(figures.len() > 2, "{figures:?}");
}

/// What the statistics of a slice must equal: those of its rows alone.
#[test]
fn a_slice_is_described_as_its_rows_alone() {
    let batch = table(1001);
    let found = statistics(&batch, &options(Some("w"), &["coded,zone", "name"])).unwrap();
    assert_eq!(found.slicings[0].num_slices, 6);
    for slice in &found.slices {
        let is_member = |row: usize| {
            slice.conditions.iter().all(|condition| {
                let column = batch.column_by_name(&condition.column).unwrap();
                let text = arrow::util::display::array_value_to_string(column, row).unwrap();
                column.is_valid(row) && Some(text) == condition.value
            })
        };
        let rows: arrow::array::UInt32Array =
            (0..1001).filter(|row| is_member(*row)).map(|row| u32::try_from(row).unwrap()).collect();
        let alone = arrow::compute::take_record_batch(&batch, &rows).unwrap();
        let alone = statistics(&alone, &options(Some("w"), &[])).unwrap();
        assert_eq!(slice.num_rows, alone.num_rows, "{}", slice.name);
        assert_eq!(slice.weight, alone.weight, "{}", slice.name);
        for (mine, theirs) in slice.columns.iter().zip(&alone.columns) {
            assert_eq!(mine.presence, theirs.presence);
            assert_eq!((mine.distinct, &mine.top_values), (theirs.distinct, &theirs.top_values));
            let mean = |column: &ColumnStatistics| {
                let numeric = column.numeric.as_ref().and_then(|numeric| numeric.mean);
                (numeric, column.weighted.as_ref().and_then(|weighted| Some(weighted.numeric.as_ref()?.mean)))
            };
            let ((mine, mine_weighted), (theirs, theirs_weighted)) = (mean(mine), mean(theirs));
            let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 4e-16 * b.abs(),
                (a, b) => a == b,
            };
            assert!(close(mine, theirs) && close(mine_weighted, theirs_weighted), "{}", slice.name);
        }
    }
    let names: Vec<&str> = found.slices[..3].iter().map(|slice| slice.name.as_str()).collect();
    assert_eq!(names, ["coded_a_zone_0", "coded_a_zone_30", "coded_b_zone_10"], "in the order of the keys");
    let left_out = (0..1001).filter(|n| n % 9 == 2 || n % 17 == 4).count() as u64;
    assert_eq!(found.slicings[0].num_rows_left_out, left_out);
    let by_name = found.slices.iter().filter(|slice| slice.name.starts_with("name_"));
    assert_eq!(by_name.map(|slice| slice.num_rows).sum::<u64>(), 1001 - 77);
}

/// Null is not in the slice, and neither is NaN, which is above nothing.
#[test]
fn an_expression_chooses_the_rows_that_are_true() {
    let batch = table(1001);
    let wanted = options(Some("w"), &["x > 20 AND coded <> 'a'", "(zone = 10)", "zone=10", "x < -1e9"]);
    let found = statistics(&batch, &wanted).unwrap();
    let xs = batch.column_by_name("x").unwrap().as_primitive::<Float64Type>();
    let codes = batch.column_by_name("coded").unwrap();
    let code = |row: usize| arrow::util::display::array_value_to_string(codes, row).unwrap();
    let is_member =
        |row: &usize| xs.is_valid(*row) && xs.value(*row) > 20.0 && codes.is_valid(*row) && code(*row) != "a";
    let rows: arrow::array::UInt32Array =
        (0..1001).filter(is_member).map(|row| u32::try_from(row).unwrap()).collect();
    let alone = arrow::compute::take_record_batch(&batch, &rows).unwrap();
    let alone = statistics(&alone, &options(Some("w"), &[])).unwrap();
    let slice = &found.slices[0];
    assert!(slice.num_rows > 100);
    assert_eq!((slice.num_rows, &slice.weight), (alone.num_rows, &alone.weight));
    for (mine, theirs) in slice.columns.iter().zip(&alone.columns) {
        assert_eq!(mine.presence, theirs.presence);
        assert_eq!((mine.distinct, &mine.top_values), (theirs.distinct, &theirs.top_values));
    }
    assert_eq!(slice.name, "x > 20 AND coded <> 'a'");
    let condition =
        |slice: &DatasetStatistics| (slice.conditions[0].column.clone(), slice.conditions[0].value.clone());
    assert_eq!(condition(slice), (slice.name.clone(), Some("true".into())));
    assert_eq!(found.slicings[0].num_slices, 1);
    let is_false =
        |row: usize| xs.is_valid(row) && !(xs.value(row) > 20.0) || codes.is_valid(row) && code(row) == "a";
    let unknown = (0..1001).filter(|row| !is_member(row) && !is_false(*row)).count() as u64;
    assert_eq!(found.slicings[0].num_rows_left_out, unknown);
    // The same rows, asked for in two ways.
    let (by_expression, by_value) = (&found.slices[1], &found.slices[2]);
    assert_eq!((by_expression.name.as_str(), by_value.name.as_str()), ("(zone = 10)", "zone_10"));
    assert_eq!(by_expression.columns, by_value.columns);
    assert_eq!((found.slices[3].num_rows, found.slices.len()), (0, 4));
}

#[test]
fn weighted_figures_by_hand() {
    let x: Float64Array = vec![Some(1.0), Some(2.0), None, Some(f64::NAN), Some(4.0)].into();
    let name: StringViewArray = vec![Some("a"), Some("b"), Some("a"), None, Some("c")].into_iter().collect();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(3)]),
        None,
        Some(vec![]),
        Some(vec![None, Some(5)]),
        Some(vec![Some(1)]),
    ]);
    let w: Float64Array = vec![1.0, 2.0, 4.0, 8.0, 1.0].into();
    let batch = RecordBatch::try_from_iter([
        ("x", Arc::new(x) as ArrayRef),
        ("name", Arc::new(name)),
        ("list", Arc::new(list)),
        ("w", Arc::new(w)),
    ])
    .unwrap();
    let found = statistics(&batch, &options(Some("w"), &[])).unwrap();
    assert_eq!(found.weight.as_ref().unwrap().sum.to_bits(), 16.0_f64.to_bits());
    let weighted = |name: &str| found.column(name).unwrap().weighted.clone().unwrap();
    let x = weighted("x");
    assert_bits(&[x.num_present, x.num_missing, x.num_values], &[12.0, 4.0, 12.0]);
    let numeric = x.numeric.unwrap();
    assert_bits(&[numeric.mean, numeric.standard_deviation], &[2.25, 1.1875_f64.sqrt()]);
    assert_eq!(numeric.quantiles.unwrap().at(0.5), Some(2.0));
    let total = |buckets: &[sluice_core::statistics::Bucket]| buckets.iter().map(|b| b.count).sum::<f64>();
    let histograms = numeric.histograms.unwrap();
    assert_bits(
        &[total(&histograms.equal_width.buckets), total(&histograms.equal_depth.buckets)],
        &[4.0, 4.0],
    );
    let top: Vec<(String, f64)> = [("a", 5.0), ("b", 2.0), ("c", 1.0)].map(|(t, w)| (t.to_owned(), w)).into();
    assert_eq!(weighted("name").top_values, top);
    let list = weighted("list");
    assert_bits(&[list.num_present, list.num_missing, list.num_values], &[14.0, 2.0, 11.0]);
    assert_eq!(list.numeric.unwrap().mean.to_bits(), ((1.0 + 3.0 + 8.0 * 5.0 + 1.0) / 11.0_f64).to_bits());
}

#[test]
fn integers_that_are_names_are_counted_as_text() {
    let mut options = options(Some("w"), &[]);
    options.categories = vec!["zone".into()];
    let found = statistics(&table(600), &options).unwrap();
    let zone = found.column("zone").unwrap();
    let top = zone.top_values.as_ref().unwrap();
    assert!(top.is_complete && top.values.len() == 6 && zone.distinct.unwrap().count == 6);
    assert_eq!(top.values.iter().map(|(_, count)| count).sum::<u64>(), zone.presence.num_present());
    assert_eq!(zone.weighted.as_ref().unwrap().top_values.len(), 6);
}

#[test]
fn what_cannot_be_is_refused() {
    let message = |options: &StatisticsOptions| {
        let error = statistics(&table(300), options).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    };
    for (weight, slices, expected) in [
        (Some("wieght"), vec![], "is not in the data, but `weight` names it"),
        (Some("name"), vec![], "column `name` is text, `weight` needs numbers"),
        (Some("x"), vec![], "weight column `x` is -500 here"),
        (Some("zone"), vec![], "weight column `zone` is null here"),
        (None, vec!["x"], "slice `x`: column `x` is float, whose values are no keys / a slice needs text"),
        (
            None,
            vec!["zoen"],
            "column `zoen` is not in the data, but `slices` names it / did you mean `zone`?",
        ),
        (None, vec!["zone=ten"], "slice `zone=ten`: `ten` is no value of column `zone`, which is integer"),
        (None, vec!["zone", "zone"], "slice `zone` is given twice"),
        (None, vec!["x > 3", "x > 3"], "slice `x > 3` is given twice"),
        (None, vec!["y > 3"], "expression `y > 3` reads column `y`, which is not in the data"),
        (None, vec!["(x + 1)"], "slice `(x + 1)` is an expression that answers float, not true or false"),
        (None, vec!["name > 3"], "`>` cannot take text and integer in expression `name > 3`"),
        (None, vec!["name=>3"], "slice `name=>3` is neither columns with values nor an expression"),
        (None, vec!["zone % 20=0"], "slice `zone % 20` names no column of the data; an expression goes in"),
        (None, vec!["inside"], "column `inside` is struct of z, whose values are no keys"),
    ] {
        let found = message(&options(weight, &slices));
        assert!(found.contains(expected), "{found}");
    }
    let few = StatisticsOptions { max_slices: 3, ..options(None, &["name"]) };
    assert!(message(&few).contains("slice `name` has at least 4 slices, but `max_slices` is 3"));
    let none = StatisticsOptions { columns: vec!["x".into()], exclude: vec!["x".into()], ..few };
    assert!(message(&StatisticsOptions { slices: vec![], ..none }).contains("leave no column"));
}

/// The array of a golden case: lists of integers or texts per row.
fn lists(values: &Value) -> ArrayRef {
    let rows = values.as_array().unwrap();
    let is_text = rows.iter().flat_map(|row| row.as_array().unwrap()).any(Value::is_string);
    if is_text {
        let mut builder = arrow::array::ListBuilder::new(arrow::array::StringViewBuilder::new());
        for row in rows {
            builder.append_value(row.as_array().unwrap().iter().map(|value| value.as_str()));
        }
        return Arc::new(builder.finish());
    }
    let row = |row: &Value| Some(row.as_array().unwrap().iter().map(Value::as_i64).collect::<Vec<_>>());
    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows.iter().map(row)))
}

#[test]
fn slices_of_lists_are_those_of_tfdv() {
    let Some(path) = external("../reference/golden.json") else { return };
    let golden: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap().iter().filter(|case| case["op"] == "slice_rows") {
        let position: ArrayRef = Arc::new(Int64Array::from(vec![0, 1]));
        let batch =
            RecordBatch::try_from_iter([("a", lists(&case["input"]["a"])), ("position", position)]).unwrap();
        let slice = match &case["options"]["features"]["a"] {
            Value::Null => "a".to_owned(),
            values => format!("a={}", values[0]),
        };
        let found = statistics(&batch, &options(None, &[&slice])).unwrap();
        let expected = case["expect"].as_object().unwrap();
        let found: Vec<&DatasetStatistics> = found.slices.iter().filter(|slice| slice.num_rows > 0).collect();
        assert_eq!(found.len(), expected.len(), "{}", case["id"]);
        for slice in found {
            let rows = expected[&slice.name].as_array().unwrap();
            let numeric = slice.column("position").unwrap().numeric.clone().unwrap();
            let range = (rows.first().unwrap().as_f64(), rows.last().unwrap().as_f64());
            assert_eq!((numeric.min, numeric.max), range, "{}", case["id"]);
            assert_eq!(slice.num_rows, rows.len() as u64);
        }
        checked += 1;
    }
    assert_eq!(checked, 2);
}

/// TFDV's case of weighted most frequent values, stat-029.
#[test]
fn weighted_top_values_are_those_of_tfdv() {
    let values = |name: &str| match name {
        "fa" => serde_json::json!([["a", "b", "c", "e"], ["a", "c", "d", "a"], ["d", "e"]]),
        _ => serde_json::json!([["v"], ["w", "x", "y"], ["z"]]),
    };
    for (name, weights, expected) in [
        ("fa", [5.0, 5.0, 15.0], [("e", 20.0), ("d", 20.0), ("a", 15.0), ("c", 10.0)]),
        ("fb", [2.0, 4.0, 6.0], [("z", 6.0), ("y", 4.0), ("x", 4.0), ("w", 4.0)]),
    ] {
        let w: ArrayRef = Arc::new(Float64Array::from(weights.to_vec()));
        let batch = RecordBatch::try_from_iter([(name, lists(&values(name))), ("w", w)]).unwrap();
        let found = statistics(&batch, &options(Some("w"), &[])).unwrap();
        let top = found.column(name).unwrap().weighted.clone().unwrap().top_values;
        let expected = expected.map(|(value, weight)| (value.to_owned(), weight));
        assert_eq!(top[..4], expected, "{name}");
    }
}

#[test]
fn a_text_too_long_is_no_key() {
    let long: ArrayRef = Arc::new(StringArray::from(vec!["short".to_owned(), "x".repeat(2000)]));
    let batch = RecordBatch::try_from_iter([("text", long)]).unwrap();
    let error = statistics(&batch, &options(None, &["text"])).unwrap_err();
    assert!(error.to_string().contains("holds a text of 2000 bytes; a key has at most 1024"), "{error:?}");
    assert!(format!("{error:?}").contains("row 2"), "{error:?}");
}
