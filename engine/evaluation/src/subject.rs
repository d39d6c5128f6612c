//! Who is evaluated, and what against: what a verdict says beside the figures.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::seam::Task;

use sluice_core::options::OptionsError;

use crate::evaluation::Evaluation;
use crate::gate::Comparison;

/// What the candidate is held against, once it is known whether it can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Nothing: the first model.
    Nothing,
    /// A model, on the same rows.
    Model {
        /// Of its package.
        digest: String,
    },
    /// The figures of an earlier evaluation.
    #[serde(with = "shared")]
    Accepted(Arc<Evaluation>),
    /// A model that cannot be compared.
    NotComparable {
        /// Of its package, if it could be opened.
        digest: Option<String>,
        /// Why.
        reason: String,
    },
}

impl Against {
    /// What a verdict calls it.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        match self {
            Self::Nothing => Comparison::NoBaseline,
            Self::Model { .. } => Comparison::Compared,
            Self::Accepted(_) => Comparison::AcceptedMetrics,
            Self::NotComparable { .. } => Comparison::NotComparable,
        }
    }
}

/// Who is evaluated, and what against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The label column.
    pub label: String,
    /// What the candidate predicts.
    pub task: Task,
    /// Of the candidate's package.
    pub candidate_digest: String,
    /// What it is held against.
    pub against: Against,
    /// The models that are measured beside it, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contenders: Vec<ContenderName>,
}

/// A model that is measured beside the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContenderName {
    /// What it is called.
    pub name: String,
    /// Of its package.
    pub digest: String,
}

impl ContenderName {
    /// What reports call other things than a contender.
    const TAKEN: [&'static str; 3] = ["candidate", "baseline", "change"];

    /// The longest name, in characters.
    const MAX_LENGTH: usize = 64;

    /// That each name can stand in reports, and stands for one model.
    ///
    /// # Errors
    /// A name that is empty, too long, taken, given twice, or has control characters or spaces at its ends.
    pub fn check<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), OptionsError> {
        let mut known: Vec<&str> = Vec::new();
        for name in names {
            let is_plain = !name.is_empty()
                && name.trim() == name
                && name.chars().count() <= Self::MAX_LENGTH
                && !name.contains(char::is_control);
            let problem = if !is_plain {
                format!("name a model {name:?}")
            } else if Self::TAKEN.contains(&name) || name.starts_with("change of ") {
                format!("name a model `{name}`, which reports call something else")
            } else if known.contains(&name) {
                format!("name two models `{name}`")
            } else {
                known.push(name);
                continue;
            };
            return Err(OptionsError::Conflict {
                name: "contenders".into(),
                problem,
                hint: Some(format!(
                    "give each a name of its own, of 1 to {} characters, other than {}",
                    Self::MAX_LENGTH,
                    sluice_core::options::quoted(Self::TAKEN)
                )),
            });
        }
        Ok(())
    }
}

impl Subject {
    /// Of the baseline's package.
    #[must_use]
    pub fn baseline_digest(&self) -> Option<String> {
        match &self.against {
            Against::Nothing => None,
            Against::Model { digest } => Some(digest.clone()),
            Against::Accepted(accepted) => Some(accepted.verdict.candidate_digest.clone()),
            Against::NotComparable { digest, .. } => digest.clone(),
        }
    }
}

/// What is shared, written as itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::evaluation::Evaluation;

    pub(super) fn serialize<S: Serializer>(
        value: &Arc<Evaluation>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Evaluation>, D::Error> {
        Evaluation::deserialize(deserializer).map(Arc::new)
    }
}
