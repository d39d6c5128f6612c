//! What the steps know of data sets and of themselves, as facets of `OpenLineage`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use sluice_core::RESERVED_PREFIX;
use sluice_core::features::FeatureSpace;
use sluice_core::plan::PlannedColumn;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};
use sluice_evaluation::Evaluation;
use sluice_ingest::DatasetRecord;
use sluice_quality::validation::{Finding, Severity};

use super::dataset_of;
use crate::ledger::Port;
use crate::step::TRAIN;
use crate::step::statistics::StatisticsRecord;
use crate::step::validate::ValidationRecord;

/// Who says so, in every event and facet.
pub(super) const PRODUCER: &str = concat!("urn:sluicegate:engine:", env!("CARGO_PKG_VERSION"));

/// Facets by name.
pub(crate) type Named = Map<String, Value>;

/// Facets of a step: of the subsets of the data set that it reads, of its artifact, of its run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facets {
    /// Rows of the subsets of the data set, where the step has made it.
    pub(super) subsets: Option<BTreeMap<String, u64>>,
    /// Of each subset.
    pub(super) datasets: BTreeMap<String, Named>,
    /// Of each subset as an input.
    pub(super) inputs: BTreeMap<String, Named>,
    /// Of each subset as an output.
    pub(super) outputs: BTreeMap<String, Named>,
    /// Of the artifact.
    pub(super) artifact: Named,
    /// Columns of the artifact, with those of the training rows that they are made from.
    pub(super) columns: BTreeMap<String, Vec<String>>,
    /// Of the run.
    pub(super) run: Named,
}

