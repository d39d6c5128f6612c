//! The baseline and contenders, with their errors marked as such.

use std::sync::Arc;

use sluice_core::batch::Batch;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureSpace};
use sluice_core::seam::{BatchTransform, Predictor};

use super::Role;
use crate::error::EvaluationError;

/// A model whose errors name the part that it plays.
pub(super) struct Blamed {
    pub(super) model: Arc<dyn Predictor>,
    pub(super) role: Role,
}

impl BatchTransform for Blamed {
    fn inputs(&self) -> Vec<String> {
        self.model.inputs()
    }

    fn space(&self) -> &FeatureSpace {
        self.model.space()
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        self.model.apply(batch).map_err(|error| blame_on(&self.role, error))
    }
}

/// An error of the baseline.
pub(super) fn blame(source: Error) -> Error {
    blame_on(&Role::Baseline, source)
}

/// An error of a model; the candidate's stays as it is.
fn blame_on(role: &Role, mut source: Error) -> Error {
    let row = source.take_row();
    let error = match role {
        Role::Candidate => source,
        Role::Baseline => EvaluationError::BaselineFailed { source }.into(),
        Role::Contender(name) => EvaluationError::ContenderFailed { name: name.clone(), source }.into(),
    };
    match row.and_then(|row| usize::try_from(row).ok()) {
        Some(row) => error.at_row(row),
        None => error,
    }
}
