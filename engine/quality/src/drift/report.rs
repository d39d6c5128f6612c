//! The decision: which columns are no longer what they were.
//!
//! An alarm is a value above its threshold, above the noise that sampling alone makes, and with a q of at most the
//! level. q is Benjamini's and Hochberg's over one test per column and one per signal of its own. What chance has no part
//! in, a column that is gone or of another type, is an alarm without a test.

use serde::{Deserialize, Serialize};
use sluice_core::Result;
use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use super::cumulative::Cumulative;
use super::distances::{of_labels, of_numbers};
use super::domain::DomainClassifier;
use super::labels::{AlignedBin, AlignedLabels};
use super::measure::{Comparison, Measure};
use super::options::DriftOptions;
use super::role::ColumnRole;
use super::signals::{self, Measured};
use super::significance::benjamini_hochberg;
use super::tables::Tables;
use super::view::{Counting, View};

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct DriftSide<'a> {
    /// What is known of it.
    pub statistics: &'a DatasetStatistics,
    /// Its numbers, where the rows were read.
    pub tables: Option<&'a Tables>,
}

/// What was measured of a column, and what it comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What was measured.
    pub measure: Measure,
    /// How much.
    pub value: f64,
    /// The least that it can be, as far as sketches and bins tell.
    pub at_least: f64,
    /// The most.
    pub at_most: f64,
    /// The greatest that raises no alarm.
    pub threshold: f64,
    /// What it comes to between two samples of this size of the same data, on average.
    pub noise_floor: f64,
    /// The value beyond the noise floor.
    pub effect: f64,
    /// The probability of so much difference where nothing changed; none where chance has no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Whether the true probability may be lower.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub p_is_upper_bound: bool,
    /// The share of false alarms among all alarms if this p raises one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<f64>,
    /// Whether it is an alarm.
    pub alarm: bool,
    /// Where, or what.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// One column of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnDrift {
    /// Its name.
    pub column: String,
    /// The steps to a field of a struct, at least two; empty for a column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// What it is to the model.
    #[serde(default, skip_serializing_if = "ColumnRole::is_feature")]
    pub role: ColumnRole,
    /// How its values were compared.
    pub compared_as: Comparison,
    /// What was measured.
    pub signals: Vec<Signal>,
    /// The counts behind the distances of shares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<AlignedBin>,
    /// What was not measured, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ColumnDrift {
    /// Whether it raises an alarm.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.signals.iter().any(|signal| signal.alarm)
    }
}

/// What became of the columns of a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// The subset.
    pub subset: String,
    /// The slice of it, as statistics name it (`payment_type_Cash`); none for all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Rows of the current side.
    pub num_rows: u64,
    /// Rows of the reference.
    pub num_reference_rows: u64,
    /// Where rows count by weights, the rows of equal weight that know as much, current and reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_rows: Option<[f64; 2]>,
    /// The level of q.
    pub level: f64,
    /// In the order of the reference, then those that only the current side has.
    pub columns: Vec<ColumnDrift>,
    /// What is to be known of all columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What told the rows of both sides apart, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_classifier: Option<DomainClassifier>,
}

impl DriftReport {
    /// The part of the data that it is about, in words.
    #[must_use]
    pub fn part(&self) -> String {
        match &self.slice {
            Some(slice) => format!("{}, slice {slice}", self.subset),
            None => self.subset.clone(),
        }
    }

    /// The alarms, with their columns.
    pub fn alarms(&self) -> impl Iterator<Item = (&ColumnDrift, &Signal)> {
        let of_column = |column| {
            ColumnDrift::signals_of(column).filter(|signal| signal.alarm).map(move |one| (column, one))
        };
        self.columns.iter().flat_map(of_column)
    }
}

impl ColumnDrift {
    fn signals_of(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter()
    }
}

