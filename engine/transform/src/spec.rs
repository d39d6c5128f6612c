//! What the user asks for, as in the section `transform:` of a pipeline file.

use serde::{Deserialize, Serialize};

use sluice_core::options::OptionsError;

/// Operations in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransformSpec(pub Vec<Operation>);

/// One operation on one or several columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Mean 0 and standard deviation 1 over the training rows.
    Standardize(Vec<String>),
    /// One indicator column per level.
    OneHot(OneHot),
    /// Replaces null and NaN.
    Impute(Impute),
    /// The column as it is.
    PassThrough(Vec<String>),
}

/// The options of `one_hot`: a list of columns, or columns with a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a list of columns, or {columns: [...], max_levels: N}")]
pub enum OneHot {
    /// Just the columns.
    Columns(Vec<String>),
    /// Columns and options.
    Options(OneHotOptions),
}

/// The options of `one_hot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHotOptions {
    /// The columns.
    pub columns: Vec<String>,
    /// More levels than this in the training rows are an error.
    #[serde(default = "default_max_levels")]
    pub max_levels: usize,
}

/// Levels of a one-hot column unless told otherwise.
pub const MAX_LEVELS: usize = 1000;

fn default_max_levels() -> usize {
    MAX_LEVELS
}

impl OneHot {
    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Columns(columns) => columns,
            Self::Options(options) => &options.columns,
        }
    }

    /// The most levels.
    #[must_use]
    pub fn max_levels(&self) -> usize {
        match self {
            Self::Columns(_) => MAX_LEVELS,
            Self::Options(options) => options.max_levels,
        }
    }
}

/// The options of `impute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impute {
    /// The columns.
    pub columns: Vec<String>,
    /// What goes in.
    pub with: ImputeWith,
}

/// What `impute` puts in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImputeWith {
    /// The mean of the training rows.
    Mean,
    /// Their median (the smallest value that at least half of them do not exceed).
    Median,
    /// Their most frequent value; of several, the smallest.
    MostFrequent,
    /// This value.
    Constant(Constant),
}

/// A constant of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, a text, true or false")]
pub enum Constant {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Operation {
    /// Its name in the pipeline file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Standardize(_) => "standardize",
            Self::OneHot(_) => "one_hot",
            Self::Impute(_) => "impute",
            Self::PassThrough(_) => "pass_through",
        }
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Standardize(columns) | Self::PassThrough(columns) => columns,
            Self::OneHot(one_hot) => one_hot.columns(),
            Self::Impute(impute) => &impute.columns,
        }
    }

    /// Checks what does not need the data.
    ///
    /// # Errors
    /// [`OptionsError`] for a limit of zero or a constant that is no number.
    pub fn check(&self) -> Result<(), OptionsError> {
        match self {
            Self::OneHot(one_hot) if one_hot.max_levels() == 0 => Err(OptionsError::OutOfRange {
                name: "one_hot.max_levels".into(),
                value: "0".into(),
                range: "at least 1".into(),
            }),
            Self::Impute(Impute { with: ImputeWith::Constant(Constant::Number(value)), .. })
                if !value.is_finite() =>
            {
                Err(OptionsError::OutOfRange {
                    name: "impute.with.constant".into(),
                    value: value.to_string(),
                    range: "a finite number".into(),
                })
            }
            _ => Ok(()),
        }
    }
}
