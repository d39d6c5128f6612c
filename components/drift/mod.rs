//! `sluice drift`: data against earlier data.

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_core::{Diagnostic, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::drift::{DriftInput, DriftRecord};
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_quality::drift::{
    ColumnDrift, DriftOptions, DriftReport, Measure, Signal, compute_with_tables, parse_threshold,
};
use sluice_quality::statistics::StatisticsOptions;
use sluice_report::{Table, rows, significant};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments};
use crate::data::Data;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::failure::ArgumentError;
use crate::printer::Printer;
use crate::session::Session;
use crate::verdict;

pub(crate) const CONTRACT: Contract = Contract {
    command: "drift",
    inputs: &[
        Input { name: "current", kind: ArtifactType::Artifact, argument: "current", or_parameter: false },
        Input { name: "against", kind: ArtifactType::Artifact, argument: "against", or_parameter: false },
        Input { name: "settings", kind: ArtifactType::Artifact, argument: "settings", or_parameter: false },
    ],
    outputs: &[Output {
        name: "drift",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "Every signal with the counts behind it, TFDV's anomalies, JUnit's XML, and a page",
    }],
    results: &[
        verdict::BLESSED,
        verdict::BLESSING,
        verdict::OUTCOME,
        verdict::REASONS,
        Outcome { name: "alarms", kind: ParameterType::Integer, help: "Signals that raise an alarm" },
    ],
    demands: &[],
    omits: &["junit"],
    on_error: Some(|error| verdict::of_error(error).parameter("alarms", 0)),
};

const EXAMPLES: &str = "\
Examples:
  sluice drift today/statistics --against yesterday/statistics --out drift
  sluice drift 'trips/2026-11/*.parquet' --against 'trips/2026-10/*.parquet' --exclude trip_id
  sluice drift dataset --against earlier/dataset --subset eval --threshold missing_rate=0.1
  sluice drift serving.csv --against train.csv --numbers energy --labels jensen_shannon --categorical area
  sluice drift now.parquet --against then.parquet --exact --settings drift.yaml --junit junit.xml";

/// Tell whether data are still what they were.
///
/// Every column is compared with the same column of other data: its distribution, missing values, NaN, new categories,
/// range, cardinality, length and type. An alarm is a change above its threshold that is more than chance: q, the share
/// of false alarms over all columns, is at most the level. Statistics are compared as they are, other data are read
/// once. Exit code 1 on an alarm.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DriftArguments {
    /// What is judged: a statistics artifact or what TFDV or TFX wrote, a data set made by `ingest`, Examples of TFX, or a
    /// file, a glob or a folder of files.
    #[arg(value_name = "CURRENT")]
    current: PathBuf,
    /// What it is compared with, in any of these forms.
    #[arg(long, value_name = "REFERENCE")]
    against: PathBuf,
    /// The subset of both sides; without, each subset is compared with the one of its name. A side that has one only is
    /// taken whatever its name.
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// A YAML file with `level`, `columns`, `exclude`, `categorical`, `numbers`, `labels`, `thresholds` and, for single
    /// columns, `of_column`; options given here take the place of its own.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The share of false alarms that is allowed; 0.05 unless given.
    #[arg(long, value_name = "SHARE")]
    level: Option<f64>,
    /// A column that is compared; all unless given. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    column: Vec<String>,
    /// A column that is not compared; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// A column whose numbers are names, so that it is compared label by label; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    categorical: Vec<String>,
    /// A distance for columns of numbers; `kolmogorov_smirnov` and `wasserstein` unless given. May be given several times.
    #[arg(long, value_name = "DISTANCE", value_parser = measure)]
    numbers: Vec<Measure>,
    /// A distance for columns of text and booleans; `total_variation` unless given. May be given several times.
    #[arg(long, value_name = "DISTANCE", value_parser = measure)]
    labels: Vec<Measure>,
    /// The greatest value of a measure that raises no alarm; may be given several times.
    #[arg(long, value_name = "MEASURE=VALUE", value_parser = threshold)]
    threshold: Vec<(Measure, f64)>,
    /// Keep all different values of the rows, so that distances are exact whatever there are of them; memory grows with
    /// their number. Without, they are exact up to 65,536 different values of a column.
    #[arg(long)]
    exact: bool,
    /// A file for the results in the XML of `JUnit`; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The folder of the artifact; without, the result is only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

