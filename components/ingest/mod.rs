//! `sluice ingest`: files, or a query over several inputs, to subsets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sluice_core::Result;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_ingest::{
    BY_SPLIT_FOLDER, DatasetFormat, DatasetRecord, IngestOptions, IntervalOptions, Share, SpanSelection,
    SubsetOptions,
};
use sluice_pipeline::step::ingest::{InputOptions, Inputs};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument, SourceArguments, parse_spans};
use crate::data::holds_split_folders;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "ingest",
    inputs: &[Input { name: "files", kind: ArtifactType::Artifact, argument: "input", or_parameter: true }],
    outputs: &[Output {
        name: "dataset",
        kind: ArtifactType::Dataset,
        argument: Some("out"),
        help: "The data set: Parquet or TFRecord per subset",
    }],
    results: &[Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows read" }],
    demands: &[],
    omits: &[],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice ingest trips.csv --subset-column subset --out dataset
  sluice ingest 'data/*.parquet' --share train=0.8 --share eval=0.2 --seed 7 --key trip_id --out dataset
  sluice ingest 's3://lake/trips/*.parquet' --subset-column subset --out dataset
  sluice ingest --input trips='trips/*.parquet' --input zones=zones.csv --key id --share train=0.8 --share eval=0.2 \\
    --out dataset --query 'SELECT t.id, t.fare, z.name FROM trips AS t JOIN zones AS z ON t.zone = z.id WHERE t.fare >= 0'
  sluice ingest 'data/span-{SPAN}/*.parquet' --spans 'last 7' --time-column start \\
    --interval train=..2014-06-01 --interval eval=2014-06-08.. --out dataset
  sluice ingest CsvExampleGen/examples/7 --out dataset
  sluice ingest trips.csv --share train=0.8 --share eval=0.2 --to tfrecord --out examples";

/// Read CSV, JSON lines, Parquet, Arrow or TFRecord and share the rows out into subsets, as Parquet.
///
/// A row belongs to the subset that a column names, to the one that the hash of its key falls into, or to the one in
/// whose interval its time lies: always the same one, whatever the order of rows, the file or the machine. Of a folder
/// with folders `Split-NAME`, as TFX has them, these are the subsets unless told otherwise. Without a key, all columns
/// identify a row. A query in SQL filters, derives, joins and aggregates before.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct IngestArguments {
    /// A file, a glob or a folder, here or in a bucket (`s3://`, `gs://`, `az://`), or a file on a web server;
    /// `{SPAN}`, `{VERSION}` or `{YYYY}`, `{MM}`, `{DD}` in its path number the pieces in which data arrive. A query
    /// calls it `data`.
    #[arg(value_name = "INPUT", required_unless_present = "inputs", conflicts_with = "inputs")]
    input: Option<String>,
    /// An input under the name that the query calls it by; may be given several times.
    #[arg(long = "input", value_name = "NAME=INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    out: OutArgument,
    /// The column that names each row's subset.
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["share", "interval"])]
    subset_column: Option<String>,
    /// A subset and its share of the rows; the shares add up to 1.
    #[arg(long, value_name = "NAME=SHARE", conflicts_with = "interval")]
    share: Vec<String>,
    /// With `--share`: another seed gives other subsets; 0 unless given.
    #[arg(long, value_name = "N", conflicts_with_all = ["subset_column", "interval"])]
    seed: Option<u64>,
    /// A subset and its time, the second instant not included: dates, times or whole numbers; one of them may be
    /// left out.
    #[arg(long, value_name = "NAME=FROM..BEFORE", requires = "time_column")]
    interval: Vec<String>,
    /// With `--interval`: the column that says when a row happened.
    #[arg(long, value_name = "COLUMN", requires = "interval")]
    time_column: Option<String>,
    /// SQL over the inputs by their names.
    #[arg(long, value_name = "SQL")]
    query: Option<String>,
    /// The spans that are read: `latest` (unless given), `3`, `3..5`, `last 7`, or dates; `last 7 with gaps` reads those
    /// that are there.
    #[arg(long, value_name = "SPANS", value_parser = parse_spans)]
    spans: Option<SpanSelection>,
    /// A column that identifies a row; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    /// A schema that gives the columns of CSV files their types (INT, FLOAT, BYTES), so that none are inferred; a
    /// cell that does not fit is an error.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// How the rows are written.
    #[arg(long = "to", value_name = "FORMAT", default_value = "parquet")]
    to: FormatArgument,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

/// A format of data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    /// Parquet: every type and every bit is kept.
    Parquet,
    /// TFRecord of `tf.Example`, packed with gzip, in folders `Split-NAME`: what TFX calls Examples. Floats are rounded to
    /// 32 bits.
    Tfrecord,
}

