//! The replicates of one slice: of a figure its value in each.

use std::borrow::Cow;

use sluice_core::double_double::DoubleDouble;

use super::{Layout, ReplicatePlan, ReplicateSums};
use crate::comparison::Resampling;
use crate::measure::MeasurePlan;
use crate::measure::cells::{CellPlan, Cells};
use crate::measure::ranked::RankedFigures;
use crate::measure::term::Term;
use crate::metric::{ClassCounts, ClassFormula, ConfusionFormula, Dual, Formula, Side, Undefined};

/// What is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// The value of a model.
    Value(Side),
    /// That of the candidate minus that of the baseline.
    Change,
}

/// The sums of the replicates of one slice.
#[derive(Clone, Debug)]
pub(crate) struct SliceReplicates<'a> {
    plan: &'a MeasurePlan,
    replicates: &'a ReplicatePlan,
    sums: Cow<'a, [f64]>,
    stride: usize,
    layout: Layout,
    /// The figures of order with the number of the grouping and that of the slice, once rows are in order.
    ranked: Option<(&'a RankedFigures, usize, usize)>,
}

impl<'a> SliceReplicates<'a> {
    /// Those of a group, where rows are drawn again.
    pub(crate) fn new(plan: &'a MeasurePlan, sums: &'a ReplicateSums, group: usize) -> Option<Self> {
        let replicates = plan.replicates.as_ref()?;
        let (stride, sums) = (replicates.stride(), sums.of(group));
        let sums = match replicates.resampling {
            Resampling::Bootstrap { .. } => Cow::Borrowed(sums),
            Resampling::Jackknife => Cow::Owned(sums.chunks_exact(stride).flat_map(without_each).collect()),
        };
        Some(Self { plan, replicates, sums, stride, layout: Layout::of(plan), ranked: None })
    }

    /// The same with those of the figures of order.
    pub(crate) fn with_ranked(self, figures: &'a RankedFigures, grouping: usize, group: usize) -> Self {
        Self { ranked: Some((figures, grouping, group)), ..self }
    }

    /// How rows are drawn again.
    pub(crate) fn resampling(&self) -> Resampling {
        self.replicates.resampling
    }

    /// A figure in each replicate; none where it does not exist. Nothing for extremes.
    pub(crate) fn values(&self, formula: &Formula, figure: Figure) -> Vec<Option<f64>> {
        let value = |replicate: usize| match figure {
            Figure::Value(side) => self.value(formula, side, replicate),
            Figure::Change => Ok(self.value(formula, Side::Candidate, replicate)?
                - self.value(formula, Side::Baseline, replicate)?),
        };
        let number =
            |replicate: usize| Some(value(replicate).ok()?.to_f64()).filter(|number| number.is_finite());
        (0..self.resampling().replicates()).map(number).collect()
    }

    /// The weight of the negative and the positive rows whose scores lie in a range, in a replicate.
    pub(crate) fn score_bin(&self, side: Side, range: usize, replicate: usize) -> [f64; 2] {
        let plan = self.plan.score_bins;
        let model = if side == Side::Baseline { plan.replicated() } else { 0 };
        let first = self.layout.score_bins + model + range;
        [self.sum(first, replicate), self.sum(first + plan.bins(), replicate)]
    }

    /// The mean of a term in each replicate.
    pub(crate) fn means(&self, term: Term, side: Side) -> Vec<Option<f64>> {
        let mean = |replicate: usize| self.mean(term, side, replicate).ok().map(DoubleDouble::to_f64);
        (0..self.resampling().replicates()).map(mean).collect()
    }

