//! What can be wrong with a transform or the data it meets.

use sluice_core::error::{Diagnostic, ErrorKind};
use sluice_core::options::suggest;

/// An error of fitting or applying a transform.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// No operation was given.
    #[error("the transform names no column, so there are no features")]
    Empty,
    /// An operation names a column that is not in the data.
    #[error("`{operation}` names column `{column}`, which is not in the data")]
    ColumnMissing {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// The columns there are.
        available: Vec<String>,
    },
    /// An operation names a column that must not become a feature.
    #[error("`{operation}` names column `{column}`, which is the {role}")]
    Role {
        /// The operation.
        operation: String,
        /// The column.
        column: String,
        /// Its role.
        role: &'static str,
    },
    /// A feature that is made from what the label is made from.
    #[error("feature `{column}` leaks the label `{label}`: both are made from {shared}")]
    Leakage {
        /// The feature.
        column: String,
        /// The label.
        label: String,
        /// The source columns that both are made from.
        shared: String,
    },
    /// An operation meets a column of a type that it cannot take.
    #[error("`{operation}` needs {expected}, but column `{column}` is {found}")]
    Kind {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// What it holds.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A column is of another type than when the transform was fitted.
    #[error("`{operation}` cannot find its levels in column `{column}`, which now is {found}")]
    KindChanged {
        /// The operation.
        operation: String,
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// An operation that reads no column.
    #[error("`{operation}` makes `{name}` from no column")]
    Constantless {
        /// The operation.
        operation: &'static str,
        /// The name of the result.
        name: String,
    },
    /// Two operations write one name.
    #[error("`{operation}` cannot call its result `{name}`: there is a column of that name already")]
    NameTaken {
        /// The operation.
        operation: &'static str,
        /// The name.
        name: String,
    },
    /// A stored transform whose nodes do not fit together.
    #[error("the stored transform is broken: `{operation}` and the value `{value}` do not fit together")]
    NoSuchValue {
        /// The operation.
        operation: String,
        /// The value.
        value: String,
    },
    /// There is nothing to learn from.
    #[error("`{operation}` finds no value in column `{column}` of the training rows")]
    NoValues {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
    },
    /// A logarithm of what has none.
    #[error("`{operation}` needs numbers above 0, but column `{column}` has {value} in the training rows")]
    NotPositive {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// The smallest value.
        value: f64,
    },
    /// Fewer rows than it takes to learn something.
    #[error("`{operation}` needs two training rows in which all of {columns} are finite, but found {found}")]
    TooFewRows {
        /// The operation.
        operation: &'static str,
        /// The columns.
        columns: String,
        /// How many rows there are.
        found: u64,
    },
    /// A feature that is not there.
    #[error("there is no feature `{feature}`")]
    NoSuchFeature {
        /// Its name.
        feature: String,
        /// The features there are.
        available: Vec<String>,
    },
    /// An operation whose input cannot be told from what it leaves.
    #[error("feature `{feature}` does not lead back to a column: `{operation}` has no inverse")]
    NoInverse {
        /// The operation.
        operation: String,
        /// The feature.
        feature: String,
    },
    /// Numbers too large to multiply.
    #[error("`{operation}`: products of {columns} exceed the range of 64-bit floats")]
    TooLarge {
        /// The operation.
        operation: &'static str,
        /// The columns.
        columns: String,
    },
    /// A one-hot column with more levels than allowed.
    #[error("column `{column}` has {found} levels, `one_hot` allows {limit}")]
    TooManyLevels {
        /// The column.
        column: String,
        /// How many there are.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A text column with more terms than can be counted.
    #[error("`{operation}` finds more than {limit} different terms in column `{column}`")]
    TooManyTerms {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// How many can be counted.
        limit: usize,
    },
    /// A text column without a term that is frequent enough.
    #[error(
        "`{operation}` finds no term in column `{column}` of the training rows that occurs at least \
         {min_frequency} times"
    )]
    NoTerms {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// How often it should occur.
        min_frequency: u64,
    },
    /// The constant to impute does not suit the column.
    #[error("`impute` cannot put {value} into column `{column}`, which is {found}")]
    Constant {
        /// The column.
        column: String,
        /// What was given.
        value: String,
        /// What the column holds.
        found: String,
    },
    /// More different values than an operation holds.
    #[error("`{operation}` holds {limit} different values, column `{column}` has more")]
    TooManyValues {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// How many it holds.
        limit: usize,
    },
    /// More keys than an operation holds.
    #[error("`{operation}` of column `{column}` holds constants of {limit} keys, there are more")]
    TooManyKeys {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
        /// How many it holds.
        limit: usize,
    },
    /// A value that is none of the levels, where that is not allowed.
    #[error("column `{column}` holds `{value}`, which no training row held")]
    Unseen {
        /// The column.
        column: String,
        /// The value.
        value: String,
    },
    /// More combinations than allowed.
    #[error("columns {columns} have more than {limit} combinations in the training rows")]
    TooManyCombinations {
        /// The columns.
        columns: String,
        /// How many are allowed.
        limit: usize,
    },
    /// An operation is fitted on the label, and there is none.
    #[error("`{operation}` learns from the label, but no column of the data is the label")]
    LabelMissing {
        /// The operation.
        operation: &'static str,
    },
    /// A label is null, NaN or infinite.
    #[error("`{operation}` learns from the label `{label}`, which is null, NaN or infinite here")]
    NoLabel {
        /// The operation.
        operation: &'static str,
        /// The label.
        label: String,
    },
    /// A label with too many values to be classes.
    #[error("`{operation}` needs a label of few values, `{label}` has more than {limit}")]
    TooManyClasses {
        /// The operation.
        operation: &'static str,
        /// The label.
        label: String,
        /// How many it can have.
        limit: usize,
    },
    /// A weight is null, NaN, infinite or negative.
    #[error("`{operation}` weighs rows by `{column}`, which is null, NaN, infinite or negative here")]
    NoWeight {
        /// The operation.
        operation: &'static str,
        /// The column of weights.
        column: String,
    },
    /// All training rows are in one fold.
    #[error("`{operation}` leaves out the fold of a row, but all training rows are in one of {folds}")]
    OneFold {
        /// The operation.
        operation: &'static str,
        /// How many folds there are.
        folds: u32,
    },
    /// No level passes the thresholds.
    #[error("`{operation}` keeps no level of column `{column}`")]
    NothingKept {
        /// The operation.
        operation: &'static str,
        /// The column.
        column: String,
    },
}

