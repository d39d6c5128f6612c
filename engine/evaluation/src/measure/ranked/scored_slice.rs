//! One slice along falling scores: what is above the row at hand, and the sums of what misplaces rows.

use super::external::SliceWalk;
use super::figures::{RankedPlan, SliceFigures};
use super::placement::{Area, Weighing, step};
use super::scores::{ScoreWalk, put_areas, put_none, put_steps, wants_areas};
use super::totals::{POSITIVE, Totals};

/// A slice along the falling scores of one model.
pub(super) struct ScoredSlice<'a, W: Weighing> {
    totals: &'a Totals,
    all_positive: W::Running,
    above: [W::Running; 2],
    within: [W::Running; 2],
    sums: [W::Sums; 2],
    changes: [W::Sums; 2],
    walk: Option<Box<ScoreWalk>>,
}

impl<'a, W: Weighing> ScoredSlice<'a, W> {
    /// Before the first row.
    pub(super) fn new(totals: &'a Totals, walk: Option<ScoreWalk>) -> Self {
        let (none, sums) = ([W::Running::default(); 2], [W::Sums::default(); 2]);
        let all_positive = W::total(totals, POSITIVE);
        Self {
            totals,
            all_positive,
            above: none,
            within: none,
            sums,
            changes: sums,
            walk: walk.map(Box::new),
        }
    }

    /// The step is over; `score` is asked where it matters.
    #[inline]
    pub(super) fn close_at(&mut self, score: impl FnOnce() -> f64) {
        let within = std::mem::take(&mut self.within);
        W::join(&mut self.above[0], within[0]);
        W::join(&mut self.above[1], within[1]);
        let Some(walk) = &mut self.walk else { return };
        if walk.is_idle(W::number(self.above[0]) + W::number(self.above[1])) {
            return;
        }
        if let Some(step) = step::<W>(self.totals, self.above, within, score()) {
            walk.step(&step);
        }
    }
}

impl<W: Weighing> SliceWalk<W::Amount> for ScoredSlice<'_, W> {
    #[inline]
    fn weigh(&mut self, class: usize, weight: W::Amount) {
        W::add(&mut self.within[class], weight);
    }

    #[inline]
    fn take(&mut self, class: usize, weight: W::Amount, before: Option<W::Amount>) -> W::Amount {
        let amount = match class {
            POSITIVE => W::of_positive(self.above[0], self.within[0]),
            _ => W::of_negative(self.all_positive, self.above[1], self.within[1]),
        };
        W::sum(&mut self.sums[class], weight, amount);
        if let Some(before) = before {
            W::sum(&mut self.changes[class], weight, amount - before);
        }
        amount
    }

    fn close(&mut self, score: f64) {
        self.close_at(|| score);
    }
}

/// Fills in the figures of a slice, walked along the scores of each model.
pub(super) fn put_scores<W: Weighing>(
    plan: &RankedPlan,
    models: Vec<&mut ScoredSlice<'_, W>>,
    slice: &mut SliceFigures,
) {
    let totals = models.first().map(|model| model.totals).filter(|totals| totals.has_both());
    let Some(totals) = totals else { return put_none(plan, slice, models.len()) };
    if wants_areas(plan) {
        let mut areas: Vec<Area> = models.iter().map(|model| Area::of::<W>(totals, &model.sums)).collect();
        if let [_, baseline] = models.as_slice() {
            areas.push(Area::change::<W>(totals, &baseline.changes));
        }
        put_areas(plan, slice, &areas, models.len());
    }
    put_steps(plan, slice, models.into_iter().filter_map(|model| Some(*model.walk.take()?)).collect());
}
