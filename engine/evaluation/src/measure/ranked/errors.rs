//! Statistics of regressions: rows from the least absolute error to the greatest, and how errors are spread.
//!
//! The quantile q of weighted rows is the least error such that the rows up to it have the share q of the weight; where
//! they have exactly that, the mean with the next error (`averaged_inverted_cdf` of NumPy, definition 2 of R. J.
//! Hyndman and Y. Fan, "Sample quantiles in statistical packages", American Statistician 50 (1996)), which makes half
//! the weight the median.

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::figures::{Ranking, SliceFigures};
use super::order::{First, Place, in_order};
use super::rows::{Columns, Labels};
use super::totals::{Layout, Totals};
use crate::curves::{Curves, ErrorBin};
use crate::metric::{Statistic, Undefined};

/// Into so many ranges of one width errors are counted.
const BINS: usize = 40;

/// Fills in what is asked for of them.
pub(super) fn fill(ranking: &Ranking<'_>, figures: &mut [Vec<SliceFigures>]) -> Result<()> {
    let Labels::Numbers(labels) = &ranking.columns.labels else { return Ok(()) };
    for (grouping, layout) in ranking.layouts.iter().enumerate() {
        if ranking.has_curves(grouping) {
            histograms(ranking.columns, labels, layout, &mut figures[grouping]);
        }
    }
    let quantiles: Vec<(usize, f64)> = ranking
        .plan
        .statistics()
        .filter_map(|(place, statistic)| match statistic {
            Statistic::ErrorQuantile(share) => Some((place, share)),
            _ => None,
        })
        .collect();
    if quantiles.is_empty() {
        return Ok(());
    }
    let mut scratch = Vec::new();
    for predictions in &ranking.columns.predictions {
        let error = |row: usize| (predictions[row] - labels[row]).abs();
        let order = in_order((0..labels.len()).map(error), First::Least);
        for (layout, figures) in ranking.layouts.iter().zip(&mut *figures) {
            ranking.execution.cancel.check()?;
            let places = layout.arrange(&order, &mut scratch);
            let mut start = 0;
            for ((totals, end), slice) in layout.totals.iter().zip(layout.ends()).zip(figures) {
                let rows = SortedErrors { columns: ranking.columns, places: &places[start..end], totals };
                for (place, share) in &quantiles {
                    let value = rows.quantile(*share, |row| error(row as usize));
                    slice.figures[*place].add(value);
                }
                start = end;
            }
        }
    }
    Ok(())
}

/// The rows of a slice, sorted.
struct SortedErrors<'a> {
    columns: &'a Columns,
    places: &'a [Place],
    totals: &'a Totals,
}

impl SortedErrors<'_> {
    fn quantile(&self, share: f64, error: impl Fn(u32) -> f64) -> Result<f64, Undefined> {
        let total = self.totals.all();
        let wanted = total * share;
        // What sums of weights may be off by.
        let slack = 4.0 * f64::EPSILON * total.high;
        let (mut sum, mut found) = (DoubleDouble::ZERO, None);
        for tied in self.places.chunk_by(|one, next| one.step == next.step) {
            let weight =
                tied.iter().fold(DoubleDouble::ZERO, |sum, place| sum + self.columns.weight(place.row));
            let Some(first) = tied.first().filter(|_| weight.high > 0.0) else { continue };
            let error = error(first.row);
            if let Some(before) = found {
                return finite(f64::midpoint(before, error));
            }
            sum = sum + weight;
            let beyond = (sum - wanted).to_f64();
            if beyond > slack {
                return finite(error);
            }
            if beyond >= -slack {
                found = Some(error);
            }
        }
        found.ok_or(Undefined::NoWeight).and_then(finite)
    }
}

fn finite(value: f64) -> Result<f64, Undefined> {
    if value.is_finite() { Ok(value) } else { Err(Undefined::TooLarge) }
}

/// How the errors of each slice are spread: ranges of one width from the least error of all models to the greatest.
fn histograms(columns: &Columns, labels: &[f64], layout: &Layout<'_>, figures: &mut [SliceFigures]) {
    let mut ends = vec![(f64::INFINITY, f64::NEG_INFINITY); layout.totals.len()];
    for predictions in &columns.predictions {
        for (row, (prediction, label)) in predictions.iter().zip(labels).enumerate() {
            let ((low, high), error) = (&mut ends[layout.slice_of(row)], prediction - label);
            *low = if error < *low { error } else { *low };
            *high = if error > *high { error } else { *high };
        }
    }
    let width = |(low, high): (f64, f64)| (high - low) / BINS as f64;
    for predictions in &columns.predictions {
        let mut weights = vec![[DoubleDouble::ZERO; BINS]; layout.totals.len()];
        for (row, (prediction, label)) in predictions.iter().zip(labels).enumerate() {
            let slice = layout.slice_of(row);
            let share = (prediction - label - ends[slice].0) / width(ends[slice]);
            let weight = columns.weights.get(row).copied().unwrap_or(1.0);
            let sum = &mut weights[slice][bin(share)];
            *sum = *sum + weight;
        }
        for ((slice, weights), ends) in figures.iter_mut().zip(weights).zip(&ends) {
            let errors = bins(&weights, *ends, width(*ends));
            slice.curves.push(Curves { errors, ..Curves::default() });
        }
    }
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

fn bins(weights: &[DoubleDouble; BINS], (low, high): (f64, f64), width: f64) -> Vec<ErrorBin> {
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
