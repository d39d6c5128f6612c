//! Fixes of single findings, and TFDV's cases of updates.

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Lifecycle, Shape, UniqueConstraint};
use sluice_core::statistics::{Distinct, Level, Valency};

use super::*;
use crate::sample::{column, dataset, missing, numbers, text};
use crate::schema::{read_schema, write_schema};
use crate::validation::{Finding, FindingCode, NewColumns, ValidateOptions, validate};

fn findings(file: &SchemaFile, statistics: &DatasetStatistics) -> Vec<Finding> {
    let options = ValidateOptions { new_columns: NewColumns::Error, ..ValidateOptions::default() };
    validate(statistics, file.schema(), &options).findings
}

/// Applies the fixes of all findings, which must then be gone.
fn settle(schema: &str, statistics: &DatasetStatistics) -> SchemaFile {
    let mut file = read_schema(schema, "schema.pbtxt").unwrap();
    let found = findings(&file, statistics);
    assert!(!found.is_empty(), "the sample breaks the schema: {schema}");
    let options = InferOptions::default();
    for finding in &found {
        let known = Known { statistics: Some(statistics), options: &options };
        apply_fix(&mut file, finding, known).unwrap_or_else(|error| panic!("{error}: {finding:?}"));
    }
    assert_eq!(findings(&file, statistics), [], "{}", write_schema(&file));
    let written = read_schema(&write_schema(&file), "again").unwrap();
    assert_eq!(written.schema(), file.schema(), "message and plain schema say the same");
    file
}

#[test]
fn a_fix_settles_its_finding_and_keeps_the_rest() {
    let file = settle(
        "feature { name: 'a' type: FLOAT presence { min_fraction: 1 min_count: 1 } float_domain { max: 2 }
           annotation { tag: 'kept' } novel_rule { level: 3 } }
         feature { name: 'gone' type: INT presence { min_count: 1 } deprecated: false }
         annotation { comment: 'about all' }",
        &dataset(vec![missing(numbers("a", ColumnKind::Float, 0.1, 3.3), 1)]),
    );
    let feature = &file.schema().features[0];
    assert_eq!(feature.presence.min_fraction, Some(0.9));
    assert_eq!(file.schema().features[1].lifecycle, Lifecycle::Deprecated);
    let Some(Domain::Float { max, .. }) = feature.domain else { panic!("{feature:?}") };
    assert_eq!(max, Some(3.3));
    let written = write_schema(&file);
    for kept in ["tag: \"kept\"", "novel_rule {\n    level: 3\n  }", "comment: \"about all\""] {
        assert!(written.contains(kept), "{kept}: {written}");
    }
}

#[test]
fn values_are_added_to_the_list_that_others_share() {
    let file = settle(
        "feature { name: 'a' type: BYTES domain: 'list' } feature { name: 'b' type: BYTES domain: 'list' }
         string_domain { name: 'list' value: 'x' }",
        &dataset(vec![text("a", &[("x", 4), ("y", 2)]), text("b", &[("x", 6)])]),
    );
    for feature in &file.schema().features {
        let Some(Domain::Strings { values, .. }) = &feature.domain else { panic!("{feature:?}") };
        assert_eq!(values, &["x", "y"]);
    }
    assert_eq!(write_schema(&file).matches("string_domain").count(), 1);
}

#[test]
fn new_and_retyped_columns_are_settled() {
    let statistics = dataset(vec![text("a", &[("x", 4)]), text("b", &[("p", 3), ("q", 1)])]);
    let file = settle("feature { name: 'a' type: INT }", &statistics);
    assert_eq!(file.schema().features[0].lifecycle, Lifecycle::Deprecated);
    assert!(matches!(&file.schema().features[1].domain, Some(Domain::Strings { name, .. }) if name == "b"));
    assert_ne!(file.schema().features[1].shape, Shape::scalar(), "shapes are for new schemas");
}

#[test]
fn without_statistics_the_suggestion_is_applied() {
    let statistics = dataset(vec![missing(numbers("a", ColumnKind::Float, 0.0, 3.0), 5)]);
    let mut file =
        read_schema("feature { name: 'a' type: FLOAT presence { min_fraction: 1 min_count: 1 } }", "s")
            .unwrap();
    let found = findings(&file, &statistics);
    let options = InferOptions::default();
    apply_fix(&mut file, &found[0], Known { statistics: None, options: &options }).unwrap();
    assert_eq!(findings(&file, &statistics), []);
    assert_eq!(file.schema().features[0].presence.min_count, Some(1), "what was not in question stays");
}

#[test]
fn what_no_schema_settles_is_an_error() {
    let mut file = read_schema("feature { name: 'a' type: FLOAT }", "s").unwrap();
    let found = findings(&file, &DatasetStatistics::default());
    assert_eq!(found[0].code, FindingCode::NoRows);
    let options = InferOptions::default();
    let error = apply_fix(&mut file, &found[0], Known { statistics: None, options: &options }).unwrap_err();
    assert_eq!(error.to_string(), "no change of the schema settles NO_DATA_IN_SPAN");
}

fn updated(schema: &str, columns: Vec<ColumnStatistics>) -> Schema {
    let mut file = read_schema(schema, "schema.pbtxt").unwrap();
    update_schema(&mut file, &dataset(columns), &InferOptions::default());
    let written = read_schema(&write_schema(&file), "again").unwrap();
    assert_eq!(written.schema(), file.schema(), "message and plain schema say the same");
    file.schema().clone()
}

