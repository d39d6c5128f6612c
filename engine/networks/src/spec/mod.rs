//! What the user chooses of a network: its layers, its loss, how it is trained and where.
//!
//! Everything has a default but the architecture; [`NetworkSpec::check`] refuses what cannot be meant, with the setting,
//! what was given and what is allowed.

mod architecture;
mod device;
mod loss;
mod optimizer;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, Range, suggest};

pub use architecture::{Activation, Architecture, Norm, NumericEmbedding};
pub use device::{Device, Precision};
pub use loss::{ClassWeights, Loss};
pub use optimizer::{Adagrad, AdamW, Optimizer, Sgd};
pub use schedule::Schedule;

use crate::layout::{InputLayout, LabelLayout};

/// A layer wider than this is a slip of the hand: its weights alone would be gigabytes.
const MAX_WIDTH: f64 = 65_536.0;

/// The options of `network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// The layers.
    pub architecture: Architecture,
    /// What follows every hidden layer.
    #[serde(default)]
    pub activation: Activation,
    /// The share of hidden values that is set to 0 in each step.
    #[serde(default)]
    pub dropout: f64,
    /// How hidden values are normalised.
    #[serde(default)]
    pub norm: Norm,
    /// How many numbers stand for an id, by categorical feature; the rest as [`NetworkSpec::embedding_width`] says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub embeddings: BTreeMap<String, u32>,
    /// What numeric features become before the first layer.
    #[serde(default)]
    pub numeric_embedding: NumericEmbedding,
    /// What is minimised; by the label unless given: squared, logistic or softmax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// With `loss: pairwise` the column whose equal values make a group: only rows of one group are compared. Its rows stand
    /// together in the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether a numeric label is brought to mean 0 and standard deviation 1 for the time of training (scores are in
    /// the label's own units in any case). Not for counts.
    #[serde(default = "yes")]
    pub standardize_label: bool,
    /// How weights follow gradients.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Rows per step.
    #[serde(default = "default_batch_size")]
    pub batch_size: u32,
    /// Passes over the training rows, at most.
    #[serde(default = "default_epochs")]
    pub epochs: u32,
    /// Whether and when to stop before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// The length (Euclidean norm) that the gradient of a step is shortened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clip: Option<f64>,
    /// Decides start weights, order of rows and dropout.
    #[serde(default)]
    pub seed: u64,
    /// Where it is trained.
    #[serde(default)]
    pub device: Device,
    /// Of products of matrices on a GPU; weights are always `f32`.
    #[serde(default)]
    pub precision: Precision,
    /// Factors on the weights of rows, by class.
    #[serde(default)]
    pub class_weights: ClassWeights,
}

/// When training ends before the last epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a better loss on the validation rows, after which it stops; the best weights are kept.
    pub patience: u32,
    /// The subset that is not trained on but looked at after each epoch.
    #[serde(default = "default_subset")]
    pub subset: String,
    /// What counts as better: the loss is lower by this share of the best.
    #[serde(default)]
    pub min_improvement: f64,
}

fn yes() -> bool {
    true
}

fn default_batch_size() -> u32 {
    1024
}

fn default_epochs() -> u32 {
    50
}

fn default_subset() -> String {
    "validation".into()
}

/// `true`, or what is wrong with an option that is a whole number.
fn check_count(name: &str, value: u32, range: Range) -> Result<(), OptionsError> {
    range.check(name, f64::from(value)).map(drop)
}

impl From<Architecture> for NetworkSpec {
    /// This architecture, and what is usual otherwise.
    fn from(architecture: Architecture) -> Self {
        Self {
            architecture,
            activation: Activation::default(),
            dropout: 0.0,
            norm: Norm::default(),
            embeddings: BTreeMap::new(),
            numeric_embedding: NumericEmbedding::default(),
            loss: None,
            group: None,
            standardize_label: true,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            batch_size: default_batch_size(),
            epochs: default_epochs(),
            early_stopping: None,
            gradient_clip: None,
            seed: 0,
            device: Device::default(),
            precision: Precision::default(),
            class_weights: ClassWeights::default(),
        }
    }
}

impl NetworkSpec {
    /// A multilayer perceptron with these hidden layers, and what is usual otherwise.
    #[must_use]
    pub fn mlp(hidden: &[u32]) -> Self {
        Self::from(Architecture::Mlp { hidden: hidden.to_vec() })
    }

    /// What can be said without the data.
    ///
    /// # Errors
    /// [`OptionsError`] with the setting, what was given and what is allowed.
    pub fn check(&self) -> Result<(), OptionsError> {
        let width = Range::closed(1.0, MAX_WIDTH);
        self.architecture.check(width)?;
        Range::closed(0.0, 0.95).check("network.dropout", self.dropout)?;
        for (feature, dimension) in &self.embeddings {
            check_count(&format!("network.embeddings.{feature}"), *dimension, Range::closed(1.0, 1024.0))?;
        }
        match self.numeric_embedding {
            NumericEmbedding::None => {}
            NumericEmbedding::PiecewiseLinear { bins } => {
                check_count(
                    "network.numeric_embedding.piecewise_linear.bins",
                    bins,
                    Range::closed(2.0, 1024.0),
                )?;
            }
            NumericEmbedding::Periodic { frequencies, sigma } => {
                let name = "network.numeric_embedding.periodic";
                check_count(&format!("{name}.frequencies"), frequencies, Range::closed(1.0, 1024.0))?;
                Range::above(0.0).check(&format!("{name}.sigma"), sigma)?;
            }
        }
        match self.loss {
            Some(Loss::Huber { delta }) => {
                Range::above(0.0).check("network.loss.huber.delta", delta).map(drop)?;
            }
            Some(Loss::Quantile { level }) => {
                Range::open(0.0, 1.0).check("network.loss.quantile.level", level).map(drop)?;
            }
            Some(Loss::Squared | Loss::Poisson | Loss::Logistic | Loss::Softmax | Loss::Pairwise) | None => {}
        }
        if self.group.is_some() && self.loss != Some(Loss::Pairwise) {
            return Err(OptionsError::Conflict {
                name: "network.group".into(),
                problem: "says whose rows are ranked among each other, which `loss: pairwise` does alone"
                    .into(),
                hint: Some("set `loss: pairwise`, or leave `group` out".into()),
            });
        }
        self.check_training()
    }

