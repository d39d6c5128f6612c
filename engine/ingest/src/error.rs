//! What can be wrong with subsets.

use sluice_core::error::{Diagnostic, ErrorKind};
use sluice_core::options::quoted;

/// An error of ingesting.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A share that is no share.
    #[error("subset `{name}` has share {share}, but shares are above 0 and below 1")]
    Share {
        /// The subset.
        name: String,
        /// What was given.
        share: f64,
    },
    /// Shares that do not add up.
    #[error("the shares of the subsets add up to {sum}, not to 1")]
    ShareSum {
        /// Their sum.
        sum: f64,
    },
    /// Shares together with a column.
    #[error("`subsets.by` is the column `{column}`, so `{name}` has no meaning")]
    ShareOfColumn {
        /// The column.
        column: String,
        /// The share.
        name: String,
    },
    /// A share whose name cannot be a folder.
    #[error("`{name}` cannot be the name of a subset")]
    ShareName {
        /// The name.
        name: String,
    },
    /// A share of one kind where the rule needs another.
    #[error("`subsets.by` is `{by}`, so subset `{name}` needs {wants}")]
    NotAShare {
        /// The subset.
        name: String,
        /// The rule.
        by: &'static str,
        /// What it needs.
        wants: &'static str,
    },
    /// An end of an interval that cannot be read.
    #[error("`{value}`, where subset `{name}` {end}, is no date, time or whole number")]
    Instant {
        /// The subset.
        name: String,
        /// Which end.
        end: &'static str,
        /// What was given.
        value: String,
    },
    /// An interval without rows.
    #[error("subset `{name}` ends before it begins")]
    Backwards {
        /// The subset.
        name: String,
    },
    /// An interval that is everything, or mixes numbers with dates.
    #[error("subset `{name}` {problem}")]
    Interval {
        /// The subset.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Intervals that overlap.
    #[error("subsets `{first}` and `{second}` overlap")]
    Overlap {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// By time, but no subset has one.
    #[error("`subsets.by` is `time`, but no subset is given")]
    NoIntervals,
    /// By time, but no column says the time.
    #[error("`subsets.by` is `time`, but no column says when a row happened")]
    NoTime,
    /// By the folders of files, but one does not lie in such a folder.
    #[error("`{file}` does not lie in a folder `Split-NAME`, which would name its subset")]
    NoFolder {
        /// The file.
        file: String,
    },
    /// By the folders of files, but the rows are a query's.
    #[error("`subsets.by` is `split-folder`, but the rows of a query lie in no folder")]
    FolderOfQuery,
    /// A value in the data that cannot be a folder.
    #[error("`{name}` cannot be the name of a subset")]
    Name {
        /// The name.
        name: String,
    },
    /// A row that belongs to no subset.
    #[error("column `{column}`, which names the subset, is null")]
    Null {
        /// The column.
        column: String,
    },
    /// A column with more values than subsets make sense.
    #[error("column `{column}` has more than {limit} values, too many to name subsets")]
    TooMany {
        /// The column.
        column: String,
        /// The limit.
        limit: usize,
    },
    /// A subset that later steps need has no rows.
    #[error("subset `{name}` has no rows")]
    Empty {
        /// The subset.
        name: String,
        /// The subsets that have some, with their rows.
        found: Vec<(String, u64)>,
        /// How rows were assigned.
        rule: String,
    },
    /// There is no subset of this name.
    #[error("the data set has no subset `{name}`")]
    NoSuchSubset {
        /// What was asked for.
        name: String,
        /// What there is.
        found: Vec<String>,
    },
    /// The source has no rows at all.
    #[error("{source_name} has no rows")]
    NoRows {
        /// The source.
        source_name: String,
    },
    /// Parquet could not be written.
    #[error("cannot write `{name}`")]
    Write {
        /// The file of the artifact.
        name: String,
        /// What the writer says.
        source: parquet::errors::ParquetError,
    },
    /// Rows could not be sorted out by subset.
    #[error("cannot sort rows into subsets")]
    Rows {
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
}

impl Diagnostic for IngestError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Share { .. }
            | Self::ShareSum { .. }
            | Self::ShareOfColumn { .. }
            | Self::ShareName { .. }
            | Self::NotAShare { .. }
            | Self::Instant { .. }
            | Self::Backwards { .. }
            | Self::Interval { .. }
            | Self::Overlap { .. }
            | Self::NoIntervals
            | Self::NoTime
            | Self::FolderOfQuery
            | Self::NoSuchSubset { .. } => ErrorKind::Usage,
            Self::NoFolder { .. }
            | Self::Name { .. }
            | Self::Null { .. }
            | Self::TooMany { .. }
            | Self::Empty { .. }
            | Self::NoRows { .. } => ErrorKind::Malformed,
            Self::Write { .. } => ErrorKind::Unavailable,
            Self::Rows { .. } => ErrorKind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Share { .. } | Self::ShareSum { .. } => {
                Some("for example `subsets: {by: hash, train: 0.8, eval: 0.2, seed: 7}`".into())
            }
            Self::NotAShare { .. }
            | Self::Instant { .. }
            | Self::Backwards { .. }
            | Self::Interval { .. }
            | Self::Overlap { .. }
            | Self::NoIntervals => Some(
                "for example `subsets: {by: time, train: {before: 2014-06-01}, eval: {from: 2014-06-08}}`; `from` belongs \
                 to the subset, `before` does not"
                    .into(),
            ),
            Self::NoTime => Some("name it: `roles: {time: trip_start}`, or `--time-column`".into()),
            Self::NoFolder { .. } => {
                Some("move it into one, or share the rows out by a column, by time or by hash".into())
            }
            Self::FolderOfQuery => Some("share the rows out by a column, by time or by hash".into()),
            Self::ShareOfColumn { .. } => Some("write `by: hash` to share rows out by their hash".into()),
            Self::Name { .. } | Self::ShareName { .. } => {
                Some("use letters, digits, `-` and `_`, 64 at most".into())
            }
            Self::Null { .. } => Some("give every row a subset, or leave such rows out".into()),
            Self::TooMany { .. } => Some("name the column that says `train` or `eval`".into()),
            Self::Empty { found, rule, .. } => {
                let found: Vec<String> =
                    found.iter().map(|(name, rows)| format!("`{name}` with {rows} rows")).collect();
                Some(format!("rows were assigned {rule}; there is {}", found.join(", ")))
            }
            Self::NoSuchSubset { found, .. } => {
                Some(format!("there is {}", quoted(found.iter().map(String::as_str))))
            }
            Self::NoRows { .. } => Some("check that this is the right file, and that it is complete".into()),
            Self::Write { .. } | Self::Rows { .. } => None,
        }
    }
}
