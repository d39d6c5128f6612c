//! The figures of order of every slice: values, intervals and changes.

use serde::{Deserialize, Serialize};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;

use super::order::{First, Place, in_order};
use super::placement::{Area, Counted, SliceRows, Weighing, Weighted};
use super::rows::{Columns, Labels, RankedRows};
use super::totals::Layout;
use crate::comparison::{Estimate, Interval};
use crate::metric::{Side, Statistic, Undefined};

/// Which statistics are asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RankedPlan {
    statistics: Vec<Statistic>,
}

impl RankedPlan {
    pub(crate) fn add(&mut self, statistic: Statistic) {
        if !self.statistics.contains(&statistic) {
            self.statistics.push(statistic);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.statistics.is_empty()
    }
}

/// What is known of a model's statistic in a slice.
#[derive(Clone, Copy, Debug)]
struct Value {
    value: Result<f64, Undefined>,
    /// With the rows of the smaller class.
    estimate: Result<(Estimate, f64), Undefined>,
}

/// One statistic in one slice.
#[derive(Clone, Debug)]
struct Figure {
    sides: Vec<Value>,
    change: Result<Estimate, Undefined>,
}

/// The statistics of every slice.
#[derive(Clone, Debug)]
pub(crate) struct RankedFigures {
    plan: RankedPlan,
    /// By grouping, slice and statistic.
    figures: Vec<Vec<Vec<Figure>>>,
}

impl RankedFigures {
    /// Of all rows; `overall` says of each grouping whether it has one slice only.
    pub(crate) fn new(
        plan: &RankedPlan,
        rows: RankedRows,
        overall: &[bool],
        execution: &Execution,
    ) -> Result<Self> {
        let columns = rows.into_columns();
        if u32::try_from(columns.rows()).is_err() {
            return Err(CommonError::Internal("more rows than can be put in order".into()).into());
        }
        let orders = orders(&columns, execution);
        let mut groups = columns.groups.iter();
        let mut figures = Vec::new();
        for is_overall in overall {
            execution.cancel.check()?;
            let groups = if *is_overall { None } else { groups.next().map(Vec::as_slice) };
            let layout = Layout::new(&columns, groups);
            figures.push(match columns.weights.as_slice() {
                [] => of_slices(plan, &columns, &layout, &orders, Counted),
                weights => of_slices(plan, &columns, &layout, &orders, Weighted(weights)),
            });
        }
        Ok(Self { plan: plan.clone(), figures })
    }

    fn figure(&self, grouping: usize, group: usize, statistic: Statistic) -> Result<&Figure, Undefined> {
        let place = self.plan.statistics.iter().position(|known| *known == statistic);
        let of = |place: usize| self.figures.get(grouping)?.get(group)?.get(place);
        place.and_then(of).ok_or(Undefined::NotRanked)
    }

    fn side(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
        side: Side,
    ) -> Result<Value, Undefined> {
        let place = match side {
            Side::Candidate => 0,
            Side::Baseline => 1,
        };
        self.figure(grouping, group, statistic)?.sides.get(place).copied().ok_or(Undefined::NotRanked)
    }

    /// The value of a statistic.
    pub(crate) fn value(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
        side: Side,
    ) -> Result<f64, Undefined> {
        self.side(grouping, group, statistic, side)?.value
    }

    /// The interval of its value.
    pub(crate) fn interval(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
        side: Side,
        alpha: f64,
    ) -> Result<Interval, Undefined> {
        let (estimate, rows) = self.side(grouping, group, statistic, side)?.estimate?;
        let interval = Interval::delong(&estimate, rows, alpha);
        Ok(if statistic == Statistic::Gini { interval.map(|area| 2.0 * area - 1.0) } else { interval })
    }

    /// Its change.
    pub(crate) fn change(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
    ) -> Result<Estimate, Undefined> {
        self.figure(grouping, group, statistic)?.change
    }
}

/// The rows by the score of each model, from the highest on.
fn orders(columns: &Columns, execution: &Execution) -> Vec<Vec<Place>> {
    let order = |predictions: &Vec<f64>| in_order(predictions.iter().copied(), First::Greatest);
    match columns.predictions.as_slice() {
        [candidate, baseline] if execution.threads.get() > 1 => std::thread::scope(|scope| {
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

/// The figures of every slice of a grouping.
fn of_slices<W: Weighing>(
    plan: &RankedPlan,
    columns: &Columns,
    layout: &Layout<'_>,
    orders: &[Vec<Place>],
    weighing: W,
) -> Vec<Vec<Figure>> {
    let mut scratch = vec![Vec::new(); orders.len()];
    let places: Vec<&[Place]> =
        orders.iter().zip(&mut scratch).map(|(order, scratch)| layout.arrange(order, scratch)).collect();
    let mut amounts = if orders.len() > 1 { vec![W::Amount::default(); columns.rows()] } else { Vec::new() };
    let labels: &[bool] = match &columns.labels {
        Labels::Classes(labels) => labels,
        Labels::Numbers(_) => &[],
    };
    let mut start = 0;
    let mut figures = Vec::new();
    for (totals, end) in layout.totals.iter().zip(layout.ends()) {
        let places: Vec<&[Place]> = places.iter().map(|places| &places[start..end]).collect();
        let rows = SliceRows { labels, weighing, totals };
        let areas = match places.as_slice() {
            _ if !totals.has_both() => Vec::new(),
            [candidate, baseline] => rows.areas(candidate, baseline, &mut amounts).to_vec(),
            [candidate] => vec![rows.area(candidate)],
            _ => Vec::new(),
        };
        figures.push(
            plan.statistics.iter().map(|statistic| of_areas(*statistic, &areas, places.len())).collect(),
        );
        start = end;
    }
    figures
}

/// The area itself, or what it is beyond chance: twice the area less one.
fn of_areas(statistic: Statistic, areas: &[Area], models: usize) -> Figure {
    let is_gini = statistic == Statistic::Gini;
    let side = |model: usize| match areas.get(model) {
        None => Value { value: Err(Undefined::OneClass), estimate: Err(Undefined::OneClass) },
        Some(area) => {
            let value = if is_gini { area.value * 2.0 + -1.0 } else { area.value };
            let estimate = area.estimate().map(|estimate| (estimate, area.least_rows()));
            Value { value: Ok(value.to_f64()), estimate }
        }
    };
    let change = match areas {
        [_, _, change] => change.estimate().map(|change| if is_gini { change.scaled(2.0) } else { change }),
        _ => Err(Undefined::OneClass),
    };
    Figure { sides: (0..models).map(side).collect(), change }
}
