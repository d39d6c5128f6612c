//! `sluice drift`: data against earlier data.

mod calibrate;
mod compared;
mod timeline;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sluice_core::error::CommonError;
use sluice_core::{MemoryLimit, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::domain_classifier::Side;
use sluice_pipeline::step::drift::DriftRecord;
use sluice_quality::drift::{ColumnDrift, ColumnRole, DomainClassifier, DriftOptions, DriftReport, Signal};
use sluice_report::{Table, rows, significant};

use crate::answer::Answer;
use crate::arguments::MemoryArgument;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::printer::Printer;
use crate::session::Session;
use crate::verdict;
use compared::{ComparedArguments, Opened, Reading};

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
  sluice drift now.parquet --against then.parquet --exact --settings drift.yaml --junit junit.xml
  sluice drift now.parquet --against then.parquet --slice payment_type --slice 'fare > 20' --weight trips
  sluice drift calibrate statistics/2026-1[01]-* --alarm-rate 0.05 --out drift.yaml
  sluice drift timeline statistics/2026-11-* --against statistics/2026-10-31 --out timeline";

/// Tell whether data are still what they were.
///
/// Every column is compared with the same column of other data: its distribution, missing values, NaN, new categories,
/// range, cardinality, length and type. An alarm is a change above its threshold that is more than chance: q, the share
/// of false alarms over all columns, is at most the level. Statistics are compared as they are, other data are read
/// once. Exit code 1 on an alarm.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct DriftArguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// What is judged: a statistics artifact or what TFDV or TFX wrote, a data set made by `ingest`, Examples of TFX, or a
    /// file, a glob or a folder of files.
    #[arg(value_name = "CURRENT", required = true)]
    current: Option<PathBuf>,
    /// What it is compared with, in any of these forms.
    #[arg(long, value_name = "REFERENCE", required = true)]
    against: Option<PathBuf>,
    #[command(flatten)]
    compared: ComparedArguments,
    /// Fit a logistic regression that tells the rows of both sides apart by all columns at once, on keyed samples of
    /// them; an area under its ROC curve above 0.55 (`--threshold domain_classifier=…`), on rows that it was not fitted
    /// on and beyond chance, is an alarm. Needs the rows.
    #[arg(long)]
    domain_classifier: bool,
    /// Rows of each side that it takes at most; 20,000 unless given.
    #[arg(long, value_name = "N", requires = "domain_classifier")]
    classifier_rows: Option<u64>,
    /// A file for the results in the XML of `JUnit`; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The folder of the artifact; without, the result is only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    memory: MemoryArgument,
}

/// What to do with many batches.
#[derive(Debug, Subcommand)]
enum Task {
    Calibrate(Box<calibrate::CalibrateDriftArguments>),
    Timeline(Box<timeline::TimelineArguments>),
}

impl DriftArguments {
    /// How much memory the task may take.
    pub(crate) fn memory(&self) -> Option<MemoryLimit> {
        match &self.task {
            Some(Task::Calibrate(arguments)) => arguments.memory.limit(),
            Some(Task::Timeline(arguments)) => arguments.memory.limit(),
            None => self.memory.limit(),
        }
    }

    fn options(&self) -> Result<DriftOptions> {
        let mut options = self.compared.options()?;
        if self.domain_classifier {
            let own = options.domain_classifier.get_or_insert_default();
            own.rows = self.classifier_rows.unwrap_or(own.rows);
            options.check()?;
        }
        options.check_thresholds()?;
        Ok(options)
    }
}

pub(crate) fn run(arguments: &DriftArguments, session: &Session) -> Result<Answer> {
    match &arguments.task {
        Some(Task::Calibrate(arguments)) => return calibrate::run(arguments, session),
        Some(Task::Timeline(arguments)) => return timeline::run(arguments, session),
        None => {}
    }
    // Both are required where there is no task.
    let (Some(current), Some(against)) = (&arguments.current, &arguments.against) else {
        return Err(CommonError::Internal("a side is not given".into()).into());
    };
    let options = arguments.options()?;
    let open = |path, side| {
        let reading = Reading { sampled: Some(side), ..Reading::default() };
        arguments.compared.open(path, reading, &options, session)
    };
    let ((current, digest), (reference, against)) =
        (open(current, Side::Current)?, open(against, Side::Reference)?);
    let opened =
        [Opened::new("current", (&current, &digest)), Opened::new("reference", (&reference, &against))];
    arguments.compared.must_matter(&opened)?;
    let record = DriftRecord::new(&current, &reference, &options)?;
    let record = record.with_domain_classifier(&current, &reference, &session.execution)?;
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
        if report.slice.is_some() && report.alarms().next().is_none() {
            continue;
        }
        let (now, before) = (rows(report.num_rows), rows(report.num_reference_rows));
        text.push_str(&format!("{}: {now} against {before}", report.part()));
        if let Some([now, before]) = report.effective_rows {
            text.push_str(&format!(", by weights as good as {now:.1} and {before:.1}"));
        }
        text.push_str(&format!("\n{}", signals(report)));
        text.push_str(&report.domain_classifier.as_ref().map_or_else(String::new, told_apart));
        text.extend(report.notes.iter().take(MAX_NOTES).map(|note| format!("  {}\n", note.escape_debug())));
        let notes = report.columns.iter().flat_map(|column| {
            column.notes.iter().map(move |note| format!("  {}: {note}\n", column.column.escape_debug()))
        });
        text.extend(notes.take(MAX_NOTES));
    }
    let slices = record.subsets.iter().filter(|report| report.slice.is_some());
    let (calm, all) = slices
        .fold((0, 0), |(calm, all), report| (calm + usize::from(report.alarms().next().is_none()), all + 1));
    if all > 0 {
        text.push_str(&format!("{calm} of {all} slices raise no alarm\n"));
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

/// A column's name, with what it is to the model.
fn shown(column: &ColumnDrift) -> String {
    match column.role {
        ColumnRole::Feature => column.column.clone(),
        role => format!("{} ({role})", column.column),
    }
}

/// How well rows are told apart, and by what.
fn told_apart(found: &DomainClassifier) -> String {
    let signal = &found.signal;
    let word = if signal.alarm { "ALARM  " } else { "" };
    let mut text = format!(
        "{word}rows are told apart with AUC {} ({} to {}), {} is allowed; {} against {}\n",
        significant(signal.value),
        significant(signal.at_least),
        significant(signal.at_most),
        significant(signal.threshold),
        rows(found.num_rows),
        rows(found.num_reference_rows)
    );
    if !found.columns.is_empty() {
        let mut table = Table::new(&["  by", ">AUC alone", ">AUC lost without"]);
        for one in found.columns.iter().take(MAX_TELLING) {
            table.push([format!("  {}", one.column), significant(one.alone), significant(one.drop)]);
        }
        text.push_str(&table.to_text());
    }
    text.extend(found.notes.iter().map(|note| format!("  {note}\n")));
    text
}

/// Columns that are shown as telling rows apart.
const MAX_TELLING: usize = 5;

fn signals(report: &DriftReport) -> String {
    let titles = ["", "column", "measure", ">value", ">threshold", ">noise", ">p", ">q", "detail"];
    let mut table = Table::new(&titles);
    let mut lines: Vec<(&ColumnDrift, &Signal)> = report.alarms().collect();
    let alarms = lines.len();
    // Of a slice only what is an alarm: slices are many.
    for column in report.columns.iter().filter(|column| !column.is_alarm() && report.slice.is_none()) {
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
            shown(column),
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
