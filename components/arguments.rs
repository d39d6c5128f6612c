//! All arguments of the command line, and the options that several commands share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sluice_core::memory::{MemoryLimit, SizeError};
use sluice_core::{Diagnostic, Result};
use sluice_evaluation::measure::Missing;
use sluice_ingest::{SpanError, SpanSelection};
use sluice_pipeline::step::state::Shard;
use sluice_source::{CsvOptions, CsvType, Format, SourceOptions};

use crate::failure::ArgumentError;
use crate::log::LogFormat;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    rejected: the data or the model failed a check; the report is written; do not retry
  2    usage: arguments, options or artifacts that do not fit together
  3    unavailable: input or output could not be read or written; a retry may help
  4    malformed: input or a model is not what it claims to be
  130  interrupted (143 when terminated); nothing is left half written
  101  a bug in sluice";

/// From data to a judged model, in one process.
///
/// Every step reads artifacts, writes one artifact and answers with an exit code that an orchestrator can gate
/// on. `sluice run` does all of them as a pipeline file says. Data go to stdout, messages to stderr.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) component: Component,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print the result as JSON on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print nothing but results and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How messages on stderr are written: for people, or one JSON object per line. The variable
    /// `SLUICE_LOG_FORMAT` says it where the option does not; text unless either does.
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Threads to use; all cores unless given. Results are the same bits for any number.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Component {
    /// Run a whole pipeline: ingest, statistics, schema, validate, transform, train, evaluate, push.
    Run(crate::run::RunArguments),
    /// List, show and compare runs, and walk from a model back to its data.
    Runs(crate::runs::RunsArguments),
    /// Check a pipeline file against the header of its data, without reading the rows.
    Check(crate::check::CheckArguments),
    /// Read CSV, JSON lines, Parquet, Arrow or TFRecord and share the rows out into subsets, as Parquet.
    Ingest(crate::ingest::IngestArguments),
    /// Compute the statistics of a data set or of files.
    Statistics(crate::statistics::StatisticsArguments),
    /// Infer a schema that TFDV reads too.
    Schema(crate::schema::SchemaArguments),
    /// Check statistics against a schema.
    Validate(crate::validate::ValidateArguments),
    /// Tell whether data are still what they were.
    Drift(Box<crate::drift::DriftArguments>),
    /// Tell whether the same rows say the same on two sides.
    Skew(Box<crate::skew::SkewArguments>),
    /// Tell whether a model should be trained again, and why.
    ShouldRetrain(crate::should_retrain::ShouldRetrainArguments),
    /// Fit the transform on the training rows.
    Transform(crate::transform::TransformArguments),
    /// Fit a model and package it with its transform.
    Train(crate::train::TrainArguments),
    /// Evaluate a model, by slices and against a baseline, and decide.
    Evaluate(Box<crate::evaluate::EvaluateArguments>),
    /// Register an accepted model.
    Push(crate::push::PushArguments),
    /// List the versions of a registry, move aliases, roll back, promote, collect garbage.
    Registry(crate::registry::RegistryArguments),
    /// Score rows in bulk with a model package.
    Predict(crate::predict::PredictArguments),
    /// Calibrate the probabilities of a classifier on held-out rows.
    Calibrate(crate::calibrate::CalibrateArguments),
    /// Explain what a model makes of which feature.
    Explain(crate::explain::ExplainArguments),
    /// Find the slices of data on which a model is worse than on the other rows.
    FindWeakSlices(crate::find_weak_slices::FindWeakSlicesArguments),
    /// Write the component files for Kubeflow Pipelines and Vertex.
    Components(crate::components::ComponentsArguments),
    /// Make large synthetic tables with known properties.
    Datasets(crate::datasets::DatasetsArguments),
}

impl Component {
    /// How much memory the command may take, if it reads rows.
    pub(crate) fn memory(&self) -> Option<MemoryLimit> {
        let argument = match self {
            Self::Transform(arguments) => return arguments.memory(),
            Self::Train(arguments) => return arguments.memory(),
            Self::Drift(arguments) => return arguments.memory(),
            Self::Run(arguments) => &arguments.memory,
            Self::Ingest(arguments) => &arguments.memory,
            Self::Statistics(arguments) => &arguments.memory,
            Self::Validate(arguments) => &arguments.memory,
            Self::Skew(arguments) => &arguments.memory,
            Self::Evaluate(arguments) => &arguments.memory,
            Self::Predict(arguments) => &arguments.memory,
            Self::Calibrate(arguments) => &arguments.memory,
            Self::Explain(arguments) => &arguments.memory,
            Self::FindWeakSlices(arguments) => &arguments.memory,
            Self::Runs(_)
            | Self::Check(_)
            | Self::Schema(_)
            | Self::Push(_)
            | Self::ShouldRetrain(_)
            | Self::Registry(_)
            | Self::Components(_)
            | Self::Datasets(_) => return None,
        };
        argument.limit()
    }
}

