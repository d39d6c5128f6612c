//! Fits neural networks for tables, and scores with them.
//!
//! - [`spec`] says which network is wanted and how it is trained; [`layout`] what it reads and predicts;
//! - [`plan`] makes a list of steps of both, which our kernels, candle and an ONNX export follow alike;
//! - [`model`] is the fitted network: it scores rows, and its weights are a safetensors file;
//! - [`double`] computes it in double precision, with its derivatives by the features, for explanations and checks;
//! - [`rows`] are the training rows, in memory or block by block from a disk;
//! - [`train`] fits: the same bits for any number of threads, and after a stop and a resume.
//!
//! To add a layer: a [`plan::Step`], its kernels forward and backward for processors and for cards, its twin in candle, and cases in
//! their comparisons.

#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests count in small numbers")
)]

mod compute;
pub mod double;
pub mod error;
#[cfg(any(feature = "cuda", test))]
mod gpu;
mod kernels;
pub mod layout;
pub mod model;
pub mod plan;
mod random;
pub mod rows;
pub mod spec;
#[cfg(test)]
mod tensors;
pub mod train;

pub use error::NetworkError;
pub use layout::{CategoricalInput, InputLayout, Inputs, LabelLayout};
pub use model::{FeatureGradients, LabelScale, Link, NetworkDescription, NetworkModel};
pub use plan::Plan;
pub use rows::{Block, MemoryRows, Rows};
pub use spec::{Architecture, Device, NetworkSpec};
pub use train::{Checkpoints, EpochRecord, FitOptions, FittedNetwork, Observer, fit};
