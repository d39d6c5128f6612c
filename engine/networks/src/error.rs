//! What can be wrong with a network, its rows or its files.

use thiserror::Error;

use sluice_core::{Diagnostic, ErrorKind};

/// Why a network could not be trained, read or applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A table is not as long as the rows demand.
    #[error("the table of {what} holds {found} values, {expected} were expected")]
    LengthMismatch {
        /// What it holds.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that the number of rows demands.
        expected: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature `{feature}` is {value} in row {row}")]
    FeatureNotFinite {
        /// The feature.
        feature: String,
        /// The row, from 0, of the rows given.
        row: usize,
        /// What was found.
        value: f32,
    },
    /// An id is not below the number of ids.
    #[error("feature `{feature}` has id {id} in row {row}, there are {ids} ids from 0")]
    IdOutOfRange {
        /// The feature.
        feature: String,
        /// The row, from 0, of the rows given.
        row: usize,
        /// What was found.
        id: u32,
        /// How many ids there are.
        ids: u32,
    },
    /// A label is NaN, infinite, no class or, for counts, negative.
    #[error("label `{label}` is {value} in row {row}, not {expected}")]
    LabelOutOfRange {
        /// The label.
        label: String,
        /// The row, from 0.
        row: u64,
        /// What was found.
        value: f32,
        /// What is allowed.
        expected: &'static str,
    },
    /// A weight is negative, infinite or NaN.
    #[error("the weight is {value} in row {row}, not a finite number of at least 0")]
    WeightOutOfRange {
        /// The row, from 0.
        row: u64,
        /// What was found.
        value: f32,
    },
    /// There are no rows to learn from, or none of a weight above 0.
    #[error("no {subset} row has a weight above 0")]
    RowsMissing {
        /// `training` or `validation`.
        subset: &'static str,
    },
    /// All labels are alike.
    #[error("label `{label}` is {value} in all {rows} training rows")]
    LabelConstant {
        /// The label.
        label: String,
        /// Its only value or class.
        value: String,
        /// Rows.
        rows: u64,
    },
    /// Rows are to be ranked within groups, and no two rows of a group that stand together have different labels.
    #[error("no two neighbouring training rows are of one group and differ in label `{label}`")]
    NoPairs {
        /// The label.
        label: String,
    },
    /// A step would want more rows than there are.
    #[error("`network.batch_size` is {batch_size}, there are {rows} training rows")]
    BatchTooLarge {
        /// Rows per step.
        batch_size: u32,
        /// Rows.
        rows: u64,
    },
    /// A loss or a gradient is NaN or infinite.
    #[error("the {what} is {value} at step {step} (epoch {epoch}, batch {batch})")]
    Diverged {
        /// `loss` or `gradient`.
        what: &'static str,
        /// What was found.
        value: f64,
        /// The step, from 1, of the whole training.
        step: u64,
        /// The epoch, from 1.
        epoch: u32,
        /// The batch in the epoch, from 1.
        batch: u64,
        /// The likely cause, in words.
        cause: String,
    },
    /// The device is not there, or not in this build.
    #[error("device `{device}` {problem}")]
    Device {
        /// As the user named it.
        device: String,
        /// What is wrong, continuing the sentence.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A file of weights is not what it claims to be.
    #[error("the weights are not those of this network: {problem}")]
    Weights {
        /// What is wrong.
        problem: String,
    },
    /// A checkpoint is not of this training, or broken.
    #[error("checkpoint `{path}` {problem}")]
    Checkpoint {
        /// Its folder.
        path: String,
        /// What is wrong, continuing the sentence.
        problem: String,
    },
    /// A device, or the tensor library, refused an operation.
    #[error("the device failed {what}")]
    Tensor {
        /// At what, such as `to compute a step`.
        what: &'static str,
        /// Its answer.
        source: candle_core::Error,
        /// What to do.
        hint: Option<String>,
    },
}

impl Diagnostic for NetworkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BatchTooLarge { .. } | Self::Device { .. } => ErrorKind::Usage,
            _ => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::LengthMismatch { .. } => None,
            Self::FeatureNotFinite { feature, .. } => Some(format!(
                "impute or clip it in the transform (`- impute: {{columns: [{feature}], with: mean}}`)"
            )),
            Self::IdOutOfRange { .. } => Some("apply the transform that the network was trained with".into()),
            Self::LabelOutOfRange { .. } => Some("leave rows without a label out of the data".into()),
            Self::WeightOutOfRange { .. } => {
                Some("a weight is a finite number of at least 0; rows of weight 0 take no part".into())
            }
            Self::RowsMissing { .. } => Some("check the subsets and the column of weights".into()),
            Self::LabelConstant { .. } => Some("check that `label` names the right column".into()),
            Self::NoPairs { .. } => Some(
                "sort the data by the column that `network.group` names, and check that it is the right one"
                    .into(),
            ),
            Self::BatchTooLarge { rows, .. } => Some(format!("set it to {rows} or less")),
            Self::Diverged { cause, .. } => Some(cause.clone()),
            Self::Device { hint, .. } => Some(hint.clone()),
            Self::Weights { .. } => Some("open the package that the network was pushed in".into()),
            Self::Checkpoint { .. } => Some("remove it to train from the start".into()),
            Self::Tensor { hint, .. } => hint.clone(),
        }
    }
}
