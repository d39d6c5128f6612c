//! Training: linear models from one scan of the data, and the errors they report.

pub mod error;
pub mod solve;
