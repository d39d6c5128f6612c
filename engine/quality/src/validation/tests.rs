//! Each check by a column that meets it; orders, options and what cannot be decided.

use sluice_core::column::ColumnKind;
use sluice_core::schema::Schema;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Distinct, Level, Valency};

use super::*;
use crate::sample::{column, dataset, missing, numbers, text};
use crate::schema::{InferOptions, infer_schema, read_schema};

fn schema(text: &str) -> Schema {
    read_schema(text, "schema.pbtxt").unwrap().schema().clone()
}

/// The findings on one column `a` under a schema that says this of it.
fn findings(rules: &str, column: ColumnStatistics) -> Vec<Finding> {
    let schema = schema(&format!("feature {{ name: 'a' {rules} }}"));
    let mut findings = validate(&dataset(vec![column]), &schema, &ValidateOptions::default()).findings;
    // Said once, in a test of its own.
    findings.retain(|finding| finding.code != FindingCode::FeatureMissingType);
    findings
}

fn codes(rules: &str, column: ColumnStatistics) -> Vec<FindingCode> {
    findings(rules, column).into_iter().map(|finding| finding.code).collect()
}

const LIST: &str = "type: BYTES string_domain { name: 'list' value: 'A' value: 'B' }";

#[test]
fn data_that_gave_the_schema_pass_it() {
    let statistics = dataset(vec![
        missing(text("a", &[("x", 6), ("y", 4)]), 1),
        numbers("b", ColumnKind::Integer, 0.0, 1.0),
        numbers("c", ColumnKind::Float, -2.5, 1e30),
        missing(column("d", ColumnKind::Null, 10), 10),
        column("__row_hash", ColumnKind::Unsigned, 10),
        column("e", ColumnKind::Other("Map(…)".into()), 10),
        text("f", &[("true", 10)]),
    ]);
    let options = ValidateOptions { new_columns: NewColumns::Error, ..ValidateOptions::default() };
    let report = validate(&statistics, &infer_schema(&statistics, &InferOptions::default()), &options);
    assert_eq!(report.findings, []);
    assert!(report.is_accepted());
}

#[test]
fn order_is_schema_then_data_set_then_new_columns() {
    let schema = schema(
        "feature { name: 'z' type: INT presence { min_count: 1 } } feature { name: 'a' type: INT }
         dataset_constraints { min_examples_count: 100 max_examples_count: 5 }",
    );
    let columns = ["n", "a", "m"].map(|name| column(name, ColumnKind::Float, 10));
    let report = validate(&dataset(columns.to_vec()), &schema, &ValidateOptions::default());
    let seen: Vec<_> =
        report.findings.iter().map(|finding| (finding.code, finding.column.as_deref())).collect();
    let wanted = [
        (FindingCode::MissingColumn, Some("z")),
        (FindingCode::UnexpectedType, Some("a")),
        (FindingCode::TooFewRows, None),
        (FindingCode::TooManyRows, None),
        (FindingCode::NewColumn, Some("n")),
        (FindingCode::NewColumn, Some("m")),
    ];
    assert_eq!(seen, wanted);
    assert_eq!((report.num_errors(), report.num_warnings()), (4, 2));
}

#[test]
fn new_columns_are_proposed_with_what_they_hold() {
    let statistics = dataset(vec![text("color", &[("red", 2), ("blue", 1)])]);
    let with = |new_columns| {
        validate(
            &statistics,
            &Schema::default(),
            &ValidateOptions { new_columns, ..ValidateOptions::default() },
        )
        .findings
    };
    assert_eq!(with(NewColumns::Ignore), []);
    let findings = with(NewColumns::Error);
    assert_eq!(findings[0].severity, Severity::Error);
    let proposal = schema(&findings[0].suggestion);
    assert_eq!(validate(&statistics, &proposal, &ValidateOptions::default()).findings, []);
}

