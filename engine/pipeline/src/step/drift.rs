//! Drift: every subset against that of other data.

use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::schema::Schema;
use sluice_core::statistics::DatasetStatistics;
use sluice_ingest::IngestError;
use sluice_quality::drift::{
    DriftOptions, DriftReport, DriftSide, Tables, compare_slices, validation_report,
};
use sluice_quality::schema::SchemaFile;
use sluice_quality::validation::{CheckedRule, ValidationReport, write_anomalies};
use sluice_report::junit::junit;

use crate::domain_classifier::{DomainError, DomainSample, classify};
use crate::step::statistics::StatisticsRecord;
use crate::step::validation_reports::suites;
use crate::step::{drift_page, file_names, made_from};

/// The artifact's kind.
pub const DRIFT_KIND: &str = "drift";
/// The version of its format.
pub const DRIFT_VERSION: u32 = 1;
const FILE: &str = "drift.json";

/// Statistics of a data set and, where its rows were read, the numbers of each subset in the same order.
#[derive(Clone, Debug, Default)]
pub struct DriftInput {
    /// What is known.
    pub statistics: StatisticsRecord,
    /// None where the statistics were saved.
    pub tables: Option<Vec<Tables>>,
    /// Some rows of each subset, where rows are to be told apart; none where the statistics were saved.
    pub samples: Option<Vec<DomainSample>>,
}

impl DriftInput {
    /// One subset: of one that is the only one whatever its name.
    fn subset(&self, name: &str) -> Option<DriftSide<'_>> {
        let subsets = &self.statistics.subsets;
        let index = self.index(name)?;
        let tables = self.tables.as_ref().and_then(|tables| tables.get(index));
        Some(DriftSide { statistics: &subsets[index], tables })
    }

    fn index(&self, name: &str) -> Option<usize> {
        match self.statistics.subsets.as_slice() {
            [_] => Some(0),
            several => several.iter().position(|subset| subset.name == name),
        }
    }

    fn sample(&self, name: &str) -> Result<&DomainSample> {
        let found = self.index(name).and_then(|index| self.samples.as_ref()?.get(index));
        found.ok_or_else(|| DomainError::NoRows { side: name.to_owned() }.into())
    }

    /// Leaves one subset, where that is asked for and there are several.
    ///
    /// # Errors
    /// [`IngestError::NoSuchSubset`].
    pub fn only(mut self, subset: Option<&str>) -> Result<Self> {
        let (Some(name), true) = (subset, self.statistics.subsets.len() > 1) else { return Ok(self) };
        let subsets = &self.statistics.subsets;
        let Some(index) = subsets.iter().position(|subset| subset.name == name) else {
            return Err(missing(name, subsets).into());
        };
        self.statistics.subsets.swap(0, index);
        self.statistics.subsets.truncate(1);
        if let Some(tables) = &mut self.tables {
            tables.swap(0, index);
            tables.truncate(1);
        }
        if let Some(samples) = &mut self.samples {
            samples.swap(0, index);
            samples.truncate(1);
        }
        Ok(self)
    }
}

fn missing(name: &str, subsets: &[DatasetStatistics]) -> IngestError {
    let found = subsets.iter().map(|subset| subset.name.clone()).collect();
    IngestError::NoSuchSubset { name: name.to_owned(), found }
}

fn is_accepted(reports: &[DriftReport]) -> bool {
    reports.iter().all(|report| report.alarms().next().is_none() && report.domain_alarm().is_none())
}

/// What became of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftRecord {
    /// Whether no column raises an alarm.
    pub accepted: bool,
    /// How it was looked for.
    pub options: DriftOptions,
    /// One report per subset of the current data, after each those of its slices.
    pub subsets: Vec<DriftReport>,
}

