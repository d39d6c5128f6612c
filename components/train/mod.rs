//! `sluice train`: a model, packaged with its transform.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_delivery::onnx::OnnxMode;
use sluice_ingest::Dataset;
use sluice_pipeline::spec::TrainSpec;
use sluice_pipeline::step;
use sluice_pipeline::step::train::TrainInputs;
use sluice_report::{Table, significant};
use sluice_training::{LinearModel, RidgeOptions};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument};
use crate::executor::{Contract, Input, Outcome, Output};
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "train",
    inputs: &[
        Input { name: "dataset", kind: ArtifactType::Dataset, argument: "dataset", or_parameter: false },
        Input { name: "transform", kind: ArtifactType::Artifact, argument: "transform", or_parameter: false },
    ],
    outputs: &[Output {
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
  sluice train dataset --transform transform --label tips --alpha 0.4 --out model";

/// Fit a model and package it with its transform.
///
/// Ridge regression: minimises the squared error plus alpha times the squared coefficients; the intercept is
/// not penalised, alpha is not divided by the number of rows (as in scikit-learn). One scan of the data.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrainArguments {
    /// A data set made by `ingest`.
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,
    /// A transform made by `transform`.
    #[arg(long)]
    transform: PathBuf,
    #[command(flatten)]
    out: OutArgument,
    /// Take the model and the label of this pipeline file: its path, or its text.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["label", "alpha"], required_unless_present_all = ["label", "alpha"])]
    pipeline: Option<PipelineArgument>,
    /// The column to predict.
    #[arg(long, value_name = "COLUMN", requires = "alpha")]
    label: Option<String>,
    /// The penalty of ridge regression, at least 0.
    #[arg(long, requires = "label")]
    alpha: Option<f64>,
    /// Whether the package also holds transform and model as ONNX: `required`, `if-possible` or `off`; as
    /// the pipeline file says, or if-possible, unless given.
    #[arg(long, value_name = "MODE")]
    onnx: Option<OnnxMode>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

pub(crate) fn run(arguments: &TrainArguments, session: &Session) -> Result<Answer> {
    let (spec, label, key, onnx) = match &arguments.pipeline {
        Some(pipeline) => {
            let file = pipeline.read()?;
            (
                file.spec.train.clone(),
                file.label().to_owned(),
                file.spec.data.roles.key.clone(),
                file.spec.onnx,
            )
        }
        // The parser has made sure that both are there.
        None => (
            TrainSpec::Ridge(RidgeOptions { alpha: arguments.alpha.unwrap_or_default().into() }),
            arguments.label.clone().unwrap_or_default(),
            Vec::new(),
            OnnxMode::default(),
        ),
    };
    let onnx = arguments.onnx.unwrap_or(onnx);
    let dataset = Dataset::open(&arguments.dataset)?;
    let (transform, artifact) = step::transform::open(&arguments.transform)?;
    let inputs = TrainInputs { transform: (&transform, &artifact), label: &label, key: &key, onnx };
    let package = step::train::train(&spec, &dataset, inputs, &arguments.out.out, &session.execution)?;
    let model = package.model();
    let left_out = package.onnx()?.filter(|record| record.mode != OnnxMode::Off);
    let reason = left_out.and_then(|record| record.left_out);
    let note = reason.map_or_else(String::new, |reason| format!("note: no ONNX files: {reason}\n"));
    session
        .printer
        .result(model, || format!("{}{note}model in {}", text(model), arguments.out.out.display()));
    let (alpha, rows) = (model.diagnostics.alpha, model.diagnostics.rows);
    Ok(Answer::new(Exit::Done)
        .parameter("chosen_alpha", alpha)
        .parameter("rows", rows)
        .metadata("model", "family", model.family.as_str())
        .metadata("model", "label", model.label.as_str())
        .metadata("model", "alpha", alpha)
        .metadata("model", "rows", rows))
}

fn text(model: &LinearModel) -> String {
    let errors = model.diagnostics.standard_errors.as_deref();
    let mut table = Table::new(&["column", ">coefficient", ">standard error"]);
    let intercept_error = model.diagnostics.intercept_standard_error;
    let shown = |error: Option<f64>| error.map_or_else(|| "-".into(), significant);
    table.push(["(intercept)".into(), significant(model.intercept), shown(intercept_error)]);
    for (index, coefficient) in model.coefficients.iter().enumerate() {
        let error = errors.and_then(|errors| errors.get(index)).copied();
        table.push([coefficient.column.clone(), significant(coefficient.value), shown(error)]);
    }
    let mut text = table.to_text();
    if let Some(search) = &model.cross_validation {
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