#[test]
fn a_data_set_without_rows_has_that_as_its_only_finding() {
    let empty = DatasetStatistics { name: "eval".into(), ..DatasetStatistics::default() };
    let schema = schema("feature { name: 'a' type: INT presence { min_count: 1 } }");
    let report = validate(&empty, &schema, &ValidateOptions::default());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].code, FindingCode::NoRows);
}

#[test]
fn presence_is_counted_exactly() {
    let rules = "presence { min_fraction: 0.9 min_count: 9 }";
    assert_eq!(codes(rules, missing(column("a", ColumnKind::Date, 10), 1)), []);
    let both = findings(rules, missing(column("a", ColumnKind::Date, 10), 2));
    assert_eq!(both[0].code, FindingCode::LowNumberPresent);
    assert_eq!(both[1].code, FindingCode::LowFractionPresent);
    assert_eq!(both[1].observed, "8 of 10 rows have a value");
    assert_eq!(both[1].num_violations, Some(2));
    assert_eq!(both[1].suggestion, "feature { name: \"a\" presence { min_fraction: 0.8 } }");
    let huge = missing(column("a", ColumnKind::Date, u64::MAX), 1);
    assert_eq!(codes("presence { min_fraction: 1 }", huge), [FindingCode::LowFractionPresent]);
    let gap = missing(column("a", ColumnKind::Date, 10), 1);
    assert_eq!(codes("shape { dim { size: 1 } }", gap.clone()), [FindingCode::ShapeBroken]);
    let both = codes("presence { min_fraction: 1 } shape { dim { size: 1 } }", gap);
    assert_eq!(both, [FindingCode::ShapeBroken, FindingCode::LowFractionPresent]);
}

#[test]
fn a_column_without_values_is_not_judged_further() {
    let none = missing(column("a", ColumnKind::Null, 10), 10);
    assert_eq!(
        codes("type: INT presence { min_count: 1 min_fraction: 1 }", none.clone()),
        [FindingCode::NotPresent]
    );
    assert_eq!(codes("type: INT", none.clone()), []);
    assert_eq!(codes("type: INT lifecycle_stage: ALPHA presence { min_count: 1 }", none), []);
    let mut absent = column("a", ColumnKind::Null, 10);
    absent.presence.num_absent = 10;
    assert_eq!(codes("presence { min_count: 1 }", absent), [FindingCode::MissingColumn]);
}

#[test]
fn a_wrong_type_ends_the_checks_of_a_column() {
    let found = findings("type: INT int_domain { max: 3 }", numbers("a", ColumnKind::Float, 0.0, 9.0));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "column `a` is FLOAT (float) in the data, INT in the schema");
    assert_eq!((found[0].tfdv.name.as_str(), found[0].tfdv.number), ("UNEXPECTED_DATA_TYPE", 70));
    assert_eq!(codes("type: INT", column("a", ColumnKind::Other("Map(…)".into()), 3)).len(), 1);
}

