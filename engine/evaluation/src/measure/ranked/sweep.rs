//! One walk along the order of each model for several groupings at once.
//!
//! Of a row are kept, side by side, the numbers of its slices and what misplaces it by the candidate's scores, which the
//! walk along the baseline's needs for the change. A walk looks that up for many rows at a time, ahead of their turn: row
//! by row it would wait for each.

use std::sync::{Mutex, PoisonError};

use sluice_core::error::Result;

use super::external::SliceWalk;
use super::figures::{Ranking, SliceFigures};
use super::order::Place;
use super::placement::Weighing;
use super::scored_slice::{ScoredSlice, put_scores};
use super::scores::{ScoreWalk, wants_steps};
use super::totals::Layout;

/// At most so many groupings are walked at a time on all threads: each takes memory for all rows.
pub(super) const MOST_SWEPT: usize = 10;

/// At most so many of them in one walk.
const MOST_TOGETHER: usize = 5;

/// Rows that are looked up ahead.
const AHEAD: usize = 256;

/// The orders of all models.
pub(super) struct Orders<'a> {
    /// Rows by the scores of the candidate.
    pub(super) candidate: &'a [Place],
    /// By row.
    pub(super) scores: &'a [f64],
    /// Of the other models, where rows have the numbers of their places in the candidate's order; with their scores by
    /// these numbers.
    pub(super) later: Vec<(Vec<Place>, Vec<f64>)>,
}

/// What is kept of a row.
#[derive(Clone, Copy)]
struct Kept<S, const N: usize> {
    amounts: [S; N],
    slices: [u16; N],
}

/// The slices of groupings along the scores of a model.
type Slices<'a, W> = Vec<Vec<ScoredSlice<'a, W>>>;