impl Diagnostic for TransformError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoValues { .. }
            | Self::NoTerms { .. }
            | Self::NotPositive { .. }
            | Self::TooFewRows { .. }
            | Self::TooLarge { .. }
            | Self::KindChanged { .. }
            | Self::NoSuchValue { .. }
            | Self::NoLabel { .. }
            | Self::Unseen { .. }
            | Self::NoWeight { .. }
            | Self::OneFold { .. } => ErrorKind::Malformed,
            _ => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Empty => {
                Some("name columns under `transform:`, for example `- standardize: [age, fare]`".into())
            }
            Self::ColumnMissing { column, available, .. } => {
                suggest(column, available.iter().map(String::as_str))
            }
            Self::Role { .. } => {
                Some("take it out of the transform, or change its role under `data.roles`".into())
            }
            Self::Leakage { column, .. } => Some(format!(
                "take it out of the transform, or, if it is known when the model is asked, name it under \
                 `roles: {{allow: [{column}]}}`"
            )),
            Self::Kind { operation: "standardize" | "pass_through", .. } => {
                Some("use `one_hot` for columns that are not numbers".into())
            }
            Self::Kind { operation: "date_parts" | "cyclic", column, .. } => Some(format!(
                "`derive: {{{column}: CAST({column} AS TIMESTAMP)}}` makes a timestamp in UTC of text and of zones \
                 of regions"
            )),
            Self::KindChanged { .. } => {
                Some("fit the transform again, or give the column the type that it had".into())
            }
            Self::Constantless { .. } => Some("a constant tells a model nothing; name a column in it".into()),
            Self::NameTaken { .. } => {
                Some("choose another name under `as`, or read the column of that name".into())
            }
            Self::NoSuchValue { .. } => Some("fit the transform again".into()),
            Self::Constant { .. } => {
                Some("give a number for a column of numbers, a text for a column of text".into())
            }
            _ => self.data_hint(),
        }
    }
}

impl TransformError {
    /// What to do about data that an operation cannot learn from, or has too much to learn of.
    fn data_hint(&self) -> Option<String> {
        match self {
            Self::NoValues { column, .. } => Some(format!("leave `{column}` out, or impute a constant")),
            Self::NotPositive { .. } => {
                Some("`method: yeo_johnson` takes numbers of any sign; or clip the column first".into())
            }
            Self::TooFewRows { .. } => {
                Some("impute the columns first, or leave out those that are mostly missing".into())
            }
            Self::NoSuchFeature { feature, available } => {
                suggest(feature, available.iter().map(String::as_str))
            }
            Self::TooLarge { .. } => Some("standardize the columns first".into()),
            Self::TooManyLevels { found, .. } => {
                Some(format!("raise `max_levels` to {found}, or leave the column out"))
            }
            Self::TooManyTerms { operation: "bag_of_words", .. } => {
                Some("shorter `ngrams` or `lowercase` make fewer, or count them in `buckets`".into())
            }
            Self::TooManyTerms { .. } => Some("shorter `ngrams` or `lowercase` make fewer".into()),
            Self::TooManyValues { operation: "vocabulary", .. } => {
                Some("keep the first with `top: N`, raise `max_distinct`, or count `approximate: N`".into())
            }
            Self::TooManyValues { .. } => {
                Some("take a column of fewer values, or `hash_buckets`, which learns nothing".into())
            }
            Self::Unseen { .. } => Some("fit the transform again, or leave out `unseen: error`".into()),
            Self::TooManyKeys { .. } => Some("take columns of fewer values for `per`".into()),
            Self::TooManyCombinations { .. } => {
                Some("raise `max_levels`, or hash the combinations into `buckets`".into())
            }
            Self::LabelMissing { .. } => Some("name it under `data: {roles: {label: COLUMN}}`".into()),
            Self::NoLabel { .. } => Some("leave out rows without a label by the query of `data`".into()),
            Self::TooManyClasses { .. } => Some("leave `by` at `frequency`".into()),
            Self::NoWeight { .. } => Some("impute the weight, or clip it at 0".into()),
            Self::OneFold { .. } => {
                Some("choose a key under `data.roles` that more than one group of rows has".into())
            }
            Self::NothingKept { .. } => Some("lower the thresholds, or leave the column out".into()),
            Self::NoTerms { .. } => {
                Some("lower `min_frequency`, look at `split`, or leave the column out".into())
            }
            _ => None,
        }
    }
}
