//! Fits models: the linear ones that one scan of the data determines, and generalised ones by a few scans.
//!
//! - [`data`] says what a fit reads, [`spec`] which model is wanted; [`fit`] fits it;
//! - [`model`] is the fitted model, which predicts from a `FeatureBatch`;
//! - [`design`] gathers what the solvers need of the transformed rows, together or fold by fold;
//! - [`solve`] solves, pure and free of Arrow;
//! - [`ridge`] joins them to a family of models; [`glm`] iterates;
//! - [`inference`] says what a fit tells of the population.
//!
//! To add a model: its options with their ranges and a line in [`ModelSpec`], an accumulator or a use of
//! [`design`], and reference values from another implementation.

pub mod data;
pub mod design;
pub mod error;
pub mod glm;
pub mod inference;
pub mod model;
pub mod ridge;
pub mod solve;
pub mod spec;

pub use data::{TrainingColumns, TrainingData};
pub use error::TrainingError;
pub use glm::{Class, Distribution, GlmError, GlmOptions, GlmRecord, fit_glm};
pub use model::{Coefficient, LinearModel, Link, Output};
pub use ridge::{CrossValidation, Penalty, PenaltySearch, RidgeOptions, fit_ridge};
pub use spec::{ModelSpec, fit};
