//! Validate: every subset against the schema.

use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::Result;
use sluice_core::statistics::DatasetStatistics;
use sluice_quality::schema::SchemaFile;
use sluice_quality::validation::{
    Baselines, Severity, ValidateOptions, ValidationReport, checked_rules, validate_against, write_anomalies,
};
use sluice_report::html::validation_page;
use sluice_report::junit::junit;

use crate::step::statistics::StatisticsRecord;
use crate::step::validation_reports::{page, suites};

/// The artifact's kind.
pub const VALIDATION_KIND: &str = "validation";
/// The version of its format.
pub const VALIDATION_VERSION: u32 = 2;
const FILE: &str = "validation.json";

/// What validation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// Whether the data may flow on.
    pub accepted: bool,
    /// Whether the schema was inferred from these very data; what breaks it is then a warning.
    pub schema_inferred: bool,
    /// One report per subset.
    pub subsets: Vec<ValidationReport>,
}

/// Statistics of other data sets, with which a schema may compare: subsets by name, or the only one there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Others<'a> {
    /// The span before.
    pub previous: Option<&'a StatisticsRecord>,
    /// The version before of the same span.
    pub previous_version: Option<&'a StatisticsRecord>,
    /// Data at serving.
    pub serving: Option<&'a StatisticsRecord>,
}

impl<'a> Others<'a> {
    /// What a subset is compared with.
    #[must_use]
    pub fn of_subset(&self, name: &str) -> Baselines<'a> {
        let find = |record: Option<&'a StatisticsRecord>| -> Option<&'a DatasetStatistics> {
            let record = record?;
            match record.subsets.as_slice() {
                [only] => Some(only),
                _ => record.subset(name),
            }
        };
        Baselines {
            previous: find(self.previous),
            previous_version: find(self.previous_version),
            serving: find(self.serving),
        }
    }
}

impl ValidationRecord {
    /// Validates every subset. A schema inferred from the training rows has no authority over the others: what
    /// breaks it is shown as a warning.
    ///
    /// # Errors
    /// An environment that the schema does not have.
    pub fn new(
        statistics: &StatisticsRecord,
        schema: &SchemaFile,
        schema_inferred: bool,
        options: &ValidateOptions,
        others: &Others<'_>,
    ) -> Result<Self> {
        options.check(schema.schema())?;
        let judge = |subset: &DatasetStatistics| {
            validate_against(subset, schema.schema(), options, &others.of_subset(&subset.name))
        };
        let mut subsets: Vec<ValidationReport> = statistics.subsets.iter().map(judge).collect();
        if schema_inferred {
            for finding in subsets.iter_mut().flat_map(|report| &mut report.findings) {
                finding.severity = Severity::Warning;
            }
        }
        Ok(Self { accepted: subsets.iter().all(ValidationReport::is_accepted), schema_inferred, subsets })
    }

    /// Findings that stop the data, and those that do not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.subsets.iter().map(ValidationReport::num_errors).sum();
        let warnings = self.subsets.iter().map(ValidationReport::num_warnings).sum();
        (errors, warnings)
    }

    /// The results in the XML of `JUnit`: per subset one case for each rule of each column.
    #[must_use]
    pub fn junit(&self, schema: &SchemaFile, options: &ValidateOptions, others: &Others<'_>) -> String {
        let suites: Vec<_> = self
            .subsets
            .iter()
            .map(|report| {
                let baselines = others.of_subset(&report.subset);
                suites(report, &checked_rules(schema.schema(), options, &baselines))
            })
            .collect();
        junit("validation", &suites)
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open(folder: &Path) -> Result<Self> {
        Artifact::open(folder, VALIDATION_KIND, VALIDATION_VERSION)?.read_json(FILE)
    }

    /// Writes the artifact: all findings as JSON and as a page, per subset TFDV's anomalies, and `junit.xml`.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(
        &self,
        schema: &SchemaFile,
        junit: &str,
        made_of: &[(&str, &str)],
        target: &Path,
    ) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, self)?;
        for report in &self.subsets {
            let name = format!("anomalies-{}.pbtxt", report.subset);
            draft.write_bytes(&name, write_anomalies(report, schema).as_bytes())?;
        }
        draft.write_bytes("junit.xml", junit.as_bytes())?;
        draft.write_bytes("validation.html", validation_page("Validation", &page(self)).as_bytes())?;
        draft.publish(
            VALIDATION_KIND,
            VALIDATION_VERSION,
            made_of.iter().map(|(name, digest)| ((*name).into(), (*digest).into())).collect(),
        )
    }
}