/// Compares the columns of two sides.
///
/// # Errors
/// Options that do not fit the columns. Data that differ are findings, not errors.
pub fn compare(
    current: DriftSide<'_>,
    reference: DriftSide<'_>,
    options: &DriftOptions,
) -> Result<DriftReport> {
    let mut report = measure(current, reference, options)?;
    let _ = decide_all(std::slice::from_mut(&mut report), options.level, &[]);
    Ok(report)
}

/// Compares two sides, and each slice that is asked for with the same of the other side: all rows first, then the slices
/// in the order of the reference. One decision is for all of them, so that more slices raise no more false alarms.
///
/// # Errors
/// As [`compare`]; [`DriftError::NoSlices`](super::options::DriftError::NoSlices).
pub fn compare_slices(
    current: DriftSide<'_>,
    reference: DriftSide<'_>,
    options: &DriftOptions,
) -> Result<Vec<DriftReport>> {
    let sides = [current.statistics, reference.statistics];
    let mut reports = vec![measure(current, reference, options)?];
    for (side, name) in sides.into_iter().zip(["current", "reference"]) {
        options.check_slices(side, name)?;
    }
    let is_wanted =
        |slice: &&DatasetStatistics| options.slices.iter().any(|spec| spec.covers(&slice.conditions));
    let of = |side: usize| sides[side].slices.iter().filter(is_wanted);
    let same = |slice: &DatasetStatistics, side: usize| of(side).find(|it| it.conditions == slice.conditions);
    for before in of(1) {
        let Some(now) = same(before, 0) else {
            reports[0].notes.push(format!("slice `{}` has no rows any more", before.name));
            continue;
        };
        let [now, before] = [now, before].map(|statistics| DriftSide { statistics, tables: None });
        let report = measure(now, before, options)?;
        let (subset, slice) = (sides[0].name.clone(), Some(report.subset));
        reports.push(DriftReport { subset, slice, ..report });
    }
    for now in of(0).filter(|now| same(now, 1).is_none()) {
        reports[0].notes.push(format!("slice `{}` is new: {} rows", now.name, now.num_rows));
    }
    let _ = decide_all(&mut reports, options.level, &[]);
    Ok(reports)
}

/// Measures every column; nothing is decided yet.
fn measure(current: DriftSide<'_>, reference: DriftSide<'_>, options: &DriftOptions) -> Result<DriftReport> {
    let sides = [current.statistics, reference.statistics];
    options.check_columns(sides)?;
    let (mut countings, mut notes) = ([Counting::ROWS; 2], Vec::new());
    if let Some(weight) = &options.weight {
        for ((counting, side), name) in countings.iter_mut().zip(sides).zip(["current", "reference"]) {
            let (found, is_known) = Counting::by(weight, side)?;
            *counting = found;
            if !is_known {
                notes.push(format!(
                    "the {name} statistics do not say how unequal weights are; noise and p take them for equal"
                ));
            }
        }
    }
    let mut columns = Vec::new();
    for column in &reference.statistics.columns {
        if options.compares(&column.name) {
            columns.push(match current.statistics.at(column.steps()) {
                Some(now) => {
                    let [now, before] = [View::new(now, countings[0]), View::new(column, countings[1])];
                    Pair { now, before }.compare(current, reference, options)
                }
                None => gone(column, options),
            });
        }
    }
    for column in &current.statistics.columns {
        if options.compares(&column.name) && reference.statistics.at(column.steps()).is_none() {
            let mut new = untested(column, options);
            new.notes.push("the reference does not have this column".into());
            columns.push(new);
        }
    }
    let effective_rows = [0, 1].map(|side| countings[side].rows(sides[side]));
    Ok(DriftReport {
        subset: current.statistics.name.clone(),
        slice: None,
        num_rows: current.statistics.num_rows,
        num_reference_rows: reference.statistics.num_rows,
        effective_rows: options.weight.as_ref().map(|_| effective_rows),
        level: options.level,
        columns,
        notes,
        domain_classifier: None,
    })
}

