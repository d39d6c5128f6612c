//! Statistics against a schema: all findings, in the order of the schema, then those on the whole data set, then
//! columns that the schema does not know, in the order of the data; then those of each slice.
//!
//! Checks follow TFDV's, in its order, and carry its types and sentences. A column that is not live (deprecated,
//! planned, …) is not checked, nor what lies in it; one without values has no further findings than that. What the
//! statistics cannot decide is a warning that says so, never a silent pass. Statistics with a weight are judged by
//! weight, as in TFDV. `docs/validation.md` lists the codes.

mod anomalies;
mod code;
mod comparators;
mod composed;
mod dataset;
mod domains;
mod finding;
mod floats;
mod integers;
mod lists;
mod options;
mod place;
mod presence;
mod rules;
mod spans;
mod specification;
mod strings;
mod subject;
mod types;
mod unique;
pub(crate) mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::column::ColumnKind;
use sluice_core::schema::{Feature, Schema};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use place::Place;
use subject::Subject;

pub use anomalies::{encode_anomalies, write_anomalies};
pub use code::{FindingCode, TfdvType};
pub use comparators::{Against, Distance, Measurement};
pub use finding::{Finding, RowExample, Severity};
pub use options::{Baselines, NewColumns, SeverityOverride, ValidateOptions};
pub use rules::{CheckedRule, checked_rules};

/// Where the data of one subset disagree with a schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ValidationReport {
    /// The subset: `train`, `eval`, …
    pub subset: String,
    /// The rows that were judged.
    pub num_rows: u64,
    /// All there are, in a fixed order.
    pub findings: Vec<Finding>,
    /// Every distance that the schema bounds, where there was something to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
    /// What was counted for each rule over rows, kept or broken, where rows were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleCount>,
    /// The same for each key that must be unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyCount>,
}

/// For how many rows a rule held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCount {
    /// Its name; the expression where it has none.
    pub rule: String,
    /// The expression.
    pub expression: String,
    /// Rows for which it is true.
    pub num_true: u64,
    /// Rows for which it is null.
    pub num_unknown: u64,
    /// Rows that break it.
    pub num_violations: u64,
}

/// How often a key was repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCount {
    /// Its columns.
    pub columns: Vec<String>,
    /// Rows that repeat the key of an earlier row; at least so many where it is not exact.
    pub num_repeated: u64,
    /// Rows with a null in the key, which were not compared.
    pub num_without_key: u64,
    /// Whether all keys were compared, not only a sample.
    pub is_exact: bool,
}

impl ValidationReport {
    /// Findings that break the schema.
    #[must_use]
    pub fn num_errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Findings that do not.
    #[must_use]
    pub fn num_warnings(&self) -> usize {
        self.findings.len() - self.num_errors()
    }

    /// Whether the data may flow on.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.num_errors() == 0
    }
}

/// Compares statistics with a schema. A data set without rows has that as its only finding.
///
/// # Examples
/// ```
/// use sluice_core::statistics::DatasetStatistics;
/// use sluice_quality::schema::read_schema;
/// use sluice_quality::validation::{ValidateOptions, validate};
///
/// let file = read_schema("feature { name: 'fare' type: FLOAT presence { min_count: 1 } }", "schema.pbtxt")?;
/// let statistics = DatasetStatistics { name: "eval".into(), num_rows: 3, ..Default::default() };
/// let report = validate(&statistics, file.schema(), &ValidateOptions::default());
/// assert_eq!(report.findings[0].message, "column `fare` is required, but not in the data");
/// assert!(!report.is_accepted());
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
#[must_use]
pub fn validate(
    statistics: &DatasetStatistics,
    schema: &Schema,
    options: &ValidateOptions,
) -> ValidationReport {
    validate_against(statistics, schema, options, &Baselines::default())
}

/// Compares statistics with a schema and, where the schema says how, with those of other data sets.
#[must_use]
pub fn validate_against(
    statistics: &DatasetStatistics,
    schema: &Schema,
    options: &ValidateOptions,
    baselines: &Baselines<'_>,
) -> ValidationReport {
    let mut run = Run::new(statistics, schema, options, baselines);
    run.judge(None);
    let (mut findings, mut measurements) = (run.findings, run.measurements);
    if options.slices && statistics.num_rows > 0 {
        for slice in &statistics.slices {
            let baselines = baselines.of_slice(&slice.name);
            let mut run = Run::new(slice, schema, options, &baselines);
            run.judge(Some(&slice.name));
            findings.extend(run.findings);
            measurements.extend(run.measurements);
        }
    }
    let findings = findings.into_iter().filter_map(|finding| options.weighed(finding)).collect();
    let (subset, num_rows) = (statistics.name.clone(), statistics.num_rows);
    ValidationReport { subset, num_rows, findings, measurements, ..ValidationReport::default() }
}