/// Which spans are read, for `--spans`.
pub(crate) fn parse_spans(text: &str) -> Result<SpanSelection, String> {
    text.parse().map_err(|error: SpanError| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// How files are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reading files")]
pub(crate) struct SourceArguments {
    /// The format, where the file's name does not tell: csv, jsonl, parquet, arrow or tfrecord.
    #[arg(long, value_parser = parse_format)]
    format: Option<Format>,
    /// What stands between the cells of a CSV file; `\t` for a tab.
    #[arg(long, default_value = ",", value_parser = parse_delimiter)]
    delimiter: char,
    /// The CSV file has no header; its columns are `column_1`, `column_2`, …
    #[arg(long)]
    no_header: bool,
    /// Cells of a CSV file that mean null; an empty one always does.
    #[arg(long, value_name = "TEXT")]
    null_value: Vec<String>,
    /// Infer the types of CSV columns from the first N rows only; a later cell that does not fit is an error.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    infer_rows: Option<u64>,
    /// The type of a CSV column, instead of inferring it: text, integer, unsigned, float, boolean, date or
    /// timestamp.
    #[arg(long, value_name = "COLUMN=TYPE")]
    column_type: Vec<String>,
}

fn parse_format(text: &str) -> Result<Format, String> {
    Format::of_extension(text).ok_or_else(|| "choose `csv`, `jsonl`, `parquet`, `arrow` or `tfrecord`".into())
}

fn parse_delimiter(text: &str) -> Result<char, String> {
    match text {
        "\\t" | "tab" => Ok('\t'),
        _ => text.parse().map_err(|_| "give one character".into()),
    }
}

impl SourceArguments {
    /// Whether any of them says something else than usual.
    pub(crate) fn are_given(&self) -> bool {
        let Self { format, delimiter, no_header, null_value, infer_rows, column_type } = self;
        format.is_some()
            || *delimiter != ','
            || *no_header
            || !null_value.is_empty()
            || infer_rows.is_some()
            || !column_type.is_empty()
    }

    /// Refuses options that would have no effect: a data set is Parquet that `ingest` wrote.
    pub(crate) fn refuse_with_dataset(&self, location: &str) -> Result<()> {
        if !self.are_given() {
            return Ok(());
        }
        let message = format!("`{location}` is a data set, so options for reading files have no meaning");
        Err(ArgumentError::new(message, "leave them out, or give them to `sluice ingest`").into())
    }

    /// The same for saved statistics.
    pub(crate) fn refuse_with_statistics(&self, path: &std::path::Path) -> Result<()> {
        if !self.are_given() {
            return Ok(());
        }
        let message =
            format!("`{}` is statistics, so options for reading files have no meaning", path.display());
        Err(ArgumentError::new(message, "leave them out, or name the files themselves").into())
    }

    pub(crate) fn options(&self) -> Result<SourceOptions> {
        let mut types = BTreeMap::new();
        for pair in &self.column_type {
            let hint = "for example `--column-type zip=text`";
            let (column, name) = pair
                .rsplit_once('=')
                .ok_or_else(|| ArgumentError::new(format!("`--column-type {pair}` has no `=`"), hint))?;
            let column_type: CsvType = serde_json::from_value(name.into()).map_err(|_| {
                let hint = "choose text, integer, unsigned, float, boolean, date or timestamp";
                ArgumentError::new(format!("`--column-type {pair}`: there is no type `{name}`"), hint)
            })?;
            types.insert(column.to_owned(), column_type);
        }
        let mut null_values = vec![String::new()];
        null_values.extend(self.null_value.iter().cloned());
        let csv = CsvOptions { delimiter: self.delimiter, header: !self.no_header, null_values, types };
        Ok(SourceOptions {
            format: self.format,
            csv,
            infer_rows: self.infer_rows,
            ..SourceOptions::default()
        })
    }
}

/// What is done with rows in which something is missing.
pub(crate) fn parse_missing(text: &str) -> std::result::Result<Missing, String> {
    match text {
        "refuse" => Ok(Missing::Refuse),
        "exclude" => Ok(Missing::Exclude),
        _ => Err("the policies are `refuse` and `exclude`".into()),
    }
}

/// A part of the rows, for `--shard`.
pub(crate) fn parse_shard(text: &str) -> Result<Shard, String> {
    let (index, count) = text.split_once('/').ok_or("write it as 2/5")?;
    let number = |part: &str| part.parse::<u64>().map_err(|_| "write it as 2/5".to_owned());
    Shard::new(number(index)?, number(count)?).map_err(|error| error.to_string())
}

/// How much memory a command that reads rows may take.
#[derive(Debug, Args)]
pub(crate) struct MemoryArgument {
    /// What may be held at a time: summaries of rows, rows in work, rows on their way out. Close to it, fewer threads
    /// work; what does not fit is an error that names the column. Results are the same bits within any limit. Three
    /// quarters of the machine's or container's memory unless given; for example `500MB` or `2GiB`. Queries with joins,
    /// groups or windows do not keep to it.
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<MemoryLimit>,
}

fn parse_memory(text: &str) -> Result<MemoryLimit, String> {
    text.parse().map_err(|error: SizeError| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

impl MemoryArgument {
    /// What was given, or the share of the machine's memory that stands for it.
    pub(crate) fn limit(&self) -> Option<MemoryLimit> {
        self.memory.or_else(MemoryLimit::of_machine)
    }
}

/// Where an artifact goes.
#[derive(Debug, Args)]
pub(crate) struct OutArgument {
    /// The folder of the artifact; an artifact that is there already is replaced when the new one is complete.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}
