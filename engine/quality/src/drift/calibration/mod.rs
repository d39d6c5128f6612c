//! Thresholds learned from batches that are known to be good.
//!
//! Of N comparisons of good batches (each with the reference, or with the batch before), d(i, j) is the value of signal j
//! in comparison i. The unit u(j) of a signal is the greatest of its values, but at least its mean noise floor and a
//! tenth of its usual threshold: what is smaller matters to nobody. All thresholds are c u(j) with one factor c, so that
//! the rate of alarms is that of whole batches, however many columns there are. c comes from the scores
//! s(i) = max over j of d(i, j) / u(j) with the units of the *other* comparisons, which is how a batch to come is met:
//!
//! - With N ≥ 1 / rate − 1 comparisons, c is the score of rank ⌈(N + 1)(1 − rate)⌉ (conformal prediction: Vovk,
//!   Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005; the units are left out in turn as in Barber and
//!   others, "Predictive inference with the jackknife+", Annals of Statistics 49, 2021). Nothing is assumed but that
//!   good batches could as well have come in another order.
//! - With fewer, ranks do not reach so far. c is then the upper end of the prediction interval of a normal variable for
//!   the logarithms of the scores, exp(mean + t(N − 1, rate) sd sqrt(1 + 1 / N)).
//!
//! No threshold is below the greatest noise floor that was met, so that sampling alone stays below it.

mod comparators;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_core::Result;
use sluice_core::distribution::student;
use sluice_core::options::Range;

pub use comparators::{Comparators, write_comparators};

use super::measure::Measure;
use super::options::{DriftError, DriftOptions};
use super::report::{ColumnDrift, DriftReport, Signal};

/// Comparisons below which nothing can be said of their spread.
pub const LEAST_COMPARISONS: usize = 3;
/// The unit of a signal is at least this share of its usual threshold.
const LEAST_SHARE: f64 = 0.1;
/// Logarithms of scores below are cut: batches that are the same bytes say nothing of the spread.
const LEAST_SCORE: f64 = 1e-3;

/// Batches compared, good ones all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The batch.
    pub batch: String,
    /// What it was compared with.
    pub against: String,
    /// One report per subset.
    pub reports: Vec<DriftReport>,
}

/// How the factor of all thresholds was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// A rank of the scores: no assumption on how they are distributed.
    Conformal,
    /// A prediction limit: logarithms of the scores are taken for normal, because there are too few for ranks.
    LogNormal,
}

/// The greatest signal of a good batch, in units of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The batch.
    pub batch: String,
    /// What it was compared with.
    pub against: String,
    /// max over the signals of the value over the unit.
    pub score: f64,
    /// The column whose signal it is; none where nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
}

/// The threshold of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The column.
    pub column: String,
    /// What is measured.
    pub measure: Measure,
    /// The greatest value that raises no alarm from now on.
    pub threshold: f64,
    /// The threshold that was in force.
    pub before: f64,
    /// Comparisons in which it was measured.
    pub num_comparisons: usize,
    /// The middle of its values.
    pub median: f64,
    /// The greatest.
    pub greatest: f64,
    /// The greatest noise floor.
    pub noise_floor: f64,
}

/// What was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The wanted share of good batches with any alarm.
    pub alarm_rate: f64,
    /// How the factor was found.
    pub method: CalibrationMethod,
    /// Comparisons it was learned from.
    pub num_comparisons: usize,
    /// Comparisons from which on ranks reach so far.
    pub needed_comparisons: usize,
    /// The least rate for which ranks of so many comparisons are enough.
    pub least_rate: f64,
    /// By what the unit of every signal is multiplied.
    pub factor: f64,
    /// In the order of columns and measures.
    pub thresholds: Vec<Threshold>,
    /// The comparisons, in their order.
    pub scores: Vec<Score>,
}

/// The values of one signal, by comparison.
#[derive(Clone, Debug, Default)]
struct History {
    values: BTreeMap<usize, f64>,
    noise: Vec<f64>,
    threshold: f64,
    usual: f64,
}

impl History {
    fn add(&mut self, comparison: usize, signal: &Signal, (held, noise_floor): (f64, f64)) {
        // Of several subsets the greatest: one threshold is for all of them.
        let value = self.values.entry(comparison).or_insert(0.0);
        *value = value.max(held);
        self.noise.push(noise_floor);
        self.threshold = signal.threshold;
        self.usual = signal.measure.threshold();
    }

    fn floor(&self) -> f64 {
        let mean = self.noise.iter().sum::<f64>() / self.noise.len().max(1) as f64;
        mean.max(LEAST_SHARE * self.usual)
    }

