//! `sluice train`: a model, packaged with its transform.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use sluice_core::Result;
use sluice_core::role::Roles;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_delivery::onnx::OnnxMode;
use sluice_ingest::Dataset;
use sluice_pipeline::spec::{PipelineSpec, from_yaml};
use sluice_pipeline::step;
use sluice_pipeline::step::train::TrainInputs;
use sluice_report::{Table, significant};
use sluice_training::{GlmRecord, LinearModel, ModelSpec, Output};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument};
use crate::executor::{self, Contract, Input, Outcome};
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "train",
    inputs: &[
        Input { name: "dataset", kind: ArtifactType::Dataset, argument: "dataset", or_parameter: false },
        Input { name: "transform", kind: ArtifactType::Artifact, argument: "transform", or_parameter: false },
    ],
    outputs: &[executor::Output {
        name: "model",
        kind: ArtifactType::Model,
        argument: Some("out"),
        help: "The model package, with its transform",
    }],
    results: &[
        Outcome {
            name: "chosen_alpha",
            kind: ParameterType::Number,
            help: "The penalty that it was fitted with",
        },
        Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows that it was fitted on" },
    ],
    demands: &[],
    omits: &[],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice train dataset --transform transform --pipeline pipeline.yaml --out model
  sluice train dataset --transform transform --label tips --alpha 0.4 --out model
  sluice train dataset --transform transform --label churned --model 'logistic: {alpha: 1}' --out model
  sluice train dataset --transform transform --label tips --weight trips \\
      --model 'ridge: {alpha: {log_grid: [1e-4, 1e4, 33], folds: 5}}' --out model";

/// Fit a model and package it with its transform.
///
/// Ridge regression: minimises the squared error plus alpha times the squared coefficients; the intercept is
/// not penalised, alpha is not divided by the number of rows (as in scikit-learn). One scan of the data.
///
/// `logistic` (two classes or more), `poisson`, `gamma` and `tweedie` regression are fitted in a few scans, with alpha as
/// in scikit-learn's estimators of these names (logistic: alpha is 1/C), standard errors, deviance, AIC and BIC.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("what").args(["pipeline", "model", "alpha"]).required(true)))]
pub(crate) struct TrainArguments {
    /// A data set made by `ingest`.
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,
    /// A transform made by `transform`.
    #[arg(long)]
    transform: PathBuf,
    #[command(flatten)]
    out: OutArgument,
    /// Take the model and the roles of the columns of this pipeline file: its path, or its text.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["label", "weight", "key"])]
    pipeline: Option<PipelineArgument>,
    /// The column to predict.
    #[arg(long, value_name = "COLUMN", required_unless_present = "pipeline")]
    label: Option<String>,
    /// The column that says how much a row counts; all alike without.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// A column of the key: rows of one key stay in one fold of a cross-validation; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    /// The model, as a pipeline file says it under `train`: `ridge: {alpha: {grid: [0.1, 1, 10]}}`.
    #[arg(long, value_name = "SPEC")]
    model: Option<String>,
    /// A ridge regression with this penalty, at least 0.
    #[arg(long)]
    alpha: Option<f64>,
    /// Whether the package also holds transform and model as ONNX: `required`, `if-possible` or `off`; as
    /// the pipeline file says, or if-possible, unless given.
    #[arg(long, value_name = "MODE")]
    onnx: Option<OnnxMode>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

impl TrainArguments {
    /// The model, where no pipeline file says it.
    fn model(&self) -> Result<ModelSpec> {
        let spec = match (&self.model, self.alpha) {
            (Some(text), _) => from_yaml::<ModelSpec>(text, "--model")?,
            // The parser has made sure that there is one of them.
            (None, alpha) => ModelSpec::Ridge(alpha.unwrap_or_default().into()),
        };
        spec.check()?;
        Ok(spec)
    }

