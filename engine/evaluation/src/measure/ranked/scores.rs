//! Statistics of classifiers: rows from the highest score to the lowest.

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::curve::Thinned;
use super::figures::{Figure, RankedPlan, Ranking, SliceFigures, Value};
use super::order::{First, Place, in_order};
use super::placement::{Area, SliceRows, Weighing};
use super::totals::Totals;
use crate::curves::Curves;
use crate::metric::{Statistic, Step, StepStatistic, Undefined, Walk};

/// Fills in what is asked for of them.
pub(super) fn fill<W: Weighing>(
    ranking: &Ranking<'_>,
    weighing: W,
    figures: &mut [Vec<SliceFigures>],
) -> Result<()> {
    if !wants_areas(ranking.plan) && !wants_steps(ranking.plan) {
        return Ok(());
    }
    let orders = orders(ranking);
    let mut scratch = vec![Vec::new(); orders.len()];
    let rows = if orders.len() > 1 { ranking.columns.rows() } else { 0 };
    let mut amounts = vec![W::Stored::default(); rows];
    for (grouping, layout) in ranking.layouts.iter().enumerate() {
        ranking.execution.cancel.check()?;
        let places: Vec<&[Place]> =
            orders.iter().zip(&mut scratch).map(|(order, scratch)| layout.arrange(order, scratch)).collect();
        let mut start = 0;
        for ((totals, end), figures) in layout.totals.iter().zip(layout.ends()).zip(&mut figures[grouping]) {
            let slice = ScoredSlice {
                ranking,
                rows: SliceRows { weighing, totals },
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
    let order = |predictions: &Vec<f64>| {
        in_order(predictions.iter().copied(), ranking.columns.classes(), First::Greatest)
    };
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
    fn fill(&self, slice: &mut SliceFigures, amounts: &mut [W::Stored]) {
        let plan = self.ranking.plan;
        if !self.rows.totals.has_both() {
            return put_none(plan, slice, self.places.len());
        }
        if wants_areas(plan) {
            let areas = match self.places.as_slice() {
                [candidate, baseline] => self.rows.areas(candidate, baseline, amounts).to_vec(),
                models => models.iter().map(|places| self.rows.area(places)).collect(),
            };
            put_areas(plan, slice, &areas, self.places.len());
        }
        if wants_steps(plan) || self.has_curves {
            let models = self.places.iter().zip(&self.ranking.columns.predictions);
            let walks = models.map(|(places, scores)| {
                let mut walk = ScoreWalk::new(plan, self.rows.totals, self.has_curves);
                self.rows.steps(places, scores, |step| walk.step(step));
                walk
            });
            put_steps(plan, slice, walks.collect());
        }
    }
}

/// All statistics of steps of one model in one walk.
#[derive(Clone, Debug)]
pub(super) struct ScoreWalk {
    positive: f64,
    negative: f64,
    walks: Vec<Walk>,
    /// The ROC curve, and that of precision over recall.
    curves: Option<[Thinned; 2]>,
}

impl ScoreWalk {
    pub(super) fn new(plan: &RankedPlan, totals: &Totals, has_curves: bool) -> Self {
        let [negative, positive] = totals.weight.map(DoubleDouble::to_f64);
        let walks = of_steps(plan).map(|(_, statistic)| Walk::new(statistic, positive, negative)).collect();
        let curves = has_curves.then(|| {
            let mut curves = [Thinned::default(), Thinned::default()];
            curves[0].push(None, 0.0, 0.0);
            curves
        });
        Self { positive, negative, walks, curves }
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.walks.iter_mut().for_each(|walk| walk.step(step));
        if let Some([roc, precision_recall]) = &mut self.curves {
            let (threshold, recall) = (Some(step.threshold()), step.true_positives / self.positive);
            roc.push(threshold, step.false_positives / self.negative, recall);
            precision_recall.push(threshold, recall, step.precision());
        }
    }
}

/// Whether something of areas is asked for.
pub(super) fn wants_areas(plan: &RankedPlan) -> bool {
    plan.statistics().any(|(_, statistic)| matches!(statistic, Statistic::Auc | Statistic::Gini))
}

/// Whether something of steps is asked for.
pub(super) fn wants_steps(plan: &RankedPlan) -> bool {
    of_steps(plan).next().is_some()
}

fn of_steps(plan: &RankedPlan) -> impl Iterator<Item = (usize, StepStatistic)> {
    plan.statistics().filter_map(|(place, statistic)| match statistic {
        Statistic::Steps(statistic) => Some((place, statistic)),
        _ => None,
    })
}

/// What a slice of one class has.
pub(super) fn put_none(plan: &RankedPlan, slice: &mut SliceFigures, models: usize) {
    for (place, _) in plan.statistics() {
        slice.figures[place] = Figure::alone((0..models).map(|_| Err(Undefined::OneClass)));
    }
}

/// Fills in the areas of all models, with the change of two.
pub(super) fn put_areas(plan: &RankedPlan, slice: &mut SliceFigures, areas: &[Area], models: usize) {
    for (place, statistic) in plan.statistics() {
        match statistic {
            Statistic::Auc => slice.figures[place] = of_areas(areas, models, false),
            Statistic::Gini => slice.figures[place] = of_areas(areas, models, true),
            Statistic::Steps(_) | Statistic::ErrorQuantile(_) | Statistic::Spearman => {}
        }
    }
}

/// Fills in the walks of all models.
pub(super) fn put_steps(plan: &RankedPlan, slice: &mut SliceFigures, models: Vec<ScoreWalk>) {
    for (number, (place, _)) in of_steps(plan).enumerate() {
        slice.figures[place] = Figure::alone(models.iter().map(|model| Ok(model.walks[number].value())));
    }
    for [roc, precision_recall] in models.into_iter().filter_map(|model| model.curves) {
        let (roc, precision_recall) = (roc.points(), precision_recall.points());
        slice.curves.push(Curves { roc, precision_recall, ..Curves::default() });
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
