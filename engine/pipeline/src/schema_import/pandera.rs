//! A `DataFrameSchema` of pandera, in the form of its `to_yaml` and `to_json`.
//!
//! Taken over: `dtype`, `nullable`, `required`, and the checks of bounds and of lists of texts; checks stand beside the other
//! keys of a column (from 0.30 on), or below `checks` as a map or a list. Functions that are checks are not in the file at
//! all: pandera warns when it writes it.

use serde_json::{Map, Value};
use sluice_core::schema::{FeatureType, Schema};

use super::draft::{ColumnDraft, NEW_COLUMNS, ROW_RULE, Remarks, UNIQUE_ROWS};
use super::{Imported, SchemaOrigin};

/// Keys that say nothing of the data.
const ABOUT: [&str; 14] = [
    "title",
    "description",
    "metadata",
    "name",
    "coerce",
    "default",
    "parsers",
    "report_duplicates",
    "version",
    "api",
    "schema_type",
    "drop_invalid_rows",
    "add_missing_columns",
    "unique_column_names",
];

pub(super) fn import(value: &Value) -> Result<Imported, String> {
    let columns = value.get("columns").and_then(Value::as_object).ok_or("it has no `columns`")?;
    let mut remarks = Remarks::default();
    let mut features = Vec::new();
    for (name, rules) in columns {
        let rules = rules.as_object().ok_or_else(|| format!("column `{name}` is no map"))?;
        if rules.get("regex").and_then(Value::as_bool) == Some(true) {
            remarks.left_out(Some(name), "regex", "a schema names columns one by one");
            continue;
        }
        features.push(column(name, rules, &mut remarks).finish(&mut remarks));
    }
    for (rule, value) in value.as_object().into_iter().flatten() {
        let is_said = match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(items) => !items.is_empty(),
            _ => true,
        };
        match rule.as_str() {
            "columns" => {}
            rule if ABOUT.contains(&rule) || !is_said => {}
            "strict" => remarks.left_out(None, rule, NEW_COLUMNS),
            "unique" => remarks.left_out(None, rule, UNIQUE_ROWS),
            "checks" => remarks.left_out(None, rule, ROW_RULE),
            "index" => remarks.left_out(None, rule, "data have columns, no index"),
            _ => remarks.left_out(None, rule, "a schema has no such rule"),
        }
    }
    let schema = Schema { features, ..Schema::default() };
    Ok(Imported { origin: SchemaOrigin::Pandera, schema, remarks: remarks.0 })
}

fn column(name: &str, rules: &Map<String, Value>, remarks: &mut Remarks) -> ColumnDraft {
    let mut draft = ColumnDraft::new(name);
    let is = |rule: &str, otherwise: bool| rules.get(rule).and_then(Value::as_bool).unwrap_or(otherwise);
    draft.must_exist = is("required", true);
    if draft.must_exist && !is("nullable", false) {
        draft.min_fraction = Some(1.0);
    } else if !draft.must_exist && !is("nullable", false) {
        remarks.left_out(Some(name), "nullable", "presence is of the column and of its values together");
    }
    if let Some(dtype) = rules.get("dtype").and_then(Value::as_str) {
        match type_of(dtype) {
            Some((feature_type, is_boolean)) => {
                draft.feature_type = Some(feature_type);
                draft.is_boolean = is_boolean;
            }
            None => remarks.left_out(Some(name), &format!("dtype {dtype}"), "TFDV has no such type"),
        }
    }
    for (rule, value) in rules {
        match rule.as_str() {
            "dtype" | "nullable" | "required" | "regex" => {}
            rule if ABOUT.contains(&rule) => {}
            "unique" if value.as_bool() == Some(true) => remarks.left_out(Some(name), "unique", UNIQUE_ROWS),
            "unique" => {}
            "checks" => checks(&mut draft, value, remarks),
            rule => check(&mut draft, rule, value, remarks),
        }
    }
    draft
}

/// The checks of a column that stand by themselves: a map by name, or a list with names in the options.
fn checks(draft: &mut ColumnDraft, value: &Value, remarks: &mut Remarks) {
    match value {
        Value::Object(checks) => checks.iter().for_each(|(rule, value)| check(draft, rule, value, remarks)),
        Value::Array(checks) => {
            for value in checks {
                let name = value.pointer("/options/check_name").and_then(Value::as_str);
                match name {
                    Some(rule) => check(draft, rule, value, remarks),
                    None => remarks.left_out(Some(&draft.name), "checks", "a check without a name"),
                }
            }
        }
        _ => {}
    }
}

fn check(draft: &mut ColumnDraft, rule: &str, value: &Value, remarks: &mut Remarks) {
    // An argument alone, or with options beside it.
    let argument = value.get("value").unwrap_or(value);
    let name = draft.name.clone();
    let Some(number) = argument.as_f64() else {
        return match rule {
            "in_range" => in_range(draft, value, remarks),
            "isin" => {
                let values = argument.get("allowed_values").unwrap_or(argument);
                draft.one_of(values.as_array().map_or(&[], Vec::as_slice), rule, remarks);
            }
            _ => remarks.left_out(Some(&name), rule, ROW_RULE),
        };
    };
    match rule {
        "greater_than" => draft.at_least(number, false, rule),
        "greater_than_or_equal_to" => draft.at_least(number, true, rule),
        "less_than" => draft.at_most(number, false, rule),
        "less_than_or_equal_to" => draft.at_most(number, true, rule),
        "equal_to" => {
            draft.at_least(number, true, rule);
            draft.at_most(number, true, rule);
        }
        _ => remarks.left_out(Some(&name), rule, ROW_RULE),
    }
}

fn in_range(draft: &mut ColumnDraft, value: &Value, remarks: &mut Remarks) {
    let bound = |key: &str| value.get(key).and_then(Value::as_f64);
    let is_closed = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(true);
    let (Some(min), Some(max)) = (bound("min_value"), bound("max_value")) else {
        return remarks.left_out(Some(&draft.name), "in_range", "bounds are of numbers only");
    };
    draft.at_least(min, is_closed("include_min"), "in_range");
    draft.at_most(max, is_closed("include_max"), "in_range");
}

/// The type of a name of pandas, NumPy, pyarrow or polars, and whether it is that of truth values.
pub(super) fn type_of(name: &str) -> Option<(FeatureType, bool)> {
    let lower = name.to_lowercase();
    let base = lower.split(['[', '(']).next().unwrap_or_default().trim();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| base.starts_with(prefix));
    if starts(&["bool"]) {
        Some((FeatureType::Int, true))
    } else if starts(&["int", "uint", "bigint", "smallint", "tinyint", "long"]) && base != "interval" {
        Some((FeatureType::Int, false))
    } else if starts(&["float", "double", "decimal", "numeric", "real", "halffloat"]) {
        Some((FeatureType::Float, false))
    } else if starts(&[
        "str",
        "object",
        "category",
        "varchar",
        "char",
        "text",
        "utf8",
        "large_string",
        "bytes",
        "binary",
    ]) || starts(&["datetime", "date", "timestamp", "time"])
    {
        Some((FeatureType::Bytes, false))
    } else {
        None
    }
}
