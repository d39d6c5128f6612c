//! Which model is wanted: the family and its options.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::model::LinearModel;
use crate::ridge::{RidgeOptions, fit_ridge};

/// The model; exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSpec {
    /// Ridge regression.
    Ridge(RidgeOptions),
}

impl ModelSpec {
    /// The columns that are predicted beside the label.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        match self {
            Self::Ridge(options) => &options.targets,
        }
    }

    /// # Errors
    /// [`OptionsError`] for an option out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        match self {
            Self::Ridge(options) => options.check(),
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
    }
}
