//! Whether a schema makes sense by itself: a type, domains that fit it, shares between 0 and 1, bounds in order.

use std::collections::BTreeSet;

use sluice_core::schema::{Domain, Feature, FeatureType, Shape, ValueCount};

use super::code::FindingCode;
use super::comparators::{Against, thresholds};
use super::finding::{Finding, Words};
use super::place::Place;

/// Whether the values of the column can be judged by what the schema says of them; `has_type`: whether there is a type
/// that the schema could say.
pub(crate) fn check(feature: &Feature, place: &Place, has_type: bool, findings: &mut Vec<Finding>) -> bool {
    check_name_and_type(feature, place, has_type, findings);
    if let Some(fraction) = feature.presence.min_fraction {
        let tfdv = if fraction < 0.0 {
            "min_fraction should not be negative: clear is equal to zero"
        } else {
            "min_fraction should not greater than 1"
        };
        check_fraction("presence.min_fraction", fraction, tfdv, place, findings);
    }
    check_numbers_of_values(feature, place, findings);
    check_mass(feature, place, findings);
    check_comparators(feature, place, findings);
    let Some(domain) = &feature.domain else { return true };
    check_words(domain, place, findings);
    if let Some(bounds) = reversed(domain) {
        findings.push(nothing_between(domain, &bounds, place));
        return false;
    }
    if feature.feature_type.is_some_and(|feature_type| !fits(domain, feature_type)) {
        findings.push(domain_invalid(place, domain, feature.feature_type));
        return false;
    }
    true
}

fn check_name_and_type(feature: &Feature, place: &Place, has_type: bool, findings: &mut Vec<Finding>) {
    if feature.name.is_empty() {
        let words = Words {
            rule: "name",
            expected: "the name of a column".into(),
            observed: "no name".into(),
            message: "the schema has a feature without a name".into(),
            suggestion: "give it the name of its column: `name: \"fare\"`".into(),
        };
        findings.push(place.finding(FindingCode::FeatureMissingName, words));
    }
    if feature.feature_type.is_none() && has_type {
        let is_words = matches!(feature.domain, Some(Domain::Strings { .. }));
        let tfdv = if is_words {
            "unspecified type: inferring the type to be BYTES, given the domain specified."
        } else {
            "unspecified type: determine the type and set it, rather than deprecating."
        };
        let words = Words {
            rule: "type",
            expected: "a type".into(),
            observed: "none".into(),
            message: format!("the schema does not say the type of column `{}`; any passes", place.name()),
            suggestion: place.change(if is_words {
                "type: BYTES"
            } else {
                "type: INT | FLOAT | BYTES | STRUCT"
            }),
        };
        let finding = place.finding(FindingCode::FeatureMissingType, words).in_short(tfdv);
        // TFDV has an error here; a schema that leaves the type open is of use, so ours passes.
        findings.push(finding.into_warning());
    }
}

fn check_fraction(rule: &'static str, fraction: f64, tfdv: &str, place: &Place, findings: &mut Vec<Finding>) {
    if (0.0..=1.0).contains(&fraction) {
        return;
    }
    let name = place.name();
    let words = Words {
        rule,
        expected: "a share from 0 to 1".into(),
        observed: fraction.to_string(),
        message: format!("the schema of column `{name}` has `{rule}` {fraction}, a share is from 0 to 1"),
        suggestion: format!("in feature `{name}`, set `{rule}` to a number from 0 to 1"),
    };
    findings.push(place.finding(FindingCode::SchemaInvalid, words).in_short(tfdv));
}

/// Thresholds of distances that are numbers of at least 0: every distance is below infinity, and none above NaN.
fn check_comparators(feature: &Feature, place: &Place, findings: &mut Vec<Finding>) {
    let name = place.name();
    for (comparator, against) in [(&feature.drift, Against::Previous), (&feature.skew, Against::Serving)] {
        let bounds = comparator.iter().flat_map(thresholds);
        for (distance, threshold) in
            bounds.filter(|(_, threshold)| !(*threshold >= 0.0 && threshold.is_finite()))
        {
            let rule = distance.rule(against);
            let words = Words {
                rule,
                expected: "a finite number of at least 0".into(),
                observed: threshold.to_string(),
                message: format!("the schema of column `{name}` has the threshold {threshold} of `{rule}`"),
                suggestion: format!(
                    "in feature `{name}`, set the threshold of `{rule}` to a number from 0 to 1, or leave it out"
                ),
            };
            let finding = place.finding(FindingCode::SchemaInvalid, words);
            findings.push(finding.in_short("the threshold of a comparator should be a number of at least 0"));
        }
    }
}

