//! Which model is wanted: the family and its options.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::glm::{Distribution, GlmOptions, fit_glm};
use crate::model::LinearModel;
use crate::ridge::{RidgeOptions, fit_ridge};

/// The model; exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSpec {
    /// Ridge regression.
    Ridge(RidgeOptions),
    /// Logistic regression.
    Logistic(GlmOptions),
    /// Poisson regression.
    Poisson(GlmOptions),
    /// Gamma regression.
    Gamma(GlmOptions),
    /// Tweedie regression.
    Tweedie(GlmOptions),
}

impl ModelSpec {
    /// The columns beside label and weight that a fit reads, with what they are for.
    #[must_use]
    pub fn columns(&self) -> Vec<(&str, &'static str)> {
        match self {
            Self::Ridge(_) => Vec::new(),
            Self::Logistic(options)
            | Self::Poisson(options)
            | Self::Gamma(options)
            | Self::Tweedie(options) => options.columns().collect(),
        }
    }

    /// The columns that are predicted beside the label.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        match self {
            Self::Ridge(options) => &options.targets,
            Self::Logistic(_) | Self::Poisson(_) | Self::Gamma(_) | Self::Tweedie(_) => &[],
        }
    }

    /// # Errors
    /// [`OptionsError`] for an option out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        match self {
            Self::Ridge(options) => options.check(),
            Self::Logistic(options) => options.check(Distribution::Logistic),
            Self::Poisson(options) => options.check(Distribution::Poisson),
            Self::Gamma(options) => options.check(Distribution::Gamma),
            Self::Tweedie(options) => options.check(Distribution::Tweedie),
        }
    }
}

/// Fits the model that `spec` asks for.
///
/// # Errors
/// Options out of their range; [`TrainingError`](crate::TrainingError) for what the data make impossible, with file
/// and row where there is one.
pub fn fit(spec: &ModelSpec, data: TrainingData<'_>, execution: &Execution) -> Result<LinearModel> {
    match spec {
        ModelSpec::Ridge(options) => fit_ridge(data, options, execution),
        ModelSpec::Logistic(options) => fit_glm(data, Distribution::Logistic, options, execution),
        ModelSpec::Poisson(options) => fit_glm(data, Distribution::Poisson, options, execution),
        ModelSpec::Gamma(options) => fit_glm(data, Distribution::Gamma, options, execution),
        ModelSpec::Tweedie(options) => fit_glm(data, Distribution::Tweedie, options, execution),
    }
}
