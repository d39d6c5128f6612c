//! A schema brought up to date: TFDV's `update_schema`, and the fix of a single finding.
//!
//! [`update_schema`] relaxes every rule that the data of the statistics break, adds the columns that the schema does
//! not know, and deprecates those that it demands and the data lack. It never tightens: a shape that was dropped does
//! not come back. New columns get a number of values, no shape.

mod domain;
mod fix;
mod relax;
mod repair;
mod suggestion;

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::schema::{Domain, Feature, Lifecycle, Schema};
use sluice_core::statistics::{ColumnStatistics, CustomStatistic, DatasetStatistics};

pub use fix::{Known, apply_fix};

use super::codec::inline_lists;
use super::infer::{self, InferOptions, fields_at, fill_semantic, is_own};
use super::text::SchemaFile;
use super::view::{View, is_weighted};

/// Changes the schema until the data of these statistics fulfil it.
///
/// # Examples
/// ```
/// use sluice_core::column::ColumnKind;
/// use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Presence};
/// use sluice_quality::schema::{InferOptions, read_schema, update_schema};
///
/// let mut file = read_schema("feature { name: 'fare' type: FLOAT presence { min_count: 9 } }", "schema.pbtxt")?;
/// let presence = Presence { num_rows: 4, ..Presence::default() };
/// let fare = ColumnStatistics { presence, ..ColumnStatistics::new("fare", ColumnKind::Float) };
/// let statistics = DatasetStatistics { num_rows: 4, columns: vec![fare], ..Default::default() };
/// update_schema(&mut file, &statistics, &InferOptions::default());
/// assert_eq!(file.schema().features[0].presence.min_count, Some(4));
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
pub fn update_schema(file: &mut SchemaFile, statistics: &DatasetStatistics, options: &InferOptions) {
    let mut update = Update::new(file, statistics, options);
    let mut idle = BTreeSet::new();
    for column in statistics.columns.iter().filter(|column| !is_own(column)) {
        let is_below_idle = (1..column.steps().len()).any(|depth| idle.contains(&column.steps()[..depth]));
        if !is_below_idle && !update.column(column) {
            idle.insert(column.steps());
        }
    }
    for feature in &statistics.composed {
        let _ = update.composed(&feature.name, &feature.custom);
    }
    update.deprecate_missing(statistics);
    let schema = update.schema;
    file.replace(schema);
    fill_semantic(file.message_mut(), statistics);
}

/// A schema on its way, and what it must know of its file.
pub(super) struct Update {
    pub(super) schema: Schema,
    /// The steps to features whose list of strings is their own.
    inline: BTreeSet<Vec<String>>,
    /// The names of lists of strings that are taken.
    names: BTreeSet<String>,
    by_weight: bool,
    options: InferOptions,
}

impl Update {
    pub(super) fn new(file: &SchemaFile, statistics: &DatasetStatistics, options: &InferOptions) -> Self {
        Self {
            schema: file.schema().clone(),
            inline: inline_lists(file.message()),
            names: file.list_names(),
            by_weight: is_weighted(statistics),
            options: InferOptions { shape: false, ..options.clone() },
        }
    }