fn told(error: &impl Diagnostic) -> String {
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}; {hint}"))
}

fn measure(text: &str) -> Result<Measure, String> {
    text.parse().map_err(|error: sluice_core::options::OptionsError| told(&error))
}

fn threshold(text: &str) -> Result<(Measure, f64), String> {
    parse_threshold(text).map_err(|error| told(&error))
}

/// What is given takes the place of what the settings say.
fn given<T: Clone>(own: &mut Vec<T>, given: &[T]) {
    if !given.is_empty() {
        *own = given.to_vec();
    }
}

impl DriftArguments {
    fn options(&self) -> Result<DriftOptions> {
        let mut options = match &self.settings {
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(CommonError::on("read", path))?;
                from_yaml(&text, &path.display().to_string())?
            }
            None => DriftOptions::default(),
        };
        given(&mut options.columns, &self.column);
        given(&mut options.exclude, &self.exclude);
        given(&mut options.categorical, &self.categorical);
        given(&mut options.numbers, &self.numbers);
        given(&mut options.labels, &self.labels);
        options.level = self.level.unwrap_or(options.level);
        options.thresholds.extend(self.threshold.iter().copied());
        options.check()?;
        Ok(options)
    }

    /// Refuses options that would have no effect on either side.
    fn must_matter(&self, sides: [&DriftInput; 2]) -> Result<()> {
        if self.exact && sides.iter().all(|side| side.tables.is_none()) {
            let message = "`--exact` is of rows, and both sides are statistics";
            return Err(ArgumentError::new(message, "leave it out, or name the data themselves").into());
        }
        let mut subsets = sides.iter().flat_map(|side| &side.statistics.subsets);
        match &self.subset {
            Some(name) if subsets.all(|subset| subset.name != *name) => {
                let message = format!("neither side has a subset `{name}`");
                Err(ArgumentError::new(message, "leave `--subset` out: either side is a whole").into())
            }
            _ => Ok(()),
        }
    }

    /// One side, and the digest of what it is.
    fn open(&self, path: &Path, categories: &[String], session: &Session) -> Result<(DriftInput, String)> {
        if StatisticsRecord::are_at(path) {
            self.source.refuse_with_statistics(path)?;
            let (statistics, origin) = StatisticsRecord::open(path)?;
            let input = DriftInput { statistics, tables: None }.only(self.subset.as_deref())?;
            return Ok((input, origin.digest().to_owned()));
        }
        let (mut subsets, mut tables) = (Vec::new(), Vec::new());
        let mut read = |name: &str, source: &dyn BatchSource| -> Result<()> {
            let columns = &source.plan().columns;
            let is_integer = |name: &&String| {
                let kind = columns.iter().find(|column| column.name == **name).map(|column| &column.kind);
                matches!(kind, Some(ColumnKind::Integer | ColumnKind::Unsigned))
            };
            let categories = categories.iter().filter(is_integer).cloned().collect();
            let options = StatisticsOptions { categories, ..StatisticsOptions::default() };
            let found = compute_with_tables(name, source, &options, self.exact, &session.execution)?;
            subsets.push(found.0);
            tables.push(found.1);
            Ok(())
        };
        let digest = match Data::open(&path.to_string_lossy(), &self.source, session)? {
            Data::Dataset(dataset) => {
                for name in dataset.record().subsets.keys() {
                    if self.subset.as_ref().is_none_or(|only| only == name) {
                        read(name, &dataset.subset(name, PlanOptions::default(), &session.execution)?)?;
                    }
                }
                if let (Some(name), true) = (&self.subset, subsets.is_empty()) {
                    // Tells which subsets there are.
                    let _ = dataset.subset(name, PlanOptions::default(), &session.execution)?;
                }
                dataset.artifact().digest().to_owned()
            }
            Data::Files(files) => {
                read("all", files.as_ref())?;
                files.plan().digest.clone()
            }
        };
        Ok((DriftInput { statistics: StatisticsRecord { subsets }, tables: Some(tables) }, digest))
    }
}

