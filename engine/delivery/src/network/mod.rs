//! A network in a package: its description in `model.json`, its weights in `weights.safetensors`, and how it predicts from
//! the features of the transform.
//!
//! Sums are computed in single precision, what the link makes of them in double. A row in which a number is null, NaN,
//! infinite or beyond single precision, or an id is none of the feature's, has no prediction.

mod attribution;
mod reader;
#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, Float64Array};
use arrow::buffer::NullBuffer;
use serde::{Deserialize, Serialize};

use sluice_core::column::numbers;
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureSpace};
use sluice_networks::model::Link as NetworkLink;
use sluice_networks::train::EpochRecord;
use sluice_networks::{LabelScale, NetworkDescription, NetworkModel, NetworkSpec};
use sluice_training::calibration::Calibration;
use sluice_training::glm::ClassRows;
use sluice_training::{Class, Link};

use crate::error::DeliveryError;

pub use attribution::NetworkExplainer;
pub(crate) use reader::Source;
pub use reader::{InputReader, NetworkRows};

/// The family of networks, as the options name it.
pub const NETWORK_FAMILY: &str = "network";

/// What `model.json` says of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRecord {
    /// `network`.
    pub family: String,
    /// The column that it predicts.
    pub label: String,
    /// The weighted mean of the label over the training rows; of two classes the share of the second, of more 0.
    pub label_mean: f64,
    /// The rows that it was fitted on, those of weight 0 not counted.
    pub rows: u64,
    /// The classes, in the order of their numbers, with their rows; none of an amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassRows>,
    /// What the probabilities of two classes are worth, where they were calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Layers, inputs and outputs.
    pub network: NetworkDescription,
    /// How it was fitted.
    pub training: TrainingRecord,
    /// What explanations compare with.
    pub baseline: Baseline,
}

/// How a network was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecord {
    /// What was asked for.
    pub spec: NetworkSpec,
    /// Where: `cpu` or `cuda:N`.
    pub device: String,
    /// Numbers that were learned.
    pub parameters: u64,
    /// Rows that it was validated on, where it stops early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_rows: Option<u64>,
    /// The epochs, in order.
    pub epochs: Vec<EpochRecord>,
    /// The epoch whose weights these are, from 1.
    pub best_epoch: u32,
    /// Whether it was stopped before the last epoch.
    pub stopped_early: bool,
}

/// The average of the training rows, as the network reads them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The weighted mean of each number.
    pub numeric: Vec<f64>,
    /// For each lookup of the network, in order, the weighted mean of the vectors of the ids.
    pub vectors: Vec<Vec<f64>>,
}

/// A network that predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What `model.json` says.
    pub record: NetworkRecord,
    reader: InputReader,
    model: NetworkModel,
}

impl Network {
    /// A network that was fitted on the features of `space`.
    ///
    /// # Errors
    /// [`DeliveryError::NetworkContradicts`] where record, weights and features are not of one network, as a package that
    /// someone changed may be.
    pub fn new(
        record: NetworkRecord,
        model: NetworkModel,
        space: &FeatureSpace,
    ) -> Result<Self, DeliveryError> {
        let contradicts = |what: &'static str| DeliveryError::NetworkContradicts { what };
        let layout = model.description().inputs.clone();
        let reader = InputReader::of_layout(space, layout).ok_or_else(|| contradicts("the features"))?;
        if record.network != *model.description() {
            return Err(contradicts("the weights"));
        }
        let classes: Vec<String> = record.classes.iter().map(|class| class.class.to_string()).collect();
        if classes != record.network.label.classes || record.label != record.network.label.name {
            return Err(contradicts("the label"));
        }
        if !record.baseline.is_of(&model) {
            return Err(contradicts("the baseline of explanations"));
        }
        Ok(Self { record, reader, model })
    }

    /// Layers and weights.
    #[must_use]
    pub fn model(&self) -> &NetworkModel {
        &self.model
    }

    /// Its tensors in double precision, in the order of the plan.
    #[must_use]
    pub(crate) fn doubles(&self) -> Vec<Vec<f64>> {
        let double = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
        self.model.tensors().map(|(_, values)| double(values)).collect()
    }

    /// How it reads features.
    #[must_use]
    pub fn reader(&self) -> &InputReader {
        &self.reader
    }

    /// How sums become predictions; of the identity, after [`Network::scale`].
    #[must_use]
    pub fn link(&self) -> Link {
        match self.record.network.link() {
            NetworkLink::Identity(_) => Link::Identity,
            NetworkLink::Exp => Link::Log,
            NetworkLink::Logistic => Link::Logit,
            NetworkLink::Softmax => Link::Softmax,
        }
    }

    /// What brings sums to the units of the label.
    #[must_use]
    pub fn scale(&self) -> Option<LabelScale> {
        self.record.network.scale
    }

