//! Each decision of inference, by a column that meets it.

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
    assert!(some.shape == Shape::Any);
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
    let options = InferOptions { max_string_domain_size: 1 };
    assert_eq!(infer_feature(&text("a", &[("y", 5), ("n", 2)]), &options).domain, None);
}

#[test]
fn columns_of_our_own_are_left_out() {
    let statistics =
        dataset(vec![column("__row_hash", ColumnKind::Unsigned, 3), column("a", ColumnKind::Date, 3)]);
    let schema = infer_schema(&statistics, &InferOptions::default());
    assert_eq!(schema.features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>(), ["a"]);
}
