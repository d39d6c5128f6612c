//! Statistics of classifiers: rows from the highest score to the lowest.

use sluice_core::error::Result;

use super::curve::Thinned;
use super::figures::{Figure, Ranking, SliceFigures, Value};
use super::order::{First, Place, in_order};
use super::placement::{Area, SliceRows, Weighing};
use super::totals::{POSITIVE, Totals};
use crate::curves::Curves;
use crate::metric::{Statistic, StepStatistic, Undefined, Walk};

/// Fills in what is asked for of them.
pub(super) fn fill<W: Weighing>(
    ranking: &Ranking<'_>,
    weighing: W,
    figures: &mut [Vec<SliceFigures>],
) -> Result<()> {
    let is_mine = |statistic| matches!(statistic, Statistic::Auc | Statistic::Gini | Statistic::Steps(_));
    if !ranking.plan.statistics().any(|(_, statistic)| is_mine(statistic)) {
        return Ok(());
    }
    let orders = orders(ranking);
    let mut scratch = vec![Vec::new(); orders.len()];
    let rows = if orders.len() > 1 { ranking.columns.rows() } else { 0 };
    let mut amounts = vec![W::Amount::default(); rows];
    for (grouping, layout) in ranking.layouts.iter().enumerate() {
        ranking.execution.cancel.check()?;
        let places: Vec<&[Place]> =
            orders.iter().zip(&mut scratch).map(|(order, scratch)| layout.arrange(order, scratch)).collect();
        let mut start = 0;
        for ((totals, end), figures) in layout.totals.iter().zip(layout.ends()).zip(&mut figures[grouping]) {
            let slice = ScoredSlice {
                ranking,
                rows: SliceRows { labels: ranking.columns.classes(), weighing, totals },
                places: places.iter().map(|places| &places[start..end]).collect(),
                has_curves: ranking.has_curves(grouping),
            };
            slice.fill(figures, &mut amounts);
            start = end;
        }
    }
    Ok(())
}

/// The rows by the score of each model, from the highest on.
fn orders(ranking: &Ranking<'_>) -> Vec<Vec<Place>> {
    let order = |predictions: &Vec<f64>| in_order(predictions.iter().copied(), First::Greatest);
    match ranking.columns.predictions.as_slice() {
        [candidate, baseline] if ranking.execution.threads.get() > 1 => std::thread::scope(|scope| {
            let other = scope.spawn(|| order(baseline));
            let own = order(candidate);
            match other.join() {
                Ok(other) => vec![own, other],
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }),
        models => models.iter().map(order).collect(),
    }
}

/// The rows of a slice, by the score of each model.
struct ScoredSlice<'a, W> {
    ranking: &'a Ranking<'a>,
    rows: SliceRows<'a, W>,
    places: Vec<&'a [Place]>,
    has_curves: bool,
}

impl<W: Weighing> ScoredSlice<'_, W> {
    fn fill(&self, slice: &mut SliceFigures, amounts: &mut [W::Amount]) {
        let statistics = || self.ranking.plan.statistics();
        if !self.rows.totals.has_both() {
            for (place, _) in statistics() {
                slice.figures[place] = Figure::alone(self.places.iter().map(|_| Err(Undefined::OneClass)));
            }
            return;
        }
        let wants_areas =
            statistics().any(|(_, statistic)| matches!(statistic, Statistic::Auc | Statistic::Gini));
        if wants_areas {
            let areas = match self.places.as_slice() {
                [candidate, baseline] => self.rows.areas(candidate, baseline, amounts).to_vec(),
                models => models.iter().map(|places| self.rows.area(places)).collect(),
            };
            for (place, statistic) in statistics() {
                match statistic {
                    Statistic::Auc => slice.figures[place] = of_areas(&areas, self.places.len(), false),
                    Statistic::Gini => slice.figures[place] = of_areas(&areas, self.places.len(), true),
                    Statistic::Steps(_) | Statistic::ErrorQuantile(_) | Statistic::Spearman => {}
                }
            }
        }
        let of_steps: Vec<(usize, StepStatistic)> = statistics()
            .filter_map(|(place, statistic)| match statistic {
                Statistic::Steps(statistic) => Some((place, statistic)),
                _ => None,
            })
            .collect();
        if of_steps.is_empty() && !self.has_curves {
            return;
        }
        let walked: Vec<(Vec<Walk>, Curves)> =
            (0..self.places.len()).map(|model| self.walk(model, &of_steps)).collect();
        for (number, (place, _)) in of_steps.iter().enumerate() {
            let values = walked.iter().map(|(walks, _)| Ok(walks[number].value()));
            slice.figures[*place] = Figure::alone(values);
        }
        if self.has_curves {
            slice.curves = walked.into_iter().map(|(_, curves)| curves).collect();
        }
    }

    /// All statistics of steps of one model in one walk.
    fn walk(&self, model: usize, statistics: &[(usize, StepStatistic)]) -> (Vec<Walk>, Curves) {
        let Totals { weight, .. } = self.rows.totals;
        let (positive, negative) = (weight[POSITIVE].to_f64(), weight[0].to_f64());
        let new = |(_, statistic): &(usize, StepStatistic)| Walk::new(*statistic, positive, negative);
        let mut walks: Vec<Walk> = statistics.iter().map(new).collect();
        let (mut roc, mut precision_recall) = (Thinned::default(), Thinned::default());
        if self.has_curves {
            roc.push(None, 0.0, 0.0);
        }
        let scores = &self.ranking.columns.predictions[model];
        self.rows.steps(self.places[model], scores, |step| {
            walks.iter_mut().for_each(|walk| walk.step(step));
            if self.has_curves {
                let (threshold, recall) = (Some(step.threshold()), step.true_positives / positive);
                roc.push(threshold, step.false_positives / negative, recall);
                precision_recall.push(threshold, recall, step.precision());
            }
        });
        let curves =
            Curves { roc: roc.points(), precision_recall: precision_recall.points(), ..Curves::default() };
        (walks, curves)
    }
}

/// The area itself, or what it is beyond chance: twice the area less one.
fn of_areas(areas: &[Area], models: usize, is_gini: bool) -> Figure {
    let of = |area: &Area| {
        let value = if is_gini { area.value * 2.0 + -1.0 } else { area.value };
        let estimate = area.estimate().map(|estimate| (estimate, area.least_rows()));
        Value { value: Ok(value.to_f64()), estimate }
    };
    let change = match areas {
        [_, _, change] => change.estimate().map(|change| if is_gini { change.scaled(2.0) } else { change }),
        _ => Err(Undefined::NotRanked),
    };
    Figure { models: areas.iter().take(models).map(of).collect(), change }
}
