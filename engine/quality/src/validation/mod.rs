//! Statistics against a schema: all findings, in the order of the schema, then those on the whole data set, then
//! columns that the schema does not know, in the order of the data.
//!
//! Checks follow TFDV's and carry its types. A column that is not live (deprecated, planned, …) is not checked;
//! one without values has no further findings than that; after a wrong type its values are not judged. What the
//! statistics cannot decide is a warning that says so, never a silent pass.

mod anomalies;
mod dataset;
mod finding;
mod floats;
mod integers;
mod presence;
mod specification;
mod strings;
mod types;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature, FeatureType, Schema};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

pub use anomalies::write_anomalies;
pub use finding::{Finding, FindingCode, RowExample, Severity, TfdvType};

/// What to do about columns that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewColumns {
    /// They are a finding and pass.
    #[default]
    Warning,
    /// They break the schema, as in TFDV.
    Error,
    /// They are not mentioned.
    Ignore,
}

/// How to validate.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `new_columns` | `warning` | `warning`, `error`, `ignore` | columns that the schema does not know |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidateOptions {
    /// What to do about columns that the schema does not know.
    pub new_columns: NewColumns,
}

/// Where the data of one subset disagree with a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationReport {
    /// The subset: `train`, `eval`, …
    pub subset: String,
    /// The rows that were judged.
    pub num_rows: u64,
    /// All there are, in a fixed order.
    pub findings: Vec<Finding>,
}

impl ValidationReport {
    /// Findings that break the schema.
    #[must_use]
    pub fn num_errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Findings that do not.
    #[must_use]
    pub fn num_warnings(&self) -> usize {
        self.findings.len() - self.num_errors()
    }

    /// Whether the data may flow on.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.num_errors() == 0
    }
}

/// Compares statistics with a schema. A data set without rows has that as its only finding.
///
/// # Examples
/// ```
/// use sluice_core::statistics::DatasetStatistics;
/// use sluice_quality::schema::read_schema;
/// use sluice_quality::validation::{ValidateOptions, validate};
///
/// let file = read_schema("feature { name: 'fare' type: FLOAT presence { min_count: 1 } }", "schema.pbtxt")?;
/// let statistics = DatasetStatistics { name: "eval".into(), num_rows: 3, ..Default::default() };
/// let report = validate(&statistics, file.schema(), &ValidateOptions::default());
/// assert_eq!(report.findings[0].message, "column `fare` is required, but not in the data");
/// assert!(!report.is_accepted());
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
#[must_use]
pub fn validate(
    statistics: &DatasetStatistics,
    schema: &Schema,
    options: &ValidateOptions,
) -> ValidationReport {
    let mut findings = Vec::new();
    if statistics.num_rows == 0 {
        findings.push(dataset::no_rows());
    } else {
        let columns: BTreeMap<&str, &ColumnStatistics> =
            statistics.columns.iter().map(|column| (column.name.as_str(), column)).collect();
        for feature in schema.features.iter().filter(|feature| feature.is_live()) {
            let column = columns.get(feature.name.as_str()).copied();
            check_feature(feature, column, statistics.num_rows, &mut findings);
        }
        dataset::check_rows(statistics, schema, &mut findings);
        dataset::check_new_columns(statistics, schema, options.new_columns, &mut findings);
    }
    ValidationReport { subset: statistics.name.clone(), num_rows: statistics.num_rows, findings }
}

fn check_feature(
    feature: &Feature,
    column: Option<&ColumnStatistics>,
    num_rows: u64,
    findings: &mut Vec<Finding>,
) {
    let is_sound = specification::check(feature, findings);
    let column = match column {
        Some(column) if column.presence.num_absent < column.presence.num_rows => column,
        _ => return presence::check_missing_column(feature, num_rows, findings),
    };
    if column.presence.num_present() == 0 {
        return presence::check_not_present(feature, column, findings);
    }
    presence::check(feature, column, findings);
    if types::check(feature, column, findings) && is_sound {
        check_domain(feature, column, findings);
    }
}

fn check_domain(feature: &Feature, column: &ColumnStatistics, findings: &mut Vec<Finding>) {
    let Some(domain) = &feature.domain else { return };
    let data_type = crate::schema::feature_type(&column.kind);
    match (data_type, domain) {
        (Some(FeatureType::Bytes), _) => strings::check(feature, domain, column, findings),
        (Some(FeatureType::Int), Domain::Boolean { .. }) => integers::check_boolean(column, findings),
        (Some(FeatureType::Int), Domain::Int { min, max, .. }) => {
            integers::check(*min, *max, column, findings)
        }
        // Whole numbers where the schema says FLOAT: see `types`.
        (Some(FeatureType::Int), Domain::Float { .. })
            if feature.feature_type == Some(FeatureType::Float) =>
        {
            floats::check(domain, column, findings);
        }
        (Some(FeatureType::Float), Domain::Boolean { .. }) => floats::check_boolean(column, findings),
        (Some(FeatureType::Float), Domain::Float { .. }) => floats::check(domain, column, findings),
        // Only a column without a type in the schema comes here: `specification` refuses the others.
        (Some(FeatureType::Int), Domain::Time { .. }) => {}
        (_, Domain::Semantic(_)) => {}
        (None | Some(FeatureType::Int | FeatureType::Float | FeatureType::Struct), _) => {
            findings.push(specification::domain_invalid(feature, domain, data_type));
        }
    }
}

/// How a column's type reads in a sentence: `INT (boolean)`.
fn type_in_words(kind: &ColumnKind) -> String {
    crate::schema::feature_type(kind)
        .map_or_else(|| kind.to_string(), |feature_type| format!("{} ({kind})", feature_type.name()))
}

#[cfg(test)]
mod tests;