/// Bounds of numbers of values in order and not negative, dimensions at least 1.
fn check_numbers_of_values(feature: &Feature, place: &Place, findings: &mut Vec<Finding>) {
    let name = place.name();
    match &feature.shape {
        Shape::Any => {}
        Shape::Fixed(sizes) => {
            if let Some(size) = sizes.iter().find(|size| **size <= 0) {
                let words = Words {
                    rule: "shape",
                    expected: "dimensions of at least 1".into(),
                    observed: size.to_string(),
                    message: format!("the shape of column `{name}` has a dimension of {size}"),
                    suggestion: format!("in feature `{name}`, remove `shape` or set its dimensions"),
                };
                let finding = place.finding(FindingCode::SchemaInvalid, words);
                findings.push(finding.in_short("Shape.dim.size must be a positive integer"));
            }
        }
        Shape::ValueCounts(counts) => {
            for (level, count) in counts.iter().enumerate() {
                check_count(*count, (counts.len() > 1).then_some(level), place, findings);
            }
        }
    }
}

fn check_count(count: ValueCount, level: Option<usize>, place: &Place, findings: &mut Vec<Finding>) {
    let rule = if level.is_some() { "value_counts" } else { "value_count" };
    let (message, tfdv) = match (count.min, count.max) {
        (Some(min), _) if min < 0 => ("`min` below 0", "ValueCount.min should not be negative"),
        (Some(min), Some(max)) if max < min => {
            ("`max` below `min`", "ValueCount.max should not be less than min")
        }
        _ => return,
    };
    let bound = |bound: Option<i64>| bound.map_or_else(|| "none".into(), |bound| bound.to_string());
    let words = Words {
        rule,
        expected: "0 <= `min` <= `max`".into(),
        observed: format!("min {}, max {}", bound(count.min), bound(count.max)),
        message: format!("the `{rule}` of column `{}` has {message}", place.name()),
        suggestion: format!("in feature `{}`, correct `{rule}`", place.name()),
    };
    let finding = place.finding(FindingCode::SchemaInvalid, words);
    findings.push(match level {
        None => finding.in_short(tfdv),
        Some(level) => {
            let plural = tfdv.replace("ValueCount.", "ValueCounts.");
            let sentence = plural.replace(" should", &format!(" at level {level} should"));
            finding.in_short(plural).saying(format!("{sentence}."))
        }
    });
}

/// A share of values that may lie outside makes sense for lists of values only.
fn check_mass(feature: &Feature, place: &Place, findings: &mut Vec<Finding>) {
    let (rule, mass) = ("distribution_constraints.min_domain_mass", feature.min_domain_mass);
    if mass.to_bits() == 1.0_f64.to_bits() {
        return;
    }
    let tfdv = "min_domain_mass should be between 0 and 1";
    check_fraction(rule, mass, tfdv, place, findings);
    let kind = match &feature.domain {
        Some(Domain::Strings { .. }) => return,
        Some(Domain::Int { .. }) => "int",
        Some(Domain::Float { .. }) => "float",
        Some(Domain::Boolean { .. }) => "bool",
        Some(Domain::Time { .. } | Domain::Semantic(_)) => "semantic",
        None => "no",
    };
    let tfdv = match kind {
        "no" => "distribution constraints require domain or string domain.".to_owned(),
        kind => format!("distribution constraints not supported for {kind} domains."),
    };
    let name = place.name();
    let words = Words {
        rule,
        expected: "a `domain` or `string_domain` beside it".into(),
        observed: if kind == "no" { "no domain".into() } else { format!("a {kind} domain") },
        message: format!("`{rule}` of column `{name}` has no list of values to refer to; it is not checked"),
        suggestion: format!("in feature `{name}`, remove `distribution_constraints`"),
    };
    findings.push(place.finding(FindingCode::SchemaInvalid, words).in_short(tfdv));
}

