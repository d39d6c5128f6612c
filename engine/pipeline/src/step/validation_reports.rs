//! A validation as reports show it: suites of `JUnit`, and what a page holds.

use std::collections::BTreeSet;

use sluice_quality::validation::{CheckedRule, Finding, FindingCode, RowExample, Severity, ValidationReport};
use sluice_report::html::{PageExample, PageFinding, PageSeverity, PageSubset, PageVerdict, ValidationPage};
use sluice_report::junit::{Case, Failure, Outcome, Suite};

use crate::step::validate::ValidationRecord;

/// The column of cases that concern the whole data set.
const DATA_SET: &str = "(data set)";

/// One subset as a suite: a case for each rule that was checked, then one for each finding of no such rule (new
/// columns, slices, a schema that contradicts itself).
pub(super) fn suites(report: &ValidationReport, rules: &[CheckedRule]) -> Suite {
    let mut cases = Vec::new();
    let mut told = BTreeSet::new();
    for rule in rules {
        let found: Vec<&Finding> = report
            .findings
            .iter()
            .enumerate()
            .filter(|(_, it)| it.slice.is_none() && it.column == rule.column && it.rule == rule.rule)
            .map(|(index, finding)| {
                told.insert(index);
                finding
            })
            .collect();
        cases.push(case(rule.column.as_deref(), &rule.rule, &found));
    }
    for (index, finding) in report.findings.iter().enumerate() {
        if !told.contains(&index) {
            let class = match (&finding.slice, &finding.column) {
                (Some(slice), Some(column)) => Some(format!("{column} of slice {slice}")),
                (Some(slice), None) => Some(format!("slice {slice}")),
                (None, column) => column.clone(),
            };
            cases.push(case(class.as_deref(), &finding.rule, &[finding]));
        }
    }
    Suite { name: report.subset.clone(), cases }
}

fn case(column: Option<&str>, rule: &str, found: &[&Finding]) -> Case {
    let failures: Vec<Failure> =
        found.iter().filter(|finding| finding.severity == Severity::Error).map(|it| failure(it)).collect();
    let undecided = found.iter().find(|finding| finding.code == FindingCode::Undecided);
    let outcome = if !failures.is_empty() {
        Outcome::Failed(failures)
    } else if let Some(finding) = undecided {
        Outcome::Skipped(finding.message.clone())
    } else {
        let notes: Vec<String> =
            found.iter().map(|finding| format!("warning: {}", finding.message)).collect();
        Outcome::Passed((!notes.is_empty()).then(|| notes.join("\n")))
    };
    Case { class: column.unwrap_or(DATA_SET).to_owned(), name: rule.to_owned(), outcome }
}

fn failure(finding: &Finding) -> Failure {
    let mut details = format!(
        "expected: {}\nobserved: {}\nfix: {}",
        finding.expected, finding.observed, finding.suggestion
    );
    for RowExample { file, row, value, .. } in &finding.examples {
        let value = value.as_deref().unwrap_or("null");
        details.push_str(&format!("\n{file}, row {row}: {value}"));
    }
    Failure { kind: finding.code.to_string(), message: finding.message.clone(), details }
}

/// What the page of a validation shows.
pub(super) fn page(record: &ValidationRecord) -> ValidationPage {
    let schema = if record.schema_inferred {
        "The schema was inferred from these data; what breaks it is a warning."
    } else {
        "The data were judged by the schema that was given."
    };
    let subset =
        |report: &ValidationReport| PageSubset { name: report.subset.clone(), num_rows: report.num_rows };
    let findings = record
        .subsets
        .iter()
        .flat_map(|report| report.findings.iter().map(|finding| page_finding(&report.subset, finding)));
    ValidationPage {
        verdict: if record.accepted { PageVerdict::Accepted } else { PageVerdict::Rejected },
        schema: schema.into(),
        subsets: record.subsets.iter().map(subset).collect(),
        findings: findings.collect(),
    }
}

fn page_finding(subset: &str, finding: &Finding) -> PageFinding {
    let subset = match &finding.slice {
        Some(slice) => format!("{subset}, slice {slice}"),
        None => subset.to_owned(),
    };
    let example = |one: &RowExample| PageExample {
        file: one.file.clone(),
        row_group: one.row_group,
        row: one.row,
        key: one.key.clone(),
        value: one.value.clone(),
    };
    PageFinding {
        subset,
        severity: match finding.severity {
            Severity::Warning => PageSeverity::Warning,
            Severity::Error => PageSeverity::Error,
        },
        code: finding.code.to_string(),
        column: finding.column.clone(),
        rule: finding.rule.clone(),
        expected: finding.expected.clone(),
        observed: finding.observed.clone(),
        message: finding.message.clone(),
        suggestion: finding.suggestion.clone(),
        num_violations: finding.num_violations,
        examples: finding.examples.iter().map(example).collect(),
    }
}