fn untested(column: &ColumnStatistics, options: &DriftOptions) -> ColumnDrift {
    ColumnDrift {
        column: column.name.clone(),
        path: column.path.clone(),
        role: options.role(&column.name),
        compared_as: options.comparison(column),
        signals: Vec::new(),
        bins: Vec::new(),
        notes: Vec::new(),
    }
}

fn gone(column: &ColumnStatistics, options: &DriftOptions) -> ColumnDrift {
    let mut drift = untested(column, options);
    let detail = "the current data do not have this column".to_owned();
    let measured = Measured::exactly(Measure::Presence, 1.0, 0.0, None, detail);
    drift.signals.push(signal(&column.name, measured, options));
    drift
}

/// A column of both sides.
struct Pair<'a> {
    now: View<'a>,
    before: View<'a>,
}

impl Pair<'_> {
    fn compare(
        &self,
        current: DriftSide<'_>,
        reference: DriftSide<'_>,
        options: &DriftOptions,
    ) -> ColumnDrift {
        let Self { now, before } = *self;
        let is_there = before.column.num_values() > 0;
        let mut drift = untested(if is_there { before } else { now }.column, options);
        let mut measured = signals::rates(now, before);
        let is_empty = [now, before].iter().any(|side| !(side.values() > 0.0));
        let kinds = [&now.column.kind, &before.column.kind];
        if is_empty {
            drift.notes.push("a side has no values, so that only the missing rate is compared".into());
        } else if family(kinds[0]) != family(kinds[1]) {
            let detail = format!("{}, was {}", kinds[0], kinds[1]);
            measured.push(Measured::exactly(Measure::Type, 1.0, 0.0, None, detail));
        } else {
            let tables = [current, reference].map(|side| {
                let tables =
                    side.tables.filter(|_| before.column.path.is_empty() && options.weight.is_none());
                tables.and_then(|tables| tables.get(&before.column.name))
            });
            match drift.compared_as {
                Comparison::Numbers => self.numbers(tables, options, &mut measured, &mut drift),
                Comparison::Labels => self.labels(options, &mut measured, &mut drift),
                Comparison::Nothing => {}
            }
            measured.extend(signals::length(now, before));
        }
        let name = &before.column.name;
        drift.signals = measured.into_iter().map(|one| signal(name, one, options)).collect();
        drift
    }

    fn numbers(
        &self,
        tables: [Option<&Cumulative>; 2],
        options: &DriftOptions,
        measured: &mut Vec<Measured>,
        drift: &mut ColumnDrift,
    ) {
        let Self { now, before } = *self;
        let known = [0, 1].map(|side| match tables[side] {
            Some(_) => None,
            None => Cumulative::of_view([now, before][side]),
        });
        let side = |index: usize| tables[index].or(known[index].as_ref());
        let (Some(current), Some(reference)) = (side(0), side(1)) else {
            drift.notes.push("a side has no finite numbers, or no quantiles of them".into());
            return;
        };
        let measures = options.distances(&before.column.name, Comparison::Numbers);
        let (found, _) = of_numbers(&measures, (current, reference), [now, before]);
        unmeasured(&measures, &found.measured, drift);
        measured.splice(0..0, found.measured);
        measured.push(signals::out_of_range(current, reference));
        drift.bins = found.bins;
    }

    fn labels(&self, options: &DriftOptions, measured: &mut Vec<Measured>, drift: &mut ColumnDrift) {
        let Self { now, before } = *self;
        let Some(labels) = AlignedLabels::new(now, before) else {
            drift.notes.push("a side does not list its most frequent values".into());
            return;
        };
        let measures = options.distances(&before.column.name, Comparison::Labels);
        if let Some((found, _)) = of_labels(&measures, &labels, [now, before]) {
            unmeasured(&measures, &found.measured, drift);
            measured.splice(0..0, found.measured);
            drift.bins = found.bins;
        }
        if !labels.is_complete {
            drift.notes.push("not all labels are listed: new ones cannot be told, nor their number".into());
        }
        let (n, m) = labels.pairs().iter().fold((0.0, 0.0), |(n, m), (x, y)| (n + x, m + y));
        measured.extend(signals::new_categories(&labels, n, m));
        measured.extend(signals::cardinality(&labels, n, m));
    }
}

