//! What gates answer to an orchestrator: one vocabulary for data and models, so that one condition fits all.

use serde_json::{Value, json};
use sluice_core::Error;
use sluice_delivery::kubeflow::ParameterType;
use sluice_evaluation::gate::Outcome as Decision;
use sluice_evaluation::{Evaluation, SliceMetrics};
use sluice_pipeline::step::drift::DriftRecord;
use sluice_pipeline::step::skew::SkewRecord;
use sluice_pipeline::step::validate::ValidationRecord;
use sluice_quality::drift::DriftReport;
use sluice_quality::validation::Severity;

use crate::answer::{Answer, Content};
use crate::executor::Outcome;
use crate::session::Exit;

pub(crate) const BLESSED: Outcome =
    Outcome { name: "blessed", kind: ParameterType::Boolean, help: "Whether it passed" };
pub(crate) const BLESSING: Outcome = Outcome {
    name: "blessing",
    kind: ParameterType::Text,
    help: "BLESSED or NOT_BLESSED, for conditions on texts",
};
pub(crate) const OUTCOME: Outcome =
    Outcome { name: "outcome", kind: ParameterType::Text, help: "pass, fail, or error" };
pub(crate) const COMPARISON: Outcome = Outcome {
    name: "comparison",
    kind: ParameterType::Text,
    help: "compared, accepted-metrics, no-baseline, or not-comparable",
};
pub(crate) const REASONS: Outcome =
    Outcome { name: "reasons", kind: ParameterType::List, help: "Why it did not pass, one sentence each" };

/// Reasons that are told at most: an orchestrator keeps parameters in a database. The artifact has all of them.
const REASONS_TOLD: usize = 100;

fn of(decision: Decision, reasons: impl ExactSizeIterator<Item = String>) -> Answer {
    let blessed = decision == Decision::Pass;
    let outcome = match decision {
        Decision::Pass => "pass",
        Decision::Fail => "fail",
        Decision::Error => "error",
    };
    let rest = reasons.len().saturating_sub(REASONS_TOLD);
    let mut reasons: Vec<String> = reasons.take(REASONS_TOLD).collect();
    if rest > 0 {
        reasons.push(format!("and {rest} more, in the artifact"));
    }
    Answer::new(if blessed { Exit::Done } else { Exit::Rejected })
        .parameter(BLESSED.name, blessed)
        .parameter(BLESSING.name, if blessed { "BLESSED" } else { "NOT_BLESSED" })
        .parameter(OUTCOME.name, outcome)
        .parameter(REASONS.name, reasons)
}

/// The answer of a command that failed, so that a condition on its parameters never sees nothing.
pub(crate) fn of_error(error: &Error) -> Answer {
    let places: String = error.places().iter().map(|place| format!(", in {place}")).collect();
    of(Decision::Error, [format!("{error}{places}")].into_iter()).parameter(COMPARISON.name, "not-comparable")
}

/// The answer about data.
pub(crate) fn of_validation(record: &ValidationRecord) -> Answer {
    let findings = record.subsets.iter().flat_map(|report| {
        let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| {
            let column = finding.column.as_ref().map_or_else(String::new, |column| format!("`{column}`: "));
            format!("{}: {column}{}", report.subset, finding.message)
        })
    });
    let findings: Vec<String> = findings.collect();
    let (errors, warnings) = record.counts();
    of(if record.accepted { Decision::Pass } else { Decision::Fail }, findings.into_iter())
        .metadata("validation", BLESSED.name, record.accepted)
        .metadata("validation", "errors", errors)
        .metadata("validation", "warnings", warnings)
}

/// The answer about data compared with others.
pub(crate) fn of_drift(record: &DriftRecord) -> Answer {
    let mut reasons: Vec<String> = record
        .subsets
        .iter()
        .flat_map(|report| report.alarms().map(move |alarm| (report, alarm)))
        .map(|(report, (column, signal))| {
            let (measure, value, threshold) = (signal.measure, signal.value, signal.threshold);
            format!("{}: `{}`: {measure} {value:.4}, {threshold} is allowed", report.part(), column.column)
        })
        .collect();
    let told_apart = |report: &DriftReport| {
        let signal = &report.domain_alarm()?.signal;
        let (value, threshold) = (signal.value, signal.threshold);
        Some(format!("{}: rows are told apart, AUC {value:.4}, {threshold} is allowed", report.subset))
    };
    reasons.extend(record.subsets.iter().filter_map(told_apart));
    of(if record.accepted { Decision::Pass } else { Decision::Fail }, reasons.into_iter())
        .metadata("drift", BLESSED.name, record.accepted)
        .metadata("drift", "alarms", record.counts().0)
}