/// Fills in what is asked for of all groupings, on several threads. `weighing` knows rows by their places in the
/// candidate's order.
pub(super) fn sweep<W: Weighing>(
    ranking: &Ranking<'_>,
    orders: &Orders<'_>,
    weighing: W,
    figures: &mut [Vec<SliceFigures>],
) -> Result<()> {
    let groupings = figures.len();
    if groupings == 0 {
        return Ok(());
    }
    let workers = std::cmp::min(ranking.execution.threads.get(), std::cmp::min(groupings, MOST_SWEPT));
    let together = groupings.div_ceil(workers).clamp(1, std::cmp::min(MOST_TOGETHER, MOST_SWEPT / workers));
    let parts = figures.chunks_mut(together).zip((0..).step_by(together));
    let jobs = Mutex::new(parts);
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<()> {
        while let Some((figures, first)) = next() {
            let part = Part { ranking, orders, weighing, first };
            match figures.len() {
                1 => part.fill::<1>(figures),
                2 => part.fill::<2>(figures),
                3 => part.fill::<3>(figures),
                4 => part.fill::<4>(figures),
                _ => part.fill::<MOST_TOGETHER>(figures),
            }?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().fold(own, |outcome, other| match other.join() {
            Ok(theirs) => outcome.and(theirs),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Some groupings, from the first on.
struct Part<'a, W> {
    ranking: &'a Ranking<'a>,
    orders: &'a Orders<'a>,
    weighing: W,
    first: usize,
}

impl<'a, W: Weighing> Part<'a, W> {
    fn layouts(&self, count: usize) -> &'a [Layout<'a>] {
        &self.ranking.layouts[self.first..self.first + count]
    }

    fn fill<const N: usize>(&self, figures: &mut [Vec<SliceFigures>]) -> Result<()> {
        let mut kept = self.kept::<N>();
        let mut models = vec![self.slices(N)];
        let scores = |_: usize, place: &Place| self.orders.scores[place.row() as usize];
        let walk = Walk { weighing: self.weighing, order: self.orders.candidate };
        walk.run::<N, false>(&mut kept, &mut models[0], |place, _| place, scores);
        for (order, scores) in &self.orders.later {
            self.ranking.execution.cancel.check()?;
            let mut slices = self.slices(N);
            let scores = |_: usize, place: &Place| scores[place.row() as usize];
            let walk = Walk { weighing: self.weighing, order };
            walk.run::<N, true>(&mut kept, &mut slices, |_, place| place.row() as usize, scores);
            models.push(slices);
        }
        self.ranking.execution.cancel.check()?;
        for (grouping, figures) in figures.iter_mut().enumerate() {
            for (number, slice) in figures.iter_mut().enumerate() {
                let models = models.iter_mut().map(|model| &mut model[grouping][number]);
                put_scores(self.ranking.plan, models.collect(), slice);
            }
        }
        Ok(())
    }

    /// Nothing yet of each slice.
    fn slices(&self, count: usize) -> Slices<'a, W> {
        let plan = self.ranking.plan;
        let of_layout = |(grouping, layout): (usize, &'a Layout<'a>)| {
            let has_curves = self.ranking.has_curves(grouping);
            let is_walked = has_curves || wants_steps(plan);
            let walk = |totals| is_walked.then(|| ScoreWalk::new(plan, totals, has_curves));
            layout.totals.iter().map(|totals| ScoredSlice::new(totals, walk(totals))).collect()
        };
        (self.first..).zip(self.layouts(count)).map(of_layout).collect()
    }

    /// All rows, in the order of the candidate's scores.
    fn kept<const N: usize>(&self) -> Vec<Kept<W::Stored, N>> {
        let mut slices = vec![[0_u16; N]; self.orders.candidate.len()];
        for (grouping, layout) in self.layouts(N).iter().enumerate() {
            for (slices, number) in slices.iter_mut().zip(layout.groups().unwrap_or_default()) {
                slices[grouping] = *number;
            }
        }
        let amounts = [W::Stored::default(); N];
        let of_place = |place: &Place| Kept { amounts, slices: slices[place.row() as usize] };
        self.orders.candidate.iter().map(of_place).collect()
    }
}

/// A walk along an order.
struct Walk<'a, W> {
    weighing: W,
    order: &'a [Place],
}

impl<W: Weighing> Walk<'_, W> {
    /// Walks: the candidate's order first, which leaves its amounts; then, `LATER`, another, which finds the change.
    /// `number` is that of the row at a place, `score` its score.
    fn run<const N: usize, const LATER: bool>(
        &self,
        kept: &mut [Kept<W::Stored, N>],
        slices: &mut Slices<'_, W>,
        number: impl Fn(usize, &Place) -> usize,
        score: impl Fn(usize, &Place) -> f64,
    ) {
        let mut ahead: Vec<Kept<W::Stored, N>> = Vec::with_capacity(AHEAD);
        let (mut start, mut looked_up) = (0, 0..0);
        for tied in self.order.chunk_by(Place::is_tied) {
            let end = start + tied.len();
            if end > looked_up.end {
                let upto = std::cmp::min(std::cmp::max(end, start + AHEAD), self.order.len());
                let numbered = (start..upto).zip(&self.order[start..upto]);
                ahead.clear();
                ahead.extend(numbered.map(|(at, place)| kept[number(at, place)]));
                looked_up = start..upto;
            }
            let rows = &mut ahead[start - looked_up.start..end - looked_up.start];
            let score = || score(start, &tied[0]);
            let weight = |at: usize, place: &Place| self.weighing.weight(row_number(number(at, place)));
            if let ([place], [row]) = (tied, &mut *rows) {
                let weight = weight(start, place);
                row.each(slices, |slice, amount| {
                    slice.weigh(place.class(), weight);
                    take::<W, LATER>(slice, place.class(), weight, amount);
                    slice.close_at(score);
                });
            } else {
                for (at, (place, row)) in (start..).zip(tied.iter().zip(&mut *rows)) {
                    let weight = weight(at, place);
                    row.each(slices, |slice, _| slice.weigh(place.class(), weight));
                }
                for (at, (place, row)) in (start..).zip(tied.iter().zip(&mut *rows)) {
                    let weight = weight(at, place);
                    row.each(slices, |slice, amount| take::<W, LATER>(slice, place.class(), weight, amount));
                }
                // A step that rows of a slice share is over with the first of them; the others close nothing.
                rows.iter_mut().for_each(|row| row.each(slices, |slice, _| slice.close_at(score)));
            }
            if !LATER {
                for (at, (place, row)) in (start..).zip(tied.iter().zip(rows)) {
                    kept[number(at, place)].amounts = row.amounts;
                }
            }
            start = end;
        }
    }
}

impl<S, const N: usize> Kept<S, N> {
    /// The slices of the row, each with its amount.
    #[inline]
    fn each<W: Weighing>(
        &mut self,
        slices: &mut Slices<'_, W>,
        mut visit: impl FnMut(&mut ScoredSlice<'_, W>, &mut S),
    ) {
        for ((slices, slice), amount) in slices.iter_mut().zip(self.slices).zip(&mut self.amounts) {
            visit(&mut slices[usize::from(slice)], amount);
        }
    }
}

/// Adds a row to a slice; `LATER`, with what the walk before left of it.
#[inline]
fn take<W: Weighing, const LATER: bool>(
    slice: &mut ScoredSlice<'_, W>,
    class: usize,
    weight: W::Amount,
    amount: &mut W::Stored,
) {
    let before = LATER.then(|| W::load(*amount));
    *amount = W::store(slice.take(class, weight, before));
}

/// There are at most 2³¹ rows.
fn row_number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
