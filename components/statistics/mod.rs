//! `sluice statistics`: what is in the data.

mod merge;

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::plan::{PlanOptions, PlannedColumn};
use sluice_core::seam::BatchSource;
use sluice_core::{Diagnostic, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::schema;
use sluice_pipeline::step::state::{Shard, StatisticsState};
use sluice_pipeline::step::statistics::{StatisticsRecord, of_dataset, of_source};
use sluice_pipeline::step::tfx::write_split_statistics;
use sluice_pipeline::step::together::{Beside, together_kept};
use sluice_quality::statistics::{CrossSpec, MAX_SLICES, SliceSpec, StatisticsError, StatisticsOptions};
use sluice_report::rows;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments};
use crate::data::Data;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::session::{Exit, Session};
use crate::tables;

pub(crate) const CONTRACT: Contract = Contract {
    command: "statistics",
    inputs: &[
        Input { name: "dataset", kind: ArtifactType::Dataset, argument: "input", or_parameter: false },
        Input { name: "schema", kind: ArtifactType::Artifact, argument: "schema", or_parameter: false },
    ],
    outputs: &[Output {
        name: "statistics",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "The statistics of every subset",
    }],
    results: &[Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows of all subsets" }],
    demands: &[],
    // States are for those who spread the work themselves.
    omits: &["shard", "partial", "keep_state", "tfx_statistics"],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice statistics dataset --out statistics
  sluice statistics trips.parquet --weight trip_weight
  sluice statistics trips.parquet --slice company --slice 'payment_type=Cash' --slice company,payment_type
  sluice statistics trips.parquet --slice 'fare > 20' --slice \"company LIKE 'Taxi%' AND tips IS NOT NULL\"
  sluice statistics dataset --subset train --columns fare,tips --slice \"company='Taxi, Inc.'\" --json
  sluice statistics dataset --schema schema.pbtxt --out statistics
  sluice statistics trips.parquet --label tips --cross fare,trip_miles --json
  sluice statistics CsvExampleGen/examples/7 --tfx-statistics StatisticsGen/statistics/8
  sluice statistics dataset --keep-state states --out statistics
  sluice statistics trips.parquet --shard 2/5 --partial --out part-2
  sluice statistics merge part-1 part-2 part-3 part-4 part-5 --out statistics";

/// Compute the statistics of a data set or of files.
///
/// One pass: rows, kinds of nothing (missing, NaN, infinite, empty), mean, standard deviation, range,
/// quantiles, distinct and most frequent values; with `--weight` the same by weight, with `--slice` the same for parts
/// of the rows. Counts are exact; a figure that is not says how far off it may be in the JSON.
///
/// The artifact holds all of it (`statistics.json`), a page (`statistics.html`), and for TensorFlow Data Validation the
/// same as `statistics.binpb` (`statistics-SUBSET.binpb` where there are several subsets), which
/// `tfdv.load_stats_binary` reads. TFDV's own statistics need no conversion: `sluice schema` and `sluice validate` take
/// its files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct StatisticsArguments {
    #[command(subcommand)]
    action: Option<merge::StatisticsAction>,
    /// A data set made by `ingest` or by TFX (a folder with folders `Split-NAME`), or a file, a glob or a folder of
    /// files, here or in a bucket (`s3://`, `gs://`, `az://`), or a file on a web server.
    #[arg(value_name = "INPUT", required = true)]
    input: Option<String>,
    /// The folder of the artifact; without, the statistics are only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The subset of the data set; all of them unless given.
    #[arg(long)]
    subset: Option<String>,
    /// Describe only these columns, with commas between.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// Leave these columns out, with commas between.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Add figures in which every row counts by this column: a number of 0 or more in every row.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// Describe parts of the rows as well: `COLUMN` for each of its values, `COLUMN=VALUE` for one, `A,B` for each pair.
    /// The columns hold text, integers, booleans or dates, or lists of them. An expression (`fare > 20`) is the slice of
    /// the rows for which it is true. May be given several times.
    #[arg(long, value_name = "SLICE")]
    slice: Vec<SliceArgument>,
    /// The most slices of one `--slice`; more are an error.
    #[arg(long, value_name = "N", default_value_t = MAX_SLICES, value_parser = clap::value_parser!(u64).range(1..))]
    max_slices: u64,
    /// A schema, as a file in TFDV's text format or an artifact: the values of integers that it calls categorical are
    /// counted as those of text are, and its sparse and weighted features are counted.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// How much every other column tells about this one, in all rows and in each slice: mutual information,
    /// correlation, lift.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// How a pair of numeric columns varies together, or `all` pairs, in all rows and in each slice. May be given several
    /// times.
    #[arg(long, value_name = "A,B")]
    cross: Vec<CrossSpec>,
    /// Also write them as `StatisticsGen` of TFX does, `Split-NAME/FeatureStats.pb` for each subset, to this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "partial")]
    tfx_statistics: Option<PathBuf>,
    #[command(flatten)]
    state: merge::StateArguments,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

/// A slice, with a message that says what to do.
#[derive(Clone, Debug)]
pub(crate) struct SliceArgument(pub(crate) SliceSpec);

impl std::str::FromStr for SliceArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: StatisticsError| match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
    }
}

