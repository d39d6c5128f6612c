//! `sluice train`: a model of the transformed training rows, or the state of a shard of them.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use sluice_core::Result;
use sluice_core::role::Roles;
use sluice_delivery::ModelPackage;
use sluice_delivery::onnx::OnnxMode;
use sluice_ingest::Dataset;
use sluice_pipeline::spec::{PipelineSpec, from_yaml};
use sluice_pipeline::step;
use sluice_pipeline::step::state::Shard;
use sluice_pipeline::step::train::TrainInputs;
use sluice_pipeline::step::train_state::TrainState;
use sluice_report::{Table, rows, significant};
use sluice_training::{CrossValidation, LinearModel, ModelSpec, Output};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, parse_shard};
use crate::failure::ArgumentError;
use crate::kept::KeepStateArgument;
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};

/// Fit a model and package it with its transform.
///
/// Linear models by one scan of the data: `least_squares`, `ridge` (the squared error plus alpha times the squared
/// coefficients; alpha is not divided by the number of rows), `lasso` (half the mean squared error plus alpha times the
/// magnitudes of the coefficients) and `elastic_net` (alpha times a mixture of both), as in scikit-learn. The intercept
/// is not penalised. Without a task it fits; `merge` joins the states of shards.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["pipeline", "model", "alpha"]).required(true)))]
pub(super) struct FitArguments {
    /// A data set made by `ingest`.
    #[arg(value_name = "DATASET", required = true)]
    dataset: Option<PathBuf>,
    /// A transform made by `transform`.
    #[arg(long, required = true)]
    transform: Option<PathBuf>,
    /// The folder of the artifact; an artifact that is there already is replaced when the new one is complete.
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
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
    /// Read only part I of N of the training rows, for example `2/5`; with `--partial`.
    #[arg(long, value_name = "I/N", requires = "partial", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Write the state of what was read to `--out` instead of a model, for `sluice train merge`.
    #[arg(long)]
    partial: bool,
    /// Take the sums of the state in double-double, as columns that are nearly dependent need; with `--partial`.
    #[arg(long, requires = "partial")]
    exact: bool,
    #[command(flatten)]
    kept: KeepStateArgument,
    /// The model package that the iterations start from; for models that are fitted by iterations.
    #[arg(long, value_name = "MODEL", conflicts_with = "partial")]
    warm_start: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

impl FitArguments {
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

pub(super) fn run(arguments: &FitArguments, session: &Session) -> Result<Answer> {
    // The parser demands them, unless there is another task.
    let (Some(dataset), Some(transform), Some(out)) =
        (&arguments.dataset, &arguments.transform, &arguments.out)
    else {
        let hint =
            "fit a model: `sluice train DATASET --transform TRANSFORM --pipeline PIPELINE --out FOLDER`";
        return Err(ArgumentError::new("a data set, a transform and a folder are demanded", hint).into());
    };
    let (spec, roles, onnx) = match &arguments.pipeline {
        Some(pipeline) => {
            let PipelineSpec { train, data, onnx, .. } = pipeline.read()?.spec;
            (train, data.roles, onnx)
        }
        None => (arguments.model()?, arguments.roles(), OnnxMode::default()),
    };
    let onnx = arguments.onnx.unwrap_or(onnx);
    let dataset = Dataset::open(dataset)?;
    let (transform, artifact) = step::transform::open(transform)?;
    let states = arguments.kept.folder(Some(out))?;
    let start = arguments.warm_start.as_deref().map(ModelPackage::open).transpose()?;
    let start = start.as_ref().map(ModelPackage::model);
    let inputs = TrainInputs { transform: (&transform, &artifact), roles: &roles, onnx, states, start };
    if arguments.partial {
        let what = (arguments.shard.unwrap_or(Shard::WHOLE), arguments.exact);
        let state = TrainState::of_shard(&spec, &dataset, inputs, what, &session.execution)?;
        state.publish(out)?;
        let count = state.num_rows();
        let told = serde_json::json!({ "state": out.display().to_string(), "rows": count });
        let text = || format!("the state of {} is in `{}`\n", rows(count), out.display());
        session.printer.result(&told, text);
        return Ok(Answer::new(Exit::Done));
    }
    let trained = step::train::train(&spec, &dataset, inputs, out, &session.execution)?;
    arguments.kept.tell(&trained.reading, session);
    answer(&trained.package, out, session)
}

/// Prints a model and answers with its figures.
pub(super) fn answer(package: &ModelPackage, out: &Path, session: &Session) -> Result<Answer> {
    let model = package.model();
    let left_out = package.onnx()?.filter(|record| record.mode != OnnxMode::Off);
    let reason = left_out.and_then(|record| record.left_out);
    let note = reason.map_or_else(String::new, |reason| format!("note: no ONNX files: {reason}\n"));
    session.printer.result(model, || format!("{}{note}model in {}", text(model), out.display()));
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
