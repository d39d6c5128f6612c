//! Fits models: so far the linear ones that one scan of the data determines.
//!
//! - [`data`] says what a fit reads, [`spec`] which model is wanted; [`fit`] fits it;
//! - [`model`] is the fitted model, which predicts from a `FeatureBatch`;
//! - [`design`] gathers what the solvers need of the transformed rows, together or fold by fold;
//! - [`solve`] solves, pure and free of Arrow;
//! - [`least_squares`] joins them to a family of models.
//!
//! To add a model: its options with their ranges and a line in [`ModelSpec`], an accumulator or a use of
//! [`design`], and reference values from another implementation.

pub mod data;
pub mod design;
pub mod error;
pub mod least_squares;
pub mod model;
pub mod solve;
pub mod spec;

pub use data::{TrainingColumns, TrainingData};
pub use error::TrainingError;
pub use least_squares::{
    CrossValidation, ElasticNetOptions, LassoOptions, LeastSquaresOptions, LinearOptions, MixingRatio,
    Penalty, PenaltySearch, RidgeOptions, Rule, fit_gathered, fit_linear, fit_ridge,
};
pub use model::{Coefficient, LinearModel, Link, Output};
pub use spec::{ModelSpec, fit};
