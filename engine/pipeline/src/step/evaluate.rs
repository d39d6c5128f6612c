//! Evaluate: the candidate on the evaluation rows, against the baseline, through the gate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;

use sluice_core::artifact::{Artifact, ArtifactError, Draft, hex_digest};
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::{BatchSource, Predictor};
use sluice_delivery::ModelPackage;
use sluice_evaluation::gate::Verdict;
use sluice_evaluation::{Baseline, EvaluateOptions, Evaluation};

use super::evaluation_reports::{summary, verdict_junit, verdict_summary};
use super::evaluation_table;

/// The artifact's kind.
pub const EVALUATION_KIND: &str = "evaluation";
/// The version of its format.
pub const EVALUATION_VERSION: u32 = 2;
/// The figures of every slice, and the verdict.
pub const METRICS_FILE: &str = "metrics.json";
const VERDICT_FILE: &str = "verdict.json";
const JUNIT_FILE: &str = "junit.xml";
const SUMMARY_FILE: &str = "summary.md";

/// An evaluation and its artifact.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Metrics and verdict.
    pub evaluation: Evaluation,
    /// Where they are.
    pub artifact: Artifact,
}

/// What a candidate is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Compared<'a> {
    /// Nothing.
    Nothing,
    /// A model, on the same rows.
    Model(&'a ModelPackage),
    /// The metrics of an earlier evaluation.
    Accepted(&'a AcceptedMetrics),
}

impl<'a> From<Option<&'a ModelPackage>> for Compared<'a> {
    fn from(model: Option<&'a ModelPackage>) -> Self {
        model.map_or(Self::Nothing, Self::Model)
    }
}

impl Compared<'_> {
    /// As the evaluation takes it.
    pub(super) fn baseline(self) -> Baseline {
        match self {
            Self::Nothing => Baseline::None,
            Self::Model(model) => Baseline::Model(Arc::new(model.clone())),
            Self::Accepted(accepted) => Baseline::Accepted(Arc::clone(&accepted.evaluation)),
        }
    }

    /// What an evaluation of `candidate` on `data` is made from.
    pub(super) fn made_from(self, data: &str, candidate: &ModelPackage) -> BTreeMap<String, String> {
        let mut parts = vec![("data", data), ("candidate", candidate.artifact().digest())];
        match self {
            Self::Nothing => {}
            Self::Model(model) => parts.push(("baseline", model.artifact().digest())),
            Self::Accepted(accepted) => parts.push(("accepted", &accepted.digest)),
        }
        parts.into_iter().map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect()
    }
}

/// The metrics of an earlier evaluation.
#[derive(Clone, Debug)]
pub struct AcceptedMetrics {
    evaluation: Arc<Evaluation>,
    digest: String,
}

impl AcceptedMetrics {
    /// Reads a `metrics.json`, or that of an evaluation.
    ///
    /// # Errors
    /// What reading meets, and [`ArtifactError::Damaged`] where it is none.
    pub fn read(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join(METRICS_FILE) } else { path.to_owned() };
        let bytes = fs::read(&path).map_err(CommonError::on("read", &path))?;
        let evaluation = serde_json::from_slice(&bytes).map_err(|error| ArtifactError::Damaged {
            path: path.display().to_string(),
            problem: format!("it is not a `{METRICS_FILE}` of an evaluation: {error}"),
        })?;
        Ok(Self { evaluation: Arc::new(evaluation), digest: hex_digest(&bytes) })
    }
}

/// Evaluates `candidate` on `source` and writes metrics and verdict to `target`.
///
/// When the evaluation itself fails, the verdict `error` is written before the error is answered: a gate is
/// never left without one.
///
/// # Errors
/// What evaluating and writing meet.
pub fn evaluate<'a>(
    source: &dyn BatchSource,
    data_digest: &str,
    candidate: &ModelPackage,
    compared: impl Into<Compared<'a>>,
    options: &EvaluateOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Evaluated> {
    let compared = compared.into();
    let options = shifted(options, candidate);
    let made_from = compared.made_from(data_digest, candidate);
    let shared: Arc<dyn Predictor> = Arc::new(candidate.clone());
    execution.progress.begin("evaluate", source.plan().extent());
    let evaluated = sluice_evaluation::evaluate(source, &shared, &compared.baseline(), &options, execution);
    execution.progress.end();
    match evaluated {
        Ok(evaluation) => publish(evaluation, target, made_from),
        Err(error) => {
            if !matches!(error.kind(), sluice_core::ErrorKind::Interrupted(_)) {
                let verdict = verdict_of_error(candidate, &options, &error);
                publish_verdict(Draft::new(target)?, &verdict, made_from)?;
            }
            Err(error)
        }
    }
}

/// With the mean of the label over the training rows: sums about it keep their digits.
pub(super) fn shifted(options: &EvaluateOptions, candidate: &ModelPackage) -> EvaluateOptions {
    EvaluateOptions { label_shift: candidate.model().label_mean, ..options.clone() }
}

/// Writes an evaluation that came to its end.
pub(super) fn publish(
    evaluation: Evaluation,
    target: &Path,
    made_from: BTreeMap<String, String>,
) -> Result<Evaluated> {
    let mut draft = Draft::new(target)?;
    draft.write_json(METRICS_FILE, &evaluation)?;
    evaluation_table::write(&evaluation, &mut draft)?;
    draft.write_json(VERDICT_FILE, &evaluation.verdict)?;
    draft.write_bytes(JUNIT_FILE, verdict_junit(&evaluation.verdict).as_bytes())?;
    draft.write_bytes(SUMMARY_FILE, summary(&evaluation).as_bytes())?;
    let artifact = draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from)?;
    Ok(Evaluated { evaluation, artifact })
}

fn publish_verdict(mut draft: Draft, verdict: &Verdict, made_from: BTreeMap<String, String>) -> Result<()> {
    draft.write_json(VERDICT_FILE, verdict)?;
    draft.write_bytes(JUNIT_FILE, verdict_junit(verdict).as_bytes())?;
    draft.write_bytes(SUMMARY_FILE, verdict_summary(verdict).as_bytes())?;
    draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from).map(drop)
}

/// The verdict of an evaluation that failed, for those who show it.
#[must_use]
pub fn verdict_of_error(candidate: &ModelPackage, options: &EvaluateOptions, error: &Error) -> Verdict {
    Verdict::of_error(candidate.artifact().digest(), options.alpha, error)
}

/// Opens an evaluation that came to its end.
///
/// # Errors
/// `ArtifactError`; one that failed holds a verdict but no metrics.
pub fn open(folder: &Path) -> Result<Evaluated> {
    let artifact = Artifact::open(folder, EVALUATION_KIND, EVALUATION_VERSION)?;
    if !artifact.manifest().files.contains_key(METRICS_FILE) {
        let path = artifact.path(METRICS_FILE).display().to_string();
        return Err(ArtifactError::Damaged { path, problem: "the evaluation failed".into() }.into());
    }
    Ok(Evaluated { evaluation: artifact.read_json(METRICS_FILE)?, artifact })
}

/// Opens the verdict of an evaluation.
///
/// # Errors
/// `ArtifactError`.
pub fn open_verdict(folder: &Path) -> Result<(Verdict, Artifact)> {
    let artifact = Artifact::open(folder, EVALUATION_KIND, EVALUATION_VERSION)?;
    Ok((artifact.read_json(VERDICT_FILE)?, artifact))
}