impl StatisticsArguments {
    /// The options for a source with these columns.
    fn options(&self, columns: &[PlannedColumn]) -> Result<StatisticsOptions> {
        let options = StatisticsOptions {
            columns: self.columns.clone(),
            exclude: self.exclude.clone(),
            weight: self.weight.clone(),
            slices: self.slice.iter().map(|slice| slice.0.clone()).collect(),
            max_slices: self.max_slices,
            label: self.label.clone(),
            crosses: self.cross.clone(),
            ..StatisticsOptions::default()
        };
        match &self.schema {
            Some(path) => options.with_schema(schema::read(path)?.schema(), columns),
            None => Ok(options),
        }
    }
}

pub(crate) fn run(arguments: &StatisticsArguments, session: &Session) -> Result<Answer> {
    if let Some(merge::StatisticsAction::Merge(arguments)) = &arguments.action {
        let (record, digest) = merge::merged(arguments)?;
        return answer(&record, &digest, arguments.out.as_deref(), session);
    }
    let (states, execution) = (&arguments.state, &session.execution);
    let subset = arguments.subset.as_deref();
    let input = arguments.input.as_deref().unwrap_or_default();
    let (options, digest, data) = match Data::open(input, &arguments.source, session)? {
        Data::Dataset(dataset) => {
            let columns = match subset.or_else(|| dataset.record().subsets.keys().next().map(String::as_str))
            {
                Some(name) => dataset.subset(name, PlanOptions::default(), execution)?.plan().columns.clone(),
                None => Vec::new(),
            };
            let digest = dataset.artifact().digest().to_owned();
            (arguments.options(&columns)?, digest, Data::Dataset(dataset))
        }
        files @ Data::Files(_) => {
            let (files, digest) = files.rows(subset, session)?;
            (arguments.options(&files.plan().columns)?, digest, Data::Files(Box::new(files)))
        }
    };
    let (out, shard) = (arguments.out.as_deref(), states.shard());
    if let (true, Some(out)) = (states.partial, out) {
        let state = match &data {
            Data::Dataset(dataset) => {
                StatisticsState::of_dataset(dataset, subset, &options, shard, execution)?
            }
            Data::Files(files) => StatisticsState::of_source(files.as_ref(), &options, shard, execution)?,
        };
        return merge::published(&state, out, session);
    }
    let record = match (&data, states.kept.folder(out)?) {
        (Data::Dataset(dataset), Some(folder)) => {
            let beside = Beside::default();
            let together = together_kept((dataset, subset), &options, beside, folder, execution)?;
            states.kept.tell(&together.reading, session);
            together.statistics
        }
        (Data::Dataset(dataset), None) => of_dataset(dataset, subset, &options, execution)?,
        (Data::Files(files), Some(folder)) => {
            let state = StatisticsState::of_source(files.as_ref(), &options, Shard::WHOLE, execution)?;
            state.keep(folder)?;
            state.finish()?.0
        }
        (Data::Files(files), None) => of_source(files.as_ref(), &options, execution)?,
    };
    if let Some(folder) = &arguments.tfx_statistics {
        write_split_statistics(&record, &digest, folder)?;
    }
    answer(&record, &digest, out, session)
}

fn answer(record: &StatisticsRecord, digest: &str, out: Option<&Path>, session: &Session) -> Result<Answer> {
    for note in notes(record) {
        session.printer.note(&note);
    }
    if let Some(out) = out {
        record.publish(digest, out)?;
    }
    session.printer.result(record, || tables::statistics(record));
    let rows: u64 = record.subsets.iter().map(|subset| subset.num_rows).sum();
    Ok(Answer::new(Exit::Done).parameter("rows", rows).metadata("statistics", "rows", rows))
}

/// What a reader of the slices should know.
fn notes(record: &StatisticsRecord) -> Vec<String> {
    let mut notes = Vec::new();
    for subset in &record.subsets {
        for slicing in subset.slicings.iter().filter(|slicing| slicing.num_rows_left_out > 0) {
            notes.push(format!(
                "{}: slice `{}` leaves out {} without a value in its columns",
                subset.name,
                slicing.slice,
                rows(slicing.num_rows_left_out)
            ));
        }
        for slicing in subset.slicings.iter().filter(|slicing| slicing.num_slices == 0) {
            notes.push(format!("{}: slice `{}` finds no value", subset.name, slicing.slice));
        }
        for slice in subset.slices.iter().filter(|slice| slice.num_rows == 0) {
            notes.push(format!("{}: slice `{}` has no rows", subset.name, slice.name));
        }
    }
    notes
}