    /// The part of [`NetworkSpec::check`] that concerns training.
    fn check_training(&self) -> Result<(), OptionsError> {
        self.optimizer.check()?;
        self.schedule.check()?;
        check_count("network.batch_size", self.batch_size, Range::closed(1.0, 65_536.0))?;
        check_count("network.epochs", self.epochs, Range::closed(1.0, 1_000_000.0))?;
        if let Some(stopping) = &self.early_stopping {
            let name = "network.early_stopping";
            check_count(&format!("{name}.patience"), stopping.patience, Range::closed(1.0, 1_000_000.0))?;
            Range::closed(0.0, 0.5).check(&format!("{name}.min_improvement"), stopping.min_improvement)?;
        }
        if let Some(clip) = self.gradient_clip {
            Range::above(0.0).check("network.gradient_clip", clip)?;
        }
        if let ClassWeights::Each(weights) = &self.class_weights {
            for (class, weight) in weights {
                Range::above(0.0).check(&format!("network.class_weights.each.{class}"), *weight)?;
            }
        }
        if self.precision != Precision::F32 && self.device == Device::Cpu {
            return Err(OptionsError::Conflict {
                name: "network.precision".into(),
                problem: format!("is `{}`, which only GPUs compute in", self.precision.name()),
                hint: Some("leave it out, or set `device: cuda:0`".into()),
            });
        }
        Ok(())
    }

    /// The loss, by the label where the spec leaves it open.
    #[must_use]
    pub fn loss_for(&self, label: &LabelLayout) -> Loss {
        self.loss.unwrap_or(match label.classes.len() {
            0 => Loss::Squared,
            2 => Loss::Logistic,
            _ => Loss::Softmax,
        })
    }

    /// What can be said once the features and the label are known.
    ///
    /// # Errors
    /// [`OptionsError`]: an embedding of a feature that is none, a loss of another kind of label, a class that is not there.
    pub fn check_with(&self, inputs: &InputLayout, label: &LabelLayout) -> Result<(), OptionsError> {
        self.check()?;
        inputs.check()?;
        for feature in self.embeddings.keys() {
            if !inputs.categorical.iter().any(|input| input.name == *feature) {
                return Err(OptionsError::Conflict {
                    name: format!("network.embeddings.{feature}"),
                    problem: "is no categorical feature of the transform".into(),
                    hint: suggest(feature, inputs.categorical.iter().map(|input| input.name.as_str())),
                });
            }
        }
        let loss = self.loss_for(label);
        let classes = label.classes.len();
        let problem = match loss {
            Loss::Logistic if classes != 2 => "needs a label of two classes",
            Loss::Softmax if classes < 2 => "needs a label of at least two classes",
            Loss::Squared | Loss::Huber { .. } | Loss::Quantile { .. } | Loss::Poisson | Loss::Pairwise
                if classes > 0 =>
            {
                "needs a label that is a number"
            }
            _ => return self.check_classes(label),
        };
        Err(OptionsError::Conflict {
            name: "network.loss".into(),
            problem: format!("is `{}`, which {problem}; `{}` {}", loss.name(), label.name, label.in_words()),
            hint: Some("leave `loss` out to have it chosen by the label".into()),
        })
    }

    fn check_classes(&self, label: &LabelLayout) -> Result<(), OptionsError> {
        let conflict =
            |name: String, problem: String, hint| Err(OptionsError::Conflict { name, problem, hint });
        match &self.class_weights {
            ClassWeights::None => Ok(()),
            ClassWeights::Balanced | ClassWeights::Each(_) if label.classes.is_empty() => conflict(
                "network.class_weights".into(),
                format!("needs a label of classes; `{}` is a number", label.name),
                None,
            ),
            ClassWeights::Balanced => Ok(()),
            ClassWeights::Each(weights) => {
                match weights.keys().find(|class| !label.classes.contains(class)) {
                    None => Ok(()),
                    Some(class) => conflict(
                        format!("network.class_weights.each.{class}"),
                        format!("is no class of `{}`", label.name),
                        suggest(class, label.classes.iter().map(String::as_str)),
                    ),
                }
            }
        }
    }

    /// How many numbers stand for an id of `feature`, of which there are `ids`: as chosen, else min(50, 1.6 ids^0.56),
    /// rounded.
    #[must_use]
    pub fn embedding_width(&self, feature: &str, ids: u32) -> usize {
        self.embeddings.get(feature).map_or_else(
            || {
                // Roots and products of a count below 2^32 fit.
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 1 and 50"
                )]
                let width = (1.6 * f64::from(ids).powf(0.56)).round().clamp(1.0, 50.0) as usize;
                width
            },
            |width| *width as usize,
        )
    }
}
