//! Many batches over time: every signal as a series, its trend, and the batch from which on it is another.
//!
//! Series are of the values against one reference. Each that is not constant is tested twice; q is Benjamini's and
//! Hochberg's over all series, for trends and for changes apart. Both tests take batches for independent of one another
//! where nothing happened, and let batches differ by more than sampling.

mod change;
#[cfg(test)]
mod tests;
mod trend;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use change::Change;
pub use trend::Trend;

use super::calibration::Compared;
use super::measure::Measure;
use super::report::{DriftReport, Signal};
use super::significance::benjamini_hochberg;

/// A batch of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineBatch {
    /// Its name.
    pub batch: String,
    /// Rows of all subsets.
    pub num_rows: u64,
    /// What it comes to against the reference.
    pub reference: Alarms,
    /// What it comes to against the batch before it; none for the first of its season.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Alarms>,
}

/// The alarms of one comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarms {
    /// What the batch was compared with.
    pub against: String,
    /// Signals that raise one.
    pub num_alarms: usize,
    /// The columns with any, in their order, each once.
    pub columns: Vec<String>,
}

impl Alarms {
    fn of(compared: &Compared) -> Self {
        let (mut num_alarms, mut columns) = (0, Vec::new());
        for (column, _) in compared.reports.iter().flat_map(DriftReport::alarms) {
            num_alarms += 1;
            if !columns.contains(&column.column) {
                columns.push(column.column.clone());
            }
        }
        Self { against: compared.against.clone(), num_alarms, columns }
    }
}

/// One signal over the batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The subset, and the slice of it where it is one.
    pub subset: String,
    /// The column.
    pub column: String,
    /// What was measured.
    pub measure: Measure,
    /// The greatest value that raises no alarm.
    pub threshold: f64,
    /// Its value against the reference by batch; none where it was not measured.
    pub values: Vec<Option<f64>>,
    /// Its noise floor, likewise.
    pub noise_floors: Vec<Option<f64>>,
    /// Whether it raises an alarm against the reference.
    pub alarms: Vec<bool>,
    /// Its value against the batch before.
    pub before: Vec<Option<f64>>,
    /// Whether it raises an alarm against the batch before.
    pub alarms_before: Vec<bool>,
    /// Whether it rises or falls; none of less than four different batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// The most probable change of its level; none of less than five different batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// Batches over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The level of q.
    pub level: f64,
    /// In their order.
    pub batches: Vec<TimelineBatch>,
    /// In the order of columns and measures.
    pub series: Vec<Series>,
}

/// A batch with its comparisons.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Its name.
    pub batch: &'a str,
    /// Rows of all subsets.
    pub num_rows: u64,
    /// With the reference.
    pub reference: &'a Compared,
    /// With the batch before.
    pub before: Option<&'a Compared>,
}

/// Puts batches side by side, in their order.
#[must_use]
pub fn timeline(moments: &[Moment<'_>], level: f64) -> Timeline {
    let mut places: BTreeMap<(String, String, Measure), usize> = BTreeMap::new();
    let mut series: Vec<Series> = Vec::new();
    let count = moments.len();
    for (index, moment) in moments.iter().enumerate() {
        for (compared, is_before) in [(Some(moment.reference), false), (moment.before, true)] {
            for (subset, column, signal) in compared.into_iter().flat_map(signals) {
                let key = (subset.clone(), column.to_owned(), signal.measure);
                let place = *places.entry(key).or_insert_with(|| {
                    series.push(empty(&subset, column, signal, count));
                    series.len() - 1
                });
                let series = &mut series[place];
                if is_before {
                    (series.before[index], series.alarms_before[index]) = (Some(signal.value), signal.alarm);
                } else {
                    series.values[index] = Some(signal.value);
                    series.noise_floors[index] = Some(signal.noise_floor);
                    series.alarms[index] = signal.alarm;
                }
            }
        }
    }
    let batches = moments.iter().map(|moment| TimelineBatch {
        batch: moment.batch.to_owned(),
        num_rows: moment.num_rows,
        reference: Alarms::of(moment.reference),
        before: moment.before.map(Alarms::of),
    });
    let batches: Vec<TimelineBatch> = batches.collect();
    judge(&mut series, &batches, level);
    Timeline { level, batches, series }
}

fn signals(compared: &Compared) -> impl Iterator<Item = (String, &str, &Signal)> {
    compared.reports.iter().flat_map(|report| {
        let part = report.part();
        report.columns.iter().flat_map(move |column| {
            let part = part.clone();
            column.signals.iter().map(move |signal| (part.clone(), column.column.as_str(), signal))
        })
    })
}

fn empty(subset: &str, column: &str, signal: &Signal, count: usize) -> Series {
    Series {
        subset: subset.to_owned(),
        column: column.to_owned(),
        measure: signal.measure,
        threshold: signal.threshold,
        values: vec![None; count],
        noise_floors: vec![None; count],
        alarms: vec![false; count],
        before: vec![None; count],
        alarms_before: vec![false; count],
        trend: None,
        change: None,
    }
}

/// Tests every series, and says which trends and changes are more than chance.
fn judge(series: &mut [Series], batches: &[TimelineBatch], level: f64) {
    for one in series.iter_mut().filter(|one| !matches!(one.measure, Measure::Presence | Measure::Type)) {
        let known: Vec<(usize, f64, f64)> = one
            .values
            .iter()
            .zip(&one.noise_floors)
            .enumerate()
            .filter_map(|(index, (value, noise))| Some((index, (*value)?, (*noise)?)))
            .collect();
        one.trend = trend::of(&known);
        one.change = change::of(&known, one.threshold, batches);
    }
    let tails: Vec<f64> = series.iter().filter_map(|one| Some(one.trend.as_ref()?.p)).collect();
    let trends = series.iter_mut().filter_map(|one| one.trend.as_mut());
    for (trend, q) in trends.zip(benjamini_hochberg(&tails)) {
        (trend.q, trend.is_proven) = (q, q <= level);
    }
    let tails: Vec<f64> = series.iter().filter_map(|one| Some(one.change.as_ref()?.p)).collect();
    let changes = series.iter_mut().filter_map(|one| one.change.as_mut());
    for (change, q) in changes.zip(benjamini_hochberg(&tails)) {
        change.q = q;
        // As of every alarm: proven, and large enough to matter.
        change.is_proven = q <= level && change.is_above;
    }
}

impl Timeline {
    /// The changes that are proven, the most certain first.
    #[must_use]
    pub fn changes(&self) -> Vec<(&Series, &Change)> {
        let proven = self.series.iter().filter_map(|one| Some((one, one.change.as_ref()?)));
        let mut proven: Vec<_> = proven.filter(|(_, change)| change.is_proven).collect();
        proven.sort_by(|a, b| a.1.q.total_cmp(&b.1.q));
        proven
    }

    /// The trends that are proven, the most certain first.
    #[must_use]
    pub fn trends(&self) -> Vec<(&Series, &Trend)> {
        let proven = self.series.iter().filter_map(|one| Some((one, one.trend.as_ref()?)));
        let mut proven: Vec<_> = proven.filter(|(_, trend)| trend.is_proven).collect();
        proven.sort_by(|a, b| a.1.q.total_cmp(&b.1.q));
        proven
    }

    /// Whether the latest batch raises an alarm against the reference.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.batches.last().is_some_and(|batch| batch.reference.num_alarms > 0)
    }
}
