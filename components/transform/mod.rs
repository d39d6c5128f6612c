//! `sluice transform`: features, fitted on the training rows.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::role::Roles;
use sluice_core::seam::BatchTransform;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_ingest::Dataset;
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step;
use sluice_transform::{Operation, TransformSpec};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument};
use crate::executor::{Contract, Input, Outcome, Output};
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};

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
    omits: &[],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice transform dataset --pipeline pipeline.yaml --out transform
  sluice transform dataset --label tips --out transform \\
      --operation 'impute: {columns: [age], with: mean}' --operation 'standardize: [age, fare]' \\
      --operation 'one_hot: [payment_type]'

Operations read the newest value of a name and replace it, or write it under another name (`as`). Features are the
names that operations write. Missing values: impute. Numbers: standardize, scale_to_range, max_abs_scale,
robust_scale, power_transform, quantile_transform, scale_to_gaussian, math, clip, bucketize, polynomial, pca,
pass_through. Expressions: derive. Categories: one_hot, ordinal, vocabulary, hash_buckets, cross, frequency,
target_mean. Dates and places: date_parts, cyclic, haversine. Text: bag_of_words, tf_idf, word_count. Lists:
multi_hot, pad, list_statistics. Not a feature after all: drop. Each with its formula: docs/transform.md.";

/// Fit the transform on the training rows.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TransformArguments {
    /// A data set made by `ingest`.
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,
    #[command(flatten)]
    out: OutArgument,
    /// Take the operations and roles of this pipeline file: its path, or its text.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["operation", "label"], required_unless_present = "operation")]
    pipeline: Option<PipelineArgument>,
    /// An operation, as in the section `transform:` of a pipeline file; may be given several times.
    #[arg(long, value_name = "YAML")]
    operation: Vec<String>,
    /// The label, which must not become a feature.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// A feature that may be made from source columns of the label; may be given several times.
    #[arg(long, value_name = "COLUMN", requires = "label")]
    allow: Vec<String>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

pub(crate) fn run(arguments: &TransformArguments, session: &Session) -> Result<Answer> {
    let (spec, roles) = match &arguments.pipeline {
        Some(pipeline) => {
            let file = pipeline.read()?;
            (file.spec.transform.clone(), file.spec.data.roles.clone())
        }
        None => {
            let operations = arguments
                .operation
                .iter()
                .map(|text| from_yaml::<Operation>(text, "--operation"))
                .collect::<Result<Vec<_>, _>>()?;
            let (label, allow) = (arguments.label.clone(), arguments.allow.clone());
            (TransformSpec(operations), Roles { label, allow, ..Roles::default() })
        }
    };
    let dataset = Dataset::open(&arguments.dataset)?;
    let (transform, _) =
        step::transform::fit(&spec, &dataset, &roles, &arguments.out.out, &session.execution)?;
    session.printer.result(&transform, || {
        let space = transform.space();
        format!(
            "{} features in {} columns: {}\ntransform in {}",
            space.features.len(),
            space.width(),
            space.features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>().join(", "),
            arguments.out.out.display()
        )
    });
    let space = transform.space();
    Ok(Answer::new(Exit::Done).parameter("features", space.features.len()).parameter("width", space.width()))
}
