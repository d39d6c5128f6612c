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
use sluice_training::{CrossValidation, LinearModel, ModelSpec, Output};

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
  sluice train dataset --transform transform --label tips --weight trips \\
      --model 'ridge: {alpha: {log_grid: [1e-4, 1e4, 33], folds: 5}}' --out model
  sluice train dataset --transform transform --label tips \\
      --model 'lasso: {alpha: {path: 100, folds: 5, rule: one_standard_error}}' --out model";

/// Fit a model and package it with its transform.
///
/// Linear models by one scan of the data: `least_squares`, `ridge` (the squared error plus alpha times the squared
/// coefficients; alpha is not divided by the number of rows), `lasso` (half the mean squared error plus alpha times the
/// magnitudes of the coefficients) and `elastic_net` (alpha times a mixture of both), as in scikit-learn. The intercept is not
/// penalised.
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
    /// The model, as a pipeline file says it under `train`: `ridge: {alpha: {grid: [0.1, 1, 10]}}`,
    /// `lasso: {alpha: {path: 100, folds: 5, rule: one_standard_error}}`,
    /// `elastic_net: {alpha: 0.1, l1_ratio: 0.5, non_negative: true}`, `least_squares: {}`.
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
    model.outputs.iter().map(|output| output_text(output, model.outputs.len() > 1)).collect()
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
        text.push_str(&scores(search).to_text());
        text.extend(search.note.iter().map(|note| format!("note: {note}\n")));
    }
    text
}

/// Every penalty that was tried; columns that no score fills are left out.
fn scores(search: &CrossValidation) -> Table {
    let has_ratios = search.chosen_l1_ratio.is_some();
    let has_counts = search.alphas.iter().any(|score| score.nonzero.is_some());
    let mut header = vec![">alpha"];
    header.extend(has_ratios.then_some(">l1 ratio"));
    header.extend(has_counts.then_some(">not 0"));
    header.extend([">mean squared error", ">standard error", ""]);
    let mut table = Table::new(&header);
    for score in &search.alphas {
        let is_chosen = score.alpha.to_bits() == search.chosen.to_bits()
            && score.l1_ratio.map(f64::to_bits) == search.chosen_l1_ratio.map(f64::to_bits);
        let mut row = vec![significant(score.alpha)];
        row.extend(has_ratios.then(|| score.l1_ratio.map_or_else(String::new, significant)));
        row.extend(has_counts.then(|| score.nonzero.map_or_else(String::new, |count| count.to_string())));
        row.extend([significant(score.mean_squared_error), significant(score.standard_error)]);
        row.push(if is_chosen { "chosen" } else { "" }.to_owned());
        table.push(row);
    }
    table
}