/// A list that names a value twice, and words for true and false that are the same.
fn check_words(domain: &Domain, place: &Place, findings: &mut Vec<Finding>) {
    let (rule, observed) = match domain {
        Domain::Strings { values, .. } => {
            let mut seen = BTreeSet::new();
            let Some(twice) = values.iter().find(|value| !seen.insert(value.as_str())) else { return };
            ("domain", format!("{twice:?} twice"))
        }
        Domain::Boolean { true_value: Some(yes), false_value: Some(no) } if yes == no => {
            ("bool_domain", format!("{yes:?} for true and for false"))
        }
        _ => return,
    };
    let name = place.name();
    let words = Words {
        rule,
        expected: "each value once".into(),
        observed: observed.clone(),
        message: format!("the `{rule}` of column `{name}` has {observed}"),
        suggestion: format!("in feature `{name}`, correct `{rule}`"),
    };
    let finding = place.finding(FindingCode::DomainSpecificationInvalid, words);
    // The values can be judged all the same, as TFDV does without a word.
    findings.push(finding.into_warning());
}

fn reversed(domain: &Domain) -> Option<String> {
    match domain {
        Domain::Int { min: Some(min), max: Some(max), .. } if min > max => Some(format!("{min} to {max}")),
        Domain::Float { min: Some(min), max: Some(max), .. } if !(min <= max) => {
            Some(format!("{min} to {max}"))
        }
        _ => None,
    }
}

fn nothing_between(domain: &Domain, bounds: &str, place: &Place) -> Finding {
    let name = place.name();
    let words = Words {
        rule: rule_of(domain),
        expected: "`min` up to `max`".into(),
        observed: bounds.to_owned(),
        message: format!("the schema of column `{name}` has bounds that nothing lies between: {bounds}"),
        suggestion: format!("in feature `{name}`, set `min` below `max`"),
    };
    place.finding(FindingCode::SchemaInvalid, words)
}

/// The table in TFDV: which domains a type may have.
fn fits(domain: &Domain, feature_type: FeatureType) -> bool {
    use FeatureType::{Bytes, Float, Int, Struct};
    match domain {
        Domain::Strings { .. } => feature_type == Bytes,
        Domain::Boolean { .. } => matches!(feature_type, Int | Bytes | Float),
        Domain::Int { .. } | Domain::Time { .. } => matches!(feature_type, Int | Bytes),
        Domain::Float { .. } => matches!(feature_type, Float | Bytes),
        Domain::Semantic(name) => match name.as_str() {
            "natural_language_domain" => matches!(feature_type, Int | Bytes),
            "image_domain" | "mid_domain" | "url_domain" => feature_type == Bytes,
            "struct_domain" => feature_type == Struct,
            _ => true,
        },
    }
}

/// The field of the schema that holds a domain.
pub(crate) fn rule_of(domain: &Domain) -> &'static str {
    match domain {
        Domain::Int { .. } => "int_domain",
        Domain::Float { .. } => "float_domain",
        Domain::Strings { .. } => "domain",
        Domain::Boolean { .. } => "bool_domain",
        Domain::Time { .. } => "time_domain",
        Domain::Semantic(name) => match name.as_str() {
            "natural_language_domain" => "natural_language_domain",
            "image_domain" => "image_domain",
            "mid_domain" => "mid_domain",
            "url_domain" => "url_domain",
            _ => "domain_info",
        },
    }
}

/// A domain that does not fit the type.
pub(crate) fn domain_invalid(place: &Place, domain: &Domain, feature_type: Option<FeatureType>) -> Finding {
    let suited = match domain {
        Domain::Int { .. } | Domain::Time { .. } => "INT or BYTES",
        Domain::Float { .. } => "FLOAT or BYTES",
        Domain::Strings { .. } => "BYTES",
        Domain::Boolean { .. } => "INT, FLOAT or BYTES",
        Domain::Semantic(name) if name == "natural_language_domain" => "INT or BYTES",
        Domain::Semantic(name) if name == "struct_domain" => "STRUCT",
        Domain::Semantic(_) => "BYTES",
    };
    let (rule, name) = (rule_of(domain), place.name());
    let of_tfdv = if rule == "domain" { "string_domain" } else { rule };
    let found = feature_type.map_or("a list or another nested type", FeatureType::name);
    let words = Words {
        rule,
        expected: suited.into(),
        observed: found.into(),
        message: format!("column `{name}` has a `{rule}`, which does not fit {found}"),
        suggestion: format!("in feature `{name}`, remove `{rule}` or set `type` to {suited}"),
    };
    let tfdv = format!("The domain \"{of_tfdv}\" does not match the type: {found}");
    place.finding(FindingCode::DomainInvalidForType, words).saying(tfdv)
}
