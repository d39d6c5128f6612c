//! Bounds of integers, and integers as booleans. Compared exactly, also beyond 2^53, where the statistics hold
//! the range as decimal text.

use sluice_core::statistics::{ColumnStatistics, TopValues};

use super::code::FindingCode;
use super::finding::{Finding, Words};
use super::subject::Subject;

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
pub(crate) fn check(subject: &Subject<'_>, min: Option<i64>, max: Option<i64>, findings: &mut Vec<Finding>) {
    match IntegerRange::of(subject.column) {
        Some(range) => check_range(subject, range, min, max, findings),
        None if min.is_some() || max.is_some() => findings.push(subject.undecided("int_domain")),
        None => {}
    }
}

/// A range, be it of integers or of text that means integers, against bounds.
pub(crate) fn check_range(
    subject: &Subject<'_>,
    range: IntegerRange,
    min: Option<i64>,
    max: Option<i64>,
    findings: &mut Vec<Finding>,
) {
    if let Some(bound) = min.map(i128::from).filter(|bound| range.min < *bound) {
        let outside = count_where(subject.column, |value| value < bound);
        let body = format!("int_domain {{ min: {} }}", range.min);
        let words =
            words(subject, "int_domain.min", ("at least", bound), ("smallest", range.min), (outside, body));
        let finding = subject.finding(FindingCode::IntegerTooSmall, words).violated_by(outside);
        findings.push(finding.saying(format!("Unexpectedly small value: {}.", range.min)));
    }
    if let Some(bound) = max.map(i128::from).filter(|bound| range.max > *bound) {
        let outside = count_where(subject.column, |value| value > bound);
        let body = format!("int_domain {{ max: {} }}", range.max);
        let words =
            words(subject, "int_domain.max", ("at most", bound), ("largest", range.max), (outside, body));
        let finding = subject.finding(FindingCode::IntegerTooBig, words).violated_by(outside);
        findings.push(finding.saying(format!("Unexpectedly large value: {}.", range.max)));
    }
}

/// An integer column that should hold 0 and 1 only.
pub(crate) fn check_boolean(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(range) = IntegerRange::of(subject.column) else {
        findings.push(subject.undecided("bool_domain"));
        return;
    };
    let outside = count_where(subject.column, |value| !(0..=1).contains(&value));
    let body = format!("int_domain {{ min: {} max: {} }}", range.min, range.max);
    let (code, side, found) = if range.min < 0 {
        (FindingCode::BooleanTooSmall, ("at least", 0), ("smallest", range.min))
    } else if range.max > 1 {
        (FindingCode::BooleanTooBig, ("at most", 1), ("largest", range.max))
    } else {
        return;
    };
    let tfdv = format!("Integers (such as {}) not in {{0, 1}}: converting to an integer.", found.1);
    let words = words(subject, "bool_domain", side, found, (outside, body));
    findings.push(subject.finding(code, words).saying(tfdv).violated_by(outside));
}

fn words(
    subject: &Subject<'_>,
    rule: &'static str,
    (side, bound): (&str, i128),
    (which, value): (&str, i128),
    (outside, body): (Option<u64>, String),
) -> Words {
    let name = subject.name();
    let unweighted = Subject { weighted: None, ..*subject };
    let in_all = unweighted.amount(subject.column.num_values() as f64);
    let counted =
        outside.map(|count| format!(", {} outside", unweighted.amount(count as f64))).unwrap_or_default();
    Words {
        rule,
        expected: format!("{side} {bound}"),
        observed: format!("{which} value {value} in {in_all}{counted}"),
        message: format!("the {which} value of column `{name}` is {value}, {side} {bound} is allowed"),
        suggestion: subject.change(&body),
    }
}

/// How many values are such, where all are known with their counts.
fn count_where(column: &ColumnStatistics, is_outside: impl Fn(i128) -> bool) -> Option<u64> {
    let top = column.top_values.as_ref().filter(|top: &&TopValues| top.is_complete && top.max_error == 0)?;
    let counts = top.values.iter().filter(|(value, _)| value.parse().is_ok_and(&is_outside));
    Some(counts.map(|(_, count)| count).sum())
}
