//! Statistics of regressions: rows from the least absolute error to the greatest, and how errors are spread.
//!
//! The quantile q of weighted rows is the least error such that the rows up to it have the share q of the weight; where
//! they have exactly that, the mean with the next error (`averaged_inverted_cdf` of NumPy, definition 2 of R. J.
//! Hyndman and Y. Fan, "Sample quantiles in statistical packages", American Statistician 50 (1996)), which makes half
//! the weight the median.

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::figures::{RankedPlan, Ranking, SliceFigures};
use super::order::{First, Place, in_order};
use super::replicated::{self, Along, ErrorFollower};
use super::rows::{Columns, Labels};
use super::totals::Totals;
use crate::curves::{Curves, ErrorBin};
use crate::metric::{Statistic, Undefined};

/// Into so many ranges of one width errors are counted.
const BINS: usize = 40;

/// Fills in what is asked for of them.
pub(super) fn fill(ranking: &Ranking<'_>, figures: &mut [Vec<SliceFigures>]) -> Result<()> {
    let Labels::Numbers(labels) = &ranking.columns.labels else { return Ok(()) };
    for (grouping, layout) in ranking.layouts.iter().enumerate() {
        if ranking.has_curves(grouping) {
            let mut histograms = Histograms::new(layout.totals.len(), ranking.columns.predictions.len());
            histograms.widen(ranking.columns, |row| layout.slice_of(row));
            histograms.count(ranking.columns, |row| layout.slice_of(row));
            histograms.put(&mut figures[grouping]);
        }
    }
    let quantiles = quantiles(ranking.plan);
    if quantiles.is_empty() {
        return Ok(());
    }
    let mut scratch = Vec::new();
    let slices = replicated::counts(ranking.layouts);
    for (model, predictions) in ranking.columns.predictions.iter().enumerate() {
        let error = |row: usize| (predictions[row] - labels[row]).abs();
        let order = in_order(labels.len(), error, &[], First::Least);
        for (layout, figures) in ranking.layouts.iter().zip(&mut *figures) {
            ranking.execution.cancel.check()?;
            let places = layout.arrange(&order, &mut scratch);
            let mut start = 0;
            for ((totals, end), slice) in layout.totals.iter().zip(layout.ends()).zip(figures) {
                for (place, share) in &quantiles {
                    let mut walk = QuantileWalk::new(totals, *share);
                    for tied in places[start..end].chunk_by(Place::is_tied) {
                        let weight = tied
                            .iter()
                            .fold(DoubleDouble::ZERO, |sum, place| sum + ranking.columns.weight(place.row()));
                        walk.step(weight, tied.first().map_or(0.0, |first| error(first.row() as usize)));
                    }
                    slice.figures[*place].add(walk.value());
                }
                start = end;
            }
        }
        if let Some(drawing) = replicated::drawing(ranking, &slices) {
            let (columns, layouts) = (ranking.columns, ranking.layouts);
            let rows = Along { columns, layouts, order: &order, numbered: None, number: error };
            drawing.follow(&rows, &ErrorFollower::new(ranking.plan), model, figures)?;
        }
    }
    Ok(())
}

/// The places of quantiles among the statistics, with their shares.
pub(super) fn quantiles(plan: &RankedPlan) -> Vec<(usize, f64)> {
    let share = |(place, statistic)| match statistic {
        Statistic::ErrorQuantile(share) => Some((place, share)),
        _ => None,
    };
    plan.statistics().filter_map(share).collect()
}

/// A quantile on its way, from the least error on.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuantileWalk {
    wanted: DoubleDouble,
    /// What sums of weights may be off by.
    slack: f64,
    sum: DoubleDouble,
    /// The error up to which the rows have exactly the share.
    exact: Option<f64>,
    found: Option<f64>,
}

impl QuantileWalk {
    pub(super) fn new(totals: &Totals, share: f64) -> Self {
        let total = totals.all();
        let slack = 4.0 * f64::EPSILON * total.high;
        Self { wanted: total * share, slack, sum: DoubleDouble::ZERO, exact: None, found: None }
    }