/// A facet with what every facet has.
pub(super) fn facet(version: &str, name: &str, fields: Value) -> Value {
    let mut facet = json!({
        "_producer": PRODUCER,
        "_schemaURL": format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"),
    });
    if let (Value::Object(facet), Value::Object(fields)) = (&mut facet, fields) {
        facet.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    facet
}

fn named<const N: usize>(facets: [(&str, Value); N]) -> Named {
    facets.into_iter().map(|(name, facet)| (name.to_owned(), facet)).collect()
}

fn schema(fields: Vec<Value>) -> Value {
    facet("1-2-0", "SchemaDatasetFacet", json!({ "fields": fields }))
}

/// The columns of the data, without those that ingest adds for itself.
fn own(columns: &[PlannedColumn]) -> impl Iterator<Item = &PlannedColumn> {
    columns.iter().filter(|column| !column.name.starts_with(RESERVED_PREFIX))
}

fn schema_of(columns: &[PlannedColumn]) -> Value {
    let field = |(position, column): (usize, &PlannedColumn)| json!({"name": column.name, "type": column.kind.to_string(), "ordinal_position": position + 1});
    schema(own(columns).enumerate().map(field).collect())
}

/// A column of a data set: the namespace and name of the data set, and the column.
pub(super) type ColumnOf = ((String, String), String);

/// The facet of columns and what each is made from.
pub(super) fn column_lineage(columns: BTreeMap<String, Vec<ColumnOf>>) -> Value {
    let fields: Named = columns
        .into_iter()
        .map(|(column, from)| {
            let from: Vec<Value> = from
                .into_iter()
                .map(|((namespace, name), field)| json!({"namespace": namespace, "name": name, "field": field}))
                .collect();
            (column, json!({ "inputFields": from }))
        })
        .collect();
    facet("1-2-0", "ColumnLineageDatasetFacet", json!({ "fields": fields }))
}

pub(crate) fn of_dataset(record: &DatasetRecord, inputs: &[Port]) -> Facets {
    let place = |input: &str| {
        let port = inputs.iter().find(|port| port.channel == input);
        port.map(|port| dataset_of(&port.artifact.uri))
    };
    let mut lineage: BTreeMap<String, Vec<ColumnOf>> = BTreeMap::new();
    match (&record.query, inputs) {
        (Some(query), _) => {
            for (column, sources) in &query.lineage {
                let from = sources.iter().flatten().filter_map(|source| {
                    let (input, field) = source.split_once('.')?;
                    Some((place(input)?, field.to_owned()))
                });
                lineage.insert(column.clone(), from.collect());
            }
        }
        (None, [input]) => {
            for column in own(&record.columns) {
                let from = (dataset_of(&input.artifact.uri), column.name.clone());
                lineage.insert(column.name.clone(), vec![from]);
            }
        }
        (None, _) => {}
    }
    let mut datasets = named([("schema", schema_of(&record.columns))]);
    if !lineage.is_empty() {
        datasets.insert("columnLineage".into(), column_lineage(lineage));
    }
    let rows = |(name, rows): (&String, &u64)| {
        let counted = facet("1-0-2", "OutputStatisticsOutputDatasetFacet", json!({ "rowCount": rows }));
        (name.clone(), named([("outputStatistics", counted)]))
    };
    Facets {
        subsets: Some(record.subsets.clone()),
        datasets: record.subsets.keys().map(|name| (name.clone(), datasets.clone())).collect(),
        outputs: record.subsets.iter().map(rows).collect(),
        ..Facets::default()
    }
}

pub(crate) fn of_statistics(record: &StatisticsRecord) -> Facets {
    let metrics = |subset: &DatasetStatistics| {
        let columns: Named = subset
            .columns
            .iter()
            .filter(|column| column.path.is_empty())
            .map(|column| (column.name.clone(), column_metrics(column)))
            .collect();
        let fields = json!({ "rowCount": subset.num_rows, "columnMetrics": columns });
        let facet = facet("1-0-3", "DataQualityMetricsInputDatasetFacet", fields);
        (subset.name.clone(), named([("dataQualityMetrics", facet)]))
    };
    Facets { inputs: record.subsets.iter().map(metrics).collect(), ..Facets::default() }
}

/// The quantiles that are told.
const QUANTILES: [(f64, &str); 3] = [(0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75")];

fn column_metrics(column: &ColumnStatistics) -> Value {
    let presence = &column.presence;
    let nulls = presence.num_missing + presence.num_absent;
    let mut metrics =
        named([("nullCount", nulls.into()), ("count", presence.num_rows.saturating_sub(nulls).into())]);
    if let Some(distinct) = column.distinct {
        metrics.insert("distinctCount".into(), distinct.count.into());
    }
    if let Some(numeric) = &column.numeric {
        for (name, value) in [("min", numeric.min), ("max", numeric.max)] {
            metrics.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        let quantiles = numeric.quantiles.as_ref();
        let at = |(q, name): (f64, &str)| Some((name.to_owned(), Value::from(quantiles?.at(q)?)));
        let quantiles: Named = QUANTILES.into_iter().filter_map(at).collect();
        if !quantiles.is_empty() {
            metrics.insert("quantiles".into(), quantiles.into());
        }
    }
    metrics.into()
}

pub(crate) fn of_validation(record: &ValidationRecord) -> Facets {
    let datasets = record.subsets.iter().map(|report| {
        let mut assertions: Vec<Value> = report.findings.iter().map(broken).collect();
        let kept = report
            .rules
            .iter()
            .filter(|rule| !report.findings.iter().any(|finding| finding.rule == rule.rule));
        assertions.extend(kept.map(|rule| {
            json!({"assertion": "rule", "success": true, "name": rule.rule, "content": rule.expression,
                   "contentType": "sql"})
        }));
        if assertions.is_empty() {
            assertions
                .push(json!({"assertion": "schema", "success": true, "name": "the data fit the schema"}));
        }
        let facet = facet("1-1-0", "DataQualityAssertionsDatasetFacet", json!({ "assertions": assertions }));
        (report.subset.clone(), named([("dataQualityAssertions", facet)]))
    });
    Facets { inputs: datasets.collect(), ..Facets::default() }
}

fn broken(finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warn",
    };
    let mut assertion = named([
        ("assertion", finding.code.to_string().into()),
        ("success", false.into()),
        ("severity", severity.into()),
        ("name", finding.rule.clone().into()),
        ("description", finding.message.clone().into()),
        ("expected", finding.expected.clone().into()),
        ("actual", finding.observed.clone().into()),
    ]);
    assertion.extend(finding.column.iter().map(|column| ("column".to_owned(), column.clone().into())));
    if let Some(slice) = &finding.slice {
        assertion.insert("params".into(), json!({ "slice": slice }));
    }
    assertion.into()
}

pub(crate) fn of_transform(space: &FeatureSpace) -> Facets {
    let field = |(position, name): (usize, &String)| json!({"name": name, "ordinal_position": position + 1});
    let names: Vec<String> = space.features.iter().map(|feature| feature.name.clone()).collect();
    Facets {
        artifact: named([("schema", schema(names.iter().enumerate().map(field).collect()))]),
        columns: space.features.iter().map(|it| (it.name.clone(), it.sources.clone())).collect(),
        ..Facets::default()
    }
}

/// The subset whose columns a transform is made of.
pub(super) const OF_TRANSFORM: &str = TRAIN;

pub(crate) fn of_evaluation(evaluation: &Evaluation) -> Facets {
    let tests = evaluation.verdict.reasons.iter().map(|reason| {
        let metric = reason.metric.as_deref().unwrap_or("model");
        let slice = reason.slice.as_ref().map_or_else(String::new, |slice| format!(" where {slice}"));
        let status = match (reason.passed, reason.checked) {
            (true, true) => "pass",
            (true, false) => "skip",
            (false, _) => "fail",
        };
        let mut test = named([
            ("name", format!("{metric}{slice} {}", reason.rule.option()).into()),
            ("status", status.into()),
            ("severity", "error".into()),
            ("type", reason.rule.option().into()),
            ("description", reason.text.clone().into()),
        ]);
        test.extend(reason.bound.map(|bound| ("expected".to_owned(), bound.to_string().into())));
        let actual = reason.difference.filter(|_| reason.rule.is_of_change()).or(reason.candidate);
        test.extend(actual.map(|actual| ("actual".to_owned(), actual.to_string().into())));
        Value::from(test)
    });
    let tests: Vec<Value> = tests.collect();
    Facets {
        run: named([("test", facet("1-0-1", "TestRunFacet", json!({ "tests": tests })))]),
        ..Facets::default()
    }
}
