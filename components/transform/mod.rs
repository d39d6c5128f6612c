//! `sluice transform`: features, fitted on the training rows; planned, proposed, and computed in bulk.

mod apply;
mod fit;
mod merge;
mod plan;
mod suggest;

use clap::{Args, Subcommand};
use sluice_core::{MemoryLimit, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};

use crate::answer::Answer;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::session::Session;

pub(crate) const CONTRACT: Contract = Contract {
    command: "transform",
    inputs: &[Input {
        name: "dataset",
        kind: ArtifactType::Dataset,
        argument: "dataset",
        or_parameter: false,
    }],
    outputs: &[Output {
        name: "transform",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "The fitted transform",
    }],
    results: &[
        Outcome { name: "features", kind: ParameterType::Integer, help: "Features" },
        Outcome { name: "width", kind: ParameterType::Integer, help: "Columns that the features make" },
    ],
    demands: &[],
    // States are for those who spread the work themselves.
    omits: &["shard", "partial", "go_on", "keep_state"],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice transform fit dataset --pipeline pipeline.yaml --out transform
  sluice transform fit dataset --label tips --out transform \\
      --operation 'impute: {columns: [age], with: mean}' --operation 'standardize: [age, fare]' \\
      --operation 'one_hot: [payment_type]'
  sluice transform apply transform 'new/*.parquet' --keep trip_id --out features
  sluice transform apply transform dataset --subset train --keep tips --matrix f32 --out features
  sluice transform plan --pipeline pipeline.yaml
  sluice transform suggest statistics --label tips --out transform.yaml
  sluice transform fit dataset --pipeline pipeline.yaml --keep-state states --out transform
  sluice transform fit dataset --pipeline pipeline.yaml --shard 2/5 --partial --out part-2
  sluice transform merge part-1 part-2 part-3 part-4 part-5 --out transform

Operations read the newest value of a name and replace it, or write it under another name (`as`). Features are the
names that operations write. Missing values: impute. Numbers: standardize, scale_to_range, max_abs_scale,
robust_scale, power_transform, quantile_transform, scale_to_gaussian, math, clip, bucketize, polynomial, pca,
pass_through. Expressions: derive. Categories: one_hot, ordinal, vocabulary, hash_buckets, cross, frequency,
target_mean. Dates and places: date_parts, cyclic, haversine. Text: bag_of_words, tf_idf, word_count. Lists:
multi_hot, pad, list_statistics. Not a feature after all: drop. Each with its formula: docs/transform.md.";

/// Fit the transform on the training rows.
///
/// Without a task it fits, in as few scans as the operations allow; `plan` shows the scans, `suggest` proposes
/// operations, `apply` computes features in bulk, `merge` joins the states of shards.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct TransformArguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    fit: fit::FitArguments,
}

/// What to do with a transform.
#[derive(Debug, Subcommand)]
enum Task {
    Fit(fit::FitArguments),
    Apply(apply::ApplyArguments),
    Plan(plan::PlanArguments),
    Suggest(suggest::SuggestArguments),
    Merge(merge::MergeArguments),
}

impl TransformArguments {
    /// How much memory the task may take, if it reads rows.
    pub(crate) fn memory(&self) -> Option<MemoryLimit> {
        match &self.task {
            None => self.fit.memory.limit(),
            Some(Task::Fit(arguments)) => arguments.memory.limit(),
            Some(Task::Apply(arguments)) => arguments.memory.limit(),
            Some(Task::Plan(_) | Task::Suggest(_) | Task::Merge(_)) => None,
        }
    }
}

pub(crate) fn run(arguments: &TransformArguments, session: &Session) -> Result<Answer> {
    match &arguments.task {
        None => fit::run(&arguments.fit, session),
        Some(Task::Fit(arguments)) => fit::run(arguments, session),
        Some(Task::Apply(arguments)) => apply::run(arguments, session),
        Some(Task::Plan(arguments)) => plan::run(arguments, session),
        Some(Task::Suggest(arguments)) => suggest::run(arguments, session),
        Some(Task::Merge(arguments)) => merge::run(arguments, session),
    }
}
