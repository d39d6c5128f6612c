//! The statistics of rows on disk.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::spill::Scratch;

use super::super::errors::{Histograms, QuantileWalk, quantiles};
use super::super::figures::{RankedPlan, SliceFigures, has_curves, no_figures};
use super::super::order::First;
use super::super::placement::Weighing;
use super::super::ranks::correlation;
use super::super::replicated::{
    Drawing, ErrorFollower, LaneRanks, Lanes, RANK_LANES, ScoreFollower, add, check,
};
use super::super::rows::{Columns, Labels, RankedRows};
use super::super::scored_slice::{ScoredSlice, put_scores};
use super::super::scores::{ScoreWalk, wants_areas, wants_steps};
use super::super::totals::{Totals, add_rows, close};
use super::{Again, Pass, Row, SliceWalk, SortedRows, Sorter};
use crate::measure::replicates::ReplicatePlan;
use crate::metric::Statistic;

/// The weight of a row.
type WeightOf<A> = fn(&Row<A>) -> A;

fn weight_of<W: Weighing>(row: &Row<W::Amount>) -> W::Amount {
    W::of(row.weight)
}

/// Rows on disk, and where to sort them.
pub(crate) struct Aside<'a> {
    pub(crate) plan: &'a RankedPlan,
    /// How rows are drawn again, if they are.
    pub(crate) replicates: Option<&'a ReplicatePlan>,
    pub(crate) rows: &'a RankedRows,
    /// Whether a grouping has one slice only.
    pub(crate) overall: &'a [bool],
    pub(crate) scratch: Scratch,
    /// Rows that are held at a time.
    pub(crate) most: usize,
    pub(crate) execution: &'a Execution,
}

