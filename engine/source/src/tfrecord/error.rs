//! What can be wrong with TFRecord files, and with rows that are to become `tf.Example`.

use sluice_core::{Diagnostic, ErrorKind};

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The file as the user knows it.
    pub file: String,
    /// The record, from 1.
    pub record: u64,
    /// The byte at which it begins; of a packed file as it is unpacked.
    pub offset: u64,
}

impl std::fmt::Display for RecordPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`, record {} (byte {})", self.file, self.record, self.offset)
    }
}

/// An error in reading or writing `tf.Example` in TFRecord files.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// A record that is not what its checksums say, or that is not there to its end.
    #[error("{place}: {problem}")]
    Damaged {
        /// Where.
        place: RecordPlace,
        /// What is wrong.
        problem: &'static str,
    },
    /// A record that does not fit into the memory reserved for a row.
    #[error("{place}: the record claims {length} bytes; more than {limit_bytes} are not read")]
    TooLong {
        /// Where.
        place: RecordPlace,
        /// What it claims.
        length: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// A record that holds something else.
    #[error("{place}: the record is no `tf.Example`: {problem}")]
    NotExample {
        /// Where.
        place: RecordPlace,
        /// How it shows.
        problem: String,
    },
    /// A feature that is one thing here and another thing there.
    #[error("{place}: `{column}` is {found}, but {expected} in {first}")]
    Mixed {
        /// Where.
        place: RecordPlace,
        /// The feature.
        column: Box<str>,
        /// What it is.
        found: &'static str,
        /// What it was before.
        expected: &'static str,
        /// Where that was.
        first: Box<str>,
    },
    /// A feature that a record has twice.
    #[error("{place}: feature `{column}` stands twice in the record")]
    Repeated {
        /// Where.
        place: RecordPlace,
        /// The feature.
        column: String,
    },
    /// Features without end.
    #[error("{place}: more than {limit} different features")]
    TooManyFeatures {
        /// Where.
        place: RecordPlace,
        /// The limit.
        limit: usize,
    },
    /// A column that `tf.Example` has no place for.
    #[error("column `{column}` is {found}, which `tf.Example` cannot hold")]
    Unsupported {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A number that `tf.Example` has no place for.
    #[error("{value} in column `{column}` does not fit into {kind} of `tf.Example`")]
    OutOfRange {
        /// The column.
        column: String,
        /// The number.
        value: String,
        /// Where it was to go.
        kind: &'static str,
    },
    /// A null within a list.
    #[error("a list in column `{column}` holds a null, which `tf.Example` cannot")]
    NullInList {
        /// The column.
        column: String,
    },
}

impl Diagnostic for ExampleError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. }
            | Self::TooLong { .. }
            | Self::NotExample { .. }
            | Self::Mixed { .. }
            | Self::Repeated { .. }
            | Self::TooManyFeatures { .. } => ErrorKind::Malformed,
            Self::Unsupported { .. } | Self::OutOfRange { .. } | Self::NullInList { .. } => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Damaged { place, .. } if place.record == 1 => {
                "write or copy the file again; if it is no TFRecord file, set the format".into()
            }
            Self::Damaged { .. } => "write or copy the file again".into(),
            Self::TooLong { .. } => {
                "leave out features that hold whole files, or write them elsewhere".into()
            }
            Self::NotExample { .. } => {
                "write `tf.Example`, TFX's FORMAT_TF_EXAMPLE, or Parquet, its FORMAT_PARQUET".into()
            }
            Self::Mixed { .. } => "write the feature with one kind in all records".into(),
            Self::Repeated { .. } => "rename one of them".into(),
            Self::TooManyFeatures { .. } => {
                "write what varies as values, for example in a feature of its own, not as names".into()
            }
            Self::Unsupported { .. } => "leave it out, or flatten it with a query".into(),
            Self::OutOfRange { .. } => "leave the column out, or write it as text with a query".into(),
            Self::NullInList { .. } => "write lists without nulls".into(),
        })
    }
}
