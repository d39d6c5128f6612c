//! Evaluation: how good a model is, overall and per slice, whether it changed against the baseline by more than
//! chance, and whether it may go on.
//!
//! [`evaluate()`] reads the rows once, for candidate and baseline alike ([`measure`]), estimates changes with their
//! errors ([`comparison`]) and holds them against the requirements ([`gate`]). A model that does not pass is a
//! [`gate::Verdict`] with reasons, not an error.

pub mod comparison;
mod curves;
mod error;
mod evaluate;
mod evaluation;
mod gap;
pub mod gate;
pub mod measure;
pub mod metric;
mod options;

pub use curves::{CalibrationBin, CurvePoint, Curves, ErrorBin};
pub use error::EvaluationError;
pub use evaluate::{Baseline, evaluate};
pub use evaluation::{Evaluation, MetricName, SliceKey, SliceMetrics, SlicePart};
pub use gap::Gap;
pub use options::{CheckedOptions, EvaluateOptions};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