    /// The unit, without one of the comparisons.
    fn unit(&self, without: Option<usize>) -> f64 {
        let others = self.values.iter().filter(|(comparison, _)| Some(**comparison) != without);
        others.map(|(_, value)| *value).fold(self.floor(), f64::max)
    }

    fn greatest(&self) -> f64 {
        self.values.values().copied().fold(0.0, f64::max)
    }

    fn median(&self) -> f64 {
        let mut sorted: Vec<f64> = self.values.values().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            length if length % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        }
    }
}

/// Learns the thresholds of the measures that are wanted from comparisons of good batches, as `drift` decides by them.
///
/// # Errors
/// A rate that is no share; [`DriftError::TooFewComparisons`]; [`DriftError::NothingToCalibrate`] where none of the
/// measures was measured.
pub fn calibrate(
    compared: &[Compared],
    alarm_rate: f64,
    is_wanted: impl Fn(&ColumnDrift, Measure) -> bool,
) -> Result<Calibration> {
    learn(compared, alarm_rate, |column, signal| {
        is_wanted(column, signal.measure).then(|| signal.held_against_threshold(column.compared_as))
    })
}

/// The same of TFDV's distances, as TFDV and `validate` decide by a schema's comparators: by the plain value.
///
/// # Errors
/// As [`calibrate`].
pub fn calibrate_comparators(compared: &[Compared], alarm_rate: f64) -> Result<Calibration> {
    learn(compared, alarm_rate, |_, signal| {
        signal.measure.is_of_tfdv().then_some((signal.value, signal.noise_floor))
    })
}

/// Learns from what is held against thresholds and its noise, where a signal is wanted.
fn learn(
    compared: &[Compared],
    alarm_rate: f64,
    held: impl Fn(&ColumnDrift, &Signal) -> Option<(f64, f64)>,
) -> Result<Calibration> {
    Range::open(0.0, 1.0).check("alarm_rate", alarm_rate)?;
    let found = compared.len();
    if found < LEAST_COMPARISONS {
        return Err(DriftError::TooFewComparisons { found, needed: LEAST_COMPARISONS }.into());
    }
    let histories = histories(compared, held);
    if histories.is_empty() {
        return Err(DriftError::NothingToCalibrate.into());
    }
    let scores: Vec<Score> = compared
        .iter()
        .enumerate()
        .map(|(index, compared)| {
            let (score, of) = score(&histories, index);
            let (column, measure) =
                of.map_or((None, None), |(column, measure)| (Some(column), Some(measure)));
            let (batch, against) = (compared.batch.clone(), compared.against.clone());
            Score { batch, against, score, column, measure }
        })
        .collect();
    let plain: Vec<f64> = scores.iter().map(|score| score.score).collect();
    let (method, factor) = factor(&plain, alarm_rate);
    // Distances that options name for a column take the place of all others, so that one which was 0 in all good batches
    // is named beside those that were not, with the threshold that it has.
    let moved: BTreeSet<&str> = histories
        .iter()
        .filter(|((_, measure), history)| measure.is_distance() && history.greatest() > 0.0)
        .map(|((column, _), _)| column.as_str())
        .collect();
    let thresholds = histories.iter().filter(|((column, measure), history)| {
        history.greatest() > 0.0 || (measure.is_distance() && moved.contains(column.as_str()))
    });
    let threshold = |((column, measure), history): (&(String, Measure), &History)| {
        let noise_floor = history.noise.iter().copied().fold(0.0, f64::max);
        let learned = || rounded_up((factor * history.unit(None)).max(noise_floor));
        Threshold {
            column: column.clone(),
            measure: *measure,
            threshold: if history.greatest() > 0.0 { learned() } else { history.threshold },
            before: history.threshold,
            num_comparisons: history.values.len(),
            median: history.median(),
            greatest: history.greatest(),
            noise_floor,
        }
    };
    Ok(Calibration {
        alarm_rate,
        method,
        num_comparisons: found,
        needed_comparisons: needed(alarm_rate),
        least_rate: 1.0 / (found + 1) as f64,
        factor,
        thresholds: thresholds.map(threshold).collect(),
        scores,
    })
}

/// Comparisons from which on the rank ⌈(N + 1)(1 − rate)⌉ is at most N: 1 / rate − 1. As in [`rank`], what rounding put a
/// hair above a whole number counts as that.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 0; beyond usize is its greatest"
)]
fn needed(alarm_rate: f64) -> usize {
    let needed = ((1.0 - 1e-9) / alarm_rate).ceil() as usize;
    std::cmp::max(needed.saturating_sub(1), LEAST_COMPARISONS)
}

/// ⌈(N + 1)(1 − rate)⌉; a product that rounding put a hair above a whole number counts as that.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to N + 1")]
fn rank(comparisons: usize, alarm_rate: f64) -> usize {
    ((comparisons + 1) as f64 * (1.0 - alarm_rate) - 1e-9).ceil() as usize
}

