//! The figures of order of every slice: values, intervals, changes and curves.

use serde::{Deserialize, Serialize};
use sluice_core::error::Result;
use sluice_core::execution::Execution;

use super::external::Aside;
use super::order::MAX_ROWS;
use super::placement::{Counted, Weighing, Weighted};
use super::rows::{Columns, RankedRows, RowShape};
use super::sweep::MOST_SWEPT;
use super::totals::Layout;
use super::{errors, ranks, replicated, scores};
use crate::comparison::{Estimate, Interval};
use crate::curves::Curves;
use crate::error::EvaluationError;
use crate::measure::replicates::ReplicatePlan;
use crate::metric::{Side, Statistic, Undefined};

/// Beside overall, slices have curves where there are at most so many of them.
pub(crate) const MAX_CURVES: usize = 64;

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

    /// The statistics with their places.
    pub(super) fn statistics(&self) -> impl Iterator<Item = (usize, Statistic)> {
        self.statistics.iter().copied().enumerate()
    }
}

/// What is known of a model's statistic in a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) value: Result<f64, Undefined>,
    /// With the rows of the smaller class.
    pub(super) estimate: Result<(Estimate, f64), Undefined>,
}

impl Value {
    /// A value whose error is not known by itself.
    pub(super) fn alone(value: Result<f64, Undefined>) -> Self {
        Self { value, estimate: Err(value.err().unwrap_or(Undefined::NoErrorOfOrder)) }
    }
}

/// One statistic in one slice, of every model.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) models: Vec<Value>,
    pub(super) change: Result<Estimate, Undefined>,
    /// By model, the values in all replicates, NaN where there is none; nothing where rows are not drawn again.
    pub(super) replicates: Vec<Vec<f64>>,
    /// By model, between what its value lies; nothing where it is exact, or does not exist.
    pub(super) bounds: Vec<[f64; 2]>,
}

impl Figure {
    /// Values whose errors are not known by themselves.
    pub(super) fn alone(values: impl Iterator<Item = Result<f64, Undefined>>) -> Self {
        let models: Vec<Value> = values.map(Value::alone).collect();
        let reason = models.iter().find_map(|model| model.value.err()).unwrap_or(Undefined::NoErrorOfOrder);
        Self { models, change: Err(reason), replicates: Vec::new(), bounds: Vec::new() }
    }

    /// Adds that of the next model, whose error is not known by itself.
    pub(super) fn add(&mut self, value: Result<f64, Undefined>) {
        self.models.push(Value::alone(value));
        let reason = self.models.iter().find_map(|model| model.value.err());
        self.change = Err(reason.unwrap_or(Undefined::NoErrorOfOrder));
    }
}

/// The figures of one slice.
#[derive(Clone, Debug)]
pub(super) struct SliceFigures {
    /// By statistic.
    pub(super) figures: Vec<Figure>,
    /// By model; none where they are not asked for.
    pub(super) curves: Vec<Curves>,
}

/// What figures are made from.
pub(super) struct Ranking<'a> {
    pub(super) plan: &'a RankedPlan,
    pub(super) columns: &'a Columns,
    /// By grouping.
    pub(super) layouts: &'a [Layout<'a>],
    pub(super) execution: &'a Execution,
    /// How rows are drawn again, if they are.
    pub(super) replicates: Option<&'a ReplicatePlan>,
}

impl Ranking<'_> {
    /// Whether the slices of a grouping have curves.
    pub(super) fn has_curves(&self, grouping: usize) -> bool {
        has_curves(self.layouts.iter().map(|layout| (layout.totals.len(), layout.is_overall())), grouping)
    }
}

/// Whether the slices of a grouping have curves, of groupings with so many slices that may be overall.
pub(super) fn has_curves(groupings: impl Iterator<Item = (usize, bool)>, grouping: usize) -> bool {
    let (mut slices, mut is_mine_overall) = (0, false);
    for (number, (count, is_overall)) in groupings.enumerate() {
        slices += if is_overall { 0 } else { count };
        is_mine_overall |= is_overall && number == grouping;
    }
    slices <= MAX_CURVES || is_mine_overall
}

