//! `sluice skew`: the same rows on two sides, joined by their keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_core::error::CommonError;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::skew::SkewRecord;
use sluice_quality::skew::{FeatureSkew, SideRows, SkewOptions, SkewReport, compare_by_key};
use sluice_report::{Table, count, rows, significant};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments};
use crate::data::Data;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::failure::ArgumentError;
use crate::printer::Printer;
use crate::session::Session;
use crate::verdict;

pub(crate) const CONTRACT: Contract = Contract {
    command: "skew",
    inputs: &[
        Input { name: "current", kind: ArtifactType::Dataset, argument: "current", or_parameter: false },
        Input { name: "against", kind: ArtifactType::Dataset, argument: "against", or_parameter: false },
        Input { name: "settings", kind: ArtifactType::Artifact, argument: "settings", or_parameter: false },
    ],
    outputs: &[Output {
        name: "skew",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "All counts with examples, JUnit's XML, and a page",
    }],
    results: &[
        verdict::BLESSED,
        verdict::BLESSING,
        verdict::OUTCOME,
        verdict::REASONS,
        Outcome { name: "pairs", kind: ParameterType::Integer, help: "Rows that both sides have" },
        Outcome { name: "alarms", kind: ParameterType::Integer, help: "Columns that raise an alarm" },
    ],
    demands: &[],
    omits: &["junit"],
    on_error: Some(|error| verdict::of_error(error).parameter("pairs", 0).parameter("alarms", 0)),
};

const EXAMPLES: &str = "\
Examples:
  sluice skew serving.parquet --against training.parquet --key trip_id
  sluice skew served/dataset --against dataset --subset eval --key user --key day --float-digits 6 --threshold 0.001
  sluice skew 'log/*.jsonl' --against features.csv --key id --exclude loaded_at --threshold fare=0.01 --out skew";

/// Tell whether the same rows say the same on two sides: training and serving, before and after a change.
///
/// Rows are joined by the columns of `--key`. Per column it is counted in how many pairs both sides have the same value,
/// another one, or only one of them has any, with examples. A column is an alarm where the share of pairs that differ is
/// above its threshold. Keys that a side has more than once are counted and left out. Exit code 1 on an alarm, and where
/// nothing was joined.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SkewArguments {
    /// What is judged: a data set made by `ingest`, or a file, a glob or a folder of files.
    #[arg(value_name = "CURRENT")]
    current: PathBuf,
    /// What it is compared with, in any of these forms.
    #[arg(long, value_name = "REFERENCE")]
    against: PathBuf,
    /// The subset of both sides; without, each subset is compared with the one of its name.
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// A column that identifies a row, with the others given; the key of the data set unless any is.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    /// A YAML file with `key`, `columns`, `exclude`, `float_digits`, `examples`, `threshold`, `of_column` and
    /// `max_unmatched`; options given here take the place of its own.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A column that is compared; all unless given. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    column: Vec<String>,
    /// A column that is not compared; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// Round numbers to so many decimals before they are compared.
    #[arg(long, value_name = "N")]
    float_digits: Option<u32>,
    /// Examples of each column at most; 5 unless given.
    #[arg(long, value_name = "N")]
    examples: Option<u32>,
    /// The greatest share of different pairs that is no alarm, for all columns or for one; 0 unless given. May be given
    /// several times.
    #[arg(long, value_name = "[COLUMN=]SHARE")]
    threshold: Vec<String>,
    /// The greatest share of the current rows without a counterpart that is no alarm; any unless given.
    #[arg(long, value_name = "SHARE")]
    max_unmatched: Option<f64>,
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

/// The thresholds of `--threshold`: of all columns, and of single ones.
fn thresholds(given: &[String]) -> Result<(Option<f64>, BTreeMap<String, f64>)> {
    let (mut of_all, mut of_column) = (None, BTreeMap::new());
    for text in given {
        let (column, share) =
            text.rsplit_once('=').map_or((None, text.as_str()), |(name, share)| (Some(name), share));
        let share: f64 = share.parse().map_err(|_| {
            ArgumentError::new(format!("`--threshold {text}` is no share"), "write 0.01, or fare=0.01")
        })?;
        match column {
            Some(column) => drop(of_column.insert(column.to_owned(), share)),
            None => of_all = Some(share),
        }
    }
    Ok((of_all, of_column))
}

impl SkewArguments {
    fn options(&self) -> Result<SkewOptions> {
        let mut options: SkewOptions = match &self.settings {
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(CommonError::on("read", path))?;
                from_yaml(&text, &path.display().to_string())?
            }
            None => SkewOptions::default(),
        };
        let lists = [
            (&mut options.key, &self.key),
            (&mut options.columns, &self.column),
            (&mut options.exclude, &self.exclude),
        ];
        for (own, given) in lists {
            if !given.is_empty() {
                own.clone_from(given);
            }
        }
        let (of_all, of_column) = thresholds(&self.threshold)?;
        options.threshold = of_all.unwrap_or(options.threshold);
        options.of_column.extend(of_column);
        options.float_digits = self.float_digits.or(options.float_digits);
        options.examples = self.examples.unwrap_or(options.examples);
        options.max_unmatched = self.max_unmatched.or(options.max_unmatched);
        Ok(options)
    }

    fn open(&self, path: &Path, session: &Session) -> Result<(Data, String)> {
        let data = Data::open(&path.to_string_lossy(), &self.source, session)?;
        let digest = match &data {
            Data::Dataset(dataset) => dataset.artifact().digest().to_owned(),
            Data::Files(files) => files.plan().digest.clone(),
        };
        Ok((data, digest))
    }

    /// The subsets of the current side that are compared.
    fn subsets(&self, current: &Data) -> Vec<String> {
        match (current, &self.subset) {
            (Data::Dataset(_), Some(only)) => vec![only.clone()],
            (Data::Dataset(dataset), None) => dataset.record().subsets.keys().cloned().collect(),
            (Data::Files(_), only) => vec![only.clone().unwrap_or_else(|| "all".into())],
        }
    }
}

