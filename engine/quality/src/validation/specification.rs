//! Whether a schema makes sense by itself: domains that fit the type, shares between 0 and 1, bounds in order.

use sluice_core::schema::{Domain, Feature, FeatureType};

use super::finding::{Finding, FindingCode, Words};

/// Whether the values of the column can be judged by what the schema says of them.
pub(crate) fn check(feature: &Feature, findings: &mut Vec<Finding>) -> bool {
    if let Some(fraction) = feature.presence.min_fraction {
        check_fraction("presence.min_fraction", fraction, &feature.name, findings);
    }
    check_fraction(
        "distribution_constraints.min_domain_mass",
        feature.min_domain_mass,
        &feature.name,
        findings,
    );
    let Some(domain) = &feature.domain else { return true };
    let reversed = match domain {
        Domain::Int { min: Some(min), max: Some(max), .. } if min > max => {
            Some(("int_domain", format!("{min} to {max}")))
        }
        Domain::Float { min: Some(min), max: Some(max), .. } if !(min <= max) => {
            Some(("float_domain", format!("{min} to {max}")))
        }
        _ => None,
    };
    if let Some((rule, bounds)) = reversed {
        let words = Words {
            rule,
            expected: "`min` up to `max`".into(),
            observed: bounds.clone(),
            message: format!(
                "the schema of column `{}` has bounds that nothing lies between: {bounds}",
                feature.name
            ),
            suggestion: format!("in feature `{}`, set `min` below `max`", feature.name),
        };
        findings.push(Finding::column(FindingCode::SchemaInvalid, &feature.name, words));
        return false;
    }
    if feature.feature_type.is_some_and(|feature_type| !fits(domain, feature_type)) {
        findings.push(domain_invalid(feature, domain, feature.feature_type));
        return false;
    }
    true
}

fn check_fraction(rule: &'static str, fraction: f64, column: &str, findings: &mut Vec<Finding>) {
    if (0.0..=1.0).contains(&fraction) {
        return;
    }
    let words = Words {
        rule,
        expected: "a share from 0 to 1".into(),
        observed: fraction.to_string(),
        message: format!("the schema of column `{column}` has `{rule}` {fraction}, a share is from 0 to 1"),
        suggestion: format!("in feature `{column}`, set `{rule}` to a number from 0 to 1"),
    };
    findings.push(Finding::column(FindingCode::SchemaInvalid, column, words));
}

/// The table in TFDV: which domains a type may have.
fn fits(domain: &Domain, feature_type: FeatureType) -> bool {
    match (domain, feature_type) {
        (_, FeatureType::Bytes) | (Domain::Semantic(_), _) => true,
        (_, FeatureType::Struct) => false,
        (Domain::Boolean { .. }, FeatureType::Int | FeatureType::Float) => true,
        (Domain::Int { .. }, _) => feature_type == FeatureType::Int,
        (Domain::Float { .. }, _) => feature_type == FeatureType::Float,
        (Domain::Time { .. }, _) => feature_type == FeatureType::Int,
        (Domain::Strings { .. }, _) => false,
    }
}

/// A domain that does not fit the type.
pub(crate) fn domain_invalid(
    feature: &Feature,
    domain: &Domain,
    feature_type: Option<FeatureType>,
) -> Finding {
    let (rule, suited) = match domain {
        Domain::Int { .. } => ("int_domain", "INT or BYTES"),
        Domain::Float { .. } => ("float_domain", "FLOAT or BYTES"),
        Domain::Strings { .. } => ("domain", "BYTES"),
        Domain::Boolean { .. } => ("bool_domain", "INT, FLOAT or BYTES"),
        Domain::Time { .. } => ("time_domain", "INT or BYTES"),
        Domain::Semantic(_) => ("domain_info", "BYTES"),
    };
    let found = feature_type.map_or("a list or another nested type", FeatureType::name);
    let words = Words {
        rule,
        expected: suited.into(),
        observed: found.into(),
        message: format!("column `{}` has a `{rule}`, which does not fit {found}", feature.name),
        suggestion: format!("in feature `{}`, remove `{rule}` or set `type` to {suited}", feature.name),
    };
    Finding::column(FindingCode::DomainInvalidForType, &feature.name, words)
}
