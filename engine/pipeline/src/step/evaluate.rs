//! Evaluate: the candidate on the evaluation rows, against the baseline, through the gate.

use std::path::Path;
use std::sync::Arc;

use sluice_core::artifact::{Artifact, ArtifactError, Draft};
use sluice_core::error::{Error, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::{BatchSource, Predictor};
use sluice_delivery::ModelPackage;
use sluice_evaluation::gate::Verdict;
use sluice_evaluation::{Baseline, EvaluateOptions, Evaluation};

use crate::step::evaluation_report;

/// The artifact's kind.
pub const EVALUATION_KIND: &str = "evaluation";
/// The version of its format.
pub const EVALUATION_VERSION: u32 = 1;
const EVALUATION_FILE: &str = "evaluation.json";
const VERDICT_FILE: &str = "verdict.json";
const PAGE_FILE: &str = "evaluation.html";

/// An evaluation and its artifact.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Metrics and verdict.
    pub evaluation: Evaluation,
    /// Where they are.
    pub artifact: Artifact,
}

/// Evaluates `candidate` on `source` and writes metrics and verdict to `target`.
///
/// When the evaluation itself fails, the verdict `error` is written before the error is answered: a gate is
/// never left without one.
///
/// # Errors
/// What evaluating and writing meet.
pub fn evaluate(
    source: &dyn BatchSource,
    data_digest: &str,
    candidate: &ModelPackage,
    baseline: Option<&ModelPackage>,
    options: &EvaluateOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Evaluated> {
    // The mean of the label over the training rows: sums about it keep their digits.
    let options = EvaluateOptions { label_shift: candidate.model().label_mean, ..options.clone() };
    let candidate_digest = candidate.artifact().digest();
    let mut made_of = vec![("data", data_digest), ("candidate", candidate_digest)];
    made_of.extend(baseline.map(|model| ("baseline", model.artifact().digest())));
    let shared: Arc<dyn Predictor> = Arc::new(candidate.clone());
    let compared = match baseline {
        Some(model) => Baseline::Model(Arc::new(model.clone())),
        None => Baseline::None,
    };
    execution.progress.begin("evaluate", source.plan().extent());
    let evaluated = sluice_evaluation::evaluate(source, &shared, &compared, &options, execution);
    execution.progress.end();
    let mut draft = Draft::new(target)?;
    let made_from = made_of.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
    match evaluated {
        Ok(evaluation) => {
            draft.write_json(EVALUATION_FILE, &evaluation)?;
            draft.write_json(VERDICT_FILE, &evaluation.verdict)?;
            draft.write_bytes(PAGE_FILE, evaluation_report::page(&evaluation).as_bytes())?;
            let artifact = draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from)?;
            Ok(Evaluated { evaluation, artifact })
        }
        Err(error) => {
            if !matches!(error.kind(), sluice_core::ErrorKind::Interrupted(_)) {
                publish_error(draft, candidate_digest, options.alpha, &error, made_from)?;
            }
            Err(error)
        }
    }
}

fn publish_error(
    mut draft: Draft,
    candidate_digest: &str,
    alpha: f64,
    error: &Error,
    made_from: std::collections::BTreeMap<String, String>,
) -> Result<()> {
    let verdict = Verdict::of_error(candidate_digest, alpha, error);
    draft.write_json(VERDICT_FILE, &verdict)?;
    draft.write_bytes(PAGE_FILE, evaluation_report::page_of_error(&verdict).as_bytes())?;
    draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from).map(drop)
}

/// Opens an evaluation that came to its end.
///
/// # Errors
/// `ArtifactError`; one that failed holds a verdict but no metrics.
pub fn open(folder: &Path) -> Result<Evaluated> {
    let artifact = Artifact::open(folder, EVALUATION_KIND, EVALUATION_VERSION)?;
    if !artifact.manifest().files.contains_key(EVALUATION_FILE) {
        let path = artifact.path(EVALUATION_FILE).display().to_string();
        return Err(ArtifactError::Damaged { path, problem: "the evaluation failed".into() }.into());
    }
    Ok(Evaluated { evaluation: artifact.read_json(EVALUATION_FILE)?, artifact })
}

/// Opens the verdict of an evaluation.
///
/// # Errors
/// `ArtifactError`.
pub fn open_verdict(folder: &Path) -> Result<(Verdict, Artifact)> {
    let artifact = Artifact::open(folder, EVALUATION_KIND, EVALUATION_VERSION)?;
    Ok((artifact.read_json(VERDICT_FILE)?, artifact))
}
