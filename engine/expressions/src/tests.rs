//! Against DuckDB's answers (`tests/data/make.py`), what is refused, and that nothing panics.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use proptest::prelude::*;
use serde::Deserialize;
use sluice_core::Batch;
use sluice_core::column::ColumnKind;

use crate::calendar::{parse_date, parse_timestamp};
use crate::kernels::shown;
use crate::{Expression, ExpressionError};

#[derive(Deserialize)]
struct Expected {
    columns: std::collections::BTreeMap<String, Values>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Values {
    kind: String,
    values: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Case {
    expression: String,
    answers: Vec<serde_json::Value>,
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("../tests/data/expected.json")).unwrap()
}

fn array(values: &Values) -> ArrayRef {
    let texts: Vec<Option<&str>> = values.values.iter().map(serde_json::Value::as_str).collect();
    let digits = |text: &str| text.replace('.', "").parse::<i128>().unwrap();
    match values.kind.as_str() {
        "BOOLEAN" => Arc::new(values.values.iter().map(serde_json::Value::as_bool).collect::<BooleanArray>()),
        "BIGINT" => {
            Arc::new(texts.iter().map(|text| text.map(|it| it.parse().unwrap())).collect::<Int64Array>())
        }
        "UBIGINT" => {
            Arc::new(texts.iter().map(|text| text.map(|it| it.parse().unwrap())).collect::<UInt64Array>())
        }
        "DOUBLE" => {
            Arc::new(texts.iter().map(|text| text.map(|it| it.parse().unwrap())).collect::<Float64Array>())
        }
        "DECIMAL(10,2)" => {
            let array: Decimal128Array = texts.iter().map(|text| text.map(digits)).collect();
            Arc::new(array.with_precision_and_scale(10, 2).unwrap())
        }
        "VARCHAR" => Arc::new(texts.into_iter().collect::<StringViewArray>()),
        "DATE" => Arc::new(texts.iter().map(|text| text.and_then(parse_date)).collect::<Date32Array>()),
        "TIMESTAMP" => {
            let microseconds = |text: &str| i64::try_from(parse_timestamp(text).unwrap() / 1000).unwrap();
            Arc::new(texts.iter().map(|text| text.map(microseconds)).collect::<TimestampMicrosecondArray>())
        }
        other => panic!("{other}"),
    }
}

/// The table of `expected.json`; with codes instead of text where asked.
fn table(expected: &Expected, coded: bool) -> (RecordBatch, Vec<(String, ColumnKind)>) {
    let columns: Vec<(String, ArrayRef)> = expected
        .columns
        .iter()
        .map(|(name, values)| {
            let array = array(values);
            let array: ArrayRef = match array.as_string_view_opt() {
                Some(texts) if coded => Arc::new(texts.iter().collect::<DictionaryArray<Int32Type>>()),
                _ => array,
            };
            (name.clone(), array)
        })
        .collect();
    let kinds =
        columns.iter().map(|(name, array)| (name.clone(), ColumnKind::of(array.data_type()))).collect();
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    (RecordBatch::try_from_iter_with_nullable(columns).unwrap(), kinds)
}

/// Whether an answer is DuckDB's: numbers by value, whatever their kind.
fn agrees(array: &ArrayRef, row: usize, expected: &serde_json::Value) -> bool {
    if array.is_null(row) || expected.is_null() {
        return array.is_null(row) && expected.is_null();
    }
    if let Some(expected) = expected.as_bool() {
        return array.as_boolean_opt().is_some_and(|values| values.value(row) == expected);
    }
    let (found, expected) = (shown(array).unwrap()(row), expected.as_str().unwrap());
    match array.data_type() {
        DataType::Utf8View | DataType::Timestamp(..) | DataType::Date32 => {
            found.trim_end_matches(" 00:00:00") == expected.trim_end_matches(" 00:00:00")
                || found.contains('.') && expected.starts_with(&found)
        }
        DataType::Int64 | DataType::UInt64 => found == expected.trim_end_matches(".0"),
        _ => {
            let (found, expected): (f64, f64) = (found.parse().unwrap(), expected.parse().unwrap());
            found.to_bits() == expected.to_bits()
                || (found.is_nan() && expected.is_nan())
                || (found - expected).abs() <= 4e-16 * expected.abs()
        }
    }
}

#[test]
fn answers_are_those_of_duckdb() {
    let expected = expected();
    assert!(expected.cases.len() > 200);
    let mut wrong = Vec::new();
    for coded in [false, true] {
        let (table, kinds) = table(&expected, coded);
        for case in &expected.cases {
            let answer = Expression::parse(&case.expression, &kinds)
                .map_err(|error| error.to_string())
                .and_then(|it| it.evaluate(&Batch::new(&table)).map_err(|error| error.to_string()));
            match answer {
                Err(error) => wrong.push(error),
                Ok(array) => {
                    for (row, expected) in case.answers.iter().enumerate() {
                        if !agrees(&array, row, expected) {
                            let found =
                                if array.is_null(row) { "null".into() } else { shown(&array).unwrap()(row) };
                            wrong.push(format!("{}, row {row}: {found}, not {expected}", case.expression));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn columns() -> Vec<(String, ColumnKind)> {
    table(&expected(), false).1
}

fn refusal(text: &str) -> String {
    Expression::parse(text, &columns()).unwrap_err().to_string()
}

#[test]
fn refusals_name_the_place() {
    assert_eq!(
        refusal("i <= kk"),
        "expression `i <= kk` reads column `kk`, which is not in the data, at line 1, column 6"
    );
    assert_eq!(
        refusal("i +\n s"),
        "`+` cannot take integer and text in expression `i +\n s`, at line 1, column 1"
    );
    assert!(refusal("i <").contains("not valid SQL"), "{}", refusal("i <"));
    assert!(refusal("i > 0 k").contains("at line 1, column 7"), "{}", refusal("i > 0 k"));
    assert!(refusal("md5(s)").contains("the function `md5`, which is not supported"));
    assert!(refusal("sum(i) OVER ()").contains("over several rows"));
    assert!(refusal("(SELECT 1)").contains("a subquery"));
    assert!(refusal("i AND b").contains("`AND` cannot take integer"));
    assert!(refusal("s LIKE t").contains("pattern or unit of `LIKE`"));
    assert!(refusal("a > '2024-02-30'").contains("`2024-02-30` is not a date"));
    assert!(refusal("substr(s)").contains("`substr` takes 2 or 3 arguments, not 1"));
    assert!(refusal("CAST(i AS BLOB)").contains("the type BLOB"));
    assert!(refusal("regexp_matches(s, '(')").contains("a regular expression"));
    assert!(refusal("coalesce(i, s)").contains("`coalesce` cannot take"));
    assert!(refusal("").contains("not valid SQL"));
    let near = Expression::parse("lenght(s)", &columns()).unwrap_err();
    assert_eq!(sluice_core::Diagnostic::hint(&near).unwrap(), "did you mean `length`?");
}

#[test]
fn long_and_deep_texts_are_refused() {
    let sum = vec!["i"; 3_000].join(" + ");
    assert!(matches!(Expression::parse(&sum, &columns()), Err(ExpressionError::TooComplex { .. })));
    let sum = vec!["i"; 1_000].join(" + ");
    assert!(matches!(Expression::parse(&sum, &columns()), Err(ExpressionError::TooComplex { .. })));
    let any = vec!["i = 1"; 900].join(" OR ");
    assert!(Expression::parse(&any, &columns()).unwrap().is_boolean());
    let deep = format!("{}i{}", "(".repeat(1_900), ")".repeat(1_900));
    assert!(Expression::parse(&deep, &columns()).is_err());
}

fn evaluated(text: &str) -> sluice_core::Result<ArrayRef> {
    let (table, kinds) = table(&expected(), false);
    Expression::parse(text, &kinds).unwrap().evaluate(&Batch::new(&table))
}

fn truth(text: &str) -> Vec<Option<bool>> {
    evaluated(text).unwrap().as_boolean().iter().collect()
}

#[test]
fn floats_follow_ieee() {
    let nothing = truth("w = w")[0];
    assert_eq!(nothing, Some(false), "NaN equals nothing");
    assert_eq!(truth("w <> w")[0], Some(true));
    assert_eq!(truth("w > 0 OR w <= 0")[0], Some(false));
    assert_eq!(truth("w IS NOT DISTINCT FROM w")[0], Some(true));
    assert_eq!(truth("-0.0 * y = 0.0")[0], Some(true));
    let quotients = evaluated("w / 0").unwrap();
    assert!(quotients.as_primitive::<Float64Type>().value(7).is_infinite());
    assert!(evaluated("k % 0").unwrap().is_null(0));
}

#[test]
fn integers_are_compared_exactly() {
    // 2^53 + 1 against the float 2^53.
    assert_eq!(truth("i > x")[4], Some(true));
    assert_eq!(truth("u = 18446744073709551615")[2], Some(true));
    assert_eq!(truth("u > 1e300")[2], Some(false));
    assert_eq!(truth("d = 0.1")[5], Some(true));
}

#[test]
fn what_does_not_fit_names_its_row() {
    let mut error = evaluated("i * 9223372036854775807").unwrap_err();
    assert_eq!(error.take_row(), Some(1));
    assert!(error.to_string().contains("-7 * 9223372036854775807 does not fit a 64-bit integer"), "{error}");
    let error = evaluated("CAST(t AS INTEGER)").unwrap_err();
    assert!(error.to_string().contains("`taxi` cannot be cast to"), "{error}");
    // What is not chosen does not fail.
    assert!(evaluated("CASE WHEN t = '12' THEN CAST(t AS INTEGER) END").is_ok());
    assert!(evaluated("t = '12' AND CAST(t AS INTEGER) > 0").is_ok());
    assert!(evaluated("t <> '12' OR CAST(t AS INTEGER) > 0").is_ok());
    assert!(evaluated("coalesce(TRY_CAST(t AS INTEGER), 0)").is_ok());
}

#[test]
fn a_failure_in_a_coded_column_names_its_row() {
    let codes: ArrayRef = Arc::new(
        vec![Some("1"), None, Some("2"), Some("x"), Some("1")]
            .into_iter()
            .collect::<DictionaryArray<Int32Type>>(),
    );
    let table = RecordBatch::try_from_iter_with_nullable([("t", codes, true)]).unwrap();
    let kinds = [("t".to_owned(), ColumnKind::Text)];
    let cast = Expression::parse("CAST(t AS INTEGER) > 1", &kinds).unwrap();
    assert_eq!(cast.evaluate(&Batch::new(&table)).unwrap_err().take_row(), Some(3));
    let same = Expression::parse("t", &kinds).unwrap().evaluate(&Batch::new(&table)).unwrap();
    assert!(matches!(same.data_type(), DataType::Dictionary(..)));
    let upper = Expression::parse("upper(t)", &kinds).unwrap().evaluate(&Batch::new(&table)).unwrap();
    assert_eq!(upper.data_type(), &DataType::Utf8View);
    let plain: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    assert_eq!(plain.len(), 1);
}

#[test]
fn constants_have_a_value_for_each_row() {
    assert_eq!(truth("1 < 2"), vec![Some(true); 10]);
    assert_eq!(evaluated("NULL").unwrap().len(), 10);
    assert!(evaluated("9223372036854775807 + 1").is_err());
    let (table, kinds) = table(&expected(), false);
    let empty = table.slice(0, 0);
    for case in expected().cases {
        let answer =
            Expression::parse(&case.expression, &kinds).unwrap().evaluate(&Batch::new(&empty)).unwrap();
        assert_eq!(answer.len(), 0, "{}", case.expression);
    }
}

/// One of the words, which stand apart by two spaces.
fn word(words: &'static str) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words.split("  ").collect::<Vec<_>>())
}

const ATOMS: &str = "i  k  u  x  y  w  d  s  t  b  c  a  e  p  0  1  -1  2.5  1e308  ''  'x'  NULL  TRUE  \
    9223372036854775807  18446744073709551615  99999999999999999999999999999999999999  DATE '2024-02-29'  \
    DATE '9999-12-31'  TIMESTAMP '2024-01-01 10:00:00'  '2024-01-01'";
const UNARY: &str = "abs  sign  floor  ceil  round  sqrt  exp  ln  length  lower  trim  year  second  isnan  \
    octet_length  -  NOT  dayofweek";
const PAIRS: &str =
    "coalesce  least  greatest  nullif  power  mod  substr  contains  date_diff_day  add_month";
const TARGETS: &str =
    "BIGINT  UBIGINT  TINYINT  DOUBLE  DECIMAL(38,10)  DECIMAL(3,1)  TEXT  DATE  TIMESTAMP  BOOLEAN";

/// Texts that look like expressions.
fn texts() -> impl Strategy<Value = String> {
    word(ATOMS).prop_map(str::to_owned).prop_recursive(4, 40, 3, |inner| {
        let binary = word("+  -  *  /  %  ||  =  <>  <  >=  AND  OR  IS DISTINCT FROM");
        let three = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(l, op, r)| format!("({l} {op} {r})")),
            (word(UNARY), inner.clone()).prop_map(|(name, it)| format!("{name}({it})")),
            (word(PAIRS), inner.clone(), inner.clone()).prop_map(|(name, l, r)| match name {
                "date_diff_day" => format!("date_diff('day', {l}, {r})"),
                "add_month" => format!("({l} + INTERVAL '9999999 months')"),
                _ => format!("{name}({l}, {r})"),
            }),
            (inner.clone(), word(TARGETS)).prop_map(|(it, target)| format!("CAST({it} AS {target})")),
            (inner, word(TARGETS)).prop_map(|(it, target)| format!("TRY_CAST({it} AS {target})")),
            three.clone().prop_map(|(a, b, c)| format!("CASE WHEN {a} IS NULL THEN {b} ELSE {c} END")),
            three.prop_map(|(a, b, c)| format!("({a} IN ({b}, {c}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics(text in texts()) {
        let expected = expected();
        for coded in [false, true] {
            let (table, kinds) = table(&expected, coded);
            if let Ok(expression) = Expression::parse(&text, &kinds)
                && let Ok(answer) = expression.evaluate(&Batch::new(&table))
            {
                prop_assert_eq!(answer.len(), 10);
                let found = ColumnKind::of(answer.data_type());
                prop_assert!(found == *expression.kind(), "{} is {}, not {}", text, found, expression.kind());
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = Expression::parse(&text, &[("i".to_owned(), ColumnKind::Integer)]);
    }
}