/// Nothing yet, of groupings of so many slices.
pub(super) fn no_figures(plan: &RankedPlan, slices: impl Iterator<Item = usize>) -> Vec<Vec<SliceFigures>> {
    let none = Figure {
        models: Vec::new(),
        change: Err(Undefined::NotRanked),
        replicates: Vec::new(),
        bounds: Vec::new(),
    };
    let empty = SliceFigures { figures: vec![none; plan.statistics.len()], curves: Vec::new() };
    slices.map(|slices| vec![empty.clone(); slices]).collect()
}

/// Rows have numbers of 31 bits, and sums of their placements 63.
fn check_rows(rows: usize) -> Result<(), EvaluationError> {
    if rows > MAX_ROWS {
        return Err(EvaluationError::TooManyRows { rows, limit: MAX_ROWS });
    }
    Ok(())
}

/// At least so many rows are sorted at a time.
const LEAST_SORTED: usize = 1 << 10;

/// What rows take that are put in order in memory: themselves twice for a moment, their orders, what sorting needs and
/// what walks along the orders keep.
fn bytes_in_order(shape: RowShape) -> usize {
    let identity = 8 * usize::from(shape.has_identities);
    let row = 8 + 8 * usize::from(shape.is_weighted) + identity + 8 * shape.models + 2 * shape.groupings;
    let kept = (2 * 2 + 8) * std::cmp::min(shape.groupings + 1, MOST_SWEPT);
    let has_ranks = shape.has_identities && !shape.is_of_classes;
    // What replicates of ranks hold of a row, and of a row that is tied.
    let ranks = if has_ranks { 2 * size_of::<replicated::Lanes>() } else { 0 };
    2 * row + 8 * (shape.models + 1) + std::cmp::max(3 * 8, kept) + 8 + ranks
}

/// The statistics of every slice.
#[derive(Clone, Debug)]
pub(crate) struct RankedFigures {
    plan: RankedPlan,
    /// By grouping and slice.
    figures: Vec<Vec<SliceFigures>>,
}

impl RankedFigures {
    /// Of all rows; `overall` says of each grouping whether it has one slice only.
    pub(crate) fn new(
        plan: &RankedPlan,
        replicates: Option<&ReplicatePlan>,
        rows: RankedRows,
        overall: &[bool],
        execution: &Execution,
    ) -> Result<Self> {
        let shape = rows.shape();
        check_rows(rows.rows())?;
        if let (Some(limit), Some(scratch)) = (execution.memory, &execution.scratch) {
            let limit = usize::try_from(limit.in_bytes()).unwrap_or(usize::MAX);
            if rows.rows().saturating_mul(bytes_in_order(shape)) > limit / 2 {
                // A row on its way to the disk holds its numbers in lists of their own.
                let row_bytes = 4 * bytes_in_order(shape) + 8 * overall.len();
                let most = std::cmp::max(limit / 4 / row_bytes, LEAST_SORTED);
                let scratch = scratch.clone();
                let rows = &rows;
                return Self::aside(&Aside { plan, replicates, rows, overall, scratch, most, execution });
            }
        }
        let columns = rows.into_columns()?;
        let mut groups = columns.groups.iter();
        let mut layouts = Vec::new();
        for is_overall in overall {
            let groups = if *is_overall { None } else { groups.next().map(Vec::as_slice) };
            layouts.push(Layout::new(&columns, groups));
        }
        let ranking = Ranking { plan, columns: &columns, layouts: &layouts, execution, replicates };
        let figures = match columns.weights.as_slice() {
            [] => of_families(&ranking, Counted),
            weights => of_families(&ranking, Weighted(weights)),
        }?;
        Ok(Self { plan: plan.clone(), figures })
    }

    /// Of rows that are sorted on disk.
    pub(super) fn aside(aside: &Aside<'_>) -> Result<Self> {
        let figures = match aside.rows.shape().is_weighted {
            true => aside.figures::<Weighted<'_>>(),
            false => aside.figures::<Counted>(),
        };
        Ok(Self { plan: aside.plan.clone(), figures: figures? })
    }

