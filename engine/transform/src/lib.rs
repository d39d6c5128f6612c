//! From columns to features: operations named in a [`TransformSpec`], fitted in one scan of the training
//! rows into a [`Transform`], which is data and applied row by row wherever the model runs.
//!
//! Every operation replaces its column: after `impute: {columns: [age], with: mean}` and
//! `standardize: [age]` there is one feature `age`, imputed, then standardized. What is never named is not a
//! feature. To add an operation: a file under `operation/` with formula, source and what null, NaN, infinity
//! and unseen values do; a variant in [`spec::Operation`] and in [`graph::Node`]; the compiler shows the rest.

mod analysis;
mod error;
pub mod graph;
mod operation;
pub mod spec;

pub use analysis::{Analysis, check_lineage, check_role, finish, fit};
pub use error::TransformError;
pub use graph::Transform;
pub use spec::{Operation, TransformSpec};
