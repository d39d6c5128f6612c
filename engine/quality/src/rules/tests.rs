//! Rules, keys and located findings on tables in memory, against counts by hand, and the laws.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, RecordBatch,
    StringViewArray,
};
use arrow::datatypes::{Int32Type, Int64Type};
use sluice_core::column::ColumnKind;
use sluice_core::fold::fold;
use sluice_core::schema::{Domain, Feature, Schema, Shape, ValueCount};
use sluice_core::seam::BatchSource;
use sluice_core::{Accumulator, Execution};
use sluice_testkit::{MemorySource, laws};

use super::condition::Condition;
use super::locate::{Check, ViolationScan};
use super::{KeyScan, MAX_EXAMPLES, MAX_KEYS, RowChecks, Rule, RuleScan, Unknown, locate};
use crate::validation::{
    Finding, FindingCode, Severity, SeverityOverride, ValidateOptions, ValidationReport,
};

const ROWS: usize = 1_000;

/// Trips: `fare` above `total` in every 97th row, null in every 50th; `id` repeats every 400 rows from row
/// 800 on.
fn trips() -> RecordBatch {
    let fare: Float64Array = (0..ROWS)
        .map(|row| match row {
            _ if row % 50 == 7 => None,
            _ if row % 97 == 0 => Some(1e6),
            _ => Some(row as f64 / 10.0),
        })
        .collect();
    let total: Float64Array = (0..ROWS).map(|row| Some(row as f64)).collect();
    let id: Int64Array = (0..ROWS)
        .map(|row| (row % 100 != 99).then_some(if row >= 800 { row - 400 } else { row } as i64))
        .collect();
    let company: DictionaryArray<Int32Type> =
        (0..ROWS).map(|row| Some(["Taxi A", "Taxi B", "taxi c"][row % 3])).collect();
    let text: StringViewArray =
        (0..ROWS).map(|row| Some(if row == 500 { "x".into() } else { row.to_string() })).collect();
    let flag: BooleanArray = (0..ROWS).map(|row| Some(row % 2 == 0)).collect();
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(
        (0..ROWS as i64)
            .map(|row| (row % 10 != 3).then(|| vec![Some(row); usize::try_from(row % 4).unwrap()])),
    );
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("fare", Arc::new(fare), true),
        ("total", Arc::new(total), true),
        ("id", Arc::new(id), true),
        ("company", Arc::new(company), true),
        ("text", Arc::new(text), true),
        ("flag", Arc::new(flag), true),
        ("lists", Arc::new(lists), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn source() -> MemorySource {
    MemorySource::new(&trips(), 90).with_batch_rows(37)
}

fn scan(rules: &[Rule]) -> RuleScan {
    RuleScan::of_plan(rules, source().plan(), &["id".to_owned()], MAX_EXAMPLES).unwrap()
}

#[test]
fn rules_count_exactly_and_name_the_first_rows() {
    let rules = [
        Rule::new("fare <= total"),
        Rule { unknown: Unknown::Breaks, severity: Severity::Warning, ..Rule::new("fare <= total") },
        Rule { min_fraction: 0.6, ..Rule::new("company LIKE 'Taxi%'") },
        Rule { name: Some("names".into()), min_fraction: 0.7, ..Rule::new("company LIKE 'Taxi%'") },
        Rule::new("total >= 0"),
    ];
    let source = source();
    let outcomes = fold(&source, &scan(&rules), &Execution::with_threads(2)).unwrap().accumulator.finish();
    // Rows 0, 97, …, 970 without those that are null.
    let broken = (0..ROWS).filter(|row| row % 97 == 0 && row % 50 != 7).count() as u64;
    assert_eq!(
        (outcomes[0].num_violations, outcomes[0].num_unknown, outcomes[0].num_rows),
        (broken, 20, 1000)
    );
    assert_eq!(outcomes[0].num_true, 980 - broken);
    assert_eq!(outcomes[1].num_violations, broken + 20);
    assert_eq!(outcomes[2].num_violations, 333);
    let findings: Vec<Option<Finding>> =
        outcomes.into_iter().map(|outcome| outcome.finding(&source)).collect();
    let first = findings[0].as_ref().unwrap();
    assert_eq!(
        (first.code, first.tfdv.number, first.severity),
        (FindingCode::RuleBroken, 86, Severity::Error)
    );
    assert_eq!(first.message, format!("rule `fare <= total` is broken in {broken} of 1000 rows"));
    let rows: Vec<u64> = first.examples.iter().map(|example| example.row).collect();
    assert_eq!(rows, [1, 98, 195, 292, 389]);
    assert_eq!(first.examples[1].value.as_deref(), Some("fare 1000000.0, total 97.0"));
    assert_eq!(first.examples[1].key, [("id".to_owned(), Some("97".to_owned()))]);
    assert_eq!(first.examples[0].file, "memory");
    let second = findings[1].as_ref().unwrap();
    assert_eq!(second.examples[1].row, 8);
    assert_eq!(second.severity, Severity::Warning);
    assert!(findings[2].is_none(), "two of three rows are more than 0.6");
    let named = findings[3].as_ref().unwrap();
    assert_eq!(named.rule, "names");
    assert!(named.suggestion.contains("at_least: 0.667"), "{}", named.suggestion);
    assert!(findings[4].is_none());
}

#[test]
fn rules_keep_the_laws() {
    let rules = [
        Rule::new("fare <= total"),
        Rule { unknown: Unknown::Breaks, ..Rule::new("upper(company) <> 'TAXI C'") },
    ];
    laws::check(&source(), &scan(&rules));
    laws::check(&source(), &KeyScan::new(&["id".into()], MAX_KEYS, 3));
    laws::check(&source(), &KeyScan::new(&["id".into(), "company".into()], 100, 3));
    let checks = vec![Check { column: "fare".into(), condition: Condition::Missing }];
    laws::check(&source(), &ViolationScan::new(checks, vec!["id".into()], 2));
}

#[test]
fn rules_that_cannot_be_checked_are_refused() {
    let plan = source();
    let refused = |rule: Rule| RuleScan::of_plan(&[rule], plan.plan(), &[], 5).unwrap_err();
    assert_eq!(
        refused(Rule::new("fare + 1")).to_string(),
        "rule `fare + 1` answers float, not true or false"
    );
    assert!(refused(Rule::new("fares > 1")).hint().unwrap().contains("did you mean `fare`?"));
    let error = refused(Rule { min_fraction: 1.5, ..Rule::new("fare > 1") });
    assert!(error.to_string().contains("`at_least` is 1.5"), "{error}");
    // An error of one row names it.
    let scan = scan(&[Rule::new("CAST(text AS BIGINT) >= 0")]);
    let error = fold(&plan, &scan, &Execution::with_threads(2)).unwrap_err();
    assert!(error.places().iter().any(|place| place.contains("row 501")), "{error:?}");
}

#[test]
fn a_rule_is_read_in_both_forms() {
    let rules: Vec<Rule> = serde_json::from_str(
        r#"["fare > 0", { "rule": "tips >= 0", "name": "tips", "severity": "warning",
            "at_least": 0.5, "unknown": "breaks" }]"#,
    )
    .unwrap();
    assert_eq!(rules[0], Rule::new("fare > 0"));
    assert_eq!((rules[1].title(), rules[1].min_fraction), ("tips", 0.5));
    assert_eq!((rules[1].severity, rules[1].unknown), (Severity::Warning, Unknown::Breaks));
    let error = serde_json::from_str::<Rule>(r#"{ "rule": "x", "at_most": 1 }"#).unwrap_err().to_string();
    assert!(error.contains("at_most"), "{error}");
    let again: Rule = serde_json::from_str(&serde_json::to_string(&rules[1]).unwrap()).unwrap();
    assert_eq!(again, rules[1]);
}

#[test]
fn repeated_keys_are_counted_exactly() {
    let source = source();
    let keys = KeyScan::new(&["id".into()], MAX_KEYS, 3);
    let outcome = fold(&source, &keys, &Execution::with_threads(2)).unwrap().accumulator.finish();
    // Rows 800 to 999 repeat 400 to 599, without the two whose key is null.
    assert_eq!((outcome.num_repeated, outcome.num_without_key, outcome.is_exact()), (198, 10, true));
    assert_eq!(outcome.num_keys, 1000 - 10 - 198);
    let finding = outcome.finding(&source).unwrap().unwrap();
    assert_eq!((finding.code, finding.num_violations), (FindingCode::KeyRepeated, Some(198)));
    let rows: Vec<(u64, Option<&str>)> =
        finding.examples.iter().map(|example| (example.row, example.value.as_deref())).collect();
    assert_eq!(rows, [(801, Some("400")), (802, Some("401")), (803, Some("402"))]);
    let unique = KeyScan::new(&["total".into()], MAX_KEYS, 3);
    let outcome = fold(&source, &unique, &Execution::with_threads(2)).unwrap().accumulator.finish();
    assert!(outcome.finding(&source).unwrap().is_none());
}

#[test]
fn beyond_the_limit_keys_are_a_sample_that_says_so() {
    let source = source();
    let of = |column: &str, threads| {
        let keys = KeyScan::new(&[column.to_owned()], 100, 3);
        fold(&source, &keys, &Execution::with_threads(threads)).unwrap().accumulator.finish()
    };
    let outcome = of("id", 1);
    assert!(!outcome.is_exact() && outcome.num_keys <= 100 && outcome.num_keys > 20, "{outcome:?}");
    assert!(outcome.num_repeated > 0 && outcome.num_repeated <= 198);
    assert_eq!(outcome, of("id", 3));
    let finding = outcome.finding(&source).unwrap().unwrap();
    assert!(
        finding.observed.starts_with("at least ") && finding.observed.contains("estimated"),
        "{}",
        finding.observed
    );
    assert_eq!(finding.num_violations, None);
    let open = of("total", 2).finding(&source).unwrap().unwrap();
    assert_eq!((open.code, open.severity), (FindingCode::Undecided, Severity::Warning));
}

/// What the trips break.
fn schema() -> Schema {
    let feature = |name: &str| Feature::new(name);
    let mut fare = feature("fare");
    fare.presence.min_fraction = Some(1.0);
    fare.domain = Some(Domain::Float {
        min: None,
        max: Some(1000.0),
        disallow_nan: true,
        disallow_inf: false,
        is_categorical: false,
    });
    let mut company = feature("company");
    let values = vec!["Taxi A".to_owned(), "Taxi B".to_owned()];
    company.domain = Some(Domain::Strings { name: "company".into(), values, is_categorical: None });
    let mut text = feature("text");
    text.domain = Some(Domain::Int { min: Some(5), max: None, is_categorical: false });
    let mut lists = feature("lists");
    lists.shape = Shape::ValueCounts(vec![ValueCount { min: Some(1), max: Some(2) }]);
    Schema { features: vec![fare, company, text, lists], ..Schema::default() }
}

#[test]
fn findings_of_a_schema_are_located() {
    let schema = schema();
    let source = source();
    let found = |code, column: &str| {
        let statistics = sluice_core::statistics::DatasetStatistics { num_rows: 0, ..Default::default() };
        let mut finding =
            crate::validation::validate(&statistics, &schema, &ValidateOptions::default()).findings.remove(0);
        finding.code = code;
        finding.column = Some(column.to_owned());
        finding
    };
    let too_few = found(FindingCode::TooFewValues, "lists");
    let mut of_slice = found(FindingCode::FloatTooBig, "fare");
    of_slice.slice = Some("company_Taxi A".into());
    let mut report = ValidationReport {
        subset: "train".into(),
        num_rows: ROWS as u64,
        findings: vec![
            found(FindingCode::LowFractionPresent, "fare"),
            found(FindingCode::FloatTooBig, "fare"),
            found(FindingCode::UnexpectedValue, "company"),
            found(FindingCode::TextNotInteger, "text"),
            found(FindingCode::IntegerTooSmall, "text"),
            found(FindingCode::ShapeBroken, "lists"),
            too_few,
            found(FindingCode::NewColumn, "flag"),
            found(FindingCode::MissingColumn, "gone"),
            of_slice,
        ],
        ..ValidationReport::default()
    };
    let (key, execution) = (["id".to_owned(), "gone".to_owned()], Execution::with_threads(2));
    locate(&mut report, &schema, &source, &key, 2, &execution).unwrap();
    let broken = (0..ROWS).filter(|row| row % 97 == 0 && row % 50 != 7).count() as u64;
    // Null lists have no items, every fourth list is empty or has three.
    let lengths = (0..ROWS).filter(|row| row % 10 == 3 || row % 4 == 0 || row % 4 == 3).count() as u64;
    let empty = (0..ROWS).filter(|row| row % 10 != 3 && row % 4 == 0).count() as u64;
    let counts: Vec<Option<u64>> = report.findings.iter().map(|finding| finding.num_violations).collect();
    assert_eq!(
        counts,
        [Some(20), Some(broken), Some(333), Some(1), Some(5), Some(lengths), Some(empty), None, None, None]
    );
    let first = |number: usize| {
        let example = &report.findings[number].examples[0];
        (example.row, example.value.as_deref())
    };
    assert_eq!(first(0), (8, None));
    assert_eq!(first(1), (1, Some("1000000.0")));
    assert_eq!(first(2), (3, Some("taxi c")));
    assert_eq!(first(3), (501, Some("x")));
    assert_eq!(first(4), (1, Some("0")));
    assert_eq!(first(5), (1, Some("[]")));
    assert_eq!(report.findings[2].examples.len(), 2);
    assert_eq!(report.findings[2].examples[0].key, [("id".to_owned(), Some("2".to_owned()))]);
    assert!(report.findings[7].examples.is_empty());
    assert!(report.findings[9].examples.is_empty(), "which rows a slice has, nobody tells");
}

#[test]
fn one_scan_does_all_and_says_what_held() {
    let (schema, source) = (schema(), source());
    let checks: RowChecks = serde_json::from_str(
        r#"{ "rules": ["fare <= total", { "rule": "total >= 0", "name": "total" }],
            "unique": ["total", ["id", "company"], ["id"]], "examples": 2 }"#,
    )
    .unwrap();
    let severity = [(FindingCode::KeyRepeated, SeverityOverride::Warning)].into();
    let options = ValidateOptions { severity, ..ValidateOptions::default() };
    let mut report = ValidationReport { num_rows: ROWS as u64, ..ValidationReport::default() };
    let (rows, execution) = (["id".to_owned()], Execution::with_threads(2));
    checks.look(&mut report, (&schema, &options), (&source, &rows), None, &execution).unwrap();
    let broken = (0..ROWS).filter(|row| row % 97 == 0 && row % 50 != 7).count() as u64;
    let counts: Vec<(u64, u64, u64)> =
        report.rules.iter().map(|rule| (rule.num_true, rule.num_unknown, rule.num_violations)).collect();
    assert_eq!(counts, [(980 - broken, 20, broken), (1000, 0, 0)]);
    let repeated: Vec<u64> = report.keys.iter().map(|key| key.num_repeated).collect();
    // 400 rows apart, the company is another one.
    assert_eq!(repeated, [0, 0, 198]);
    let found: Vec<(FindingCode, Severity, usize)> =
        report.findings.iter().map(|it| (it.code, it.severity, it.examples.len())).collect();
    assert_eq!(
        found,
        [(FindingCode::RuleBroken, Severity::Error, 2), (FindingCode::KeyRepeated, Severity::Warning, 2)]
    );
    let mut again = ValidationReport { num_rows: ROWS as u64, ..ValidationReport::default() };
    let execution = Execution::with_threads(1);
    checks.look(&mut again, (&schema, &options), (&source, &rows), None, &execution).unwrap();
    assert_eq!(again, report);
    // What was counted in another scan says the same, without reading them again.
    let scan = checks.scan(source.plan(), &rows).unwrap();
    let counted = fold(&source, &scan, &execution).unwrap().accumulator.finish();
    let mut counted_before = ValidationReport { num_rows: ROWS as u64, ..ValidationReport::default() };
    let judged = (&schema, &options);
    let has_read = checks.look(&mut counted_before, judged, (&source, &rows), Some(counted), &execution);
    assert!(has_read.unwrap(), "the rows made the report");
    assert_eq!(counted_before, report);
}

