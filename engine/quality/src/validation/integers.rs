//! Bounds of integers, and integers as booleans. Compared exactly, also beyond 2^53, where the statistics hold
//! the range as decimal text.

use sluice_core::statistics::{ColumnStatistics, TopValues};

use super::finding::{Finding, FindingCode, Words, change, rows};

/// The smallest and largest integer of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntegerRange {
    pub(crate) min: i128,
    pub(crate) max: i128,
}

impl IntegerRange {
    fn of(column: &ColumnStatistics) -> Option<Self> {
        let numeric = column.numeric.as_ref()?;
        if let Some((min, max)) = &numeric.exact_range
            && let (Ok(min), Ok(max)) = (min.parse(), max.parse())
        {
            return Some(Self { min, max });
        }
        // Where there is no exact range, `f64` holds these integers exactly.
        let integer = |value: f64| format!("{value:.0}").parse().ok();
        Some(Self { min: integer(numeric.min?)?, max: integer(numeric.max?)? })
    }
}

/// An integer column against its bounds.
pub(crate) fn check(
    min: Option<i64>,
    max: Option<i64>,
    column: &ColumnStatistics,
    findings: &mut Vec<Finding>,
) {
    match IntegerRange::of(column) {
        Some(range) => check_range(range, min, max, column, findings),
        None if min.is_some() || max.is_some() => findings.push(undecided("int_domain", column)),
        None => {}
    }
}

/// A range, be it of integers or of text that means integers, against bounds.
pub(crate) fn check_range(
    range: IntegerRange,
    min: Option<i64>,
    max: Option<i64>,
    column: &ColumnStatistics,
    findings: &mut Vec<Finding>,
) {
    if let Some(bound) = max.map(i128::from).filter(|bound| range.max > *bound) {
        let outside = count_where(column, |value| value > bound);
        let body = format!("int_domain {{ max: {} }}", range.max);
        let words =
            words("int_domain.max", "at most", bound, ("largest", range.max), (column, outside, body));
        findings.push(Finding::column(FindingCode::IntegerTooBig, &column.name, words));
    }
    if let Some(bound) = min.map(i128::from).filter(|bound| range.min < *bound) {
        let outside = count_where(column, |value| value < bound);
        let body = format!("int_domain {{ min: {} }}", range.min);
        let words =
            words("int_domain.min", "at least", bound, ("smallest", range.min), (column, outside, body));
        findings.push(Finding::column(FindingCode::IntegerTooSmall, &column.name, words));
    }
}

/// An integer column that should hold 0 and 1 only.
pub(crate) fn check_boolean(column: &ColumnStatistics, findings: &mut Vec<Finding>) {
    let Some(range) = IntegerRange::of(column) else {
        findings.push(undecided("bool_domain", column));
        return;
    };
    let body = format!("int_domain {{ min: {} max: {} }}", range.min, range.max);
    if range.max > 1 {
        let outside = count_where(column, |value| value > 1);
        let words =
            words("bool_domain", "at most", 1, ("largest", range.max), (column, outside, body.clone()));
        findings.push(Finding::column(FindingCode::BooleanTooBig, &column.name, words));
    }
    if range.min < 0 {
        let outside = count_where(column, |value| value < 0);
        let words = words("bool_domain", "at least", 0, ("smallest", range.min), (column, outside, body));
        findings.push(Finding::column(FindingCode::BooleanTooSmall, &column.name, words));
    }
}

fn words(
    rule: &'static str,
    side: &str,
    bound: i128,
    (which, value): (&str, i128),
    (column, outside, body): (&ColumnStatistics, Option<u64>, String),
) -> Words {
    let counted = outside.map(|count| format!(", {} outside", rows(count))).unwrap_or_default();
    Words {
        rule,
        expected: format!("{side} {bound}"),
        observed: format!("{which} value {value} in {}{counted}", rows(column.presence.num_present())),
        message: format!(
            "the {which} value of column `{}` is {value}, {side} {bound} is allowed",
            column.name
        ),
        suggestion: change(&column.name, &body),
    }
}

/// How many rows have such a value, where all values are known with their counts.
fn count_where(column: &ColumnStatistics, is_outside: impl Fn(i128) -> bool) -> Option<u64> {
    let top = column.top_values.as_ref().filter(|top: &&TopValues| top.is_complete && top.max_error == 0)?;
    let counts = top.values.iter().filter(|(value, _)| value.parse().is_ok_and(&is_outside));
    Some(counts.map(|(_, count)| count).sum())
}

/// The statistics lack what the check needs.
pub(crate) fn undecided(rule: &'static str, column: &ColumnStatistics) -> Finding {
    let words = Words {
        rule,
        expected: "statistics of the values".into(),
        observed: "none".into(),
        message: format!("the statistics of column `{}` do not say enough to check `{rule}`", column.name),
        suggestion: "none; compute the statistics with ranges and top values".into(),
    };
    Finding::column(FindingCode::Undecided, &column.name, words).into_warning()
}