/// Says which of the distances could not be measured, so that none is silent.
fn unmeasured(asked: &[Measure], found: &[Measured], drift: &mut ColumnDrift) {
    for measure in asked {
        if !found.iter().any(|one| one.measure == *measure) {
            drift.notes.push(format!("`{measure}` needs statistics that are not there"));
        }
    }
}

/// Kinds that are the same sort of values: a file that says 1 and one that says 1.5 both hold numbers.
fn family(kind: &ColumnKind) -> u8 {
    match kind {
        ColumnKind::Boolean => 0,
        kind if kind.is_number() => 1,
        ColumnKind::Text => 2,
        ColumnKind::Binary => 3,
        ColumnKind::Date | ColumnKind::Timestamp { .. } => 4,
        ColumnKind::List(_) => 5,
        ColumnKind::Struct(_) => 6,
        _ => 7,
    }
}

fn signal(column: &str, measured: Measured, options: &DriftOptions) -> Signal {
    let Measured { measure, bounds: (at_least, value, at_most), noise, tail, tail_is_bound, detail } =
        measured;
    Signal {
        measure,
        value,
        at_least,
        at_most,
        threshold: options.threshold(column, measure),
        noise_floor: noise,
        effect: (value - noise).max(0.0),
        p: tail,
        p_is_upper_bound: tail_is_bound,
        q: None,
        alarm: false,
        detail,
    }
}

/// One decision for all reports.
pub(super) fn decide_all(reports: &mut [DriftReport], level: f64, further: &[f64]) -> Vec<f64> {
    decide(&mut reports.iter_mut().flat_map(|report| &mut report.columns).collect::<Vec<_>>(), level, further)
}

impl Signal {
    /// What must be above the threshold, and above what noise: the value above the noise floor. Of the Jensen-Shannon
    /// divergence of numbers it is the value without that floor, most of which is that of the histograms' bounds and does
    /// not fade with more rows: a trifling change of many rows would lift the value above both.
    pub(super) fn held_against_threshold(&self, compared_as: Comparison) -> (f64, f64) {
        match (self.measure, compared_as) {
            (Measure::JensenShannon, Comparison::Numbers) => (self.effect, 0.0),
            _ => (self.value, self.noise_floor),
        }
    }
}

/// Gives every p its q, and says what is an alarm. The distances of a column share one test. `further` tests are among
/// those that q corrects for; answers their q.
fn decide(columns: &mut [&mut ColumnDrift], level: f64, further: &[f64]) -> Vec<f64> {
    let mut tails = further.to_vec();
    for column in columns.iter() {
        let distance = column.signals.iter().find(|signal| signal.measure.is_distance());
        tails.extend(distance.and_then(|signal| signal.p));
        let others = column.signals.iter().filter(|signal| !signal.measure.is_distance());
        tails.extend(others.filter_map(|signal| signal.p));
    }
    let mut next = benjamini_hochberg(&tails).into_iter();
    let of_further = next.by_ref().take(further.len()).collect();
    for column in columns.iter_mut() {
        let has_distance = column.signals.iter().any(|signal| signal.measure.is_distance());
        let of_distances = if has_distance { next.next() } else { None };
        for signal in column.signals.iter_mut() {
            signal.q = match signal.measure {
                measure if measure.is_distance() => of_distances,
                _ => signal.p.and_then(|_| next.next()),
            };
            let (held, noise) = signal.held_against_threshold(column.compared_as);
            let is_beyond_chance = signal.q.is_none_or(|q| q <= level) && held > noise;
            signal.alarm = held > signal.threshold && is_beyond_chance;
        }
    }
    of_further
}
