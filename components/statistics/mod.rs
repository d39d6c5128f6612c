//! `sluice statistics`: what is in the data.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::seam::BatchSource;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::statistics::{of_dataset, of_source};

use crate::answer::Answer;
use crate::arguments::SourceArguments;
use crate::data::Data;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::session::{Exit, Session};
use crate::tables;

pub(crate) const CONTRACT: Contract = Contract {
    command: "statistics",
    inputs: &[Input { name: "dataset", kind: ArtifactType::Dataset, argument: "input", or_parameter: false }],
    outputs: &[Output {
        name: "statistics",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "The statistics of every subset",
    }],
    results: &[Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows of all subsets" }],
    demands: &[],
    omits: &[],
    on_error: None,
};

/// Compute the statistics of a data set or of files.
///
/// One pass: rows, kinds of nothing (missing, NaN, infinite, empty), mean, standard deviation, range,
/// quantiles, distinct and most frequent values. Counts are exact; a figure that is not says how far off it may
/// be in the JSON.
#[derive(Debug, Args)]
pub(crate) struct StatisticsArguments {
    /// A data set made by `ingest`, or a file, a glob or a folder of files.
    #[arg(value_name = "INPUT")]
    input: String,
    /// The folder of the artifact; without, the statistics are only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

pub(crate) fn run(arguments: &StatisticsArguments, session: &Session) -> Result<Answer> {
    let (record, digest) = match Data::open(&arguments.input, &arguments.source, session)? {
        Data::Dataset(dataset) => {
            (of_dataset(&dataset, &session.execution)?, dataset.artifact().digest().to_owned())
        }
        Data::Files(files) => (of_source(files.as_ref(), &session.execution)?, files.plan().digest.clone()),
    };
    if let Some(out) = &arguments.out {
        record.publish(&digest, out)?;
    }
    session.printer.result(&record, || tables::statistics(&record));
    let rows: u64 = record.subsets.iter().map(|subset| subset.num_rows).sum();
    Ok(Answer::new(Exit::Done).parameter("rows", rows).metadata("statistics", "rows", rows))
}
