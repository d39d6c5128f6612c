//! Fits models. By now: ridge regression from one scan, its penalty given or chosen by cross-validation.
//!
//! [`design`] gathers what the solver needs of the transformed rows, [`folds`] the same fold by fold, [`solve`]
//! solves, [`linear`] is the fitted model. To add a model: its options with their ranges, an accumulator or a
//! use of [`design`], a fitted type that predicts from a `FeatureBatch`, and reference values from another
//! implementation.

pub mod design;
pub mod error;
pub mod folds;
pub mod linear;
pub mod ridge;
pub mod solve;

pub use error::TrainingError;
pub use linear::LinearModel;
pub use ridge::{CrossValidation, FitInputs, Penalty, PenaltySearch, RidgeOptions, fit_ridge};