impl Aside<'_> {
    /// The figures by grouping and slice.
    pub(crate) fn figures<W>(&self) -> Result<Vec<Vec<SliceFigures>>>
    where
        W: Weighing,
        W::Amount: Serialize + DeserializeOwned,
    {
        let totals = self.totals()?;
        let slices: Vec<usize> = totals.iter().map(Vec::len).collect();
        let mut figures = no_figures(self.plan, slices.iter().copied());
        let drawing =
            self.replicates.map(|plan| Drawing { plan, execution: self.execution, slices: &slices });
        if let Some(drawing) = &drawing {
            check(self.plan, drawing, self.models())?;
        }
        if wants_areas(self.plan) || wants_steps(self.plan) {
            self.scores::<W>(&totals, drawing.as_ref(), &mut figures)?;
        }
        if !self.rows.shape().is_of_classes {
            self.histograms(&totals, &mut figures)?;
            self.quantiles::<W>(&totals, drawing.as_ref(), &mut figures)?;
            self.correlations::<W>(&totals, drawing.as_ref(), &mut figures)?;
        }
        Ok(figures)
    }

    fn totals(&self) -> Result<Vec<Vec<Totals>>> {
        let empty = |is_overall: &bool| vec![Totals::default(); usize::from(*is_overall)];
        let mut totals: Vec<Vec<Totals>> = self.overall.iter().map(empty).collect();
        self.rows.each(|columns| {
            self.execution.cancel.check()?;
            for (totals, groups) in totals.iter_mut().zip(self.groups(&columns)) {
                add_rows(totals, &columns, groups);
            }
            Ok(())
        })?;
        totals.iter_mut().for_each(|totals| close(totals, self.rows.shape().is_weighted));
        Ok(totals)
    }

    /// The numbers of slices by grouping; none where there is one only.
    fn groups<'b>(&self, columns: &'b Columns) -> Vec<Option<&'b [u16]>> {
        let mut sliced = columns.groups.iter();
        let of = |is_overall: &bool| if *is_overall { None } else { sliced.next().map(Vec::as_slice) };
        self.overall.iter().map(of).collect()
    }

    /// Whether the slices of a grouping have curves.
    fn has_curves(&self, totals: &[Vec<Totals>], grouping: usize) -> bool {
        has_curves(totals.iter().map(Vec::len).zip(self.overall.iter().copied()), grouping)
    }

    fn models(&self) -> usize {
        self.rows.shape().models
    }

    /// All rows in the order of a number.
    fn sorted<A>(&self, first: First, number: impl Fn(&Row<A>) -> f64) -> Result<SortedRows>
    where
        A: Serialize + DeserializeOwned,
    {
        let mut sorter = Sorter::new(&self.scratch, self.most, first);
        let mut place = 0;
        self.rows.each(|columns| {
            self.execution.cancel.check()?;
            let groups = self.groups(&columns);
            for row in 0..columns.rows() {
                let row = Row {
                    label: match &columns.labels {
                        Labels::Classes(labels) => f64::from(u8::from(labels[row])),
                        Labels::Numbers(labels) => labels[row],
                    },
                    weight: columns.weights.get(row).copied().unwrap_or(1.0),
                    predictions: columns.predictions.iter().map(|column| column[row]).collect(),
                    identity: columns.identities.get(row).copied().unwrap_or_default(),
                    slices: groups.iter().map(|groups| groups.map_or(0, |groups| groups[row])).collect(),
                    amounts: Vec::new(),
                };
                sorter.push(number(&row), place, row)?;
                place += 1;
            }
            Ok(())
        })?;
        sorter.finish()
    }

    /// The same rows for replicates.
    fn again<'b, A, N>(&self, sorted: &'b SortedRows, number: N) -> Again<'b, A, N> {
        let is_of_classes = self.rows.shape().is_of_classes;
        Again { sorted, number, of: std::marker::PhantomData, groupings: self.overall.len(), is_of_classes }
    }

    fn scores<W>(
        &self,
        totals: &[Vec<Totals>],
        drawing: Option<&Drawing<'_>>,
        figures: &mut [Vec<SliceFigures>],
    ) -> Result<()>
    where
        W: Weighing,
        W::Amount: Serialize + DeserializeOwned,
    {
        let states = || self.score_states::<W>(totals);
        let mut models = Vec::new();
        // What is filled in last takes the place of all that is known of a figure.
        let mut replicated = no_figures(self.plan, totals.iter().map(Vec::len));
        let mut next = None;
        for model in 0..self.models() {
            let number = |row: &Row<W::Amount>| row.predictions[model];
            let sorted = match next.take() {
                Some(sorter) => Sorter::finish(sorter)?,
                None => self.sorted(First::Greatest, number)?,
            };
            let is_last = model + 1 == self.models();
            let mut later = (!is_last).then(|| Sorter::new(&self.scratch, self.most, First::Greatest));
            let mut states = states();
            let cancel = &self.execution.cancel;
            let pass = Pass {
                states: &mut states,
                next: later.as_mut().map(|next| (next, model + 1)),
                renumbers: true,
                cancel,
                weight: weight_of::<W>,
            };
            pass.run(&sorted, number)?;
            if let Some(drawing) = drawing {
                let follower = ScoreFollower::new(self.plan);
                drawing.follow(&self.again(&sorted, number), &follower, model, &mut replicated)?;
            }
            next = later;
            models.push(states);
        }
        for (grouping, slices) in figures.iter_mut().enumerate() {
            for (number, slice) in slices.iter_mut().enumerate() {
                let states: Vec<_> = models.iter_mut().map(|model| &mut model[grouping][number]).collect();
                put_scores(self.plan, states, slice);
                for (figure, replicated) in
                    slice.figures.iter_mut().zip(&mut replicated[grouping][number].figures)
                {
                    std::mem::swap(&mut figure.replicates, &mut replicated.replicates);
                }
            }
        }
        Ok(())
    }

    fn score_states<'b, W: Weighing>(&self, totals: &'b [Vec<Totals>]) -> Vec<Vec<ScoredSlice<'b, W>>> {
        let mut states = Vec::new();
        for (grouping, slices) in totals.iter().enumerate() {
            let curves = self.has_curves(totals, grouping);
            let wants = wants_steps(self.plan) || curves;
            let walk = |totals| wants.then(|| ScoreWalk::new(self.plan, totals, curves));
            states.push(slices.iter().map(|totals| ScoredSlice::new(totals, walk(totals))).collect());
        }
        states
    }

    fn histograms(&self, totals: &[Vec<Totals>], figures: &mut [Vec<SliceFigures>]) -> Result<()> {
        for (grouping, slices) in figures.iter_mut().enumerate() {
            if !self.has_curves(totals, grouping) {
                continue;
            }
            let mut histograms = Histograms::new(totals[grouping].len(), self.models());
            let slice_of = |columns: &Columns, row: usize| {
                self.groups(columns)[grouping].map_or(0, |groups| usize::from(groups[row]))
            };
            self.rows.each(|columns| {
                histograms.widen(&columns, |row| slice_of(&columns, row));
                Ok(())
            })?;
            self.rows.each(|columns| {
                histograms.count(&columns, |row| slice_of(&columns, row));
                Ok(())
            })?;
            histograms.put(slices);
        }
        Ok(())
    }

    fn quantiles<W>(
        &self,
        totals: &[Vec<Totals>],
        drawing: Option<&Drawing<'_>>,
        figures: &mut [Vec<SliceFigures>],
    ) -> Result<()>
    where
        W: Weighing,
        W::Amount: Serialize + DeserializeOwned,
    {
        let quantiles = quantiles(self.plan);
        if quantiles.is_empty() {
            return Ok(());
        }
        for model in 0..self.models() {
            let error = |row: &Row<W::Amount>| (row.predictions[model] - row.label).abs();
            let new = |totals: &Totals| ErrorState::<W> {
                within: W::Running::default(),
                walks: quantiles.iter().map(|(_, share)| QuantileWalk::new(totals, *share)).collect(),
            };
            let mut states: Vec<Vec<_>> =
                totals.iter().map(|slices| slices.iter().map(new).collect()).collect();
            let sorted = self.sorted(First::Least, error)?;
            self.pass::<W, _>(&mut states, None).run(&sorted, error)?;
            for (slice, state) in figures.iter_mut().flatten().zip(states.into_iter().flatten()) {
                for ((place, _), walk) in quantiles.iter().zip(&state.walks) {
                    slice.figures[*place].add(walk.value());
                }
            }
            if let Some(drawing) = drawing {
                let follower = ErrorFollower::new(self.plan);
                drawing.follow(&self.again(&sorted, error), &follower, model, figures)?;
            }
        }
        Ok(())
    }

    fn correlations<W>(
        &self,
        totals: &[Vec<Totals>],
        drawing: Option<&Drawing<'_>>,
        figures: &mut [Vec<SliceFigures>],
    ) -> Result<()>
    where
        W: Weighing,
        W::Amount: Serialize + DeserializeOwned,
    {
        let spearman = self.plan.statistics().find(|(_, statistic)| *statistic == Statistic::Spearman);
        let Some((place, _)) = spearman else { return Ok(()) };
        let states = || -> Vec<Vec<RankState<W>>> {
            totals.iter().map(|slices| slices.iter().map(RankState::new).collect()).collect()
        };
        for model in 0..self.models() {
            let (label, prediction) =
                (|row: &Row<W::Amount>| row.label, |row: &Row<W::Amount>| row.predictions[model]);
            let (mut by_label, mut by_prediction) = (states(), states());
            let mut next = Sorter::new(&self.scratch, self.most, First::Least);
            let sorted = self.sorted(First::Least, label)?;
            self.pass::<W, _>(&mut by_label, Some((&mut next, model))).run(&sorted, label)?;
            self.pass::<W, _>(&mut by_prediction, None).run(&next.finish()?, prediction)?;
            let states = by_label.into_iter().flatten().zip(by_prediction.into_iter().flatten());
            for (slice, (label, prediction)) in figures.iter_mut().flatten().zip(states) {
                slice.figures[place].add(correlation::<W>([label.own, prediction.own, prediction.both]));
            }
        }
        match drawing {
            Some(drawing) => self.replicated_correlations(drawing, place, figures),
            None => Ok(()),
        }
    }

    /// A walk that keeps the places of rows.
    fn pass<'b, W, S>(
        &'b self,
        states: &'b mut [Vec<S>],
        next: Option<(&'b mut Sorter<W::Amount>, usize)>,
    ) -> Pass<'b, W::Amount, S, WeightOf<W::Amount>>
    where
        W: Weighing,
    {
        Pass { states, next, renumbers: false, cancel: &self.execution.cancel, weight: weight_of::<W> }
    }

    /// Those of some replicates at a time: both orders once more for each block.
    fn replicated_correlations(
        &self,
        drawing: &Drawing<'_>,
        place: usize,
        figures: &mut [Vec<SliceFigures>],
    ) -> Result<()> {
        let label = |row: &Row<Lanes>| row.label;
        let by_label = self.sorted(First::Least, label)?;
        let cancel = &self.execution.cancel;
        for first in drawing.firsts() {
            let weight = |row: &Row<Lanes>| drawing.lanes(row.identity, row.weight, first);
            let mut totals: Vec<Vec<Lanes>> =
                drawing.slices.iter().map(|slices| vec![Lanes::default(); *slices]).collect();
            by_label.each(|_, _, row: Row<Lanes>| {
                for (totals, slice) in totals.iter_mut().zip(&row.slices) {
                    add(&mut totals[usize::from(*slice)], &weight(&row));
                }
                Ok(())
            })?;
            let states = || -> Vec<Vec<LaneRanks>> {
                let of = |totals: &Vec<Lanes>| totals.iter().map(|total| LaneRanks::new(*total)).collect();
                totals.iter().map(of).collect()
            };
            for model in 0..self.models() {
                let prediction = |row: &Row<Lanes>| row.predictions[model];
                let (mut labels, mut predictions) = (states(), states());
                let most = std::cmp::max(self.most / RANK_LANES, 1);
                let mut next = Sorter::new(&self.scratch, most, First::Least);
                let next_of = Some((&mut next, model));
                let states = labels.as_mut_slice();
                Pass { states, next: next_of, renumbers: false, cancel, weight }.run(&by_label, label)?;
                let states = predictions.as_mut_slice();
                let pass = Pass { states, next: None, renumbers: false, cancel, weight };
                pass.run(&next.finish()?, prediction)?;
                let states = labels.iter().flatten().zip(predictions.iter().flatten());
                for (slice, (labels, predictions)) in figures.iter_mut().flatten().zip(states) {
                    drawing.put_lanes(slice, place, (model, first), &predictions.correlations(labels));
                }
            }
        }
        Ok(())
    }
}

