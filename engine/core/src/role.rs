//! What a column is for. Only what the transform names becomes a feature.

use serde::{Deserialize, Serialize};

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
    /// The columns that identify a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Columns used for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

impl Roles {
    /// The role given to `column`, if any.
    #[must_use]
    pub fn of(&self, column: &str) -> Option<Role> {
        if self.label.as_deref() == Some(column) {
            Some(Role::Label)
        } else if self.key.iter().any(|key| key == column) {
            Some(Role::Key)
        } else if self.ignored.iter().any(|ignored| ignored == column) {
            Some(Role::Ignored)
        } else {
            None
        }
    }

    /// Every column that was given a role.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.label.iter().chain(&self.key).chain(&self.ignored).map(String::as_str)
    }
}
