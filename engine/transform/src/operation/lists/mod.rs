//! Lists to numbers: the items of each row as indicators, as a fixed number of columns, or in sum.

pub(crate) mod multi_hot;
pub(crate) mod pad;
pub(crate) mod statistics;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, NullArray, UInt64Array};
use arrow::datatypes::DataType;

use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};

use crate::fit::{Builder, Input};
use crate::operation::Inputs;

/// The lists of a column in normal form.
#[derive(Debug)]
pub(crate) struct Lists {
    /// `None` for a column of nulls.
    lists: Option<ListArray>,
    rows: usize,
}

impl Lists {
    /// The lists of a column.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] when it holds something else.
    pub(crate) fn of(array: &ArrayRef, name: &str, operation: &str) -> Result<Self> {
        let lists = match array.data_type() {
            DataType::Null => None,
            DataType::List(_) => Some(array.as_list::<i32>().clone()),
            other => {
                return Err(CommonError::ColumnKind {
                    column: name.to_owned(),
                    found: ColumnKind::of(other).to_string(),
                    expected: "lists",
                    purpose: format!("`{operation}`"),
                }
                .into());
            }
        };
        Ok(Self { lists, rows: array.len() })
    }

    /// The lists that an operation reads.
    pub(crate) fn of_inputs(inputs: &Inputs<'_>) -> Result<Self> {
        Self::of(inputs.values[0].column()?, inputs.names[0], inputs.operation)
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The items of these rows, some perhaps of a null; not those of the rows that a slice leaves out.
    pub(crate) fn items(&self) -> ArrayRef {
        let Some(lists) = &self.lists else { return Arc::new(NullArray::new(0)) };
        let place =
            |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
        let (first, end) = (place(lists.value_offsets().first()), place(lists.value_offsets().last()));
        lists.values().slice(first, end.saturating_sub(first))
    }

    /// The items of all rows as numbers.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] when they are none.
    pub(crate) fn numbers(&self, name: &str, operation: &str) -> Result<Float64Array> {
        numbers(name, &self.items(), &format!("`{operation}` of a list"))
    }

    /// Where the items of a row are among [`Lists::items`]; `None` for a null.
    pub(crate) fn range(&self, row: usize) -> Option<Range<usize>> {
        let lists = self.lists.as_ref()?;
        let offsets = lists.value_offsets();
        let place = |offset: i32| usize::try_from(offset - offsets[0]).ok();
        lists.is_valid(row).then_some(place(offsets[row])?..place(offsets[row + 1])?)
    }

    /// The items that are in rows, and only they.
    pub(crate) fn items_of_rows(&self) -> Result<ArrayRef> {
        if self.lists.as_ref().is_none_or(|lists| lists.null_count() == 0) {
            return Ok(self.items());
        }
        let mut places: Vec<u64> = Vec::new();
        for row in 0..self.rows {
            places.extend(self.range(row).unwrap_or_default().map(|place| place as u64));
        }
        let taken = arrow::compute::take(&self.items(), &UInt64Array::from(places), None);
        taken.map_err(|error| CommonError::Internal(format!("taking the items of lists: {error}")).into())
    }
}

/// A value that holds lists whose items suit, or nothing at all.
pub(crate) fn list_input(
    graph: &mut Builder<'_>,
    column: &str,
    suits: impl Fn(&ColumnKind) -> bool,
    expected: &'static str,
) -> Result<Input> {
    let input = graph.read(column)?;
    let fits = match input.kind.column() {
        Some(ColumnKind::List(item)) => suits(item),
        Some(ColumnKind::Null) => true,
        _ => false,
    };
    if fits { Ok(input) } else { Err(graph.unsuitable(&input, expected).into()) }
}

/// Whether items are numbers, or nothing at all.
pub(crate) fn is_number(item: &ColumnKind) -> bool {
    item.is_number() || *item == ColumnKind::Null
}

#[cfg(test)]
mod tests;
