//! Slices against a plain filter of the rows, and what users meet when a slicing does not fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use proptest::prelude::*;
use serde_json::json;
use sluice_core::error::ErrorKind;
use sluice_core::execution::Execution;
use sluice_testkit::close::assert_relative;
use sluice_testkit::memory::MemorySource;

use crate::fixture::{Linear, numbers, table, texts};
use crate::gate::{Outcome, RuleName};
use crate::{Baseline, EvaluateOptions, Evaluation, evaluate};

fn run(table: &RecordBatch, options: &EvaluateOptions) -> sluice_core::Result<Evaluation> {
    let source = MemorySource::new(table, 7).with_batch_rows(3);
    evaluate(&source, &Linear::column("c", "c"), &Baseline::None, options, &Execution::with_threads(2))
}

fn options(value: serde_json::Value) -> EvaluateOptions {
    serde_json::from_value(value).unwrap()
}

/// The slices as text, overall left out.
fn names(evaluation: &Evaluation) -> Vec<String> {
    evaluation.slices[1..].iter().map(|slice| slice.slice.to_string()).collect()
}

/// A row of the random tables.
#[derive(Clone, Debug)]
struct Row {
    g: Option<&'static str>,
    i: Option<i64>,
    b: Option<bool>,
    x: Option<f64>,
    y: f64,
    c: f64,
    w: f64,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let g = prop::option::of(prop::sample::select(vec!["a", "b", "(other)", "", "a,b"]));
    let x = prop::option::of(prop_oneof![
        Just(f64::NAN),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(2.5),
        -4.0..4.0_f64
    ]);
    let row =
        (g, prop::option::of(-2..3_i64), prop::option::of(any::<bool>()), x, -9.0..9.0, -9.0..9.0, 1..5)
            .prop_map(|(g, i, b, x, y, c, w)| Row { g, i, b, x, y, c, w: f64::from(w) });
    prop::collection::vec(row, 1..60)
}

