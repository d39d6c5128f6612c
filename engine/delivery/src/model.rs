//! The model of a package, linear or a network: what is asked of both.

use arrow::array::{ArrayRef, Float64Array};

use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureSpace};
use sluice_core::seam::{FeatureModel, Task};
use sluice_training::calibration::Calibration;
use sluice_training::explain::{Attribution, LinearExplainer};
use sluice_training::glm::ClassRows;
use sluice_training::{Class, LinearModel, Link};

use crate::network::{Network, NetworkExplainer};

/// A fitted model.
#[derive(Clone, Debug)]
pub enum Model {
    /// A linear one, generalised or not.
    Linear(LinearModel),
    /// A network.
    Network(Box<Network>),
}

impl From<LinearModel> for Model {
    fn from(model: LinearModel) -> Self {
        Self::Linear(model)
    }
}

impl From<Network> for Model {
    fn from(network: Network) -> Self {
        Self::Network(Box::new(network))
    }
}

impl Model {
    /// It, where it is linear.
    #[must_use]
    pub fn as_linear(&self) -> Option<&LinearModel> {
        match self {
            Self::Linear(model) => Some(model),
            Self::Network(_) => None,
        }
    }

    /// It, where it is a network.
    #[must_use]
    pub fn as_network(&self) -> Option<&Network> {
        match self {
            Self::Linear(_) => None,
            Self::Network(network) => Some(network),
        }
    }

    /// The family, as the options name it: `ridge`, `network`, …
    #[must_use]
    pub fn family(&self) -> &str {
        match self {
            Self::Linear(model) => &model.family,
            Self::Network(network) => &network.record.family,
        }
    }

    /// How it was fitted, in a word: how a linear model read its rows, where a network learnt.
    #[must_use]
    pub fn method(&self) -> String {
        match self {
            Self::Linear(model) => model.method.clone(),
            Self::Network(network) => network.record.training.device.clone(),
        }
    }

    /// The rows that it was fitted on, those of weight 0 not counted.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Linear(model) => model.rows,
            Self::Network(network) => network.record.rows,
        }
    }

    /// The weighted mean of the label over the training rows; of two classes the share of the positive one, of more 0.
    #[must_use]
    pub fn label_mean(&self) -> f64 {
        match self {
            Self::Linear(model) => model.label_mean,
            Self::Network(network) => network.record.label_mean,
        }
    }

    /// How sums become predictions.
    #[must_use]
    pub fn link(&self) -> Link {
        match self {
            Self::Linear(model) => model.link,
            Self::Network(network) => network.link(),
        }
    }

    /// What the probabilities of two classes are worth, where they were calibrated.
    #[must_use]
    pub fn calibration(&self) -> Option<&Calibration> {
        match self {
            Self::Linear(model) => model.calibration.as_ref(),
            Self::Network(network) => network.record.calibration.as_ref(),
        }
    }

    /// The same with its probabilities calibrated.
    #[must_use]
    pub fn calibrated(mut self, calibration: Calibration) -> Self {
        match &mut self {
            Self::Linear(model) => model.calibration = Some(calibration),
            Self::Network(network) => network.record.calibration = Some(calibration),
        }
        self
    }

    /// The column that was added to its sums in training and that predictions leave out.
    #[must_use]
    pub fn offset(&self) -> Option<&str> {
        self.as_linear()?.glm.as_ref()?.offsets.columns().next()
    }

    /// The classes of the label, ascending; none of an amount.
    #[must_use]
    pub fn classes(&self) -> &[ClassRows] {
        match self {
            Self::Linear(model) => model.glm.as_ref().map_or(&[], |glm| &glm.classes),
            Self::Network(network) => &network.record.classes,
        }
    }

    /// The class whose probability is predicted, where there are two.
    #[must_use]
    pub fn positive(&self) -> Option<&Class> {
        match self {
            Self::Linear(model) => model.glm.as_ref()?.positive.as_ref(),
            Self::Network(network) => network.positive(),
        }
    }

    /// What its predictions are.
    #[must_use]
    pub fn task(&self) -> Task {
        // 0 and 1 are their own numbers, so that any model of them can be compared.
        let is_number = |class: &ClassRows, number: i64| class.class == Class::Integer(number);
        match (self.classes(), self.positive()) {
            ([zero, one], Some(Class::Integer(1))) if is_number(zero, 0) && is_number(one, 1) => {
                Task::Binary { positive: None }
            }
            (_, Some(positive)) => Task::Binary { positive: Some(positive.to_string()) },
            ([], None) => Task::Regression,
            (classes, None) => {
                Task::MultiClass { classes: classes.iter().map(|class| class.class.to_string()).collect() }
            }
        }
    }

    /// The predictions of a batch, a column for each target.
    ///
    /// # Errors
    /// At the first feature, then row, that the model cannot take.
    pub fn predict(&self, features: &FeatureBatch, space: &FeatureSpace) -> Result<Vec<Float64Array>> {
        match self {
            Self::Linear(model) => model.predict(features, space),
            Self::Network(network) => network.predict(features),
        }
    }

    /// What each feature adds to its predictions.
    ///
    /// # Errors
    /// A linear model that was written before models held the means of their columns.
    pub fn attribution(&self, space: &FeatureSpace) -> Result<Box<dyn Attribution>> {
        Ok(match self {
            Self::Linear(model) => Box::new(LinearExplainer::new(model, space)?),
            Self::Network(network) => {
                let features = space.features.iter().map(|feature| feature.name.clone()).collect();
                Box::new(NetworkExplainer::new(network, features))
            }
        })
    }
}

impl FeatureModel for Model {
    fn label(&self) -> &str {
        match self {
            Self::Linear(model) => &model.label,
            Self::Network(network) => &network.record.label,
        }
    }

    fn targets(&self) -> Vec<String> {
        match self {
            Self::Linear(model) => model.outputs.iter().map(|output| output.target.clone()).collect(),
            Self::Network(network) => network.targets(),
        }
    }

    fn predict_sound(&self, features: &FeatureBatch, space: &FeatureSpace) -> Result<Vec<Float64Array>> {
        match self {
            Self::Linear(model) => Ok(model.predict_sound(features, space)),
            Self::Network(network) => network.predict_sound(features),
        }
    }

    fn label_values(&self, label: &ArrayRef) -> Result<Float64Array> {
        match self {
            Self::Linear(model) => model.labels(label),
            Self::Network(network) => network.labels(label),
        }
    }
}
