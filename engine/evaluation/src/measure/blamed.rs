//! The baseline, with its errors marked as such.

use std::sync::Arc;

use sluice_core::batch::Batch;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureSpace};
use sluice_core::seam::{BatchTransform, Predictor};

use crate::error::EvaluationError;

/// A model whose errors are those of the baseline.
pub(super) struct Blamed(pub(super) Arc<dyn Predictor>);

impl BatchTransform for Blamed {
    fn inputs(&self) -> Vec<String> {
        self.0.inputs()
    }

    fn space(&self) -> &FeatureSpace {
        self.0.space()
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        self.0.apply(batch).map_err(blame)
    }
}

/// An error of the baseline.
pub(super) fn blame(mut source: Error) -> Error {
    let row = source.take_row();
    let error = Error::from(EvaluationError::BaselineFailed { source });
    match row.and_then(|row| usize::try_from(row).ok()) {
        Some(row) => error.at_row(row),
        None => error,
    }
}