    /// Takes the rows of the next error.
    pub(super) fn step(&mut self, weight: DoubleDouble, error: f64) {
        if self.found.is_some() || !(weight.high > 0.0) {
            return;
        }
        if let Some(before) = self.exact {
            self.found = Some(f64::midpoint(before, error));
            return;
        }
        self.sum = self.sum + weight;
        let beyond = (self.sum - self.wanted).to_f64();
        if beyond > self.slack {
            self.found = Some(error);
        } else if beyond >= -self.slack {
            self.exact = Some(error);
        }
    }

    /// The quantile after the last step.
    pub(super) fn value(&self) -> Result<f64, Undefined> {
        let value = self.found.or(self.exact).ok_or(Undefined::NoWeight)?;
        if value.is_finite() { Ok(value) } else { Err(Undefined::TooLarge) }
    }
}

/// How the errors of each slice of a grouping are spread: ranges of one width from the least error of all models to the
/// greatest.
#[derive(Clone, Debug)]
pub(super) struct Histograms {
    ends: Vec<(f64, f64)>,
    /// By model and slice.
    weights: Vec<Vec<[DoubleDouble; BINS]>>,
}

impl Histograms {
    pub(super) fn new(slices: usize, models: usize) -> Self {
        let none = vec![[DoubleDouble::ZERO; BINS]; slices];
        Self { ends: vec![(f64::INFINITY, f64::NEG_INFINITY); slices], weights: vec![none; models] }
    }

    /// Makes room for the errors of some rows; those of all rows come before any is counted.
    pub(super) fn widen(&mut self, columns: &Columns, slice_of: impl Fn(usize) -> usize) {
        each_error(columns, |_, row, error| {
            let (low, high) = &mut self.ends[slice_of(row)];
            *low = if error < *low { error } else { *low };
            *high = if error > *high { error } else { *high };
        });
    }

    /// Counts the errors of some rows.
    pub(super) fn count(&mut self, columns: &Columns, slice_of: impl Fn(usize) -> usize) {
        each_error(columns, |model, row, error| {
            let slice = slice_of(row);
            let ends = self.ends[slice];
            let sum = &mut self.weights[model][slice][bin((error - ends.0) / width(ends))];
            *sum = *sum + columns.weights.get(row).copied().unwrap_or(1.0);
        });
    }

    /// Fills in the histograms of all models.
    pub(super) fn put(self, slices: &mut [SliceFigures]) {
        for weights in self.weights {
            for ((slice, weights), ends) in slices.iter_mut().zip(weights).zip(&self.ends) {
                slice.curves.push(Curves { errors: bins(&weights, *ends), ..Curves::default() });
            }
        }
    }
}

fn each_error(columns: &Columns, mut visit: impl FnMut(usize, usize, f64)) {
    let Labels::Numbers(labels) = &columns.labels else { return };
    for (model, predictions) in columns.predictions.iter().enumerate() {
        for (row, (prediction, label)) in predictions.iter().zip(labels).enumerate() {
            visit(model, row, prediction - label);
        }
    }
}

fn width((low, high): (f64, f64)) -> f64 {
    (high - low) / BINS as f64
}

/// The range that a place is in; the last one has its upper end too.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "NaN and negative numbers become 0"
)]
fn bin(place: f64) -> usize {
    std::cmp::min(place as usize, BINS - 1)
}

fn bins(weights: &[DoubleDouble; BINS], (low, high): (f64, f64)) -> Vec<ErrorBin> {
    let width = width((low, high));
    if !width.is_finite() {
        return Vec::new();
    }
    // Equal errors have one range of no width.
    let count = if width > 0.0 { BINS } else { 1 };
    let edge = |number: usize| if number == count { high } else { low + width * number as f64 };
    let bin = |number: usize| ErrorBin {
        low: edge(number),
        high: edge(number + 1),
        weight: weights[number].to_f64(),
    };
    (0..count).map(bin).collect()
}
