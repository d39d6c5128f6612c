//! `sluice predict`: scores rows in bulk.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sluice_core::Result;
use sluice_delivery::ModelPackage;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::predict::{PredictOptions, PredictionFormat, PredictionsRecord, predict};
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
        help: "The predictions, as Parquet, Arrow or TFRecord",
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
    // A container's place for its outputs is not there when it is tried again.
    omits: &["resume"],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice predict registry/tips/versions/0003 'new/*.parquet' --keep trip_id --out predictions
  sluice predict model dataset --subset eval --out predictions
  sluice predict model new.csv --keep-all --explain --out predictions
  sluice predict model 'new/*.parquet' --keep trip_id --resume --out predictions";

/// Score rows in bulk: files of any format in, Parquet, Arrow or TFRecord out, in the order of the rows.
///
/// The package carries its transform, so the rows come as they are. A row in which a feature is missing and not
/// imputed has a null prediction and is counted; it does not stop the others. A value that the model does not know is no
/// error either: it has none of the levels, and such rows are counted by feature.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PredictArguments {
    /// A model package.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A file, a glob, a folder of files, here or in a bucket (`s3://`, `gs://`, `az://`), or a data set made by
    /// `ingest`.
    #[arg(value_name = "INPUT")]
    input: String,
    #[command(flatten)]
    out: OutArgument,
    /// A column to pass through, such as a key; may be given several times. The key of a data set always is, before them.
    #[arg(long, value_name = "COLUMN")]
    keep: Vec<String>,
    /// Pass all columns through.
    #[arg(long, conflicts_with = "keep")]
    keep_all: bool,
    /// Write these predictions of a model with several outputs, with commas between; all of them unless given.
    #[arg(long, value_name = "PREDICTION", value_delimiter = ',')]
    columns: Vec<String>,
    /// Add what each feature adds to the prediction of each row (exact Shapley values): `base_value` and
    /// `contribution_FEATURE`, which add up to the prediction, or for a model with a link to what the link makes it from.
    /// Their averages go to `explanations.json`.
    #[arg(long)]
    explain: bool,
    /// How the rows are written.
    #[arg(long = "to", value_name = "FORMAT", default_value = "parquet")]
    to: FormatArgument,
    /// Rows of a file: it ends with the part of the input, some 260 000 rows, that reaches them.
    #[arg(long, value_name = "N", default_value_t = PredictOptions::PART_ROWS,
          value_parser = clap::value_parser!(u64).range(1..))]
    part_rows: u64,
    /// Keep files that are complete beside the folder until all are, and take up those that an interrupted call with this
    /// option and the same model, data and options has left. The bytes are the same.
    #[arg(long)]
    resume: bool,
    /// The subset of a data set; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

/// A format of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    /// Parquet files.
    Parquet,
    /// Arrow IPC files.
    Arrow,
    /// TFRecord files of `tf.Example`, packed with gzip: numbers are rounded to 32 bits.
    Tfrecord,
}

impl PredictArguments {
    /// The options for rows with this key.
    fn options(&self, key: Vec<String>) -> PredictOptions {
        let mut keep = key;
        keep.retain(|column| !self.keep_all && !self.keep.contains(column));
        keep.extend(self.keep.iter().cloned());
        PredictOptions {
            keep,
            keep_all: self.keep_all,
            predictions: self.columns.clone(),
            explain: self.explain,
            format: match self.to {
                FormatArgument::Parquet => PredictionFormat::Parquet,
                FormatArgument::Arrow => PredictionFormat::Arrow,
                FormatArgument::Tfrecord => PredictionFormat::Tfrecord,
            },
            part_rows: self.part_rows,
            resume: self.resume,
        }
    }
}

pub(crate) fn run(arguments: &PredictArguments, session: &Session) -> Result<Answer> {
    let model = ModelPackage::open(&arguments.model)?;
    let data = Data::open(&arguments.input, &arguments.source, session)?;
    let options = arguments.options(data.key());
    let (source, _) = data.rows(arguments.subset.as_deref(), session)?;
    let out = &arguments.out.out;
    let (record, _, taken_up) = predict(&model, &source, &options, out, &session.execution)?;
    if taken_up > 0 {
        let files = if taken_up == 1 { "1 file" } else { &format!("{taken_up} files") };
        session.printer.note(&format!("{files} of an interrupted call taken up"));
    }
    session.printer.result(&record, || format!("{}\npredictions in {}", told(&record), out.display()));
    Ok(Answer::new(Exit::Done)
        .parameter("rows", record.rows)
        .parameter("rows_without_prediction", record.rows_without_prediction)
        .metadata("predictions", "rows", record.rows))
}

/// What became of the rows, for people.
fn told(record: &PredictionsRecord) -> String {
    let mut text = format!("{} scored", rows(record.rows));
    if record.rows_without_prediction > 0 {
        let count = rows(record.rows_without_prediction);
        text.push_str(&format!(", {count} of them without a prediction: a feature is missing"));
    }
    for (feature, count) in &record.rows_without_level {
        text.push_str(&format!(
            "\n{} with a value of `{feature}` that the model does not know",
            rows(*count)
        ));
    }
    text
}
