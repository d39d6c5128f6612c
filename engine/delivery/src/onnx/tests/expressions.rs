//! Expressions of `derive`: what tract makes of sample and edge rows is what ours answers.

use serde_json::json;

use super::{parts, table};
use crate::onnx::graph::Export;
use crate::onnx::verify::verify;
use crate::onnx::{Bound, OnnxInput};

/// Exports and runs an expression. Indicators tell true, false and null apart; a constant in the place of null or NaN
/// makes a number that a model can take.
fn run(expression: &str, is_condition: bool) -> Result<(Bound, Vec<OnnxInput>), sluice_core::Error> {
    let table = table(300);
    let follows = if is_condition {
        json!({ "one_hot": ["z"] })
    } else {
        json!({ "impute": { "columns": ["z"], "with": { "constant": -77.5 } } })
    };
    let parts = parts(&table, &json!([{ "derive": { "z": expression } }, follows]));
    let export = Export::new(&parts)?;
    let rows = verify(&parts, &export, &table)?;
    assert!(rows > 300, "{rows} rows of {expression}");
    Ok((export.bounds[0], export.inputs.describe()))
}

fn bound(expression: &str, is_condition: bool) -> Bound {
    run(expression, is_condition).unwrap_or_else(|error| panic!("{expression}: {error}")).0
}

/// Conditions, which have no bound.
fn conditions(expressions: &[&str]) {
    for expression in expressions {
        assert_eq!(bound(expression, true), Bound::EXACT, "{expression}");
    }
}

fn exact(expressions: &[&str]) {
    for expression in expressions {
        assert_eq!(bound(expression, false), Bound::EXACT, "{expression}");
    }
}

fn near(expressions: &[&str]) {
    for expression in expressions {
        let bound = bound(expression, false);
        assert!(bound.0 > 0.0 && bound.0 <= 1e-10, "{expression}: {bound:?}");
    }
}

#[test]
fn floats_are_joined_to_the_bit() {
    exact(&[
        "p + q",
        "p - q * 2",
        "q / p",
        "q % 3",
        "x % p",
        "-x",
        "abs(q)",
        "sqrt(p)",
        "m / p",
        "n / 4",
        "p + n",
        "floor(q)",
        "ceil(q)",
        "round(q)",
        "round(q, 2)",
        "round(q, -1)",
        "sign(x)",
    ]);
    near(&["ln(p)", "log10(p)", "log2(x * x + 1)", "exp(q)", "pow(p, 0.3)", "pow(x, 0)", "power(p, q)"]);
}

#[test]
fn integers_are_joined_as_doubles() {
    near(&["n + m", "n - 3", "n * m", "n * n", "abs(n) + 1", "u + u", "n + u", "d * 2", "d / 2"]);
    exact(&["n % 3", "-n", "abs(n)", "CAST(n AS DOUBLE) / 3", "sign(n)", "-m / p"]);
    conditions(&["n % 3 = 1", "n + 1 > m"]);
}

#[test]
fn conditions_have_three_values() {
    conditions(&[
        "x > 5",
        "x <= 5",
        "x = 5",
        "x <> 5",
        "NOT x > 5",
        "x > q",
        "n > 2",
        "n <> 2",
        "n >= 1.5",
        "u < 3",
        "n = m",
        "n > 2 AND x > 5",
        "n > 2 OR x > 5",
        "NOT (n > 2 AND x > 5)",
        "NOT (n > 2 OR NOT b)",
        "b",
        "NOT b",
        "b = (x > 5)",
        "x IS NULL",
        "x IS NOT NULL",
        "n IS NULL",
        "c IS NULL",
        "(x > 5) IS TRUE",
        "(x > 5) IS FALSE",
        "(x > 5) IS NOT FALSE",
        "x IS DISTINCT FROM q",
        "n IS NOT DISTINCT FROM m",
        "x IS NOT DISTINCT FROM x",
        "isnan(x)",
        "isfinite(x)",
        "isinf(x)",
        "isfinite(n)",
        "d > 12.5",
        "x BETWEEN 2 AND 50",
        "n IN (1, 2, 5)",
        "n NOT IN (1, 2, 5)",
        "n IN (1, NULL)",
        "x IN (1, 2)",
        "n = 9007199254740993",
        "m IS NULL",
        "CAST(x AS BOOLEAN)",
        "n > 2 AND NULL",
    ]);
}