/// `golden.json`, anom-058: `schema_test.cc`, `UpdateUniqueConstraints`.
#[test]
fn unique_constraints_follow_the_data() {
    let distinct = |mut column: ColumnStatistics, count| {
        column.distinct = Some(Distinct { count, relative_error: 0.0 });
        column
    };
    let schema = updated(
        "feature { name: 'cat' type: INT int_domain { is_categorical: true } unique_constraints { min: 2 max: 2 } }
         feature { name: 'str' type: BYTES unique_constraints { min: 2 max: 2 } }
         feature { name: 'num' type: FLOAT unique_constraints { min: 1 max: 1 } }",
        vec![
            distinct(numbers("cat", ColumnKind::Integer, 0.0, 9.0), 5),
            distinct(text("str", &[("x", 10)]), 1),
            distinct(numbers("num", ColumnKind::Float, 0.0, 9.0), 5),
        ],
    );
    let unique: Vec<_> = schema.features.iter().map(|feature| feature.unique).collect();
    let bounds = |min, max| Some(UniqueConstraint { min: Some(min), max: Some(max) });
    assert_eq!(unique, [bounds(2, 5), bounds(1, 2), None]);
}

/// `golden.json`, anom-060: `schema_test.cc`, `UpdateDisallowInfs`.
#[test]
fn infinities_that_are_there_are_allowed() {
    let mut income = numbers("income", ColumnKind::Float, 0.0, 1.0);
    income.presence.num_positive_infinity = 1;
    let mut age = numbers("age", ColumnKind::Float, 0.0, 10.0);
    age.presence.num_negative_infinity = 1;
    let schema = updated(
        "feature { name: 'income' type: FLOAT float_domain { disallow_inf: true max: 5 } }
         feature { name: 'age' type: FLOAT float_domain { disallow_inf: true max: 5 } }",
        vec![income, age],
    );
    let max_and_rule = |index: usize| match schema.features[index].domain {
        Some(Domain::Float { max, disallow_inf, .. }) => (max, disallow_inf),
        _ => panic!("{schema:?}"),
    };
    assert_eq!(max_and_rule(0), (None, false));
    assert_eq!(max_and_rule(1), (Some(10.0), false));
}

/// `golden.json`, anom-030: `validation_api_test.py`, "shape removed and not restored".
#[test]
fn a_dropped_shape_does_not_come_back() {
    let full = || column("a", ColumnKind::Integer, 10_000);
    let mut file = SchemaFile::from(infer::infer_schema(&dataset(vec![full()]), &InferOptions::default()));
    let mut has_shape = vec![matches!(file.schema().features[0].shape, Shape::Fixed(_))];
    for data in [missing(full(), 1), full()] {
        update_schema(&mut file, &dataset(vec![data]), &InferOptions::default());
        has_shape.push(matches!(file.schema().features[0].shape, Shape::Fixed(_)));
    }
    assert_eq!(has_shape, [true, false, false]);
    assert_eq!(file.schema().features[0].presence.min_fraction, Some(0.9999));
}

#[test]
fn a_shared_range_becomes_a_range_of_its_own_when_it_changes() {
    let schema = updated(
        "feature { name: 'a' type: INT domain: 'hour' } feature { name: 'b' type: INT domain: 'hour' }
         int_domain { name: 'hour' min: 0 max: 23 }",
        vec![numbers("a", ColumnKind::Integer, 0.0, 24.0), numbers("b", ColumnKind::Integer, 0.0, 23.0)],
    );
    let max = |index: usize| match schema.features[index].domain {
        Some(Domain::Int { max, .. }) => max,
        _ => None,
    };
    assert_eq!((max(0), max(1)), (Some(24), Some(23)));
}

/// `golden.json`, anom-066, 068 and 070: `feature_util_test.cc`, `UpdateShapeTest`.
#[test]
fn a_shape_holds_as_long_as_the_number_of_values_does() {
    let lists = |levels: &[(u64, u64)]| {
        let level =
            |(min, max): &(u64, u64)| Level { min_length: *min, max_length: *max, ..Level::default() };
        let levels = levels.iter().map(level).collect();
        let valency = Some(Valency { levels, num_null_values: 0, lengths: None });
        ColumnStatistics { valency, ..column("a", ColumnKind::Integer, 10) }
    };
    let sizes =
        |sizes: &[i64]| sizes.iter().map(|size| format!("dim {{ size: {size} }} ")).collect::<String>();
    for (shape, levels, holds) in [
        (&[][..], &[(1, 1)][..], true),
        (&[2, 2, 9], &[(2, 2), (18, 18)], true),
        (&[1], &[(1, 1), (0, 1)], false),
        (&[2], &[(3, 3)], false),
        (&[2], &[(1, 2)], false),
    ] {
        let text = format!("feature {{ name: 'a' type: INT shape {{ {} }} }}", sizes(shape));
        let schema = updated(&text, vec![lists(levels)]);
        let wanted = if holds { Shape::Fixed(shape.to_vec()) } else { Shape::Any };
        assert_eq!(schema.features[0].shape, wanted, "{shape:?} {levels:?}");
    }
}
