//! The fitted transform: nodes with their constants, executed in order, and the features that come out.
//! It is data; training, prediction and export execute the same nodes.

mod affine;
mod ids;
mod inverse;
mod program;
mod row;
mod training;

pub use ids::Ids;
pub use program::{Node, Program};
pub use row::Cell;
pub(crate) use row::CellInputs;
pub use training::OfTrainingRows;

use program::{Slots, Values};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::affine::BeforeAffine;
use sluice_core::batch::{Batch, RowIdentity};
use sluice_core::error::Result;
use sluice_core::features::{
    ExactFeatures, FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec, Remainder,
};
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::BatchTransform;

use crate::error::TransformError;
use crate::value::Value;

/// A fitted transform.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredTransform", into = "StoredTransform")]
pub struct Transform {
    program: Program,
    features: Vec<StoredFeature>,
    /// What identifies a training row, where a feature of one leaves out its fold.
    identity: Option<RowIdentity>,
    space: FeatureSpace,
    slots: Slots,
    feature_slots: Vec<usize>,
}

/// A feature and the value that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFeature {
    name: String,
    value: String,
}

/// What stands in `transform.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTransform {
    inputs: Vec<PlannedColumn>,
    nodes: Vec<Node>,
    features: Vec<StoredFeature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<RowIdentity>,
}

impl TryFrom<StoredTransform> for Transform {
    type Error = TransformError;

    fn try_from(stored: StoredTransform) -> Result<Self, TransformError> {
        let features = stored.features.into_iter().map(|feature| (feature.name, feature.value)).collect();
        Self::checked(Program { inputs: stored.inputs, nodes: stored.nodes }, features, stored.identity)
    }
}

impl From<Transform> for StoredTransform {
    fn from(transform: Transform) -> Self {
        let Program { inputs, nodes } = transform.program;
        Self { inputs, nodes, features: transform.features, identity: transform.identity }
    }
}

impl Transform {
    pub(crate) fn new(
        program: Program,
        features: Vec<(String, String)>,
        identity: &RowIdentity,
    ) -> Result<Self> {
        let identity = program.leaves_out_folds().then(|| identity.clone());
        Ok(Self::checked(program, features, identity)?)
    }

    /// A transform whose nodes read only what is there, so that applying it cannot meet a missing value.
    fn checked(
        program: Program,
        features: Vec<(String, String)>,
        identity: Option<RowIdentity>,
    ) -> Result<Self, TransformError> {
        program.check()?;
        let mut space = FeatureSpace::default();
        for (name, value) in &features {
            let kind = match program.labels(value)? {
                None => FeatureKind::Number,
                Some((labels, true)) => FeatureKind::OneHot { levels: labels },
                Some((labels, false)) => FeatureKind::Sparse { terms: labels },
            };
            let mut sources: Vec<String> =
                program.sources_of([value.as_str()]).into_iter().map(str::to_owned).collect();
            sources.sort();
            space.features.push(FeatureSpec { name: name.clone(), kind, sources });
        }
        let features: Vec<StoredFeature> =
            features.into_iter().map(|(name, value)| StoredFeature { name, value }).collect();
        let (slots, places) = program.slots();
        let feature_slots =
            features.iter().filter_map(|feature| places.get(feature.value.as_str()).copied()).collect();
        Ok(Self { program, features, identity, space, slots, feature_slots })
    }

    /// The features of one row; `cells` are those of [`Transform::input_columns`], in order. The same bits as
    /// [`BatchTransform::apply`] on a batch with this row.
    ///
    /// # Errors
    /// When a cell is of another kind than its column was in training.
    pub fn apply_row<'a>(&self, cells: &[Cell<'a>]) -> Result<Vec<Cell<'a>>> {
        let mut row = self.program.cells(&self.slots, cells)?;
        Ok(self.feature_slots.iter().map(|slot| std::mem::replace(&mut row[*slot], Cell::Null)).collect())
    }

    /// The source columns with the kinds that they had in training.
    #[must_use]
    pub fn input_columns(&self) -> &[PlannedColumn] {
        &self.program.inputs
    }

    /// The features, in order, with the values that they are.
    pub fn features(&self) -> impl Iterator<Item = (&str, &str)> {
        self.features.iter().map(|feature| (feature.name.as_str(), feature.value.as_str()))
    }

    /// The nodes, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.program.nodes
    }
}

impl BatchTransform for Transform {
    fn inputs(&self) -> Vec<String> {
        self.program.inputs.iter().map(|column| column.name.clone()).collect()
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        self.feature_batch(batch, None)
    }

    fn rounded(&self) -> Vec<usize> {
        self.rounded_features().map(|(feature, _)| feature).collect()
    }

    fn apply_exact(&self, batch: &Batch) -> Result<ExactFeatures> {
        self.exact_features(batch, None)
    }

    fn before_affine(&self) -> Option<BeforeAffine> {
        let (transform, maps) = self.split_affine();
        Some(BeforeAffine { transform: Arc::new(transform), maps })
    }
}

impl Transform {
    fn feature_batch(&self, batch: &Batch, hashes: Option<&[u64]>) -> Result<FeatureBatch> {
        self.features_of(&self.program.values(batch, hashes)?, batch.rows())
    }

    /// Features that are products as they were rounded, with their values.
    fn rounded_features(&self) -> impl Iterator<Item = (usize, &str)> {
        let features = self.features.iter().map(|feature| feature.value.as_str()).enumerate();
        features.filter(|(_, value)| self.program.is_rounded(value))
    }

    fn exact_features(&self, batch: &Batch, hashes: Option<&[u64]>) -> Result<ExactFeatures> {
        let values = self.program.values(batch, hashes)?;
        let wanted = self.rounded_features().map(|(_, value)| value).collect();
        let made = self.program.remainders(&values, &wanted, batch.rows())?;
        let remainders = self.rounded_features().filter_map(|(feature, value)| {
            let values = made.get(value)?.clone();
            Some(Remainder { feature, values })
        });
        let remainders = remainders.collect();
        Ok(ExactFeatures { features: self.features_of(&values, batch.rows())?, remainders })
    }

    fn features_of(&self, values: &Values<'_>, rows: usize) -> Result<FeatureBatch> {
        let mut columns = Vec::with_capacity(self.features.len());
        for feature in &self.features {
            columns.push(match values.get(&feature.value)? {
                Value::Codes(codes) => FeatureColumn::Codes(codes.clone()),
                Value::Sparse(sparse) => FeatureColumn::Sparse(Arc::clone(sparse)),
                value @ Value::Column(_) => {
                    FeatureColumn::Numbers(value.numbers(&feature.name, "the model")?)
                }
            });
        }
        Ok(FeatureBatch { rows, columns })
    }
}

#[cfg(test)]
mod tests;
