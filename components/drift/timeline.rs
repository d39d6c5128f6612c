//! `sluice drift timeline`: many batches over time.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::drift::DriftInput;
use sluice_pipeline::step::drift_batches::{Neighbours, compare_batches};
use sluice_pipeline::step::drift_timeline::TimelineRecord;
use sluice_quality::drift::{Alarms, Season, Timeline};
use sluice_report::{Table, significant};

use super::calibrate::SeasonArgument;
use super::compared::{ComparedArguments, Opened, Reading, tell_equal};
use crate::answer::Answer;
use crate::arguments::MemoryArgument;
use crate::failure::ArgumentError;
use crate::printer::Printer;
use crate::session::{Exit, Session};

const EXAMPLES: &str = "\
Examples:
  sluice drift timeline statistics/2026-11-* --against statistics/training --out timeline
  sluice drift timeline trips/2026-11-??.parquet --season weekday --exclude trip_id
  sluice drift timeline monday tuesday wednesday --against sunday --settings drift.yaml --json";

/// Compare many batches with one reference and each with the batch before: trends, and the batch where it changed.
///
/// A change is a level of a signal that is another from one batch on (the greatest t of all splits, corrected for their
/// number), a trend rises or falls (Mann and Kendall); of either, q over all columns is at most the level. The artifact
/// has `timeline.json` with every series and `timeline.html`. Exit code 1 where the latest batch raises an alarm against
/// the reference.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TimelineArguments {
    /// The batches, in their order: statistics, data sets or files, as `sluice drift` takes them.
    #[arg(value_name = "BATCH", required = true)]
    batches: Vec<PathBuf>,
    /// What every batch is compared with; without, the first of them.
    #[arg(long, value_name = "REFERENCE")]
    against: Option<PathBuf>,
    /// The batch before is the latest of the same season.
    #[arg(long, value_enum, value_name = "SEASON")]
    season: Option<SeasonArgument>,
    /// The column of times whose middle is the time of a batch; without, the date in its name is.
    #[arg(long, value_name = "COLUMN", requires = "season")]
    time: Option<String>,
    /// The folder of the artifact; without, the result is only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    compared: ComparedArguments,
    #[command(flatten)]
    pub(super) memory: MemoryArgument,
}

pub(super) fn run(arguments: &TimelineArguments, session: &Session) -> Result<Answer> {
    let options = arguments.compared.options_of_batches()?;
    let (mut digests, mut opened) = (Vec::new(), Vec::new());
    let reading = Reading { time: arguments.time.as_deref(), ..Reading::default() };
    let mut open = |name: &str, role: String| -> Result<DriftInput> {
        let (input, digest) = arguments.compared.open(name.as_ref(), reading, &options, session)?;
        opened.push(Opened::new(name, (&input, &digest)));
        digests.push((role, digest));
        Ok(input)
    };
    let mut names: Vec<String> = arguments.batches.iter().map(|path| path.display().to_string()).collect();
    let against = match &arguments.against {
        Some(path) => path.display().to_string(),
        None if names.len() > 1 => names.remove(0),
        None => {
            let only = names.first().map_or("", String::as_str);
            let message =
                format!("`{only}` is the only batch: a timeline of one batch has nothing to compare it with");
            let hint = "name the batches before it too, or a reference with `--against`";
            return Err(ArgumentError::new(message, hint).into());
        }
    };
    let reference = open(&against, "reference".into())?;
    let neighbours = Neighbours {
        reference: Some((&against, &reference)),
        before: true,
        season: arguments.season.map(Season::from),
        time: arguments.time.as_deref(),
    };
    let mut count = 0;
    let met = compare_batches(&names, neighbours, &options, &mut |name| {
        count += 1;
        open(name, format!("batch-{count}"))
    })?;
    arguments.compared.must_matter(&opened)?;
    tell_equal(&opened, session);
    let record = TimelineRecord::new(&against, &met, &options)?;
    if let Some(out) = &arguments.out {
        record.publish(&digests, out)?;
    }
    session.printer.result(&record, || text(&record, session.printer));
    Ok(Answer::new(if record.accepted { Exit::Done } else { Exit::Rejected }))
}

/// Columns that a line names.
const MAX_NAMES: usize = 4;
/// Changes and trends that are shown; the JSON has all.
const MAX_LINES: usize = 30;

fn text(record: &TimelineRecord, printer: Printer) -> String {
    let timeline = &record.timeline;
    let mut batches = Table::new(&["batch", ">rows", ">alarms", "in", ">alarms, batch before", "in"]);
    for batch in &timeline.batches {
        let (count, columns) = alarms(Some(&batch.reference));
        let (count_before, columns_before) = alarms(batch.before.as_ref());
        let rows = sluice_report::count(batch.num_rows);
        batches.push([batch.batch.clone(), rows, count, columns, count_before, columns_before]);
    }
    let mut text = format!("against {}\n{}", record.reference, batches.to_text());
    text.push_str(&moved(timeline));
    let (word, last) = (
        if record.accepted { "ACCEPTED" } else { "REJECTED" },
        timeline.batches.last().map_or(0, |batch| batch.reference.num_alarms),
    );
    let (changes, trends) = (timeline.changes().len(), timeline.trends().len());
    let word = printer.verdict(record.accepted, word);
    text.push_str(&format!(
        "{word}  {last} alarms in the latest batch; {changes} changes, {trends} trends\n"
    ));
    text
}

fn alarms(alarms: Option<&Alarms>) -> (String, String) {
    let Some(alarms) = alarms else { return ("-".into(), String::new()) };
    let rest = alarms.columns.len().saturating_sub(MAX_NAMES);
    let mut names = alarms.columns[..alarms.columns.len() - rest].join(", ");
    if rest > 0 {
        names.push_str(&format!(" and {rest} more"));
    }
    (alarms.num_alarms.to_string(), names)
}

fn moved(timeline: &Timeline) -> String {
    let mut text = String::new();
    let mut changes =
        Table::new(&["changed with", "column", "measure", ">before", ">after", ">threshold", ">q"]);
    for (series, change) in timeline.changes().into_iter().take(MAX_LINES) {
        let figures = [change.before, change.after, series.threshold, change.q].map(significant);
        let names = [change.batch.clone(), series.column.clone(), series.measure.to_string()];
        changes.push(names.into_iter().chain(figures));
    }
    let mut trends = Table::new(&["trend of", "measure", ">per batch", ">tau", ">q"]);
    for (series, trend) in timeline.trends().into_iter().take(MAX_LINES) {
        let figures = [trend.slope, trend.tau, trend.q].map(significant);
        trends.push([series.column.clone(), series.measure.to_string()].into_iter().chain(figures));
    }
    for table in [changes, trends] {
        if !table.is_empty() {
            text.push('\n');
            text.push_str(&table.to_text());
        }
    }
    text.push('\n');
    text
}
