//! TFDV's own test cases (`golden.json`, outside the repository), as far as flat columns can say them.

mod distances;

use serde_json::Value;
use sluice_core::column::ColumnKind;
use sluice_core::schema::Schema;
use sluice_core::schema::Shape;
use sluice_core::statistics::{ColumnStatistics, NumericStatistics, TopValues};
use sluice_testkit::datasets::external;

use crate::sample::{column, dataset, missing};
use crate::schema::{InferOptions, infer_schema, read_schema};
use crate::validation::{NewColumns, ValidateOptions, validate};

/// A column as a case describes it; `None` where flat columns cannot say it.
fn sample(name: &str, input: &Value, default_type: &str) -> Option<ColumnStatistics> {
    if input.get("levels").is_some() || input["max_num_values"].as_u64().is_some_and(|most| most > 1) {
        return None;
    }
    let kind = match input["type"].as_str().unwrap_or(default_type) {
        "INT" => ColumnKind::Integer,
        "FLOAT" => ColumnKind::Float,
        "STRING" => ColumnKind::Text,
        _ => ColumnKind::Binary,
    };
    let num_missing = input["num_missing"].as_u64().unwrap_or(0);
    let mut sample = missing(
        column(name, kind, input["num_non_missing"].as_u64().unwrap_or(10) + num_missing),
        num_missing,
    );
    let number = |key: &str| input[key].as_f64();
    if input["max"] == "Infinity" {
        sample.presence.num_positive_infinity = 1;
    }
    sample.presence.num_nan = input["histogram_num_nan"].as_u64().unwrap_or(0);
    if matches!(sample.kind, ColumnKind::Integer | ColumnKind::Float) {
        sample.numeric = Some(NumericStatistics {
            num_finite: 0,
            num_zeros: 0,
            mean: None,
            standard_deviation: None,
            min: number("min").or(Some(0.0)),
            max: number("max").or(Some(0.0)),
            exact_range: None,
            quantiles: None,
            histograms: None,
        });
    }
    let labels = match (&input["rank_histogram"], &input["labels"]) {
        (Value::Object(counts), _) | (_, Value::Object(counts)) => {
            counts.iter().map(|(value, count)| (value.clone(), count.as_u64().unwrap_or(0))).collect()
        }
        (Value::String(_), _) => vec![("A".to_owned(), 1), ("B".to_owned(), 1), ("D".to_owned(), 2)],
        (_, Value::Array(values)) => {
            values.iter().map(|value| (value.as_str().unwrap().to_owned(), 1)).collect()
        }
        _ => Vec::new(),
    };
    if sample.kind == ColumnKind::Text && input.get("unique").is_none_or(|_| !labels.is_empty()) {
        sample.top_values = Some(TopValues { values: labels, max_error: 0, is_complete: true });
    }
    Some(sample)
}

/// A schema of one column from the JSON of a case.
fn schema(name: &str, input: &Value) -> Schema {
    let mut text = format!("feature {{ name: '{name}' ");
    for (key, value) in input.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("type", Value::String(value)) => text += &format!("type: {value} "),
            ("domain", Value::Array(values)) => {
                let values: String = values.iter().map(|value| format!("value: {value} ")).collect();
                text += &format!("string_domain {{ name: 'list' {values} }} ");
            }
            (_, Value::Object(fields)) => {
                let fields: String = fields.iter().map(|(key, value)| format!("{key}: {value} ")).collect();
                text += &format!("{key} {{ {fields} }} ");
            }
            _ => {}
        }
    }
    read_schema(&(text + "}"), "golden.json").unwrap().schema().clone()
}

/// The types of all findings, as TFDV names them.
fn anomalies(schema: &Schema, column: Option<ColumnStatistics>) -> Vec<String> {
    let options = ValidateOptions { new_columns: NewColumns::Error, ..ValidateOptions::default() };
    let report = validate(&dataset(column.into_iter().collect()), schema, &options);
    let names = report.findings.into_iter().map(|finding| finding.tfdv.name);
    // The cases leave the type open; TFDV's tests do not look at that.
    names.filter(|name| name != "FEATURE_MISSING_TYPE").collect()
}

/// Whether the case was said and checked; `None` where flat columns cannot say it.
fn check(case: &Value) -> Option<()> {
    match case["op"].as_str()? {
        "infer_schema" => check_inference(case),
        "validate_statistics" => check_validation(case),
        "presence" => {
            let input = &case["input"];
            assert_eq!(
                anomalies(&schema("f", input), Some(sample("f", input, "STRING")?)),
                [""; 0],
                "{case}"
            );
            Some(())
        }
        "string_domain" => check_list(case),
        "string_domain_candidate" | "bool_domain_candidate" => check_candidates(case),
        "l_infinity" | "normalized_abs_difference" | "jensen_shannon" => distances::check_distance(case),
        "skew" => distances::check_skew(case),
        "shape" => distances::check_shape(case),
        "num_examples_comparator" => distances::check_rows(case),
        op @ ("bool_domain" | "int_domain" | "float_domain") => check_domain(op, case),
        _ => None,
    }
}

