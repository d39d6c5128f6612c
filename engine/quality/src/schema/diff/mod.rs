//! What changed between two schemas: meaning, not text. The order of columns, the layout of the file and whether a
//! list stands at the top or in the feature make no difference.

mod feature;
mod rest;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::schema::{Feature, Lifecycle, RowsComparator, Schema, SparseFeature, WeightedFeature};

use super::path::serialized_steps;
use super::text::SchemaFile;

/// What a change does to the data that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A column that was not described.
    Added,
    /// A column that is no longer described.
    Removed,
    /// Fewer data pass.
    Tightened,
    /// More data pass.
    Loosened,
    /// Other data pass, or only a description changed.
    Changed,
}

impl ChangeKind {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Tightened => "tightened",
            Self::Loosened => "loosened",
            Self::Changed => "changed",
        }
    }
}

/// One difference between two schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// What it does.
    pub kind: ChangeKind,
    /// The column or field, as a path; none where it concerns the whole data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The rule, as the path of a field: `presence.min_fraction`.
    pub rule: String,
    /// What the old schema says; none where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What the new schema says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// All differences: columns in the order of the old schema, then new ones, then what concerns the whole data set.
///
/// # Examples
/// ```
/// use sluice_quality::schema::{ChangeKind, diff_schemas, read_schema};
///
/// let old = read_schema("feature { name: 'fare' type: FLOAT float_domain { max: 80 } }", "old.pbtxt")?;
/// let new = read_schema("feature { name: 'fare' type: FLOAT float_domain { max: 90 } }", "new.pbtxt")?;
/// let changes = diff_schemas(&old, &new);
/// assert_eq!(changes[0].kind, ChangeKind::Loosened);
/// assert_eq!(changes[0].rule, "float_domain.max");
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
#[must_use]
pub fn diff_schemas(old: &SchemaFile, new: &SchemaFile) -> Vec<SchemaChange> {
    let mut changes = Changes::default();
    features(&mut changes, &[], &old.schema().features, &new.schema().features);
    dataset(&mut changes, old.schema(), new.schema());
    rest::compare(&mut changes, old.message(), new.message());
    changes.found
}

/// The changes found so far, and the column that is being compared.
#[derive(Default)]
struct Changes {
    found: Vec<SchemaChange>,
    column: Option<String>,
}

impl Changes {
    fn push(&mut self, kind: ChangeKind, rule: &str, old: Option<String>, new: Option<String>) {
        self.found.push(SchemaChange { kind, column: self.column.clone(), rule: rule.into(), old, new });
    }

    /// A lower bound: a higher one lets less pass.
    fn lower<T: PartialOrd + ToString>(&mut self, rule: &str, old: Option<T>, new: Option<T>) {
        let is_higher = match (&old, &new) {
            (None, None) => return,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(old), Some(new)) if old == new => return,
            (Some(old), Some(new)) => new > old,
        };
        let kind = if is_higher { ChangeKind::Tightened } else { ChangeKind::Loosened };
        self.push(kind, rule, old.map(|bound| bound.to_string()), new.map(|bound| bound.to_string()));
    }

    /// An upper bound: a lower one lets less pass.
    fn upper<T: PartialOrd + ToString>(&mut self, rule: &str, old: Option<T>, new: Option<T>) {
        let is_lower = match (&old, &new) {
            (None, None) => return,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(old), Some(new)) if old == new => return,
            (Some(old), Some(new)) => new < old,
        };
        let kind = if is_lower { ChangeKind::Tightened } else { ChangeKind::Loosened };
        self.push(kind, rule, old.map(|bound| bound.to_string()), new.map(|bound| bound.to_string()));
    }

    /// A rule that forbids something.
    fn forbids(&mut self, rule: &str, old: bool, new: bool) {
        if old != new {
            let kind = if new { ChangeKind::Tightened } else { ChangeKind::Loosened };
            self.push(kind, rule, Some(old.to_string()), Some(new.to_string()));
        }
    }

    /// Something that is neither more nor less.
    fn other(&mut self, rule: &str, old: Option<String>, new: Option<String>) {
        if old != new {
            self.push(ChangeKind::Changed, rule, old, new);
        }
    }

    /// Members that came or went; `added` and `removed` say what that does.
    fn members(&mut self, rule: &str, kinds: (ChangeKind, ChangeKind), old: &[String], new: &[String]) {
        let quoted = |value: &String| format!("{value:?}");
        let lacking = |from: &[String], list: &[String]| -> Vec<String> {
            from.iter().filter(|value| !list.contains(value)).map(quoted).collect()
        };
        let (removed, added) = (lacking(old, new), lacking(new, old));
        if !added.is_empty() {
            self.push(kinds.0, rule, None, Some(added.join(", ")));
        }
        if !removed.is_empty() {
            self.push(kinds.1, rule, Some(removed.join(", ")), None);
        }
    }
}

