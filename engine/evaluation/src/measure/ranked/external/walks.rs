//! The statistics of rows on disk.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::spill::Scratch;

use super::super::errors::{Histograms, QuantileWalk, quantiles};
use super::super::figures::{RankedPlan, SliceFigures, has_curves, no_figures};
use super::super::order::First;
use super::super::placement::{Area, Weighing, step};
use super::super::ranks::correlation;
use super::super::rows::{Columns, Labels, RankedRows};
use super::super::scores::{ScoreWalk, put_areas, put_none, put_steps, wants_areas, wants_steps};
use super::super::totals::{POSITIVE, Totals, add_rows, close};
use super::{Pass, Row, SliceWalk, Sorter};
use crate::metric::Statistic;

/// Rows on disk, and where to sort them.
pub(crate) struct Aside<'a> {
    pub(crate) plan: &'a RankedPlan,
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
        let mut figures = no_figures(self.plan, totals.iter().map(Vec::len));
        if wants_areas(self.plan) || wants_steps(self.plan) {
            self.scores::<W>(&totals, &mut figures)?;
        }
        if !self.rows.shape().is_of_classes {
            self.histograms(&totals, &mut figures)?;
            self.quantiles::<W>(&totals, &mut figures)?;
            self.correlations::<W>(&totals, &mut figures)?;
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

    /// All rows, to be sorted by a number.
    fn sorter<A>(&self, first: First, number: impl Fn(&Row<A>) -> f64) -> Result<Sorter<A>>
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
                    slices: groups.iter().map(|groups| groups.map_or(0, |groups| groups[row])).collect(),
                    amounts: Vec::new(),
                };
                sorter.push(number(&row), place, row)?;
                place += 1;
            }
            Ok(())
        })?;
        Ok(sorter)
    }

    fn scores<W>(&self, totals: &[Vec<Totals>], figures: &mut [Vec<SliceFigures>]) -> Result<()>
    where
        W: Weighing,
        W::Amount: Serialize + DeserializeOwned,
    {
        let states = || self.score_states::<W>(totals);
        let mut models = Vec::new();
        let mut next = None;
        for model in 0..self.models() {
            let number = |row: &Row<W::Amount>| row.predictions[model];
            let sorter = match next.take() {
                Some(sorter) => sorter,
                None => self.sorter(First::Greatest, number)?,
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
            };
            pass.run(sorter, number)?;
            next = later;
            models.push(states);
        }
        for (grouping, slices) in figures.iter_mut().enumerate() {
            for (number, slice) in slices.iter_mut().enumerate() {
                let states: Vec<_> = models.iter_mut().map(|model| &mut model[grouping][number]).collect();
                self.put_scores(states, slice);
            }
        }
        Ok(())
    }

    fn score_states<'b, W: Weighing>(&self, totals: &'b [Vec<Totals>]) -> Vec<Vec<ScoreState<'b, W>>> {
        let mut states = Vec::new();
        for (grouping, slices) in totals.iter().enumerate() {
            let curves = self.has_curves(totals, grouping);
            let wants = wants_steps(self.plan) || curves;
            let walk = |totals| wants.then(|| ScoreWalk::new(self.plan, totals, curves));
            states.push(slices.iter().map(|totals| ScoreState::new(totals, walk(totals))).collect());
        }
        states
    }

    fn put_scores<W: Weighing>(&self, states: Vec<&mut ScoreState<'_, W>>, slice: &mut SliceFigures) {
        let models = states.len();
        let totals = states.first().map(|state| state.totals).filter(|totals| totals.has_both());
        let Some(totals) = totals else { return put_none(self.plan, slice, models) };
        if wants_areas(self.plan) {
            let mut areas: Vec<Area> =
                states.iter().map(|state| Area::of::<W>(totals, &state.sums)).collect();
            if let [_, baseline] = states.as_slice() {
                areas.push(Area::change::<W>(totals, &baseline.changes));
            }
            put_areas(self.plan, slice, &areas, models);
        }
        put_steps(self.plan, slice, states.into_iter().filter_map(|state| state.walk.take()).collect());
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

    fn quantiles<W>(&self, totals: &[Vec<Totals>], figures: &mut [Vec<SliceFigures>]) -> Result<()>
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
            let pass =
                Pass { states: &mut states, next: None, renumbers: false, cancel: &self.execution.cancel };
            pass.run(self.sorter(First::Least, error)?, error)?;
            for (slice, state) in figures.iter_mut().flatten().zip(states.into_iter().flatten()) {
                for ((place, _), walk) in quantiles.iter().zip(&state.walks) {
                    slice.figures[*place].add(walk.value());
                }
            }
        }
        Ok(())
    }

    fn correlations<W>(&self, totals: &[Vec<Totals>], figures: &mut [Vec<SliceFigures>]) -> Result<()>
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
            let cancel = &self.execution.cancel;
            let pass =
                Pass { states: &mut by_label, next: Some((&mut next, model)), renumbers: false, cancel };
            pass.run(self.sorter(First::Least, label)?, label)?;
            let pass = Pass { states: &mut by_prediction, next: None, renumbers: false, cancel };
            pass.run(next, prediction)?;
            let states = by_label.into_iter().flatten().zip(by_prediction.into_iter().flatten());
            for (slice, (label, prediction)) in figures.iter_mut().flatten().zip(states) {
                slice.figures[place].add(correlation::<W>([label.own, prediction.own, prediction.both]));
            }
        }
        Ok(())
    }
}

/// A slice along falling scores.
struct ScoreState<'a, W: Weighing> {
    totals: &'a Totals,
    above: [W::Running; 2],
    within: [W::Running; 2],
    sums: [W::Sums; 2],
    changes: [W::Sums; 2],
    walk: Option<ScoreWalk>,
}

impl<'a, W: Weighing> ScoreState<'a, W> {
    fn new(totals: &'a Totals, walk: Option<ScoreWalk>) -> Self {
        let (none, sums) = ([W::Running::default(); 2], [W::Sums::default(); 2]);
        Self { totals, above: none, within: none, sums, changes: sums, walk }
    }
}

impl<W: Weighing> SliceWalk<W> for ScoreState<'_, W> {
    fn weigh(&mut self, class: usize, weight: W::Amount) {
        W::add(&mut self.within[class], weight);
    }

    fn take(&mut self, class: usize, weight: W::Amount, before: Option<W::Amount>) -> W::Amount {
        let amount = match class {
            POSITIVE => W::of_positive(self.above[0], self.within[0]),
            _ => W::of_negative(W::total(self.totals, POSITIVE), self.above[1], self.within[1]),
        };
        W::sum(&mut self.sums[class], weight, amount);
        if let Some(before) = before {
            W::sum(&mut self.changes[class], weight, amount - before);
        }
        amount
    }

    fn close(&mut self, score: f64) {
        let within = std::mem::take(&mut self.within);
        W::join(&mut self.above[0], within[0]);
        W::join(&mut self.above[1], within[1]);
        if let (Some(walk), Some(step)) = (&mut self.walk, step::<W>(self.totals, self.above, within, score))
        {
            walk.step(&step);
        }
    }
}

/// A slice along rising errors.
struct ErrorState<W: Weighing> {
    within: W::Running,
    walks: Vec<QuantileWalk>,
}

impl<W: Weighing> SliceWalk<W> for ErrorState<W> {
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

impl<W: Weighing> SliceWalk<W> for RankState<W> {
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
