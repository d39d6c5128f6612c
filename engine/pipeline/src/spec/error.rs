//! What can be wrong with a pipeline file.

use sluice_core::error::{Diagnostic, ErrorKind};

/// An error in a pipeline file.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// It is not YAML.
    #[error("`{file}` is not valid YAML: {problem}")]
    Syntax {
        /// The file.
        file: String,
        /// What the parser says, with line and column.
        problem: String,
    },
    /// Something in it is not what it must be.
    #[error("`{file}`: {problem}")]
    Content {
        /// The file, and the place in it where there is one.
        file: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
    /// No input.
    #[error("`data.inputs` names no source")]
    NoInputs,
    /// Types from a schema that is not named.
    #[error("`data.types_from_schema` is true, but no `schema` is named")]
    NoSchema,
    /// No label.
    #[error("`data.roles` names no label")]
    NoLabel,
    /// A column that is not there any more when it is wanted.
    #[error("`{place}` names column `{column}`, which says the subset and is not in the subsets")]
    SubsetColumn {
        /// The column.
        column: String,
        /// Who names it.
        place: String,
    },
    /// A column with two roles.
    #[error(
        "column `{column}` has two roles (label, target, weight, key, time, ignored, or the name of the subset)"
    )]
    TwoRoles {
        /// The column.
        column: String,
    },
}

impl Diagnostic for SpecError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Content { hint, .. } => hint.clone(),
            Self::NoInputs => Some("for example `inputs: {trips: \"data/*.parquet\"}`".into()),
            Self::NoSchema => Some("name a file: `schema: trips.pbtxt`".into()),
            Self::NoLabel => Some("for example `roles: {label: tips}`".into()),
            Self::SubsetColumn { .. } => {
                Some("it is the same in all rows of a subset; name another column".into())
            }
            Self::Syntax { .. } | Self::TwoRoles { .. } => None,
        }
    }
}
