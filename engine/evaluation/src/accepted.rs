//! Figures of an earlier evaluation as the baseline, without its model.
//!
//! Its rows are not there, so the errors of both are taken as independent: Var(c − b) = Var(c) + Var(b), with Welch's
//! degrees of freedom (B. L. Welch, Biometrika 34 (1947)). Where both were evaluated on the same rows, as a fixed set of
//! tests is, their errors move together and the true variance is lower: the test is then cautious, and proves less harm
//! than a comparison of the models on these rows would.
//!
//! A share has a standard error of 0 where it is 0 or 1; in its place stands what its Wilson interval reaches to.

use std::collections::HashMap;

use sluice_core::distribution::normal;

use crate::comparison::{Estimate, Interval, Method};
use crate::evaluation::{Evaluation, SliceKey, SliceMetrics};
use crate::gate::Figures;
use crate::metric::Undefined;
use crate::subject::Against;

/// The figures, by slice.
pub(crate) struct Accepted<'a> {
    evaluation: &'a Evaluation,
    slices: HashMap<String, &'a SliceMetrics>,
}

impl<'a> Accepted<'a> {
    /// Those that a candidate is held against, if any.
    pub(crate) fn of(against: &'a Against) -> Option<Self> {
        let Against::Accepted(evaluation) = against else { return None };
        let slices = evaluation.slices.iter().map(|slice| (slice.slice.to_string(), slice)).collect();
        Some(Self { evaluation, slices })
    }

    /// What the verdict says of them.
    pub(crate) fn told(evaluation: &Evaluation, is_same: bool) -> String {
        let digest = &evaluation.verdict.candidate_digest;
        let model = if is_same { "this very model" } else { "model " };
        let digest = if is_same { "" } else { digest.get(..12).unwrap_or(digest) };
        format!(
            "compared with the accepted metrics of {model}{digest} on {} rows, as if on other rows: the errors of both \
             are taken as independent, which is cautious where the rows are the same",
            evaluation.verdict.rows
        )
    }

    /// Makes them the baseline of the figures of a slice. What they do not have stays without.
    pub(crate) fn join(&self, figures: &mut Figures, key: &SliceKey, rows: u64, alpha: f64) {
        let name = &figures.metric.name;
        let Some(slice) = self.slices.get(&key.to_string()).filter(|slice| slice.slice == *key) else {
            return;
        };
        let Some(value) = slice.candidate.get(name).copied().flatten() else { return };
        let interval = slice.intervals.get(name).copied().ok_or(Undefined::NoReplicates);
        let accepted = spread(interval, self.evaluation.verdict.alpha);
        let own = spread(figures.interval, alpha);
        let change = figures
            .candidate
            .and_then(|candidate| independent(candidate - value, (own?, rows), (accepted?, slice.rows)));
        figures.baseline = Some(Ok(value));
        figures.baseline_interval = Some(interval);
        figures.baseline_bounds = slice.bounds.get(name).copied();
        figures.change = Some(change);
    }
}

/// The standard error of a value.
fn spread(interval: Result<Interval, Undefined>, alpha: f64) -> Result<f64, Undefined> {
    let interval = interval?;
    if interval.method == Method::Wilson {
        return Ok((interval.high - interval.low) / 2.0 / normal::upper_quantile(alpha / 2.0));
    }
    interval.standard_error.ok_or(Undefined::NoReplicates)
}

/// The change between two values of independent rows, from the standard error of each and its rows.
fn independent(difference: f64, own: (f64, u64), accepted: (f64, u64)) -> Result<Estimate, Undefined> {
    let part = |(error, rows): (f64, u64)| {
        let variance = error * error;
        let freedom = rows.saturating_sub(1) as f64;
        (variance, if variance > 0.0 { variance * variance / freedom } else { 0.0 })
    };
    let ((own_variance, own_square), (variance, square)) = (part(own), part(accepted));
    let total = own_variance + variance;
    let fewest = std::cmp::min(own.1, accepted.1).saturating_sub(1) as f64;
    let freedom = if total > 0.0 { total * total / (own_square + square) } else { fewest };
    Estimate::new(difference, total, freedom)
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;
    use crate::metric::Direction;

    #[test]
    fn two_samples_equal_welch() {
        // scipy 1.17 stats.ttest_ind([1, 4, 2, 8, 5.5], [1.5, 3, 2, 6, 7.5, 9, 4], equal_var=False,
        // alternative="greater"): statistic, p-value, df; standard errors are sd(ddof=1) / sqrt(n).
        let estimate =
            independent(4.1 - 33.0 / 7.0, (1.248_999_599_679_679_4, 5), (1.079_335_900_632_679_7, 7));
        let estimate = estimate.unwrap();
        assert_relative(estimate.difference / estimate.standard_error, -0.372_125_878_327_774_3, 1e-12);
        assert_relative(estimate.degrees_of_freedom, 8.897_100_494_165_52, 1e-12);
        assert_relative(
            estimate.p_worse(0.0, Direction::LowerIsBetter).unwrap(),
            0.640_746_041_871_815_2,
            1e-12,
        );
    }

    #[test]
    fn a_share_of_one_is_not_certain() {
        let certain = Interval::wilson(1.0, 20.0, 0.05);
        let error = spread(Ok(certain), 0.05).unwrap();
        assert!(error > 0.02 && error < 0.1, "{error}");
        assert_eq!(spread(Err(Undefined::NoWeight), 0.05), Err(Undefined::NoWeight));
    }
}
