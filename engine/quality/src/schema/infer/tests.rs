//! Each decision of inference, by a column that meets it.

use sluice_core::schema::ValueCount;

use super::*;
use crate::sample::{column, dataset, missing, numbers, text};

fn domain_for(column: &ColumnStatistics) -> Option<Domain> {
    infer_feature(column, &InferOptions::default()).domain
}

#[test]
fn presence_and_shape_follow_what_is_missing() {
    let full = infer_feature(&column("a", ColumnKind::Float, 4), &InferOptions::default());
    assert_eq!(full.presence, PresenceConstraint { min_fraction: Some(1.0), min_count: Some(1) });
    assert!(full.shape == Shape::scalar());
    let some = infer_feature(&missing(column("a", ColumnKind::Float, 4), 1), &InferOptions::default());
    assert_eq!(some.presence, PresenceConstraint { min_fraction: None, min_count: Some(1) });
    let one = ValueCount { min: Some(1), max: Some(1) };
    assert_eq!(some.shape, Shape::ValueCounts(vec![one]));
    let none = infer_feature(&missing(column("a", ColumnKind::Null, 4), 4), &InferOptions::default());
    assert_eq!(none.presence, PresenceConstraint { min_fraction: None, min_count: Some(0) });
    assert!(none.shape == Shape::Any && !none.is_required());
    assert_eq!(none.feature_type, Some(FeatureType::Bytes));
    let empty = infer_feature(&column("a", ColumnKind::Float, 0), &InferOptions::default());
    assert!(empty.shape == Shape::Any && !empty.is_required());
}

#[test]
fn kinds_become_types() {
    for (kind, wanted) in [
        (ColumnKind::Boolean, Some(FeatureType::Int)),
        (ColumnKind::Unsigned, Some(FeatureType::Int)),
        (ColumnKind::Decimal { precision: 9, scale: 2 }, Some(FeatureType::Float)),
        (ColumnKind::Date, Some(FeatureType::Bytes)),
        (ColumnKind::Struct(Vec::new()), Some(FeatureType::Struct)),
        (ColumnKind::List(Box::new(ColumnKind::Integer)), Some(FeatureType::Int)),
    ] {
        assert_eq!(feature_type(&kind), wanted, "{kind}");
    }
}

#[test]
fn integers_are_boolean_only_if_a_one_was_seen() {
    let boolean = Some(Domain::Boolean { true_value: None, false_value: None });
    assert_eq!(domain_for(&numbers("a", ColumnKind::Integer, 0.0, 1.0)), boolean);
    assert_eq!(domain_for(&numbers("a", ColumnKind::Integer, 1.0, 1.0)), boolean);
    assert_eq!(domain_for(&numbers("a", ColumnKind::Integer, 0.0, 0.0)), None);
    assert_eq!(domain_for(&numbers("a", ColumnKind::Integer, -1.0, 1.0)), None);
    assert_eq!(domain_for(&numbers("a", ColumnKind::Integer, 0.0, 2.0)), None);
    assert_eq!(domain_for(&numbers("a", ColumnKind::Float, 0.0, 1.0)), None, "floats have no domain");
}

#[test]
fn text_is_boolean_then_integer_then_a_list() {
    assert_eq!(
        domain_for(&text("a", &[("true", 5), ("false", 2)])),
        Some(Domain::Boolean { true_value: Some("true".into()), false_value: Some("false".into()) })
    );
    assert_eq!(
        domain_for(&text("a", &[("1", 5)])),
        Some(Domain::Boolean { true_value: Some("1".into()), false_value: None })
    );
    assert_eq!(
        domain_for(&text("a", &[("12", 5), ("-7", 5)])),
        Some(Domain::Int { min: None, max: None, is_categorical: false })
    );
    assert_eq!(
        domain_for(&text("a.b", &[("y", 5), ("n", 2)])),
        Some(Domain::Strings {
            name: "'a.b'".into(),
            values: vec!["n".into(), "y".into()],
            is_categorical: None
        })
    );
}

