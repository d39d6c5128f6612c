//! What a network minimises.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// The squared error.
    Squared,
    /// Half the squared error up to `delta`, straight beyond.
    Huber {
        /// In standard deviations of the label where that is standardised, else in its units.
        #[serde(default = "one")]
        delta: f64,
    },
    /// The error, weighted `level` below the label and 1 - `level` above: scores estimate that quantile.
    Quantile {
        /// The share of labels below the score.
        level: f64,
    },
    /// Counts: exp(z) - y z, scores are exp(z).
    Poisson,
    /// Two classes: the log loss, scores are probabilities of the second.
    Logistic,
    /// Classes: the cross entropy, scores are probabilities.
    Softmax,
    /// Pairs of rows with different labels: ln(1 + exp(-(z - z'))), z that of the greater label (`RankNet`, Burges et al.
    /// 2005). Scores say the order and nothing else.
    Pairwise,
}

impl Loss {
    /// Its name in a pipeline file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Squared => "squared",
            Self::Huber { .. } => "huber",
            Self::Quantile { .. } => "quantile",
            Self::Poisson => "poisson",
            Self::Logistic => "logistic",
            Self::Softmax => "softmax",
            Self::Pairwise => "pairwise",
        }
    }

    /// Whether the label is a class.
    #[must_use]
    pub fn is_of_classes(&self) -> bool {
        matches!(self, Self::Logistic | Self::Softmax)
    }
}

/// Factors on the weights of rows, by class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// 1 for all.
    #[default]
    None,
    /// Such that all classes have the same sum of weights.
    Balanced,
    /// By class; 1 for those not named.
    Each(BTreeMap<String, f64>),
}

fn one() -> f64 {
    1.0
}
