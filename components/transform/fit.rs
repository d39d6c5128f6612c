//! `sluice transform fit`: what operations must know of the training rows.

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::role::Roles;
use sluice_core::seam::BatchTransform;
use sluice_core::spill::Scratch;
use sluice_core::{Execution, Result};
use sluice_ingest::Dataset;
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step;
use sluice_pipeline::step::state::Shard;
use sluice_pipeline::step::transform_state::TransformState;
use sluice_report::rows;
use sluice_transform::{Operation, Transform, TransformSpec};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, parse_shard};
use crate::data::open_dataset;
use crate::failure::ArgumentError;
use crate::kept::KeepStateArgument;
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};

/// Fit the operations on the training rows of a data set.
///
/// The artifact holds the fitted transform (`transform.json`) and the map from its output columns to the columns of the
/// data (`columns.json`), and the schema of what comes out (`schema.pbtxt`). Counts of values that exceed `--memory` lie on
/// disk beside it until the rows are read.
#[derive(Debug, Args)]
pub(crate) struct FitArguments {
    /// A data set made by `ingest`.
    #[arg(value_name = "DATASET", required = true)]
    dataset: Option<PathBuf>,
    /// The folder of the artifact; an artifact that is there already is replaced when the new one is complete.
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
    #[command(flatten)]
    operations: OperationArguments,
    /// Read only part I of N of the training rows, for example `2/5`; with `--partial`.
    #[arg(long, value_name = "I/N", requires = "partial", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Write the state of what was read to `--out` instead of a transform, for `sluice transform merge`.
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    kept: KeepStateArgument,
    /// Also write the statistics of what comes out of the training rows, as `sluice statistics` writes them; takes one more
    /// scan.
    #[arg(long, conflicts_with = "partial")]
    output_statistics: bool,
    /// Go on from the state that `sluice transform merge` left because another scan is needed; with `--partial`.
    #[arg(
        id = "go_on",
        long = "continue",
        value_name = "STATE",
        requires = "partial",
        conflicts_with_all = ["pipeline", "operation", "label", "allow"]
    )]
    go_on: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

/// The operations and the roles of columns.
#[derive(Debug, Args)]
pub(super) struct OperationArguments {
    /// Take the operations and roles of this pipeline file: its path, or its text.
    #[arg(
        long,
        value_name = "PIPELINE",
        conflicts_with_all = ["operation", "label"],
        required_unless_present_any = ["operation", "go_on"]
    )]
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
}

impl OperationArguments {
    fn read(&self) -> Result<(TransformSpec, Roles)> {
        if let Some(pipeline) = &self.pipeline {
            let file = pipeline.read()?;
            return Ok((file.spec.transform.clone(), file.spec.data.roles.clone()));
        }
        let roles = Roles { label: self.label.clone(), allow: self.allow.clone(), ..Roles::default() };
        Ok((operations(&self.operation)?, roles))
    }
}

/// Operations as they were given, one by one.
pub(super) fn operations(texts: &[String]) -> Result<TransformSpec> {
    let operations = texts.iter().map(|text| from_yaml::<Operation>(text, "--operation"));
    Ok(TransformSpec(operations.collect::<Result<_, _>>()?))
}

pub(super) fn run(arguments: &FitArguments, session: &Session) -> Result<Answer> {
    // The parser demands both, unless there is another task.
    let (Some(folder), Some(out)) = (&arguments.dataset, &arguments.out) else {
        let hint = "fit a transform: `sluice transform fit DATASET --pipeline PIPELINE --out FOLDER`";
        return Err(ArgumentError::new("a data set and a folder are demanded", hint).into());
    };
    let dataset = open_dataset(folder, session)?;
    let execution = session.execution.clone().with_scratch(Scratch::beside(out));
    if arguments.partial {
        return partial(arguments, &dataset, out, (session, &execution));
    }
    let states = arguments.kept.folder(Some(out))?;
    let (spec, roles) = arguments.operations.read()?;
    let fit = step::transform::fit(&spec, &dataset, &roles, states, &execution)?;
    arguments.kept.tell(&fit.reading, session);
    let transform = fit.transform;
    let statistics = arguments.output_statistics;
    let statistics = statistics
        .then(|| step::transform::output_statistics(&transform, &dataset, &execution))
        .transpose()?;
    let digest = dataset.artifact().digest();
    let (transform, _) = step::transform::publish_of(transform, digest, statistics.as_ref(), out)?;
    Ok(answer(&transform, out, session))
}

/// Prints a fitted transform and answers with its size.
pub(super) fn answer(transform: &Transform, out: &Path, session: &Session) -> Answer {
    let space = transform.space();
    session.printer.result(transform, || {
        let names: Vec<&str> = space.features.iter().map(|feature| feature.name.as_str()).collect();
        format!(
            "{} features in {} columns: {}\ntransform in {}",
            space.features.len(),
            space.width(),
            names.join(", "),
            out.display()
        )
    });
    Answer::new(Exit::Done).parameter("features", space.features.len()).parameter("width", space.width())
}

/// The state of a shard.
fn partial(
    arguments: &FitArguments,
    dataset: &Dataset,
    out: &Path,
    (session, execution): (&Session, &Execution),
) -> Result<Answer> {
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let state = match &arguments.go_on {
        Some(path) => TransformState::open(path)?.go_on(path, dataset, shard, execution)?,
        None => {
            let (spec, roles) = arguments.operations.read()?;
            TransformState::begin((&spec, &roles), dataset, shard, execution)?
        }
    };
    state.publish(out)?;
    let (scan, count) = (state.scan_number(), state.num_rows());
    let told = serde_json::json!({ "state": out.display().to_string(), "scan": scan, "rows": count });
    session
        .printer
        .result(&told, || format!("the state of {} in scan {scan} is in `{}`\n", rows(count), out.display()));
    Ok(Answer::new(Exit::Done))
}