fn table_of(rows: &[Row]) -> RecordBatch {
    let g: ArrayRef = Arc::new(rows.iter().map(|row| row.g).collect::<StringArray>());
    let i: ArrayRef = Arc::new(rows.iter().map(|row| row.i).collect::<Int64Array>());
    let b: ArrayRef = Arc::new(rows.iter().map(|row| row.b).collect::<BooleanArray>());
    let x: ArrayRef = Arc::new(rows.iter().map(|row| row.x).collect::<Float64Array>());
    let of = |number: fn(&Row) -> f64| numbers(&rows.iter().map(number).collect::<Vec<_>>());
    let (y, c, w) = (of(|row| row.y), of(|row| row.c), of(|row| row.w));
    let columns = [("g", g), ("i", i), ("b", b), ("x", x), ("y", y), ("c", c), ("w", w)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// The key of a row of a table.
type KeyOf = fn(&Row, &[Row]) -> Vec<Option<String>>;

/// What is sliced by, as users write it and as a function of a row that is written down independently.
fn slicings() -> Vec<(serde_json::Value, KeyOf)> {
    vec![
        (json!("g"), |row, _| vec![g(row)]),
        (json!(["i", "b"]), |row, _| vec![row.i.map(|i| i.to_string()), row.b.map(|b| b.to_string())]),
        (json!({"column": "x", "bounds": [-1.0, 0, 2.5]}), |row, _| vec![bucket(row, &[-1.0, 0.0, 2.5])]),
        (json!({"column": "x", "quantiles": 3, "name": "third"}), |row, all| vec![bucket(row, &thirds(all))]),
        (json!({"name": "high", "expression": "x > 0"}), |row, _| vec![row.x.map(|x| (x > 0.0).to_string())]),
        (json!([["g", "b"], {"column": "x", "bounds": [0]}]), |row, _| {
            vec![g(row), row.b.map(|b| b.to_string()), bucket(row, &[0.0])]
        }),
        (json!([{"expression": "i * 2"}, "g"]), |row, _| vec![row.i.map(|i| (i * 2).to_string()), g(row)]),
        (json!({"column": "g", "top": 2}), |row, all| {
            largest(&[g(row)], 2, &all.iter().map(|row| (vec![g(row)], row.w)).collect::<Vec<_>>())
        }),
        (json!({"columns": ["g", "b"], "top": 3}), |row, all| {
            let key = |row: &Row| vec![g(row), row.b.map(|b| b.to_string())];
            largest(&key(row), 3, &all.iter().map(|row| (key(row), row.w)).collect::<Vec<_>>())
        }),
        (json!({"columns": [{"column": "x", "quantiles": 3}, "i"], "top": 2}), |row, all| {
            let key = |row: &Row| vec![bucket(row, &thirds(all)), row.i.map(|i| i.to_string())];
            largest(&key(row), 2, &all.iter().map(|row| (key(row), row.w)).collect::<Vec<_>>())
        }),
    ]
}

fn g(row: &Row) -> Option<String> {
    row.g.map(str::to_owned)
}

fn bucket(row: &Row, bounds: &[f64]) -> Option<String> {
    let x = row.x?;
    if x.is_nan() {
        return Some("NaN".into());
    }
    let below = bounds.iter().rev().find(|bound| **bound <= x);
    let above = bounds.iter().find(|bound| **bound > x);
    let low = below.map_or("[-inf".into(), |low| format!("[{low}"));
    Some(above.map_or_else(|| format!("{low}, inf]"), |high| format!("{low}, {high})")))
}

/// The values at ranks ⌈n/3⌉ and ⌈2n/3⌉, each once, without infinite ones and the least of all.
fn thirds(all: &[Row]) -> Vec<f64> {
    let mut values: Vec<f64> =
        all.iter().filter_map(|row| row.x).filter(|x| !x.is_nan()).map(|x| x + 0.0).collect();
    values.sort_by(f64::total_cmp);
    let mut cuts = Vec::new();
    for third in 1..3 {
        let rank = (values.len() * third).div_ceil(3);
        cuts.extend(rank.checked_sub(1).map(|place| values[place]).filter(|cut| cut.is_finite()));
    }
    cuts.dedup();
    cuts.retain(|cut| *cut > values[0]);
    cuts
}

/// The key where it is one of the heaviest, or null throughout, else that of the rest.
fn largest(key: &[Option<String>], count: usize, all: &[(Vec<Option<String>>, f64)]) -> Vec<Option<String>> {
    if key.iter().all(Option::is_none) {
        return key.to_vec();
    }
    let mut weights: BTreeMap<Vec<Option<String>>, f64> = BTreeMap::new();
    for (key, weight) in all.iter().filter(|(key, _)| key.iter().any(Option::is_some)) {
        *weights.entry(key.clone()).or_default() += weight;
    }
    let mut order: Vec<(Vec<Option<String>>, f64)> = weights.into_iter().collect();
    let text = |key: &[Option<String>]| -> Vec<String> {
        key.iter().map(|part| part.clone().unwrap_or_else(|| "(null)".into())).collect()
    };
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| text(&a.0).cmp(&text(&b.0))));
    order.truncate(count);
    let mut other = "(other)".to_owned();
    while order.iter().flat_map(|(key, _)| key).any(|part| part.as_ref() == Some(&other)) {
        other = format!("({other})");
    }
    if order.iter().any(|(kept, _)| kept == key) { key.to_vec() } else { vec![Some(other); key.len()] }
}

