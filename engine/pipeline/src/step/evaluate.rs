//! Evaluate: the candidate on the evaluation rows, against the baseline, through the gate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;

use sluice_core::artifact::{Artifact, ArtifactError, Draft, hex_digest};
use sluice_core::error::{CommonError, Error, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::{BatchSource, Predictor};
use sluice_core::spill::Scratch;
use sluice_evaluation::gate::Verdict;
use sluice_evaluation::measure::Missing;
use sluice_evaluation::slice::weak::{WeakSliceOptions, WeakSlices};
use sluice_evaluation::{Baseline, ContenderName, EvaluateOptions, Evaluation};

use super::contender::{Contender, Entrants};
use super::evaluation_reports::{summary, verdict_junit, verdict_summary};
use super::{evaluation_page, evaluation_table, weak_slices};

/// The artifact's kind.
pub const EVALUATION_KIND: &str = "evaluation";
/// The version of its format.
pub const EVALUATION_VERSION: u32 = 2;
/// The figures of every slice, and the verdict.
pub const METRICS_FILE: &str = "metrics.json";
const VERDICT_FILE: &str = "verdict.json";
const JUNIT_FILE: &str = "junit.xml";
const SUMMARY_FILE: &str = "summary.md";
const PAGE_FILE: &str = "evaluation.html";

/// An evaluation and its artifact.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Metrics and verdict.
    pub evaluation: Evaluation,
    /// Where they are.
    pub artifact: Artifact,
}

impl Evaluated {
    /// The page for people.
    ///
    /// # Errors
    /// What reading meets.
    pub fn page(&self) -> Result<Vec<u8>> {
        self.artifact.read(PAGE_FILE)
    }

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

/// What a candidate is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Compared<'a> {
    /// Nothing.
    Nothing,
    /// A model, on the same rows.
    Model(&'a Contender),
    /// The metrics of an earlier evaluation.
    Accepted(&'a AcceptedMetrics),
}

impl<'a> From<Option<&'a Contender>> for Compared<'a> {
    fn from(model: Option<&'a Contender>) -> Self {
        model.map_or(Self::Nothing, Self::Model)
    }
}

impl Compared<'_> {
    /// As the evaluation takes it.
    ///
    /// # Errors
    /// What loading and asking a foreign model meets, but for what is wrong with it: the candidate has its figures all
    /// the same, and does not pass, as where a baseline fails on a row.
    pub(super) fn baseline(
        self,
        source: &dyn BatchSource,
        missing: Missing,
        execution: &Execution,
    ) -> Result<Baseline> {
        match self {
            Self::Nothing => Ok(Baseline::None),
            Self::Accepted(accepted) => Ok(Baseline::Accepted(Arc::clone(&accepted.evaluation))),
            Self::Model(model) => match model.ready(source, missing, execution) {
                Ok(model) => Ok(Baseline::Model(model)),
                Err(error) if matches!(error.kind(), ErrorKind::Usage | ErrorKind::Malformed) => {
                    Ok(Baseline::not_comparable(&error))
                }
                Err(error) => Err(error),
            },
        }
    }

