//! What was gathered, and the figures that follow: of a metric in a slice its value, its interval and its change.

use std::sync::Arc;

use sluice_core::double_double::DoubleDouble;
use sluice_core::group::Grouping;

use crate::comparison::{Estimate, Interval, Method, Resampling};
use crate::metric::{ConfusionFormula, Dual, Formula, Metric, MomentFormula, Rate, Side, Undefined};

use super::cells::Cells;
use super::moments::Moments;
use super::replicates::{Figure, SliceReplicates};
use super::{GroupedSums, MeasurePlan};

/// The sums of all slices.
#[derive(Clone, Debug)]
pub struct Measured {
    pub(super) plan: Arc<MeasurePlan>,
    pub(super) sums: Vec<GroupedSums>,
    pub(super) rows_per_key: Option<f64>,
}

impl Measured {
    /// The slicings, as they were asked for.
    #[must_use]
    pub fn groupings(&self) -> &[Grouping] {
        &self.plan.groupings
    }

    /// Whether a baseline was evaluated beside the candidate.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        self.plan.baseline_digest.is_some()
    }

    /// Where rows are drawn again by a key: how many rows one has. Above 1 they are drawn together.
    #[must_use]
    pub fn rows_per_key(&self) -> Option<f64> {
        self.rows_per_key
    }

    /// One slice: the place of its grouping, and its number there; none where there are no rows of it.
    #[must_use]
    pub fn slice(&self, grouping: usize, group: usize) -> Option<MeasuredSlice<'_>> {
        let sums = self.sums.get(grouping)?;
        let rows = *sums.rows.get(group)?;
        Some(MeasuredSlice { measured: self, sums, group, rows })
    }
}

/// The sums of one slice.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredSlice<'a> {
    measured: &'a Measured,
    sums: &'a GroupedSums,
    group: usize,
    rows: u64,
}

