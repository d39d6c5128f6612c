//! Our findings against TFDV's anomalies on the same statistics and schemas: types, order, severities, sentences
//! and distances. `tests/data/anomalies` has the cases, TFDV's answers and the script that asked it.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Bucket, ColumnStatistics, CustomStatistic, DatasetStatistics, DatasetWeight, Distinct, Histogram,
    Histograms, Level, NumericStatistics, Presence, TextStatistics, TopValues, Valency, WeightedStatistics,
};

use super::place::Place;
use super::*;
use crate::schema::{read_schema, serialized_path};

const CASES: &str = include_str!("../../../../tests/data/anomalies/cases.json");
const EXPECTED: &str = include_str!("../../../../tests/data/anomalies/expected.json");

/// Where we differ on purpose, or cannot say it: case, column (all where empty), why.
const DIFFERENT: [(&str, &str, &str); 9] = [
    ("type", "c", "whole numbers pass where the schema says FLOAT"),
    ("a wrong type and its domain", "b", "whole numbers pass where the schema says FLOAT"),
    ("a wrong type and its domain", "g", "whole numbers pass where the schema says FLOAT"),
    ("a domain that is wrong", "", "what contradicts itself is a finding on the schema"),
    ("structs without values", "v.a", "what lies in a struct is not in an environment without the struct"),
    ("images", "", "images are not judged"),
    ("derived", "", "derived features are not judged"),
    ("no type", "", "a schema that leaves the type open passes, with a warning"),
    ("no type but words", "", "a schema that leaves the type open passes, with a warning"),
];

fn count(given: &Value, key: &str, default: u64) -> u64 {
    given[key].as_u64().unwrap_or(default)
}

fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0.0)
}

fn histogram(given: &Value) -> Histogram {
    let buckets = given.as_array().into_iter().flatten();
    let bucket = |one: &Value| Bucket { low: number(&one[0]), high: number(&one[1]), count: number(&one[2]) };
    Histogram { buckets: buckets.map(bucket).collect(), max_error: 0.0 }
}

fn ranks(given: &Value) -> Vec<(String, f64)> {
    let ranks = given.as_array().into_iter().flatten();
    ranks.map(|one| (one[0].as_str().unwrap().to_owned(), number(&one[1]))).collect()
}

