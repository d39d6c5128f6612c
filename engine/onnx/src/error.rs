//! What can be wrong with a graph.

use sluice_core::error::{Diagnostic, ErrorKind};

/// An error of writing or running an ONNX graph.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Two inputs or outputs of one name.
    #[error("the ONNX graph would have two tensors called `{name}`")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The runtime does not take the graph or the rows.
    #[error("tract cannot {action} the ONNX graph: {problem}")]
    Runtime {
        /// What was tried: `read`, `run`, …
        action: &'static str,
        /// What it says, with all causes.
        problem: String,
    },
    /// Rows that do not fit the inputs of the graph.
    #[error("the ONNX graph takes {expected}, but was given {found}")]
    Inputs {
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
    },
}

impl Diagnostic for OnnxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NameTaken { .. } | Self::Inputs { .. } => ErrorKind::Usage,
            Self::Runtime { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NameTaken { name } => Some(format!("rename the column `{name}`")),
            Self::Runtime { .. } | Self::Inputs { .. } => None,
        }
    }
}
