//! The first rows that break something: where they are and what stands there.

use arrow::array::{Array, ArrayRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};
use sluice_core::Batch;
use sluice_core::seam::BatchSource;

use crate::validation::RowExample;

/// So many examples are kept per finding unless told otherwise.
pub const MAX_EXAMPLES: usize = 5;
/// So many may be asked for: every split may hold so many until they are joined.
pub const MAX_EXAMPLES_ASKED: usize = 1_000;
/// So many characters of a value are kept.
const MAX_CHARACTERS: usize = 120;

/// A row that was seen in a scan: its place in the plan and the texts of some of its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The split.
    pub split: u64,
    /// The row within the split, from 0.
    pub row: u64,
    /// The key columns, as text; none for null.
    pub key: Vec<(String, Option<String>)>,
    /// What stands there; none for null.
    pub value: Option<String>,
}

/// A value as text, shortened; `None` for null.
pub(crate) fn text_of(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    // Where a type has no text, its name says what stands there.
    let shown = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())
        .and_then(|formatter| formatter.value(row).try_to_string());
    let text = shown.unwrap_or_else(|_| array.data_type().to_string());
    Some(match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}

/// The key of a row: the columns that the batch has.
pub(super) fn key_of(batch: &Batch, columns: &[String], row: usize) -> Vec<(String, Option<String>)> {
    columns.iter().filter_map(|name| Some((name.clone(), text_of(batch.column(name)?, row)))).collect()
}

impl Sighting {
    /// A row of a batch, with the value that matters.
    pub(super) fn new(batch: &Batch, row: usize, key_columns: &[String], value: Option<String>) -> Self {
        Self {
            split: batch.split(),
            row: batch.first_row() + row as u64,
            key: key_of(batch, key_columns, row),
            value,
        }
    }

    /// With the file, the row in it and its row group; `None` where the source has no such row.
    #[must_use]
    pub fn locate(self, source: &dyn BatchSource) -> Option<RowExample> {
        let plan = source.plan();
        let (file, row) = plan.locate(self.split, self.row)?;
        let index = plan.files.iter().position(|planned| planned.path == file)?;
        let row_group = source.row_group(index, row - 1);
        Some(RowExample { file, row, row_group, key: self.key, value: self.value })
    }
}

/// Some columns of a row in one text: `fare 7.5, tips null`; the value alone where it is one column.
pub(super) fn values_of(batch: &Batch, columns: &[String], row: usize) -> Option<String> {
    if let [column] = columns {
        return batch.column(column).and_then(|array| text_of(array, row));
    }
    let parts: Vec<String> = columns
        .iter()
        .filter_map(|name| {
            let text = text_of(batch.column(name)?, row);
            Some(format!("{name} {}", text.as_deref().unwrap_or("null")))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
