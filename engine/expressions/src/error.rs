//! What can be wrong with an expression: with its text when it is parsed, with a value when it is evaluated.

use sluice_core::options::{quoted, suggest};
use sluice_core::{Diagnostic, ErrorKind};

/// A place in the text of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
}

/// ", at line 1, column 8", or nothing where the place is not known.
fn at(position: Option<&Position>) -> String {
    position.map_or_else(String::new, |place| format!(", at line {}, column {}", place.line, place.column))
}

/// An expression that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// It is not SQL.
    #[error("expression `{text}` is not valid SQL: {problem}{}", at(position.as_ref()))]
    Syntax {
        /// The expression.
        text: String,
        /// What the parser expected and found.
        problem: String,
        /// Where.
        position: Option<Position>,
    },
    /// It is too long or too deeply nested to be evaluated safely.
    #[error("an expression has {found}, at most {limit} are allowed")]
    TooComplex {
        /// What there is too much of, with the number.
        found: String,
        /// How much is allowed.
        limit: usize,
    },
    /// A column that the data do not have.
    #[error("expression `{text}` reads column `{column}`, which is not in the data{}", at(position.as_ref()))]
    UnknownColumn {
        /// The expression.
        text: String,
        /// The name.
        column: String,
        /// The names there are.
        available: Vec<String>,
        /// Where.
        position: Option<Position>,
    },
    /// A part of SQL that is not supported.
    #[error("expression `{text}` uses {what}, which is not supported{}", at(position.as_ref()))]
    Unsupported {
        /// The expression.
        text: String,
        /// The part.
        what: String,
        /// What there is instead.
        supported: String,
        /// Where.
        position: Option<Position>,
    },
    /// An operator or function whose operands have kinds that it cannot take.
    #[error("`{operator}` cannot take {found} in expression `{text}`{}", at(position.as_ref()))]
    Operands {
        /// The expression.
        text: String,
        /// The operator or function.
        operator: String,
        /// The kinds of its operands.
        found: String,
        /// What it takes.
        expected: String,
        /// Where.
        position: Option<Position>,
    },
    /// A number of arguments that a function cannot take.
    #[error("`{function}` takes {expected}, not {found}, in expression `{text}`{}", at(position.as_ref()))]
    Arity {
        /// The expression.
        text: String,
        /// The function.
        function: String,
        /// How many it takes, in words.
        expected: String,
        /// How many there are.
        found: usize,
        /// Where.
        position: Option<Position>,
    },
    /// A literal that is not what it should be.
    #[error("`{literal}` is not {expected} in expression `{text}`{}", at(position.as_ref()))]
    Literal {
        /// The expression.
        text: String,
        /// The literal.
        literal: String,
        /// What it should be.
        expected: String,
        /// Where.
        position: Option<Position>,
    },
    /// A value that an operation cannot take, in one row.
    #[error("expression `{text}` has no value: {failure}")]
    Failed {
        /// The expression.
        text: String,
        /// What happened.
        failure: Failure,
    },
}

/// Why an operation has no answer for one row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A result beyond the range of its kind.
    #[error("{operation} does not fit {kind}")]
    Overflow {
        /// The operation with its operands.
        operation: String,
        /// The kind of the result.
        kind: &'static str,
    },
    /// A value that a cast cannot bring into its target.
    #[error("{value} cannot be cast to {target}")]
    Cast {
        /// The value, shortened.
        value: String,
        /// The target.
        target: String,
    },
}

impl Diagnostic for ExpressionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed { .. } => ErrorKind::Malformed,
            _ => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { .. } => Some("write one SQL expression, such as `fare <= trip_total`".into()),
            Self::TooComplex { .. } => Some("write several expressions, or `IN (…)` for a list".into()),
            Self::UnknownColumn { column, available, .. } => {
                suggest(column, available.iter().map(String::as_str))
            }
            Self::Unsupported { supported, .. } => Some(supported.clone()),
            Self::Operands { expected, .. } => {
                Some(format!("it takes {expected}; `CAST(x AS …)` changes a kind"))
            }
            Self::Arity { .. } | Self::Literal { .. } => None,
            Self::Failed { failure: Failure::Cast { .. }, .. } => {
                Some("`TRY_CAST` answers null where a value cannot be cast".into())
            }
            Self::Failed { failure: Failure::Overflow { .. }, .. } => {
                Some("`CAST(x AS DOUBLE)` before the operation gives up exactness for range".into())
            }
        }
    }
}

/// Names in backticks, for a sentence that says what there is.
pub(crate) fn listed<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    format!("{what}: {}", quoted(names))
}
