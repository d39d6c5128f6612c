//! `sluice drift calibrate`: thresholds from good batches.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_pipeline::step::drift::DriftInput;
use sluice_pipeline::step::drift_batches::{Neighbours, compare_batches, settings_text};
use sluice_pipeline::step::schema;
use sluice_quality::drift::{
    Calibration, ColumnDrift, Compared, DriftOptions, Measure, Season, calibrate, calibrate_comparators,
    write_comparators,
};
use sluice_quality::schema::write_schema_file;
use sluice_report::{Table, significant};

use super::compared::{ComparedArguments, Opened, Reading, tell_equal};
use crate::answer::Answer;
use crate::arguments::MemoryArgument;
use crate::session::{Exit, Session};

const EXAMPLES: &str = "\
Examples:
  sluice drift calibrate statistics/2026-1[01]-* --out drift.yaml
  sluice drift calibrate trips/2026-1?-??.parquet --season weekday --alarm-rate 0.01 --out drift.yaml
  sluice drift calibrate batches/* --against training --alarm-rate 0.1 --exclude trip_id --out drift.yaml
  sluice drift calibrate batches/* --schema schema.pbtxt --schema-out schema.pbtxt
  sluice drift today/statistics --against yesterday/statistics --settings drift.yaml";

/// Learn thresholds from good batches of the past at a wanted rate of false alarms.
///
/// Every batch is compared with the reference, or, without one, with the batch before it (with `--season`, the latest
/// before it of the same day of the week or hour). Each column and measure gets a threshold of its own, such that of
/// batches like these the wanted share raises any alarm; none is below what sampling alone makes. With at least 1 / rate − 1
/// comparisons that needs no assumption, with fewer the distances' logarithms are taken for normal, which is said.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CalibrateDriftArguments {
    /// The batches, in their order: statistics, data sets or files, as `sluice drift` takes them.
    #[arg(value_name = "BATCH", required = true)]
    batches: Vec<PathBuf>,
    /// What every batch is compared with; without, the batch before.
    #[arg(long, value_name = "REFERENCE", conflicts_with = "season")]
    against: Option<PathBuf>,
    /// The share of good batches that may raise any alarm.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    alarm_rate: f64,
    /// Compare each batch with the latest before it of the same season, as `sluice drift` should be asked to later.
    #[arg(long, value_enum, value_name = "SEASON")]
    season: Option<SeasonArgument>,
    /// The column of times whose middle is the time of a batch; without, the date in its name is.
    #[arg(long, value_name = "COLUMN", requires = "season")]
    time: Option<String>,
    /// The file of the settings with the thresholds, for `sluice drift --settings`; without, they are only printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A schema: its `drift_comparator`s get thresholds of TFDV's distances, by which `sluice validate` and TFDV judge.
    /// Of numbers `jensen_shannon` and of labels `infinity_norm`, and those that `--numbers` and `--labels` name.
    #[arg(long, value_name = "FILE", requires = "schema_out")]
    schema: Option<PathBuf>,
    /// The file of the schema with the thresholds; may be the same.
    #[arg(long, value_name = "FILE", requires = "schema")]
    schema_out: Option<PathBuf>,
    #[command(flatten)]
    compared: ComparedArguments,
    #[command(flatten)]
    pub(super) memory: MemoryArgument,
}

/// Which batches are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SeasonArgument {
    /// Of the same day of the week.
    Weekday,
    /// Of the same hour of the day.
    Hour,
}

impl From<SeasonArgument> for Season {
    fn from(season: SeasonArgument) -> Self {
        match season {
            SeasonArgument::Weekday => Self::Weekday,
            SeasonArgument::Hour => Self::Hour,
        }
    }
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Learned<'a> {
    settings: &'a Calibration,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a Calibration>,
}

pub(super) fn run(arguments: &CalibrateDriftArguments, session: &Session) -> Result<Answer> {
    let options = arguments.compared.options_of_batches()?;
    let measured = match arguments.schema {
        Some(_) => options.with_distances_of_tfdv(),
        None => options.clone(),
    };
    let compared = compared(arguments, &measured, session)?;
    let is_for_settings = |column: &ColumnDrift, measure: Measure| {
        !measure.is_distance() || options.distances(&column.column, column.compared_as).contains(&measure)
    };
    let learned = calibrate(&compared, arguments.alarm_rate, is_for_settings)?;
    if let Some(out) = &arguments.out {
        write_whole(out, settings_file(&learned, &options)?.as_bytes())?;
    }
    let mut for_schema = None;
    if let (Some(path), Some(out)) = (&arguments.schema, &arguments.schema_out) {
        let mut file = schema::read(path)?;
        let learned = calibrate_comparators(&compared, arguments.alarm_rate)?;
        let done = write_comparators(&mut file, &learned);
        for note in &done.notes {
            session.printer.note(note);
        }
        write_whole(out, &write_schema_file(&file, &out.display().to_string()))?;
        for_schema = Some(learned);
    }
    let printed = Learned { settings: &learned, schema: for_schema.as_ref() };
    session.printer.result(&printed, || text(&printed));
    Ok(Answer::new(Exit::Done))
}

/// Every batch beside what it is compared with.
fn compared(
    arguments: &CalibrateDriftArguments,
    options: &DriftOptions,
    session: &Session,
) -> Result<Vec<Compared>> {
    let mut opened = Vec::new();
    let reading = Reading { time: arguments.time.as_deref(), ..Reading::default() };
    let mut open = |name: &str| -> Result<DriftInput> {
        let (input, digest) = arguments.compared.open(name.as_ref(), reading, options, session)?;
        opened.push(Opened::new(name, (&input, &digest)));
        Ok(input)
    };
    let reference = match &arguments.against {
        Some(path) => {
            let name = path.display().to_string();
            let reference = open(&name)?;
            Some((name, reference))
        }
        None => None,
    };
    let neighbours = Neighbours {
        reference: reference.as_ref().map(|(name, reference)| (name.as_str(), reference)),
        before: reference.is_none(),
        season: arguments.season.map(Season::from),
        time: arguments.time.as_deref(),
    };
    let names: Vec<String> = arguments.batches.iter().map(|path| path.display().to_string()).collect();
    let met = compare_batches(&names, neighbours, options, &mut open)?;
    arguments.compared.must_matter(&opened)?;
    tell_equal(&opened, session);
    Ok(met.into_iter().filter_map(|batch| batch.reference.or(batch.before)).collect())
}

/// The settings with a head that says where they come from.
fn settings_file(learned: &Calibration, options: &DriftOptions) -> Result<String> {
    let head = "# Written by `sluice drift calibrate`, for `sluice drift --settings`.\n";
    Ok(format!("{head}# {}.\n{}", learned.note(), settings_text(&learned.options(options))?))
}

fn text(learned: &Learned<'_>) -> String {
    let mut text = String::new();
    for (calibration, of) in
        [(Some(learned.settings), "for `sluice drift`"), (learned.schema, "for the schema's comparators")]
    {
        let Some(calibration) = calibration else { continue };
        text.push_str(&format!("{of}: {}\n", calibration.note()));
        text.push_str(&thresholds(calibration));
        let greatest = calibration.scores.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        if let Some((score, column)) = greatest.and_then(|score| Some((score, score.column.as_ref()?))) {
            let measure = score.measure.map_or("", Measure::word);
            text.push_str(&format!(
                "the most unlike the others: {} against {}, {measure} of `{}`\n",
                score.batch,
                score.against,
                column.escape_debug()
            ));
        }
    }
    text
}

fn thresholds(calibration: &Calibration) -> String {
    let titles = ["column", "measure", ">median", ">greatest", ">noise", ">before", ">threshold"];
    let mut table = Table::new(&titles);
    for one in &calibration.thresholds {
        let figures = [one.median, one.greatest, one.noise_floor, one.before, one.threshold].map(significant);
        let name = [one.column.clone(), one.measure.to_string()];
        table.push(name.into_iter().chain(figures));
    }
    table.to_text()
}
