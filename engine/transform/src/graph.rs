//! The fitted transform: nodes with their constants, executed in order, and the features that come out.
//! It is data; training, prediction and export execute the same nodes.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use serde::{Deserialize, Serialize};

use sluice_core::batch::Batch;
use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::BatchTransform;

use crate::error::TransformError;
use crate::operation::impute::Fill;
use crate::operation::one_hot::{Encoder, Levels};
use crate::operation::standardize::Standardize;

/// A fitted operation on a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// Replaces null and NaN.
    Impute {
        /// The column, which is replaced.
        column: String,
        /// What goes in.
        fill: Fill,
    },
    /// Centres and scales.
    Standardize {
        /// The column, which is replaced.
        column: String,
        /// Mean and standard deviation.
        constants: Standardize,
    },
    /// Codes for levels.
    OneHot {
        /// The column, which is replaced.
        column: String,
        /// The levels seen in training.
        levels: Levels,
    },
}

/// A fitted transform.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "StoredTransform", into = "StoredTransform")]
pub struct Transform {
    inputs: Vec<PlannedColumn>,
    nodes: Vec<Node>,
    space: FeatureSpace,
    encoders: Vec<Option<Encoder>>,
}

/// What stands in `transform.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTransform {
    inputs: Vec<PlannedColumn>,
    nodes: Vec<Node>,
    features: FeatureSpace,
}

impl From<StoredTransform> for Transform {
    fn from(stored: StoredTransform) -> Self {
        Self::new(stored.inputs, stored.nodes, stored.features)
    }
}

impl From<Transform> for StoredTransform {
    fn from(transform: Transform) -> Self {
        Self { inputs: transform.inputs, nodes: transform.nodes, features: transform.space }
    }
}

/// A column on its way through the nodes.
enum Value {
    Array(ArrayRef),
    Codes(UInt32Array),
}

impl Transform {
    pub(crate) fn new(inputs: Vec<PlannedColumn>, nodes: Vec<Node>, space: FeatureSpace) -> Self {
        let encoders = nodes
            .iter()
            .map(|node| match node {
                Node::OneHot { levels, .. } => Some(Encoder::new(levels)),
                Node::Impute { .. } | Node::Standardize { .. } => None,
            })
            .collect();
        Self { inputs, nodes, space, encoders }
    }

    /// The source columns with the kinds that they had in training.
    #[must_use]
    pub fn input_columns(&self) -> &[PlannedColumn] {
        &self.inputs
    }

    /// The nodes, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

impl BatchTransform for Transform {
    fn inputs(&self) -> Vec<String> {
        self.inputs.iter().map(|column| column.name.clone()).collect()
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let mut values = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            values.push(Value::Array(Arc::clone(batch.require(&input.name)?)));
        }
        for (node, encoder) in self.nodes.iter().zip(&self.encoders) {
            let (Node::Impute { column, .. }
            | Node::Standardize { column, .. }
            | Node::OneHot { column, .. }) = node;
            let Some(slot) = self.inputs.iter().position(|input| input.name == *column) else { continue };
            let Value::Array(array) = &values[slot] else { continue };
            let next = match (node, encoder) {
                (Node::Impute { fill, .. }, _) => Value::Array(fill.apply(column, array)?),
                (Node::Standardize { constants, .. }, _) => {
                    Value::Array(Arc::new(constants.apply(&numbers(column, array, "`standardize`")?)))
                }
                (Node::OneHot { .. }, Some(encoder)) => {
                    Value::Codes(encoder.apply(array).ok_or_else(|| TransformError::Kind {
                        operation: "one_hot",
                        column: column.clone(),
                        found: ColumnKind::of(array.data_type()).to_string(),
                        expected: "the type that the column had in training",
                    })?)
                }
                (Node::OneHot { .. }, None) => continue,
            };
            values[slot] = next;
        }
        let columns = self
            .space
            .features
            .iter()
            .map(|feature| self.feature(feature, &values))
            .collect::<Result<Vec<_>>>()?;
        Ok(FeatureBatch { rows: batch.rows(), columns })
    }
}

impl Transform {
    fn feature(&self, feature: &FeatureSpec, values: &[Value]) -> Result<FeatureColumn> {
        let slot = self.inputs.iter().position(|input| input.name == feature.name);
        let missing = || TransformError::ColumnMissing {
            operation: "transform",
            column: feature.name.clone(),
            available: self.inputs.iter().map(|input| input.name.clone()).collect(),
        };
        match (&values[slot.ok_or_else(missing)?], &feature.kind) {
            (Value::Codes(codes), FeatureKind::OneHot { .. }) => Ok(FeatureColumn::Codes(codes.clone())),
            (Value::Array(array), FeatureKind::Number) => {
                Ok(FeatureColumn::Numbers(numbers(&feature.name, array, "the model")?))
            }
            _ => Err(missing().into()),
        }
    }
}
