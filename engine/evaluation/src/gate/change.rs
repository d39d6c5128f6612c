//! Tests of changes: proof of harm, and proof of no harm.

use super::margin::Estimates;
use super::verdict::{Reason, RuleName};
use super::{Figures, Gate, Rule, SliceFigures, reason, text};
use crate::comparison::{Estimate, holm};
use crate::metric::Undefined;

impl Gate<'_> {
    /// The reason with the p-value of its test, to be decided; one without a p-value is decided.
    pub(super) fn tested(&self, slice: &SliceFigures, figures: &Figures, rule: Rule) -> Reason {
        let mut reason = reason(slice, figures, rule);
        reason.checked = true;
        let direction = figures.metric.direction;
        match estimates(figures)
            .and_then(|estimates| Ok((estimates, estimates.beyond(rule.bound, direction)?)))
        {
            Ok((estimates, (beyond, margin))) => {
                text::with_estimate(&mut reason, &estimates.change, self.alpha);
                reason.p_value = match rule.name {
                    RuleName::BlockIfWorse => beyond.p_worse(margin, direction),
                    _ => beyond.p_not_worse(margin, direction),
                };
            }
            Err(undefined) => {
                reason.passed = rule.name == RuleName::BlockIfWorse && undefined != Undefined::TooLarge;
                let consequence = match (rule.name, reason.passed) {
                    (RuleName::BlockIfWorse, true) => "harm is not proven, so it does not block",
                    (RuleName::BlockIfWorse, false) => "so it blocks",
                    _ => "so it is not proven that the candidate is not worse",
                };
                let name = &figures.metric.name;
                let place = text::place(reason.slice.as_deref());
                reason.text =
                    format!("a change of `{name}`{place} cannot be tested ({undefined}); {consequence}");
            }
        }
        reason
    }

    /// Decides the tests of one rule, all of whose slices these are; `family` rules share the level of their tests.
    pub(super) fn decide(&self, rule: RuleName, family: usize, reasons: &mut [Reason]) {
        let tested: Vec<usize> =
            (0..reasons.len()).filter(|index| reasons[*index].p_value.is_some()).collect();
        let p_values: Vec<f64> = tested.iter().filter_map(|index| reasons[*index].p_value).collect();
        if rule == RuleName::BlockIfWorse {
            for (index, adjusted) in tested.iter().zip(holm(&p_values)) {
                let adjusted = adjusted * family as f64;
                let adjusted = if adjusted > 1.0 { 1.0 } else { adjusted };
                reasons[*index].p_adjusted = Some(adjusted);
                reasons[*index].passed = adjusted > self.alpha;
            }
        } else {
            for (index, p) in tested.iter().zip(&p_values) {
                reasons[*index].passed = *p <= self.alpha;
            }
        }
        for index in &tested {
            reasons[*index].text = text::of_test(&reasons[*index], self.alpha, (tested.len(), family));
        }
    }
}

/// What a test needs; the error of the change, if there is none.
fn estimates(figures: &Figures) -> Result<Estimates, Undefined> {
    let missing = Undefined::NoReplicates;
    let change: Estimate = figures.change.unwrap_or(Err(missing))?;
    Ok(Estimates {
        change,
        candidate: figures.interval,
        baseline: figures.baseline.unwrap_or(Err(missing))?,
        of_baseline: figures.baseline_interval.unwrap_or(Err(missing)),
    })
}
