//! What was gathered, and the figures that follow: of a metric in a slice its value, its interval and its change.

use std::sync::Arc;

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result as CoreResult;
use sluice_core::execution::Execution;
use sluice_core::group::Grouping;
use sluice_core::seam::Task;

use crate::comparison::{Estimate, Interval};
use crate::curves::{CalibrationBin, Curves};
use crate::metric::{
    ClassFormula, ClassRate, ConfusionFormula, Dual, ExpressionFormula, Formula, Metric, MomentFormula, Rate,
    Side, Undefined, mean_of,
};
use crate::slice::SliceNames;
use crate::tables::{ClassMatrix, Tables};

use super::cells::Cells;
use super::classes::ClassCells;
use super::moments::Moments;
use super::ranked::{RankedFigures, RankedRows, binned_figures};
use super::{Excluded, GroupedSums, MeasurePlan, Term};

/// The sums of all slices.
#[derive(Clone, Debug)]
pub struct Measured {
    pub(super) plan: Arc<MeasurePlan>,
    pub(super) sums: Vec<GroupedSums>,
    pub(super) excluded: Excluded,
    /// What is still to be ranked.
    pub(super) rows: Option<RankedRows>,
    pub(super) ranked: Option<RankedFigures>,
    pub(super) rows_per_key: Option<f64>,
}

impl Measured {
    /// Puts the rows in order, which metrics of order need before they can be asked for.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn rank(mut self, execution: &Execution) -> CoreResult<Self> {
        if let Some(rows) = self.rows.take() {
            let replicates = self.plan.replicates.as_ref();
            let overall: Vec<bool> = self.plan.groupings.iter().map(Grouping::is_overall).collect();
            self.ranked = Some(RankedFigures::new(&self.plan.ranked, replicates, rows, &overall, execution)?);
        } else if !self.plan.score_bins.is_empty() {
            self.ranked = Some(binned_figures(&self.plan, &self.sums, &execution.cancel)?);
        }
        Ok(self)
    }

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

    /// Rows that were left out.
    #[must_use]
    pub fn excluded(&self) -> &Excluded {
        &self.excluded
    }

    /// What slices are called.
    pub(crate) fn names(&self) -> &SliceNames {
        &self.plan.names
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
        Some(MeasuredSlice { measured: self, sums, grouping, group, rows })
    }
}

/// The sums of one slice.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredSlice<'a> {
    pub(super) measured: &'a Measured,
    pub(super) sums: &'a GroupedSums,
    pub(super) grouping: usize,
    pub(super) group: usize,
    rows: u64,
}

