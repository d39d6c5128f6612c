//! `sluice schema`: what the data should look like, proposed from what they do.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::statistics::DatasetStatistics;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_pipeline::step::{TRAIN, schema};
use sluice_quality::schema::write_schema;

use crate::answer::Answer;
use crate::arguments::OutArgument;
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

/// Infer a schema that TFDV reads too.
///
/// From the statistics of one subset: types, presence, and the values of text columns with at most 100
/// different ones. Ranges are not inferred; add them by hand. Read the proposal, then keep it beside the
/// pipeline file.
#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// A statistics artifact.
    #[arg(value_name = "STATISTICS")]
    statistics: PathBuf,
    /// The subset to infer from; `train` where there is one, else the only one.
    #[arg(long)]
    subset: Option<String>,
    #[command(flatten)]
    out: OutArgument,
}

/// The subset asked for; without, the training rows or the only subset.
fn subset<'a>(record: &'a StatisticsRecord, name: Option<&str>) -> Result<&'a DatasetStatistics> {
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

pub(crate) fn run(arguments: &SchemaArguments, session: &Session) -> Result<Answer> {
    let (record, artifact) = StatisticsRecord::open(&arguments.statistics)?;
    let statistics = subset(&record, arguments.subset.as_deref())?;
    let file = schema::infer(statistics);
    schema::publish(&file, ("inferred-from", artifact.digest()), &arguments.out.out)?;
    session.printer.result(file.schema(), || write_schema(&file));
    Ok(Answer::new(Exit::Done).parameter("columns", file.schema().features.len()))
}
