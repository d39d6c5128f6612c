//! Intervals and changes of a slice from its replicates, and intervals that allow for skew.

use super::{Figure, SliceReplicates};
use crate::comparison::{Estimate, Interval, Method, Resampling};
use crate::measure::MeasuredSlice;
use crate::metric::{ClassFormula, ClassRate, ConfusionFormula, Dual, Formula, Metric, MomentFormula};
use crate::metric::{Rate, Side, Undefined};

impl MeasuredSlice<'_> {
    /// The replicates, where rows are drawn again and the metric is one of sums.
    pub(in crate::measure) fn replicates(&self, formula: &Formula) -> Option<SliceReplicates<'_>> {
        let plan = &self.measured.plan;
        if matches!(formula, Formula::Maximum(_) | Formula::Ranked(_)) {
            return None;
        }
        SliceReplicates::new(plan, &self.sums.replicates, self.group)
    }

    /// What is drawn again: rows, or the keys that hold them.
    fn units(&self) -> f64 {
        self.moments().effective_rows() / self.measured.rows_per_key.unwrap_or(1.0)
    }

    /// The value of the candidate minus that of the baseline.
    fn difference(&self, metric: &Metric) -> Result<f64, Undefined> {
        if let Formula::Moments(formula) = &metric.formula {
            let (candidate, baseline) = self.moment_pair(formula)?;
            let difference = (candidate.value - baseline.value).to_f64();
            return if difference.is_finite() { Ok(difference) } else { Err(Undefined::TooLarge) };
        }
        Ok(self.value(metric, Side::Candidate)? - self.value(metric, Side::Baseline)?)
    }

    pub(in crate::measure) fn replicated_change(
        &self,
        metric: &Metric,
        replicates: &SliceReplicates<'_>,
    ) -> Result<Estimate, Undefined> {
        let values = replicates.values(&metric.formula, Figure::Change);
        // Changes of terms are added up as such, and lose no digits that rounding could take.
        let is_of_terms = matches!(metric.formula, Formula::Moments(_));
        let level = if is_of_terms { 0.0 } else { self.value(metric, Side::Candidate)? };
        replicates.resampling().estimate(self.difference(metric)?, &values, self.units(), level)
    }

    pub(in crate::measure) fn replicated_interval(
        &self,
        metric: &Metric,
        side: Side,
        alpha: f64,
        replicates: &SliceReplicates<'_>,
    ) -> Result<Interval, Undefined> {
        // Simulations: such intervals hold the true value in 10 to 58 % of cases (docs/intervals.md).
        if matches!(metric.formula, Formula::Bins(_)) {
            return Err(Undefined::Biased);
        }
        let (resampling, units) = (replicates.resampling(), self.units());
        let method = match resampling {
            Resampling::Bootstrap { .. } => Method::Bootstrap,
            Resampling::Jackknife => Method::Jackknife,
        };
        let values = replicates.values(&metric.formula, Figure::Value(side));
        let estimate = resampling.estimate(self.value(metric, side)?, &values, units, 0.0)?;
        let interval = Interval { method, ..Interval::of(&estimate, alpha) };
        Ok(match &metric.formula {
            Formula::Moments(formula) if formula.is_share() => interval.of_share(&estimate, units, alpha),
            Formula::Moments(formula) => {
                let ends = match formula.terms[..] {
                    [term] => {
                        let mean = self.moments().mean(term, side).to_f64();
                        let mean = resampling.estimate(mean, &replicates.means(term, side), units, 0.0)?;
                        self.through_mean(formula, side, &mean, alpha)
                    }
                    _ => None,
                };
                interval.with_ends(ends)
            }
            Formula::Confusion(ConfusionFormula { rate: Rate::Share { .. }, .. })
            | Formula::Classes(ClassFormula { rate: ClassRate::Share { .. }, .. }) => {
                interval.of_share(&estimate, units, alpha)
            }
            _ => interval,
        })
    }

    /// The interval of a function of one mean: the function at the ends of the mean's, which allows for the skew of the
    /// rows. None where it is not the better one: of a term whose skew is not known, of a function that turns round.
    pub(in crate::measure) fn through_mean(
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
        let ends = [low.value.to_f64(), high.value.to_f64()];
        match slope(&low) * slope(&high) {
            product if product < 0.0 || !ends.iter().all(|end| end.is_finite()) => None,
            _ if ends[0] > ends[1] => Some([ends[1], ends[0]]),
            _ => Some(ends),
        }
    }
}