proptest! {
    #[test]
    fn every_slice_is_what_a_filter_of_the_rows_gives(rows in rows(), place in 0..10_usize, minimum in 0..4_u64) {
        let (mut slice, key_of) = slicings().swap_remove(place);
        if minimum > 0 {
            slice = match slice {
                serde_json::Value::Object(mut map) => {
                    map.insert("minimum_rows".into(), json!(minimum));
                    serde_json::Value::Object(map)
                }
                columns => json!({"columns": if columns.is_array() { columns } else { json!([columns]) }, "minimum_rows": minimum}),
            };
        }
        let options = options(json!({"slices": [slice], "metrics": ["mse", "mae", "mean_error"], "weight": "w"}));
        let found = run(&table_of(&rows), &options);
        let mut expected: BTreeMap<Vec<Option<String>>, Vec<&Row>> = BTreeMap::new();
        for row in &rows {
            expected.entry(key_of(row, &rows)).or_default().push(row);
        }
        let is_plain = place < 2;
        let is_empty = |index: usize| expected.keys().all(|key| key[index].is_none());
        if is_plain && (0..expected.keys().next().unwrap().len()).any(is_empty) {
            prop_assert!(found.unwrap_err().to_string().ends_with("is null in all rows"));
            return Ok(());
        }
        // In a cross the column of values is plain, too.
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                prop_assert!(!is_plain && error.to_string().ends_with("is null in all rows"), "{error}");
                return Ok(());
            }
        };
        let num_small = expected.values().filter(|rows| (rows.len() as u64) < minimum).count();
        prop_assert_eq!(found.left_out.first().map_or(0, |left_out| left_out.num_slices), num_small as u64);
        expected.retain(|_, rows| rows.len() as u64 >= minimum);
        prop_assert_eq!(found.slices.len() - 1, expected.len(), "{:?}", names(&found));
        for slice in &found.slices[1..] {
            let key: Vec<Option<String>> = slice.slice.parts.iter().map(|part| part.value.clone()).collect();
            prop_assert!(expected.contains_key(&key), "{key:?} in {:?}", expected.keys());
            let rows = &expected[&key];
            prop_assert_eq!(slice.rows, rows.len() as u64);
            let weight: f64 = rows.iter().map(|row| row.w).sum();
            assert_relative(slice.weight.unwrap(), weight, 0.0);
            let mean = |of: fn(f64) -> f64| rows.iter().map(|row| row.w * of(row.c - row.y)).sum::<f64>() / weight;
            assert_relative(slice.candidate["mse"].unwrap(), mean(|e| e * e), 1e-12);
            assert_relative(slice.candidate["mae"].unwrap(), mean(f64::abs), 1e-12);
            prop_assert!((slice.candidate["mean_error"].unwrap() - mean(|e| e)).abs() < 1e-12 * 18.0);
        }
    }
}

fn small() -> RecordBatch {
    let null: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 4]));
    table(&[
        ("y", numbers(&[1.0, 2.0, 3.0, 4.0])),
        ("c", numbers(&[1.0, 2.0, 3.0, 5.0])),
        ("g", texts(&["a", "b", "b", "c"])),
        ("n", null),
        ("day", Arc::new(Date32Array::from(vec![0, 1, 1, 20_000])) as ArrayRef),
        ("f", numbers(&[0.1, 0.1 + 0.2, 1e-7, 0.1])),
    ])
}

#[test]
fn keys_of_any_type_are_shown_so_that_they_read_back() {
    let evaluation = run(&small(), &options(json!({"slices": ["day", "f"]}))).unwrap();
    assert_eq!(
        names(&evaluation),
        [
            "day=1970-01-01",
            "day=1970-01-02",
            "day=2024-10-04",
            "f=0.0000001",
            "f=0.1",
            "f=0.30000000000000004"
        ]
    );
}

#[test]
fn slices_stand_in_the_order_of_buckets_and_of_size() {
    let slices = json!([{"column": "c", "bounds": [2, 10]}, {"name": "group", "column": "g", "top": 1}]);
    let evaluation = run(&small(), &options(json!({ "slices": slices }))).unwrap();
    assert_eq!(names(&evaluation), ["c=[-inf, 2)", "c=[2, 10)", "group=b", "group=(other)"]);
    assert_eq!(evaluation.slices[4].rows, 2);
}

#[test]
fn a_computed_slicing_may_be_null_throughout_and_a_column_may_not() {
    let by = |slice: serde_json::Value| run(&small(), &options(json!({"slices": [slice]})));
    assert_eq!(names(&by(json!({"expression": "length(n) > 1"})).unwrap()), ["length(n) > 1=(null)"]);
    assert_eq!(names(&by(json!({"column": "n", "top": 3})).unwrap()), ["n=(null)"]);
    assert_eq!(by(json!("n")).unwrap_err().to_string(), "slice column `n` is null in all rows");
}

