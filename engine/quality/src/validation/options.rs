//! How to validate, and with what to compare.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::schema::Schema;
use sluice_core::statistics::DatasetStatistics;

use super::code::FindingCode;
use super::finding::{Finding, Severity};
use crate::error::QualityError;

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

/// How much findings of one code weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeverityOverride {
    /// They pass.
    Warning,
    /// They break the schema.
    Error,
    /// They are not mentioned.
    Ignore,
}

/// How to validate.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `new_columns` | `warning` | `warning`, `error`, `ignore` | columns that the schema does not know |
/// | `environment` | | one of the schema's default environments | columns that are not in it are not required |
/// | `severity` | `{}` | code: `warning`, `error` or `ignore` | how much findings of a code weigh |
/// | `slices` | `false` | | whether each slice of the statistics is judged too |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidateOptions {
    /// What to do about columns that the schema does not know; `severity` of `new-column` goes before it.
    pub new_columns: NewColumns,
    /// The environment of the data (`SERVING`), one of the schema's default environments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How much findings of a code weigh, where not as usual.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<FindingCode, SeverityOverride>,
    /// Whether each slice of the statistics is judged too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub slices: bool,
}

impl ValidateOptions {
    /// Whether the options make sense with this schema.
    ///
    /// # Errors
    /// [`QualityError::EnvironmentNotInSchema`].
    pub fn check(&self, schema: &Schema) -> Result<(), QualityError> {
        match &self.environment {
            Some(environment) if !schema.default_environments.contains(environment) => {
                Err(QualityError::EnvironmentNotInSchema {
                    environment: environment.clone(),
                    available: schema.default_environments.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The finding with the severity that is wanted; none where it is to be ignored.
    pub(crate) fn weighed(&self, finding: Finding) -> Option<Finding> {
        let new_column = (finding.code == FindingCode::NewColumn).then_some(match self.new_columns {
            NewColumns::Warning => SeverityOverride::Warning,
            NewColumns::Error => SeverityOverride::Error,
            NewColumns::Ignore => SeverityOverride::Ignore,
        });
        let severity = match self.severity.get(&finding.code).copied().or(new_column) {
            Some(SeverityOverride::Ignore) => return None,
            Some(SeverityOverride::Warning) => Severity::Warning,
            Some(SeverityOverride::Error) => Severity::Error,
            None => finding.severity,
        };
        Some(Finding { severity, ..finding })
    }
}

/// Other data sets with which the schema compares.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baselines<'a> {
    /// The span before: drift of columns and of the number of rows.
    pub previous: Option<&'a DatasetStatistics>,
    /// The version before of the same span: the number of rows.
    pub previous_version: Option<&'a DatasetStatistics>,
    /// Data at serving: skew of columns.
    pub serving: Option<&'a DatasetStatistics>,
}

impl<'a> Baselines<'a> {
    /// The same slice of each; a data set without that slice has nothing to compare with.
    pub(crate) fn of_slice(&self, name: &str) -> Self {
        let slice = |statistics: Option<&'a DatasetStatistics>| {
            statistics.and_then(|statistics| statistics.slices.iter().find(|slice| slice.name == name))
        };
        Self {
            previous: slice(self.previous),
            previous_version: slice(self.previous_version),
            serving: slice(self.serving),
        }
    }
}
