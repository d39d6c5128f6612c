//! Columns of numbers as they are: the transform of data that need none.

use arrow::array::Float64Array;
use ndarray::{ArrayBase, Data, Ix2};

use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform;

/// Hands columns through.
pub(super) struct Columns(FeatureSpace);

impl Columns {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self(space(names))
    }
}

fn space(names: Vec<String>) -> FeatureSpace {
    let feature = |name: String| FeatureSpec { sources: vec![name.clone()], kind: FeatureKind::Number, name };
    FeatureSpace { features: names.into_iter().map(feature).collect() }
}

impl BatchTransform for Columns {
    fn inputs(&self) -> Vec<String> {
        self.0.features.iter().map(|feature| feature.name.clone()).collect()
    }

    fn space(&self) -> &FeatureSpace {
        &self.0
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let column = |feature: &FeatureSpec| {
            numbers(&feature.name, batch.require(&feature.name)?, "a feature").map(FeatureColumn::Numbers)
        };
        let columns = self.0.features.iter().map(column).collect::<Result<_>>()?;
        Ok(FeatureBatch { rows: batch.rows(), columns })
    }
}

/// Records as features.
pub(super) fn batch_of<D: Data<Elem = f64>>(
    records: &ArrayBase<D, Ix2>,
    names: Vec<String>,
) -> (FeatureBatch, FeatureSpace) {
    let column = |column: ndarray::ArrayView1<'_, f64>| {
        FeatureColumn::Numbers(Float64Array::from_iter_values(column.iter().copied()))
    };
    let columns = records.columns().into_iter().map(column).collect();
    (FeatureBatch { rows: records.nrows(), columns }, space(names))
}
