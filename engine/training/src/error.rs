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
    /// The squared errors of a penalty in cross-validation are outside the range of `f64`.
    #[error("the squared errors of penalty `{alpha}` are outside the range of numbers")]
    ErrorNotFinite {
        /// The penalty.
        alpha: f64,
    },
    /// A design that is solved by iterations has no penalty.
    #[error("penalty `{alpha}` is not above 0, which a design solved by iterations needs")]
    PenaltyMissing {
        /// The penalty.
        alpha: f64,
    },
    /// An iteration did not come to an end.
    #[error("no convergence after {steps} steps")]
    NotConverged {
        /// Steps that were made.
        steps: usize,
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

/// Why a model could not be fitted or applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A feature has no value, or none that arithmetic can use.
    #[error("feature `{feature}` is {found}")]
    FeatureNotANumber {
        /// The feature.
        feature: String,
        /// `null` or `NaN or infinite`.
        found: &'static str,
    },
    /// The label has no value, or none that arithmetic can use.
    #[error("label `{label}` is {found}")]
    LabelNotANumber {
        /// The label's column.
        label: String,
        /// `null`, `NaN` or `infinite`.
        found: &'static str,
    },
    /// A weight that does not weigh.
    #[error("weight `{weight}` is {found}")]
    WeightOutOfRange {
        /// The column of the weights.
        weight: String,
        /// `null`, `NaN`, `infinite` or `negative`.
        found: &'static str,
    },
    /// No row has a weight above 0.
    #[error("weight `{weight}` is 0 in all training rows, so there is nothing to learn from")]
    NoWeight {
        /// The column of the weights.
        weight: String,
    },
    /// The label does not vary.
    #[error("label `{label}` is {value} in all {rows} training rows, so there is nothing to learn")]
    LabelConstant {
        /// The label's column.
        label: String,
        /// Its only value.
        value: f64,
        /// How many rows.
        rows: u64,
    },
    /// A further target that is something else too.
    #[error("target `{target}` has a role already, or is named twice")]
    TargetRole {
        /// The target.
        target: String,
    },
    /// A feature that is made from what a further target is made from.
    #[error("feature `{feature}` leaks the target `{target}` through column `{column}`")]
    TargetLeaks {
        /// The target.
        target: String,
        /// The feature.
        feature: String,
        /// The column that the feature reads.
        column: String,
    },
    /// The features make a design matrix that is too wide to be squared.
    #[error("the features make {columns} columns, a linear model takes up to {limit}")]
    TooManyColumns {
        /// How many columns there are.
        columns: usize,
        /// How many are taken.
        limit: usize,
    },
    /// A model that does not hold what explanations compare with.
    #[error("the model does not hold the means of its columns, which explanations compare with")]
    NoMeans,
    /// No row of a sample has a prediction and, where it is needed, a label.
    #[error("none of the {rows} rows has both a label and a prediction, so there is nothing to explain")]
    NothingToExplain {
        /// How many rows there were.
        rows: usize,
    },
    /// A column whose values cannot be put in order.
    #[error("column `{column}` holds {found}, which has no partial dependence")]
    NoGrid {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// There is no row to learn from.
    #[error("there are no training rows")]
    NoRows,
    /// A fold of the cross-validation has no rows.
    #[error("fold {fold} of {folds} in the cross-validation of the penalty has no rows")]
    FoldEmpty {
        /// Which, from 1.
        fold: u32,
        /// How many there are.
        folds: u32,
        /// Rows of all folds.
        rows: u64,
    },
    /// States of different things.
    #[error("the sums are of other features, labels or folds, or of another form")]
    OtherSums,
    /// A state that cannot have been written so.
    #[error("the sums contradict one another")]
    StateContradictory,
    /// A model to start from where there is nothing to start.
    #[error(
        "`{family}` is solved at once from sums over the rows, so that there is nothing to start from a model"
    )]
    NoStart {
        /// The family that is fitted.
        family: &'static str,
    },
    /// A model to start from that is of something else.
    #[error("the model to start from is of {what} `{found}`, not of `{expected}`")]
    OtherStart {
        /// `family` or `label`.
        what: &'static str,
        /// That of the model to start from.
        found: String,
        /// That of the model to be fitted.
        expected: String,
    },
    /// The linear system could not be solved; `features` name its columns.
    #[error("the regression has no solution in numbers{}", at_feature(.features, .source))]
    Solve {
        /// The columns of the design matrix.
        features: Vec<String>,
        /// What the solver says.
        source: SolveError,
    },
}

