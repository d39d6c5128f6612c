//! What is looked at, in the order of the table of the module.

use sluice_core::error::Result;
use sluice_evaluation::gate::{Outcome, Reason, Verdict};
use sluice_quality::drift::{ColumnDrift, ColumnRole, Signal};
use sluice_report::{rows, significant};

use super::text::span;
use super::{Check, CheckKind, Evidence, LastTraining, RetrainError, RetrainOptions};
use crate::step::drift::DriftRecord;

/// All checks.
pub(super) fn all(evidence: &Evidence, options: RetrainOptions, now_seconds: u64) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (source, record) in &evidence.drift {
        of_drift(source, record, options, &mut checks);
    }
    for (source, record) in &evidence.prediction_drift {
        of_predictions(source, record, &mut checks);
    }
    for (source, verdict) in &evidence.evaluations {
        of_evaluation(source, verdict, evidence.training.as_ref(), &mut checks)?;
    }
    of_training(evidence, options, now_seconds, &mut checks)?;
    if checks.is_empty() { Err(RetrainError::NoEvidence.into()) } else { Ok(checks) }
}

fn of_alarm(kind: CheckKind, source: &str, (column, signal): (&ColumnDrift, &Signal)) -> Check {
    let (value, threshold) = (significant(signal.value), significant(signal.threshold));
    let role = match column.role {
        ColumnRole::Feature => "column",
        ColumnRole::Label => "label",
        ColumnRole::Prediction => "prediction",
    };
    let detail = if signal.detail.is_empty() { String::new() } else { format!("; {}", signal.detail) };
    Check {
        kind,
        source: source.into(),
        subject: Some(column.column.clone()),
        measure: Some(signal.measure.to_string()),
        value: Some(signal.value),
        bound: Some(signal.threshold),
        is_reason: true,
        text: format!(
            "{} of {role} `{}` is {value}, {threshold} is allowed{detail}",
            signal.measure, column.column
        ),
    }
}

/// The columns of a role, and their alarms.
fn of_role(record: &DriftRecord, role: ColumnRole) -> (usize, Vec<(&ColumnDrift, &Signal)>) {
    let columns = || record.subsets.iter().flat_map(|report| &report.columns).filter(|one| one.role == role);
    let alarms = record.subsets.iter().flat_map(|report| report.alarms());
    (columns().count(), alarms.filter(|(column, _)| column.role == role).collect())
}

fn of_drift(source: &str, record: &DriftRecord, options: RetrainOptions, checks: &mut Vec<Check>) {
    let (columns, alarms) = of_role(record, ColumnRole::Feature);
    let all = record.subsets.iter().flat_map(|report| &report.columns);
    let drifted = all.filter(|column| column.role == ColumnRole::Feature && column.is_alarm()).count();
    let bound = options.max_drifted_columns;
    let is_reason = drifted as u64 > bound;
    if columns > 0 {
        checks.push(Check {
            kind: CheckKind::FeatureDrift,
            source: source.into(),
            subject: None,
            measure: None,
            value: Some(drifted as f64),
            bound: Some(bound as f64),
            is_reason,
            text: format!("{drifted} of {columns} columns drifted, {bound} may"),
        });
    }
    checks.extend(alarms.into_iter().map(|alarm| {
        let check = of_alarm(CheckKind::FeatureDrift, source, alarm);
        Check { is_reason, ..check }
    }));
    for signal in record.subsets.iter().filter_map(|report| Some(&report.domain_alarm()?.signal)) {
        let (value, threshold) = (significant(signal.value), significant(signal.threshold));
        checks.push(Check {
            measure: Some(signal.measure.to_string()),
            value: Some(signal.value),
            bound: Some(signal.threshold),
            is_reason: true,
            ..quiet(
                CheckKind::FeatureDrift,
                source,
                &format!("rows are told apart with AUC {value}, {threshold} is allowed; {}", signal.detail),
            )
        });
    }
    for (role, kind) in
        [(ColumnRole::Label, CheckKind::LabelDrift), (ColumnRole::Prediction, CheckKind::PredictionDrift)]
    {
        let (columns, alarms) = of_role(record, role);
        if columns > 0 && alarms.is_empty() {
            checks.push(quiet(kind, source, &format!("no {role} column drifted")));
        }
        checks.extend(alarms.into_iter().map(|alarm| of_alarm(kind, source, alarm)));
    }
}

