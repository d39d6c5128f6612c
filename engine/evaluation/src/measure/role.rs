//! The part that a model plays in an evaluation: under which name its predictions come with a batch, and what messages
//! call it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose predictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The model that is judged.
    Candidate,
    /// The model that others are compared with.
    Baseline,
    /// A further model, measured beside the candidate, by its name.
    Contender(String),
}

impl Role {
    /// The name of its predictions among the inputs of a scan.
    pub(crate) fn transform(&self) -> String {
        match self {
            Self::Candidate => "candidate".into(),
            Self::Baseline => "baseline".into(),
            // No other role has a space in its name.
            Self::Contender(name) => format!("contender {name}"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate => formatter.write_str("the candidate"),
            Self::Baseline => formatter.write_str("the baseline"),
            Self::Contender(name) => write!(formatter, "contender `{name}`"),
        }
    }
}
