//! Quantiles of the absolute error in replicates, along rising errors.

use super::states::{Follower, Step};
use crate::measure::ranked::errors::quantiles;
use crate::measure::ranked::figures::RankedPlan;

/// Sums of weights may be off by this share of them.
const SLACK: f64 = 1e-12;

/// Quantiles; each keeps the error up to which rows have exactly its share, and what was found, NaN before.
pub(in super::super) struct ErrorFollower {
    places: Vec<usize>,
    shares: Vec<f64>,
    start: Vec<f64>,
}

impl ErrorFollower {
    /// Of all quantiles that are asked for.
    pub(in super::super) fn new(plan: &RankedPlan) -> Self {
        let (places, shares): (Vec<usize>, Vec<f64>) = quantiles(plan).into_iter().unzip();
        let start = vec![f64::NAN; 2 * shares.len()];
        Self { places, shares, start }
    }
}

impl Follower for ErrorFollower {
    fn places(&self) -> &[usize] {
        &self.places
    }

    fn start(&self) -> &[f64] {
        &self.start
    }

    fn needs_totals(&self) -> bool {
        true
    }

    fn step(&self, step: &Step<'_>, own: &mut [f64]) {
        let (within, passed, total) = (step.within[0], step.passed[0], step.total[0]);
        let width = within.len();
        for (share, lists) in self.shares.iter().zip(own.chunks_exact_mut(2 * width)) {
            let (exact, found) = lists.split_at_mut(width);
            for lane in 0..width {
                if !(within[lane] > 0.0) || !found[lane].is_nan() {
                    continue;
                }
                if !exact[lane].is_nan() {
                    found[lane] = f64::midpoint(exact[lane], step.number);
                    continue;
                }
                let beyond = passed[lane] + within[lane] - share * total[lane];
                let slack = SLACK * total[lane];
                if beyond > slack {
                    found[lane] = step.number;
                } else if beyond >= -slack {
                    exact[lane] = step.number;
                }
            }
        }
    }

    fn value(&self, statistic: usize, own: &[f64], _: [f64; 2]) -> f64 {
        let (exact, found) = (own[2 * statistic], own[2 * statistic + 1]);
        if found.is_nan() { exact } else { found }
    }
}