#[test]
fn what_is_not_known_completely_has_no_domain() {
    let mut open = text("a", &[("y", 5), ("n", 2)]);
    open.top_values.as_mut().unwrap().is_complete = false;
    assert_eq!(domain_for(&open), None);
    assert_eq!(domain_for(&text("a", &[])), None);
    let options = InferOptions { max_string_domain_size: 1, ..InferOptions::default() };
    assert_eq!(infer_feature(&text("a", &[("y", 5), ("n", 2)]), &options).domain, None);
}

#[test]
fn columns_of_our_own_are_left_out() {
    let statistics =
        dataset(vec![column("__row_hash", ColumnKind::Unsigned, 3), column("a", ColumnKind::Date, 3)]);
    let schema = infer_schema(&statistics, &InferOptions::default());
    assert_eq!(schema.features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>(), ["a"]);
}

fn asked(column: &ColumnStatistics, options: InferOptions) -> Option<Domain> {
    infer_feature(column, &options).domain
}

#[test]
fn ranges_never_exclude_the_data() {
    let ranges = || InferOptions { ranges: true, ..InferOptions::default() };
    for (low, high) in
        [(0.1, 0.3), (-1.0 / 3.0, 1e300), (16_777_217.0, 123_456_789.123), (-1e-50, 1e-50), (2.0, 2.0)]
    {
        let domain = asked(&numbers("a", ColumnKind::Float, low, high), ranges());
        let Some(Domain::Float { min: Some(min), max: Some(max), .. }) = domain else { panic!("{domain:?}") };
        assert!(min <= low && max >= high, "{min} {low} {high} {max}");
        let file = SchemaFile::from(Schema {
            features: vec![Feature { domain: domain.clone(), ..Feature::new("a") }],
            ..Schema::default()
        });
        let text = crate::schema::write_schema(&file);
        assert_eq!(
            crate::schema::read_schema(&text, "s").unwrap().schema().features[0].domain,
            domain,
            "{text}"
        );
    }
    let mut open = numbers("a", ColumnKind::Float, 0.0, 1.0);
    open.presence.num_positive_infinity = 1;
    assert!(matches!(asked(&open, ranges()), Some(Domain::Float { min: Some(_), max: None, .. })));
    let mut exact = numbers("a", ColumnKind::Integer, 0.0, 9e18);
    exact.numeric.as_mut().unwrap().exact_range = Some(("0".into(), "9007199254740993".into()));
    let wanted = Domain::Int { min: Some(0), max: Some(9_007_199_254_740_993), is_categorical: false };
    assert_eq!(asked(&exact, ranges()), Some(wanted));
}

#[test]
fn few_integers_are_categories_on_request() {
    let mut column = numbers("a", ColumnKind::Integer, 1.0, 7.0);
    column.distinct = Some(sluice_core::statistics::Distinct { count: 7, relative_error: 0.0 });
    let most =
        |max_categorical_integers| InferOptions { max_categorical_integers, ..InferOptions::default() };
    let wanted = Domain::Int { min: None, max: None, is_categorical: true };
    assert_eq!(asked(&column, most(7)), Some(wanted));
    assert_eq!(asked(&column, most(6)), None);
}

#[test]
fn a_domain_that_the_statistics_name_comes_first() {
    let custom = |text: &str| {
        let mut column = text_column();
        let text = sluice_core::statistics::CustomStatistic::Text(text.into());
        column.custom.insert(DOMAIN_INFO.into(), text);
        column
    };
    let image = custom("image_domain { minimum_supported_image_fraction: 0.5 }");
    assert_eq!(domain_for(&image), Some(Domain::Semantic("image_domain".into())));
    let file = infer_schema_file(&dataset(vec![image]), &InferOptions::default());
    assert!(crate::schema::write_schema(&file).contains("minimum_supported_image_fraction: 0.5"));
    for other in ["name: 'x'", "image_domain { } name: 'x'", "domain: 'x'", "}", ""] {
        assert!(matches!(domain_for(&custom(other)), Some(Domain::Strings { .. })), "{other}");
    }
}

fn text_column() -> ColumnStatistics {
    text("a", &[("y", 5), ("n", 2)])
}