    pub(super) fn view<'a>(&self, column: &'a ColumnStatistics) -> View<'a> {
        View::new(column, self.by_weight)
    }

    /// Settles one column; false where the columns below it are not looked at.
    fn column(&mut self, column: &ColumnStatistics) -> bool {
        let view = self.view(column);
        if let [name] = column.steps()
            && let Some(is_live) = self.composed(name, &column.custom)
        {
            return is_live;
        }
        let Some(mut feature) = self.take(column.steps()) else {
            return self.add(column);
        };
        let dropped = update_feature(&mut feature, view);
        let is_live = feature.is_live();
        self.put(column.steps(), feature, dropped);
        is_live
    }

    /// Adds a column that the schema does not know.
    pub(super) fn add(&mut self, column: &ColumnStatistics) -> bool {
        let view = self.view(column);
        infer::add(&mut self.schema, view, &self.options, &mut self.names)
    }

    /// A copy of the feature at these steps.
    pub(super) fn take(&self, steps: &[String]) -> Option<Feature> {
        self.schema.at(steps).cloned()
    }

    /// Puts a feature in the place of the one at these steps. A list of strings that others share changes for them too.
    pub(super) fn put(&mut self, steps: &[String], feature: Feature, drops_list: bool) {
        let Some((name, above)) = steps.split_last() else { return };
        let list = match &feature.domain {
            Some(Domain::Strings { name, values, .. }) => Some((name.clone(), Some(values.clone()))),
            _ => None,
        };
        let Some(siblings) = fields_at(&mut self.schema.features, above) else { return };
        let Some(place) = siblings.iter_mut().find(|known| known.name == *name) else { return };
        let before = match &place.domain {
            Some(Domain::Strings { name, .. }) if drops_list => Some((name.clone(), None)),
            _ => None,
        };
        *place = feature;
        if self.inline.contains(steps) {
            return;
        }
        if let Some((name, values)) = list.or(before) {
            set_list(&mut self.schema.features, &[], &self.inline, &name, values.as_deref());
        }
    }

    /// Sparse and weighted features: the answer is whether the columns below are to be looked at; none where `name`
    /// is neither.
    fn composed(&mut self, name: &str, figures: &BTreeMap<String, CustomStatistic>) -> Option<bool> {
        let is_named = |known: &str| known == name;
        let feature = self.schema.features.iter_mut().find(|feature| is_named(&feature.name));
        if let Some(weighted) = self.schema.weighted_features.iter_mut().find(|one| is_named(&one.name)) {
            let sparse = self.schema.sparse_features.iter_mut().find(|one| is_named(&one.name));
            if weighted.lifecycle.is_live() && (feature.is_some() || sparse.is_some()) {
                weighted.lifecycle = Lifecycle::Deprecated;
                feature.into_iter().for_each(|feature| feature.lifecycle = Lifecycle::Deprecated);
                sparse.into_iter().for_each(|sparse| sparse.lifecycle = Lifecycle::Deprecated);
            } else if has_count(figures, &["missing_value", "missing_weight"])
                || has_count(figures, &["min_weight_length_diff", "max_weight_length_diff"])
            {
                weighted.lifecycle = Lifecycle::Deprecated;
            }
            return Some(true);
        }
        let sparse = self.schema.sparse_features.iter_mut().find(|one| is_named(&one.name))?;
        if !sparse.lifecycle.is_live() {
            return None;
        }
        if let Some(feature) = feature.filter(|feature| feature.is_live()) {
            feature.lifecycle = Lifecycle::Deprecated;
            sparse.lifecycle = Lifecycle::Deprecated;
        } else if has_count(
            figures,
            &["missing_value", "missing_index", "min_length_diff", "max_length_diff"],
        ) {
            sparse.lifecycle = Lifecycle::Deprecated;
        }
        Some(true)
    }

    /// Demanded columns that the statistics do not have at all. A field is missed also where its struct is.
    fn deprecate_missing(&mut self, statistics: &DatasetStatistics) {
        let known: BTreeSet<&[String]> = statistics.columns.iter().map(ColumnStatistics::steps).collect();
        deprecate_missing(&mut self.schema.features, &[], &known);
    }
}

fn deprecate_missing(features: &mut [Feature], above: &[String], known: &BTreeSet<&[String]>) {
    for feature in features.iter_mut().filter(|feature| feature.is_live()) {
        let mut steps = above.to_vec();
        steps.push(feature.name.clone());
        deprecate_missing(&mut feature.fields, &steps, known);
        if feature.is_required() && !known.contains(steps.as_slice()) {
            feature.lifecycle = Lifecycle::Deprecated;
        }
    }
}

/// Whether one of these custom statistics counts something.
fn has_count(figures: &BTreeMap<String, CustomStatistic>, names: &[&str]) -> bool {
    names.iter().filter_map(|name| figures.get(*name)).any(|statistic| match statistic {
        CustomStatistic::Number(number) => *number != 0.0,
        CustomStatistic::Counts(counts) => counts.iter().any(|(_, count)| *count != 0.0),
        CustomStatistic::Text(_) | CustomStatistic::Histogram(_) => false,
    })
}

/// Gives all features that refer to a list its new values, or takes it from them.
fn set_list(
    features: &mut [Feature],
    above: &[String],
    inline: &BTreeSet<Vec<String>>,
    list: &str,
    values: Option<&[String]>,
) {
    for feature in features {
        let mut steps = above.to_vec();
        steps.push(feature.name.clone());
        let is_shared = !inline.contains(&steps);
        let refers = match &mut feature.domain {
            Some(Domain::Strings { name, values: own, .. }) if is_shared && name == list => {
                if let Some(values) = values {
                    *own = values.to_vec();
                }
                true
            }
            _ => false,
        };
        if refers && values.is_none() {
            feature.domain = None;
        }
        set_list(&mut feature.fields, &steps, inline, list, values);
    }
}

/// Relaxes what the column breaks, in TFDV's order; true where its list of strings is to go.
fn update_feature(feature: &mut Feature, view: View<'_>) -> bool {
    repair::repair(feature);
    if !feature.is_live() {
        return false;
    }
    if view.num_present() <= 0.0 {
        if feature.is_required() {
            feature.lifecycle = Lifecycle::Deprecated;
        }
        return false;
    }
    relax::value_counts(feature, view);
    relax::shape(feature, view);
    relax::presence(feature, view);
    relax::data_type(feature, view);
    let drops_list = domain::relax(feature, view);
    relax::unique(feature, view);
    drops_list
}

#[cfg(test)]
mod tests;