impl MeasuredSlice<'_> {
    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Their weight; none without weights.
    #[must_use]
    pub fn weight(&self) -> Option<f64> {
        self.measured.plan.weight.as_ref().map(|_| self.sums.weight(self.group).to_f64())
    }

    /// The value of a metric.
    ///
    /// # Errors
    /// Why there is none.
    pub fn value(&self, metric: &Metric, side: Side) -> Result<f64, Undefined> {
        self.check()?;
        let value = match &metric.formula {
            Formula::Moments(formula) => self.moment_value(formula, side)?.value,
            Formula::Confusion(formula) => formula.rate.value(&self.cells(formula).counts(side))?.value,
        };
        finite(value)
    }

    /// The interval of a value at level 1 − alpha.
    ///
    /// # Errors
    /// Why there is none.
    pub fn interval(&self, metric: &Metric, side: Side, alpha: f64) -> Result<Interval, Undefined> {
        self.check()?;
        if let Some(replicates) = self.replicates() {
            return self.replicated_interval(metric, side, alpha, &replicates);
        }
        match &metric.formula {
            Formula::Moments(formula) => {
                let dual = self.moment_value(formula, side)?;
                let moments = self.moments();
                let variance = |slope: &[DoubleDouble]| moments.variance(&formula.terms, slope, side);
                let estimate = |value, slope: &[DoubleDouble]| {
                    self.estimate(value, variance(slope), moments.effective_rows())
                };
                let ends = match formula.terms[..] {
                    [term] => {
                        let mean = estimate(moments.mean(term, side), &[DoubleDouble::ONE])?;
                        self.through_mean(formula, side, &mean, alpha)
                    }
                    _ => None,
                };
                Ok(Interval::of(&estimate(dual.value, &dual.slope)?, alpha).with_ends(ends))
            }
            Formula::Confusion(formula) => self.confusion_interval(formula, side, alpha),
        }
    }

    /// The change of a metric from baseline to candidate, with its standard error.
    ///
    /// # Errors
    /// Why there is none.
    pub fn change(&self, metric: &Metric) -> Result<Estimate, Undefined> {
        self.check()?;
        if let Some(replicates) = self.replicates() {
            let difference = self.difference(metric)?;
            let values = replicates.values(&metric.formula, Figure::Change);
            return replicates.resampling().estimate(difference, &values, self.units());
        }
        match &metric.formula {
            Formula::Moments(formula) => self.moment_change(formula),
            Formula::Confusion(formula) => {
                let cells = self.cells(formula);
                let value = |side| formula.rate.value(&cells.counts(side));
                let (candidate, baseline) = (value(Side::Candidate)?, value(Side::Baseline)?);
                let variance = cells.variance(Some(&candidate.slope), Some(&baseline.slope));
                let rows = cells.effective_rows(Side::Candidate, |_| true);
                self.estimate(candidate.value - baseline.value, variance, rows)
            }
        }
    }

    /// That there is something to take the mean of.
    fn check(&self) -> Result<(), Undefined> {
        if self.sums.weight(self.group).high > 0.0 { Ok(()) } else { Err(Undefined::NoWeight) }
    }

    fn moments(&self) -> Moments<'_> {
        let weight = self.sums.weight(self.group);
        self.sums.moments.of(&self.measured.plan.moments, self.group, self.rows, weight)
    }

    fn moment_value(&self, formula: &MomentFormula, side: Side) -> Result<Dual, Undefined> {
        let means = self.moments().means(&formula.terms, side);
        (formula.value)(&Dual::inputs(&means))
    }

    fn moment_change(&self, formula: &MomentFormula) -> Result<Estimate, Undefined> {
        let moments = self.moments();
        let (candidate, baseline) = self.moment_pair(formula)?;
        let variance = moments.change_variance(&formula.terms, &candidate.slope, &baseline.slope);
        self.estimate(candidate.value - baseline.value, variance, moments.effective_rows())
    }

    /// The values of candidate and baseline.
    fn moment_pair(&self, formula: &MomentFormula) -> Result<(Dual, Dual), Undefined> {
        let moments = self.moments();
        let of = |means: &[DoubleDouble]| (formula.value)(&Dual::inputs(means));
        // Both from one level, so that the change keeps the digits that the terms' changes have.
        let level = moments.means(&formula.terms, Side::Baseline);
        let changes = moments.changes(&formula.terms);
        let moved: Vec<DoubleDouble> =
            level.iter().zip(changes).map(|(level, change)| *level + change).collect();
        Ok((of(&moved)?, of(&level)?))
    }

    fn cells(&self, formula: &ConfusionFormula) -> Cells {
        self.sums.cells.of(&self.measured.plan.cells, self.group, formula.threshold)
    }

    fn confusion_interval(
        &self,
        formula: &ConfusionFormula,
        side: Side,
        alpha: f64,
    ) -> Result<Interval, Undefined> {
        let cells = self.cells(formula);
        let counts = cells.counts(side);
        let dual = formula.rate.value(&counts)?;
        if let Rate::Share { parts, .. } = formula.rate {
            // A kind of row belongs to what the share is of where that grows with it.
            let whole = parts(&counts).1;
            let is_of = |kind: usize| whole.slope.get(kind).is_some_and(|slope| slope.high > 0.0);
            return Ok(Interval::wilson(dual.value.to_f64(), cells.effective_rows(side, is_of), alpha));
        }
        let variance = match side {
            Side::Candidate => cells.variance(Some(&dual.slope), None),
            Side::Baseline => cells.variance(None, Some(&dual.slope)),
        };
        let rows = cells.effective_rows(side, |_| true);
        self.estimate(dual.value, variance, rows).map(|estimate| Interval::of(&estimate, alpha))
    }

    /// The replicates, where rows are drawn again.
    pub(super) fn replicates(&self) -> Option<SliceReplicates<'_>> {
        SliceReplicates::new(&self.measured.plan, &self.sums.replicates, self.group)
    }

    /// What is drawn again: rows, or the keys that hold them.
    fn units(&self) -> f64 {
        self.moments().effective_rows() / self.measured.rows_per_key.unwrap_or(1.0)
    }

    /// The value of the candidate minus that of the baseline.
    fn difference(&self, metric: &Metric) -> Result<f64, Undefined> {
        match &metric.formula {
            Formula::Moments(formula) => {
                let (candidate, baseline) = self.moment_pair(formula)?;
                finite(candidate.value - baseline.value)
            }
            Formula::Confusion(_) => {
                Ok(self.value(metric, Side::Candidate)? - self.value(metric, Side::Baseline)?)
            }
        }
    }

    fn replicated_interval(
        &self,
        metric: &Metric,
        side: Side,
        alpha: f64,
        replicates: &SliceReplicates<'_>,
    ) -> Result<Interval, Undefined> {
        let (resampling, units) = (replicates.resampling(), self.units());
        let method = match resampling {
            Resampling::Bootstrap { .. } => Method::Bootstrap,
            Resampling::Jackknife => Method::Jackknife,
        };
        let values = replicates.values(&metric.formula, Figure::Value(side));
        let estimate = resampling.estimate(self.value(metric, side)?, &values, units)?;
        let interval = Interval { method, ..Interval::of(&estimate, alpha) };
        Ok(match &metric.formula {
            Formula::Moments(formula) => {
                let ends = match formula.terms[..] {
                    [term] => {
                        let mean = finite(self.moments().mean(term, side))?;
                        let mean = resampling.estimate(mean, &replicates.means(term, side), units)?;
                        self.through_mean(formula, side, &mean, alpha)
                    }
                    _ => None,
                };
                interval.with_ends(ends)
            }
            Formula::Confusion(ConfusionFormula { rate: Rate::Share { .. }, .. }) => {
                interval.of_share(&estimate, units, alpha)
            }
            Formula::Confusion(_) => interval,
        })
    }

    /// The interval of a function of one mean: the function at the ends of the mean's, which allows for the skew of the
    /// rows. None where it is not the better one: of a term whose skew is not known, of a function that turns round.
    fn through_mean(
        &self,
        formula: &MomentFormula,
        side: Side,
        mean: &Estimate,
        alpha: f64,
    ) -> Option<[f64; 2]> {
        let [term] = formula.terms[..] else { return None };
        let is_shared = term.is_of_label() || !self.measured.is_paired();
        if side == Side::Baseline && !is_shared {
            return None;
        }
        // Rows of one key are not drawn apart, so their skew is not that of what is drawn.
        let is_clustered = self.measured.rows_per_key.is_some_and(|rows| rows > 1.0);
        let skewness = if is_clustered { 0.0 } else { self.moments().skewness(term)? };
        let [low, high] = mean.skewed_interval(skewness, alpha);
        let low = if term.is_non_negative() && low < 0.0 { 0.0 } else { low };
        let at = |mean: f64| (formula.value)(&Dual::inputs(&[mean.into()])).ok();
        let (low, high) = (at(low)?, at(high)?);
        let slope = |end: &Dual| end.slope.first().map_or(0.0, |slope| slope.high);
        let ends = [finite(low.value).ok()?, finite(high.value).ok()?];
        match slope(&low) * slope(&high) {
            product if product < 0.0 => None,
            _ if ends[0] > ends[1] => Some([ends[1], ends[0]]),
            _ => Some(ends),
        }
    }

    /// From the variance of a mean with divisor n.
    fn estimate(
        &self,
        value: DoubleDouble,
        variance: DoubleDouble,
        rows: f64,
    ) -> Result<Estimate, Undefined> {
        if self.rows < 2 || !(rows > 1.0) {
            return Err(Undefined::TooFewRows);
        }
        Estimate::new(finite(value)?, variance.to_f64() * (rows / (rows - 1.0)), rows - 1.0)
    }
}

fn finite(value: DoubleDouble) -> Result<f64, Undefined> {
    let value = value.to_f64();
    if value.is_finite() { Ok(value) } else { Err(Undefined::TooLarge) }
}