fn histories(
    compared: &[Compared],
    held: impl Fn(&ColumnDrift, &Signal) -> Option<(f64, f64)>,
) -> BTreeMap<(String, Measure), History> {
    let mut histories: BTreeMap<(String, Measure), History> = BTreeMap::new();
    for (index, compared) in compared.iter().enumerate() {
        for column in compared.reports.iter().flat_map(|report| &report.columns) {
            for signal in &column.signals {
                // A column that is gone or of another type has no threshold to learn.
                let has_threshold = !matches!(signal.measure, Measure::Presence | Measure::Type);
                if let Some(held) = held(column, signal).filter(|_| has_threshold) {
                    let of = (column.column.clone(), signal.measure);
                    histories.entry(of).or_default().add(index, signal, held);
                }
            }
        }
    }
    histories
}

/// The greatest value of a comparison in units of the others, and the signal that has it.
fn score(
    histories: &BTreeMap<(String, Measure), History>,
    comparison: usize,
) -> (f64, Option<(String, Measure)>) {
    let mut found: (f64, Option<&(String, Measure)>) = (0.0, None);
    for (of, history) in histories {
        let Some(value) = history.values.get(&comparison) else { continue };
        let unit = history.unit(Some(comparison));
        let score = if unit > 0.0 { value / unit } else { 0.0 };
        if score > found.0 {
            found = (score, Some(of));
        }
    }
    (found.0, found.1.cloned())
}

/// By what all units are multiplied.
fn factor(scores: &[f64], alarm_rate: f64) -> (CalibrationMethod, f64) {
    let count = scores.len();
    let rank = rank(count, alarm_rate);
    if (1..=count).contains(&rank) {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        return (CalibrationMethod::Conformal, sorted[rank - 1]);
    }
    if rank == 0 {
        return (CalibrationMethod::Conformal, 0.0);
    }
    let logarithms: Vec<f64> = scores.iter().map(|score| score.max(LEAST_SCORE).ln()).collect();
    let mean = logarithms.iter().sum::<f64>() / count as f64;
    let squares: f64 = logarithms.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (count - 1) as f64).sqrt();
    let t = student::upper_quantile(alarm_rate.min(0.5), (count - 1) as f64);
    let limit = mean + t * deviation * (1.0 + 1.0 / count as f64).sqrt();
    (CalibrationMethod::LogNormal, limit.exp().min(f64::MAX))
}

/// Four digits, never less than the value: thresholds are read by people.
fn rounded_up(value: f64) -> f64 {
    if !(value > 0.0) {
        return 0.0;
    }
    let text = format!("{value:.3e}");
    let rounded: f64 = text.parse().unwrap_or(value);
    if rounded >= value {
        return rounded;
    }
    let step = 10.0_f64.powf(value.log10().floor() - 3.0);
    format!("{:.3e}", rounded + step).parse().unwrap_or(value)
}

impl Calibration {
    /// The options with the thresholds in place; what is not learned stays as it was.
    #[must_use]
    pub fn options(&self, before: &DriftOptions) -> DriftOptions {
        let mut options = before.clone();
        for one in &self.thresholds {
            let own = options.of_column.entry(one.column.clone()).or_default();
            let _ = own.insert(one.measure, one.threshold);
        }
        options
    }

    /// What is to be known of the rate, in a sentence.
    #[must_use]
    pub fn note(&self) -> String {
        let Self { alarm_rate, num_comparisons, needed_comparisons, least_rate, .. } = self;
        let rate = match self.method {
            CalibrationMethod::Conformal => format!(
                "of batches like these, a share of at most {alarm_rate} raises any alarm, whatever the distribution of \
                 their distances ({num_comparisons} comparisons)"
            ),
            CalibrationMethod::LogNormal => format!(
                "{num_comparisons} comparisons are too few for a rate of {alarm_rate} without an assumption: {needed_comparisons} \
                 are needed, or a rate of at least {}; logarithms of the greatest distances were taken for normal",
                rounded_up(*least_rate)
            ),
        };
        rate + &self.silenced()
    }

    /// What is to be known of thresholds that no value can exceed: good batches differ by nearly as much as data can.
    fn silenced(&self) -> String {
        let is_silenced = |one: &&Threshold| one.measure.greatest().is_some_and(|most| one.threshold >= most);
        let mut found = self.thresholds.iter().filter(is_silenced);
        let Some(first) = found.next() else { return String::new() };
        format!(
            "; {} of {} signals raise no alarm any more, because no value exceeds their thresholds (the first: {} of `{}`)",
            found.count() + 1,
            self.thresholds.len(),
            first.measure,
            first.column.escape_debug()
        )
    }
}
