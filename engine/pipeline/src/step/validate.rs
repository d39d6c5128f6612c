//! Validate: every subset against the schema.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::{Diagnostic, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::BatchSource;
use sluice_core::statistics::DatasetStatistics;
use sluice_quality::rules::{RowChecks, RowCounts, UniqueKey};
use sluice_quality::schema::SchemaFile;
use sluice_quality::validation::{
    Baselines, CheckedRule, Severity, ValidateOptions, ValidationReport, checked_rules, validate_against,
    write_anomalies,
};
use sluice_report::html::validation_page;
use sluice_report::junit::junit;
use sluice_source::FileSource;

use crate::step::file_names;
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

/// The rows behind statistics, and what is checked in them.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a function has nothing to show")]
pub struct Rows<'a> {
    /// Opens the rows of a subset.
    pub open: &'a dyn Fn(&str) -> Result<FileSource>,
    /// Columns that are shown with each row.
    pub key: &'a [String],
    /// What is checked.
    pub checks: &'a RowChecks,
}

/// Rows that are not those of the statistics.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// More or fewer.
    #[error("the statistics of subset `{subset}` are of {expected} rows, but the data have {found}")]
    OtherRows {
        /// The subset.
        subset: String,
        /// Rows that the statistics are of.
        expected: u64,
        /// Rows that the data have.
        found: u64,
    },
}

impl RowsError {
    /// Whether a source has as many rows as the statistics of a subset are of.
    ///
    /// # Errors
    /// [`RowsError::OtherRows`].
    pub fn unless_same(subset: &str, expected: u64, source: &FileSource) -> Result<(), Self> {
        match source.plan().rows() {
            found if found == expected => Ok(()),
            found => Err(Self::OtherRows { subset: subset.to_owned(), expected, found }),
        }
    }
}

impl Diagnostic for RowsError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("give the data that the statistics were computed from, or compute them again".into())
    }
}

/// What was checked in rows, as cases of a report.
fn of_rows(report: &ValidationReport) -> impl Iterator<Item = CheckedRule> {
    let rules = report.rules.iter().map(|count| CheckedRule { column: None, rule: count.rule.clone() });
    let keys = report.keys.iter().map(|count| CheckedRule {
        column: if let [column] = &count.columns[..] { Some(column.clone()) } else { None },
        rule: UniqueKey(count.columns.clone()).title(),
    });
    rules.chain(keys)
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

    /// Checks what only rows tell, of each subset in one scan of the columns concerned: rules, repeated keys, and
    /// the rows behind the findings that are there already, which get exact counts. Rules weigh what they say, also
    /// where the schema was inferred. Subsets whose rules and keys are `counted` already are read again for the rows
    /// behind findings only. Answers whether rows were read, so that the data made the artifact.
    ///
    /// # Errors
    /// [`RowsError`], rules that do not fit the columns, and what reading the rows meets.
    pub fn look_at_rows(
        &mut self,
        schema: &SchemaFile,
        options: &ValidateOptions,
        rows: &Rows<'_>,
        mut counted: BTreeMap<String, RowCounts>,
        execution: &Execution,
    ) -> Result<bool> {
        let mut has_read = false;
        for report in &mut self.subsets {
            let is_asked = rows.checks.examples > 0 && !report.findings.is_empty();
            if rows.checks.is_empty() && !is_asked {
                continue;
            }
            let source = (rows.open)(&report.subset)?;
            RowsError::unless_same(&report.subset, report.num_rows, &source)?;
            let how = (schema.schema(), options);
            has_read |= rows
                .checks
                .look(report, how, (&source, rows.key), counted.remove(&report.subset), execution)
                .map_err(|error| error.in_place(format!("subset `{}`", report.subset)))?;
        }
        self.accepted = self.subsets.iter().all(ValidationReport::is_accepted);
        Ok(has_read)
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
                let mut rules = checked_rules(schema.schema(), options, &baselines);
                rules.extend(of_rows(report));
                suites(report, &rules)
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
            let name = format!("anomalies-{}.pbtxt", file_names::of_subset(&report.subset));
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
