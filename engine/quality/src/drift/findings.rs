//! A drift report in the form of a validation, so that anomalies, `JUnit` and page are written in one way.

use super::measure::Measure;
use super::report::{ColumnDrift, DriftReport, Signal};
use super::role::ColumnRole;
use crate::validation::{
    Against, CheckedRule, Distance, Finding, FindingCode, Measurement, Severity, ValidationReport,
};

/// The alarms as findings and the distances that TFDV has as its measurements; and every signal as a rule that was
/// checked.
#[must_use]
pub fn validation_report(report: &DriftReport) -> (ValidationReport, Vec<CheckedRule>) {
    let (mut findings, mut rules) = (Vec::new(), Vec::new());
    let mut measurements: Vec<Measurement> = Vec::new();
    for column in &report.columns {
        for signal in &column.signals {
            let column_name = Some(column.column.clone());
            rules.push(CheckedRule { column: column_name, rule: rule(signal.measure) });
            measurements.extend(measurement(column, signal));
            if signal.alarm {
                findings.push(finding(column, signal));
            }
        }
    }
    if let Some(found) = &report.domain_classifier {
        rules.push(CheckedRule { column: None, rule: rule(found.signal.measure) });
        findings.extend(report.domain_alarm().map(|found| of_rows(&found.signal)));
    }
    for finding in &mut findings {
        finding.slice.clone_from(&report.slice);
    }
    for measurement in &mut measurements {
        measurement.slice.clone_from(&report.slice);
    }
    let (subset, num_rows) = (report.subset.clone(), report.num_rows);
    (ValidationReport { subset, num_rows, findings, measurements, ..Default::default() }, rules)
}

fn rule(measure: Measure) -> String {
    format!("drift.{measure}")
}

fn measurement(column: &ColumnDrift, signal: &Signal) -> Option<Measurement> {
    let distance = match signal.measure {
        Measure::InfinityNorm => Distance::InfinityNorm,
        Measure::JensenShannon => Distance::JensenShannonDivergence,
        Measure::NormalizedAbsoluteDifference => Distance::NormalizedAbsoluteDifference,
        _ => return None,
    };
    let path = if column.path.is_empty() { vec![column.column.clone()] } else { column.path.clone() };
    let (value, threshold) = (signal.value, signal.threshold);
    Some(Measurement { slice: None, path, against: Against::Previous, distance, value, threshold })
}

fn code(measure: Measure) -> FindingCode {
    match measure {
        Measure::InfinityNorm => FindingCode::InfinityNormHigh,
        Measure::JensenShannon => FindingCode::JensenShannonHigh,
        Measure::NormalizedAbsoluteDifference => FindingCode::AbsoluteDifferenceHigh,
        _ => FindingCode::Drift,
    }
}

/// That the rows of both sides can be told apart.
fn of_rows(signal: &Signal) -> Finding {
    let Signal { measure, value, threshold, detail, .. } = signal;
    let finding = described(signal);
    Finding {
        message: format!(
            "rows of both sides can be told apart: AUC {value:.4}, {threshold} is allowed; {detail}"
        ),
        rule: rule(*measure),
        ..finding
    }
}

fn finding(column: &ColumnDrift, signal: &Signal) -> Finding {
    let Signal { measure, value, threshold, .. } = signal;
    let role = match column.role {
        ColumnRole::Feature => "column",
        ColumnRole::Label => "label",
        ColumnRole::Prediction => "prediction",
    };
    Finding {
        column: Some(column.column.clone()),
        path: column.path.clone(),
        message: format!("the {measure} of {role} `{}` is {value:.4}, {threshold} is allowed", column.column),
        ..described(signal)
    }
}

/// A finding of no column, without its message.
fn described(signal: &Signal) -> Finding {
    let Signal { measure, value, threshold, noise_floor, q, detail, .. } = signal;
    let code = code(*measure);
    let detail = if detail.is_empty() { String::new() } else { format!("; {detail}") };
    let chance = q.map_or_else(String::new, |q| format!(", q {q:.2e}"));
    Finding {
        code,
        tfdv: code.tfdv(),
        severity: Severity::Error,
        slice: None,
        column: None,
        path: Vec::new(),
        rule: rule(*measure),
        expected: format!("at most {threshold}; samples of the same data have {noise_floor:.4}"),
        observed: format!("{value:.4}{chance}{detail}"),
        message: String::new(),
        // Rounded up: the value is what must not be above the threshold.
        suggestion: format!("raise the threshold: `{measure}={:.4}`", (value * 1e4).ceil() / 1e4),
        num_violations: None,
        examples: Vec::new(),
    }
}
