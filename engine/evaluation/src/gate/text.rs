//! Reasons in words: one sentence each, with the figures that decided it.

use std::fmt::Write;

use crate::comparison::Estimate;

use super::verdict::{Reason, RuleName};

/// A number with at most six significant digits.
pub(crate) fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".into();
    }
    if !(1e-4..1e7).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    // The range above keeps the logarithm between -4 and 7.
    let before_point = (0..7).take_while(|digits| magnitude >= 10_f64.powi(*digits)).count();
    let leading_zeros = (1..4).take_while(|digits| magnitude < 10_f64.powi(-*digits)).count();
    let decimals = 6 + leading_zeros - std::cmp::min(before_point, 6);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// A p-value with at most three significant digits.
fn probability(value: f64) -> String {
    if value < 1e-300 {
        "0".into()
    } else if value < 0.001 {
        format!("{value:.1e}")
    } else {
        format!("{value:.3}")
    }
}

/// ` overall` or ` in sex=f`.
pub(crate) fn place(slice: Option<&str>) -> String {
    slice.map_or_else(|| " overall".into(), |slice| format!(" in {slice}"))
}

/// `rmse` is 57.4 overall, above the bound of 55.
pub(crate) fn of_bound(reason: &Reason) -> String {
    let metric = reason.metric.as_deref().unwrap_or_default();
    let bound = figure(reason.bound.unwrap_or_default());
    let relation = match (reason.rule, reason.passed) {
        (RuleName::AtMost, true) => "within the bound of at most",
        (RuleName::AtMost, false) => "above the bound of",
        (_, true) => "within the bound of at least",
        (_, false) => "below the bound of",
    };
    let value = figure(reason.candidate.unwrap_or_default());
    format!("`{metric}` is {value}{}, {relation} {bound}{}", place(reason.slice.as_deref()), few_rows(reason))
}

/// `rmse` went from 57.41 to 58.07 (+0.666) overall, above the bound of +0.5 for candidate − baseline.
pub(crate) fn of_change_bound(reason: &Reason) -> String {
    let bound = reason.bound.unwrap_or_default();
    let (relation, formula) = match (reason.rule, reason.passed) {
        (RuleName::ChangeAtMost, true) => ("within the bound of at most", "candidate − baseline"),
        (RuleName::ChangeAtMost, false) => ("above the bound of", "candidate − baseline"),
        (RuleName::ChangeAtLeast, true) => ("within the bound of at least", "candidate − baseline"),
        (RuleName::ChangeAtLeast, false) => ("below the bound of", "candidate − baseline"),
        (RuleName::RelativeChangeAtMost, true) => ("within the bound of at most", RELATIVE),
        (RuleName::RelativeChangeAtMost, false) => ("above the bound of", RELATIVE),
        (_, true) => ("within the bound of at least", RELATIVE),
        (_, false) => ("below the bound of", RELATIVE),
    };
    let share = reason.relative_difference.map_or_else(String::new, |share| format!(": {}", signed(share)));
    let bound = signed(bound);
    format!("{}, {relation} {bound} for {formula}{share}{}", change(reason), few_rows(reason))
}

const RELATIVE: &str = "(candidate − baseline) / |baseline|";

/// With a plus sign, where it is more than 0.
fn signed(value: f64) -> String {
    format!("{}{}", if value > 0.0 { "+" } else { "" }, figure(value))
}

/// What a test of a change says; `tests` is how many slices Holm's correction covers, `family` how many rules share the
/// level.
pub(crate) fn of_test(reason: &Reason, alpha: f64, (tests, family): (usize, usize)) -> String {
    let margin = reason.bound.unwrap_or_default();
    let shown = match reason.bound_percent {
        Some(percent) => format!("{}% of the baseline ({})", figure(percent), figure(margin)),
        None => figure(margin),
    };
    let claim = match reason.rule {
        RuleName::BlockIfWorse if margin > 0.0 => format!("worse by more than {shown}"),
        RuleName::BlockIfWorse => "worse than the baseline".into(),
        _ => format!("not worse by {shown} or more"),
    };
    let is_proven = match reason.rule {
        RuleName::BlockIfWorse => !reason.passed,
        _ => reason.passed,
    };
    let mut text = change(reason);
    let verb = if is_proven { "is proven" } else { "is not proven" };
    let _ = write!(text, "; {claim} {verb}");
    match (reason.p_value, reason.p_adjusted) {
        (Some(p), Some(adjusted)) if tests > 1 || family > 1 => {
            let (p, adjusted) = (probability(p), probability(adjusted));
            let slices = if tests > 1 { format!("Holm over {tests} slices") } else { String::new() };
            let rules = if family > 1 { format!("Bonferroni over {family} rules") } else { String::new() };
            let and = if tests > 1 && family > 1 { " and " } else { "" };
            let _ = write!(text, " (p {p}, {adjusted} after {slices}{and}{rules}, alpha {alpha})");
        }
        (Some(p), _) => {
            let _ = write!(text, " (p {}, alpha {alpha})", probability(p));
        }
        (None, _) => {}
    }
    text + &few_rows(reason)
}

/// `rmse` went from 58.07 to 57.41 (-0.666, interval -2.59 to 1.26) overall.
fn change(reason: &Reason) -> String {
    let metric = reason.metric.as_deref().unwrap_or_default();
    let mut text = format!("`{metric}`");
    if let (Some(from), Some(to)) = (reason.baseline, reason.candidate) {
        let _ = write!(text, " went from {} to {}", figure(from), figure(to));
    }
    if let Some(difference) = reason.difference {
        let _ = write!(text, " ({}", signed(difference));
        if let Some([low, high]) = reason.interval {
            let _ = write!(text, ", interval {} to {}", figure(low), figure(high));
        }
        text.push(')');
    }
    text + &place(reason.slice.as_deref())
}

fn few_rows(reason: &Reason) -> String {
    if reason.few_rows { format!(" [few rows: {}]", reason.rows) } else { String::new() }
}

/// The figures of an estimate, put into a reason.
pub(crate) fn with_estimate(reason: &mut Reason, estimate: &Estimate, alpha: f64) {
    reason.difference = Some(estimate.difference);
    reason.interval = Some(estimate.interval(alpha));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_six_digits_at_most() {
        let shown = [
            0.0,
            57.408_317_6,
            -0.665_878_401,
            3_295.714_938,
            0.000_123_456_78,
            1_234_567.8,
            100.0,
            3e-9,
            9.999_999_9,
        ];
        let shown = shown.map(figure);
        assert_eq!(
            shown,
            ["0", "57.4083", "-0.665878", "3295.71", "0.000123457", "1234568", "100", "3.000e-9", "10"]
        );
    }
}