impl DriftRecord {
    /// Compares every subset with that of the same name, or with the only one there is.
    ///
    /// # Errors
    /// Options that do not fit, a subset that the reference does not have.
    pub fn new(current: &DriftInput, reference: &DriftInput, options: &DriftOptions) -> Result<Self> {
        let judge = |subset: &DatasetStatistics| {
            let side = current.subset(&subset.name);
            let side = side.ok_or_else(|| CommonError::Internal("a subset is not its own".into()))?;
            let other = reference.subset(&subset.name);
            let other = other.ok_or_else(|| missing(&subset.name, &reference.statistics.subsets))?;
            compare_slices(side, other, options)
        };
        let mut subsets: Vec<DriftReport> = Vec::new();
        for subset in &current.statistics.subsets {
            subsets.extend(judge(subset)?);
        }
        Ok(Self { accepted: is_accepted(&subsets), options: options.clone(), subsets })
    }

    /// The same with what tells the rows of both sides apart, if that is asked for.
    ///
    /// # Errors
    /// `DomainError` where a side has no rows; what fitting meets.
    pub fn with_domain_classifier(
        mut self,
        current: &DriftInput,
        reference: &DriftInput,
        execution: &Execution,
    ) -> Result<Self> {
        if self.options.domain_classifier.is_none() {
            return Ok(self);
        }
        // A subset's report, and those of its slices.
        for reports in self.subsets.chunk_by_mut(|_, next| next.slice.is_some()) {
            let samples = [current.sample(&reports[0].subset)?, reference.sample(&reports[0].subset)?];
            classify(reports, samples, &self.options, execution)?;
        }
        self.accepted = is_accepted(&self.subsets);
        Ok(self)
    }

    /// Alarms, columns with any, and columns in all.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let columns = || self.subsets.iter().flat_map(|report| &report.columns);
        let of_rows = |report: &DriftReport| usize::from(report.domain_alarm().is_some());
        let alarms = self.subsets.iter().map(|report| report.alarms().count() + of_rows(report)).sum();
        (alarms, columns().filter(|column| column.is_alarm()).count(), columns().count())
    }

    /// One validation per subset: the findings of its slices stand in it, each with its slice.
    fn validations(&self) -> Vec<(ValidationReport, Vec<CheckedRule>)> {
        let mut found: Vec<(ValidationReport, Vec<CheckedRule>)> = Vec::new();
        for report in &self.subsets {
            let (validation, rules) = validation_report(report);
            match found.last_mut().filter(|_| report.slice.is_some()) {
                Some((subset, _)) => {
                    subset.findings.extend(validation.findings);
                    subset.measurements.extend(validation.measurements);
                }
                None => found.push((validation, rules)),
            }
        }
        found
    }

    /// The results in the XML of `JUnit`: per subset one case for each signal of each column.
    #[must_use]
    pub fn junit(&self) -> String {
        let suites: Vec<_> = self.validations().iter().map(|(report, rules)| suites(report, rules)).collect();
        junit("drift", &suites)
    }

    /// The artifact of a drift run, opened.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open(folder: &Path) -> Result<Self> {
        Artifact::open(folder, DRIFT_KIND, DRIFT_VERSION)?.read_json(FILE)
    }

    /// Writes the artifact: every signal with the bins behind it as JSON, per subset TFDV's anomalies, `junit.xml` and a
    /// page.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, junit: &str, digests: [&str; 2], target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, self)?;
        let schema = SchemaFile::from(Schema::default());
        let reports: Vec<ValidationReport> =
            self.validations().into_iter().map(|(report, _)| report).collect();
        for report in &reports {
            let name = format!("anomalies-{}.pbtxt", file_names::of_subset(&report.subset));
            draft.write_bytes(&name, write_anomalies(report, &schema).as_bytes())?;
        }
        draft.write_bytes("junit.xml", junit.as_bytes())?;
        draft.write_bytes("drift.html", drift_page::page(self).as_bytes())?;
        let [current, reference] = digests;
        draft.publish(DRIFT_KIND, DRIFT_VERSION, made_from([("current", current), ("reference", reference)]))
    }
}
