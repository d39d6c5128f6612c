//! The transform as its own training rows must see it: where an operation has learnt from the label, the feature of a
//! row comes of the other folds' rows alone, so that a model does not read the label out of it.

use std::sync::Arc;

use sluice_core::affine::BeforeAffine;
use sluice_core::batch::{Batch, RowIdentity};
use sluice_core::error::Result;
use sluice_core::features::{ExactFeatures, FeatureBatch, FeatureSpace};
use sluice_core::seam::BatchTransform;

use super::Transform;

/// A transform applied to the rows that it was fitted on.
#[derive(Clone, Debug)]
pub struct OfTrainingRows {
    transform: Transform,
    identity: RowIdentity,
}

impl OfTrainingRows {
    /// For training a model: the transform itself, unless it leaves out folds. The folds are those of its fitting,
    /// whatever else training divides the rows by.
    #[must_use]
    pub fn of(transform: &Transform) -> Arc<dyn BatchTransform> {
        let transform = transform.clone();
        match transform.identity.clone() {
            Some(identity) => Arc::new(Self { transform, identity }),
            None => Arc::new(transform),
        }
    }
}

impl BatchTransform for OfTrainingRows {
    fn inputs(&self) -> Vec<String> {
        let mut inputs = self.transform.inputs();
        for column in self.identity.columns() {
            if !inputs.contains(&column) {
                inputs.push(column);
            }
        }
        inputs
    }

    fn space(&self) -> &FeatureSpace {
        self.transform.space()
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        self.transform.feature_batch(batch, Some(&batch.hash(&self.identity)?))
    }

    fn rounded(&self) -> Vec<usize> {
        self.transform.rounded()
    }

    fn apply_exact(&self, batch: &Batch) -> Result<ExactFeatures> {
        self.transform.exact_features(batch, Some(&batch.hash(&self.identity)?))
    }

    fn before_affine(&self) -> Option<BeforeAffine> {
        let (transform, maps) = self.transform.split_affine();
        Some(BeforeAffine { transform: Self::of(&transform), maps })
    }
}
