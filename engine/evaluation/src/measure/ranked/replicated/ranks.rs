//! Spearman's correlation in replicates.
//!
//! The rank that a row's label has in a replicate is needed again where its prediction stands, so some replicates at a
//! time are held row by row: in memory as many such blocks at a time as an eighth of the limit takes; rows on disk carry
//! one block from the order of the labels to that of the predictions.

use std::sync::{Mutex, PoisonError};

use sluice_core::error::Result;

use super::{Drawing, put};
use crate::measure::ranked::figures::{Ranking, SliceFigures};
use crate::measure::ranked::order::Place;
use crate::measure::ranked::totals::Layout;

/// Replicates of a row that are held at a time.
pub(in super::super) const RANK_LANES: usize = 8;

/// What a row has in these replicates.
pub(in super::super) type Lanes = [f64; RANK_LANES];

/// A sum of squares that is less than this share of what the weight allows is rounding.
const NOISE: f64 = 1e-20;

/// A slice on a walk along rising labels or predictions.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct LaneRanks {
    pub(in super::super) total: Lanes,
    before: Lanes,
    within: Lanes,
    /// Σwa², a being twice the rank less the weight of all.
    own: Lanes,
    /// Σwab with the ranks of the walk before.
    both: Lanes,
}

impl LaneRanks {
    /// Of rows that weigh so much.
    pub(in super::super) fn new(total: Lanes) -> Self {
        Self { total, ..Self::default() }
    }

    /// A row of the step at hand.
    pub(in super::super) fn weigh(&mut self, weights: &Lanes) {
        add(&mut self.within, weights);
    }

    /// The same row once the step is weighed, with its rank on the walk before; answers its rank on this one.
    pub(in super::super) fn take(&mut self, weights: &Lanes, before: Option<&Lanes>) -> Lanes {
        let rank: Lanes =
            std::array::from_fn(|lane| 2.0 * self.before[lane] + self.within[lane] - self.total[lane]);
        for lane in 0..RANK_LANES {
            self.own[lane] += weights[lane] * rank[lane] * rank[lane];
        }
        if let Some(before) = before {
            for lane in 0..RANK_LANES {
                self.both[lane] += weights[lane] * rank[lane] * before[lane];
            }
        }
        rank
    }

    /// The step is over.
    pub(in super::super) fn close(&mut self) {
        add(&mut self.before, &std::mem::take(&mut self.within));
    }

    /// The correlations, from the walk along labels and then this one; NaN where there is none.
    pub(in super::super) fn correlations(&self, labels: &Self) -> Lanes {
        std::array::from_fn(|lane| {
            let least = NOISE * self.total[lane].powi(3);
            if labels.own[lane] > least && self.own[lane] > least {
                (self.both[lane] / (labels.own[lane].sqrt() * self.own[lane].sqrt())).clamp(-1.0, 1.0)
            } else {
                f64::NAN
            }
        })
    }
}

/// Adds replicate by replicate.
pub(in super::super) fn add(sums: &mut Lanes, more: &Lanes) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

impl Drawing<'_> {
    /// The weights of a row in a block of replicates.
    pub(in super::super) fn lanes(&self, identity: u64, weight: f64, first: usize) -> Lanes {
        let mut times = [0; RANK_LANES];
        self.plan.times(identity, first, &mut times);
        times.map(|times| f64::from(times) * weight)
    }

    /// Where the blocks begin.
    pub(in super::super) fn firsts(&self) -> std::iter::StepBy<std::ops::Range<usize>> {
        (0..self.plan.resampling.replicates()).step_by(RANK_LANES)
    }

    /// Fills in the correlations of a block.
    pub(in super::super) fn put_lanes(
        &self,
        slice: &mut SliceFigures,
        place: usize,
        (model, first): (usize, usize),
        found: &Lanes,
    ) {
        let replicates = self.plan.resampling.replicates();
        put(&mut slice.figures[place].replicates, model, (first, replicates), found);
    }
}

/// Fills in the correlations of a model, whose statistic has this place, from the orders of labels and predictions.
pub(in super::super) fn correlations(
    ranking: &Ranking<'_>,
    drawing: &Drawing<'_>,
    (by_label, by_prediction): (&[Place], &[Place]),
    (model, place): (usize, usize),
    figures: &mut [Vec<SliceFigures>],
) -> Result<()> {
    let rows = ranking.columns.rows();
    let workers = match ranking.execution.memory {
        Some(limit) => super::half(limit) / 4 / (rows.max(1) * size_of::<Lanes>()),
        None => usize::MAX,
    };
    let workers = workers.clamp(1, ranking.execution.threads.get());
    let mut scratch = [Vec::new(), Vec::new()];
    for (layout, figures) in ranking.layouts.iter().zip(figures) {
        let [first, second] = &mut scratch;
        let orders = (layout.arrange(by_label, first), layout.arrange(by_prediction, second));
        let blocks = Mutex::new(drawing.firsts());
        let work = || -> Result<Vec<(usize, Vec<Lanes>)>> {
            let (mut ranks, mut found) = (vec![Lanes::default(); rows], Vec::new());
            loop {
                let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(first) = next else { return Ok(found) };
                ranking.execution.cancel.check()?;
                found.push((first, of_block(ranking, drawing, layout, orders, first, &mut ranks)));
            }
        };
        for (first, slices) in on_threads(workers, work)?.into_iter().flatten() {
            for (found, slice) in slices.iter().zip(&mut *figures) {
                drawing.put_lanes(slice, place, (model, first), found);
            }
        }
    }
    Ok(())
}

/// The same work on so many threads.
fn on_threads<T: Send>(workers: usize, work: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(&work)).collect();
        let own = work();
        let others = others.into_iter().map(|other| match other.join() {
            Ok(theirs) => theirs,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(own).chain(others).collect()
    })
}

/// The correlations of all slices of a grouping.
fn of_block(
    ranking: &Ranking<'_>,
    drawing: &Drawing<'_>,
    layout: &Layout<'_>,
    (by_label, by_prediction): (&[Place], &[Place]),
    first: usize,
    ranks: &mut [Lanes],
) -> Vec<Lanes> {
    let weights = |place: &Place| {
        let identity = ranking.columns.identities.get(place.row() as usize).copied().unwrap_or_default();
        drawing.lanes(identity, ranking.columns.weight(place.row()), first)
    };
    let (mut start, mut found) = (0, Vec::new());
    for end in layout.ends() {
        let (labels, predictions) = (&by_label[start..end], &by_prediction[start..end]);
        let mut total = Lanes::default();
        labels.iter().for_each(|place| add(&mut total, &weights(place)));
        let mut by_label = LaneRanks::new(total);
        walk(labels, weights, &mut by_label, |state, row, weights| ranks[row] = state.take(weights, None));
        let mut by_prediction = LaneRanks::new(total);
        walk(predictions, weights, &mut by_prediction, |state, row, weights| {
            state.take(weights, Some(&ranks[row]));
        });
        found.push(by_prediction.correlations(&by_label));
        start = end;
    }
    found
}

/// One walk along the rows of a slice.
fn walk(
    places: &[Place],
    weights: impl Fn(&Place) -> Lanes,
    state: &mut LaneRanks,
    mut take: impl FnMut(&mut LaneRanks, usize, &Lanes),
) {
    let mut drawn = Vec::new();
    for tied in places.chunk_by(Place::is_tied) {
        drawn.clear();
        drawn.extend(tied.iter().map(&weights));
        drawn.iter().for_each(|weights| state.weigh(weights));
        for (place, weights) in tied.iter().zip(&drawn) {
            take(state, place.row() as usize, weights);
        }
        state.close();
    }
}
