//! What is kept of dates and timestamps: range, resolution, quantiles, histogram, distinct, top values of dates.

use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::statistics::{ColumnStatistics, TimeBucket, TimeStatistics};
use sluice_summaries::Ranks;

use super::super::time::{UNITS, iso, units_of};
use super::numbers::{Numbers, Sampling};
use super::{QUANTILES, all_values, distinct};

/// Spans of the histogram.
const SPANS: i128 = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Times {
    instants: Numbers,
    /// How many of the column's steps the units of [`UNITS`] have, those that it can tell.
    units: Vec<i64>,
    /// The coarsest unit so far that all are whole numbers of.
    unit: usize,
}

impl Times {
    pub(super) fn new(kind: &ColumnKind) -> Self {
        Self { instants: Numbers::of_instants(), units: units_of(kind), unit: 0 }
    }

    fn note_unit(&mut self, value: i64) {
        while let Some(steps) = self.units.get(self.unit)
            && value % steps != 0
        {
            self.unit += 1;
        }
    }

    pub(super) fn rows(&mut self, values: &ArrayRef, sampling: Sampling) {
        let instants = instants(values);
        instants.iter().for_each(|value| self.note_unit(*value));
        self.instants.integers(&instants, sampling);
    }

    /// Takes in instants with their counts, ascending.
    pub(super) fn ascending(&mut self, pairs: &[(i64, u64)]) {
        pairs.iter().for_each(|(instant, _)| self.note_unit(*instant));
        self.instants.ascending(pairs);
    }

    pub(super) fn merge(&mut self, later: Self) {
        self.instants.merge(later.instants);
        self.unit = self.unit.max(later.unit);
    }

    pub(super) fn finish(mut self, kind: &ColumnKind, statistics: &mut ColumnStatistics) {
        let all = self.instants.settle();
        let text = |value: i64| iso(kind, value);
        statistics.distinct = Some(distinct(&self.instants.distinct));
        if *kind == ColumnKind::Date {
            statistics.top_values =
                all.and_then(|all| all_values(all.into_iter().map(|(day, count)| (text(day), count))));
        }
        let Some((earliest, latest)) = self.instants.range else { return };
        let ranks = self.instants.quantiles.ranks_by(|instant| instant);
        let quantiles = QUANTILES.iter().filter_map(|q| Some((*q, text(ranks.quantile(*q)?))));
        statistics.time = Some(TimeStatistics {
            earliest: text(earliest),
            latest: text(latest),
            resolution: UNITS.get(self.unit).map(|(name, _)| (*name).to_owned()),
            quantiles: quantiles.collect(),
            rank_error_fraction: self.instants.quantiles.rank_error_fraction(),
            histogram: spans(&ranks, earliest, latest, text),
        });
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.instants.size_bytes() + self.units.capacity() * size_of::<i64>()
    }
}

/// The instants of a column that are there, in its own steps.
fn instants(values: &ArrayRef) -> Vec<i64> {
    match Column::view(values) {
        Column::Date(days) => days.iter().flatten().map(i64::from).collect(),
        Column::TimestampMicrosecond(instants) => instants.iter().flatten().collect(),
        Column::TimestampNanosecond(instants) => instants.iter().flatten().collect(),
        _ => Vec::new(),
    }
}

/// Counts in spans of equal length, fewer where there are not enough steps for ten.
fn spans(ranks: &Ranks<i64>, earliest: i64, latest: i64, text: impl Fn(i64) -> String) -> Vec<TimeBucket> {
    let length = i128::from(latest) - i128::from(earliest);
    let end = |span: i128| i64::try_from(i128::from(earliest) + length * span / SPANS).unwrap_or(latest);
    let mut ends: Vec<i64> = (1..=SPANS).map(end).filter(|end| *end > earliest || length == 0).collect();
    ends.dedup();
    let bars = ranks.bars(ends.into_iter()).into_iter();
    bars.map(|bar| TimeBucket { low: text(bar.low), high: text(bar.high), count: bar.count as f64 }).collect()
}
