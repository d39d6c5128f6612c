//! Statistics of classifiers from ranges of scores, where the rows themselves are not kept.
//!
//! The rows of a range count as tied: the area under the ROC curve is that of the scores' ranges, with its error after
//! DeLong as such, and curves and other statistics are those of its steps. What the order within ranges could make of them
//! are their bounds: of the area, half the weight of the pairs of both classes that share a range, by that of all pairs.
//! Where every range with rows has one score, figures and bounds are those of the rows. The error of a change would need
//! the ranges of both models at once; replicates have it.

use std::ops::{Add, Mul, Sub};

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::execution::Cancel;
use sluice_core::group::Grouping;

use super::figures::{RankedFigures, SliceFigures, has_curves, no_figures};
use super::placement::{Area, ClassSums, whole};
use super::scores::{ScoreWalk, of_areas, put_none, put_steps, wants_areas};
use super::totals::{POSITIVE, Totals};
use crate::measure::replicates::SliceReplicates;
use crate::measure::score_bins::{BinWeight, ScoreBin};
use crate::measure::{GroupedSums, MeasurePlan};
use crate::metric::{BoundWalk, ScoreRange, Side, Statistic, Step, StepStatistic, Undefined, Walk};

/// The figures of all slices.
pub(crate) fn figures(plan: &MeasurePlan, sums: &[GroupedSums], cancel: &Cancel) -> Result<RankedFigures> {
    let mut figures = no_figures(&plan.ranked, sums.iter().map(|sums| sums.rows.len()));
    let slices = || sums.iter().map(|sums| sums.rows.len());
    for (number, (sums, slices_of)) in sums.iter().zip(&mut figures).enumerate() {
        let counts = slices().zip(plan.groupings.iter().map(Grouping::is_overall));
        let has_curves = has_curves(counts, number);
        for (group, slice) in slices_of.iter_mut().enumerate() {
            cancel.check()?;
            let ranges = sides(plan).map(|side| Ranges::new(plan, sums, group, side)).collect();
            fill(plan, ranges, has_curves, slice);
            replicate(plan, sums, group, slice);
        }
    }
    Ok(RankedFigures::of(&plan.ranked, figures))
}

fn sides(plan: &MeasurePlan) -> impl Iterator<Item = Side> {
    [Side::Candidate, Side::Baseline].into_iter().take(plan.score_bins.models())
}

/// The ranges of one model in one slice, from the highest to the lowest.
struct Ranges {
    bins: Vec<(usize, ScoreBin, BinWeight)>,
    totals: Totals,
    is_weighted: bool,
}

impl Ranges {
    fn new(plan: &MeasurePlan, sums: &GroupedSums, group: usize, side: Side) -> Self {
        let bins: Vec<_> = sums.score_bins.falling(plan.score_bins, group, side).collect();
        let mut totals = Totals::default();
        for (_, bin, weights) in &bins {
            for class in [0, POSITIVE] {
                totals.rows[class] += bin.rows[class];
                totals.weight[class] = totals.weight[class] + weights.weight[class];
                totals.square[class] = totals.square[class] + weights.square[class];
            }
        }
        Self { bins, totals, is_weighted: plan.weight.is_some() }
    }

    /// As steps, each with the number of its range.
    fn steps(&self) -> impl Iterator<Item = (usize, ScoreRange)> {
        let mut upto = [DoubleDouble::ZERO; 2];
        let total = self.totals.weight.map(DoubleDouble::to_f64);
        self.bins.iter().map(move |(range, bin, weights)| {
            upto = [0, 1].map(|class| upto[class] + weights.weight[class]);
            let taken = [0, 1].map(|class| at_most(upto[class].to_f64(), total[class]));
            let [negative, positive] = weights.weight.map(DoubleDouble::to_f64);
            let [false_positives, true_positives] = taken;
            let step = Step { score: bin.least, positive, negative, true_positives, false_positives };
            (*range, ScoreRange { step, greatest: bin.greatest })
        })
    }

    /// The area under the ROC curve, and how far from it the order within ranges may bring it.
    fn area(&self) -> (Area, f64) {
        let sums = if self.is_weighted {
            let weights = self.bins.iter().map(|(_, _, weights)| (weights.weight, weights.square));
            placed(weights, self.totals.weight, DoubleDouble::ZERO)
                .map(|[weighted, squared, squares]| ClassSums { weighted, squared, squares })
        } else {
            let rows =
                self.bins.iter().map(|(_, bin, _)| (bin.rows.map(i128::from), bin.rows.map(i128::from)));
            placed(rows, self.totals.rows.map(i128::from), 0).map(|sums| {
                let [weighted, squared, squares] = sums.map(whole);
                ClassSums { weighted, squared, squares }
            })
        };
        let shared = self.bins.iter().filter(|(_, bin, _)| bin.least < bin.greatest);
        let shared = shared.fold(DoubleDouble::ZERO, |sum, (_, _, weights)| {
            sum + weights.weight[0] * weights.weight[POSITIVE]
        });
        let pairs = self.totals.weight[0] * self.totals.weight[POSITIVE];
        (Area::of_sums(&self.totals, sums), (shared / (pairs * 2.0)).to_f64())
    }
}

/// Sums of weights in another order may end a little beside the total.
fn at_most(sum: f64, total: f64) -> f64 {
    if sum < total { sum } else { total }
}

