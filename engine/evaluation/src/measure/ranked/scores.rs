//! Statistics of classifiers: rows from the highest score to the lowest.

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::curve::Thinned;
use super::figures::{Figure, RankedPlan, Ranking, SliceFigures, Value};
use super::order::{First, Place, in_order};
use super::placement::{Area, Counted, Weighted};
use super::replicated::{self, Along, ScoreFollower};
use super::sweep::{Orders, sweep};
use super::totals::Totals;
use crate::curves::Curves;
use crate::metric::{Statistic, Step, StepStatistic, Undefined, Walk};

/// A curve is looked at a little before it could have a point: rounding may bring that forward.
const SLACK: f64 = 1e-9;

/// Fills in what is asked for of them.
///
/// Rows are renumbered first, in the order of the candidate's scores: what its walk looks up stands in order then, and
/// what the baseline's looks up is near, as far as the two models agree.
pub(super) fn fill(ranking: &Ranking<'_>, figures: &mut [Vec<SliceFigures>]) -> Result<()> {
    if !wants_areas(ranking.plan) && !wants_steps(ranking.plan) {
        return Ok(());
    }
    let columns = ranking.columns;
    let Some((own, others)) = columns.predictions.split_first() else { return Ok(()) };
    let candidate = in_order(own.len(), |row| own[row], columns.classes(), First::Greatest);
    ranking.execution.cancel.check()?;
    let renumbered =
        |column: &[f64]| -> Vec<f64> { candidate.iter().map(|place| column[place.row() as usize]).collect() };
    let classes: Vec<bool> = candidate.iter().map(|place| place.class() == 1).collect();
    let later = others.iter().map(|scores| -> (Vec<Place>, Vec<f64>) {
        let scores = renumbered(scores);
        (in_order(scores.len(), |row| scores[row], &classes, First::Greatest), scores)
    });
    let orders = Orders { candidate: &candidate, scores: own, later: later.collect() };
    drop(classes);
    ranking.execution.cancel.check()?;
    match columns.weights.as_slice() {
        [] => sweep(ranking, &orders, Counted, figures),
        weights => sweep(ranking, &orders, Weighted(&renumbered(weights)), figures),
    }?;
    replicate(ranking, &orders, figures)
}

/// The same in replicates, if there are any, along the same orders.
fn replicate(ranking: &Ranking<'_>, orders: &Orders<'_>, figures: &mut [Vec<SliceFigures>]) -> Result<()> {
    let slices = replicated::counts(ranking.layouts);
    let Some(drawing) = replicated::drawing(ranking, &slices) else { return Ok(()) };
    let Ranking { columns, layouts, .. } = *ranking;
    let own = (orders.candidate, None);
    let later = orders.later.iter().map(|(order, _)| (order.as_slice(), Some(orders.candidate)));
    let follower = ScoreFollower::new(ranking.plan);
    for (model, (order, numbered)) in std::iter::once(own).chain(later).enumerate() {
        let number = |row: usize| columns.predictions[model][row];
        let rows = Along { columns, layouts, order, numbered, number };
        drawing.follow(&rows, &follower, model, figures)?;
    }
    Ok(())
}

/// All statistics of steps of one model in one walk.
#[derive(Clone, Debug)]
pub(super) struct ScoreWalk {
    positive: f64,
    negative: f64,
    walks: Vec<Walk>,
    /// The ROC curve, and that of precision over recall.
    curves: Option<[Thinned; 2]>,
    /// Where the rows so far weigh less than this, the curves take no point.
    next: f64,
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
        Self { positive, negative, walks, curves, next: 0.0 }
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.walks.iter_mut().for_each(|walk| walk.step(step));
        if let Some([roc, precision_recall]) = &mut self.curves {
            let (threshold, recall) = (Some(step.threshold()), step.true_positives / self.positive);
            roc.push(threshold, step.false_positives / self.negative, recall);
            precision_recall.push(threshold, recall, step.precision());
        }
        if self.walks.is_empty() {
            self.next = self.next_point(step);
        }
    }

    /// Whether a step that ends where the rows so far weigh so much changes nothing. The last one always counts.
    #[inline]
    pub(super) fn is_idle(&self, taken: f64) -> bool {
        taken < self.next && taken < (self.positive + self.negative) * (1.0 - SLACK)
    }

    /// The least weight of the rows after this step at which a curve may take a point. Rows of weight k more move a point
    /// of the ROC curve by k over the weight of the smaller class at most, and its precision by k over their weight.
    fn next_point(&self, step: &Step) -> f64 {
        let Some([roc, precision_recall]) = &self.curves else { return f64::INFINITY };
        let taken = step.true_positives + step.false_positives;
        let recall = step.true_positives / self.positive;
        let least = if self.positive < self.negative { self.positive } else { self.negative };
        let first = (roc.room(step.false_positives / self.negative, recall) - SLACK) * least;
        let room = precision_recall.room(recall, step.precision()) - SLACK;
        let second = room / (1.0 / self.positive + 1.0 / taken);
        taken + 0.99 * if first < second { first } else { second }
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
pub(super) fn of_areas(areas: &[Area], models: usize, is_gini: bool) -> Figure {
    let of = |area: &Area| {
        let value = if is_gini { area.value * 2.0 + -1.0 } else { area.value };
        let estimate = area.estimate().map(|estimate| (estimate, area.least_rows()));
        Value { value: Ok(value.to_f64()), estimate }
    };
    let change = match areas {
        [_, _, change] => change.estimate().map(|change| if is_gini { change.scaled(2.0) } else { change }),
        _ => Err(Undefined::NotRanked),
    };
    Figure {
        models: areas.iter().take(models).map(of).collect(),
        change,
        replicates: Vec::new(),
        bounds: Vec::new(),
    }
}
