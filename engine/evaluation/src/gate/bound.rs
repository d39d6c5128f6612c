//! Bounds of point values: of the candidate's, or of its change from the baseline.

use super::verdict::{Reason, RuleName};
use super::{Figures, Rule, SliceFigures, reason, text};

/// A value against its bound.
pub(super) fn of_value(slice: &SliceFigures, figures: &Figures, rule: Rule) -> Reason {
    let mut reason = reason(slice, figures, rule);
    reason.checked = true;
    match figures.candidate {
        Ok(value) => {
            let worse = figures.bounds.map(|[low, high]| if is_upper(rule.name) { high } else { low });
            reason.passed = is_within(rule.name, worse.unwrap_or(value), reason.bound);
            reason.text = text::of_bound(&reason);
            if let Some([low, high]) = figures.bounds {
                let ends = (text::figure(low), text::figure(high));
                let told = format!(
                    "; its histogram says between {} and {}, of which the worse counts",
                    ends.0, ends.1
                );
                reason.text.push_str(&told);
            }
        }
        Err(undefined) => {
            let place = text::place(reason.slice.as_deref());
            let (name, bound) = (&figures.metric.name, rule.bound);
            reason.text =
                format!("`{name}` does not exist{place} ({undefined}), so its bound of {bound} is not met");
        }
    }
    reason
}

/// The change of a value against its bound.
pub(super) fn of_change(slice: &SliceFigures, figures: &Figures, rule: Rule) -> Reason {
    let mut reason = reason(slice, figures, rule);
    reason.checked = true;
    let place = text::place(reason.slice.as_deref());
    let name = &figures.metric.name;
    let unmet = format!("so its bound of {} is not met", rule.bound);
    let (Some(candidate), Some(baseline)) = (reason.candidate, reason.baseline) else {
        let undefined =
            [Some(figures.candidate), figures.baseline].into_iter().flatten().find_map(Result::err);
        let why = undefined.map_or_else(String::new, |undefined| format!(" ({undefined})"));
        reason.text = format!("a change of `{name}` does not exist{place}{why}, {unmet}");
        return reason;
    };
    // The estimate keeps digits that the difference of two rounded values has lost.
    let estimate = figures.change.and_then(Result::ok);
    let difference = estimate.map_or(candidate - baseline, |estimate| estimate.difference);
    reason.difference = Some(difference);
    let value = match rule.name {
        RuleName::ChangeAtMost | RuleName::ChangeAtLeast => Some(difference),
        // No change is none of any size, of a baseline of 0 too.
        _ if difference == 0.0 => Some(0.0),
        _ => Some(difference / baseline.abs()).filter(|share| share.is_finite()),
    };
    if !matches!(rule.name, RuleName::ChangeAtMost | RuleName::ChangeAtLeast) {
        reason.relative_difference = value;
    }
    match value {
        Some(value) => {
            reason.passed = is_within(rule.name, value, reason.bound);
            reason.text = text::of_change_bound(&reason);
        }
        None => {
            reason.text = format!(
                "a relative change of `{name}` does not exist{place} (the baseline is {}), {unmet}",
                text::figure(baseline)
            );
        }
    }
    reason
}

/// Whether a value keeps to a bound, which is included.
fn is_within(rule: RuleName, value: f64, bound: Option<f64>) -> bool {
    bound.is_some_and(|bound| if is_upper(rule) { value <= bound } else { value >= bound })
}

/// Whether the bound is from above.
fn is_upper(rule: RuleName) -> bool {
    matches!(rule, RuleName::AtMost | RuleName::ChangeAtMost | RuleName::RelativeChangeAtMost)
}