#[test]
fn requirements_name_slicings_or_define_them_in_place() {
    let slices = json!([{"name": "late", "expression": "y > 2"}, ["late", "g"]]);
    let rule = |every: serde_json::Value| json!({"metric": "mae", "at_most": 0.4, "every": every});
    let all =
        json!([rule(json!("late")), rule(json!({"column": "y", "bounds": [4]})), rule(json!(["late", "g"]))]);
    let evaluation = run(&small(), &options(json!({"slices": slices, "require": all}))).unwrap();
    assert_eq!(
        names(&evaluation),
        [
            "late=false",
            "late=true",
            "late=false, g=a",
            "late=false, g=b",
            "late=true, g=b",
            "late=true, g=c",
            "y=[-inf, 4)",
            "y=[4, inf]"
        ]
    );
    let failed: Vec<&str> =
        evaluation.verdict.failures().map(|reason| reason.slice.as_deref().unwrap()).collect();
    assert_eq!(failed, ["late=true", "y=[4, inf]", "late=true, g=c"]);
}

#[test]
fn slices_left_out_are_told_and_a_requirement_of_none_fails() {
    let evaluate = |minimum: u64| {
        let slice = json!({"column": "g", "minimum_rows": minimum});
        let rule = json!({"metric": "mae", "at_most": 0.4, "every": "g"});
        run(&small(), &options(json!({"slices": [slice], "require": [rule]}))).unwrap()
    };
    let evaluation = evaluate(2);
    assert_eq!((names(&evaluation), evaluation.verdict.outcome), (vec!["g=b".to_owned()], Outcome::Pass));
    let told = evaluation.verdict.reasons.last().unwrap();
    assert_eq!((told.rule, told.passed, told.rows), (RuleName::SlicesLeftOut, true, 2));
    assert_eq!(told.text, "2 slices of `g` with fewer than 2 rows are left out: g=a; g=c (2 rows)");
    let stored = serde_json::to_string(&evaluation).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&stored).unwrap(), evaluation);
    let verdict = evaluate(3).verdict;
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert!(verdict.failures().any(|reason| reason.text.ends_with("; no slice is left to be judged")));
}

#[test]
fn what_does_not_fit_is_refused_with_a_hint() {
    for (slice, problem) in [
        (json!({"column": "g", "bounds": [1.0]}), "slices by buckets of column `g`, which holds text"),
        (json!({"column": "gone", "quantiles": 4}), "column `gone` is not in memory"),
        (
            json!({"expression": "fare >"}),
            "expression `fare >` is not valid SQL: Expected: an expression, found: EOF",
        ),
        (
            json!({"expression": "gone > 1"}),
            "expression `gone > 1` reads column `gone`, which is not in the data, at line 1, column 1",
        ),
        (
            json!({"column": "c", "bounds": [2, 1]}),
            "`slices[0]` has the `bounds` [2.0, 1.0], which are not finite numbers in ascending order",
        ),
        (
            json!({"column": "c", "bounds": []}),
            "`slices[0]` has the `bounds` [], which are not finite numbers in ascending order",
        ),
        (
            json!({"column": "c", "quantiles": 1}),
            "`slices[0].quantiles` is 1, but must be at least 2 and at most 1000",
        ),
        (json!({"column": "g", "top": 0}), "`slices[0].top` is 0, but must be at least 1 and at most 16000"),
        (
            json!({"column": "g", "minimum_rows": 0}),
            "`slices[0].minimum_rows` is 0, but must be a finite number at least 1",
        ),
        (
            json!({"column": "g", "expression": "y > 1"}),
            "`slices[0]` needs one of `column`, `expression` and `columns`",
        ),
        (json!({"top": 3}), "`slices[0]` needs one of `column`, `expression` and `columns`"),
        (json!({"bounds": [3]}), "`slices[0]` has buckets of no column"),
        (
            json!({"column": "c", "bounds": [3], "quantiles": 3}),
            "`slices[0]` has both `bounds` and `quantiles`",
        ),
        (json!([{"column": "g", "minimum_rows": 3}, "c"]), "`slices[0]` has `minimum_rows` inside a list"),
        (json!(["g", ["c", "g"]]), "`slices[0]` names `g` twice"),
        (json!([]), "`slices[0]` names no column"),
        (json!({"column": "g", "name": " "}), "`slices[0]` has an empty `name`"),
    ] {
        let error = run(&small(), &options(json!({"slices": [slice.clone()]}))).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (problem, ErrorKind::Usage), "{slice}");
        assert!(error.hint().is_some() || problem.contains("must be"), "{slice}");
    }
    let twice = json!([{"name": "a", "column": "g"}, {"name": "a", "column": "c"}]);
    let error = options(json!({ "slices": twice })).check().unwrap_err();
    assert_eq!(error.to_string(), "`slices[1]` gives the name `a` to a second slicing");
    let deep = (0..40).fold(json!(["g"]), |inner, _| json!([inner]));
    let error = options(json!({"slices": [deep]})).check().unwrap_err();
    assert_eq!(error.to_string(), "`slices[0]` has more than 16 lists inside one another");
}

