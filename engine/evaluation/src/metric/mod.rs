//! Metrics of predictions against labels, overall and per slice, from one pass over the rows.
//!
//! To add a metric: a line in [`METRICS`] (`table.rs`) with its name, direction and two functions, the value from
//! the sums of a slice and the change with its variance. If it needs a sum that is not there, add a `Term` in
//! `sums.rs` and the column that computes it. Nothing else names metrics: options, reports and the gate go through
//! the table.

mod regression;
mod sums;
mod table;

use serde::{Deserialize, Serialize};
use sluice_core::options::OptionsError;

pub use regression::{MAX_SLICES, RegressionMetrics};
pub use sums::{GroupedSums, Summary};
pub use table::METRICS;

use crate::comparison::Estimate;

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// An error, for example.
    LowerIsBetter,
    /// A share explained, for example.
    HigherIsBetter,
    /// A bias: neither more nor less is better by itself.
    ZeroIsBest,
}

impl Direction {
    /// How much worse a difference (candidate minus baseline) is; `None` where the sign alone cannot tell.
    #[must_use]
    pub fn harm(self, difference: f64) -> Option<f64> {
        match self {
            Self::LowerIsBetter => Some(difference),
            Self::HigherIsBetter => Some(-difference),
            Self::ZeroIsBest => None,
        }
    }
}

/// Whose value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The model that wants to pass.
    Candidate,
    /// The model that it is compared with.
    Baseline,
}

impl Side {
    fn choose<T>(self, candidate: T, baseline: T) -> T {
        match self {
            Self::Candidate => candidate,
            Self::Baseline => baseline,
        }
    }
}

/// Why a figure does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// The label is the same in all rows of the slice.
    ConstantLabel,
    /// A variance needs two rows.
    TooFewRows,
    /// Labels or predictions are so large that a square passes the range of `f64`.
    TooLarge,
}

impl std::fmt::Display for Undefined {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::ConstantLabel => "the label is constant",
            Self::TooFewRows => "fewer than two rows give no variance",
            Self::TooLarge => "its terms are too large for double precision",
        })
    }
}

/// A metric: its name, direction and formulas.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name in options and reports.
    pub name: &'static str,
    /// What it answers, in words.
    pub meaning: &'static str,
    /// Which way it improves.
    pub direction: Direction,
    value: fn(&Summary<'_>, Side) -> Result<f64, Undefined>,
    change: fn(&Summary<'_>) -> Result<Estimate, Undefined>,
}

impl Metric {
    /// The metric of this name.
    ///
    /// # Errors
    /// [`OptionsError::NoSuchChoice`], whose hint names the nearest.
    pub fn find(name: &str) -> Result<&'static Self, OptionsError> {
        METRICS.iter().find(|metric| metric.name == name).ok_or_else(|| OptionsError::NoSuchChoice {
            name: "metric".into(),
            value: name.into(),
            choices: METRICS.iter().map(|metric| metric.name.into()).collect(),
        })
    }

    /// Its value over the rows of a summary.
    ///
    /// # Errors
    /// Why there is none.
    pub fn value(&self, summary: &Summary<'_>, side: Side) -> Result<f64, Undefined> {
        (self.value)(summary, side)
    }

    /// Its change from baseline to candidate, with the standard error.
    ///
    /// # Errors
    /// Why there is none.
    pub fn change(&self, summary: &Summary<'_>) -> Result<Estimate, Undefined> {
        (self.change)(summary)
    }
}

#[cfg(test)]
mod tests;
