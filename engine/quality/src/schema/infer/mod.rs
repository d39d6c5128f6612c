//! A schema proposed from statistics, by TFDV's order of decisions: type, presence, shape or number of values, then
//! the first domain that fits of one that the statistics name, boolean, integers as text, a closed list of strings.
//! Bounds of numbers are inferred on request only: that a fare was below 80 so far is no rule.
//!
//! A list of strings comes only from values that are known completely: from the first 1,000 of a million values
//! nothing follows about the others. A column in which nothing was present demands nothing. Where the statistics of
//! all columns are weighted, presence is that of the weight.

mod domain;
mod environments;
mod semantic;
mod shape;
mod similar;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sluice_core::RESERVED_PREFIX;
use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature, FeatureType, PresenceConstraint, Schema, Shape};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

pub use environments::set_environments;

pub(super) use domain::{lower_bound, upper_bound};
pub(super) use semantic::{DOMAIN_INFO, fill as fill_semantic, semantic_domain};
pub(super) use shape::value_counts;

use super::path::serialized_steps;
use super::text::SchemaFile;
use super::view::{View, is_weighted};

/// What inference may propose.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `max_string_domain_size` | 100 | from 0 | text with more different values gets no list of them; 0: never |
/// | `shape` | true | | the same number of values in every row becomes a shape; else a number of values |
/// | `ranges` | false | | numbers get the least and greatest value seen as bounds |
/// | `max_categorical_integers` | 0 | from 0 | integers with at most so many values are categories; 0: never |
/// | `share_domains` | false | | columns with nearly the same list of strings share one |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferOptions {
    /// Text with more different values than this gets no list of them; 0 for never.
    pub max_string_domain_size: usize,
    /// Whether the same number of values in every row becomes a shape.
    pub shape: bool,
    /// Whether numbers get bounds.
    pub ranges: bool,
    /// Integers with at most so many different values are categories; 0 for never.
    pub max_categorical_integers: u64,
    /// Whether columns with nearly the same list of strings share one.
    pub share_domains: bool,
}

impl Default for InferOptions {
    fn default() -> Self {
        Self {
            max_string_domain_size: 100,
            shape: true,
            ranges: false,
            max_categorical_integers: 0,
            share_domains: false,
        }
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
/// let presence = Presence { num_rows: 4, ..Presence::default() };
/// let fare = ColumnStatistics { presence, ..ColumnStatistics::new("fare", ColumnKind::Float) };
/// let statistics =
///     DatasetStatistics { name: "train".into(), num_rows: 4, columns: vec![fare], ..Default::default() };
/// let options = InferOptions { shape: false, ..InferOptions::default() };
/// let schema = infer_schema(&statistics, &options);
/// let lines = write_schema(&schema.into());
/// assert!(lines.starts_with("feature {\n  name: \"fare\"\n  value_count {\n    min: 1\n    max: 1\n  }\n"));
/// ```
#[must_use]
pub fn infer_schema(statistics: &DatasetStatistics, options: &InferOptions) -> Schema {
    let by_weight = is_weighted(statistics);
    let mut schema = Schema::default();
    let mut names = BTreeSet::new();
    for column in statistics.columns.iter().filter(|column| !is_own(column)) {
        add(&mut schema, View::new(column, by_weight), options, &mut names);
    }
    if options.share_domains {
        similar::share(&mut schema);
    }
    schema
}

/// As [`infer_schema`], with all that custom statistics say of a domain, for which [`Schema`] has only a name.
#[must_use]
pub fn infer_schema_file(statistics: &DatasetStatistics, options: &InferOptions) -> SchemaFile {
    let mut file = SchemaFile::from(infer_schema(statistics, options));
    fill_semantic(file.message_mut(), statistics);
    file
}

/// A column that the engine made.
pub(super) fn is_own(column: &ColumnStatistics) -> bool {
    column.steps().first().is_some_and(|step| step.starts_with(RESERVED_PREFIX))
}

/// Adds what a column, or a field of a struct that is there, should look like; false where its struct is not there.
pub(super) fn add(
    schema: &mut Schema,
    view: View<'_>,
    options: &InferOptions,
    names: &mut BTreeSet<String>,
) -> bool {
    let steps = view.column.steps();
    let Some((name, above)) = steps.split_last() else { return false };
    let Some(siblings) = fields_at(&mut schema.features, above) else { return false };
    let mut feature = infer(name, view, options);
    if let Some(Domain::Strings { name, .. }) = &mut feature.domain {
        *name = free_name(serialized_steps(steps), names);
        names.insert(name.clone());
    }
    siblings.push(feature);
    true
}

/// The fields of the struct at these steps; the columns where there are no steps.
pub(super) fn fields_at<'a>(
    features: &'a mut Vec<Feature>,
    steps: &[String],
) -> Option<&'a mut Vec<Feature>> {
    steps.iter().try_fold(features, |features, step| {
        features.iter_mut().find(|feature| feature.name == *step).map(|feature| &mut feature.fields)
    })
}

/// The name, or the name with the first number from 2 on that makes it a new one.
fn free_name(name: String, taken: &BTreeSet<String>) -> String {
    if !taken.contains(&name) {
        return name;
    }
    (2_usize..).map(|number| format!("{name}{number}")).find(|name| !taken.contains(name)).unwrap_or(name)
}

/// What one column should look like.
pub(crate) fn infer_feature(column: &ColumnStatistics, options: &InferOptions) -> Feature {
    let name = column.steps().last().map_or(column.name.as_str(), String::as_str);
    let mut feature = infer(name, View::new(column, false), options);
    if let Some(Domain::Strings { name, .. }) = &mut feature.domain {
        *name = serialized_steps(column.steps());
    }
    feature
}

fn infer(name: &str, view: View<'_>, options: &InferOptions) -> Feature {
    let mut feature = Feature::new(name);
    feature.feature_type = view.feature_type();
    feature.presence = presence(view);
    if view.num_present() > 0.0 {
        feature.shape = match shape::fixed(view).filter(|_| options.shape) {
            Some(sizes) => Shape::Fixed(sizes),
            None => value_counts(view),
        };
    }
    feature.domain = domain::infer(view, options);
    feature
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

/// A weight below 1 is too little to demand a row.
fn presence(view: View<'_>) -> PresenceConstraint {
    let present = view.num_present();
    let is_complete = present > 0.0 && view.num_missing() <= 0.0;
    PresenceConstraint {
        min_fraction: is_complete.then_some(1.0),
        min_count: Some(i64::from(present >= 1.0)),
    }
}

#[cfg(test)]
mod tests;
