//! The steps of a run, by name and in order.

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, suggest};

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Source to subsets.
    Ingest,
    /// What is in the data.
    Statistics,
    /// What should be in them.
    Schema,
    /// The one against the other.
    Validate,
    /// Features.
    Transform,
    /// The model.
    Train,
    /// Metrics and verdict.
    Evaluate,
    /// The registry.
    Push,
}

impl StepName {
    /// All steps, in order.
    pub const ALL: [Self; 8] = [
        Self::Ingest,
        Self::Statistics,
        Self::Schema,
        Self::Validate,
        Self::Transform,
        Self::Train,
        Self::Evaluate,
        Self::Push,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Statistics => "statistics",
            Self::Schema => "schema",
            Self::Validate => "validate",
            Self::Transform => "transform",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Push => "push",
        }
    }

    /// The folder of its artifact in a run; `push` leaves none there.
    #[must_use]
    pub fn folder(self) -> Option<&'static str> {
        match self {
            Self::Ingest => Some("dataset"),
            Self::Statistics => Some("statistics"),
            Self::Schema => Some("schema"),
            Self::Validate => Some("validation"),
            Self::Transform => Some("transform"),
            Self::Train => Some("model"),
            Self::Evaluate => Some("evaluation"),
            Self::Push => None,
        }
    }
}

impl std::fmt::Display for StepName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl std::str::FromStr for StepName {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|step| step.name() == text).ok_or_else(|| {
            let hint = suggest(text, Self::ALL.map(Self::name));
            OptionsError::Conflict { name: "step".into(), problem: format!("`{text}` does not exist"), hint }
        })
    }
}