fn at_feature(features: &[String], error: &SolveError) -> String {
    let index = match error {
        SolveError::FeatureNotFinite { column: index, .. }
        | SolveError::PenaltyTooSmall { feature: index, .. }
        | SolveError::CoefficientNotFinite { feature: index } => *index,
        _ => return String::new(),
    };
    features.get(index).map_or_else(String::new, |name| format!(": column `{name}` of the features"))
}

impl sluice_core::Diagnostic for TrainingError {
    fn kind(&self) -> sluice_core::ErrorKind {
        match self {
            Self::FoldEmpty { .. }
            | Self::TargetRole { .. }
            | Self::TargetLeaks { .. }
            | Self::OtherSums
            | Self::NoStart { .. }
            | Self::OtherStart { .. }
            | Self::NoMeans
            | Self::NoGrid { .. }
            | Self::TooManyColumns { .. }
            | Self::Solve {
                source:
                    SolveError::AlphaOutOfRange { .. }
                    | SolveError::PenaltyTooSmall { .. }
                    | SolveError::PenaltyMissing { .. }
                    | SolveError::NotConverged { .. },
                ..
            } => sluice_core::ErrorKind::Usage,
            _ => sluice_core::ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::FeatureNotANumber { feature, found: "null" } => Some(format!(
                "fill it: put `- impute: {{columns: [{feature}], with: mean}}` into the transform"
            )),
            Self::FeatureNotANumber { feature, .. } => Some(format!(
                "NaN can be imputed like null (`- impute: {{columns: [{feature}], with: mean}}`); remove or clip infinities"
            )),
            Self::LabelNotANumber { .. } => {
                Some("leave rows without a label out of the data; a model can neither learn from them nor be judged".into())
            }
            Self::WeightOutOfRange { .. } => {
                Some("a weight is a finite number of at least 0; rows of weight 0 take no part".into())
            }
            Self::NoWeight { .. } => Some("check that `roles.weight` names the right column".into()),
            Self::LabelConstant { .. } => Some("check that `label` names the right column".into()),
            Self::TargetRole { .. } => {
                Some("a target is predicted beside the label, by the same features: name another column".into())
            }
            Self::TargetLeaks { target, feature, .. } => Some(format!(
                "in prediction `{target}` is not known: leave `{feature}` out of the transform, or list it under \
                 `roles.allow`"
            )),
            Self::TooManyColumns { .. } => Some(
                "give fewer terms or levels a column: `top` or `buckets` of a text, `max_levels` of a category".into(),
            ),
            Self::NoMeans => Some("train it again with this version".into()),
            Self::NothingToExplain { .. } => {
                Some("impute features that may be missing; the label must be a finite number".into())
            }
            Self::NoGrid { .. } => Some("choose a column of numbers, text, booleans, dates or times".into()),
            Self::NoRows => Some("check the subsets: the training subset is empty".into()),
            Self::FoldEmpty { rows, .. } => Some(format!(
                "lower `alpha.folds`: there are {rows} training rows, and those of one key are in one fold"
            )),
            Self::OtherSums => Some("make all states with the same transform, label, targets, weight and folds".into()),
            Self::StateContradictory => Some("make the state again".into()),
            Self::NoStart { .. } => Some("leave `--warm-start` out".into()),
            Self::OtherStart { .. } => {
                Some("start from a model of the same family that predicts the same columns".into())
            }
            Self::Solve { source: SolveError::PenaltyTooSmall { smallest, .. }, .. } => {
                Some(format!("raise alpha to {smallest:e} or more, or drop the column"))
            }
            Self::Solve { source: SolveError::PenaltyMissing { .. }, .. } => Some(
                "give a penalty, however small (`alpha: 1e-3`), raise `gram_limit`, or give fewer levels a column".into(),
            ),
            Self::Solve { source: SolveError::NotConverged { .. }, .. } => {
                Some("raise alpha, or leave out columns that nearly coincide".into())
            }
            Self::Solve { .. } => Some("look at the statistics for values near the limits of floating point".into()),
        }
    }
}
