//! `evaluate` as a Kubeflow component.
//!
//! | input | kind | meaning |
//! |---|---|---|
//! | `dataset` | artifact | a data set made by `ingest` |
//! | `model` | artifact | the candidate's package |
//! | `baseline` | artifact, optional | the package to compare with |
//! | `subset`, `metrics`, `slices`, `require`, `alpha`, `force` | parameters, optional | as in a pipeline file |
//!
//! | output | kind | meaning |
//! |---|---|---|
//! | `evaluation` | artifact | metrics, slices and verdict |
//! | `metrics` | artifact `system.Metrics` | the overall metrics, as metadata that Kubeflow shows |
//! | `blessed` | boolean parameter | whether the model passed |
//! | `blessing` | string parameter | `BLESSED` or `NOT_BLESSED` |
//! | `outcome`, `comparison` | string parameters | as in the verdict |
//! | `reasons` | list parameter | why the model did not pass, in sentences |

use serde_json::{Value, json};
use sluice_core::Result;
use sluice_core::artifact::{MANIFEST_FILE, write_whole};
use sluice_core::error::{CommonError, ErrorKind};
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_delivery::kubeflow::{ExecutorInput, ExecutorOutput};
use sluice_delivery::{DeliveryError, ModelPackage};
use sluice_evaluation::gate::{Outcome, Verdict};
use sluice_evaluation::{EvaluateOptions, Evaluation};
use sluice_ingest::Dataset;
use sluice_pipeline::step;

use super::EvaluateArguments;
use crate::session::{Exit, Session};
use crate::tables;

const PARAMETERS: [&str; 6] = ["subset", "metrics", "slices", "require", "alpha", "force"];

pub(super) fn run(text: &str, arguments: &EvaluateArguments, session: &Session) -> Result<Exit> {
    let input = ExecutorInput::parse(text)?;
    let mut digest = String::new();
    match evaluate(&input, arguments, &mut digest, session) {
        Ok(evaluation) => {
            answer(&input, &evaluation.verdict, Some(&evaluation))?;
            session.printer.result(&evaluation, || {
                format!(
                    "{}\n{}",
                    tables::metrics(&evaluation),
                    tables::verdict(&evaluation.verdict, session.printer)
                )
            });
            let rejected = evaluation.verdict.outcome != Outcome::Pass && arguments.fail_on_reject;
            Ok(if rejected { Exit::Rejected } else { Exit::Done })
        }
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted(_)) => Err(error),
        Err(error) => {
            // The gate gets its parameters all the same: a condition on them must never see nothing.
            let verdict = Verdict::of_error(&digest, EvaluateOptions::default().alpha, &error);
            answer(&input, &verdict, None)?;
            Err(error)
        }
    }
}

/// Reads the inputs and evaluates; `digest` is set as soon as the candidate is known.
fn evaluate(
    input: &ExecutorInput,
    arguments: &EvaluateArguments,
    digest: &mut String,
    session: &Session,
) -> Result<Evaluation> {
    let options = options(input)?;
    options.check()?;
    let target = input.output_path("evaluation")?.ok_or_else(|| DeliveryError::ExecutorInputMissing {
        what: "output artifact",
        name: "evaluation".into(),
        available: Vec::new(),
    })?;
    let candidate = ModelPackage::open(&input.artifact_path("model")?)?;
    candidate.artifact().digest().clone_into(digest);
    let baseline = match input.artifact("baseline") {
        // An optional input that was not given arrives as an artifact without content.
        Some(artifact) if artifact.local_path()?.join(MANIFEST_FILE).exists() => {
            Some(ModelPackage::open(&artifact.local_path()?)?)
        }
        _ => None,
    };
    let dataset = Dataset::open(&input.artifact_path("dataset")?)?;
    let subset = input.parameter::<String>("subset")?.or_else(|| arguments.subset.clone());
    let subset = subset.as_deref().unwrap_or(step::EVAL);
    let source = dataset.subset(subset, PlanOptions::default(), &session.execution)?;
    session.printer.message(&format!("{} to evaluate on", sluice_report::rows(source.plan().rows())));
    let evaluated = step::evaluate::evaluate(
        &source,
        dataset.artifact().digest(),
        &candidate,
        baseline.as_ref(),
        &options,
        &target,
        &session.execution,
    )?;
    Ok(evaluated.evaluation)
}

fn options(input: &ExecutorInput) -> Result<EvaluateOptions> {
    for name in input.parameter_names() {
        if !PARAMETERS.contains(&name) {
            return Err(DeliveryError::ExecutorInput {
                problem: format!(
                    "there is no parameter `{name}`; there is {}",
                    sluice_core::options::quoted(PARAMETERS)
                ),
            }
            .into());
        }
    }
    let default = EvaluateOptions::default();
    Ok(EvaluateOptions {
        metrics: input.parameter("metrics")?.unwrap_or_default(),
        slices: input.parameter("slices")?.unwrap_or_default(),
        require: input.parameter("require")?.unwrap_or_default(),
        alpha: input.parameter("alpha")?.unwrap_or(default.alpha),
        // An empty text is what an optional parameter of Kubeflow holds when it was not given.
        force: input.parameter::<String>("force")?.filter(|reason| !reason.is_empty()),
        label_shift: default.label_shift,
    })
}

/// Writes output parameters, metadata and the executor output.
fn answer(input: &ExecutorInput, verdict: &Verdict, evaluation: Option<&Evaluation>) -> Result<()> {
    let blessed = verdict.outcome == Outcome::Pass;
    let mut output = ExecutorOutput::default();
    output.set_parameter("blessed", blessed);
    output.set_parameter("blessing", if blessed { "BLESSED" } else { "NOT_BLESSED" });
    output.set_parameter("outcome", serde_json::to_value(verdict.outcome).map_err(internal)?);
    output.set_parameter("comparison", serde_json::to_value(verdict.comparison).map_err(internal)?);
    let reasons: Vec<&str> = verdict.failures().map(|reason| reason.text.as_str()).collect();
    output.set_parameter("reasons", json!(reasons));
    for (key, value) in [("blessed", Value::from(blessed)), ("rows", Value::from(verdict.rows))] {
        output.set_metadata("evaluation", key, value);
    }
    let overall = evaluation.and_then(|evaluation| evaluation.slices.first());
    if let Some(overall) = overall {
        for (name, value) in &overall.candidate {
            output.set_metadata("metrics", name, *value);
        }
        output.set_metadata("metrics", "rows", overall.rows);
        if let Some(path) = input.output_path("metrics")? {
            let bytes = serde_json::to_vec_pretty(&overall.candidate).map_err(internal)?;
            write_whole(&path, &bytes)?;
        }
    }
    output.write(input)
}

fn internal(error: serde_json::Error) -> CommonError {
    CommonError::Internal(error.to_string())
}