    /// What an evaluation of these models on `data` is made from.
    pub(super) fn made_from(self, data: &str, models: Entrants<'_>) -> BTreeMap<String, String> {
        let mut parts = vec![("data", data), ("candidate", models.candidate.digest())];
        match self {
            Self::Nothing => {}
            Self::Model(model) => parts.push(("baseline", model.digest())),
            Self::Accepted(accepted) => parts.push(("accepted", &accepted.digest)),
        }
        let parts = parts.into_iter().map(|(name, digest)| (name.to_owned(), digest.to_owned()));
        let contenders = models.contenders.iter();
        let contenders =
            contenders.map(|(name, model)| (format!("contender {name}"), model.digest().to_owned()));
        parts.chain(contenders).collect()
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

/// Evaluates the candidate on `source`, and contenders beside it, and writes metrics and verdict to `target`.
///
/// When the evaluation itself fails, the verdict `error` is written before the error is answered: a gate is
/// never left without one.
///
/// # Errors
/// What evaluating and writing meet.
pub fn evaluate<'a>(
    source: &dyn BatchSource,
    data_digest: &str,
    models: impl Into<Entrants<'a>>,
    compared: impl Into<Compared<'a>>,
    options: &EvaluateOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Evaluated> {
    let (models, compared) = (models.into(), compared.into());
    let made_from = compared.made_from(data_digest, models);
    let aside = execution.clone().with_scratch(Scratch::beside(target));
    match compare(source, models, compared, options, &aside) {
        Ok((evaluation, weak)) => publish(evaluation, weak.as_ref(), target, made_from),
        Err(error) => {
            if !matches!(error.kind(), ErrorKind::Interrupted(_)) {
                let verdict = verdict_of_error(models.candidate, options, &error);
                publish_verdict(Draft::new(target)?, &verdict, made_from)?;
            }
            Err(error)
        }
    }
}

/// Makes the models ready, evaluates them, and looks for weak slices where it is asked for them.
fn compare(
    source: &dyn BatchSource,
    models: Entrants<'_>,
    compared: Compared<'_>,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<(Evaluation, Option<WeakSlices>)> {
    let Ready { candidate, contenders, options } = ready(source, models, options, execution)?;
    let entrants = sluice_evaluation::Entrants { candidate: &candidate, contenders: &contenders };
    let baseline = compared.baseline(source, options.missing, execution)?;
    execution.progress.begin("evaluate", source.plan().extent());
    let evaluated = sluice_evaluation::evaluate(source, entrants, &baseline, &options, execution);
    execution.progress.end();
    let evaluation = evaluated?;
    // Predictions say where a model is bad, but not to whom.
    let mut except = models.candidate.predictions().to_vec();
    except.extend(models.contenders.iter().flat_map(|(_, model)| model.predictions()).cloned());
    if let Compared::Model(model) = compared {
        except.extend_from_slice(model.predictions());
    }
    let find = |weak: &WeakSliceOptions| {
        let weak = WeakSliceOptions { except: except.clone(), missing: options.missing, ..weak.clone() };
        weak_slices::find(&candidate, source, options.weight.as_deref(), &weak, execution)
    };
    let weak = options.weak_slices.as_ref().map(find).transpose()?;
    Ok((evaluation, weak))
}

/// Models that are ready to predict.
pub(super) struct Ready {
    pub(super) candidate: Arc<dyn Predictor>,
    pub(super) contenders: Vec<(String, Arc<dyn Predictor>)>,
    /// With a number near the mean of the label: sums about it keep their digits.
    pub(super) options: EvaluateOptions,
}

/// Makes candidate and contenders ready to predict.
pub(super) fn ready(
    source: &dyn BatchSource,
    models: Entrants<'_>,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<Ready> {
    ContenderName::check(models.contenders.iter().map(|(name, _)| name.as_str()))?;
    let candidate = models.candidate.ready(source, options.missing, execution)?;
    let label_shift = models.candidate.label_shift(source, candidate.as_ref())?;
    let mut contenders = Vec::new();
    for (name, model) in models.contenders {
        let ready = model.ready(source, options.missing, execution);
        let ready = ready.map_err(|error| error.in_place(format!("contender `{name}`")))?;
        contenders.push((name.clone(), ready));
    }
    Ok(Ready { candidate, contenders, options: EvaluateOptions { label_shift, ..options.clone() } })
}

/// Writes an evaluation that came to its end.
pub(super) fn publish(
    evaluation: Evaluation,
    weak: Option<&WeakSlices>,
    target: &Path,
    made_from: BTreeMap<String, String>,
) -> Result<Evaluated> {
    let mut draft = Draft::new(target)?;
    draft.write_json(METRICS_FILE, &evaluation)?;
    evaluation_table::write(&evaluation, &mut draft)?;
    if let Some(weak) = weak {
        draft.write_json(weak_slices::WEAK_SLICES_FILE, weak)?;
    }
    draft.write_json(VERDICT_FILE, &evaluation.verdict)?;
    draft.write_bytes(JUNIT_FILE, verdict_junit(&evaluation.verdict).as_bytes())?;
    draft.write_bytes(SUMMARY_FILE, summary(&evaluation).as_bytes())?;
    draft.write_bytes(PAGE_FILE, evaluation_page::page(&evaluation, weak).as_bytes())?;
    let artifact = draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from)?;
    Ok(Evaluated { evaluation, artifact })
}

pub(super) fn publish_verdict(
    mut draft: Draft,
    verdict: &Verdict,
    made_from: BTreeMap<String, String>,
) -> Result<()> {
    draft.write_json(VERDICT_FILE, verdict)?;
    draft.write_bytes(JUNIT_FILE, verdict_junit(verdict).as_bytes())?;
    draft.write_bytes(SUMMARY_FILE, verdict_summary(verdict).as_bytes())?;
    draft.write_bytes(PAGE_FILE, evaluation_page::page_of_error(verdict).as_bytes())?;
    draft.publish(EVALUATION_KIND, EVALUATION_VERSION, made_from).map(drop)
}

/// The verdict of an evaluation that failed, for those who show it.
#[must_use]
pub fn verdict_of_error(candidate: &Contender, options: &EvaluateOptions, error: &Error) -> Verdict {
    Verdict::of_error(candidate.digest(), options.alpha, error)
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
