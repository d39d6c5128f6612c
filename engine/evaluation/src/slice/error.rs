//! What can be wrong with slices once the columns are known.

use sluice_core::error::{Diagnostic, ErrorKind};

/// A slicing that does not fit the columns.
#[derive(Debug, thiserror::Error)]
pub enum SliceError {
    /// Buckets of something that is no number.
    #[error("slices by buckets of column `{column}`, which holds {kind}")]
    NotANumber {
        /// The column.
        column: String,
        /// What it holds.
        kind: String,
    },
    /// Buckets of dates of something that is no date.
    #[error("slices column `{column}` by {by}, but it holds {kind}")]
    NotADate {
        /// The column.
        column: String,
        /// The buckets.
        by: &'static str,
        /// What it holds.
        kind: String,
    },
    /// Buckets of times in a zone whose offset changes.
    #[error("slices column `{column}` by {by}, but its times are in the zone `{zone}`, whose offset changes")]
    RegionalZone {
        /// The column.
        column: String,
        /// The buckets.
        by: &'static str,
        /// The zone.
        zone: String,
    },
    /// A column that has no values of which conditions could be made.
    #[error("cannot look for weak slices by column `{column}`, which holds {kind}")]
    NotSliceable {
        /// The column.
        column: String,
        /// What it holds.
        kind: String,
    },
    /// An expression whose answers are no keys.
    #[error("slices by expression `{text}`, which answers {kind}")]
    NotAKey {
        /// The expression.
        text: String,
        /// What it answers.
        kind: String,
    },
    /// A slicing that is called as a column is.
    #[error("slices by `{name}`, which is also a column")]
    NameTaken {
        /// The name.
        name: String,
    },
}

impl Diagnostic for SliceError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotANumber { column, .. } => {
                format!("slice by the values of `{column}`, or by an `expression` of it")
            }
            Self::NotADate { column, .. } => format!(
                "slice by the values of `{column}`, or cast it in an `expression` such as `date_trunc('month', CAST({column} AS DATE))`"
            ),
            Self::RegionalZone { column, .. } => {
                format!(
                    "slice by an `expression` in UTC, such as `date_trunc('day', CAST({column} AS TIMESTAMP))`"
                )
            }
            Self::NotSliceable { .. } => "name columns of numbers, texts, dates, true and false".into(),
            Self::NotAKey { .. } => {
                "let the expression answer true or false, a number, a text or a time".into()
            }
            Self::NameTaken { .. } => "give the slicing another `name`".into(),
        })
    }
}
