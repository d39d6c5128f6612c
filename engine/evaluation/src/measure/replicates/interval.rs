//! Intervals and changes of a slice from its replicates, and intervals that allow for skew.

use std::borrow::Cow;

use super::{Figure, SliceReplicates};
use crate::comparison::{Estimate, Interval, Method, Resampling};
use crate::measure::MeasuredSlice;
use crate::metric::{ClassFormula, ClassRate, ConfusionFormula, Dual, Formula, Metric, MomentFormula};
use crate::metric::{Rate, Side, Statistic, Undefined};

impl MeasuredSlice<'_> {
    /// The replicates, where rows are drawn again and the metric has any.
    pub(in crate::measure) fn replicates(&self, formula: &Formula) -> Option<SliceReplicates<'_>> {
        let plan = &self.measured.plan;
        if matches!(formula, Formula::Maximum(_)) {
            return None;
        }
        let replicates = SliceReplicates::new(plan, &self.sums.replicates, self.group)?;
        Some(match &self.measured.ranked {
            Some(figures) => replicates.with_ranked(figures, self.grouping, self.group),
            None => replicates,
        })
    }

    /// What is drawn again: rows, or the keys that hold them.
    fn units(&self) -> f64 {
        self.moments().effective_rows() / self.measured.rows_per_key.unwrap_or(1.0)
    }

    /// A formula of one's own is that of a mean.
    fn as_mean<'f>(&self, formula: &'f Formula) -> Cow<'f, Formula> {
        match formula {
            Formula::Expression(own) => Cow::Owned(Formula::Moments(self.mean_of(own))),
            other => Cow::Borrowed(other),
        }
    }

    /// Of what is drawn, how much a share is of: for precision the rows that are predicted positive.
    fn units_of(&self, formula: &Formula, side: Side) -> f64 {
        let whole = match formula {
            Formula::Confusion(formula) => match &formula.rate {
                Rate::Share { parts, .. } => parts(&self.cells(formula).counts(side)).1,
                _ => return self.units(),
            },
            Formula::Classes(formula) => match &formula.rate {
                ClassRate::Share { parts, .. } => {
                    parts(&self.classes().counts(side), self.measured.plan.class_place(formula)).1
                }
                _ => return self.units(),
            },
            _ => return self.units(),
        };
        self.units() * (whole.value / self.sums.weight(self.group)).to_f64()
    }

    /// The value of the candidate minus that of the baseline.
    fn difference(&self, metric: &Metric) -> Result<f64, Undefined> {
        if let Formula::Moments(formula) = self.as_mean(&metric.formula).as_ref() {
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
        let is_of_terms = matches!(metric.formula, Formula::Moments(_) | Formula::Expression(_));
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
        let formula = self.as_mean(&metric.formula);
        Ok(match formula.as_ref() {
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
                interval.of_share(&estimate, self.units_of(&metric.formula, side), alpha)
            }
            Formula::Ranked(statistic) => {
                let bias = resampling.bias(estimate.difference, &values);
                self.ranked_interval(interval, (*statistic, side), (&estimate, bias), alpha)
            }
            _ => interval,
        })
    }

    /// That of a figure of order, which stays where its values are: through the logit where it is an area under the ROC
    /// curve, Wilson's where it is a rate. The largest of all thresholds is too large by some bias: the interval is about
    /// the value less that bias, and reaches to the value at least.
    fn ranked_interval(
        &self,
        interval: Interval,
        (statistic, side): (Statistic, Side),
        (estimate, bias): (&Estimate, f64),
        alpha: f64,
    ) -> Interval {
        let [least, most] = statistic.bounds();
        let clamped = |low: f64, high: f64| {
            let (low, high) = (low.clamp(least, most), high.clamp(least, most));
            Interval { low, high, ..interval }
        };
        match statistic {
            Statistic::Auc | Statistic::Gini => {
                let place = (self.grouping, self.group);
                let rows = self.ranked().ok().and_then(|figures| figures.least_rows(place, statistic, side));
                let scale = most - least;
                let area = Estimate {
                    difference: (estimate.difference - least) / scale,
                    ..estimate.scaled(1.0 / scale)
                };
                let ends =
                    Interval::delong(&area, rows.unwrap_or(1.0), alpha).map(|area| least + scale * area);
                Interval { low: ends.low, high: ends.high, ..interval }
            }
            Statistic::Steps(steps) if steps.is_rate() => {
                let value = estimate.difference;
                let centre = if steps.is_largest() { (value - bias).clamp(least, most) } else { value };
                let about = Estimate { difference: centre, ..*estimate };
                let is_inside = least < centre && centre < most;
                // At an end of its range Wilson's has no rows to go by, unless no replicate leaves it.
                let found = if is_inside || !(estimate.standard_error > 0.0) {
                    interval.of_share(&about, self.units(), alpha)
                } else {
                    let [low, high] = about.interval(alpha);
                    clamped(low, high)
                };
                let low = if value < found.low { value } else { found.low };
                clamped(low, if value > found.high { value } else { found.high })
            }
            Statistic::Steps(_) | Statistic::ErrorQuantile(_) | Statistic::Spearman => {
                clamped(interval.low, interval.high)
            }
        }
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