/// Every column of a report of predictions is one.
fn of_predictions(source: &str, record: &DriftRecord, checks: &mut Vec<Check>) {
    let kind = CheckKind::PredictionDrift;
    let before = checks.len();
    let alarms = record.subsets.iter().flat_map(|report| report.alarms());
    checks.extend(alarms.map(|alarm| of_alarm(kind, source, alarm)));
    if checks.len() == before {
        checks.push(quiet(kind, source, "no prediction drifted"));
    }
}

/// A check without a finding.
fn quiet(kind: CheckKind, source: &str, text: &str) -> Check {
    let (source, text) = (source.to_owned(), text.to_owned());
    Check { kind, source, subject: None, measure: None, value: None, bound: None, is_reason: false, text }
}

fn of_evaluation(
    source: &str,
    verdict: &Verdict,
    training: Option<&LastTraining>,
    checks: &mut Vec<Check>,
) -> Result<()> {
    if verdict.outcome == Outcome::Error {
        let problem = verdict.reasons.first().map_or_else(String::new, |reason| reason.text.clone());
        return Err(RetrainError::EvaluationFailed { place: source.into(), problem }.into());
    }
    let digest = training.map(|training| training.digest.as_str()).filter(|digest| !digest.is_empty());
    if let Some(expected) = digest.filter(|digest| *digest != verdict.candidate_digest) {
        let (place, found) = (source.to_owned(), verdict.candidate_digest.clone());
        return Err(RetrainError::OtherModel { place, found, expected: expected.to_owned() }.into());
    }
    if verdict.outcome == Outcome::Pass {
        let text = format!("the model passes on {}", rows(verdict.rows));
        checks.push(quiet(CheckKind::Evaluation, source, &text));
        return Ok(());
    }
    let check = |reason: &Reason| {
        let value = if reason.rule.is_of_change() { reason.difference } else { reason.candidate };
        let place = reason.slice.as_ref().map_or_else(String::new, |slice| format!(" in {slice}"));
        Check {
            kind: CheckKind::Evaluation,
            source: source.into(),
            subject: reason.metric.as_ref().map(|metric| format!("{metric}{place}")),
            measure: Some(reason.rule.option().to_owned()),
            value,
            bound: reason.bound,
            is_reason: true,
            text: reason.text.clone(),
        }
    };
    checks.extend(verdict.failures().map(check));
    Ok(())
}

fn of_training(
    evidence: &Evidence,
    options: RetrainOptions,
    now_seconds: u64,
    checks: &mut Vec<Check>,
) -> Result<()> {
    let training = evidence.training.as_ref();
    let source = training.map_or_else(String::new, LastTraining::name);
    if let Some(never) = training.filter(|training| training.at_seconds.is_none()) {
        let text = format!("there is no model yet in {}", never.place);
        checks.push(Check { is_reason: true, ..quiet(CheckKind::NeverTrained, &source, &text) });
        return Ok(());
    }
    let mut bounded = |kind, value: f64, bound: f64, text: String| {
        let is_reason = value > bound;
        let (value, bound) = (Some(value), Some(bound));
        checks.push(Check { value, bound, is_reason, ..quiet(kind, &source, &text) });
    };
    let unknown = |option, what| RetrainError::Unknown { option, what };
    if let Some(bound) = options.max_age_seconds {
        let at = training.and_then(|training| training.at_seconds);
        let age = now_seconds.saturating_sub(at.ok_or(unknown("max_age", "when the model was trained"))?);
        let text = format!("the model is {} old, {} is allowed", span(age), span(bound));
        bounded(CheckKind::Age, age as f64, bound as f64, text);
    }
    let of_report = || {
        evidence.drift.first().map(|(_, record)| record.subsets.iter().map(|one| one.num_rows).sum::<u64>())
    };
    let new = evidence.new_rows.or_else(of_report);
    if let Some(bound) = options.max_new_rows {
        let new: u64 = new.ok_or(unknown("max_new_rows", "how many rows are new"))?;
        let text = format!("{} are new to the model, {bound} may be", rows(new));
        bounded(CheckKind::NewRows, new as f64, bound as f64, text);
    }
    if let Some(bound) = options.max_new_share {
        let new: u64 = new.ok_or(unknown("max_new_share", "how many rows are new"))?;
        let seen = training.and_then(|training| training.rows).filter(|rows| *rows > 0);
        let seen = seen.ok_or(unknown("max_new_share", "how many rows the model was trained on"))?;
        let share = new as f64 / seen as f64;
        let text = format!(
            "{} are new to the model, {} per row that it was trained on, {} may be",
            rows(new),
            significant(share),
            significant(bound)
        );
        bounded(CheckKind::NewShare, share, bound, text);
    }
    Ok(())
}
