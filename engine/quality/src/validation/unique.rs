//! How many different values there are.

use super::code::FindingCode;
use super::finding::{Finding, Words};
use super::subject::Subject;

/// An estimate further off than so many of its standard errors is as good as exact.
const STANDARD_ERRORS: f64 = 4.0;

/// The number of different values against its bounds. An estimate whose error reaches over a bound decides nothing.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(bounds) = subject.feature.unique else { return };
    let Some(distinct) = subject.column.distinct else {
        findings.push(not_counted(subject));
        return;
    };
    let error = STANDARD_ERRORS * distinct.relative_error * distinct.count as f64;
    let (lowest, highest) = (distinct.count as f64 - error, distinct.count as f64 + error);
    let about = if distinct.relative_error > 0.0 { "about " } else { "" };
    let count = distinct.count;
    for (field, bound) in [("min", bounds.min), ("max", bounds.max)] {
        let Some(bound) = bound else { continue };
        let is_min = field == "min";
        let (surely, perhaps) = if is_min {
            (highest < bound as f64, lowest < bound as f64)
        } else {
            (lowest > bound as f64, highest > bound as f64)
        };
        let side = if is_min { "at least" } else { "at most" };
        let words = Words {
            rule: if is_min { "unique_constraints.min" } else { "unique_constraints.max" },
            expected: format!("{side} {bound} different values"),
            observed: format!("{about}{count} different values"),
            message: format!(
                "column `{}` has {about}{count} different values, the schema demands {side} {bound}",
                subject.name()
            ),
            suggestion: subject.change(&format!("unique_constraints {{ {field}: {count} }}")),
        };
        let (code, tfdv) = if is_min {
            let tfdv = format!("Expected at least {bound} unique values but found only {count}.");
            (FindingCode::TooFewDistinct, tfdv)
        } else {
            let tfdv = format!("Expected no more than {bound} unique values but found {count}.");
            (FindingCode::TooManyDistinct, tfdv)
        };
        if surely {
            findings.push(subject.finding(code, words).saying(tfdv));
        } else if perhaps {
            findings.push(subject.finding(FindingCode::Undecided, words).into_warning());
        }
    }
}

fn not_counted(subject: &Subject<'_>) -> Finding {
    let words = Words {
        rule: "unique_constraints",
        expected: "the number of different values".into(),
        observed: "it was not counted".into(),
        message: format!("how many different values column `{}` has was not counted", subject.name()),
        suggestion: format!("in feature `{}`, remove `unique_constraints`", subject.name()),
    };
    subject.finding(FindingCode::NoDistinct, words).saying(
        "UniqueConstraints specified for the feature, but unique values were not counted (i.e., feature is \
         not string or categorical).",
    )
}
