//! `sluice drift`: data against earlier data.

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::artifact::{MANIFEST_FILE, Manifest};
use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_core::{Diagnostic, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::domain_classifier::{DomainError, DomainSample, Side};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::drift::{DriftInput, DriftRecord};
use sluice_pipeline::step::statistics::{STATISTICS_KIND, StatisticsRecord};
use sluice_quality::drift::{
    ColumnDrift, ColumnRole, DomainClassifier, DriftOptions, DriftReport, Measure, Signal,
    compute_with_tables, parse_threshold,
};
use sluice_quality::statistics::StatisticsOptions;
use sluice_report::{Table, rows, significant};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments};
use crate::data::Data;
use crate::executor::{Contract, Input, Outcome, Output};
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
    /// What is judged: a statistics artifact or what TFDV wrote, a data set made by `ingest`, or a file, a glob or a
    /// folder of files.
    #[arg(value_name = "CURRENT")]
    current: PathBuf,
    /// What it is compared with, in any of these forms.
    #[arg(long, value_name = "REFERENCE")]
    against: PathBuf,
    /// The subset of both sides; without, each subset is compared with the one of its name.
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// A YAML file with `level`, `columns`, `exclude`, `categorical`, `numbers`, `labels`, `label_columns`,
    /// `prediction_columns`, `thresholds`, `of_role` and, for single columns, `of_column`; options given here take the
    /// place of its own.
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
    /// A column that a model shall predict: its drift is told as the label's, and has thresholds of its own in the
    /// settings (`of_role`). May be given several times.
    #[arg(long, value_name = "COLUMN")]
    label_column: Vec<String>,
    /// A column that a model predicts, likewise. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    prediction_column: Vec<String>,
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

impl DriftArguments {
    fn options(&self) -> Result<DriftOptions> {
        let mut options = match &self.settings {
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(CommonError::on("read", path))?;
                from_yaml(&text, &path.display().to_string())?
            }
            None => DriftOptions::default(),
        };
        let given = |own: &mut Vec<String>, given: &[String]| {
            if !given.is_empty() {
                *own = given.to_vec();
            }
        };
        given(&mut options.columns, &self.column);
        given(&mut options.exclude, &self.exclude);
        given(&mut options.categorical, &self.categorical);
        given(&mut options.label_columns, &self.label_column);
        given(&mut options.prediction_columns, &self.prediction_column);
        for (own, given) in [(&mut options.numbers, &self.numbers), (&mut options.labels, &self.labels)] {
            if !given.is_empty() {
                own.clone_from(given);
            }
        }
        options.level = self.level.unwrap_or(options.level);
        if self.domain_classifier {
            let own = options.domain_classifier.get_or_insert_default();
            own.rows = self.classifier_rows.unwrap_or(own.rows);
        }
        options.thresholds.extend(self.threshold.iter().copied());
        options.check()?;
        Ok(options)
    }

    /// One side, and the digest of what it is.
    fn open(
        &self,
        path: &Path,
        side: Side,
        options: &DriftOptions,
        session: &Session,
    ) -> Result<(DriftInput, String)> {
        if is_statistics(path) {
            self.source.refuse_with_statistics(path)?;
            if options.domain_classifier.is_some() {
                return Err(DomainError::NoRows { side: path.display().to_string() }.into());
            }
            let (statistics, origin) = StatisticsRecord::open(path)?;
            let input = DriftInput { statistics, ..DriftInput::default() }.only(self.subset.as_deref())?;
            return Ok((input, origin.digest().to_owned()));
        }
        let (mut subsets, mut tables, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        let mut read = |name: &str, source: &dyn BatchSource| -> Result<()> {
            let columns = &source.plan().columns;
            let is_integer = |name: &&String| {
                let kind = columns.iter().find(|column| column.name == **name).map(|column| &column.kind);
                matches!(kind, Some(ColumnKind::Integer | ColumnKind::Unsigned))
            };
            let categories = options.categorical.iter().filter(is_integer).cloned().collect();
            let described = StatisticsOptions { categories, ..StatisticsOptions::default() };
            let found = compute_with_tables(name, source, &described, self.exact, &session.execution)?;
            subsets.push(found.0);
            tables.push(found.1);
            if options.domain_classifier.is_some() {
                samples.push(DomainSample::take(source, side, options, &session.execution)?);
            }
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
        let statistics = StatisticsRecord { subsets };
        let input = DriftInput { statistics, tables: Some(tables), samples: Some(samples) };
        Ok((input, digest))
    }
}

/// Whether a path holds statistics rather than rows.
fn is_statistics(path: &Path) -> bool {
    let manifest = fs_err::read(path.join(MANIFEST_FILE)).ok();
    let manifest: Option<Manifest> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(manifest) = manifest {
        return manifest.kind == STATISTICS_KIND;
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_split = |entry: fs_err::DirEntry| entry.file_name().to_string_lossy().starts_with("Split-");
    matches!(extension, "pb" | "binpb" | "pbtxt" | "tfrecord")
        || path.join("FeatureStats.pb").is_file()
        || fs_err::read_dir(path).is_ok_and(|entries| entries.flatten().any(is_split))
}

pub(crate) fn run(arguments: &DriftArguments, session: &Session) -> Result<Answer> {
    let options = arguments.options()?;
    let (current, digest) = arguments.open(&arguments.current, Side::Current, &options, session)?;
    let (reference, against) = arguments.open(&arguments.against, Side::Reference, &options, session)?;
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
        let (now, before) = (rows(report.num_rows), rows(report.num_reference_rows));
        text.push_str(&format!("{}: {now} against {before}\n{}", report.subset, signals(report)));
        text.push_str(&report.domain_classifier.as_ref().map_or_else(String::new, told_apart));
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
