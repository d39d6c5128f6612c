//! `sluice predict`: scores rows in bulk.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::ModelPackage;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::predict::predict;
use sluice_report::rows;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument, SourceArguments};
use crate::data::Data;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "predict",
    inputs: &[
        Input { name: "model", kind: ArtifactType::Model, argument: "model", or_parameter: false },
        Input { name: "dataset", kind: ArtifactType::Dataset, argument: "input", or_parameter: true },
    ],
    outputs: &[Output {
        name: "predictions",
        kind: ArtifactType::Dataset,
        argument: Some("out"),
        help: "The predictions, as Parquet",
    }],
    results: &[
        Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows scored" },
        Outcome {
            name: "rows_without_prediction",
            kind: ParameterType::Integer,
            help: "Rows among them in which a feature is missing",
        },
    ],
    demands: &[],
    omits: &[],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice predict registry/tips/versions/0003 'new/*.parquet' --keep trip_id --out predictions
  sluice predict model dataset --subset eval --out predictions";

/// Score rows in bulk: files of any format in, Parquet out, in the order of the rows.
///
/// The package carries its transform, so the rows come as they are. A row in which a feature is missing and not
/// imputed has a null prediction and is counted; it does not stop the others.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PredictArguments {
    /// A model package.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A file, a glob, a folder of files, or a data set made by `ingest`.
    #[arg(value_name = "INPUT")]
    input: String,
    #[command(flatten)]
    out: OutArgument,
    /// A column to pass through, such as a key; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    keep: Vec<String>,
    /// The subset of a data set; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

pub(crate) fn run(arguments: &PredictArguments, session: &Session) -> Result<Answer> {
    let model = ModelPackage::open(&arguments.model)?;
    let (source, _) = Data::open(&arguments.input, &arguments.source, session)?
        .rows(arguments.subset.as_deref(), session)?;
    let (record, _) = predict(&model, &source, &arguments.keep, &arguments.out.out, &session.execution)?;
    session.printer.result(&record, || {
        let without = match record.rows_without_prediction {
            0 => String::new(),
            count => format!(", {} of them without a prediction: a feature is missing", rows(count)),
        };
        format!("{} scored{without}\npredictions in {}", rows(record.rows), arguments.out.out.display())
    });
    Ok(Answer::new(Exit::Done)
        .parameter("rows", record.rows)
        .parameter("rows_without_prediction", record.rows_without_prediction)
        .metadata("predictions", "rows", record.rows))
}
