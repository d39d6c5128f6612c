//! The gate: every requirement against the figures of every slice it covers.
//!
//! - Bounds are included: a tie meets them.
//! - Value bounds look at the point value; of one that is known between two bounds only, at the worse of these. A value that
//!   does not exist does not meet them.
//! - Bounds of a change look at the point values, candidate − baseline or (candidate − baseline) / |baseline|; noise may
//!   break them. A change that does not exist does not meet them.
//! - `block_if_worse: δ` tests "worse by at most δ" against "worse by more than δ", one-sided; it blocks where the
//!   p-value, after Holm's correction over the slices of the rule, is at most alpha. A difference that cannot be
//!   tested does not block, and the reason says so; figures too large for double precision do.
//! - `prove_not_worse: δ` tests "worse by δ or more" against "worse by less"; it passes where the p-value is at most
//!   alpha, in each slice by itself (every slice must pass, so no correction is needed). What cannot be tested fails.
//!   δ in percent is a share of the baseline's magnitude in that slice, whose own error enters the test.
//! - Slices below `minimum_rows` are left out of a rule, and of Holm's correction, or fail it; the reason says which.
//! - A slice that is named by `where` and has no rows fails.
//! - Against accepted metrics the change rules take both samples as independent; what those metrics lack is not checked.
//! - Without a baseline change rules do not apply. A baseline that cannot be compared fails, unless forced.
//! - Requirements of which nothing could be checked do not pass, save that a first model has nothing to be compared with.
//!   Without requirements nothing passes either, unless `accept_any` says so.

mod bound;
mod change;
mod margin;
mod place;
mod requirement;
mod text;
mod verdict;

use std::sync::Arc;

use sluice_core::group::Grouping;

pub use margin::Margin;
pub use place::SliceValue;
use requirement::Rule;
pub use requirement::{Columns, IfFewer, RequirementOptions};
pub(crate) use requirement::{Requirement, finite};
pub(crate) use text::figure;
pub use verdict::{Comparison, Outcome, Reason, RuleName, Verdict};

use crate::comparison::{Change, Estimate, Interval};
use crate::evaluation::SliceKey;
use crate::metric::{Metric, Undefined};

/// Slices below this many rows are flagged: a t test on them leans on the normal distribution of errors.
pub const FEW_ROWS: u64 = 100;

/// The figures of one metric in one slice.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) metric: Arc<Metric>,
    pub(crate) candidate: Result<f64, Undefined>,
    pub(crate) interval: Result<Interval, Undefined>,
    /// Between what the value lies, where it is not exact.
    pub(crate) bounds: Option<[f64; 2]>,
    pub(crate) baseline: Option<Result<f64, Undefined>>,
    pub(crate) baseline_interval: Option<Result<Interval, Undefined>>,
    pub(crate) baseline_bounds: Option<[f64; 2]>,
    pub(crate) change: Option<Result<Estimate, Undefined>>,
}

impl Figures {
    /// Candidate minus baseline with its interval at level 1 − alpha, if there is a baseline to compare with.
    pub(crate) fn change_at(&self, alpha: f64) -> Option<Change> {
        let (baseline, change) = (self.baseline?, self.change?);
        let both = self.candidate.ok().zip(baseline.ok());
        let difference = both.map(|(candidate, baseline)| candidate - baseline);
        Some(Change::of(change, difference, self.metric.direction, alpha))
    }
}

/// All figures of one slice.
#[derive(Clone, Debug)]
pub(crate) struct SliceFigures {
    pub(crate) grouping: Grouping,
    pub(crate) key: SliceKey,
    pub(crate) rows: u64,
    pub(crate) weight: Option<f64>,
    pub(crate) figures: Vec<Figures>,
}

impl SliceFigures {
    /// Its name in reasons; none for all rows.
    pub(crate) fn name(&self) -> Option<String> {
        (!self.key.is_overall()).then(|| self.key.to_string())
    }
}

/// What the gate needs to know beside the figures.
pub(crate) struct Gate<'a> {
    pub(crate) requirements: &'a [Requirement],
    pub(crate) comparison: Comparison,
    pub(crate) alpha: f64,
    pub(crate) forced: bool,
}

/// One slice that a requirement covers, and the figures of its metric there.
type Covered<'a> = (&'a SliceFigures, &'a Figures);