    /// These figures, by grouping and slice.
    pub(super) fn of(plan: &RankedPlan, figures: Vec<Vec<SliceFigures>>) -> Self {
        Self { plan: plan.clone(), figures }
    }

    fn slice(&self, grouping: usize, group: usize) -> Option<&SliceFigures> {
        self.figures.get(grouping)?.get(group)
    }

    fn figure(&self, grouping: usize, group: usize, statistic: Statistic) -> Result<&Figure, Undefined> {
        let place = self.plan.statistics.iter().position(|known| *known == statistic);
        let of = |place: usize| self.slice(grouping, group)?.figures.get(place);
        place.and_then(of).ok_or(Undefined::NotRanked)
    }

    fn model(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
        side: Side,
    ) -> Result<Value, Undefined> {
        let figure = self.figure(grouping, group, statistic)?;
        figure.models.get(number(side)).copied().ok_or(Undefined::NotRanked)
    }

    /// The value of a statistic.
    pub(crate) fn value(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
        side: Side,
    ) -> Result<f64, Undefined> {
        self.model(grouping, group, statistic, side)?.value
    }

    /// Between what it lies, where its value is not exact.
    pub(crate) fn bounds(
        &self,
        grouping: usize,
        group: usize,
        statistic: Statistic,
        side: Side,
    ) -> Option<[f64; 2]> {
        self.figure(grouping, group, statistic).ok()?.bounds.get(number(side)).copied()
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
        let (estimate, rows) = self.model(grouping, group, statistic, side)?.estimate?;
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

    /// The value of a statistic in a replicate.
    pub(crate) fn replicate(
        &self,
        (grouping, group): (usize, usize),
        statistic: Statistic,
        side: Side,
        replicate: usize,
    ) -> Result<f64, Undefined> {
        let values = self.figure(grouping, group, statistic)?.replicates.get(number(side));
        let value = values.and_then(|values| values.get(replicate)).copied();
        value.filter(|value| value.is_finite()).ok_or(Undefined::TooFewReplicates)
    }

    /// The rows of the smaller class, where rows are told apart by class.
    pub(crate) fn least_rows(
        &self,
        (grouping, group): (usize, usize),
        statistic: Statistic,
        side: Side,
    ) -> Option<f64> {
        self.model(grouping, group, statistic, side).ok()?.estimate.ok().map(|(_, rows)| rows)
    }

    /// The curves of a model in a slice, if it has any.
    pub(crate) fn curves(&self, grouping: usize, group: usize, side: Side) -> Option<&Curves> {
        self.slice(grouping, group)?.curves.get(number(side))
    }
}

/// The place of a side among the models.
fn number(side: Side) -> usize {
    match side {
        Side::Candidate => 0,
        Side::Baseline => 1,
    }
}

/// The figures by grouping and slice. Statistics of one order are made together, so that one order is held at a time.
fn of_families<W: Weighing>(ranking: &Ranking<'_>, weighing: W) -> Result<Vec<Vec<SliceFigures>>> {
    let mut figures = no_figures(ranking.plan, ranking.layouts.iter().map(|layout| layout.totals.len()));
    let slices = replicated::counts(ranking.layouts);
    if let Some(drawing) = replicated::drawing(ranking, &slices) {
        replicated::check(ranking.plan, &drawing, ranking.columns.predictions.len())?;
    }
    scores::fill(ranking, &mut figures)?;
    errors::fill(ranking, &mut figures)?;
    ranks::fill(ranking, weighing, &mut figures)?;
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use sluice_core::error::Diagnostic;

    use super::*;

    #[test]
    fn more_rows_than_have_numbers_are_refused_with_a_way_out() {
        assert!(check_rows(MAX_ROWS).is_ok());
        let error = check_rows(MAX_ROWS + 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "metrics of order are asked for over 2147483648 rows, and at most 2147483647 can be put in order"
        );
        assert!(error.hint().unwrap().contains("order_statistics: histogram"));
    }
}
