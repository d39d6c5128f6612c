//! Text to numbers: words, n-grams, and what is counted of them.

pub(crate) mod bag_of_words;
pub(crate) mod term_table;
pub(crate) mod word_count;
pub(crate) mod words;

use arrow::array::Array;

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};

use crate::fit::{Builder, Input};

/// A value that holds text, or nothing at all.
pub(crate) fn text_input(graph: &mut Builder<'_>, column: &str) -> Result<Input> {
    let input = graph.read(column)?;
    match input.kind.column() {
        Some(ColumnKind::Text | ColumnKind::Null) => Ok(input),
        _ => Err(graph.unsuitable(&input, "text").into()),
    }
}

/// That a column is no text although it was in training.
pub(crate) fn not_text(column: &str, found: &dyn Array, operation: &str) -> sluice_core::Error {
    CommonError::ColumnKind {
        column: column.to_owned(),
        found: ColumnKind::of(found.data_type()).to_string(),
        expected: "text",
        purpose: format!("`{operation}`"),
    }
    .into()
}

/// How the text of each row is found.
pub(crate) enum Texts<'a> {
    /// Row by row.
    Rows(Column<'a>),
    /// Each different text once, with the rows as codes: what is made of a text is made once.
    Coded(&'a arrow::array::Int32Array, &'a arrow::array::StringArray),
}

impl<'a> Texts<'a> {
    /// The texts of a column; `None` when it holds something else.
    pub(crate) fn of(array: &'a arrow::array::ArrayRef) -> Option<Self> {
        match Column::view(array) {
            // A slice of a large dictionary has more texts than rows.
            Column::CodedText(codes, texts) if texts.len() <= codes.len() => Some(Self::Coded(codes, texts)),
            view @ (Column::Text(_) | Column::CodedText(..) | Column::Null(_)) => Some(Self::Rows(view)),
            _ => None,
        }
    }
}

/// The text's place in a dictionary; `None` where a row has none.
pub(crate) fn code_of(codes: &arrow::array::Int32Array, row: usize) -> Option<usize> {
    codes.is_valid(row).then(|| codes.value(row)).and_then(|code| usize::try_from(code).ok())
}

#[cfg(test)]
mod tests;
