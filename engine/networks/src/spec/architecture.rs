//! The layers of a network.

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, Range};

use super::check_count;

/// The layers between features and scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// Hidden layers one after the other.
    #[serde(rename_all = "snake_case")]
    Mlp {
        /// Their widths; none is a linear model.
        hidden: Vec<u32>,
    },
    /// A linear model and a multilayer perceptron, added (Cheng et al. 2016).
    WideAndDeep {
        /// Widths of the hidden layers of the deep part.
        hidden: Vec<u32>,
    },
    /// Blocks that add to what they read (the tabular `ResNet` of Gorishniy et al. 2021).
    Residual {
        /// Width of what goes from block to block.
        width: u32,
        /// Blocks.
        blocks: u32,
        /// Width inside a block; twice `width` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hidden: Option<u32>,
    },
    /// Products of every two features' vectors, and a multilayer perceptron on them (DLRM, Naumov et al. 2019).
    Interactions {
        /// Numbers in the vector of a feature, in place of `embeddings`.
        dimension: u32,
        /// Widths of the hidden layers between numeric features and their one vector.
        #[serde(default)]
        bottom: Vec<u32>,
        /// Widths of the hidden layers on the products.
        hidden: Vec<u32>,
    },
}

/// What a hidden layer's sums go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(z, 0).
    #[default]
    Relu,
    /// z where positive, z / 100 elsewhere.
    LeakyRelu,
    /// z where positive, exp(z) - 1 elsewhere.
    Elu,
    /// z times the logistic function of z.
    Silu,
    /// z times the normal distribution function of z, by its tanh formula (Hendrycks & Gimpel 2016).
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
}

/// How hidden values are normalised before the activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Not at all.
    #[default]
    None,
    /// Over the values of a row (Ba et al. 2016).
    Layer,
    /// Over the rows of a shard of the batch (Ioffe & Szegedy 2015; "ghost" batches of Hoffer et al. 2017).
    Batch,
}

/// What numeric features become before the first layer (Gorishniy et al. 2022).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NumericEmbedding {
    /// They stay.
    #[default]
    None,
    /// How much of each bin lies below the value; bins between quantiles of the training rows.
    PiecewiseLinear {
        /// Bins per feature.
        bins: u32,
    },
    /// Sines and cosines at learned frequencies.
    Periodic {
        /// Frequencies per feature.
        frequencies: u32,
        /// Standard deviation of their start values.
        #[serde(default = "default_sigma")]
        sigma: f64,
    },
}

fn default_sigma() -> f64 {
    0.1
}

impl Activation {
    /// Whether the derivative follows from the result, so that the sums need not be kept.
    #[must_use]
    pub fn is_invertible(self) -> bool {
        match self {
            Self::Relu | Self::LeakyRelu | Self::Elu | Self::Tanh | Self::Sigmoid => true,
            Self::Silu | Self::Gelu => false,
        }
    }
}

impl Architecture {
    pub(super) fn check(&self, width: Range) -> Result<(), OptionsError> {
        let layers = |name: &str, widths: &[u32]| -> Result<(), OptionsError> {
            for (position, layer) in widths.iter().enumerate() {
                check_count(&format!("{name}[{position}]"), *layer, width)?;
            }
            check_count(
                &format!("the number of layers in {name}"),
                u32::try_from(widths.len()).unwrap_or(u32::MAX),
                Range::closed(0.0, 256.0),
            )
        };
        let name = "network.architecture";
        match self {
            Self::Mlp { hidden } => layers(&format!("{name}.mlp.hidden"), hidden),
            Self::WideAndDeep { hidden } => layers(&format!("{name}.wide_and_deep.hidden"), hidden),
            Self::Residual { width: outer, blocks, hidden } => {
                check_count(&format!("{name}.residual.width"), *outer, width)?;
                check_count(&format!("{name}.residual.blocks"), *blocks, Range::closed(1.0, 256.0))?;
                hidden.map_or(Ok(()), |inner| check_count(&format!("{name}.residual.hidden"), inner, width))
            }
            Self::Interactions { dimension, bottom, hidden } => {
                let name = format!("{name}.interactions");
                check_count(&format!("{name}.dimension"), *dimension, Range::closed(1.0, 1024.0))?;
                layers(&format!("{name}.bottom"), bottom)?;
                layers(&format!("{name}.hidden"), hidden)
            }
        }
    }
}
