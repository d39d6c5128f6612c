//! From columns to summaries: what turns a plain data structure into an [`Accumulator`] over one column, and
//! the finite numbers of a column with its kinds of nothing counted.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::{Delivered, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::Presence;

/// A summary of one column, row by row or from its counted view.
pub trait ColumnSummary: Sized + Send {
    /// What the finished summary answers.
    type Output;

    /// The same options, no rows.
    fn empty(&self) -> Self;

    /// Tells where the rows that come next stand, for summaries that sample: of which column and split, and which
    /// is the first of them within the split.
    fn begin(&mut self, column: &str, split: u64, first_row: u64) {
        let _ = (column, split, first_row);
    }

    /// Adds the values of a batch, in normal form.
    ///
    /// # Errors
    /// When the column has a type that the summary cannot take.
    fn rows(&mut self, name: &str, values: &ArrayRef) -> Result<()>;

    /// Adds distinct values with their counts.
    ///
    /// # Errors
    /// As [`ColumnSummary::rows`].
    fn counted(&mut self, column: &CountedColumn) -> Result<()>;

    /// Adds rows of a part in which the column does not exist.
    fn absent(&mut self, rows: u64);

    /// Joins the summary of later rows.
    fn merge(&mut self, later: Self);

    /// Answers, and gives up the state.
    fn finish(self) -> Self::Output;

    /// Bytes held, capacity included.
    fn size_bytes(&self) -> usize;
}

/// A [`ColumnSummary`] of a named column, as an accumulator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfColumn<S> {
    /// The column.
    pub column: String,
    /// Its summary.
    pub summary: S,
}

impl<S> OfColumn<S> {
    /// The summary of the column of this name.
    pub fn new(column: impl Into<String>, summary: S) -> Self {
        Self { column: column.into(), summary }
    }
}

impl<S: ColumnSummary> Accumulator for OfColumn<S> {
    type Output = (String, S::Output);

    fn inputs(&self) -> Inputs {
        Inputs::default().with_counted(&self.column)
    }

    fn empty(&self) -> Self {
        Self { column: self.column.clone(), summary: self.summary.empty() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Counted(counted) if counted.column == self.column => self.summary.counted(counted),
            Input::Apart(rows) if rows.column == self.column => {
                self.summary.begin(rows.column, rows.split, rows.first_row);
                self.summary.rows(rows.column, &rows.values)
            }
            Input::Counted(_) | Input::Apart(_) => Ok(()),
            Input::Rows(batch) => match batch.delivered(&self.column) {
                Delivered::Rows(values) => {
                    self.summary.begin(&self.column, batch.split(), batch.first_row());
                    self.summary.rows(&self.column, values)
                }
                Delivered::Apart => Ok(()),
                Delivered::Absent => {
                    self.summary.absent(batch.rows() as u64);
                    Ok(())
                }
            },
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.summary.merge(later.summary);
        Ok(())
    }

    fn finish(self) -> Self::Output {
        (self.column, self.summary.finish())
    }

    fn size_bytes(&self) -> usize {
        self.column.capacity() + self.summary.size_bytes()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        let bytes = self.summary.size_bytes();
        Some(Heaviest { what: format!("column `{}`", self.column), bytes, advice: None })
    }
}

/// Puts the finite numbers of a column into `finite` (cleared first) and counts the rest.
///
/// # Errors
/// When the column does not hold numbers.
pub fn finite_rows(
    name: &str,
    values: &ArrayRef,
    purpose: &str,
    presence: &mut Presence,
    finite: &mut Vec<f64>,
) -> Result<()> {
    finite.clear();
    let values = numbers(name, values, purpose)?;
    presence.num_rows += values.len() as u64;
    presence.num_missing += values.null_count() as u64;
    if values.null_count() == 0 {
        for &value in values.values() {
            keep(value, 1, presence, || finite.push(value));
        }
    } else {
        for value in values.iter().flatten() {
            keep(value, 1, presence, || finite.push(value));
        }
    }
    Ok(())
}

/// Puts the finite numbers of a counted view with their counts into `finite` and counts the rest.
///
/// # Errors
/// When the column does not hold numbers.
pub fn finite_counted(
    column: &CountedColumn,
    purpose: &str,
    presence: &mut Presence,
    finite: &mut Vec<(f64, u64)>,
) -> Result<()> {
    finite.clear();
    let values = numbers(&column.column, &column.values, purpose)?;
    presence.num_rows += column.rows();
    presence.num_missing += column.nulls;
    for (&value, &count) in values.values().iter().zip(&column.counts) {
        keep(value, count, presence, || finite.push((value, count)));
    }
    Ok(())
}

#[inline]
fn keep(value: f64, count: u64, presence: &mut Presence, push: impl FnOnce()) {
    if value.is_finite() {
        push();
    } else if value.is_nan() {
        presence.num_nan += count;
    } else if value > 0.0 {
        presence.num_positive_infinity += count;
    } else {
        presence.num_negative_infinity += count;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Float64Array;

    use super::*;

    #[test]
    fn the_kinds_of_nothing_are_counted_apart() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.0),
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
        ]));
        let (mut presence, mut finite) = (Presence::default(), Vec::new());
        finite_rows("x", &values, "a test", &mut presence, &mut finite).unwrap();
        assert_eq!(finite, [1.0]);
        let expected = Presence {
            num_rows: 5,
            num_missing: 1,
            num_nan: 1,
            num_positive_infinity: 1,
            num_negative_infinity: 1,
            ..Presence::default()
        };
        assert_eq!(presence, expected);
        let counted = CountedColumn {
            column: "x".into(),
            split: 0,
            values: Arc::new(Float64Array::from(vec![1.0, f64::NAN])),
            counts: vec![3, 2],
            nulls: 4,
            codes: None,
        };
        let (mut presence, mut finite) = (Presence::default(), Vec::new());
        finite_counted(&counted, "a test", &mut presence, &mut finite).unwrap();
        assert_eq!(finite, [(1.0, 3)]);
        assert_eq!((presence.num_rows, presence.num_missing, presence.num_nan), (9, 4, 2));
    }
}
