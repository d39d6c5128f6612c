//! `sluice predict`: scores rows in bulk.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::ModelPackage;
use sluice_pipeline::step::predict::predict;
use sluice_report::rows;

use crate::arguments::{OutArgument, SourceArguments};
use crate::data::Data;
use crate::session::{Exit, Session};

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
    source: SourceArguments,
}

pub(crate) fn run(arguments: &PredictArguments, session: &Session) -> Result<Exit> {
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
    Ok(Exit::Done)
}
