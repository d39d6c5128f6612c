//! The gate: every requirement against the figures of every slice it covers.
//!
//! - Value bounds look at the point value; a value that does not exist does not meet them.
//! - `block_if_worse: δ` tests "worse by at most δ" against "worse by more than δ", one-sided; it blocks where the
//!   p-value, after Holm's correction over the slices of the rule, is at most alpha. A difference that cannot be
//!   tested does not block, and the reason says so; figures too large for double precision do.
//! - `prove_not_worse: δ` tests "worse by δ or more" against "worse by less"; it passes where the p-value is at most
//!   alpha, in each slice by itself (every slice must pass, so no correction is needed). What cannot be tested fails.
//! - Without a baseline change rules do not apply. A baseline that cannot be compared fails, unless forced.

mod requirement;
mod text;
mod verdict;

use std::sync::Arc;

use sluice_core::group::Grouping;

pub use requirement::{Columns, RequirementOptions};
pub(crate) use requirement::{Requirement, Rule, finite};
pub use verdict::{Comparison, Outcome, Reason, RuleName, Verdict};

use crate::comparison::{Estimate, Interval, holm};
use crate::metric::{Metric, Undefined};

/// Slices below this many rows are flagged: a t test on them leans on the normal distribution of errors.
pub const FEW_ROWS: u64 = 100;

/// The figures of one metric in one slice.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) metric: Arc<Metric>,
    pub(crate) candidate: Result<f64, Undefined>,
    pub(crate) interval: Result<Interval, Undefined>,
    pub(crate) baseline: Option<Result<f64, Undefined>>,
    pub(crate) change: Option<Result<Estimate, Undefined>>,
}

/// All figures of one slice.
#[derive(Clone, Debug)]
pub(crate) struct SliceFigures {
    pub(crate) grouping: Grouping,
    pub(crate) name: Option<String>,
    pub(crate) rows: u64,
    pub(crate) weight: Option<f64>,
    pub(crate) figures: Vec<Figures>,
}

/// What the gate needs to know beside the figures.
pub(crate) struct Gate<'a> {
    pub(crate) requirements: &'a [Requirement],
    pub(crate) comparison: Comparison,
    pub(crate) alpha: f64,
    pub(crate) forced: bool,
}

impl Gate<'_> {
    /// The reasons of all requirements.
    pub(crate) fn reasons(&self, slices: &[SliceFigures]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for requirement in self.requirements {
            let covered: Vec<(&SliceFigures, &Figures)> = slices
                .iter()
                .filter(|slice| slice.grouping == requirement.grouping)
                .filter_map(|slice| {
                    let figures =
                        slice.figures.iter().find(|one| one.metric.name == requirement.metric.name)?;
                    Some((slice, figures))
                })
                .collect();
            for rule in &requirement.rules {
                match rule {
                    Rule::AtMost(bound) => reasons.extend(
                        covered
                            .iter()
                            .map(|(slice, figures)| of_value(slice, figures, RuleName::AtMost, *bound)),
                    ),
                    Rule::AtLeast(bound) => reasons.extend(
                        covered
                            .iter()
                            .map(|(slice, figures)| of_value(slice, figures, RuleName::AtLeast, *bound)),
                    ),
                    Rule::BlockIfWorse(margin) => {
                        reasons.extend(self.of_change(&covered, RuleName::BlockIfWorse, *margin));
                    }
                    Rule::ProveNotWorse(margin) => {
                        reasons.extend(self.of_change(&covered, RuleName::ProveNotWorse, *margin));
                    }
                }
            }
        }
        reasons
    }

    fn of_change(&self, covered: &[(&SliceFigures, &Figures)], rule: RuleName, margin: f64) -> Vec<Reason> {
        let mut reasons: Vec<Reason> =
            covered.iter().map(|(slice, figures)| self.untested(slice, figures, rule, margin)).collect();
        let tested: Vec<usize> =
            (0..reasons.len()).filter(|index| reasons[*index].p_value.is_some()).collect();
        if rule == RuleName::BlockIfWorse {
            let p_values: Vec<f64> = tested.iter().filter_map(|index| reasons[*index].p_value).collect();
            for (index, adjusted) in tested.iter().zip(holm(&p_values)) {
                reasons[*index].p_adjusted = Some(adjusted);
                reasons[*index].passed = adjusted > self.alpha;
            }
        } else {
            for index in &tested {
                reasons[*index].passed = reasons[*index].p_value.is_some_and(|p| p <= self.alpha);
            }
        }
        for index in &tested {
            reasons[*index].text = text::of_change(&reasons[*index], self.alpha, tested.len());
        }
        reasons
    }

    /// The reason before the decision; without a p-value it is already decided.
    fn untested(&self, slice: &SliceFigures, figures: &Figures, rule: RuleName, margin: f64) -> Reason {
        let mut reason = reason(slice, figures, rule, margin);
        let name = &figures.metric.name;
        let place = text::place(slice.name.as_deref());
        match (self.comparison, figures.change) {
            (Comparison::NoBaseline, _) => {
                reason.passed = true;
                reason.text = format!("there is no baseline, so a change of `{name}`{place} is not checked");
            }
            (Comparison::NotComparable, _) | (_, None) => {
                reason.passed = self.forced;
                reason.text =
                    format!("the baseline is not comparable, so a change of `{name}`{place} is not checked");
            }
            (Comparison::Compared, Some(Ok(estimate))) => {
                text::with_estimate(&mut reason, &estimate, self.alpha);
                let direction = figures.metric.direction;
                reason.p_value = match rule {
                    RuleName::BlockIfWorse => estimate.p_worse(margin, direction),
                    _ => estimate.p_not_worse(margin, direction),
                };
            }
            (Comparison::Compared, Some(Err(undefined))) => {
                reason.passed = rule == RuleName::BlockIfWorse && undefined != Undefined::TooLarge;
                let consequence = match (rule, reason.passed) {
                    (RuleName::BlockIfWorse, true) => "harm is not proven, so it does not block",
                    (RuleName::BlockIfWorse, false) => "so it blocks",
                    _ => "so it is not proven that the candidate is not worse",
                };
                reason.text =
                    format!("a change of `{name}`{place} cannot be tested ({undefined}); {consequence}");
            }
        }
        reason
    }
}

/// A value against its bound.
fn of_value(slice: &SliceFigures, figures: &Figures, rule: RuleName, bound: f64) -> Reason {
    let mut reason = reason(slice, figures, rule, bound);
    match figures.candidate {
        Ok(value) => {
            reason.passed = if rule == RuleName::AtMost { value <= bound } else { value >= bound };
            reason.text = text::of_bound(&reason);
        }
        Err(undefined) => {
            let place = text::place(slice.name.as_deref());
            let name = &figures.metric.name;
            reason.text =
                format!("`{name}` does not exist{place} ({undefined}), so its bound of {bound} is not met");
        }
    }
    reason
}

/// A reason with the figures of its slice, not passed yet.
fn reason(slice: &SliceFigures, figures: &Figures, rule: RuleName, bound: f64) -> Reason {
    Reason {
        metric: Some(figures.metric.name.clone()),
        slice: slice.name.clone(),
        bound: Some(bound),
        candidate: figures.candidate.ok(),
        baseline: figures.baseline.and_then(Result::ok),
        few_rows: slice.rows < FEW_ROWS,
        ..Reason::about(rule, slice.rows, false, String::new())
    }
}

#[cfg(test)]
mod tests;
