//! Evaluation: how good a model is, overall and per slice, whether it changed against the baseline by more than
//! chance, and whether it may go on.
//!
//! [`evaluate()`] reads the rows once, for candidate and baseline alike ([`measure`]), estimates changes with their
//! errors ([`comparison`]) and holds them against the requirements ([`gate`]). A model that does not pass is a
//! [`gate::Verdict`] with reasons, not an error.

mod accepted;
pub mod comparison;
mod curves;
mod custom;
mod entrants;
mod error;
mod evaluate;
mod evaluation;
mod fairness;
mod gap;
pub mod gate;
pub mod measure;
pub mod metric;
mod options;
mod order_statistics;
pub mod slice;
mod subject;
mod tables;

pub use curves::{CalibrationBin, CurvePoint, Curves, ErrorBin};
pub use custom::{CustomMetric, MetricEntry};
pub use entrants::{Baseline, Entrants};
pub use error::EvaluationError;
pub use evaluate::{conclude, evaluate, prepare};
pub use evaluation::{
    ContenderMetrics, Evaluation, LeftOut, MetricName, Resampled, SliceKey, SliceMetrics, SlicePart,
};
pub use fairness::{Disparities, Disparity, Distance, Fairness, FairnessOptions};
pub use gap::Gap;
pub use options::{CheckedOptions, EvaluateOptions};
pub use order_statistics::{HistogramOptions, OrderStatistics};
pub use subject::{Against, ContenderName, Subject};
pub use tables::{ClassMatrix, ConfusionMatrix, Tables};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
