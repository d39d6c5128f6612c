//! How often the values of integers occur that are names, not quantities: a schema says so.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use sluice_core::column::Column;
use sluice_core::error::Result;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::{ColumnStatistics, Distinct, MAX_TOP_VALUES, TopValues};
use sluice_summaries::{ColumnSummary, Frequencies, u64_of_key};

use super::profile::Prepared;

/// The counts of the values of a column of integers, as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Categories {
    frequencies: Frequencies,
}

impl Categories {
    fn add(&mut self, values: impl Iterator<Item = (i128, u64)>) {
        // Sorted, so that a value is written as text once per batch.
        let mut values: Vec<(i128, u64)> = values.collect();
        values.sort_unstable();
        for run in values.chunk_by(|a, b| a.0 == b.0) {
            let count = run.iter().map(|(_, count)| count).sum();
            self.frequencies.update_counted(&run[0].0.to_string(), count);
        }
    }

    /// Adds the counts of a row's number of an array: `count(row)`.
    fn array(&mut self, values: &ArrayRef, count: impl Fn(usize) -> u64) {
        let rows = (0..values.len()).filter(|row| values.is_valid(*row));
        match Column::view(values) {
            Column::Integer(array) => {
                self.add(rows.map(|row| (i128::from(array.value(row)), count(row))));
            }
            Column::Unsigned(array) => {
                self.add(rows.map(|row| (i128::from(array.value(row)), count(row))));
            }
            // The options were checked, and a later span may lack the column.
            _ => {}
        }
    }

    /// Adds the integers of these ranks with their counts.
    pub(super) fn prepared(&mut self, values: &Prepared, counts: &[(u32, u64)], is_unsigned: bool) {
        let integer = |key: i64| if is_unsigned { u64_of_key(key).into() } else { i128::from(key) };
        self.add(values.numbers(counts).0.into_iter().map(|(key, count)| (integer(key), count)));
    }
}

impl ColumnSummary for Categories {
    type Output = Frequencies;

    fn empty(&self) -> Self {
        Self::default()
    }

    fn rows(&mut self, _: &str, values: &ArrayRef) -> Result<()> {
        self.array(values, |_| 1);
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        self.array(&column.values, |row| column.counts[row]);
        Ok(())
    }

    fn absent(&mut self, _: u64) {}

    fn merge(&mut self, later: Self) {
        self.frequencies.merge(later.frequencies);
    }

    fn finish(self) -> Frequencies {
        self.frequencies
    }

    fn size_bytes(&self) -> usize {
        self.frequencies.size_bytes()
    }
}

/// Puts the counts where those of text stand.
pub(super) fn show(frequencies: &Frequencies, statistics: &mut ColumnStatistics) {
    let distinct = frequencies.distinct_if_exact();
    if let Some(count) = distinct {
        statistics.distinct = Some(Distinct { count, relative_error: 0.0 });
    }
    statistics.top_values = Some(TopValues {
        values: top(frequencies.by_value().into_iter().map(|(value, count)| (value.to_owned(), count))),
        max_error: frequencies.undercount_rows(),
        is_complete: distinct.is_some_and(|count| count <= MAX_TOP_VALUES as u64),
    });
}

/// The most frequent first, of equal ones the later value, as TFDV has it.
fn top(values: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut values: Vec<(String, u64)> = values.collect();
    values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    values.truncate(MAX_TOP_VALUES);
    values
}