/// The rows of a subset; files as they are have one only.
fn with_rows(
    data: &Data,
    subset: &str,
    session: &Session,
    mut then: impl FnMut(&dyn BatchSource) -> Result<SkewReport>,
) -> Result<SkewReport> {
    match data {
        Data::Files(files) => then(files.as_ref()),
        Data::Dataset(dataset) => {
            let subsets = &dataset.record().subsets;
            // A subset that is the only one is compared whatever its name.
            let name = match subsets.len() {
                1 => subsets.keys().next().map_or(subset, String::as_str),
                _ => subset,
            };
            then(&dataset.subset(name, PlanOptions::default(), &session.execution)?)
        }
    }
}

pub(crate) fn run(arguments: &SkewArguments, session: &Session) -> Result<Answer> {
    let mut options = arguments.options()?;
    let (current, digest) = arguments.open(&arguments.current, session)?;
    let (reference, against) = arguments.open(&arguments.against, session)?;
    if options.key.is_empty() {
        options.key = current.key();
    }
    options.check()?;
    let mut reports = Vec::new();
    for subset in arguments.subsets(&current) {
        reports.push(with_rows(&current, &subset, session, |now| {
            with_rows(&reference, &subset, session, |before| {
                compare_by_key(&subset, now, before, &options, &session.execution)
            })
        })?);
    }
    let record = SkewRecord::new(reports, &options);
    if let Some(path) = &arguments.junit {
        write_whole(path, record.junit().as_bytes())?;
    }
    if let Some(out) = &arguments.out {
        record.publish([&digest, &against], out)?;
    }
    session.printer.result(&record, || text(&record, session.printer));
    let pairs: u64 = record.subsets.iter().map(|report| report.num_pairs).sum();
    Ok(verdict::of_skew(&record).parameter("pairs", pairs).parameter("alarms", record.alarms()))
}

/// A line per column: alarms first, then those that differ most.
fn text(record: &SkewRecord, printer: Printer) -> String {
    let mut text = String::new();
    for report in &record.subsets {
        let key = report.key.join(", ");
        text.push_str(&format!("{}: {} pairs by {key}\n", report.subset, count(report.num_pairs)));
        for (name, side) in [("current", &report.current), ("reference", &report.reference)] {
            text.push_str(&of_side(name, side));
        }
        if report.unmatched_alarm {
            text.push_str(&format!(
                "ALARM  a share of {} of the current rows is not in the reference\n",
                significant(report.unmatched_share)
            ));
        }
        text.push_str(&columns(report));
    }
    let columns: usize = record.subsets.iter().map(|report| report.features.len()).sum();
    let word = printer.verdict(record.accepted, if record.accepted { "ACCEPTED" } else { "REJECTED" });
    text.push_str(&format!("{word}  {} of {columns} columns differ by more than allowed\n", record.alarms()));
    text
}

fn of_side(name: &str, side: &SideRows) -> String {
    format!(
        "  {name}: {}, {} without a counterpart, {} without a key, {} rows of {} repeated keys\n",
        rows(side.num_rows),
        count(side.unmatched),
        count(side.without_key),
        count(side.duplicate_rows),
        count(side.duplicate_keys)
    )
}

/// Columns without a difference that are shown.
const MAX_LINES: usize = 100;

fn columns(report: &SkewReport) -> String {
    let titles =
        ["", "column", ">share", ">threshold", ">same", ">differ", ">only now", ">only before", "example"];
    let mut table = Table::new(&titles);
    let mut lines: Vec<&FeatureSkew> = report.features.iter().collect();
    lines.sort_by(|a, b| {
        (b.alarm, b.share).partial_cmp(&(a.alarm, a.share)).unwrap_or(std::cmp::Ordering::Equal)
    });
    for feature in lines.iter().take(std::cmp::max(report.alarms().count(), MAX_LINES)) {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".into());
        let example = feature.examples.first().map_or_else(String::new, |one| {
            let key: Vec<String> = one.key.iter().map(|(_, value)| said(value)).collect();
            let text = format!("{}: {} was {}", key.join(", "), said(&one.current), said(&one.reference));
            text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
        });
        table.push([
            if feature.alarm { "ALARM".to_owned() } else { String::new() },
            feature.column.clone(),
            significant(feature.share),
            significant(feature.threshold),
            count(feature.num_match),
            count(feature.mismatch),
            count(feature.current_only),
            count(feature.reference_only),
            example,
        ]);
    }
    table.to_text()
}
