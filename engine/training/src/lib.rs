//! Fits models: the linear ones that one scan of the data determines, and generalised ones by a few scans.
//!
//! - [`data`] says what a fit reads, [`spec`] which model is wanted; [`fit`] fits it;
//! - [`model`] is the fitted model, which predicts from a `FeatureBatch`;
//! - [`design`] gathers what the solvers need of the transformed rows, together or fold by fold; [`gather`] says where that
//!   comes from when it is not a scan;
//! - [`solve`] solves, pure and free of Arrow;
//! - [`wide`] solves designs that are too wide for sums of products, scan by scan;
//! - [`least_squares`] joins them to a family of models; [`glm`] iterates;
//! - [`calibration`] learns what scores are worth as probabilities;
//! - [`explain`] says what a fitted model makes of which feature;
//! - [`inference`] says what a fit tells of the population;
//! - [`interop`] puts our models among those of linfa.
//!
//! To add a model: its options with their ranges and a line in [`ModelSpec`], an accumulator or a use of
//! [`design`], and reference values from another implementation.

pub mod calibration;
pub mod data;
pub mod design;
pub mod error;
pub mod explain;
pub mod gather;
pub mod glm;
pub mod inference;
pub mod interop;
pub mod least_squares;
pub mod model;
pub mod solve;
pub mod spec;
#[cfg(test)]
mod testing;
pub mod wide;

pub use data::{TrainingColumns, TrainingData};
pub use error::TrainingError;
pub use gather::{Gather, Scans};
pub use glm::{Class, Distribution, GlmError, GlmOptions, GlmRecord, fit_glm};
pub use inference::{Inference, InferenceOptions, StandardErrors};
pub use least_squares::{
    CrossValidation, ElasticNetOptions, LassoOptions, LeastSquaresOptions, LinearOptions, MixingRatio,
    Penalty, PenaltySearch, RidgeOptions, Rule, fit_gathered, fit_linear, fit_linear_from, fit_ridge,
};
pub use model::{Coefficient, LinearModel, Link, Output, RowFeature, StartValues};
pub use spec::{FitOptions, ModelSpec, fit, fit_with};
