//! A report as TFDV's `anomalies.pbtxt`, or in binary as TFX's `SchemaDiff.pb`: one entry per column, keyed by its path, with all reasons.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MapKey, Value};

use super::ValidationReport;
use super::code::FindingCode;
use super::comparators::{Against, Distance, Measurement};
use super::finding::{Finding, Severity};
use super::place::Place;
use crate::protobuf::{Fields, message, print};
use crate::schema::{SchemaFile, serialized_path};

/// `Anomalies.AnomalyNameFormat.SERIALIZED_PATH`.
const SERIALIZED_PATH: i32 = 1;

/// The report as text of TFDV's `Anomalies`, with the schema it was judged by. A column of a slice stands there as
/// TFDV's `validate_corresponding_slices` has it: `slice(NAME)::COLUMN`.
///
/// # Examples
/// ```
/// use sluice_quality::schema::read_schema;
/// use sluice_quality::validation::{ValidationReport, write_anomalies};
///
/// let file = read_schema("feature { name: 'fare' }", "schema.pbtxt")?;
/// let report = ValidationReport { subset: "eval".into(), num_rows: 3, ..Default::default() };
/// let text = write_anomalies(&report, &file);
/// assert_eq!(text, "baseline {\n  feature {\n    name: \"fare\"\n  }\n}\nanomaly_name_format: SERIALIZED_PATH\n");
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
#[must_use]
pub fn write_anomalies(report: &ValidationReport, schema: &SchemaFile) -> String {
    let (mut anomalies, columns) = messages(report, schema);
    let entries: HashMap<MapKey, Value> = columns.into_iter().collect();
    if !entries.is_empty() {
        anomalies.put("anomaly_info", Value::Map(entries));
    }
    print(&anomalies)
}

/// The same in binary.
#[must_use]
pub fn encode_anomalies(report: &ValidationReport, schema: &SchemaFile) -> Vec<u8> {
    let (anomalies, columns) = messages(report, schema);
    let mut bytes = anomalies.encode_to_vec();
    // Message after message joins their fields. A map alone would come in the order of its hashes.
    for entry in columns {
        let mut one = message("Anomalies");
        one.put("anomaly_info", Value::Map(HashMap::from([entry])));
        bytes.extend(one.encode_to_vec());
    }
    bytes
}

/// All but the entries of columns, and these in the order of their keys.
fn messages(report: &ValidationReport, schema: &SchemaFile) -> (DynamicMessage, Vec<(MapKey, Value)>) {
    let mut anomalies = message("Anomalies");
    anomalies.put("baseline", Value::Message(schema.message().clone()));
    anomalies.put("anomaly_name_format", Value::EnumNumber(SERIALIZED_PATH));
    let mut columns: BTreeMap<Vec<String>, Vec<&Finding>> = BTreeMap::new();
    let mut dataset = Vec::new();
    for finding in &report.findings {
        match steps(finding) {
            Some(steps) => columns.entry(steps).or_default().push(finding),
            None if finding.code == FindingCode::NoRows => anomalies.put("data_missing", Value::Bool(true)),
            None => dataset.push(finding),
        }
    }
    if !dataset.is_empty() {
        anomalies.put("dataset_anomaly_info", Value::Message(entry(&dataset)));
    }
    let mut entries = BTreeMap::new();
    for (steps, findings) in columns {
        let mut entry = entry(&findings);
        entry.put("path", Value::Message(path(&steps)));
        entries.insert(key(&steps), Value::Message(entry));
    }
    let distances = distances(&report.measurements);
    if !distances.is_empty() {
        anomalies.put_messages("drift_skew_info", distances);
    }
    (anomalies, entries.into_iter().map(|(key, entry)| (MapKey::String(key), entry)).collect())
}

/// The steps to the column of a finding.
fn steps(finding: &Finding) -> Option<Vec<String>> {
    let column = finding.column.clone()?;
    let steps = if finding.path.is_empty() { vec![column] } else { finding.path.clone() };
    Some(in_slice(steps, finding.slice.as_deref()))
}

fn in_slice(mut steps: Vec<String>, slice: Option<&str>) -> Vec<String> {
    if let (Some(slice), Some(first)) = (slice, steps.first_mut()) {
        *first = format!("slice({slice})::{first}");
    }
    steps
}

fn key(steps: &[String]) -> String {
    match steps {
        [only] => serialized_path(only),
        several => Place::new(several.to_vec()).name().to_owned(),
    }
}

fn path(steps: &[String]) -> DynamicMessage {
    let mut path = message("Path");
    path.put_texts("step", steps);
    path
}

/// All findings of one column, or of the data set, in one `AnomalyInfo`.
fn entry(findings: &[&Finding]) -> DynamicMessage {
    let mut info = message("AnomalyInfo");
    let is_error = findings.iter().any(|finding| finding.severity == Severity::Error);
    let descriptions: Vec<String> = findings.iter().map(|finding| description(finding)).collect();
    let short = match findings {
        [only] => only.tfdv.short_description.as_str(),
        _ => "Multiple errors",
    };
    info.put_text("description", descriptions.join(" "));
    info.put("severity", Value::EnumNumber(if is_error { 2 } else { 1 }));
    info.put_text("short_description", short);
    let reasons = findings.iter().zip(descriptions).map(|(finding, description)| {
        let mut reason = message("AnomalyInfo.Reason");
        reason.put("type", Value::EnumNumber(finding.tfdv.number));
        reason.put_text("short_description", &finding.tfdv.short_description);
        reason.put_text("description", description);
        reason
    });
    info.put_messages("reason", reasons.collect());
    info
}

/// TFDV's sentence where it has one, else the finding in our words.
fn description(finding: &Finding) -> String {
    if finding.tfdv.description.is_empty() {
        format!("{}. Observed: {}.", finding.message, finding.observed)
    } else {
        finding.tfdv.description.clone()
    }
}

/// The distances of each column, in the order in which they were measured.
fn distances(measurements: &[Measurement]) -> Vec<DynamicMessage> {
    let mut columns: Vec<(Vec<String>, Vec<&Measurement>)> = Vec::new();
    for measurement in measurements {
        let steps = in_slice(measurement.path.clone(), measurement.slice.as_deref());
        match columns.last_mut().filter(|(last, _)| *last == steps) {
            Some((_, found)) => found.push(measurement),
            None => columns.push((steps, vec![measurement])),
        }
    }
    let info = |(steps, found): (Vec<String>, Vec<&Measurement>)| {
        let mut info = message("DriftSkewInfo");
        info.put("path", Value::Message(path(&steps)));
        for (against, field) in
            [(Against::Previous, "drift_measurements"), (Against::Serving, "skew_measurements")]
        {
            let of_field: Vec<DynamicMessage> =
                found.iter().filter(|one| one.against == against).map(|one| measured(one)).collect();
            if !of_field.is_empty() {
                info.put_messages(field, of_field);
            }
        }
        info
    };
    columns.into_iter().map(info).collect()
}

fn measured(measurement: &Measurement) -> DynamicMessage {
    let number = match measurement.distance {
        Distance::InfinityNorm => 1,
        Distance::JensenShannonDivergence => 2,
        Distance::NormalizedAbsoluteDifference => 3,
    };
    let mut encoded = message("DriftSkewInfo.Measurement");
    encoded.put("type", Value::EnumNumber(number));
    encoded.put("value", Value::F64(measurement.value));
    encoded.put("threshold", Value::F64(measurement.threshold));
    encoded
}