#[test]
fn texts_are_compared_with_constants() {
    exact(&["CASE WHEN c = 'c1' THEN q ELSE p END"]);
    conditions(&[
        "c = 'c1'",
        "c <> 'c1'",
        "'c1' = c",
        "c = 'never'",
        "c IN ('c1', 'c2')",
        "c NOT IN ('c1', NULL)",
        "c IS DISTINCT FROM 'c1'",
        "c IS NULL OR c = 'c2'",
        "COALESCE(c, 'c1') = 'c1'",
        "CASE WHEN n > 1 THEN 'a' WHEN x > 1 THEN 'b' END = 'a'",
    ]);
}

#[test]
fn what_chooses_keeps_nulls_apart() {
    exact(&[
        "CASE WHEN x > 5 THEN 1 ELSE 0 END",
        "CASE WHEN x > 5 THEN 1 END",
        "CASE WHEN NOT x > 5 THEN q ELSE p END",
        "CASE WHEN n = 1 THEN x WHEN n = 2 THEN q ELSE NULL END",
        "CASE n WHEN 1 THEN 10 WHEN 2 THEN 20 ELSE m END",
        "COALESCE(x, 0)",
        "COALESCE(x, q)",
        "COALESCE(n, m)",
        "COALESCE(x, n, 3)",
        "NULLIF(n, 2)",
        "NULLIF(x, 5)",
        "GREATEST(x, q)",
        "LEAST(x, q, 3)",
        "GREATEST(n, m)",
        "LEAST(n, x)",
        "COALESCE(CASE WHEN x > 5 THEN q END, -1)",
        "CASE WHEN TRUE THEN x ELSE 1 END",
        "CASE WHEN x IS NULL THEN 1 WHEN isnan(x) THEN 2 ELSE 3 END",
        "CAST(q AS BIGINT)",
        "TRY_CAST(x AS INTEGER)",
        "TRY_CAST(n AS TINYINT)",
        "TRY_CAST(x AS BIGINT)",
        "CAST(b AS INTEGER)",
        "CAST(m > 0 AS DOUBLE)",
    ]);
    near(&["COALESCE(x, 0) + ln(p)"]);
    conditions(&["CASE WHEN b THEN x > 5 ELSE n > 2 END", "COALESCE(b, n > 2)"]);
}

#[test]
fn dates_have_parts() {
    exact(&["hour(at)", "dayofweek(day)", "EXTRACT(year FROM nano)", "isodow(at)", "month(day)"]);
    conditions(&[
        "at IS NULL",
        "day < DATE '2000-02-29'",
        "day >= '2000-02-29'",
        "at > TIMESTAMP '2001-09-09 01:46:40'",
        "nano <> '2000-01-01'",
        "day BETWEEN '1969-12-31' AND '2024-12-31'",
        "day IS DISTINCT FROM DATE '2000-02-29'",
    ]);
    near(&["year(day) - 1970", "hour(at) * 60 + minute(at)"]);
}

#[test]
fn only_who_asks_for_nulls_of_floats_gets_a_mask() {
    let inputs = |expression: &str, is_condition: bool| -> Vec<String> {
        run(expression, is_condition).unwrap().1.into_iter().map(|input| input.name).collect()
    };
    assert_eq!(inputs("x * 2 + q", false), ["x", "q"]);
    assert_eq!(inputs("CASE WHEN x > 5 THEN 1 ELSE 0 END", false), ["x"]);
    assert_eq!(inputs("COALESCE(x, q)", false), ["x", "x_is_null", "q"]);
    assert_eq!(inputs("x > 5 AND b", true), ["x", "x_is_null", "b", "b_is_null"]);
}

