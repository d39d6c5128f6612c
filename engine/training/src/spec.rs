//! Which model is wanted: the family and its options.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::error::TrainingError;
use crate::gather::{Gather, Scans};
use crate::glm::{Distribution, GlmOptions, fit_glm};
use crate::least_squares::{
    ElasticNetOptions, LassoOptions, LeastSquaresOptions, LinearOptions, RidgeOptions, fit_linear_from,
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
            Self::LeastSquares(_) | Self::Ridge(_) | Self::Lasso(_) | Self::ElasticNet(_) => Vec::new(),
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
            Self::LeastSquares(options) => &options.targets,
            Self::Ridge(options) => &options.targets,
            Self::Lasso(options) => &options.targets,
            Self::ElasticNet(options) => &options.targets,
            Self::Logistic(_) | Self::Poisson(_) | Self::Gamma(_) | Self::Tweedie(_) => &[],
        }
    }

    /// The family, as the options name it.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self.solver() {
            Solver::Sums(options) => options.family.name(),
            Solver::Iterations(distribution, _) => distribution.name(),
        }
    }

    /// The folds that sums over the rows are gathered in, for a model that is solved from them alone; none for a model
    /// that reads the rows again and again.
    #[must_use]
    pub fn folds(&self) -> Option<u32> {
        match self.solver() {
            Solver::Sums(options) => Some(options.alpha.folds()),
            Solver::Iterations(..) => None,
        }
    }

    /// Whether it is fitted by iterations, which another model can be the start of.
    #[must_use]
    pub fn is_iterated(&self) -> bool {
        self.folds().is_none()
    }

    /// # Errors
    /// [`OptionsError`] for an option out of its range, or that does not go with another.
    pub fn check(&self) -> Result<(), OptionsError> {
        match (self, self.solver()) {
            (Self::LeastSquares(options), _) => options.check(),
            (Self::Ridge(options), _) => options.check(),
            (_, Solver::Sums(options)) => options.check(),
            (_, Solver::Iterations(distribution, options)) => options.check(distribution),
        }
    }

    /// The options of linear least squares, where it is that.
    #[must_use]
    pub fn linear(&self) -> Option<LinearOptions> {
        match self.solver() {
            Solver::Sums(options) => Some(options),
            Solver::Iterations(..) => None,
        }
    }

    /// How it is fitted.
    fn solver(&self) -> Solver<'_> {
        match self {
            Self::LeastSquares(options) => Solver::Sums(options.into()),
            Self::Ridge(options) => Solver::Sums(options.into()),
            Self::Lasso(options) => Solver::Sums(options.into()),
            Self::ElasticNet(options) => Solver::Sums(options.into()),
            Self::Logistic(options) => Solver::Iterations(Distribution::Logistic, options),
            Self::Poisson(options) => Solver::Iterations(Distribution::Poisson, options),
            Self::Gamma(options) => Solver::Iterations(Distribution::Gamma, options),
            Self::Tweedie(options) => Solver::Iterations(Distribution::Tweedie, options),
        }
    }
}

/// The two ways of fitting.
enum Solver<'a> {
    /// From sums that one scan gathers.
    Sums(LinearOptions),
    /// By iterations over the rows.
    Iterations(Distribution, &'a GlmOptions),
}

/// What a fit may begin with, beside the rows.
#[derive(Default)]
pub struct FitOptions<'a> {
    /// Where the sums come from, for a model that is solved from sums; from a scan of the rows without.
    pub gather: Option<&'a mut dyn Gather>,
    /// The model that an iteration starts from.
    pub start: Option<&'a LinearModel>,
}

impl std::fmt::Debug for FitOptions<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FitOptions")
            .field("gather", &self.gather.is_some())
            .field("start", &self.start)
            .finish()
    }
}

/// Fits the model that `spec` asks for.
///
/// # Errors
/// As [`fit_with`].
pub fn fit(spec: &ModelSpec, data: TrainingData<'_>, execution: &Execution) -> Result<LinearModel> {
    fit_with(spec, data, FitOptions::default(), execution)
}

/// Fits the model that `spec` asks for, with what there is to begin with.
///
/// # Errors
/// Options out of their range; [`TrainingError`] for what the data make impossible, with file and row where there is one,
/// and for a start that the model has no use for.
pub fn fit_with(
    spec: &ModelSpec,
    data: TrainingData<'_>,
    options: FitOptions<'_>,
    execution: &Execution,
) -> Result<LinearModel> {
    spec.check()?;
    if options.start.is_some() && !spec.is_iterated() {
        return Err(TrainingError::NoStart { family: spec.family() }.into());
    }
    match (spec.solver(), options.gather) {
        (Solver::Sums(linear), Some(gather)) => fit_linear_from(data, &linear, gather, execution),
        (Solver::Sums(linear), None) => {
            fit_linear_from(data, &linear, &mut Scans { data, execution }, execution)
        }
        (Solver::Iterations(distribution, glm), _) => {
            fit_glm(data, distribution, glm, options.start, execution)
        }
    }
}
