//! Whether a column has the type that the schema says.
//!
//! Two differences are spelling, not type, and pass where TFDV would find them: whole numbers where the schema
//! says FLOAT (a span of a text file may hold no fraction), and true/false where it says BYTES with a
//! `bool_domain` (TFDV reads text files that way).

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature, FeatureType};
use sluice_core::statistics::ColumnStatistics;

use super::finding::{Finding, FindingCode, Words, change, rows};
use super::type_in_words;
use crate::schema::feature_type;

/// Whether the types agree; a schema without a type accepts any.
pub(crate) fn check(feature: &Feature, column: &ColumnStatistics, findings: &mut Vec<Finding>) -> bool {
    let Some(expected) = feature.feature_type else { return true };
    let found = feature_type(&column.kind);
    if found == Some(expected) || is_spelling(feature, &column.kind) {
        return true;
    }
    let (name, words) = (&feature.name, type_in_words(&column.kind));
    let suggestion = match found {
        Some(found) => change(name, &format!("type: {}", found.name())),
        None => format!("in feature `{name}`, remove `type`"),
    };
    let words = Words {
        rule: "type",
        expected: expected.name().into(),
        observed: format!("{words} in {}", rows(column.presence.num_present())),
        message: format!("column `{name}` is {words} in the data, {} in the schema", expected.name()),
        suggestion,
    };
    findings.push(Finding::column(FindingCode::UnexpectedType, name, words));
    false
}

fn is_spelling(feature: &Feature, kind: &ColumnKind) -> bool {
    match feature.feature_type {
        Some(FeatureType::Float) => matches!(kind, ColumnKind::Integer | ColumnKind::Unsigned),
        Some(FeatureType::Bytes) => {
            *kind == ColumnKind::Boolean && matches!(feature.domain, Some(Domain::Boolean { .. }))
        }
        Some(FeatureType::Int | FeatureType::Struct) | None => false,
    }
}