impl Gate<'_> {
    /// The reasons of all requirements.
    pub(crate) fn reasons(&self, slices: &[SliceFigures]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for requirement in self.requirements {
            let figures_of = |slice: &'_ SliceFigures| {
                slice.figures.iter().position(|one| one.metric.name == requirement.metric.name)
            };
            let covered: Vec<Covered<'_>> = slices
                .iter()
                .filter(|slice| requirement.place.covers(&slice.grouping, &slice.key))
                .filter_map(|slice| Some((slice, &slice.figures[figures_of(slice)?])))
                .collect();
            for rule in &requirement.rules {
                if covered.is_empty() {
                    reasons.push(no_rows(requirement, *rule));
                } else {
                    reasons.extend(self.of_rule(requirement, *rule, &covered));
                }
            }
        }
        reasons
    }

    /// What is to be said where nothing was checked: no check is no pass, unless `accept_any` says so. A first model,
    /// and one whose baseline need not be compared, has done what could be asked of it.
    pub(crate) fn about_checks(&self, reasons: &[Reason], accept_any: bool, rows: u64) -> Option<Reason> {
        if self.requirements.is_empty() {
            let text = if accept_any {
                "nothing is required and any model is accepted, so no figure was checked"
            } else {
                "nothing is required, so no figure was checked; set `require`, or `accept_any` to let any model pass"
            };
            return Some(Reason::about(RuleName::NoRequirement, rows, accept_any, text.into()));
        }
        let is_settled = |reason: &Reason| {
            let has_baseline = matches!(self.comparison, Comparison::Compared | Comparison::AcceptedMetrics);
            reason.checked || !reason.passed || (reason.rule.is_of_change() && !has_baseline)
        };
        if reasons.iter().any(|reason| reason.metric.is_some() && is_settled(reason)) {
            return None;
        }
        let text = "no slice had what is required to be checked (rows, or accepted metrics), so nothing was";
        Some(Reason::about(RuleName::NothingChecked, rows, false, text.into()))
    }

    fn of_rule(&self, requirement: &Requirement, rule: Rule, covered: &[Covered<'_>]) -> Vec<Reason> {
        let judged = |slice: &SliceFigures| slice.rows >= requirement.minimum_rows;
        let mut reasons: Vec<Reason> = covered
            .iter()
            .map(|(slice, figures)| match self.uncompared(slice, figures, rule) {
                Some(reason) => reason,
                None if !judged(slice) => too_few(requirement, slice, figures, rule),
                None => self.of_figures(slice, figures, rule),
            })
            .collect();
        self.decide(rule.name, requirement.family, &mut reasons);
        reasons
    }

    /// The reason from figures; that of a test is decided once all of its rule are known.
    fn of_figures(&self, slice: &SliceFigures, figures: &Figures, rule: Rule) -> Reason {
        match rule.name {
            RuleName::BlockIfWorse | RuleName::ProveNotWorse => self.tested(slice, figures, rule),
            RuleName::AtMost | RuleName::AtLeast => bound::of_value(slice, figures, rule),
            _ => bound::of_change(slice, figures, rule),
        }
    }

    /// The reason of a change rule where there is nothing to compare with.
    fn uncompared(&self, slice: &SliceFigures, figures: &Figures, rule: Rule) -> Option<Reason> {
        if !rule.name.is_of_change() {
            return None;
        }
        let mut reason = reason(slice, figures, rule);
        let about = format!(
            "so a change of `{}`{} is not checked",
            figures.metric.name,
            text::place(slice.name().as_deref())
        );
        match (self.comparison, figures.change) {
            (Comparison::Compared | Comparison::AcceptedMetrics, Some(_)) => return None,
            (Comparison::AcceptedMetrics, None) => {
                reason.passed = true;
                reason.text = format!("the accepted metrics do not have it, {about}");
            }
            (Comparison::NoBaseline, _) => {
                reason.passed = true;
                reason.text = format!("there is no baseline, {about}");
            }
            (Comparison::NotComparable, _) | (_, None) => {
                reason.passed = self.forced;
                reason.text = format!("the baseline is not comparable, {about}");
            }
        }
        Some(reason)
    }
}

/// A reason with the figures of its slice, not passed yet, and not checked.
fn reason(slice: &SliceFigures, figures: &Figures, rule: Rule) -> Reason {
    let baseline = figures.baseline.and_then(Result::ok);
    Reason {
        metric: Some(figures.metric.name.clone()),
        slice: slice.name(),
        bound: rule.bound.of_baseline(baseline),
        bound_percent: rule.bound.percent(),
        candidate: figures.candidate.ok(),
        baseline,
        few_rows: slice.rows < FEW_ROWS,
        ..Reason::about(rule.name, slice.rows, false, String::new())
    }
}

/// The reason of a slice that has fewer rows than the requirement asks for.
fn too_few(requirement: &Requirement, slice: &SliceFigures, figures: &Figures, rule: Rule) -> Reason {
    let mut reason = reason(slice, figures, rule);
    reason.passed = requirement.if_fewer == IfFewer::Skip;
    let consequence = if reason.passed { "is not checked" } else { "is not met" };
    reason.text = format!(
        "`{}` of `{}` {consequence}{}: {} rows are fewer than `minimum_rows` {}",
        rule.name.option(),
        figures.metric.name,
        text::place(slice.name().as_deref()),
        slice.rows,
        requirement.minimum_rows
    );
    reason
}

/// The reason where no slice is covered.
fn no_rows(requirement: &Requirement, rule: Rule) -> Reason {
    let slice = requirement.place.named();
    let text = format!(
        "there are no rows{}, so `{}` of `{}` is not met",
        text::place(slice.as_deref()),
        rule.name.option(),
        requirement.metric.name
    );
    Reason {
        metric: Some(requirement.metric.name.clone()),
        slice,
        bound: rule.bound.of_baseline(None),
        bound_percent: rule.bound.percent(),
        few_rows: true,
        ..Reason::about(rule.name, 0, false, text)
    }
}

#[cfg(test)]
mod tests;
