//! What can be wrong with a training problem.

use std::fmt;
use thiserror::Error;

/// Why a linear system was not solved.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The penalty is negative, infinite or NaN.
    #[error("penalty `{alpha}` is not a finite number of at least 0")]
    AlphaOutOfRange {
        /// The penalty.
        alpha: f64,
    },
    /// There are no rows, or all weights are zero.
    #[error("no row has a weight above 0")]
    RowsMissing,
    /// Two parts of the problem do not fit together.
    #[error("{part} has length `{found}`, `{expected}` was expected")]
    LengthMismatch {
        /// The part that does not fit.
        part: Part,
        /// Its length.
        found: usize,
        /// The length that the other parts demand.
        expected: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature `{column}` is `{value}` in row `{row}`")]
    FeatureNotFinite {
        /// The position of the row, from 0.
        row: usize,
        /// The position of the feature, from 0.
        column: usize,
        /// What was found.
        value: f64,
    },
    /// A label is NaN or infinite.
    #[error("the label is `{value}` in row `{row}`")]
    LabelNotFinite {
        /// The position of the row, from 0.
        row: usize,
        /// What was found.
        value: f64,
    },
    /// A weight is negative, infinite or NaN.
    #[error("the weight is `{value}` in row `{row}`, not a finite number of at least 0")]
    WeightOutOfRange {
        /// The position of the row, from 0.
        row: usize,
        /// What was found.
        value: f64,
    },
    /// A sum over the rows is NaN or infinite.
    #[error("{part} at position `{index}` is not finite")]
    SumNotFinite {
        /// The part that holds it.
        part: Part,
        /// The position in that part, from 0.
        index: usize,
    },
    /// A feature is a combination of others, and the penalty is too small to decide between them.
    #[error(
        "penalty `{alpha}` is lost in rounding beside feature `{feature}`, which other features determine"
    )]
    PenaltyTooSmall {
        /// The penalty.
        alpha: f64,
        /// The position of the feature, from 0.
        feature: usize,
        /// About the smallest penalty that would do.
        smallest: f64,
    },
    /// A coefficient is outside the range of `f64`.
    #[error("the coefficient of feature `{feature}` is outside the range of numbers")]
    CoefficientNotFinite {
        /// The position of the feature, from 0.
        feature: usize,
    },
    /// The intercept is outside the range of `f64`.
    #[error("the intercept is outside the range of numbers")]
    InterceptNotFinite,
}

/// A part of a least-squares problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The feature values, row by row.
    Values,
    /// The labels.
    Label,
    /// The weights.
    Weights,
    /// The means of the features.
    Mean,
    /// The cross products of the features.
    Cross,
    /// The cross products of features and label.
    LabelCross,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Values => "the table of feature values",
            Self::Label => "the label",
            Self::Weights => "the weights",
            Self::Mean => "the vector of feature means",
            Self::Cross => "the matrix of cross products",
            Self::LabelCross => "the vector of cross products with the label",
        })
    }
}
