//! The rows of a slice that an expression chooses: those for which it is true, and not those for which it is false or
//! null.
//!
//! Cost: one evaluation per batch. A state holds the text and the kinds of the columns that it reads, and binds them
//! again when it is restored.

use serde::{Deserialize, Serialize};

use sluice_core::RESERVED_PREFIX;
use sluice_core::batch::Batch;
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::plan::PlannedColumn;
use sluice_expressions::{Expression, ExpressionError};

use super::options::StatisticsError;
use super::slice_key::{KeyValue, RowKeys};

/// An expression that is true or false, bound to columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(super) struct RowFilter {
    /// Those that the expression reads.
    columns: Vec<(String, ColumnKind)>,
    expression: Expression,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    expression: String,
    columns: Vec<(String, ColumnKind)>,
}

impl From<RowFilter> for Stored {
    fn from(filter: RowFilter) -> Self {
        Self { expression: filter.expression.text().to_owned(), columns: filter.columns }
    }
}

impl TryFrom<Stored> for RowFilter {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        Self::bound(&stored.expression, stored.columns).map_err(|error| error.to_string())
    }
}

impl RowFilter {
    /// Binds a text to the columns of a source.
    ///
    /// # Errors
    /// [`StatisticsError::SliceMalformed`] for what is not SQL or not true or false, [`ExpressionError`] else.
    pub(super) fn new(text: &str, columns: &[PlannedColumn]) -> Result<Self> {
        let theirs = columns.iter().filter(|column| !column.name.starts_with(RESERVED_PREFIX));
        Self::bound(text, theirs.map(|column| (column.name.clone(), column.kind.clone())).collect())
    }

    fn bound(text: &str, columns: Vec<(String, ColumnKind)>) -> Result<Self> {
        let malformed = |problem: String| StatisticsError::SliceMalformed { slice: text.into(), problem };
        let expression = Expression::parse(text, &columns).map_err(|error| match error {
            // Perhaps it was meant as a column with a value that has such signs.
            ExpressionError::Syntax { problem, .. } => {
                malformed(format!("is neither columns with values nor an expression: {problem}")).into()
            }
            other => sluice_core::Error::from(other),
        })?;
        if !expression.is_boolean() {
            let problem = format!("is an expression that answers {}, not true or false", expression.kind());
            return Err(malformed(problem).into());
        }
        let columns = columns.into_iter().filter(|(name, _)| expression.columns().contains(name)).collect();
        Ok(Self { columns, expression })
    }

    /// As it was written, which names the slice.
    pub(super) fn text(&self) -> &str {
        self.expression.text()
    }

    /// The columns that it reads.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The rows for which it is true have the one key, which is empty; those for which it is null have no value.
    pub(super) fn keys_of(&self, batch: &Batch) -> Result<RowKeys<Vec<KeyValue>>> {
        let answers = self.expression.evaluate_boolean(batch)?;
        Ok(RowKeys::chosen(Vec::new(), answers.iter()))
    }
}