pub(crate) fn run(arguments: &DriftArguments, session: &Session) -> Result<Answer> {
    let options = arguments.options()?;
    let (current, digest) = arguments.open(&arguments.current, &options.categorical, session)?;
    let (reference, against) = arguments.open(&arguments.against, &options.categorical, session)?;
    arguments.must_matter([&current, &reference])?;
    let record = DriftRecord::new(&current, &reference, &options)?;
    let junit = record.junit();
    if let Some(path) = &arguments.junit {
        fs_err::write(path, &junit).map_err(CommonError::on("write", path))?;
    }
    if let Some(out) = &arguments.out {
        record.publish(&junit, [&digest, &against], out)?;
    }
    session.printer.result(&record, || table(&record, session.printer));
    Ok(verdict::of_drift(&record).parameter("alarms", record.counts().0))
}

/// A line per column and signal that matters: alarms first, then the signals closest to their thresholds.
fn table(record: &DriftRecord, printer: Printer) -> String {
    let mut text = String::new();
    for report in &record.subsets {
        let (now, before) = (rows(report.num_rows), rows(report.num_reference_rows));
        text.push_str(&format!("{}: {now} against {before}\n{}", report.subset, signals(report)));
        let notes = report.columns.iter().flat_map(|column| {
            column.notes.iter().map(move |note| format!("  {}: {note}\n", column.column.escape_debug()))
        });
        text.extend(notes.take(MAX_NOTES));
    }
    let (alarms, drifted, columns) = record.counts();
    let word = printer.verdict(record.accepted, if record.accepted { "ACCEPTED" } else { "REJECTED" });
    text.push_str(&format!("{word}  {alarms} alarms in {drifted} of {columns} columns\n"));
    text
}

/// Notes that are shown; the JSON has all.
const MAX_NOTES: usize = 20;
/// Columns without an alarm that are shown.
const MAX_LINES: usize = 100;

fn signals(report: &DriftReport) -> String {
    let titles = ["", "column", "measure", ">value", ">threshold", ">noise", ">p", ">q", "detail"];
    let mut table = Table::new(&titles);
    let mut lines: Vec<(&ColumnDrift, &Signal)> = report.alarms().collect();
    let alarms = lines.len();
    for column in report.columns.iter().filter(|column| !column.is_alarm()) {
        // A threshold of 0 is the least there is.
        let part = |signal: &Signal| {
            let threshold = if signal.threshold > 0.0 { signal.threshold } else { f64::MIN_POSITIVE };
            signal.value / threshold
        };
        let greatest = column.signals.iter().max_by(|a, b| part(a).total_cmp(&part(b)));
        lines.extend(greatest.map(|signal| (column, signal)));
    }
    for (column, signal) in lines.iter().take(alarms.max(MAX_LINES)) {
        let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), significant);
        let bound = if signal.p_is_upper_bound { "≤" } else { "" };
        table.push([
            if signal.alarm { "ALARM".to_owned() } else { String::new() },
            column.column.clone(),
            signal.measure.to_string(),
            significant(signal.value),
            significant(signal.threshold),
            significant(signal.noise_floor),
            format!("{bound}{}", share(signal.p)),
            share(signal.q),
            signal.detail.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect(),
        ]);
    }
    table.to_text()
}