    fn value(&self, formula: &Formula, side: Side, replicate: usize) -> Result<DoubleDouble, Undefined> {
        match formula {
            Formula::Moments(formula) => {
                let constant = |value| Dual { value, slope: Vec::new() };
                let mean = |term: &Term| Ok(constant(self.mean(*term, side, replicate)?));
                let means = formula.terms.iter().map(mean).collect::<Result<Vec<_>, Undefined>>()?;
                Ok((formula.value)(&means)?.value)
            }
            Formula::Confusion(formula) => self.rate(formula, side, replicate),
            Formula::Classes(formula) => self.class_rate(formula, side, replicate),
            Formula::Bins(formula) => self.distance(formula.bins, side, replicate),
            Formula::Expression(formula) => {
                let place = self.plan.custom.place(formula).ok_or(Undefined::NoReplicates)?;
                self.mean(Term::Custom(place), side, replicate)
            }
            Formula::Maximum(_) => Err(Undefined::NoErrorOfExtreme),
            Formula::Ranked(statistic) => {
                let (figures, grouping, group) = self.ranked.ok_or(Undefined::NotRanked)?;
                Ok(figures.replicate((grouping, group), *statistic, side, replicate)?.into())
            }
        }
    }

    fn sum(&self, quantity: usize, replicate: usize) -> f64 {
        self.sums.get(quantity * self.stride + replicate).copied().unwrap_or(f64::NAN)
    }

    fn mean(&self, term: Term, side: Side, replicate: usize) -> Result<DoubleDouble, Undefined> {
        let weight = self.sum(0, replicate);
        let (level, change) = self.plan.moments.replicated_places(term).ok_or(Undefined::NoReplicates)?;
        if !(weight > 0.0) {
            return Err(Undefined::NoWeight);
        }
        // A sum of both, not rounded: what the change adds may be far smaller.
        let change =
            change.filter(|_| side == Side::Candidate).map_or(0.0, |change| self.sum(1 + change, replicate));
        Ok(DoubleDouble::sum(self.sum(1 + level, replicate), change) / weight.into())
    }

    fn rate(
        &self,
        formula: &ConfusionFormula,
        side: Side,
        replicate: usize,
    ) -> Result<DoubleDouble, Undefined> {
        let threshold = self.plan.cells.place(formula.threshold).ok_or(Undefined::NoReplicates)?;
        let first = self.layout.cells + threshold * CellPlan::CELLS;
        let weights: [f64; CellPlan::CELLS] = std::array::from_fn(|cell| self.sum(first + cell, replicate));
        Ok(formula.rate.value(&Cells::constants(&weights, side))?.value)
    }

    fn class_rate(
        &self,
        formula: &ClassFormula,
        side: Side,
        replicate: usize,
    ) -> Result<DoubleDouble, Undefined> {
        let classes = self.plan.classes.classes();
        let list = |number: usize| {
            let first = self.layout.classes + number * classes;
            (first..first + classes).map(|place| Dual::constant(self.sum(place, replicate))).collect()
        };
        let predicted = if side == Side::Baseline { 3 } else { 1 };
        let counts = ClassCounts { hits: list(predicted + 1), labels: list(0), predicted: list(predicted) };
        Ok(formula.rate.value(&counts, self.plan.class_place(formula))?.value)
    }

    /// The mean distance of probability and frequency.
    fn distance(&self, bins: usize, side: Side, replicate: usize) -> Result<DoubleDouble, Undefined> {
        let weight = self.sum(0, replicate);
        let is_paired = self.plan.baseline_digest.is_some();
        let ranges = self.plan.bins.replicated(is_paired);
        let list = ranges.iter().position(|count| *count == bins).ok_or(Undefined::NoReplicates)?;
        let list = list + usize::from(is_paired && side == Side::Baseline);
        let first = self.layout.bins + ranges[..list].iter().sum::<usize>();
        if !(weight > 0.0) {
            return Err(Undefined::NoWeight);
        }
        let gaps = (first..first + bins).map(|place| self.sum(place, replicate).abs());
        Ok(DoubleDouble::from(gaps.sum::<f64>()) / weight.into())
    }
}

/// Sums of all groups but one, for each; added up anew, since a difference would lose digits.
fn without_each(groups: &[f64]) -> Vec<f64> {
    let mut after = vec![0.0; groups.len() + 1];
    for (place, sum) in groups.iter().enumerate().rev() {
        after[place] = after[place + 1] + sum;
    }
    let mut before = 0.0;
    let mut without = Vec::with_capacity(groups.len());
    for (place, sum) in groups.iter().enumerate() {
        without.push(before + after[place + 1]);
        before += sum;
    }
    without
}
