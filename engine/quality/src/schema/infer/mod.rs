//! A schema proposed from statistics, by TFDV's order of decisions: type, presence, shape, then the first
//! domain that fits of boolean, integers as text, a closed list of strings. Bounds of numbers are never
//! inferred: that a fare was below 80 so far is no rule.
//!
//! Domains of text come only from values that are known completely: from the first 1,000 of a million values
//! nothing follows about the others. A column in which nothing was present demands nothing.

use serde::{Deserialize, Serialize};
use sluice_core::RESERVED_PREFIX;
use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature, FeatureType, PresenceConstraint, Schema, Shape};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use super::path::serialized_path;

/// What inference may propose.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `max_string_domain_size` | 100 | from 0 | text with more different values gets no list of them |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferOptions {
    /// Text with more different values than this gets no list of them; 0 for never.
    pub max_string_domain_size: usize,
}

impl Default for InferOptions {
    fn default() -> Self {
        Self { max_string_domain_size: 100 }
    }
}

/// The schema that the data of these statistics fulfil. Columns of our own (`__row_hash`) are left out.
///
/// # Examples
/// ```
/// use sluice_core::column::ColumnKind;
/// use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Presence};
/// use sluice_quality::schema::{InferOptions, infer_schema, write_schema};
///
/// let presence = Presence { num_rows: 4, num_missing: 1, ..Presence::default() };
/// let fare = ColumnStatistics { presence, ..ColumnStatistics::new("fare", ColumnKind::Float) };
/// let statistics =
///     DatasetStatistics { name: "train".into(), num_rows: 4, columns: vec![fare], ..Default::default() };
/// let schema = infer_schema(&statistics, &InferOptions::default());
/// assert_eq!(
///     write_schema(&schema.into()),
///     "feature {\n  name: \"fare\"\n  type: FLOAT\n  presence {\n    min_count: 1\n  }\n}\n"
/// );
/// ```
#[must_use]
pub fn infer_schema(statistics: &DatasetStatistics, options: &InferOptions) -> Schema {
    let columns = statistics.columns.iter().filter(|column| !column.name.starts_with(RESERVED_PREFIX));
    Schema { features: columns.map(|column| infer_feature(column, options)).collect(), ..Schema::default() }
}

/// What one column should look like.
pub(crate) fn infer_feature(column: &ColumnStatistics, options: &InferOptions) -> Feature {
    let mut feature = Feature::new(&column.name);
    feature.feature_type = feature_type(&column.kind);
    feature.presence = presence(column);
    let is_complete = feature.presence.min_fraction.is_some();
    // Lists and structs have lengths of their own.
    if is_complete && !is_nested(&column.kind) {
        feature.shape = Shape::scalar();
    }
    feature.domain = domain(column, options);
    feature
}

fn is_nested(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::List(_) | ColumnKind::Struct(_) | ColumnKind::Other(_))
}

/// TFDV's type for a kind; lists have the type of what they hold.
pub(crate) fn feature_type(kind: &ColumnKind) -> Option<FeatureType> {
    match kind {
        ColumnKind::Boolean | ColumnKind::Integer | ColumnKind::Unsigned => Some(FeatureType::Int),
        ColumnKind::Float | ColumnKind::Decimal { .. } => Some(FeatureType::Float),
        ColumnKind::Null
        | ColumnKind::Text
        | ColumnKind::Binary
        | ColumnKind::Date
        | ColumnKind::Timestamp { .. } => Some(FeatureType::Bytes),
        ColumnKind::List(item) => feature_type(item),
        ColumnKind::Struct(_) => Some(FeatureType::Struct),
        ColumnKind::Other(_) => None,
    }
}

fn presence(column: &ColumnStatistics) -> PresenceConstraint {
    let (rows, present) = (column.presence.num_rows, column.presence.num_present());
    if present == 0 {
        return PresenceConstraint { min_fraction: None, min_count: Some(0) };
    }
    PresenceConstraint { min_fraction: (present == rows).then_some(1.0), min_count: Some(1) }
}

fn domain(column: &ColumnStatistics, options: &InferOptions) -> Option<Domain> {
    match column.kind {
        ColumnKind::Boolean => Some(Domain::Boolean { true_value: None, false_value: None }),
        ColumnKind::Integer | ColumnKind::Unsigned => boolean_of_integers(column),
        ColumnKind::Text => domain_of_text(column, options),
        ColumnKind::Null
        | ColumnKind::Float
        | ColumnKind::Decimal { .. }
        | ColumnKind::Binary
        | ColumnKind::Date
        | ColumnKind::Timestamp { .. }
        | ColumnKind::List(_)
        | ColumnKind::Struct(_)
        | ColumnKind::Other(_) => None,
    }
}

/// Only if a 1 was seen: a column of zeros may count something.
fn boolean_of_integers(column: &ColumnStatistics) -> Option<Domain> {
    let numeric = column.numeric.as_ref()?;
    let is_boolean = numeric.min? >= 0.0 && numeric.max?.to_bits() == 1.0_f64.to_bits();
    is_boolean.then_some(Domain::Boolean { true_value: None, false_value: None })
}

fn domain_of_text(column: &ColumnStatistics, options: &InferOptions) -> Option<Domain> {
    let top_values = column.top_values.as_ref().filter(|top| top.is_complete && !top.values.is_empty())?;
    let values: Vec<&str> = top_values.values.iter().map(|(value, _)| value.as_str()).collect();
    if let Some(domain) = boolean_of_text(&values) {
        return Some(domain);
    }
    if values.iter().all(|value| value.parse::<i64>().is_ok()) {
        return Some(Domain::Int { min: None, max: None, is_categorical: false });
    }
    if values.len() > options.max_string_domain_size {
        return None;
    }
    let mut values: Vec<String> = values.into_iter().map(str::to_owned).collect();
    values.sort_unstable();
    Some(Domain::Strings { name: serialized_path(&column.name), values, is_categorical: None })
}

/// One spelling of true, one of false, or one of both.
fn boolean_of_text(values: &[&str]) -> Option<Domain> {
    const TRUE: [&str; 5] = ["TRUE", "true", "SET", "set", "1"];
    const FALSE: [&str; 5] = ["FALSE", "false", "CLEAR", "clear", "0"];
    let (mut true_value, mut false_value) = (None, None);
    for value in values {
        let side = if TRUE.contains(value) {
            &mut true_value
        } else if FALSE.contains(value) {
            &mut false_value
        } else {
            return None;
        };
        if side.replace((*value).to_owned()).is_some() {
            return None;
        }
    }
    (!values.is_empty()).then_some(Domain::Boolean { true_value, false_value })
}

#[cfg(test)]
mod tests;