impl<'a> MeasuredSlice<'a> {
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
            Formula::Ranked(statistic) => {
                return self.ranked()?.value(self.grouping, self.group, *statistic, side);
            }
            Formula::Maximum(term) => {
                let largest = self.sums.maxima.of(&self.measured.plan.maxima, self.group, *term, side);
                DoubleDouble::from(largest)
            }
            Formula::Bins(formula) => {
                let plan = &self.measured.plan.bins;
                let distance = self.sums.bins.distance(plan, self.group, formula.bins, side);
                distance / self.sums.weight(self.group)
            }
            Formula::Classes(formula) => {
                formula
                    .rate
                    .value(&self.classes().counts(side), self.measured.plan.class_place(formula))?
                    .value
            }
            Formula::Expression(formula) => self.moment_value(&self.mean_of(formula), side)?.value,
        };
        finite(value)
    }

    /// Between what the value of a metric lies whose rows are known by ranges of their scores only; none where it is exact.
    #[must_use]
    pub fn bounds(&self, metric: &Metric, side: Side) -> Option<[f64; 2]> {
        let Formula::Ranked(statistic) = &metric.formula else { return None };
        self.ranked().ok()?.bounds(self.grouping, self.group, *statistic, side)
    }

    /// The interval of a value at level 1 − alpha.
    ///
    /// # Errors
    /// Why there is none.
    pub fn interval(&self, metric: &Metric, side: Side, alpha: f64) -> Result<Interval, Undefined> {
        self.check()?;
        if let Some(replicates) = self.replicates(&metric.formula) {
            return self.replicated_interval(metric, side, alpha, &replicates);
        }
        match &metric.formula {
            Formula::Moments(formula) => self.moment_interval(formula, side, alpha),
            Formula::Confusion(formula) => self.confusion_interval(formula, side, alpha),
            Formula::Ranked(statistic) => {
                self.ranked()?.interval(self.grouping, self.group, *statistic, side, alpha)
            }
            Formula::Maximum(_) => Err(Undefined::NoErrorOfExtreme),
            Formula::Bins(_) => Err(Undefined::NoReplicates),
            Formula::Classes(formula) => self.class_interval(formula, side, alpha),
            Formula::Expression(formula) => self.moment_interval(&self.mean_of(formula), side, alpha),
        }
    }

    /// The change of a metric from baseline to candidate, with its standard error.
    ///
    /// # Errors
    /// Why there is none.
    pub fn change(&self, metric: &Metric) -> Result<Estimate, Undefined> {
        self.check()?;
        if let Some(replicates) = self.replicates(&metric.formula) {
            return self.replicated_change(metric, &replicates);
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
            Formula::Ranked(statistic) => self.ranked()?.change(self.grouping, self.group, *statistic),
            Formula::Maximum(_) => Err(Undefined::NoErrorOfExtreme),
            Formula::Bins(_) => Err(Undefined::NoReplicates),
            Formula::Classes(formula) => self.class_change(formula),
            Formula::Expression(formula) => self.moment_change(&self.mean_of(formula)),
        }
    }

    /// The standard error of a rate at a threshold, by the delta method.
    pub(crate) fn standard_error(&self, metric: &Metric, side: Side) -> Result<f64, Undefined> {
        self.check()?;
        let Formula::Confusion(formula) = &metric.formula else { return Err(Undefined::NoReplicates) };
        let cells = self.cells(formula);
        let dual = formula.rate.value(&cells.counts(side))?;
        self.rate_estimate(&cells, &dual, side).map(|estimate| estimate.standard_error)
    }

    /// Predictions against labels by ranges of the prediction, where a metric asks for them.
    #[must_use]
    pub fn calibration(&self, side: Side) -> Vec<CalibrationBin> {
        let plan = &self.measured.plan.bins;
        let calibration = |bins| self.sums.bins.calibration(plan, self.group, bins, side);
        plan.first().map(calibration).unwrap_or_default()
    }

    /// What plots of a model show.
    #[must_use]
    pub fn curves(&self, side: Side) -> Curves {
        let ranked = self.measured.ranked.as_ref();
        let ranked = ranked.and_then(|figures| figures.curves(self.grouping, self.group, side));
        Curves { calibration: self.calibration(side), ..ranked.cloned().unwrap_or_default() }
    }

    /// How rows of each class are predicted.
    #[must_use]
    pub fn tables(&self, side: Side) -> Tables {
        let plan = &self.measured.plan;
        let matrix = |threshold: &f64| {
            self.sums.cells.of(&plan.cells, self.group, *threshold).matrix(*threshold, side)
        };
        let classes = match &plan.task {
            Task::MultiClass { classes } if plan.classes.is_shown() => {
                Some(ClassMatrix { classes: classes.clone(), weights: self.classes().matrix(side) })
            }
            _ => None,
        };
        Tables { confusion: plan.cells.thresholds().iter().map(matrix).collect(), classes }
    }

    /// That there is something to take the mean of.
    fn check(&self) -> Result<(), Undefined> {
        if self.sums.weight(self.group).high > 0.0 { Ok(()) } else { Err(Undefined::NoWeight) }
    }

    pub(super) fn ranked(&self) -> Result<&'a RankedFigures, Undefined> {
        self.measured.ranked.as_ref().ok_or(Undefined::NotRanked)
    }

    /// That labels and predictions are what the metric is for.
    fn check_domain(&self, formula: &MomentFormula, side: Side) -> Result<(), Undefined> {
        let outside = formula.terms.iter().find_map(|term| {
            let domain = term.domain()?;
            self.moments().mean(*term, side).high.is_nan().then_some(domain)
        });
        outside.map_or(Ok(()), |domain| Err(Undefined::OutsideDomain(domain)))
    }

    pub(super) fn moments(&self) -> Moments<'_> {
        let weight = self.sums.weight(self.group);
        self.sums.moments.of(&self.measured.plan.moments, self.group, self.rows, weight)
    }

    fn moment_value(&self, formula: &MomentFormula, side: Side) -> Result<Dual, Undefined> {
        self.check_domain(formula, side)?;
        let means = self.moments().means(&formula.terms, side);
        (formula.value)(&Dual::inputs(&means))
    }

    /// The mean of an expression.
    pub(super) fn mean_of(&self, formula: &ExpressionFormula) -> MomentFormula {
        mean_of(Term::Custom(self.measured.plan.custom.place(formula).unwrap_or(usize::MAX)))
    }

    fn moment_interval(
        &self,
        formula: &MomentFormula,
        side: Side,
        alpha: f64,
    ) -> Result<Interval, Undefined> {
        let dual = self.moment_value(formula, side)?;
        if !formula.has_errors() {
            return Err(Undefined::NoReplicates);
        }
        let moments = self.moments();
        if formula.is_share() {
            return Ok(Interval::wilson(dual.value.to_f64(), moments.effective_rows(), alpha));
        }
        let estimate = |value, slope: &[DoubleDouble]| {
            let variance = moments.variance(&formula.terms, slope, side);
            self.estimate(value, variance, moments.effective_rows())
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

    fn moment_change(&self, formula: &MomentFormula) -> Result<Estimate, Undefined> {
        let moments = self.moments();
        let (candidate, baseline) = self.moment_pair(formula)?;
        if !formula.has_errors() {
            return Err(Undefined::NoReplicates);
        }
        let variance = moments.change_variance(&formula.terms, &candidate.slope, &baseline.slope);
        self.estimate(candidate.value - baseline.value, variance, moments.effective_rows())
    }

    /// The values of candidate and baseline.
    pub(super) fn moment_pair(&self, formula: &MomentFormula) -> Result<(Dual, Dual), Undefined> {
        self.check_domain(formula, Side::Candidate)?;
        self.check_domain(formula, Side::Baseline)?;
        let moments = self.moments();
        let of = |means: &[DoubleDouble]| (formula.value)(&Dual::inputs(means));
        // Both from one level, so that the change keeps the digits that the terms' changes have.
        let level = moments.means(&formula.terms, Side::Baseline);
        let changes = moments.changes(&formula.terms);
        let moved: Vec<DoubleDouble> =
            level.iter().zip(changes).map(|(level, change)| *level + change).collect();
        Ok((of(&moved)?, of(&level)?))
    }

    pub(super) fn cells(&self, formula: &ConfusionFormula) -> Cells {
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
        let estimate = self.rate_estimate(&cells, &dual, side);
        if let Rate::Share { parts, .. } = formula.rate {
            // A kind of row belongs to what the share is of where that grows with it.
            let whole = parts(&counts).1;
            let is_of = |kind: usize| whole.slope.get(kind).is_some_and(|slope| slope.high > 0.0);
            let wilson = Interval::wilson(dual.value.to_f64(), cells.effective_rows(side, is_of), alpha);
            let standard_error = estimate.ok().map(|estimate| estimate.standard_error);
            return Ok(Interval { standard_error, ..wilson });
        }
        estimate.map(|estimate| Interval::of(&estimate, alpha))
    }

    fn rate_estimate(&self, cells: &Cells, dual: &Dual, side: Side) -> Result<Estimate, Undefined> {
        let variance = match side {
            Side::Candidate => cells.variance(Some(&dual.slope), None),
            Side::Baseline => cells.variance(None, Some(&dual.slope)),
        };
        let rows = cells.effective_rows(side, |_| true);
        self.estimate(dual.value, variance, rows)
    }

    pub(super) fn classes(&self) -> ClassCells<'_> {
        self.sums.classes.of(&self.measured.plan.classes, self.group)
    }

    fn class_interval(&self, formula: &ClassFormula, side: Side, alpha: f64) -> Result<Interval, Undefined> {
        let (cells, class) = (self.classes(), self.measured.plan.class_place(formula));
        let counts = cells.counts(side);
        let dual = formula.rate.value(&counts, class)?;
        let variance = cells.variance(&dual.slope, side).ok_or(Undefined::NoReplicates)?;
        let estimate = self.estimate(dual.value, variance, cells.effective_rows(side, |_, _| true));
        if let ClassRate::Share { parts, .. } = formula.rate {
            // A kind of row belongs to what the share is of where that grows with it.
            let whole = parts(&counts, class).1;
            let is_of = |label, predicted| cells.influence(&whole.slope, label, predicted).high > 0.0;
            let wilson = Interval::wilson(dual.value.to_f64(), cells.effective_rows(side, is_of), alpha);
            let standard_error = estimate.ok().map(|estimate| estimate.standard_error);
            return Ok(Interval { standard_error, ..wilson });
        }
        estimate.map(|estimate| Interval::of(&estimate, alpha))
    }

    fn class_change(&self, formula: &ClassFormula) -> Result<Estimate, Undefined> {
        let (cells, class) = (self.classes(), self.measured.plan.class_place(formula));
        let value = |side| formula.rate.value(&cells.counts(side), class);
        let (candidate, baseline) = (value(Side::Candidate)?, value(Side::Baseline)?);
        let variance = cells.change_variance(&candidate.slope, &baseline.slope);
        let rows = cells.effective_rows(Side::Candidate, |_, _| true);
        let variance = variance.ok_or(Undefined::NoReplicates)?;
        self.estimate(candidate.value - baseline.value, variance, rows)
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
