//! The section `train` of a pipeline file: a linear model or a network.

use serde::{Deserialize, Serialize, Serializer};

use sluice_core::options::OptionsError;
use sluice_delivery::network::NETWORK_FAMILY;
use sluice_networks::NetworkSpec;
use sluice_training::glm::GlmOptions;
use sluice_training::{ElasticNetOptions, LassoOptions, LeastSquaresOptions, ModelSpec, RidgeOptions};

/// The model; exactly one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "TrainSection")]
pub enum TrainSpec {
    /// A linear one, generalised or not.
    Linear(ModelSpec),
    /// A network.
    Network(Box<NetworkSpec>),
}

/// The keys of both, side by side, so that an unknown one is told with all that there are.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TrainSection {
    LeastSquares(LeastSquaresOptions),
    Ridge(RidgeOptions),
    Lasso(LassoOptions),
    ElasticNet(ElasticNetOptions),
    Logistic(GlmOptions),
    Poisson(GlmOptions),
    Gamma(GlmOptions),
    Tweedie(GlmOptions),
    Network(Box<NetworkSpec>),
}

impl From<TrainSection> for TrainSpec {
    fn from(section: TrainSection) -> Self {
        Self::Linear(match section {
            TrainSection::LeastSquares(options) => ModelSpec::LeastSquares(options),
            TrainSection::Ridge(options) => ModelSpec::Ridge(options),
            TrainSection::Lasso(options) => ModelSpec::Lasso(options),
            TrainSection::ElasticNet(options) => ModelSpec::ElasticNet(options),
            TrainSection::Logistic(options) => ModelSpec::Logistic(options),
            TrainSection::Poisson(options) => ModelSpec::Poisson(options),
            TrainSection::Gamma(options) => ModelSpec::Gamma(options),
            TrainSection::Tweedie(options) => ModelSpec::Tweedie(options),
            TrainSection::Network(spec) => return Self::Network(spec),
        })
    }
}

impl Serialize for TrainSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Linear(spec) => spec.serialize(serializer),
            Self::Network(spec) => serializer.serialize_newtype_variant("TrainSpec", 8, NETWORK_FAMILY, spec),
        }
    }
}

impl TrainSpec {
    /// The linear model, where it is one.
    #[must_use]
    pub fn linear(&self) -> Option<&ModelSpec> {
        match self {
            Self::Linear(spec) => Some(spec),
            Self::Network(_) => None,
        }
    }

    /// The columns beside label and weight that a fit reads, with what they are for.
    #[must_use]
    pub fn columns(&self) -> Vec<(&str, &'static str)> {
        match self {
            Self::Linear(spec) => spec.columns(),
            Self::Network(spec) => spec.group.iter().map(|group| (group.as_str(), "group")).collect(),
        }
    }

    /// The columns that are predicted beside the label.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        self.linear().map_or(&[], ModelSpec::targets)
    }

    /// The family, as the options name it.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.linear().map_or(NETWORK_FAMILY, ModelSpec::family)
    }

    /// The folds that sums over the rows are gathered in, for a model that is solved from them alone.
    #[must_use]
    pub fn folds(&self) -> Option<u32> {
        self.linear().and_then(ModelSpec::folds)
    }

    /// # Errors
    /// [`OptionsError`] for an option out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        match self {
            Self::Linear(spec) => spec.check(),
            Self::Network(spec) => spec.check(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TrainSpec;
    use crate::spec::from_yaml;

    #[test]
    fn a_network_stands_beside_linear_models() {
        let read = |text: &str| from_yaml::<TrainSpec>(text, "p.yaml");
        let network = read("network: {architecture: {mlp: {hidden: [8]}}, epochs: 3}").unwrap();
        assert_eq!((network.family(), network.folds()), ("network", None));
        let written = serde_json::to_string(&network).unwrap();
        assert_eq!(serde_json::from_str::<TrainSpec>(&written).unwrap(), network);
        let ridge = read("ridge: {alpha: 1}").unwrap();
        assert_eq!(ridge.family(), "ridge");
        assert_eq!(serde_json::to_value(&ridge).unwrap(), serde_json::to_value(ridge.linear()).unwrap());
        let error = read("netwrok: {}").unwrap_err().to_string();
        assert!(error.contains("unknown name `netwrok`"), "{error}");
        let error = read("network: {architecture: {mlp: {hidden: [8]}}, learning_rate: 1}").unwrap_err();
        assert!(error.to_string().contains("unknown key `learning_rate`"), "{error}");
    }
}
