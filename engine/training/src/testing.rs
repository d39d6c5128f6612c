//! Data and transforms that the tests of several models share.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array};
use sluice_core::batch::Batch;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform;

/// Hands columns through as they are; columns whose names begin with `code` hold codes of three levels.
pub(crate) struct Plain(FeatureSpace);

impl Plain {
    pub(crate) fn shared(names: &[&str]) -> Arc<dyn BatchTransform> {
        let features = names
            .iter()
            .map(|name| FeatureSpec {
                name: (*name).into(),
                kind: match *name {
                    name if name.starts_with("code") => {
                        FeatureKind::OneHot { levels: vec!["a".into(), "b".into(), "c".into()] }
                    }
                    _ => FeatureKind::Number,
                },
                sources: vec![(*name).into()],
            })
            .collect();
        Arc::new(Self(FeatureSpace { features }))
    }
}

impl BatchTransform for Plain {
    fn inputs(&self) -> Vec<String> {
        self.0.features.iter().map(|feature| feature.name.clone()).collect()
    }

    fn space(&self) -> &FeatureSpace {
        &self.0
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "codes of the test are 0, 1 and 2"
    )]
    fn apply(&self, batch: &Batch) -> sluice_core::Result<FeatureBatch> {
        let columns = self.0.features.iter().map(|feature| {
            let values =
                sluice_core::column::numbers(&feature.name, batch.require(&feature.name)?, "a test")?;
            Ok(match feature.kind {
                FeatureKind::Number | FeatureKind::Sparse { .. } => FeatureColumn::Numbers(values),
                FeatureKind::OneHot { .. } => FeatureColumn::Codes(UInt32Array::from_iter(
                    values.iter().map(|value| value.map(|value| value as u32)),
                )),
            })
        });
        Ok(FeatureBatch { rows: batch.rows(), columns: columns.collect::<sluice_core::Result<_>>()? })
    }
}

pub(crate) fn table(columns: Vec<(&str, Vec<f64>)>) -> RecordBatch {
    RecordBatch::try_from_iter(
        columns.into_iter().map(|(name, values)| (name, Arc::new(Float64Array::from(values)) as ArrayRef)),
    )
    .unwrap()
}
