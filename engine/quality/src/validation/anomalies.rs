//! A report as TFDV's `anomalies.pbtxt`: one entry per column, keyed by its path, with all reasons.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::{DynamicMessage, MapKey, Value};

use super::ValidationReport;
use super::finding::{Finding, FindingCode, Severity};
use crate::protobuf::{Fields, message, print};
use crate::schema::{SchemaFile, serialized_path};

/// `Anomalies.AnomalyNameFormat.SERIALIZED_PATH`.
const SERIALIZED_PATH: i32 = 1;

/// The report as text of TFDV's `Anomalies`, with the schema it was judged by.
///
/// # Examples
/// ```
/// use sluice_quality::schema::read_schema;
/// use sluice_quality::validation::{ValidationReport, write_anomalies};
///
/// let file = read_schema("feature { name: 'fare' }", "schema.pbtxt")?;
/// let report = ValidationReport { subset: "eval".into(), num_rows: 3, findings: Vec::new() };
/// let text = write_anomalies(&report, &file);
/// assert_eq!(text, "baseline {\n  feature {\n    name: \"fare\"\n  }\n}\nanomaly_name_format: SERIALIZED_PATH\n");
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
#[must_use]
pub fn write_anomalies(report: &ValidationReport, schema: &SchemaFile) -> String {
    let mut anomalies = message("Anomalies");
    anomalies.put("baseline", Value::Message(schema.message().clone()));
    anomalies.put("anomaly_name_format", Value::EnumNumber(SERIALIZED_PATH));
    let mut columns: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    let mut dataset = Vec::new();
    for finding in &report.findings {
        match &finding.column {
            Some(column) => columns.entry(column).or_default().push(finding),
            None if finding.code == FindingCode::NoRows => anomalies.put("data_missing", Value::Bool(true)),
            None => dataset.push(finding),
        }
    }
    if !dataset.is_empty() {
        anomalies.put("dataset_anomaly_info", Value::Message(entry(&dataset)));
    }
    let mut entries = HashMap::new();
    for (column, findings) in columns {
        let mut path = message("Path");
        path.put_texts("step", &[column.to_owned()]);
        let mut entry = entry(&findings);
        entry.put("path", Value::Message(path));
        entries.insert(MapKey::String(serialized_path(column)), Value::Message(entry));
    }
    if !entries.is_empty() {
        anomalies.put("anomaly_info", Value::Map(entries));
    }
    print(&anomalies)
}

/// All findings of one column, or of the data set, in one `AnomalyInfo`.
fn entry(findings: &[&Finding]) -> DynamicMessage {
    let mut info = message("AnomalyInfo");
    let is_error = findings.iter().any(|finding| finding.severity == Severity::Error);
    let descriptions: Vec<String> = findings.iter().map(|finding| description(finding)).collect();
    let short = match findings {
        [only] => only.code.short_description(),
        _ => "Multiple errors",
    };
    info.put_text("description", descriptions.join(" "));
    info.put("severity", Value::EnumNumber(if is_error { 2 } else { 1 }));
    info.put_text("short_description", short);
    let reasons = findings.iter().zip(descriptions).map(|(finding, description)| {
        let mut reason = message("AnomalyInfo.Reason");
        reason.put("type", Value::EnumNumber(finding.tfdv.number));
        reason.put_text("short_description", finding.code.short_description());
        reason.put_text("description", description);
        reason
    });
    info.put_messages("reason", reasons.collect());
    info
}

/// The finding in one or two sentences.
fn description(finding: &Finding) -> String {
    format!("{}. Observed: {}.", finding.message, finding.observed)
}
