//! `sluice schema`: what the data should look like, proposed from what they do; compared, updated, checked.

mod check;
mod diff;
mod import;
mod update;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sluice_core::Result;
use sluice_core::statistics::DatasetStatistics;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_pipeline::step::{TRAIN, schema};
use sluice_quality::schema::{InferOptions, infer_schema_file, set_environments, write_schema};

use crate::answer::Answer;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "schema",
    inputs: &[Input {
        name: "statistics",
        kind: ArtifactType::Artifact,
        argument: "statistics",
        or_parameter: false,
    }],
    outputs: &[Output {
        name: "schema",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "The schema, in TFDV's text format",
    }],
    results: &[Outcome { name: "columns", kind: ParameterType::Integer, help: "Columns that it describes" }],
    demands: &[],
    omits: &[],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice schema infer statistics --out schema
  sluice schema infer statistics --environment TRAINING --environment SERVING --absent tips=SERVING --out schema
  sluice schema infer Split-train/FeatureStats.pb --out schema
  sluice schema check schema.pbtxt
  sluice schema import suite.json --out schema.pbtxt       (of Great Expectations, pandera, JSON Schema, Arrow)
  sluice schema diff schema.pbtxt schema/schema.pbtxt --fail-on-change
  sluice schema update schema.pbtxt --findings validation --statistics statistics --accept all --out schema.pbtxt";

/// Infer a schema that TFDV reads too; compare, update and check schemas.
///
/// Without a task it infers: from the statistics of one subset, types, presence, numbers of values, and the values of
/// text columns with at most 100 different ones. Read the proposal, then keep it beside the pipeline file.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct SchemaArguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    infer: InferArguments,
}

/// What to do with schemas.
#[derive(Debug, Subcommand)]
enum Task {
    Infer(InferArguments),
    Diff(diff::DiffArguments),
    Update(update::UpdateArguments),
    Check(check::CheckArguments),
    Import(import::ImportArguments),
}

/// Infer a schema from the statistics of one subset.
///
/// The order of decisions is TFDV's: type, presence, shape or number of values, then the first domain that fits.
/// Ranges are inferred on request only: that a fare was below 80 so far is no rule.
#[derive(Debug, Args)]
pub(crate) struct InferArguments {
    /// A statistics artifact, or what TFDV or TFX wrote: a file (binary, TFRecord or text), shards of it, or a folder
    /// `Split-NAME` or of such.
    #[arg(value_name = "STATISTICS", required = true)]
    statistics: Option<PathBuf>,
    /// The subset to infer from; `train` where there is one, else the only one.
    #[arg(long)]
    subset: Option<String>,
    /// Give numbers the least and greatest value seen as bounds.
    #[arg(long)]
    ranges: bool,
    /// Take integers with at most so many different values for categories.
    #[arg(long, value_name = "N")]
    categorical_integers: Option<u64>,
    /// List the values of text with at most so many different ones; 100 unless given, 0 for never.
    #[arg(long, value_name = "N")]
    max_domain_values: Option<usize>,
    /// Let columns with nearly the same values share one list.
    #[arg(long)]
    share_domains: bool,
    /// Say how many values rows have without a fixed shape.
    #[arg(long)]
    no_shape: bool,
    /// An environment that all columns belong to, such as TRAINING or SERVING.
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// A column that is not there in one of these environments.
    #[arg(long, value_name = "COLUMN=ENVIRONMENT")]
    absent: Vec<String>,
    /// The folder of the artifact; an artifact that is there already is replaced when the new one is complete.
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
}

/// The subset asked for; without, the training rows or the only subset.
pub(crate) fn subset<'a>(record: &'a StatisticsRecord, name: Option<&str>) -> Result<&'a DatasetStatistics> {
    let found = match (name, record.subsets.as_slice()) {
        (Some(name), _) => record.subset(name),
        (None, [only]) => Some(only),
        (None, _) => record.subset(TRAIN),
    };
    found.ok_or_else(|| {
        let names = sluice_core::options::quoted(record.subsets.iter().map(|subset| subset.name.as_str()));
        let message = format!("the statistics have no subset `{}`", name.unwrap_or(TRAIN));
        ArgumentError::new(message, format!("choose one of {names} with `--subset`")).into()
    })
}

/// A column and the environment that it is absent from; the last `=` separates them.
fn absences(pairs: &[String]) -> Result<Vec<(String, String)>> {
    let split = |pair: &String| {
        let (column, environment) = pair.rsplit_once('=').ok_or_else(|| {
            ArgumentError::new(
                format!("`--absent {pair}` has no `=`"),
                "write COLUMN=ENVIRONMENT: `tips=SERVING`",
            )
        })?;
        Ok((column.to_owned(), environment.to_owned()))
    };
    pairs.iter().map(split).collect()
}

pub(crate) fn run(arguments: &SchemaArguments, session: &Session) -> Result<Answer> {
    match &arguments.task {
        None => infer(&arguments.infer, session),
        Some(Task::Infer(arguments)) => infer(arguments, session),
        Some(Task::Diff(arguments)) => diff::run(arguments, session),
        Some(Task::Update(arguments)) => update::run(arguments, session),
        Some(Task::Check(arguments)) => check::run(arguments, session),
        Some(Task::Import(arguments)) => import::run(arguments, session),
    }
}

fn infer(arguments: &InferArguments, session: &Session) -> Result<Answer> {
    // The parser demands both, unless there is another task.
    let (Some(folder), Some(out)) = (&arguments.statistics, &arguments.out) else {
        let hint = "infer a schema: `sluice schema infer STATISTICS --out FOLDER`";
        return Err(ArgumentError::new("statistics and a folder are demanded", hint).into());
    };
    let absent = absences(&arguments.absent)?;
    let (record, artifact) = StatisticsRecord::open(folder)?;
    let statistics = subset(&record, arguments.subset.as_deref())?;
    let defaults = InferOptions::default();
    let options = InferOptions {
        max_string_domain_size: arguments.max_domain_values.unwrap_or(defaults.max_string_domain_size),
        shape: !arguments.no_shape,
        ranges: arguments.ranges,
        max_categorical_integers: arguments.categorical_integers.unwrap_or(0),
        share_domains: arguments.share_domains,
    };
    let mut file = infer_schema_file(statistics, &options);
    let mut schema = file.schema().clone();
    set_environments(&mut schema, &arguments.environment, &absent)?;
    file.replace(schema);
    schema::publish(&file, ("inferred-from", artifact.digest()), out)?;
    session.printer.result(file.schema(), || write_schema(&file));
    Ok(Answer::new(Exit::Done).parameter("columns", file.schema().features.len()))
}