/// One data set, or one slice of it, under a schema.
struct Run<'a> {
    statistics: &'a DatasetStatistics,
    schema: &'a Schema,
    options: &'a ValidateOptions,
    baselines: &'a Baselines<'a>,
    columns: BTreeMap<&'a [String], &'a ColumnStatistics>,
    by_weight: bool,
    findings: Vec<Finding>,
    measurements: Vec<Measurement>,
}

impl<'a> Run<'a> {
    fn new(
        statistics: &'a DatasetStatistics,
        schema: &'a Schema,
        options: &'a ValidateOptions,
        baselines: &'a Baselines<'a>,
    ) -> Self {
        Self {
            statistics,
            schema,
            options,
            baselines,
            columns: statistics.columns.iter().map(|column| (column.steps(), column)).collect(),
            by_weight: subject::is_by_weight(statistics),
            findings: Vec::new(),
            measurements: Vec::new(),
        }
    }

    /// All checks; of a slice not those on the number of rows, nor of an empty one any.
    fn judge(&mut self, slice: Option<&str>) {
        if self.statistics.num_rows == 0 {
            if slice.is_none() {
                self.findings.push(dataset::no_rows());
            }
            return;
        }
        for feature in &self.schema.features {
            self.feature(feature, &[]);
        }
        composed::check(self.statistics, self.schema, &mut self.findings);
        if slice.is_none() {
            dataset::check_rows(self.statistics, self.schema, self.baselines, &mut self.findings);
            spans::check(self.statistics, self.baselines, &mut self.findings);
        }
        dataset::check_new_columns(self.statistics, self.schema, &mut self.findings);
        for finding in &mut self.findings {
            finding.slice = slice.map(str::to_owned);
        }
        for measurement in &mut self.measurements {
            measurement.slice = slice.map(str::to_owned);
        }
    }

    fn feature(&mut self, feature: &Feature, parent: &[String]) {
        if !feature.is_live() {
            return;
        }
        let place = Place::below(parent, &feature.name);
        let is_expected = feature.is_in(self.options.environment.as_deref(), self.schema);
        let column = self.columns.get(place.steps()).copied();
        // Absent from every part of the data.
        let column = column.filter(|column| {
            column.presence.num_absent == 0 || column.presence.num_absent < column.presence.num_rows
        });
        match column {
            Some(column) => self.column(feature, &place, column, is_expected),
            None if is_expected => {
                specification::check(feature, &place, true, &mut self.findings);
                let num_rows = self.statistics.num_rows;
                presence::check_missing_column(feature, &place, num_rows, &mut self.findings);
            }
            None => return,
        }
        for field in &feature.fields {
            self.feature(field, place.steps());
        }
    }

    fn column(&mut self, feature: &Feature, place: &Place, column: &ColumnStatistics, is_expected: bool) {
        let findings = &mut self.findings;
        // Maps and the like have no type that a schema could say.
        let has_type = crate::schema::feature_type(&column.kind).is_some();
        let is_sound = specification::check(feature, place, has_type, findings);
        let weighted = column.weighted.as_ref().filter(|_| self.by_weight);
        let subject = Subject { feature, column, place, weighted };
        if column.presence.num_present() == 0 {
            if is_expected {
                presence::check_not_present(&subject, findings);
            }
            return;
        }
        if let Some(environment) = self.options.environment.as_deref().filter(|_| !is_expected) {
            presence::check_environment(&subject, environment, findings);
        }
        lists::check(&subject, findings);
        presence::check(&subject, findings);
        types::check(&subject, findings);
        if is_sound {
            domains::check(&subject, findings);
        }
        unique::check(&subject, findings);
        for (against, control) in
            [(Against::Previous, self.baselines.previous), (Against::Serving, self.baselines.serving)]
        {
            if let Some(control) = control {
                comparators::check(&subject, against, control, findings, &mut self.measurements);
            }
        }
    }
}

/// How a column's type reads in a sentence: `INT (boolean)`.
fn type_in_words(kind: &ColumnKind) -> String {
    crate::schema::feature_type(kind)
        .map_or_else(|| kind.to_string(), |feature_type| format!("{} ({kind})", feature_type.name()))
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
