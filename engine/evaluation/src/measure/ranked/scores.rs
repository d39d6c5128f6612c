//! Statistics of classifiers: rows from the highest score to the lowest.

use std::sync::{Mutex, PoisonError};

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::curve::Thinned;
use super::figures::{Figure, RankedPlan, Ranking, SliceFigures, Value};
use super::order::{First, Place, in_order, renumber};
use super::placement::{Area, Counted, SliceRows, Weighing, Weighted};
use super::totals::{Layout, Totals};
use crate::curves::Curves;
use crate::metric::{Statistic, Step, StepStatistic, Undefined, Walk};

/// More threads than this do not work on groupings at a time: each takes memory for all rows.
const MAX_WORKERS: usize = 4;

/// Fills in what is asked for of them.
///
/// Rows are renumbered first, in the order of the candidate's scores: what its walks look up stands in order then, and
/// what the baseline's look up is near, as far as the two models agree.
pub(super) fn fill(ranking: &Ranking<'_>, figures: &mut [Vec<SliceFigures>]) -> Result<()> {
    if !wants_areas(ranking.plan) && !wants_steps(ranking.plan) {
        return Ok(());
    }
    let columns = ranking.columns;
    let Some(predictions) = columns.predictions.first() else { return Ok(()) };
    let mut candidate = in_order(predictions.iter().copied(), columns.classes(), First::Greatest);
    let columns = columns.renumbered(&candidate);
    renumber(&mut candidate);
    ranking.execution.cancel.check()?;
    let others = columns.predictions.iter().skip(1);
    let others = others.map(|scores| in_order(scores.iter().copied(), columns.classes(), First::Greatest));
    let orders: Vec<Vec<Place>> = std::iter::once(candidate).chain(others).collect();
    let mut groups = columns.groups.iter();
    let of_layout = |layout: &Layout<'_>| {
        layout.with(if layout.is_overall() { None } else { groups.next().map(Vec::as_slice) })
    };
    let layouts: Vec<Layout<'_>> = ranking.layouts.iter().map(of_layout).collect();
    let ranking = Ranking { columns: &columns, layouts: &layouts, ..*ranking };
    match columns.weights.as_slice() {
        [] => of_groupings(&ranking, &orders, Counted, figures),
        weights => of_groupings(&ranking, &orders, Weighted(weights), figures),
    }
}

/// All groupings, on several threads.
fn of_groupings<W: Weighing>(
    ranking: &Ranking<'_>,
    orders: &[Vec<Place>],
    weighing: W,
    figures: &mut [Vec<SliceFigures>],
) -> Result<()> {
    let jobs = Mutex::new(figures.iter_mut().enumerate());
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<()> {
        let mut room = Room::<W>::new(orders.len(), ranking.columns.rows());
        while let Some((grouping, figures)) = next() {
            ranking.execution.cancel.check()?;
            of_grouping(ranking, orders, weighing, grouping, figures, &mut room);
        }
        Ok(())
    };
    let workers = [ranking.execution.threads.get(), MAX_WORKERS, ranking.layouts.len()];
    std::thread::scope(|scope| {
        let others = workers.into_iter().min().map_or(0, |workers| workers.saturating_sub(1));
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().fold(own, |outcome, other| match other.join() {
            Ok(theirs) => outcome.and(theirs),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Memory that the groupings use one after the other.
struct Room<W: Weighing> {
    places: Vec<Vec<Place>>,
    amounts: Vec<W::Stored>,
}

impl<W: Weighing> Room<W> {
    fn new(models: usize, rows: usize) -> Self {
        let amounts = vec![W::Stored::default(); if models > 1 { rows } else { 0 }];
        Self { places: vec![Vec::new(); models], amounts }
    }
}

/// The slices of one grouping.
fn of_grouping<W: Weighing>(
    ranking: &Ranking<'_>,
    orders: &[Vec<Place>],
    weighing: W,
    grouping: usize,
    figures: &mut [SliceFigures],
    room: &mut Room<W>,
) {
    let layout = &ranking.layouts[grouping];
    let models = orders.iter().zip(&mut room.places);
    let places: Vec<&[Place]> = models.map(|(order, scratch)| layout.arrange(order, scratch)).collect();
    let mut start = 0;
    for ((totals, end), figures) in layout.totals.iter().zip(layout.ends()).zip(figures) {
        let slice = ScoredSlice {
            ranking,
            rows: SliceRows { weighing, totals },
            places: places.iter().map(|places| &places[start..end]).collect(),
            has_curves: ranking.has_curves(grouping),
        };
        slice.fill(figures, &mut room.amounts);
        start = end;
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
