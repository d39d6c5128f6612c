//! A suite of Great Expectations, as `ExpectationSuite.to_json_dict` gives it (`type`), and of before 1.0
//! (`expectation_type`).
//!
//! A suite does not say which type a column has unless it expects one (`expect_column_values_to_be_of_type`, `…_in_type_list`);
//! without it bounds cannot be taken over. `mostly` is the least share of values in the domain, or of rows with a value.

use serde_json::Value;
use sluice_core::schema::{Schema, UniqueConstraint};

use super::draft::{Drafts, NEW_COLUMNS, ROW_RULE, Remarks};
use super::pandera::type_of;
use super::{Imported, SchemaOrigin};

/// An expectation.
struct Expectation<'a> {
    rule: &'a str,
    kwargs: &'a Value,
}

impl Expectation<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.kwargs.get(key)?.as_str()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.kwargs.get(key)?.as_f64()
    }

    fn integer(&self, key: &str) -> Option<i64> {
        self.kwargs.get(key)?.as_i64()
    }

    fn is(&self, key: &str) -> bool {
        self.kwargs.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(&self, key: &str) -> &[Value] {
        self.kwargs.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn mostly(&self) -> f64 {
        self.number("mostly").unwrap_or(1.0)
    }

    /// A count from a bound that may be open.
    fn count(&self, key: &str, strict: &str, step: i64) -> Option<i64> {
        self.integer(key).map(|bound| if self.is(strict) { bound + step } else { bound })
    }
}

pub(super) fn import(value: &Value) -> Result<Imported, String> {
    let expectations =
        value.get("expectations").and_then(Value::as_array).ok_or("it has no list `expectations`")?;
    let (mut drafts, mut schema, mut remarks) = (Drafts::default(), Schema::default(), Remarks::default());
    for (number, value) in expectations.iter().enumerate() {
        let rule = value.get("type").or_else(|| value.get("expectation_type")).and_then(Value::as_str);
        let rule = rule.ok_or_else(|| format!("expectation {} has no type", number + 1))?;
        let one = Expectation { rule, kwargs: value.get("kwargs").unwrap_or(&Value::Null) };
        let column = one.text("column");
        if one.kwargs.get("row_condition").is_some_and(|condition| !condition.is_null()) {
            remarks.left_out(column, rule, "it holds for some rows only; say it as a rule of rows");
        } else if let Some(column) = column {
            of_column(&one, column, &mut drafts, &mut remarks);
        } else {
            of_table(&one, &mut schema, &mut drafts, &mut remarks);
        }
    }
    schema.features = drafts.finish(&mut remarks);
    Ok(Imported { origin: SchemaOrigin::GreatExpectations, schema, remarks: remarks.0 })
}

fn of_table(one: &Expectation<'_>, schema: &mut Schema, drafts: &mut Drafts, remarks: &mut Remarks) {
    match one.rule {
        "expect_table_row_count_to_be_between" => {
            schema.min_rows = one.count("min_value", "strict_min", 1);
            schema.max_rows = one.count("max_value", "strict_max", -1);
        }
        "expect_table_row_count_to_equal" => {
            (schema.min_rows, schema.max_rows) = (one.integer("value"), one.integer("value"));
        }
        "expect_table_columns_to_match_set" | "expect_table_columns_to_match_ordered_list" => {
            let names = one.list("column_set").iter().chain(one.list("column_list"));
            for name in names.filter_map(Value::as_str) {
                drafts.of(name).must_exist = true;
            }
            remarks.approximated(None, one.rule, NEW_COLUMNS);
        }
        rule => remarks.left_out(None, rule, ROW_RULE),
    }
}

fn of_column(one: &Expectation<'_>, column: &str, drafts: &mut Drafts, remarks: &mut Remarks) {
    let draft = drafts.of(column);
    let rule = one.rule;
    match rule {
        "expect_column_to_exist" => draft.must_exist = true,
        "expect_column_values_to_not_be_null" => draft.min_fraction = Some(one.mostly()),
        "expect_column_proportion_of_non_null_values_to_be_between" => {
            draft.min_fraction = one.number("min_value");
            if one.number("max_value").is_some_and(|most| most < 1.0) {
                remarks.left_out(Some(column), "max_value", "presence has a lower bound only");
            }
        }
        "expect_column_values_to_be_of_type" | "expect_column_values_to_be_in_type_list" => {
            let names =
                one.text("type_").into_iter().chain(one.list("type_list").iter().filter_map(Value::as_str));
            let mut types: Vec<_> = names.map(type_of).collect();
            types.dedup();
            match types.as_slice() {
                [Some((feature_type, is_boolean))] => {
                    draft.feature_type = Some(*feature_type);
                    draft.is_boolean = *is_boolean;
                }
                _ => remarks.left_out(Some(column), rule, "the types are not one of TFDV's"),
            }
        }
        "expect_column_values_to_be_between"
        | "expect_column_min_to_be_between"
        | "expect_column_max_to_be_between" => {
            between(one, column, drafts, remarks);
        }
        "expect_column_values_to_be_in_set" | "expect_column_distinct_values_to_be_in_set" => {
            draft.one_of(one.list("value_set"), rule, remarks);
            draft.min_domain_mass = one.mostly();
        }
        "expect_column_unique_value_count_to_be_between" => {
            let min = one.count("min_value", "strict_min", 1);
            let max = one.count("max_value", "strict_max", -1);
            draft.unique = Some(UniqueConstraint { min, max });
        }
        rule => remarks.left_out(Some(column), rule, ROW_RULE),
    }
}

/// Bounds of all values; the least and the greatest value have two bounds each, of which one says something of all.
fn between(one: &Expectation<'_>, column: &str, drafts: &mut Drafts, remarks: &mut Remarks) {
    let (draft, rule) = (drafts.of(column), one.rule);
    let is_set = |key: &str| one.kwargs.get(key).is_some_and(|value| !value.is_null());
    let (min, max) = (one.number("min_value"), one.number("max_value"));
    if (is_set("min_value") && min.is_none()) || (is_set("max_value") && max.is_none()) {
        return remarks.left_out(Some(column), rule, "bounds are of numbers only");
    }
    if let (Some(min), false) = (min, rule == "expect_column_max_to_be_between") {
        draft.at_least(min, !one.is("strict_min"), rule);
    }
    if let (Some(max), false) = (max, rule == "expect_column_min_to_be_between") {
        draft.at_most(max, !one.is("strict_max"), rule);
    }
    draft.min_domain_mass = one.mostly();
    let unused = match rule {
        "expect_column_max_to_be_between" => min.map(|_| "min_value"),
        "expect_column_min_to_be_between" => max.map(|_| "max_value"),
        _ => None,
    };
    if let Some(bound) = unused {
        remarks.left_out(
            Some(column),
            &format!("{rule}, {bound}"),
            "a schema bounds values, not their extremes",
        );
    }
}
