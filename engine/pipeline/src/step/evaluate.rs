//! Evaluate: the candidate on the evaluation rows, against the baseline, through the gate.

use std::path::Path;

use sluice_core::artifact::{Artifact, ArtifactError, Draft};
use sluice_core::error::{Error, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::BatchSource;
use sluice_evaluation::gate::Verdict;
use sluice_evaluation::slice::weak::WeakSlices;
use sluice_evaluation::{Baseline, EvaluateOptions, Evaluation};

use super::contender::Contender;
use super::weak_slices;

/// The artifact's kind.
pub const EVALUATION_KIND: &str = "evaluation";
/// The version of its format.
pub const EVALUATION_VERSION: u32 = 1;
const EVALUATION_FILE: &str = "evaluation.json";
const VERDICT_FILE: &str = "verdict.json";

/// An evaluation and its artifact.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Metrics and verdict.
    pub evaluation: Evaluation,
    /// Where they are.
    pub artifact: Artifact,
}

impl Evaluated {
    /// The weak slices, if it was asked for them.
    ///
    /// # Errors
    /// What reading meets.
    pub fn weak_slices(&self) -> Result<Option<WeakSlices>> {
        let name = weak_slices::WEAK_SLICES_FILE;
        let is_there = self.artifact.manifest().files.contains_key(name);
        Ok(if is_there { Some(self.artifact.read_json(name)?) } else { None })
    }
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
    candidate: &Contender,
    baseline: Option<&Contender>,
    options: &EvaluateOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Evaluated> {
    let candidate_digest = candidate.digest();
    let mut made_of = vec![("data", data_digest), ("candidate", candidate_digest)];
    made_of.extend(baseline.map(|model| ("baseline", model.digest())));
    let evaluated = compare(source, candidate, baseline, options, execution);
    let mut draft = Draft::new(target)?;
    let made_from = made_of.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
    match evaluated {
        Ok((evaluation, weak)) => {
            draft.write_json(EVALUATION_FILE, &evaluation)?;
            if let Some(weak) = weak {
                draft.write_json(weak_slices::WEAK_SLICES_FILE, &weak)?;
            }
            draft.write_json(VERDICT_FILE, &evaluation.verdict)?;
            let artifact = draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from)?;
            Ok(Evaluated { evaluation, artifact })
        }
        Err(error) => {
            if !matches!(error.kind(), ErrorKind::Interrupted(_)) {
                publish_error(draft, candidate_digest, options.alpha, &error, made_from)?;
            }
            Err(error)
        }
    }
}

/// Makes the models ready and evaluates them.
fn compare(
    source: &dyn BatchSource,
    candidate: &Contender,
    baseline: Option<&Contender>,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<(Evaluation, Option<WeakSlices>)> {
    let ready = candidate.ready(source, execution)?;
    let label_shift = candidate.label_shift(source, ready.as_ref())?;
    let options = EvaluateOptions { label_shift, ..options.clone() };
    let compared = match baseline.map(|model| model.ready(source, execution)) {
        None => Baseline::None,
        Some(Ok(model)) => Baseline::Model(model),
        // As one that fails on a row: the candidate has its figures all the same, and does not pass.
        Some(Err(error)) if matches!(error.kind(), ErrorKind::Usage | ErrorKind::Malformed) => {
            Baseline::not_comparable(&error)
        }
        Some(Err(error)) => return Err(error),
    };
    execution.progress.begin("evaluate", source.plan().extent());
    let evaluated = sluice_evaluation::evaluate(source, &ready, &compared, &options, execution);
    execution.progress.end();
    let evaluation = evaluated?;
    let find = |weak| weak_slices::find(&ready, source, options.weight.as_deref(), weak, execution);
    let weak = options.weak_slices.as_ref().map(find).transpose()?;
    Ok((evaluation, weak))
}

fn publish_error(
    mut draft: Draft,
    candidate_digest: &str,
    alpha: f64,
    error: &Error,
    made_from: std::collections::BTreeMap<String, String>,
) -> Result<()> {
    draft.write_json(VERDICT_FILE, &Verdict::of_error(candidate_digest, alpha, error))?;
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
