//! What a column is to the model: drift of a feature may not matter to it, drift of what it shall predict or of what it
//! predicts says that something has.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a column is to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// One of its inputs, or of no use to it.
    #[default]
    Feature,
    /// What it shall predict.
    Label,
    /// What it predicts.
    Prediction,
}

impl ColumnRole {
    /// Its word in options and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Label => "label",
            Self::Prediction => "prediction",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_feature(&self) -> bool {
        *self == Self::Feature
    }
}

impl fmt::Display for ColumnRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
