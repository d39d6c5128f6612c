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
    /// The library that runs foreign graphs cannot be loaded.
    #[error("cannot load onnxruntime from `{path}`: {problem}")]
    Library {
        /// Where it should be.
        path: String,
        /// What the loader says.
        problem: String,
    },
    /// The library does not take a foreign graph or its rows.
    #[error("onnxruntime cannot {action} the ONNX graph: {problem}")]
    Foreign {
        /// What was tried: `read`, `run`.
        action: &'static str,
        /// What it says.
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
            Self::NameTaken { .. } | Self::Inputs { .. } | Self::Library { .. } => ErrorKind::Usage,
            Self::Runtime { .. } | Self::Foreign { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NameTaken { name } => Some(format!("rename the column `{name}`")),
            Self::Library { .. } => {
                Some("it must be onnxruntime 1.17 or later, built for this machine".into())
            }
            Self::Runtime { .. } | Self::Foreign { .. } | Self::Inputs { .. } => None,
        }
    }
}
