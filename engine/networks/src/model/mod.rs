//! A fitted network: what its layers are, what it reads and predicts, and its weights.

pub(crate) mod file;
mod score;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sluice_core::options::OptionsError;

use crate::error::NetworkError;
use crate::layout::{InputLayout, LabelLayout};
use crate::plan::{Plan, TensorLayout};
use crate::spec::{Activation, Architecture, Loss, NetworkSpec, Norm, NumericEmbedding};

pub use score::FeatureGradients;
pub(crate) use score::softmax;

/// Everything about a fitted network but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDescription {
    /// The layers.
    pub architecture: Architecture,
    /// What follows hidden layers.
    pub activation: Activation,
    /// How hidden values are normalised.
    pub norm: Norm,
    /// How many numbers stand for an id, by feature.
    pub embeddings: BTreeMap<String, u32>,
    /// What numeric features become before the first layer.
    pub numeric_embedding: NumericEmbedding,
    /// What was minimised, which says what scores are.
    pub loss: Loss,
    /// What it reads.
    pub inputs: InputLayout,
    /// What it predicts.
    pub label: LabelLayout,
    /// What brings scores to the label's units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<LabelScale>,
}

/// score = mean + deviation z.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelScale {
    /// The mean of the training labels.
    pub mean: f32,
    /// Their standard deviation, above 0.
    pub deviation: f32,
}

/// What the last sums go through to become scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// mean + deviation z; nothing where there is no scale.
    Identity(Option<LabelScale>),
    /// exp(z).
    Exp,
    /// 1 / (1 + exp(-z)).
    Logistic,
    /// exp(z) over the sum of all classes'.
    Softmax,
}

impl NetworkDescription {
    /// The description of what `spec` will be fitted to.
    ///
    /// # Errors
    /// [`NetworkSpec::check_with`].
    pub fn new(spec: &NetworkSpec, inputs: &InputLayout, label: &LabelLayout) -> Result<Self, OptionsError> {
        spec.check_with(inputs, label)?;
        let embeddings = inputs.categorical.iter().map(|input| {
            let width = spec.embedding_width(&input.name, input.ids);
            (input.name.clone(), u32::try_from(width).unwrap_or(u32::MAX))
        });
        Ok(Self {
            architecture: spec.architecture.clone(),
            activation: spec.activation,
            norm: spec.norm,
            embeddings: embeddings.collect(),
            numeric_embedding: spec.numeric_embedding.clone(),
            loss: spec.loss_for(label),
            inputs: inputs.clone(),
            label: label.clone(),
            scale: None,
        })
    }

    /// How many scores a row gets: one for each class under softmax, else one.
    #[must_use]
    pub fn outputs(&self) -> usize {
        if self.loss == Loss::Softmax { self.label.classes.len() } else { 1 }
    }

    /// What the last sums go through.
    #[must_use]
    pub fn link(&self) -> Link {
        match self.loss {
            Loss::Squared | Loss::Huber { .. } | Loss::Quantile { .. } => Link::Identity(self.scale),
            Loss::Pairwise => Link::Identity(None),
            Loss::Poisson => Link::Exp,
            Loss::Logistic => Link::Logistic,
            Loss::Softmax => Link::Softmax,
        }
    }

    /// The spec of the layers; what only training needs is as usual.
    fn spec(&self) -> NetworkSpec {
        let mut spec = NetworkSpec::from(self.architecture.clone());
        spec.activation = self.activation;
        spec.norm = self.norm;
        spec.embeddings.clone_from(&self.embeddings);
        spec.numeric_embedding = self.numeric_embedding.clone();
        spec.loss = Some(self.loss);
        spec
    }

    /// The steps of scoring.
    ///
    /// # Errors
    /// [`OptionsError`] where the description contradicts itself, as one from a broken file may.
    pub fn plan(&self) -> Result<Plan, OptionsError> {
        let spec = self.spec();
        spec.check_with(&self.inputs, &self.label)?;
        if let Some(LabelScale { mean, deviation }) = self.scale
            && !(mean.is_finite() && deviation.is_finite() && deviation > 0.0)
        {
            return Err(OptionsError::OutOfRange {
                name: "scale".into(),
                value: format!("{mean} + {deviation} z"),
                range: "finite, with a deviation above 0".into(),
            });
        }
        Ok(Plan::new(&spec, &self.inputs, self.outputs()))
    }
}

/// A fitted network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkModel {
    description: NetworkDescription,
    plan: Plan,
    weights: Vec<f32>,
}

impl NetworkModel {
    /// A network with these weights, laid out as the plan of `description` says.
    pub(crate) fn new(description: NetworkDescription, weights: Vec<f32>) -> Result<Self, NetworkError> {
        let broken = |problem: String| NetworkError::Weights { problem };
        let plan = description.plan().map_err(|error| broken(error.to_string()))?;
        if weights.len() != plan.total {
            return Err(broken(format!("there are {} numbers, not {}", weights.len(), plan.total)));
        }
        let model = Self { description, plan, weights };
        let is_finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let spoiled = model.tensors().find(|(_, values)| !is_finite(values)).map(|(tensor, _)| &tensor.name);
        if let Some(name) = spoiled {
            return Err(broken(format!("tensor `{name}` holds NaN or an infinity")));
        }
        Ok(model)
    }

    /// Everything but the weights.
    #[must_use]
    pub fn description(&self) -> &NetworkDescription {
        &self.description
    }

    /// The steps of scoring.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The tensors with their weights, in the order of the plan.
    pub fn tensors(&self) -> impl Iterator<Item = (&TensorLayout, &[f32])> {
        self.plan.tensors.iter().map(|tensor| (tensor, &self.weights[tensor.range()]))
    }

    /// The weights of the tensor at this position of the plan.
    #[must_use]
    pub fn tensor(&self, id: crate::plan::TensorId) -> &[f32] {
        &self.weights[self.plan.tensors[id].range()]
    }
}
