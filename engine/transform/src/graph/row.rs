//! One row at a time, in microseconds: the same nodes on cells instead of columns. An operation that has no faster
//! way is handed columns of one row, so that both ways give the same bits.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, NullArray, StringViewArray,
    UInt32Array, UInt64Array,
};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};
use sluice_core::features::SparseRows;

use crate::value::Value;

/// A value of one row.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A number.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Days since 1970-01-01.
    Date(i32),
    /// The code of a level; `None` for none of them.
    Code(Option<u32>),
    /// Terms with their numbers.
    Sparse(Arc<SparseRows>),
    /// Anything else, as a column of one row.
    Other(ArrayRef),
}

impl Cell<'_> {
    /// The number that it is; NaN stays NaN, null is `None`.
    ///
    /// # Errors
    /// The kind of what is no number.
    pub fn number(&self) -> Result<Option<f64>, ColumnKind> {
        match self {
            Self::Null => Ok(None),
            Self::Boolean(value) => Ok(Some(f64::from(*value))),
            Self::Integer(value) => Ok(Some(*value as f64)),
            Self::Unsigned(value) => Ok(Some(*value as f64)),
            Self::Float(value) => Ok(Some(*value)),
            Self::Text(_) => Err(ColumnKind::Text),
            Self::Date(_) => Err(ColumnKind::Date),
            Self::Code(_) | Self::Sparse(_) => Err(ColumnKind::Other("levels".into())),
            Self::Other(array) => Err(ColumnKind::of(array.data_type())),
        }
    }

    /// As a value of one row.
    pub(crate) fn to_value(&self) -> Value {
        let column: ArrayRef = match self {
            Self::Null => Arc::new(NullArray::new(1)),
            Self::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
            Self::Integer(value) => Arc::new(Int64Array::from(vec![*value])),
            Self::Unsigned(value) => Arc::new(UInt64Array::from(vec![*value])),
            Self::Float(value) => Arc::new(Float64Array::from(vec![*value])),
            Self::Text(text) => Arc::new(StringViewArray::from(vec![text.as_ref()])),
            Self::Date(days) => Arc::new(Date32Array::from(vec![*days])),
            Self::Code(code) => return Value::Codes(UInt32Array::from(vec![*code])),
            Self::Sparse(sparse) => return Value::Sparse(Arc::clone(sparse)),
            Self::Other(array) => Arc::clone(array),
        };
        Value::Column(column)
    }

    /// The only row of a value.
    pub(crate) fn of_value(value: &Value) -> Self {
        match value {
            Value::Codes(codes) => Cell::Code((!codes.is_null(0)).then(|| codes.value(0))),
            Value::Sparse(sparse) => Cell::Sparse(Arc::clone(sparse)),
            Value::Column(array) => Self::of_column(array, 0),
        }
    }

    /// A row of a column in normal form.
    #[must_use]
    pub fn of_column(array: &ArrayRef, row: usize) -> Self {
        let is_null = array.logical_nulls().is_some_and(|nulls| nulls.is_null(row));
        if is_null {
            return Cell::Null;
        }
        match Column::view(array) {
            Column::Null(_) => Cell::Null,
            Column::Boolean(values) => Cell::Boolean(values.value(row)),
            Column::Integer(values) => Cell::Integer(values.value(row)),
            Column::Unsigned(values) => Cell::Unsigned(values.value(row)),
            Column::Float(values) => Cell::Float(values.value(row)),
            Column::Date(values) => Cell::Date(values.value(row)),
            view @ (Column::Text(_) | Column::CodedText(..)) => {
                view.text(row).map_or(Cell::Null, |text| Cell::Text(Cow::Owned(text.to_owned())))
            }
            Column::Decimal(_)
            | Column::Binary(_)
            | Column::TimestampMicrosecond(_)
            | Column::TimestampNanosecond(_)
            | Column::Other(_) => Cell::Other(array.slice(row, 1)),
        }
    }
}

/// The cells that an operation reads.
#[derive(Debug)]
pub(crate) struct CellInputs<'c, 'a> {
    /// The operation, for messages.
    pub(crate) operation: &'c str,
    /// What each cell is called.
    pub(crate) names: &'c [String],
    /// The cells of the row that are known by now.
    pub(crate) cells: &'c [Cell<'a>],
    /// Which of them the operation reads.
    pub(crate) slots: &'c [usize],
}

impl<'a> CellInputs<'_, 'a> {
    /// A cell that the operation reads.
    pub(crate) fn cell(&self, index: usize) -> &Cell<'a> {
        &self.cells[self.slots[index]]
    }

    /// The number in a cell.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] when the cell holds something else.
    pub(crate) fn number(&self, index: usize) -> Result<Option<f64>> {
        self.cell(index).number().map_err(|found| {
            CommonError::ColumnKind {
                column: self.names[index].clone(),
                found: found.to_string(),
                expected: "numbers",
                purpose: format!("`{}`", self.operation),
            }
            .into()
        })
    }

    /// A number made of the number in the first cell; null stays null.
    pub(crate) fn map_number(
        &self,
        outputs: &mut Vec<Cell<'a>>,
        function: impl Fn(f64) -> f64,
    ) -> Result<()> {
        outputs.push(self.number(0)?.map_or(Cell::Null, |value| Cell::Float(function(value))));
        Ok(())
    }
}
