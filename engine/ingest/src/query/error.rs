//! What can be wrong with a query.

use sluice_core::error::{Diagnostic, ErrorKind};
use sluice_core::options::{quoted, suggest};

/// An error of a query over the inputs.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It is not SQL.
    #[error("the query is not valid SQL: {problem}")]
    Syntax {
        /// What the parser expected and found.
        problem: String,
        /// Where, in the query's own text.
        position: Option<Position>,
    },
    /// It is more or less than one `SELECT`.
    #[error("the query must be one SELECT, not {found}")]
    NotSelect {
        /// What it is.
        found: String,
    },
    /// A table that is not an input.
    #[error("the query reads table `{table}`, which is not an input")]
    UnknownTable {
        /// The table.
        table: String,
        /// The inputs.
        inputs: Vec<String>,
        /// Where.
        position: Option<Position>,
    },
    /// No `FROM`.
    #[error("the query reads from no input")]
    NoTable,
    /// A table function and whatever else is no table.
    #[error("the query reads from `{found}`, which is not the name of an input")]
    NotTable {
        /// What stands there.
        found: String,
    },
    /// A part whose answer depends on the order in which rows are met.
    #[error("the query uses {what}: which rows it takes depends on the order in which they are met")]
    Unordered {
        /// The part.
        what: &'static str,
    },
    /// Several inputs and nothing that joins them.
    #[error("there are {count} inputs but no query that joins them")]
    NoQuery {
        /// How many inputs there are.
        count: usize,
    },
    /// The rows of the answer have no order.
    #[error("the query {reason}, so its rows have no order of their own and need a key to sort by")]
    NoKey {
        /// What it does.
        reason: String,
    },
    /// The key is not in the answer.
    #[error("key column `{column}` is not in the answer of the query")]
    KeyMissing {
        /// The column.
        column: String,
        /// What is in it.
        available: Vec<String>,
    },
    /// Two rows of the answer have the same key.
    #[error("rows {first} and {second} of the query's sorted answer have the same key ({key})")]
    KeyTwice {
        /// The first of them, from 1.
        first: u64,
        /// The other.
        second: u64,
        /// Columns and values.
        key: String,
        /// Whether the query joins.
        joins: bool,
    },
    /// Two columns of the answer have the same name, or one is ours.
    #[error("the answer of the query has a column named `{column}`, {why}")]
    ColumnName {
        /// The name.
        column: String,
        /// Why it cannot be.
        why: &'static str,
    },
    /// Polars refuses it, or a value does not fit.
    #[error("the query cannot be answered: {problem}")]
    Failed {
        /// What polars says.
        problem: String,
        /// Where the name stands that it complains of.
        position: Option<Position>,
    },
    /// An input's column has a type that a query cannot read, or the answer one that cannot be written.
    #[error("column `{column}` of {place} is {found}, which a query cannot {direction}")]
    Type {
        /// The column.
        column: String,
        /// Input or answer.
        place: String,
        /// Its type.
        found: String,
        /// Read or hand out.
        direction: &'static str,
    },
}

/// A place in the text of a query, from 1, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The text of the line.
    pub text: String,
}

impl Position {
    /// The place in words, with the line and a mark under the character.
    fn shown(&self) -> String {
        let before = usize::try_from(self.column.saturating_sub(1)).unwrap_or(0);
        let mark = " ".repeat(before);
        format!("line {}, column {}:\n    {}\n    {mark}^", self.line, self.column, self.text)
    }
}

impl Diagnostic for QueryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::KeyTwice { .. } => ErrorKind::Malformed,
            Self::Syntax { .. }
            | Self::NotSelect { .. }
            | Self::UnknownTable { .. }
            | Self::NoTable
            | Self::NotTable { .. }
            | Self::Unordered { .. }
            | Self::NoQuery { .. }
            | Self::NoKey { .. }
            | Self::KeyMissing { .. }
            | Self::ColumnName { .. }
            | Self::Failed { .. }
            | Self::Type { .. } => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let at = |position: &Option<Position>| {
            position.as_ref().map(|position| format!("at {}", position.shown()))
        };
        match self {
            Self::Syntax { position, .. } => at(position),
            Self::Failed { position, .. } => Some(at(position).unwrap_or_else(|| {
                "what polars' SQL lacks, such as a subquery in place of a value, can often be written as a join; see \
                 docs/queries.md"
                    .into()
            })),
            Self::NotSelect { .. } => Some("for example `SELECT * FROM trips WHERE fare >= 0`".into()),
            Self::UnknownTable { table, inputs, position } => {
                let names = suggest(table, inputs.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("there is {}", quoted(inputs.iter().map(String::as_str))));
                Some(match at(position) {
                    Some(place) => format!("{names}; {place}"),
                    None => names,
                })
            }
            Self::NoTable => Some("say where from: `SELECT * FROM trips`".into()),
            Self::NotTable { .. } => Some("name files under `inputs` and select from their names".into()),
            Self::Unordered { .. } => {
                Some("filter by a column instead, for example by the hash of the key with `subsets`".into())
            }
            Self::NoQuery { .. } => {
                Some("give one input (a glob for files of one table), or a `query` that joins them".into())
            }
            Self::NoKey { .. } => Some(
                "name the columns that identify a row of the answer as the key: `roles: {key: [trip_id]}`, or `--key`"
                    .into(),
            ),
            Self::KeyMissing { column, available } => {
                Some(suggest(column, available.iter().map(String::as_str)).unwrap_or_else(|| {
                    format!("select it; the answer has {}", quoted(available.iter().map(String::as_str)))
                }))
            }
            Self::KeyTwice { joins, .. } => Some(if *joins {
                "a join multiplies rows when its condition finds several; join on a column that is unique on one side, or \
                 add columns to the key"
                    .into()
            } else {
                "add columns to the key until it is unique, or aggregate".into()
            }),
            Self::ColumnName { .. } => Some("give it another name with `AS`".into()),
            Self::Type { direction, .. } => Some(match *direction {
                "read" => "leave it out of the files, or ingest it without a query".into(),
                _ => "convert it with `CAST(… AS …)`, or do not select it".into(),
            }),
        }
    }
}
