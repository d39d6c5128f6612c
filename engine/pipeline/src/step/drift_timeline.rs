//! Drift over time: the artifact of many batches compared with one reference and each with the one before.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::{CommonError, Result};
use sluice_quality::drift::{Alarms, DriftOptions, Moment, Series, Timeline, timeline};
use sluice_report::html::{PageBatch, PageSeries, PageStrip, TimelinePage, timeline_page};
use sluice_report::significant;

use crate::step::drift_batches::Met;

/// The artifact's kind.
pub const TIMELINE_KIND: &str = "drift-timeline";
/// The version of its format.
pub const TIMELINE_VERSION: u32 = 1;
const FILE: &str = "timeline.json";
/// Columns that a cell of the page names.
const MAX_NAMES: usize = 20;

/// Batches over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineRecord {
    /// Whether the latest batch raises no alarm against the reference.
    pub accepted: bool,
    /// What all batches were compared with.
    pub reference: String,
    /// How drift was looked for.
    pub options: DriftOptions,
    /// What was found.
    pub timeline: Timeline,
}

impl TimelineRecord {
    /// Puts batches that were compared with a reference side by side.
    ///
    /// # Errors
    /// `CommonError::Internal` where a batch was not.
    pub fn new(reference: &str, met: &[Met], options: &DriftOptions) -> Result<Self> {
        let moments: Option<Vec<Moment<'_>>> = met.iter().map(moment).collect();
        let moments = moments.ok_or_else(|| CommonError::Internal("a batch was not compared".into()))?;
        let timeline = timeline(&moments, options.level);
        let (reference, options) = (reference.to_owned(), options.clone());
        Ok(Self { accepted: !timeline.is_alarm(), reference, options, timeline })
    }

    /// The artifact, opened.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open(folder: &Path) -> Result<Self> {
        Artifact::open(folder, TIMELINE_KIND, TIMELINE_VERSION)?.read_json(FILE)
    }

    /// Writes the artifact: every series as JSON, and a page; `digests` are those of the reference and the batches.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, digests: &[(String, String)], target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, self)?;
        draft.write_bytes("timeline.html", timeline_page("Drift over time", &self.page()).as_bytes())?;
        draft.publish(TIMELINE_KIND, TIMELINE_VERSION, digests.iter().cloned().collect())
    }

    fn page(&self) -> TimelinePage {
        let timeline = &self.timeline;
        let alarms = |alarms: &Alarms| {
            let rest = alarms.columns.len().saturating_sub(MAX_NAMES);
            let mut names = alarms.columns[..alarms.columns.len() - rest].join(", ");
            if rest > 0 {
                names.push_str(&format!(" and {rest} more"));
            }
            (alarms.num_alarms, names)
        };
        let batches = timeline.batches.iter().map(|batch| PageBatch {
            name: batch.batch.clone(),
            num_rows: batch.num_rows,
            reference: alarms(&batch.reference),
            before: batch.before.as_ref().map(alarms),
        });
        TimelinePage {
            is_calm: self.accepted,
            about: format!("All batches were compared with {}.", self.reference),
            batches: batches.collect(),
            columns: strips(timeline),
            series: moved(timeline).into_iter().map(page_series).collect(),
        }
    }
}

/// A batch as timelines take it; none where it was not compared with the reference.
fn moment(batch: &Met) -> Option<Moment<'_>> {
    let Met { batch, num_rows, reference, before } = batch;
    Some(Moment { batch, num_rows: *num_rows, reference: reference.as_ref()?, before: before.as_ref() })
}

/// Per column the greatest signal of each batch in units of its threshold.
fn strips(timeline: &Timeline) -> Vec<PageStrip> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut strips: Vec<PageStrip> = Vec::new();
    for series in &timeline.series {
        let place = *places.entry(&series.column).or_insert_with(|| {
            let cells = vec![None; timeline.batches.len()];
            strips.push(PageStrip { column: series.column.clone(), cells });
            strips.len() - 1
        });
        for (index, cell) in strips[place].cells.iter_mut().enumerate() {
            let Some(value) = series.values[index] else { continue };
            // A threshold of 0 is that of what is there or not.
            let part = if series.threshold > 0.0 { value / series.threshold } else { 4.0 * value };
            let (before, was_alarm) = cell.unwrap_or((0.0, false));
            *cell = Some((if part > before { part } else { before }, was_alarm || series.alarms[index]));
        }
    }
    strips
}

/// The series with a change, a trend or an alarm, in this order, the most certain first.
fn moved(timeline: &Timeline) -> Vec<&Series> {
    let mut found: Vec<&Series> = timeline.changes().into_iter().map(|(series, _)| series).collect();
    let trends = timeline.trends().into_iter().map(|(series, _)| series);
    let alarms = timeline.series.iter().filter(|series| series.alarms.contains(&true));
    for series in trends.chain(alarms) {
        if !found.iter().any(|one| std::ptr::eq(*one, series)) {
            found.push(series);
        }
    }
    found
}

fn page_series(series: &Series) -> PageSeries {
    let change = series.change.as_ref().filter(|change| change.is_proven);
    let mut words = Vec::new();
    if let Some(change) = change {
        let [before, after, q] = [change.before, change.after, change.q].map(significant);
        words.push(format!("Another level from {} on: {before} before, {after} after; q {q}.", change.batch));
    }
    if let Some(trend) = series.trend.as_ref().filter(|trend| trend.is_proven) {
        let [slope, q] = [trend.slope, trend.q].map(significant);
        words.push(format!("A trend of {slope} per batch; q {q}."));
    }
    let alarms = series.alarms.iter().filter(|alarm| **alarm).count();
    words.push(format!("Alarms against the reference: {alarms} of {} batches.", series.values.len()));
    PageSeries {
        column: series.column.clone(),
        measure: series.measure.to_string(),
        words,
        threshold: series.threshold,
        values: series.values.clone(),
        noise_floors: series.noise_floors.clone(),
        changed_at: change.map(|change| change.index),
    }
}