#[test]
fn options_are_written_as_they_are_read() {
    let text = r#"["sex",["sex","age"],[{"name":"old","column":"age","bounds":[65.0],"minimum_rows":9}],[{"columns":["a",{"expression":"b > 1"}],"top":3}]]"#;
    let read: Vec<super::Columns> = serde_json::from_str(text).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written[0], json!(["sex"]));
    assert_eq!(serde_json::from_value::<Vec<super::Columns>>(written).unwrap(), read);
    let error = serde_json::from_str::<super::Columns>(r#"{"colum": "a"}"#).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `colum`, expected one of `name`, `column`"), "{error}");
}

/// Keys as they come from sources with codes are those of plain text.
#[test]
fn coded_columns_give_the_same_slices() {
    let table = small();
    let plain = run(&table, &options(json!({"slices": [["g", "day"], {"column": "g", "top": 2}]}))).unwrap();
    let columns = table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let coded = columns.iter().zip(table.columns()).map(|(name, array)| {
        let coded = if name == "g" {
            let kind = arrow::datatypes::DataType::Dictionary(
                Box::new(arrow::datatypes::DataType::Int32),
                Box::new(arrow::datatypes::DataType::Utf8),
            );
            arrow::compute::cast(array, &kind).unwrap()
        } else {
            Arc::clone(array)
        };
        (name.as_str(), coded, true)
    });
    let coded = RecordBatch::try_from_iter_with_nullable(coded).unwrap();
    let again = run(&coded, &options(json!({"slices": [["g", "day"], {"column": "g", "top": 2}]}))).unwrap();
    assert_eq!(again, plain);
}

#[test]
fn the_same_buckets_under_two_names_are_two_slicings() {
    // A name that the column begins with too.
    let slices = json!([{"column": "y", "quantiles": 2}, {"name": "y in", "column": "y", "quantiles": 2}]);
    let evaluation = run(&small(), &options(json!({"slices": slices}))).unwrap();
    let own = names(&evaluation).iter().filter(|name| name.starts_with("y=")).count();
    let named = names(&evaluation).iter().filter(|name| name.starts_with("y in=")).count();
    assert_eq!((own, named), (2, 2), "{:?}", names(&evaluation));
}

/// Rows at six moments and one that is not known.
fn moments() -> RecordBatch {
    // 2026-11-21T23:30Z (Saturday), 2026-11-22T00:15Z, 13:59, 2026-11-23T00:00Z, 2027-01-03T05:00Z (Sunday), 1969-12-31T23:00Z.
    let seconds = [1_795_303_800, 1_795_306_500, 1_795_355_940, 1_795_392_000, 1_798_952_400, -3_600_i64];
    let at = |zone: Option<&str>| -> ArrayRef {
        let values = seconds.iter().map(|second| Some(second * 1_000_000)).chain([None]);
        Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone_opt(zone.map(str::to_owned)))
    };
    let days = seconds.iter().map(|second| i32::try_from(second.div_euclid(86_400)).ok()).chain([None]);
    let of = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    RecordBatch::try_from_iter_with_nullable([
        ("at", at(Some("UTC")), true),
        ("east", at(Some("+01:00")), true),
        ("berlin", at(Some("Europe/Berlin")), true),
        ("day", Arc::new(days.collect::<Date32Array>()) as ArrayRef, true),
        ("y", numbers(&of), true),
        ("c", numbers(&of), true),
    ])
    .unwrap()
}

