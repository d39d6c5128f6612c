//! Which model is wanted: the family and its options.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::least_squares::{
    ElasticNetOptions, LassoOptions, LeastSquaresOptions, LinearOptions, RidgeOptions, fit_linear,
};
use crate::model::LinearModel;

/// The model; exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSpec {
    /// Least squares without a penalty.
    LeastSquares(LeastSquaresOptions),
    /// Ridge regression.
    Ridge(RidgeOptions),
    /// Lasso.
    Lasso(LassoOptions),
    /// Elastic net.
    ElasticNet(ElasticNetOptions),
}

impl ModelSpec {
    /// The columns that are predicted beside the label.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        match self {
            Self::LeastSquares(options) => &options.targets,
            Self::Ridge(options) => &options.targets,
            Self::Lasso(options) => &options.targets,
            Self::ElasticNet(options) => &options.targets,
        }
    }

    /// # Errors
    /// [`OptionsError`] for an option out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.linear().check()
    }

    /// The options that linear least squares has in common.
    #[must_use]
    pub fn linear(&self) -> LinearOptions {
        match self {
            Self::LeastSquares(options) => options.into(),
            Self::Ridge(options) => options.into(),
            Self::Lasso(options) => options.into(),
            Self::ElasticNet(options) => options.into(),
        }
    }
}

/// Fits the model that `spec` asks for.
///
/// # Errors
/// Options out of their range; [`TrainingError`](crate::TrainingError) for what the data make impossible, with file
/// and row where there is one.
pub fn fit(spec: &ModelSpec, data: TrainingData<'_>, execution: &Execution) -> Result<LinearModel> {
    fit_linear(data, &spec.linear(), execution)
}