impl SliceWalk<Lanes> for LaneRanks {
    fn weigh(&mut self, _: usize, weight: Lanes) {
        Self::weigh(self, &weight);
    }

    fn take(&mut self, _: usize, weight: Lanes, before: Option<Lanes>) -> Lanes {
        Self::take(self, &weight, before.as_ref())
    }

    fn close(&mut self, _: f64) {
        Self::close(self);
    }
}

/// A slice along rising errors.
struct ErrorState<W: Weighing> {
    within: W::Running,
    walks: Vec<QuantileWalk>,
}

impl<W: Weighing> SliceWalk<W::Amount> for ErrorState<W> {
    fn weigh(&mut self, _: usize, weight: W::Amount) {
        W::add(&mut self.within, weight);
    }

    fn take(&mut self, _: usize, _: W::Amount, _: Option<W::Amount>) -> W::Amount {
        W::Amount::default()
    }

    fn close(&mut self, error: f64) {
        let weight = W::precise(std::mem::take(&mut self.within));
        self.walks.iter_mut().for_each(|walk| walk.step(weight, error));
    }
}

/// A slice along rising labels or predictions.
struct RankState<W: Weighing> {
    total: W::Running,
    before: W::Running,
    within: W::Running,
    own: W::Products,
    both: W::Products,
}

impl<W: Weighing> RankState<W> {
    fn new(totals: &Totals) -> Self {
        let (before, own) = (W::Running::default(), W::Products::default());
        Self { total: W::all(totals), before, within: before, own, both: own }
    }
}

impl<W: Weighing> SliceWalk<W::Amount> for RankState<W> {
    fn weigh(&mut self, _: usize, weight: W::Amount) {
        W::add(&mut self.within, weight);
    }

    fn take(&mut self, _: usize, weight: W::Amount, before: Option<W::Amount>) -> W::Amount {
        let rank = W::rank(self.before, self.within, self.total);
        W::product(&mut self.own, weight, rank, rank);
        if let Some(before) = before {
            W::product(&mut self.both, weight, rank, before);
        }
        rank
    }

    fn close(&mut self, _: f64) {
        W::join(&mut self.before, std::mem::take(&mut self.within));
    }
}
