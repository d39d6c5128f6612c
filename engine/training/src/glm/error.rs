//! What can be wrong with a generalised linear model.

use sluice_core::options::quoted;
use sluice_core::{Diagnostic, ErrorKind};
use thiserror::Error;

/// Why a generalised linear model could not be fitted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GlmError {
    /// The label is a number between whole ones.
    #[error("label `{label}` is {found}, which is no class")]
    NoClass {
        /// The label's column.
        label: String,
        /// What was found.
        found: String,
    },
    /// The label has more values than anyone predicts.
    #[error("label `{label}` has more than {limit} classes")]
    TooManyClasses {
        /// The label's column.
        label: String,
        /// How many are taken.
        limit: usize,
    },
    /// The label has one value.
    #[error("label `{label}` is `{class}` in all {rows} training rows, so there is nothing to tell apart")]
    OneClass {
        /// The label's column.
        label: String,
        /// Its only class.
        class: String,
        /// How many rows.
        rows: u64,
    },
    /// A row of a class that the model does not know.
    #[error("label `{label}` is `{class}`, which is none of the classes of the model")]
    UnknownClass {
        /// The label's column.
        label: String,
        /// What was found.
        class: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// The class that is to be predicted is not there, or there are more than two.
    #[error("`logistic.positive` is `{positive}`, but {problem}")]
    Positive {
        /// What was given.
        positive: String,
        /// What does not fit.
        problem: String,
    },
    /// A label that the distribution does not have.
    #[error("label `{label}` is {found}, a {family} model needs {needed}")]
    LabelOutOfRange {
        /// The label's column.
        label: String,
        /// What was found.
        found: String,
        /// The distribution.
        family: &'static str,
        /// What it needs.
        needed: &'static str,
    },
    /// An offset or exposure that cannot be added.
    #[error("{role} `{column}` is {found}")]
    OffsetOutOfRange {
        /// `offset` or `exposure`.
        role: &'static str,
        /// The column.
        column: String,
        /// What was found.
        found: String,
    },
    /// The loss of a row is outside the range of numbers already where the iteration starts.
    #[error("the loss is outside the range of numbers where the fit starts: the sum is {predictor}")]
    LossInfinite {
        /// The linear predictor of the row.
        predictor: f64,
    },
    /// Some direction of the coefficients fits better and better without end.
    #[error("the features separate {what}{}: without a penalty the coefficients grow without end", by(.column))]
    Separable {
        /// What they tell apart.
        what: String,
        /// A column that does it alone.
        column: Option<String>,
    },
    /// The iteration did not come to its end.
    #[error(
        "the {family} model has not converged after {iterations} steps: the last would move coefficients by {step:.1e} standard errors"
    )]
    NotConverged {
        /// The distribution.
        family: &'static str,
        /// Steps made.
        iterations: u32,
        /// The length of the next one.
        step: f64,
    },
    /// Classes times columns are too many for one matrix.
    #[error(
        "{classes} classes with {columns} columns each have {parameters} coefficients, a model takes up to {limit}"
    )]
    TooManyParameters {
        /// Classes.
        classes: usize,
        /// Columns and the intercept.
        columns: usize,
        /// Their product.
        parameters: usize,
        /// How many are taken.
        limit: usize,
    },
}

fn by(column: &Option<String>) -> String {
    column.as_ref().map_or_else(String::new, |column| format!(" (column `{column}` does so alone)"))
}

impl Diagnostic for GlmError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Positive { .. } | Self::TooManyParameters { .. } | Self::NotConverged { .. } => {
                ErrorKind::Usage
            }
            _ => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoClass { .. } => {
                "classes are text, booleans or whole numbers; for an amount take `ridge`, `gamma` or `tweedie`".into()
            }
            Self::TooManyClasses { .. } => {
                "check that `label` names the right column; a number to predict wants `ridge` or `poisson`".into()
            }
            Self::OneClass { .. } => "check that `label` names the right column, and the subsets".into(),
            Self::UnknownClass { classes, .. } => {
                format!("the model was fitted on {}", quoted(classes.iter().map(String::as_str)))
            }
            Self::Positive { .. } => "name one of the two classes of the label as the data write it".into(),
            Self::LabelOutOfRange { .. } => {
                "leave such rows out, or take another model: `tweedie` with a power below 2 has zeros, `ridge` all numbers"
                    .into()
            }
            Self::OffsetOutOfRange { role: "exposure", .. } => {
                "an exposure is a finite number above 0; its logarithm is added to the sum".into()
            }
            Self::OffsetOutOfRange { .. } => "an offset is a finite number; it is added to the sum as it is".into(),
            Self::LossInfinite { .. } => "check offset and exposure: e to that power is no number".into(),
            Self::Separable { column: Some(column), .. } => {
                format!("set `alpha` above 0, or drop `{column}` if it tells what is to be predicted")
            }
            Self::Separable { .. } => {
                "set `alpha` above 0: the coefficients are finite then, and predictions the better for it".into()
            }
            Self::NotConverged { .. } => {
                "standardize the features, raise `max_iterations`, or set `alpha` above 0".into()
            }
            Self::TooManyParameters { .. } => "fewer classes, or fewer levels of categories".into(),
        })
    }
}
