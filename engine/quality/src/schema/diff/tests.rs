//! Each sort of change, and that the same meaning is no change.

use super::*;
use crate::schema::read_schema;

/// "kind column rule old -> new", one line each.
fn changes(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| read_schema(text, "schema.pbtxt").unwrap();
    diff_schemas(&read(old), &read(new))
        .into_iter()
        .map(|change| {
            let word = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            format!(
                "{} {} {}: {} -> {}",
                change.kind.name(),
                word(change.column),
                change.rule,
                word(change.old),
                word(change.new)
            )
        })
        .collect()
}

fn in_feature(old: &str, new: &str) -> Vec<String> {
    changes(&format!("feature {{ name: 'a' {old} }}"), &format!("feature {{ name: 'a' {new} }}"))
}

#[test]
fn columns_come_and_go() {
    assert_eq!(
        changes(
            "feature { name: 'a' type: INT }
             feature { name: 's' type: STRUCT struct_domain { feature { name: 'x' } } }",
            "feature { name: 's' type: STRUCT struct_domain { feature { name: 'y' presence { min_count: 1 } } } }",
        ),
        [
            "removed a feature: INT, optional -> -",
            "removed s.x feature: any type, optional -> -",
            "added s.y feature: - -> any type, required",
        ]
    );
}

#[test]
fn bounds_tighten_and_loosen() {
    assert_eq!(
        in_feature(
            "presence { min_fraction: 0.5 min_count: 0 } float_domain { min: 0 max: 9 disallow_nan: true }",
            "presence { min_fraction: 0.9 } float_domain { min: -1 max: 8.5 }",
        ),
        [
            "tightened a presence.min_fraction: 0.5 -> 0.9",
            "loosened a float_domain.min: 0.0 -> -1.0",
            "tightened a float_domain.max: 9.0 -> 8.5",
            "loosened a float_domain.disallow_nan: true -> false",
        ]
    );
    assert_eq!(
        in_feature("value_count { min: 1 max: 1 }", "value_count { min: 1 max: 3 }"),
        ["loosened a value_count.max: 1 -> 3"]
    );
    assert_eq!(in_feature("shape { dim { size: 2 } }", ""), ["loosened a shape: [2] -> -"]);
    assert_eq!(
        in_feature("unique_constraints { min: 1 }", "unique_constraints { min: 2 max: 5 }"),
        ["tightened a unique_constraints.min: 1 -> 2", "tightened a unique_constraints.max: - -> 5",]
    );
    assert_eq!(
        in_feature("drift_comparator { infinity_norm { threshold: 0.1 } }", ""),
        ["loosened a drift_comparator.infinity_norm.threshold: 0.1 -> -"]
    );
}

#[test]
fn values_environments_and_stages() {
    assert_eq!(
        in_feature(
            "string_domain { name: 'list' value: 'x' value: 'y' } not_in_environment: 'SERVING'",
            "string_domain { name: 'list' value: 'z' value: 'y' } lifecycle_stage: DEPRECATED",
        ),
        [
            "loosened a lifecycle_stage: UNKNOWN_STAGE -> DEPRECATED",
            "loosened a string_domain.value: - -> \"z\"",
            "tightened a string_domain.value: \"x\" -> -",
            "changed a not_in_environment: \"SERVING\" -> -",
        ]
    );
    assert_eq!(
        in_feature("int_domain { }", "bool_domain { }"),
        ["changed a domain: int_domain -> bool_domain"]
    );
    assert_eq!(
        changes("default_environment: 'TRAINING'", "dataset_constraints { min_examples_count: 7 }"),
        [
            "changed - default_environment: \"TRAINING\" -> -",
            "tightened - dataset_constraints.min_examples_count: - -> 7",
        ]
    );
}

#[test]
fn what_the_plain_schema_cannot_say_is_compared_too() {
    assert_eq!(
        in_feature("annotation { tag: 'p' }", "annotation { tag: 'q' }"),
        ["changed a annotation: annotation { tag: \"p\" } -> annotation { tag: \"q\" }"]
    );
    assert_eq!(
        in_feature("novel_rule: 3", "novel_rule: 4"),
        ["changed a fields of newer versions: novel_rule: 3 -> novel_rule: 4"]
    );
    assert_eq!(
        in_feature("image_domain { max_image_byte_size: 9 }", "image_domain { }"),
        ["changed a image_domain: image_domain { max_image_byte_size: 9 } -> image_domain { }"]
    );
}

#[test]
fn layout_and_order_are_no_change() {
    assert_eq!(
        changes(
            "feature { name: 'a' domain: 'l' } feature { name: 'b' deprecated: true }
             string_domain { name: 'l' value: 'x' }",
            "feature { name: 'b' lifecycle_stage: DEPRECATED } # moved
             feature { name: 'a' string_domain { name: 'l' value: 'x' } }",
        ),
        [""; 0]
    );
}
