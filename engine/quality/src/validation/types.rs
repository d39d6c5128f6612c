//! Whether a column has the type that the schema says.
//!
//! Two differences are spelling, not type, and pass where TFDV would find them: whole numbers where the schema
//! says FLOAT (a span of a text file may hold no fraction), and true/false where it says BYTES with a
//! `bool_domain` (TFDV reads text files that way).

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature, FeatureType};

use super::code::FindingCode;
use super::finding::{Finding, Words, rows};
use super::subject::Subject;
use super::type_in_words;
use crate::schema::feature_type;

/// Whether the types agree; a schema without a type accepts any.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let (feature, column) = (subject.feature, subject.column);
    let Some(expected) = feature.feature_type else { return };
    let found = feature_type(&column.kind);
    if found == Some(expected) || is_spelling(feature, &column.kind) {
        return;
    }
    let (name, words) = (subject.name(), type_in_words(&column.kind));
    let suggestion = match found {
        Some(found) => subject.change(&format!("type: {}", found.name())),
        None => format!("in feature `{name}`, remove `type`"),
    };
    let tfdv =
        format!("Expected data of type: {} but got {}", expected.name(), name_of_data(&column.kind, found));
    let num_present = column.presence.num_present();
    let words = Words {
        rule: "type",
        expected: expected.name().into(),
        observed: format!("{words} in {}", rows(num_present)),
        message: format!("column `{name}` is {words} in the data, {} in the schema", expected.name()),
        suggestion,
    };
    let finding = subject.finding(FindingCode::UnexpectedType, words).saying(tfdv);
    findings.push(finding.violated_by(Some(num_present)));
}

/// TFDV's name for the type of data, which tells text from bytes.
fn name_of_data(kind: &ColumnKind, found: Option<FeatureType>) -> &'static str {
    match found {
        Some(FeatureType::Bytes) if *kind.innermost() == ColumnKind::Binary => "BYTES",
        Some(FeatureType::Bytes) => "STRING",
        Some(other) => other.name(),
        None => "UNKNOWN",
    }
}

fn is_spelling(feature: &Feature, kind: &ColumnKind) -> bool {
    match feature.feature_type {
        Some(FeatureType::Float) => matches!(kind.innermost(), ColumnKind::Integer | ColumnKind::Unsigned),
        Some(FeatureType::Bytes) => {
            *kind.innermost() == ColumnKind::Boolean && matches!(feature.domain, Some(Domain::Boolean { .. }))
        }
        Some(FeatureType::Int | FeatureType::Struct) | None => false,
    }
}