#[test]
fn checks_of_rows_that_make_no_sense_are_refused() {
    let message = |text: &str, names: Option<&[String]>| {
        let checks: RowChecks = serde_json::from_str(text).unwrap();
        let error = checks.check().and_then(|()| checks.check_names(names)).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    };
    let names = ["fare".to_owned(), "total".to_owned()];
    assert!(message(r#"{ "rules": ["fare > 0", "fare > 0"] }"#, None).contains("two rules are called"));
    assert!(message(r#"{ "unique": [[]] }"#, None).contains("names no column"));
    assert!(message(r#"{ "examples": 5000 }"#, None).contains("`examples` is 5000"));
    assert!(message(r#"{ "rules": ["fares > 0"] }"#, Some(&names)).contains("did you mean `fare`?"));
    assert!(message(r#"{ "unique": ["totl"] }"#, Some(&names)).contains("did you mean `total`?"));
    assert!(message(r#"{ "rules": ["fare >"] }"#, None).contains("is not valid SQL"));
    let sound: RowChecks =
        serde_json::from_str(r#"{ "rules": ["fare + 1 > CAST(total AS BIGINT)"] }"#).unwrap();
    sound.check_names(Some(&names)).unwrap();
    sound.check_names(None).unwrap();
    // Whatever the kinds are, what could be right is not refused.
    for expression in [
        "fare + INTERVAL '1 day' > total",
        "fare < '2024-01-01' AND hour(total) = 5",
        "date_diff('day', fare, total) > 0",
        "extract(year FROM fare) = 2024",
        "upper(fare) LIKE 'A%' OR NOT total",
        "fare",
        "regexp_matches(fare, 'x') AND length(total) < 5",
        "CASE WHEN fare THEN total ELSE fare IS NULL END",
        "-fare BETWEEN total AND 5.5",
        "fare || 'x' IN ('ax', 'bx')",
        "coalesce(fare, TRUE)",
        "greatest(fare, DATE '2024-01-01') > total",
    ] {
        let checks = RowChecks { rules: vec![Rule::new(expression)], ..RowChecks::default() };
        checks.check_names(Some(&names)).unwrap();
    }
    let error = serde_json::from_str::<RowChecks>(r#"{ "unique": [5] }"#).unwrap_err().to_string();
    assert!(error.contains("a column such as"), "{error}");
}

#[test]
fn values_break_conditions_as_validation_says() {
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("1"),
        Some("nan"),
        Some("inf"),
        Some("x"),
        None,
        Some("1.5"),
    ]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(0.1),
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(-1.0),
        None,
        Some(1.0),
    ]));
    let is = |condition: Condition, array: &ArrayRef| condition.violations(array);
    assert_eq!(is(Condition::NotInteger, &texts), [0, 1, 1, 1, 0, 1]);
    assert_eq!(is(Condition::NotNumber, &texts), [0, 0, 0, 1, 0, 0]);
    assert_eq!(is(Condition::Nan, &texts), [0, 1, 0, 0, 0, 0]);
    assert_eq!(is(Condition::Infinite, &texts), [0, 0, 1, 0, 0, 0]);
    assert_eq!(is(Condition::Missing, &texts), [0, 0, 0, 0, 1, 0]);
    assert_eq!(is(Condition::Nan, &floats), [0, 1, 0, 0, 0, 0]);
    assert_eq!(is(Condition::NotZeroOrOne, &floats), [1, 1, 1, 1, 0, 0]);
    // The bound 0.1 is held in single precision, where it is not below itself.
    let outside = Condition::FloatOutside { min: Some(f64::from(0.1_f32)), max: Some(1.0) };
    assert_eq!(is(outside, &floats), [0, 0, 1, 1, 0, 0]);
    let big: ArrayRef = Arc::new(Int64Array::from(vec![9_007_199_254_740_993, 9_007_199_254_740_992]));
    assert_eq!(is(Condition::IntegerOutside { min: None, max: Some(9_007_199_254_740_992) }, &big), [1, 0]);
    let coded: ArrayRef =
        Arc::new(vec![Some("a"), None, Some("b")].into_iter().collect::<DictionaryArray<Int32Type>>());
    assert_eq!(is(Condition::NotIn(["a".to_owned()].into()), &coded), [0, 0, 1]);
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(5), Some(7)]),
        None,
        Some(vec![]),
        Some(vec![None, Some(9)]),
    ]));
    assert_eq!(is(Condition::IntegerOutside { min: None, max: Some(4) }, &lists), [2, 0, 0, 1]);
    let length = |skips_null| Condition::Length { min: Some(1), max: Some(2), skips_null };
    assert_eq!(is(length(false), &lists), [1, 1, 1, 0]);
    assert_eq!(is(length(true), &lists), [1, 0, 1, 0]);
    let sliced = lists.slice(2, 2);
    assert_eq!(is(Condition::IntegerOutside { min: None, max: Some(4) }, &sliced), [0, 1]);
    assert_eq!(ColumnKind::of(lists.data_type()), ColumnKind::List(Box::new(ColumnKind::Integer)));
}
