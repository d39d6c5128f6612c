//! `sluice train`: a model of the transformed training rows, or the state of a shard of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_core::role::Roles;
use sluice_core::seam::FeatureModel as _;
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{Model, ModelPackage};
use sluice_pipeline::spec::{PipelineSpec, TrainSpec, from_yaml};
use sluice_pipeline::step;
use sluice_pipeline::step::state::Shard;
use sluice_pipeline::step::train::TrainInputs;
use sluice_pipeline::step::train_state::TrainState;
use sluice_pipeline::step::training_report;
use sluice_report::rows;
use sluice_training::{ModelSpec, TrainingError};

use super::text;
use crate::answer::Answer;
use crate::arguments::{MemoryArgument, parse_shard};
use crate::data::open_dataset;
use crate::failure::ArgumentError;
use crate::kept::KeepStateArgument;
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};

/// Fit a model and package it with its transform.
///
/// Linear models by one scan of the data: `least_squares`, `ridge` (the squared error plus alpha times the squared
/// coefficients; alpha is not divided by the number of rows), `lasso` (half the mean squared error plus alpha times the
/// magnitudes of the coefficients) and `elastic_net` (alpha times a mixture of both), as in scikit-learn. The intercept
/// is not penalised.
///
/// `logistic` (two classes or more), `poisson`, `gamma` and `tweedie` regression are fitted in a few scans, with alpha as
/// in scikit-learn's estimators of these names (logistic: alpha is 1/C), standard errors, deviance, AIC and BIC.
///
/// `network` is a neural network: a multilayer perceptron, wide and deep, residual, or with interactions; numbers go in as they
/// are, levels and tokens by vectors that are learned. It is fitted epoch by epoch, the same bits for any number of threads.
///
/// Without a task it fits; `merge` joins the states of shards.
///
/// Coefficients come with standard errors, t, p and intervals, the fit with R², F, AIC and BIC. In the model's
/// `inference`, `confidence` is the level of the intervals (0.95), `standard_errors` is classical, or robust where the
/// noise differs from row to row: hc0, hc1, hc2 or hc3; with `diagnostics` residuals and leverages are looked at. The
/// last two read the rows once more.
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
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["label", "weight", "key", "allow"])]
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
    /// A feature that may be made from source columns of the label; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    allow: Vec<String>,
    /// The model, as a pipeline file says it under `train`: `ridge: {alpha: {grid: [0.1, 1, 10]}}`,
    /// `lasso: {alpha: {path: 100, folds: 5, rule: one_standard_error}}`,
    /// `elastic_net: {alpha: 0.1, l1_ratio: 0.5, non_negative: true}`, `least_squares: {}`,
    /// `network: {architecture: {mlp: {hidden: [128, 128]}}, epochs: 20}`.
    #[arg(long, value_name = "SPEC")]
    model: Option<String>,
    /// A ridge regression with this penalty, at least 0.
    #[arg(long)]
    alpha: Option<f64>,
    /// Whether the package also holds transform and model as ONNX: `required`, `if-possible` or `off`; as
    /// the pipeline file says, or if-possible, unless given.
    #[arg(long, value_name = "MODE")]
    onnx: Option<OnnxMode>,
    /// Write a page of HTML to look at: coefficients with their intervals, how well the model fits, how the
    /// penalty was chosen, and with `inference: {diagnostics: true}` what the residuals say; of a network the curves
    /// of its loss.
    #[arg(long, value_name = "FILE", conflicts_with = "partial")]
    report: Option<PathBuf>,
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
    /// Note beside `--out` how far the training of a network is, and go on from what an interrupted call with this option
    /// and the same data and model has left. The bytes are the same. It is removed when the model stands.
    #[arg(long, conflicts_with = "partial")]
    resume: bool,
    /// Seconds between two such notes; one is also made when training is interrupted.
    #[arg(long, value_name = "SECONDS", requires = "resume", default_value_t = 60)]
    checkpoint_seconds: u64,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

impl FitArguments {
    /// The model, where no pipeline file says it.
    fn model(&self) -> Result<TrainSpec> {
        let spec = match (&self.model, self.alpha) {
            (Some(text), _) => from_yaml::<TrainSpec>(text, "--model")?,
            // The parser has made sure that there is one of them.
            (None, alpha) => TrainSpec::Linear(ModelSpec::Ridge(alpha.unwrap_or_default().into())),
        };
        spec.check()?;
        Ok(spec)
    }

    fn roles(&self) -> Roles {
        Roles {
            label: self.label.clone(),
            weight: self.weight.clone(),
            key: self.key.clone(),
            allow: self.allow.clone(),
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
    let dataset = open_dataset(dataset, session)?;
    let (transform, artifact) = step::transform::open(transform)?;
    let states = arguments.kept.folder(Some(out))?;
    let start = arguments.warm_start.as_deref().map(ModelPackage::open).transpose()?;
    let start = match start.as_ref().map(ModelPackage::model) {
        None => None,
        Some(Model::Linear(model)) => Some(model),
        Some(Model::Network(network)) => {
            return Err(TrainingError::OtherStart {
                what: "family",
                found: network.record.family.clone(),
                expected: spec.family().to_owned(),
            }
            .into());
        }
    };
    if arguments.resume && spec.linear().is_some() {
        let hint =
            "leave it out: a killed training of a linear model has left nothing, and is soon done again";
        let problem = format!("`--resume` is for networks, not for `{}`", spec.family());
        return Err(ArgumentError::new(problem, hint).into());
    }
    let checkpoints = arguments.resume.then(|| Duration::from_secs(arguments.checkpoint_seconds));
    let transform = (&transform, &artifact);
    let inputs = TrainInputs { transform, roles: &roles, onnx, states, start, checkpoints };
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
    if let Some(path) = &arguments.report {
        write_whole(path, training_report::page(trained.package.model()).as_bytes())?;
    }
    answer(&trained.package, out, session)
}

/// Prints a model and answers with its figures.
pub(super) fn answer(package: &ModelPackage, out: &Path, session: &Session) -> Result<Answer> {
    let model = package.model();
    let left_out = package.onnx()?.filter(|record| record.mode != OnnxMode::Off);
    let reason = left_out.and_then(|record| record.left_out);
    let note = reason.map_or_else(String::new, |reason| format!("note: no ONNX files: {reason}\n"));
    let shown = || format!("{}{note}model in {}", text::text(model), out.display());
    let alpha = match model {
        Model::Linear(linear) => {
            session.printer.result(linear, shown);
            linear.label_output().alpha
        }
        Model::Network(network) => {
            session.printer.result(&network.record, shown);
            network.record.training.spec.optimizer.weight_decay()
        }
    };
    let rows = model.rows();
    Ok(Answer::new(Exit::Done)
        .parameter("chosen_alpha", alpha)
        .parameter("rows", rows)
        .metadata("model", "family", model.family())
        .metadata("model", "label", model.label())
        .metadata("model", "alpha", alpha)
        .metadata("model", "rows", rows))
}
