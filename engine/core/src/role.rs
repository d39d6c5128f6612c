//! What a column is for. Only what the transform names becomes a feature.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The source columns that each column is made from, as `input.column`; `None` where they are unknown.
pub type Lineage = BTreeMap<String, Option<BTreeSet<String>>>;

/// The role of a column in a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Input of the model, through the transform.
    Feature,
    /// What the model predicts.
    Label,
    /// How much a row counts.
    Weight,
    /// Identifies a row; never a feature.
    Key,
    /// When the row happened.
    Time,
    /// Groups rows in the evaluation.
    Slice,
    /// Carried along, used for nothing.
    Ignored,
}

/// The roles that a user gave to columns; every other column may become a feature or a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The column that the model predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The column that says how much a row counts when a model is fitted; all alike without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The columns that identify a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The column that says when a row happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Columns used for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Features that may be made from the columns that the label is made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

impl Roles {
    /// The role given to `column`, if any.
    #[must_use]
    pub fn of(&self, column: &str) -> Option<Role> {
        if self.label.as_deref() == Some(column) {
            Some(Role::Label)
        } else if self.weight.as_deref() == Some(column) {
            Some(Role::Weight)
        } else if self.key.iter().any(|key| key == column) {
            Some(Role::Key)
        } else if self.time.as_deref() == Some(column) {
            Some(Role::Time)
        } else if self.ignored.iter().any(|ignored| ignored == column) {
            Some(Role::Ignored)
        } else {
            None
        }
    }

    /// The source columns that both the label and `feature` are made from, unless `allow` names the feature: it then
    /// knows, wholly or in part, what it shall predict.
    #[must_use]
    pub fn leak(&self, feature: &str, lineage: &Lineage) -> Option<Vec<String>> {
        if self.allow.iter().any(|allowed| allowed == feature) {
            return None;
        }
        let of = |column: &str| lineage.get(column)?.as_ref();
        let (label, feature) = (of(self.label.as_deref()?)?, of(feature)?);
        let shared: Vec<String> = label.intersection(feature).cloned().collect();
        (!shared.is_empty()).then_some(shared)
    }

    /// Every column that was given a role.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.label
            .iter()
            .chain(&self.weight)
            .chain(&self.key)
            .chain(&self.time)
            .chain(&self.ignored)
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_made_from_what_the_label_is_made_from_leaks() {
        let from = |columns: &[&str]| Some(columns.iter().map(|column| (*column).to_owned()).collect());
        let lineage = Lineage::from([
            ("share".to_owned(), from(&["trips.tips", "trips.fare"])),
            ("fare".to_owned(), from(&["trips.fare"])),
            ("miles".to_owned(), from(&["trips.miles"])),
            ("odd".to_owned(), None),
        ]);
        let mut roles = Roles { label: Some("share".into()), ..Roles::default() };
        assert_eq!(roles.leak("fare", &lineage), Some(vec!["trips.fare".to_owned()]));
        assert_eq!(roles.leak("miles", &lineage), None);
        assert_eq!(roles.leak("odd", &lineage), None);
        roles.allow.push("fare".into());
        assert_eq!(roles.leak("fare", &lineage), None);
    }
}
