//! `sluice train`: a model, packaged with its transform.

mod fit;
mod merge;
mod text;

use clap::{Args, Subcommand};
use sluice_core::{MemoryLimit, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};

use crate::answer::Answer;
use crate::executor::{self, Contract, Input, Outcome};
use crate::session::Session;

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
            help: "The penalty that it was fitted with; of a network the weight decay",
        },
        Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows that it was fitted on" },
    ],
    demands: &[],
    // States are for those who spread the work themselves.
    omits: &[
        "shard",
        "partial",
        "exact",
        "keep_state",
        "warm_start",
        "report",
        "resume",
        "checkpoint_seconds",
    ],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice train dataset --transform transform --pipeline pipeline.yaml --out model
  sluice train dataset --transform transform --label tips --alpha 0.4 --out model
  sluice train dataset --transform transform --label churned --model 'logistic: {alpha: 1}' --out model
  sluice train dataset --transform transform --label tips --weight trips \\
      --model 'ridge: {alpha: {log_grid: [1e-4, 1e4, 33], folds: 5}}' --out model
  sluice train dataset --transform transform --label tips \\
      --model 'lasso: {alpha: {path: 100, folds: 5, rule: one_standard_error}}' --out model
  sluice train dataset --transform transform --label tips --report model.html --out model \\
      --model 'ridge: {alpha: 0, inference: {standard_errors: hc3, diagnostics: true}}'
  sluice train dataset --transform transform --pipeline pipeline.yaml --keep-state states --out model
  sluice train dataset --transform transform --pipeline pipeline.yaml --shard 2/5 --partial --out part-2
  sluice train dataset --transform transform --label churned --report model.html --out model \\
      --model 'network: {architecture: {mlp: {hidden: [64, 64]}}, early_stopping: {patience: 5}}'
  sluice train merge part-1 part-2 part-3 part-4 part-5 --out model";

/// Fit a model and package it with its transform.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct TrainArguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    fit: fit::FitArguments,
}

/// What to do with a model.
#[derive(Debug, Subcommand)]
enum Task {
    Merge(merge::MergeArguments),
}

impl TrainArguments {
    /// How much memory the task may take, if it reads rows.
    pub(crate) fn memory(&self) -> Option<MemoryLimit> {
        match &self.task {
            None => self.fit.memory.limit(),
            Some(Task::Merge(_)) => None,
        }
    }
}

pub(crate) fn run(arguments: &TrainArguments, session: &Session) -> Result<Answer> {
    match &arguments.task {
        None => fit::run(&arguments.fit, session),
        Some(Task::Merge(arguments)) => merge::run(arguments, session),
    }
}