fn features(changes: &mut Changes, above: &[String], old: &[Feature], new: &[Feature]) {
    let by_name: BTreeMap<&str, &Feature> =
        new.iter().map(|feature| (feature.name.as_str(), feature)).collect();
    let known: BTreeMap<&str, &Feature> =
        old.iter().map(|feature| (feature.name.as_str(), feature)).collect();
    let path = |feature: &Feature| {
        let mut steps = above.to_vec();
        steps.push(feature.name.clone());
        steps
    };
    for before in old {
        let steps = path(before);
        changes.column = Some(serialized_steps(&steps));
        match by_name.get(before.name.as_str()) {
            Some(after) => {
                feature::compare(changes, before, after);
                features(changes, &steps, &before.fields, &after.fields);
            }
            None => changes.push(ChangeKind::Removed, "feature", Some(described(before)), None),
        }
    }
    for after in new.iter().filter(|after| !known.contains_key(after.name.as_str())) {
        changes.column = Some(serialized_steps(&path(after)));
        changes.push(ChangeKind::Added, "feature", None, Some(described(after)));
    }
    changes.column = None;
}

/// A column in a few words: its type, and whether it is required.
fn described(feature: &Feature) -> String {
    let feature_type = feature.feature_type.map_or("any type", |feature_type| feature_type.name());
    let presence = if feature.is_required() { "required" } else { "optional" };
    format!("{feature_type}, {presence}")
}

fn dataset(changes: &mut Changes, old: &Schema, new: &Schema) {
    let (added, removed) = (ChangeKind::Changed, ChangeKind::Changed);
    let environments = (&old.default_environments, &new.default_environments);
    changes.members("default_environment", (added, removed), environments.0, environments.1);
    changes.lower("dataset_constraints.min_examples_count", old.min_rows, new.min_rows);
    changes.upper("dataset_constraints.max_examples_count", old.max_rows, new.max_rows);
    for (rule, old, new) in [
        ("dataset_constraints.num_examples_drift_comparator", &old.rows_drift, &new.rows_drift),
        ("dataset_constraints.num_examples_version_comparator", &old.rows_version, &new.rows_version),
    ] {
        let bounds = |comparator: &Option<RowsComparator>| {
            let comparator = comparator.unwrap_or_default();
            (comparator.min_fraction, comparator.max_fraction)
        };
        let (old, new) = (bounds(old), bounds(new));
        changes.lower(&format!("{rule}.min_fraction_threshold"), old.0, new.0);
        changes.upper(&format!("{rule}.max_fraction_threshold"), old.1, new.1);
    }
    let sparse = |feature: &SparseFeature| {
        let text = format!("{} at {}", feature.value_column, feature.index_columns.join(", "));
        (feature.name.clone(), with_stage(text, feature.lifecycle))
    };
    let weighted = |feature: &WeightedFeature| {
        let paths = (serialized_steps(&feature.value_path), serialized_steps(&feature.weight_path));
        (feature.name.clone(), with_stage(format!("{} by {}", paths.0, paths.1), feature.lifecycle))
    };
    let old_sparse = old.sparse_features.iter().map(sparse).collect();
    composed(changes, "sparse_feature", &old_sparse, &new.sparse_features.iter().map(sparse).collect());
    let old_weighted = old.weighted_features.iter().map(weighted).collect();
    composed(
        changes,
        "weighted_feature",
        &old_weighted,
        &new.weighted_features.iter().map(weighted).collect(),
    );
}

fn with_stage(text: String, stage: Lifecycle) -> String {
    if stage == Lifecycle::Unknown { text } else { format!("{text}, {}", feature::stage(stage)) }
}

fn composed(
    changes: &mut Changes,
    rule: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) {
    for (name, before) in old {
        changes.column = Some(name.clone());
        match new.get(name) {
            Some(after) => changes.other(rule, Some(before.clone()), Some(after.clone())),
            None => changes.push(ChangeKind::Removed, rule, Some(before.clone()), None),
        }
    }
    for (name, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        changes.column = Some(name.clone());
        changes.push(ChangeKind::Added, rule, None, Some(after.clone()));
    }
    changes.column = None;
}

#[cfg(test)]
mod tests;
