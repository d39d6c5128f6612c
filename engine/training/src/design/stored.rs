//! What a state that was read from a file must keep before it is joined: everything the fold itself takes for granted.

use sluice_core::error::Result;

use super::{Design, Gathered, Sums};
use crate::error::TrainingError;

impl Design {
    /// Refuses a state that contradicts itself; only one that was read from a file can.
    ///
    /// # Errors
    /// [`TrainingError::StateContradictory`].
    pub fn check(&self) -> Result<(), TrainingError> {
        if self.is_sound() { Ok(()) } else { Err(TrainingError::StateContradictory) }
    }

    fn is_sound(&self) -> bool {
        let labels = self.responses.labels.len();
        let Some(columns) = self.width.checked_add(labels).filter(|_| labels > 0 && self.folds > 0) else {
            return false;
        };
        match &self.gathered {
            Gathered::Whole { rows, fold_of_row } => {
                let count = rows.cells.len() / columns;
                let has_folds = if self.folds > 1 { count } else { 0 };
                rows.cells.len().is_multiple_of(columns)
                    && rows.weights.as_ref().is_none_or(|weights| weights.len() == count)
                    && fold_of_row.len() == has_folds
            }
            Gathered::Summed(sums) => {
                let of_columns = |sums: &Sums| match sums {
                    Sums::Blocked(gram) => gram.as_ref().is_none_or(|gram| gram.width() == columns),
                    Sums::Exact(normal) => normal
                        .as_ref()
                        .is_none_or(|normal| normal.features() + 1 == columns && normal.check().is_ok()),
                };
                sums.len() == self.folds as usize && sums.iter().all(of_columns)
            }
        }
    }

    /// Refuses to join what was gathered of other features, labels or folds, or in another form.
    pub(super) fn check_alike(&self, other: &Self) -> Result<(), TrainingError> {
        let is_alike = self.has_columns_of(other) && self.form() == other.form();
        if is_alike { Ok(()) } else { Err(TrainingError::OtherSums) }
    }

    /// Whether features, labels and folds are the same.
    pub(super) fn has_columns_of(&self, other: &Self) -> bool {
        self.width == other.width && self.responses == other.responses && self.folds == other.folds
    }
}
