//! `sluice evaluate`: metrics, slices, and the gate.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_delivery::kubeflow::ArtifactType;
use sluice_delivery::{FileRegistry, ModelPackage};
use sluice_evaluation::EvaluateOptions;
use sluice_evaluation::gate::{Columns, RequirementOptions};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument, SourceArguments};
use crate::data::Data;
use crate::executor::{Contract, Input, Output};
use crate::pipeline_argument::PipelineArgument;
use crate::session::Session;
use crate::{tables, verdict};

pub(crate) const CONTRACT: Contract = Contract {
    command: "evaluate",
    inputs: &[
        Input { name: "dataset", kind: ArtifactType::Dataset, argument: "input", or_parameter: false },
        Input { name: "model", kind: ArtifactType::Model, argument: "model", or_parameter: false },
        Input { name: "baseline", kind: ArtifactType::Model, argument: "baseline", or_parameter: false },
    ],
    outputs: &[
        Output {
            name: "evaluation",
            kind: ArtifactType::Artifact,
            argument: Some("out"),
            help: "Metrics, slices and verdict",
        },
        METRICS,
        REPORT,
    ],
    results: &[verdict::BLESSED, verdict::BLESSING, verdict::OUTCOME, verdict::COMPARISON, verdict::REASONS],
    demands: &[],
    // The artifact `report` is the page.
    omits: &["report"],
    on_error: Some(verdict::of_error),
};

/// The overall metrics of an evaluation.
pub(crate) const METRICS: Output =
    Output { name: "metrics", kind: ArtifactType::Metrics, argument: None, help: "The overall metrics" };

/// The page of an evaluation, as an orchestrator shows it.
pub(crate) const REPORT: Output =
    Output { name: "report", kind: ArtifactType::Html, argument: None, help: "The page of the evaluation" };

const EXAMPLES: &str = "\
Examples:
  sluice evaluate dataset --model model --out evaluation --require '{metric: rmse, at_most: 60}'
  sluice evaluate dataset --model model --baseline old-model --out evaluation \\
      --slice sex --require '{metric: rmse, block_if_worse: 0.0, every: sex}'
  sluice evaluate dataset --model model --pipeline pipeline.yaml --registry registry --name tips --out evaluation

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
    #[arg(value_name = "INPUT")]
    input: String,
    /// The model package to judge.
    #[arg(long)]
    model: PathBuf,
    /// The model package to compare with.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Compare with the model in production instead: the one that this registry has as `latest-blessed`, if any.
    #[arg(long, value_name = "FOLDER", requires = "name", conflicts_with = "baseline")]
    registry: Option<PathBuf>,
    /// The name of the model in the registry.
    #[arg(long, requires = "registry")]
    name: Option<String>,
    #[command(flatten)]
    out: OutArgument,
    /// The subset of a data set to judge on; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// Take metrics, slices and requirements of this pipeline file: its path, or its text.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["metric", "slice", "require", "alpha"])]
    pipeline: Option<PipelineArgument>,
    /// A metric to report; all of them unless given.
    #[arg(long)]
    metric: Vec<String>,
    /// A slice to report: a column, several joined by commas, or a YAML list of them; may be given several times.
    #[arg(long, value_name = "COLUMNS")]
    slice: Vec<String>,
    /// The column with the weight of the rows; unless given, every row counts once, or as the
    /// roles of the pipeline file say.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// A requirement, as in `evaluate.require` of a pipeline file; may be given several times.
    #[arg(long, value_name = "YAML")]
    require: Vec<String>,
    /// The level of every test.
    #[arg(long)]
    alpha: Option<f64>,
    /// Let a baseline that cannot be compared not block, for this recorded reason.
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
    /// Write the page of the evaluation to this file too; it stands in the artifact as `evaluation.html`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

impl EvaluateArguments {
    fn options(&self) -> Result<EvaluateOptions> {
        if let Some(pipeline) = &self.pipeline {
            let file = pipeline.read()?;
            let options = file.spec.evaluate.options;
            let weight = self.weight.clone().or(file.spec.data.roles.weight);
            return Ok(EvaluateOptions {
                force: self.force.clone().or(options.force.clone()),
                weight,
                ..options
            });
        }
        let mut options = EvaluateOptions {
            metrics: self.metric.clone(),
            slices: self.slice.iter().map(|text| slice(text)).collect::<Result<_>>()?,
            force: self.force.clone(),
            weight: self.weight.clone(),
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

impl EvaluateArguments {
    /// The model to compare with.
    fn baseline(&self, session: &Session) -> Result<Option<ModelPackage>> {
        let (Some(registry), Some(name)) = (&self.registry, &self.name) else {
            return self.baseline.as_deref().map(ModelPackage::open).transpose();
        };
        let Some((version, model)) = FileRegistry::new(registry, name)?.latest_blessed()? else {
            session.printer.message("no baseline yet: the registry has no version of this model");
            return Ok(None);
        };
        session.printer.message(&format!("against version {version}"));
        Ok(Some(model))
    }
}

/// The columns of a slice. A list tells apart what commas cannot: names with a comma in them.
fn slice(text: &str) -> Result<Columns> {
    if text.trim_start().starts_with('[') {
        return Ok(Columns(from_yaml::<Vec<String>>(text, "--slice")?));
    }
    Ok(Columns(text.split(',').map(|column| column.trim().to_owned()).collect()))
}

pub(crate) fn run(arguments: &EvaluateArguments, session: &Session) -> Result<Answer> {
    let options = arguments.options()?;
    options.check()?;
    let candidate = ModelPackage::open(&arguments.model)?;
    let baseline = arguments.baseline(session)?;
    let (source, digest) = Data::open(&arguments.input, &arguments.source, session)?
        .rows(arguments.subset.as_deref(), session)?;
    let evaluated = step::evaluate::evaluate(
        &source,
        &digest,
        &candidate,
        baseline.as_ref(),
        &options,
        &arguments.out.out,
        &session.execution,
    )?;
    let evaluation = &evaluated.evaluation;
    if let Some(path) = &arguments.report {
        write_whole(path, step::evaluation_report::page(evaluation).as_bytes())?;
    }
    session.printer.result(evaluation, || {
        format!("{}\n{}", tables::metrics(evaluation), tables::verdict(&evaluation.verdict, session.printer))
    });
    Ok(verdict::of_evaluation(evaluation))
}