#[test]
fn values_outside_a_list_are_listed_with_counts() {
    let found = findings(LIST, text("a", &[("A", 5), ("D", 4), ("\n", 1)]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, FindingCode::UnexpectedValue);
    assert_eq!(found[0].observed, "5 of 10 rows outside (50%): \"D\" (4 rows), \"\\n\" (1 row)");
    assert_eq!(
        found[0].suggestion,
        "string_domain {\n  name: \"list\"\n  value: \"D\"\n  value: \"\\n\"\n}\n"
    );
    let many: Vec<(String, u64)> = (0..14).map(|index| (format!("v{index}"), 1)).collect();
    let many: Vec<(&str, u64)> = many.iter().map(|(value, count)| (value.as_str(), *count)).collect();
    let found = findings(LIST, text("a", &many));
    assert!(found[0].observed.ends_with("\"v9\" (1 row) and 4 more"), "{}", found[0].observed);
}

#[test]
fn a_share_may_lie_outside_a_list() {
    let rules = format!("{LIST} distribution_constraints {{ min_domain_mass: 0.8 }}");
    assert_eq!(codes(&rules, text("a", &[("A", 8), ("D", 2)])), []);
    assert_eq!(codes(&rules, text("a", &[("A", 7), ("D", 3)])), [FindingCode::UnexpectedValue]);
}

#[test]
fn what_incomplete_values_leave_open_is_said() {
    let open = |values: &[(&str, u64)], num_rows: u64| {
        let mut sample = text("a", values);
        sample.presence.num_rows = num_rows;
        sample.distinct = None;
        sample.top_values.as_mut().unwrap().is_complete = false;
        sample
    };
    let found = findings(LIST, open(&[("A", 5)], 10));
    assert_eq!((found[0].code, found[0].severity), (FindingCode::Undecided, Severity::Warning));
    let found = findings(LIST, open(&[("A", 5), ("D", 2)], 10));
    assert_eq!(
        found[0].observed,
        "at least 2 of 10 rows outside (20%): \"D\" (at least 2 rows); values beyond the most frequent were not judged"
    );
    let found = findings(LIST, open(&[("A", 5), ("B", 2)], 10));
    assert_eq!(found[0].observed, "at least 3 different values; which ones are outside is not known");
    let rules = format!("{LIST} distribution_constraints {{ min_domain_mass: 0.5 }}");
    assert_eq!(codes(&rules, open(&[("A", 5), ("D", 2)], 10)), []);
    assert_eq!(codes(&rules, open(&[("A", 4), ("D", 2)], 10)), [FindingCode::Undecided]);
    assert_eq!(codes(&rules, open(&[("A", 2), ("D", 6)], 10)), [FindingCode::UnexpectedValue]);
    assert_eq!(codes(LIST, column("a", ColumnKind::Text, 3)), [FindingCode::Undecided]);
    assert_eq!(codes("type: BYTES int_domain { }", open(&[("1", 4)], 10)), [FindingCode::Undecided]);
}

#[test]
fn text_is_read_as_what_its_domain_says() {
    let words = "type: BYTES bool_domain { true_value: 'yes' false_value: 'no' }";
    assert_eq!(codes(words, text("a", &[("yes", 3), ("no", 1)])), []);
    assert_eq!(codes(words, text("a", &[("yes", 3), ("maybe", 1)])), [FindingCode::TextNotBoolean]);
    let integers = "type: BYTES int_domain { min: 0 max: 20 }";
    assert_eq!(codes(integers, text("a", &[("007", 3), ("20", 1)])), []);
    assert_eq!(codes(integers, text("a", &[("x", 3), ("21", 1)])), [FindingCode::TextNotInteger]);
    let floats = "type: BYTES float_domain { min: 0 disallow_nan: true disallow_inf: true }";
    assert_eq!(codes(floats, text("a", &[("0.5", 3)])), []);
    assert_eq!(codes(integers, text("a", &[("21", 1)])), [FindingCode::IntegerTooBig]);
    let strange = text("a", &[("x", 3), ("nan", 1), ("-inf", 1)]);
    assert_eq!(codes(floats, strange), [FindingCode::HasNan, FindingCode::TextNotFloat]);
    let infinite = text("a", &[("nan", 1), ("-inf", 1)]);
    assert_eq!(
        codes(floats, infinite),
        [FindingCode::HasNan, FindingCode::FloatTooSmall, FindingCode::HasInfinity]
    );
}

#[test]
fn integers_are_compared_exactly() {
    let range = "type: INT int_domain { min: 0 max: 9007199254740993 }";
    let mut big = numbers("a", ColumnKind::Unsigned, 0.0, 9_007_199_254_740_994.0);
    big.numeric.as_mut().unwrap().exact_range = Some(("0".into(), "9007199254740993".into()));
    assert_eq!(codes(range, big.clone()), []);
    big.numeric.as_mut().unwrap().exact_range = Some(("-1".into(), "18446744073709551615".into()));
    let found = findings(range, big);
    assert_eq!(found[0].code, FindingCode::IntegerTooSmall);
    assert_eq!(found[1].observed, "largest value 18446744073709551615 in 10 rows");
    let mut counted = numbers("a", ColumnKind::Integer, -13.0, 14.0);
    counted.top_values = text("a", &[("14", 7), ("-13", 3)]).top_values;
    assert_eq!(findings(range, counted)[0].observed, "smallest value -13 in 10 rows, 3 rows outside");
    assert_eq!(codes(range, column("a", ColumnKind::Integer, 10)), [FindingCode::Undecided]);
    let boolean = "type: INT bool_domain { }";
    assert_eq!(codes(boolean, numbers("a", ColumnKind::Boolean, 0.0, 1.0)), []);
    assert_eq!(codes(boolean, numbers("a", ColumnKind::Integer, -1.0, 2.0)), [FindingCode::BooleanTooSmall]);
}

#[test]
fn floats_keep_their_bounds_in_single_precision() {
    let range = "type: FLOAT float_domain { min: 0.1 max: 100 }";
    assert_eq!(codes(range, numbers("a", ColumnKind::Float, 0.1, 100.0)), []);
    assert_eq!(codes(range, numbers("a", ColumnKind::Float, f64::from(0.1_f32), 100.0)), []);
    let found = findings(range, numbers("a", ColumnKind::Float, 0.0999, 100.1));
    assert_eq!(found[1].observed, "largest value 100.1 in 10 rows");
    assert_eq!(found[0].message, "the smallest value of column `a` is 0.0999, at least 0.1 is allowed");
    let decimal = ColumnKind::Decimal { precision: 9, scale: 2 };
    assert_eq!(codes(range, numbers("a", decimal, 1.0, 101.0)), [FindingCode::FloatTooBig]);
}

#[test]
fn nan_and_infinity_are_counted() {
    let mut sample = numbers("a", ColumnKind::Float, 1.0, 2.0);
    sample.presence.num_nan = 2;
    sample.presence.num_positive_infinity = 1;
    let found = findings("float_domain { max: 5 disallow_nan: true disallow_inf: true }", sample.clone());
    assert_eq!(found[0].observed, "2 of 10 rows are NaN");
    assert_eq!(found[1].observed, "largest value inf in 10 rows");
    assert_eq!((found[2].observed.as_str(), found[2].num_violations), ("1 of 10 rows are infinity", Some(1)));
    assert_eq!(codes("float_domain { max: inf min: -inf }", sample), []);
    let mut all_nan = column("a", ColumnKind::Float, 3);
    all_nan.presence.num_nan = 3;
    assert_eq!(codes("float_domain { max: 5 }", all_nan.clone()), []);
    assert_eq!(codes("bool_domain { }", all_nan), [FindingCode::FloatNotBoolean]);
}

#[test]
fn floats_as_booleans_are_zero_or_one() {
    let boolean = "type: FLOAT bool_domain { }";
    assert_eq!(codes(boolean, numbers("a", ColumnKind::Float, 0.0, 1.0)), []);
    assert_eq!(codes(boolean, numbers("a", ColumnKind::Float, 0.0, 0.5)), [FindingCode::FloatNotBoolean]);
    let mut three = numbers("a", ColumnKind::Float, 0.0, 1.0);
    three.distinct = text("a", &[("0", 1), ("0.5", 1), ("1", 1)]).distinct;
    assert_eq!(codes(boolean, three), [FindingCode::FloatNotBoolean]);
}

#[test]
fn a_schema_that_contradicts_itself_is_a_finding() {
    let floats = || numbers("a", ColumnKind::Float, 0.0, 0.5);
    assert_eq!(codes("type: FLOAT int_domain { }", floats()), [FindingCode::DomainInvalidForType]);
    assert_eq!(codes("int_domain { }", floats()), [FindingCode::DomainInvalidForType]);
    assert_eq!(codes("float_domain { min: 2 max: 1 }", floats()), [FindingCode::SchemaInvalid]);
    assert_eq!(codes("presence { min_fraction: -1 }", floats()), [FindingCode::SchemaInvalid]);
    assert_eq!(codes("presence { min_fraction: nan }", floats()), [FindingCode::SchemaInvalid]);
}

#[test]
fn spelling_is_not_type() {
    let schema = schema(
        "feature { name: 'price' type: FLOAT float_domain { max: 100 } }
         feature { name: 'flag' type: BYTES bool_domain { true_value: 'true' false_value: 'false' } }
         feature { name: 'n' type: INT }",
    );
    let found = |price: f64, n: ColumnKind| {
        let columns = vec![
            numbers("price", ColumnKind::Integer, 1.0, price),
            numbers("flag", ColumnKind::Boolean, 0.0, 1.0),
            numbers("n", n, 0.0, 1.0),
        ];
        let report = validate(&dataset(columns), &schema, &ValidateOptions::default());
        report.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(found(99.0, ColumnKind::Integer), []);
    assert_eq!(found(101.0, ColumnKind::Integer), [FindingCode::FloatTooBig]);
    assert_eq!(found(99.0, ColumnKind::Float), [FindingCode::UnexpectedType]);
}

#[test]
fn a_report_travels_as_json() {
    let schema = schema("feature { name: 'z' type: INT presence { min_count: 1 } }");
    let report =
        validate(&dataset(vec![column("n", ColumnKind::Date, 2)]), &schema, &ValidateOptions::default());
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains(r#""code":"missing-column""#), "{json}");
    assert_eq!(serde_json::from_str::<ValidationReport>(&json).unwrap(), report);
    assert!(serde_json::from_str::<ValidateOptions>(r#"{"new_column":"error"}"#).is_err());
}

#[test]
fn every_type_of_tfdv_has_the_number_of_the_format() {
    let kind = crate::protobuf::descriptor("AnomalyInfo");
    let kind = kind.child_enums().find(|kind| kind.name() == "Type").unwrap();
    for code in FindingCode::ALL {
        let tfdv = code.tfdv();
        assert_eq!(kind.get_value(tfdv.number).unwrap().name(), tfdv.name);
        assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        assert_eq!(code.word().parse::<FindingCode>().unwrap(), *code);
    }
    assert!("missing-colum".parse::<FindingCode>().is_err());
}

#[test]
fn anomalies_have_one_entry_per_column() {
    let file = read_schema("feature { name: 'a.b' type: INT presence { min_fraction: 1 } }", "s").unwrap();
    let mut sample = missing(column("a.b", ColumnKind::Float, 4), 1);
    sample.numeric = None;
    let report = validate(&dataset(vec![sample]), file.schema(), &ValidateOptions::default());
    let text = write_anomalies(&report, &file);
    let wanted = r#"anomaly_info {
  key: "\'a.b\'"
  value {
    description: "The feature was present in fewer examples than expected: minimum fraction = 1.000000, actual = 0.750000 Expected data of type: INT but got FLOAT"
    severity: ERROR
    short_description: "Multiple errors"
    reason {
      type: FEATURE_TYPE_LOW_FRACTION_PRESENT
"#;
    assert!(text.contains(wanted), "{text}");
    assert!(text.contains("    path {\n      step: \"a.b\"\n    }\n"), "{text}");
    assert!(text.contains("\nanomaly_name_format: SERIALIZED_PATH\n"), "{text}");
    let again = crate::protobuf::read(crate::protobuf::descriptor("Anomalies"), &text, "anomalies").unwrap();
    assert_eq!(crate::protobuf::print(&again), text);
}

#[test]
fn lengths_of_lists_are_bounded_by_level() {
    let list = |levels: &[(u64, u64)]| {
        let mut sample = numbers("a", ColumnKind::Integer, 0.0, 1.0);
        let level = |(min_length, max_length): &(u64, u64)| Level {
            num_present: 10,
            num_empty: u64::from(*min_length == 0) * 3,
            min_length: *min_length,
            max_length: *max_length,
            ..Level::default()
        };
        let levels = levels.iter().map(level).collect();
        sample.valency = Some(Valency { levels, num_null_values: 0, lengths: None });
        sample
    };
    let bounds = "type: INT value_count { min: 1 max: 3 }";
    assert_eq!(codes(bounds, list(&[(1, 3)])), []);
    assert_eq!(codes(bounds, numbers("a", ColumnKind::Integer, 0.0, 1.0)), []);
    let found = findings(bounds, list(&[(0, 4)]));
    assert_eq!(found[0].code, FindingCode::TooFewValues);
    assert_eq!((found[0].num_violations, found[1].code), (Some(3), FindingCode::TooManyValues));
    assert_eq!(found[1].suggestion, "feature { name: \"a\" value_count { max: 4 } }");
    assert_eq!(codes(bounds, list(&[(1, 1), (1, 1)])), [FindingCode::NestednessMismatch]);
    let nested = "type: INT value_counts { value_count { min: 1 } value_count { max: 2 } }";
    assert_eq!(codes(nested, list(&[(1, 9), (0, 2)])), []);
    assert_eq!(
        codes(nested, list(&[(0, 9), (0, 3)])),
        [FindingCode::TooFewValues, FindingCode::TooManyValues]
    );
    let shape = "type: INT shape { dim { size: 2 } dim { size: 3 } }";
    assert_eq!(codes(shape, list(&[(2, 2), (3, 3)])), []);
    assert_eq!(codes(shape, list(&[(6, 6)])), []);
    assert_eq!(codes(shape, list(&[(5, 5)])), [FindingCode::ShapeBroken]);
    let unknown = column("a", ColumnKind::List(Box::new(ColumnKind::Integer)), 3);
    assert_eq!(codes(bounds, unknown), [FindingCode::Undecided]);
}

#[test]
fn different_values_are_bounded_as_far_as_they_are_known() {
    let rules = "type: BYTES unique_constraints { min: 2 max: 100 }";
    let estimated = |count, relative_error| {
        let mut sample = text("a", &[("x", 5)]);
        sample.distinct = Some(Distinct { count, relative_error });
        sample
    };
    assert_eq!(codes(rules, estimated(100, 0.0)), []);
    assert_eq!(codes(rules, estimated(101, 0.0)), [FindingCode::TooManyDistinct]);
    assert_eq!(codes(rules, estimated(1, 0.0)), [FindingCode::TooFewDistinct]);
    assert_eq!(codes(rules, estimated(101, 0.01)), [FindingCode::Undecided]);
    assert_eq!(codes(rules, estimated(110, 0.01)), [FindingCode::TooManyDistinct]);
    assert_eq!(codes(rules, column("a", ColumnKind::Text, 5)), [FindingCode::NoDistinct]);
}

#[test]
fn severities_are_as_they_are_wanted() {
    let schema = schema("feature { name: 'a' type: INT presence { min_fraction: 1 } }");
    let statistics =
        dataset(vec![missing(column("a", ColumnKind::Float, 4), 1), column("b", ColumnKind::Date, 4)]);
    let codes = |json: &str| {
        let options: ValidateOptions = serde_json::from_str(json).unwrap();
        let report = validate(&statistics, &schema, &options);
        report.findings.iter().map(|it| (it.code.word(), it.severity)).collect::<Vec<_>>()
    };
    let both = [("low-fraction-present", Severity::Error), ("unexpected-type", Severity::Error)];
    assert_eq!(codes(r#"{"new_columns": "ignore"}"#), both);
    assert_eq!(
        codes(
            r#"{"severity": {"low-fraction-present": "ignore", "unexpected-type": "warning", "new-column": "error"}}"#
        ),
        [("unexpected-type", Severity::Warning), ("new-column", Severity::Error)]
    );
    assert!(
        serde_json::from_str::<ValidateOptions>(r#"{"severity": {"unexpected-typ": "ignore"}}"#).is_err()
    );
}

#[test]
fn slices_are_judged_by_the_same_rules() {
    let mut whole = dataset(vec![numbers("a", ColumnKind::Integer, 0.0, 9.0)]);
    let slice = |name: &str, most: f64| DatasetStatistics {
        name: name.into(),
        ..dataset(vec![numbers("a", ColumnKind::Integer, 0.0, most)])
    };
    whole.slices = vec![slice("k_good", 3.0), slice("k_bad", 12.0), DatasetStatistics::default()];
    let text = "feature { name: 'a' type: INT int_domain { max: 10 } } dataset_constraints { min_examples_count: 5 }";
    let file = read_schema(text, "s").unwrap();
    let options = ValidateOptions { slices: true, ..ValidateOptions::default() };
    let report = validate(&whole, file.schema(), &options);
    let found: Vec<_> = report.findings.iter().map(|it| (it.slice.as_deref(), it.code)).collect();
    assert_eq!(found, [(Some("k_bad"), FindingCode::IntegerTooBig)]);
    assert!(validate(&whole, file.schema(), &ValidateOptions::default()).findings.is_empty());
    let text = write_anomalies(&report, &file);
    assert!(text.contains("key: \"\\'slice(k_bad)::a\\'\"") || text.contains("slice(k_bad)::a"), "{text}");
}

#[test]
fn every_finding_stands_under_a_rule_that_is_listed() {
    let text = "default_environment: 'E'
        feature { name: 'a' type: INT presence { min_fraction: 1 min_count: 3 } int_domain { max: 3 } unique_constraints { max: 1 } }
        feature { name: 'b' type: INT not_in_environment: 'E' }
        feature { name: 's' type: STRUCT struct_domain { feature { name: 'x' type: FLOAT float_domain { disallow_nan: true } } } }";
    let schema = schema(text);
    let options = ValidateOptions { environment: Some("E".into()), ..ValidateOptions::default() };
    options.check(&schema).unwrap();
    let rules = checked_rules(&schema, &options, &Baselines::default());
    let names: Vec<String> =
        rules.iter().map(|it| format!("{}: {}", it.column.as_deref().unwrap_or("-"), it.rule)).collect();
    let wanted = [
        "a: presence",
        "a: presence.min_count",
        "a: presence.min_fraction",
        "a: type",
        "a: unique_constraints.max",
        "a: int_domain",
        "a: int_domain.max",
        "s: type",
        "s.x: type",
        "s.x: float_domain",
        "s.x: float_domain.disallow_nan",
        "-: data",
    ];
    assert_eq!(names, wanted);
    let wrong = ValidateOptions { environment: Some("F".into()), ..ValidateOptions::default() };
    assert!(wrong.check(&schema).is_err());
}

#[test]
fn thresholds_of_comparators_are_finite_numbers_of_at_least_0() {
    for threshold in ["nan", "inf", "-0.1"] {
        for comparator in ["drift_comparator", "skew_comparator"] {
            let rules = format!(
                "type: INT {comparator} {{ jensen_shannon_divergence {{ threshold: {threshold} }} }}"
            );
            let found = findings(&rules, numbers("a", ColumnKind::Integer, 0.0, 1.0));
            let rule = format!("{comparator}.jensen_shannon_divergence");
            assert_eq!(
                (found.len(), found[0].code, found[0].rule.as_str()),
                (1, FindingCode::SchemaInvalid, rule.as_str())
            );
            assert!(
                found[0].message.contains("threshold") && found[0].suggestion.contains(&rule),
                "{found:?}"
            );
        }
    }
    let sound = "type: INT drift_comparator { infinity_norm { threshold: 0 } }";
    assert_eq!(codes(sound, numbers("a", ColumnKind::Integer, 0.0, 1.0)), []);
}