/// The lists of a column, if it has any.
fn valency(given: &Value, present: u64, missing: u64) -> Option<Valency> {
    let (shortest, longest) = (count(given, "min_values", 1), count(given, "max_values", 1));
    let num_values = count(given, "values", present * longest);
    let is_list = given.get("levels").is_some() || (shortest, longest) != (1, 1);
    is_list.then(|| {
        let one = serde_json::json!([{ "present": present, "missing": missing, "min": shortest,
            "max": longest, "total": num_values }]);
        let levels = given.get("levels").unwrap_or(&one).as_array().unwrap();
        let level = |level: &Value| Level {
            num_present: count(level, "present", 0),
            num_missing: count(level, "missing", 0),
            num_empty: 0,
            min_length: count(level, "min", 0),
            max_length: count(level, "max", 0),
            num_elements: count(level, "total", 0),
        };
        Valency { levels: levels.iter().map(level).collect(), num_null_values: 0, lengths: None }
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
fn column(given: &Value) -> ColumnStatistics {
    let steps: Vec<String> = match &given["path"] {
        Value::Array(steps) => steps.iter().map(|step| step.as_str().unwrap().to_owned()).collect(),
        name => vec![name.as_str().unwrap().to_owned()],
    };
    let place = Place::new(steps.clone());
    let kind = match given["type"].as_str().unwrap() {
        "INT" => ColumnKind::Integer,
        "FLOAT" => ColumnKind::Float,
        "STRING" => ColumnKind::Text,
        "BYTES" => ColumnKind::Binary,
        _ => ColumnKind::Struct(Vec::new()),
    };
    let mut column = ColumnStatistics::new(place.name(), kind.clone());
    if steps.len() > 1 {
        column.path = steps;
    }
    let (present, missing) = (count(given, "present", 10), count(given, "missing", 0));
    column.presence = Presence { num_rows: present + missing, num_missing: missing, ..Presence::default() };
    column.valency = valency(given, present, missing);
    if matches!(kind, ColumnKind::Integer | ColumnKind::Float) {
        numbers(given, &mut column);
    } else if kind == ColumnKind::Text {
        let values = ranks(&given["ranks"]).into_iter().map(|(label, count)| (label, count as u64)).collect();
        column.top_values = Some(TopValues { values, max_error: 0, is_complete: true });
        column.distinct = given["unique"].as_u64().map(|count| Distinct { count, relative_error: 0.0 });
        let num_invalid_utf8 = count(given, "invalid_utf8", 0);
        column.text = Some(TextStatistics {
            mean_length_bytes: 0.0,
            min_length_bytes: 0,
            max_length_bytes: 0,
            num_invalid_utf8,
        });
    }
    if let Some(weighted) = given.get("weighted") {
        column.weighted = Some(WeightedStatistics {
            num_present: number(&weighted["present"]),
            num_missing: number(&weighted["missing"]),
            num_values: number(&weighted["present"]),
            numeric: None,
            top_values: ranks(&weighted["ranks"]),
            top_values_max_error: 0.0,
        });
    }
    for (name, value) in given["custom"].as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => CustomStatistic::Text(text.clone()),
            Value::Array(_) => CustomStatistic::Counts(ranks(value)),
            value => CustomStatistic::Number(number(value)),
        };
        column.custom.insert(name.clone(), value);
    }
    column
}

fn numbers(given: &Value, column: &mut ColumnStatistics) {
    let (min, max) = (number(&given["min"]), number(&given["max"]));
    column.presence.num_nan = count(given, "nan", 0);
    column.presence.num_negative_infinity = u64::from(min.is_infinite());
    column.presence.num_positive_infinity = u64::from(max.is_infinite());
    // The buckets that reach to infinity stand for the infinities, in which the format keeps them.
    let infinite = |bound: f64| number(&given["buckets"][0][0]).is_infinite() && bound.is_infinite();
    if infinite(min) {
        column.presence.num_negative_infinity = 0;
    }
    let has_histogram = ["buckets", "quantiles", "nan"].iter().any(|key| given.get(key).is_some());
    column.numeric = Some(NumericStatistics {
        num_finite: column.presence.num_present(),
        num_zeros: 0,
        mean: None,
        standard_deviation: None,
        min: Some(min).filter(|min| min.is_finite()),
        max: Some(max).filter(|max| max.is_finite()),
        exact_range: None,
        quantiles: None,
        histograms: has_histogram.then(|| Histograms {
            equal_width: histogram(&given["buckets"]),
            equal_depth: histogram(&given["quantiles"]),
        }),
    });
}

fn statistics(given: &Value) -> DatasetStatistics {
    let weight = given["weighted_rows"].as_f64();
    DatasetStatistics {
        num_rows: count(given, "rows", 10),
        weight: weight.map(|sum| DatasetWeight { column: "w".into(), sum, sum_of_squares: None }),
        columns: given["features"].as_array().into_iter().flatten().map(column).collect(),
        ..DatasetStatistics::default()
    }
}

fn report(case: &Value) -> ValidationReport {
    let file = read_schema(case["schema"].as_str().unwrap(), "cases.json")
        .unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
    let other = |name: &str| case.get(name).map(statistics);
    let (previous, version, serving) = (other("previous"), other("previous_version"), other("serving"));
    let mut options = ValidateOptions {
        new_columns: NewColumns::Error,
        environment: case["environment"].as_str().map(str::to_owned),
        ..ValidateOptions::default()
    };
    options.check(file.schema()).unwrap();
    for (name, severity) in case["severity"].as_object().into_iter().flatten() {
        let codes = FindingCode::ALL.iter().filter(|code| code.tfdv().name == *name);
        let severity: SeverityOverride =
            serde_json::from_value(severity.as_str().unwrap().to_lowercase().into()).unwrap();
        options.severity.extend(codes.map(|code| (*code, severity)));
    }
    let baselines = Baselines {
        previous: previous.as_ref(),
        previous_version: version.as_ref(),
        serving: serving.as_ref(),
    };
    validate_against(&statistics(&case["statistics"]), file.schema(), &options, &baselines)
}

/// Type, short description and sentence (where TFDV has one) of each reason, by column; the data set is "".
type Reasons = BTreeMap<String, Vec<[String; 4]>>;

fn ours(report: &ValidationReport) -> Reasons {
    let mut reasons = Reasons::new();
    let told = |finding: &&Finding| !matches!(finding.code, FindingCode::Undecided | FindingCode::NoRows);
    for finding in report.findings.iter().filter(told) {
        let column = match (&finding.column, finding.path.is_empty()) {
            (Some(column), true) => serialized_path(column),
            (column, _) => column.clone().unwrap_or_default(),
        };
        let severity = if finding.severity == Severity::Error { "ERROR" } else { "WARNING" };
        let TfdvType { name, short_description, description, .. } = finding.tfdv.clone();
        reasons.entry(column).or_default().push([name, short_description, description, severity.into()]);
    }
    reasons
}

fn theirs(expected: &Value) -> Reasons {
    let dataset = expected.get("dataset").map(|entry| (String::new(), entry));
    let columns = expected["columns"].as_object().unwrap().iter();
    let entries = columns.map(|(name, entry)| (name.clone(), entry)).chain(dataset);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries
        .map(|(name, entry)| {
            let reasons = entry["reasons"].as_array().unwrap().iter();
            let severity = |reason: &Value| {
                // TFDV tells one severity per column: the worst.
                let _ = reason;
                text(&entry["severity"])
            };
            let reasons = reasons.map(|one| [text(&one[0]), text(&one[1]), text(&one[2]), severity(one)]);
            (name, reasons.collect())
        })
        .collect()
}

/// As TFDV does it: the worst severity of a column is that of all its reasons; no sentence where it has none.
fn levelled(mut reasons: Reasons, like: &Reasons) -> Reasons {
    for (name, found) in &mut reasons {
        let worst = if found.iter().any(|one| one[3] == "ERROR") { "ERROR" } else { "WARNING" };
        for (index, one) in found.iter_mut().enumerate() {
            worst.clone_into(&mut one[3]);
            let has_sentence =
                like.get(name).and_then(|like| like.get(index)).is_none_or(|it| !it[2].is_empty());
            if !has_sentence {
                one[2].clear();
            }
        }
    }
    reasons
}

#[test]
fn reasons_and_sentences_are_those_of_tfdv() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let mut disagreements = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let report = report(case);
        let mut theirs = theirs(&expected[name]);
        let mut ours = levelled(ours(&report), &theirs);
        for (_, column, _) in DIFFERENT.iter().filter(|(of, _, _)| *of == name) {
            for reasons in [&mut ours, &mut theirs] {
                reasons.retain(|found, _| !column.is_empty() && found != column);
            }
        }
        if ours != theirs {
            disagreements.push(format!("{name}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
        let is_missing = expected[name]["data_missing"] == true;
        assert_eq!(report.findings.iter().any(|it| it.code == FindingCode::NoRows), is_missing, "{name}");
    }
    assert!(cases.len() > 50);
    assert!(disagreements.is_empty(), "{} cases:\n{}", disagreements.len(), disagreements.join("\n"));
}

#[test]
fn distances_are_those_of_tfdv() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let mut compared = 0;
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let report = report(case);
        let mut theirs = Vec::new();
        for info in expected[name]["drift_skew"].as_array().into_iter().flatten() {
            for (index, against) in [(1, Against::Previous), (2, Against::Serving)] {
                for one in info[index].as_array().unwrap() {
                    let path: Vec<String> = serde_json::from_value(info[0].clone()).unwrap();
                    theirs.push((path, against, number(&one[1]), number(&one[2])));
                }
            }
        }
        assert_eq!(report.measurements.len(), theirs.len(), "{name}: {:?}", report.measurements);
        for (ours, (path, against, value, threshold)) in report.measurements.iter().zip(theirs) {
            assert_eq!((&ours.path, ours.against), (&path, against), "{name}");
            assert!((ours.value - value).abs() < 1e-9, "{name}: {} instead of {value}", ours.value);
            assert!((ours.threshold - threshold).abs() < 1e-15, "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared} distances");
}