#[test]
fn dates_are_sliced_by_periods_and_by_what_comes_back() {
    let found = |slice: serde_json::Value| {
        let evaluation = run(&moments(), &options(json!({ "slices": [slice] }))).unwrap();
        let rows = evaluation.slices[1..].iter().map(|slice| format!("{} {}", slice.slice, slice.rows));
        rows.collect::<Vec<_>>()
    };
    assert_eq!(
        found(json!({"column": "at", "by": "day"})),
        [
            "at=(null) 1",
            "at=1969-12-31 1",
            "at=2026-11-21 1",
            "at=2026-11-22 2",
            "at=2026-11-23 1",
            "at=2027-01-03 1"
        ]
    );
    assert_eq!(
        found(json!({"column": "east", "by": "day", "name": "local day"})),
        [
            "local day=(null) 1",
            "local day=1970-01-01 1",
            "local day=2026-11-22 3",
            "local day=2026-11-23 1",
            "local day=2027-01-03 1"
        ]
    );
    assert_eq!(
        found(json!({"column": "day", "by": "week"})),
        ["day=(null) 1", "day=1970-W01 1", "day=2026-W47 3", "day=2026-W48 1", "day=2026-W53 1"]
    );
    // In the order of the week, and what is not known last.
    assert_eq!(
        found(json!({"column": "at", "by": "weekday"})),
        ["at=Monday 1", "at=Wednesday 1", "at=Saturday 1", "at=Sunday 3", "at=(null) 1"]
    );
    assert_eq!(
        found(json!({"column": "at", "by": "hour_of_day"})),
        ["at=0 2", "at=5 1", "at=13 1", "at=23 2", "at=(null) 1"]
    );
    assert_eq!(
        found(json!([{"column": "at", "by": "year"}, {"column": "day", "by": "month_of_year"}]))[1..3],
        ["at=1969, day=December 1", "at=2026, day=November 4"]
    );
    assert_eq!(
        found(json!({"columns": [{"column": "at", "by": "quarter"}], "top": 1})),
        ["at=2026-Q4 4", "at=(null) 1", "at=(other) 2"]
    );
}

#[test]
fn dates_that_have_no_calendar_are_refused() {
    let refused = |slice: serde_json::Value| {
        let error = run(&moments(), &options(json!({ "slices": [slice] }))).unwrap_err();
        (error.to_string(), error.hint().unwrap_or_default())
    };
    let (error, hint) = refused(json!({"column": "berlin", "by": "hour"}));
    assert_eq!(
        error,
        "slices column `berlin` by hour, but its times are in the zone `Europe/Berlin`, whose offset changes"
    );
    assert!(hint.contains("CAST(berlin AS TIMESTAMP)"), "{hint}");
    // What the hint says can be done.
    let slice = json!({"expression": "date_trunc('day', CAST(berlin AS TIMESTAMP))"});
    assert!(run(&moments(), &options(json!({ "slices": [slice] }))).is_ok());
    let (error, _) = refused(json!({"column": "y", "by": "day"}));
    assert_eq!(error, "slices column `y` by day, but it holds float");
    let both = json!({"column": "at", "by": "day", "quantiles": 4});
    let error = options(json!({ "slices": [both] })).check().unwrap_err().to_string();
    assert_eq!(error, "`slices[0]` has both `quantiles` and `by`");
    let error = options(json!({"slices": [{"by": "day"}]})).check().unwrap_err().to_string();
    assert_eq!(error, "`slices[0]` has buckets of no column");
}

#[test]
fn a_value_of_what_has_several_columns_is_refused_with_the_slices_there_are() {
    let asked = |place: serde_json::Value| {
        let slices = json!([
            {"name": "both", "columns": ["g", "day"]},
            {"name": "most", "columns": ["g", "day"], "top": 1},
            {"name": "band", "column": "y", "quantiles": 2}
        ]);
        options(json!({"slices": slices, "require": [{"metric": "mae", "at_most": 9, "where": place}]}))
            .check()
    };
    for (name, told) in [("both", "`both`"), ("most", "`most`")] {
        let error = asked(json!({name: "a"})).unwrap_err();
        let text = error.to_string();
        assert_eq!(
            text,
            format!(
                "`require[0]` has {told} under `where`, but slices of that name are told by `g`, `day`, so none would match"
            )
        );
        let hint = sluice_core::error::Diagnostic::hint(&error).unwrap();
        assert_eq!(
            hint,
            "fix the values of `g`, `day` instead; there are slices by `g`, `day`; by `g`, `day`; by `band`"
        );
    }
    assert!(asked(json!({"g": "a", "day": "1970-01-01"})).is_ok());
    assert!(asked(json!({"band": "[-inf, 3)"})).is_ok());
}
