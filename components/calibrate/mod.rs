//! `sluice calibrate`: probabilities that mean what they say.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sluice_core::Result;
use sluice_delivery::ModelPackage;
use sluice_delivery::onnx::OnnxMode;
use sluice_pipeline::step::calibrate::calibrate;
use sluice_report::{rows, significant};
use sluice_training::calibration::CalibrationMethod;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument, SourceArguments};
use crate::data::Data;
use crate::session::{Exit, Session};

const EXAMPLES: &str = "\
Examples:
  sluice calibrate model dataset --subset calibration --out calibrated
  sluice calibrate model 'held-out/*.parquet' --method sigmoid --weight trips --out calibrated";

/// Calibrate a classifier of two classes: learn from held-out rows what its probabilities are worth.
///
/// The calibrated package predicts calibrated probabilities wherever the model is used. The rows should be others than
/// those that the model was fitted on and than those that it is evaluated on. Scores are kept in memory, 24 bytes a row.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CalibrateArguments {
    /// A model package.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A data set made by `ingest`, or a file, a glob or a folder of files, here or in a bucket, with the label.
    #[arg(value_name = "INPUT")]
    input: String,
    #[command(flatten)]
    out: OutArgument,
    /// How.
    #[arg(long, value_name = "METHOD", default_value = "isotonic")]
    method: Method,
    /// The subset of a data set; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// The column that says how much a row counts; all alike without.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// Whether the package also holds ONNX files, which have no form for a calibration yet: `required` is refused.
    #[arg(long, value_name = "MODE", default_value = "if-possible")]
    onnx: OnnxMode,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

/// How a calibration is learnt.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Method {
    /// A rising function, of steps joined by lines; needs some thousand rows.
    Isotonic,
    /// A logistic curve in the log-odds, after Platt; does with some dozens.
    Sigmoid,
}

pub(crate) fn run(arguments: &CalibrateArguments, session: &Session) -> Result<Answer> {
    let model = ModelPackage::open(&arguments.model)?;
    let data = Data::open(&arguments.input, &arguments.source, session)?;
    let (source, digest) = data.rows(arguments.subset.as_deref(), session)?;
    let method = match arguments.method {
        Method::Isotonic => CalibrationMethod::Isotonic,
        Method::Sigmoid => CalibrationMethod::Sigmoid,
    };
    let how = (method, arguments.weight.as_deref());
    let out = &arguments.out.out;
    let (record, _) = calibrate(&model, (&source, &digest), how, arguments.onnx, out, &session.execution)?;
    session.printer.result(&record, || {
        format!(
            "calibrated on {}: Brier score {} before, {} after, on the same rows\nmodel in {}",
            rows(record.rows),
            significant(record.brier_before),
            significant(record.brier_after),
            out.display()
        )
    });
    Ok(Answer::new(Exit::Done))
}