impl IngestArguments {
    /// What says the subset of a row.
    fn subsets(&self) -> Result<SubsetOptions> {
        let (by, shares) = match &self.subset_column {
            Some(column) => (column.as_str(), BTreeMap::new()),
            None if !self.interval.is_empty() => ("time", intervals(&self.interval)?),
            None if !self.share.is_empty() => ("hash", shares(&self.share)?),
            None if self.input.as_deref().map_or(Ok(false), holds_split_folders)? => {
                (BY_SPLIT_FOLDER, BTreeMap::new())
            }
            None => {
                let hint = "give `--subset-column COLUMN`, `--share NAME=SHARE` or `--interval NAME=FROM..BEFORE`; only \
                            of a folder with folders `Split-NAME` these are the subsets";
                return Err(ArgumentError::new("nothing says which rows belong to which subset", hint).into());
            }
        };
        Ok(SubsetOptions { by: by.into(), seed: self.seed, shares })
    }
}

/// Pairs `NAME=…` of an option, each name once.
fn pairs<T>(
    option: &str,
    given: &[String],
    hint: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<BTreeMap<String, T>> {
    let mut pairs = BTreeMap::new();
    for text in given {
        let parsed = text.split_once('=').and_then(|(name, rest)| Some((name, parse(rest)?)));
        let (name, value) =
            parsed.ok_or_else(|| ArgumentError::new(format!("`{option} {text}` cannot be read"), hint))?;
        if pairs.insert(name.to_owned(), value).is_some() {
            return Err(ArgumentError::new(format!("`{option} {name}` is given twice"), hint).into());
        }
    }
    Ok(pairs)
}

fn inputs(given: &[String]) -> Result<BTreeMap<String, String>> {
    let hint = "for example `--input trips=trips.csv --input zones=zones.csv`";
    pairs("--input", given, hint, |location| (!location.is_empty()).then(|| location.to_owned()))
}

fn shares(given: &[String]) -> Result<BTreeMap<String, Share>> {
    let hint = "for example `--share train=0.8 --share eval=0.2`";
    pairs("--share", given, hint, |share| share.parse().ok().map(Share::Part))
}

fn intervals(given: &[String]) -> Result<BTreeMap<String, Share>> {
    let hint = "for example `--interval train=..2014-06-01 --interval eval=2014-06-08..2014-07-01`";
    pairs("--interval", given, hint, |interval| {
        let (from, before) = interval.split_once("..")?;
        let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(Share::Time(IntervalOptions { from: end(from), before: end(before) }))
    })
}

pub(crate) fn run(arguments: &IngestArguments, session: &Session) -> Result<Answer> {
    let subsets = arguments.subsets()?;
    let required = subsets.shares.keys().cloned().collect();
    let (key, time) = (arguments.key.clone(), arguments.time_column.clone());
    let format = match arguments.to {
        FormatArgument::Parquet => DatasetFormat::Parquet,
        FormatArgument::Tfrecord => DatasetFormat::Tfrecord,
    };
    let options = IngestOptions { subsets, key, required, time, format };
    let inputs = InputOptions {
        inputs: match &arguments.input {
            Some(input) => BTreeMap::from([("data".to_owned(), input.clone())]),
            None => inputs(&arguments.inputs)?,
        },
        base: PathBuf::from("."),
        source: arguments.source.options()?,
        schema: arguments.schema.clone(),
        query: arguments.query.clone(),
        spans: arguments.spans.clone(),
    };
    let opened = Inputs::open(&inputs, &options.key, &session.execution)?;
    let dataset = opened.ingest(&options, &arguments.out.out, &session.execution)?;
    let record = dataset.record();
    session.printer.result(record, || told(record, &arguments.out.out));
    let answer = Answer::new(Exit::Done).parameter("rows", record.rows_read);
    Ok(record
        .subsets
        .iter()
        .fold(answer, |answer, (name, rows)| answer.metadata("dataset", format!("rows_{name}"), *rows)))
}

/// What became of the rows, for people.
fn told(record: &DatasetRecord, out: &Path) -> String {
    let mut text = format!("{} read", sluice_report::rows(record.rows_read));
    if let Some(query) = &record.query {
        text.push_str(&format!(", {} of the query", sluice_report::rows(query.rows)));
    }
    text.push('\n');
    for (name, rows) in &record.subsets {
        text.push_str(&format!("  {name}: {}\n", sluice_report::rows(*rows)));
    }
    if record.left_out > 0 {
        text.push_str(&format!("  left out: {}\n", sluice_report::rows(record.left_out)));
    }
    for note in &record.notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    text.push_str(&format!("data set in {}\n", out.display()));
    text
}
