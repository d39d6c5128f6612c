//! Validate: every subset against the schema.

use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::Result;
use sluice_quality::schema::SchemaFile;
use sluice_quality::validation::{Severity, ValidateOptions, ValidationReport, validate, write_anomalies};

use crate::step::made_from;
use crate::step::statistics::StatisticsRecord;

/// The artifact's kind.
pub const VALIDATION_KIND: &str = "validation";
/// The version of its format.
pub const VALIDATION_VERSION: u32 = 1;
const FILE: &str = "validation.json";

/// What validation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// Whether the data may flow on.
    pub accepted: bool,
    /// Whether the schema was inferred from these very data; what breaks it is then a warning.
    pub schema_inferred: bool,
    /// One report per subset.
    pub subsets: Vec<ValidationReport>,
}

impl ValidationRecord {
    /// Validates every subset. A schema inferred from the training rows has no authority over the others: what
    /// breaks it is shown as a warning.
    #[must_use]
    pub fn new(
        statistics: &StatisticsRecord,
        schema: &SchemaFile,
        schema_inferred: bool,
        options: &ValidateOptions,
    ) -> Self {
        let mut subsets: Vec<ValidationReport> =
            statistics.subsets.iter().map(|subset| validate(subset, schema.schema(), options)).collect();
        if schema_inferred {
            for finding in subsets.iter_mut().flat_map(|report| &mut report.findings) {
                finding.severity = Severity::Warning;
            }
        }
        Self { accepted: subsets.iter().all(ValidationReport::is_accepted), schema_inferred, subsets }
    }

    /// Findings that stop the data, and those that do not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.subsets.iter().map(ValidationReport::num_errors).sum();
        let warnings = self.subsets.iter().map(ValidationReport::num_warnings).sum();
        (errors, warnings)
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open(folder: &Path) -> Result<Self> {
        Artifact::open(folder, VALIDATION_KIND, VALIDATION_VERSION)?.read_json(FILE)
    }

    /// Writes the artifact: all findings as JSON, and per subset TFDV's anomalies.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(
        &self,
        schema: &SchemaFile,
        made_of: [(&str, &str); 2],
        target: &Path,
    ) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, self)?;
        for report in &self.subsets {
            let name = format!("anomalies-{}.pbtxt", report.subset);
            draft.write_bytes(&name, write_anomalies(report, schema).as_bytes())?;
        }
        draft.publish(VALIDATION_KIND, VALIDATION_VERSION, made_from(made_of))
    }
}
