//! Skew: the rows of two data sets joined by their keys, and what differs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::Result;
use sluice_quality::skew::{SkewOptions, SkewReport, skew_validation};
use sluice_quality::validation::{CheckedRule, ValidationReport};
use sluice_report::html::validation_page;
use sluice_report::junit::junit;

use crate::step::made_from;
use crate::step::validate::ValidationRecord;
use crate::step::validation_reports::{page, suites};

/// The artifact's kind.
pub const SKEW_KIND: &str = "skew";
/// The version of its format.
pub const SKEW_VERSION: u32 = 1;
const FILE: &str = "skew.json";

/// What became of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkewRecord {
    /// Whether nothing raises an alarm.
    pub accepted: bool,
    /// How rows were joined and compared.
    pub options: SkewOptions,
    /// One report per subset of the current data.
    pub subsets: Vec<SkewReport>,
}

impl SkewRecord {
    /// Of the reports of subsets.
    #[must_use]
    pub fn new(subsets: Vec<SkewReport>, options: &SkewOptions) -> Self {
        Self { accepted: subsets.iter().all(SkewReport::is_accepted), options: options.clone(), subsets }
    }

    /// Columns with an alarm.
    #[must_use]
    pub fn alarms(&self) -> usize {
        self.subsets.iter().map(|report| report.alarms().count()).sum()
    }

    fn validations(&self) -> Vec<(ValidationReport, Vec<CheckedRule>)> {
        self.subsets.iter().map(skew_validation).collect()
    }

    /// The results in the XML of `JUnit`: per subset one case for each column.
    #[must_use]
    pub fn junit(&self) -> String {
        let suites: Vec<_> = self.validations().iter().map(|(report, rules)| suites(report, rules)).collect();
        junit("skew", &suites)
    }

    /// The artifact of a comparison, opened.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open(folder: &Path) -> Result<Self> {
        Artifact::open(folder, SKEW_KIND, SKEW_VERSION)?.read_json(FILE)
    }

    /// Writes the artifact: all counts and examples as JSON, `junit.xml` and a page.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, [current, reference]: [&str; 2], target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, self)?;
        draft.write_bytes("junit.xml", self.junit().as_bytes())?;
        let reports = self.validations().into_iter().map(|(report, _)| report).collect();
        let record = ValidationRecord { accepted: self.accepted, schema_inferred: false, subsets: reports };
        let mut page = page(&record);
        page.schema = format!(
            "Rows were joined with those of a reference by `{}`; values are told as they are and as they were.",
            self.options.key.join("`, `")
        );
        draft.write_bytes("skew.html", validation_page("Skew", &page).as_bytes())?;
        draft.publish(SKEW_KIND, SKEW_VERSION, made_from([("current", current), ("reference", reference)]))
    }
}