/// By class, Σwx, Σw²x and Σw²x² over rows, x being twice the weight of the other class that misplaces them: what stands
/// before a positive row and after a negative one, and half of what shares its range. From the weights and squared
/// weights of ranges that fall.
fn placed<N>(ranges: impl Iterator<Item = ([N; 2], [N; 2])>, total: [N; 2], zero: N) -> [[N; 3]; 2]
where
    N: Copy + Add<Output = N> + Sub<Output = N> + Mul<Output = N>,
{
    let (mut before, mut sums) = ([zero; 2], [[zero; 3]; 2]);
    for (weight, square) in ranges {
        let after = total[POSITIVE] - before[POSITIVE];
        let misplaced = [after + after - weight[POSITIVE], before[0] + before[0] + weight[0]];
        for class in [0, POSITIVE] {
            let (x, squared) = (misplaced[class], square[class] * misplaced[class]);
            let [first, second, third] = sums[class];
            sums[class] = [first + weight[class] * x, second + squared, third + squared * x];
            before[class] = before[class] + weight[class];
        }
    }
    sums
}

/// Fills in the figures of a slice, of the ranges of each model.
fn fill(plan: &MeasurePlan, models: Vec<Ranges>, has_curves: bool, slice: &mut SliceFigures) {
    let plan = &plan.ranked;
    if !models.iter().all(|ranges| ranges.totals.has_both()) {
        return put_none(plan, slice, models.len());
    }
    let mut walks: Vec<ScoreWalk> =
        models.iter().map(|ranges| ScoreWalk::new(plan, &ranges.totals, has_curves)).collect();
    for (ranges, walk) in models.iter().zip(&mut walks) {
        ranges.steps().for_each(|(_, range)| walk.step(&range.step));
    }
    put_steps(plan, slice, walks);
    let areas: Vec<(Area, f64)> =
        if wants_areas(plan) { models.iter().map(Ranges::area).collect() } else { Vec::new() };
    for (place, statistic) in plan.statistics() {
        let figure = &mut slice.figures[place];
        match statistic {
            Statistic::Auc | Statistic::Gini => {
                let is_gini = statistic == Statistic::Gini;
                let own: Vec<Area> = areas.iter().map(|(area, _)| *area).collect();
                *figure = of_areas(&own, models.len(), is_gini);
                figure.change = Err(Undefined::NoErrorOfOrder);
                let scale = if is_gini { 2.0 } else { 1.0 };
                figure.bounds = figure
                    .models
                    .iter()
                    .zip(&areas)
                    .filter_map(|(model, (_, half))| {
                        let value = model.value.ok()?;
                        Some([value - scale * half, value + scale * half])
                    })
                    .collect();
            }
            Statistic::Steps(steps) => {
                figure.bounds = models.iter().map(|ranges| ranges.bounds(steps)).collect();
            }
            // Options refuse them.
            Statistic::ErrorQuantile(_) | Statistic::Spearman => {}
        }
    }
}

impl Ranges {
    fn bounds(&self, statistic: StepStatistic) -> [f64; 2] {
        let [negative, positive] = self.totals.weight.map(DoubleDouble::to_f64);
        let mut walk = BoundWalk::new(statistic, positive, negative);
        self.steps().for_each(|(_, range)| walk.take(&range));
        walk.ends()
    }
}

/// The same figures in replicates, if there are any.
fn replicate(plan: &MeasurePlan, sums: &GroupedSums, group: usize, slice: &mut SliceFigures) {
    let Some(replicates) = SliceReplicates::new(plan, &sums.replicates, group) else { return };
    for side in sides(plan) {
        let ranges: Vec<(usize, f64)> = sums
            .score_bins
            .falling(plan.score_bins, group, side)
            .map(|(range, bin, _)| (range, bin.least))
            .collect();
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); slice.figures.len()];
        for replicate in 0..replicates.resampling().replicates() {
            let drawn =
                ranges.iter().map(|(range, least)| (replicates.score_bin(side, *range, replicate), *least));
            let drawn: Vec<([f64; 2], f64)> = drawn.collect();
            let total = [0, 1].map(|class| drawn.iter().map(|(weights, _)| weights[class]).sum::<f64>());
            for (place, statistic) in plan.ranked.statistics() {
                values[place].push(in_replicate(statistic, &drawn, total));
            }
        }
        slice.figures.iter_mut().zip(values).for_each(|(figure, values)| figure.replicates.push(values));
    }
}

/// A statistic of ranges of these weights and least scores, that fall; NaN where there is none.
fn in_replicate(statistic: Statistic, ranges: &[([f64; 2], f64)], total: [f64; 2]) -> f64 {
    let [negatives, positives] = total;
    if !(negatives > 0.0 && positives > 0.0) {
        return f64::NAN;
    }
    let mut upto = [0.0; 2];
    let steps = ranges.iter().filter(|(weights, _)| weights[0] + weights[1] > 0.0).map(|(weights, least)| {
        upto = [0, 1].map(|class| upto[class] + weights[class]);
        let [false_positives, true_positives] = [0, 1].map(|class| at_most(upto[class], total[class]));
        let [negative, positive] = *weights;
        Step { score: *least, positive, negative, true_positives, false_positives }
    });
    let misplaced = |step: Step| step.positive * (step.false_positives - 0.5 * step.negative);
    match statistic {
        Statistic::Auc => 1.0 - steps.map(misplaced).sum::<f64>() / (positives * negatives),
        Statistic::Gini => 1.0 - 2.0 * steps.map(misplaced).sum::<f64>() / (positives * negatives),
        Statistic::Steps(statistic) => {
            let mut walk = Walk::new(statistic, positives, negatives);
            steps.for_each(|step| walk.step(&step));
            walk.value()
        }
        Statistic::ErrorQuantile(_) | Statistic::Spearman => f64::NAN,
    }
}
