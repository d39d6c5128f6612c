//! How weights follow gradients; formulas and defaults as PyTorch's.

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, Range};

/// How weights follow gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    #[serde(rename = "adamw")]
    AdamW(AdamW),
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
    /// Steps divided by the root of the sum of squares so far (Duchi et al. 2011).
    Adagrad(Adagrad),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::AdamW(AdamW::default())
    }
}

/// The options of `adamw`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Length of a step.
    pub learning_rate: f64,
    /// Share of a weight that is taken away in a step, times the learning rate.
    pub weight_decay: f64,
    /// Memory of the mean of gradients.
    pub beta1: f64,
    /// Memory of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { learning_rate: 1e-3, weight_decay: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// The options of `sgd`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Length of a step.
    pub learning_rate: f64,
    /// Share of the last step that the next one keeps.
    pub momentum: f64,
    /// Whether the gradient is taken where the momentum leads.
    pub nesterov: bool,
    /// Share of a weight that is added to its gradient.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { learning_rate: 1e-2, momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

/// The options of `adagrad`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adagrad {
    /// Length of a step.
    pub learning_rate: f64,
    /// Share of a weight that is added to its gradient.
    pub weight_decay: f64,
    /// What the sums of squares begin with.
    pub initial: f64,
    /// Added to the root of the sum of squares.
    pub epsilon: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { learning_rate: 1e-2, weight_decay: 0.0, initial: 0.0, epsilon: 1e-10 }
    }
}

impl Optimizer {
    /// Its name in a pipeline file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AdamW(_) => "adamw",
            Self::Sgd(_) => "sgd",
            Self::Adagrad(_) => "adagrad",
        }
    }

    /// The length of a step before the schedule changes it.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::AdamW(options) => options.learning_rate,
            Self::Sgd(options) => options.learning_rate,
            Self::Adagrad(options) => options.learning_rate,
        }
    }

    /// The share of a weight that it loses, of `adamw` times the learning rate, of the others by its gradient.
    #[must_use]
    pub fn weight_decay(&self) -> f64 {
        match self {
            Self::AdamW(options) => options.weight_decay,
            Self::Sgd(options) => options.weight_decay,
            Self::Adagrad(options) => options.weight_decay,
        }
    }

    /// Numbers kept for each weight.
    #[must_use]
    pub fn slots(&self) -> usize {
        match self {
            Self::AdamW(_) => 2,
            Self::Sgd(_) | Self::Adagrad(_) => 1,
        }
    }

    /// # Errors
    /// [`OptionsError::OutOfRange`] with the setting and its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        let name = |option: &str| format!("network.optimizer.{}.{option}", self.name());
        Range::above(0.0).check(&name("learning_rate"), self.learning_rate())?;
        let below_one = |option: &str, value: f64| {
            let checked = Range::closed(0.0, 1.0 - f64::EPSILON).check(&name(option), value);
            checked.map(drop).map_err(|_| OptionsError::OutOfRange {
                name: name(option),
                value: value.to_string(),
                range: "at least 0 and below 1".into(),
            })
        };
        match self {
            Self::AdamW(AdamW { learning_rate: _, weight_decay, beta1, beta2, epsilon }) => {
                Range::at_least(0.0).check(&name("weight_decay"), *weight_decay)?;
                below_one("beta1", *beta1)?;
                below_one("beta2", *beta2)?;
                Range::above(0.0).check(&name("epsilon"), *epsilon)?;
            }
            Self::Sgd(Sgd { learning_rate: _, momentum, nesterov, weight_decay }) => {
                Range::at_least(0.0).check(&name("weight_decay"), *weight_decay)?;
                below_one("momentum", *momentum)?;
                if *nesterov && *momentum <= 0.0 {
                    return Err(OptionsError::Conflict {
                        name: name("nesterov"),
                        problem: "needs a `momentum` above 0".into(),
                        hint: None,
                    });
                }
            }
            Self::Adagrad(Adagrad { learning_rate: _, weight_decay, initial, epsilon }) => {
                Range::at_least(0.0).check(&name("weight_decay"), *weight_decay)?;
                Range::at_least(0.0).check(&name("initial"), *initial)?;
                Range::above(0.0).check(&name("epsilon"), *epsilon)?;
            }
        }
        Ok(())
    }
}
