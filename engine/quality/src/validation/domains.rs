//! The values of a column against its domain, by the type of the data.

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, FeatureType};
use sluice_core::statistics::CustomStatistic;

use super::code::FindingCode;
use super::finding::{Finding, Words};
use super::specification::{domain_invalid, rule_of};
use super::subject::Subject;
use super::{floats, integers, strings};
use crate::protobuf::escape;

/// The values against the domain. Where the type is wrong, only domains that can be read off such data are judged.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(domain) = &subject.feature.domain else {
        return check_meaning(subject, findings);
    };
    let (kind, wanted) = (&subject.column.kind, subject.feature.feature_type);
    let data_type = crate::schema::feature_type(kind);
    if is_bare_bytes(subject) && !suits_bytes(domain) {
        findings.push(bytes_invalid(subject, domain));
        return;
    }
    match (data_type, domain) {
        (Some(FeatureType::Bytes), _) => strings::check(subject, domain, findings),
        (Some(FeatureType::Int), Domain::Boolean { .. }) => integers::check_boolean(subject, findings),
        (Some(FeatureType::Int), Domain::Int { min, max, .. }) => {
            integers::check(subject, *min, *max, findings);
        }
        // Whole numbers where the schema says FLOAT: see `types`.
        (Some(FeatureType::Int), Domain::Float { .. }) if wanted == Some(FeatureType::Float) => {
            floats::check(subject, domain, findings);
        }
        (Some(FeatureType::Float), Domain::Boolean { .. }) => floats::check_boolean(subject, findings),
        (Some(FeatureType::Float), Domain::Float { .. }) => floats::check(subject, domain, findings),
        (Some(FeatureType::Int), Domain::Time { .. }) | (_, Domain::Semantic(_)) => {}
        // A wrong type is a finding of its own.
        _ if wanted.is_some() && wanted != data_type => {}
        _ => findings.push(domain_invalid(subject.place, domain, data_type)),
    }
}

/// Bytes of which nothing is known as text.
fn is_bare_bytes(subject: &Subject<'_>) -> bool {
    *subject.column.kind.innermost() == ColumnKind::Binary && subject.column.top_values.is_none()
}

fn suits_bytes(domain: &Domain) -> bool {
    let suited = ["natural_language_domain", "image_domain", "url_domain"];
    matches!(domain, Domain::Semantic(name) if suited.contains(&name.as_str()))
}

fn bytes_invalid(subject: &Subject<'_>, domain: &Domain) -> Finding {
    let (name, rule) = (subject.name(), rule_of(domain));
    let words = Words {
        rule,
        expected: "text".into(),
        observed: "bytes, of which no values are kept".into(),
        message: format!("column `{name}` holds bytes, which its `{rule}` cannot judge"),
        suggestion: format!("in feature `{name}`, remove `{rule}`"),
    };
    let tfdv = format!(
        "Data is marked as BYTES with incompatible domain_info: name: \"{}\"\ntype: BYTES\n",
        escape(&subject.feature.name)
    );
    let finding = subject.finding(FindingCode::DomainInvalidForType, words);
    finding.in_short("Invalid domain type").saying(tfdv)
}

/// A meaning that the statistics name and the schema does not.
fn check_meaning(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(CustomStatistic::Text(domain)) = subject.column.custom.get("domain_info") else { return };
    let name = subject.name();
    let words = Words {
        rule: "domain_info",
        expected: "the domain that the statistics name".into(),
        observed: domain.clone(),
        message: format!("the statistics say that column `{name}` is `{domain}`, the schema has no domain"),
        suggestion: subject.change(domain),
    };
    let finding = subject.finding(FindingCode::SemanticDomainUpdate, words);
    findings.push(finding.saying(format!("Updated semantic domain for feature: {name}")));
}
