//! What can be wrong with packages and what an orchestrator hands over.

use sluice_core::error::{Diagnostic, ErrorKind};

/// An error of packaging or talking to an orchestrator.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A package whose own examples come out otherwise.
    #[error("model `{path}` predicts {found} for its example row {row}, its package says {expected}")]
    ExampleDiffers {
        /// The package.
        path: String,
        /// The row of `examples.json`, from 1.
        row: usize,
        /// What the package says.
        expected: f64,
        /// What came out.
        found: f64,
    },
    /// An example row that does not fit the signature.
    #[error("example row {row} of model `{path}` does not fit its signature")]
    ExampleMalformed {
        /// The package.
        path: String,
        /// The row, from 1.
        row: usize,
    },
    /// An operation or column that ONNX cannot express.
    #[error("`{operation}` {problem}")]
    OnnxInexpressible {
        /// The operation, or the column.
        operation: String,
        /// What is in the way, continuing the sentence.
        problem: String,
    },
    /// An ONNX file that does not do what the transform and the model do.
    #[error(
        "in row {row} of the export's trial, {what} is {found} in ONNX and {expected} here, over {allowed} apart"
    )]
    OnnxDiffers {
        /// The feature, or the prediction.
        what: String,
        /// The row, from 1: rows of the data, then edge rows.
        row: usize,
        /// Ours.
        expected: f64,
        /// What the file makes of it.
        found: f64,
        /// How far they may be apart.
        allowed: f64,
    },
    /// A model whose predictions compare with no one number of a row.
    #[error("the model of `{label}` {problem}, so `evaluate` has no figures for it")]
    NotEvaluated {
        /// The label.
        label: String,
        /// Why, continuing the sentence.
        problem: String,
    },
    /// A feature, or a value of one, that a network cannot take.
    #[error("feature `{feature}` {problem}")]
    NetworkInput {
        /// The feature.
        feature: String,
        /// What is wrong, continuing the sentence.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A package of a network whose parts do not belong together.
    #[error("{what} are not those of the network in the package")]
    NetworkContradicts {
        /// The part that does not fit.
        what: &'static str,
    },
    /// The executor input is not what Kubeflow writes.
    #[error("the executor input is not valid: {problem}")]
    ExecutorInput {
        /// What is wrong.
        problem: String,
    },
    /// A value of the executor input that is missing or not what it must be.
    #[error("the executor input's `{path}` {problem}")]
    ExecutorInputValue {
        /// Its place in the JSON: `inputs.parameterValues.alpha`.
        path: String,
        /// What is wrong, continuing the sentence.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A URI without a local path.
    #[error("artifact `{name}` is at `{uri}`, which has no local path")]
    NoLocalPath {
        /// The artifact.
        name: String,
        /// Its URI.
        uri: String,
    },
}

impl DeliveryError {
    /// A value of the executor input that is missing or not what it must be; `problem` continues the sentence.
    #[must_use]
    pub fn executor_value(path: impl Into<String>, problem: impl Into<String>, hint: Option<String>) -> Self {
        Self::ExecutorInputValue { path: path.into(), problem: problem.into(), hint }
    }
}

impl Diagnostic for DeliveryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ExampleDiffers { .. }
            | Self::ExampleMalformed { .. }
            | Self::OnnxDiffers { .. }
            | Self::NetworkInput { .. }
            | Self::NetworkContradicts { .. } => ErrorKind::Malformed,
            Self::NotEvaluated { .. }
            | Self::OnnxInexpressible { .. }
            | Self::ExecutorInput { .. }
            | Self::ExecutorInputValue { .. }
            | Self::NoLocalPath { .. } => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::ExampleDiffers { .. }
            | Self::ExampleMalformed { .. }
            | Self::NetworkContradicts { .. } => Some("train it again with this version of sluice".into()),
            Self::NetworkInput { hint, .. } => Some(hint.clone()),
            Self::OnnxInexpressible { .. } | Self::OnnxDiffers { .. } => Some(
                "take the operation out, or let the package do without: `onnx: if-possible` says why in its \
                 `onnx.json`"
                    .into(),
            ),
            Self::NotEvaluated { .. } => Some(
                "score the rows with `sluice predict --keep` the label, and compare the columns; figures of two classes and of \
                 numbers are in `evaluate`"
                    .into(),
            ),
            Self::ExecutorInput { .. } => Some(
                "pass `--executor-input '{{$}}'` in the component's arguments; Kubeflow fills it in".into(),
            ),
            Self::ExecutorInputValue { hint, .. } => hint.clone(),
            Self::NoLocalPath { .. } => {
                Some("artifacts may live at a local path, gs://, s3://, minio:// or oci://".into())
            }
        }
    }
}