    /// The class whose probability is predicted, where there are two.
    #[must_use]
    pub fn positive(&self) -> Option<&Class> {
        match self.record.classes.as_slice() {
            [_, positive] => Some(&positive.class),
            _ => None,
        }
    }

    /// What each column of its predictions is of: the label, or each of more than two classes.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        match self.link() {
            Link::Softmax => self.record.network.label.classes.clone(),
            Link::Identity | Link::Logit | Link::Log => vec![self.record.label.clone()],
        }
    }

    /// The predictions of a batch, a column for each target.
    ///
    /// # Errors
    /// At the first feature, then row, that is no input.
    pub fn predict(&self, features: &FeatureBatch) -> Result<Vec<Float64Array>> {
        let rows = self.reader.read(features, 0..features.rows);
        self.reader.check(&rows)?;
        self.score(&rows)
    }

    /// The same, null in rows of which a feature is no input.
    ///
    /// # Errors
    /// Only where an invariant of the network is broken.
    pub fn predict_sound(&self, features: &FeatureBatch) -> Result<Vec<Float64Array>> {
        self.score(&self.reader.read(features, 0..features.rows))
    }

    fn score(&self, rows: &NetworkRows) -> Result<Vec<Float64Array>> {
        let outputs = self.targets().len();
        let single = self.model.sums(&rows.inputs())?;
        let scale = self.scale();
        let of = |output: usize| -> Vec<f64> {
            let own = single.iter().skip(output).step_by(outputs).map(|sum| f64::from(*sum));
            match scale {
                Some(scale) => own.map(|sum| in_units(scale, sum)).collect(),
                None => own.collect(),
            }
        };
        let mut predictions = self.link().predictions((0..outputs).map(of).collect());
        if let Some(calibration) = &self.record.calibration {
            let all = predictions.iter_mut().flatten();
            all.for_each(|probability| *probability = calibration.probability(*probability));
        }
        let sound =
            (!rows.all_sound()).then(|| (0..rows.rows).map(|row| rows.is_sound(row)).collect::<NullBuffer>());
        Ok(predictions.into_iter().map(|values| Float64Array::new(values.into(), sound.clone())).collect())
    }

    /// The labels of a batch as numbers that predictions compare with.
    ///
    /// # Errors
    /// A label that is none of the classes, with its row; a column of another kind.
    pub fn labels(&self, label: &ArrayRef) -> Result<Float64Array> {
        if self.record.classes.is_empty() {
            return numbers(&self.record.label, label, "the label");
        }
        let classes: Vec<Class> = self.record.classes.iter().map(|class| class.class.clone()).collect();
        Class::places(&self.record.label, label, &classes)
    }
}

/// A sum in the units of the label.
pub(crate) fn in_units(scale: LabelScale, sum: f64) -> f64 {
    f64::from(scale.mean) + f64::from(scale.deviation) * sum
}

impl Baseline {
    fn is_of(&self, model: &NetworkModel) -> bool {
        let widths = lookups(model).map(|(_, width)| width);
        let is_finite = |values: &Vec<f64>| values.iter().all(|value| value.is_finite());
        self.numeric.len() == model.description().inputs.numeric.len()
            && self.vectors.iter().map(Vec::len).eq(widths)
            && std::iter::once(&self.numeric).chain(&self.vectors).all(is_finite)
    }

    /// Of rows with these means of their numbers, and by categorical feature the share of each id.
    #[must_use]
    pub fn new(model: &NetworkModel, numeric: Vec<f64>, shares: &[Vec<f64>]) -> Self {
        let plan = model.plan();
        let vectors = plan.steps.iter().filter_map(|step| match step {
            sluice_networks::plan::Step::Embed { feature, table, .. } => {
                let width = plan.tensors[*table].shape.get(1).copied().unwrap_or(1);
                let mut mean = vec![0.0; width];
                let vectors = model.tensor(*table).chunks_exact(width);
                for (vector, share) in vectors.zip(&shares[*feature]) {
                    mean.iter_mut().zip(vector).for_each(|(sum, value)| *sum += share * f64::from(*value));
                }
                Some(mean)
            }
            _ => None,
        });
        Self { vectors: vectors.collect(), numeric }
    }
}

/// The lookups of a network, in order: the categorical feature, and the width of its vectors.
pub(crate) fn lookups(model: &NetworkModel) -> impl Iterator<Item = (usize, usize)> {
    let plan = model.plan();
    plan.steps.iter().filter_map(|step| match step {
        sluice_networks::plan::Step::Embed { feature, table, .. } => {
            Some((*feature, plan.tensors[*table].shape.get(1).copied().unwrap_or(1)))
        }
        _ => None,
    })
}
