//! `sluice evaluate`: metrics, slices, and the gate.

mod executor;

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::ModelPackage;
use sluice_evaluation::EvaluateOptions;
use sluice_evaluation::gate::{Columns, Outcome, RequirementOptions};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::{PipelineFile, step};

use crate::arguments::SourceArguments;
use crate::data::Data;
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};
use crate::tables;

const EXAMPLES: &str = "\
Examples:
  sluice evaluate dataset --model model --out evaluation --require '{metric: rmse, at_most: 60}'
  sluice evaluate dataset --model model --baseline old-model --out evaluation \\
      --slice sex --require '{metric: rmse, block_if_worse: 0.0, every: sex}'
  sluice evaluate dataset --model model --pipeline pipeline.yaml --out evaluation
  sluice evaluate --executor-input '{{$}}'      (as a Kubeflow component)

Rules of `--require`: at_most, at_least (the value), block_if_worse (blocks on proof of harm, Holm-corrected over
slices), prove_not_worse (passes on proof only). Metrics: rmse, mse, mae, r2, mean_error.";

/// Evaluate a model, by slices and against a baseline, and decide.
///
/// Candidate and baseline predict the same rows in one scan. Writes metrics and the verdict with every reason;
/// exit code 1 when the model fails.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvaluateArguments {
    /// A data set made by `ingest`, or files with the label.
    #[arg(value_name = "INPUT", required_unless_present = "executor_input")]
    input: Option<String>,
    /// The model package to judge.
    #[arg(long, required_unless_present = "executor_input")]
    model: Option<PathBuf>,
    /// The model package to compare with.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// The folder of the artifact.
    #[arg(long, value_name = "FOLDER", required_unless_present = "executor_input")]
    out: Option<PathBuf>,
    /// The subset of a data set to judge on; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// Take metrics, slices and requirements of this pipeline file.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["metric", "slice", "require", "alpha"])]
    pipeline: Option<PathBuf>,
    /// A metric to report; all of them unless given.
    #[arg(long)]
    metric: Vec<String>,
    /// A slice to report: a column, or several joined by commas; may be given several times.
    #[arg(long, value_name = "COLUMNS")]
    slice: Vec<String>,
    /// A requirement, as in `evaluate.require` of a pipeline file; may be given several times.
    #[arg(long, value_name = "YAML")]
    require: Vec<String>,
    /// The level of every test.
    #[arg(long)]
    alpha: Option<f64>,
    /// Let a baseline that cannot be compared not block, for this recorded reason.
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
    /// Kubeflow's executor input: read inputs from it, write artifacts, output parameters and the executor
    /// output where it says. A model that fails then exits 0 and stands in the output parameters `blessed` and
    /// `blessing`, because a task that fails loses its outputs.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["input", "model", "baseline", "out", "pipeline", "metric", "slice", "require", "alpha", "force"])]
    executor_input: Option<String>,
    /// With `--executor-input`: exit 1 when the model fails all the same.
    #[arg(long, requires = "executor_input")]
    fail_on_reject: bool,
    #[command(flatten)]
    source: SourceArguments,
}

impl EvaluateArguments {
    fn options(&self) -> Result<EvaluateOptions> {
        if let Some(path) = &self.pipeline {
            let options = PipelineFile::read(path)?.spec.evaluate.options;
            return Ok(EvaluateOptions { force: self.force.clone().or(options.force.clone()), ..options });
        }
        let mut options = EvaluateOptions {
            metrics: self.metric.clone(),
            slices: self
                .slice
                .iter()
                .map(|columns| Columns(columns.split(',').map(|column| column.trim().to_owned()).collect()))
                .collect(),
            force: self.force.clone(),
            ..EvaluateOptions::default()
        };
        for text in &self.require {
            options.require.push(from_yaml::<RequirementOptions>(text, "--require")?);
        }
        if let Some(alpha) = self.alpha {
            options.alpha = alpha;
        }
        Ok(options)
    }
}

pub(crate) fn run(arguments: &EvaluateArguments, session: &Session) -> Result<Exit> {
    if let Some(text) = &arguments.executor_input {
        return executor::run(text, arguments, session);
    }
    let (Some(input), Some(model), Some(out)) = (&arguments.input, &arguments.model, &arguments.out) else {
        let hint = "see `sluice evaluate --help`";
        return Err(ArgumentError::new("input, `--model` and `--out` are needed", hint).into());
    };
    let options = arguments.options()?;
    options.check()?;
    let candidate = ModelPackage::open(model)?;
    let baseline = arguments.baseline.as_deref().map(ModelPackage::open).transpose()?;
    let (source, digest) =
        Data::open(input, &arguments.source, session)?.rows(arguments.subset.as_deref(), session)?;
    let evaluated = step::evaluate::evaluate(
        &source,
        &digest,
        &candidate,
        baseline.as_ref(),
        &options,
        out,
        &session.execution,
    )?;
    let evaluation = &evaluated.evaluation;
    session.printer.result(evaluation, || {
        format!("{}\n{}", tables::metrics(evaluation), tables::verdict(&evaluation.verdict, session.printer))
    });
    Ok(if evaluation.verdict.outcome == Outcome::Pass { Exit::Done } else { Exit::Rejected })
}
