//! Why a model predicts what it predicts, in three forms that answer three questions.
//!
//! - [`attribution`]: what each feature adds to one prediction, and on average over rows; of linear models these are the
//!   [`shapley`] values, exactly;
//! - [`permutation`]: how much worse the predictions get when a column tells nothing;
//! - [`dependence`]: how the average prediction moves with the value of a column.
//!
//! The last two ask the model about rows that are not there. They work on a [`sample`] of the rows that depends on the
//! rows' keys alone, not on their order, the files or the threads; they hand changed source columns to the transform, so
//! they see a model as its caller does.

pub mod attribution;
pub mod dependence;
pub mod permutation;
pub mod sample;
pub mod shapley;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch};

use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::{BATCH_ROWS, BatchTransform, FeatureModel};

pub use attribution::{Attribution, AttributionMethod, Contribution, ContributionSums, OutputContributions};
pub use dependence::{Dependence, DependenceCurve, DependenceOptions, GridValue, partial_dependence};
pub use permutation::{ColumnImportance, PermutationImportance, PermutationOptions, permutation_importance};
pub use sample::{Sample, SampleOptions};
pub use shapley::LinearExplainer;

/// A model with the transform that makes its features.
#[derive(Clone, Copy)]
pub struct Explained<'a> {
    /// Makes the features.
    pub transform: &'a dyn BatchTransform,
    /// Predicts from them.
    pub model: &'a dyn FeatureModel,
}

impl std::fmt::Debug for Explained<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Explained").field("label", &self.model.label()).finish_non_exhaustive()
    }
}

impl Explained<'_> {
    /// The predictions of some rows, a column for each output, a batch at a time; null where a feature is no number.
    fn predict(&self, rows: &RecordBatch) -> Result<Vec<Vec<Float64Array>>> {
        let mut predictions = vec![Vec::new(); self.model.targets().len()];
        for first in (0..rows.num_rows()).step_by(BATCH_ROWS) {
            let batch = rows.slice(first, std::cmp::min(BATCH_ROWS, rows.num_rows() - first));
            let features = self.transform.apply(&Batch::new(&batch))?;
            let found = self.model.predict_sound(&features, self.transform.space())?;
            for (mine, found) in predictions.iter_mut().zip(found) {
                mine.push(found);
            }
        }
        Ok(predictions)
    }
}

/// The rows with other values in one column.
fn with_column(rows: &RecordBatch, index: usize, values: ArrayRef) -> Result<RecordBatch> {
    debug_assert_eq!(values.len(), rows.num_rows(), "a column of these rows");
    let mut columns = rows.columns().to_vec();
    columns[index] = values;
    RecordBatch::try_new(rows.schema(), columns).map_err(arrow)
}

/// Rows that are there have one type per column, so that what arrow says is a bug here.
fn arrow(error: arrow::error::ArrowError) -> sluice_core::error::Error {
    CommonError::Internal(error.to_string()).into()
}

#[cfg(test)]
mod tests;