fn check_inference(case: &Value) -> Option<()> {
    let (options, expect) = (&case["options"], &case["expect"]);
    let presence = expect.get("presence")?;
    let column = sample("f", case["input"].get("feature")?, "STRING")?;
    let size = options["max_string_domain_size"].as_u64().map_or(100, |size| usize::try_from(size).unwrap());
    let inferred = infer_schema(
        &dataset(vec![column]),
        &InferOptions { max_string_domain_size: size, ..InferOptions::default() },
    );
    let feature = &inferred.features[0];
    assert_eq!(feature.presence.min_count, presence["min_count"].as_i64(), "{case}");
    assert_eq!(feature.presence.min_fraction, presence["min_fraction"].as_f64(), "{case}");
    assert!(feature.domain.is_none() && expect["domain"].is_null(), "{case}");
    assert_eq!(feature.shape == Shape::scalar(), presence.get("min_fraction").is_some(), "{case}");
    Some(())
}

fn check_validation(case: &Value) -> Option<()> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let (rules, stats) = (input["schema"].as_object()?, &input["stats"]);
    let (rules, stats) = if let Some(rules) = rules.get("feature") {
        (rules.get("annotated_enum")?, &stats["annotated_enum"])
    } else {
        (rules.get("f").or_else(|| rules.get("bar"))?, &stats["f"])
    };
    let data_type = rules["type"].as_str().filter(|name| *name != "BYTES").unwrap_or("STRING");
    let column = match stats {
        // The case has no column at all; ours needs one to have rows.
        Value::Null => column("g", ColumnKind::Date, 1),
        stats => sample("f", stats, data_type)?,
    };
    let wanted = expect.get("type").or_else(|| expect["bar"].get("type"))?.as_str()?;
    assert_eq!(anomalies(&schema("f", rules), Some(column))[0], wanted, "{case}");
    Some(())
}

fn check_list(case: &Value) -> Option<()> {
    let input = &case["input"];
    if input.get("invalid_utf8_count").is_some() {
        return None;
    }
    let mass = 1.0 - case["options"]["max_off_domain"].as_f64().unwrap_or(0.0);
    let rules = serde_json::json!({
        "type": "BYTES", "domain": input["domain"], "distribution_constraints": { "min_domain_mass": mass },
    });
    let is_valid = anomalies(&schema("f", &rules), Some(sample("f", input, "STRING")?)).is_empty();
    assert_eq!(is_valid, case["expect"]["valid"].as_bool()?, "{case}");
    Some(())
}

fn check_candidates(case: &Value) -> Option<()> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let cases = input["cases"].as_array().cloned().unwrap_or_else(|| vec![input["labels"].clone()]);
    let size = case["options"]["limit"].as_u64().map_or(0, |limit| usize::try_from(limit).unwrap());
    for (index, labels) in cases.iter().enumerate() {
        let column = sample("f", &serde_json::json!({ "labels": labels }), "STRING")?;
        let schema = infer_schema(
            &dataset(vec![column]),
            &InferOptions { max_string_domain_size: size, ..InferOptions::default() },
        );
        let wanted = expect["candidate"].get(index).unwrap_or(&expect["candidate"]);
        assert_eq!(schema.features[0].domain.is_some(), wanted.as_bool()?, "{case} {labels}");
    }
    Some(())
}

fn check_domain(op: &str, case: &Value) -> Option<()> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let words = serde_json::json!({ "true_value": "true", "false_value": "false" });
    let rules = serde_json::json!({ op: input.get("domain").unwrap_or(&words) });
    let data_type = match op {
        _ if input.get("labels").is_some() => "STRING",
        "float_domain" => "FLOAT",
        _ => "INT",
    };
    let found = anomalies(&schema("f", &rules), Some(sample("f", input, data_type)?));
    let wanted: Vec<&str> = expect["type"].as_str().into_iter().collect();
    assert_eq!(found, wanted, "{case}");
    Some(())
}

#[test]
fn cases_of_tfdv_agree() {
    let Some(path) = external("../reference/golden.json") else { return };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap().iter().filter(|case| case["area"] == "anomalies");
    let (checked, skipped): (Vec<&Value>, Vec<&Value>) = cases.partition(|case| check(case).is_some());
    for case in &skipped {
        report_skipped(case);
    }
    assert!(checked.len() >= 33, "only {} cases were checked", checked.len());
}

/// Why a case is not checked here: the end of its number, and where it is checked or why nowhere.
const ELSEWHERE: [(&str, &str); 14] = [
    ("026", "inference: `schema::infer`"),
    ("028", "inference: `schema::infer`"),
    ("030", "updates: `schema::update`"),
    ("034", "`validation::agreement`, case `weighted`"),
    ("040", "`validation::agreement`, case `environments`"),
    ("048", "images are not judged"),
    ("052", "`validation::agreement`, case `how many different`"),
    ("054", "`validation::agreement`, case `how many different`"),
    ("056", "`validation::agreement`, case `sparse`"),
    ("058", "updates: `schema::update`"),
    ("060", "updates: `schema::update`"),
    ("062", "the distance is that of anom-010; the proposed threshold is the distance"),
    ("072", "a shape that a missing row leaves whole is a wish of a format older than ours"),
    ("074", "`validation::agreement`, case `words that are not UTF-8`"),
];

#[allow(clippy::print_stdout, reason = "a skipped check must be seen in the test's output")]
fn report_skipped(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let why = ELSEWHERE.iter().find(|(end, _)| id.ends_with(end)).map(|(_, why)| *why);
    let why = why.unwrap_or_else(|| panic!("{id} is neither checked nor listed"));
    println!("skipped: {id} {}: {why}", case["op"]);
}
