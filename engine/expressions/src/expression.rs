//! The public type: parsed and bound once, evaluated on many batches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::datatypes::DataType;
use sluice_core::Batch;
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Error, Result};

use crate::bind;
use crate::error::ExpressionError;
use crate::evaluate::Rows;
use crate::node::Node;

/// A SQL scalar expression, bound to columns.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
/// use sluice_core::Batch;
/// use sluice_core::column::ColumnKind;
/// use sluice_expressions::Expression;
///
/// let columns = [("fare".to_owned(), ColumnKind::Float), ("total".to_owned(), ColumnKind::Float)]; let rule
/// = Expression::parse("fare <= total", &columns)?; let fare: ArrayRef =
/// Arc::new(Float64Array::from(vec![Some(5.0), Some(9.0), None])); let total: ArrayRef =
/// Arc::new(Float64Array::from(vec![6.0, 8.0, 1.0])); let table =
/// RecordBatch::try_from_iter_with_nullable([("fare", fare, true), ("total", total, true)]).unwrap(); let
/// answer = rule.evaluate(&Batch::new(&table)).unwrap();
/// assert_eq!(answer.as_boolean().iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
/// # Ok::<(), sluice_expressions::ExpressionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    columns: Vec<String>,
    kinds: Vec<ColumnKind>,
    kind: ColumnKind,
    node: Node,
}

impl Expression {
    /// Reads one expression over these columns, checks its types and names.
    ///
    /// # Errors
    /// [`ExpressionError`] for what is not SQL, not supported, not a column or of the wrong kind, with its
    /// place.
    pub fn parse(text: &str, columns: &[(String, ColumnKind)]) -> Result<Self, ExpressionError> {
        let bound = bind::bind(text, columns)?;
        Ok(Self {
            text: text.to_owned(),
            columns: bound.columns.iter().map(|index| columns[*index].0.clone()).collect(),
            kinds: bound.columns.iter().map(|index| columns[*index].1.clone()).collect(),
            kind: bound.kind,
            node: bound.node,
        })
    }

    /// The text that it was made from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns that it reads, in the order in which they first stand in the text.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The kinds of these columns.
    #[must_use]
    pub fn kinds(&self) -> &[ColumnKind] {
        &self.kinds
    }

    /// What it answers.
    #[must_use]
    pub fn kind(&self) -> &ColumnKind {
        &self.kind
    }

    /// What it is made of; its columns are those of [`Expression::columns`], by their places.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Whether it can be a rule or a filter: it answers true, false or null.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        matches!(self.kind, ColumnKind::Boolean | ColumnKind::Null)
    }

    /// One answer per row, in normal form.
    ///
    /// # Errors
    /// [`CommonError::ColumnMissing`] and [`CommonError::ColumnKind`] where the batch lacks a column or has
    /// another kind of it; [`ExpressionError::Failed`] at the first row whose answer does not exist.
    pub fn evaluate(&self, batch: &Batch) -> Result<ArrayRef> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, kind) in self.columns.iter().zip(&self.kinds) {
            columns.push(self.column(batch, name, kind)?);
        }
        let rows = Rows { columns: columns.iter().collect(), rows: batch.rows() };
        let (array, failures) = rows.answer(&self.node)?;
        match failures.0.into_iter().next() {
            None => Ok(array),
            Some((row, failure)) => {
                Err(Error::from(ExpressionError::Failed { text: self.text.clone(), failure }).at_row(row))
            }
        }
    }

    /// As [`Expression::evaluate`], for an expression that answers true, false or null.
    ///
    /// # Errors
    /// As [`Expression::evaluate`]; [`CommonError::Internal`] where the expression answers something else.
    pub fn evaluate_boolean(&self, batch: &Batch) -> Result<BooleanArray> {
        let array = self.evaluate(batch)?;
        match array.data_type() {
            DataType::Boolean => Ok(BooleanArray::from(array.to_data())),
            DataType::Null => Ok(BooleanArray::new_null(array.len())),
            other => {
                Err(CommonError::Internal(format!("`{}` answers {other}, not true or false", self.text))
                    .into())
            }
        }
    }

    fn column(&self, batch: &Batch, name: &str, kind: &ColumnKind) -> Result<ArrayRef> {
        let array = batch.require(name)?;
        let found = ColumnKind::of(array.data_type());
        if found == *kind {
            return Ok(Arc::clone(array));
        }
        match (found, kind.normal_type()) {
            (ColumnKind::Null, Some(data_type)) => Ok(new_null_array(&data_type, array.len())),
            (found, _) => Err(CommonError::ColumnKind {
                column: name.into(),
                found: found.to_string(),
                expected: "the kind that the plan of the data says",
                purpose: format!("expression `{}`", self.text),
            }
            .into()),
        }
    }
}