    fn roles(&self) -> Roles {
        Roles {
            label: self.label.clone(),
            weight: self.weight.clone(),
            key: self.key.clone(),
            ..Roles::default()
        }
    }
}

pub(crate) fn run(arguments: &TrainArguments, session: &Session) -> Result<Answer> {
    let (spec, roles, onnx) = match &arguments.pipeline {
        Some(pipeline) => {
            let PipelineSpec { train, data, onnx, .. } = pipeline.read()?.spec;
            (train, data.roles, onnx)
        }
        None => (arguments.model()?, arguments.roles(), OnnxMode::default()),
    };
    let onnx = arguments.onnx.unwrap_or(onnx);
    let dataset = Dataset::open(&arguments.dataset)?;
    let (transform, artifact) = step::transform::open(&arguments.transform)?;
    let inputs = TrainInputs { transform: (&transform, &artifact), roles: &roles, onnx };
    let package = step::train::train(&spec, &dataset, inputs, &arguments.out.out, &session.execution)?;
    let model = package.model();
    let left_out = package.onnx()?.filter(|record| record.mode != OnnxMode::Off);
    let reason = left_out.and_then(|record| record.left_out);
    let note = reason.map_or_else(String::new, |reason| format!("note: no ONNX files: {reason}\n"));
    session
        .printer
        .result(model, || format!("{}{note}model in {}", text(model), arguments.out.out.display()));
    let (alpha, rows) = (model.label_output().alpha, model.rows);
    Ok(Answer::new(Exit::Done)
        .parameter("chosen_alpha", alpha)
        .parameter("rows", rows)
        .metadata("model", "family", model.family.as_str())
        .metadata("model", "label", model.label.as_str())
        .metadata("model", "alpha", alpha)
        .metadata("model", "rows", rows))
}

fn text(model: &LinearModel) -> String {
    let outputs = model.outputs.iter().map(|output| output_text(output, model.outputs.len() > 1));
    outputs.chain(model.glm.iter().map(|glm| glm_text(glm))).collect()
}

/// The figures of a generalised linear model, one a line.
fn glm_text(glm: &GlmRecord) -> String {
    let mut table = Table::new(&["figure", ">value"]);
    let mut row = |name: &str, value: Option<f64>| {
        table.push([name.to_owned(), value.map_or_else(|| "-".to_owned(), significant)]);
    };
    row("deviance", Some(glm.deviance));
    row("null deviance", Some(glm.null_deviance));
    row("pseudo-R²", glm.pseudo_r_squared);
    row("log-likelihood", glm.log_likelihood);
    row("AIC", glm.aic);
    row("BIC", glm.bic);
    row("dispersion", glm.dispersion);
    row("steps", Some(f64::from(glm.convergence.iterations)));
    let mut text = table.to_text();
    if let Some(positive) = &glm.positive {
        text.push_str(&format!("prediction: the probability of `{positive}`\n"));
    }
    text.extend(glm.notes.iter().map(|note| format!("note: {note}\n")));
    text
}

fn output_text(output: &Output, is_named: bool) -> String {
    let errors = output.diagnostics.standard_errors.as_deref();
    let mut table = Table::new(&["column", ">coefficient", ">standard error"]);
    let intercept_error = output.diagnostics.intercept_standard_error;
    let shown = |error: Option<f64>| error.map_or_else(|| "-".into(), significant);
    table.push(["(intercept)".into(), significant(output.intercept), shown(intercept_error)]);
    for (index, coefficient) in output.coefficients.iter().enumerate() {
        let error = errors.and_then(|errors| errors.get(index)).copied();
        table.push([coefficient.column.clone(), significant(coefficient.value), shown(error)]);
    }
    let mut text = if is_named { format!("{}:\n", output.target) } else { String::new() };
    text.push_str(&table.to_text());
    if let Some(search) = &output.cross_validation {
        let mut scores = Table::new(&[">alpha", ">mean squared error", ">standard error", ""]);
        for score in &search.alphas {
            let chosen = score.alpha.to_bits() == search.chosen.to_bits();
            scores.push([
                significant(score.alpha),
                significant(score.mean_squared_error),
                significant(score.standard_error),
                if chosen { "chosen" } else { "" }.to_owned(),
            ]);
        }
        text.push_str(&scores.to_text());
        text.extend(search.note.iter().map(|note| format!("note: {note}\n")));
    }
    text
}
