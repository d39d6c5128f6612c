//! Whether a model should be trained again: what its data, its predictions, its evaluation and its age say, each with its
//! value and its bound, for a scheduler that starts the training.
//!
//! | check | value | bound |
//! |---|---|---|
//! | `feature_drift` | columns with an alarm in a drift report | so many are tolerated |
//! | `label_drift`, `prediction_drift` | the value of the alarm | its threshold |
//! | `evaluation` | the metric on new labelled rows | of the requirement that is not met |
//! | `age` | seconds since the model was trained | the greatest age |
//! | `new_rows`, `new_share` | rows that it has not seen, alone and per row that it has | the most |
//! | `never_trained` | | there is no model yet |
//!
//! What is a reason follows from these and the moment alone; the moment is an argument.

mod checks;
mod last_training;
mod text;

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::Result;
use sluice_core::options::{OptionsError, Range};
use sluice_core::{Diagnostic, ErrorKind};
use sluice_evaluation::gate::Verdict;
use sluice_report::timestamp;

use crate::step::drift::DriftRecord;
use crate::step::made_from;

pub use last_training::LastTraining;

/// The artifact's kind.
pub const RETRAINING_KIND: &str = "retraining";
/// The version of its format.
pub const RETRAINING_VERSION: u32 = 1;
const FILE: &str = "retraining.json";
const SUMMARY: &str = "retraining.md";

/// From when on something is a reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrainOptions {
    /// Feature columns of one drift report that may have alarms.
    pub max_drifted_columns: u64,
    /// The greatest age of the model in seconds.
    pub max_age_seconds: Option<u64>,
    /// The most rows that the model has not seen.
    pub max_new_rows: Option<u64>,
    /// The most rows that it has not seen, per row that it was trained on.
    pub max_new_share: Option<f64>,
}

impl RetrainOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn check(&self) -> Result<(), OptionsError> {
        let shares = Range::at_least(0.0);
        self.max_new_share.map(|share| shares.check("max_new_share", share)).transpose().map(drop)
    }
}

/// What is known; each part under the name of where it is from.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Drift reports.
    pub drift: Vec<(String, DriftRecord)>,
    /// Drift reports of predictions, whatever roles they name.
    pub prediction_drift: Vec<(String, DriftRecord)>,
    /// Verdicts on the model in production with new labelled rows.
    pub evaluations: Vec<(String, Verdict)>,
    /// How the model came to be.
    pub training: Option<LastTraining>,
    /// Rows that the model has not seen; without, those of the current side of the first drift report.
    pub new_rows: Option<u64>,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Columns that drifted.
    FeatureDrift,
    /// What the model shall predict.
    LabelDrift,
    /// What it predicts.
    PredictionDrift,
    /// Its metrics on new rows.
    Evaluation,
    /// When it was trained.
    Age,
    /// Rows that it has not seen.
    NewRows,
    /// The same per row that it has.
    NewShare,
    /// Whether there is a model.
    NeverTrained,
}

impl CheckKind {
    /// Its word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FeatureDrift => "feature_drift",
            Self::LabelDrift => "label_drift",
            Self::PredictionDrift => "prediction_drift",
            Self::Evaluation => "evaluation",
            Self::Age => "age",
            Self::NewRows => "new_rows",
            Self::NewShare => "new_share",
            Self::NeverTrained => "never_trained",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What it is about.
    pub kind: CheckKind,
    /// Where it is from.
    pub source: String,
    /// The column or the metric, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was measured of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// How much.
    pub value: Option<f64>,
    /// What is allowed.
    pub bound: Option<f64>,
    /// Whether it is a reason to train again.
    pub is_reason: bool,
    /// In one sentence.
    pub text: String,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrainRecord {
    /// Whether the model should be trained again.
    pub retrain: bool,
    /// When that was asked, in UTC.
    pub decided_at: String,
    /// From when on something is a reason.
    pub options: RetrainOptions,
    /// How the model came to be, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<LastTraining>,
    /// All that was looked at, reasons and others.
    pub checks: Vec<Check>,
}

/// What cannot be decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetrainError {
    /// There is nothing to decide by.
    #[error("nothing is given that could be a reason to train again")]
    NoEvidence,
    /// A bound without what it bounds.
    #[error("`{option}` needs to know {what}")]
    Unknown {
        /// The option.
        option: &'static str,
        /// What is not known.
        what: &'static str,
    },
    /// An evaluation that failed.
    #[error("the evaluation `{place}` came to no end: {problem}")]
    EvaluationFailed {
        /// Which.
        place: String,
        /// Why.
        problem: String,
    },
    /// An evaluation of something else.
    #[error("the evaluation `{place}` is about the model {found}, in production is {expected}")]
    OtherModel {
        /// Which.
        place: String,
        /// The digest of the model that it is about.
        found: String,
        /// The digest of the model in production.
        expected: String,
    },
}

impl Diagnostic for RetrainError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EvaluationFailed { .. } => ErrorKind::Malformed,
            _ => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoEvidence => "give a drift report, an evaluation, or a bound of age or rows".into(),
            Self::Unknown { option: "max_age", .. } => {
                "name the model in a registry, or the ledger of its runs".into()
            }
            Self::Unknown { .. } => {
                "give `new_rows` or a drift report, and for a share the registry or ledger too".into()
            }
            Self::EvaluationFailed { .. } => "evaluate again: nothing is known of the model".into(),
            Self::OtherModel { .. } => "evaluate the version that is in production".into(),
        })
    }
}

impl RetrainRecord {
    /// Decides, at a moment since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Options out of range, [`RetrainError`].
    pub fn new(evidence: &Evidence, options: RetrainOptions, now: Duration) -> Result<Self> {
        options.check()?;
        let checks = checks::all(evidence, options, now.as_secs())?;
        let decided_at = timestamp(UNIX_EPOCH + now);
        let retrain = checks.iter().any(|check| check.is_reason);
        Ok(Self { retrain, decided_at, options, training: evidence.training.clone(), checks })
    }

    /// Why, if so.
    pub fn reasons(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.is_reason)
    }

    /// The verdict for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        text::table(self).to_text()
    }

    /// The verdict in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        text::markdown(self)
    }

    /// Writes the artifact: the verdict as JSON and as Markdown. `inputs` are names and digests of what it was made from.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, inputs: &[(String, String)], target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, self)?;
        draft.write_bytes(SUMMARY, self.markdown().as_bytes())?;
        let mut origin = made_from([]);
        origin.extend(inputs.iter().cloned());
        draft.publish(RETRAINING_KIND, RETRAINING_VERSION, origin)
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open(folder: &Path) -> Result<Self> {
        Artifact::open(folder, RETRAINING_KIND, RETRAINING_VERSION)?.read_json(FILE)
    }
}

#[cfg(test)]
mod tests;
