//! A comparison by key in the form of a validation, so that `JUnit` and page are written in one way.

use super::{FeatureSkew, SkewReport};
use crate::validation::{CheckedRule, Finding, FindingCode, RowExample, Severity, ValidationReport};

const RULE: &str = "skew";
const UNMATCHED: &str = "skew.unmatched";

/// The alarms as findings, and every column as a rule that was checked.
#[must_use]
pub fn skew_validation(report: &SkewReport) -> (ValidationReport, Vec<CheckedRule>) {
    let mut rules = vec![CheckedRule { column: None, rule: UNMATCHED.into() }];
    let of_column =
        |feature: &FeatureSkew| CheckedRule { column: Some(feature.column.clone()), rule: RULE.into() };
    rules.extend(report.features.iter().map(of_column));
    let mut findings: Vec<Finding> = report.unmatched_alarm.then(|| unmatched(report)).into_iter().collect();
    findings.extend(report.alarms().map(finding));
    let (subset, num_rows) = (report.subset.clone(), report.current.num_rows);
    (ValidationReport { subset, num_rows, findings, ..Default::default() }, rules)
}

fn unmatched(report: &SkewReport) -> Finding {
    let (rows, share) = (report.current.unmatched, report.unmatched_share);
    Finding {
        observed: format!("{rows} rows, a share of {share:.4}; {} pairs", report.num_pairs),
        message: format!("{rows} rows have no counterpart in the reference"),
        num_violations: Some(rows),
        ..empty(None, UNMATCHED, "keys that the reference has too")
    }
}

fn finding(feature: &FeatureSkew) -> Finding {
    let FeatureSkew { column, num_different, share, threshold, mismatch, .. } = feature;
    let (current_only, reference_only) = (feature.current_only, feature.reference_only);
    // Rounded up: a threshold just below the share would settle nothing.
    let settling = (share * 1e6).ceil() / 1e6;
    let example = |one: &super::SkewExample| RowExample {
        file: one.current_row.0.clone(),
        row: one.current_row.1,
        row_group: None,
        key: one.key.clone(),
        value: Some(format!(
            "{} was {}",
            one.current.as_deref().unwrap_or("null"),
            one.reference.as_deref().unwrap_or("null")
        )),
    };
    Finding {
        column: Some(column.clone()),
        observed: format!(
            "{share:.6}: {mismatch} differ, {current_only} only in the current data, {reference_only} only in the reference"
        ),
        message: format!("column `{column}` differs in {num_different} pairs of rows, a share of {share:.6}"),
        suggestion: format!("raise the threshold: `{column}={settling:.6}`"),
        num_violations: Some(*num_different),
        examples: feature.examples.iter().map(example).collect(),
        ..empty(None, RULE, &format!("a share of at most {threshold}"))
    }
}

fn empty(column: Option<String>, rule: &str, expected: &str) -> Finding {
    let code = FindingCode::Drift;
    Finding {
        code,
        tfdv: code.tfdv(),
        severity: Severity::Error,
        slice: None,
        column,
        path: Vec::new(),
        rule: rule.into(),
        expected: expected.into(),
        observed: String::new(),
        message: String::new(),
        suggestion: String::new(),
        num_violations: None,
        examples: Vec::new(),
    }
}