/// The answer about rows that both sides have.
pub(crate) fn of_skew(record: &SkewRecord) -> Answer {
    let reasons: Vec<String> = record
        .subsets
        .iter()
        .flat_map(|report| {
            let unmatched = report.unmatched_alarm.then(|| {
                format!(
                    "{}: a share of {:.4} of the rows is not in the reference",
                    report.subset, report.unmatched_share
                )
            });
            let columns = report.alarms().map(|feature| {
                let (share, threshold) = (feature.share, feature.threshold);
                format!(
                    "{}: `{}` differs in a share of {share:.6}, {threshold} is allowed",
                    report.subset, feature.column
                )
            });
            unmatched.into_iter().chain(columns)
        })
        .collect();
    of(if record.accepted { Decision::Pass } else { Decision::Fail }, reasons.into_iter())
        .metadata("skew", BLESSED.name, record.accepted)
        .metadata("skew", "alarms", record.alarms())
}

/// The answer about a model: its verdict, its page, and the overall metrics as a file and as metadata that pages show.
pub(crate) fn of_evaluation(evaluation: &Evaluation, page: Vec<u8>) -> Answer {
    let verdict = &evaluation.verdict;
    let comparison = serde_json::to_value(verdict.comparison).unwrap_or_default();
    let reasons: Vec<String> = verdict.failures().map(|reason| reason.text.clone()).collect();
    let mut answer = of(verdict.outcome, reasons.into_iter())
        .parameter(COMPARISON.name, comparison)
        .metadata("evaluation", BLESSED.name, verdict.outcome == Decision::Pass)
        .metadata("evaluation", "rows", verdict.rows);
    let Some(overall) = evaluation.slices.first() else { return answer };
    for (name, value) in &overall.candidate {
        answer = answer.metadata("metrics", name, *value);
    }
    let file = serde_json::to_vec_pretty(&overall.candidate).unwrap_or_default();
    answer = answer
        .metadata("metrics", "rows", overall.rows)
        .content("metrics", Content::Bytes(file))
        .content("report", Content::Bytes(page));
    with_classification(answer, overall)
}

/// The curve of true and false positive rates and the confusion matrix, as Kubeflow's pages draw them; a regression
/// has neither.
fn with_classification(answer: Answer, overall: &SliceMetrics) -> Answer {
    let points: Vec<Value> = overall
        .curves
        .get("candidate")
        .into_iter()
        .flat_map(|curves| &curves.roc)
        // Of the point where no row is predicted positive there is no threshold; pages draw numbers only.
        .map(|point| {
            let threshold = point.threshold.unwrap_or(1.0);
            json!({"confidenceThreshold": threshold, "recall": point.y, "falsePositiveRate": point.x})
        })
        .collect();
    let matrix = confusion_matrix(overall);
    let file = json!({"confidenceMetrics": points, "confusionMatrix": matrix});
    let file = serde_json::to_vec_pretty(&file).unwrap_or_default();
    let mut answer = answer.content("classification", Content::Bytes(file));
    if !points.is_empty() {
        answer = answer.metadata("classification", "confidenceMetrics", points);
    }
    match matrix {
        Some(matrix) => answer.metadata("classification", "confusionMatrix", matrix),
        None => answer,
    }
}

/// The candidate's matrix, label by prediction: of several classes, or at the first threshold that a metric asks for.
fn confusion_matrix(overall: &SliceMetrics) -> Option<Value> {
    let tables = overall.tables.get("candidate")?;
    let (classes, weights) = match (&tables.classes, tables.confusion.first()) {
        (Some(matrix), _) => (matrix.classes.clone(), matrix.weights.clone()),
        (None, Some(matrix)) => (
            vec!["negative".into(), "positive".into()],
            vec![
                vec![matrix.true_negatives, matrix.false_positives],
                vec![matrix.false_negatives, matrix.true_positives],
            ],
        ),
        (None, None) => return None,
    };
    let names: Vec<Value> = classes.iter().map(|class| json!({"displayName": class})).collect();
    let rows: Vec<Value> = weights.iter().map(|row| json!({"row": row})).collect();
    Some(json!({"annotationSpecs": names, "rows": rows}))
}