#[test]
fn a_derived_text_is_a_level() {
    let table = table(300);
    let size = "CASE WHEN x > 50 THEN 'far' WHEN x > 10 THEN 'near' WHEN x IS NULL THEN NULL ELSE 'here' END";
    for follows in [
        json!({ "one_hot": ["z"] }),
        json!({ "target_mean": ["z"] }),
        json!({ "frequency": ["z"] }),
        json!({ "cross": { "columns": ["z", "k"] } }),
        json!({ "impute": { "columns": ["z"], "with": { "constant": "none" } } }),
    ] {
        let operations = json!([{ "derive": { "z": size } }, follows, { "one_hot": ["z"] }]);
        let first = follows.as_object().and_then(|operation| operation.keys().next()).cloned();
        let operations = match first.as_deref() {
            Some("one_hot" | "target_mean" | "frequency") => json!([operations[0], follows]),
            _ => operations,
        };
        let parts = parts(&table, &operations);
        let export = Export::new(&parts).unwrap_or_else(|error| panic!("{follows}: {error}"));
        verify(&parts, &export, &table).unwrap_or_else(|error| panic!("{follows}: {error}"));
    }
}

#[test]
fn a_later_operation_sees_which_nan_is_a_null() {
    let table = table(300);
    let operations = json!([
        { "standardize": { "columns": ["x"], "as": ["s"] } },
        { "ordinal": { "columns": ["c"], "as": ["o"] } },
        { "derive": { "z": "COALESCE(s, -9) + CASE WHEN o IS NULL THEN 100 ELSE 0 END" } },
        { "math": { "columns": ["o"], "function": "log", "as": ["l"] } },
        { "derive": { "w": "COALESCE(l, 3)" } },
        { "impute": { "columns": ["z", "w", "s", "o", "l"], "with": { "constant": 5.0 } } },
        { "clip": { "columns": ["l", "w"], "at_least": -5 } },
    ]);
    let parts = parts(&table, &operations);
    let export = Export::new(&parts).unwrap();
    verify(&parts, &export, &table).unwrap();
    let names: Vec<String> = export.inputs.describe().into_iter().map(|input| input.name).collect();
    assert_eq!(names, ["x", "x_is_null", "c", "c_is_null"]);
}

#[test]
fn what_cannot_be_said_is_refused_with_the_reason() {
    let refusal = |expression: &str, is_condition| run(expression, is_condition).unwrap_err().to_string();
    for (expression, reason) in [
        ("k LIKE 'k%'", "`derive` matches text with a pattern, which ONNX cannot"),
        ("k < 'k2'", "`derive` puts texts in order, which ONNX cannot"),
        ("k = c", "`derive` compares two columns of text, which ONNX cannot"),
        (
            "day < TIMESTAMP '2000-01-01 12:00:00'",
            "`derive` compares with a time that the column cannot hold",
        ),
        (
            "day < nano",
            "`derive` compares dates with times, or times of two units, which has no form in ONNX",
        ),
    ] {
        assert_eq!(refusal(expression, true), reason, "{expression}");
    }
    for (expression, reason) in [
        ("length(k)", "`derive` has a function of text, which ONNX has not"),
        ("d - 1.5", "`derive` has `-` of decimals, which ONNX has not"),
        ("m % (m * m + 1)", "`derive` has `%` of integers that are no column, or of unsigned ones"),
        (
            "date_diff('day', day, day)",
            "`derive` calculates with dates, which has no form in ONNX; parts of dates have",
        ),
        ("CAST(CAST(m AS TEXT) AS BIGINT)", "`derive` casts to text, which has no form in ONNX"),
        ("TRY_CAST(k AS BIGINT)", "`derive` casts text or dates, which has no form in ONNX"),
    ] {
        assert_eq!(refusal(expression, false), reason, "{expression}");
    }
}
